//! A reference store: the conditions of `Op`, taken at their word, on a map.

use std::collections::BTreeMap;
use std::time::Duration;

use moorline_work::{
    Attempt, Conflict, End, Incarnation, Instant, Op, Placement, RequeueCause, Row, Status, Sym,
    TaskId, TaskKey, TaskSpec, TaskState, WorkerId,
};

/// How long a task waits for its retry.
pub(crate) const RETRY_DELAY: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) spec: TaskSpec,
    pub(crate) order: u64,
    pub(crate) state: TaskState,
    /// The last attempt given out.
    pub(crate) attempt: Attempt,
    /// The attempt that ended it.
    pub(crate) ended_by: Attempt,
    pub(crate) retries: u32,
    pub(crate) lost: u32,
    pub(crate) claimed_by: Option<u64>,
    pub(crate) ready_at: Instant,
    pub(crate) holder: Option<(WorkerId, Incarnation)>,
    pub(crate) cancel_requested: bool,
    /// It had ended and was queued again, at least once.
    pub(crate) revived: bool,
    /// Who was given which attempt.
    pub(crate) given: BTreeMap<Attempt, (WorkerId, Incarnation)>,
}

impl Record {
    fn status(&self) -> Status {
        let attempt = if self.state.is_final() { self.ended_by } else { self.attempt };
        Status::Known { state: self.state, attempt }
    }

    fn row(&self, task: TaskId) -> Row {
        Row::Task {
            task,
            order: self.order,
            spec: self.spec,
            attempt: self.attempt,
            retries: self.retries,
            lost: self.lost,
        }
    }

    fn is_leased_by(&self, attempt: Attempt) -> bool {
        self.state == TaskState::Leased && self.attempt == attempt
    }

    fn give(&mut self, attempt: Attempt, worker: WorkerId, incarnation: Incarnation) {
        assert!(attempt > self.attempt, "an attempt went back");
        let before = self.given.insert(attempt, (worker, incarnation));
        assert_eq!(before, None, "an attempt was given twice");
        self.state = TaskState::Leased;
        self.attempt = attempt;
        self.holder = Some((worker, incarnation));
        self.claimed_by = None;
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    pub(crate) tasks: BTreeMap<TaskId, Record>,
    /// The life of the coordinator.
    pub(crate) epoch: u64,
    pub(crate) orders: u64,
}

type Outcome = Result<Vec<Row>, Conflict>;

impl Store {
    pub(crate) fn status(&self, task: TaskId) -> Status {
        self.tasks.get(&task).map_or(Status::Unknown, Record::status)
    }

    pub(crate) fn state(&self, task: TaskId) -> Option<TaskState> {
        self.tasks.get(&task).map(|record| record.state)
    }

    /// The task's record if it fulfils a condition.
    fn if_so(
        &mut self,
        task: TaskId,
        condition: impl Fn(&Record) -> bool,
    ) -> Result<&mut Record, Conflict> {
        let status = self.status(task);
        self.tasks.get_mut(&task).filter(|record| condition(record)).ok_or(Conflict::Status(status))
    }

    /// Carries out one operation, or reports its conflict.
    pub(crate) fn apply(&mut self, now: Instant, op: Op) -> Outcome {
        match op {
            Op::Submit { task, spec, placement, .. } => self.submit(now, task, spec, placement),
            Op::Claim { handler, limit } => Ok(self.claim(now, handler, limit)),
            Op::Unclaim { task } => {
                let record = self.if_so(task, |record| record.state == TaskState::Queued)?;
                record.claimed_by = None;
                Ok(Vec::new())
            }
            Op::Leases => Ok(self.leases()),
            Op::Lookup { task } => Ok(vec![Row::Status(self.status(task))]),
            Op::Lease { key, worker, incarnation } => {
                let record = self.if_so(key.task, |record| {
                    record.state == TaskState::Queued && record.attempt.next() == key.attempt
                })?;
                record.give(key.attempt, worker, incarnation);
                Ok(Vec::new())
            }
            Op::Adopt { key, from, worker, incarnation } => {
                let record = self.if_so(key.task, |record| {
                    !record.state.is_final() && record.attempt == from && key.attempt > from
                })?;
                record.give(key.attempt, worker, incarnation);
                Ok(vec![lease_row(key.task, record).unwrap()])
            }
            Op::Requeue { key, cause } => self.requeue(now, key, cause),
            Op::Finish { key, end } => self.finish(key, end),
            Op::Cancel { task, .. } => {
                let status = self.status(task);
                if let Some(record) = self.tasks.get_mut(&task) {
                    match record.state {
                        TaskState::Queued => {
                            record.state = TaskState::Cancelled;
                            record.ended_by = record.attempt;
                        }
                        TaskState::Leased => record.cancel_requested = true,
                        TaskState::Succeeded
                        | TaskState::Failed
                        | TaskState::Cancelled
                        | TaskState::Dead => {}
                    }
                }
                Ok(vec![Row::Status(status)])
            }
            Op::Retry { task, last, .. } => {
                let record = self.if_so(task, |record| {
                    record.state.is_final()
                        && record.state != TaskState::Succeeded
                        && record.attempt == last
                })?;
                record.state = TaskState::Queued;
                record.cancel_requested = false;
                record.claimed_by = None;
                record.ready_at = now;
                record.revived = true;
                Ok(vec![record.row(task)])
            }
        }
    }

    fn submit(
        &mut self,
        now: Instant,
        task: TaskId,
        spec: TaskSpec,
        placement: Placement,
    ) -> Outcome {
        if let Some(record) = self.tasks.get(&task) {
            return Err(Conflict::Exists { same: record.spec == spec });
        }
        self.orders += 1;
        let order = self.orders;
        let mut record = Record {
            spec,
            order,
            state: TaskState::Queued,
            attempt: Attempt(0),
            ended_by: Attempt(0),
            retries: 0,
            lost: 0,
            claimed_by: None,
            ready_at: now,
            holder: None,
            cancel_requested: false,
            revived: false,
            given: BTreeMap::new(),
        };
        match placement {
            Placement::Unclaimed => {}
            Placement::Claimed => record.claimed_by = Some(self.epoch),
            Placement::Leased { worker, incarnation } => {
                record.give(Attempt(1), worker, incarnation);
            }
        }
        self.tasks.insert(task, record);
        Ok(vec![Row::Submitted { order }])
    }

    fn claim(&mut self, now: Instant, handler: Sym, limit: u32) -> Vec<Row> {
        let epoch = self.epoch;
        let mut free: Vec<(TaskId, &mut Record)> = self
            .tasks
            .iter_mut()
            .map(|(task, record)| (*task, record))
            .filter(|(_, record)| {
                record.state == TaskState::Queued
                    && record.spec.handler == handler
                    && record.claimed_by != Some(epoch)
            })
            .collect();
        free.sort_by_key(|(_, record)| (-i32::from(record.spec.priority), record.order));
        let (ready, waiting): (Vec<_>, Vec<_>) =
            free.into_iter().partition(|(_, record)| record.ready_at <= now);
        let more = ready.len() > limit as usize;
        let mut rows = Vec::new();
        for (task, record) in ready.into_iter().take(limit as usize) {
            record.claimed_by = Some(epoch);
            rows.push(record.row(task));
        }
        if more {
            rows.push(Row::More);
        }
        if let Some(next) = waiting.iter().map(|(_, record)| record.ready_at).min() {
            rows.push(Row::ReadyIn { delay: next.since(now) });
        }
        rows
    }

    fn leases(&self) -> Vec<Row> {
        self.tasks
            .iter()
            .filter(|(_, record)| record.state == TaskState::Leased)
            .filter_map(|(task, record)| lease_row(*task, record))
            .collect()
    }

    fn requeue(&mut self, now: Instant, key: TaskKey, cause: RequeueCause) -> Outcome {
        let epoch = self.epoch;
        let record = self.if_so(key.task, |record| record.is_leased_by(key.attempt))?;
        record.state = TaskState::Queued;
        record.holder = None;
        match cause {
            RequeueCause::Returned => record.claimed_by = Some(epoch),
            RequeueCause::Lost => {
                record.lost += 1;
                record.claimed_by = Some(epoch);
            }
            RequeueCause::Retry { retry } => {
                record.retries = retry;
                record.ready_at = now + RETRY_DELAY;
                return Ok(vec![Row::ReadyIn { delay: RETRY_DELAY }]);
            }
        }
        Ok(Vec::new())
    }

    fn finish(&mut self, key: TaskKey, end: End) -> Outcome {
        let record = self.if_so(key.task, |record| match end {
            End::Succeeded => {
                !record.state.is_final()
                    && key.attempt > Attempt(0)
                    && key.attempt <= record.attempt
            }
            End::Failed | End::Dead => record.is_leased_by(key.attempt),
            End::Cancelled => record.is_leased_by(key.attempt) || record.state == TaskState::Queued,
        })?;
        record.state = match end {
            End::Succeeded => TaskState::Succeeded,
            End::Failed => TaskState::Failed,
            End::Cancelled => TaskState::Cancelled,
            End::Dead => TaskState::Dead,
        };
        record.ended_by = key.attempt;
        record.holder = None;
        Ok(Vec::new())
    }
}

fn lease_row(task: TaskId, record: &Record) -> Option<Row> {
    let (worker, incarnation) = record.holder?;
    Some(Row::Lease {
        key: TaskKey { task, attempt: record.attempt },
        order: record.order,
        spec: record.spec,
        retries: record.retries,
        lost: record.lost,
        worker,
        incarnation,
        cancel_requested: record.cancel_requested,
    })
}
