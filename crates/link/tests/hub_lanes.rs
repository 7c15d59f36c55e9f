//! Restore, and the numbered lanes through connections and sessions.

mod hub_support;

use hub_support::*;
use moorline_link::*;

const C: Lane = Lane::C;
const B: Lane = Lane::B;

fn ack(lane: Lane, received: u64) -> WorkerFrame {
    let credit = Inbox::first_credit(&LaneLimits::default());
    WorkerFrame::Ack(Ack { lane, standing: Standing { received: Seq(received), credit } })
}

fn released(tag: u64) -> HubAction {
    HubAction::Released { worker: WorkerId(7), tag: Tag(tag) }
}

fn small(window_messages: u32, outbox_messages: u32) -> HubSettings {
    let lanes = LaneLimits { window_messages, outbox_messages, ..LaneLimits::default() };
    HubSettings { lanes, ..HubSettings::default() }
}

#[test]
fn the_inventory_is_answered_in_the_order_in_which_answers_are_ready_and_then_both_are_active() {
    let mut desk = Desk::default();
    desk.register(1, hello(7, 1));
    desk.news();
    desk.frames(1);
    let (worker, incarnation) = (WorkerId(7), Incarnation(1));
    let ready = HubInput::AnswerReady { conn: ConnId(1) };
    for index in 0..3 {
        let verdict = desk.say(1, WorkerFrame::InventoryItem { index });
        assert_eq!(verdict, HubVerdict::Item { worker, incarnation });
    }
    desk.tell(ready);
    assert_eq!(desk.frames(1), [CoordinatorFrame::InventoryAnswer { index: 0 }]);
    let verdict = desk.say(1, WorkerFrame::InventoryEnd { count: 3 });
    assert_eq!(verdict, HubVerdict::InventoryEnd { worker, incarnation });
    desk.tell(ready);
    desk.tell(ready);
    let answers = [1, 2].map(|index| CoordinatorFrame::InventoryAnswer { index });
    assert_eq!(desk.frames(1), answers);
    assert_eq!(desk.tell(ready), HubVerdict::Stale, "there are no more items");
    assert_eq!(desk.presence(7), Some(Presence::Restoring));
    assert_eq!(desk.say(1, WorkerFrame::Active), HubVerdict::Accepted);
    assert_eq!(desk.news(), [HubAction::Active { worker, conn: ConnId(1), away: None }]);
    assert_eq!(desk.frames(1), [CoordinatorFrame::Active]);
    assert_eq!(desk.presence(7), Some(Presence::Active));
}

#[test]
fn a_worker_that_is_active_before_it_has_all_answers_breaks_the_protocol() {
    let mut desk = Desk::default();
    desk.register(1, hello(7, 1));
    let early = desk.clone().say(1, WorkerFrame::Active);
    assert_eq!(early, HubVerdict::Violation(Violation::Inventory), "the inventory has no end yet");
    desk.say(1, WorkerFrame::InventoryItem { index: 0 });
    desk.say(1, WorkerFrame::InventoryEnd { count: 1 });
    let early = desk.clone().say(1, WorkerFrame::Active);
    assert_eq!(early, HubVerdict::Violation(Violation::Inventory), "an answer is not ready");
    desk.unwritable(1);
    desk.tell(HubInput::AnswerReady { conn: ConnId(1) });
    let early = desk.clone().say(1, WorkerFrame::Active);
    assert_eq!(early, HubVerdict::Violation(Violation::Inventory), "an answer is not written");
    desk.writable(1);
    assert_eq!(desk.say(1, WorkerFrame::Active), HubVerdict::Accepted);
    let twice = desk.say(1, WorkerFrame::Active);
    assert_eq!(twice, HubVerdict::Violation(Violation::OutOfPlace));
}

#[test]
fn an_inventory_with_wrong_numbers_breaks_the_protocol() {
    let settings = HubSettings { max_inventory: 2, ..HubSettings::default() };
    let item = |index| WorkerFrame::InventoryItem { index };
    let end = |count| WorkerFrame::InventoryEnd { count };
    for wrong in [
        vec![item(1)],
        vec![item(0), item(0)],
        vec![item(0), item(2)],
        vec![item(0), item(1), item(2)],
        vec![end(1)],
        vec![item(0), end(0)],
        vec![end(0), end(0)],
        vec![end(0), item(0)],
    ] {
        let mut desk = Desk::with(settings);
        desk.register(1, hello(7, 1));
        let verdicts: Vec<_> = wrong.iter().map(|frame| desk.say(1, *frame)).collect();
        let last = verdicts.last().copied();
        assert_eq!(last, Some(HubVerdict::Violation(Violation::Inventory)), "{wrong:?}");
        assert!(desk.news().contains(&closed(1, Reason::ProtocolError)));
    }
}

#[test]
fn every_connection_repeats_the_whole_inventory() {
    let mut desk = Desk::default();
    let session = desk.activate(1, hello(7, 1));
    desk.close(1, Reason::StreamLost);
    desk.register(2, resuming(7, 1, session));
    assert_eq!(desk.presence(7), Some(Presence::Restoring));
    let early = desk.clone().say(2, message(C, 1, 10));
    assert_eq!(early, HubVerdict::Violation(Violation::OutOfPlace));
    desk.restore(2);
    assert_eq!(desk.presence(7), Some(Presence::Active));
    let first = HubVerdict::Deliver { worker: WorkerId(7), incarnation: Incarnation(1) };
    assert_eq!(desk.say(2, message(C, 1, 10)), first);
}

#[test]
fn messages_wait_until_the_session_is_active() {
    let mut desk = Desk::default();
    assert_eq!(desk.enqueue(7, C, 1, 10), HubVerdict::Rejected(EnqueueError::NoSession));
    desk.register(1, hello(7, 1));
    assert_eq!(desk.enqueue(7, C, 1, 10), HubVerdict::Accepted);
    assert_eq!(desk.enqueue(7, B, 2, 10), HubVerdict::Accepted);
    assert_eq!(desk.messages(1), []);
    desk.restore(1);
    assert_eq!(desk.messages(1), [(C, 1, 1), (B, 1, 2)]);
}

#[test]
fn nothing_of_the_worker_counts_before_it_can_know_that_both_are_active() {
    let mut desk = Desk::default();
    desk.register(1, hello(7, 1));
    desk.say(1, WorkerFrame::InventoryEnd { count: 0 });
    desk.unwritable(1);
    desk.say(1, WorkerFrame::Active);
    for frame in [message(C, 1, 10), ack(C, 0)] {
        let verdict = desk.clone().say(1, frame);
        assert_eq!(verdict, HubVerdict::Violation(Violation::OutOfPlace));
    }
}

#[test]
fn a_message_is_delivered_once_and_acknowledged_with_credit() {
    let mut desk = Desk::with(small(2, 100));
    desk.activate(1, hello(7, 1));
    let deliver = HubVerdict::Deliver { worker: WorkerId(7), incarnation: Incarnation(1) };
    assert_eq!(desk.say(1, message(B, 1, 100)), deliver);
    assert_eq!(desk.say(1, message(B, 1, 100)), HubVerdict::Duplicate);
    let standing = |received, messages, bytes| {
        let credit = Credit { messages: Seq(messages), bytes };
        CoordinatorFrame::Ack(Ack {
            lane: B,
            standing: Standing { received: Seq(received), credit },
        })
    };
    let window = LaneLimits::default().window_bytes;
    assert_eq!(desk.frames(1), [standing(1, 2, window)]);
    assert_eq!(desk.say(1, message(B, 2, 100)), deliver);
    desk.frames(1);
    let over = desk.clone().say(1, message(B, 3, 100));
    assert_eq!(over, HubVerdict::Violation(Violation::Message(Arrival::OverCredit)));
    let (worker, lane) = (WorkerId(7), B);
    desk.tell(HubInput::Release { worker, lane, messages: 2, bytes: 200 });
    assert_eq!(desk.frames(1), [standing(2, 4, window + 200)]);
    assert_eq!(desk.say(1, message(B, 3, 100)), deliver);
}

#[test]
fn a_message_out_of_order_or_too_large_and_a_false_acknowledgement_break_the_protocol() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    for (frame, violation) in [
        (message(C, 2, 10), Violation::Message(Arrival::Gap)),
        (message(C, 1, Lane::C_MESSAGE_MAX + 1), Violation::Message(Arrival::TooLarge)),
        (message(B, 1, Lane::B_MESSAGE_MAX + 1), Violation::Message(Arrival::TooLarge)),
        (ack(C, 1), Violation::FalseAck),
        (ack(B, 1), Violation::FalseAck),
    ] {
        let mut desk = desk.clone();
        assert_eq!(desk.say(1, frame), HubVerdict::Violation(violation));
        assert!(desk.news().contains(&closed(1, Reason::ProtocolError)));
        assert_eq!(desk.presence(7), Some(Presence::Disconnected), "the session stays");
    }
}

#[test]
fn what_the_worker_processed_is_released_in_order_and_what_it_did_not_is_sent_again() {
    let mut desk = Desk::default();
    let session = desk.activate(1, hello(7, 1));
    desk.enqueue_all(7, B, 1..=3, 100);
    assert_eq!(desk.messages(1), [(B, 1, 1), (B, 2, 2), (B, 3, 3)]);
    desk.say(1, ack(B, 1));
    assert_eq!(desk.news(), [released(1)]);
    desk.close(1, Reason::StreamLost);
    assert_eq!(desk.enqueue(7, B, 4, 100), HubVerdict::Accepted, "the session stands");
    desk.news();
    // The acknowledgement of the second was lost; the Hello makes up for it.
    let mut again = resuming(7, 1, session);
    if let Some(resume) = &mut again.resume {
        resume.lanes[B.index()].received = Seq(2);
    }
    desk.register(2, again);
    let news = desk.news();
    assert_eq!(registrations(&news), [(2, session, true)]);
    assert_eq!(news[1..], [released(2)], "the registration is told first");
    assert_eq!(desk.hub.resent(), 0);
    desk.restore(2);
    assert_eq!(desk.messages(2), [(B, 3, 3), (B, 4, 4)]);
    assert_eq!(desk.hub.resent(), 1, "the fourth is sent for the first time");
}

#[test]
fn a_resumed_session_tells_the_worker_how_far_its_lanes_got() {
    let mut desk = Desk::default();
    let session = desk.activate(1, hello(7, 1));
    desk.unwritable(1);
    desk.say(1, message(C, 1, 10));
    desk.say(1, message(C, 2, 10));
    desk.close(1, Reason::StreamLost);
    desk.register(2, resuming(7, 1, session));
    let frames = desk.frames(2);
    let [CoordinatorFrame::Welcome(welcome)] = frames[..] else { panic!("{frames:?}") };
    assert_eq!(welcome.lanes.map(|standing| standing.received), [Seq(2), Seq(0)]);
    desk.restore(2);
    assert_eq!(desk.say(2, message(C, 2, 10)), HubVerdict::Duplicate);
}

#[test]
fn a_new_session_begins_with_empty_lanes() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.enqueue(7, C, 1, 10);
    desk.say(1, message(C, 1, 10));
    desk.close(1, Reason::StreamLost);
    desk.activate(2, hello(7, 1));
    assert_eq!(desk.messages(2), []);
    desk.enqueue(7, C, 2, 10);
    assert_eq!(desk.messages(2), [(C, 1, 2)]);
    let deliver = HubVerdict::Deliver { worker: WorkerId(7), incarnation: Incarnation(1) };
    assert_eq!(desk.say(2, message(C, 1, 10)), deliver);
}

#[test]
fn the_credit_of_the_worker_holds_messages_back() {
    let mut desk = Desk::default();
    let credit = Lane::ALL.map(|_| Credit { messages: Seq(2), bytes: 1_000 });
    desk.activate(1, Hello { credit, ..hello(7, 1) });
    desk.enqueue_all(7, C, 1..=4, 10);
    assert_eq!(desk.messages(1), [(C, 1, 1), (C, 2, 2)]);
    let more = Credit { messages: Seq(3), bytes: 1_000 };
    let standing = Standing { received: Seq(0), credit: more };
    desk.say(1, WorkerFrame::Ack(Ack { lane: C, standing }));
    assert_eq!(desk.messages(1), [(C, 3, 3)]);
}

#[test]
fn a_message_without_a_number_is_withdrawn_and_one_that_has_it_is_not() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.enqueue(7, C, 1, 10);
    desk.unwritable(1);
    desk.enqueue(7, C, 2, 10);
    let (worker, lane) = (WorkerId(7), C);
    let withdraw = |tag| HubInput::Withdraw { worker, lane, tag: Tag(tag) };
    assert_eq!(desk.tell(withdraw(1)), HubVerdict::Accepted);
    assert_eq!(desk.tell(withdraw(2)), HubVerdict::Withdrawn);
    desk.enqueue(7, C, 3, 10);
    desk.writable(1);
    assert_eq!(desk.messages(1), [(C, 1, 1), (C, 2, 3)]);
}

#[test]
fn a_full_outbox_says_so_and_takes_more_after_a_release() {
    let mut desk = Desk::with(small(32, 2));
    desk.activate(1, hello(7, 1));
    desk.enqueue(7, C, 1, 10);
    desk.enqueue(7, C, 2, 10);
    let full = EnqueueError::Full { messages: 2, bytes: 20 };
    assert_eq!(desk.enqueue(7, C, 3, 10), HubVerdict::Rejected(full));
    let max = Lane::C_MESSAGE_MAX;
    let too_large = EnqueueError::TooLarge { len: max + 1, max };
    assert_eq!(desk.enqueue(7, C, 3, max + 1), HubVerdict::Rejected(too_large));
    desk.say(1, ack(C, 1));
    assert_eq!(desk.enqueue(7, C, 3, 10), HubVerdict::Accepted);
}

#[test]
fn messages_wait_for_the_embedder_to_hear_of_a_new_session() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.close(1, Reason::StreamLost);
    // The embedder has not polled the registration, and would mean the old session.
    desk.hub.handle(desk.now, HubInput::Accepted { conn: ConnId(2) });
    let frame = WorkerFrame::Hello(hello(7, 1));
    desk.hub.handle(desk.now, HubInput::Frame { conn: ConnId(2), frame });
    let (worker, lane) = (WorkerId(7), C);
    let enqueue = HubInput::Enqueue { worker, lane, tag: Tag(1), len: 10 };
    let verdict = desk.hub.handle(desk.now, enqueue);
    assert_eq!(verdict, HubVerdict::Rejected(EnqueueError::NoSession));
    let release = HubInput::Release { worker, lane, messages: 1, bytes: 10 };
    assert_eq!(desk.hub.handle(desk.now, release), HubVerdict::Stale);
    desk.pump();
    assert_eq!(desk.tell(enqueue), HubVerdict::Accepted);
}

#[test]
fn an_unwritable_connection_leaves_the_ring_until_it_is_writable() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.unwritable(1);
    let conn = ConnId(1);
    desk.hub.handle(desk.now, HubInput::Frame { conn, frame: beat(1) });
    assert!(desk.hub.wants_transmit(conn));
    assert_eq!(desk.hub.poll_action(), None);
    assert_eq!(desk.hub.poll_transmit(desk.now, conn, C), None);
    desk.hub.handle(desk.now, HubInput::Writable { conn });
    assert_eq!(desk.hub.poll_action(), Some(HubAction::Flush { conn }));
    assert_eq!(desk.hub.poll_action(), None, "it is offered once");
    assert!(desk.hub.poll_transmit(desk.now, conn, C).is_some());
    assert!(!desk.hub.wants_transmit(conn));
}

#[test]
fn an_offer_that_the_driver_could_not_take_is_made_again_when_the_connection_is_writable() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    let conn = ConnId(1);
    desk.hub.handle(desk.now, HubInput::Frame { conn, frame: beat(1) });
    assert_eq!(desk.hub.poll_action(), Some(HubAction::Flush { conn }));
    // The driver finds that the transport is full just now.
    desk.hub.handle(desk.now, HubInput::Unwritable { conn });
    assert_eq!(desk.hub.poll_action(), None);
    desk.hub.handle(desk.now, HubInput::Writable { conn });
    assert_eq!(desk.hub.poll_action(), Some(HubAction::Flush { conn }));
}

#[test]
fn an_offer_that_came_to_nothing_does_not_swallow_the_next_one() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    let (conn, worker, tag) = (ConnId(1), WorkerId(7), Tag(1));
    desk.hub.handle(desk.now, HubInput::Enqueue { worker, lane: C, tag, len: 10 });
    assert_eq!(desk.hub.poll_action(), Some(HubAction::Flush { conn }));
    // Before the driver gets to it, the only thing that was due is taken back.
    let withdraw = HubInput::Withdraw { worker, lane: C, tag };
    assert_eq!(desk.hub.handle(desk.now, withdraw), HubVerdict::Withdrawn);
    for lane in Lane::ALL {
        assert_eq!(desk.hub.poll_transmit(desk.now, conn, lane), None);
    }
    assert_eq!(desk.hub.poll_action(), None);
    desk.hub.handle(desk.now, HubInput::Frame { conn, frame: beat(1) });
    assert_eq!(desk.hub.poll_action(), Some(HubAction::Flush { conn }));
}

#[test]
fn an_acknowledgement_waits_behind_the_answer_to_a_beat_and_is_not_forgotten() {
    for lane in Lane::ALL {
        let mut desk = Desk::default();
        desk.activate(1, hello(7, 1));
        desk.unwritable(1);
        desk.say(1, message(lane, 1, 10));
        desk.tell(HubInput::Release { worker: WorkerId(7), lane, messages: 1, bytes: 10 });
        desk.say(1, beat(1));
        desk.writable(1);
        let frames = desk.frames(1);
        let [CoordinatorFrame::BeatAnswer(_), CoordinatorFrame::Ack(ack)] = frames[..] else {
            panic!("{frames:?}")
        };
        assert_eq!((ack.lane, ack.standing.received), (lane, Seq(1)));
    }
}

#[test]
fn connections_that_have_much_to_say_are_served_in_turn() {
    let mut desk = Desk::default();
    for conn in 1..=3 {
        desk.activate(conn, hello(u128::from(conn), conn));
        desk.unwritable(conn);
        desk.enqueue_all(u128::from(conn), C, 0..=9, 10);
    }
    for conn in (1..=3).map(ConnId) {
        desk.hub.handle(desk.now, HubInput::Writable { conn });
    }
    let mut served = Vec::new();
    while let Some(action) = desk.hub.poll_action() {
        let HubAction::Flush { conn } = action else { panic!("{action:?}") };
        // A quantum of two messages.
        for _ in 0..2 {
            served.extend(desk.hub.poll_transmit(desk.now, conn, C).map(|_| conn.0));
        }
    }
    let turn = [1, 1, 2, 2, 3, 3];
    assert_eq!(served, turn.repeat(5));
}
