//! What the loops count, for metrics and health checks: plain numbers that anybody may read at any
//! time without a lock.
//!
//! A loop counts what it sees; it names nothing, writes no text and knows no format. What can be
//! computed from live state (workers by state, free slots) is not counted but asked for when
//! somebody looks.

mod coordinator;
mod histogram;
mod lease;
mod pulse;
mod worker;

use std::sync::atomic::{AtomicU64, Ordering};

use moorline_link::Reason;

pub use coordinator::CoordinatorTally;
pub use histogram::{Histogram, HistogramView};
pub(crate) use lease::{LeaseClock, Turn};
pub use pulse::Pulse;
pub(crate) use worker::WorkerCounter;
pub use worker::{HandlerTally, JournalTally, Outages, Outbox, WorkerTally};

/// A count that only grows while its process lives.
///
/// ```
/// assert_eq!(moorline_driver::Count::default().get(), 0);
/// ```
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// How many so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// What a machine has counted by itself: so many in all.
    pub(crate) fn reaches(&self, total: u64) {
        self.0.store(total, Ordering::Relaxed);
    }
}

/// One count for each label of a closed set.
///
/// ```
/// let tally = moorline_driver::CoordinatorTally::default();
/// assert!(tally.results.iter().all(|(_, count)| count == 0));
/// assert!(tally.results.iter().any(|(label, _)| label == "late_accepted"));
/// ```
#[derive(Debug)]
pub struct Counts {
    labels: &'static [&'static str],
    counts: Box<[Count]>,
}

impl Counts {
    pub(crate) fn new(labels: &'static [&'static str]) -> Self {
        Self { labels, counts: labels.iter().map(|_| Count::default()).collect() }
    }

    /// One count for each reason, by its word.
    pub(crate) fn by_reason() -> Self {
        Self::new(&REASONS)
    }

    /// Each label and how many so far, in the order of the set.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.labels.iter().zip(&self.counts).map(|(label, count)| (*label, count.get()))
    }

    /// How many in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().map(Count::get).sum()
    }

    /// One more. A label that is not of the set is a mistake in this crate, found by its tests.
    pub(crate) fn add(&self, label: &str) {
        self.add_many(label, 1);
    }

    pub(crate) fn add_many(&self, label: &str, more: u64) {
        if let Some(count) = self.of(label) {
            count.add(more);
        }
    }

    pub(crate) fn reaches(&self, label: &str, total: u64) {
        if let Some(count) = self.of(label) {
            count.reaches(total);
        }
    }

    fn of(&self, label: &str) -> Option<&Count> {
        let at = self.labels.iter().position(|known| *known == label);
        debug_assert!(at.is_some(), "{label} is none of {:?}", self.labels);
        at.and_then(|at| self.counts.get(at))
    }
}

const REASONS: [&str; Reason::ALL.len()] = {
    let mut names = [""; Reason::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Reason::ALL[at].name();
        at += 1;
    }
    names
};

#[cfg(test)]
mod tests;
