use super::Origin;
use crate::{Families, Family, Mode, Moment, Plan, Size};

#[test]
fn an_origin_of_nothing_but_a_seed_and_a_mode_is_the_plan_of_the_seed() {
    for seed in 0..200 {
        assert_eq!(Origin::new(seed).plan(), Plan::new(seed));
        let hostile = Origin { mode: Mode::Hostile, ..Origin::new(seed) };
        assert_eq!(hostile.plan(), Plan::hostile(seed));
        let only = Families::NONE.with(Family::C2);
        let narrowed = Origin { only, ..Origin::new(seed) };
        assert_eq!(narrowed.plan(), Plan::only(seed, Mode::Honest, only));
    }
}

#[test]
fn every_second_fault_waits_for_the_moment_that_is_named_and_no_other_waits() {
    for at in Moment::ALL {
        let mut waiting = 0;
        for seed in 0..100 {
            let only = Families::NONE.with(Family::C2).with(Family::N8);
            let plan = Origin { only, at: Some(at), size: Size::Brief, ..Origin::new(seed) }.plan();
            let moments: Vec<_> =
                plan.episodes.iter().filter_map(|episode| episode.moment).collect();
            assert!(moments.iter().all(|moment| *moment == at), "{seed} {moments:?}");
            waiting += usize::from(!moments.is_empty());
            assert!(plan.episodes.len() < 2 || moments.len() < plan.episodes.len(), "{seed}");
        }
        assert!(waiting > 50, "{waiting} of 100 worlds with faults that wait for {at:?}");
    }
}

#[test]
fn a_moment_alone_leaves_the_families_to_the_seed() {
    let families = |plan: &Plan| {
        let all = plan.episodes.iter().map(|episode| episode.fault.family());
        all.fold(Families::NONE, Families::with)
    };
    let origin = |seed| Origin { at: Some(Moment::Hello), ..Origin::new(seed) };
    let seen: Vec<Families> = (0..50).map(|seed| families(&origin(seed).plan())).collect();
    assert!(seen.iter().filter(|families| families.iter().count() > 2).count() > 25, "{seen:?}");
}
