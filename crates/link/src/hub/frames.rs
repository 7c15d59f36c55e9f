//! What workers say, frame by frame, and what may not be said where.

use super::Hub;
use super::connection::{ConnState, session_on};
use super::io::HubVerdict;
use super::member::Life;
use super::register::by_reason;
use super::ring::Deadline;
use super::session::Session;
use crate::{ConnId, Incarnation, MessageHead, Reason, Violation, WorkerFrame, WorkerId};

impl Hub {
    /// Bytes that are not a whole frame yet.
    pub(super) fn received(&mut self, conn: ConnId) {
        let Some(worker) = self.carried(conn) else { return };
        let now = self.clock.last();
        self.change(worker, |member| {
            let heard = member.session_mut().map(|session| session.heard(now));
            ((), heard.unwrap_or(Deadline::NotSooner))
        });
    }

    /// The worker that a connection carries. It is the one that was looked at last then.
    fn carried(&mut self, conn: ConnId) -> Option<WorkerId> {
        let connection = self.conns.get_mut(&conn)?;
        let worker = connection.worker()?;
        self.workers.get_mut_near(&worker, &mut connection.carried.0).map(|_| worker)
    }

    /// A frame on a connection that is not being closed.
    pub(super) fn frame(&mut self, conn: ConnId, frame: &WorkerFrame) -> HubVerdict {
        let state = match self.conns.get(&conn) {
            Some(connection) => connection.state,
            None => return HubVerdict::Stale,
        };
        match state {
            ConnState::Greeting { .. } => match frame {
                WorkerFrame::Hello(hello) => {
                    self.hello(conn, hello);
                    HubVerdict::Accepted
                }
                WorkerFrame::InventoryItem { .. }
                | WorkerFrame::InventoryEnd { .. }
                | WorkerFrame::Active
                | WorkerFrame::Beat(_)
                | WorkerFrame::Statistics(_)
                | WorkerFrame::Ack(_)
                | WorkerFrame::Message(_)
                | WorkerFrame::Goodbye { .. } => self.violated(conn, Violation::OutOfPlace),
            },
            // Its Hello is not answered yet: it has nothing to say.
            ConnState::Held { .. } => self.violated(conn, Violation::OutOfPlace),
            ConnState::Attached { worker } => match self.converse(conn, worker, frame) {
                Ok(verdict) => verdict,
                Err(violation) => self.violated(conn, violation),
            },
            ConnState::Closing(_) => HubVerdict::Stale,
        }
    }

    /// The peer broke the protocol.
    pub(super) fn violated(&mut self, conn: ConnId, violation: Violation) -> HubVerdict {
        self.expel(conn, Reason::ProtocolError);
        HubVerdict::Violation(violation)
    }

    /// A frame of a worker that was registered on this connection.
    fn converse(
        &mut self,
        conn: ConnId,
        worker: WorkerId,
        frame: &WorkerFrame,
    ) -> Result<HubVerdict, Violation> {
        let now = self.clock.last();
        let most = self.config.settings().max_inventory;
        self.carried(conn);
        let Some(member) = self.workers.get_mut(&worker) else { return Ok(HubVerdict::Stale) };
        if session_on(member, conn).is_none() {
            return Ok(HubVerdict::Stale);
        }
        // A process says its Hello and nothing else before it has read the Welcome.
        member.prove();
        let Some(session) = session_on(member, conn) else { return Ok(HubVerdict::Stale) };
        let mut deadline = session.heard(now);
        let incarnation = session.incarnation;
        let verdict = match *frame {
            WorkerFrame::Hello(_) => return Err(Violation::OutOfPlace),
            WorkerFrame::InventoryItem { index } => {
                on_connection(session, |attached| attached.item(index, most))?;
                HubVerdict::Item { worker, incarnation }
            }
            WorkerFrame::InventoryEnd { count } => {
                on_connection(session, |attached| attached.end(count))?;
                HubVerdict::InventoryEnd { worker, incarnation }
            }
            WorkerFrame::Active => {
                let since = session.attached().map(|attached| attached.since);
                on_connection(session, |attached| attached.activate(now))?;
                self.index.0.handshakes.remove(&(since.unwrap_or(now), worker));
                deadline = Deadline::Changed;
                HubVerdict::Accepted
            }
            WorkerFrame::Beat(beat) => {
                if session.beat(&beat, now)? {
                    self.incumbent_lives(worker);
                    deadline = Deadline::Changed;
                }
                HubVerdict::Accepted
            }
            WorkerFrame::Statistics(ref statistics) => {
                session.told(statistics)?;
                HubVerdict::Accepted
            }
            WorkerFrame::Ack(ack) => {
                session.acknowledged(&ack, now)?;
                HubVerdict::Accepted
            }
            WorkerFrame::Message(head) => message(session, &head, worker, incarnation)?,
            WorkerFrame::Goodbye { reason } => {
                self.departed(worker, reason);
                deadline = Deadline::Changed;
                HubVerdict::Accepted
            }
        };
        self.note(worker, deadline);
        Ok(verdict)
    }

    /// The worker leaves on purpose: its session is over.
    fn departed(&mut self, worker: WorkerId, reason: Reason) {
        let now = self.clock.last();
        let held = self.detach(worker, by_reason(reason), false);
        if let Some(member) = self.workers.get_mut(&worker) {
            member.life = Life::Departed(member.ended(now, Some(reason)));
            member.forget_session();
            member.leaves();
            let name = member.name;
            self.index.0.names.remove(&name);
        }
        self.note_ended(worker, None);
        self.note_worker(worker);
        self.admit_held(held);
    }
}

fn on_connection(
    session: &mut Session,
    say: impl FnOnce(&mut super::session::Attached) -> Result<(), Violation>,
) -> Result<(), Violation> {
    session.attached_mut().map_or(Err(Violation::OutOfPlace), say)
}

fn message(
    session: &mut Session,
    head: &MessageHead,
    worker: WorkerId,
    incarnation: Incarnation,
) -> Result<HubVerdict, Violation> {
    let new = session.message(head.lane, head.seq, head.len)?;
    Ok(if new { HubVerdict::Deliver { worker, incarnation } } else { HubVerdict::Duplicate })
}
