//! What a link is told before it runs. Every type here can only be built with values that make
//! sense: there is nothing to validate afterwards.

use core::fmt;
use core::time::Duration;

use crate::{Backoff, Lane, LaneLimits, Quality};

/// Longest timeout and interval that is accepted anywhere: 1 day.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Settings of a [`Link`](crate::Link). The default is what `docs` calls production.
///
/// ```
/// use core::time::Duration;
/// use moorline_link::{Heartbeat, LinkConfig, Reconnect};
///
/// let config = LinkConfig {
///     heartbeat: Heartbeat::new(Duration::from_secs(2), Duration::from_secs(6))?,
///     reconnect: Reconnect::default().max_attempts(10),
///     ..LinkConfig::default()
/// };
/// assert_eq!(config.heartbeat.misses(), 3);
/// assert!(Heartbeat::new(Duration::from_secs(2), Duration::from_secs(1)).is_err());
/// # Ok::<(), moorline_link::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct LinkConfig {
    /// Heartbeats and the hard timeout.
    pub heartbeat: Heartbeat,
    /// Coming back after a loss.
    pub reconnect: Reconnect,
    /// How long the steps of connecting and leaving may take.
    pub timeouts: Timeouts,
    /// Bounds of the lanes.
    pub lanes: Lanes,
    /// When a link that stands is called degraded.
    pub quality: Quality,
}

/// Heartbeat settings: what the worker wishes for, and what it lets a coordinator assign.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Heartbeat {
    interval: Duration,
    min: Duration,
    max: Duration,
    timeout: Duration,
    misses: u8,
}

impl Heartbeat {
    /// Shortest interval that is ever kept: 10 ms.
    pub const INTERVAL_MIN: Duration = Duration::from_millis(10);

    /// A wish for beats every `interval` (default 5 s), and a hard timeout of `timeout` (default
    /// 15 s) without any frame. A coordinator may assign 1 s to 15 s, or the wish if that is
    /// outside.
    ///
    /// # Errors
    /// [`ConfigError::HeartbeatIntervalOutside`] if the interval is below 10 ms or above a day,
    /// [`ConfigError::HeartbeatTimeoutBelowInterval`], [`ConfigError::TimeoutOutside`].
    pub fn new(interval: Duration, timeout: Duration) -> Result<Self, ConfigError> {
        let (min, max) = (Self::INTERVAL_MIN, DAY);
        if interval < min || interval > max {
            return Err(ConfigError::HeartbeatIntervalOutside { interval, min, max });
        }
        if timeout < interval {
            return Err(ConfigError::HeartbeatTimeoutBelowInterval { timeout, interval });
        }
        within("heartbeat timeout", timeout, interval, DAY)?;
        let standard = Self::default();
        Ok(Self {
            interval,
            min: standard.min.min(interval),
            max: standard.max.max(interval),
            timeout,
            ..standard
        })
    }

    /// Lets a coordinator assign intervals from `min` to `max`; others are clamped (P33).
    ///
    /// # Errors
    /// [`ConfigError::HeartbeatBounds`] if they are in the wrong order or below 10 ms or above a
    /// day, [`ConfigError::HeartbeatIntervalOutside`] if they exclude the wish.
    pub fn assignable(self, min: Duration, max: Duration) -> Result<Self, ConfigError> {
        if min < Self::INTERVAL_MIN || min > max || max > DAY {
            return Err(ConfigError::HeartbeatBounds { min, max });
        }
        if self.interval < min || self.interval > max {
            let interval = self.interval;
            return Err(ConfigError::HeartbeatIntervalOutside { interval, min, max });
        }
        Ok(Self { min, max, ..self })
    }

    /// Gives the connection up after this many beats in a row without an answer. Default 3.
    ///
    /// # Errors
    /// [`ConfigError::NoMisses`] for zero.
    pub fn with_misses(self, misses: u8) -> Result<Self, ConfigError> {
        if misses == 0 {
            return Err(ConfigError::NoMisses);
        }
        Ok(Self { misses, ..self })
    }

    /// The interval the worker wishes for.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// Beats in a row that may go unanswered, the last of which ends the connection.
    #[must_use]
    pub const fn misses(&self) -> u8 {
        self.misses
    }

    /// The shortest interval kept: of what a coordinator assigns, and of beats in doubt.
    #[must_use]
    pub const fn shortest(&self) -> Duration {
        self.min
    }

    /// What is kept of an assigned interval.
    #[must_use]
    pub fn clamp(&self, assigned: Duration) -> Duration {
        assigned.clamp(self.min, self.max)
    }

    /// The hard timeout at this interval: the configured one, or as long as all allowed misses take
    /// if that is longer.
    #[must_use]
    pub fn silence(&self, interval: Duration) -> Duration {
        self.timeout.max(interval.saturating_mul(u32::from(self.misses)))
    }
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            min: Duration::from_secs(1),
            max: Duration::from_secs(15),
            timeout: Duration::from_secs(15),
            misses: 3,
        }
    }
}

/// Coming back after a loss.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Reconnect {
    pub(crate) backoff: Backoff,
    pub(crate) auto: bool,
    pub(crate) stable_after: Duration,
    pub(crate) max_attempts: u32,
    pub(crate) give_up_after: Option<Duration>,
    pub(crate) max_first_window: Duration,
    pub(crate) min_spacing: Duration,
}

impl Reconnect {
    /// By this policy, with the defaults of everything else.
    #[must_use]
    pub fn new(backoff: Backoff) -> Self {
        Self { backoff, ..Self::default() }
    }

    /// Whether to come back at all. Default true. Off, the first loss or failed dial is final.
    #[must_use]
    pub const fn auto(self, auto: bool) -> Self {
        Self { auto, ..self }
    }

    /// The backoff is reset after the link was active for this long (P04). Default 30 s; the hard
    /// timeout, if that is longer, because a link that dies of silence was never stable.
    #[must_use]
    pub const fn stable_after(self, stable_after: Duration) -> Self {
        Self { stable_after, ..self }
    }

    /// Exactly so many dials after a loss, then `Failed` (P09). Default 0: without limit.
    #[must_use]
    pub const fn max_attempts(self, max_attempts: u32) -> Self {
        Self { max_attempts, ..self }
    }

    /// `Failed` when an outage lasts this long. Default none: without limit.
    #[must_use]
    pub const fn give_up_after(self, limit: Option<Duration>) -> Self {
        Self { give_up_after: limit, ..self }
    }

    /// Longest window for the first dial that a coordinator may set (P84). Default 10 min. Together
    /// with the policy's longest delay it also bounds every "come back after".
    #[must_use]
    pub const fn max_first_window(self, max_first_window: Duration) -> Self {
        Self { max_first_window, ..self }
    }

    /// Shortest time between two dials, whatever a policy, a coordinator or a caller says (P07).
    /// Default 100 ms.
    ///
    /// # Errors
    /// [`ConfigError::TimeoutOutside`] below 1 ms or above a day.
    pub fn min_spacing(self, min_spacing: Duration) -> Result<Self, ConfigError> {
        within("minimum spacing of dials", min_spacing, Duration::from_millis(1), DAY)?;
        Ok(Self { min_spacing, ..self })
    }

    /// The policy.
    #[must_use]
    pub const fn backoff(&self) -> &Backoff {
        &self.backoff
    }

    /// The limit of dials, 0 = none: what "Max reconnection attempts (N) reached" names.
    #[must_use]
    pub const fn attempts_allowed(&self) -> u32 {
        self.max_attempts
    }

    /// How long the link has to be active before the backoff is reset.
    #[must_use]
    pub const fn stability(&self) -> Duration {
        self.stable_after
    }

    /// The shortest time between two dials.
    #[must_use]
    pub const fn spacing(&self) -> Duration {
        self.min_spacing
    }

    /// The longest window for the first dial that a coordinator may set.
    #[must_use]
    pub const fn longest_first_window(&self) -> Duration {
        self.max_first_window
    }

    /// Longest wait a coordinator can ask for.
    #[must_use]
    pub fn longest_hint(&self) -> Duration {
        self.backoff.max_delay().max(self.max_first_window)
    }
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            auto: true,
            stable_after: Duration::from_secs(30),
            max_attempts: 0,
            give_up_after: None,
            max_first_window: Duration::from_secs(600),
            min_spacing: Duration::from_millis(100),
        }
    }
}

/// How long the steps of connecting and leaving may take. Each is 1 ms to 1 day.
///
/// ```
/// use core::time::Duration;
/// use moorline_link::Timeouts;
///
/// let second = Duration::from_secs(1);
/// let timeouts = Timeouts::new(3 * second, 5 * second, 30 * second, 5 * second)?;
/// assert_eq!(timeouts.connect(), 3 * second);
/// assert!(Timeouts::new(Duration::ZERO, second, second, second).is_err());
/// # Ok::<(), moorline_link::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) register: Duration,
    pub(crate) restore: Duration,
    pub(crate) goodbye: Duration,
}

impl Timeouts {
    /// `connect`: a dial with all its addresses (default 10 s, P13). `register`: the answer to the
    /// registration (10 s). `restore`: progress of the inventory (30 s). `goodbye`: writing the
    /// last frame (5 s, P47).
    ///
    /// # Errors
    /// [`ConfigError::TimeoutOutside`].
    pub fn new(
        connect: Duration,
        register: Duration,
        restore: Duration,
        goodbye: Duration,
    ) -> Result<Self, ConfigError> {
        let min = Duration::from_millis(1);
        within("connect timeout", connect, min, DAY)?;
        within("register timeout", register, min, DAY)?;
        within("restore timeout", restore, min, DAY)?;
        within("goodbye timeout", goodbye, min, DAY)?;
        Ok(Self { connect, register, restore, goodbye })
    }

    /// A dial with all its addresses.
    #[must_use]
    pub const fn connect(&self) -> Duration {
        self.connect
    }

    /// The answer to the registration.
    #[must_use]
    pub const fn register(&self) -> Duration {
        self.register
    }

    /// Progress of the inventory.
    #[must_use]
    pub const fn restore(&self) -> Duration {
        self.restore
    }

    /// Writing the last frame.
    #[must_use]
    pub const fn goodbye(&self) -> Duration {
        self.goodbye
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            register: Duration::from_secs(10),
            restore: Duration::from_secs(30),
            goodbye: Duration::from_secs(5),
        }
    }
}

/// Bounds of both lanes, both directions.
///
/// ```
/// use moorline_link::{Lane, LaneLimits, Lanes};
///
/// let small = LaneLimits { outbox_messages: 64, ..LaneLimits::default() };
/// let lanes = Lanes::new(small, LaneLimits::default())?;
/// assert_eq!(lanes.of(Lane::C).outbox_messages, 64);
/// # Ok::<(), moorline_link::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Lanes([LaneLimits; 2]);

impl Lanes {
    /// Limits of lane C and of lane B.
    ///
    /// # Errors
    /// [`ConfigError::LaneClosed`] if nothing could ever pass a lane.
    pub fn new(c: LaneLimits, b: LaneLimits) -> Result<Self, ConfigError> {
        for (lane, limits) in [(Lane::C, c), (Lane::B, b)] {
            if limits.is_closed() {
                return Err(ConfigError::LaneClosed { lane, limits });
            }
        }
        Ok(Self([c, b]))
    }

    /// The limits of this lane.
    #[must_use]
    pub const fn of(&self, lane: Lane) -> &LaneLimits {
        &self.0[lane.index()]
    }
}

/// Values that make no sense, with the numbers. Found before anything runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// The initial delay is longer than the longest one.
    BackoffBaseAboveCap {
        /// The initial delay.
        base: Duration,
        /// The longest delay.
        cap: Duration,
    },
    /// The initial delay is too short.
    BackoffBaseTooShort {
        /// The initial delay.
        base: Duration,
        /// The shortest accepted.
        min: Duration,
    },
    /// The longest delay is too long.
    BackoffCapTooLong {
        /// The longest delay.
        cap: Duration,
        /// The longest accepted.
        max: Duration,
    },
    /// The multiplier would shrink delays, or is absurd. All in thousandths.
    BackoffMultiplier {
        /// The multiplier.
        multiplier: u32,
        /// The smallest accepted.
        min: u32,
        /// The largest accepted.
        max: u32,
    },
    /// The jitter's floor lies above the delays it should spread.
    JitterFloorAboveBase {
        /// The floor.
        floor: Duration,
        /// The initial delay.
        base: Duration,
    },
    /// Proportional jitter of 100 % or more would allow a delay of zero.
    JitterTooWide {
        /// Parts per million.
        ppm: u32,
    },
    /// Bounds of the heartbeat interval in the wrong order or out of range.
    HeartbeatBounds {
        /// The lower bound.
        min: Duration,
        /// The upper bound.
        max: Duration,
    },
    /// The heartbeat interval is out of bounds.
    HeartbeatIntervalOutside {
        /// The interval.
        interval: Duration,
        /// The lower bound.
        min: Duration,
        /// The upper bound.
        max: Duration,
    },
    /// The hard timeout would pass before the first beat.
    HeartbeatTimeoutBelowInterval {
        /// The timeout.
        timeout: Duration,
        /// The interval.
        interval: Duration,
    },
    /// A share of more than all.
    StabilityOutside {
        /// Parts per million.
        ppm: u32,
    },
    /// A connection that may miss no beat at all never lives.
    NoMisses,
    /// A timeout is out of bounds.
    TimeoutOutside {
        /// Which.
        name: &'static str,
        /// The timeout.
        given: Duration,
        /// The lower bound.
        min: Duration,
        /// The upper bound.
        max: Duration,
    },
    /// Nothing could ever pass this lane.
    LaneClosed {
        /// The lane.
        lane: Lane,
        /// Its limits.
        limits: LaneLimits,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BackoffBaseAboveCap { base, cap } => {
                write!(f, "the initial delay {base:?} is longer than the longest delay {cap:?}")
            }
            Self::BackoffBaseTooShort { base, min } => {
                write!(f, "the initial delay {base:?} is shorter than {min:?}")
            }
            Self::BackoffCapTooLong { cap, max } => {
                write!(f, "the longest delay {cap:?} is longer than {max:?}")
            }
            Self::BackoffMultiplier { multiplier, min, max } => {
                write!(
                    f,
                    "the multiplier {multiplier}/1000 is not within {min}/1000 and {max}/1000"
                )
            }
            Self::JitterFloorAboveBase { floor, base } => {
                write!(f, "the jitter's floor {floor:?} is longer than the initial delay {base:?}")
            }
            Self::JitterTooWide { ppm } => {
                write!(f, "a proportional jitter of {ppm} ppm is not below 1000000 ppm")
            }
            Self::HeartbeatBounds { min, max } => {
                write!(f, "heartbeat intervals cannot be bounded by {min:?} and {max:?}")
            }
            Self::HeartbeatIntervalOutside { interval, min, max } => {
                write!(f, "the heartbeat interval {interval:?} is not within {min:?} and {max:?}")
            }
            Self::HeartbeatTimeoutBelowInterval { timeout, interval } => {
                write!(
                    f,
                    "the heartbeat timeout {timeout:?} is shorter than the interval {interval:?}"
                )
            }
            Self::StabilityOutside { ppm } => {
                write!(f, "a stability of {ppm} ppm is more than 1000000 ppm")
            }
            Self::NoMisses => f.write_str("at least one heartbeat must be allowed to be missed"),
            Self::TimeoutOutside { name, given, min, max } => {
                write!(f, "the {name} {given:?} is not within {min:?} and {max:?}")
            }
            Self::LaneClosed { lane, limits } => {
                write!(f, "nothing could pass lane {lane:?} with {limits:?}")
            }
        }
    }
}

impl core::error::Error for ConfigError {}

pub(crate) fn within(
    name: &'static str,
    given: Duration,
    min: Duration,
    max: Duration,
) -> Result<(), ConfigError> {
    if given < min || given > max {
        return Err(ConfigError::TimeoutOutside { name, given, min, max });
    }
    Ok(())
}
