//! What becomes of a result: it counts once, and is always answered.

use super::Dispatcher;
use super::log::{Cause, Report};
use super::task::Task;
use super::worker::{Later, Note};
use crate::{
    Attempt, CoordinatorMessage, Disposition, End, Incarnation, Instant, Op, Outcome, RequeueCause,
    Status, TaskKey, TaskState, WorkerId,
};

impl Dispatcher {
    pub(super) fn on_result(
        &mut self,
        now: Instant,
        id: WorkerId,
        incarnation: Incarnation,
        key: TaskKey,
        outcome: Outcome,
    ) {
        // Whatever it was, its slot is free.
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.fenced.remove(key);
            self.touched_workers.insert(id);
        }
        self.unmute(id);
        let mut report = Report {
            worker: id,
            incarnation,
            key,
            outcome,
            disposition: Disposition::Accepted,
            handler: None,
            fence: None,
        };
        let Some(task) = self.tasks.get(&key.task).copied() else {
            self.result_of_unseen(report);
            return;
        };
        report.handler = Some(task.spec.handler);
        if !task.was_given_out(key.attempt) {
            self.answer_result(report, Disposition::Unknown);
        } else if task.is_current(key.attempt, id, incarnation)
            || cfg!(moorline_planted = "SAFE-5") && outcome != Outcome::Succeeded
        {
            self.current_result(now, task, report);
        } else if outcome == Outcome::Succeeded {
            self.forget(key.task);
            report.fence = task.lease().and_then(|lease| self.fence(task.key(key.task), lease));
            report.disposition = Disposition::LateAccepted;
            self.persist(Op::Finish { key, end: End::Succeeded }, Cause::Report(report));
        } else {
            self.answer_result(report, Disposition::Stale);
        }
    }

    /// Memory does not know the task: the store has it queued, or it has ended, or never was.
    fn result_of_unseen(&mut self, report: Report) {
        let key = report.key;
        if key.attempt == Attempt(0) {
            self.answer_result(report, Disposition::Unknown);
            return;
        }
        if self.log.is_full() {
            // Its credit is held until it is answered, so that not many wait.
            self.wait(report.worker, Later::Report(report));
            return;
        }
        match report.outcome {
            Outcome::Succeeded => {
                let report = Report { disposition: Disposition::LateAccepted, ..report };
                let finish = Op::Finish { key, end: End::Succeeded };
                let op = self.persist(finish, Cause::Report(report));
                self.taken.insert(key.task, op);
            }
            Outcome::Failed { .. } | Outcome::TimedOut | Outcome::Cancelled => {
                self.persist(Op::Lookup { task: key.task }, Cause::Report(report));
            }
        }
    }

    /// Keeps a question until the store has caught up.
    pub(super) fn wait(&mut self, id: WorkerId, question: Later) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.later.push_back(question);
            self.asking.insert(id);
        }
    }

    /// The store has caught up: takes up the questions that wait, as far as there is room.
    pub(super) fn take_up(&mut self, now: Instant) {
        while !self.log.is_full()
            && let Some(&id) = self.asking.first()
        {
            let question = self.workers.get_mut(&id).and_then(|worker| worker.later.pop_front());
            match question {
                Some(Later::Item(item)) => self.judge(item, None),
                Some(Later::Report(Report { incarnation, key, outcome, .. })) => {
                    self.on_result(now, id, incarnation, key, outcome);
                }
                None => {
                    self.asking.remove(&id);
                }
            }
        }
    }

    /// The worker ended what is leased to it.
    fn current_result(&mut self, now: Instant, task: Task, report: Report) {
        let id = report.key.task;
        let key = task.key(id);
        let is_cancelled = task.lease().is_some_and(|lease| lease.cancel.is_wanted());
        self.forget(id);
        let end = match report.outcome {
            // Until a cancel is confirmed a success wins.
            Outcome::Succeeded => End::Succeeded,
            Outcome::Failed { retryable: true } | Outcome::TimedOut => {
                if is_cancelled {
                    End::Cancelled
                } else if task.retries < task.spec.max_retries {
                    let cause = RequeueCause::Retry { retry: task.retries.saturating_add(1) };
                    self.persist(Op::Requeue { key, cause }, Cause::Report(report));
                    return;
                } else {
                    End::Failed
                }
            }
            Outcome::Failed { retryable: false } => End::Failed,
            Outcome::Cancelled if is_cancelled => End::Cancelled,
            Outcome::Cancelled => {
                // It stopped of itself: that is a return. Others may have it now, and so may this
                // worker after a while (P07).
                let cause = RequeueCause::Returned;
                let basis = self.persist(Op::Requeue { key, cause }, Cause::Report(report));
                self.enter_window(id, Task { basis, ..task });
                self.mute(now, report.worker);
                return;
            }
        };
        self.persist(Op::Finish { key, end }, Cause::Report(report));
    }

    /// Answers a result; the answer is final for the worker.
    pub(super) fn answer_result(&mut self, report: Report, disposition: Disposition) {
        let key = report.key;
        if let Some(worker) = self.workers.get_mut(&report.worker)
            && worker.registration > 0
            && worker.incarnation == report.incarnation
        {
            let message = CoordinatorMessage::Settled { key, disposition };
            worker.notes.push_back(Note::Message(message));
            self.touched_workers.insert(report.worker);
        }
    }
}

/// What became of a result that changes nothing, by where its task stands.
pub(super) fn disposition_of(status: Status, key: TaskKey, outcome: Outcome) -> Disposition {
    match status {
        Status::Unknown => Disposition::Unknown,
        Status::Known { state, attempt } if state.is_final() => {
            if attempt == key.attempt && matches_end(state, outcome) {
                Disposition::Duplicate
            } else {
                Disposition::Stale
            }
        }
        Status::Known { attempt, .. } => {
            if key.attempt == Attempt(0) || key.attempt > attempt {
                Disposition::Unknown
            } else {
                Disposition::Stale
            }
        }
    }
}

/// Whether a state is one that a result of this outcome leads to.
fn matches_end(state: TaskState, outcome: Outcome) -> bool {
    match (state, outcome) {
        (TaskState::Succeeded, Outcome::Succeeded)
        | (TaskState::Failed, Outcome::Failed { .. } | Outcome::TimedOut)
        | (TaskState::Cancelled, Outcome::Cancelled) => true,
        (
            TaskState::Queued
            | TaskState::Leased
            | TaskState::Succeeded
            | TaskState::Failed
            | TaskState::Cancelled
            | TaskState::Dead,
            Outcome::Succeeded | Outcome::Failed { .. } | Outcome::TimedOut | Outcome::Cancelled,
        ) => false,
    }
}
