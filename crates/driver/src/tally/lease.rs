//! How long tasks are leased, and what that came to.

use std::collections::BTreeMap;

use moorline_link::Instant;
use moorline_node::{Requeue, StoreOp, StorePlacement, StoreRow};
use moorline_work::{End, TaskId};

use super::CoordinatorTally;

/// What an operation is to the lease of a task, if it is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// It begins.
    Leased(TaskId),
    /// The task goes back to the queue.
    Requeued(TaskId, Requeue),
    /// The task ends.
    Ended(TaskId, End),
    /// Leases are read or taken over: the rows say which.
    Rows,
}

impl Turn {
    pub(crate) fn of(operation: &StoreOp) -> Option<Self> {
        match operation {
            StoreOp::Lease { key, .. } => Some(Self::Leased(key.task)),
            StoreOp::Submit { task, placement: StorePlacement::Leased { .. }, .. } => {
                Some(Self::Leased(*task))
            }
            StoreOp::Requeue { key, cause, .. } => Some(Self::Requeued(key.task, *cause)),
            StoreOp::Finish { key, end, .. } => Some(Self::Ended(key.task, *end)),
            StoreOp::Leases | StoreOp::Adopt { .. } => Some(Self::Rows),
            StoreOp::Submit {
                placement: StorePlacement::Unclaimed | StorePlacement::Claimed { .. },
                ..
            }
            | StoreOp::Claim { .. }
            | StoreOp::Unclaim { .. }
            | StoreOp::Forget { .. }
            | StoreOp::Lookup { .. }
            | StoreOp::Cancel { .. }
            | StoreOp::Retry { .. }
            | StoreOp::Worker(_)
            | StoreOp::Event { .. }
            | StoreOp::Workers => None,
        }
    }
}

/// Since when each task is leased, as far as this life of the coordinator knows: those of an earlier one
/// since they were read. As many as there are leases.
#[derive(Debug, Default)]
pub(crate) struct LeaseClock(BTreeMap<TaskId, Instant>);

impl LeaseClock {
    /// An operation is durable, with these rows for an answer.
    pub(crate) fn turn(
        &mut self,
        now: Instant,
        turn: Option<Turn>,
        rows: &[StoreRow],
        tally: &CoordinatorTally,
    ) {
        match turn {
            None => {}
            Some(Turn::Leased(task)) => {
                self.0.insert(task, now);
            }
            Some(Turn::Rows) => {
                for row in rows {
                    if let StoreRow::Lease { key, .. } = row {
                        self.0.entry(key.task).or_insert(now);
                    }
                }
            }
            Some(Turn::Requeued(task, cause)) => {
                let cause = match cause {
                    Requeue::Lost => Some("worker_lost"),
                    Requeue::Retry { .. } => Some("retried"),
                    // It was not begun, or handed back on purpose.
                    Requeue::Returned => None,
                };
                self.ends(now, task, cause, tally);
            }
            Some(Turn::Ended(task, end)) => {
                let (word, cause) = match end {
                    End::Succeeded => ("succeeded", None),
                    End::Failed => ("failed", None),
                    End::Cancelled => ("cancelled", None),
                    End::Dead => ("dead", Some("worker_lost")),
                };
                tally.finished.add(word);
                self.ends(now, task, cause, tally);
            }
        }
    }

    fn ends(&mut self, now: Instant, task: TaskId, lost: Option<&str>, tally: &CoordinatorTally) {
        let Some(since) = self.0.remove(&task) else { return };
        if let Some(cause) = lost {
            let nanos = u64::try_from(now.since(since).as_nanos()).unwrap_or(u64::MAX);
            tally.work_lost.add_many(cause, nanos);
        }
    }
}

#[cfg(test)]
mod tests;
