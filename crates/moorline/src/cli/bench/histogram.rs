//! Latencies in bounded memory.

use std::time::Duration;

/// Buckets for each power of two: a value is known to within 1/128 of itself.
const FINE: u64 = 64;

/// How often a duration fell into which bucket: exact below 64 ns, then 64 buckets for each doubling.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(super) fn record(&mut self, duration: Duration) {
        let bucket = bucket(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.total += 1;
    }

    /// How many were recorded.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The value that `share` (0 to 1) of all do not exceed, in microseconds; 0 of none.
    pub(super) fn micros(&self, share: f64) -> f64 {
        let rank = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut below = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            below += count;
            if below >= rank {
                return middle(bucket as u64) / 1_000.0;
            }
        }
        0.0
    }
}

fn bucket(nanos: u64) -> usize {
    let doublings = u64::from((nanos / FINE).checked_ilog2().map_or(0, |log| log + 1));
    let bucket = match doublings {
        0 => nanos,
        // The leading bit says which doubling; the six behind it which bucket of that.
        _ => doublings * FINE + (nanos >> (doublings - 1)) - FINE,
    };
    usize::try_from(bucket).unwrap_or(usize::MAX)
}

/// The middle of a bucket, in nanoseconds.
fn middle(bucket: u64) -> f64 {
    match bucket / FINE {
        0 => bucket as f64,
        doublings => ((bucket % FINE + FINE) as f64 + 0.5) * 2_f64.powi(doublings as i32 - 1) - 0.5,
    }
}

#[cfg(test)]
mod tests;
