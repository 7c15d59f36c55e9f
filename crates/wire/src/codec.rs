//! Packets to bytes and back.

use bytes::Bytes;
use moorline_link::Lane;
use moorline_node::{DownFrame, Packet, UpFrame};

use crate::frame::{FRAMES, Said};
use crate::shape::{self, BLOCK, Key, malformed};
use crate::{DecodeError, down, limits, up};

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
    let mut bytes = Vec::with_capacity(room);
    for frame in &packet.frames {
        up::write(&mut bytes, frame);
    }
    bytes.into()
}

/// A coordinator's packet as bytes; see [`encode_up`].
#[must_use]
pub fn encode_down(packet: &Packet<DownFrame>) -> Bytes {
    let room = packet.frames.iter().map(DownFrame::size_bound).sum();
    let mut bytes = Vec::with_capacity(room);
    for frame in &packet.frames {
        down::write(&mut bytes, frame);
    }
    bytes.into()
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

fn decode<F>(
    packet: &Bytes,
    read: impl Fn(&mut Said<'_>) -> Result<F, DecodeError>,
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
    while !rest.is_empty() {
        let key = Key::take(&mut rest)?;
        let (FRAMES, BLOCK) = key.parts() else {
            let (number, _) = shape::value(key, &mut rest)?;
            if u64::from(number) == FRAMES {
                return Err(malformed(format_args!("Packet.frames is of another type")));
            }
            decoded.unknown_fields += 1;
            continue;
        };
        let frame = shape::block(&mut rest)?;
        count += 1;
        if count > limits::FRAMES {
            return Err(DecodeError::TooManyFrames { max: limits::FRAMES });
        }
        match Said::new(packet, frame, &mut lane)? {
            Some(mut said) => {
                if rest.is_empty() {
                    // Most packets have one frame: no room for more of them.
                    decoded.frames.reserve_exact(1);
                }
                decoded.frames.push(read(&mut said)?);
                decoded.unknown_fields += said.unknown;
            }
            None => decoded.unknown_frames += 1,
        }
    }
    if count == 0 {
        return Err(DecodeError::Empty);
    }
    decoded.lane = lane.unwrap_or(Lane::C);
    Ok(decoded)
}

#[cfg(test)]
mod alike;
#[cfg(any(test, fuzzing))]
pub(crate) mod reference;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod twisted;
