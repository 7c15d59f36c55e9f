//! The life of a lease between its operation and its end.

use core::time::Duration;

use super::log::{Cause, Fence};
use super::task::{CancelWish, Lease, Place, Stage, Task};
use super::window::Window;
use super::worker::Worker;
use super::{Dispatcher, DispatcherAction};
use crate::{
    Conflict, DispatcherVerdict, End, Instant, Op, RequeueCause, Status, Sym, TaskId, TaskKey,
    TaskState, WorkerId,
};

/// The accept timeout is doubled so many times at most: 10 s are a week then.
const OVERDUE_MAX: u8 = 16;

/// Why a lease ends without a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Loss {
    /// Its worker gave it back, or never had it.
    Returned,
    /// Its worker is lost: this counts if it was accepted.
    Lost,
}

impl Dispatcher {
    pub(super) fn on_handed_over(
        &mut self,
        now: Instant,
        worker: WorkerId,
        key: TaskKey,
    ) -> DispatcherVerdict {
        match self.current_stage(worker, key) {
            Some(Stage::Sent | Stage::Withdrawing | Stage::Recalled) => {
                self.offered(now, key.task, worker);
                DispatcherVerdict::Accepted
            }
            Some(
                Stage::Granting
                | Stage::Assigning
                | Stage::Offered { .. }
                | Stage::Revoking
                | Stage::Revoked
                | Stage::Adopting
                | Stage::Accepted,
            )
            | None => DispatcherVerdict::Stale,
        }
    }

    pub(super) fn on_withdrawn(
        &mut self,
        now: Instant,
        id: WorkerId,
        key: TaskKey,
        done: bool,
    ) -> DispatcherVerdict {
        match self.current_stage(id, key) {
            Some(Stage::Recalled) if done => self.end_lease(key.task, Loss::Returned),
            Some(Stage::Recalled) => self.offered(now, key.task, id),
            Some(
                Stage::Granting
                | Stage::Assigning
                | Stage::Sent
                | Stage::Withdrawing
                | Stage::Offered { .. }
                | Stage::Revoking
                | Stage::Revoked
                | Stage::Adopting
                | Stage::Accepted,
            ) => return DispatcherVerdict::Stale,
            None => {
                let Some(worker) = self.workers.get_mut(&id) else {
                    return DispatcherVerdict::Stale;
                };
                if !worker.fenced.contains(key) {
                    return DispatcherVerdict::Stale;
                }
                if done {
                    worker.fenced.remove(key);
                    self.touched_workers.insert(id);
                }
            }
        }
        DispatcherVerdict::Accepted
    }

    /// The stage of a lease, if this worker holds it under this key.
    fn current_stage(&self, worker: WorkerId, key: TaskKey) -> Option<Stage> {
        let task = self.tasks.get(&key.task)?;
        let lease = task.lease()?;
        (lease.worker == worker && task.attempt == key.attempt).then_some(lease.stage)
    }

    /// Its worker has the assignment or may get it: the accept clock runs while it is active (P55).
    pub(super) fn offered(&mut self, now: Instant, id: TaskId, worker: WorkerId) {
        let is_active = self.workers.get(&worker).is_some_and(Worker::is_active);
        let deadline = is_active.then(|| now + self.accept_timeout(id));
        self.set_stage(id, Stage::Offered { deadline });
    }

    /// How long this task may stay unaccepted: twice as long each time it was not accepted. A body
    /// that is under way for longer than that would else be taken back and sent again for ever.
    fn accept_timeout(&self, id: TaskId) -> Duration {
        let overdue = self.tasks.get(&id).map_or(0, |task| task.overdue);
        self.config.settings().accept_timeout.saturating_mul(1 << overdue)
    }

    /// The only place where a stage changes on an input: keeps the accept clock and what is due.
    pub(super) fn set_stage(&mut self, id: TaskId, stage: Stage) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let bytes = task.spec.bytes;
        let Some(lease) = task.lease_mut() else { return };
        if let Stage::Offered { deadline: Some(deadline) } = lease.stage {
            self.timers.accept.remove(&(deadline, id));
        }
        let (was, worker) = (core::mem::replace(&mut lease.stage, stage), lease.worker);
        if let Stage::Offered { deadline: Some(deadline) } = stage {
            self.timers.accept.insert((deadline, id));
        }
        self.due.refresh(self.ready, &self.workers, id, lease);
        if was.is_undelivered() {
            self.goes_on(worker, was, stage, bytes);
        }
    }

    pub(super) fn accept_is_due(&mut self, now: Instant) {
        if let Some((_, id)) = self.timers.accept.pop_first() {
            self.set_stage(id, Stage::Revoking);
            if let Some(task) = self.tasks.get_mut(&id) {
                task.overdue = task.overdue.saturating_add(1).min(OVERDUE_MAX);
            }
            self.expect_answer(now, id);
        }
    }

    /// Makes a task leased that is in no window, and has no lease.
    pub(super) fn place_lease(&mut self, id: TaskId, task: Task, lease: Lease) {
        self.tasks.insert(id, Task { place: Place::Leased(lease), ..task });
        self.is_given(lease.worker, id, lease.stage, task.spec.bytes);
        self.touched_workers.insert(lease.worker);
        self.refresh_lease(id);
    }

    /// Takes a task out of memory: its slot is free, its clock and what was due for it are gone.
    pub(super) fn forget(&mut self, id: TaskId) -> Option<Task> {
        let task = self.tasks.remove(&id)?;
        match &task.place {
            Place::Queued => self.leave_window(id, &task),
            Place::Leased(lease) => {
                self.timers.answer.disarm(id);
                if let Stage::Offered { deadline: Some(deadline) } = lease.stage {
                    self.timers.accept.remove(&(deadline, id));
                }
                self.due.forget_lease(id, lease);
                self.is_taken_off(lease.worker, id, lease.stage, task.spec.bytes);
            }
        }
        Some(task)
    }

    /// A lease ends without a result: its task goes back to the queue, unless a client wants it to
    /// end, or it was lost too often (P62).
    pub(super) fn end_lease(&mut self, id: TaskId, loss: Loss) {
        let Some(task) = self.forget(id) else { return };
        let Some(lease) = task.lease() else { return };
        let key = task.key(id);
        let counts = loss == Loss::Lost && lease.stage.is_accepted();
        let lost = task.lost.saturating_add(u32::from(counts));
        if lease.cancel.is_wanted() {
            self.persist(Op::Finish { key, end: End::Cancelled }, Cause::Own);
        } else if counts && lost >= self.config.settings().lost_cap {
            self.persist(Op::Finish { key, end: End::Dead }, Cause::Own);
        } else {
            let cause = if counts { RequeueCause::Lost } else { RequeueCause::Returned };
            let basis = self.persist(Op::Requeue { key, cause }, Cause::Own);
            self.enter_window(id, Task { lost, basis, ..task });
        }
    }

    /// A lease was taken off although its attempt may run: its worker keeps a slot less until it says
    /// otherwise. Returns the attempt that can be cancelled at once.
    ///
    /// What the next inventory of the worker will tell is left to that.
    pub(super) fn fence(&mut self, key: TaskKey, lease: &Lease) -> Option<Fence> {
        let id = lease.worker;
        let worker = self.workers.get_mut(&id)?;
        if worker.incarnation != lease.incarnation {
            return None;
        }
        // In a new session the lanes are empty: what was under way in the old one never comes.
        let may_come = !worker.undecided;
        let (may_run, fence) = match lease.stage {
            // It does not know this number: what it runs is another attempt, judged as such.
            Stage::Granting | Stage::Assigning | Stage::Adopting => (false, None),
            Stage::Sent | Stage::Withdrawing => {
                self.owed.push_back(DispatcherAction::Withdraw { worker: id, key });
                (may_come, None)
            }
            // If it was taken, the worker will say so, and is told to stop then.
            Stage::Recalled | Stage::Offered { .. } | Stage::Revoking | Stage::Revoked => {
                (may_come, None)
            }
            Stage::Accepted => {
                let runs = !lease.ended && worker.runs(key, lease.alias);
                let is_new = runs && lease.cancel != CancelWish::Told;
                (runs, is_new.then_some(Fence { worker: id, key }))
            }
        };
        if may_run {
            worker.fenced.insert(key, lease.alias);
            self.touched_workers.insert(id);
        }
        fence
    }

    /// Puts a task into the window of its handler; if that overflows, the worst goes back to the
    /// store.
    pub(super) fn enter_window(&mut self, id: TaskId, task: Task) {
        self.tasks.insert(id, Task { place: Place::Queued, ..task });
        self.is_queued(id, task);
    }

    /// A task in memory is queued, and in no window yet.
    pub(super) fn is_queued(&mut self, id: TaskId, task: Task) {
        let handler = task.spec.handler;
        let size = self.config.window();
        let window = self.windows.entry(handler).or_insert_with(Window::new);
        window.ready.insert(task.rank(id));
        self.touched_handlers.insert(handler);
        if window.ready.len() > size
            && let Some(worst) = window.ready.pop_last()
        {
            window.more = true;
            self.tasks.remove(&worst.task);
            self.persist(Op::Unclaim { task: worst.task }, Cause::Own);
        }
    }

    /// Takes a queued task out of its window.
    fn leave_window(&mut self, id: TaskId, task: &Task) {
        let handler = task.spec.handler;
        if let Some(window) = self.windows.get_mut(&handler)
            && window.ready.remove(&task.rank(id))
        {
            self.touched_handlers.insert(handler);
        }
    }

    /// An operation conflicted: if memory's picture of its task rests on it, the picture goes; if
    /// the store has the task queued and memory does not know it, anybody may claim it afresh.
    pub(super) fn distrust(
        &mut self,
        id: TaskId,
        basis: crate::OpId,
        conflict: Conflict,
        handler: Option<Sym>,
    ) {
        let handler = match self.tasks.get(&id) {
            Some(task) if task.basis == basis => self.forget(id).map(|task| task.spec.handler),
            Some(_) => return,
            None => handler,
        };
        match conflict {
            Conflict::Status(Status::Known { state: TaskState::Queued, .. }) => {
                self.persist(Op::Unclaim { task: id }, Cause::Own);
                match handler {
                    Some(handler) => self.ask_again(handler),
                    None => {
                        let handlers: alloc::vec::Vec<Sym> = self.windows.keys().copied().collect();
                        handlers.into_iter().for_each(|handler| self.ask_again(handler));
                    }
                }
            }
            Conflict::Status(Status::Unknown | Status::Known { .. }) | Conflict::Exists { .. } => {}
        }
    }

    /// The store has something for this handler.
    pub(super) fn ask_again(&mut self, handler: Sym) {
        if let Some(window) = self.windows.get_mut(&handler) {
            window.more = true;
            self.touched_handlers.insert(handler);
        }
    }
}
