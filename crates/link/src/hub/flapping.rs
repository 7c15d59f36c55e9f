//! Workers that come and go: the connections a worker lost lately, in little memory.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{Flapping, HubConfig, Instant, Reason};

/// Losses that are remembered of one worker, at most.
const KEPT: usize = 16;

/// The connections a worker lost within the window: none are kept of one that keeps its own.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Losses {
    /// Oldest first, at most [`KEPT`].
    lost: Vec<Loss>,
    /// It lost too many, and is not calm yet.
    flapping: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Loss {
    at: Instant,
    /// How long the connection had lived, in milliseconds.
    life: u32,
    reason: Reason,
}

impl Losses {
    /// A connection that had lived so long is lost.
    pub(super) fn record(
        &mut self,
        now: Instant,
        life: Duration,
        reason: Reason,
        config: &HubConfig,
    ) {
        if is_deliberate(reason) {
            return;
        }
        let settings = config.settings();
        let since = now.before(settings.flap_window);
        self.lost.retain(|loss| loss.at >= since);
        if self.lost.len() == KEPT {
            self.lost.remove(0);
        }
        let life = u32::try_from(life.as_millis()).unwrap_or(u32::MAX);
        self.lost.push(Loss { at: now, life, reason });
        self.flapping |= self.lost.len() >= usize::from(settings.flap_losses.get()).min(KEPT);
    }

    /// When it is calm again if it loses no other: after half the window.
    pub(super) fn calm_at(&self, config: &HubConfig) -> Option<Instant> {
        let last = self.lost.last().filter(|_| self.flapping)?;
        Some(last.at + config.settings().flap_window / 2)
    }

    /// It was calm for long enough.
    pub(super) fn calm(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_flapping(&self) -> bool {
        self.flapping
    }

    /// What to say of it while it flaps.
    pub(super) fn flapping(&self) -> Option<Flapping> {
        let last = self.lost.last().filter(|_| self.flapping)?;
        let times = |reason| self.lost.iter().filter(|loss| loss.reason == reason).count();
        // Of reasons that are equally common the latest one.
        let common = self.lost.iter().map(|loss| loss.reason).max_by_key(|reason| times(*reason));
        let mut lives: Vec<u32> = self.lost.iter().map(|loss| loss.life).collect();
        lives.sort_unstable();
        let median = lives.get(lives.len() / 2).copied().unwrap_or_default();
        Some(Flapping {
            losses: u8::try_from(self.lost.len()).unwrap_or(u8::MAX),
            reason: common.unwrap_or(last.reason),
            median_life: Duration::from_millis(u64::from(median)),
        })
    }
}

/// Somebody wanted the connection to end. A worker that moved to another connection had mostly lost
/// the old one before the coordinator did.
fn is_deliberate(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::CoordinatorStopping
            | Reason::OperatorDisconnect
            | Reason::OperatorDrain
            | Reason::Forced
            | Reason::Redirected
            | Reason::SessionUnknown
            | Reason::WorkerStopping
            | Reason::WorkerRestarted
    )
}
