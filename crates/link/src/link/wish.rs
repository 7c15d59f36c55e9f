//! What was asked for too soon: the newest wish is kept and granted when its time has come (P06, P07).

use core::time::Duration;

use super::{Kick, Link, LinkVerdict};
use crate::{Instant, Timer};

/// What an embedder may ask for at any time, and have to wait for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Wish {
    Kick(Kick),
    Reconnect,
    Migrate,
}

impl Link {
    /// Grants a wish, or keeps it until it may be granted. An older one that still waits is forgotten,
    /// but for a reconnect, which does what the others would.
    pub(super) fn on_wish(&mut self, now: Instant, wish: Wish) -> LinkVerdict {
        if self.wish == Some(Wish::Reconnect)
            && wish != Wish::Reconnect
            && let Some(due) = self.timers.deadline(Timer::Wish)
        {
            return LinkVerdict::Later { within: due.since(now) };
        }
        self.forget_wish();
        let verdict = match wish {
            Wish::Kick(kick) => self.on_kick(now, kick),
            Wish::Reconnect => self.on_reconnect(now),
            Wish::Migrate => self.on_migrate(now),
        };
        if wish == Wish::Reconnect && verdict == LinkVerdict::Accepted {
            self.reconnects += 1;
        }
        if let LinkVerdict::Later { within } = verdict {
            self.wish = Some(wish);
            self.timers.arm(Timer::Wish, now + within);
        }
        verdict
    }

    /// It may be granted now, if it still means anything.
    pub(super) fn wish_is_due(&mut self, now: Instant) {
        if let Some(wish) = self.wish.take() {
            self.on_wish(now, wish);
        }
    }

    pub(super) fn forget_wish(&mut self) {
        self.wish = None;
        self.timers.disarm(Timer::Wish);
    }
}

/// `Later` if `earliest` is not over yet.
pub(super) fn not_before(now: Instant, earliest: Instant) -> Option<LinkVerdict> {
    let within = earliest.since(now);
    (within > Duration::ZERO).then_some(LinkVerdict::Later { within })
}
