//! A connection that is replaced, and what the Welcome of the next one may say.

mod support;

use moorline_link::{
    CoordinatorFrame, Lane, LinkConfig, LinkInput, LinkRejection, LinkVerdict, Reason, SessionId,
    State, Tag, Violation, Welcome,
};
use support::{Bench, SECOND};

#[test]
fn a_close_as_moved_is_a_loss_as_long_as_the_next_connection_has_said_nothing() {
    let mut bench = Bench::active(LinkConfig::default());
    bench.pass(SECOND);
    let first = bench.conn();
    bench.reachable = false;
    assert_eq!(bench.input(LinkInput::Migrate), LinkVerdict::Accepted);
    bench.forget();
    bench.input(LinkInput::Closed { conn: first, reason: Reason::Moved });
    assert_eq!(bench.path()[0], "Disconnected: moved", "nobody can have moved it there");
}

#[test]
fn a_new_session_knows_of_no_message_of_an_old_one() {
    let mut bench = Bench::active(LinkConfig::default());
    bench.listening = false;
    bench.input(LinkInput::Enqueue { lane: Lane::B, tag: Tag(1), len: 10 });
    let session = SessionId { n: 2, ..bench.link.snapshot().session.expect("it has one") };
    let limits = bench.coordinator.limits;
    let mut lanes =
        Lane::ALL.map(|lane| moorline_link::Inbox::new(lane, &limits).standing(&limits));
    bench.cut(Reason::StreamLost);
    let dialled = bench.dials().len();
    bench.until(|bench| bench.dials().len() > dialled);
    lanes[Lane::B.index()].received = moorline_link::Seq(1);
    let welcome = Welcome {
        version: 1,
        features: 0,
        session,
        resumed: false,
        lanes,
        beat_interval: 5 * SECOND,
        first_window: None,
        lost_after: 90 * SECOND,
    };
    let verdict = bench.frame(CoordinatorFrame::Welcome(welcome));
    assert_eq!(verdict, LinkVerdict::Violation(Violation::FalseAck));
}

#[test]
fn an_inventory_that_nobody_asked_for_is_rejected_with_the_state() {
    let mut bench = Bench::active(LinkConfig::default());
    let rejected = LinkVerdict::Rejected(LinkRejection::State(State::Active));
    assert_eq!(bench.input(LinkInput::Inventory { items: 1 }), rejected);
    assert_eq!(bench.link.state(), State::Active);
    bench.pass(60 * SECOND);
    assert_eq!(bench.link.state(), State::Active, "it does not wait for answers to it");
}
