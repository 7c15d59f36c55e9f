//! Packets for the coordinator: what is due, joined with bodies, many frames in one.

use moorline_link::{
    ConnId, Instant, Lane, LinkInput, LinkTransmit, MessageHead, Tag, WorkerFrame,
};

use super::{Freed, WorkerNode};
use crate::parts::{Rest, Room};
use crate::{About, Message, Packet, UpFrame};

/// What any frame but a Hello or one with a body needs at most in a packet.
const FRAME_MAX: usize = 96;

impl WorkerNode {
    /// The next packet for a connection, to be asked only while that takes packets: what is handed
    /// out counts as written at `now`. Small frames go first, so a beat never waits behind a body.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant, conn: ConnId) -> Option<Packet<UpFrame>> {
        self.give_credit_back(now);
        let packet = self.small_packet(now, conn).or_else(|| self.large_packet(now, conn));
        if packet.is_some() {
            // A goodbye that was written ends the link, a beat arms timers.
            self.pump(now);
        }
        packet
    }

    /// Whether this connection has packets to write.
    #[must_use]
    pub fn wants_transmit(&self, conn: ConnId) -> bool {
        let wire = self.wire.as_ref().filter(|wire| wire.conn == conn);
        // A part of a body, or the acknowledgement that gives credit back.
        wire.is_some_and(|wire| wire.outgoing.is_some() || self.freed.messages > 0)
            || self.link.wants_transmit(conn)
    }

    fn give_credit_back(&mut self, now: Instant) {
        let Freed { messages, bytes } = core::mem::take(&mut self.freed);
        if messages > 0 {
            self.link.handle(now, LinkInput::Release { lane: Lane::B, messages, bytes });
        }
    }

    fn small_packet(&mut self, now: Instant, conn: ConnId) -> Option<Packet<UpFrame>> {
        let mut frames = Vec::new();
        let mut room = Room::new();
        while room.fits(FRAME_MAX)
            && let Some(transmit) = self.link.poll_transmit(now, conn, Lane::C)
        {
            let frame = match transmit {
                LinkTransmit::Frame(frame) => self.join(conn, frame),
                LinkTransmit::Message { head, tag } => {
                    self.message(head, tag).map(UpFrame::Message)
                }
            };
            let Some(frame) = frame else { continue };
            // Nothing but a Hello is longer, and that is all its connection has to say.
            debug_assert!(room.fits(frame.size_bound()));
            room.take(frame.size_bound());
            frames.push(frame);
        }
        (!frames.is_empty()).then_some(Packet { lane: Lane::C, frames })
    }

    fn large_packet(&mut self, now: Instant, conn: ConnId) -> Option<Packet<UpFrame>> {
        self.wire.as_ref().filter(|wire| wire.conn == conn)?;
        let mut frames = Vec::new();
        let mut room = Room::new();
        loop {
            let wire = self.wire.as_mut()?;
            if let Some(part) = Rest::part(&mut wire.outgoing, &room) {
                let frame = UpFrame::Part(part);
                room.take(frame.size_bound());
                frames.push(frame);
            }
            // The next body begins when this one is whole: parts name no message but the last.
            if wire.outgoing.is_some() || !room.fits(FRAME_MAX) {
                break;
            }
            let Some(transmit) = self.link.poll_transmit(now, conn, Lane::B) else { break };
            let LinkTransmit::Message { head, tag } = transmit else { break };
            let Some(mut message) = self.message(head, tag) else { break };
            let body = core::mem::take(&mut message.body);
            let (first, rest) = Rest::begin(message.seq, body, FRAME_MAX, &room);
            message.body = first;
            if let Some(wire) = self.wire.as_mut() {
                wire.outgoing = rest;
            }
            let frame = UpFrame::Message(message);
            room.take(frame.size_bound());
            frames.push(frame);
        }
        (!frames.is_empty()).then_some(Packet { lane: Lane::B, frames })
    }

    fn message(
        &self,
        head: MessageHead,
        tag: Tag,
    ) -> Option<Message<moorline_work::WorkerMessage>> {
        let outgoing = self.bodies.message(tag);
        debug_assert!(outgoing.is_some(), "the link transmits only what is held here");
        let outgoing = outgoing?;
        Some(Message {
            seq: head.seq,
            head: outgoing.message,
            body_len: u32::try_from(outgoing.body.len()).unwrap_or(u32::MAX),
            body: outgoing.body.clone(),
        })
    }

    fn join(&mut self, conn: ConnId, frame: WorkerFrame) -> Option<UpFrame> {
        Some(match frame {
            WorkerFrame::Hello(head) => {
                // Shown once: the next connection has one of its own.
                let shown = self.credential.take_if(|(of, _)| *of == conn);
                let credential = shown.map(|(_, credential)| credential);
                UpFrame::Hello { head, about: About { credential, ..self.about.clone() } }
            }
            WorkerFrame::InventoryItem { index } => {
                let item = usize::try_from(index)
                    .ok()
                    .and_then(|index| self.wire.as_ref()?.inventory.get(index));
                debug_assert!(item.is_some(), "the link asks for what the inventory has");
                let item = item?;
                UpFrame::InventoryItem { index, key: item.key, holding: item.holding }
            }
            WorkerFrame::InventoryEnd { count } => UpFrame::InventoryEnd { count },
            WorkerFrame::Active => UpFrame::Active,
            WorkerFrame::Beat(beat) => UpFrame::Beat(beat),
            WorkerFrame::Statistics(statistics) => UpFrame::Statistics(statistics),
            WorkerFrame::Ack(ack) => UpFrame::Ack(ack),
            WorkerFrame::Goodbye { reason } => UpFrame::Goodbye { reason },
            WorkerFrame::Message(head) => {
                debug_assert!(false, "messages come with their tag: {head:?}");
                return None;
            }
        })
    }
}
