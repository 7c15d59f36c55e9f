//! The trait behind which every store lives.

use bytes::Bytes;
use moorline_link::Epoch;
use moorline_node::{Done, Name, Persist};
use moorline_work::{Attempt, TaskId, TaskState, WorkerId};

/// Wall time in milliseconds since 1970: for display, ages and readiness, never for liveness (P26).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct WallTime(pub u64);

/// Conditional durable operations in groups, and the authority on every task.
///
/// One value is the one writer of its data; it is blocking, and lives on a thread of its own, but for
/// [`Store::commit_now`]. The conditions of the operations are written at [`moorline_work::Op`];
/// beyond them every store does this:
///
/// - *Claims* belong to an epoch. A requeue claims for the epoch begun last on this value; a retry is
///   never claimed, also without a delay, and a claim of any other epoch is void.
/// - *Attempts never go back*: an adoption needs a larger number than the last one.
/// - *Losses* count [`End::Dead`](moorline_work::End::Dead) too: that attempt was lost.
/// - *Errors* of failures replace the last one; a loss or a cancel without words keeps it, a success clears it.
/// - *Payloads* are dropped when their task succeeds and kept while it may be retried; a digest stays,
///   so that submitting again is recognised.
pub trait Store: Send {
    /// Allocates the epoch of a new life of the coordinator: never used before, not by any process.
    ///
    /// # Errors
    /// [`StoreError`].
    fn begin_epoch(&mut self, now: WallTime) -> Result<Epoch, StoreError>;

    /// Commits all operations, in order, as one transaction: after `Ok` they survive any crash, after
    /// `Err` none of them happened (and the same batch may be tried again). The answers are in the order of the batch.
    ///
    /// # Errors
    /// [`StoreError`]; a failed condition is a conflict in its answer instead.
    fn commit(&mut self, now: WallTime, batch: &[Persist]) -> Result<Vec<Done>, StoreError>;

    /// Commits as [`Store::commit`] does if nothing has to be waited for, neither a disk nor a lock:
    /// for a caller that must not block. With `None` nothing happened, and the batch is to be
    /// committed. By default something always has to be waited for.
    fn commit_now(&mut self, now: WallTime, batch: &[Persist]) -> Option<Vec<Done>> {
        let _ = (now, batch);
        None
    }

    /// Deletes finished tasks beyond the retention; at most a bounded number at once, so that it
    /// never holds up commits. Returns how many went.
    ///
    /// # Errors
    /// [`StoreError`].
    fn prune(&mut self, now: WallTime, retention: &Retention) -> Result<u64, StoreError>;

    /// A reader for lists and single tasks: independent of the writer, sees what is committed.
    ///
    /// # Errors
    /// [`StoreError`].
    fn reader(&self) -> Result<Box<dyn Reader>, StoreError>;
}

/// Reads what is committed.
///
/// ```
/// # use moorline_store::{MemoryStore, Store, StoreError, TaskFilter, TaskRecord};
/// /// All tasks, in pages.
/// fn all(store: &dyn Store) -> Result<Vec<TaskRecord>, StoreError> {
///     let mut reader = store.reader()?;
///     let mut tasks = Vec::new();
///     let mut filter = TaskFilter::default();
///     loop {
///         let page = reader.tasks(&filter)?;
///         let Some(last) = page.last() else { return Ok(tasks) };
///         filter.before = Some(last.order);
///         tasks.extend(page);
///     }
/// }
/// # assert!(all(&MemoryStore::new())?.is_empty());
/// # Ok::<(), StoreError>(())
/// ```
pub trait Reader: Send {
    /// One task.
    ///
    /// # Errors
    /// [`StoreError`].
    fn task(&mut self, task: TaskId) -> Result<Option<TaskRecord>, StoreError>;

    /// Tasks, the latest submitted first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn tasks(&mut self, filter: &TaskFilter) -> Result<Vec<TaskRecord>, StoreError>;

    /// The result of a task that succeeded.
    ///
    /// # Errors
    /// [`StoreError`].
    fn result(&mut self, task: TaskId) -> Result<Option<Bytes>, StoreError>;

    /// How many tasks are in each state, and what the ledger of applied results says.
    ///
    /// # Errors
    /// [`StoreError`].
    fn counts(&mut self) -> Result<Counts, StoreError>;
}

/// Which tasks to list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskFilter {
    /// Only of this state.
    pub state: Option<TaskState>,
    /// At most so many. Default 100.
    pub limit: u32,
    /// Only those submitted before this place in the order: for the next page.
    pub before: Option<u64>,
}

impl Default for TaskFilter {
    fn default() -> Self {
        Self { state: None, limit: 100, before: None }
    }
}

/// How long finished tasks are kept: pruned when they are older than the age, and the oldest when
/// there are more than the count.
///
/// ```
/// use moorline_store::{MemoryStore, Retention, Store, WallTime};
///
/// let mut store = MemoryStore::new();
/// let a_day = Retention { age_millis: 24 * 3_600_000, ..Retention::default() };
/// // One call is bounded: call again, between commits, until nothing is left to do.
/// while store.prune(WallTime(1_700_000_000_000), &a_day)? > 0 {}
/// # Ok::<(), moorline_store::StoreError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Keep at most so long after the end, in milliseconds. Default 7 days.
    pub age_millis: u64,
    /// Keep at most so many. Default 1,000,000.
    pub count: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age_millis: 7 * 24 * 3_600_000, count: 1_000_000 }
    }
}

/// One task, as stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskRecord {
    /// Its id.
    pub task: TaskId,
    /// Its place in the order of submission.
    pub order: u64,
    /// Its handler.
    pub handler: Name,
    /// Where it stands.
    pub state: TaskState,
    /// Larger goes first.
    pub priority: i16,
    /// The last attempt given out.
    pub attempt: Attempt,
    /// Retries so far.
    pub retries: u32,
    /// How many it may have.
    pub max_retries: u32,
    /// Losses so far.
    pub lost: u32,
    /// Who holds it, or ended it; none while it is queued, or when an attempt before the last one
    /// ended it.
    pub worker: Option<WorkerId>,
    /// The name of that worker, if it is remembered.
    pub worker_name: Option<Name>,
    /// When it was submitted.
    pub submitted_at: WallTime,
    /// When it ended.
    pub finished_at: Option<WallTime>,
    /// The last error in words, of a task that has not succeeded.
    pub error: Option<String>,
    /// A client wants it to end.
    pub cancel_requested: bool,
    /// Size of the result in bytes, of a task that succeeded.
    pub result_len: Option<u64>,
    /// How often a result was applied, from an append-only ledger: more than 1 would be a broken promise.
    pub applied: u32,
}

/// How many tasks are in each state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// By [`TaskState::ALL`]'s order.
    pub by_state: [u64; 6],
    /// Tasks whose result was applied more than once: 0, or a promise is broken.
    pub applied_twice: u64,
    /// Attempts that were accepted and lost, over all tasks.
    pub lost_attempts: u64,
}

/// A store failed: nothing of what was asked happened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has it open.
    #[error("the store {path} is in use by another process")]
    Locked {
        /// The file.
        path: String,
    },
    /// The SQLite library has the WAL-reset bug.
    #[error("SQLite {found} can corrupt a database (WAL-reset bug): at least 3.51.3 is needed")]
    UnsafeLibrary {
        /// Its version.
        found: String,
    },
    /// It was written by a newer moorline.
    #[error(
        "the store {path} has schema {found}, this moorline knows up to {known}: upgrade moorline"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its schema version.
        found: u32,
        /// The newest known here.
        known: u32,
    },
    /// The file is no store of moorline, or damaged.
    #[error("{path} is not a moorline store, or damaged: {detail}")]
    Damaged {
        /// The file.
        path: String,
        /// In words.
        detail: String,
    },
    /// Reading or writing failed; the same may work later.
    #[error("store I/O: {detail}")]
    Io {
        /// In words.
        detail: String,
    },
}
