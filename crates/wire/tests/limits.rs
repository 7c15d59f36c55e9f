//! What a peer can make a decoder hold, and what a heartbeat costs.

use std::time::Duration;

use bytes::{BufMut, Bytes};
use moorline_link::{Beat, BeatAnswer, Epoch, Flags, Lane};
use moorline_node::{DownFrame, Packet, UpFrame};
use moorline_wire::{DecodeError, decode_down, decode_up, encode_down, encode_up, limits};

const ALL: Flags = Flags { active: true, draining: true, paused: true };

fn beat_len(beat: Beat) -> usize {
    encode_up(&Packet { lane: Lane::C, frames: vec![UpFrame::Beat(beat)] }).len()
}

fn answer_len(answer: BeatAnswer) -> usize {
    encode_down(&Packet { lane: Lane::C, frames: vec![DownFrame::BeatAnswer(answer)] }).len()
}

/// One field that is a block: its key, its length, its bytes.
fn block(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut len = bytes.len();
    while len > 0x7f {
        field.put_u8(u8::try_from(len & 0x7f).unwrap() | 0x80);
        len >>= 7;
    }
    field.put_u8(u8::try_from(len).unwrap());
    field.extend_from_slice(bytes);
    field
}

#[test]
fn a_heartbeat_packet_has_at_most_32_bytes_and_its_answer_40() {
    let beat =
        Beat { seq: u32::MAX, flags: ALL, free: u16::MAX, quiet: true, rtt_micros: u32::MAX };
    assert!(beat_len(beat) <= 32, "{}", beat_len(beat));
    let answer = BeatAnswer {
        seq: u32::MAX,
        epoch: Epoch(u64::MAX),
        known: true,
        flags: ALL,
        free: u16::MAX,
        quiet: true,
        waiting: true,
        // The largest of each that a coordinator says: HubConfig.
        first_window: Some(Duration::from_secs(600)),
        beat_interval: Some(Duration::from_secs(86_400)),
    };
    assert!(answer_len(answer) <= 40, "{}", answer_len(answer));
}

#[test]
fn an_idle_heartbeat_and_its_answer_have_at_most_16_bytes() {
    // A worker that has been idle for four months on a slow path, and a store that has begun 16,383
    // lives.
    let active = Flags { active: true, ..Flags::default() };
    let beat =
        Beat { seq: 2_000_000, flags: active, free: 127, quiet: true, rtt_micros: 2_000_000 };
    assert!(beat_len(beat) <= 16, "{}", beat_len(beat));
    let answer = BeatAnswer {
        seq: 2_000_000,
        epoch: Epoch(16_383),
        known: true,
        flags: active,
        free: 127,
        quiet: true,
        waiting: false,
        first_window: None,
        beat_interval: None,
    };
    assert!(answer_len(answer) <= 16, "{}", answer_len(answer));
}

#[test]
fn a_packet_beyond_64_kib_is_not_read() {
    let bytes = Bytes::from(vec![0; limits::PACKET_MAX + 1]);
    let error = decode_up(bytes).unwrap_err();
    assert_eq!(error.to_string(), "a packet has at most 65536 bytes, this one has 65537");
}

#[test]
fn a_packet_beyond_1024_frames_is_refused() {
    let active = block(1, &block(13, &[]));
    let most = Bytes::from(active.repeat(limits::FRAMES));
    assert_eq!(decode_up(most).unwrap().frames.len(), limits::FRAMES);
    let more = Bytes::from(active.repeat(limits::FRAMES + 1));
    assert_eq!(decode_up(more).unwrap_err(), DecodeError::TooManyFrames { max: 1_024 });
    // Unknown ones count too: nobody may burn our time with them.
    let unknown = Bytes::from(block(1, &[]).repeat(limits::FRAMES + 1));
    assert_eq!(decode_up(unknown).unwrap_err(), DecodeError::TooManyFrames { max: 1_024 });
}

#[test]
fn a_packet_without_a_frame_is_refused() {
    assert_eq!(decode_up(Bytes::new()).unwrap_err(), DecodeError::Empty);
    assert_eq!(decode_down(Bytes::from(block(2, b"?"))).unwrap_err(), DecodeError::Empty);
}

#[test]
fn names_handlers_and_hints_are_bounded_before_they_are_built() {
    let hello = |fields: &[u8]| Bytes::from(block(1, &block(7, fields)));
    let error = decode_up(hello(&block(7, &[b'n'; 129]))).unwrap_err();
    assert_eq!(error.to_string(), "Hello.name has at most 128 bytes, this one has 129");
    let error = decode_up(hello(&block(13, &[b'h'; 129]))).unwrap_err();
    assert_eq!(error.to_string(), "Hello.handlers has at most 128 bytes, this one has 129");
    let error = decode_up(hello(&block(13, b"h").repeat(1_025))).unwrap_err();
    assert_eq!(error.to_string(), "Hello.handlers has at most 1024 entries, this one has more");
    let refused = Bytes::from(block(1, &block(9, &block(4, &[b'x'; 513]))));
    let error = decode_down(refused).unwrap_err();
    assert_eq!(error.to_string(), "Refused.hint has at most 512 bytes, this one has 513");
}

#[test]
fn bodies_are_bounded_by_their_lane() {
    // seq = 1, body_len = 16,353 on lane C; 16,777,185 on lane B.
    let on_c = [8, 1, 16, 0xe1, 0x7f];
    let error = decode_up(Bytes::from(block(1, &block(4, &on_c)))).unwrap_err();
    let max = limits::body(Lane::C);
    assert_eq!(
        (max, error),
        (16_352, DecodeError::BodyTooLarge { lane: Lane::C, len: 16_353, max })
    );
    let on_b = [8, 1, 16, 0xe1, 0xff, 0xff, 0x07];
    let error = decode_up(Bytes::from(block(1, &block(5, &on_b)))).unwrap_err();
    let max = limits::BODY_MAX;
    let len = 16_777_185;
    assert_eq!((max, error), (16_777_184, DecodeError::BodyTooLarge { lane: Lane::B, len, max }));
    // A part that ends beyond it: offset = 16,777,184, one byte.
    let part = [&[8, 1, 16, 0xe0, 0xff, 0xff, 0x07][..], &block(3, b"x")].concat();
    let error = decode_up(Bytes::from(block(1, &block(6, &part)))).unwrap_err();
    assert_eq!(error, DecodeError::BodyTooLarge { lane: Lane::B, len, max });
    let error = decode_up(Bytes::from(block(1, &block(6, &[8, 1])))).unwrap_err();
    assert_eq!(error, DecodeError::EmptyPart);
}

#[test]
fn a_packet_belongs_to_one_lane() {
    let part = block(1, &block(6, &[&[8, 1][..], &block(3, b"x")].concat()));
    let active = block(1, &block(13, &[]));
    let error = decode_up(Bytes::from([part, active].concat())).unwrap_err();
    assert_eq!(error, DecodeError::MixedLanes);
}

#[test]
fn a_frame_of_an_unknown_kind_is_skipped_and_counted() {
    // Kind 17 is reserved for later; then an Active, then a frame of nothing at all.
    let later = block(1, &[&[0x8a, 0x01, 2][..], b"??"].concat());
    let active = block(1, &block(13, &[]));
    let packet = [later, active, block(1, &[])].concat();
    let decoded = decode_up(Bytes::from(packet)).unwrap();
    assert_eq!(decoded.frames, [UpFrame::Active]);
    assert_eq!((decoded.unknown_frames, decoded.unknown_fields), (2, 0));
}

#[test]
fn unknown_fields_are_ignored_and_counted_wherever_they_are() {
    // In the packet, in the frame, in the beat.
    let beat = [&[8, 7][..], &block(9, b"new")].concat();
    let frame = [block(1, &beat), vec![0xf8, 0x01, 1]].concat();
    let packet = [block(1, &frame), block(15, b"new")].concat();
    let decoded = decode_up(Bytes::from(packet)).unwrap();
    let flags = Flags::default();
    let beat = Beat { seq: 7, flags, free: 0, quiet: false, rtt_micros: 0 };
    assert_eq!(decoded.frames, [UpFrame::Beat(beat)]);
    assert_eq!((decoded.unknown_frames, decoded.unknown_fields), (0, 3));
}

#[test]
fn a_frame_that_says_two_things_is_refused() {
    let both = block(1, &[block(13, &[]), block(11, &[])].concat());
    assert_eq!(decode_up(Bytes::from(both)).unwrap_err(), DecodeError::SeveralKinds { kinds: 2 });
}

#[test]
fn bytes_that_are_not_protobuf_are_refused_with_the_place() {
    let say = |bytes: &[u8]| decode_up(Bytes::copy_from_slice(bytes)).unwrap_err().to_string();
    assert_eq!(say(&[0x0a, 5, 1]), "not a packet of this schema: the bytes end inside a field");
    assert_eq!(say(&[0x0b]), "not a packet of this schema: field 1 has wire type 3");
    assert_eq!(say(&[0x08, 1]), "not a packet of this schema: Packet.frames is of another type");
    assert_eq!(say(&[0x02, 0]), "not a packet of this schema: 0 is no field number");
    assert_eq!(say(&[0xff; 10]), "not a packet of this schema: a number above 64 bits");
    // An unknown number of 64 bits is one; the same with one bit more is not.
    let unknown = |last: u8| [&[0x10][..], &[0xff; 9], &[last]].concat();
    assert_eq!(say(&unknown(1)), "a packet has at least one frame, this one has none");
    assert_eq!(say(&unknown(2)), "not a packet of this schema: a number above 64 bits");
    // Beat.seq as a text.
    let beat = block(1, &block(1, &block(1, b"1")));
    assert_eq!(say(&beat), "not a packet of this schema: Beat.seq is of another type");
}
