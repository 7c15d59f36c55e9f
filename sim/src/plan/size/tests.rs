use crate::plan::SEC;
use crate::{Families, Mode, Origin, Plan, Size, Temper};

fn brief(seed: u64, mode: Mode) -> Plan {
    Origin { mode, size: Size::Brief, ..Origin::new(seed) }.plan()
}

#[test]
fn a_brief_world_has_few_of_all_and_ends_soon() {
    for mode in [Mode::Honest, Mode::Hostile] {
        for seed in 0..2_000 {
            let plan = brief(seed, mode);
            let settings = &plan.settings;
            assert!((1..=4).contains(&plan.workers.len()), "{seed}");
            assert!((1..=8).contains(&plan.tasks.len()), "{seed}");
            assert!((5 * SEC..=30 * SEC).contains(&plan.quiet_at), "{seed}");
            assert!([6 * SEC, 12 * SEC].contains(&settings.lost_after), "{seed}");
            assert!(settings.initial_delay <= settings.max_delay, "{seed}");
            assert_eq!(settings.is_fit(), Ok(()), "{seed}");
            assert!(plan.episodes.iter().all(|episode| episode.at < plan.quiet_at), "{seed}");
            let begins = plan.workers.iter().map(|worker| worker.begins_at);
            assert!(begins.max() <= Some(3 * SEC) && plan.coordinator.begins_at <= 3 * SEC);
            assert!(plan.tasks.iter().all(|task| task.work <= 4 * SEC && task.stops <= 8 * SEC));
        }
    }
}

#[test]
fn a_brief_world_has_every_temper_and_every_family_of_its_mode() {
    let all: Vec<Plan> = (0..2_000).map(|seed| brief(seed, Mode::Hostile)).collect();
    for temper in [Temper::Calm, Temper::Common, Temper::Cranked, Temper::Extreme] {
        let of = all.iter().filter(|plan| plan.temper == temper).count();
        assert!(of > 100, "{of} worlds are {temper:?}");
    }
    let met = |plan: &Plan| {
        let families = plan.episodes.iter().map(|episode| episode.fault.family());
        families.fold(Families::NONE, Families::with)
    };
    let usual: Vec<Plan> = (0..2_000).map(Plan::hostile).collect();
    for family in usual.iter().map(met).flat_map(Families::iter) {
        let of = all.iter().filter(|plan| met(plan).contains(family)).count();
        assert!(of > 60, "{of} worlds have {family:?}");
    }
}

/// Settings that are usual stay so: else every brief world would be one in which the library is set
/// otherwise.
#[test]
fn a_brief_world_is_set_in_a_usual_way_unless_that_is_its_fault() {
    let usual = |plan: &Plan| plan.settings.is_usual();
    let all: Vec<Plan> = (0..400).map(|seed| brief(seed, Mode::Honest)).collect();
    assert!(all.iter().filter(|plan| plan.is_calm()).all(usual));
    let of = all.iter().filter(|plan| usual(plan)).count();
    assert!((100..300).contains(&of), "{of}");
}
