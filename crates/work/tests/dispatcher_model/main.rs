//! The dispatcher against a reference store and scripted workers: commits that lag and batch,
//! connections that break, processes that crash on both sides, results late and twice.

mod checks;
mod found;
mod store;
mod worker;
mod world;

use found::{ACTIVE_BEFORE_LEASES, REVIVED_AND_ADOPTED};
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

/// Found at random: a task failed for good by an operation, was queued again by a client and adopted
/// by two more, all in one commit.
#[test]
fn the_end_of_a_task_does_not_forget_what_became_of_it_since() {
    let mut world = World::new(1_059_233_149_107_705_072);
    for choice in REVIVED_AND_ADOPTED {
        world.step(choice);
    }
    assert!(world.calm_down());
}

/// Found at random: a worker was active before the leases of an earlier life were read, and another one
/// ran an older attempt of what was leased to it.
#[test]
fn who_was_active_before_the_leases_were_read_is_not_thought_to_run_them() {
    let mut world = World::new(3_448_526_236_424_933_404);
    for choice in ACTIVE_BEFORE_LEASES {
        world.step(choice);
    }
    assert!(world.calm_down());
}

/// Found at random: of two workers whose sessions ended in one turn the second got what the first had
/// returned.
#[test]
fn a_worker_whose_session_is_to_end_gets_nothing_new() {
    let mut dice = world::Dice(1_037_338);
    let mut world = World::new(dice.0);
    for _ in 0..400 {
        world.step(u32::try_from(dice.roll(1 << 32)).unwrap());
    }
    assert!(world.calm_down());
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
        sum.unanswered += tally.unanswered;
        sum.cancelled += tally.cancelled;
        sum.dead += tally.dead;
        sum.revived += tally.revived;
        sum.conflicts += tally.conflicts;
        sum.at_once += tally.at_once;
        sum.in_vain += tally.in_vain;
        sum.broken += tally.broken;
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
        sum.unanswered,
        sum.cancelled,
        sum.dead,
        sum.revived,
        sum.conflicts,
        sum.at_once,
        sum.in_vain,
        sum.broken,
    ];
    assert!(reached.iter().all(|count| *count > 0), "{sum:?}");
}
