//! Turning what is due on a connection into frames.

use super::Hub;
use super::connection::{ConnDue, ConnState};
use super::io::HubTransmit;
use super::member::Member;
use super::session::Due;
use crate::{Ack, ConnId, CoordinatorFrame, Instant, Lane, MessageHead, Welcome, WorkerId};

impl Hub {
    /// The next frame of a connection for a packet of this lane, while the connection is writable.
    ///
    /// Lane-B packets hold messages of lane B only; everything else rides in packets of lane C.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant, conn: ConnId, lane: Lane) -> Option<HubTransmit> {
        let writable = self.conns.get(&conn).is_some_and(|connection| connection.writable);
        let due = self.due_on(conn, lane).filter(|_| writable)?;
        let transmit = match due {
            ConnDue::Farewell(farewell) => HubTransmit::Frame(farewell.frame()),
            ConnDue::Of(worker, due) => self.transmit(worker, due)?,
        };
        self.commit(self.effective(now), conn, due);
        Some(transmit)
    }

    /// Whether the connection has frames due, writable or not.
    #[must_use]
    pub fn wants_transmit(&self, conn: ConnId) -> bool {
        Lane::ALL.iter().any(|lane| self.due_on(conn, *lane).is_some())
    }

    fn due_on(&self, conn: ConnId, lane: Lane) -> Option<ConnDue> {
        let connection = self.conns.get(&conn)?;
        let member = connection.worker().and_then(|worker| self.workers.get(&worker));
        connection.next_transmit(member, lane, &self.config.settings().lanes)
    }

    fn commit(&mut self, now: Instant, conn: ConnId, due: ConnDue) {
        let limits = self.config.settings().lanes;
        if let Some(connection) = self.conns.get_mut(&conn) {
            // Polled: if anything is left it is offered again, behind the others.
            connection.offered = false;
            if let (ConnDue::Farewell(_), ConnState::Closing(closing)) =
                (due, &mut connection.state)
            {
                closing.farewell = None;
            }
        }
        if let ConnDue::Of(worker, due) = due
            && let Some(session) = self.workers.get_mut(&worker).and_then(Member::session_mut)
        {
            session.commit(due, now, &limits);
        }
        self.note_conn(conn);
        self.settle();
    }

    fn transmit(&self, worker: WorkerId, due: Due) -> Option<HubTransmit> {
        let session = self.workers.get(&worker)?.session()?;
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
                    first_window: Some(self.config.first_window(self.index.0.attached)),
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
