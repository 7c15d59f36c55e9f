//! Round trips of answered beats: the last hundred, in whole microseconds.

use core::time::Duration;

const KEPT: usize = 100;

/// The last 100 round trips.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct RoundTrips {
    /// A ring of microseconds, at least 1 each; `count` of them are meaningful.
    samples: [u32; KEPT],
    count: u8,
    /// Where the next sample goes.
    next: u8,
    /// The largest and the second largest of the samples.
    top: [u32; 2],
}

impl RoundTrips {
    pub(crate) const fn new() -> Self {
        Self { samples: [0; KEPT], count: 0, next: 0, top: [0; 2] }
    }

    pub(crate) fn record(&mut self, rtt: Duration) {
        let micros = u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX).max(1);
        let at = usize::from(self.next);
        let evicted = core::mem::replace(&mut self.samples[at], micros);
        self.next = if at + 1 == KEPT { 0 } else { self.next + 1 };
        if usize::from(self.count) < KEPT {
            self.count += 1;
        }
        if evicted >= self.top[1] && evicted > 0 {
            // One of the two largest left: the only case that needs a look at all of them.
            self.top = [0; 2];
            for i in 0..usize::from(self.count) {
                self.rank(self.samples[i]);
            }
        } else {
            self.rank(micros);
        }
    }

    fn rank(&mut self, micros: u32) {
        if micros > self.top[0] {
            self.top = [micros, self.top[0]];
        } else if micros > self.top[1] {
            self.top[1] = micros;
        }
    }

    /// The latest, in microseconds; 0 = none yet.
    pub(crate) fn last_micros(&self) -> u32 {
        let at = if self.next == 0 { KEPT - 1 } else { usize::from(self.next) - 1 };
        self.samples[at]
    }

    pub(crate) fn last(&self) -> Option<Duration> {
        let micros = self.last_micros();
        (micros > 0).then(|| Duration::from_micros(u64::from(micros)))
    }

    /// The 99th percentile by nearest rank: of fewer than 100 samples the largest, of 100 the
    /// second largest.
    pub(crate) fn p99(&self) -> Duration {
        let rank = usize::from(usize::from(self.count) == KEPT);
        Duration::from_micros(u64::from(self.top[rank]))
    }
}

#[cfg(test)]
mod tests;
