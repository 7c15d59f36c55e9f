//! From when on the coordinator may have given away what the worker holds.

use super::Link;
use crate::{Instant, Timer};

impl Link {
    /// Until when the worker's leases stand at least: the coordinator counts `lost_after` from the
    /// last frame it received, and the last one of which we know was sent at `last_proven`.
    pub(super) fn leases_until(&self) -> Option<Instant> {
        let lost_after = self.attachment.as_ref()?.terms.lost_after;
        Some(self.last_proven? + lost_after)
    }

    /// `Active` was lost at `now`: until it is regained, the end of the leases is watched.
    pub(super) fn watch_leases(&mut self, now: Instant) {
        if let Some(until) = self.leases_until() {
            self.timers.arm(Timer::Leases, until.max(now));
        }
    }

    /// The coordinator received what we sent at `sent`: the leases stand from then on.
    pub(super) fn proven(&mut self, sent: Instant) {
        self.last_proven = self.last_proven.max(Some(sent));
        if self.timers.is_armed(Timer::Leases)
            && let Some(until) = self.leases_until()
        {
            self.timers.arm(Timer::Leases, until);
        }
    }
}
