//! Who has how many tasks, as the coordinator has decided: also before that is durable.

use std::collections::BTreeMap;

use moorline_node::{Persist, PersistId, StoreOp, StorePlacement};
use moorline_work::TaskId;

use super::{Judgement, Ledger, index_of};

/// A worker and one of its processes.
type Holder = (usize, u64);

/// The present holder of each task that has one.
#[derive(Debug, Default)]
pub(super) struct Given {
    holders: BTreeMap<TaskId, Holder>,
    counts: BTreeMap<Holder, usize>,
    /// Tasks that are leased with their submission, by that: until it is durable nobody knows whether
    /// there is such a task, and a client may have handed it in more than once.
    promised: BTreeMap<PersistId, (TaskId, Holder)>,
}

impl Given {
    fn give(&mut self, task: TaskId, holder: Holder) {
        self.take(task);
        self.holders.insert(task, holder);
        *self.counts.entry(holder).or_default() += 1;
    }

    fn take(&mut self, task: TaskId) {
        if let Some(holder) = self.holders.remove(&task) {
            self.discount(holder);
        }
    }

    fn promise(&mut self, id: PersistId, task: TaskId, holder: Holder) {
        self.promised.insert(id, (task, holder));
        *self.counts.entry(holder).or_default() += 1;
    }

    fn discount(&mut self, holder: Holder) {
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

    /// How many tasks have a holder, or may come to have one.
    pub(super) fn len(&self) -> usize {
        self.holders.len() + self.promised.len()
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
                self.given.promise(persist.id, *task, holder);
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
        if let Some((task, holder)) = self.given.promised.remove(&persist.id) {
            self.given.discount(holder);
            if !conflicts {
                self.given.give(task, holder);
            }
        } else if let (StoreOp::Lease { key, .. }, true) = (&persist.op, conflicts) {
            self.given.take(key.task);
        }
    }

    /// A worker registers anew, or is not here any more: what it was promised goes back to the queue when
    /// it is durable.
    pub(super) fn promises_end(&mut self, worker: usize) {
        let of_worker = |(_, (_, holder)): &(&PersistId, &(TaskId, Holder))| holder.0 == worker;
        let promised = self.given.promised.iter().filter(of_worker);
        let ended: Vec<PersistId> = promised.map(|(id, _)| *id).collect();
        for id in ended {
            if let Some((_, holder)) = self.given.promised.remove(&id) {
                self.given.discount(holder);
            }
        }
    }
}
