//! What two links must have in common to do the same from now on.

mod support;

use std::time::Duration;

use moorline_link::{
    Backoff, Canonical, First, Instant, Jitter, Kick, Lane, Link, LinkAction, LinkConfig,
    LinkInput, Reason, Reconnect, State, Tag,
};
use support::{Bench, MS, SECOND};

const FAR: Duration = Duration::from_secs(3_600);

fn config(longest: Duration, give_up_after: Option<Duration>) -> LinkConfig {
    let backoff = Backoff::new(SECOND, longest, 2_000, Jitter::None, First::Backoff);
    let reconnect = Reconnect::new(backoff.expect("in bounds")).give_up_after(give_up_after);
    LinkConfig { reconnect, ..LinkConfig::default() }
}

/// Always the same delay, so that it does not matter how often a dial failed.
fn steady() -> Bench {
    Bench::new(config(SECOND, None))
}

/// The dial that is under way fails.
fn fail(bench: &mut Bench) {
    let dialled = |(_, action): &(u64, LinkAction)| {
        if let LinkAction::Dial { conn, .. } = action { Some(*conn) } else { None }
    };
    let conn = bench.actions.iter().rev().find_map(dialled).expect("it dialled");
    bench.input(LinkInput::DialFailed { conn, reason: Reason::ConnectRefused });
}

/// Lets a link dial, and this dial fail.
fn dial_and_fail(bench: &mut Bench) {
    bench.reachable = false;
    let before = bench.dials().len();
    bench.until(|bench| bench.dials().len() > before);
    fail(bench);
}

fn seen(link: &Link, now: Instant) -> Canonical<'_, Link> {
    Canonical::new(link, now, FAR)
}

#[test]
fn a_dial_counts_for_as_long_as_the_next_one_has_to_keep_its_distance() {
    let (mut at_once, mut later) = (steady(), steady());
    dial_and_fail(&mut at_once);
    later.reachable = false;
    later.until(|bench| !bench.dials().is_empty());
    later.freeze(200 * MS);
    fail(&mut later);
    let next = |bench: &Bench| bench.link.snapshot().next_attempt.map(|at| at.since(bench.now));
    assert_eq!(next(&at_once), next(&later), "both wait for as long");
    assert_ne!(seen(&at_once.link, at_once.now), seen(&later.link, later.now));
    let after = |bench: &Bench| bench.now + 150 * MS;
    assert_eq!(seen(&at_once.link, after(&at_once)), seen(&later.link, after(&later)));
}

#[test]
fn a_kick_counts_for_as_long_as_another_one_would_come_too_soon() {
    let kicked = || {
        let mut bench = steady();
        bench.reachable = false;
        bench.input(LinkInput::Kick(Kick::Operator));
        fail(&mut bench);
        bench
    };
    let (mut kicked, mut waited) = (kicked(), kicked());
    dial_and_fail(&mut waited);
    assert_ne!(seen(&kicked.link, kicked.now), seen(&waited.link, waited.now));
    dial_and_fail(&mut kicked);
    assert_eq!(seen(&kicked.link, kicked.now), seen(&waited.link, waited.now), "it is forgotten");
}

#[test]
fn the_end_of_an_outage_counts_on_while_the_connection_is_not_yet_stable() {
    let after_failures = |count: u32, limit| {
        let mut bench = Bench::new(config(SECOND, limit));
        (0..count).for_each(|_| dial_and_fail(&mut bench));
        bench.until_active();
        bench
    };
    let is_same = |limit| {
        let (few, many) = (after_failures(1, limit), after_failures(5, limit));
        seen(&few.link, few.now) == seen(&many.link, many.now)
    };
    assert!(is_same(None));
    assert!(!is_same(Some(60 * SECOND)), "one of them has less time left");
}

#[test]
fn while_delays_grow_it_matters_how_many_dials_there_were() {
    let growing = |count: u32| {
        let mut bench = Bench::new(config(60 * SECOND, None));
        (0..count).for_each(|_| dial_and_fail(&mut bench));
        let next = bench.link.snapshot().next_attempt.expect("it will dial");
        bench.pass(next.since(bench.now) - SECOND);
        bench
    };
    let (once, twice, often, more) = (growing(1), growing(2), growing(9), growing(10));
    assert_ne!(seen(&once.link, once.now), seen(&twice.link, twice.now), "2 s and 4 s are next");
    assert_eq!(seen(&often.link, often.now), seen(&more.link, more.now), "60 s from now on");
}

#[test]
fn what_waits_to_be_sent_counts_by_number_and_size_and_not_by_its_name() {
    let with = |tag: u64, sizes: &[u32]| {
        let mut bench = Bench::active(config(SECOND, None));
        bench.writable = false;
        for len in sizes {
            bench.input(LinkInput::Enqueue { lane: Lane::B, tag: Tag(tag), len: *len });
        }
        bench
    };
    let is_same =
        |one: &Bench, other: &Bench| seen(&one.link, one.now) == seen(&other.link, other.now);
    let one = with(1, &[10]);
    assert!(is_same(&one, &with(2, &[10])));
    assert!(!is_same(&one, &with(1, &[11])));
    assert!(!is_same(&one, &with(1, &[10, 10])));
    assert!(!is_same(&one, &with(1, &[])));
}

/// An active link that had two beats answered, the last one just now.
fn settled() -> Bench {
    let mut bench = Bench::active(config(SECOND, None));
    bench.until(|bench| bench.beats().len() == 2);
    bench
}

/// Runs until so many more beats are written, the coordinator believing in so many free slots.
fn beats(bench: &mut Bench, more: usize, free: Option<u16>) {
    bench.coordinator.free = free;
    let written = bench.beats().len();
    bench.until(|bench| bench.beats().len() >= written + more || bench.dials().len() > 1);
}

#[test]
fn a_disagreement_counts_because_the_third_in_a_row_ends_the_connection() {
    let (mut once, mut never) = (settled(), settled());
    beats(&mut once, 1, Some(9));
    beats(&mut never, 1, None);
    assert_ne!(seen(&once.link, once.now), seen(&never.link, never.now));
    beats(&mut once, 2, Some(9));
    beats(&mut never, 2, Some(9));
    assert_eq!((once.link.state(), never.link.state()), (State::Disconnected, State::Active));
}

#[test]
fn how_steadily_answers_came_counts_because_suspicion_comes_by_it() {
    let after = |late: Duration| {
        let mut bench = settled();
        for _ in 0..20 {
            let due = bench.link.next_wake().deadline().expect("a beat is next");
            bench.freeze(due.since(bench.now) + late);
            bench.input(LinkInput::Timeout);
            beats(&mut bench, 1, None);
        }
        bench
    };
    let (steady, unsteady) = (after(Duration::ZERO), after(900 * MS));
    // Seen with every deadline far away, what was learned is all that is left.
    let near = |bench: &Bench, other: &Bench| {
        let view = |bench| Canonical::new(bench, steady.now, Duration::from_nanos(1));
        view(&bench.link) == view(&other.link)
    };
    assert_eq!(steady.now, unsteady.now);
    assert!(near(&steady, &after(Duration::ZERO)));
    assert!(!near(&steady, &unsteady));
}

#[test]
fn when_it_was_run_last_counts_once_a_deadline_is_over_and_not_before() {
    let ran_at = |early: Duration, late: Duration| {
        let mut bench = settled();
        let due = bench.link.next_wake().deadline().expect("a beat is next");
        bench.now = (due + late).before(early);
        // Nothing new, and no timeout.
        bench.input(LinkInput::Report { free: 0, paused: false, owes: false });
        (bench, due)
    };
    let ((idle, due), (ran, _)) =
        (ran_at(3 * SECOND, Duration::ZERO), ran_at(SECOND, Duration::ZERO));
    assert_eq!(seen(&idle.link, due.before(MS)), seen(&ran.link, due.before(MS)));
    let (mut ran, _) = ran_at(Duration::ZERO, 800 * MS);
    let (mut idle, later) = (idle, due + 1_500 * MS);
    assert_ne!(seen(&idle.link, later), seen(&ran.link, later));
    let forgives = |bench: &mut Bench| {
        bench.now = later;
        bench.input(LinkInput::Timeout);
        bench.actions.iter().any(|(_, action)| matches!(action, LinkAction::Stalled { .. }))
    };
    assert!(forgives(&mut idle) && !forgives(&mut ran));
}

#[test]
fn how_many_dials_ago_its_connection_was_dialled_counts() {
    let mut moved = settled();
    moved.reachable = false;
    moved.input(LinkInput::Migrate);
    fail(&mut moved);
    beats(&mut moved, 2, None);
    let mut stayed = settled();
    beats(&mut stayed, 2, None);
    assert_eq!((moved.now, moved.link.state()), (stayed.now, State::Active));
    // An input that quotes the last connection it dialled is of no concern to the first one.
    assert_ne!(seen(&moved.link, moved.now), seen(&stayed.link, stayed.now));
}
