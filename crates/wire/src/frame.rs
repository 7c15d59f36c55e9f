//! One frame of a packet: which kind it is, and how the bytes of each kind are read and written.

use bytes::Bytes;
use moorline_link::Lane;
use prost::Message as _;

use crate::DecodeError;
use crate::generated::{shapes, worker as pb};
use crate::hot::Hot;
use crate::reader::Reader;
use crate::shape::{self, BLOCK, Key, Value, malformed};
use crate::sink::{self, Sink as _};

/// The field of a packet that holds frames.
pub(crate) const FRAMES: u64 = 1;

/// The fields of `Frame`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Beat = 1,
    BeatAnswer = 2,
    Ack = 3,
    LaneC = 4,
    LaneB = 5,
    Part = 6,
    Hello = 7,
    Welcome = 8,
    Refused = 9,
    InventoryItem = 10,
    InventoryEnd = 11,
    InventoryAnswer = 12,
    Active = 13,
    Probe = 14,
    GoAway = 15,
    Goodbye = 16,
    Statistics = 20,
    Endpoints = 25,
    Redirect = 26,
}

impl Kind {
    const fn of(number: u64) -> Option<Self> {
        Some(match number {
            1 => Self::Beat,
            2 => Self::BeatAnswer,
            3 => Self::Ack,
            4 => Self::LaneC,
            5 => Self::LaneB,
            6 => Self::Part,
            7 => Self::Hello,
            8 => Self::Welcome,
            9 => Self::Refused,
            10 => Self::InventoryItem,
            11 => Self::InventoryEnd,
            12 => Self::InventoryAnswer,
            13 => Self::Active,
            14 => Self::Probe,
            15 => Self::GoAway,
            16 => Self::Goodbye,
            20 => Self::Statistics,
            25 => Self::Endpoints,
            26 => Self::Redirect,
            _ => return None,
        })
    }

    /// The lane of the packets this kind rides in.
    pub(crate) const fn lane(self) -> Lane {
        match self {
            Self::LaneB | Self::Part => Lane::B,
            Self::Beat
            | Self::BeatAnswer
            | Self::Ack
            | Self::LaneC
            | Self::Hello
            | Self::Welcome
            | Self::Refused
            | Self::InventoryItem
            | Self::InventoryEnd
            | Self::InventoryAnswer
            | Self::Active
            | Self::Probe
            | Self::GoAway
            | Self::Goodbye
            | Self::Statistics
            | Self::Endpoints
            | Self::Redirect => Lane::C,
        }
    }
}

/// A frame whose kind is known, and nothing else of it yet.
///
/// Whatever its kind, the order in which it is judged is the same: whether its bytes are protobuf and
/// in bounds, whether its numbers and texts are what the schema says, whether it belongs to the lane
/// of its packet, and only then what it means.
#[derive(Debug)]
pub(crate) struct Said<'a> {
    pub(crate) kind: Kind,
    pub(crate) packet: &'a Bytes,
    frame: &'a [u8],
    /// The bytes of the kind.
    block: &'a [u8],
    /// Fields in it that the schema does not know, as far as it was read.
    pub(crate) unknown: u32,
    /// The frames before it are of the other lane.
    mixed: bool,
}

impl<'a> Said<'a> {
    /// A frame of this packet; `None` if nothing that it says is known here. The first one of a packet
    /// sets its lane.
    #[inline]
    pub(crate) fn new(
        packet: &'a Bytes,
        frame: &'a [u8],
        lane: &mut Option<Lane>,
    ) -> Result<Option<Self>, DecodeError> {
        let (kind, block, unknown) = match sole(frame) {
            Some((kind, block)) => (kind, block, 0),
            None => match among_others(frame)? {
                Some(found) => found,
                None => return Ok(None),
            },
        };
        let mixed = *lane.get_or_insert(kind.lane()) != kind.lane();
        Ok(Some(Self { kind, packet, frame, block, unknown, mixed }))
    }

    /// Reads a message of the hot path.
    #[inline]
    pub(crate) fn hot(&mut self, message: &mut impl Hot<'a>) -> Result<(), DecodeError> {
        let mut reader = Reader::new(self.block);
        reader.read(message)?;
        self.unknown += reader.unknown;
        if reader.unfit {
            return Err(self.unfit());
        }
        self.unmixed()
    }

    /// Any other message.
    pub(crate) fn rare<M: prost::Message + Default>(&mut self) -> Result<M, DecodeError> {
        self.walk()?;
        let message = M::decode(self.block).map_err(|_| self.unfit())?;
        self.unmixed()?;
        Ok(message)
    }

    /// A message that only the other side may send.
    #[cold]
    pub(crate) fn other_way<F>(&mut self, what: &'static str) -> Result<F, DecodeError> {
        self.walk()?;
        pb::Frame::decode(self.frame).map_err(|_| self.unfit())?;
        self.unmixed()?;
        Err(DecodeError::WrongDirection { what })
    }

    /// Checks the bounds of everything in it, before anything is allocated for it.
    fn walk(&mut self) -> Result<(), DecodeError> {
        self.unknown = shapes::FRAME.walk(self.frame)?.unknown;
        Ok(())
    }

    /// What is wrong with a field whose type is not the schema's, and where, in the words of the
    /// generated code.
    #[cold]
    fn unfit(&self) -> DecodeError {
        match pb::Frame::decode(self.frame) {
            Err(error) => malformed(format_args!("{error}")),
            Ok(_) => malformed(format_args!("a field is of another type")),
        }
    }

    fn unmixed(&self) -> Result<(), DecodeError> {
        if self.mixed { Err(DecodeError::MixedLanes) } else { Ok(()) }
    }
}

/// A kind, its bytes, and how many unknown fields are beside it.
type Found<'a> = (Kind, &'a [u8], u32);

/// What a frame says that holds one known field and nothing else, as nearly all do.
#[inline]
fn sole(mut frame: &[u8]) -> Option<(Kind, &[u8])> {
    let (number, BLOCK) = Key::take(&mut frame).ok()?.parts() else { return None };
    let kind = Kind::of(number)?;
    let block = shape::block(&mut frame).ok()?;
    frame.is_empty().then_some((kind, block))
}

/// The same for any other frame, which is judged as a whole first; with the number of unknown fields
/// beside it.
#[cold]
fn among_others(mut frame: &[u8]) -> Result<Option<Found<'_>>, DecodeError> {
    match shapes::FRAME.walk(frame)?.known {
        0 => return Ok(None),
        1 => {}
        kinds => return Err(DecodeError::SeveralKinds { kinds }),
    }
    let (mut found, mut unknown) = (None, 0);
    while let Some((number, value)) = shape::next(&mut frame)? {
        match (Kind::of(number.into()), value) {
            (Some(kind), Value::Block(block)) => found = Some((kind, block)),
            (Some(_) | None, _) => unknown += 1,
        }
    }
    Ok(found.map(|(kind, block)| (kind, block, unknown)))
}

/// Writes a frame with a message of the hot path.
#[inline]
pub(crate) fn write<'a>(packet: &mut Vec<u8>, kind: Kind, message: &impl Hot<'a>) {
    open(packet, kind, sink::length(message));
    message.write(packet);
}

/// Writes a frame with any other message.
pub(crate) fn write_rare(packet: &mut Vec<u8>, kind: Kind, message: &impl prost::Message) {
    open(packet, kind, message.encoded_len());
    // A `Vec` grows as needed, so there is no error to have.
    let _ = message.encode(packet);
}

/// What comes before the bytes of a kind.
#[inline]
fn open(packet: &mut Vec<u8>, kind: Kind, len: usize) {
    let number = kind as u32;
    packet.open(FRAMES as u32, sink::block_len(number, len));
    packet.open(number, len);
}

#[cfg(test)]
mod tests;
