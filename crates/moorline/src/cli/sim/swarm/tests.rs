use moorline_sim::{Families, Family, Plan, Swarm};

use super::{Mode, family, how_far, plan_of};

#[test]
fn a_family_is_named_by_its_id_or_its_title() {
    for one in Family::ALL {
        assert_eq!(family(one.name()), Ok(*one));
        assert_eq!(family(&super::typed(*one)), Ok(*one));
    }
    assert_eq!(family("half-open"), Ok(Family::C3));
    assert_eq!(family(" h1"), Ok(Family::H1));
    assert!(family("weather").unwrap_err().contains("N8 partition"));
}

#[test]
fn only_faults_of_the_families_that_were_named_are_left() {
    let only = Families::NONE.with(Family::H1).with(Family::C3);
    let plans: Vec<Plan> = (0..200).map(|seed| plan_of(seed, Mode::Honest, only)).collect();
    for plan in &plans {
        assert!(plan.episodes.iter().all(|episode| only.contains(episode.fault.family())));
    }
    for family in only.iter() {
        let has = |plan: &&Plan| plan.episodes.iter().any(|one| one.fault.family() == family);
        assert!(plans.iter().filter(has).count() > 60, "{family:?}");
    }
    let all = |seed| plan_of(seed, Mode::Honest, Families::NONE);
    assert!((0..50).all(|seed| all(seed) == Plan::new(seed)));
}

#[test]
fn progress_says_how_many_worlds_how_fast_and_how_many_failures() {
    let report = Swarm::of(0..1).run();
    assert!(how_far(&report).starts_with("1 world, "), "{}", how_far(&report));
    assert!(how_far(&report).ends_with(" a second, 0 failures"), "{}", how_far(&report));
}
