//! Leaving on purpose, in every state and in bounded time.

mod support;

use std::time::Duration;

use moorline_link::{
    Ack, CoordinatorFrame, Kick, Lane, LinkAction, LinkConfig, LinkInput, LinkRejection,
    LinkVerdict, Reason, Seq, Standing, State, Tag, WorkerFrame,
};
use support::{Bench, SECOND};

const WITHIN: Duration = Duration::from_secs(30);
const STOP: LinkInput = LinkInput::Stop { within: WITHIN };

fn owes(owes: bool) -> LinkInput {
    LinkInput::Report { free: 0, paused: false, owes }
}

#[test]
fn with_nothing_owed_it_says_goodbye_and_ends_at_once() {
    let mut bench = Bench::active(LinkConfig::default());
    let (conn, at) = (bench.conn(), bench.ms());
    bench.input(STOP);
    let frames = bench.frames();
    let [WorkerFrame::Beat(beat), WorkerFrame::Goodbye { reason }] = frames[..] else {
        panic!("{frames:?}")
    };
    assert!(beat.flags.draining);
    assert_eq!(reason, Reason::WorkerStopping);
    assert_eq!(bench.path(), ["Shutdown: worker_stopping"]);
    let close = LinkAction::Close { conn, reason };
    assert!(bench.actions.contains(&(at, close)));
}

#[test]
fn it_beats_to_the_end_of_a_drain_and_leaves_when_nothing_is_owed_any_more() {
    let mut bench = Bench::active(LinkConfig::default());
    bench.input(owes(true));
    bench.input(STOP);
    assert!(bench.link.snapshot().draining);
    bench.pass(20 * SECOND);
    assert!(bench.beats().len() >= 4);
    assert_eq!(bench.link.state(), State::Active);
    bench.input(owes(false));
    assert_eq!(bench.link.state(), State::Shutdown);
    assert!(matches!(bench.frames().last(), Some(WorkerFrame::Goodbye { .. })));
}

#[test]
fn what_is_still_in_a_lane_is_flushed_and_acknowledged_before_the_goodbye() {
    let mut bench = Bench::active(LinkConfig::default());
    bench.listening = false;
    bench.input(LinkInput::Enqueue { lane: Lane::B, tag: Tag(1), len: 100 });
    bench.input(STOP);
    assert_eq!(bench.link.state(), State::Active, "not acknowledged yet");
    bench.cut(Reason::TransportReset);
    bench.listening = true;
    bench.until(|bench| bench.link.state() == State::Shutdown);
    assert_eq!(bench.delivered, [(Lane::B, Tag(1))]);
    assert!(matches!(bench.frames().last(), Some(WorkerFrame::Goodbye { .. })));
}

#[test]
fn without_a_connection_it_keeps_trying_while_something_is_owed_until_the_deadline() {
    let mut bench = Bench::active(LinkConfig::default());
    bench.pass(60 * SECOND);
    bench.input(owes(true));
    bench.reachable = false;
    bench.cut(Reason::TransportReset);
    bench.forget();
    let at = bench.ms();
    bench.input(STOP);
    bench.pass(29 * SECOND);
    assert!(!bench.dials().is_empty());
    assert_ne!(bench.link.state(), State::Shutdown);
    bench.pass(2 * SECOND);
    assert_eq!(bench.link.state(), State::Shutdown);
    let ended = bench.actions.iter().rev().find(|(_, a)| matches!(a, LinkAction::Announce(_)));
    assert_eq!(ended.expect("announced").0, at + 30_000);
}

#[test]
fn with_nothing_owed_it_ends_at_once_in_every_state_without_a_connection() {
    let mut waiting = Bench::new(LinkConfig::default());
    waiting.input(STOP);
    assert_eq!(waiting.path(), ["Shutdown: worker_stopping"]);

    let mut dialling = Bench::new(LinkConfig::default());
    dialling.reachable = false;
    dialling.until(|bench| bench.link.state() == State::Connecting);
    dialling.input(STOP);
    assert_eq!(dialling.link.state(), State::Shutdown);
    let cancelled = |(_, action): &(u64, LinkAction)| matches!(action, LinkAction::Close { .. });
    assert!(dialling.actions.iter().any(cancelled), "the dial is cancelled");

    let reconnect = moorline_link::Reconnect::default().auto(false);
    let mut failed = Bench::active(LinkConfig { reconnect, ..LinkConfig::default() });
    failed.cut(Reason::TransportReset);
    assert_eq!(failed.link.state(), State::Failed);
    failed.input(STOP);
    assert_eq!(failed.link.state(), State::Shutdown);
}

#[test]
fn a_goodbye_that_cannot_be_written_is_given_up() {
    let mut bench = Bench::active(LinkConfig::default());
    bench.writable = false;
    bench.input(STOP);
    assert_eq!(bench.link.state(), State::Active);
    let at = bench.ms();
    bench.until(|bench| bench.link.state() == State::Shutdown);
    assert_eq!(bench.ms() - at, 5_000);
}

fn hands_back(bench: &Bench) -> usize {
    bench.actions.iter().filter(|(_, action)| *action == LinkAction::HandBack).count()
}

#[test]
fn what_a_drain_could_not_finish_is_stopped_at_its_deadline_and_then_handed_back() {
    let mut bench = Bench::active(LinkConfig::default());
    bench.input(owes(true));
    let at = bench.ms();
    bench.input(STOP);
    bench.pass(10 * SECOND);
    // A second stop does not put it off.
    bench.input(STOP);
    bench.until(|bench| hands_back(bench) == 1);
    assert_eq!(bench.ms() - at, 30_000);
    bench.pass(3 * SECOND);
    assert_eq!((bench.link.state(), goodbyes(&bench)), (State::Active, 0), "it runs still");
    bench.input(owes(false));
    assert_eq!((bench.link.state(), goodbyes(&bench)), (State::Shutdown, 1));
    assert_eq!(hands_back(&bench), 1);
}

/// It may run still: nobody else may start it before `lost_after` is over.
#[test]
fn what_cannot_be_stopped_in_the_time_of_a_goodbye_is_not_handed_back() {
    let mut bench = Bench::active(LinkConfig::default());
    bench.input(owes(true));
    let at = bench.ms();
    bench.input(STOP);
    bench.until(|bench| bench.link.state() == State::Shutdown);
    assert_eq!((bench.ms() - at, goodbyes(&bench)), (35_000, 0));
}

#[test]
fn a_second_stop_brings_the_end_nearer() {
    let mut bench = Bench::active(LinkConfig::default());
    bench.input(owes(true));
    bench.input(STOP);
    bench.pass(10 * SECOND);
    bench.input(LinkInput::Stop { within: Duration::ZERO });
    bench.pass(Duration::ZERO);
    assert_eq!(hands_back(&bench), 1);
    bench.input(owes(false));
    assert_eq!((bench.link.state(), goodbyes(&bench)), (State::Shutdown, 1));
}

/// An active link that runs something and has a message under way when its drain is over.
fn over_with_a_message_under_way() -> Bench {
    let mut bench = Bench::active(LinkConfig::default());
    bench.input(owes(true));
    bench.input(STOP);
    bench.pass(29 * SECOND);
    bench.listening = false;
    bench.input(LinkInput::Enqueue { lane: Lane::B, tag: Tag(1), len: 100 });
    bench.forget();
    bench.pass(2 * SECOND);
    bench.input(owes(false));
    assert_eq!((bench.link.state(), goodbyes(&bench)), (State::Active, 0), "it would overtake");
    bench
}

fn goodbyes(bench: &Bench) -> usize {
    bench.frames().iter().filter(|frame| matches!(frame, WorkerFrame::Goodbye { .. })).count()
}

#[test]
fn a_goodbye_that_hands_back_overtakes_no_message_that_is_under_way() {
    let mut bench = over_with_a_message_under_way();
    let standing = Standing { received: Seq(1), ..Standing::default() };
    bench.frame(CoordinatorFrame::Ack(Ack { lane: Lane::B, standing }));
    assert_eq!((bench.link.state(), goodbyes(&bench)), (State::Shutdown, 1));
}

#[test]
fn a_drain_whose_messages_are_not_acknowledged_ends_in_the_time_of_a_goodbye_without_one() {
    let mut bench = over_with_a_message_under_way();
    let at = bench.ms();
    // Not even a new debt or a later stop puts that off.
    bench.input(owes(true));
    bench.input(STOP);
    bench.until(|bench| bench.link.state() == State::Shutdown);
    assert_eq!((bench.ms() - at, goodbyes(&bench)), (4_000, 0));
}

#[test]
fn what_is_owed_again_takes_the_goodbye_back() {
    let mut bench = Bench::active(LinkConfig::default());
    bench.writable = false;
    bench.input(STOP);
    bench.pass(4 * SECOND);
    bench.input(owes(true));
    bench.pass(4 * SECOND);
    assert_eq!(bench.link.state(), State::Active);
}

#[test]
fn a_stopped_link_stays_stopped() {
    let mut bench = Bench::active(LinkConfig::default());
    let conn = bench.conn();
    bench.input(STOP);
    bench.forget();
    let rejected = LinkVerdict::Rejected(LinkRejection::State(State::Shutdown));
    for (input, verdict) in [
        (LinkInput::Kick(Kick::Operator), rejected),
        (LinkInput::Reconnect, rejected),
        (LinkInput::Restart, rejected),
        (LinkInput::Migrate, rejected),
        (LinkInput::Inventory { items: 1 }, rejected),
        (LinkInput::Enqueue { lane: Lane::C, tag: Tag(1), len: 1 }, rejected),
        (LinkInput::Closed { conn, reason: Reason::StreamLost }, LinkVerdict::Stale),
        (LinkInput::Timeout, LinkVerdict::Accepted),
        (STOP, LinkVerdict::Accepted),
    ] {
        bench.pass(10 * SECOND);
        assert_eq!(bench.input(input), verdict, "{input:?}");
    }
    assert_eq!(bench.actions, []);
    assert_eq!(bench.link.next_wake(), moorline_link::Wake::OnInput);
}
