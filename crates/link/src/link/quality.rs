//! Degraded or not: judged with every regular beat, told on change.

use core::time::Duration;

use super::Link;
use crate::{Degraded, Instant, Lane, State};

/// A link that was up for less than this is not judged by the share of it: a single short loss right
/// after the start would be most of its past.
const JUDGED_PAST: Duration = Duration::from_secs(60);

impl Link {
    /// What is bad about this link, told if it is not what it was.
    pub(super) fn judge_quality(&mut self, now: Instant) {
        if self.state != State::Active {
            return;
        }
        let is = Degraded {
            stability: self.is_unstable(now),
            round_trip: self.is_slow(),
            queue: self.is_congested(),
        };
        if is != self.degraded {
            self.degraded = is;
            self.notices.degraded(is);
        }
    }

    fn is_unstable(&self, now: Instant) -> bool {
        let allowed = 1_000_000 - self.config.quality.stability_limit(self.degraded.stability);
        let (down, window) = self.statistics.recent(now);
        down.as_nanos() * 1_000_000 > window.max(JUDGED_PAST).as_nanos() * u128::from(allowed)
    }

    fn is_slow(&self) -> bool {
        let limit = self.config.quality.round_trip_limit(self.degraded.round_trip);
        self.statistics.path().smoothed() > limit
    }

    /// At three quarters of a bound, until below half of it.
    fn is_congested(&self) -> bool {
        let Some(attachment) = &self.attachment else { return false };
        let quarters = if self.degraded.queue { 2 } else { 3 };
        Lane::ALL.into_iter().any(|lane| {
            let limits = self.config.lanes.of(lane);
            let (messages, bytes) = attachment.outboxes[lane.index()].held();
            u64::from(messages) * 4 >= u64::from(limits.outbox_messages) * quarters
                || bytes.saturating_mul(4) >= limits.outbox_bytes.saturating_mul(quarters)
        })
    }
}
