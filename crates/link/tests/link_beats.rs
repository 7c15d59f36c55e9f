//! When beats are written, and which of their answers tell of the path.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use moorline_link::{
    CoordinatorFrame, Instant, Link, LinkAction, LinkConfig, LinkInput, State, WorkerId,
};
use support::{Bench, MS, SECOND, agrees, identity};

/// An active link that just had a beat answered, so that the next one is 5 s away.
fn after_a_beat() -> Bench {
    let mut bench = Bench::active(LinkConfig::default());
    bench.until(|bench| !bench.beats().is_empty());
    bench.forget();
    bench
}

/// The coordinator answers the last beat, and agrees.
fn answer_last(bench: &mut Bench) {
    let answer = agrees(bench.coordinator.epoch, &bench.last_beat());
    bench.frame(CoordinatorFrame::BeatAnswer(answer));
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

#[test]
fn a_link_in_doubt_stays_so_when_another_interval_is_assigned() {
    let mut bench = after_a_beat();
    bench.coordinator.answers_beats = false;
    bench.pass(6_500 * MS);
    assert_eq!(bench.link.snapshot().interval, Some(1_250 * MS));
    bench.coordinator.answers_beats = true;
    bench.coordinator.retells = (None, Some(8 * SECOND));
    let written = bench.beats().len();
    bench.until(|bench| bench.beats().len() > written);
    assert_eq!(bench.link.snapshot().interval, Some(2 * SECOND), "a quarter of the new one");
}

#[test]
fn a_link_that_beats_as_often_as_it_may_is_told_of_no_other_interval() {
    let mut bench = Bench::new(LinkConfig::default());
    bench.coordinator.interval = SECOND;
    bench.until_active();
    bench.until(|bench| !bench.beats().is_empty());
    bench.coordinator.answers_beats = false;
    let missed = bench.missed().len();
    bench.until(|bench| bench.missed().len() > missed);
    let told = |(_, action): &(u64, LinkAction)| matches!(action, LinkAction::Interval { .. });
    assert!(!bench.actions.iter().any(told));
}

#[test]
fn on_a_slow_path_the_probe_of_a_silent_peer_waits_for_four_round_trips() {
    let mut bench = after_a_beat();
    bench.coordinator.answers_beats = false;
    for _ in 0..10 {
        let written = bench.beats().len();
        bench.until(|bench| bench.beats().len() > written);
        bench.pass(600 * MS);
        answer_last(&mut bench);
    }
    let heard = bench.ms();
    bench.forget();
    bench.until(|bench| bench.link.state() != State::Active);
    // The probe is due at phi 8, 12.015 s after the last sign of life; and four times 600 ms.
    let after = bench.ms() - heard;
    assert!((14_400..14_500).contains(&after), "{after} ms: {:?}", bench.path());
}
