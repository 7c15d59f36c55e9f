//! Settings for common situations: one table.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use moorline_link::{First, Jitter};

use crate::{Error, Reconnect};

/// Settings of a worker's link for a common situation, to begin with.
///
/// Whatever is set by a name of its own wins over the preset, before or after it
/// ([`WorkerBuilder::preset`](crate::WorkerBuilder::preset)).
///
/// | preset | comes back | delays | jitter | first dial | heartbeat, timeout, misses | connect | degraded below |
/// | --- | --- | --- | --- | --- | --- | --- | --- |
/// | `production` | without limit | 1 s to 60 s | full | window | 5 s, 15 s, 3 | 10 s | 0.7 |
/// | `development` | 5 dials | 1 s to 10 s | full | window | 5 s, 15 s, 3 | 10 s | 0.7 |
/// | `testing` | never | | | | 5 s, 15 s, 3 | 10 s | 0.7 |
/// | `edge` | without limit | 0.5 s to 30 s | ±10 % | window | 3 s, 10 s, 3 | 10 s | 0.8 |
/// | `agent` | without limit | 5 s to 60 s | none | backoff | 5 s, 15 s, 3 | 10 s | 0.7 |
///
/// ```
/// use std::time::Duration;
/// use moorline::{Preset, Worker};
///
/// let preset: Preset = "edge".parse()?;
/// assert_eq!(preset, Preset::Edge);
/// assert_eq!(preset.heartbeat().0, Duration::from_secs(3));
/// let builder = Worker::builder("mem://coordinator")
///     .reconnect_max_delay(Duration::from_secs(20)) // wins over the preset's 30 s
///     .preset(preset);
/// # let _ = builder;
/// # Ok::<(), moorline::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Preset {
    /// Comes back for ever, at most 60 s apart. The default.
    #[default]
    Production,
    /// Gives up after 5 dials that are at most 10 s apart, so that a forgotten worker ends.
    Development,
    /// Never comes back: the first loss or failed dial ends the worker, so that a test fails at once.
    Testing,
    /// For thin and shaky networks: quick to notice, quick to come back.
    Edge,
    /// For a lone agent of one coordinator: exactly 5, 10, 20, 40, 60, 60 s between dials.
    Agent,
}

impl Preset {
    /// Every preset.
    ///
    /// ```
    /// use moorline::Preset;
    ///
    /// let names: Vec<&str> = Preset::ALL.iter().map(|preset| preset.name()).collect();
    /// assert_eq!(names, ["production", "development", "testing", "edge", "agent"]);
    /// ```
    pub const ALL: &[Self] =
        &[Self::Production, Self::Development, Self::Testing, Self::Edge, Self::Agent];

    /// Its name, as it is written in settings.
    ///
    /// ```
    /// assert_eq!(moorline::Preset::default().name(), "production");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// How the worker comes back.
    ///
    /// ```
    /// use moorline::{Preset, Reconnect};
    ///
    /// assert_eq!(Preset::Testing.reconnect(), Reconnect::off());
    /// ```
    pub const fn reconnect(self) -> Reconnect {
        self.row().reconnect
    }

    /// The interval of heartbeats the worker asks for, and the time without any answer after which
    /// the connection is given up.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (interval, timeout) = moorline::Preset::Production.heartbeat();
    /// assert_eq!((interval, timeout), (Duration::from_secs(5), Duration::from_secs(15)));
    /// ```
    #[must_use]
    pub const fn heartbeat(self) -> (Duration, Duration) {
        self.row().heartbeat
    }

    /// Heartbeats in a row without an answer after which the connection is given up.
    ///
    /// ```
    /// assert_eq!(moorline::Preset::Agent.heartbeat_misses(), 3);
    /// ```
    #[must_use]
    pub const fn heartbeat_misses(self) -> u8 {
        self.row().misses
    }

    /// How long a dial may take with all its addresses.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// assert_eq!(moorline::Preset::Agent.connect_timeout(), Duration::from_secs(10));
    /// ```
    #[must_use]
    pub const fn connect_timeout(self) -> Duration {
        self.row().connect_timeout
    }

    /// The share of the last 10 min that a link has to be up, else it is called degraded.
    ///
    /// ```
    /// assert_eq!(moorline::Preset::Edge.min_stability(), 0.8);
    /// ```
    #[must_use]
    pub const fn min_stability(self) -> f64 {
        self.row().min_stability
    }

    /// The table.
    const fn row(self) -> Row {
        match self {
            Self::Production => Row::PRODUCTION,
            Self::Development => Row {
                name: "development",
                reconnect: Reconnect::attempts(5).max(Duration::from_secs(10)),
                ..Row::PRODUCTION
            },
            Self::Testing => {
                Row { name: "testing", reconnect: Reconnect::off(), ..Row::PRODUCTION }
            }
            Self::Edge => Row {
                name: "edge",
                reconnect: Reconnect::forever()
                    .initial(Duration::from_millis(500))
                    .max(Duration::from_secs(30))
                    .jitter(Jitter::Proportional { ppm: 100_000 }),
                heartbeat: (Duration::from_secs(3), Duration::from_secs(10)),
                min_stability: 0.8,
                ..Row::PRODUCTION
            },
            Self::Agent => Row {
                name: "agent",
                reconnect: Reconnect::forever()
                    .initial(Duration::from_secs(5))
                    .jitter(Jitter::None)
                    .first(First::Backoff),
                ..Row::PRODUCTION
            },
        }
    }
}

/// What a preset sets.
struct Row {
    name: &'static str,
    reconnect: Reconnect,
    heartbeat: (Duration, Duration),
    misses: u8,
    connect_timeout: Duration,
    min_stability: f64,
}

impl Row {
    /// The defaults of everything.
    const PRODUCTION: Self = Self {
        name: "production",
        reconnect: Reconnect::forever(),
        heartbeat: (Duration::from_secs(5), Duration::from_secs(15)),
        misses: 3,
        connect_timeout: Duration::from_secs(10),
        min_stability: 0.7,
    };
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = Self::ALL.iter().copied().find(|preset| preset.name() == text);
        known.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|preset| preset.name()).collect();
            Error::setting("preset", format!("`{text}` is none of {}", names.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests;
