//! What workers say, frame by frame, and what may not be said where.

use core::convert::Infallible;

use super::Hub;
use super::connection::{ConnState, session_on};
use super::io::HubVerdict;
use super::member::Life;
use super::register::by_reason;
use super::ring::Deadline;
use super::session::{Attached, Session};
use super::table::Near;
use crate::{ConnId, Instant, Reason, Violation, WorkerFrame, WorkerId};

impl Hub {
    /// Bytes that are not a whole frame yet.
    pub(super) fn received(&mut self, conn: ConnId) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        let (worker, near) = (connection.worker(), connection.carried.0);
        let Some(worker) = worker else { return };
        let now = self.clock.last();
        self.change(worker, near, |member| {
            let heard = member.session_mut().map(|session| session.heard(now));
            Ok::<_, Infallible>(((), heard.unwrap_or(Deadline::Same)))
        });
    }

    /// A frame on a connection that is not being closed.
    pub(super) fn frame(&mut self, conn: ConnId, frame: &WorkerFrame) -> HubVerdict {
        let Some(connection) = self.conns.get_mut(&conn) else { return HubVerdict::Stale };
        match connection.state {
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
            ConnState::Attached { worker } => {
                let near = connection.carried.0;
                match self.converse(conn, (worker, near), frame) {
                    Ok(verdict) => verdict,
                    Err(violation) => self.violated(conn, violation),
                }
            }
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
        (worker, near): (WorkerId, Near),
        frame: &WorkerFrame,
    ) -> Result<HubVerdict, Violation> {
        let now = self.clock.last();
        let most = self.config.settings().max_inventory;
        let said = self.change(worker, near, |member| {
            if session_on(member, conn).is_none() {
                return Err(Further::Nothing);
            }
            // A process says its Hello and nothing else before it has read the Welcome.
            member.prove();
            let session = session_on(member, conn).ok_or(Further::Nothing)?;
            let heard = session.heard(now);
            say(session, worker, frame, now, most).map(|(verdict, said)| (verdict, heard.or(said)))
        });
        match said {
            Some(Ok(verdict)) => return Ok(verdict),
            None | Some(Err(Further::Nothing)) => return Ok(HubVerdict::Stale),
            Some(Err(Further::Violation(violation))) => return Err(violation),
            Some(Err(Further::Active { attached })) => {
                self.index.0.handshakes.remove(&(attached, worker));
            }
            Some(Err(Further::Lives)) => self.incumbent_lives(worker),
            Some(Err(Further::Goodbye(reason))) => self.departed(worker, reason),
        }
        self.note_worker(worker);
        Ok(HubVerdict::Accepted)
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

/// What follows from a frame beyond the session it is said in.
enum Further {
    /// It is said in no session.
    Nothing,
    Violation(Violation),
    /// The registration that began then is over.
    Active {
        attached: Instant,
    },
    /// The process proved that it lives to another one that claims its identity.
    Lives,
    Goodbye(Reason),
}

impl From<Violation> for Further {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

/// What a frame changes in its session, and what has become of the deadline beside that it was heard.
fn say(
    session: &mut Session,
    worker: WorkerId,
    frame: &WorkerFrame,
    now: Instant,
    most: u32,
) -> Result<(HubVerdict, Deadline), Further> {
    let incarnation = session.incarnation;
    match *frame {
        WorkerFrame::Hello(_) => Err(Violation::OutOfPlace)?,
        WorkerFrame::InventoryItem { index } => {
            on_connection(session, |attached| attached.item(index, most))?;
            Ok((HubVerdict::Item { worker, incarnation }, Deadline::Same))
        }
        WorkerFrame::InventoryEnd { count } => {
            on_connection(session, |attached| attached.end(count))?;
            Ok((HubVerdict::InventoryEnd { worker, incarnation }, Deadline::Same))
        }
        WorkerFrame::Active => {
            let attached = session.attached().map_or(now, |attached| attached.since);
            on_connection(session, |attached| attached.activate(now))?;
            Err(Further::Active { attached })
        }
        WorkerFrame::Beat(ref beat) => {
            if session.beat(beat, now)? {
                return Err(Further::Lives);
            }
            Ok((HubVerdict::Accepted, Deadline::Same))
        }
        WorkerFrame::Statistics(ref statistics) => {
            session.told(statistics)?;
            Ok((HubVerdict::Accepted, Deadline::Same))
        }
        WorkerFrame::Ack(ref ack) => {
            let progress = session.acknowledged(ack, now)?;
            let deadline = if progress { Deadline::NotSooner } else { Deadline::Same };
            Ok((HubVerdict::Accepted, deadline))
        }
        WorkerFrame::Message(ref head) => {
            let new = session.message(head.lane, head.seq, head.len)?;
            let deliver = HubVerdict::Deliver { worker, incarnation };
            Ok((if new { deliver } else { HubVerdict::Duplicate }, Deadline::Same))
        }
        WorkerFrame::Goodbye { reason } => Err(Further::Goodbye(reason)),
    }
}

fn on_connection(
    session: &mut Session,
    say: impl FnOnce(&mut Attached) -> Result<(), Violation>,
) -> Result<(), Violation> {
    session.attached_mut().map_or(Err(Violation::OutOfPlace), say)
}
