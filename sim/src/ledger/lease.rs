//! Who has a task, by the books.

use moorline_work::{Incarnation, TaskKey, WorkerId};

use super::{Judgement, Ledger, broken, index_of};
use crate::report::Invariant;

impl Ledger {
    /// A task that nobody has is leased.
    pub(super) fn leased(
        &mut self,
        key: TaskKey,
        worker: WorkerId,
        incarnation: Incarnation,
    ) -> Judgement {
        if let Some((leased, other, _)) = self.task(key.task).lease {
            let words = format!("{key:?} is leased while w{other} has {leased:?}");
            return broken(Invariant::RanTwice, words);
        }
        self.given(key, worker, incarnation)
    }

    /// A task has a new attempt, whoever had it before.
    pub(super) fn given(
        &mut self,
        key: TaskKey,
        worker: WorkerId,
        incarnation: Incarnation,
    ) -> Judgement {
        self.unended(key, "is leased")?;
        let task = self.task(key.task);
        if key.attempt <= task.attempt {
            let words = format!("{key:?} comes after attempt {}", task.attempt.0);
            return broken(Invariant::AppliedTwice, words);
        }
        task.attempt = key.attempt;
        task.lease = Some((key, index_of(worker.0), incarnation.0));
        Ok(())
    }
}
