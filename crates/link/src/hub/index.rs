//! What follows from connections and workers, kept so that nothing has to search them.

use alloc::collections::{BTreeMap, BTreeSet};
use core::convert::Infallible;
use core::time::Duration;

use super::Hub;
use super::connection::{ConnState, Connection};
use super::io::HubTimer;
use super::member::{Ended, Life, Member};
use super::ring::{Deadline, Key, Schedule};
use super::session::Session;
use super::table::Near;
#[cfg(test)]
use crate::Lane;
use crate::{ConnId, HubConfig, Instant, Sym, WorkerId};

/// Caches, outside equality and hashing.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    pub(super) schedule: Schedule,
    /// Who holds a name: the worker of that name which is neither lost nor departed.
    pub(super) names: BTreeMap<Sym, WorkerId>,
    /// Connections that have to say Hello.
    pub(super) greeting: u32,
    /// Sessions that have a connection.
    pub(super) attached: usize,
    /// What follows from how many they are.
    shares: Shares,
    /// Sessions that have a connection and are not active yet, by when they were attached.
    pub(super) handshakes: BTreeSet<(Instant, WorkerId)>,
    /// Workers that are lost or departed, by when.
    pub(super) ended: BTreeSet<(Instant, WorkerId)>,
}

impl Hub {
    /// Builds all caches anew from a full scan. It changes nothing that can be observed, but for the
    /// order in which what is due now is served.
    pub fn reindex(&mut self) {
        let mut index = Index::default();
        for (id, connection) in &mut self.conns {
            index.greeting += u32::from(matches!(connection.state, ConnState::Greeting { .. }));
            connection.marks = Default::default();
            let member = connection.worker().and_then(|worker| self.workers.get(&worker));
            index.note_conn((*id, Near::default()), connection, member, &self.config);
        }
        for (id, member) in &mut self.workers {
            if member.holds_name() {
                index.names.insert(member.name, *id);
            }
            index.attached += usize::from(member.attached().is_some());
            index.handshakes.extend(member.handshake().map(|since| (since, *id)));
            member.marks = Default::default();
            index.ended.extend(member.ended_since().map(|since| (since, *id)));
            let who = (*id, Near::default());
            index.note_worker(who, member, Deadline::Changed, &self.config);
        }
        self.index.0 = index;
    }

    /// A connection may have changed.
    pub(super) fn note_conn(&mut self, conn: ConnId) {
        let mut near = self.conns.last();
        let Some(connection) = self.conns.get_mut_near(&conn, &mut near) else { return };
        let member = connection.worker().and_then(|worker| self.workers.get(&worker));
        self.index.0.note_conn((conn, near), connection, member, &self.config);
    }

    /// A worker may have changed, and with it what its connection has due.
    pub(super) fn note_worker(&mut self, worker: WorkerId) {
        self.note(worker, Deadline::Changed);
    }

    /// The same where it is known what can have become of the worker's deadline.
    pub(super) fn note(&mut self, worker: WorkerId, deadline: Deadline) {
        let near = self.workers.last();
        self.change(worker, near, |_| Ok::<_, Infallible>(((), deadline)));
    }

    /// Changes a worker that is known, near there, and notes it and its connection. `change` says what can
    /// have become of the worker's deadline, or what is to be done instead: then nothing is noted yet.
    pub(super) fn change<T, E>(
        &mut self,
        worker: WorkerId,
        mut near: Near,
        change: impl FnOnce(&mut Member) -> Result<(T, Deadline), E>,
    ) -> Option<Result<T, E>> {
        let member = self.workers.get_mut_near(&worker, &mut near)?;
        let (changed, deadline) = match change(member) {
            Ok(done) => done,
            Err(instead) => return Some(Err(instead)),
        };
        let index = &mut self.index.0;
        index.note_worker((worker, near), member, deadline, &self.config);
        if let Some(conn) = member.attached().map(|attached| attached.conn)
            && let Some(connection) = self.conns.get_mut_near(&conn, &mut member.carrier.0)
        {
            // A connection that does not carry it any more has nothing of it due.
            let carried = (connection.worker() == Some(worker)).then_some(&*member);
            if carried.is_some() {
                connection.carried.0 = near;
            }
            index.note_conn((conn, member.carrier.0), connection, carried, &self.config);
        }
        Some(Ok(changed))
    }

    /// Changes a worker that is known, and notes it.
    pub(super) fn with_member(&mut self, worker: WorkerId, change: impl FnOnce(&mut Member)) {
        let Some(member) = self.workers.get_mut(&worker) else { return };
        let was = member.ended_since();
        change(member);
        self.note_ended(worker, was);
        self.note_worker(worker);
    }

    /// A worker that had ended then, or had not, may have done so or come back.
    pub(super) fn note_ended(&mut self, worker: WorkerId, was: Option<Instant>) {
        let is = self.workers.get(&worker).and_then(Member::ended_since);
        let ended = &mut self.index.0.ended;
        if let Some(was) = was {
            ended.remove(&(was, worker));
        }
        ended.extend(is.map(|is| (is, worker)));
    }

    pub(super) fn remove_conn(&mut self, conn: ConnId) {
        let Some(connection) = self.conns.remove(&conn) else { return };
        self.index.0.schedule.forget(connection.marks.0);
        let greeting = matches!(connection.state, ConnState::Greeting { .. });
        self.index.0.greeting -= u32::from(greeting);
    }

    /// When the hub has to be run, on the effective clock: at the pulse at the latest.
    pub(super) fn wakes_at(&self) -> Instant {
        let pulse = self.clock.last() + self.config.settings().pulse;
        self.index.0.schedule.earliest_at().map_or(pulse, |at| at.min(pulse))
    }

    /// The same, and for which timer.
    pub(super) fn next_deadline(&self) -> (Instant, HubTimer) {
        let pulse = (self.clock.last() + self.config.settings().pulse, HubTimer::Pulse);
        let earliest = self.index.0.schedule.earliest();
        let timer = earliest.and_then(|(_, key, near)| self.deadline(key, near));
        timer.map_or(pulse, |timer| timer.min(pulse))
    }

    /// The deadline of one entity.
    pub(super) fn deadline(&self, key: Key, mut near: Near) -> Option<(Instant, HubTimer)> {
        match key {
            Key::Conn(conn) => self.conns.get_near(&conn, &mut near)?.deadline(),
            Key::Worker(worker) => {
                self.workers.get_near(&worker, &mut near)?.deadline(&self.config)
            }
        }
    }

    /// Makes the earliest entry of the heap true: deadlines that moved are corrected when they come
    /// up, so a heartbeat costs no more than one correction.
    pub(super) fn settle(&mut self) {
        if !self.index.0.schedule.is_settled() {
            self.correct_earliest();
        }
    }

    #[inline(never)]
    fn correct_earliest(&mut self) {
        while let Some((at, key, mut near)) = self.index.0.schedule.earliest() {
            let schedule = &mut self.index.0.schedule;
            let (marks, deadline) = match key {
                Key::Conn(conn) => match self.conns.get_mut_near(&conn, &mut near) {
                    Some(connection) => {
                        let deadline = connection.deadline();
                        (&mut connection.marks.0, deadline)
                    }
                    None => {
                        schedule.sweep();
                        continue;
                    }
                },
                Key::Worker(worker) => match self.workers.get_mut_near(&worker, &mut near) {
                    Some(member) => {
                        let deadline = member.deadline(&self.config);
                        (&mut member.marks.0, deadline)
                    }
                    None => {
                        schedule.sweep();
                        continue;
                    }
                },
            };
            let deadline = deadline.map(|(at, _)| at);
            if !Schedule::stands_for(marks, at) {
                schedule.sweep();
            } else if deadline == Some(at) {
                break;
            } else {
                schedule.postpone(marks, deadline);
            }
        }
        self.index.0.schedule.settled();
        if self.index.0.schedule.is_littered(self.conns.len() + self.workers.len()) {
            self.reindex();
        }
    }
}

impl Index {
    /// What follows from the size of the fleet, when so many can register in a second.
    pub(super) fn shares(&mut self, rate: u32, config: &HubConfig) -> Shares {
        self.shares.of(self.attached, rate, config)
    }

    pub(super) fn note_conn(
        &mut self,
        (conn, near): (ConnId, Near),
        connection: &mut Connection,
        member: Option<&Member>,
        config: &HubConfig,
    ) {
        let due = connection.next_act(member, &config.settings().lanes).is_some();
        let deadline = connection.deadline().map(|(at, _)| at);
        let (who, marks) = ((Key::Conn(conn), near), &mut connection.marks.0);
        self.schedule.note_due(who, marks, due);
        self.schedule.note_deadline(who, marks, deadline);
    }

    fn note_worker(
        &mut self,
        (worker, near): (WorkerId, Near),
        member: &mut Member,
        deadline: Deadline,
        config: &HubConfig,
    ) {
        if let Some(session) = member.session_mut() {
            session.lanes.note(&config.settings().lanes);
        }
        let due = member.news().is_some();
        let who = (Key::Worker(worker), near);
        self.schedule.note_due(who, &mut member.marks.0, due);
        match deadline {
            Deadline::Changed => {
                let deadline = member.deadline(config).map(|(at, _)| at);
                self.schedule.note_deadline(who, &mut member.marks.0, deadline);
            }
            Deadline::NotSooner => self.schedule.note_not_sooner(who.0, &member.marks.0),
            Deadline::Same => {}
        }
    }
}

/// What follows from the size of the fleet for each of its workers: kept until that changes, because
/// every heartbeat is answered by it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shares {
    attached: usize,
    rate: u32,
    /// The shortest interval of heartbeats at which all together stay at the rate that is allowed.
    pub(super) beat: Duration,
    /// Over how long the first dials are spread.
    pub(super) window: Duration,
}

impl Shares {
    /// Of so many with a connection, when so many can register in a second.
    fn of(&mut self, attached: usize, rate: u32, config: &HubConfig) -> Self {
        if (self.attached, self.rate) != (attached, rate) {
            let (beat, window) = (config.beat_share(attached), config.first_window(attached, rate));
            *self = Self { attached, rate, beat, window };
        }
        *self
    }
}

impl Member {
    fn deadline(&self, config: &HubConfig) -> Option<(Instant, HubTimer)> {
        let of_life = match &self.life {
            Life::Present(session) => Session::deadline(session, config),
            Life::Expected { since }
            | Life::Lost(Ended { since, .. })
            | Life::Departed(Ended { since, .. }) => {
                let at = *since + config.settings().forget_after;
                (!self.expiring).then_some((at, HubTimer::Forget))
            }
        };
        match self.calm_at(config).map(|at| (at, HubTimer::Calm)) {
            Some(calm) => Some(of_life.map_or(calm, |of_life| of_life.min(calm))),
            None => of_life,
        }
    }
}

#[cfg(test)]
impl Hub {
    /// Compares every cache with a full scan.
    pub(super) fn audit(&self) {
        let index = &self.index.0;
        let mut due = 0;
        let mut earliest: Option<(Instant, HubTimer)> = None;
        let mut carried = BTreeMap::new();
        for (id, connection) in &self.conns {
            let key = Key::Conn(*id);
            let member = connection.worker().and_then(|worker| self.workers.get(&worker));
            let limits = &self.config.settings().lanes;
            let is_due = connection.next_act(member, limits).is_some();
            let lanes = Lane::ALL.map(|lane| connection.next_transmit(member, lane, limits));
            let wants = lanes.iter().any(Option::is_some);
            assert_eq!(
                connection.wants_transmit(member, limits),
                wants,
                "{id:?} wants what it has"
            );
            assert_eq!(connection.marks.0.due, is_due, "{id:?} is noted as it is");
            assert!(!is_due || index.schedule.holds(key), "{id:?} is due and in the ring");
            due += usize::from(is_due);
            earliest = earliest.into_iter().chain(connection.deadline()).min();
            if let Some(worker) = connection.worker() {
                assert_eq!(carried.insert(worker, *id), None, "a session has one connection");
            }
            if let ConnState::Held { worker } = connection.state {
                let attached = self.workers.get(&worker).and_then(Member::attached);
                let challenge = attached.and_then(|attached| attached.challenge.as_ref());
                assert_eq!(challenge.map(|challenge| challenge.conn), Some(*id), "held by someone");
            }
        }
        let mut names = BTreeMap::new();
        for (id, member) in &self.workers {
            let key = Key::Worker(*id);
            let is_due = member.next_action(*id).is_some();
            assert_eq!(is_due, member.news().is_some(), "all news can be told");
            assert_eq!(member.marks.0.due, is_due, "{id:?} is noted as it is");
            assert!(!is_due || index.schedule.holds(key), "{id:?} is due and in the ring");
            due += usize::from(is_due);
            earliest = earliest.into_iter().chain(member.deadline(&self.config)).min();
            if let Some(session) = member.session() {
                session.lanes.audit(&self.config.settings().lanes);
            }
            if member.holds_name() {
                assert_eq!(names.insert(member.name, *id), None, "a name has one holder");
            }
            let conn = member.attached().map(|attached| attached.conn);
            assert_eq!(carried.get(id).copied(), conn, "both sides of an attachment agree");
            let challenge = member.attached().and_then(|attached| attached.challenge.as_ref());
            if let Some(challenge) = challenge {
                let held = self.conns.get(&challenge.conn).map(|connection| &connection.state);
                assert_eq!(held, Some(&ConnState::Held { worker: *id }), "a challenger is held");
            }
        }
        assert_eq!(index.schedule.due_count(), due, "as many are due as are counted");
        assert_eq!(index.names, names);
        assert_eq!(index.attached, carried.len());
        let handshakes = self.workers.iter().filter_map(|(id, m)| Some((m.handshake()?, *id)));
        assert_eq!(index.handshakes, handshakes.collect());
        let ended = self.workers.iter().filter_map(|(id, m)| Some((m.ended_since()?, *id)));
        assert_eq!(index.ended, ended.collect());
        let greeting = |c: &&Connection| matches!(c.state, ConnState::Greeting { .. });
        assert_eq!(index.greeting as usize, self.conns.values().filter(greeting).count());
        let pulse = (self.clock.last() + self.config.settings().pulse, HubTimer::Pulse);
        let scanned = earliest.map_or(pulse, |timer| timer.min(pulse));
        assert_eq!(self.next_deadline().0, scanned.0, "the heap knows the next deadline");
        assert_eq!(self.wakes_at(), scanned.0, "and its earliest entry is true");
    }
}
