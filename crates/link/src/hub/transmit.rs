//! Turning what is due on a connection into frames.

use super::Hub;
use super::connection::{ConnDue, ConnState};
use super::io::HubTransmit;
use super::member::Member;
use super::session::{Due, Session};
use crate::{
    Ack, ConnId, CoordinatorFrame, Epoch, HubConfig, Instant, Lane, MessageHead, Welcome, WorkerId,
};

impl Hub {
    /// The next frame of a connection for a packet of this lane, while the connection is writable.
    ///
    /// Lane-B packets hold messages of lane B only; everything else rides in packets of lane C.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant, conn: ConnId, lane: Lane) -> Option<HubTransmit> {
        let now = self.effective(now);
        let limits = &self.config.settings().lanes;
        let connection = self.conns.get_mut(&conn).filter(|connection| connection.writable)?;
        let mut member = match connection.worker() {
            Some(worker) => self.workers.get_mut(&worker),
            None => None,
        };
        let Some(due) = connection.next_transmit(member.as_deref(), lane, limits) else {
            // What was offered is not due any more: the next frame has to be offered anew.
            connection.offered &= connection.wants_transmit(member.as_deref(), limits);
            return None;
        };
        let transmit = match due {
            ConnDue::Farewell(farewell) => {
                if let ConnState::Closing(closing) = &mut connection.state {
                    closing.farewell = None;
                }
                HubTransmit::Frame(farewell.frame())
            }
            ConnDue::Of(worker, due) => {
                let session = member.as_deref_mut().and_then(Member::session_mut)?;
                let says = Says {
                    config: &self.config,
                    epoch: self.epoch,
                    waiting: self.waiting,
                    attached: self.index.0.attached,
                };
                let transmit = says.transmit(worker, session, due)?;
                session.commit(due, now, limits);
                transmit
            }
        };
        // Polled: if anything is left it is offered again, behind the others.
        connection.offered = false;
        self.index.0.note_conn(conn, connection, member.as_deref(), &self.config);
        self.settle();
        Some(transmit)
    }

    /// Whether the connection has frames due, writable or not.
    #[must_use]
    pub fn wants_transmit(&self, conn: ConnId) -> bool {
        let Some(connection) = self.conns.get(&conn) else { return false };
        let member = connection.worker().and_then(|worker| self.workers.get(&worker));
        connection.wants_transmit(member, &self.config.settings().lanes)
    }
}

/// What frames say of the coordinator beside what they say of the session.
struct Says<'a> {
    config: &'a HubConfig,
    epoch: Epoch,
    waiting: bool,
    /// Sessions that have a connection.
    attached: usize,
}

impl Says<'_> {
    fn transmit(&self, worker: WorkerId, session: &Session, due: Due) -> Option<HubTransmit> {
        let limits = &self.config.settings().lanes;
        let frame = match due {
            Due::Welcome => {
                let attached = session.attached()?;
                CoordinatorFrame::Welcome(Welcome {
                    version: attached.version,
                    features: attached.features,
                    session: session.id,
                    resumed: attached.resumed,
                    lanes: session.lanes.standings(limits),
                    beat_interval: session.beat_interval,
                    first_window: Some(self.config.first_window(self.attached)),
                    lost_after: self.config.settings().lost_after,
                })
            }
            Due::Probe => CoordinatorFrame::Probe,
            Due::BeatAnswer(seq) => {
                CoordinatorFrame::BeatAnswer(session.answer(seq, self.epoch, self.waiting))
            }
            Due::Active => CoordinatorFrame::Active,
            Due::InventoryAnswer(index) => CoordinatorFrame::InventoryAnswer { index },
            Due::Ack(lane) => {
                let standing = session.lanes.inn[lane.index()].standing(limits);
                CoordinatorFrame::Ack(Ack { lane, standing })
            }
            Due::Message(lane, seq, tag, len) => {
                let head = MessageHead { lane, seq, len };
                return Some(HubTransmit::Message { worker, head, tag });
            }
        };
        Some(HubTransmit::Frame(frame))
    }
}
