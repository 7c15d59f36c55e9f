//! The configurations of the machines, made of a plan's settings.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use moorline_link::{
    Backoff, ConfigError, First, Heartbeat, HubConfig, HubConfigError, HubSettings, Jitter,
    LaneLimits, Lanes, LinkConfig, Reconnect, RegistrationRate, Timeouts,
};
use moorline_work::{DispatcherConfig, DispatcherConfigError, DispatcherSettings};

use super::{MS, SEC, Settings};

/// Settings that the machines do not take.
///
/// ```
/// use moorline_sim::Plan;
///
/// let mut settings = Plan::new(7).settings;
/// assert_eq!(settings.is_fit(), Ok(()));
/// settings.beat = 0;
/// assert!(settings.is_fit().unwrap_err().to_string().contains("interval"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Unfit {
    /// The workers' links do not take them.
    Link(ConfigError),
    /// The coordinator's hub does not take them.
    Hub(HubConfigError),
    /// The coordinator's dispatcher does not take them.
    Dispatcher(DispatcherConfigError),
    /// So many registrations a second are none.
    NoRegistrations,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(error) => fmt::Display::fmt(error, f),
            Self::Hub(error) => fmt::Display::fmt(error, f),
            Self::Dispatcher(error) => fmt::Display::fmt(error, f),
            Self::NoRegistrations => {
                f.write_str("a coordinator takes one registration a second at least")
            }
        }
    }
}

impl std::error::Error for Unfit {}

/// What both sides are made with.
#[derive(Clone, Debug)]
pub(crate) struct Configs {
    pub(crate) link: LinkConfig,
    pub(crate) hub: HubConfig,
    pub(crate) dispatcher: DispatcherConfig,
    /// Delays between the attempts of a task.
    pub(crate) retry: Backoff,
}

const fn nanos(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

impl Settings {
    /// Whether the machines take them.
    ///
    /// # Errors
    /// The first that they do not take, with the figures.
    pub fn is_fit(&self) -> Result<(), Unfit> {
        self.configs().map(drop)
    }

    pub(crate) fn configs(&self) -> Result<Configs, Unfit> {
        let lanes = LaneLimits {
            window_messages: self.window_messages,
            window_bytes: self.window_bytes,
            ..LaneLimits::default()
        };
        Ok(Configs {
            link: self.link(lanes).map_err(Unfit::Link)?,
            hub: self.hub(lanes)?,
            dispatcher: self.dispatcher().map_err(Unfit::Dispatcher)?,
            retry: self.retry().map_err(Unfit::Link)?,
        })
    }

    fn link(&self, lanes: LaneLimits) -> Result<LinkConfig, ConfigError> {
        let (initial, max) = (nanos(self.initial_delay), nanos(self.max_delay));
        let backoff = Backoff::new(initial, max, self.multiplier, self.jitter, self.first)?;
        let silence = self.beat.saturating_mul(u64::from(self.misses));
        let (least, most) = (nanos((10 * MS).min(self.beat)), nanos((15 * SEC).max(self.beat)));
        let heartbeat = Heartbeat::new(nanos(self.beat), nanos(silence))?
            .assignable(least, most)?
            .with_misses(self.misses)?;
        let (connect, restore) = (nanos(self.connect), nanos(self.restore));
        Ok(LinkConfig {
            heartbeat,
            reconnect: Reconnect::new(backoff)
                .stable_after(nanos(self.stable_after))
                .max_attempts(self.max_attempts),
            timeouts: Timeouts::new(connect, connect, restore, nanos(5 * SEC))?,
            lanes: Lanes::new(lanes, lanes)?,
            ..LinkConfig::default()
        })
    }

    fn hub(&self, lanes: LaneLimits) -> Result<HubConfig, Unfit> {
        let settings = HubSettings::for_lost_after(nanos(self.lost_after));
        let registration_rate = match self.registrations {
            None => settings.registration_rate,
            Some(rate) => {
                RegistrationRate::Fixed(NonZeroU32::new(rate).ok_or(Unfit::NoRegistrations)?)
            }
        };
        HubConfig::new(HubSettings { lanes, registration_rate, ..settings }).map_err(Unfit::Hub)
    }

    fn dispatcher(&self) -> Result<DispatcherConfig, DispatcherConfigError> {
        DispatcherConfig::new(DispatcherSettings {
            lost_after: nanos(self.lost_after),
            start_grace: nanos(self.start_grace),
            accept_timeout: nanos(self.accept_timeout),
            lost_cap: self.lost_cap,
            answer_timeout: nanos(self.answer_timeout),
            window: self.window,
            ..DispatcherSettings::default()
        })
    }

    fn retry(&self) -> Result<Backoff, ConfigError> {
        let (first, longest) = (nanos((100 * MS).min(self.retry_delay)), nanos(self.retry_delay));
        let jitter = Jitter::Full { floor: first };
        Backoff::new(first, longest, 2_000, jitter, First::Backoff)
    }
}
