//! All tasks in memory, with the indexes that answer claims and lists without a scan.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use moorline_link::Epoch;
use moorline_node::{Done, KnownWorker, Name, Requeue, Spec, StoreOp, StorePlacement, StoreRow};
use moorline_work::{
    Attempt, Conflict, End, Incarnation, Status, TaskId, TaskKey, TaskState, WorkerId,
};

use super::events::Events;
use super::task::Task;
use super::tasks::Tasks;
use crate::event::{self, Who};
use crate::rule::{self, Finished};
use crate::{
    Counts, EventPage, EventQuery, Pruned, Retention, Size, TaskFilter, TaskRecord, WallTime,
};

/// A success that was applied: a row of the append-only ledger.
type Application = (Attempt, WallTime);

#[derive(Debug, Default)]
pub(super) struct Table {
    last_epoch: Epoch,
    tasks: Tasks,
    workers: Workers,
    /// Those of them that are gone, oldest first.
    gone: BTreeSet<(WallTime, WorkerId)>,
    applications: BTreeMap<u64, Vec<Application>>,
    events: Events,
    /// Of those that were given out for the first time.
    waits: Vec<Duration>,
}

type Workers = BTreeMap<WorkerId, Remembered>;

/// A worker, and since when it is gone if it is.
#[derive(Clone, Debug)]
struct Remembered {
    known: KnownWorker,
    gone_since: Option<WallTime>,
}

/// The answer of an operation that read these rows.
fn read(rows: Vec<StoreRow>) -> Done {
    Done { rows, conflict: None }
}

impl Table {
    pub(super) fn begin_epoch(&mut self, now: WallTime) -> Epoch {
        self.last_epoch = rule::next_epoch(self.last_epoch, now);
        let set_back = self.events.last_at().map_or(0, |written| rule::set_back(written, now));
        if set_back > 0 {
            let places: Vec<u64> = self.tasks.indexes.all_waiting().collect();
            for place in places {
                self.tasks.update(place, |task| {
                    task.not_before = rule::ready_earlier(task.not_before, set_back);
                });
            }
        }
        self.last_epoch
    }

    pub(super) fn apply(&mut self, now: WallTime, epoch: Epoch, op: &StoreOp) -> Done {
        match op {
            StoreOp::Submit { task, spec, payload, placement } => {
                self.submit(now, epoch, *task, spec, payload, *placement)
            }
            StoreOp::Claim { handler, limit, epoch } => self.claim(now, handler, *limit, *epoch),
            StoreOp::Unclaim { task } => {
                let queued = |known: &Task| known.state == TaskState::Queued;
                let unclaimed = self.tasks.change(*task, queued, |known| known.claimed_by = 0);
                unclaimed.map_or_else(|refused| refused, |_| Done::default())
            }
            StoreOp::Leases => read(self.leases()),
            StoreOp::Lookup { task } => read(vec![StoreRow::Status(self.status(*task))]),
            StoreOp::Lease { key, worker, incarnation } => {
                self.lease(now, epoch, *key, *worker, *incarnation)
            }
            StoreOp::Adopt { key, from, worker, incarnation } => {
                self.adopt(now, epoch, *key, *from, *worker, *incarnation)
            }
            StoreOp::Requeue { key, cause, error } => self.requeue(now, epoch, *key, *cause, error),
            StoreOp::Finish { key, end, body } => self.finish(now, epoch, *key, *end, body),
            StoreOp::Cancel { task } => self.cancel(now, epoch, *task),
            StoreOp::Retry { task, last } => self.retry(now, epoch, *task, *last),
            StoreOp::Worker(known) => self.know(now, known),
            StoreOp::Forget { worker } => self.forget(now, epoch, *worker),
            StoreOp::Workers => {
                let workers = self.workers.values().map(|worker| worker.known.clone());
                read(workers.map(StoreRow::Worker).collect())
            }
            StoreOp::Event { at_millis, event } => {
                let at = at_millis.map_or(now, WallTime);
                self.events.push(at, epoch, event.clone());
                Done::default()
            }
        }
    }

    fn submit(
        &mut self,
        now: WallTime,
        epoch: Epoch,
        id: TaskId,
        spec: &Spec,
        payload: &Bytes,
        placement: StorePlacement,
    ) -> Done {
        if let Some(known) = self.tasks.get(id) {
            let same = known.is_same(spec, payload);
            return Done { rows: Vec::new(), conflict: Some(Conflict::Exists { same }) };
        }
        let mut task = Task::new(id, spec, payload, now);
        self.events.push(now, epoch, event::submitted(id, spec.handler.clone()));
        match placement {
            StorePlacement::Unclaimed => {}
            StorePlacement::Claimed { epoch } => task.claimed_by = epoch.0,
            StorePlacement::Leased { worker, incarnation } => {
                let key = TaskKey { task: id, attempt: task.attempt.next() };
                task.lease(key.attempt, worker, incarnation);
                self.waits.extend(rule::waited(key, now, now));
                let event = event::leased(key, spec.handler.clone(), who(&self.workers, &task));
                self.events.push(now, epoch, event);
            }
        }
        let place = self.tasks.insert(task);
        read(vec![StoreRow::Submitted { order: place }])
    }

    fn claim(&mut self, now: WallTime, handler: &Name, limit: u32, epoch: Epoch) -> Done {
        // What has waited long enough joins the ready ones for good, so nothing is looked at twice.
        let over = self.tasks.indexes.waiting(handler).take_while(|(until, _)| *until <= now.0);
        let over: Vec<u64> = over.map(|(_, place)| place).collect();
        for place in over {
            self.tasks.update(place, |task| task.not_before = 0);
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut free =
            self.tasks.indexes.ready(handler).filter(|place| {
                self.tasks.at(*place).is_some_and(|task| task.claimed_by != epoch.0)
            });
        let claimed: Vec<u64> = free.by_ref().take(limit).collect();
        let more = free.next().is_some();
        drop(free);

        let mut rows = Vec::with_capacity(claimed.len());
        for place in claimed {
            self.tasks.update(place, |task| task.claimed_by = epoch.0);
            rows.extend(self.task_at(place));
        }
        if more {
            rows.push(StoreRow::More);
        }
        let waiting = self.tasks.indexes.waiting(handler).next();
        if let Some((not_before, _)) = waiting {
            let delay = Duration::from_millis(not_before.saturating_sub(now.0));
            rows.push(StoreRow::ReadyIn { delay });
        }
        read(rows)
    }

    fn lease(
        &mut self,
        now: WallTime,
        epoch: Epoch,
        key: TaskKey,
        worker: WorkerId,
        incarnation: Incarnation,
    ) -> Done {
        let leased = self.tasks.change(
            key.task,
            |known| known.may_lease(key.attempt),
            |known| known.lease(key.attempt, worker, incarnation),
        );
        match leased {
            Ok((_, task)) => {
                self.waits.extend(rule::waited(key, task.submitted_at, now));
                let event = event::leased(key, task.spec.handler.clone(), who(&self.workers, task));
                self.events.push(now, epoch, event);
                read(vec![StoreRow::Payload(task.payload.clone())])
            }
            Err(refused) => refused,
        }
    }

    fn adopt(
        &mut self,
        now: WallTime,
        epoch: Epoch,
        key: TaskKey,
        from: Attempt,
        worker: WorkerId,
        incarnation: Incarnation,
    ) -> Done {
        let adopted = self.tasks.change(
            key.task,
            |known| known.may_adopt(from, key.attempt),
            |known| known.lease(key.attempt, worker, incarnation),
        );
        match adopted {
            Ok((place, task)) => {
                let event =
                    event::adopted(key, task.spec.handler.clone(), who(&self.workers, task));
                self.events.push(now, epoch, event);
                read(lease_of(place, task).into_iter().collect())
            }
            Err(refused) => refused,
        }
    }

    fn requeue(
        &mut self,
        now: WallTime,
        epoch: Epoch,
        key: TaskKey,
        cause: Requeue,
        error: &[u8],
    ) -> Done {
        let requeued = self.tasks.change(
            key.task,
            |known| known.may_requeue(key.attempt),
            |known| known.requeue(now, cause, epoch.0, error),
        );
        let task = match requeued {
            Ok((_, task)) => task,
            Err(refused) => return refused,
        };
        let (handler, who) = (task.spec.handler.clone(), who(&self.workers, task));
        self.events.push(now, epoch, event::requeued(key, cause, error, handler, who));
        match cause {
            Requeue::Retry { delay } => {
                let delay = Duration::from_millis(rule::delay_millis(delay));
                read(vec![StoreRow::ReadyIn { delay }])
            }
            Requeue::Returned | Requeue::Lost => Done::default(),
        }
    }

    fn finish(
        &mut self,
        now: WallTime,
        epoch: Epoch,
        key: TaskKey,
        end: End,
        body: &Bytes,
    ) -> Done {
        let finished = self.tasks.change(
            key.task,
            |known| known.may_finish(key.attempt, end),
            |known| known.finish(now, key, end, body),
        );
        let (place, task) = match finished {
            Ok(finished) => finished,
            Err(refused) => return refused,
        };
        let (handler, who) = (task.spec.handler.clone(), who(&self.workers, task));
        self.events.push(now, epoch, event::ended(key, end, body, handler, who));
        if end == End::Succeeded {
            self.applications.entry(place).or_default().push((key.attempt, now));
        }
        Done::default()
    }

    fn retry(&mut self, now: WallTime, epoch: Epoch, id: TaskId, last: Attempt) -> Done {
        match self.tasks.change(id, |known| known.may_retry(last), Task::retry) {
            Ok((place, task)) => {
                self.events.push(now, epoch, event::revived(id, task.spec.handler.clone()));
                read(vec![row_of(place, task)])
            }
            Err(refused) => refused,
        }
    }

    fn cancel(&mut self, now: WallTime, epoch: Epoch, id: TaskId) -> Done {
        let before = self.status(id);
        let marked = self.tasks.get(id).is_some_and(|task| task.cancel_requested);
        let open = |known: &Task| !known.state.is_final();
        if let Ok((_, task)) = self.tasks.change(id, open, |known| known.cancel(now)) {
            let handler = task.spec.handler.clone();
            match before {
                Status::Known { state: TaskState::Leased, attempt } if !marked => {
                    let (key, who) = (TaskKey { task: id, attempt }, who(&self.workers, task));
                    self.events.push(now, epoch, event::cancel_requested(key, handler, who));
                }
                Status::Known { state: TaskState::Queued, .. } => {
                    self.events.push(now, epoch, event::cancelled(id, handler));
                }
                Status::Known { .. } | Status::Unknown => {}
            }
        }
        read(vec![StoreRow::Status(before)])
    }

    fn know(&mut self, now: WallTime, known: &KnownWorker) -> Done {
        let before = self.take_worker(known.worker).and_then(|before| before.gone_since);
        let gone_since = (known.departed || known.lost).then(|| before.unwrap_or(now));
        self.workers.insert(known.worker, Remembered { known: known.clone(), gone_since });
        self.gone.extend(gone_since.map(|since| (since, known.worker)));
        Done::default()
    }

    fn forget(&mut self, now: WallTime, epoch: Epoch, worker: WorkerId) -> Done {
        if let Some(forgotten) = self.take_worker(worker) {
            self.events.push(now, epoch, event::forgotten(worker, forgotten.known.name));
        }
        Done::default()
    }

    fn take_worker(&mut self, worker: WorkerId) -> Option<Remembered> {
        let known = self.workers.remove(&worker)?;
        if let Some(since) = known.gone_since {
            self.gone.remove(&(since, worker));
        }
        Some(known)
    }

    pub(super) fn last_event(&self) -> u64 {
        self.events.last()
    }

    pub(super) fn events(&self, query: &EventQuery) -> EventPage {
        self.events.page(query)
    }

    pub(super) fn worker_named(&self, name: &Name) -> Option<WorkerId> {
        let named = self.workers.values().filter(|worker| worker.known.name == *name);
        named.min_by_key(|worker| worker.gone_since.is_some()).map(|worker| worker.known.worker)
    }

    fn leases(&self) -> Vec<StoreRow> {
        let leased = self.tasks.indexes.of(TaskState::Leased).iter();
        leased.filter_map(|place| lease_of(*place, self.tasks.at(*place)?)).collect()
    }

    fn task_at(&self, place: u64) -> Option<StoreRow> {
        Some(row_of(place, self.tasks.at(place)?))
    }

    pub(super) fn prune(&mut self, now: WallTime, epoch: Epoch, retention: &Retention) -> Pruned {
        let tasks = self.prune_tasks(now, retention);
        let workers = self.forget_workers(now, epoch, retention);
        Pruned { tasks, events: self.events.prune(now, retention), workers }
    }

    fn forget_workers(&mut self, now: WallTime, epoch: Epoch, retention: &Retention) -> u64 {
        let is_old = |(since, _): &&(_, _)| rule::is_forgettable(now, retention, *since);
        let mut old: Vec<WorkerId> =
            self.gone.iter().take_while(is_old).map(|&(_, worker)| worker).collect();
        if old.is_empty() {
            return 0;
        }
        let leased: BTreeSet<WorkerId> = self
            .tasks
            .indexes
            .of(TaskState::Leased)
            .iter()
            .filter_map(|place| self.tasks.at(*place)?.holder)
            .map(|(worker, _)| worker)
            .collect();
        old.retain(|worker| !leased.contains(worker));
        old.truncate(rule::PRUNE_WORKERS);
        for worker in &old {
            self.forget(now, epoch, *worker);
        }
        old.len() as u64
    }

    fn prune_tasks(&mut self, now: WallTime, retention: &Retention) -> u64 {
        let oldest = self.tasks.indexes.finished.iter().map(|&(at, place)| {
            let bytes = self.tasks.at(place).map_or(0, Task::bytes);
            Ok::<_, Infallible>(Finished { place, at: at.0, bytes })
        });
        let Ok(places) =
            rule::prunable(now, retention, self.tasks.indexes.finished.len() as u64, oldest);
        for place in &places {
            self.tasks.remove(*place);
            self.applications.remove(place);
        }
        places.len() as u64
    }

    pub(super) fn record(&self, task: TaskId) -> Option<TaskRecord> {
        self.record_at(self.tasks.place(task)?)
    }

    pub(super) fn records(&self, filter: &TaskFilter) -> Vec<TaskRecord> {
        let before = filter.before.unwrap_or(u64::MAX);
        let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        let mut of_state;
        let mut of_any;
        let places: &mut dyn Iterator<Item = u64> = if let Some(state) = filter.state {
            of_state = self.tasks.indexes.of(state).range(..before).rev().copied();
            &mut of_state
        } else {
            of_any = self.tasks.places_before(before);
            &mut of_any
        };
        places.take(limit).filter_map(|place| self.record_at(place)).collect()
    }

    pub(super) fn result(&self, task: TaskId) -> Option<Bytes> {
        self.tasks.get(task)?.result.clone()
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            by_state: TaskState::ALL.map(|state| self.tasks.indexes.of(state).len() as u64),
            applied_twice: self.applications.values().filter(|rows| rows.len() > 1).count() as u64,
            lost_attempts: self.tasks.iter().map(|task| u64::from(task.lost)).sum(),
            oldest_queued: self
                .tasks
                .indexes
                .of(TaskState::Queued)
                .first()
                .and_then(|place| Some(self.tasks.at(*place)?.submitted_at)),
        }
    }

    pub(super) fn size(&self) -> Size {
        Size { tasks: self.tasks.len() as u64, events: self.events.len(), ..Size::default() }
    }

    /// Puts down how long those had waited that were given out for the first time since this was asked
    /// last.
    pub(super) fn take_waits(&mut self, waits: &mut Vec<Duration>) {
        waits.clear();
        waits.append(&mut self.waits);
    }

    fn record_at(&self, place: u64) -> Option<TaskRecord> {
        let applied = self.applications.get(&place).map_or(0, Vec::len);
        let name_of = |worker| name_of(&self.workers, worker);
        let task = self.tasks.at(place)?;
        Some(task.record(place, name_of, u32::try_from(applied).unwrap_or(u32::MAX)))
    }

    fn status(&self, task: TaskId) -> Status {
        self.tasks.get(task).map_or(Status::Unknown, Task::status)
    }
}

fn name_of(workers: &Workers, worker: WorkerId) -> Option<Name> {
    workers.get(&worker).map(|worker| worker.known.name.clone())
}

/// Who has the task, or had it last.
fn who(workers: &Workers, task: &Task) -> Who {
    let worker = task.holder.map(|(worker, _)| worker);
    Who { worker, name: worker.and_then(|worker| name_of(workers, worker)) }
}

fn row_of(place: u64, task: &Task) -> StoreRow {
    StoreRow::Task {
        task: task.id,
        order: place,
        spec: task.spec.clone(),
        attempt: task.attempt,
        retries: task.retries,
        lost: task.lost,
        payload_bytes: task.payload_bytes(),
    }
}

/// The lease of a task, if somebody has had it.
fn lease_of(place: u64, task: &Task) -> Option<StoreRow> {
    let (worker, incarnation) = task.holder?;
    Some(StoreRow::Lease {
        key: TaskKey { task: task.id, attempt: task.attempt },
        order: place,
        spec: task.spec.clone(),
        retries: task.retries,
        lost: task.lost,
        worker,
        incarnation,
        cancel_requested: task.cancel_requested,
        payload_bytes: task.payload_bytes(),
    })
}
