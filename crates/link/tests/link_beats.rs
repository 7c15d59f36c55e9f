//! When beats are written, and which of their answers tell of the path.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use moorline_link::{Instant, Link, LinkAction, LinkConfig, LinkInput, WorkerId};
use support::{Bench, MS, SECOND, identity};

/// An active link that just had a beat answered, so that the next one is 5 s away.
fn after_a_beat() -> Bench {
    let mut bench = Bench::active(LinkConfig::default());
    bench.until(|bench| !bench.beats().is_empty());
    bench.forget();
    bench
}

/// How long after its registration a worker writes its first beat.
fn phase(worker: u128) -> Duration {
    let mut who = identity();
    who.worker = WorkerId(worker);
    let mut bench = Bench::new(LinkConfig::default());
    bench.link = Link::new(LinkConfig::default(), who, 11, Instant::ZERO);
    bench.until_active();
    let active = bench.now;
    bench.until(|bench| !bench.beats().is_empty());
    bench.now.since(active)
}

#[test]
fn workers_that_share_one_half_of_their_ids_still_beat_at_times_of_their_own() {
    let shared = u128::from(u64::MAX);
    let alike: [fn(u128, u128) -> u128; 4] =
        [|n, _| n, |n, _| n << 64, |n, shared| shared << 64 | n, |n, shared| n << 64 | shared];
    for worker in alike {
        let phases: BTreeSet<Duration> = (0..50).map(|n| phase(worker(n, shared))).collect();
        assert_eq!(phases.len(), 50);
        let (first, last) = (phases.first().expect("some"), phases.last().expect("some"));
        assert!(*first < SECOND && *last > 4 * SECOND, "{first:?} to {last:?}");
    }
}

#[test]
fn a_beat_that_comes_late_does_not_put_off_the_next_one() {
    let mut bench = after_a_beat();
    let start = bench.ms();
    bench.freeze(5_700 * MS);
    bench.input(LinkInput::Timeout);
    bench.pass(10 * SECOND);
    let since: Vec<u64> = bench.beats().iter().map(|at| at - start).collect();
    assert_eq!(since, [5_700, 10_000, 15_000]);
}

#[test]
fn a_beat_beside_the_regular_ones_makes_no_suspicion_come_sooner_or_later() {
    let suspected_after = |beside: bool| {
        let mut bench = after_a_beat();
        for round in 0..30 {
            bench.pass(2_500 * MS);
            if beside {
                bench.input(LinkInput::Report { free: 0, paused: round % 2 == 0, owes: false });
            }
            bench.pass(2_500 * MS);
        }
        assert_eq!(bench.beats().len(), if beside { 60 } else { 30 });
        bench.coordinator.answers_beats = false;
        let silent = |bench: &Bench| {
            let silent = |(_, action): &(u64, LinkAction)| {
                if let LinkAction::Suspicion { silent, .. } = action { Some(*silent) } else { None }
            };
            bench.actions.iter().find_map(silent)
        };
        bench.until(|bench| silent(bench).is_some());
        silent(&bench)
    };
    assert_eq!(suspected_after(true), suspected_after(false));
}

#[test]
fn there_is_no_round_trip_before_a_beat_was_answered() {
    let mut bench = Bench::active(LinkConfig::default());
    bench.coordinator.answers_beats = false;
    bench.until(|bench| !bench.beats().is_empty());
    assert_eq!(bench.link.snapshot().rtt, None);
    bench.coordinator.answers_beats = true;
    let written = bench.beats().len();
    bench.until(|bench| bench.beats().len() > written);
    assert_eq!(bench.link.snapshot().rtt, Some(Duration::from_micros(1)));
}
