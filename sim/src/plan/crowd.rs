//! Worlds with many workers: some promises show only there.

use super::{Plan, WorkerPlan};

impl Plan {
    /// The same world with as many workers as this, all alike.
    ///
    /// ```
    /// use moorline_sim::Plan;
    ///
    /// let plan = Plan::new(7).crowded(64);
    /// assert_eq!(plan.workers.len(), 64);
    /// assert!(plan.workers.iter().all(|worker| worker.slots == plan.workers[0].slots));
    /// ```
    #[must_use]
    pub fn crowded(mut self, workers: usize) -> Self {
        if let Some(first) = self.workers.first().cloned() {
            let worker = |index| WorkerPlan {
                id: u128::from(index + 1) << 64 | u128::from(index),
                ..first.clone()
            };
            let present = self.workers.len();
            self.workers = (0..workers.max(present) as u64).map(worker).collect();
        }
        self
    }
}
