//! Packets and connections between the processes.

use bytes::Bytes;
use moorline_link::{Lane, Reason};
use moorline_node::PACKET_MAX;

use super::{Event, Planned, World};
use crate::decide::{Decide, Site};
use crate::network::End;
use crate::plan::{Dialled, Ending, Manner, Side, Told, Who};
use crate::trace::{What, fingerprint};
use crate::{Rule, Sabotage};

/// Where workers are sent: to the same coordinator again, or where nobody is.
pub(super) const HERE: &str = "mem://here";
pub(super) const NOWHERE: &str = "mem://nowhere";

impl World {
    /// A worker dials: the first packet is under way.
    pub(super) fn dial(&mut self, conn: usize) {
        self.dials += 1;
        let delay = self.latency(conn, Side::Worker);
        self.after(delay, Event::Knock { conn });
    }

    /// A worker dials where nobody is.
    pub(super) fn dial_nowhere(&mut self, conn: usize) {
        self.dials += 1;
        let back = self.latency(conn, Side::Worker) + self.latency(conn, Side::Coordinator);
        self.network.close(conn, Side::Coordinator);
        self.after(back, Event::DialFailed { conn, reason: Reason::Unreachable });
    }

    /// A dial reaches the coordinator's machine, which answers even while the process is frozen.
    pub(super) fn knock(&mut self, conn: usize) {
        let back = self.latency(conn, Side::Coordinator);
        let worker = self.network.conn(conn).worker;
        let (until, outcome) = self.workers[worker].dials;
        let outcome = (self.now < until).then_some(outcome);
        if outcome == Some(Dialled::Hangs) {
            // Nobody answers; the worker gives up by itself.
            self.network.close(conn, Side::Coordinator);
            return;
        }
        if outcome == Some(Dialled::Refused) || !self.is_up(Who::Coordinator) {
            self.network.close(conn, Side::Coordinator);
            self.after(back, Event::DialFailed { conn, reason: Reason::ConnectRefused });
            return;
        }
        if self.spoil_dial(conn, back) {
            return;
        }
        self.network.conn_mut(conn).pipe_mut(Side::Worker).last = [self.now; 2];
        let late = match outcome {
            Some(Dialled::Late { by }) => self.until(by) - self.now,
            Some(Dialled::Refused | Dialled::Hangs | Dialled::Closed) | None => 0,
        };
        self.after(0, Event::Accepted { conn });
        self.after(back + late, Event::Opened { conn });
        if outcome == Some(Dialled::Closed) {
            self.end_conn(conn, Side::Coordinator, Ending::Reset);
        }
    }

    /// Whether this side's packets are taken.
    pub(super) fn is_writable(&self, conn: usize, from: Side) -> bool {
        let state = self.network.conn(conn);
        state.end(from) == End::Open && state.pipe(from).unread < self.room(conn, from)
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
        let len = packet.len();
        let (at, waits) = self.travels(conn, from, len);
        let is_peaceful = self.is_peaceful();
        let state = self.network.conn_mut(conn);
        let is_told = state.cut && std::mem::take(&mut state.answers[from.index()]);
        let pipe = state.pipe_mut(from);
        pipe.written += len as u64;
        if pipe.shut {
            return;
        }
        // It ends within this packet, of which a part is not whole.
        if let Some((most, ending)) = pipe.ends
            && pipe.written > most
            && !is_peaceful
        {
            self.end_conn(conn, from, ending);
            return;
        }
        let at = pipe.send(lane, packet, at);
        if waits {
            pipe.last = pipe.last.map(|last| last.max(at));
        }
        self.at_because(at, Event::Deliver { conn, to: from.other(), lane }, cause);
        if is_told {
            // Whoever is there now knows nothing of it.
            let delay = self.latency(conn, from) + self.latency(conn, from.other());
            let reason = Reason::TransportReset;
            self.after(delay, Event::Notice { conn, to: from, reason });
        }
    }

    /// A connection ends, for what this side sends or for both.
    pub(super) fn end_conn(&mut self, conn: usize, from: Side, ending: Ending) {
        let who = self.at_end(conn, from);
        self.note(What::Cut.by(who).on(conn), || format!("c{conn} ends: {ending:?}"));
        let reason = match ending {
            Ending::Reset => Reason::TransportReset,
            Ending::Closed | Ending::Half => Reason::ClosedByPeer,
        };
        for side in [from, from.other()] {
            let is_whole = side == from || ending != Ending::Half;
            if !is_whole || self.network.conn(conn).pipe(side).shut {
                continue;
            }
            let delay = self.latency(conn, side);
            let pipe = self.network.conn_mut(conn).pipe_mut(side);
            pipe.shut = true;
            pipe.lost = ending == Ending::Reset && side != from;
            let last = pipe.last.into_iter().max().unwrap_or(0);
            let at = last.max(self.now + delay);
            self.at(at, Event::Notice { conn, to: side.other(), reason });
        }
    }

    /// An event that will not happen: what it would have taken off a connection goes, and not what has
    /// arrived there before and waits for a process that is busy.
    pub(super) fn forget(&mut self, event: &Event) {
        if let Event::Deliver { conn, to, lane } = *event {
            let before = self.waiting(self.at_end(conn, to), event);
            self.network.conn_mut(conn).pipe_mut(to.other()).lose(lane, before);
        }
    }

    pub(super) fn deliver(&mut self, conn: usize, to: Side, lane: Lane) {
        let state = self.network.conn_mut(conn);
        let Some(packet) = state.pipe_mut(to.other()).arrive(lane) else { return };
        let is_there = match state.end(to) {
            End::Open => true,
            End::Closed => state.haunts,
            End::Waiting => false,
        };
        let lost = state.cut || state.pipe(to.other()).lost || !is_there;
        let (number, len) = (fingerprint(&packet), packet.len());
        let who = self.at_end(conn, to);
        if lost {
            self.note(What::Loses.by(who).on(conn).value(number), || {
                format!("{len} bytes to {who} on c{conn} {lane:?} are lost")
            });
            return;
        }
        let Some(packet) = self.meddle(conn, to, packet) else {
            self.note(What::Loses.by(who).on(conn).value(number), || {
                format!("{len} bytes to {who} on c{conn} {lane:?} are not what was sent")
            });
            self.cut(conn, Told::Both);
            return;
        };
        let (read, len) = (len, packet.len());
        let shrinks = usize::from(self.is_sabotaged(Sabotage::PacketsShrink));
        let packet = packet.slice(..len.saturating_sub(shrinks));
        self.note(What::Gets.by(who).on(conn).value(number), || {
            format!("{who} gets {len} bytes on c{conn} {lane:?}")
        });
        self.hand_over(conn, to, packet);
        self.read(conn, to.other(), read);
    }

    fn hand_over(&mut self, conn: usize, to: Side, packet: Bytes) {
        match to {
            Side::Worker => self.packet_for_worker(conn, packet),
            Side::Coordinator => self.packet_for_coordinator(conn, packet),
        }
    }

    /// A packet arrives again.
    pub(super) fn haunt(&mut self, conn: usize, to: Side, packet: Bytes) {
        let state = self.network.conn(conn);
        if state.cut || state.end(to) != End::Open {
            return;
        }
        let (who, len) = (self.at_end(conn, to), packet.len());
        self.note(What::Gets.by(who).on(conn).value(fingerprint(&packet)), || {
            format!("{who} gets {len} bytes on c{conn} again")
        });
        self.hand_over(conn, to, packet);
    }

    /// The receiver has read so much: the sender may write again.
    fn read(&mut self, conn: usize, from: Side, len: usize) {
        let buffer = self.room(conn, from);
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
        // It closes its end as well, when it has read that the other one did.
        let state = self.network.conn(conn);
        if !state.cut && state.pipe(to.other()).shut && !state.pipe(to).shut {
            self.end_conn(conn, to, Ending::Half);
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
