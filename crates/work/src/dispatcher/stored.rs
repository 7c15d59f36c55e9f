//! What the store answers: rows, conflicts, and that something is durable.

use alloc::collections::btree_map::Entry;
use core::time::Duration;

use super::lease::Loss;
use super::log::{Cause, Fence, Item, Pending, Read, Report};
use super::result::disposition_of;
use super::task::{CancelWish, Lease, Place, Stage, Task};
use super::worker::Note;
use super::{Dispatcher, DispatcherAction};
use crate::{
    Conflict, CoordinatorMessage, DispatcherVerdict, End, Instant, Op, OpId, Reply, RequeueCause,
    Row, Status, Sym, TaskId, TaskKey, TaskState, Ticket,
};

/// A retry is not asked for sooner than this, whatever the store says: its clock may run a little
/// behind (P07).
const READY_FLOOR: Duration = Duration::from_millis(1);

impl Dispatcher {
    pub(super) fn on_loaded(&mut self, now: Instant, id: OpId, row: Row) -> DispatcherVerdict {
        let Some(pending) = self.log.under_way(id) else { return DispatcherVerdict::Stale };
        let cause = pending.cause;
        let taken = match pending.op {
            Op::Submit { .. } => match order_of(row) {
                Some(order) => {
                    pending.read = Read::Order(order);
                    true
                }
                None => false,
            },
            Op::Lookup { .. } | Op::Cancel { .. } => match status(row) {
                Some(status) => {
                    pending.read = Read::Status(status);
                    true
                }
                None => false,
            },
            Op::Claim { handler, .. } => self.claimed(now, id, handler, row),
            Op::Retry { .. } => self.retried(row),
            Op::Leases => self.recovered(id, row),
            Op::Adopt { key, .. } => self.adopting(id, key, cause, row),
            Op::Requeue { .. } => match (row, cause) {
                (Row::ReadyIn { delay }, Cause::Report(Report { handler: Some(handler), .. })) => {
                    pending.read = Read::Wait;
                    self.wait_for_retry(now, handler, delay);
                    true
                }
                (
                    Row::Submitted { .. }
                    | Row::Task { .. }
                    | Row::More
                    | Row::ReadyIn { .. }
                    | Row::Lease { .. }
                    | Row::Status(_),
                    Cause::Own | Cause::Item(..) | Cause::Unseen(_) | Cause::Report(_),
                ) => false,
            },
            Op::Unclaim { .. } | Op::Lease { .. } | Op::Finish { .. } => false,
        };
        if taken { DispatcherVerdict::Accepted } else { DispatcherVerdict::Stale }
    }

    pub(super) fn on_conflict(&mut self, id: OpId, conflict: Conflict) -> DispatcherVerdict {
        match self.log.under_way(id) {
            Some(pending) => {
                pending.conflict = Some(conflict);
                DispatcherVerdict::Accepted
            }
            None => DispatcherVerdict::Stale,
        }
    }

    pub(super) fn on_stored(&mut self, now: Instant, up_to: OpId) -> DispatcherVerdict {
        if self.log.under_way(up_to).is_none() {
            return DispatcherVerdict::Stale;
        }
        while let Some((id, pending)) = self.log.take_stored(up_to) {
            self.complete(now, id, pending);
        }
        self.take_up(now);
        DispatcherVerdict::Accepted
    }

    /// An operation is durable, or has conflicted.
    fn complete(&mut self, now: Instant, id: OpId, pending: Pending) {
        let conflict = pending.conflict;
        match pending.op {
            Op::Submit { ticket, task, spec, placement } => {
                let new = match (conflict, pending.read) {
                    (None, Read::Order(order)) => Some(Task::submitted(spec, order, id)),
                    (None, Read::Nothing | Read::Status(_) | Read::Wait) | (Some(_), _) => None,
                };
                self.submitted(id, task, &spec, placement, new);
                let reply = match conflict {
                    None => Reply::Submitted { again: false },
                    Some(Conflict::Exists { same: true }) => Reply::Submitted { again: true },
                    Some(Conflict::Exists { same: false } | Conflict::Status(_)) => Reply::IdTaken,
                };
                self.owed.push_back(DispatcherAction::Reply { ticket, reply });
            }
            Op::Claim { handler, .. } => {
                if let Some(window) = self.windows.get_mut(&handler) {
                    window.claimed();
                }
                self.touched_handlers.insert(handler);
            }
            Op::Unclaim { .. } => {}
            Op::Leases => self.begin_work(),
            Op::Lookup { .. } => self.looked_up(pending.cause, pending.read),
            Op::Lease { key, .. } => match conflict {
                Some(conflict) => self.distrust(key.task, id, conflict, None),
                None => self.lease_is_durable(id, key.task),
            },
            Op::Adopt { key, .. } => self.complete_adopt(id, key, pending.cause, conflict),
            Op::Requeue { key, cause } => {
                self.complete_requeue(id, key, cause, pending.cause, pending.read, conflict);
            }
            Op::Finish { key, .. } => self.complete_finish(id, key, pending.cause, conflict),
            Op::Cancel { ticket, task } => {
                self.complete_cancel(now, id, ticket, task, pending.read);
            }
            Op::Retry { ticket, .. } => self.complete_retry(ticket, conflict),
        }
    }

    fn lease_is_durable(&mut self, op: OpId, id: TaskId) {
        let stands = self.tasks.get(&id).filter(|task| task.basis == op).and_then(Task::lease);
        if stands.is_some_and(|lease| lease.stage == Stage::Granting) {
            self.set_stage(id, Stage::Assigning);
        }
    }

    fn looked_up(&mut self, cause: Cause, read: Read) {
        let Read::Status(status) = read else { return };
        match cause {
            Cause::Item(item, _) | Cause::Unseen(item) => self.judge(item, Some(status)),
            Cause::Report(report) => {
                let disposition = disposition_of(status, report.key, report.outcome);
                self.answer_result(report, disposition);
            }
            Cause::Own => {}
        }
    }

    fn complete_adopt(&mut self, id: OpId, key: TaskKey, cause: Cause, conflict: Option<Conflict>) {
        self.taking_is_stored(key.task, id);
        let (item, fence) = match cause {
            Cause::Item(item, fence) => (item, fence),
            Cause::Unseen(item) => (item, None),
            Cause::Own | Cause::Report(_) => return,
        };
        match conflict {
            None => {
                self.stop_fenced(fence);
                self.adopted(id, key, item);
            }
            Some(conflict) => {
                self.distrust(key.task, id, conflict, None);
                match conflict {
                    Conflict::Status(status) => self.judge(item, Some(status)),
                    Conflict::Exists { .. } => self.judge(item, None),
                }
            }
        }
    }

    fn complete_requeue(
        &mut self,
        id: OpId,
        key: TaskKey,
        why: RequeueCause,
        cause: Cause,
        read: Read,
        conflict: Option<Conflict>,
    ) {
        let (report, handler) = match cause {
            Cause::Report(report) => (Some(report), report.handler),
            Cause::Own | Cause::Item(..) | Cause::Unseen(_) => (None, None),
        };
        match (conflict, why) {
            (Some(conflict), _) => self.distrust(key.task, id, conflict, handler),
            (None, RequeueCause::Retry { .. }) => {
                if let (false, Some(handler)) = (read == Read::Wait, handler) {
                    self.ask_again(handler);
                }
            }
            (None, RequeueCause::Returned | RequeueCause::Lost) => {}
        }
        if let Some(report) = report {
            self.answer_stored(report, conflict);
        }
    }

    /// What takes a task off the queue is durable, or was in vain.
    fn taking_is_stored(&mut self, id: TaskId, op: OpId) {
        if self.taken.get(&id) == Some(&op) {
            self.taken.remove(&id);
        }
    }

    fn complete_finish(
        &mut self,
        id: OpId,
        key: TaskKey,
        cause: Cause,
        conflict: Option<Conflict>,
    ) {
        self.taking_is_stored(key.task, id);
        let (report, handler) = match cause {
            Cause::Report(report) => (Some(report), report.handler),
            Cause::Own | Cause::Item(..) | Cause::Unseen(_) => (None, None),
        };
        match conflict {
            None => {
                self.owed.push_back(DispatcherAction::Ended { task: key.task });
                self.stop_fenced(report.and_then(|report| report.fence));
                // What memory has of it may come from an operation behind this one: then a client had
                // it queued again since, and it stands.
                let is_over = self.tasks.get(&key.task).is_some_and(|task| task.basis < id);
                // It came to memory by an operation between: an adoption of a task not known then.
                if is_over
                    && let Some(task) = self.forget(key.task)
                    && let Some(lease) = task.lease()
                {
                    let fence = self.fence(task.key(key.task), lease);
                    self.stop_fenced(fence);
                }
            }
            Some(conflict) => self.distrust(key.task, id, conflict, handler),
        }
        if let Some(report) = report {
            self.answer_stored(report, conflict);
        }
    }

    fn complete_cancel(&mut self, now: Instant, op: OpId, ticket: Ticket, id: TaskId, read: Read) {
        self.cancel_is_stored(id, op);
        let state = match read {
            Read::Status(Status::Known { state, .. }) => Some(state),
            Read::Status(Status::Unknown) | Read::Nothing | Read::Order(_) | Read::Wait => None,
        };
        let reply = match state {
            None => Reply::NotFound,
            Some(TaskState::Queued) => {
                self.owed.push_back(DispatcherAction::Ended { task: id });
                Reply::Cancelled
            }
            Some(TaskState::Leased) => {
                self.cancel_is_durable(now, id);
                Reply::CancelRequested
            }
            Some(
                TaskState::Succeeded | TaskState::Failed | TaskState::Cancelled | TaskState::Dead,
            ) => Reply::AlreadyEnded,
        };
        self.owed.push_back(DispatcherAction::Reply { ticket, reply });
    }

    /// Answers a result whose operation is durable or has conflicted.
    fn answer_stored(&mut self, report: Report, conflict: Option<Conflict>) {
        let disposition = match conflict {
            None => report.disposition,
            Some(Conflict::Status(status)) => disposition_of(status, report.key, report.outcome),
            Some(Conflict::Exists { .. }) => crate::Disposition::Stale,
        };
        self.answer_result(report, disposition);
    }

    /// Another attempt decided, durably: this one is to stop.
    fn stop_fenced(&mut self, fence: Option<Fence>) {
        let Some(Fence { worker: id, key }) = fence else { return };
        if self.workers.get(&id).is_some_and(|worker| worker.fenced.contains(key)) {
            self.note(id, Note::Message(CoordinatorMessage::Cancel { key }));
        }
    }

    fn claimed(&mut self, now: Instant, op: OpId, handler: Sym, row: Row) -> bool {
        match row {
            Row::Task { task, order, spec, attempt, retries, lost } => {
                let place = Place::Queued;
                let (basis, overdue) = (op, 0);
                let known = Task { spec, order, attempt, retries, lost, overdue, basis, place };
                let rank = known.rank(task);
                if let Some(window) = self.windows.get_mut(&handler) {
                    // If there is more, that may go before the worst of these too.
                    window.overtaken |= window.ready.last().is_some_and(|worst| rank < *worst);
                }
                self.queue_unless_known(task, known);
                true
            }
            Row::More => {
                self.ask_again(handler);
                true
            }
            Row::ReadyIn { delay } => {
                self.wait_for_retry(now, handler, delay);
                true
            }
            Row::Submitted { .. } | Row::Lease { .. } | Row::Status(_) => false,
        }
    }

    /// A task the store has queued and claimed enters its window. What memory knows, or has asked
    /// for since, is newer than what an operation read.
    pub(super) fn queue_unless_known(&mut self, id: TaskId, task: Task) {
        debug_assert_eq!(task.place, Place::Queued);
        let is_taken = self.taken.get(&id).is_some_and(|op| *op > task.basis);
        let is_taken = is_taken || self.is_cancelled_after(id, task.basis);
        if !is_taken && let Entry::Vacant(vacant) = self.tasks.entry(id) {
            vacant.insert(task);
            self.is_queued(id, task);
        }
    }

    fn wait_for_retry(&mut self, now: Instant, handler: Sym, delay: Duration) {
        let Some(window) = self.windows.get_mut(&handler) else { return };
        let at = now + delay.max(READY_FLOOR);
        match window.ready_at {
            Some(earlier) if earlier <= at => return,
            Some(later) => {
                self.timers.ready.remove(&(later, handler));
            }
            None => {}
        }
        window.ready_at = Some(at);
        self.timers.ready.insert((at, handler));
    }

    /// A lease of an earlier life: it counts as accepted.
    fn recovered(&mut self, op: OpId, row: Row) -> bool {
        let Some((id, task)) = self.leased(op, row, Stage::Accepted) else { return false };
        let Some(lease) = task.lease().copied() else { return false };
        if self.tasks.contains_key(&id) {
            return false;
        }
        self.ensure_worker(lease.worker, lease.incarnation);
        self.place_lease(id, task, lease);
        true
    }

    /// The lease an adoption makes: news only if memory did not know the task.
    fn adopting(&mut self, op: OpId, key: TaskKey, cause: Cause, row: Row) -> bool {
        let Some((id, task)) = self.leased(op, row, Stage::Adopting) else { return false };
        let item = match cause {
            Cause::Unseen(item) => item,
            Cause::Own | Cause::Item(..) | Cause::Report(_) => return true,
        };
        let Some(lease) = task.lease().copied() else { return false };
        if id != key.task || task.attempt != key.attempt || lease.worker != item.worker {
            return false;
        }
        // What memory knows by an operation behind this one is newer.
        if self.tasks.get(&id).is_some_and(|known| known.basis >= op) {
            return true;
        }
        self.forget(id);
        let lease = Lease { origin: item.key.attempt, alias: Some(item.key.attempt), ..lease };
        self.ensure_adopter(id, item, task, lease);
        true
    }

    /// The worker that adopts may be gone, or registered anew without a word of this run.
    fn ensure_adopter(&mut self, id: TaskId, item: Item, task: Task, lease: Lease) {
        let Some(worker) = self.workers.get(&lease.worker) else {
            self.return_unplaced(id, task, lease.cancel);
            return;
        };
        let is_its = worker.incarnation == lease.incarnation
            && (worker.is_away() || worker.registration == item.registration);
        self.place_lease(id, task, lease);
        if !is_its {
            self.end_lease(id, Loss::Returned);
        }
    }

    /// A lease is durable, and nobody is to have it: its task goes back to the queue, unless a client
    /// wants it to end.
    pub(super) fn return_unplaced(&mut self, id: TaskId, task: Task, cancel: CancelWish) {
        let key = task.key(id);
        if cancel.is_wanted() {
            self.persist(Op::Finish { key, end: End::Cancelled }, Cause::Own);
        } else {
            let cause = RequeueCause::Returned;
            let basis = self.persist(Op::Requeue { key, cause }, Cause::Own);
            self.enter_window(id, Task { basis, ..task });
        }
    }

    /// A task as a lease row has it.
    fn leased(&self, op: OpId, row: Row, stage: Stage) -> Option<(TaskId, Task)> {
        match row {
            Row::Lease {
                key,
                order,
                spec,
                retries,
                lost,
                worker,
                incarnation,
                cancel_requested,
            } => {
                let cancel = if cancel_requested {
                    CancelWish::Durable
                } else if self.is_cancelled_after(key.task, op) {
                    CancelWish::Asked
                } else {
                    CancelWish::None
                };
                let attempt = key.attempt;
                let lease = Lease { cancel, ..Lease::new(worker, incarnation, attempt, stage) };
                let place = Place::Leased(lease);
                let (basis, overdue) = (op, 0);
                let task = Task { spec, order, attempt, retries, lost, overdue, basis, place };
                Some((key.task, task))
            }
            Row::Submitted { .. }
            | Row::Task { .. }
            | Row::More
            | Row::ReadyIn { .. }
            | Row::Status(_) => None,
        }
    }
}

fn order_of(row: Row) -> Option<u64> {
    match row {
        Row::Submitted { order } => Some(order),
        Row::Task { .. } | Row::More | Row::ReadyIn { .. } | Row::Lease { .. } | Row::Status(_) => {
            None
        }
    }
}

fn status(row: Row) -> Option<Status> {
    match row {
        Row::Status(status) => Some(status),
        Row::Submitted { .. }
        | Row::Task { .. }
        | Row::More
        | Row::ReadyIn { .. }
        | Row::Lease { .. } => None,
    }
}
