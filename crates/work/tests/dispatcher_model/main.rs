//! The dispatcher against a reference store and scripted workers: commits that lag and batch,
//! connections that break, processes that crash on both sides, results late and twice.

mod checks;
mod store;
mod worker;
mod world;

use proptest::prelude::*;
use world::{Tally, World};

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_fails_no_task_is_lost_no_result_counts_twice_and_everything_ends(
        seed in any::<u64>(),
        choices in proptest::collection::vec(any::<u32>(), 1..400),
    ) {
        let mut world = World::new(seed);
        for choice in choices {
            world.step(choice);
        }
        prop_assert!(
            world.calm_down(),
            "it did not end: {:#?}\n{:#?}\n{:#?}",
            world.store,
            world.peers,
            world.dispatcher
        );
    }
}

#[test]
fn the_random_runs_reach_every_way_a_lease_can_end() {
    let mut sum = Tally::default();
    for seed in 0..300_u64 {
        let mut world = World::new(seed);
        let mut dice = world::Dice(seed);
        for _ in 0..400 {
            world.step(u32::try_from(dice.roll(1 << 32)).unwrap());
        }
        assert!(world.calm_down(), "seed {seed}");
        let tally = world.tally;
        sum.succeeded += tally.succeeded;
        sum.adopted += tally.adopted;
        sum.lost += tally.lost;
        sum.returned += tally.returned;
        sum.retried += tally.retried;
        sum.late += tally.late;
        sum.duplicate += tally.duplicate;
        sum.stale += tally.stale;
        sum.revoked += tally.revoked;
        sum.withdrawn += tally.withdrawn;
        sum.cancelled += tally.cancelled;
        sum.dead += tally.dead;
        sum.revived += tally.revived;
        sum.conflicts += tally.conflicts;
    }
    let reached = [
        sum.succeeded,
        sum.adopted,
        sum.lost,
        sum.returned,
        sum.retried,
        sum.late,
        sum.duplicate,
        sum.stale,
        sum.revoked,
        sum.withdrawn,
        sum.cancelled,
        sum.dead,
        sum.revived,
        sum.conflicts,
    ];
    assert!(reached.iter().all(|count| *count > 0), "{sum:?}");
}
