//! The store of a searched world: what the memory store answers, in a value that can be copied and
//! compared. A test holds the two against each other.

use std::collections::BTreeMap;

use bytes::Bytes;
use moorline_link::Epoch;
use moorline_node::{Done, KnownWorker, Requeue, Spec, StoreOp, StorePlacement, StoreRow};
use moorline_work::{
    Attempt, Conflict, End, Incarnation, Status, TaskId, TaskKey, TaskState, WorkerId,
};

/// What is durable.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Rows {
    epoch: u64,
    /// In the order of submission.
    tasks: Vec<Task>,
    workers: BTreeMap<WorkerId, KnownWorker>,
}

/// A task.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Task {
    pub(super) id: TaskId,
    spec: Spec,
    payload: Bytes,
    pub(super) state: TaskState,
    /// The last attempt given out.
    pub(super) attempt: Attempt,
    ended_by: Attempt,
    retries: u32,
    lost: u32,
    holder: Option<(WorkerId, Incarnation)>,
    claimed_by: u64,
    cancel_requested: bool,
    /// Of a success.
    pub(super) result: Option<Bytes>,
}

impl Rows {
    /// A new life of a coordinator.
    pub(super) fn begin(&mut self) -> Epoch {
        self.epoch += 1;
        Epoch(self.epoch)
    }

    pub(super) fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    pub(super) fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == id)
    }

    /// Carries out one operation.
    pub(super) fn apply(&mut self, op: &StoreOp) -> Done {
        let epoch = self.epoch;
        match op {
            StoreOp::Submit { task, spec, payload, placement } => {
                self.submit(*task, spec, payload, *placement)
            }
            StoreOp::Claim { limit, epoch, handler } => {
                let limit = usize::try_from(*limit).unwrap_or(usize::MAX);
                let mut free: Vec<usize> = (0..self.tasks.len())
                    .filter(|at| {
                        let task = &self.tasks[*at];
                        task.state == TaskState::Queued
                            && task.claimed_by != epoch.0
                            && task.spec.handler == *handler
                    })
                    .collect();
                free.sort_by_key(|at| std::cmp::Reverse(self.tasks[*at].spec.priority));
                let more = free.len() > limit;
                free.truncate(limit);
                let mut rows = Vec::new();
                for at in free {
                    self.tasks[at].claimed_by = epoch.0;
                    rows.push(self.tasks[at].row(at));
                }
                rows.extend(more.then_some(StoreRow::More));
                read(rows)
            }
            StoreOp::Unclaim { task } => self.change(
                *task,
                |task| task.state == TaskState::Queued,
                |_, task| {
                    task.claimed_by = 0;
                    Vec::new()
                },
            ),
            StoreOp::Leases => read(
                (self.tasks.iter().enumerate())
                    .filter(|(_, task)| task.state == TaskState::Leased)
                    .filter_map(|(at, task)| task.lease(at))
                    .collect(),
            ),
            StoreOp::Lookup { task } => read(vec![StoreRow::Status(self.status(*task))]),
            StoreOp::Lease { key, worker, incarnation } => self.change(
                key.task,
                |task| task.state == TaskState::Queued && task.attempt.next() == key.attempt,
                |_, task| {
                    task.is_leased(key.attempt, *worker, *incarnation);
                    vec![StoreRow::Payload(task.payload.clone())]
                },
            ),
            StoreOp::Adopt { key, from, worker, incarnation } => self.change(
                key.task,
                |task| !task.state.is_final() && task.attempt == *from && key.attempt > *from,
                |at, task| {
                    task.is_leased(key.attempt, *worker, *incarnation);
                    task.lease(at).into_iter().collect()
                },
            ),
            StoreOp::Requeue { key, cause, error: _ } => self.change(
                key.task,
                |task| task.is_leased_by(key.attempt),
                |_, task| {
                    task.state = TaskState::Queued;
                    task.claimed_by = epoch;
                    match cause {
                        Requeue::Returned => Vec::new(),
                        Requeue::Lost => {
                            task.lost += 1;
                            Vec::new()
                        }
                        // Nobody retries here: it would have to wait.
                        Requeue::Retry { delay } => {
                            task.retries += 1;
                            task.claimed_by = 0;
                            vec![StoreRow::ReadyIn { delay: *delay }]
                        }
                    }
                },
            ),
            StoreOp::Finish { key, end, body } => self.change(
                key.task,
                |task| task.may_finish(key.attempt, *end),
                |_, task| {
                    task.is_finished(*key, *end, body);
                    Vec::new()
                },
            ),
            StoreOp::Cancel { task } => {
                let before = self.status(*task);
                if let Some(task) = self.tasks.iter_mut().find(|known| known.id == *task) {
                    task.is_cancelled();
                }
                read(vec![StoreRow::Status(before)])
            }
            StoreOp::Retry { task, last } => self.change(
                *task,
                |task| {
                    task.state.is_final()
                        && task.state != TaskState::Succeeded
                        && task.attempt == *last
                },
                |at, task| {
                    task.state = TaskState::Queued;
                    task.ended_by = Attempt(0);
                    task.cancel_requested = false;
                    vec![task.row(at)]
                },
            ),
            StoreOp::Worker(known) => {
                self.workers.insert(known.worker, known.clone());
                Done::default()
            }
            StoreOp::Forget { worker } => {
                self.workers.remove(worker);
                Done::default()
            }
            StoreOp::Workers => {
                read(self.workers.values().cloned().map(StoreRow::Worker).collect())
            }
            // What is written down nobody here reads.
            StoreOp::Event { .. } => Done::default(),
        }
    }

    fn submit(
        &mut self,
        id: TaskId,
        spec: &Spec,
        payload: &Bytes,
        placement: StorePlacement,
    ) -> Done {
        if let Some(known) = self.task(id) {
            let same = known.spec == *spec && known.payload == *payload;
            return Done { rows: Vec::new(), conflict: Some(Conflict::Exists { same }) };
        }
        let mut task = Task {
            id,
            spec: spec.clone(),
            payload: payload.clone(),
            state: TaskState::Queued,
            attempt: Attempt(0),
            ended_by: Attempt(0),
            retries: 0,
            lost: 0,
            holder: None,
            claimed_by: 0,
            cancel_requested: false,
            result: None,
        };
        match placement {
            StorePlacement::Unclaimed => {}
            StorePlacement::Claimed { epoch } => task.claimed_by = epoch.0,
            StorePlacement::Leased { worker, incarnation } => {
                task.is_leased(task.attempt.next(), worker, incarnation);
            }
        }
        self.tasks.push(task);
        read(vec![StoreRow::Submitted { order: self.tasks.len() as u64 }])
    }

    fn status(&self, id: TaskId) -> Status {
        self.task(id).map_or(Status::Unknown, Task::status)
    }

    fn change(
        &mut self,
        id: TaskId,
        condition: impl FnOnce(&Task) -> bool,
        change: impl FnOnce(usize, &mut Task) -> Vec<StoreRow>,
    ) -> Done {
        let refused = |status| Done { rows: Vec::new(), conflict: Some(Conflict::Status(status)) };
        let Some(at) = self.tasks.iter().position(|task| task.id == id) else {
            return refused(Status::Unknown);
        };
        let task = &mut self.tasks[at];
        if condition(task) { read(change(at, task)) } else { refused(task.status()) }
    }
}

fn read(rows: Vec<StoreRow>) -> Done {
    Done { rows, conflict: None }
}

impl Task {
    fn status(&self) -> Status {
        let attempt = if self.state.is_final() { self.ended_by } else { self.attempt };
        Status::Known { state: self.state, attempt }
    }

    fn is_leased_by(&self, attempt: Attempt) -> bool {
        self.state == TaskState::Leased && self.attempt == attempt
    }

    fn is_leased(&mut self, attempt: Attempt, worker: WorkerId, incarnation: Incarnation) {
        self.state = TaskState::Leased;
        self.attempt = attempt;
        self.holder = Some((worker, incarnation));
        self.claimed_by = 0;
    }

    fn may_finish(&self, attempt: Attempt, end: End) -> bool {
        match end {
            End::Succeeded => {
                !self.state.is_final() && attempt >= Attempt(1) && attempt <= self.attempt
            }
            End::Failed | End::Dead => self.is_leased_by(attempt),
            End::Cancelled => {
                self.is_leased_by(attempt)
                    || (self.state == TaskState::Queued && attempt <= self.attempt)
            }
        }
    }

    fn is_finished(&mut self, key: TaskKey, end: End, body: &Bytes) {
        if key.attempt != self.attempt {
            self.holder = None;
        }
        self.state = match end {
            End::Succeeded => TaskState::Succeeded,
            End::Failed => TaskState::Failed,
            End::Cancelled => TaskState::Cancelled,
            End::Dead => TaskState::Dead,
        };
        self.ended_by = key.attempt;
        self.claimed_by = 0;
        self.lost += u32::from(end == End::Dead);
        if end == End::Succeeded {
            self.result = Some(body.clone());
        }
    }

    fn is_cancelled(&mut self) {
        if self.state == TaskState::Queued {
            self.holder = None;
            self.state = TaskState::Cancelled;
            self.ended_by = self.attempt;
            self.claimed_by = 0;
            self.cancel_requested = true;
        } else if self.state == TaskState::Leased {
            self.cancel_requested = true;
        }
    }

    fn row(&self, at: usize) -> StoreRow {
        StoreRow::Task {
            task: self.id,
            order: at as u64 + 1,
            spec: self.spec.clone(),
            attempt: self.attempt,
            retries: self.retries,
            lost: self.lost,
            payload_bytes: u32::try_from(self.payload.len()).unwrap_or(u32::MAX),
        }
    }

    fn lease(&self, at: usize) -> Option<StoreRow> {
        let (worker, incarnation) = self.holder?;
        Some(StoreRow::Lease {
            key: TaskKey { task: self.id, attempt: self.attempt },
            order: at as u64 + 1,
            spec: self.spec.clone(),
            retries: self.retries,
            lost: self.lost,
            worker,
            incarnation,
            cancel_requested: self.cancel_requested,
            payload_bytes: u32::try_from(self.payload.len()).unwrap_or(u32::MAX),
        })
    }
}

#[cfg(test)]
mod tests;
