//! What clients ask for: submit, cancel and retry.

use super::lease::Loss;
use super::log::Cause;
use super::task::{CancelWish, Place, Stage, Task};
use super::{Dispatcher, DispatcherAction};
use crate::{
    Attempt, Conflict, DispatcherVerdict, Instant, Op, OpId, Placement, Reply, Row, Status, TaskId,
    TaskSpec, TaskState, Ticket,
};

impl Dispatcher {
    pub(super) fn on_submit(
        &mut self,
        ticket: Ticket,
        task: TaskId,
        spec: TaskSpec,
    ) -> DispatcherVerdict {
        #[cfg(moorline_planted = "SAFE-3")]
        self.owed.push_back(DispatcherAction::Reply {
            ticket,
            reply: Reply::Submitted { again: false },
        });
        let placement = self.placement(task, &spec);
        let op = self.persist(Op::Submit { ticket, task, spec, placement }, Cause::Own);
        match placement {
            Placement::Leased { worker, .. } => self.promise(worker, op, spec.bytes),
            Placement::Claimed => self.arrives(spec.handler, op),
            Placement::Unclaimed => {
                if let Some(window) = self.windows.get_mut(&spec.handler) {
                    window.pass(spec.priority);
                    self.touched_handlers.insert(spec.handler);
                }
            }
        }
        DispatcherVerdict::Accepted
    }

    /// A submission is durable; or its id is taken, and there is no new task.
    pub(super) fn submitted(
        &mut self,
        op: OpId,
        id: TaskId,
        spec: &TaskSpec,
        placement: Placement,
        task: Option<Task>,
    ) {
        match (placement, task) {
            (Placement::Leased { worker, incarnation }, task) => {
                let stands = self.take_promise(worker, op, spec.bytes);
                if let Some(task) = task {
                    self.leased_at_once(id, task, worker, incarnation, stands);
                }
            }
            (Placement::Claimed, Some(task)) => self.queue_unless_known(id, task),
            (Placement::Claimed, None) | (Placement::Unclaimed, _) => {}
        }
    }

    pub(super) fn on_cancel(&mut self, ticket: Ticket, id: TaskId) -> DispatcherVerdict {
        let op = self.persist(Op::Cancel { ticket, task: id }, Cause::Own);
        self.cancelling.insert(id, op);
        // From here on nobody gets it: the store will have it cancelled, or marked.
        let Some(task) = self.tasks.get_mut(&id) else { return DispatcherVerdict::Accepted };
        match &mut task.place {
            Place::Queued => {
                self.forget(id);
            }
            Place::Leased(lease) => {
                if lease.cancel == CancelWish::None {
                    lease.cancel = CancelWish::Asked;
                }
                match lease.stage {
                    // It has not left: it ends here.
                    Stage::Granting | Stage::Assigning => self.end_lease(id, Loss::Returned),
                    // It may not have left: then it ends when it is back.
                    Stage::Sent => self.set_stage(id, Stage::Withdrawing),
                    Stage::Withdrawing
                    | Stage::Recalled
                    | Stage::Offered { .. }
                    | Stage::Revoking
                    | Stage::Revoked
                    | Stage::Adopting
                    | Stage::Accepted => {}
                }
            }
        }
        DispatcherVerdict::Accepted
    }

    /// Memory knows nothing of tasks that have ended, so the store decides.
    pub(super) fn on_retry(
        &mut self,
        ticket: Ticket,
        task: TaskId,
        last: Attempt,
    ) -> DispatcherVerdict {
        self.persist(Op::Retry { ticket, task, last }, Cause::Own);
        DispatcherVerdict::Accepted
    }

    /// An ended task is queued again, in the store: its window is to look there.
    pub(super) fn retried(&mut self, row: Row) -> bool {
        match row {
            Row::Task { spec, .. } => {
                if let Some(window) = self.windows.get_mut(&spec.handler) {
                    window.pass(spec.priority);
                    window.overtaken |= window.is_worse_than(spec.priority);
                    self.touched_handlers.insert(spec.handler);
                }
                true
            }
            Row::Submitted { .. }
            | Row::More
            | Row::ReadyIn { .. }
            | Row::Lease { .. }
            | Row::Status(_) => false,
        }
    }

    /// A retry is durable, or was refused.
    pub(super) fn complete_retry(&mut self, ticket: Ticket, conflict: Option<Conflict>) {
        let reply = match conflict {
            None => Reply::Retried,
            Some(Conflict::Status(Status::Known { state: TaskState::Succeeded, .. })) => {
                Reply::AlreadyEnded
            }
            Some(Conflict::Status(Status::Known {
                state:
                    TaskState::Queued
                    | TaskState::Leased
                    | TaskState::Failed
                    | TaskState::Cancelled
                    | TaskState::Dead,
                ..
            })) => Reply::NotEnded,
            Some(Conflict::Status(Status::Unknown) | Conflict::Exists { .. }) => Reply::NotFound,
        };
        self.owed.push_back(DispatcherAction::Reply { ticket, reply });
    }

    /// The mark is durable: the worker may be told.
    pub(super) fn cancel_is_durable(&mut self, now: Instant, id: TaskId) {
        if let Some(lease) = self.tasks.get_mut(&id).and_then(Task::lease_mut) {
            match lease.cancel {
                CancelWish::None | CancelWish::Asked => lease.cancel = CancelWish::Durable,
                CancelWish::Durable | CancelWish::Told => {}
            }
            self.refresh_lease(id);
            self.expect_answer(now, id);
        }
    }

    /// A cancel is carried out: what enters memory from now on has seen it.
    pub(super) fn cancel_is_stored(&mut self, id: TaskId, op: OpId) {
        if self.cancelling.get(&id) == Some(&op) {
            self.cancelling.remove(&id);
        }
    }

    /// Whether a cancel of this task comes behind this operation, which has not seen it then.
    pub(super) fn is_cancelled_after(&self, id: TaskId, op: OpId) -> bool {
        self.cancelling.get(&id).is_some_and(|cancel| *cancel > op)
    }
}
