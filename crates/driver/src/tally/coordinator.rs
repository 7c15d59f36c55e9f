//! What a coordinator's loop and its store's thread count.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use moorline_link::{Admissions, Instant, Reason};
use moorline_node::{CoordinatorEvent, CoordinatorNode};

use super::histogram::{DISK, LAG, OUTAGE, QUEUE};
use super::{Count, Counts, Histogram, Pulse};
use crate::coordinator::peer::Peer;
use crate::log;

/// What a coordinator's loop and its store's thread have counted.
///
/// ```no_run
/// # fn example(coordinator: &moorline_driver::CoordinatorHandle) {
/// let tally = coordinator.tally();
/// println!("{} tasks submitted in this life", tally.submitted.get());
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct CoordinatorTally {
    /// The loop's sign of life.
    pub pulse: Pulse,
    /// How late the loop was for what was due.
    pub lag: Histogram,
    /// Refused registrations, by reason.
    pub rejections: Counts,
    /// Connections of workers that ended, by reason.
    pub disconnects: Counts,
    /// Outages of workers as this coordinator saw them: from the loss of an active session until the
    /// worker was active again.
    pub outage: Histogram,
    /// Registrations that were put off: those that were to be let in but for the crowd, by why.
    pub admission_rejections: Counts,
    /// Admission tickets: `given` to those, and `used` by them in their time.
    pub admission_tickets: Counts,
    /// Numbered messages to workers that were sent again on a new connection.
    pub resent: Count,
    /// Workers whose leases were given away.
    pub lost: Count,
    /// Heartbeats that arrived.
    pub beats_received: Count,
    /// Tasks that were submitted, durably.
    pub submitted: Count,
    /// Tasks that ended, durably, by how.
    pub finished: Counts,
    /// Attempts that went back to the queue without a result.
    pub reassignments: Count,
    /// For how many nanoseconds attempts held their tasks that came to nothing, from the lease to its
    /// end, by why.
    pub work_lost: Counts,
    /// Results, by what became of them.
    pub results: Counts,
    /// How long tasks waited from their submission until they were given out for the first time.
    pub queue_latency: Histogram,
    /// How long the store took to commit a batch, also in vain.
    pub commits: Histogram,
    /// What the store failed to do: `commit` or `prune`.
    pub store_errors: Counts,
    /// Connections that came to nothing, by transport and reason.
    refused: Mutex<BTreeMap<String, Counts>>,
    /// Registrations by transport: of new sessions, and of resumed ones.
    sessions: Mutex<BTreeMap<String, [u64; 2]>>,
    recovered: AtomicBool,
    leaving: AtomicBool,
    /// When the commit that is under way began, in nanoseconds; 0: none is.
    committing_since: AtomicU64,
    /// Milliseconds between two summaries of a failure that lasts.
    repeat_every: AtomicU64,
}

/// The words for how a task ended.
pub(super) const ENDS: [&str; 4] = ["succeeded", "failed", "cancelled", "dead"];

/// Why the work of an attempt is lost: its worker was lost or came back without it, its handler failed
/// and may try again.
pub(super) const LOSSES: [&str; 2] = ["worker_lost", "retried"];

/// The words for why a registration is put off.
const PUT_OFF: [&str; 4] = {
    let [rate, handshakes, horizon, unheard] = Admissions::NONE.by_reason();
    [rate.0, handshakes.0, horizon.0, unheard.0]
};

impl Default for CoordinatorTally {
    fn default() -> Self {
        Self {
            pulse: Pulse::default(),
            lag: Histogram::new(LAG),
            rejections: Counts::by_reason(),
            disconnects: Counts::by_reason(),
            outage: Histogram::new(OUTAGE),
            admission_rejections: Counts::new(&PUT_OFF),
            admission_tickets: Counts::new(&["given", "used"]),
            resent: Count::default(),
            lost: Count::default(),
            beats_received: Count::default(),
            submitted: Count::default(),
            finished: Counts::new(&ENDS),
            reassignments: Count::default(),
            work_lost: Counts::new(&LOSSES),
            results: Counts::new(&log::DISPOSITIONS),
            queue_latency: Histogram::new(QUEUE),
            commits: Histogram::new(DISK),
            store_errors: Counts::new(&["commit", "prune"]),
            refused: Mutex::default(),
            sessions: Mutex::default(),
            recovered: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            committing_since: AtomicU64::new(0),
            repeat_every: AtomicU64::new(log::millis(log::REPEAT_EVERY)),
        }
    }
}

impl CoordinatorTally {
    /// What earlier lives left in the store has been read.
    #[must_use]
    pub fn is_recovered(&self) -> bool {
        self.recovered.load(Ordering::Relaxed)
    }

    /// It lets nobody in any more, because it is drained or stopped: it is not ready.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// For how long the commit that is under way has been, if one is: retries of one that fails count
    /// each for itself.
    #[must_use]
    pub fn committing_for(&self, now: Instant) -> Option<Duration> {
        match self.committing_since.load(Ordering::Relaxed) {
            0 => None,
            since => Some(now.since(Instant::from_nanos(since))),
        }
    }

    /// Registrations of new and of resumed sessions, by transport.
    #[must_use]
    pub fn sessions(&self) -> Vec<(String, [u64; 2])> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.iter().map(|(transport, counts)| (transport.clone(), *counts)).collect()
    }

    /// Those who were turned away before there was a connection, by transport and by why: of the reasons
    /// those that happened.
    ///
    /// ```
    /// assert!(moorline_driver::CoordinatorTally::default().refused_connections().is_empty());
    /// ```
    #[must_use]
    pub fn refused_connections(&self) -> Vec<(String, &'static str, u64)> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = |(transport, counts): (&String, &Counts)| -> Vec<_> {
            let happened = counts.iter().filter(|(_, count)| *count > 0);
            happened.map(|(reason, count)| (transport.clone(), reason, count)).collect()
        };
        refused.iter().flat_map(of_one).collect()
    }

    /// A listener turned somebody away.
    pub(crate) fn refuses(&self, transport: &str, reason: Reason) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        // As many as there are transports.
        refused.entry(transport.to_owned()).or_insert_with(Counts::by_reason).add(reason.name());
    }

    pub(crate) fn repeat_every(&self) -> Duration {
        Duration::from_millis(self.repeat_every.load(Ordering::Relaxed))
    }

    pub(crate) fn set_repeat_every(&self, every: Duration) {
        self.repeat_every.store(log::millis(every).max(1), Ordering::Relaxed);
    }

    pub(crate) fn leaves(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    pub(crate) fn commit_begins(&self, now: Instant) {
        self.committing_since.store(now.as_nanos().max(1), Ordering::Relaxed);
    }

    pub(crate) fn commit_ends(&self, took: Duration) {
        self.committing_since.store(0, Ordering::Relaxed);
        self.commits.observe(took);
    }

    /// What the machine counts by itself, once a turn.
    pub(crate) fn look(&self, node: &CoordinatorNode) {
        self.resent.reaches(node.resent());
        let admissions = node.admissions();
        for (reason, count) in admissions.by_reason() {
            self.admission_rejections.reaches(reason, count);
        }
        self.admission_tickets.reaches("given", admissions.tickets_given());
        self.admission_tickets.reaches("used", admissions.tickets_used);
    }

    pub(crate) fn event(&self, event: &CoordinatorEvent, peer: Option<&Peer>) {
        match event {
            CoordinatorEvent::Recovered { .. } => self.recovered.store(true, Ordering::Relaxed),
            CoordinatorEvent::Registered { resumed, .. } => {
                let transport = peer.map_or("unknown", |peer| &*peer.transport);
                let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
                match sessions.get_mut(transport) {
                    Some(counts) => counts[usize::from(*resumed)] += 1,
                    // As many as there are transports.
                    None => {
                        let counts = [u64::from(!*resumed), u64::from(*resumed)];
                        sessions.insert(transport.to_owned(), counts);
                    }
                }
            }
            CoordinatorEvent::Detached { reason, .. }
            | CoordinatorEvent::Departed { reason, .. } => {
                self.disconnects.add(reason.name());
            }
            CoordinatorEvent::Lost { .. } => self.lost.add(1),
            CoordinatorEvent::Refused { reason, .. } => self.rejections.add(reason.name()),
            CoordinatorEvent::Redelivered { .. } => self.reassignments.add(1),
            CoordinatorEvent::Settled { disposition, .. } => {
                self.results.add(disposition.name());
            }
            // Also what is newer than this table: nothing to count yet.
            CoordinatorEvent::Active { away: Some(away), .. } => self.outage.observe(*away),
            CoordinatorEvent::Active { away: None, .. }
            | CoordinatorEvent::Suspect { .. }
            | CoordinatorEvent::Assigned { .. }
            | CoordinatorEvent::Leaving { .. }
            | CoordinatorEvent::Stalled { .. }
            | _ => {}
        }
    }
}
