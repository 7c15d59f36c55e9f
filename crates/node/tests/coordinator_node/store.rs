//! A store in a few lines, which keeps the conditions of every operation.

use std::collections::BTreeMap;

use bytes::Bytes;
use moorline_node::{Done, KnownWorker, Requeue, Spec, StoreOp, StorePlacement, StoreRow};
use moorline_work::{
    Attempt, Conflict, End, Incarnation, Status, TaskId, TaskKey, TaskState, WorkerId,
};

#[derive(Default)]
pub(crate) struct Shelf {
    tasks: BTreeMap<TaskId, Kept>,
    workers: BTreeMap<WorkerId, KnownWorker>,
}

struct Kept {
    order: u64,
    spec: Spec,
    /// As long as the task has not ended.
    payload: Bytes,
    state: TaskState,
    attempt: Attempt,
    retries: u32,
    lost: u32,
    holder: (WorkerId, Incarnation),
    claimed: bool,
    cancel: bool,
}

impl Shelf {
    pub(crate) fn apply(&mut self, op: StoreOp) -> Done {
        match op {
            StoreOp::Submit { task, spec, payload, placement } => {
                if self.tasks.contains_key(&task) {
                    return Done {
                        rows: Vec::new(),
                        conflict: Some(Conflict::Exists { same: true }),
                    };
                }
                let order = self.tasks.len() as u64 + 1;
                let mut kept = Kept {
                    order,
                    spec,
                    payload,
                    state: TaskState::Queued,
                    attempt: Attempt(0),
                    retries: 0,
                    lost: 0,
                    holder: (WorkerId(0), Incarnation(0)),
                    claimed: matches!(placement, StorePlacement::Claimed { .. }),
                    cancel: false,
                };
                if let StorePlacement::Leased { worker, incarnation } = placement {
                    kept.give(TaskKey { task, attempt: Attempt(1) }, worker, incarnation);
                }
                self.tasks.insert(task, kept);
                rows(vec![StoreRow::Submitted { order }])
            }
            StoreOp::Claim { handler, limit, .. } => {
                let mut read = Vec::new();
                for (id, kept) in &mut self.tasks {
                    if kept.state != TaskState::Queued
                        || kept.claimed
                        || kept.spec.handler != handler
                    {
                        continue;
                    }
                    if read.len() == limit as usize {
                        read.push(StoreRow::More);
                        break;
                    }
                    kept.claimed = true;
                    read.push(StoreRow::Task {
                        task: *id,
                        order: kept.order,
                        spec: kept.spec.clone(),
                        attempt: kept.attempt,
                        retries: kept.retries,
                        lost: kept.lost,
                        payload_bytes: u32::try_from(kept.payload.len()).unwrap(),
                    });
                }
                rows(read)
            }
            StoreOp::Unclaim { task } => {
                if let Some(kept) = self.tasks.get_mut(&task) {
                    kept.claimed = false;
                }
                rows(Vec::new())
            }
            StoreOp::Leases => rows(self.tasks.keys().filter_map(|id| self.lease(*id)).collect()),
            StoreOp::Lookup { task } => rows(vec![StoreRow::Status(self.status(task))]),
            StoreOp::Lease { key, worker, incarnation } => self.change(
                key.task,
                |kept| kept.state == TaskState::Queued && kept.attempt.next() == key.attempt,
                |kept| {
                    kept.give(key, worker, incarnation);
                    vec![StoreRow::Payload(kept.payload.clone())]
                },
            ),
            StoreOp::Adopt { key, from, worker, incarnation } => {
                let adopts = |kept: &Kept| !kept.state.is_final() && kept.attempt == from;
                let mut done = self.change(key.task, adopts, |kept| {
                    kept.give(key, worker, incarnation);
                    Vec::new()
                });
                if done.conflict.is_none() {
                    done.rows.extend(self.lease(key.task));
                }
                done
            }
            StoreOp::Requeue { key, cause, .. } => self.change(
                key.task,
                |kept| kept.is_leased_by(key.attempt),
                |kept| {
                    kept.state = TaskState::Queued;
                    match cause {
                        Requeue::Returned => Vec::new(),
                        Requeue::Lost => {
                            kept.lost += 1;
                            Vec::new()
                        }
                        Requeue::Retry { delay } => {
                            kept.retries += 1;
                            kept.claimed = false;
                            vec![StoreRow::ReadyIn { delay }]
                        }
                    }
                },
            ),
            StoreOp::Finish { key, end, .. } => self.change(
                key.task,
                |kept| match end {
                    End::Succeeded => {
                        !kept.state.is_final() && (Attempt(1)..=kept.attempt).contains(&key.attempt)
                    }
                    End::Failed | End::Dead => kept.is_leased_by(key.attempt),
                    End::Cancelled => {
                        kept.is_leased_by(key.attempt) || kept.state == TaskState::Queued
                    }
                },
                |kept| {
                    kept.end(match end {
                        End::Succeeded => TaskState::Succeeded,
                        End::Failed => TaskState::Failed,
                        End::Cancelled => TaskState::Cancelled,
                        End::Dead => TaskState::Dead,
                    });
                    Vec::new()
                },
            ),
            StoreOp::Cancel { task } => {
                let before = self.status(task);
                match self.tasks.get_mut(&task) {
                    Some(kept) if kept.state == TaskState::Queued => kept.end(TaskState::Cancelled),
                    Some(kept) => kept.cancel = true,
                    None => {}
                }
                rows(vec![StoreRow::Status(before)])
            }
            StoreOp::Retry { task, last } => {
                let may = |kept: &Kept| {
                    kept.state.is_final()
                        && kept.state != TaskState::Succeeded
                        && kept.attempt == last
                };
                self.change(task, may, |kept| {
                    kept.state = TaskState::Queued;
                    kept.cancel = false;
                    kept.claimed = false;
                    Vec::new()
                })
            }
            StoreOp::Worker(known) => {
                self.workers.insert(known.worker, known);
                rows(Vec::new())
            }
            StoreOp::Event { .. } => rows(Vec::new()),
            StoreOp::Forget { worker } => {
                self.workers.remove(&worker);
                rows(Vec::new())
            }
            StoreOp::Workers => {
                rows(self.workers.values().cloned().map(StoreRow::Worker).collect())
            }
        }
    }

    pub(crate) fn status(&self, task: TaskId) -> Status {
        self.tasks.get(&task).map_or(Status::Unknown, |kept| Status::Known {
            state: kept.state,
            attempt: kept.attempt,
        })
    }

    fn lease(&self, id: TaskId) -> Option<StoreRow> {
        let kept = self.tasks.get(&id).filter(|kept| kept.state == TaskState::Leased)?;
        Some(StoreRow::Lease {
            key: TaskKey { task: id, attempt: kept.attempt },
            order: kept.order,
            spec: kept.spec.clone(),
            retries: kept.retries,
            lost: kept.lost,
            worker: kept.holder.0,
            incarnation: kept.holder.1,
            cancel_requested: kept.cancel,
            payload_bytes: u32::try_from(kept.payload.len()).unwrap(),
        })
    }

    fn change(
        &mut self,
        task: TaskId,
        condition: impl FnOnce(&Kept) -> bool,
        change: impl FnOnce(&mut Kept) -> Vec<StoreRow>,
    ) -> Done {
        let status = self.status(task);
        match self.tasks.get_mut(&task).filter(|kept| condition(kept)) {
            Some(kept) => rows(change(kept)),
            None => Done { rows: Vec::new(), conflict: Some(Conflict::Status(status)) },
        }
    }
}

impl Kept {
    fn is_leased_by(&self, attempt: Attempt) -> bool {
        self.state == TaskState::Leased && self.attempt == attempt
    }

    fn give(&mut self, key: TaskKey, worker: WorkerId, incarnation: Incarnation) {
        self.state = TaskState::Leased;
        self.attempt = key.attempt;
        self.holder = (worker, incarnation);
    }

    fn end(&mut self, state: TaskState) {
        self.state = state;
        self.payload = Bytes::new();
    }
}

fn rows(rows: Vec<StoreRow>) -> Done {
    Done { rows, conflict: None }
}
