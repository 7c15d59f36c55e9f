//! Packets and connections between the processes.

use bytes::Bytes;
use moorline_link::{Lane, Reason};
use moorline_node::PACKET_MAX;

use super::{Event, Planned, World};
use crate::decide::{Decide, Site};
use crate::network::End;
use crate::plan::{Dialled, Manner, Side, Told, Who, good_path};
use crate::trace::{What, fingerprint};
use crate::{Rule, Sabotage};

impl World {
    /// The latency of the next thing that travels this way.
    fn latency(&mut self, conn: usize, from: Side) -> u64 {
        let pipe = self.network.conn_mut(conn).pipe_mut(from);
        pipe.packets += 1;
        let k = pipe.packets;
        let entity = self.network.conn(conn).key << 1 | u64::from(from == Side::Worker);
        let worker = &self.plan.workers[self.network.conn(conn).worker];
        let law = if from == Side::Worker { worker.up } else { worker.down };
        let latency = law.of(&self.draws, entity, k) + worker.distance;
        // A path that is too slow for the heartbeats is a fault, and heals as all others do.
        if self.now < self.plan.quiet_at {
            latency
        } else {
            latency.min(good_path(self.plan.settings.beat))
        }
    }

    /// A worker dials: the first packet is under way.
    pub(super) fn dial(&mut self, conn: usize) {
        self.dials += 1;
        let delay = self.latency(conn, Side::Worker);
        self.after(delay, Event::Knock { conn });
    }

    /// A dial reaches the coordinator's machine, which answers even while the process is frozen.
    pub(super) fn knock(&mut self, conn: usize) {
        let back = self.latency(conn, Side::Coordinator);
        let worker = self.network.conn(conn).worker;
        let (until, outcome) = self.workers[worker].dials;
        let fails = self.now < until;
        if fails && outcome == Dialled::Hangs {
            // Nobody answers; the worker gives up by itself.
            self.network.close(conn, Side::Coordinator);
            return;
        }
        if fails || !self.is_up(Who::Coordinator) {
            self.network.close(conn, Side::Coordinator);
            self.after(back, Event::DialFailed { conn, reason: Reason::ConnectRefused });
            return;
        }
        if self.spoil_dial(conn, back) {
            return;
        }
        self.network.conn_mut(conn).pipe_mut(Side::Worker).last = [self.now; 2];
        self.after(0, Event::Accepted { conn });
        self.after(back, Event::Opened { conn });
    }

    /// Whether this side's packets are taken.
    pub(super) fn is_writable(&self, conn: usize, from: Side) -> bool {
        let state = self.network.conn(conn);
        state.end(from) == End::Open && state.pipe(from).unread < self.plan.settings.buffer
    }

    /// Who has this end of a connection.
    pub(super) fn at_end(&self, conn: usize, side: Side) -> Who {
        match side {
            Side::Worker => Who::Worker(self.network.conn(conn).worker),
            Side::Coordinator => Who::Coordinator,
        }
    }

    /// A packet is on its way; `cause` is the number of its record.
    pub(super) fn send(&mut self, conn: usize, from: Side, lane: Lane, packet: Bytes, cause: u32) {
        if packet.len() > PACKET_MAX {
            let words = format!("{from:?} writes a packet of {} bytes", packet.len());
            self.break_promise(Rule::Wire, words);
        }
        self.packets += 1;
        let at = self.now + self.latency(conn, from);
        let at = self.network.conn_mut(conn).pipe_mut(from).send(lane, packet, at);
        self.at_because(at, Event::Deliver { conn, to: from.other(), lane }, cause);
    }

    /// Until when nothing passes to this side; a notice does not overtake what was written before it.
    pub(super) fn is_held_up(&self, conn: usize, to: Side) -> Option<u64> {
        let conn = self.network.conn(conn);
        let until = conn.pipe(to.other()).jammed;
        (!conn.cut && self.now <= until).then_some(until)
    }

    /// An event of a life that is over: what it would have taken off a connection goes.
    pub(super) fn forget(&mut self, event: &Event) {
        if let Event::Deliver { conn, to, lane } = *event {
            self.network.conn_mut(conn).pipe_mut(to.other()).arrive(lane);
        }
    }

    pub(super) fn deliver(&mut self, conn: usize, to: Side, lane: Lane) {
        let state = self.network.conn_mut(conn);
        let Some(packet) = state.pipe_mut(to.other()).arrive(lane) else { return };
        let lost = state.cut || state.end(to) != End::Open;
        let (number, len) = (fingerprint(&packet), packet.len());
        let who = self.at_end(conn, to);
        if lost {
            self.note(What::Loses.by(who).on(conn).value(number), || {
                format!("{len} bytes to {who} on c{conn} {lane:?} are lost")
            });
            return;
        }
        let shrinks = usize::from(self.is_sabotaged(Sabotage::PacketsShrink));
        let packet = packet.slice(..len.saturating_sub(shrinks));
        self.note(What::Gets.by(who).on(conn).value(number), || {
            format!("{who} gets {len} bytes on c{conn} {lane:?}")
        });
        match to {
            Side::Worker => self.packet_for_worker(conn, packet),
            Side::Coordinator => self.packet_for_coordinator(conn, packet),
        }
        self.read(conn, to.other(), len);
    }

    /// The receiver has read so much: the sender may write again.
    fn read(&mut self, conn: usize, from: Side, len: usize) {
        let buffer = self.plan.settings.buffer;
        let pipe = self.network.conn_mut(conn).pipe_mut(from);
        pipe.unread = pipe.unread.saturating_sub(len);
        if pipe.blocked && pipe.unread < buffer {
            pipe.blocked = false;
            self.writable_again(conn, from);
        }
    }

    /// A process is told that a connection ended.
    pub(super) fn notice(&mut self, conn: usize, to: Side, reason: Reason) {
        match self.network.conn(conn).end(to) {
            End::Closed => return,
            // It learns that it was ever open at the same time.
            End::Waiting => {
                let life = self.life(self.at_end(conn, to));
                let later = self.now + self.plan.slowest() + 1;
                let event = Event::Notice { conn, to, reason };
                self.queue.push(later, Planned { life, cause: self.cause, event });
                return;
            }
            End::Open => {}
        }
        self.network.close(conn, to);
        let who = self.at_end(conn, to);
        self.note(What::Notices.by(who).on(conn).value(reason.code().into()), || {
            format!("{who} is told that c{conn} ended: {reason}")
        });
        match to {
            Side::Worker => self.closed_for_worker(conn, reason),
            Side::Coordinator => self.closed_for_coordinator(conn, reason),
        }
    }

    /// A process closes its end, after what it wrote has left.
    pub(super) fn close(&mut self, conn: usize, by: Side, reason: Reason) {
        let who = self.at_end(conn, by);
        self.note(What::Closes.by(who).on(conn).value(reason.code().into()), || {
            format!("{who} closes c{conn}: {reason}")
        });
        let was = self.network.conn(conn).end(by);
        if was == End::Closed {
            return;
        }
        self.network.close(conn, by);
        let state = self.network.conn(conn);
        match state.end(by.other()) {
            End::Closed => return,
            // A dial that was given up before it was taken.
            End::Waiting if was == End::Waiting => {
                self.network.close(conn, by.other());
                return;
            }
            End::Waiting | End::Open => {}
        }
        if state.cut {
            return;
        }
        let last = state.pipe(by).last.into_iter().max().unwrap_or(0);
        let at = last.max(self.now + self.latency(conn, by));
        self.at(at, Event::Notice { conn, to: by.other(), reason: Reason::ClosedByPeer });
    }

    /// A connection is dead, with everything that is under way on it.
    pub(super) fn cut(&mut self, conn: usize, told: Told) {
        let who = self.at_end(conn, Side::Worker);
        self.note(What::Cut.by(who).on(conn), || format!("c{conn} is cut; told: {told:?}"));
        self.network.conn_mut(conn).cut = true;
        let sides: &[Side] = match told {
            Told::Both => &[Side::Worker, Side::Coordinator],
            Told::Only(Side::Worker) => &[Side::Worker],
            Told::Only(Side::Coordinator) => &[Side::Coordinator],
            Told::Nobody => &[],
        };
        for side in sides {
            let delay = self.latency(conn, side.other());
            let reason = Reason::TransportReset;
            self.after(delay, Event::Notice { conn, to: *side, reason });
        }
    }

    /// The process at this end is gone.
    pub(super) fn abandon(&mut self, conn: usize, by: Side, manner: Manner) {
        self.network.close(conn, by);
        if self.network.conn(conn).cut {
            return;
        }
        match manner {
            Manner::Vanished => self.network.conn_mut(conn).cut = true,
            Manner::Killed | Manner::Asked => {
                // A reset overtakes what was written, or it does not.
                if self.draws.draw(Site::Reset, self.network.conn(conn).key, 0, 2) == 1 {
                    self.network.conn_mut(conn).cut = true;
                }
                let delay = self.latency(conn, by);
                let reason = Reason::TransportReset;
                self.after(delay, Event::Notice { conn, to: by.other(), reason });
            }
        }
    }
}
