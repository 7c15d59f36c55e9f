//! Whatever is said is understood; whatever arrives is judged without a panic.

mod support;

use bytes::Bytes;
use moorline_node::{DownFrame, Packet, UpFrame};
use moorline_wire::{decode_down, decode_up, encode_down, encode_up, limits};
use proptest::prelude::*;
use support::{down, down_packet, lane_of_down, lane_of_up, up, up_packet};

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A field with bytes in it.
fn block(number: u64, bytes: &[u8]) -> Vec<u8> {
    let mut field = Vec::new();
    varint(&mut field, number << 3 | 2);
    varint(&mut field, bytes.len() as u64);
    field.extend_from_slice(bytes);
    field
}

/// A field of any type, with fields in it or not.
fn field() -> impl Strategy<Value = Vec<u8>> {
    let number = || 1_u64..16;
    let leaf = prop_oneof![
        4 => (number(), any::<u64>(), 0..64_u32).prop_map(|(number, value, shift)| {
            let mut field = Vec::new();
            varint(&mut field, number << 3);
            varint(&mut field, value >> shift);
            field
        }),
        1 => (number(), any::<[u8; 8]>()).prop_map(|(number, bytes)| {
            let mut field = Vec::new();
            varint(&mut field, number << 3 | 1);
            field.extend_from_slice(&bytes);
            field
        }),
        1 => (number(), "[a-z]{0,10}").prop_map(|(number, text)| block(number, text.as_bytes())),
    ];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        (number(), prop::collection::vec(inner, 0..6))
            .prop_map(|(number, fields)| block(number, &fields.concat()))
    })
}

/// What another implementation might take for a packet: frames of known kinds (and one that is not),
/// with anything in them.
fn nearly_a_packet() -> impl Strategy<Value = Bytes> {
    let frame = (1_u64..18, prop::collection::vec(field(), 0..6))
        .prop_map(|(kind, fields)| block(1, &block(kind, &fields.concat())));
    prop::collection::vec(frame, 1..4).prop_map(|frames| frames.concat().into())
}

/// What is understood can be said again, and is the same then.
fn said_again(bytes: &Bytes) -> Result<(), TestCaseError> {
    if let Ok(decoded) = decode_up(bytes.clone())
        && !decoded.frames.is_empty()
    {
        let packet = Packet { lane: decoded.lane, frames: decoded.frames };
        let again = decode_up(encode_up(&packet));
        prop_assert_eq!(again.map(|again| again.frames), Ok(packet.frames));
    }
    if let Ok(decoded) = decode_down(bytes.clone())
        && !decoded.frames.is_empty()
    {
        let packet = Packet { lane: decoded.lane, frames: decoded.frames };
        let again = decode_down(encode_down(&packet));
        prop_assert_eq!(again.map(|again| again.frames), Ok(packet.frames));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_packet_of_a_worker_is_read_as_it_was_written(packet in up_packet()) {
        let bytes = encode_up(&packet);
        prop_assert!(bytes.len() <= limits::PACKET_MAX);
        let decoded = decode_up(bytes).unwrap();
        prop_assert_eq!(decoded.lane, packet.lane);
        prop_assert_eq!(decoded.frames, packet.frames);
        prop_assert_eq!((decoded.unknown_frames, decoded.unknown_fields), (0, 0));
    }

    #[test]
    fn every_packet_of_a_coordinator_is_read_as_it_was_written(packet in down_packet()) {
        let bytes = encode_down(&packet);
        prop_assert!(bytes.len() <= limits::PACKET_MAX);
        let decoded = decode_down(bytes).unwrap();
        prop_assert_eq!(decoded.lane, packet.lane);
        prop_assert_eq!(decoded.frames, packet.frames);
        prop_assert_eq!((decoded.unknown_frames, decoded.unknown_fields), (0, 0));
    }

    #[test]
    fn no_frame_is_larger_than_its_bound(up in up(), down in down()) {
        let bound = up.size_bound();
        let size = encode_up(&Packet { lane: lane_of_up(&up), frames: vec![up] }).len();
        prop_assert!(size <= bound, "{} > {}", size, bound);
        let bound = down.size_bound();
        let size = encode_down(&Packet { lane: lane_of_down(&down), frames: vec![down] }).len();
        prop_assert!(size <= bound, "{} > {}", size, bound);
    }

    #[test]
    fn arbitrary_bytes_are_judged_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let bytes = Bytes::from(bytes);
        let _ = decode_up(bytes.clone());
        let _ = decode_down(bytes);
    }

    #[test]
    fn bytes_that_are_nearly_packets_are_judged_without_a_panic(bytes in nearly_a_packet()) {
        said_again(&bytes)?;
    }

    #[test]
    fn damaged_packets_are_judged_without_a_panic(
        up in up_packet(),
        down in down_packet(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        for whole in [encode_up(&up), encode_down(&down)] {
            let mut bytes = whole.to_vec();
            for (at, byte) in &flips {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            bytes.truncate(cut.index(bytes.len()) + 1);
            said_again(&bytes.into())?;
        }
    }

    #[test]
    fn of_a_packet_that_is_cut_short_nothing_is_read_or_its_first_frames(
        up in up_packet(),
        down in down_packet(),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = encode_up(&up);
        if let Ok(read) = decode_up(bytes.slice(..cut.index(bytes.len()))) {
            prop_assert!(read.frames.len() < up.frames.len());
            prop_assert_eq!(&read.frames, &up.frames[..read.frames.len()]);
        }
        let bytes = encode_down(&down);
        if let Ok(read) = decode_down(bytes.slice(..cut.index(bytes.len()))) {
            prop_assert!(read.frames.len() < down.frames.len());
            prop_assert_eq!(&read.frames, &down.frames[..read.frames.len()]);
        }
    }

    #[test]
    fn a_frame_of_the_other_side_is_an_error(up in up(), down in down()) {
        // Some frames are the same in both directions; the rest must not pass.
        let (lane_up, lane_down) = (lane_of_up(&up), lane_of_down(&down));
        let both = matches!(up, UpFrame::Ack(_) | UpFrame::Active | UpFrame::Part(_));
        let read = decode_down(encode_up(&Packet { lane: lane_up, frames: vec![up] }));
        prop_assert_eq!(read.is_ok(), both, "{:?}", read);
        let both = matches!(down, DownFrame::Ack(_) | DownFrame::Active | DownFrame::Part(_));
        let read = decode_up(encode_down(&Packet { lane: lane_down, frames: vec![down] }));
        prop_assert_eq!(read.is_ok(), both, "{:?}", read);
    }
}
