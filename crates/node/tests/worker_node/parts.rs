//! Bodies that do not fit a packet.

use bytes::Bytes;
use moorline_link::*;
use moorline_node::*;
use moorline_work::{Outcome, Refusal, WorkerMessage};

use crate::script::{Rig, SECOND, Script, WINDOW, config, key, name, pattern};

const MIB: usize = 1 << 20;

/// The transport takes one packet in two seconds: beats and their answers go between the parts.
#[test]
fn a_large_result_travels_in_parts_while_heartbeats_go_on() {
    let mut rig = Rig::active();
    let run = rig.assign(key(1, 1));
    rig.exchange();
    let body = pattern(MIB);
    rig.done(run, body.clone());

    let (mut parts, mut beats) = (0, 0);
    while rig.last_result().is_none() {
        rig.now = rig.now + 2 * SECOND;
        rig.input(WorkerInput::Timeout);
        let beat_due = rig.node.next_wake().deadline().is_some();
        assert!(beat_due);
        let packet = rig.packet().expect("the body is not whole yet");
        for frame in &packet.frames {
            match frame {
                UpFrame::Part(_) => parts += 1,
                UpFrame::Beat(_) => beats += 1,
                UpFrame::Message(message) => assert!(message.body.len() < MIB),
                UpFrame::Hello { .. }
                | UpFrame::InventoryItem { .. }
                | UpFrame::InventoryEnd { .. }
                | UpFrame::Active
                | UpFrame::Statistics(_)
                | UpFrame::Ack(_)
                | UpFrame::Goodbye { .. } => {}
            }
        }
        rig.deliver(packet);
    }
    assert!(parts >= 16, "{parts} parts");
    assert!(beats >= 5, "{beats} beats");
    assert_eq!(rig.last_result(), Some((Seq(1), key(1, 1), body)));
    assert_eq!(rig.node.state(), State::Active);
    assert!(!rig.events().any(|event| matches!(event, WorkerEvent::BeatMissed { .. })));
}

#[test]
fn a_beat_that_is_due_goes_before_the_next_part() {
    let mut rig = Rig::active();
    let run = rig.assign(key(1, 1));
    rig.exchange();
    rig.done(run, pattern(MIB));
    assert_eq!(rig.packet().map(|packet| packet.lane), Some(Lane::B));
    rig.now = rig.now + 5 * SECOND;
    rig.input(WorkerInput::Timeout);
    let packet = rig.packet().expect("a beat is due");
    assert_eq!(packet.lane, Lane::C);
    assert!(packet.frames.iter().any(|frame| matches!(frame, UpFrame::Beat(_))));
    assert_eq!(rig.packet().map(|packet| packet.lane), Some(Lane::B));
}

#[test]
fn many_small_results_share_a_packet() {
    let mut rig = Rig::active();
    let runs: Vec<_> = (1..=4).map(|task| rig.assign(key(task, 1))).collect();
    rig.exchange();
    for run in runs {
        rig.done(run, pattern(1_000));
    }
    let packet = rig.packet().expect("results");
    assert_eq!((packet.lane, packet.frames.len()), (Lane::B, 4));
}

#[test]
fn a_body_cut_off_in_the_middle_begins_again_on_the_next_connection() {
    let mut rig = Rig::active();
    let run = rig.assign(key(1, 1));
    rig.exchange();
    let body = pattern(MIB);
    rig.done(run, body.clone());
    for _ in 0..4 {
        let packet = rig.packet().expect("a part");
        rig.deliver(packet);
    }
    rig.cut();

    let hello = rig.connect(true);
    assert!(hello.resume.is_some());
    assert_eq!(rig.script.inventory, [], "the lane has it");
    rig.exchange();
    assert_eq!(rig.last_result(), Some((Seq(1), key(1, 1), body)));
    rig.settle(key(1, 1));
    assert!(!rig.node.owes());
}

#[test]
fn a_large_payload_is_put_together_and_started_once_it_is_whole() {
    let mut rig = Rig::active();
    let payload = pattern(300 << 10);
    let seq = rig.script.number(Lane::B);
    let head = ToWorker::Assign { key: key(1, 1), handler: name("echo"), timeout: None };
    let body_len = 300 << 10;
    let mut frames =
        vec![DownFrame::Message(Message { seq, head, body_len, body: payload.slice(..1_000) })];
    for offset in (1_000..payload.len()).step_by(60_000) {
        let bytes = payload.slice(offset..payload.len().min(offset + 60_000));
        frames.push(DownFrame::Part(Part { seq, offset: offset as u32, bytes }));
    }
    let last = frames.pop().expect("parts");
    for frame in frames {
        rig.now = rig.now + SECOND;
        rig.send(vec![frame]);
        assert!(rig.started(key(1, 1)).is_none());
    }

    // The payload keeps its credit until the driver has it.
    let conn = rig.conn.expect("connected");
    rig.input_only(WorkerInput::Packet { conn, frames: vec![last] });
    rig.exchange_without_acting();
    let before = rig.script.session.acked[Lane::B.index()];
    assert_eq!((before.received, before.credit.messages), (Seq(1), Seq(WINDOW)));
    rig.act();
    rig.exchange();
    let after = rig.script.session.acked[Lane::B.index()];
    assert_eq!(after.credit.messages, Seq(WINDOW + 1));
    assert_eq!(after.credit.bytes, before.credit.bytes + u64::from(body_len + MESSAGE_COST));
    let started = rig.actions.iter().find_map(|action| match action {
        WorkerAction::Start { handler, payload, .. } => Some((handler.clone(), payload.clone())),
        WorkerAction::Dial { .. }
        | WorkerAction::Close { .. }
        | WorkerAction::Abort { .. }
        | WorkerAction::Vet { .. }
        | WorkerAction::Journal(_)
        | WorkerAction::Event(_) => None,
    });
    assert_eq!(started, Some((name("echo"), payload)));
}

#[test]
fn what_is_not_started_gives_its_credit_back_at_once() {
    let mut rig = Rig::active();
    let head = ToWorker::Assign { key: key(1, 1), handler: name("nobody's"), timeout: None };
    rig.say(head, pattern(100));
    rig.exchange();
    let refused = WorkerMessage::Refuse { key: key(1, 1), refusal: Refusal::UnknownHandler };
    assert_eq!(rig.script.messages.last().map(|(_, message, _)| *message), Some(refused));
    assert_eq!(rig.script.session.acked[Lane::B.index()].credit.messages, Seq(WINDOW + 1));
}

#[test]
fn a_body_is_let_go_when_it_is_settled_and_not_before() {
    let mut rig = Rig::active();
    let run = rig.assign(key(1, 1));
    rig.exchange();
    let body = pattern(100_000);
    rig.done(run, body.clone());
    let forget_what_the_rig_saw = |rig: &mut Rig| {
        rig.record.clear();
        rig.script.messages.clear();
    };
    rig.exchange();
    forget_what_the_rig_saw(&mut rig);
    assert!(!body.is_unique(), "processed, but not settled");
    rig.settle(key(1, 1));
    forget_what_the_rig_saw(&mut rig);
    assert!(body.is_unique());
}

fn begun(rig: &mut Rig, body_len: u32) -> DownFrame {
    let seq = rig.script.number(Lane::B);
    let head = ToWorker::Assign { key: key(1, 1), handler: name("echo"), timeout: None };
    DownFrame::Message(Message { seq, head, body_len, body: Bytes::from_static(b"begin") })
}

fn part(seq: u64, offset: u32, len: usize) -> DownFrame {
    DownFrame::Part(Part { seq: Seq(seq), offset, bytes: pattern(len) })
}

#[test]
fn parts_that_make_no_message_end_the_connection() {
    type Garbage = fn(&mut Rig) -> Vec<DownFrame>;
    let garbage: [(&str, Garbage); 8] = [
        ("a part of nothing", |_| vec![part(1, 0, 10)]),
        ("a gap", |rig| vec![begun(rig, 100), part(1, 6, 10)]),
        ("an overlap", |rig| vec![begun(rig, 100), part(1, 4, 10)]),
        ("another number", |rig| vec![begun(rig, 100), part(2, 5, 10)]),
        ("an empty part", |rig| vec![begun(rig, 100), part(1, 5, 0)]),
        ("too much", |rig| vec![begun(rig, 100), part(1, 5, 96)]),
        ("a second body before the first is whole", |rig| vec![begun(rig, 100), begun(rig, 100)]),
        ("more than a message may have", |rig| vec![begun(rig, BODY_MAX + 1)]),
    ];
    for (what, garbage) in garbage {
        let mut rig = Rig::active();
        let frames = garbage(&mut rig);
        rig.send(frames);
        assert_eq!(rig.conn, None, "{what}");
        let reason = Reason::ProtocolError;
        let closed = |action: &WorkerAction| matches!(action, WorkerAction::Close { reason: r, .. } if *r == reason);
        assert!(rig.actions.iter().any(closed), "{what}");
        assert_eq!(rig.started(key(1, 1)), None, "{what}");
        // It is a loss like any other: the next connection works.
        rig.connect(false);
        assert_eq!(rig.node.state(), State::Active, "{what}");
    }
}

#[test]
fn a_small_message_with_a_body_and_bytes_that_are_no_packet_end_the_connection() {
    let mut rig = Rig::active();
    let seq = rig.script.number(Lane::C);
    let head = ToWorker::Cancel { key: key(1, 1) };
    let body = Bytes::from_static(b"x");
    rig.send(vec![DownFrame::Message(Message { seq, head, body_len: 1, body })]);
    assert_eq!(rig.conn, None);

    let mut rig = Rig::active();
    let conn = rig.conn.expect("connected");
    rig.input(WorkerInput::Undecodable { conn });
    assert_eq!(rig.conn, None);
    assert_eq!(rig.input(WorkerInput::Undecodable { conn }), WorkerVerdict::Stale);
}

#[test]
fn half_a_payload_is_forgotten_with_its_connection() {
    let mut rig = Rig::active();
    let frame = begun(&mut rig, 100);
    rig.send(vec![frame]);
    rig.cut();
    rig.connect(true);
    rig.send(vec![part(1, 5, 95)]);
    assert_eq!(rig.conn, None, "it continues nothing here");
    assert_eq!(rig.started(key(1, 1)), None);
}

#[test]
fn a_result_no_message_can_carry_is_a_failure_that_says_so() {
    let mut rig = Rig::active();
    let run = rig.assign(key(1, 1));
    rig.done(run, Bytes::from(vec![0; BODY_MAX as usize + 1]));
    rig.exchange();
    let (_, message, body) = rig.script.messages.last().expect("a result");
    let outcome = Outcome::Failed { retryable: false };
    assert_eq!(*message, WorkerMessage::Result { key: key(1, 1), outcome });
    assert_eq!(&body[..], b"the result has 16777185 bytes; the limit is 16777184");

    let run = rig.assign(key(2, 1));
    rig.done(run, Bytes::from(vec![7; BODY_MAX as usize]));
    rig.exchange();
    assert_eq!(
        rig.last_result().map(|(_, key, body)| (key, body.len())),
        Some((key(2, 1), BODY_MAX as usize))
    );
}

#[test]
fn a_result_the_lane_has_no_room_for_waits_and_nothing_small_waits_with_it() {
    let mut rig = Rig::active();
    rig.script.withholds_acks = true;
    let (first, second) = (rig.assign(key(1, 1)), rig.assign(key(2, 1)));
    let body = Bytes::from(vec![1; 10 << 20]);
    rig.done(first, body.clone());
    rig.done(second, body.clone());
    rig.say(ToWorker::Revoke { key: key(2, 1) }, Bytes::new());
    rig.exchange();
    assert_eq!(rig.last_result(), Some((Seq(1), key(1, 1), body.clone())));
    let held = WorkerMessage::Held { key: key(2, 1) };
    assert!(rig.script.messages.iter().any(|(_, message, _)| *message == held));

    rig.script.withholds_acks = false;
    let acks = Lane::ALL.map(|lane| {
        let received = rig.script.session.received[lane.index()];
        let credit = Credit { messages: Seq(90), bytes: u64::MAX };
        DownFrame::Ack(Ack { lane, standing: Standing { received, credit } })
    });
    rig.send(acks.into());
    rig.exchange();
    assert_eq!(rig.last_result(), Some((Seq(2), key(2, 1), body)));
}

#[test]
fn a_worker_that_cannot_announce_itself_is_not_made() {
    let at = Instant::ZERO;
    let no_slots = WorkerConfig {
        runner: moorline_work::RunnerConfig { slots: 0, task_timeout: None },
        ..config()
    };
    assert_eq!(WorkerNode::new(no_slots, at).err(), Some(WorkerConfigError::NoSlots));

    let many = (0..1_025).map(|n| name(&format!("h{n}"))).collect();
    let error = WorkerNode::new(WorkerConfig { handlers: many, ..config() }, at).err();
    assert_eq!(error, Some(WorkerConfigError::TooManyHandlers { count: 1_025, max: 1_024 }));

    let long = (0..1_000).map(|n| name(&format!("{n:0>128}"))).collect();
    let error = WorkerNode::new(WorkerConfig { handlers: long, ..config() }, at).err();
    assert!(
        matches!(error, Some(WorkerConfigError::HelloTooLarge { bytes, .. }) if bytes > PACKET_MAX)
    );

    // As much as fits goes in one packet, with the longest credential.
    let handlers: Vec<_> = (0..430).map(|n| name(&format!("{n:0>128}"))).collect();
    let mut rig = Rig::new(WorkerConfig { handlers: handlers.clone(), ..config() });
    let conn = rig.dials();
    let credential = Credential::new(vec![7; Credential::MAX]).expect("the longest");
    rig.input(WorkerInput::Credential { conn, credential: credential.clone() });
    let (head, about) = rig.open();
    assert_eq!((&about.handlers, &about.credential), (&handlers, &Some(credential)));
    assert!(UpFrame::Hello { head, about }.size_bound() <= PACKET_MAX);
    assert_eq!(Script::epoch(), Epoch(9));
}

#[test]
fn a_body_that_begins_where_little_room_is_left_is_whole_before_the_next_one_begins() {
    let mut rig = Rig::active();
    let runs: Vec<_> = (1..=3).map(|task| rig.assign(key(task, 1))).collect();
    rig.exchange();
    // The first leaves too little room for a useful piece of the second, but enough for the third.
    let sizes = [64_600, 100_000, 10];
    for (run, len) in runs.into_iter().zip(sizes) {
        rig.done(run, pattern(len));
    }
    rig.exchange();
    let bodies = rig.script.messages.iter().filter(|(_, message, _)| lane_of(message) == Lane::B);
    assert_eq!(bodies.map(|(_, _, body)| body.len()).collect::<Vec<_>>(), sizes);
    assert_eq!(rig.last_result(), Some((Seq(3), key(3, 1), pattern(10))));
}

#[test]
fn an_error_text_no_message_can_carry_is_cut() {
    let mut rig = Rig::active();
    let run = rig.assign(key(1, 1));
    let (outcome, body) = (Outcome::Failed { retryable: true }, vec![b'e'; BODY_MAX as usize + 1]);
    rig.input(WorkerInput::Done { run, outcome, body: body.into() });
    rig.exchange();
    let (_, message, body) = rig.script.messages.last().expect("a result");
    assert_eq!(*message, WorkerMessage::Result { key: key(1, 1), outcome });
    assert_eq!(body.len(), BODY_MAX as usize);
}

#[test]
fn a_new_session_lets_go_of_what_the_old_one_did_not_deliver() {
    let mut rig = Rig::active();
    let run = rig.assign(key(1, 1));
    rig.exchange();
    rig.script.withholds_acks = true;
    let body = pattern(100_000);
    rig.done(run, body.clone());
    rig.exchange();
    rig.cut();
    rig.script.withholds_acks = false;
    let disposition = moorline_work::Disposition::Accepted;
    rig.script.judgements.insert(key(1, 1), moorline_work::Judgement::Drop { disposition });
    rig.connect(false);
    assert!(!rig.node.owes());
    rig.record.clear();
    rig.script.messages.clear();
    assert!(body.is_unique());
}
