//! The sign of life of a loop.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moorline_link::Instant;

/// Beats with every turn of a loop: who watches it learns that the loop is not stuck, without asking
/// it anything.
///
/// A loop sleeps as long as nothing happens, so its pulse means something only once it was told to
/// turn at least every so often (`pulse_every` of the handles).
///
/// ```
/// use std::time::Duration;
/// use moorline_link::Instant;
///
/// let pulse = moorline_driver::Pulse::default();
/// let now = Instant::from_nanos(5_000_000_000);
/// assert_eq!((pulse.turns(), pulse.age(now)), (0, Duration::from_secs(5)));
/// ```
#[derive(Debug, Default)]
pub struct Pulse {
    turns: AtomicU64,
    /// Nanoseconds on the runtime's clock.
    last: AtomicU64,
}

impl Pulse {
    /// Turns so far.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// How long ago the last turn began, on the clock of the loop's runtime.
    #[must_use]
    pub fn age(&self, now: Instant) -> Duration {
        now.since(self.last())
    }

    pub(crate) fn last(&self) -> Instant {
        Instant::from_nanos(self.last.load(Ordering::Relaxed))
    }

    pub(crate) fn beat(&self, now: Instant) {
        self.last.store(now.as_nanos(), Ordering::Relaxed);
        self.turns.fetch_add(1, Ordering::Relaxed);
    }
}
