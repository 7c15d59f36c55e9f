//! When to dial again: a pure function of policy, seed, attempt and the previous delay.

use core::time::Duration;

use crate::ConfigError;
use crate::time::saturating_nanos;

/// How the delay before a dial is spread, always inside the capped range (P02).
///
/// `cap` below is `min(max_delay, initial_delay * multiplier^(n-1))` of dial `n`. Kinds and names
/// follow "Exponential Backoff And Jitter" (AWS architecture blog, 2015).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Jitter {
    /// Exactly `cap`. Workers that were lost together come back together: for a single worker only.
    None,
    /// Uniform between `floor` and `cap`. The default, with a floor of 100 ms.
    Full {
        /// Shortest delay; at most the policy's initial delay.
        floor: Duration,
    },
    /// Uniform within `cap` plus or minus this fraction of it, but never above `max_delay`: at the
    /// cap the spread lies below it.
    Proportional {
        /// Parts per million, below 1,000,000: 200,000 is 20 %.
        ppm: u32,
    },
    /// Uniform between half of `cap` and `cap`.
    Equal,
    /// Uniform between `initial_delay` and three times the previous delay, at most `max_delay`.
    Decorrelated,
}

impl Jitter {
    /// The default: full, with a floor of 100 ms.
    pub const FULL: Self = Self::Full { floor: Duration::from_millis(100) };
}

/// What the first dial after a loss waits for; later ones follow the formula (P03).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum First {
    /// Uniform within the coordinator's hint; without one, within 1 s (or `max_delay`, if shorter).
    /// The default.
    Window,
    /// By the formula, as every other dial.
    Backoff,
    /// At once; the minimum spacing between two dials still holds (P07).
    Immediate,
}

/// A backoff policy. It holds no state and no randomness.
///
/// Defaults: 1 s initially, doubled each time, at most 60 s, full jitter, first dial by window.
///
/// ```
/// use core::time::Duration;
/// use moorline_link::{Backoff, First, Jitter};
///
/// let (base, cap) = (Duration::from_secs(1), Duration::from_secs(60));
/// let policy = Backoff::new(base, cap, 2_000, Jitter::None, First::Backoff)?;
/// let delays: Vec<u64> =
///     (1..=8).map(|n| policy.delay(7, n, Duration::ZERO).as_secs()).collect();
/// assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60]);
/// assert!(Backoff::new(cap, base, 2_000, Jitter::FULL, First::Window).is_err());
/// # Ok::<(), moorline_link::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Backoff {
    initial: u64,
    max: u64,
    multiplier: u32,
    jitter: Jitter,
    first: First,
}

/// What keeps a fleet apart while it comes back, as one of its workers knows it when it draws a delay.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Spread {
    /// Over how long the coordinator wants its fleet to come back. `None`: it never said.
    pub window: Option<Duration>,
    /// How long it has lasted: all times without a connection since the last stable one.
    pub lasted: Duration,
}

/// Fixed point of the growth factor: 1.0 is 10^9. With the bounds of the constructor no factor that
/// matters reaches 2^64, and whole multipliers stay exact.
const ONE: u128 = 1_000_000_000;
/// Parts per million in one.
const MILLION: u64 = 1_000_000;

impl Backoff {
    /// Shortest initial delay: 1 ms.
    pub const INITIAL_MIN: Duration = Duration::from_millis(1);
    /// Longest delay: 7 days.
    pub const MAX_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);
    /// Smallest and largest multiplier in thousandths: 1.0 and 1,000.0.
    pub const MULTIPLIER: (u32, u32) = (1_000, 1_000_000);
    /// Width of the first window where the coordinator gave no hint: 1 s.
    pub const FIRST_WINDOW: Duration = Duration::from_secs(1);

    /// A policy of delays from `initial` to `max` that grow by `multiplier` thousandths.
    ///
    /// # Errors
    /// [`ConfigError`] with the offending numbers.
    pub fn new(
        initial: Duration,
        max: Duration,
        multiplier: u32,
        jitter: Jitter,
        first: First,
    ) -> Result<Self, ConfigError> {
        if initial < Self::INITIAL_MIN {
            return Err(ConfigError::BackoffBaseTooShort { base: initial, min: Self::INITIAL_MIN });
        }
        if initial > max {
            return Err(ConfigError::BackoffBaseAboveCap { base: initial, cap: max });
        }
        if max > Self::MAX_MAX {
            return Err(ConfigError::BackoffCapTooLong { cap: max, max: Self::MAX_MAX });
        }
        let (min, max_multiplier) = Self::MULTIPLIER;
        if multiplier < min || multiplier > max_multiplier {
            return Err(ConfigError::BackoffMultiplier { multiplier, min, max: max_multiplier });
        }
        match jitter {
            Jitter::Full { floor } if floor > initial => {
                return Err(ConfigError::JitterFloorAboveBase { floor, base: initial });
            }
            Jitter::Proportional { ppm } if u64::from(ppm) >= MILLION => {
                return Err(ConfigError::JitterTooWide { ppm });
            }
            Jitter::None
            | Jitter::Full { .. }
            | Jitter::Proportional { .. }
            | Jitter::Equal
            | Jitter::Decorrelated => {}
        }
        let (initial, max) = (saturating_nanos(initial), saturating_nanos(max));
        Ok(Self { initial, max, multiplier, jitter, first })
    }

    /// The delay of the first retry before growth.
    #[must_use]
    pub const fn initial_delay(&self) -> Duration {
        Duration::from_nanos(self.initial)
    }

    /// The longest delay of the formula.
    #[must_use]
    pub const fn max_delay(&self) -> Duration {
        Duration::from_nanos(self.max)
    }

    /// How delays are spread.
    #[must_use]
    pub const fn jitter(&self) -> Jitter {
        self.jitter
    }

    /// What the first dial waits for.
    #[must_use]
    pub const fn first(&self) -> First {
        self.first
    }

    /// The delay before dial `attempt` (from 1) by the formula. Only [`Jitter::Decorrelated`] reads
    /// `previous`. Defined for every attempt up to `u32::MAX` (P01), never above
    /// [`Backoff::max_delay`], and the same for the same arguments.
    #[must_use]
    pub fn delay(&self, seed: u64, attempt: u32, previous: Duration) -> Duration {
        self.delay_with(Spread::default(), seed, attempt, previous)
    }

    /// The same for one worker of a fleet that a coordinator wants to come back over a window. With
    /// [`First::Window`] and [`Jitter::Full`] the delay
    ///
    /// - is at least half of the window, and drawn from a range that reaches to its end, both up to
    ///   [`Backoff::max_delay`]: else the dials of those who found nobody would pile up upon the first
    ///   dials of the others;
    /// - is no longer than the outage has lasted, the initial delay, or the window, whichever is longest:
    ///   else a few short delays in a row would be followed by one that is far longer than the outage.
    ///
    /// ```
    /// use core::time::Duration;
    /// use moorline_link::{Backoff, Spread};
    ///
    /// let second = Duration::from_secs(1);
    /// let spread = Spread { window: Some(50 * second), lasted: 3 * second };
    /// let delay = |seed| Backoff::default().delay_with(spread, seed, 2, second);
    /// assert!((0..100).map(delay).max().unwrap() > 40 * second);
    /// ```
    #[must_use]
    pub fn delay_with(
        &self,
        spread: Spread,
        seed: u64,
        attempt: u32,
        previous: Duration,
    ) -> Duration {
        let cap = self.cap(attempt);
        // Exact policies stay exact.
        let (window, longest) = match (self.first, spread.window) {
            (First::Window, Some(window)) => {
                (saturating_nanos(window).min(self.max), saturating_nanos(spread.lasted))
            }
            (First::Window, None) | (First::Backoff | First::Immediate, _) => (0, u64::MAX),
        };
        let (low, high) = match self.jitter {
            Jitter::None => (cap, cap),
            Jitter::Full { floor } => {
                let high = cap.min(longest.max(self.initial)).max(window);
                (saturating_nanos(floor).min(cap).max(window / 2), high)
            }
            Jitter::Proportional { ppm } => {
                let share = u128::from(cap) * u128::from(ppm) / u128::from(MILLION);
                // A fraction below one of a u64 fits.
                let spread = u64::try_from(share).unwrap_or(cap);
                (cap - spread, cap.saturating_add(spread).min(self.max))
            }
            Jitter::Equal => (cap / 2, cap),
            Jitter::Decorrelated => {
                let previous = saturating_nanos(previous).clamp(self.initial, self.max);
                (self.initial, previous.saturating_mul(3).min(self.max))
            }
        };
        Duration::from_nanos(draw(seed, attempt, low, high))
    }

    /// The delay before the first dial after a loss. `window` is the coordinator's hint.
    #[must_use]
    pub fn first_delay(&self, seed: u64, window: Option<Duration>) -> Duration {
        match self.first {
            First::Window => {
                let window = window.unwrap_or(Self::FIRST_WINDOW.min(self.max_delay()));
                #[cfg(moorline_planted = "LIVE-8")]
                let window = window / 1_000;
                Duration::from_nanos(draw(seed, 0, 0, saturating_nanos(window)))
            }
            First::Backoff => self.delay(seed, 1, Duration::ZERO),
            First::Immediate => Duration::ZERO,
        }
    }

    /// The delay where a quick retry cannot help ([`Retry::Slow`](crate::Retry::Slow)): the longest
    /// delay, and up to a quarter more so that workers refused together do not return together.
    #[must_use]
    pub fn slow_delay(&self, seed: u64, attempt: u32) -> Duration {
        let high = match self.jitter {
            Jitter::None => self.max,
            Jitter::Full { .. }
            | Jitter::Proportional { .. }
            | Jitter::Equal
            | Jitter::Decorrelated => self.max.saturating_add(self.max / 4),
        };
        Duration::from_nanos(draw(seed, attempt, self.max, high))
    }

    /// From this attempt on every delay is the same, whatever was drawn and waited before.
    pub(crate) fn is_settled(&self, attempt: u32) -> bool {
        let draws = match (self.jitter, self.first) {
            (Jitter::None, First::Backoff | First::Immediate) => false,
            (Jitter::None, First::Window)
            | (
                Jitter::Full { .. }
                | Jitter::Proportional { .. }
                | Jitter::Equal
                | Jitter::Decorrelated,
                First::Backoff | First::Immediate | First::Window,
            ) => true,
        };
        !draws && self.cap(attempt) == self.max
    }

    /// `min(max, initial * multiplier^(attempt-1))`, by squaring.
    fn cap(&self, attempt: u32) -> u64 {
        let limit = u128::from(u64::MAX);
        let mut exponent = attempt.saturating_sub(1);
        let mut base = u128::from(self.multiplier) * (ONE / 1_000);
        let mut factor = ONE;
        while exponent > 0 {
            if exponent & 1 == 1 {
                factor = (factor * base / ONE).min(limit);
            }
            base = (base * base / ONE).min(limit);
            exponent >>= 1;
        }
        let grown = u128::from(self.initial) * factor / ONE;
        u64::try_from(grown).unwrap_or(u64::MAX).min(self.max)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: 1_000_000_000,
            max: 60_000_000_000,
            multiplier: 2_000,
            jitter: Jitter::FULL,
            first: First::Window,
        }
    }
}

/// Uniform in `low..=high`, from a hash of seed and counter: there is no generator to carry along.
fn draw(seed: u64, counter: u32, low: u64, high: u64) -> u64 {
    #[cfg(moorline_planted = "SAFE-15")]
    static DRAWN: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(0);
    #[cfg(moorline_planted = "SAFE-15")]
    let seed = seed ^ DRAWN.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
    let hash = mix(mix(seed).wrapping_add(u64::from(counter)));
    let span = u128::from(high.saturating_sub(low)) + 1;
    let offset = u64::try_from((u128::from(hash) * span) >> 64).unwrap_or(u64::MAX);
    low.saturating_add(offset)
}

/// One step of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
pub(crate) const fn mix(x: u64) -> u64 {
    let z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
