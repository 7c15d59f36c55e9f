//! A link in figures: how long it was connected, how often it was lost, how it came back.

mod outage;

use core::time::Duration;

pub use outage::{Outage, OutageEnd, Outages};

use crate::rtt::RoundTrips;
use crate::time::saturating_nanos;
use crate::{Instant, Reason, RoundTripFigures, SessionId};

/// Parts per million of something that is whole.
const WHOLE: u32 = 1_000_000;

/// What a [`Link`](crate::Link) has counted since it began, or since
/// [`LinkInput::ResetStatistics`](crate::LinkInput::ResetStatistics).
///
/// Times and ratios are computed when they are read, for the instant they are asked for: they move
/// while nothing happens, most of all while the link is down, and every instant gives an answer
/// (P101). *Connected* means `Active`: able to receive work. Counters never go back but by a reset.
/// About 1.2 KiB, plain and `Copy`.
///
/// ```
/// use core::time::Duration;
/// use moorline_link::{
///     Identity, Incarnation, Instant, Link, LinkConfig, Sym, Versions, WorkerId,
/// };
///
/// let (worker, incarnation, name) = (WorkerId(1), Incarnation(2), Sym(0));
/// let me = Identity { worker, incarnation, name, versions: Versions::SPOKEN, features: 0 };
/// let link = Link::new(LinkConfig::default(), me, 42, Instant::ZERO);
/// let later = Instant::ZERO + Duration::from_secs(3);
/// let statistics = link.statistics();
/// assert_eq!(statistics.disconnected(later), Duration::from_secs(3));
/// assert_eq!(statistics.stability_ppm(later), 0);
/// assert_eq!(statistics.round_trips(), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LinkStatistics {
    revision: u64,
    began: Instant,
    /// Nothing is counted after this.
    ended: Option<Instant>,
    /// Connected before `active_since`.
    connected: Duration,
    active_since: Option<Instant>,
    /// Of the last connection that was active.
    session: Option<SessionId>,
    /// The recent past is not looked at beyond this.
    horizon: Option<Instant>,
    last_connected: Option<Instant>,
    last_disconnected: Option<Instant>,
    dials: u64,
    successes: u64,
    failures: u64,
    /// The one that goes on.
    outage: Option<Ongoing>,
    outages: Outages,
    outages_count: u64,
    round_trips: RoundTrips,
}

/// An outage that is not over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Ongoing {
    reason: Reason,
    began: Instant,
    attempts: u32,
}

impl LinkStatistics {
    /// The recent past: [`recent_stability_ppm`](Self::recent_stability_ppm) looks back so far.
    pub const RECENT: Duration = Duration::from_secs(600);

    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            revision: 0,
            began: now,
            ended: None,
            connected: Duration::ZERO,
            active_since: None,
            session: None,
            horizon: None,
            last_connected: None,
            last_disconnected: None,
            dials: 0,
            successes: 0,
            failures: 0,
            outage: None,
            outages: Outages::new(),
            outages_count: 0,
            round_trips: RoundTrips::new(),
        }
    }

    /// Grows with everything that is counted: two of the same link with equal revisions are equal.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Since when it counts.
    #[must_use]
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// How long the link was connected, up to `now`.
    #[must_use]
    pub fn connected(&self, now: Instant) -> Duration {
        let going_on =
            self.active_since.map_or(Duration::ZERO, |since| self.until(now).since(since));
        self.connected.saturating_add(going_on)
    }

    /// How long it was not, up to `now`; the time before the first connection is a part of it.
    #[must_use]
    pub fn disconnected(&self, now: Instant) -> Duration {
        self.until(now).since(self.began).saturating_sub(self.connected(now))
    }

    /// The share of all the time that the link was connected, in parts per million. Before any time
    /// has passed: 1,000,000 if it is connected, else 0.
    #[must_use]
    pub fn stability_ppm(&self, now: Instant) -> u32 {
        self.share(self.connected(now), self.until(now).since(self.began))
    }

    /// The same of the recent past: the last 10 min ([`RECENT`](Self::RECENT)), as far as they lie
    /// after the first connection and the last reset, and within what the
    /// [16 outages](Self::outages) that are remembered reach back to. 0 before the first connection.
    #[must_use]
    pub fn recent_stability_ppm(&self, now: Instant) -> u32 {
        let (down, window) = self.recent(now);
        if self.last_connected.is_none() {
            return 0;
        }
        self.share(window.saturating_sub(down), window)
    }

    /// How long the link was down in the recent past, and how long that is.
    pub(crate) fn recent(&self, now: Instant) -> (Duration, Duration) {
        let now = self.until(now);
        let Some(horizon) = self.horizon else { return (Duration::ZERO, Duration::ZERO) };
        let from = now.before(Self::RECENT).max(horizon);
        if self.outages_count == 0 {
            return (Duration::ZERO, now.since(from));
        }
        let overlap = |began: Instant, ended: Instant| ended.min(now).since(began.max(from));
        let past = self.outages.iter().map(|outage| overlap(outage.began, outage.ended()));
        let going_on = self.outage.map(|outage| overlap(outage.began, now));
        (past.chain(going_on).sum(), now.since(from))
    }

    /// Dials that were begun, those beside a connection that stood included.
    #[must_use]
    pub const fn dials(&self) -> u64 {
        self.dials
    }

    /// Dials that ended with a Welcome.
    #[must_use]
    pub const fn successes(&self) -> u64 {
        self.successes
    }

    /// Dials that failed, timed out or were refused. One that was given up for another, or that is
    /// under way, is neither.
    #[must_use]
    pub const fn failures(&self) -> u64 {
        self.failures
    }

    /// The share of dials with an end that were successes, in parts per million; `None` before the
    /// first end.
    #[must_use]
    pub fn success_ppm(&self) -> Option<u32> {
        let ended = self.successes.saturating_add(self.failures);
        (ended > 0).then(|| ppm(u128::from(self.successes), u128::from(ended)))
    }

    /// When the link became `Active` last.
    #[must_use]
    pub const fn last_connected(&self) -> Option<Instant> {
        self.last_connected
    }

    /// When the link ceased to be `Active` last.
    #[must_use]
    pub const fn last_disconnected(&self) -> Option<Instant> {
        self.last_disconnected
    }

    /// The outages that ended, the last 16 of them.
    #[must_use]
    pub const fn outages(&self) -> &Outages {
        &self.outages
    }

    /// How many outages there were in all: ended, or going on.
    #[must_use]
    pub const fn outages_count(&self) -> u64 {
        self.outages_count
    }

    /// The outage that goes on, as it would look if it ended at `now`.
    #[must_use]
    pub fn outage(&self, now: Instant) -> Option<Outage> {
        let Ongoing { reason, began, attempts } = self.outage?;
        let duration = self.until(now).since(began);
        Some(Outage { reason, began, duration, attempts, end: None })
    }

    /// Round trips in figures; `None` until a beat was answered.
    #[must_use]
    pub fn round_trips(&self) -> Option<RoundTripFigures> {
        self.round_trips.figures()
    }

    /// Round trips as the liveness of the link reads them: never reset.
    pub(crate) const fn path(&self) -> &RoundTrips {
        &self.round_trips
    }

    /// Begins to count anew at `now`. What the link decides by stays: the path's round trips, and the
    /// outage that goes on.
    pub(crate) fn reset(&mut self, now: Instant) {
        let mut round_trips = self.round_trips;
        round_trips.reset();
        *self = Self {
            revision: self.revision + 1,
            ended: self.ended.map(|_| now),
            active_since: self.active_since.map(|_| now),
            session: self.session,
            horizon: self.horizon.map(|_| now),
            last_connected: self.last_connected,
            last_disconnected: self.last_disconnected,
            outage: self.outage.map(|outage| Ongoing { began: now, attempts: 0, ..outage }),
            outages_count: u64::from(self.outage.is_some()),
            round_trips,
            ..Self::new(now)
        };
    }

    pub(crate) fn dialled(&mut self) {
        self.revision += 1;
        self.dials += 1 + u64::from(cfg!(moorline_planted = "SAFE-16") && self.dials == 1);
        if let Some(outage) = &mut self.outage {
            outage.attempts = outage.attempts.saturating_add(1);
        }
    }

    pub(crate) fn dial_succeeded(&mut self) {
        self.revision += 1;
        self.successes += 1;
    }

    pub(crate) fn dial_failed(&mut self) {
        self.revision += 1;
        self.failures += 1;
    }

    pub(crate) fn answered(&mut self, round_trip: Duration) {
        self.revision += 1;
        self.round_trips.record(round_trip);
    }

    /// `Active` was reached, in this session.
    pub(crate) fn activated(&mut self, now: Instant, session: SessionId) {
        self.revision += 1;
        self.active_since = Some(now);
        self.last_connected = Some(now);
        self.horizon.get_or_insert(now);
        let before = self.session.replace(session);
        let Some(Ongoing { reason, began, attempts }) = self.outage.take() else { return };
        let end = if before == Some(session) { OutageEnd::Resumed } else { OutageEnd::NewSession };
        let duration = now.since(began);
        let forgotten = self.outages.push(Outage {
            reason,
            began,
            duration,
            attempts: attempts.max(1),
            end: Some(end),
        });
        if let Some(forgotten) = forgotten {
            self.horizon = self.horizon.max(Some(forgotten.ended()));
        }
    }

    /// `Active` was lost; a dial that is under way counts as the outage's first.
    pub(crate) fn lost(&mut self, now: Instant, reason: Reason, under_way: bool) {
        self.deactivated(now);
        self.outages_count += 1;
        self.outage = Some(Ongoing { reason, began: now, attempts: u32::from(under_way) });
    }

    /// The link has ended for good, which is no outage: time stands still.
    pub(crate) fn ended(&mut self, now: Instant) {
        if self.active_since.is_some() {
            self.deactivated(now);
        }
        self.revision += 1;
        self.ended = Some(now);
    }

    fn deactivated(&mut self, now: Instant) {
        self.revision += 1;
        self.connected = self.connected(now);
        self.active_since = None;
        self.last_disconnected = Some(now);
    }

    fn until(&self, now: Instant) -> Instant {
        self.ended.unwrap_or(Instant::FAR).min(now)
    }

    fn share(&self, part: Duration, whole: Duration) -> u32 {
        if whole.is_zero() {
            return if self.active_since.is_some() { WHOLE } else { 0 };
        }
        ppm(u128::from(saturating_nanos(part)), u128::from(saturating_nanos(whole)))
    }
}

/// `part / whole` in parts per million, rounded down; at most one whole.
fn ppm(part: u128, whole: u128) -> u32 {
    let ppm = part.saturating_mul(u128::from(WHOLE)) / whole.max(1);
    u32::try_from(ppm).unwrap_or(WHOLE).min(WHOLE)
}

#[cfg(test)]
mod tests;
