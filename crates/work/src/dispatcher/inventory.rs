//! What a returning worker holds, judged by `(task, attempt)`.

use super::lease::Loss;
use super::log::{Cause, Item};
use super::task::{CancelWish, Lease, Place, Stage, Task};
use super::worker::{ITEMS_MAX, Later, Note, Presence, Worker};
use super::{Dispatcher, result::disposition_of};
use crate::{
    Attempt, DispatcherVerdict, Disposition, Holding, Judgement, Op, OpId, Outcome, Status, TaskId,
    TaskKey, WorkerId,
};

impl Dispatcher {
    /// The leases are read: what the worker held before is decided by what it names.
    pub(super) fn begin_inventory(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id) {
            let leases = worker.leases.clone();
            if let Some(inventory) = worker.inventory_mut()
                && !inventory.resumed
                && !cfg!(moorline_planted = "TRAP-1")
            {
                inventory.unnamed = leases;
            }
        }
    }

    /// The worker's present process has said all that it has: another one of it is gone, and what that had and
    /// this one does not with it. Not before: a Hello may come from a process that died long ago, while its
    /// successor is out of touch for a moment and runs what it was given; and what comes last may be a
    /// result that the other one has left.
    fn end_other_processes(&mut self, id: WorkerId) {
        #[cfg(moorline_planted = "LIVE-5")]
        return;
        let Some(incarnation) = self.workers.get(&id).map(|worker| worker.incarnation) else {
            return;
        };
        for task in self.leases_of(id) {
            let lease = self.tasks.get(&task).and_then(Task::lease);
            if lease.is_some_and(|lease| lease.incarnation != incarnation) {
                self.end_lease(task, Loss::Lost);
            }
        }
    }

    /// A process names what an earlier one of its worker ended: that has kept it, so the lease goes on with
    /// this one, whose result it is now.
    fn inherit(&mut self, id: WorkerId, key: TaskKey) {
        let Some(incarnation) = self.workers.get(&id).map(|worker| worker.incarnation) else {
            return;
        };
        let Some(task) = self.tasks.get_mut(&key.task) else { return };
        let Some(of) = task.lease().map(|lease| lease.incarnation) else { return };
        if of != incarnation
            && task.is_current(key.attempt, id, of)
            && let Some(lease) = task.lease_mut()
        {
            lease.incarnation = incarnation;
            self.refresh_lease(key.task);
        }
    }

    pub(super) fn on_item(
        &mut self,
        id: WorkerId,
        key: TaskKey,
        holding: Holding,
    ) -> DispatcherVerdict {
        let is_ready = self.ready;
        let Some(worker) = self.workers.get_mut(&id) else { return DispatcherVerdict::Stale };
        let registration = worker.registration;
        let Some(inventory) = worker.inventory_mut() else { return DispatcherVerdict::Stale };
        if inventory.ended {
            return DispatcherVerdict::Stale;
        }
        let item = Item { worker: id, registration, key, holding };
        if inventory.items >= ITEMS_MAX {
            // A result may always be sent. More runs than slots can be cannot be honest.
            self.answer(
                item,
                match holding {
                    Holding::Finished { .. } => Judgement::Send,
                    Holding::Running { .. } => Judgement::Cancel,
                },
            );
            return DispatcherVerdict::Accepted;
        }
        inventory.items += 1;
        if let Holding::Running { .. } = holding {
            inventory.running.insert(key);
        }
        if !is_ready {
            inventory.waiting.push((key, holding));
            return DispatcherVerdict::Accepted;
        }
        if let Holding::Finished { .. } = holding {
            self.inherit(id, key);
        }
        self.judge(item, None);
        DispatcherVerdict::Accepted
    }

    pub(super) fn on_inventory_end(&mut self, id: WorkerId) -> DispatcherVerdict {
        match self.workers.get_mut(&id).and_then(Worker::inventory_mut) {
            Some(inventory) if !inventory.ended => inventory.ended = true,
            Some(_) | None => return DispatcherVerdict::Stale,
        }
        if self.ready {
            self.end_inventory(id);
        }
        DispatcherVerdict::Accepted
    }

    /// Everything is named: what is not returns to the queue, unless lanes may still bring it.
    fn end_inventory(&mut self, id: WorkerId) {
        self.end_other_processes(id);
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.undecided = false;
        let Presence::Restoring(inventory) = &mut worker.presence else { return };
        let unnamed = core::mem::take(&mut inventory.unnamed);
        if !inventory.resumed {
            worker.fenced.keep_running(&inventory.running);
        }
        self.touched_workers.insert(id);
        for task in unnamed {
            #[cfg(moorline_planted = "LIVE-3")]
            if self.stage_of(task) == Some(Stage::Accepted) {
                continue;
            }
            #[cfg(moorline_planted = "LIVE-5")]
            if self.stage_of(task) == Some(Stage::Accepted) {
                continue;
            }
            self.end_lease(task, Loss::Returned);
        }
    }

    /// The leases are read: everybody who registered before that is judged now.
    pub(super) fn begin_work(&mut self) {
        self.ready = true;
        self.windows.keys().for_each(|handler| self.touched_handlers.insert(*handler));
        self.workers.keys().for_each(|worker| self.touched_workers.insert(*worker));
        for id in core::mem::take(&mut self.departed) {
            self.remove_worker(id, Loss::Returned);
        }
        let here: alloc::vec::Vec<WorkerId> = self
            .workers
            .iter()
            .filter_map(|(id, worker)| (!worker.is_away()).then_some(*id))
            .collect();
        // Before any run is judged: who was active before the leases were read holds nothing, and no
        // other run is to be measured against what it does not run.
        for &id in &here {
            self.begin_inventory(id);
            let Some(worker) = self.workers.get_mut(&id) else { continue };
            let named = worker.inventory_mut().map(|it| (it.waiting.clone(), it.ended));
            let (named, has_ended) = named.unwrap_or((alloc::vec::Vec::new(), true));
            for (key, holding) in named {
                if let Holding::Finished { .. } = holding {
                    self.inherit(id, key);
                }
            }
            if has_ended {
                self.end_other_processes(id);
            }
            let Some(worker) = self.workers.get_mut(&id).filter(|worker| worker.is_active()) else {
                continue;
            };
            worker.undecided = false;
            for task in self.leases_of(id) {
                self.end_lease(task, Loss::Returned);
            }
        }
        for id in here {
            let Some(worker) = self.workers.get_mut(&id) else { continue };
            let registration = worker.registration;
            let Some(inventory) = worker.inventory_mut() else { continue };
            let ended = inventory.ended;
            for (key, holding) in core::mem::take(&mut inventory.waiting) {
                self.judge(Item { worker: id, registration, key, holding }, None);
            }
            if ended {
                self.end_inventory(id);
            }
        }
    }

    /// Answers a key of an inventory, or asks the store (`read` is what it said) and answers then.
    pub(super) fn judge(&mut self, item: Item, read: Option<Status>) {
        let key = item.key;
        let Some(worker) = self.workers.get_mut(&item.worker) else { return };
        if worker.registration != item.registration {
            return;
        }
        if worker.fenced.named(key) {
            match item.holding {
                // It is to stop, whatever became of its task since.
                Holding::Running { .. } => {
                    self.answer(item, Judgement::Cancel);
                    return;
                }
                Holding::Finished { .. } => {
                    worker.fenced.remove(key);
                    self.touched_workers.insert(item.worker);
                }
            }
        }
        match (self.tasks.get(&key.task).copied(), read) {
            (Some(task), _) => self.judge_known(item, task),
            (None, Some(status)) => self.judge_read(item, status),
            (None, None) if self.log.is_full() => self.wait(item.worker, Later::Item(item)),
            (None, None) => {
                self.persist(Op::Lookup { task: key.task }, Cause::Item(item, None));
            }
        }
    }

    fn judge_known(&mut self, item: Item, task: Task) {
        let key = item.key;
        if !task.was_given_out(key.attempt) {
            self.answer(item, never_given_out(item.holding));
            return;
        }
        let Some(worker) = self.workers.get(&item.worker) else { return };
        let is_current = task.is_current(key.attempt, item.worker, worker.incarnation)
            || (cfg!(moorline_planted = "TRAP-2")
                && task.lease().is_some_and(|lease| lease.worker == item.worker));
        match (item.holding, task.place) {
            (Holding::Finished { .. }, Place::Leased(lease)) if is_current => {
                self.named(key.task, &lease, item.holding);
                self.answer(item, Judgement::Send);
            }
            (Holding::Finished { outcome, .. }, Place::Queued | Place::Leased(_)) => {
                self.answer(item, late_result(outcome));
            }
            (Holding::Running { progress }, Place::Queued) => self.adopt(item, task, progress),
            (Holding::Running { progress }, Place::Leased(lease)) => {
                if is_current {
                    self.go_on(item, task, lease, progress);
                } else if self.goes_before(item, &task, &lease, progress) {
                    self.adopt(item, task, progress);
                } else {
                    self.answer(item, Judgement::Cancel);
                }
            }
        }
    }

    /// The worker runs what is leased to it.
    fn go_on(&mut self, item: Item, task: Task, lease: Lease, progress: u64) {
        let id = item.key.task;
        self.named(id, &lease, item.holding);
        if item.key.attempt == task.attempt || cfg!(moorline_planted = "TRAP-2") {
            let judgement = match lease.cancel {
                CancelWish::None | CancelWish::Asked => Judgement::Continue,
                CancelWish::Durable | CancelWish::Told => Judgement::Cancel,
            };
            if judgement == Judgement::Cancel
                && let Some(lease) = self.tasks.get_mut(&id).and_then(Task::lease_mut)
            {
                lease.cancel = CancelWish::Told;
            }
            self.refresh_lease(id);
            self.answer(item, judgement);
        } else if lease.stage == Stage::Adopting {
            // The number it was to get is not durable, and the answer would be for an inventory
            // that is void: another number, for this one.
            self.adopt(item, task, progress);
        } else {
            // It has not heard of its new number, nor of a cancel under that.
            if let Some(lease) = self.tasks.get_mut(&id).and_then(Task::lease_mut)
                && lease.cancel == CancelWish::Told
            {
                lease.cancel = CancelWish::Durable;
            }
            self.refresh_lease(id);
            self.answer(item, Judgement::Adopt { attempt: task.attempt });
        }
    }

    /// A lease was named by its worker: it is accepted, and does not return.
    fn named(&mut self, id: TaskId, lease: &Lease, holding: Holding) {
        if let Some(inventory) = self.workers.get_mut(&lease.worker).and_then(Worker::inventory_mut)
        {
            inventory.unnamed.remove(&id);
        }
        match lease.stage {
            Stage::Granting | Stage::Adopting | Stage::Accepted => {}
            Stage::Assigning
            | Stage::Sent
            | Stage::Withdrawing
            | Stage::Recalled
            | Stage::Offered { .. }
            | Stage::Revoking
            | Stage::Revoked => self.set_stage(id, Stage::Accepted),
        }
        if let Some(lease) = self.tasks.get_mut(&id).and_then(Task::lease_mut) {
            match holding {
                Holding::Running { progress } => lease.progress = progress,
                Holding::Finished { .. } => lease.ended = true,
            }
        }
    }

    /// Whether a run of an older attempt goes before the lease: the furthest progress wins, a tie
    /// goes to the original.
    fn goes_before(&self, item: Item, task: &Task, lease: &Lease, progress: u64) -> bool {
        if lease.cancel.is_wanted() || item.key.attempt >= task.attempt {
            return false;
        }
        if lease.worker == item.worker {
            // It does not know the newer attempt, unless it said so.
            return !lease.stage.is_accepted();
        }
        progress > lease.progress || (progress == lease.progress && item.key.attempt < lease.origin)
    }

    /// Leases a task under a new attempt to the worker that runs this old one.
    fn adopt(&mut self, item: Item, task: Task, progress: u64) {
        let id = item.key.task;
        let Some(incarnation) = self.workers.get(&item.worker).map(|worker| worker.incarnation)
        else {
            return;
        };
        let key = TaskKey { task: id, attempt: task.attempt.next() };
        self.forget(id);
        let (mut origin, mut cancel, mut fence) = (item.key.attempt, CancelWish::None, None);
        if let Some(lease) = task.lease() {
            if lease.worker != item.worker {
                fence = self.fence(task.key(id), lease);
            } else if lease.alias == Some(item.key.attempt) {
                origin = lease.origin;
                cancel = lease.cancel;
            }
        }
        let op = Op::Adopt { key, from: task.attempt, worker: item.worker, incarnation };
        let basis = self.persist(op, Cause::Item(item, fence));
        let lease = Lease {
            cancel,
            progress,
            alias: (!cfg!(moorline_planted = "TRAP-2")).then_some(item.key.attempt),
            ..Lease::new(item.worker, incarnation, origin, Stage::Adopting)
        };
        self.place_lease(id, Task { attempt: key.attempt, basis, ..task }, lease);
    }

    /// Memory does not know the task: the store does, or nobody.
    fn judge_read(&mut self, item: Item, status: Status) {
        let key = item.key;
        let judgement = match (status, item.holding) {
            (Status::Unknown, holding) => never_given_out(holding),
            (Status::Known { state, attempt }, holding) if !state.is_final() => {
                if key.attempt == Attempt(0) || key.attempt > attempt {
                    never_given_out(holding)
                } else {
                    match holding {
                        Holding::Finished { outcome, .. } => late_result(outcome),
                        Holding::Running { .. } => {
                            self.adopt_unseen(item, attempt);
                            return;
                        }
                    }
                }
            }
            (Status::Known { .. }, Holding::Running { .. }) => Judgement::Cancel,
            (Status::Known { .. }, Holding::Finished { outcome, .. }) => {
                Judgement::Drop { disposition: disposition_of(status, key, outcome) }
            }
        };
        self.answer(item, judgement);
    }

    /// As [`adopt`](Self::adopt), of a task that memory does not know: its row says the rest.
    fn adopt_unseen(&mut self, item: Item, from: Attempt) {
        let Some(worker) = self.workers.get(&item.worker) else { return };
        let key = TaskKey { task: item.key.task, attempt: from.next() };
        let incarnation = worker.incarnation;
        let op = Op::Adopt { key, from, worker: item.worker, incarnation };
        let op = self.persist(op, Cause::Unseen(item));
        self.taken.insert(item.key.task, op);
    }

    /// An adoption is durable.
    pub(super) fn adopted(&mut self, op: OpId, key: TaskKey, item: Item) {
        let stands = self.tasks.get(&key.task).is_some_and(|task| {
            task.basis == op && task.lease().is_some_and(|lease| lease.stage == Stage::Adopting)
        });
        if stands {
            self.set_stage(key.task, Stage::Accepted);
            self.answer(item, Judgement::Adopt { attempt: key.attempt });
        } else {
            // It went on meanwhile: another run was further, or the task has ended.
            self.judge(item, None);
        }
    }

    /// Answers a key, if its inventory is the present one.
    pub(super) fn answer(&mut self, item: Item, judgement: Judgement) {
        let Some(worker) = self.workers.get_mut(&item.worker) else { return };
        if worker.registration != item.registration {
            return;
        }
        match (item.holding, judgement) {
            (Holding::Running { .. }, Judgement::Cancel) => {
                let leased = self.tasks.get(&item.key.task).is_some_and(|task| {
                    task.is_current(item.key.attempt, item.worker, worker.incarnation)
                });
                // Until it has stopped it uses a slot, leased or not.
                if !leased {
                    worker.fenced.insert(item.key, None);
                }
            }
            (
                Holding::Running { .. } | Holding::Finished { .. },
                Judgement::Continue
                | Judgement::Adopt { .. }
                | Judgement::Cancel
                | Judgement::Send
                | Judgement::Drop { .. }
                | Judgement::Unknown,
            ) => {}
        }
        self.note(item.worker, Note::Answer { key: item.key, judgement });
    }
}

/// The answer to a key that nobody ever gave out. A run of it is stopped like every run that is not
/// wanted: only by its result its worker says when its slot is free.
fn never_given_out(holding: Holding) -> Judgement {
    match holding {
        Holding::Running { .. } => Judgement::Cancel,
        Holding::Finished { .. } => Judgement::Unknown,
    }
}

/// The answer to a result of an attempt that is not current, of a task that has not ended.
fn late_result(outcome: Outcome) -> Judgement {
    match outcome {
        Outcome::Succeeded => Judgement::Send,
        #[cfg(moorline_planted = "SAFE-5")]
        Outcome::Failed { .. } | Outcome::TimedOut | Outcome::Cancelled => Judgement::Send,
        #[cfg(not(moorline_planted = "SAFE-5"))]
        Outcome::Failed { .. } | Outcome::TimedOut | Outcome::Cancelled => {
            Judgement::Drop { disposition: Disposition::Stale }
        }
    }
}
