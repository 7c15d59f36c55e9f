//! The coordinator's side of all links: connections, registrations, presence, sessions and lanes.

use core::convert::Infallible;
use core::time::Duration;

mod admission;
mod canonical;
mod config;
mod connection;
mod flapping;
mod frames;
mod index;
mod io;
mod lanes;
mod leave;
mod member;
mod presence;
mod register;
mod ring;
mod session;
mod stall;
mod table;
mod transmit;

pub use admission::Admissions;
pub use config::{HubConfig, HubConfigError, HubSettings, RegistrationRate};
pub use io::*;

use crate::{
    ComeBack, ConnId, Dismissal, EffectiveClock, EnqueueError, Epoch, Instant, Lane, Reason, Sym,
    Tag, Violation, Wake, WorkerId,
};
use admission::Admission;
use connection::{Act, Connection};
use index::Index;
use leave::Serving;
use member::{Life, Member, Told};
use register::by_reason;
use ring::{Cache, Deadline, Key, Schedule};
use session::Believed;
use table::{Near, Table};

/// The coordinator's side of the links to all its workers.
///
/// How to drive it:
///
/// 1. Tell it what happens with [`handle`](Self::handle), and act on the verdict at once.
/// 2. After each input (or batch of inputs with one `now`), do what
///    [`poll_action`](Self::poll_action) says until it says nothing.
/// 3. On [`HubAction::Flush`], ask [`poll_transmit`](Self::poll_transmit) for frames of both lanes,
///    up to a quantum of bytes; what is left is offered again behind the others.
/// 4. Sleep until [`next_wake`](Self::next_wake) or the next input; then
///    [`HubInput::Timeout`], or the input.
///
/// It keeps the laws of every machine: `next_wake` is [`Wake::Now`] exactly when there is an action
/// to poll; a timeout at a due deadline moves the deadline on, writable transport or not; a drained
/// machine polled again does not change; an early timeout and an input that quotes a foreign
/// connection change nothing; the same inputs give the same outputs, also if all are later by a
/// constant. No work grows with the number of workers, but for [`HubInput::LameDuck`],
/// [`HubInput::Stop`],
/// [`workers`](Self::workers) and [`reindex`](Self::reindex).
///
/// It runs on effective time ([`EffectiveClock`]): its own stalls are not held against any worker.
///
/// ```
/// use moorline_link::*;
///
/// let now = Instant::ZERO;
/// let mut hub = Hub::new(HubConfig::default(), Epoch(1), 7, now);
/// let conn = ConnId(1);
/// hub.handle(now, HubInput::Accepted { conn });
/// let hello = Hello {
///     versions: Versions::SPOKEN,
///     features: 0,
///     worker: WorkerId(42),
///     incarnation: Incarnation(1),
///     name: Sym(0),
///     resume: None,
///     credit: Lane::ALL.map(|_| Inbox::first_credit(&LaneLimits::default())),
///     beat_interval: core::time::Duration::from_secs(5),
///     ticket: None,
///     holds_work: false,
/// };
/// hub.handle(now, HubInput::Frame { conn, frame: WorkerFrame::Hello(hello) });
/// assert!(matches!(hub.poll_action(), Some(HubAction::Flush { .. })));
/// assert!(matches!(
///     hub.poll_transmit(now, conn, Lane::C),
///     Some(HubTransmit::Frame(CoordinatorFrame::Welcome(_)))
/// ));
/// assert!(matches!(hub.poll_action(), Some(HubAction::Registered(_))));
/// assert_eq!(hub.poll_action(), None);
/// assert_eq!(hub.worker(now, WorkerId(42)).unwrap().presence, Presence::Restoring);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Hub {
    config: HubConfig,
    epoch: Epoch,
    clock: EffectiveClock,
    admission: Admission,
    /// Messages that were transmitted on more than one connection, once for each further one.
    resent: u64,
    /// The first session of this life, and the next one.
    first_session: u64,
    next_session: u64,
    serving: Serving,
    /// The embedder waits for its store.
    waiting: bool,
    /// A stall of our own that the embedder was not told of.
    stall: Option<Duration>,
    conns: Table<ConnId, Connection>,
    workers: Table<WorkerId, Member>,
    index: Cache<Index>,
}

impl Hub {
    /// A coordinator's hub in the life `epoch`, which must never have been used before.
    ///
    /// `seed` is random, and a secret: the key of admission tickets is drawn from it. The sessions of
    /// this life are counted from another number drawn from it, so that a session of another life is
    /// not mistaken for one of this one should an epoch ever repeat (a memory store takes it from a
    /// wall clock that can be set back).
    #[must_use]
    pub fn new(config: HubConfig, epoch: Epoch, seed: u128, now: Instant) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "half of it is wanted")]
        let half = seed as u64;
        let first_session = 1 + (half >> 32);
        Self {
            config,
            epoch,
            clock: EffectiveClock::new(now),
            admission: Admission::new(seed, now),
            resent: 0,
            first_session,
            next_session: first_session,
            serving: Serving::Open,
            waiting: false,
            stall: None,
            conns: Table::new(half),
            workers: Table::new(half),
            index: Cache::default(),
        }
    }

    /// The only door in. An input that is [`HubVerdict::Stale`] changes nothing at all.
    pub fn handle(&mut self, now: Instant, input: HubInput) -> HubVerdict {
        if !self.is_current(&input) {
            return HubVerdict::Stale;
        }
        let wake = self.wakes_at();
        let threshold = self.config.settings().stall_threshold;
        let is_early = || self.clock.preview(now, Some(wake), threshold).0 < wake;
        if matches!(input, HubInput::Timeout) && is_early() {
            return HubVerdict::Accepted;
        }
        if let Some(late) = self.clock.advance(now, Some(wake), threshold) {
            self.stall = Some(self.stall.unwrap_or_default().saturating_add(late));
        }
        let verdict = self.apply(&input);
        self.settle();
        verdict
    }

    /// What the driver is to do next. Connections and workers are served in turn.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<HubAction> {
        if let Some(late) = self.stall.take() {
            return Some(HubAction::Stalled { late });
        }
        while let Some((key, near)) = self.index.0.schedule.take() {
            let action = match key {
                Key::Conn(conn) => self.act_on_conn(conn, near),
                Key::Worker(worker) => self.act_on_worker(worker, near),
            };
            if action.is_some() {
                self.settle();
                return action;
            }
        }
        None
    }

    /// When the hub wants to be run next: at the latest one pulse after it was run last.
    #[must_use]
    pub fn next_wake(&self) -> Wake<HubTimer> {
        if self.stall.is_some() || self.index.0.schedule.is_due() {
            return Wake::Now;
        }
        let (deadline, timer) = self.next_deadline();
        Wake::At { deadline: self.clock.actual(deadline), timer }
    }

    /// Given time as effective time: without the hub's own stalls, one that is going on included.
    #[must_use]
    pub fn effective(&self, now: Instant) -> Instant {
        let threshold = self.config.settings().stall_threshold;
        self.clock.preview(now, Some(self.wakes_at()), threshold).0
    }

    /// When this effective time is reached, if the hub does not stall any more.
    #[must_use]
    pub fn actual(&self, effective: Instant) -> Instant {
        self.clock.actual(effective)
    }

    /// The settings it runs with.
    #[must_use]
    pub const fn config(&self) -> &HubConfig {
        &self.config
    }

    /// The life of the coordinator.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Numbered messages to workers that were sent again in this life, because a session went on over a
    /// new connection before they were acknowledged.
    #[must_use]
    pub const fn resent(&self) -> u64 {
        self.resent
    }

    /// Registrations that were put off, and the tickets for that.
    #[must_use]
    pub const fn admissions(&self) -> Admissions {
        self.admission.counts()
    }

    /// Connections it knows, those being closed included. After a stop, zero means all is closed.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.conns.len()
    }

    /// Whether an input is about something that exists. What is not, is stale. What mostly will change is
    /// looked at as if to change it: it is at hand then.
    fn is_current(&mut self, input: &HubInput) -> bool {
        match input {
            HubInput::Timeout
            | HubInput::Waiting(_)
            | HubInput::Measured { .. }
            | HubInput::LameDuck { .. }
            | HubInput::Stop => true,
            HubInput::Accepted { conn } => !self.conns.contains_key(conn),
            HubInput::Closed { conn, .. }
            | HubInput::Writable { conn }
            | HubInput::Unwritable { conn } => self.conns.contains_key(conn),
            HubInput::Received { conn }
            | HubInput::Frame { conn, .. }
            | HubInput::Violation { conn } => {
                self.conns.get_mut(conn).is_some_and(|conn| !conn.is_closing())
            }
            HubInput::Refuse { conn, .. } => {
                self.conns.get_mut(conn).is_some_and(|conn| conn.is_greeting())
            }
            HubInput::AnswerReady { conn } => {
                let worker = self.conns.get(conn).and_then(Connection::worker);
                let member = worker.and_then(|worker| self.workers.get(&worker));
                member.and_then(Member::attached).is_some_and(|attached| attached.can_answer())
            }
            HubInput::Expect { worker, name } => {
                self.workers.contains_key(worker) || !self.index.0.names.contains_key(name)
            }
            // The verdict says that there is no session.
            HubInput::Enqueue { .. } => true,
            HubInput::Withdraw { worker, .. }
            | HubInput::Release { worker, .. }
            | HubInput::Believe { worker, .. } => {
                self.workers.get_mut(worker).and_then(Member::known_session).is_some()
            }
            HubInput::Disconnect { worker, .. }
            | HubInput::Reconnect { worker }
            | HubInput::Cordon { worker, .. }
            | HubInput::Lost { worker } => self.workers.contains_key(worker),
            HubInput::Forget { worker } => {
                self.workers.get(worker).is_some_and(|member| member.session().is_none())
            }
        }
    }

    /// Applies an input that is current.
    fn apply(&mut self, input: &HubInput) -> HubVerdict {
        match *input {
            HubInput::Timeout => self.fire(),
            HubInput::Accepted { conn } => self.accept(conn),
            HubInput::Closed { conn, reason } => self.closed(conn, reason),
            HubInput::Received { conn } => self.received(conn),
            HubInput::Frame { conn, ref frame } => return self.frame(conn, frame),
            HubInput::Violation { conn } => {
                return self.violated(conn, Violation::Undecodable);
            }
            HubInput::Refuse { conn, dismissal } => self.refuse(conn, dismissal),
            HubInput::Writable { conn } => self.set_writable(conn, true),
            HubInput::Unwritable { conn } => self.set_writable(conn, false),
            HubInput::Expect { worker, name } => self.expect(worker, name),
            HubInput::Enqueue { worker, lane, tag, len } => {
                return self.enqueue(worker, lane, tag, len);
            }
            HubInput::Withdraw { worker, lane, tag } => {
                return self.withdraw(worker, lane, tag);
            }
            HubInput::Release { worker, lane, messages, bytes } => {
                self.with_session(worker, Deadline::Same, |session| {
                    session.lanes.change().inn[lane.index()].release(messages, bytes);
                });
            }
            HubInput::AnswerReady { conn } => self.answer_ready(conn),
            HubInput::Believe { worker, free, paused } => {
                self.with_session(worker, Deadline::Same, |session| {
                    session.believed = Some(Believed { free, paused });
                });
            }
            HubInput::Waiting(waiting) => self.waiting = waiting,
            HubInput::Measured { registrations, busy } => {
                self.admission.measure(registrations, busy);
            }
            HubInput::Disconnect { worker, reason } => self.dismiss(worker, reason),
            HubInput::Reconnect { worker } => {
                let come_back = ComeBack::After(Duration::ZERO);
                self.dismiss_with(worker, Dismissal { reason: Reason::Forced, come_back });
            }
            HubInput::Cordon { worker, cordoned } => self.cordon(worker, cordoned),
            HubInput::LameDuck { grace, spread } => self.lame_duck(grace, spread),
            HubInput::Lost { worker } => self.lost(worker),
            HubInput::Forget { worker } => self.forget(worker),
            HubInput::Stop => self.stop(),
        }
        HubVerdict::Accepted
    }

    fn expect(&mut self, worker: WorkerId, name: Sym) {
        let since = self.clock.last();
        let expected = || Member::new(name, Life::Expected { since });
        self.workers.entry(worker).or_insert_with(expected);
        if self
            .workers
            .get(&worker)
            .is_some_and(|member| member.name == name && member.holds_name())
        {
            self.index.0.names.insert(name, worker);
        }
        self.note_worker(worker);
    }

    fn enqueue(&mut self, worker: WorkerId, lane: Lane, tag: Tag, len: u32) -> HubVerdict {
        let limits = self.config.settings().lanes;
        let enqueued = self.change(worker, self.workers.last(), |member| {
            let session = member.known_session().ok_or(EnqueueError::NoSession)?;
            session.lanes.change().out[lane.index()].enqueue(&limits, tag, len)?;
            Ok(((), Deadline::Same))
        });
        match enqueued.unwrap_or(Err(EnqueueError::NoSession)) {
            Ok(()) => HubVerdict::Accepted,
            Err(error) => HubVerdict::Rejected(error),
        }
    }

    fn withdraw(&mut self, worker: WorkerId, lane: Lane, tag: Tag) -> HubVerdict {
        let mut withdrawn = false;
        self.with_session(worker, Deadline::Same, |session| {
            withdrawn = session.lanes.change().out[lane.index()].withdraw(tag);
        });
        if withdrawn { HubVerdict::Withdrawn } else { HubVerdict::Accepted }
    }

    fn answer_ready(&mut self, conn: ConnId) {
        let Some(worker) = self.conns.get(&conn).and_then(Connection::worker) else { return };
        if let Some(attached) = self.workers.get_mut(&worker).and_then(Member::attached_mut) {
            attached.answer_ready();
        }
        self.note_worker(worker);
    }

    /// Changes the session of a worker, if it has one, and notes it.
    fn with_session(
        &mut self,
        worker: WorkerId,
        deadline: Deadline,
        change: impl FnOnce(&mut session::Session),
    ) {
        self.change(worker, self.workers.last(), |member| {
            Ok::<_, Infallible>((member.session_mut().map(change), deadline))
        });
    }

    /// The embedder gave the worker's leases away: the session is over.
    fn lost(&mut self, worker: WorkerId) {
        let now = self.clock.last();
        let held = self.detach(worker, by_reason(Reason::SessionUnknown), true);
        let Some(member) = self.workers.get_mut(&worker) else { return };
        let was = member.ended_since();
        if member.holds_name() {
            member.life = Life::Lost(member.ended(now, None));
            member.forget_session();
            member.told = Told::default();
            let name = member.name;
            self.index.0.names.remove(&name);
        }
        self.note_ended(worker, was);
        self.note_worker(worker);
        self.admit_held(held);
    }

    fn forget(&mut self, worker: WorkerId) {
        let Some(member) = self.workers.remove(&worker) else { return };
        let index = &mut self.index.0;
        index.schedule.forget(member.marks.0);
        if let Some(since) = member.ended_since() {
            index.ended.remove(&(since, worker));
        }
        if member.holds_name() {
            index.names.remove(&member.name);
        }
    }

    fn cordon(&mut self, worker: WorkerId, cordoned: bool) {
        let now = self.clock.last();
        if let Some(member) = self.workers.get_mut(&worker)
            && member.cordoned.is_some() != cordoned
        {
            member.cordoned = cordoned.then_some(now);
        }
        self.note_worker(worker);
    }

    fn act_on_conn(&mut self, conn: ConnId, mut near: Near) -> Option<HubAction> {
        let connection = self.conns.get_mut_near(&conn, &mut near)?;
        let member = match connection.worker() {
            Some(worker) => self.workers.get_near(&worker, &mut connection.carried.0),
            None => None,
        };
        Schedule::taken(&mut connection.marks.0);
        let act = connection.next_act(member, &self.config.settings().lanes);
        if let Some(act) = act {
            connection.commit(act);
        }
        self.index.0.note_conn((conn, near), connection, member, &self.config);
        if let Some(Act::Close(_)) = act {
            self.remove_conn(conn);
        }
        act.map(|act| act.on(conn))
    }

    fn act_on_worker(&mut self, worker: WorkerId, near: Near) -> Option<HubAction> {
        let action = self.change(worker, near, |member| {
            Schedule::taken(&mut member.marks.0);
            let action = member.next_action(worker);
            if let Some(action) = &action {
                member.commit(action);
            }
            Ok::<_, Infallible>((action, Deadline::Same))
        })?;
        let Ok(action) = action;
        if let Some(HubAction::Forgotten { .. }) = action {
            self.forget(worker);
        }
        action
    }
}

#[cfg(test)]
mod tests;
