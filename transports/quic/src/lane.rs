//! Packets of one lane, from its stream and into it.

use std::collections::VecDeque;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures::FutureExt;
use moorline_transport::PACKET_MAX;
use quinn::{ReadError, RecvStream, SendStream, WriteError};

use crate::settings::LENGTH;

/// Packets up to so many bytes are copied behind their length; of longer ones two pieces are made.
const COPIED_MAX: usize = 1 << 10;

/// At most so much is taken out of QUIC at once: what waits there holds the peer back.
const READ_MAX: usize = 16 << 10;

/// The sending direction of a lane.
pub(crate) struct Outgoing {
    pub(crate) stream: SendStream,
    /// What QUIC has not taken yet.
    queue: VecDeque<Bytes>,
}

impl Outgoing {
    pub(crate) fn new(stream: SendStream) -> Self {
        Self { stream, queue: VecDeque::new() }
    }

    /// Takes a packet, and says how many bytes it is on the wire.
    pub(crate) fn push(&mut self, packet: Bytes) -> usize {
        wrap(packet, &mut self.queue)
    }

    /// Hands to QUIC what it takes, and counts that down. Ready when nothing is left.
    pub(crate) fn poll_hand_over(
        &mut self,
        queued: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), WriteError>> {
        while !self.queue.is_empty() {
            let pieces = self.queue.make_contiguous();
            // What is waited for is kept by the stream, not by this future.
            let written = ready!(pin!(self.stream.write_chunks(pieces)).poll_unpin(cx))?;
            *queued = queued.saturating_sub(written.bytes);
            self.queue.drain(..written.chunks);
        }
        Poll::Ready(Ok(()))
    }
}

/// Puts a packet on the queue as it is on the wire, and says how many bytes that is.
pub(crate) fn wrap(packet: Bytes, queue: &mut VecDeque<Bytes>) -> usize {
    let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
    let all = LENGTH + packet.len();
    if packet.len() <= COPIED_MAX {
        let mut copied = BytesMut::with_capacity(all);
        copied.put_u32(length);
        copied.put_slice(&packet);
        queue.push_back(copied.freeze());
    } else {
        queue.push_back(Bytes::copy_from_slice(&length.to_be_bytes()));
        queue.push_back(packet);
    }
    all
}

/// The receiving direction of a lane.
pub(crate) struct Incoming {
    stream: RecvStream,
    packets: Packets,
}

/// Why a lane has no more packets.
pub(crate) enum NoPacket {
    /// It ended between two packets.
    Ended,
    /// It broke.
    Broke(ReadError),
    /// What came is no packet.
    Rules(&'static str),
}

impl Incoming {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self { stream, packets: Packets::default() }
    }

    /// The next packet: a slice of what arrived, if it arrived in one piece.
    pub(crate) fn poll_packet(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, NoPacket>> {
        loop {
            match self.packets.next() {
                Ok(Some(packet)) => return Poll::Ready(Ok(packet)),
                Ok(None) => {}
                Err(TooLong) => return Poll::Ready(Err(NoPacket::Rules("a packet is too long"))),
            }
            let chunk = pin!(self.stream.read_chunk(READ_MAX, true)).poll_unpin(cx);
            match ready!(chunk) {
                Ok(Some(chunk)) => self.packets.arrived(chunk.bytes),
                Ok(None) if self.packets.is_between() => {
                    return Poll::Ready(Err(NoPacket::Ended));
                }
                Ok(None) => {
                    return Poll::Ready(Err(NoPacket::Rules("a lane ends inside a packet")));
                }
                Err(error) => return Poll::Ready(Err(NoPacket::Broke(error))),
            }
        }
    }
}

/// Finds packets in what arrives of a lane, in whatever pieces.
#[derive(Default)]
pub(crate) struct Packets {
    /// Arrived, and not looked at yet.
    rest: Bytes,
    reading: Reading,
}

/// What is waited for.
enum Reading {
    Length { read: [u8; LENGTH], count: usize },
    Packet { read: BytesMut, length: usize },
}

impl Default for Reading {
    fn default() -> Self {
        Self::Length { read: [0; LENGTH], count: 0 }
    }
}

/// A packet says that it is longer than [`PACKET_MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooLong;

impl Packets {
    /// More has arrived. Only when there is no next packet: what was not looked at is gone.
    pub(crate) fn arrived(&mut self, bytes: Bytes) {
        debug_assert!(self.rest.is_empty(), "{} bytes were not looked at", self.rest.len());
        self.rest = bytes;
    }

    /// The next packet, a slice of what arrived if it arrived in one piece; none until more arrives. One
    /// that is too long is refused by its length: nothing of it is kept.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, TooLong> {
        loop {
            match &mut self.reading {
                Reading::Length { read, count } => {
                    while *count < LENGTH && self.rest.has_remaining() {
                        read[*count] = self.rest.get_u8();
                        *count += 1;
                    }
                    if *count < LENGTH {
                        return Ok(None);
                    }
                    let length = usize::try_from(u32::from_be_bytes(*read));
                    let length = length.ok().filter(|length| *length <= PACKET_MAX);
                    let length = length.ok_or(TooLong)?;
                    self.reading = Reading::Packet { read: BytesMut::new(), length };
                }
                Reading::Packet { read, length } if read.is_empty() => {
                    if self.rest.len() >= *length {
                        let packet = self.rest.split_to(*length);
                        self.reading = Reading::default();
                        return Ok(Some(packet));
                    }
                    // Room for all of it only when its first byte is there.
                    if self.rest.has_remaining() {
                        read.reserve(*length);
                        read.put(self.rest.split_off(0));
                    }
                    return Ok(None);
                }
                Reading::Packet { read, length } => {
                    let missing = (*length - read.len()).min(self.rest.len());
                    read.put(self.rest.split_to(missing));
                    if read.len() < *length {
                        return Ok(None);
                    }
                    let packet = std::mem::take(read).freeze();
                    self.reading = Reading::default();
                    return Ok(Some(packet));
                }
            }
        }
    }

    /// Whether nothing of a packet has arrived.
    pub(crate) fn is_between(&self) -> bool {
        matches!(self.reading, Reading::Length { count: 0, .. }) && self.rest.is_empty()
    }

    /// Bytes of a packet that there is room for now.
    pub(crate) fn kept(&self) -> usize {
        match &self.reading {
            Reading::Length { .. } => 0,
            Reading::Packet { read, .. } => read.capacity(),
        }
    }
}
