//! Durations in fixed buckets.

use std::time::Duration;

use super::Count;

/// How often durations fell into each of a few fixed buckets.
///
/// ```
/// let tally = moorline_driver::CoordinatorTally::default();
/// assert_eq!(tally.commits.view().count, 0);
///
/// static BOUNDS: [std::time::Duration; 1] = [std::time::Duration::from_millis(10)];
/// let own = moorline_driver::Histogram::new(&BOUNDS);
/// own.observe(std::time::Duration::from_millis(12));
/// assert_eq!((own.view().cumulative[0].1, own.view().count), (0, 1));
/// ```
#[derive(Debug)]
pub struct Histogram {
    /// Upper ends, rising.
    bounds: &'static [Duration],
    /// One for each bound, and one for what is above all of them.
    counts: Box<[Count]>,
    /// Nanoseconds.
    sum: Count,
}

/// What a histogram held at one moment.
///
/// ```
/// use moorline_driver::Histogram;
///
/// fn mean_seconds(histogram: &Histogram) -> Option<f64> {
///     let view = histogram.view();
///     (view.count > 0).then(|| view.sum.as_secs_f64() / view.count as f64)
/// }
/// # let _ = mean_seconds;
/// ```
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct HistogramView {
    /// Each upper end, and how many durations were not above it.
    pub cumulative: Vec<(Duration, u64)>,
    /// How many in all.
    pub count: u64,
    /// Their sum.
    pub sum: Duration,
}

impl Histogram {
    /// An empty one with these upper ends, which have to rise; what is above the last is counted too.
    #[must_use]
    pub fn new(bounds: &'static [Duration]) -> Self {
        let counts = (0..=bounds.len()).map(|_| Count::default()).collect();
        Self { bounds, counts, sum: Count::default() }
    }

    /// One more.
    pub fn observe(&self, duration: Duration) {
        let at = self.bounds.partition_point(|bound| *bound < duration);
        if let Some(count) = self.counts.get(at) {
            count.add(1);
        }
        self.sum.add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// What it holds now. Counted while somebody observes, so the sum may be one duration ahead of
    /// the count or behind it.
    #[must_use]
    pub fn view(&self) -> HistogramView {
        let mut count = 0;
        let mut cumulative = Vec::with_capacity(self.bounds.len());
        for (bound, bucket) in self.bounds.iter().zip(&self.counts) {
            count += bucket.get();
            cumulative.push((*bound, count));
        }
        count += self.counts.last().map_or(0, Count::get);
        HistogramView { cumulative, count, sum: Duration::from_nanos(self.sum.get()) }
    }
}

/// Bounds in microseconds, for tables that can be read.
macro_rules! micros {
    ($($micros:literal)*) => { &[$(Duration::from_micros($micros)),*] };
}

/// From what a disk does in a cache to what a broken one does.
pub(super) const DISK: &[Duration] =
    micros![100 250 500 1_000 2_500 5_000 10_000 25_000 50_000 100_000 250_000 1_000_000 5_000_000];

/// Round trips: from one machine to around the world, and beyond what is healthy.
pub(super) const ROUND_TRIP: &[Duration] = micros![
    100 250 500 1_000 2_500 5_000 10_000 25_000 50_000 100_000 250_000 500_000 1_000_000 2_500_000
    5_000_000
];

/// Being late by a scheduler's slice up to a stall.
pub(super) const LAG: &[Duration] =
    micros![100 500 1_000 5_000 10_000 50_000 100_000 500_000 1_000_000 5_000_000];

/// Dials: a connection at once, up to the limits of dial and registration together.
pub(super) const CONNECT: &[Duration] = micros![1_000 5_000 10_000 50_000 100_000 250_000 500_000 1_000_000 2_500_000 5_000_000 10_000_000 20_000_000];

/// Outages: half a second to an hour.
pub(super) const OUTAGE: &[Duration] = micros![
    500_000 1_000_000 2_000_000 5_000_000 10_000_000 30_000_000 60_000_000 120_000_000 300_000_000
    600_000_000 1_800_000_000 3_600_000_000
];

/// Waiting for a worker: not at all, up to an hour.
pub(super) const QUEUE: &[Duration] = micros![
    1_000 5_000 10_000 50_000 100_000 500_000 1_000_000 5_000_000 10_000_000 30_000_000 60_000_000
    300_000_000 900_000_000 3_600_000_000
];

/// Tasks: a hundredth of a second to an hour.
pub(super) const TASK: &[Duration] = micros![
    10_000 50_000 100_000 500_000 1_000_000 5_000_000 10_000_000 30_000_000 60_000_000 300_000_000
    900_000_000 3_600_000_000
];
