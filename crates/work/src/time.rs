//! Time as a number: the machines never ask a clock.

use core::ops::Add;
use core::time::Duration;

/// Nanoseconds since an epoch the embedder chooses, on a clock that never goes back.
///
/// There is no `now()` and no conversion from `std::time::Instant`: the driver reads its clock and
/// passes the number in. Arithmetic saturates, so no deadline can overflow into the past.
///
/// ```
/// use core::time::Duration;
/// use moorline_work::Instant;
///
/// let start = Instant::from_nanos(5);
/// assert_eq!((start + Duration::from_nanos(2)).as_nanos(), 7);
/// assert_eq!(start.since(start + Duration::from_secs(1)), Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Instant(u64);

impl Instant {
    /// The embedder's epoch.
    pub const ZERO: Self = Self(0);
    /// Later than any deadline: 584 years after the epoch.
    pub const FAR: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it is later than `self`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// `self - duration`, not before the epoch.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(saturating_nanos(duration)))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(saturating_nanos(duration)))
    }
}

/// A duration in nanoseconds; durations above 584 years count as 584 years.
#[must_use]
pub(crate) fn saturating_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
