//! Tasks from submit to settlement, and bodies in parts.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::{Beat, ConnId, Flags, Lane, Reason, Seq, WorkerId};
use moorline_node::*;
use moorline_work::{
    Attempt, Conflict, Disposition, End, Outcome, Reply, Status, TaskState, WorkerMessage,
};

use crate::script::{CONN, Rig, answer, finishes, hello, key, name, result, settled};

#[test]
fn nothing_is_acknowledged_before_it_is_durable() {
    let mut rig = Rig::new();
    rig.commit();
    rig.submit();
    assert_eq!(rig.replies, []);
    let submit = &rig.persists[0].op;
    assert!(
        matches!(submit, StoreOp::Submit { payload, .. } if payload == "payload"),
        "{submit:?}"
    );
    rig.commit();
    assert_eq!(rig.replies, [ClientReply::Work(Reply::Submitted { again: false })]);
}

#[test]
fn operations_are_numbered_densely_from_one() {
    let mut rig = Rig::new();
    assert_eq!(rig.persists[0].op, StoreOp::Workers);
    let first: Vec<_> = rig.persists.iter().map(|p| p.id).collect();
    assert_eq!(first, [PersistId(1), PersistId(2)]);
    rig.commit();
    rig.submit();
    // The third one wrote down that the coordinator had begun.
    assert_eq!(rig.persists[0].id, PersistId(4));
}

#[test]
fn an_assignment_leaves_with_its_payload_after_its_lease_is_durable() {
    let mut rig = Rig::new();
    rig.commit();
    rig.moor();
    rig.submit();
    assert!(rig.said().iter().all(|frame| !matches!(frame, DownFrame::Message(_))));
    rig.commit();
    let said = rig.said();
    let assign = said.iter().find_map(|frame| match frame {
        DownFrame::Message(message) => Some(message),
        _ => None,
    });
    let assign = assign.expect("an assignment");
    assert_eq!(assign.seq, Seq(1));
    assert_eq!(assign.body, "payload");
    assert_eq!(assign.head, ToWorker::Assign { key: key(1), handler: name("hash"), timeout: None });
}

#[test]
fn a_large_payload_travels_in_parts_and_a_heartbeat_is_answered_between_them() {
    let mut rig = Rig::new();
    rig.commit();
    rig.moor();
    rig.payload = (0..300_000u32).map(|i| (i % 251) as u8).collect::<Vec<_>>().into();
    rig.submit();
    // The transport takes one packet at a time.
    rig.writable = false;
    rig.commit();
    rig.node.handle(rig.now, CoordinatorInput::Unwritable { conn: CONN });
    rig.drain();
    let mut body = Vec::new();
    let mut answered_after = None;
    for turn in 0..20 {
        rig.node.handle(rig.now, CoordinatorInput::Writable { conn: CONN });
        if turn == 2 {
            let beat = Beat {
                seq: 9,
                flags: Flags { active: true, ..Flags::default() },
                free: 1,
                quiet: false,
                rtt_micros: 0,
            };
            let frames = vec![UpFrame::Beat(beat)];
            rig.node.handle(rig.now, CoordinatorInput::Packet { conn: CONN, frames });
        }
        let packet = rig.node.poll_transmit(rig.now, CONN);
        rig.node.handle(rig.now, CoordinatorInput::Unwritable { conn: CONN });
        rig.drain();
        for frame in packet.into_iter().flat_map(|packet| packet.frames) {
            match frame {
                DownFrame::Message(Message {
                    head: ToWorker::Assign { .. },
                    body: first,
                    body_len,
                    ..
                }) => {
                    assert_eq!(body_len, 300_000);
                    body.extend_from_slice(&first);
                }
                DownFrame::Part(part) => {
                    assert_eq!(part.offset as usize, body.len());
                    body.extend_from_slice(&part.bytes);
                }
                DownFrame::BeatAnswer(answer) => {
                    assert_eq!(answer.seq, 9);
                    answered_after = Some(body.len());
                }
                _ => {}
            }
        }
    }
    assert!(body == rig.payload, "{} bytes arrived", body.len());
    let at = answered_after.expect("the heartbeat is answered");
    assert!(at > 0 && at < body.len(), "between parts, not behind them: after {at} bytes");
}

#[test]
fn a_result_is_settled_when_the_store_has_it_and_its_credit_comes_back_then() {
    let mut rig = Rig::new();
    rig.commit();
    rig.moor();
    rig.submit();
    rig.commit();
    rig.said();
    // Most of the window of lane B, so that its return is worth telling.
    let head = WorkerMessage::Result { key: key(1), outcome: Outcome::Succeeded };
    let (body_len, half) = (100_000, Bytes::from(vec![7; 50_000]));
    let (window, cost) = (256 << 10, u64::from(body_len + MESSAGE_COST));
    for seq in [Seq(1), Seq(2)] {
        rig.say(UpFrame::Message(Message { seq, head, body_len, body: half.clone() }));
        rig.say(UpFrame::Part(Part { seq, offset: 50_000, bytes: half.clone() }));
    }
    assert_eq!(finishes(&rig.persists)[0], (End::Succeeded, Bytes::from(vec![7; 100_000])));
    let last_ack = |frames: &[DownFrame]| {
        let of_lane_b = frames.iter().filter_map(|frame| match frame {
            DownFrame::Ack(ack) if ack.lane == Lane::B => Some(ack.standing),
            _ => None,
        });
        of_lane_b.last()
    };
    let said = rig.said();
    assert_eq!(settled(&said), []);
    let before = last_ack(&said).expect("received is said at once");
    assert_eq!((before.received, before.credit.bytes), (Seq(2), window));
    rig.commit();
    let said = rig.said();
    assert_eq!(settled(&said), [Disposition::Accepted, Disposition::Duplicate]);
    let after = last_ack(&said).expect("credit comes back");
    assert_eq!(after.credit.bytes, window + 2 * cost);
}

#[test]
fn a_large_result_that_was_cut_off_is_sent_again_from_its_first_byte() {
    let mut rig = Rig::new();
    rig.commit();
    rig.moor();
    rig.submit();
    rig.commit();
    let head = WorkerMessage::Result { key: key(1), outcome: Outcome::Succeeded };
    let begun = |conn: ConnId, rig: &mut Rig| {
        let body = Bytes::from(vec![1; 60_000]);
        let begin = UpFrame::Message(Message { seq: Seq(1), head, body_len: 100_000, body });
        rig.give(CoordinatorInput::Packet { conn, frames: vec![begin] });
    };
    begun(CONN, &mut rig);
    rig.give(CoordinatorInput::Closed { conn: CONN, reason: Reason::TransportReset });
    assert_eq!(finishes(&rig.persists), []);

    let again = ConnId(2);
    rig.give(CoordinatorInput::Accepted { conn: again });
    rig.give(CoordinatorInput::Packet { conn: again, frames: vec![hello()] });
    // Its session quoted nothing to resume, so it is a new one: the inventory says what it has.
    let holding = moorline_work::Holding::Finished { outcome: Outcome::Succeeded, len: 100_000 };
    let item = UpFrame::InventoryItem { index: 0, key: key(1), holding };
    let end = UpFrame::InventoryEnd { count: 1 };
    rig.give(CoordinatorInput::Packet { conn: again, frames: vec![item, end] });
    rig.commit();
    let answers: Vec<_> =
        rig.said().into_iter().filter(|f| matches!(f, DownFrame::InventoryAnswer { .. })).collect();
    let send = moorline_work::Judgement::Send;
    assert_eq!(answers, [DownFrame::InventoryAnswer { index: 0, key: key(1), judgement: send }]);
    rig.give(CoordinatorInput::Packet { conn: again, frames: vec![UpFrame::Active] });
    begun(again, &mut rig);
    let part = Part { seq: Seq(1), offset: 60_000, bytes: Bytes::from(vec![2; 40_000]) };
    rig.give(CoordinatorInput::Packet { conn: again, frames: vec![UpFrame::Part(part)] });
    let finished = finishes(&rig.persists);
    assert_eq!(finished.len(), 1);
    assert_eq!(
        (finished[0].1.len(), finished[0].1[59_999], finished[0].1[60_000]),
        (100_000, 1, 2)
    );
}

#[test]
fn a_part_that_continues_nothing_closes_the_connection() {
    let mut rig = Rig::new();
    rig.commit();
    rig.moor();
    rig.say(UpFrame::Part(Part { seq: Seq(1), offset: 0, bytes: Bytes::from_static(b"x") }));
    assert_eq!(rig.closed, [(CONN, Reason::ProtocolError)]);
}

#[test]
fn a_message_before_hello_closes_the_connection() {
    let mut rig = Rig::new();
    rig.commit();
    rig.give(CoordinatorInput::Accepted { conn: CONN });
    rig.say(result(1, 1, Outcome::Succeeded, b"x"));
    assert_eq!(rig.closed, [(CONN, Reason::ProtocolError)]);
}

#[test]
fn a_retry_waits_by_the_backoff_policy_and_keeps_the_error() {
    let mut rig = Rig::new();
    rig.commit();
    rig.moor();
    rig.submit();
    rig.commit();
    rig.say(result(1, 1, Outcome::Failed { retryable: true }, b"disk full"));
    let requeue = rig.persists.iter().find_map(|persist| match &persist.op {
        StoreOp::Requeue { cause: Requeue::Retry { delay }, error, .. } => {
            Some((*delay, error.clone()))
        }
        _ => None,
    });
    let (delay, error) = requeue.expect("a retry");
    assert!(delay > Duration::ZERO && delay <= Duration::from_secs(60), "{delay:?}");
    assert_eq!(error, "disk full");
}

#[test]
fn a_success_that_conflicts_is_answered_and_not_applied() {
    let mut rig = Rig::new();
    rig.commit();
    rig.moor();
    rig.submit();
    rig.commit();
    rig.said();
    rig.say(result(1, 1, Outcome::Succeeded, b"late"));
    let up_to = rig.persists.last().unwrap().id;
    let ended = Status::Known { state: TaskState::Succeeded, attempt: Attempt(2) };
    let done = rig.persists.drain(..).map(|persist| match persist.op {
        StoreOp::Finish { .. } => {
            Done { rows: Vec::new(), conflict: Some(Conflict::Status(ended)) }
        }
        op => answer(&op, &Bytes::new(), &mut false),
    });
    let done = done.collect();
    rig.give(CoordinatorInput::Committed { up_to, done });
    assert_eq!(settled(&rig.said()), [Disposition::Stale]);
}

#[test]
fn a_worker_of_an_earlier_life_is_expected_until_it_comes() {
    let mut rig = Rig::new();
    let known = moorline_node::KnownWorker {
        worker: moorline_work::WorkerId(5),
        name: name("w1"),
        incarnation: moorline_work::Incarnation(9),
        departed: false,
        lost: false,
        cordoned: false,
    };
    let up_to = rig.persists.last().unwrap().id;
    let done = vec![Done { rows: vec![StoreRow::Worker(known)], conflict: None }, Done::default()];
    rig.persists.clear();
    rig.give(CoordinatorInput::Committed { up_to, done });
    let presence = |rig: &Rig| rig.node.worker(rig.now, WorkerId(5)).map(|view| view.presence);
    assert_eq!(presence(&rig), Some(moorline_link::Presence::Expected));
    assert!(rig.events.contains(&CoordinatorEvent::Recovered { leases: 0, workers: 1 }));
    rig.moor();
    assert_eq!(presence(&rig), Some(moorline_link::Presence::Active));
}

#[test]
fn a_drained_node_polled_again_does_not_change() {
    let mut rig = Rig::new();
    rig.commit();
    rig.moor();
    let before = rig.node.clone();
    assert_eq!(rig.node.poll_action(), None);
    assert_eq!(rig.node.poll_transmit(rig.now, CONN), None);
    assert!(rig.node == before);
    let early = rig.now + Duration::from_millis(1);
    assert!(rig.node.next_wake().is_some_and(|wake| wake > early));
    rig.node.handle(early, CoordinatorInput::Timeout);
    assert!(rig.node == before, "an early timeout changes nothing");
}

#[test]
fn an_operation_of_the_node_behind_it_does_not_hide_that_another_one_is_durable() {
    let mut rig = Rig::new();
    rig.commit();
    rig.submit();
    rig.give(CoordinatorInput::Accepted { conn: CONN });
    rig.say(hello());
    let behind = rig.persists.len() - 2;
    assert!(matches!(rig.persists[behind].op, StoreOp::Worker(_)), "and what happened to it");
    rig.commit();
    assert_eq!(rig.replies, [ClientReply::Work(Reply::Submitted { again: false })]);
}

#[test]
fn a_worker_that_says_goodbye_is_remembered_as_departed_and_not_expected_again() {
    let mut rig = Rig::new();
    rig.commit();
    rig.moor();
    rig.say(UpFrame::Goodbye { reason: Reason::WorkerStopping });
    let remembered = rig.persists.iter().find_map(|persist| match &persist.op {
        StoreOp::Worker(known) => Some(known.clone()),
        _ => None,
    });
    let known = remembered.expect("it is remembered");
    assert!(known.departed);

    let mut next = Rig::new();
    let up_to = next.persists.last().unwrap().id;
    let done = vec![Done { rows: vec![StoreRow::Worker(known)], conflict: None }, Done::default()];
    next.persists.clear();
    next.give(CoordinatorInput::Committed { up_to, done });
    assert!(next.node.worker(next.now, WorkerId(5)).is_none());
    assert!(next.events.contains(&CoordinatorEvent::Recovered { leases: 0, workers: 0 }));
}

#[test]
fn the_parts_of_a_body_prove_that_a_worker_lives() {
    let mut rig = Rig::new();
    rig.commit();
    rig.moor();
    let head = WorkerMessage::Result { key: key(1), outcome: Outcome::Succeeded };
    let (seq, body_len, body) = (Seq(1), 1_000, Bytes::new());
    rig.say(UpFrame::Message(Message { seq, head, body_len, body }));
    let mut offset = 0;
    let end = rig.now + Duration::from_secs(60);
    let mut next_part = rig.now;
    while rig.now < end {
        rig.now = rig.node.next_wake().expect("a pulse").max(rig.now);
        rig.give(CoordinatorInput::Timeout);
        if rig.now >= next_part {
            next_part = rig.now + Duration::from_secs(5);
            rig.say(UpFrame::Part(Part { seq, offset, bytes: Bytes::from_static(b"x") }));
            offset += 1;
        }
    }
    assert_eq!(rig.closed, []);
    let presence = rig.node.worker(rig.now, WorkerId(5)).map(|view| view.presence);
    assert_eq!(presence, Some(moorline_link::Presence::Active));
}

#[test]
fn a_key_that_is_asked_twice_closes_the_connection() {
    let mut rig = Rig::new();
    rig.commit();
    rig.give(CoordinatorInput::Accepted { conn: CONN });
    rig.say(hello());
    let holding = moorline_work::Holding::Running { progress: 0 };
    for index in [0, 1] {
        rig.say(UpFrame::InventoryItem { index, key: key(1), holding });
    }
    assert_eq!(rig.closed, [(CONN, Reason::ProtocolError)]);
}
