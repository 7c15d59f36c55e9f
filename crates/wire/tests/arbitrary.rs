//! Whatever is said is understood; whatever arrives is judged without a panic.

mod support;

use bytes::Bytes;
use moorline_node::{DownFrame, Packet, UpFrame};
use moorline_wire::{decode_down, decode_up, encode_down, encode_up, limits};
use proptest::prelude::*;
use support::{down, down_packet, lane_of_down, lane_of_up, up, up_packet};

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
    fn damaged_packets_are_judged_without_a_panic(
        packet in up_packet(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = encode_up(&packet).to_vec();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let bytes = Bytes::from(bytes);
        // What is understood can be said again.
        if let Ok(decoded) = decode_up(bytes.clone())
            && !decoded.frames.is_empty()
        {
            let packet = Packet { lane: decoded.lane, frames: decoded.frames };
            prop_assert_eq!(&decode_up(encode_up(&packet)).unwrap().frames, &packet.frames);
        }
        let _ = decode_down(bytes);
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
