//! Workers that live and take nothing: their connection ends, and nobody who is only slow is hit.

mod hub_support;

use std::time::Duration;

use hub_support::*;
use moorline_link::*;

const C: Lane = Lane::C;
const B: Lane = Lane::B;

/// A beat of worker 7 on its connection every second, from one second to another, both included.
fn beats(desk: &mut Desk, conn: u64, seconds: core::ops::RangeInclusive<u64>) {
    for second in seconds {
        desk.at(second * 1_000);
        desk.say(conn, beat(u32::try_from(second).expect("small")));
    }
}

fn ack(desk: &mut Desk, lane: Lane, received: u64) -> HubVerdict {
    let credit = Inbox::first_credit(&LaneLimits::default());
    let standing = Standing { received: Seq(received), credit };
    desk.say(1, WorkerFrame::Ack(Ack { lane, standing }))
}

/// Why the worker was detached since the last time, if it was.
fn detached(desk: &mut Desk) -> Option<Reason> {
    desk.news().into_iter().find_map(|news| {
        if let HubAction::Detached { reason, .. } = news { Some(reason) } else { None }
    })
}

#[test]
fn a_connection_that_takes_nothing_for_fifteen_seconds_ends_though_beats_arrive() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.unwritable(1);
    beats(&mut desk, 1, 1..=14);
    desk.at(14_999);
    assert_eq!(detached(&mut desk), None);
    desk.at(15_000);
    assert_eq!(detached(&mut desk), Some(Reason::FlowStalled));
    assert_eq!(desk.presence(7), Some(Presence::Disconnected));
    // Its last frame cannot be written either.
    desk.at(16_000);
    let (conn, reason) = (ConnId(1), Reason::FlowStalled);
    assert!(desk.news().contains(&HubAction::Close { conn, reason }));
}

#[test]
fn a_connection_that_takes_a_packet_now_and_then_stays() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    for from in (0..120).step_by(12) {
        desk.unwritable(1);
        // To be told so again changes nothing.
        beats(&mut desk, 1, from + 1..=from + 6);
        desk.unwritable(1);
        beats(&mut desk, 1, from + 7..=from + 12);
        desk.writable(1);
    }
    assert_eq!(detached(&mut desk), None);
    assert_eq!(desk.presence(7), Some(Presence::Active));
}

#[test]
fn of_a_worker_with_long_heartbeat_intervals_more_patience_is_had() {
    let mut desk = Desk::default();
    let wish = Duration::from_secs(15);
    desk.activate(1, Hello { beat_interval: wish, ..hello(7, 1) });
    desk.unwritable(1);
    beats(&mut desk, 1, 1..=44);
    assert_eq!(detached(&mut desk), None);
    desk.at(45_000);
    assert_eq!(detached(&mut desk), Some(Reason::FlowStalled));
}

#[test]
fn a_worker_that_acknowledges_nothing_for_thirty_seconds_is_disconnected() {
    for lane in Lane::ALL {
        let mut desk = Desk::default();
        desk.activate(1, hello(7, 1));
        beats(&mut desk, 1, 1..=5);
        desk.enqueue(7, lane, 1, 100);
        // More of the same does not begin the time anew.
        beats(&mut desk, 1, 6..=20);
        desk.enqueue(7, lane, 2, 100);
        beats(&mut desk, 1, 21..=34);
        desk.at(34_999);
        assert_eq!((detached(&mut desk), desk.messages(1).len()), (None, 2));
        desk.at(35_000);
        assert_eq!(detached(&mut desk), Some(Reason::FlowStalled), "{lane:?}");
    }
}

#[test]
fn a_worker_that_was_sent_nothing_owes_nothing() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    beats(&mut desk, 1, 1..=100);
    assert_eq!(detached(&mut desk), None);
    // Nor one that has acknowledged everything.
    desk.enqueue(7, C, 1, 100);
    desk.enqueue(7, B, 2, 100);
    beats(&mut desk, 1, 101..=110);
    ack(&mut desk, C, 1);
    ack(&mut desk, B, 1);
    beats(&mut desk, 1, 111..=200);
    assert_eq!(detached(&mut desk), None);
}

#[test]
fn every_acknowledgement_of_something_begins_the_time_anew_and_one_of_nothing_does_not() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.enqueue_all(7, B, 1..=4, 100);
    for received in 1..=3 {
        beats(&mut desk, 1, (received - 1) * 29 + 1..=received * 29);
        assert_eq!(ack(&mut desk, B, received), HubVerdict::Accepted);
    }
    assert_eq!(detached(&mut desk), None);
    // 87 s: it says again what it said.
    for second in 88..=116 {
        beats(&mut desk, 1, second..=second);
        ack(&mut desk, B, 3);
    }
    assert_eq!(detached(&mut desk), None);
    desk.at(117_000);
    assert_eq!(detached(&mut desk), Some(Reason::FlowStalled));
}

#[test]
fn a_large_message_on_a_thin_line_takes_as_long_as_it_takes() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.enqueue(7, B, 1, 1 << 20);
    // Its parts leave one by one: the transport is full in between.
    for from in (0..100).step_by(10) {
        desk.unwritable(1);
        beats(&mut desk, 1, from + 1..=from + 10);
        desk.writable(1);
    }
    assert_eq!(detached(&mut desk), None);
    // All has left by now.
    beats(&mut desk, 1, 101..=129);
    desk.writable(1);
    desk.at(129_999);
    assert_eq!(detached(&mut desk), None);
    desk.at(130_000);
    assert_eq!(detached(&mut desk), Some(Reason::FlowStalled), "to be writable is no news");
}

#[test]
fn a_stall_of_the_coordinator_is_not_held_against_a_worker() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.enqueue(7, C, 1, 100);
    desk.unwritable(1);
    beats(&mut desk, 1, 1..=10);
    desk.freeze(Duration::from_secs(100));
    desk.tell(HubInput::Timeout);
    desk.say(1, beat(11));
    assert_eq!(detached(&mut desk), None);
    assert_eq!(desk.presence(7), Some(Presence::Active));
}

#[test]
fn what_was_not_taken_does_not_go_on_in_a_session_that_resumes() {
    let mut desk = Desk::default();
    let session = desk.activate(1, hello(7, 1));
    desk.enqueue(7, B, 1, 100);
    beats(&mut desk, 1, 1..=30);
    assert_eq!(detached(&mut desk), Some(Reason::FlowStalled));
    desk.register(2, resuming(7, 1, session));
    let registered = desk.news().into_iter().find_map(|news| {
        if let HubAction::Registered(registration) = news { Some(registration) } else { None }
    });
    let registered = registered.expect("it may come back");
    assert!(!registered.resumed);
    assert_ne!(registered.session, session);
    // Whatever else ends a connection leaves the session as it is.
    desk.restore(2);
    desk.close(2, Reason::StreamLost);
    desk.news();
    desk.register(3, resuming(7, 1, registered.session));
    assert!(
        desk.news()
            .iter()
            .any(|news| matches!(news, HubAction::Registered(Registration { resumed: true, .. })))
    );
}

#[test]
fn the_time_begins_anew_on_another_connection() {
    let mut desk = Desk::default();
    let session = desk.activate(1, hello(7, 1));
    desk.enqueue(7, B, 1, 100);
    desk.unwritable(1);
    beats(&mut desk, 1, 1..=14);
    desk.register(2, resuming(7, 1, session));
    desk.restore(2);
    beats(&mut desk, 2, 15..=43);
    desk.at(43_999);
    assert!(detached(&mut desk).is_none());
    desk.at(44_000);
    assert_eq!(detached(&mut desk), Some(Reason::FlowStalled));
}

#[test]
fn a_connection_that_was_full_before_anybody_registered_on_it_counts_from_the_registration() {
    let mut desk = Desk::default();
    desk.accept(1);
    desk.unwritable(1);
    desk.at(5_000);
    desk.say(1, WorkerFrame::Hello(hello(7, 1)));
    // Its welcome cannot be written, so it does not beat; but something arrives of it.
    for second in 6..20 {
        desk.at(second * 1_000);
        desk.tell(HubInput::Received { conn: ConnId(1) });
    }
    desk.at(19_999);
    assert_eq!(detached(&mut desk), None);
    desk.at(20_000);
    assert_eq!(detached(&mut desk), Some(Reason::FlowStalled));
}
