//! The operations of one batch, inside its transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use moorline_link::Epoch;
use moorline_node::{
    Done, Event, KnownWorker, Name, Requeue, Spec, StoreOp, StorePlacement, StoreRow,
};
use moorline_work::{
    Attempt, Conflict, End, Incarnation, Status, TaskId, TaskKey, TaskState, WorkerId,
};
use rusqlite::{Connection, OptionalExtension, Params, params};

use super::column::{self, Columns};
use super::events;
use super::statement;
use crate::database::fault::Fault;
use crate::event::{self, Who};
use crate::{EventRecord, WallTime, rule};

/// A batch under way: dropped with its transaction if one of its operations cannot be done.
pub(super) struct Batch<'c> {
    connection: &'c Connection,
    now: WallTime,
    epoch: Epoch,
    submitted: u64,
    ended: u64,
    revived: u64,
    /// How long those had waited that were given out for the first time.
    waits: Vec<Duration>,
    last_event: u64,
    /// What has happened and is not written down yet.
    happened: Vec<EventRecord>,
    names: &'c mut BTreeMap<WorkerId, Name>,
}

/// What a batch came to.
pub(super) struct Applied {
    /// How many tasks are new in it.
    pub(super) submitted: u64,
    /// How many tasks have ended in it.
    pub(super) ended: u64,
    /// How many ended tasks were queued again in it.
    pub(super) revived: u64,
    /// The number of the last event, its own included.
    pub(super) last_event: u64,
    /// How long those had waited that were given out for the first time.
    pub(super) waits: Vec<Duration>,
}

impl<'c> Batch<'c> {
    /// A batch of the coordinator's life `epoch` on a connection that is in a transaction.
    pub(super) fn new(
        connection: &'c Connection,
        now: WallTime,
        epoch: Epoch,
        last_event: u64,
        names: &'c mut BTreeMap<WorkerId, Name>,
    ) -> Self {
        let (submitted, ended, revived) = (0, 0, 0);
        let (happened, waits) = (Vec::new(), Vec::new());
        Self {
            connection,
            now,
            epoch,
            submitted,
            ended,
            revived,
            last_event,
            happened,
            waits,
            names,
        }
    }

    /// All operations are applied: writes down what happened. The transaction is still to be committed.
    pub(super) fn close(self) -> Result<Applied, Fault> {
        events::insert(self.connection, &self.happened)?;
        let Self { submitted, ended, revived, last_event, waits, .. } = self;
        Ok(Applied { submitted, ended, revived, last_event, waits })
    }

    pub(super) fn apply(&mut self, op: &StoreOp) -> Result<Done, Fault> {
        match op {
            StoreOp::Submit { task, spec, payload, placement } => {
                self.submit(*task, spec, payload, *placement)
            }
            StoreOp::Claim { handler, limit, epoch } => self.claim(handler, *limit, *epoch),
            StoreOp::Unclaim { task } => {
                let changed = self.run(statement::UNCLAIM, params![column::task_id(*task)])?;
                self.done_if(changed, *task)
            }
            StoreOp::Leases => self.leases(),
            StoreOp::Lookup { task } => Ok(read(vec![StoreRow::Status(self.status(*task)?)])),
            StoreOp::Lease { key, worker, incarnation } => self.lease(*key, *worker, *incarnation),
            StoreOp::Adopt { key, from, worker, incarnation } => {
                self.adopt(*key, *from, *worker, *incarnation)
            }
            StoreOp::Requeue { key, cause, error } => self.requeue(*key, *cause, error),
            StoreOp::Finish { key, end, body } => self.finish(*key, *end, body),
            StoreOp::Cancel { task } => self.cancel(*task),
            StoreOp::Retry { task, last } => self.retry(*task, *last),
            StoreOp::Worker(worker) => self.know(worker),
            StoreOp::Forget { worker } => self.forget(*worker),
            StoreOp::Workers => self.workers(),
            StoreOp::Event { at_millis, event } => {
                self.happened_at(at_millis.map_or(self.now, WallTime), event.clone());
                Ok(Done::default())
            }
        }
    }

    fn submit(
        &mut self,
        task: TaskId,
        spec: &Spec,
        payload: &Bytes,
        placement: StorePlacement,
    ) -> Result<Done, Fault> {
        let id = column::task_id(task);
        let digest = rule::digest(payload);
        let timeout = column::timeout_nanos(spec.timeout);
        let same: Option<bool> = self
            .connection
            .prepare_cached(statement::SAME)?
            .query_row(
                params![
                    id,
                    spec.handler.as_str(),
                    spec.priority,
                    spec.max_retries,
                    timeout,
                    digest
                ],
                |row| row.get(0),
            )
            .optional()?;
        if let Some(same) = same {
            return Ok(Done { rows: Vec::new(), conflict: Some(Conflict::Exists { same }) });
        }
        let (state, claimed_by, lease) = match placement {
            StorePlacement::Unclaimed => (TaskState::Queued, Epoch(0), None),
            StorePlacement::Claimed { epoch } => (TaskState::Queued, epoch, None),
            StorePlacement::Leased { worker, incarnation } => {
                (TaskState::Leased, Epoch(0), Some((worker, incarnation)))
            }
        };
        let attempt = Attempt(u32::from(lease.is_some()));
        let place = self.connection.prepare_cached(statement::SUBMIT)?.insert(params![
            id,
            spec.handler.as_str(),
            spec.priority,
            spec.max_retries,
            timeout,
            claimed_by.0.cast_signed(),
            column::millis(self.now.0),
            digest,
            &payload[..],
            state.name(),
            attempt.0,
            lease.map(|(worker, _)| column::worker_id(worker)),
            lease.map(|(_, incarnation)| incarnation.0.cast_signed()),
        ])?;
        self.submitted += 1;
        self.happened(event::submitted(task, spec.handler.clone()));
        if let Some((worker, _)) = lease {
            let key = TaskKey { task, attempt };
            self.waits.extend(rule::waited(key, self.now, self.now));
            self.happened(event::leased(key, spec.handler.clone(), self.who(Some(worker))));
        }
        Ok(read(vec![StoreRow::Submitted { order: place.cast_unsigned() }]))
    }

    fn claim(&self, handler: &Name, limit: u32, epoch: Epoch) -> Result<Done, Fault> {
        let handler = handler.as_str();
        let owner = epoch.0.cast_signed();
        self.run(statement::WAKE, params![handler, column::millis(self.now.0)])?;

        // One more than wanted is looked at, to know whether there is more.
        let mut rows = Vec::new();
        let mut more = false;
        let mut claimable = self.connection.prepare_cached(statement::CLAIMABLE)?;
        let mut found = claimable.query(params![handler, owner, i64::from(limit) + 1])?;
        while let Some(row) = found.next()? {
            if rows.len() as u64 == u64::from(limit) {
                more = true;
                break;
            }
            rows.push(task_row(&mut Columns::of(row))?);
        }
        drop(found);

        let mut claim = self.connection.prepare_cached(statement::CLAIM)?;
        for row in &rows {
            if let StoreRow::Task { order, .. } = row {
                claim.execute(params![order.cast_signed(), owner])?;
            }
        }
        if more {
            rows.push(StoreRow::More);
        }
        let next: Option<i64> = self
            .connection
            .prepare_cached(statement::NEXT_READY)?
            .query_row(params![handler], |row| row.get(0))?;
        if let Some(next) = next {
            let delay = Duration::from_millis(next.cast_unsigned().saturating_sub(self.now.0));
            rows.push(StoreRow::ReadyIn { delay });
        }
        Ok(read(rows))
    }

    fn leases(&self) -> Result<Done, Fault> {
        self.rows(statement::LEASES, [], lease_row)
    }

    fn lease(
        &mut self,
        key: TaskKey,
        worker: WorkerId,
        incarnation: Incarnation,
    ) -> Result<Done, Fault> {
        let leasable: Option<(i64, Vec<u8>, String, i64)> = self
            .connection
            .prepare_cached(statement::LEASABLE)?
            .query_row(params![column::task_id(key.task), key.attempt.0], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        let Some((place, payload, handler, submitted_at)) = leasable else {
            return self.conflict(key.task);
        };
        let (holder, incarnation) = (column::worker_id(worker), incarnation.0.cast_signed());
        self.run(statement::LEASE, params![place, key.attempt.0, holder, incarnation])?;
        self.waits.extend(rule::waited(key, WallTime(submitted_at.cast_unsigned()), self.now));
        let handler = column::name(&handler)?;
        self.happened(event::leased(key, handler, self.who(Some(worker))));
        Ok(read(vec![StoreRow::Payload(payload.into())]))
    }

    fn adopt(
        &mut self,
        key: TaskKey,
        from: Attempt,
        worker: WorkerId,
        incarnation: Incarnation,
    ) -> Result<Done, Fault> {
        let done = self.rows(
            statement::ADOPT,
            params![
                column::task_id(key.task),
                key.attempt.0,
                column::worker_id(worker),
                incarnation.0.cast_signed(),
                from.0,
            ],
            lease_row,
        )?;
        match done.rows.first() {
            Some(StoreRow::Lease { spec, .. }) => {
                let handler = spec.handler.clone();
                self.happened(event::adopted(key, handler, self.who(Some(worker))));
                Ok(done)
            }
            Some(_) | None => self.conflict(key.task),
        }
    }

    fn requeue(&mut self, key: TaskKey, cause: Requeue, error: &[u8]) -> Result<Done, Fault> {
        let (claimed_by, not_before, retries, losses, fresh_error) = match cause {
            Requeue::Returned => (self.epoch.0, 0, 0, 0, false),
            Requeue::Lost => (self.epoch.0, 0, 0, 1, false),
            Requeue::Retry { delay } => (0, rule::ready_at(self.now, delay), 1, 0, true),
        };
        let whose = self.change(
            statement::REQUEUE,
            params![
                column::task_id(key.task),
                key.attempt.0,
                claimed_by.cast_signed(),
                column::millis(not_before),
                retries,
                losses,
                rule::error_text(error),
                fresh_error,
            ],
        )?;
        let Some((handler, who)) = whose else { return self.conflict(key.task) };
        self.happened(event::requeued(key, cause, error, handler, who));
        Ok(match cause {
            Requeue::Retry { delay } => {
                let delay = Duration::from_millis(rule::delay_millis(delay));
                read(vec![StoreRow::ReadyIn { delay }])
            }
            Requeue::Returned | Requeue::Lost => Done::default(),
        })
    }

    fn finish(&mut self, key: TaskKey, end: End, body: &Bytes) -> Result<Done, Fault> {
        let (may_end, result, error, fresh_error, losses) = match end {
            End::Succeeded => (statement::MAY_SUCCEED, Some(&body[..]), None, true, 0),
            End::Failed => (statement::MAY_FAIL, None, rule::error_text(body), true, 0),
            End::Cancelled => (statement::MAY_BE_CANCELLED, None, rule::error_text(body), false, 0),
            End::Dead => (statement::MAY_FAIL, None, rule::error_text(body), false, 1),
        };
        let Some((place, handler, who)) = self.endable(may_end, key)? else {
            return self.conflict(key.task);
        };
        let now = column::millis(self.now.0);
        self.run(
            statement::FINISH,
            params![
                place,
                key.attempt.0,
                now,
                rule::final_state(end).name(),
                result,
                error,
                fresh_error,
                losses
            ],
        )?;
        self.ended += 1;
        if end == End::Succeeded {
            self.run(statement::APPLY, params![place, key.attempt.0, now])?;
        }
        self.happened(event::ended(key, end, body, handler, who));
        Ok(Done::default())
    }

    fn cancel(&mut self, task: TaskId) -> Result<Done, Fault> {
        let before = self.status(task)?;
        let id = column::task_id(task);
        let now = column::millis(self.now.0);
        match before {
            Status::Known { state: TaskState::Queued, .. } => {
                if let Some((handler, _)) =
                    self.change(statement::CANCEL_QUEUED, params![id, now])?
                {
                    self.ended += 1;
                    self.happened(event::cancelled(task, handler));
                }
            }
            Status::Known { state: TaskState::Leased, attempt } => {
                if let Some((handler, who)) = self.change(statement::CANCEL_LEASED, params![id])? {
                    let key = TaskKey { task, attempt };
                    self.happened(event::cancel_requested(key, handler, who));
                }
            }
            Status::Known { .. } | Status::Unknown => {}
        }
        Ok(read(vec![StoreRow::Status(before)]))
    }

    fn retry(&mut self, task: TaskId, last: Attempt) -> Result<Done, Fault> {
        let params = params![column::task_id(task), last.0];
        let done = self.rows(statement::RETRY, params, task_row)?;
        let Some(StoreRow::Task { spec, .. }) = done.rows.first() else {
            return self.conflict(task);
        };
        self.revived += 1;
        let handler = spec.handler.clone();
        self.happened(event::revived(task, handler));
        Ok(done)
    }

    fn know(&mut self, known: &KnownWorker) -> Result<Done, Fault> {
        let is_gone = known.departed || known.lost;
        self.run(
            statement::KNOW_WORKER,
            params![
                column::worker_id(known.worker),
                known.name.as_str(),
                known.incarnation.0.cast_signed(),
                known.departed,
                is_gone.then(|| column::millis(self.now.0)),
                known.cordoned,
            ],
        )?;
        self.names.insert(known.worker, known.name.clone());
        Ok(Done::default())
    }

    fn forget(&mut self, worker: WorkerId) -> Result<Done, Fault> {
        self.run(statement::FORGET_WORKER, params![column::worker_id(worker)])?;
        if let Some(name) = self.names.remove(&worker) {
            self.happened(event::forgotten(worker, name));
        }
        Ok(Done::default())
    }

    fn workers(&self) -> Result<Done, Fault> {
        self.rows(statement::WORKERS, [], |columns| {
            Ok(StoreRow::Worker(KnownWorker {
                worker: columns.worker_id()?,
                name: columns.name()?,
                incarnation: columns.incarnation()?,
                departed: columns.take()?,
                lost: columns.take()?,
                cordoned: columns.take()?,
            }))
        })
    }

    fn status(&self, task: TaskId) -> Result<Status, Fault> {
        let mut statement = self.connection.prepare_cached(statement::STATUS)?;
        let mut rows = statement.query(params![column::task_id(task)])?;
        let Some(row) = rows.next()? else { return Ok(Status::Unknown) };
        let mut columns = Columns::of(row);
        let state: TaskState = columns.state()?;
        Ok(Status::Known { state, attempt: columns.attempt()? })
    }

    /// To be written down with this batch.
    fn happened(&mut self, event: Event) {
        self.happened_at(self.now, event);
    }

    fn happened_at(&mut self, at: WallTime, event: Event) {
        self.last_event += 1;
        self.happened.push(EventRecord { seq: self.last_event, at, epoch: self.epoch, event });
    }

    fn who(&self, worker: Option<WorkerId>) -> Who {
        Who { worker, name: worker.and_then(|worker| self.names.get(&worker).cloned()) }
    }

    /// The task that an attempt may end by this statement, its handler and who has it.
    fn endable(&self, sql: &str, key: TaskKey) -> Result<Option<(i64, Name, Who)>, Fault> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![column::task_id(key.task), key.attempt.0])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let mut columns = Columns::of(row);
        let place = columns.take()?;
        let handler = columns.name()?;
        let worker = columns.optional_worker_id()?;
        Ok(Some((place, handler, self.who(worker))))
    }

    /// Runs a statement that changes at most one task and answers its handler and worker.
    fn change(&self, sql: &str, params: impl Params) -> Result<Option<(Name, Who)>, Fault> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let mut columns = Columns::of(row);
        let handler = columns.name()?;
        let worker = columns.optional_worker_id()?;
        // To its end: only then it has done all it does.
        while rows.next()?.is_some() {}
        Ok(Some((handler, self.who(worker))))
    }

    /// Runs a statement that answers nothing; returns how many rows it changed.
    fn run(&self, sql: &str, params: impl Params) -> Result<usize, Fault> {
        Ok(self.connection.prepare_cached(sql)?.execute(params)?)
    }

    /// Runs a statement that answers rows.
    fn rows(
        &self,
        sql: &str,
        params: impl Params,
        read_row: impl Fn(&mut Columns<'_, '_>) -> Result<StoreRow, Fault>,
    ) -> Result<Done, Fault> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut found = statement.query(params)?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push(read_row(&mut Columns::of(row))?);
        }
        Ok(read(rows))
    }

    /// Done if a row was changed; else the condition failed, and the conflict says how the task stands.
    fn done_if(&self, changed: usize, task: TaskId) -> Result<Done, Fault> {
        if changed > 0 {
            return Ok(Done::default());
        }
        self.conflict(task)
    }

    /// The condition failed: says how the task stands.
    fn conflict(&self, task: TaskId) -> Result<Done, Fault> {
        let status = self.status(task)?;
        Ok(Done { rows: Vec::new(), conflict: Some(Conflict::Status(status)) })
    }
}

/// The columns of `statement::CLAIMABLE`.
fn task_row(columns: &mut Columns<'_, '_>) -> Result<StoreRow, Fault> {
    let order = columns.bits()?;
    Ok(StoreRow::Task {
        task: columns.task_id()?,
        order,
        spec: columns.spec()?,
        attempt: columns.attempt()?,
        retries: columns.count()?,
        lost: columns.count()?,
        payload_bytes: columns.count()?,
    })
}

/// The columns of `statement::LEASES`.
fn lease_row(columns: &mut Columns<'_, '_>) -> Result<StoreRow, Fault> {
    let order = columns.bits()?;
    let task = columns.task_id()?;
    let spec = columns.spec()?;
    Ok(StoreRow::Lease {
        key: TaskKey { task, attempt: columns.attempt()? },
        order,
        spec,
        retries: columns.count()?,
        lost: columns.count()?,
        worker: columns.worker_id()?,
        incarnation: columns.incarnation()?,
        cancel_requested: columns.take()?,
        payload_bytes: columns.count()?,
    })
}

/// The answer of an operation that read these rows.
fn read(rows: Vec<StoreRow>) -> Done {
    Done { rows, conflict: None }
}
