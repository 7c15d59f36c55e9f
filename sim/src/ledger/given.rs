//! Who has how many tasks, as the coordinator has decided: also before that is durable.

use std::collections::{BTreeMap, BTreeSet};

use moorline_node::{Persist, StoreOp, StorePlacement};
use moorline_work::TaskId;

use super::{Judgement, Ledger, index_of};

/// A worker and one of its processes.
type Holder = (usize, u64);

/// The present holder of each task that has one.
#[derive(Debug, Default)]
pub(super) struct Given {
    holders: BTreeMap<TaskId, Holder>,
    counts: BTreeMap<Holder, usize>,
    /// Those that are leased with their submission, which is not durable: there may be no such task.
    promised: BTreeSet<TaskId>,
}

impl Given {
    fn give(&mut self, task: TaskId, holder: Holder) {
        self.take(task);
        self.holders.insert(task, holder);
        *self.counts.entry(holder).or_default() += 1;
    }

    fn take(&mut self, task: TaskId) {
        let Some(holder) = self.holders.remove(&task) else { return };
        if let Some(count) = self.counts.get_mut(&holder) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&holder);
            }
        }
    }

    /// How many tasks a process has.
    pub(super) fn count(&self, holder: Holder) -> usize {
        self.counts.get(&holder).copied().unwrap_or(0)
    }

    /// How many tasks have a holder.
    pub(super) fn len(&self) -> usize {
        self.holders.len()
    }
}

impl Ledger {
    /// A life of the coordinator begins: what is durable stands.
    pub(super) fn given_anew(&mut self) {
        self.given = Given::default();
        for (id, task) in &self.tasks {
            if let Some((_, worker, process)) = task.lease {
                self.given.give(*id, (worker, process));
            }
        }
    }

    /// The coordinator has decided on an operation.
    pub(crate) fn gives(&mut self, persist: &Persist, now: u64) -> Judgement {
        match &persist.op {
            StoreOp::Lease { key, worker, incarnation } => {
                let holder = (index_of(worker.0), incarnation.0);
                let judgement = self.may_be_given(holder.0, self.given.count(holder), now);
                self.given.give(key.task, holder);
                judgement
            }
            StoreOp::Submit {
                task,
                placement: StorePlacement::Leased { worker, incarnation },
                ..
            } => {
                let holder = (index_of(worker.0), incarnation.0);
                let judgement = self.may_be_given(holder.0, self.given.count(holder), now);
                self.given.give(*task, holder);
                self.given.promised.insert(*task);
                judgement
            }
            StoreOp::Adopt { key, worker, incarnation, .. } => {
                self.given.give(key.task, (index_of(worker.0), incarnation.0));
                Ok(())
            }
            StoreOp::Requeue { key, .. } | StoreOp::Finish { key, .. } => {
                self.given.take(key.task);
                Ok(())
            }
            StoreOp::Submit { .. }
            | StoreOp::Claim { .. }
            | StoreOp::Unclaim { .. }
            | StoreOp::Leases
            | StoreOp::Lookup { .. }
            | StoreOp::Cancel { .. }
            | StoreOp::Retry { .. }
            | StoreOp::Worker(_)
            | StoreOp::Forget { .. }
            | StoreOp::Workers
            | StoreOp::Event { .. } => Ok(()),
        }
    }

    /// An operation is durable, or its condition failed.
    pub(crate) fn decided(&mut self, persist: &Persist, conflicts: bool) {
        let task = match &persist.op {
            StoreOp::Lease { key, .. } => key.task,
            StoreOp::Submit { task, .. } => {
                if !self.given.promised.remove(task) {
                    return;
                }
                *task
            }
            StoreOp::Adopt { .. }
            | StoreOp::Requeue { .. }
            | StoreOp::Finish { .. }
            | StoreOp::Claim { .. }
            | StoreOp::Unclaim { .. }
            | StoreOp::Leases
            | StoreOp::Lookup { .. }
            | StoreOp::Cancel { .. }
            | StoreOp::Retry { .. }
            | StoreOp::Worker(_)
            | StoreOp::Forget { .. }
            | StoreOp::Workers
            | StoreOp::Event { .. } => return,
        };
        if conflicts {
            self.given.take(task);
        }
    }

    /// A worker registers anew, or is not here any more: what it was promised goes back to the queue when
    /// it is durable.
    pub(super) fn promises_end(&mut self, worker: usize) {
        let holders = &self.given.holders;
        let of_worker = |task: &&TaskId| holders.get(task).is_some_and(|holder| holder.0 == worker);
        let ended: Vec<TaskId> = self.given.promised.iter().filter(of_worker).copied().collect();
        for task in ended {
            self.given.promised.remove(&task);
            self.given.take(task);
        }
    }
}
