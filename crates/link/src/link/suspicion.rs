//! Suspicion: an answer that is late for this path, long before silence is proof.
//!
//! A phi accrual detector (Hayashibara et al., *The φ accrual failure detector*, SRDS 2004) as two
//! deadlines. There, `phi = -log10(P(the next arrival comes later than now))`; with arrivals that are
//! normally distributed around `mean` with deviation `sigma`, phi reaches `p` when
//! `mean + k * sigma` has passed since the last sign of life, where `k` solves `Q(k) = 10^-p` and `Q`
//! is the upper tail of the standard normal distribution (Abramowitz and Stegun, 26.2.23; NIST DLMF
//! 7.17). `Q(3.0902) = 10^-3` and `Q(5.6120) = 10^-8`.
//!
//! The first deadline is a word to whoever wants to prepare. At the second a probe is sent, and an
//! unanswered probe ends the connection; suspicion alone never does.

use core::hash::{Hash, Hasher};
use core::time::Duration;

use super::Link;
use super::presence::{Probe, Why};
use crate::canonical::View;
use crate::{Instant, LinkEvent, Reason, Timer};

/// Deviations above the mean at phi 3, in thousandths.
const SUSPECTED: u64 = 3_090;
/// Deviations above the mean at phi 8, in thousandths.
const PROBED: u64 = 5_612;
/// The probe of a silent peer has at least this, and at most an interval.
const ANSWER_MIN: Duration = Duration::from_millis(100);
/// An inter-arrival weighs 1 / 2^4 in the mean and the variance.
const WEIGHT: u32 = 4;

/// How far it went.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Suspicion {
    /// Nothing is late.
    Calm,
    /// Phi 3.
    Suspected,
    /// Phi 8: the probe is due or under way.
    Probed,
}

/// The times between answers to regular beats, as an exponentially weighted normal distribution: in
/// microseconds.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Arrivals {
    interval: Duration,
    /// The hard timeout, which the probe comes in good time before.
    pub(super) silence: Duration,
    /// Sixteenths of a microsecond.
    mean: u64,
    variance: u64,
    last: Option<Instant>,
    /// After the last sign of life: phi 3.
    pub(super) suspected: Duration,
    /// After the last sign of life: phi 8.
    pub(super) probed: Duration,
}

impl Arrivals {
    pub(super) fn new(interval: Duration, silence: Duration) -> Self {
        let mean = micros(interval) << WEIGHT;
        let zero = Duration::ZERO;
        let last = None;
        let mut new =
            Self { interval, silence, mean, variance: 0, last, suspected: zero, probed: zero };
        new.set_deadlines();
        new
    }

    /// A regular beat was answered now.
    pub(super) fn record(&mut self, now: Instant) {
        let Some(last) = self.last.replace(now) else { return };
        let sample = micros(now.since(last));
        let mean = self.mean >> WEIGHT;
        let off = sample.abs_diff(mean);
        self.mean = self.mean - mean + sample;
        let squared = off.saturating_mul(off);
        self.variance = self.variance - (self.variance >> WEIGHT) + (squared >> WEIGHT);
        self.set_deadlines();
    }

    /// The next arrival says nothing of the path: we were not there to see when it came.
    pub(super) fn interrupt(&mut self) {
        self.last = None;
    }

    pub(super) fn feed<H: Hasher>(&self, view: &View, state: &mut H) {
        let Self { interval, silence, mean, variance, last, suspected, probed } = self;
        (interval, silence, mean, variance, suspected, probed).hash(state);
        view.at_some(*last).hash(state);
    }

    /// The probe also waits for four fifths of the hard timeout: who asked for a patient link gets
    /// one.
    fn set_deadlines(&mut self) {
        let sigma = self.variance.isqrt().max(micros(self.interval) / 4).max(1);
        let after = |k: u64| {
            let above = sigma.saturating_mul(k) / 1_000;
            Duration::from_micros((self.mean >> WEIGHT).saturating_add(above.max(1)))
        };
        (self.suspected, self.probed) = (after(SUSPECTED), after(PROBED).max(self.silence / 5 * 4));
    }
}

/// At most 35 min, so that squares of it keep within 64 bits.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).min(1 << 31)
}

impl Link {
    /// A sign of life: the deadlines begin again, and a suspicion is over.
    pub(super) fn trust(&mut self, now: Instant) {
        let Some(connection) = &mut self.connection else { return };
        let beats = &mut connection.beats;
        let before = core::mem::replace(&mut beats.heard, now);
        self.timers.arm(Timer::Suspicion, now + beats.arrivals.suspected);
        if core::mem::replace(&mut beats.suspicion, Suspicion::Calm) != Suspicion::Calm {
            self.notices.suspicion(false, now.since(before));
            if beats.probe.take_if(|probe| probe.why == Why::Silence).is_some() {
                self.timers.disarm(Timer::Probe);
            }
        }
    }

    /// A deadline of suspicion has come.
    pub(super) fn suspicion_is_due(&mut self, now: Instant) {
        let answer = self.probe_deadline();
        let Some(connection) = &mut self.connection else { return };
        let beats = &mut connection.beats;
        match beats.suspicion {
            Suspicion::Calm => {
                beats.suspicion = Suspicion::Suspected;
                let Arrivals { suspected, probed, .. } = beats.arrivals;
                let further = probed.saturating_sub(suspected).max(Duration::from_micros(1));
                self.timers.arm(Timer::Suspicion, now + further);
                self.notices.suspicion(true, now.since(beats.heard));
                self.hurry();
            }
            Suspicion::Suspected => {
                beats.suspicion = Suspicion::Probed;
                // After an own stall one is under way already: it decides.
                if beats.probe.is_none() {
                    beats.probe = Some(Probe::unwritten(Why::Silence));
                    beats.ask();
                    self.timers.arm(Timer::Probe, now + answer);
                }
            }
            Suspicion::Probed => {}
        }
    }

    /// The probe for a peer that has been silent for so long has a sixteenth of an interval, four times
    /// the p99 of the round trips, or 100 ms, whichever is longest; but no more than an interval.
    fn probe_deadline(&self) -> Duration {
        let Some(connection) = &self.connection else { return Duration::ZERO };
        let interval = connection.beats.interval();
        let path = self.statistics.path().p99();
        if path.is_zero() {
            return self.answer_deadline(interval);
        }
        interval.min((path * 4).max(interval / 16).max(ANSWER_MIN))
    }

    /// Nothing else is asked of the peer: the connection is given up.
    pub(super) fn probe_unanswered(&mut self, now: Instant) {
        let probe = self.connection.as_mut().and_then(|connection| connection.beats.probe.take());
        match probe.map(|probe| probe.why) {
            Some(Why::Silence) => self.silence_too_long(now),
            Some(Why::Stall) | None => {
                self.abandon(now, LinkEvent::LivenessLost, Reason::Suspended);
            }
        }
    }
}

#[cfg(test)]
mod tests;
