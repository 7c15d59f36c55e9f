//! What arrives of a lane, for a fuzz target.

use std::collections::VecDeque;

use bytes::Bytes;
use moorline_transport::PACKET_MAX;

use crate::lane::{Packets, TooLong, wrap};
use crate::settings::LENGTH;

/// Reads any bytes as those of a lane, behind its name: all at once, and in pieces of as many bytes as the
/// first one says. Both find the same packets, which are written as they were read; nothing is kept of one
/// that is too long, and room for no more than one.
pub fn quic_lane(bytes: &[u8]) {
    let Some((piece, lane)) = bytes.split_first() else { return };
    let whole = read(lane, lane.len());
    assert_eq!(read(lane, 1 + usize::from(*piece)), whole, "it matters how it arrives");
    let (packets, end) = whole;
    let mut queue = VecDeque::new();
    let said: usize = packets.into_iter().map(|packet| wrap(packet, &mut queue)).sum();
    let written: Vec<u8> = queue.into_iter().flatten().collect();
    assert_eq!(written.len(), said);
    let rest = lane.strip_prefix(&*written).expect("it is written as it was read");
    let length = rest.first_chunk::<LENGTH>().map(|length| u32::from_be_bytes(*length));
    let length = length.map(|length| usize::try_from(length).expect("it fits"));
    match end {
        End::TooLong => assert!(length > Some(PACKET_MAX), "{length:?} is not too long"),
        End::Between => assert!(rest.is_empty(), "{} bytes are none", rest.len()),
        End::Inside => {
            assert!(!rest.is_empty(), "it is between two packets");
            assert!(length <= Some(PACKET_MAX), "{length:?} is too long");
            assert!(length.is_none_or(|length| rest.len() < LENGTH + length), "a packet is left");
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Between,
    Inside,
    TooLong,
}

fn read(lane: &[u8], piece: usize) -> (Vec<Bytes>, End) {
    let mut found = Vec::new();
    let mut packets = Packets::default();
    for piece in lane.chunks(piece.max(1)) {
        packets.arrived(Bytes::copy_from_slice(piece));
        loop {
            match packets.next() {
                Ok(Some(packet)) => found.push(packet),
                Ok(None) => break,
                Err(TooLong) => {
                    assert_eq!(packets.kept(), 0, "nothing of it is kept");
                    return (found, End::TooLong);
                }
            }
        }
        assert!(packets.kept() <= PACKET_MAX, "room for {} bytes", packets.kept());
    }
    (found, if packets.is_between() { End::Between } else { End::Inside })
}
