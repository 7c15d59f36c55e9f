//! What happened and was not told yet. Bounded: what is not polled in time is told together.

use core::time::Duration;

use super::{LinkAction, Transition};
use crate::{ConnId, Degraded, Reason};

/// Transitions kept apart. One input makes at most two.
const KEPT: usize = 4;

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Notices {
    stalled: Option<Duration>,
    missed: Option<Missed>,
    recovered: bool,
    suspicion: Option<(bool, Duration)>,
    interval: Option<Duration>,
    degraded: Option<Degraded>,
    hand_back: bool,
    leases_expired: bool,
    /// A candidate that failed beside a connection; the last one, if several did unpolled.
    candidate: Option<(ConnId, Reason)>,
    /// Filled from the front.
    transitions: [Option<Transition>; KEPT],
    /// Connections the driver knows of and we gave up. There are never more than two, because none is
    /// dialled before these are polled.
    closes: [Option<(ConnId, Reason)>; 2],
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Missed {
    missed: u8,
    limit: u8,
    reason: Reason,
}

impl Notices {
    pub(super) fn stalled(&mut self, late: Duration) {
        self.stalled = Some(self.stalled.unwrap_or_default().saturating_add(late));
    }

    pub(super) fn missed(&mut self, missed: u8, limit: u8, reason: Reason) {
        self.missed = Some(Missed { missed, limit, reason });
    }

    pub(super) fn recovered(&mut self) {
        self.recovered = true;
    }

    pub(super) fn suspicion(&mut self, suspect: bool, silent: Duration) {
        self.suspicion = Some((suspect, silent));
    }

    pub(super) fn interval(&mut self, interval: Duration) {
        self.interval = Some(interval);
    }

    pub(super) fn degraded(&mut self, degraded: Degraded) {
        self.degraded = Some(degraded);
    }

    pub(super) fn hand_back(&mut self) {
        self.hand_back = true;
    }

    pub(super) fn leases_expired(&mut self) {
        self.leases_expired = true;
    }

    pub(super) fn candidate_lost(&mut self, conn: ConnId, reason: Reason) {
        self.candidate = Some((conn, reason));
    }

    /// When full, the last one takes the new one in: the chain of states never breaks (P103).
    pub(super) fn announce(&mut self, transition: Transition) {
        let free = self.transitions.iter().position(Option::is_none);
        match free {
            Some(at) => self.transitions[at] = Some(transition),
            None => {
                if let Some(last) = &mut self.transitions[KEPT - 1] {
                    last.to = transition.to;
                    last.reason = transition.reason.or(last.reason);
                }
            }
        }
    }

    pub(super) fn close(&mut self, conn: ConnId, reason: Reason) {
        match self.closes.iter_mut().find(|close| close.is_none()) {
            Some(free) => *free = Some((conn, reason)),
            None => debug_assert!(false, "a third connection was open"),
        }
    }

    /// What to tell next. A new dial comes after all of it.
    pub(super) fn next(&self) -> Option<LinkAction> {
        if let Some(late) = self.stalled {
            return Some(LinkAction::Stalled { late });
        }
        if let Some(Missed { missed, limit, reason }) = self.missed {
            return Some(LinkAction::BeatMissed { missed, limit, reason });
        }
        if self.recovered {
            return Some(LinkAction::BeatRecovered);
        }
        if let Some((suspect, silent)) = self.suspicion {
            return Some(LinkAction::Suspicion { suspect, silent });
        }
        if let Some(interval) = self.interval {
            return Some(LinkAction::Interval { interval });
        }
        if let Some(degraded) = self.degraded {
            return Some(LinkAction::Degraded(degraded));
        }
        if self.hand_back {
            return Some(LinkAction::HandBack);
        }
        if let Some((conn, reason)) = self.candidate {
            return Some(LinkAction::CandidateLost { conn, reason });
        }
        if let Some(transition) = self.transitions[0] {
            return Some(LinkAction::Announce(transition));
        }
        if self.leases_expired {
            return Some(LinkAction::LeasesExpired);
        }
        let (conn, reason) = self.closes.iter().flatten().next()?;
        Some(LinkAction::Close { conn: *conn, reason: *reason })
    }

    /// What [`Notices::next`] said was told.
    pub(super) fn commit(&mut self) {
        if self.stalled.take().is_some() || self.missed.take().is_some() {
            return;
        }
        if core::mem::take(&mut self.recovered) {
            return;
        }
        if self.suspicion.take().is_some()
            || self.interval.take().is_some()
            || self.degraded.take().is_some()
        {
            return;
        }
        if core::mem::take(&mut self.hand_back) {
            return;
        }
        if self.candidate.take().is_some() {
            return;
        }
        if self.transitions[0].take().is_some() {
            self.transitions.rotate_left(1);
            return;
        }
        if core::mem::take(&mut self.leases_expired) {
            return;
        }
        if let Some(close) = self.closes.iter_mut().find(|close| close.is_some()) {
            *close = None;
        }
    }
}

#[cfg(test)]
mod tests;
