//! Bodies that do not fit a packet: cut into parts on one side, put together on the other.
//!
//! Both nodes use this. Both halves live with a connection and die with it: on the next one the
//! lane sends the message again from its first byte.

use bytes::{Buf, Bytes, BytesMut};
use moorline_link::{Lane, Seq};

use crate::frame::{BODY_MAX, MESSAGE_COST, Message, PACKET_MAX, Part};

/// Least room worth cutting a body for, in bytes: below it a body waits for the next packet.
const WORTH_CUTTING: usize = 1 << 10;

/// What one packet has left.
#[derive(Debug)]
pub(crate) struct Room(usize);

impl Room {
    /// An empty packet. Some bytes stay free for the packet's own framing.
    pub(crate) fn new() -> Self {
        Self(PACKET_MAX - 16)
    }

    /// Accounts for a frame of at most this size.
    pub(crate) fn take(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(bytes);
    }

    /// Whether a frame of this size fits.
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        bytes <= self.0
    }
}

/// The sending half: the rest of a body that was begun on a connection.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Rest {
    seq: Seq,
    offset: u32,
    bytes: Bytes,
}

impl Rest {
    /// Begins a body: as much of it as fits beside a frame of `overhead` bytes, and what is left.
    pub(crate) fn begin(
        seq: Seq,
        mut body: Bytes,
        overhead: usize,
        room: &Room,
    ) -> (Bytes, Option<Self>) {
        let fits = room.0.saturating_sub(overhead);
        if body.len() <= fits {
            return (body, None);
        }
        let first = body.split_to(if fits < WORTH_CUTTING { 0 } else { fits });
        let offset = u32::try_from(first.len()).unwrap_or(u32::MAX);
        (first, Some(Self { seq, offset, bytes: body }))
    }

    /// The next part that fits, if a useful one does. The rest is gone when its last byte is.
    pub(crate) fn part(rest: &mut Option<Self>, room: &Room) -> Option<Part> {
        const PART_OVERHEAD: usize = 32;
        let this = rest.as_mut()?;
        let fits = room.0.saturating_sub(PART_OVERHEAD).min(this.bytes.len());
        if fits < WORTH_CUTTING.min(this.bytes.len()) {
            return None;
        }
        let part = Part { seq: this.seq, offset: this.offset, bytes: this.bytes.split_to(fits) };
        this.offset = this.offset.saturating_add(u32::try_from(fits).unwrap_or(u32::MAX));
        if !this.bytes.has_remaining() {
            *rest = None;
        }
        Some(part)
    }
}

/// The receiving half: a message whose body is not whole yet. It grows with what arrives, never
/// with what was announced.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Assembly<M> {
    begun: Option<Begun<M>>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Begun<M> {
    seq: Seq,
    head: M,
    body_len: u32,
    body: BytesMut,
}

/// A message whose body is whole.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Whole<M> {
    pub(crate) seq: Seq,
    pub(crate) head: M,
    pub(crate) body: Bytes,
}

impl<M> Whole<M> {
    /// What the message counts for in credit and limits.
    pub(crate) fn cost(&self) -> u32 {
        u32::try_from(self.body.len()).unwrap_or(u32::MAX).saturating_add(MESSAGE_COST)
    }
}

/// The peer's parts do not make a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BadPart;

impl<M> Assembly<M> {
    pub(crate) fn new() -> Self {
        Self { begun: None }
    }

    /// A message arrived, whole or begun.
    ///
    /// # Errors
    /// Sizes that cannot be, a body on lane C, or another lane-B message before the last one was whole.
    pub(crate) fn message(
        &mut self,
        lane: Lane,
        message: Message<M>,
    ) -> Result<Option<Whole<M>>, BadPart> {
        let Message { seq, head, body_len, body } = message;
        let here = u32::try_from(body.len()).map_err(|_| BadPart)?;
        if body_len > BODY_MAX || here > body_len || (lane == Lane::C && body_len > 0) {
            return Err(BadPart);
        }
        if lane == Lane::B && self.begun.is_some() {
            return Err(BadPart);
        }
        if here == body_len {
            return Ok(Some(Whole { seq, head, body }));
        }
        self.begun = Some(Begun { seq, head, body_len, body: BytesMut::from(&body[..]) });
        Ok(None)
    }

    /// A part arrived.
    ///
    /// # Errors
    /// It does not continue the message that was begun.
    pub(crate) fn part(&mut self, part: &Part) -> Result<Option<Whole<M>>, BadPart> {
        let begun = self.begun.as_mut().ok_or(BadPart)?;
        let have = u32::try_from(begun.body.len()).map_err(|_| BadPart)?;
        let more = u32::try_from(part.bytes.len()).map_err(|_| BadPart)?;
        let fits = more > 0 && more <= begun.body_len - have;
        if part.seq != begun.seq || part.offset != have || !fits {
            return Err(BadPart);
        }
        begun.body.extend_from_slice(&part.bytes);
        if have + more < begun.body_len {
            return Ok(None);
        }
        Ok(self.begun.take().map(|b| Whole { seq: b.seq, head: b.head, body: b.body.freeze() }))
    }
}

#[cfg(test)]
mod tests;
