use moorline_link::{Beat, Flags, Lane, Reason, Seq};
use moorline_node::{Message, Packet, ToWorker};
use moorline_work::{Attempt, TaskId, TaskKey};
use prost::Message as _;

use super::*;
use crate::generated::worker as pb;

fn packet_of(frames: Vec<pb::Frame>) -> Bytes {
    pb::Packet { frames }.encode_to_vec().into()
}

fn kind(kind: pb::frame::Kind) -> pb::Frame {
    pb::Frame { kind: Some(kind) }
}

#[test]
fn a_packet_written_frame_by_frame_is_the_packet_of_the_schema() {
    let beat = Beat {
        seq: 300,
        flags: Flags { active: true, ..Flags::default() },
        free: 3,
        quiet: true,
        rtt_micros: 0,
    };
    let frames = vec![UpFrame::Beat(beat), UpFrame::Active];
    let bytes = encode_up(&Packet { lane: Lane::C, frames });
    let read = pb::Packet::decode(bytes).unwrap();
    let beat = pb::Beat { seq: 300, flags: 1 | 8, free: 3, rtt_us: 0 };
    let expected =
        [kind(pb::frame::Kind::Beat(beat)), kind(pb::frame::Kind::Active(pb::Active {}))];
    assert_eq!(read.frames, expected);
}

#[test]
fn a_body_is_a_slice_of_its_packet() {
    let key = TaskKey { task: TaskId(9), attempt: Attempt(1) };
    let head = ToWorker::Assign { key, handler: name("echo"), timeout: None };
    let body = Bytes::from(vec![7; 1_000]);
    let frame = DownFrame::Message(Message { seq: Seq(1), head, body_len: 1_000, body });
    let bytes = encode_down(&Packet { lane: Lane::B, frames: vec![frame] });
    let decoded = decode_down(bytes.clone()).unwrap();
    let [DownFrame::Message(message)] = &decoded.frames[..] else { panic!("{decoded:?}") };
    assert!(bytes.as_ptr_range().contains(&message.body.as_ptr()));
}

#[test]
fn the_enum_of_reasons_is_the_table_of_reasons() {
    for reason in Reason::ALL {
        let written = pb::Reason::try_from(i32::from(reason.code())).unwrap();
        let name = format!("REASON_{}", reason.name().to_uppercase());
        assert_eq!(written.as_str_name(), name);
    }
    let known = (1..4_000).filter(|code| pb::Reason::try_from(*code).is_ok()).count();
    assert_eq!(known, Reason::ALL.len());
}

#[test]
fn a_reason_of_a_later_version_counts_as_an_orderly_end() {
    let away = pb::GoAway { reason: 2_999, ..pb::GoAway::default() };
    let decoded = decode_down(packet_of(vec![kind(pb::frame::Kind::GoAway(away))])).unwrap();
    let [DownFrame::GoAway { dismissal, .. }] = &decoded.frames[..] else { panic!() };
    assert_eq!(dismissal.reason, Reason::ClosedByPeer);
    let bye = pb::Goodbye { reason: -5 };
    let decoded = decode_up(packet_of(vec![kind(pb::frame::Kind::Goodbye(bye))])).unwrap();
    assert_eq!(decoded.frames, [UpFrame::Goodbye { reason: Reason::WorkerStopping }]);
}

#[test]
fn numbers_out_of_range_are_refused_by_name() {
    let beat = pb::Beat { free: 65_536, ..pb::Beat::default() };
    let error = decode_up(packet_of(vec![kind(pb::frame::Kind::Beat(beat))])).unwrap_err();
    assert_eq!(error.to_string(), "Beat.free cannot be 65536");

    let ack = pb::Ack { lane: 3, standing: None };
    let error = decode_up(packet_of(vec![kind(pb::frame::Kind::Ack(ack))])).unwrap_err();
    assert_eq!(error, DecodeError::OutOfRange { field: "Ack.lane", value: 3 });

    let key = Some(pb::TaskKey::default());
    let answer = pb::InventoryAnswer { key, judgement: 77, ..Default::default() };
    let packet = packet_of(vec![kind(pb::frame::Kind::InventoryAnswer(answer))]);
    let error = decode_down(packet).unwrap_err();
    assert_eq!(error, DecodeError::OutOfRange { field: "InventoryAnswer.judgement", value: 77 });
}

#[test]
fn a_name_with_a_control_character_is_refused() {
    let hello =
        pb::Hello { name: "a\u{1b}[2J".into(), software: "1".into(), ..pb::Hello::default() };
    let error = decode_up(packet_of(vec![kind(pb::frame::Kind::Hello(hello))])).unwrap_err();
    assert_eq!(error.to_string(), "Hello.name: a name has no control characters (byte 1)");
}

#[test]
fn handlers_are_sorted_and_without_repetition_whatever_the_peer_does() {
    let hello = pb::Hello {
        name: "w".into(),
        software: "1".into(),
        handlers: ["b", "a", "b"].map(str::to_owned).into(),
        ..pb::Hello::default()
    };
    let decoded = decode_up(packet_of(vec![kind(pb::frame::Kind::Hello(hello))])).unwrap();
    let [UpFrame::Hello { about, .. }] = &decoded.frames[..] else { panic!() };
    assert_eq!(about.handlers, [name("a"), name("b")]);
}

#[test]
fn a_message_whose_body_is_longer_than_said_is_refused() {
    let message = pb::LaneMessage {
        seq: 1,
        body_len: 2,
        body: Bytes::from_static(b"abc"),
        head: Some(pb::lane_message::Head::Accept(pb::Accept {
            key: Some(pb::TaskKey::default()),
        })),
    };
    let lane_c = packet_of(vec![kind(pb::frame::Kind::LaneC(message.clone()))]);
    let lane = Lane::C;
    assert_eq!(decode_up(lane_c).unwrap_err(), DecodeError::BodyLength { lane, said: 2, came: 3 });
    // On lane C nothing follows in parts.
    let begun = pb::LaneMessage { body_len: 4, ..message.clone() };
    let lane_c = packet_of(vec![kind(pb::frame::Kind::LaneC(begun))]);
    assert_eq!(decode_up(lane_c).unwrap_err(), DecodeError::BodyLength { lane, said: 4, came: 3 });
    let whole = pb::LaneMessage { body_len: 3, ..message };
    let lane_b = packet_of(vec![kind(pb::frame::Kind::LaneB(whole))]);
    assert_eq!(
        decode_up(lane_b).unwrap_err(),
        DecodeError::WrongLane { what: "Accept", lane: Lane::B }
    );
}

#[test]
fn a_message_has_a_number_from_one() {
    let accept = pb::Accept { key: Some(pb::TaskKey::default()) };
    let head = Some(pb::lane_message::Head::Accept(accept));
    let message = pb::LaneMessage { seq: 0, head, ..pb::LaneMessage::default() };
    let packet = packet_of(vec![kind(pb::frame::Kind::LaneC(message))]);
    let error = DecodeError::OutOfRange { field: "LaneMessage.seq", value: 0 };
    assert_eq!(decode_up(packet).unwrap_err(), error);
}

#[test]
fn a_message_without_a_known_head_was_not_agreed_on() {
    let message = pb::LaneMessage { seq: 5, ..pb::LaneMessage::default() };
    let packet = packet_of(vec![kind(pb::frame::Kind::LaneC(message))]);
    let error = DecodeError::UnknownMessage { lane: Lane::C, seq: 5 };
    assert_eq!(decode_up(packet).unwrap_err(), error);
}

#[test]
fn a_hint_too_long_is_cut_between_two_characters() {
    let dismissal = moorline_link::Dismissal {
        reason: Reason::NameConflict,
        come_back: moorline_link::ComeBack::Never,
    };
    let hint = format!("x{}", "ä".repeat(400));
    let frame = DownFrame::Refused { dismissal, hint };
    let bytes = encode_down(&Packet { lane: Lane::C, frames: vec![frame] });
    let decoded = decode_down(bytes).unwrap();
    let [DownFrame::Refused { hint, .. }] = &decoded.frames[..] else { panic!() };
    assert_eq!(hint.len(), 511);
}

fn name(text: &str) -> moorline_node::Name {
    moorline_node::Name::new(text).unwrap()
}
