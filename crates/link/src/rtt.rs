//! Round trips of answered beats: the last hundred, in whole microseconds.

use core::time::Duration;

const KEPT: usize = 100;

/// The last 100 round trips, in two roles: what the path is like decides how long an answer may take
/// ([`RoundTrips::p99`]) and is never forgotten on purpose; the figures for people count from the last
/// [`RoundTrips::reset`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct RoundTrips {
    /// A ring of microseconds, at least 1 each; `count` of them are meaningful.
    samples: [u32; KEPT],
    count: u8,
    /// Where the next sample goes.
    next: u8,
    /// The largest and the second largest of the samples.
    top: [u32; 2],
    /// So many of the latest samples count for the figures.
    counted: u8,
    /// The smoothed round trip in eighths of a microsecond; 0 = no sample counts yet.
    smoothed: u64,
    /// The smoothed deviation from it in quarters of a microsecond.
    deviation: u64,
}

/// Round trips in figures, of the last 100 answered beats. Resolution 1 µs.
///
/// ```
/// use moorline_link::RoundTripFigures;
///
/// fn is_steady(path: &RoundTripFigures) -> bool {
///     path.samples >= 20 && path.p99 < path.p50 * 4
/// }
/// # let _ = is_steady;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct RoundTripFigures {
    /// How many round trips the mean and the percentiles are of: 1 to 100.
    pub samples: u8,
    /// The latest.
    pub last: Duration,
    /// Their mean.
    pub mean: Duration,
    /// The exponentially weighted mean with weight 1/8 ([RFC 6298], SRTT): of all beats answered since
    /// the start or a reset, not only the last 100.
    ///
    /// [RFC 6298]: https://www.rfc-editor.org/rfc/rfc6298
    pub smoothed: Duration,
    /// The mean deviation from it with weight 1/4 (RFC 6298, RTTVAR): what is called jitter.
    pub deviation: Duration,
    /// The median, by nearest rank.
    pub p50: Duration,
    /// The 99th percentile, by nearest rank: the largest of fewer than 100.
    pub p99: Duration,
}

impl RoundTrips {
    pub(crate) const fn new() -> Self {
        Self {
            samples: [0; KEPT],
            count: 0,
            next: 0,
            top: [0; 2],
            counted: 0,
            smoothed: 0,
            deviation: 0,
        }
    }

    /// The figures begin again; what is known of the path stays.
    pub(crate) fn reset(&mut self) {
        (self.counted, self.smoothed, self.deviation) = (0, 0, 0);
    }

    pub(crate) fn record(&mut self, rtt: Duration) {
        let micros = u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX).max(1);
        self.smooth(u64::from(micros));
        let at = usize::from(self.next);
        let evicted = core::mem::replace(&mut self.samples[at], micros);
        self.next = if at + 1 == KEPT { 0 } else { self.next + 1 };
        if usize::from(self.count) < KEPT {
            self.count += 1;
        }
        if usize::from(self.counted) < KEPT {
            self.counted += 1;
        }
        if evicted == micros {
            // They are the same as before.
        } else if evicted >= self.top[1] {
            // One of the two largest left, or there were no two yet: nothing else needs a look at all.
            self.top = [0; 2];
            for i in 0..usize::from(self.count) {
                self.rank(self.samples[i]);
            }
        } else {
            self.rank(micros);
        }
    }

    /// RFC 6298, section 2, in the scaled integers of Jacobson's appendix: no precision is lost to
    /// rounding in between.
    fn smooth(&mut self, micros: u64) {
        if self.counted == 0 {
            (self.smoothed, self.deviation) = (micros << 3, micros << 1);
        } else {
            let off = micros.abs_diff(self.smoothed >> 3);
            self.deviation = self.deviation - (self.deviation >> 2) + off;
            self.smoothed = self.smoothed - (self.smoothed >> 3) + micros;
        }
    }

    fn rank(&mut self, micros: u32) {
        let [largest, second] = self.top;
        self.top = [largest.max(micros), second.max(largest.min(micros))];
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
    /// second largest. Zero = no sample yet.
    pub(crate) fn p99(&self) -> Duration {
        let rank = usize::from(usize::from(self.count) == KEPT);
        Duration::from_micros(u64::from(self.top[rank]))
    }

    /// The smoothed round trip. Zero = none counts yet.
    pub(crate) fn smoothed(&self) -> Duration {
        Duration::from_micros(self.smoothed >> 3)
    }

    /// The figures, computed now; `None` until a round trip counts.
    pub(crate) fn figures(&self) -> Option<RoundTripFigures> {
        let counted = usize::from(self.counted);
        if counted == 0 {
            return None;
        }
        let mut all = [0; KEPT];
        for (i, micros) in all[..counted].iter_mut().enumerate() {
            *micros = self.samples[(usize::from(self.next) + KEPT - 1 - i) % KEPT];
        }
        let all = &mut all[..counted];
        let sum: u64 = all.iter().map(|micros| u64::from(*micros)).sum();
        let micros = Duration::from_micros;
        // Nearest rank: the smallest sample that at least p % of all do not exceed.
        let rank = |p: usize| (counted * p).div_ceil(100);
        let (_, p50, above) = all.select_nth_unstable(rank(50) - 1);
        let p50 = *p50;
        let p99 = match rank(99) - rank(50) {
            0 => p50,
            further => *above.select_nth_unstable(further - 1).1,
        };
        Some(RoundTripFigures {
            samples: self.counted,
            last: micros(u64::from(self.last_micros())),
            mean: micros(sum / u64::from(self.counted)),
            smoothed: self.smoothed(),
            deviation: micros(self.deviation >> 2),
            p50: micros(u64::from(p50)),
            p99: micros(u64::from(p99)),
        })
    }
}

#[cfg(test)]
mod tests;
