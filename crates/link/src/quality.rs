//! When a connection that stands is not a good one: limits, and what is beyond them.

use core::time::Duration;

use crate::ConfigError;

/// From when on a link that is active is called degraded. It ceases to be at a better level than it
/// began at, so that a value that plays around a limit is told once.
///
/// ```
/// use core::time::Duration;
/// use moorline_link::Quality;
///
/// let quality = Quality::new(800_000, Duration::from_millis(500))?;
/// assert_eq!(quality.stability_ppm(), 800_000);
/// assert!(Quality::new(1_000_001, Duration::from_secs(1)).is_err());
/// # Ok::<(), moorline_link::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Quality {
    stability_ppm: u32,
    round_trip: Duration,
}

impl Quality {
    /// Degraded below this stability of the recent past, in parts per million (default 700,000, and
    /// good again a third of the way from there to 1,000,000: at 800,000), and above this smoothed
    /// round trip (default 1 s, good again at half of it).
    ///
    /// An outbox is the third cause: at three quarters of its bound, good again below half.
    ///
    /// # Errors
    /// [`ConfigError::StabilityOutside`] above one million; [`ConfigError::TimeoutOutside`] for a
    /// round trip below 1 ms or above a day.
    pub fn new(stability_ppm: u32, round_trip: Duration) -> Result<Self, ConfigError> {
        if stability_ppm > 1_000_000 {
            return Err(ConfigError::StabilityOutside { ppm: stability_ppm });
        }
        let name = "longest good round trip";
        crate::config::within(name, round_trip, Duration::from_millis(1), crate::config::DAY)?;
        Ok(Self { stability_ppm, round_trip })
    }

    /// The lowest good stability, in parts per million.
    #[must_use]
    pub const fn stability_ppm(&self) -> u32 {
        self.stability_ppm
    }

    /// The longest good round trip.
    #[must_use]
    pub const fn round_trip(&self) -> Duration {
        self.round_trip
    }

    /// Below which stability it is degraded; `already`: it is.
    pub(crate) const fn stability_limit(&self, already: bool) -> u32 {
        let better = (1_000_000 - self.stability_ppm) / 3;
        if already { self.stability_ppm + better } else { self.stability_ppm }
    }

    /// Above which round trip it is degraded; `already`: it is.
    pub(crate) fn round_trip_limit(&self, already: bool) -> Duration {
        if already { self.round_trip / 2 } else { self.round_trip }
    }
}

impl Default for Quality {
    fn default() -> Self {
        Self { stability_ppm: 700_000, round_trip: Duration::from_secs(1) }
    }
}

/// What is bad about a link: none, some or all. Judged while it is active, with every regular beat,
/// and kept as it was while it is not.
///
/// ```
/// use moorline_link::Degraded;
///
/// let slow = Degraded { round_trip: true, ..Degraded::NOT };
/// assert!(slow.is_degraded());
/// assert!(slow.causes().eq(["round_trip"]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Degraded {
    /// It was down for too much of the recent past.
    pub stability: bool,
    /// Answers take too long.
    pub round_trip: bool,
    /// More waits to be sent than a good path lets wait.
    pub queue: bool,
}

impl Degraded {
    /// Nothing is bad.
    pub const NOT: Self = Self { stability: false, round_trip: false, queue: false };

    /// Anything is bad.
    #[must_use]
    pub fn is_degraded(self) -> bool {
        self != Self::NOT
    }

    /// The causes in words: `stability`, `round_trip`, `queue`.
    pub fn causes(self) -> impl Iterator<Item = &'static str> {
        let all =
            [(self.stability, "stability"), (self.round_trip, "round_trip"), (self.queue, "queue")];
        all.into_iter().filter_map(|(is, name)| is.then_some(name))
    }
}
