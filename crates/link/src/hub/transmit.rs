//! Turning what is due on a connection into frames.

use core::time::Duration;

use super::Hub;
use super::connection::{ConnDue, ConnState};
use super::index::Shares;
use super::io::HubTransmit;
use super::member::Member;
use super::ring::Key;
use super::session::{Due, Fleet, Session};
use crate::{
    Ack, BeatAnswer, ConnId, CoordinatorFrame, Epoch, HubConfig, Instant, Lane, MessageHead,
    Welcome, WorkerId,
};

impl Hub {
    /// The next frame of a connection for a packet of this lane, while the connection is writable.
    ///
    /// Lane-B packets hold messages of lane B only; everything else rides in packets of lane C.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant, conn: ConnId, lane: Lane) -> Option<HubTransmit> {
        // Asked with the time like every machine; no frame depends on it.
        let _ = now;
        let limits = &self.config.settings().lanes;
        let mut near = self.conns.last();
        let connection = self.conns.get_mut_near(&conn, &mut near)?;
        if !connection.writable || connection.is_idle() {
            return None;
        }
        let mut member = match connection.worker() {
            Some(worker) => self.workers.get_mut_near(&worker, &mut connection.carried.0),
            None => None,
        };
        let Some(due) = connection.next_transmit(member.as_deref(), lane, limits) else {
            // What was offered is not due any more: the next frame has to be offered anew.
            if connection.offered {
                connection.offered = connection.wants_transmit(member.as_deref(), limits);
            }
            return None;
        };
        let (mut owed_by, mut retimed) = (None, None);
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
                    shares: self.index.0.shares(self.admission.rate(&self.config), &self.config),
                };
                let told = says.fleet(session, due);
                let transmit = says.transmit(worker, session, due, told)?;
                let again = session.commit(due, limits);
                self.resent = self.resent.saturating_add(u64::from(again));
                session.lanes.note(limits);
                owed_by = session.is_sent(due, self.clock.last(), &self.config);
                if let Some(fleet) = told
                    && session.told_of_fleet(fleet)
                {
                    retimed = Some(worker);
                }
                transmit
            }
        };
        // Polled: if anything is left it is offered again, behind the others.
        connection.offered = false;
        let index = &mut self.index.0;
        index.note_conn((conn, near), connection, member.as_deref(), &self.config);
        if let (Some(worker), Some(member), Some(owed_by)) = (connection.worker(), member, owed_by)
        {
            let who = (Key::Worker(worker), connection.carried.0);
            index.schedule.note_sooner(who, &mut member.marks.0, owed_by);
        }
        if let Some(worker) = retimed {
            self.note_worker(worker);
        }
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
    shares: Shares,
}

impl Says<'_> {
    /// What the worker knows of the fleet after a frame that tells of it: after a Welcome all of it, but
    /// for the interval, which was assigned when it was registered.
    fn fleet(&self, session: &Session, due: Due) -> Option<Fleet> {
        let Shares { beat, window: first_window, .. } = self.shares;
        match due {
            Due::Welcome => Some(Fleet { beat_interval: session.beat_interval, first_window }),
            Due::BeatAnswer(_) => {
                let beat_interval = self.config.beat_interval_of(session.beat_wish, beat);
                Some(session.news_of_fleet(Fleet { beat_interval, first_window }))
            }
            Due::Probe | Due::Active | Due::InventoryAnswer(_) | Due::Ack(_) | Due::Message(..) => {
                None
            }
        }
    }

    fn transmit(
        &self,
        worker: WorkerId,
        session: &Session,
        due: Due,
        fleet: Option<Fleet>,
    ) -> Option<HubTransmit> {
        let limits = &self.config.settings().lanes;
        let frame = match due {
            Due::Welcome => {
                let attached = session.attached()?;
                CoordinatorFrame::Welcome(Welcome {
                    version: attached.version,
                    features: attached.features,
                    session: session.id,
                    resumed: attached.resumed,
                    lanes: session.lanes.lanes().standings(limits),
                    beat_interval: session.beat_interval,
                    first_window: fleet.map(|fleet| fleet.first_window),
                    lost_after: self.config.settings().lost_after,
                })
            }
            Due::Probe => CoordinatorFrame::Probe,
            Due::BeatAnswer(seq) => {
                let news = |told: Duration, now: Duration| (now != told).then_some(now);
                let fleet = fleet?;
                CoordinatorFrame::BeatAnswer(BeatAnswer {
                    first_window: news(session.first_window, fleet.first_window),
                    beat_interval: news(session.beat_interval, fleet.beat_interval),
                    ..session.answer(seq, self.epoch, self.waiting)
                })
            }
            Due::Active => CoordinatorFrame::Active,
            Due::InventoryAnswer(index) => CoordinatorFrame::InventoryAnswer { index },
            Due::Ack(lane) => {
                let standing = session.lanes.lanes().inn[lane.index()].standing(limits);
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
