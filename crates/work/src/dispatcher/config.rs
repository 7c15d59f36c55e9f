//! What a [`Dispatcher`](crate::Dispatcher) can be set to.

use core::time::Duration;

/// Settings as a person writes them; [`DispatcherConfig::new`] makes a [`DispatcherConfig`] of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DispatcherSettings {
    /// A detached worker's leases are given away this long after its last frame. More than zero,
    /// and above a worker's longest backoff plus its connect and register timeouts, else each long
    /// outage does work twice (P63). Default 90 s.
    pub lost_after: Duration,
    /// Nothing recovered from the store is given away this long after the start, nor before
    /// `lost_after` (P59). Default 120 s.
    pub start_grace: Duration,
    /// An assignment that was handed over is to be accepted in this time, else it is revoked (P55);
    /// also how long a worker that refused for want of a slot is left alone (P07). More than zero.
    /// Default 10 s.
    pub accept_timeout: Duration,
    /// A worker that is active and took in a question about a task (a revoke, and in the end a cancel)
    /// answers it in this time, else its session is ended and its inventory decides. More than zero,
    /// and above the time after which a silent worker is disconnected, so that a path that is broken is
    /// known for that. Default 30 s.
    pub answer_timeout: Duration,
    /// Attempts that were accepted and lost before the task is dead (P62): at least 1. Default 3.
    pub lost_cap: u32,
    /// Redelivery waits when more than this percentage of the workers vanished together (P60): at
    /// most 100, which turns the guard off. Default 55.
    pub guard_percent: u8,
    /// The guard needs at least this many workers. Default 3.
    pub guard_min_workers: u32,
    /// Queued tasks of one handler held in memory at most: at least 1. Default 256.
    pub window: u32,
    /// Leases of one worker whose assignment has not left this machine: with so many it gets no more
    /// before it has taken delivery of one. Default 1,024.
    pub undelivered_tasks: u32,
    /// The same in bytes of their payloads: with so many it gets no more. Default 16 MiB. One that
    /// has taken delivery of everything always gets one task, however large.
    pub undelivered_bytes: u64,
    /// With so many bytes undelivered to all workers together, only those get a task that have taken
    /// delivery of everything. Default 256 MiB.
    pub undelivered_bytes_in_all: u64,
}

impl Default for DispatcherSettings {
    fn default() -> Self {
        Self {
            lost_after: Duration::from_secs(90),
            start_grace: Duration::from_secs(120),
            accept_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
            lost_cap: 3,
            guard_percent: 55,
            guard_min_workers: 3,
            window: 256,
            undelivered_tasks: 1_024,
            undelivered_bytes: 16 << 20,
            undelivered_bytes_in_all: 256 << 20,
        }
    }
}

/// Settings of a [`Dispatcher`](crate::Dispatcher) that make sense.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct DispatcherConfig {
    settings: DispatcherSettings,
}

impl DispatcherConfig {
    /// Parses settings.
    ///
    /// ```
    /// use moorline_work::{DispatcherConfig, DispatcherConfigError, DispatcherSettings};
    ///
    /// assert!(DispatcherConfig::new(DispatcherSettings::default()).is_ok());
    ///
    /// let settings = DispatcherSettings { guard_percent: 155, ..Default::default() };
    /// let error = DispatcherConfig::new(settings).unwrap_err();
    /// assert_eq!(error, DispatcherConfigError::GuardAboveAll { percent: 155 });
    /// ```
    ///
    /// # Errors
    /// A setting outside its range; the error names it and carries the figure.
    pub fn new(settings: DispatcherSettings) -> Result<Self, DispatcherConfigError> {
        let zeros = [
            ("lost_after", settings.lost_after.is_zero()),
            ("accept_timeout", settings.accept_timeout.is_zero()),
            ("answer_timeout", settings.answer_timeout.is_zero()),
            ("lost_cap", settings.lost_cap == 0),
            ("window", settings.window == 0),
        ];
        if let Some(&(setting, _)) = zeros.iter().find(|(_, is_zero)| *is_zero) {
            return Err(DispatcherConfigError::Zero { setting });
        }
        if settings.guard_percent > 100 {
            return Err(DispatcherConfigError::GuardAboveAll { percent: settings.guard_percent });
        }
        Ok(Self { settings })
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &DispatcherSettings {
        &self.settings
    }

    /// How long recovered leases stand after the start.
    pub(super) fn recovered_grace(&self) -> Duration {
        self.settings.start_grace.max(self.settings.lost_after)
    }

    /// How many tasks a window holds at most.
    pub(super) fn window(&self) -> usize {
        usize::try_from(self.settings.window).unwrap_or(usize::MAX)
    }
}

/// Why settings were not taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum DispatcherConfigError {
    /// A setting that must not be zero is.
    Zero {
        /// Which.
        setting: &'static str,
    },
    /// More than all workers cannot vanish.
    GuardAboveAll {
        /// `guard_percent`.
        percent: u8,
    },
}

impl core::fmt::Display for DispatcherConfigError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Zero { setting } => write!(f, "{setting} must not be zero"),
            Self::GuardAboveAll { percent } => {
                write!(f, "guard_percent ({percent}) is above 100")
            }
        }
    }
}

impl core::error::Error for DispatcherConfigError {}
