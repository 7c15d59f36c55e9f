//! Who has a task, by the books.

use moorline_work::{Incarnation, TaskKey, WorkerId};

use super::{Judgement, Ledger, broken, index_of};
use crate::Rule;

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
            return broken(Rule::RanTwice, words);
        }
        self.handed(key, worker, incarnation)
    }

    /// A task has a new attempt, whoever had it before.
    pub(super) fn handed(
        &mut self,
        key: TaskKey,
        worker: WorkerId,
        incarnation: Incarnation,
    ) -> Judgement {
        self.unended(key, Rule::EndedWrongly, "is leased")?;
        let task = self.task(key.task);
        if key.attempt <= task.attempt {
            let words = format!("{key:?} comes after attempt {}", task.attempt.0);
            return broken(Rule::WentBack, words);
        }
        task.attempt = key.attempt;
        task.lease = Some((key, index_of(worker.0), incarnation.0));
        Ok(())
    }
}
