//! Packets to bytes and back.

use bytes::{BufMut, Bytes, BytesMut};
use moorline_link::Lane;
use moorline_node::{DownFrame, Packet, UpFrame};
use prost::Message as _;

use crate::generated::shapes;
use crate::generated::worker as pb;
use crate::shape::{self, Value, malformed};
use crate::{DecodeError, down, limits, up};

/// The key of `Packet.frames`: field 1, a block.
const FRAMES_KEY: u8 = 1 << 3 | 2;

/// A packet that was decoded.
///
/// ```
/// use bytes::Bytes;
/// use moorline_node::UpFrame;
/// use moorline_wire::Decoded;
///
/// fn frames(packet: Bytes) -> Vec<UpFrame> {
///     match moorline_wire::decode_up(packet) {
///         Ok(Decoded { frames, .. }) => frames,
///         Err(_) => Vec::new(),
///     }
/// }
/// # let _ = frames;
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decoded<F> {
    /// The lane it belongs to.
    pub lane: Lane,
    /// Its frames, in order. Empty if it held nothing but unknown ones.
    pub frames: Vec<F>,
    /// Frames of unknown kinds that were skipped.
    pub unknown_frames: u32,
    /// Unknown fields that were ignored.
    pub unknown_fields: u32,
}

/// A worker's packet as bytes. It must not be longer than [`limits::PACKET_MAX`]: whoever makes the packet
/// keeps the sum of its frames' `size_bound` below that.
#[must_use]
pub fn encode_up(packet: &Packet<UpFrame>) -> Bytes {
    let room = packet.frames.iter().map(UpFrame::size_bound).sum();
    encode(room, packet.frames.iter().map(up::write))
}

/// A coordinator's packet as bytes; see [`encode_up`].
#[must_use]
pub fn encode_down(packet: &Packet<DownFrame>) -> Bytes {
    let room = packet.frames.iter().map(DownFrame::size_bound).sum();
    encode(room, packet.frames.iter().map(down::write))
}

/// A worker's packet from bytes, as a coordinator receives it.
///
/// # Errors
/// [`DecodeError`] says what the peer did wrong; nothing of the packet counts then.
pub fn decode_up(bytes: Bytes) -> Result<Decoded<UpFrame>, DecodeError> {
    decode(&bytes, up::read)
}

/// A coordinator's packet from bytes, as a worker receives it.
///
/// # Errors
/// [`DecodeError`] says what the peer did wrong; nothing of the packet counts then.
pub fn decode_down(bytes: Bytes) -> Result<Decoded<DownFrame>, DecodeError> {
    decode(&bytes, down::read)
}

fn encode(room: usize, kinds: impl Iterator<Item = pb::frame::Kind>) -> Bytes {
    let mut bytes = BytesMut::with_capacity(room);
    for kind in kinds {
        let frame = pb::Frame { kind: Some(kind) };
        bytes.put_u8(FRAMES_KEY);
        // A `BytesMut` grows as needed, so there is no error to have.
        let _ = frame.encode_length_delimited(&mut bytes);
    }
    bytes.freeze()
}

fn decode<F>(
    packet: &Bytes,
    read: fn(pb::frame::Kind) -> Result<F, DecodeError>,
) -> Result<Decoded<F>, DecodeError> {
    let (len, max) = (packet.len(), limits::PACKET_MAX);
    if len > max {
        return Err(DecodeError::PacketTooLong { len, max });
    }
    let mut decoded =
        Decoded { lane: Lane::C, frames: Vec::new(), unknown_frames: 0, unknown_fields: 0 };
    let mut lane = None;
    let mut count = 0;
    let mut rest = &packet[..];
    while let Some((number, value)) = shape::next(&mut rest)? {
        let frame = match (number, value) {
            (1, Value::Block(frame)) => frame,
            (1, Value::Number) => {
                return Err(malformed(format_args!("Packet.frames is of another type")));
            }
            (_, Value::Number | Value::Block(_)) => {
                decoded.unknown_fields += 1;
                continue;
            }
        };
        count += 1;
        if count > limits::FRAMES {
            return Err(DecodeError::TooManyFrames { max: limits::FRAMES });
        }
        let seen = shapes::FRAME.walk(frame)?;
        match seen.known {
            0 => {
                decoded.unknown_frames += 1;
                continue;
            }
            1 => decoded.unknown_fields += seen.unknown,
            kinds => return Err(DecodeError::SeveralKinds { kinds }),
        }
        let frame = pb::Frame::decode(packet.slice_ref(frame))
            .map_err(|error| malformed(format_args!("{error}")))?;
        // The walk met one kind, so there is one.
        let kind = frame.kind.ok_or(DecodeError::Missing { field: "Frame.kind" })?;
        let own = lane_of(&kind);
        if *lane.get_or_insert(own) != own {
            return Err(DecodeError::MixedLanes);
        }
        decoded.frames.push(read(kind)?);
    }
    if count == 0 {
        return Err(DecodeError::Empty);
    }
    decoded.lane = lane.unwrap_or(Lane::C);
    Ok(decoded)
}

/// The lane of the packets this kind rides in.
fn lane_of(kind: &pb::frame::Kind) -> Lane {
    use pb::frame::Kind;
    match kind {
        Kind::LaneB(_) | Kind::Part(_) => Lane::B,
        Kind::Beat(_)
        | Kind::BeatAnswer(_)
        | Kind::Ack(_)
        | Kind::LaneC(_)
        | Kind::Hello(_)
        | Kind::Welcome(_)
        | Kind::Refused(_)
        | Kind::InventoryItem(_)
        | Kind::InventoryEnd(_)
        | Kind::InventoryAnswer(_)
        | Kind::Active(_)
        | Kind::Probe(_)
        | Kind::GoAway(_)
        | Kind::Statistics(_)
        | Kind::Goodbye(_) => Lane::C,
    }
}

#[cfg(test)]
mod tests;
