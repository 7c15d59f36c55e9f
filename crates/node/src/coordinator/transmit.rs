//! Packets for workers: what is due, joined with names and bodies, many frames in one.

use moorline_link::{ConnId, CoordinatorFrame, HubTransmit, Instant, Lane, Reason};

use super::elsewhere::{Around, LIST_MAX};
use super::{CoordinatorAction, CoordinatorNode};
use crate::frame::PACKET_MAX;
use crate::parts::{Rest, Room};
use crate::{DownFrame, Message, Packet, ToWorker};

/// A packet of lane C is full when it has less than this left: every frame of that lane fits.
const C_RESERVE: usize = (4 << 10) + LIST_MAX;
/// What a lane-B message needs in a packet beside its body.
const HEAD_MAX: usize = 96 + crate::Name::MAX;

impl CoordinatorNode {
    /// The next packet for a connection, asked only while it is writable.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant, conn: ConnId) -> Option<Packet<DownFrame>> {
        self.now = now;
        let packet = self.small_packet(conn).or_else(|| self.large_packet(conn));
        if packet.is_some()
            && self.conns.get(&conn).is_some_and(|c| c.writable && c.outgoing.is_some())
        {
            let flush = CoordinatorAction::Flush { conn };
            if !self.out.contains(&flush) {
                self.out.push_back(flush);
            }
        }
        self.pump();
        packet
    }

    fn small_packet(&mut self, conn: ConnId) -> Option<Packet<DownFrame>> {
        let mut frames = Vec::new();
        let mut room = Room::new();
        let mut put = |frame: DownFrame, room: &mut Room| {
            room.take(frame.size_bound());
            frames.push(frame);
        };
        if let Some(redirect) = self.redirect_due(conn) {
            put(redirect, &mut room);
        }
        while room.fits(C_RESERVE)
            && let Some(transmit) = self.hub.poll_transmit(self.now, conn, Lane::C)
        {
            let around = match &transmit {
                HubTransmit::Frame(frame) => self.around(conn, frame),
                HubTransmit::Message { .. } => Around::default(),
            };
            if let Some(before) = around.before {
                put(before, &mut room);
            }
            put(self.join(conn, transmit), &mut room);
            if let Some(after) = around.after {
                put(after, &mut room);
            }
        }
        (!frames.is_empty()).then_some(Packet { lane: Lane::C, frames })
    }

    fn large_packet(&mut self, conn: ConnId) -> Option<Packet<DownFrame>> {
        let mut frames = Vec::new();
        let mut room = Room::new();
        loop {
            let state = self.conns.get_mut(&conn)?;
            if let Some(part) = Rest::part(&mut state.outgoing, &room) {
                let frame = DownFrame::Part(part);
                room.take(frame.size_bound());
                frames.push(frame);
            }
            if self.conns.get(&conn)?.outgoing.is_some() || !room.fits(HEAD_MAX) {
                break;
            }
            let Some(transmit) = self.hub.poll_transmit(self.now, conn, Lane::B) else { break };
            let mut frame = self.join(conn, transmit);
            if let DownFrame::Message(message) = &mut frame {
                self.begin_body(conn, message, &room);
            }
            room.take(frame.size_bound());
            frames.push(frame);
        }
        (!frames.is_empty()).then_some(Packet { lane: Lane::B, frames })
    }

    fn begin_body(&mut self, conn: ConnId, message: &mut Message<ToWorker>, room: &Room) {
        let body = std::mem::take(&mut message.body);
        let (first, rest) = Rest::begin(message.seq, body, HEAD_MAX, room);
        message.body = first;
        if let Some(state) = self.conns.get_mut(&conn) {
            state.outgoing = rest;
        }
    }

    fn join(&mut self, conn: ConnId, transmit: HubTransmit) -> DownFrame {
        match transmit {
            HubTransmit::Message { worker, head, tag } => {
                let Some(message) = self.outbox.get(worker, tag).cloned() else {
                    debug_assert!(false, "the hub transmits only what is held here");
                    return DownFrame::Probe;
                };
                if let ToWorker::Assign { key, .. } = message.head {
                    self.handed_over(worker, key);
                }
                let body_len = u32::try_from(message.body.len()).unwrap_or(u32::MAX);
                DownFrame::Message(Message {
                    seq: head.seq,
                    head: message.head,
                    body_len,
                    body: message.body,
                })
            }
            HubTransmit::Frame(frame) => self.join_frame(conn, frame),
        }
    }

    fn join_frame(&mut self, conn: ConnId, frame: CoordinatorFrame) -> DownFrame {
        match frame {
            CoordinatorFrame::Welcome(head) => {
                DownFrame::Welcome { head, software: self.software.clone() }
            }
            CoordinatorFrame::Refused(dismissal) => {
                let own = self.conns.get_mut(&conn).and_then(|state| state.hint.take());
                let hint = own.unwrap_or_else(|| hint(dismissal.reason));
                DownFrame::Refused { dismissal, hint }
            }
            CoordinatorFrame::InventoryAnswer { index } => {
                let answers = self.conns.get(&conn).map(|state| &state.answers);
                let answer = answers.and_then(|a| a.get(usize::try_from(index).ok()?)).copied();
                match answer {
                    Some((index, key, judgement)) => {
                        DownFrame::InventoryAnswer { index, key, judgement }
                    }
                    None => {
                        debug_assert!(false, "the hub transmits only answers that are ready");
                        DownFrame::Probe
                    }
                }
            }
            CoordinatorFrame::Active => DownFrame::Active,
            CoordinatorFrame::Probe => DownFrame::Probe,
            CoordinatorFrame::BeatAnswer(answer) => DownFrame::BeatAnswer(answer),
            CoordinatorFrame::Ack(ack) => DownFrame::Ack(ack),
            CoordinatorFrame::GoAway(dismissal) => {
                DownFrame::GoAway { dismissal, hint: hint(dismissal.reason) }
            }
            CoordinatorFrame::Message(head) => {
                debug_assert!(false, "messages come with their tag: {head:?}");
                DownFrame::Probe
            }
        }
    }
}

fn hint(reason: Reason) -> String {
    reason.remedy().to_owned()
}

const _: () = assert!(C_RESERVE < PACKET_MAX && HEAD_MAX < C_RESERVE);
