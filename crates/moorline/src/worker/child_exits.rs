//! How the child processes of a worker's handlers ended, counted for metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a child ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ChildExit {
    /// With exit code 0.
    Ok,
    /// With another exit code, or its result was too large.
    Error,
    /// By a signal that this worker did not send.
    Signal,
    /// It was told to end because its time was over, and did not end with exit code 0.
    Timeout,
    /// The same because its attempt was cancelled or handed back, or the worker ended.
    Cancelled,
}

impl ChildExit {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Ok, Self::Error, Self::Signal, Self::Timeout, Self::Cancelled];

    /// As a label has it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Signal => "signal",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How often, by [`ChildExit::ALL`]'s order. Cloning shares the counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChildExits(Arc<[AtomicU64; ChildExit::ALL.len()]>);

impl ChildExits {
    /// One more.
    pub(crate) fn add(&self, how: ChildExit) {
        let counts = ChildExit::ALL.iter().zip(&*self.0);
        for (_, count) in counts.filter(|(known, _)| **known == how) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often so far, each.
    pub(crate) fn all(&self) -> Vec<(ChildExit, u64)> {
        let counts = ChildExit::ALL.iter().zip(&*self.0);
        counts.map(|(how, count)| (*how, count.load(Ordering::Relaxed))).collect()
    }
}
