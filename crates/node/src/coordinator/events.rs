//! What happens to workers and to the coordinator is written down by the store, as far as it keeps up.
//!
//! An event is worth less than what it tells of: while the store is behind at most so many wait for
//! it, further ones are only counted, and one event says how many were left out.

use std::time::Duration;

use moorline_link::{Instant, Reason, WorkerId};
use moorline_work::Disposition;

use super::CoordinatorNode;
use super::storage::Pending;
use crate::frame::convert;
use crate::{Detail, Event, EventKind, Name, StoreOp};

/// Events that wait for the store, at most.
const WAITING_MAX: u32 = 1_024;
/// After some were left out the next ones are taken when no more than so many wait.
const WAITING_AGAIN: u32 = 512;

/// Refusals written down at once; strangers cannot push everything else out of the store.
const REFUSALS: u32 = 60;
/// One more may be written down after each of these.
const REFUSAL_EVERY: Duration = Duration::from_secs(1);

/// How many events wait, and how many were left out.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Events {
    waiting: u32,
    dropped: u64,
    refusals: Refusals,
}

/// A bucket that is emptied at one rate.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Refusals {
    /// How many are in it, as of the time beside it.
    level: u32,
    at: Instant,
    /// Not written down since the last one that was.
    passed_over: u64,
}

impl Refusals {
    /// Whether this one is written down; then, how many before it were not.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let gone = now.since(self.at).as_nanos() / REFUSAL_EVERY.as_nanos();
        let gone = u32::try_from(gone).unwrap_or(u32::MAX);
        self.level = self.level.saturating_sub(gone);
        self.at = if self.level == 0 { now } else { self.at + REFUSAL_EVERY * gone };
        if self.level >= REFUSALS {
            self.passed_over += 1;
            return None;
        }
        self.level += 1;
        Some(std::mem::take(&mut self.passed_over))
    }
}

impl Events {
    /// Whether one more may wait; if not it is counted as left out.
    fn take(&mut self) -> bool {
        let most = if self.dropped > 0 { WAITING_AGAIN } else { WAITING_MAX };
        let takes = self.waiting < most;
        if takes {
            self.waiting += 1;
        } else {
            self.dropped += 1;
        }
        takes
    }

    /// One of them is durable.
    pub(super) fn stored(&mut self) {
        self.waiting -= 1;
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> u32 {
        self.waiting
    }
}

impl CoordinatorNode {
    /// Writes down what happened, if the store keeps up.
    pub(super) fn record(&mut self, event: Event) {
        self.record_dropped();
        if self.events.take() {
            self.write_down(event);
        }
    }

    /// The same about a worker that is known.
    pub(super) fn record_of(&mut self, worker: WorkerId, event: Event) {
        let name = self.workers.get(&worker).map(|file| file.known.name.clone());
        self.record(Event { worker: Some(convert::worker(worker)), name, ..event });
    }

    /// A registration was refused.
    pub(super) fn record_refused(&mut self, name: Option<Name>, reason: Reason) {
        let Some(passed_over) = self.events.refusals.take(self.now) else { return };
        let detail = (passed_over > 0).then(|| format!("after {passed_over} more in short order"));
        self.record(Event {
            name,
            reason: Some(reason),
            detail: detail.as_deref().map(Detail::new),
            ..Event::new(EventKind::WorkerRefused)
        });
    }

    /// What became of a result, if that is news: of the others the store writes down the end of the task.
    pub(super) fn record_settled(
        &mut self,
        worker: WorkerId,
        key: moorline_work::TaskKey,
        disposition: Disposition,
    ) {
        let word = match disposition {
            Disposition::Accepted => return,
            Disposition::LateAccepted
            | Disposition::Duplicate
            | Disposition::Stale
            | Disposition::Unknown => disposition.name(),
        };
        let event = Event {
            task: Some(key.task),
            attempt: Some(key.attempt),
            detail: Some(Detail::new(word)),
            ..Event::new(EventKind::TaskResultSettled)
        };
        self.record_of(worker, event);
    }

    /// Says how many events were left out, once there is room again.
    pub(super) fn record_dropped(&mut self) {
        let dropped = self.events.dropped;
        if dropped == 0 || self.events.waiting >= WAITING_AGAIN {
            return;
        }
        self.events.dropped = 0;
        self.events.waiting += 1;
        let detail = Detail::new(&format!("{dropped} events were left out"));
        self.write_down(Event { detail: Some(detail), ..Event::new(EventKind::EventsDropped) });
    }

    fn write_down(&mut self, event: Event) {
        let op = StoreOp::Event { at_millis: None, event };
        let action = self.storage.hand_out(op, Pending::of_event());
        self.out.push_back(action);
    }
}
