//! The worker's end of a link: connect, register, stay, come back.

mod candidate;
mod canonical;
mod connection;
mod drain;
mod figures;
mod io;
mod leases;
mod notices;
mod output;
mod pace;
mod presence;
mod quality;
mod retry;
mod suspicion;
mod wish;

pub use io::{
    Kick, LinkAction, LinkInput, LinkRejection, LinkSnapshot, LinkTransmit, LinkVerdict,
    Transition, Violation,
};

use core::time::Duration;

use self::candidate::{Candidate, Phase};
use self::connection::{Attachment, Connection, Restore};
use self::notices::Notices;
use self::retry::Attempts;
use self::wish::Wish;
use crate::timer::Timers;
use crate::{
    ConnId, Degraded, EnqueueError, Flags, Incarnation, Instant, Lane, LinkConfig, LinkEvent,
    LinkStatistics, Reason, State, Sym, Tag, Timer, Versions, Wake, WorkerId,
};

/// A machine that is run later than it asked for by more than this, or by more than an interval of
/// beats if that is shorter, was stalled or suspended; the silence is then not held against the peer
/// (P27, P28).
const OWN_STALL: Duration = Duration::from_secs(1);
/// So many stalls in a row, with nothing heard of the peer in between, are not held against it; from
/// the next one on it is judged. Each is told apart by a probe that we could not wait for in time: a
/// machine that is always run late would never find a dead peer otherwise (P29).
const FORGIVEN_STALLS: u8 = 3;

/// Who this end is, as it says in every Hello.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Identity {
    /// Who: stable across restarts of the process.
    pub worker: WorkerId,
    /// Which process.
    pub incarnation: Incarnation,
    /// Its name, interned by the embedder.
    pub name: Sym,
    /// Protocol versions spoken; usually [`Versions::SPOKEN`].
    pub versions: Versions,
    /// Optional features offered, one bit each; usually [`Features::SPOKEN`](crate::Features::SPOKEN).
    pub features: u64,
}

/// The worker's end of a link, as a machine without sockets, clocks or randomness.
///
/// To drive it, repeat:
///
/// 1. [`handle`](Self::handle) what happened, or [`LinkInput::Timeout`] when the deadline of
///    [`next_wake`](Self::next_wake) has come. Its verdict says what became of the input.
/// 2. [`poll_action`](Self::poll_action) until it is empty, and do what it says.
/// 3. For each connection that takes bytes: [`poll_transmit`](Self::poll_transmit) for each lane
///    until it is empty or the connection is full, and write what it says.
/// 4. Sleep until `next_wake`, or until something happens.
///
/// Actions may be polled and frames written in any order and at any time; nothing is lost by
/// waiting, but our own lateness shows (see [`LinkAction::Stalled`]).
///
/// It begins [`State::Disconnected`] and dials by its policy (P17). Everything that is due is derived
/// from its state when asked, by one function that `poll_*` and `next_wake` share. It keeps the laws
/// L1 to L10 of the design: no spin, no effect of early timeouts or of connections that are not
/// current, the same outputs for the same inputs, and only transitions of [`State::after`].
///
/// ```
/// use moorline_link::{
///     Identity, Incarnation, Instant, Link, LinkAction, LinkConfig, LinkInput, State, Sym, Versions,
///     WorkerId,
/// };
///
/// let me = Identity {
///     worker: WorkerId(1),
///     incarnation: Incarnation(2),
///     name: Sym(0),
///     versions: Versions::SPOKEN,
///     features: 0,
/// };
/// let mut link = Link::new(LinkConfig::default(), me, 42, Instant::ZERO);
/// assert_eq!(link.state(), State::Disconnected);
///
/// // The first dial is spread over a second, so that a fleet does not start in step.
/// let due = link.next_wake().deadline().expect("waiting for its first dial");
/// link.handle(due, LinkInput::Timeout);
/// let mut dials = 0;
/// while let Some(action) = link.poll_action() {
///     dials += u32::from(matches!(action, LinkAction::Dial { .. }));
/// }
/// assert_eq!((dials, link.state()), (1, State::Connecting));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Link {
    config: LinkConfig,
    identity: Identity,
    seed: u64,
    state: State,
    since: Instant,
    reason: Option<Reason>,
    timers: Timers,
    /// When an input last took effect.
    last_run: Instant,
    /// The session and its lanes: from the first Welcome on, over all connections.
    attachment: Option<Attachment>,
    /// What is registered. In `Registered` and `Active` it is there, unless the coordinator already
    /// closed it because the candidate's registration moved the session.
    connection: Option<Connection>,
    /// What is dialled or waits for its Welcome. In `Connecting` it is there; beside a connection it
    /// may be, to replace it; nowhere else.
    candidate: Option<Candidate>,
    attempts: Attempts,
    /// What was asked for too soon.
    wish: Option<Wish>,
    /// Reconnects that were asked for and taken.
    reconnects: u64,
    report: Report,
    draining: bool,
    /// The time for the drain is over.
    hands_back: bool,
    notices: Notices,
    statistics: LinkStatistics,
    /// Messages that were transmitted on more than one connection, once for each further one.
    resent: u64,
    degraded: Degraded,
    last_conn: ConnId,
    last_received: Option<Instant>,
    last_proven: Option<Instant>,
    /// Own stalls forgiven since the peer was heard last, or dialled.
    forgiven: u8,
    believed: Flags,
    outage_since: Option<Instant>,
}

/// What the embedder says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Report {
    free: u16,
    paused: bool,
    owes: bool,
}

impl Link {
    /// A link that will dial by its policy. `seed` is a random number of this worker's own (P08);
    /// `now` is the time of the first input or earlier.
    #[must_use]
    pub fn new(config: LinkConfig, identity: Identity, seed: u64, now: Instant) -> Self {
        let mut link = Self {
            config,
            identity,
            seed,
            state: State::Disconnected,
            since: now,
            reason: None,
            timers: Timers::new(),
            last_run: now,
            attachment: None,
            connection: None,
            candidate: None,
            attempts: Attempts::new(&config.reconnect),
            wish: None,
            reconnects: 0,
            report: Report::default(),
            draining: false,
            hands_back: false,
            notices: Notices::default(),
            statistics: LinkStatistics::new(now),
            resent: 0,
            degraded: Degraded::NOT,
            last_conn: ConnId(0),
            last_received: None,
            last_proven: None,
            forgiven: 0,
            believed: Flags::default(),
            outage_since: None,
        };
        link.begin_outage(now);
        link.plan_first(now);
        link
    }

    /// Tells the machine what happened at `now`, which never goes back.
    pub fn handle(&mut self, now: Instant, input: LinkInput) -> LinkVerdict {
        if self.is_stale(&input) {
            return LinkVerdict::Stale;
        }
        let early = self.timers.next().is_none_or(|(deadline, _)| deadline > now);
        if early && matches!(input, LinkInput::Timeout) {
            return LinkVerdict::Accepted;
        }
        self.forgive_own_stall(now, &input);
        let verdict = match input {
            LinkInput::Timeout => self.on_timeout(now),
            LinkInput::Opened { .. } => self.on_opened(now),
            LinkInput::DialFailed { reason, .. } => self.on_dial_failed(now, reason),
            LinkInput::Closed { conn, reason } => self.on_closed(now, conn, reason),
            LinkInput::Received { conn } => self.on_received(now, conn),
            LinkInput::Frame { conn, ref frame } => self.on_frame(now, conn, frame),
            LinkInput::Violation { conn } => self.violated(now, conn, Violation::Undecodable),
            LinkInput::Inventory { items } => self.on_inventory(now, items),
            LinkInput::Enqueue { lane, tag, len } => self.on_enqueue(lane, tag, len),
            LinkInput::Release { lane, messages, bytes } => self.on_release(lane, messages, bytes),
            LinkInput::Report { free, paused, owes } => {
                self.on_report(now, Report { free, paused, owes })
            }
            LinkInput::Kick(kick) => self.on_wish(now, Wish::Kick(kick)),
            LinkInput::Reconnect => self.on_wish(now, Wish::Reconnect),
            LinkInput::Migrate => self.on_wish(now, Wish::Migrate),
            LinkInput::Stop { within } => self.on_stop(now, within),
            LinkInput::Restart => self.on_restart(now),
            LinkInput::ResetStatistics => self.on_reset_statistics(now),
        };
        self.settle_drain(now);
        verdict
    }

    /// The next thing the driver is to do. Poll until it is empty.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<LinkAction> {
        let action = self.next_action()?;
        self.commit_action(action);
        Some(action)
    }

    /// The next frame to write on this connection, in a packet of this lane. To be asked only while
    /// the connection takes bytes: what is handed out counts as written at `now`.
    ///
    /// Lane B carries messages of lane B alone; everything else rides on lane C.
    #[must_use]
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        conn: ConnId,
        lane: Lane,
    ) -> Option<LinkTransmit> {
        let due = self.next_transmit(conn, lane)?;
        self.commit_transmit(now, due)
    }

    /// Whether this connection has frames to write, on any lane.
    #[must_use]
    pub fn wants_transmit(&self, conn: ConnId) -> bool {
        Lane::ALL.iter().any(|lane| self.next_transmit(conn, *lane).is_some())
    }

    /// When to run the machine again. Frames to write do not count: they wait for the connection.
    #[must_use]
    pub fn next_wake(&self) -> Wake<Timer> {
        if self.next_action().is_some() {
            return Wake::Now;
        }
        match self.timers.next() {
            Some((deadline, timer)) => Wake::At { deadline, timer },
            None => Wake::OnInput,
        }
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Messages and bytes that wait to be acknowledged on each lane, by [`Lane::index`](crate::Lane::index): what is sent
    /// and what is not. Nothing without a session.
    #[must_use]
    pub fn held(&self) -> [(u32, u64); 2] {
        let attachment = self.attachment.as_ref();
        attachment.map_or_else(Default::default, |attachment| {
            [attachment.outboxes[0].held(), attachment.outboxes[1].held()]
        })
    }

    /// Numbered messages that were sent again since it began, because a session went on over a new
    /// connection before they were acknowledged. It never goes back, also not by a reset.
    #[must_use]
    pub const fn resent(&self) -> u64 {
        self.resent
    }

    /// Everything one may want to show of it.
    #[must_use]
    pub fn snapshot(&self) -> LinkSnapshot {
        let next_attempt = self.timers.deadline(Timer::Retry);
        let terms = self.attachment.as_ref().map(|attachment| attachment.terms);
        LinkSnapshot {
            state: self.state,
            since: self.since,
            reason: self.reason,
            session: self.attachment.as_ref().map(|attachment| attachment.session),
            conn: self.connection.as_ref().map(|connection| connection.conn),
            draining: self.draining,
            attempts: self.attempts.made,
            put_off: self.attempts.put_off,
            reconnects: self.reconnects,
            delay: next_attempt.map(|_| self.attempts.delay),
            previous_delay: self.attempts.previous,
            backoff_seed: self.attempts.seed(self.seed),
            drawn_with: self.attempts.spread,
            first_window: self.first_window(),
            next_attempt,
            outage_since: self.outage_since,
            last_received: self.last_received,
            last_proven: self.last_proven,
            leases_until: self.leases_until(),
            rtt: self.statistics.path().last(),
            missed: self.connection.as_ref().map_or(0, |connection| connection.beats.missed()),
            beat_interval: terms
                .map_or(self.config.heartbeat.interval(), |terms| terms.beat_interval),
            interval: self.connection.as_ref().map(|connection| connection.beats.pace.interval()),
            suspected: self.connection.as_ref().is_some_and(|c| c.beats.is_suspected()),
            degraded: self.degraded,
            lost_after: terms.map(|terms| terms.lost_after),
            believed: self.believed,
        }
    }

    /// What it has counted: round trips, stability, attempts, outages.
    #[must_use]
    pub const fn statistics(&self) -> &LinkStatistics {
        &self.statistics
    }

    /// An input that quotes a connection must quote one that is current, at a point where the driver
    /// can know of it (L6, P11).
    fn is_stale(&self, input: &LinkInput) -> bool {
        match input {
            LinkInput::Opened { conn } | LinkInput::DialFailed { conn, .. } => {
                !self.candidate.as_ref().is_some_and(|c| c.conn == *conn && c.is_dialling())
            }
            LinkInput::Closed { conn, .. } => {
                let dialled =
                    self.candidate.as_ref().is_some_and(|c| c.conn == *conn && c.is_issued());
                !dialled && !self.is_connection(*conn)
            }
            LinkInput::Received { conn }
            | LinkInput::Frame { conn, .. }
            | LinkInput::Violation { conn } => {
                let open = self.candidate.as_ref().is_some_and(|c| c.conn == *conn && c.is_open());
                !open && !self.is_connection(*conn)
            }
            LinkInput::Timeout
            | LinkInput::Inventory { .. }
            | LinkInput::Enqueue { .. }
            | LinkInput::Release { .. }
            | LinkInput::Report { .. }
            | LinkInput::Kick(_)
            | LinkInput::Reconnect
            | LinkInput::Migrate
            | LinkInput::Stop { .. }
            | LinkInput::Restart
            | LinkInput::ResetStatistics => false,
        }
    }

    fn is_connection(&self, conn: ConnId) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.conn == conn)
    }

    /// If this machine was run too late, the peer is not blamed: its deadlines move by as much, and a
    /// probe finds out at once whether the connection survived. But not for ever: see
    /// [`FORGIVEN_STALLS`].
    fn forgive_own_stall(&mut self, now: Instant, input: &LinkInput) {
        let last_run = core::mem::replace(&mut self.last_run, now);
        let Some((deadline, _)) = self.timers.next() else { return };
        // The same lateness counts once, also while the timeout itself is still to come.
        let late = now.since(deadline.max(last_run));
        let interval = self.connection.as_ref().map_or(OWN_STALL, |c| c.beats.interval());
        if late <= OWN_STALL.min(interval) {
            return;
        }
        let heard = matches!(input, LinkInput::Received { .. } | LinkInput::Frame { .. });
        if self.forgiven >= FORGIVEN_STALLS && !heard {
            return;
        }
        self.forgiven = self.forgiven.saturating_add(1);
        let grace = self
            .connection
            .as_ref()
            .map_or(OWN_STALL, |c| self.answer_deadline(c.beats.interval()));
        self.timers.forgive(late, now + grace);
        self.notices.stalled(late);
        self.probe(now);
    }

    fn on_timeout(&mut self, now: Instant) -> LinkVerdict {
        while let Some((deadline, timer)) = self.timers.take_due(now) {
            match timer {
                Timer::Drain => self.drain_is_over(now),
                Timer::Goodbye => self.shut_down(now),
                Timer::GiveUp => {
                    self.fail(now, LinkEvent::GivenUp, Reason::DeadlineExceeded);
                }
                Timer::Probe => self.probe_unanswered(now),
                Timer::Answer => self.beat_unanswered(now),
                Timer::Silence => self.silence_too_long(now),
                Timer::Suspicion => self.suspicion_is_due(now),
                Timer::Connect => {
                    self.give_candidate_up(now, LinkEvent::DialFailed, Reason::ConnectTimeout)
                }
                Timer::Register => {
                    self.give_candidate_up(now, LinkEvent::Refused, Reason::RegisterTimeout)
                }
                Timer::Restore => self.abandon(now, LinkEvent::Stalled, Reason::RestoreStalled),
                Timer::Stable => self.attempts.reset(&self.config.reconnect),
                Timer::Wish => self.wish_is_due(now),
                Timer::Retry => self.dial(now, LinkEvent::RetryDue),
                Timer::Leases => self.notices.leases_expired(),
                Timer::Beat => self.beat_due(now, deadline),
                Timer::Extra => self.extra_is_due(),
            }
        }
        LinkVerdict::Accepted
    }

    fn on_enqueue(&mut self, lane: Lane, tag: Tag, len: u32) -> LinkVerdict {
        if self.state == State::Shutdown {
            return LinkVerdict::Rejected(LinkRejection::State(self.state));
        }
        let limits = self.config.lanes.of(lane);
        let enqueued = match &mut self.attachment {
            // Before the embedder knows of a new session it cannot mean it.
            Some(attachment) if !attachment.untold => {
                attachment.outboxes[lane.index()].enqueue(limits, tag, len)
            }
            Some(_) | None => Err(EnqueueError::NoSession),
        };
        match enqueued {
            Ok(()) => LinkVerdict::Accepted,
            Err(error) => LinkVerdict::Rejected(LinkRejection::Enqueue(error)),
        }
    }

    fn on_release(&mut self, lane: Lane, messages: u32, bytes: u64) -> LinkVerdict {
        if let Some(attachment) = &mut self.attachment {
            attachment.inboxes[lane.index()].release(messages, bytes);
        }
        LinkVerdict::Accepted
    }

    fn on_report(&mut self, now: Instant, report: Report) -> LinkVerdict {
        let paused = self.report.paused != report.paused;
        self.report = report;
        if paused {
            self.request_beat(now);
        }
        LinkVerdict::Accepted
    }

    /// Moves to the state the table gives, and tells. A caller only brings events that the table has
    /// for the states it can be called in.
    fn enter(&mut self, now: Instant, event: LinkEvent, reason: Option<Reason>) {
        let Some(to) = self.state.after(event) else {
            debug_assert!(false, "{event:?} is no transition of {:?}", self.state);
            return;
        };
        let from = core::mem::replace(&mut self.state, to);
        self.since = now;
        if reason.is_some() {
            self.reason = reason;
        }
        self.notices.announce(Transition { from, to, reason });
        if from == State::Active {
            self.timers.disarm(Timer::Stable);
            self.outage_since = Some(now);
            if to != State::Shutdown {
                // Without a reason of a loss: another connection took over, in a new session.
                let reason = reason.unwrap_or(Reason::Moved);
                self.statistics.lost(now, reason, self.candidate.is_some());
            }
            self.begin_outage(now);
            self.watch_leases(now);
        }
    }

    /// Ends connection and candidate for good reasons of our own, and stays down.
    fn fail(&mut self, now: Instant, event: LinkEvent, reason: Reason) {
        self.close_connection(reason);
        self.close_candidate(reason);
        self.timers.disarm(Timer::Retry);
        self.forget_wish();
        self.enter(now, event, Some(reason));
        self.timers.disarm(Timer::GiveUp);
    }
}
