//! A store with a clock, and short words for its operations.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::Epoch;
use moorline_node::{
    Done, KnownWorker, Name, Persist, PersistId, Requeue, Spec, StoreOp, StorePlacement, StoreRow,
};
use moorline_store::{MemoryStore, Reader, SqliteStore, Store, TaskRecord, WallTime};
use moorline_work::{
    Attempt, Conflict, End, Incarnation, Status, TaskId, TaskKey, TaskState, WorkerId,
};
use tempfile::TempDir;

pub(crate) const START: WallTime = WallTime(1_700_000_000_000);
pub(crate) const ANN: WorkerId = WorkerId(0xa);
pub(crate) const BOB: WorkerId = WorkerId(0xb);
pub(crate) const FIRST_RUN: Incarnation = Incarnation(71);
pub(crate) const SECOND_RUN: Incarnation = Incarnation(u64::MAX);

pub(crate) struct World {
    pub(crate) store: Box<dyn Store>,
    pub(crate) now: WallTime,
    pub(crate) epoch: Epoch,
    next: u64,
    _dir: Option<TempDir>,
}

impl World {
    pub(crate) fn memory() -> Self {
        Self::begin(Box::new(MemoryStore::new()), None)
    }

    pub(crate) fn sqlite() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = SqliteStore::open(dir.path().join("store.db")).expect("a new store");
        Self::begin(Box::new(store), Some(dir))
    }

    fn begin(mut store: Box<dyn Store>, dir: Option<TempDir>) -> Self {
        let epoch = store.begin_epoch(START).expect("an epoch");
        Self { store, now: START, epoch, next: 0, _dir: dir }
    }

    pub(crate) fn next_life(&mut self) {
        self.epoch = self.store.begin_epoch(self.now).expect("an epoch");
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        self.now = WallTime(self.now.0 + millis);
    }

    pub(crate) fn batch(&mut self, ops: impl IntoIterator<Item = StoreOp>) -> Vec<Done> {
        let batch: Vec<Persist> = ops
            .into_iter()
            .map(|op| {
                self.next += 1;
                Persist { id: PersistId(self.next), op }
            })
            .collect();
        let answers = self.store.commit(self.now, &batch).expect("a commit");
        assert_eq!(answers.len(), batch.len(), "one answer for each operation");
        answers
    }

    pub(crate) fn run(&mut self, op: StoreOp) -> Done {
        self.batch([op]).pop().expect("one answer")
    }

    /// The operation has to work.
    pub(crate) fn done(&mut self, op: StoreOp) -> Vec<StoreRow> {
        let done = self.run(op.clone());
        assert_eq!(done.conflict, None, "{op:?}");
        done.rows
    }

    /// The condition of the operation has to fail, and nothing to change.
    pub(crate) fn refused(&mut self, op: StoreOp) -> Conflict {
        let before = self.all();
        let done = self.run(op.clone());
        assert_eq!(done.rows, [], "a conflict reads nothing: {op:?}");
        assert_eq!(self.all(), before, "a conflict changes nothing: {op:?}");
        done.conflict.unwrap_or_else(|| panic!("{op:?} was done"))
    }

    /// Submitted, with the defaults.
    pub(crate) fn queued(&mut self, task: u128) {
        self.done(submit(task));
    }

    /// Submitted, and leased by Ann's first run `attempts` times.
    pub(crate) fn leased(&mut self, task: u128, attempts: u32) {
        self.queued(task);
        for attempt in 1..=attempts {
            if attempt > 1 {
                self.done(requeue(task, attempt - 1, Requeue::Returned));
            }
            self.done(lease(task, attempt));
        }
    }

    pub(crate) fn reader(&self) -> Box<dyn Reader> {
        self.store.reader().expect("a reader")
    }

    pub(crate) fn get(&self, task: u128) -> TaskRecord {
        self.reader().task(TaskId(task)).expect("a reading").expect("a task")
    }

    pub(crate) fn all(&self) -> Vec<TaskRecord> {
        let everything = moorline_store::TaskFilter { limit: u32::MAX, ..Default::default() };
        self.reader().tasks(&everything).expect("a reading")
    }

    /// Claims by the current epoch: the ids, whether there is more, when the next one is ready.
    pub(crate) fn claim(&mut self, handler: &str, limit: u32) -> (Vec<u128>, bool, Option<u64>) {
        let epoch = self.epoch;
        let rows = self.done(StoreOp::Claim { handler: name(handler), limit, epoch });
        let mut answer = (Vec::new(), false, None);
        for row in rows {
            match &row {
                StoreRow::Task { task, .. } => answer.0.push(task.0),
                StoreRow::More => answer.1 = true,
                StoreRow::ReadyIn { delay } => answer.2 = Some(delay.as_millis() as u64),
                StoreRow::Submitted { .. }
                | StoreRow::Lease { .. }
                | StoreRow::Status(_)
                | StoreRow::Payload(_)
                | StoreRow::Worker(_) => panic!("a claim does not answer {row:?}"),
            }
        }
        answer
    }
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

pub(crate) fn spec() -> Spec {
    Spec { handler: name("resize"), priority: 0, max_retries: 0, timeout: None }
}

pub(crate) fn key(task: u128, attempt: u32) -> TaskKey {
    TaskKey { task: TaskId(task), attempt: Attempt(attempt) }
}

pub(crate) fn submit(task: u128) -> StoreOp {
    submit_as(task, spec(), b"payload")
}

pub(crate) fn submit_as(task: u128, spec: Spec, payload: &'static [u8]) -> StoreOp {
    placed(task, spec, payload, StorePlacement::Unclaimed)
}

pub(crate) fn placed(
    task: u128,
    spec: Spec,
    payload: &'static [u8],
    placement: StorePlacement,
) -> StoreOp {
    StoreOp::Submit { task: TaskId(task), spec, payload: Bytes::from_static(payload), placement }
}

/// Submitted and leased by Ann's first run, in one operation.
pub(crate) fn submit_leased(task: u128) -> StoreOp {
    let (worker, incarnation) = (ANN, FIRST_RUN);
    placed(task, spec(), b"payload", StorePlacement::Leased { worker, incarnation })
}

/// By Ann's first run.
pub(crate) fn lease(task: u128, attempt: u32) -> StoreOp {
    StoreOp::Lease { key: key(task, attempt), worker: ANN, incarnation: FIRST_RUN }
}

/// By Bob's second run.
pub(crate) fn adopt(task: u128, from: u32, attempt: u32) -> StoreOp {
    StoreOp::Adopt {
        key: key(task, attempt),
        from: Attempt(from),
        worker: BOB,
        incarnation: SECOND_RUN,
    }
}

pub(crate) fn requeue(task: u128, attempt: u32, cause: Requeue) -> StoreOp {
    StoreOp::Requeue { key: key(task, attempt), cause, error: Bytes::new() }
}

pub(crate) fn retry(task: u128, attempt: u32, millis: u64, error: &'static str) -> StoreOp {
    StoreOp::Requeue {
        key: key(task, attempt),
        cause: Requeue::Retry { delay: Duration::from_millis(millis) },
        error: Bytes::from_static(error.as_bytes()),
    }
}

pub(crate) fn finish(task: u128, attempt: u32, end: End, body: &'static str) -> StoreOp {
    StoreOp::Finish { key: key(task, attempt), end, body: Bytes::from_static(body.as_bytes()) }
}

pub(crate) fn succeed(task: u128, attempt: u32) -> StoreOp {
    finish(task, attempt, End::Succeeded, "result")
}

pub(crate) fn cancel(task: u128) -> StoreOp {
    StoreOp::Cancel { task: TaskId(task) }
}

/// A client wants an ended task to be queued again.
pub(crate) fn again(task: u128, last: u32) -> StoreOp {
    StoreOp::Retry { task: TaskId(task), last: Attempt(last) }
}

pub(crate) fn unclaim(task: u128) -> StoreOp {
    StoreOp::Unclaim { task: TaskId(task) }
}

pub(crate) fn lookup(task: u128) -> StoreOp {
    StoreOp::Lookup { task: TaskId(task) }
}

pub(crate) fn known(state: TaskState, attempt: u32) -> Status {
    Status::Known { state, attempt: Attempt(attempt) }
}

/// The conflict that says so.
pub(crate) fn stands(state: TaskState, attempt: u32) -> Conflict {
    Conflict::Status(known(state, attempt))
}

pub(crate) const NOWHERE: Conflict = Conflict::Status(Status::Unknown);

pub(crate) fn worker(id: WorkerId, called: &str, incarnation: Incarnation) -> KnownWorker {
    let (departed, lost, cordoned) = (false, false, false);
    KnownWorker { worker: id, name: name(called), incarnation, departed, lost, cordoned }
}
