//! When the links of a fleet were dialled, became active and were lost.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

/// Unix nanoseconds, each list in order.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Moments {
    /// Dials that began.
    tries: Vec<u64>,
    /// Links that became active.
    ups: Vec<u64>,
    /// Links that were active and are so no more.
    downs: Vec<u64>,
}

/// The moments of a fleet of known size.
#[derive(Debug)]
pub(super) struct Tally {
    workers: usize,
    moments: Mutex<Moments>,
}

impl Tally {
    pub(super) fn new(workers: u32) -> Self {
        let workers = usize::try_from(workers).unwrap_or(usize::MAX);
        Self { workers, moments: Mutex::default() }
    }

    pub(super) fn dial(&self) {
        self.lock().tries.push(now());
    }

    /// Returns whether all are active now.
    pub(super) fn up(&self) -> bool {
        let mut moments = self.lock();
        moments.ups.push(now());
        moments.ups.len() - moments.downs.len() == self.workers
    }

    pub(super) fn down(&self) {
        self.lock().downs.push(now());
    }

    /// All of them so far.
    pub(super) fn moments(&self) -> Moments {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Moments> {
        // A push leaves a list whole.
        self.moments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
