//! What a worker's loop counts.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moorline_link::{Instant, LinkSnapshot, Reason, State, Transition};
use moorline_node::{Name, WorkerEvent};
use moorline_store::JournalSize;
use moorline_work::Outcome;

use super::histogram::{CONNECT, OUTAGE, ROUND_TRIP, TASK};
use super::{Count, Counts, Histogram, Pulse};
use crate::log;

/// What a worker's loop has counted.
///
/// ```no_run
/// # fn example(worker: &moorline_driver::WorkerHandle) {
/// let tally = worker.tally();
/// println!("{} heartbeats sent, {} missed", tally.beats_sent.get(), tally.beats_missed.get());
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct WorkerTally {
    /// The loop's sign of life.
    pub pulse: Pulse,
    /// Dials after a loss, not the first connect.
    pub reconnection_attempts: Count,
    /// Outages that ended: `resumed` or `new_session`.
    pub reconnection_successes: Counts,
    /// Given up for good, by reason.
    pub reconnection_failures: Counts,
    /// Losses of an active link, by reason.
    pub disconnects: Counts,
    /// Outages from loss to active again.
    pub outage: Histogram,
    /// From dial to registration, of those that came to it.
    pub connected: Histogram,
    /// From dial to its failure.
    pub not_connected: Histogram,
    /// Heartbeats written.
    pub beats_sent: Count,
    /// Heartbeats missed.
    pub beats_missed: Count,
    /// Round trips of answered heartbeats.
    pub round_trip: Histogram,
    /// Results that were offered more than once or kept over an outage, by what became of them.
    pub resubmitted: Counts,
    /// Numbered messages that were sent again on a new connection.
    pub resent: Count,
    /// What waits to be acknowledged by the coordinator: small messages, and those with a body.
    pub outbox: [Outbox; 2],
    /// What is kept on a disk of its own; nothing without a journal.
    pub journal: JournalTally,
    /// Attempts, by handler; in the order of names.
    pub handlers: Vec<(Name, HandlerTally)>,
    outages: Mutex<Outages>,
}

/// Attempts of one handler.
///
/// ```
/// use moorline_driver::WorkerHandle;
///
/// fn attempts(worker: &WorkerHandle) {
///     for (name, handler) in &worker.tally().handlers {
///         println!("{name}: {} ended", handler.duration.view().count);
///     }
/// }
/// # let _ = attempts;
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct HandlerTally {
    /// Ended attempts, by outcome.
    pub finished: Counts,
    /// How long they ran.
    pub duration: Histogram,
}

/// What one lane of a worker holds: a value now, and no count.
///
/// ```
/// let empty = moorline_driver::Outbox::default();
/// assert_eq!((empty.messages(), empty.bytes()), (0, 0));
/// ```
#[derive(Debug, Default)]
pub struct Outbox {
    messages: AtomicU32,
    bytes: AtomicU64,
}

impl Outbox {
    /// Messages that are not acknowledged, sent or not.
    #[must_use]
    pub fn messages(&self) -> u32 {
        self.messages.load(Ordering::Relaxed)
    }

    /// Their bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// What a worker's journal keeps, as values now; and its failures.
///
/// ```
/// let empty = moorline_driver::JournalTally::default();
/// assert_eq!((empty.results(), empty.bytes(), empty.failures.get()), (0, 0, 0));
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct JournalTally {
    /// Commits that failed, each try of the same one.
    pub failures: Count,
    results: AtomicU64,
    bytes: AtomicU64,
}

impl JournalTally {
    /// Results that are kept.
    #[must_use]
    pub fn results(&self) -> u64 {
        self.results.load(Ordering::Relaxed)
    }

    /// What they count for in the bound of the journal, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn holds(&self, size: JournalSize) {
        self.results.store(size.results, Ordering::Relaxed);
        self.bytes.store(size.bytes, Ordering::Relaxed);
    }
}

/// Time without an active link.
///
/// ```
/// use moorline_driver::WorkerHandle;
/// use moorline_link::Instant;
///
/// fn seconds_without_a_link(worker: &WorkerHandle, now: Instant) -> f64 {
///     worker.tally().outages().total(now).as_secs_f64()
/// }
/// # let _ = seconds_without_a_link;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Outages {
    /// What is over.
    pub closed: Duration,
    /// Since when the one that goes on does.
    pub since: Option<Instant>,
}

impl Outages {
    /// All of it up to now: never less than before.
    #[must_use]
    pub fn total(&self, now: Instant) -> Duration {
        self.closed.saturating_add(self.since.map_or(Duration::ZERO, |since| now.since(since)))
    }
}

impl WorkerTally {
    pub(crate) fn new(handlers: &[Name], now: Instant) -> Self {
        let mut names = handlers.to_vec();
        names.sort();
        let handlers = names.into_iter().map(|name| (name, HandlerTally::default())).collect();
        let tally = Self {
            pulse: Pulse::default(),
            reconnection_attempts: Count::default(),
            reconnection_successes: Counts::new(&["resumed", "new_session"]),
            reconnection_failures: Counts::by_reason(),
            disconnects: Counts::by_reason(),
            outage: Histogram::new(OUTAGE),
            connected: Histogram::new(CONNECT),
            not_connected: Histogram::new(CONNECT),
            beats_sent: Count::default(),
            beats_missed: Count::default(),
            round_trip: Histogram::new(ROUND_TRIP),
            resubmitted: Counts::new(&log::DISPOSITIONS),
            resent: Count::default(),
            outbox: Default::default(),
            journal: JournalTally::default(),
            handlers,
            outages: Mutex::new(Outages { closed: Duration::ZERO, since: Some(now) }),
        };
        // It lives from now on, also before its first turn.
        tally.pulse.beat(now);
        tally
    }

    /// Time without an active link, from the start on. Read under a lock that the loop takes only
    /// when its link becomes active or is lost.
    #[must_use]
    pub fn outages(&self) -> Outages {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Outages> {
        // Nothing can panic under it.
        self.outages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for HandlerTally {
    fn default() -> Self {
        Self { finished: Counts::new(&OUTCOMES), duration: Histogram::new(TASK) }
    }
}

/// The words for how an attempt ended.
pub(super) const OUTCOMES: [&str; 5] =
    ["succeeded", "failed_retryable", "failed", "timed_out", "cancelled"];

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed { retryable: true } => "failed_retryable",
        Outcome::Failed { retryable: false } => "failed",
        Outcome::TimedOut => "timed_out",
        Outcome::Cancelled => "cancelled",
    }
}

/// The loop's side: counts what the loop sees, with what it needs to remember for that.
pub(crate) struct WorkerCounter {
    tally: Arc<WorkerTally>,
    was_active: bool,
    /// The last registration went on with its session.
    resumed: bool,
    dialling: Option<Instant>,
    last_proven: Option<Instant>,
}

impl WorkerCounter {
    pub(crate) fn new(handlers: &[Name], now: Instant) -> Self {
        Self {
            tally: Arc::new(WorkerTally::new(handlers, now)),
            was_active: false,
            resumed: false,
            dialling: None,
            last_proven: None,
        }
    }

    pub(crate) fn tally(&self) -> &Arc<WorkerTally> {
        &self.tally
    }

    /// A dial begins.
    pub(crate) fn dials(&mut self, now: Instant) {
        self.dialling = Some(now);
        // A second connection beside one that stands is no reconnection.
        if self.was_active && self.tally.lock().since.is_some() {
            self.tally.reconnection_attempts.add(1);
        }
    }

    pub(crate) fn event(&mut self, now: Instant, event: &WorkerEvent) {
        match event {
            WorkerEvent::Link(transition) => self.link(now, *transition),
            WorkerEvent::Registered { resumed, .. } => {
                self.resumed = *resumed;
                if let Some(began) = self.dialling.take() {
                    self.tally.connected.observe(now.since(began));
                }
            }
            WorkerEvent::BeatMissed { .. } => self.tally.beats_missed.add(1),
            WorkerEvent::Settled { resubmitted: true, disposition, .. } => {
                self.tally.resubmitted.add(disposition.name());
            }
            // Also what is newer than this table: nothing to count yet.
            WorkerEvent::Settled { .. }
            | WorkerEvent::Dismissed { .. }
            | WorkerEvent::BeatRecovered
            | WorkerEvent::CandidateLost { .. }
            | WorkerEvent::Stalled { .. }
            | WorkerEvent::ResultKept { .. }
            | WorkerEvent::HandedBack { .. }
            | _ => {}
        }
    }

    fn link(&mut self, now: Instant, Transition { from, to, reason }: Transition) {
        match to {
            State::Active => {
                let began = {
                    let mut outages = self.tally.lock();
                    outages.closed = outages.total(now);
                    outages.since.take()
                };
                if self.was_active
                    && let Some(began) = began
                {
                    let kind = if self.resumed { "resumed" } else { "new_session" };
                    self.tally.reconnection_successes.add(kind);
                    self.tally.outage.observe(now.since(began));
                }
                self.was_active = true;
            }
            State::Disconnected | State::Failed | State::Shutdown => {
                if from == State::Active {
                    self.lost(now);
                    if let Some(reason) = reason.filter(|_| to != State::Shutdown) {
                        self.tally.disconnects.add(reason.name());
                    }
                }
                if let (State::Failed, Some(reason)) = (to, reason) {
                    self.tally.reconnection_failures.add(reason.name());
                }
                if let Some(began) = self.dialling.take() {
                    self.tally.not_connected.observe(now.since(began));
                }
            }
            State::Connecting | State::Registered => {
                if from == State::Active {
                    self.lost(now);
                    // Without a reason of a loss: another connection took over, in a new session.
                    let reason = reason.unwrap_or(Reason::Moved);
                    self.tally.disconnects.add(reason.name());
                }
            }
        }
    }

    fn lost(&self, now: Instant) {
        self.tally.lock().since.get_or_insert(now);
    }

    /// What moves with heartbeats, once a turn.
    pub(crate) fn look(&mut self, link: &LinkSnapshot, held: [(u32, u64); 2], resent: u64) {
        self.tally.resent.reaches(resent);
        for (outbox, (messages, bytes)) in self.tally.outbox.iter().zip(held) {
            outbox.messages.store(messages, Ordering::Relaxed);
            outbox.bytes.store(bytes, Ordering::Relaxed);
        }
        if link.last_proven != self.last_proven {
            self.last_proven = link.last_proven;
            if let Some(rtt) = link.rtt {
                self.tally.round_trip.observe(rtt);
            }
        }
    }

    pub(crate) fn beats_sent(&self, count: u64) {
        if count > 0 {
            self.tally.beats_sent.add(count);
        }
    }

    pub(crate) fn task_ended(&self, handler: &Name, how: Outcome, took: Duration) {
        let all = &self.tally.handlers;
        if let Ok(at) = all.binary_search_by(|(name, _)| name.cmp(handler)) {
            let (_, tally) = &all[at];
            tally.finished.add(outcome(how));
            tally.duration.observe(took);
        }
    }
}

#[cfg(test)]
mod tests;
