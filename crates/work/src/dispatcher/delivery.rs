//! What workers were given and have not taken delivery of: how much of that is enough.
//!
//! An assignment is in this machine's memory, payload and all, from the operation that leases it until
//! it is handed over to a connection. A worker that takes nothing must not be able to fill that memory,
//! however many slots it says it has.

use super::task::Stage;
use super::worker::Worker;
use super::{Dispatcher, DispatcherSettings};
use crate::{TaskId, WorkerId};

/// Assignments that have not left this machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Backlog {
    pub(super) tasks: u32,
    /// Of their payloads.
    pub(super) bytes: u64,
}

impl Backlog {
    pub(super) fn add(&mut self, bytes: u32) {
        self.tasks = self.tasks.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u64::from(bytes));
    }

    pub(super) fn remove(&mut self, bytes: u32) {
        self.tasks = self.tasks.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(u64::from(bytes));
    }

    /// Whether a worker may be given one more before it takes delivery of what it was given; `self` is
    /// what all of them have not taken delivery of.
    ///
    /// One that has taken everything always may, so nothing is too large to be given and no worker
    /// waits for others. The total is looked at when something changes with this worker: as long as it
    /// has something undelivered, something will.
    pub(super) fn has_room(&self, settings: &DispatcherSettings, worker: &Worker) -> bool {
        let given = worker.undelivered;
        given.tasks == 0
            || (given.tasks < settings.undelivered_tasks
                && given.bytes < settings.undelivered_bytes
                && self.bytes < settings.undelivered_bytes_in_all)
    }
}

impl Dispatcher {
    /// Leases of a worker whose assignment has not left this machine, those of submissions under way
    /// included, and the bytes of their payloads.
    #[must_use]
    pub fn undelivered(&self, worker: WorkerId) -> (u32, u64) {
        let backlog = self.workers.get(&worker).map(|worker| worker.undelivered);
        let backlog = backlog.unwrap_or_default();
        (backlog.tasks, backlog.bytes)
    }

    /// The same of all workers together.
    #[must_use]
    pub fn undelivered_in_all(&self) -> (u32, u64) {
        (self.undelivered.tasks, self.undelivered.bytes)
    }

    /// A worker has one more lease, at this stage.
    pub(super) fn is_given(&mut self, id: WorkerId, task: TaskId, stage: Stage, bytes: u32) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.leases.insert(task);
            worker.unsent = worker.unsent.saturating_add(u16::from(stage.is_unsent()));
            if stage.is_undelivered() {
                worker.undelivered.add(bytes);
                self.undelivered.add(bytes);
            }
        }
    }

    /// A lease goes on from a stage in which it was undelivered.
    pub(super) fn goes_on(&mut self, id: WorkerId, was: Stage, stage: Stage, bytes: u32) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let mut touched = false;
        if was.is_unsent() && !stage.is_unsent() {
            worker.unsent = worker.unsent.saturating_sub(1);
            touched = true;
        }
        if !stage.is_undelivered() {
            worker.undelivered.remove(bytes);
            self.undelivered.remove(bytes);
            touched |= worker.listed.is_none();
        }
        if touched {
            self.touched_workers.insert(id);
        }
    }

    /// A worker has a lease less.
    pub(super) fn is_taken_off(&mut self, id: WorkerId, task: TaskId, stage: Stage, bytes: u32) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.leases.remove(&task);
        if let Some(inventory) = worker.inventory_mut() {
            inventory.unnamed.remove(&task);
        }
        if stage.is_unsent() {
            worker.unsent = worker.unsent.saturating_sub(1);
        }
        if stage.is_undelivered() {
            worker.undelivered.remove(bytes);
            self.undelivered.remove(bytes);
        }
        self.touched_workers.insert(id);
    }
}
