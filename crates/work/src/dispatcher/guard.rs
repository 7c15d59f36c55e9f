//! The mass-loss guard: when many workers vanish together, it is more likely us than them (P60).

use alloc::collections::BTreeSet;

use super::DispatcherSettings;
use super::worker::Presence;
use crate::WorkerId;

/// Counts who is here and who vanished; goodbyes and drains do not count.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Guard {
    attached: u64,
    away: u64,
    /// Workers whose time is up and whose leases stand because the guard holds.
    pub(super) held: BTreeSet<WorkerId>,
}

impl Guard {
    /// Whether redelivery waits.
    pub(super) fn holds(&self, settings: &DispatcherSettings) -> bool {
        let known = self.attached.saturating_add(self.away);
        known >= u64::from(settings.guard_min_workers)
            && self.away.saturating_mul(100)
                > known.saturating_mul(u64::from(settings.guard_percent))
    }

    pub(super) fn count(&mut self, presence: &Presence) {
        if let Some(counter) = self.counter(presence) {
            *counter = counter.saturating_add(1);
        }
    }

    pub(super) fn discount(&mut self, presence: &Presence) {
        if let Some(counter) = self.counter(presence) {
            *counter = counter.saturating_sub(1);
        }
    }

    fn counter(&mut self, presence: &Presence) -> Option<&mut u64> {
        match presence {
            Presence::Away { counted, .. } => counted.then_some(&mut self.away),
            Presence::Restoring(_) | Presence::Active => Some(&mut self.attached),
        }
    }
}
