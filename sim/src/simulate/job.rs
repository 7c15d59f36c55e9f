//! What a handler of one's own is given, and what it says.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moorline_work::Outcome;

use crate::decide::{Decide, Site};

/// A handler of one's own.
pub(crate) type Handler = Arc<dyn Fn(&Job<'_>) -> Made + Send + Sync>;

/// The handler of a run, and what its tasks are given.
#[derive(Clone)]
pub(crate) struct Handled {
    pub(crate) handler: Handler,
    pub(crate) payloads: Vec<Bytes>,
}

impl fmt::Debug for Handled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handled").field("payloads", &self.payloads.len()).finish_non_exhaustive()
    }
}

/// Decisions of handlers of one's own come after those that every handler takes.
const FIRST: u64 = 1_000;

/// An attempt of a task.
///
/// ```
/// use std::time::Duration;
/// use moorline_sim::{Job, Made, simulate};
///
/// fn resize(job: &Job<'_>) -> Made {
///     // One of a hundred files is damaged.
///     if job.chance(10_000) {
///         return Made::failed(Duration::from_millis(5), false);
///     }
///     let lasts = Duration::from_millis(50 + job.draw(200));
///     Made::after(lasts, format!("{} resized", job.task()))
/// }
///
/// simulate(resize).seeds(0..5).run().expect("every promise is kept");
/// ```
#[derive(Debug)]
pub struct Job<'a> {
    task: usize,
    attempt: u32,
    payload: &'a [u8],
    decisions: &'a dyn Decide,
    entity: u64,
    taken: Cell<u64>,
}

impl<'a> Job<'a> {
    pub(crate) fn new(
        task: usize,
        attempt: u32,
        payload: &'a [u8],
        decisions: &'a dyn Decide,
        entity: u64,
    ) -> Self {
        Self { task, attempt, payload, decisions, entity, taken: Cell::new(FIRST) }
    }

    /// The number of the task.
    #[must_use]
    pub const fn task(&self) -> usize {
        self.task
    }

    /// The number of the attempt, from 1.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// What the task was given.
    #[must_use]
    pub const fn payload(&self) -> &[u8] {
        self.payload
    }

    /// The next decision, in `0..bound`; 0 is to be the benign one, which it is where nothing goes wrong
    /// by chance. The same for the same attempt each time.
    #[must_use]
    pub fn draw(&self, bound: u64) -> u64 {
        let k = self.taken.get();
        self.taken.set(k + 1);
        self.decisions.draw(Site::Handler, self.entity, k, bound)
    }

    /// Whether something happens that happens so many times in a million.
    #[must_use]
    pub fn chance(&self, ppm: u64) -> bool {
        self.draw(1_000_000) >= 1_000_000_u64.saturating_sub(ppm)
    }
}

/// What comes of an attempt, and when.
///
/// ```
/// use std::time::Duration;
/// use moorline_sim::Made;
///
/// assert_eq!(Made::at_once("done"), Made::after(Duration::ZERO, "done"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Made {
    pub(crate) lasts: Duration,
    pub(crate) outcome: Outcome,
    pub(crate) body: Vec<u8>,
}

impl Made {
    /// A result, as soon as it starts.
    #[must_use]
    pub fn at_once(result: impl Into<Vec<u8>>) -> Self {
        Self::after(Duration::ZERO, result)
    }

    /// A result, after this time.
    #[must_use]
    pub fn after(lasts: Duration, result: impl Into<Vec<u8>>) -> Self {
        Self { lasts, outcome: Outcome::Succeeded, body: result.into() }
    }

    /// A failure, after this time; `retryable`: another attempt may help.
    #[must_use]
    pub fn failed(lasts: Duration, retryable: bool) -> Self {
        Self { lasts, outcome: Outcome::Failed { retryable }, body: b"it did not work".to_vec() }
    }
}
