use moorline_link::{ConnId, Reason};
use moorline_work::{Attempt, Disposition, TaskId, TaskKey};

use super::*;

fn at(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn counter() -> WorkerCounter {
    WorkerCounter::new(&[name("resize"), name("echo")], at(0))
}

fn moves(counter: &mut WorkerCounter, now: u64, from: State, to: State, reason: Option<Reason>) {
    counter.event(at(now), &WorkerEvent::Link(Transition { from, to, reason }));
}

fn registered(counter: &mut WorkerCounter, now: u64, resumed: bool) {
    let coordinator = name("moorline");
    let event = WorkerEvent::Registered { resumed, held: 0, epoch: 1, session: 1, coordinator };
    counter.event(at(now), &event);
}

fn comes_up(counter: &mut WorkerCounter, dial: u64, now: u64, resumed: bool) {
    counter.dials(at(dial));
    moves(counter, dial, State::Disconnected, State::Connecting, None);
    registered(counter, now, resumed);
    moves(counter, now, State::Connecting, State::Registered, None);
    moves(counter, now, State::Registered, State::Active, None);
}

fn of(counts: &Counts, label: &str) -> u64 {
    counts.iter().find(|(known, _)| *known == label).expect("a label").1
}

#[test]
fn the_first_connect_is_no_reconnection_and_every_dial_after_a_loss_is_one() {
    let mut counter = counter();
    counter.dials(at(0));
    moves(&mut counter, 5, State::Connecting, State::Disconnected, Some(Reason::ConnectRefused));
    comes_up(&mut counter, 1_000, 1_020, false);
    let tally = Arc::clone(counter.tally());
    assert_eq!(tally.reconnection_attempts.get(), 0);
    assert_eq!((tally.not_connected.view().count, tally.connected.view().count), (1, 1));
    assert_eq!(tally.connected.view().sum, Duration::from_millis(20));

    moves(&mut counter, 5_000, State::Active, State::Disconnected, Some(Reason::StreamLost));
    counter.dials(at(6_000));
    moves(&mut counter, 6_001, State::Connecting, State::Disconnected, Some(Reason::Unreachable));
    comes_up(&mut counter, 8_000, 8_100, true);
    assert_eq!(tally.reconnection_attempts.get(), 2);
    assert_eq!(of(&tally.reconnection_successes, "resumed"), 1);
    assert_eq!(of(&tally.reconnection_successes, "new_session"), 0);
    assert_eq!(of(&tally.disconnects, "stream_lost"), 1);
    assert_eq!(tally.disconnects.total(), 1, "a dial that failed is no loss");
    assert_eq!(tally.outage.view().sum, Duration::from_millis(3_100));
}

#[test]
fn time_disconnected_grows_while_it_lasts_and_stands_still_while_active() {
    let mut counter = counter();
    let tally = Arc::clone(counter.tally());
    assert_eq!(tally.outages().total(at(400)), Duration::from_millis(400), "from the start on");
    comes_up(&mut counter, 900, 1_000, false);
    assert_eq!(tally.outages().total(at(60_000)), Duration::from_secs(1));
    moves(&mut counter, 60_000, State::Active, State::Disconnected, Some(Reason::HalfOpen));
    assert_eq!(tally.outages().total(at(60_500)), Duration::from_millis(1_500));
    comes_up(&mut counter, 61_000, 62_000, false);
    assert_eq!(tally.outages().total(at(90_000)), Duration::from_secs(3));
}

#[test]
fn a_dial_beside_a_link_that_stands_is_no_reconnection() {
    let mut counter = counter();
    comes_up(&mut counter, 0, 10, false);
    counter.dials(at(1_000));
    let event = WorkerEvent::CandidateLost { conn: ConnId(2), reason: Reason::ConnectRefused };
    counter.event(at(1_001), &event);
    assert_eq!(counter.tally().reconnection_attempts.get(), 0);
}

#[test]
fn giving_up_is_counted_with_its_reason_and_a_stop_is_no_loss() {
    let mut counter = counter();
    comes_up(&mut counter, 0, 10, false);
    let tally = Arc::clone(counter.tally());
    moves(&mut counter, 20, State::Disconnected, State::Failed, Some(Reason::AttemptsExhausted));
    assert_eq!(of(&tally.reconnection_failures, "attempts_exhausted"), 1);
    moves(&mut counter, 30, State::Active, State::Shutdown, Some(Reason::WorkerStopping));
    assert_eq!(tally.disconnects.total(), 0);
}

#[test]
fn attempts_are_counted_by_handler_and_outcome() {
    let mut counter = counter();
    let all = [
        (Outcome::Succeeded, "succeeded"),
        (Outcome::Failed { retryable: true }, "failed_retryable"),
        (Outcome::Failed { retryable: false }, "failed"),
        (Outcome::TimedOut, "timed_out"),
        (Outcome::Cancelled, "cancelled"),
    ];
    for (outcome, _) in all {
        counter.task_ended(&name("resize"), outcome, Duration::from_secs(2));
    }
    counter.task_ended(&name("unheard of"), Outcome::Succeeded, Duration::ZERO);
    let (handler, resize) = &counter.tally().handlers[1];
    assert_eq!(handler.as_str(), "resize");
    for (_, label) in all {
        assert_eq!(of(&resize.finished, label), 1, "{label}");
    }
    assert_eq!(resize.duration.view().sum, Duration::from_secs(10));
    let key = TaskKey { task: TaskId(1), attempt: Attempt(1) };
    for resubmitted in [true, false] {
        let disposition = Disposition::Duplicate;
        counter.event(at(0), &WorkerEvent::Settled { key, disposition, resubmitted });
    }
    assert_eq!(of(&counter.tally().resubmitted, "duplicate"), 1);
}

#[test]
fn a_link_that_is_taken_over_by_another_connection_in_a_new_session_is_lost_once() {
    let mut counter = counter();
    comes_up(&mut counter, 0, 100, false);
    moves(&mut counter, 1_000, State::Active, State::Registered, None);
    moves(&mut counter, 1_700, State::Registered, State::Active, None);
    let tally = counter.tally();
    assert_eq!((of(&tally.disconnects, "moved"), tally.disconnects.total()), (1, 1));
    let view = tally.outage.view();
    assert_eq!((view.count, view.sum), (1, Duration::from_millis(700)));
}

#[test]
fn what_the_machine_counts_by_itself_is_taken_as_it_is() {
    let mut counter = counter();
    let link = moorline_link::Link::new(
        moorline_link::LinkConfig::default(),
        moorline_link::Identity {
            worker: moorline_link::WorkerId(1),
            incarnation: moorline_link::Incarnation(1),
            name: moorline_link::Sym(0),
            versions: moorline_link::Versions::SPOKEN,
            features: 0,
        },
        1,
        at(0),
    );
    for resent in [0, 3, 3, 7] {
        counter.look(&link.snapshot(), [(0, 0); 2], resent);
        assert_eq!(counter.tally().resent.get(), resent);
    }
}
