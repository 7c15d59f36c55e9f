//! Effective time: given time without the times in which this machine itself was not run.

use core::time::Duration;

use crate::Instant;

/// The clock on which a peer's silence is measured: its owner's own stalls do not count.
///
/// A machine that is run later than the deadline it had asked for, by more than a threshold (1 s by
/// default), was itself frozen, starved or suspended. Frames of its peers wait unread meanwhile, so
/// that time proves nothing about them (P27, P28): it is subtracted for ever. A machine that wants
/// stalls of any length measured to within a second must ask to be run at least once a second.
///
/// Effective time never goes back and never runs faster than given time.
///
/// ```
/// use core::time::Duration;
/// use moorline_link::{EffectiveClock, Instant};
///
/// let second = Duration::from_secs(1);
/// let start = Instant::ZERO;
/// let mut clock = EffectiveClock::new(start);
/// // Asked to be run after 1 s, and was run after 101 s: 100 s were its own.
/// let late = clock.advance(start + 101 * second, Some(start + second), second);
/// assert_eq!(late, Some(100 * second));
/// assert_eq!(clock.effective(start + 103 * second), start + 3 * second);
/// assert_eq!(clock.actual(start + 3 * second), start + 103 * second);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EffectiveClock {
    /// Effective time of the last advance.
    last: Instant,
    /// All own stalls together.
    stalled: Duration,
}

impl EffectiveClock {
    /// A clock on which effective time is given time, so far.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self { last: now, stalled: Duration::ZERO }
    }

    /// Given time as effective time, by the stalls known so far.
    #[must_use]
    pub fn effective(&self, now: Instant) -> Instant {
        now.before(self.stalled).max(self.last)
    }

    /// The given time at which this effective time is reached, if no further stall happens.
    #[must_use]
    pub fn actual(&self, effective: Instant) -> Instant {
        effective + self.stalled
    }

    /// Effective time of the last [`advance`](Self::advance).
    #[must_use]
    pub const fn last(&self) -> Instant {
        self.last
    }

    /// All own stalls together.
    #[must_use]
    pub const fn stalled(&self) -> Duration {
        self.stalled
    }

    /// What [`advance`](Self::advance) would find: the effective time, and the stall if there is
    /// one. Changes nothing.
    #[must_use]
    pub fn preview(
        &self,
        now: Instant,
        asked: Option<Instant>,
        threshold: Duration,
    ) -> (Instant, Option<Duration>) {
        let effective = self.effective(now);
        // What lies before the last run was accounted for then, whatever had been asked for.
        let due = asked.unwrap_or(Instant::FAR).max(self.last);
        if effective <= due {
            return (effective, None);
        }
        let late = effective.since(due);
        if late > threshold { (due, Some(late)) } else { (effective, None) }
    }

    /// The machine is run at `now`, and had asked to be run at `asked` (on the effective clock;
    /// `None` = it had not asked). Returns how late that is if it counts as a stall: above
    /// `threshold`.
    pub fn advance(
        &mut self,
        now: Instant,
        asked: Option<Instant>,
        threshold: Duration,
    ) -> Option<Duration> {
        let (effective, late) = self.preview(now, asked, threshold);
        self.last = effective;
        if let Some(late) = late {
            self.stalled = self.stalled.saturating_add(late);
        }
        late
    }
}

#[cfg(test)]
mod tests;
