//! Wall time for what is stored, which goes on whatever is done to the system's clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moorline_link::Instant;
use moorline_store::WallTime;

use crate::log;
use crate::runtime::Runtime;

/// The system's clock may be behind by this much for a moment (it is being corrected) without having
/// been set back: then the time stands still until it has caught up.
const CORRECTED_MILLIS: u64 = 2_000;
/// A clock that was set by more than this gets a line in the log.
const TOLD_MILLIS: u64 = 60_000;

/// Follows the system's clock, beside the clock that only goes on:
///
/// - *It never goes back*: a clock that was set back is left to itself, and the time goes on from
///   where it was. Else a retry that waits for its time would wait an hour longer because somebody
///   corrected the clock by an hour. After the process has ended the system's clock counts again.
/// - *A clock that is set forward is followed*, so that people read the right time. What is kept for a
///   while does not age by it at once: see [`Wall::aged`].
#[derive(Clone)]
pub(crate) struct Wall<R> {
    pub(crate) runtime: R,
    last: Arc<Mutex<Last>>,
}

/// The last reading.
struct Last {
    /// Of the clock that only goes on.
    at: Instant,
    wall: u64,
    aged: u64,
    /// What the system's clock would show, had nobody set it since the start, ...
    unset: u64,
    /// ... and by how many milliseconds it was set, as far as that was told.
    told: i64,
}

impl<R: Runtime> Wall<R> {
    pub(crate) fn new(runtime: R) -> Self {
        let wall = runtime.wall().0;
        let last = Last { at: runtime.now(), wall, aged: wall, told: 0, unset: wall };
        Self { runtime, last: Arc::new(Mutex::new(last)) }
    }

    /// The time now: what is written down.
    pub(crate) fn now(&self) -> WallTime {
        WallTime(self.read().0)
    }

    /// The time by which ages are judged: that of [`Wall::now`], but after a leap forward it catches up
    /// twice as fast as time passes. So a clock that is set forward by a year, rightly or by mistake,
    /// lets nothing go that has half of its time before it.
    pub(crate) fn aged(&self) -> WallTime {
        WallTime(self.read().1)
    }

    fn read(&self) -> (u64, u64) {
        let (system, at) = (self.runtime.wall().0, self.runtime.now());
        let (wall, aged, set) = {
            // Nothing panics under this lock.
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            let set = last.read(system, at);
            (last.wall, last.aged, set)
        };
        if let Some(set) = set {
            let by = Duration::from_millis(set.unsigned_abs());
            log::coordinator::clock_set(by, set > 0);
        }
        (wall, aged)
    }
}

impl Last {
    /// Takes in what both clocks show. Returns by how many milliseconds the system's was set since it
    /// was told the last time, if that is worth telling.
    fn read(&mut self, system: u64, at: Instant) -> Option<i64> {
        let passed = u64::try_from(at.since(self.at).as_millis()).unwrap_or(u64::MAX);
        // Parts of a millisecond are kept for the next reading.
        self.at = self.at + Duration::from_millis(passed);
        let is_set_back = self.wall.saturating_sub(system) > CORRECTED_MILLIS;
        self.wall =
            if is_set_back { self.wall.saturating_add(passed) } else { self.wall.max(system) };
        self.aged = self.aged.saturating_add(passed.saturating_mul(2)).min(self.wall);
        self.unset = self.unset.saturating_add(passed);
        let set = system.wrapping_sub(self.unset).cast_signed();
        let news = set.wrapping_sub(self.told);
        if news.unsigned_abs() <= TOLD_MILLIS {
            return None;
        }
        self.told = set;
        Some(news)
    }
}

#[cfg(test)]
mod tests;
