//! What is leased with its submission: a task whose worker is known when it is handed in.
//!
//! Until the submission is durable nobody knows whether there is such a task: its id may be taken. So
//! memory has no picture of it before, and of its lease only that a slot is promised.

use super::task::{CancelWish, Lease, Stage, Task};
use super::worker::Worker;
use super::{Dispatcher, LeaseSnapshot};
use crate::{Attempt, Incarnation, Op, OpId, Placement, Sym, TaskId, TaskSpec, WorkerId};

impl Dispatcher {
    /// Where a task that is handed in now is to be. It is leased at once if a queued one would be, and no
    /// other one of its handler waits.
    pub(super) fn placement(&self, id: TaskId, spec: &TaskSpec) -> Placement {
        let Some(window) = self.windows.get(&spec.handler) else { return Placement::Unclaimed };
        let waits = window.arriving.is_some_and(|op| self.log.get(op).is_some());
        if window.is_bare()
            && !waits
            && let Some((_, worker)) = window.workers.first().copied()
            && let Some(Worker { incarnation, .. }) = self.workers.get(&worker)
            // The same submission again is no reason to keep a slot.
            && !self.tasks.contains_key(&id)
        {
            return Placement::Leased { worker, incarnation: *incarnation };
        }
        if window.takes(spec.priority, self.config.window()) {
            Placement::Claimed
        } else {
            Placement::Unclaimed
        }
    }

    /// A submission under way is to be queued.
    pub(super) fn arrives(&mut self, handler: Sym, op: OpId) {
        if let Some(window) = self.windows.get_mut(&handler) {
            window.arriving = window.arriving.max(Some(op));
        }
    }

    /// Keeps a slot for the task of a submission.
    pub(super) fn promise(&mut self, to: WorkerId, op: OpId, bytes: u32) {
        if let Some(worker) = self.workers.get_mut(&to) {
            worker.promised.push_back(op);
            worker.undelivered.add(bytes);
            self.undelivered.add(bytes);
        }
        self.relist(to);
    }

    /// The submission is stored: whether its promise stands, which ends with that.
    pub(super) fn take_promise(&mut self, id: WorkerId, op: OpId, bytes: u32) -> bool {
        let Some(worker) = self.workers.get_mut(&id) else { return false };
        // Submissions are stored in their order.
        if worker.promised.front() != Some(&op) {
            return false;
        }
        worker.promised.pop_front();
        worker.undelivered.remove(bytes);
        self.undelivered.remove(bytes);
        self.touched_workers.insert(id);
        true
    }

    /// A worker is not to get what it was promised: when that is durable it goes back to the queue.
    pub(super) fn break_promises(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        for op in core::mem::take(&mut worker.promised) {
            if let Some(Op::Submit { spec, .. }) = self.log.get(op) {
                worker.undelivered.remove(spec.bytes);
                self.undelivered.remove(spec.bytes);
                if let Some(window) = self.windows.get_mut(&spec.handler) {
                    window.arriving = window.arriving.max(Some(op));
                }
            }
            self.touched_workers.insert(id);
        }
    }

    /// A task is durable, and leased: as after a lease that is durable, if its worker is still to get it.
    pub(super) fn leased_at_once(
        &mut self,
        id: TaskId,
        task: Task,
        worker: WorkerId,
        incarnation: Incarnation,
        stands: bool,
    ) {
        // By an operation behind this one.
        if self.tasks.contains_key(&id) {
            return;
        }
        let task = Task { attempt: Attempt(0).next(), ..task };
        if self.is_cancelled_after(id, task.basis) {
            self.return_unplaced(id, task, CancelWish::Asked);
        } else if stands {
            let lease = Lease::new(worker, incarnation, task.attempt, Stage::Assigning);
            self.place_lease(id, task, lease);
        } else {
            self.return_unplaced(id, task, CancelWish::None);
        }
    }

    /// The leases of submissions under way.
    pub(super) fn promises(&self) -> impl Iterator<Item = LeaseSnapshot> + '_ {
        self.workers.iter().flat_map(|(id, worker)| {
            worker.promised.iter().filter_map(|op| {
                let Some(Op::Submit { task, .. }) = self.log.get(*op) else { return None };
                Some(LeaseSnapshot {
                    task: *task,
                    attempt: Attempt(0).next(),
                    worker: *id,
                    submitting: true,
                    handed_over: false,
                    accepted: false,
                    cancel_requested: self.is_cancelled_after(*task, *op),
                })
            })
        })
    }
}
