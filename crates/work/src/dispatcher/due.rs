//! For whom an action is due, and which.

use alloc::collections::{BTreeMap, BTreeSet};

use super::task::{Lease, Stage, Task, Wish};
use super::worker::{Note, Worker};
use super::{Dispatcher, DispatcherAction};
use crate::{Assign, CoordinatorMessage, TaskId, WorkerId};

/// Leases and workers for which an action is due; which one, they say themselves. Each of them knows
/// whether it is listed here.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct DueList {
    leases: BTreeSet<TaskId>,
    workers: BTreeSet<WorkerId>,
}

/// Whose action is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    Lease(TaskId),
    Worker(WorkerId),
}

type Workers = BTreeMap<WorkerId, Worker>;

impl DueList {
    /// Enters a lease or takes it off.
    pub(super) fn refresh(
        &mut self,
        ready: bool,
        workers: &Workers,
        id: TaskId,
        lease: &mut Lease,
    ) {
        let is_due = due_wish(ready, workers, lease).is_some();
        if core::mem::replace(&mut lease.due, is_due) == is_due {
            return;
        }
        if is_due {
            self.leases.insert(id);
        } else {
            self.leases.remove(&id);
        }
    }

    /// Enters a worker or takes it off.
    pub(super) fn refresh_worker(&mut self, id: WorkerId, worker: &mut Worker) {
        let is_due = worker.is_owed();
        if core::mem::replace(&mut worker.due, is_due) == is_due {
            return;
        }
        if is_due {
            self.workers.insert(id);
        } else {
            self.workers.remove(&id);
        }
    }

    /// A lease is over.
    pub(super) fn forget_lease(&mut self, id: TaskId, lease: &Lease) {
        if lease.due {
            self.leases.remove(&id);
        }
    }

    /// A worker is gone.
    pub(super) fn forget_worker(&mut self, id: WorkerId, worker: &Worker) {
        if worker.due {
            self.workers.remove(&id);
        }
    }

    /// Leases go first.
    fn first(&self) -> Option<Due> {
        let lease = self.leases.first().map(|id| Due::Lease(*id));
        lease.or_else(|| self.workers.first().map(|id| Due::Worker(*id)))
    }
}

impl Dispatcher {
    /// The first action that is due, and whose it is.
    pub(super) fn due_action(&self) -> Option<(Due, DispatcherAction)> {
        let due = self.due.first()?;
        let action = match due {
            Due::Lease(task) => self.lease_action(task),
            Due::Worker(worker) => self.worker_action(worker),
        };
        Some((due, action?))
    }

    /// The action was carried out.
    pub(super) fn due_action_taken(&mut self, due: Due) {
        match due {
            Due::Lease(task) => self.lease_action_taken(task),
            Due::Worker(worker) => self.worker_action_taken(worker),
        }
    }

    /// What is due for a lease.
    fn lease_action(&self, id: TaskId) -> Option<DispatcherAction> {
        // One that is gone and still listed would hide all that are due behind it.
        debug_assert!(self.tasks.get(&id).is_some_and(|task| task.lease().is_some()));
        let task = self.tasks.get(&id)?;
        let lease = task.lease()?;
        let worker = lease.worker;
        let key = task.key(id);
        let message = match due_wish(self.ready, &self.workers, lease)? {
            Wish::Withdraw => return Some(DispatcherAction::Withdraw { worker, key }),
            Wish::Assign => CoordinatorMessage::Assign(Assign {
                key,
                handler: task.spec.handler,
                timeout: task.spec.timeout,
            }),
            Wish::Revoke => CoordinatorMessage::Revoke { key },
            Wish::Cancel => CoordinatorMessage::Cancel { key },
        };
        Some(DispatcherAction::Send { worker, message })
    }

    fn lease_action_taken(&mut self, id: TaskId) {
        let Some(lease) = self.tasks.get_mut(&id).and_then(Task::lease_mut) else { return };
        match lease.wish() {
            Some(Wish::Withdraw) => lease.stage = Stage::Recalled,
            Some(Wish::Assign) => {
                lease.stage = Stage::Sent;
                if let Some(worker) = self.workers.get_mut(&lease.worker) {
                    worker.unsent = worker.unsent.saturating_sub(1);
                    self.due.refresh_worker(lease.worker, worker);
                }
            }
            Some(Wish::Revoke) => lease.stage = Stage::Revoked,
            Some(Wish::Cancel) => lease.cancel = super::CancelWish::Told,
            None => {}
        }
        self.due.refresh(self.ready, &self.workers, id, lease);
    }

    /// What is due for a worker.
    fn worker_action(&self, id: WorkerId) -> Option<DispatcherAction> {
        let worker = self.workers.get(&id)?;
        if !worker.is_owed() {
            return None;
        }
        Some(match worker.notes.front() {
            Some(Note::Message(message)) => {
                DispatcherAction::Send { worker: id, message: *message }
            }
            Some(Note::Answer { key, judgement }) => {
                DispatcherAction::Answer { worker: id, key: *key, judgement: *judgement }
            }
            None => DispatcherAction::Believe { worker: id, free: worker.free_there() },
        })
    }

    fn worker_action_taken(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if worker.notes.pop_front().is_none() {
            worker.believed = Some(worker.free_there());
        }
        self.due.refresh_worker(id, worker);
    }

    /// Enters or leaves a lease in the list of what is due.
    pub(super) fn refresh_lease(&mut self, id: TaskId) {
        if let Some(lease) = self.tasks.get_mut(&id).and_then(Task::lease_mut) {
            self.due.refresh(self.ready, &self.workers, id, lease);
        }
    }
}

/// What is due for a lease: only a withdrawal does without a worker that takes messages.
fn due_wish(ready: bool, workers: &Workers, lease: &Lease) -> Option<Wish> {
    let wish = lease.wish().filter(|_| ready)?;
    let is_due = match wish {
        Wish::Withdraw => true,
        Wish::Assign | Wish::Revoke | Wish::Cancel => {
            workers.get(&lease.worker).is_some_and(Worker::is_active)
        }
    };
    is_due.then_some(wish)
}
