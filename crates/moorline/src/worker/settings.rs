//! What a worker's builder was told about the link, and what the machine is told in the end.

use std::time::Duration;

use moorline_link::{Heartbeat, LinkConfig, Quality, Timeouts};

use crate::{Code, Error, Preset, Reconnect, Result};

/// Settings as they were given. In the end a preset gives way to `reconnect`, and both to what was
/// set by a name of its own: the order of the calls does not matter.
#[derive(Clone, Default)]
pub(crate) struct LinkSettings {
    pub(crate) preset: Preset,
    pub(crate) reconnect: Option<Reconnect>,
    pub(crate) auto: Option<bool>,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) base_delay: Option<Duration>,
    pub(crate) max_delay: Option<Duration>,
    pub(crate) heartbeat: Option<(Duration, Duration)>,
    pub(crate) misses: Option<u8>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) register_timeout: Option<Duration>,
    pub(crate) restore_timeout: Option<Duration>,
    pub(crate) min_stability: Option<f64>,
    pub(crate) max_round_trip: Option<Duration>,
}

impl LinkSettings {
    /// What the machine takes.
    pub(crate) fn parse(&self) -> Result<LinkConfig> {
        let (heartbeat, timeouts) = (self.heartbeat()?, self.timeouts()?);
        let (reconnect, quality) = (self.reconnect().parse()?, self.quality()?);
        Ok(LinkConfig { heartbeat, reconnect, timeouts, quality, ..LinkConfig::default() })
    }

    /// Everything [`parse`](Self::parse) would refuse, not only the first.
    #[cfg(feature = "cli")]
    pub(crate) fn problems(&self) -> Vec<Error> {
        let all = [
            self.heartbeat().err(),
            self.timeouts().err(),
            self.reconnect().parse().err(),
            self.quality().err(),
        ];
        all.into_iter().flatten().collect()
    }

    fn heartbeat(&self) -> Result<Heartbeat> {
        let (interval, timeout) = self.heartbeat.unwrap_or_else(|| self.preset.heartbeat());
        let misses = self.misses.unwrap_or_else(|| self.preset.heartbeat_misses());
        Heartbeat::new(interval, timeout)
            .and_then(|heartbeat| heartbeat.with_misses(misses))
            .map_err(|error| Error::refused_setting(Code::from(&error), "heartbeat", error))
    }

    fn timeouts(&self) -> Result<Timeouts> {
        let standard = Timeouts::default();
        Timeouts::new(
            self.connect_timeout.unwrap_or_else(|| self.preset.connect_timeout()),
            self.register_timeout.unwrap_or(standard.register()),
            self.restore_timeout.unwrap_or(standard.restore()),
            standard.goodbye(),
        )
        .map_err(|error| Error::refused_setting(Code::from(&error), "timeouts", error))
    }

    fn quality(&self) -> Result<Quality> {
        let stability = self.min_stability.unwrap_or_else(|| self.preset.min_stability());
        let round_trip = self.max_round_trip.unwrap_or(Quality::default().round_trip());
        let refused = |problem: String| Error::setting("quality", problem);
        let ppm = millionths(stability)
            .ok_or_else(|| refused(format!("the stability {stability} is not 0 to 1")))?;
        Quality::new(ppm, round_trip).map_err(|error| refused(error.to_string()))
    }

    fn reconnect(&self) -> Reconnect {
        let mut reconnect = self.reconnect.unwrap_or_else(|| self.preset.reconnect());
        if let Some(auto) = self.auto {
            reconnect = reconnect.auto(auto);
        }
        if let Some(attempts) = self.max_attempts {
            reconnect = reconnect.max_attempts(attempts);
        }
        if let Some(delay) = self.base_delay {
            reconnect = reconnect.initial(delay);
        }
        if let Some(delay) = self.max_delay {
            reconnect = reconnect.max(delay);
        }
        reconnect
    }
}

/// A share in millionths, if it is one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn millionths(share: f64) -> Option<u32> {
    (0.0..=1.0).contains(&share).then(|| (share * 1e6).round() as u32)
}

#[cfg(test)]
mod tests;
