//! Who is there: silence on the effective clock, and the view of it.

use core::time::Duration;

use super::Hub;
use super::io::{HubTimer, Presence, WorkerSnapshot};
use super::member::{Life, Member};
use super::ring::{Deadline, Key};
use super::session::{Attached, Attachment, Session};
use crate::{Instant, Reason, WorkerId};

impl Hub {
    /// What is known of a worker at `now`: presence is computed from freshness, never a stored word.
    #[must_use]
    pub fn worker(&self, now: Instant, worker: WorkerId) -> Option<WorkerSnapshot> {
        let now = self.effective(now);
        self.workers.get(&worker).map(|member| self.snapshot(now, worker, member))
    }

    /// The presence of a worker at `now` alone: what [`worker`](Self::worker) says, for little.
    #[must_use]
    pub fn presence_of(&self, now: Instant, worker: WorkerId) -> Option<Presence> {
        let member = self.workers.get(&worker)?;
        Some(self.presence(self.effective(now), member).0)
    }

    /// What is known of every worker at `now`, in the order of their identities.
    pub fn workers(&self, now: Instant) -> impl Iterator<Item = WorkerSnapshot> + '_ {
        let now = self.effective(now);
        self.workers.iter().map(move |(worker, member)| self.snapshot(now, *worker, member))
    }

    fn snapshot(&self, now: Instant, worker: WorkerId, member: &Member) -> WorkerSnapshot {
        let (presence, since, reason) = self.presence(now, member);
        let unseen = WorkerSnapshot {
            worker,
            name: member.name,
            incarnation: None,
            presence,
            since,
            reason,
            conn: None,
            session: None,
            last_received: None,
            rtt: None,
            cordoned: member.cordoned.is_some(),
            flapping: member.flapping(),
            statistics: None,
        };
        match &member.life {
            Life::Expected { .. } => unseen,
            Life::Lost(ended) | Life::Departed(ended) => WorkerSnapshot {
                incarnation: ended.incarnation,
                last_received: ended.last_received,
                ..unseen
            },
            Life::Present(session) => {
                let rtt = Duration::from_micros(u64::from(session.rtt_micros));
                WorkerSnapshot {
                    incarnation: Some(session.incarnation),
                    conn: session.attached().map(|attached| attached.conn),
                    session: Some(session.id),
                    last_received: Some(session.last_received),
                    rtt: (session.rtt_micros > 0).then_some(rtt),
                    statistics: session.statistics.as_deref().copied(),
                    ..unseen
                }
            }
        }
    }

    /// The presence of a worker, since when, and why it is not active.
    fn presence(&self, now: Instant, member: &Member) -> (Presence, Instant, Option<Reason>) {
        match &member.life {
            Life::Expected { since } => (Presence::Expected, *since, None),
            Life::Lost(ended) => (Presence::Lost, ended.since, ended.reason),
            Life::Departed(ended) => (Presence::Departed, ended.since, ended.reason),
            Life::Present(session) => self.presence_of_session(now, session, member.cordoned),
        }
    }

    fn presence_of_session(
        &self,
        now: Instant,
        session: &Session,
        cordoned: Option<Instant>,
    ) -> (Presence, Instant, Option<Reason>) {
        let attached = match &session.attachment {
            Attachment::Detached { reason, since } => {
                return (Presence::Disconnected, *since, Some(*reason));
            }
            Attachment::Attached(attached) => attached,
        };
        let (heard, interval) = (session.last_received, session.beat_interval);
        let disconnected = heard + self.config.disconnect_after(interval);
        if now >= disconnected {
            return (Presence::Disconnected, disconnected, Some(Reason::HeartbeatTimeout));
        }
        let suspect = heard + self.config.suspect_after(interval);
        if now >= suspect {
            return (Presence::Suspect, suspect, None);
        }
        if Attached::is_restoring(attached) {
            return (Presence::Restoring, attached.since, None);
        }
        if session.draining {
            return (Presence::Draining, session.draining_since, None);
        }
        if let Some(since) = cordoned {
            return (Presence::Draining, since.max(attached.since), None);
        }
        (Presence::Active, attached.since, None)
    }

    /// Everything whose deadline has come, in order; each moves its own deadline on.
    pub(super) fn fire(&mut self) {
        let now = self.clock.last();
        while let Some((_, key, near)) = self.index.0.schedule.earliest() {
            let due = self.deadline(key, near).filter(|(at, _)| *at <= now);
            let Some((_, timer)) = due else { break };
            match key {
                Key::Conn(conn) => match timer {
                    HubTimer::Register => self.expel(conn, Reason::RegisterTimeout),
                    HubTimer::Farewell => self.give_up_farewell(conn),
                    HubTimer::TakeOver
                    | HubTimer::Suspect
                    | HubTimer::Disconnect
                    | HubTimer::SendAway
                    | HubTimer::Calm
                    | HubTimer::Forget
                    | HubTimer::Full
                    | HubTimer::Unacknowledged
                    | HubTimer::Pulse => {}
                },
                Key::Worker(worker) => match timer {
                    HubTimer::TakeOver => self.take_over(worker),
                    HubTimer::Suspect => {
                        self.with_session(worker, Deadline::Changed, |s| s.suspect = true);
                    }
                    HubTimer::Disconnect => self.dismiss(worker, Reason::HeartbeatTimeout),
                    HubTimer::SendAway => self.send_away(worker),
                    HubTimer::Calm => self.with_member(worker, Member::calm),
                    HubTimer::Forget => self.with_member(worker, |member| member.expiring = true),
                    HubTimer::Full | HubTimer::Unacknowledged => self.end_stalled(worker),
                    HubTimer::Register | HubTimer::Farewell | HubTimer::Pulse => {}
                },
            }
            self.settle();
        }
    }
}
