//! What a hub is set to: parsed once, consistent from then on.

use core::num::{NonZeroU8, NonZeroU32};
use core::time::Duration;

use crate::{Features, LaneLimits, Versions};

/// The shortest heartbeat interval that can be configured: 10 ms.
const BEAT_FLOOR: Duration = Duration::from_millis(10);

/// What a [`Hub`](crate::Hub) can be set to; [`HubConfig::new`] makes a [`HubConfig`] of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct HubSettings {
    /// Protocol versions spoken. Default [`Versions::SPOKEN`].
    pub versions: Versions,
    /// Optional features offered, one bit each. Default [`Features::SPOKEN`].
    pub features: u64,
    /// A connection that said no Hello for this long is closed `register_timeout`. Default 10 s.
    pub register_timeout: Duration,
    /// A connection that is being closed has this long to take its last frame. Default 1 s.
    pub farewell_timeout: Duration,
    /// The incumbent of an identity has this long to answer when another process claims it (P40).
    /// Default 1 s.
    pub take_over_probe: Duration,
    /// Shortest heartbeat interval assigned, whatever a worker wishes; at least 10 ms. Default 1 s.
    pub beat_min: Duration,
    /// Longest heartbeat interval assigned; never more than `lost_after / 6` either. Default 15 s.
    pub beat_max: Duration,
    /// Heartbeats per second the coordinator takes from all workers together: with more workers the
    /// intervals grow. Default 2,000, a few per cent of a core; 5 s beats of 10,000 workers.
    pub beat_rate: NonZeroU32,
    /// A worker not heard for this long is suspect; never less than two of its heartbeat intervals.
    /// Default 10 s.
    pub suspect_after: Duration,
    /// A worker not heard for this long is disconnected; never less than three of its heartbeat
    /// intervals. Default 15 s.
    pub disconnect_after: Duration,
    /// A connection that takes no packets for this long is ended `flow_stalled`; never before its worker
    /// would be disconnected for silence. Default 15 s.
    pub flow_timeout: Duration,
    /// A worker that acknowledges none of the messages it was sent for this long is disconnected
    /// `flow_stalled`: a worker acknowledges at once what it has processed. While a full connection
    /// still takes packets, the time begins anew. Default 30 s.
    pub ack_timeout: Duration,
    /// What workers are told of how long their work stays theirs without contact. Default 90 s.
    pub lost_after: Duration,
    /// The hub being run later than asked for by more than this is its own stall. Default 1 s.
    pub stall_threshold: Duration,
    /// The hub asks to be run at least this often, so that its own stalls are measured. Default 1 s.
    pub pulse: Duration,
    /// Connections that may wait for their Hello at a time; more are closed at once. Default 1,024.
    pub max_greeting: u32,
    /// Workers known at a time before newcomers are refused `coordinator_overloaded`; those that the
    /// embedder expects count, but are never refused. Default 100,000.
    pub max_workers: u32,
    /// A worker that is lost, departed, or expected and never seen is forgotten after this time;
    /// earlier, the longest gone first, when `max_workers` are known and another one comes (not those
    /// that are expected). Default 24 h.
    pub forget_after: Duration,
    /// A worker that loses so many connections within `flap_window` is reported; more than 16 count
    /// as 16. Default 5.
    pub flap_losses: NonZeroU8,
    /// See `flap_losses`. Default 10 min.
    pub flap_window: Duration,
    /// Items an inventory may have. Default 65,536.
    pub max_inventory: u32,
    /// Registrations per second the coordinator takes when a fleet comes back; 64 may come at once.
    /// Who comes too early is refused with a reserved slot (P90), and workers are told to spread their
    /// first dial over `connected workers / rate`, at most 10 min (P03). Default: measured, between
    /// 200 and 5,000.
    pub registration_rate: RegistrationRate,
    /// Workers that were welcomed and are not active yet, at a time, before others are given a later
    /// slot; more if more than twice as many register in a second. One that takes longer than
    /// `register_timeout` does not count any more. Default 64.
    pub max_handshakes: NonZeroU32,
    /// Bounds of each lane of each session.
    pub lanes: LaneLimits,
}

/// How many registrations per second a coordinator takes.
///
/// ```
/// use core::num::NonZeroU32;
/// use moorline_link::{HubConfig, HubSettings, RegistrationRate};
///
/// let rate = RegistrationRate::Fixed(NonZeroU32::MIN.saturating_add(499));
/// let settings = HubSettings { registration_rate: rate, ..HubSettings::default() };
/// assert!(HubConfig::new(settings).is_ok());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RegistrationRate {
    /// So many.
    Fixed(NonZeroU32),
    /// Half of what was measured ([`HubInput::Measured`](crate::HubInput)), between these bounds; the
    /// lower one until something was measured.
    Measured {
        /// At least so many.
        min: NonZeroU32,
        /// At most so many.
        max: NonZeroU32,
    },
}

impl Default for RegistrationRate {
    fn default() -> Self {
        let one = NonZeroU32::MIN;
        Self::Measured { min: one.saturating_add(199), max: one.saturating_add(4_999) }
    }
}

impl Default for HubSettings {
    fn default() -> Self {
        Self {
            versions: Versions::SPOKEN,
            features: Features::SPOKEN,
            register_timeout: Duration::from_secs(10),
            farewell_timeout: Duration::from_secs(1),
            take_over_probe: Duration::from_secs(1),
            beat_min: Duration::from_secs(1),
            beat_max: Duration::from_secs(15),
            beat_rate: NonZeroU32::MIN.saturating_add(1_999),
            suspect_after: Duration::from_secs(10),
            disconnect_after: Duration::from_secs(15),
            flow_timeout: Duration::from_secs(15),
            ack_timeout: Duration::from_secs(30),
            lost_after: Duration::from_secs(90),
            stall_threshold: Duration::from_secs(1),
            pulse: Duration::from_secs(1),
            max_greeting: 1_024,
            max_workers: 100_000,
            forget_after: Duration::from_secs(24 * 3_600),
            flap_losses: NonZeroU8::MIN.saturating_add(4),
            flap_window: Duration::from_secs(600),
            max_inventory: 65_536,
            registration_rate: RegistrationRate::default(),
            max_handshakes: NonZeroU32::MIN.saturating_add(63),
            lanes: LaneLimits::default(),
        }
    }
}

impl HubSettings {
    /// The defaults for this `lost_after`: below 90 s, what depends on it shrinks in proportion
    /// (disconnected after a sixth, suspect after a ninth, beats between a ninetieth and a sixth).
    ///
    /// ```
    /// use core::time::Duration;
    /// use moorline_link::{HubConfig, HubSettings};
    ///
    /// let settings = HubSettings::for_lost_after(Duration::from_secs(9));
    /// assert_eq!(settings.disconnect_after, Duration::from_millis(1_500));
    /// assert_eq!(settings.beat_min, Duration::from_millis(100));
    /// assert!(HubConfig::new(settings).is_ok());
    /// ```
    #[must_use]
    pub fn for_lost_after(lost_after: Duration) -> Self {
        let defaults = Self::default();
        let share = |parts: u32, most: Duration| (lost_after / parts).clamp(BEAT_FLOOR, most);
        Self {
            beat_min: share(90, defaults.beat_min),
            beat_max: share(6, defaults.beat_max),
            suspect_after: share(9, defaults.suspect_after),
            disconnect_after: share(6, defaults.disconnect_after),
            lost_after,
            ..defaults
        }
    }
}

/// The settings of a [`Hub`](crate::Hub), consistent with each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct HubConfig {
    settings: HubSettings,
}

impl HubConfig {
    /// Parses settings. `beat_max` is lowered to `lost_after / 6`.
    ///
    /// ```
    /// use core::time::Duration;
    /// use moorline_link::{HubConfig, HubConfigError, HubSettings};
    ///
    /// let second = Duration::from_secs(1);
    /// let settings = HubSettings { suspect_after: 20 * second, ..HubSettings::default() };
    /// let error = HubConfig::new(settings).unwrap_err();
    /// assert_eq!(
    ///     error,
    ///     HubConfigError::SuspectAboveDisconnect { suspect: 20 * second, disconnect: 15 * second }
    /// );
    /// ```
    ///
    /// # Errors
    /// Settings that only make sense together and do not; the error carries the figures.
    pub fn new(settings: HubSettings) -> Result<Self, HubConfigError> {
        let HubSettings { suspect_after, disconnect_after, lost_after, beat_min, .. } = settings;
        let timers = [
            ("register_timeout", settings.register_timeout),
            ("farewell_timeout", settings.farewell_timeout),
            ("take_over_probe", settings.take_over_probe),
            ("suspect_after", suspect_after),
            ("flow_timeout", settings.flow_timeout),
            ("ack_timeout", settings.ack_timeout),
            ("stall_threshold", settings.stall_threshold),
            ("pulse", settings.pulse),
            ("forget_after", settings.forget_after),
            ("flap_window", settings.flap_window),
        ];
        if let Some(&(setting, _)) = timers.iter().find(|(_, value)| value.is_zero()) {
            return Err(HubConfigError::Zero { setting });
        }
        let lanes = settings.lanes;
        if lanes.is_closed() {
            return Err(HubConfigError::LanesClosed { lanes });
        }
        let beat_max = settings.beat_max.min(lost_after / 6);
        if beat_min < BEAT_FLOOR || beat_min > beat_max {
            return Err(HubConfigError::BeatRange { min: beat_min, max: beat_max });
        }
        if let RegistrationRate::Measured { min, max } = settings.registration_rate
            && min > max
        {
            return Err(HubConfigError::RegistrationRates { min, max });
        }
        if suspect_after > disconnect_after {
            return Err(HubConfigError::SuspectAboveDisconnect {
                suspect: suspect_after,
                disconnect: disconnect_after,
            });
        }
        if disconnect_after > lost_after {
            return Err(HubConfigError::DisconnectAboveLost {
                disconnect: disconnect_after,
                lost: lost_after,
            });
        }
        Ok(Self { settings: HubSettings { beat_max, ..settings } })
    }

    /// The settings, as they are used.
    #[must_use]
    pub const fn settings(&self) -> &HubSettings {
        &self.settings
    }

    /// The heartbeat interval assigned to a worker that wishes for this one, when so many are
    /// connected: all their beats together stay at the rate that is allowed, as far as the longest
    /// interval allows it (P33).
    #[must_use]
    pub fn beat_interval(&self, wish: Duration, workers: usize) -> Duration {
        self.beat_interval_of(wish, self.beat_share(workers))
    }

    /// The interval at which the heartbeats of so many are as many as are allowed.
    pub(super) fn beat_share(&self, workers: usize) -> Duration {
        let workers = u32::try_from(workers).unwrap_or(u32::MAX);
        Duration::from_secs(1).saturating_mul(workers) / self.settings.beat_rate.get()
    }

    /// [`beat_interval`](Self::beat_interval) where the share is known.
    pub(super) fn beat_interval_of(&self, wish: Duration, share: Duration) -> Duration {
        wish.max(share).clamp(self.settings.beat_min, self.settings.beat_max)
    }

    /// Silence after which a worker with this heartbeat interval is suspect.
    #[must_use]
    pub fn suspect_after(&self, beat_interval: Duration) -> Duration {
        self.settings.suspect_after.max(beat_interval.saturating_mul(2))
    }

    /// Silence after which a worker with this heartbeat interval is disconnected.
    #[must_use]
    pub fn disconnect_after(&self, beat_interval: Duration) -> Duration {
        self.settings.disconnect_after.max(beat_interval.saturating_mul(3))
    }

    /// How long the connection of a worker with this heartbeat interval may take no packets.
    #[must_use]
    pub fn flow_timeout(&self, beat_interval: Duration) -> Duration {
        self.settings.flow_timeout.max(self.disconnect_after(beat_interval))
    }

    /// Over how long this many workers are to spread their first dial if so many can register in a
    /// second (none counts as one): near zero for a lone worker.
    #[must_use]
    pub fn first_window(&self, workers: usize, rate: u32) -> Duration {
        let workers = u32::try_from(workers).unwrap_or(u32::MAX);
        let spread = Duration::from_secs(1).saturating_mul(workers);
        (spread / rate.max(1)).min(Duration::from_secs(600))
    }
}

/// Settings that contradict each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum HubConfigError {
    /// A time that must not be zero is.
    Zero {
        /// Which setting.
        setting: &'static str,
    },
    /// Nothing could ever pass the lanes of a session.
    LanesClosed {
        /// Their limits.
        lanes: LaneLimits,
    },
    /// The shortest heartbeat interval is below 10 ms or above the longest one, which is at most
    /// `lost_after / 6`.
    BeatRange {
        /// Shortest interval.
        min: Duration,
        /// Longest interval.
        max: Duration,
    },
    /// The lowest rate of registrations is above the highest.
    RegistrationRates {
        /// Lowest.
        min: NonZeroU32,
        /// Highest.
        max: NonZeroU32,
    },
    /// A worker would be disconnected before it is suspect.
    SuspectAboveDisconnect {
        /// `suspect_after`.
        suspect: Duration,
        /// `disconnect_after`.
        disconnect: Duration,
    },
    /// A worker would be lost before it is disconnected.
    DisconnectAboveLost {
        /// `disconnect_after`.
        disconnect: Duration,
        /// `lost_after`.
        lost: Duration,
    },
}

impl core::fmt::Display for HubConfigError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Zero { setting } => write!(f, "{setting} must not be zero"),
            Self::LanesClosed { lanes } => write!(f, "nothing could pass lanes with {lanes:?}"),
            Self::BeatRange { min, max } => write!(
                f,
                "the shortest heartbeat interval ({min:?}) must be between {BEAT_FLOOR:?} and the \
                 longest ({max:?}, at most lost_after / 6)"
            ),
            Self::RegistrationRates { min, max } => {
                write!(f, "the lowest registration rate ({min}/s) is above the highest ({max}/s)")
            }
            Self::SuspectAboveDisconnect { suspect, disconnect } => {
                write!(f, "suspect_after ({suspect:?}) is above disconnect_after ({disconnect:?})")
            }
            Self::DisconnectAboveLost { disconnect, lost } => {
                write!(f, "disconnect_after ({disconnect:?}) is above lost_after ({lost:?})")
            }
        }
    }
}

impl core::error::Error for HubConfigError {}
