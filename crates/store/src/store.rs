//! The trait behind which every store lives.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::Epoch;
use moorline_node::{Done, Name, Persist};
use moorline_work::{Attempt, TaskId, TaskState, WorkerId};

use crate::{EventPage, EventQuery};

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
/// - *Events*: what happens to a task is written down in the transaction that does it, an operation
///   whose condition fails leaves none.
/// - *Workers* that are lost or have left are remembered from then on for a while, see [`Retention`].
/// - *Payloads* are dropped when their task succeeds and kept while it may be retried; a digest stays,
///   so that submitting again is recognised.
pub trait Store: Send {
    /// Allocates the epoch of a new life of the coordinator: never used before, not by any process.
    ///
    /// If `now` is before the last event, the clock was set back meanwhile: every task that waits for its
    /// time is to wait as much less by the clock, so it waits as long as it had to wait at that event.
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

    /// How long each task had waited, from its submission on, that the last commit gave out for the
    /// first time. By default nothing is known of it.
    fn waits(&self) -> &[Duration] {
        &[]
    }

    /// Deletes finished tasks, events and workers that are gone, beyond the retention; at most a
    /// bounded number at once, so that it never holds up commits. Returns how many went.
    ///
    /// # Errors
    /// [`StoreError`].
    fn prune(&mut self, now: WallTime, retention: &Retention) -> Result<Pruned, StoreError>;

    /// Since the last call of [`Store::prune`] half as much came as one call deletes: to call it now,
    /// again until this is false, keeps what is beyond the retention from growing, whatever the rate. False
    /// while nothing was to be pruned or pruning failed, until as much came again. By default never.
    fn prune_is_due(&self) -> bool {
        false
    }

    /// The number of the last event that is durable; 0 if there was none.
    fn last_event(&self) -> u64;

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

    /// How much there is, for metrics: costs the same however much that is.
    ///
    /// # Errors
    /// [`StoreError`].
    fn size(&mut self) -> Result<Size, StoreError>;

    /// Events; see [`EventQuery`] for the order, and [`EventPage`] for the next page.
    ///
    /// # Errors
    /// [`StoreError`].
    fn events(&mut self, query: &EventQuery) -> Result<EventPage, StoreError>;

    /// The worker with this name, if one is remembered; of several the one that is not gone.
    ///
    /// # Errors
    /// [`StoreError`].
    fn worker_named(&mut self, name: &Name) -> Result<Option<WorkerId>, StoreError>;
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

/// How long finished tasks and events are kept: pruned when they are older than the age, and the
/// oldest when there are more than the count. And how long workers that are gone are remembered.
///
/// ```
/// use moorline_store::{MemoryStore, Retention, Store, WallTime};
///
/// let mut store = MemoryStore::new();
/// let a_day = Retention { age_millis: 24 * 3_600_000, ..Retention::default() };
/// // One call is bounded: call again, between commits, until nothing is left to do.
/// while !store.prune(WallTime(1_700_000_000_000), &a_day)?.is_nothing() {}
/// # Ok::<(), moorline_store::StoreError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Keep at most so long after the end, in milliseconds. Default 7 days.
    pub age_millis: u64,
    /// Keep at most so many. Default 1,000,000.
    pub count: u64,
    /// Keep events at most so long, in milliseconds. Default 7 days.
    pub event_age_millis: u64,
    /// Keep at most so many events; at least the last one is kept. Default 1,000,000; a
    /// [`MemoryStore`](crate::MemoryStore) keeps at most 65,536.
    pub event_count: u64,
    /// Remember a worker that was lost or left so long, in milliseconds, and as long as it has a lease.
    /// Default 24 hours.
    pub forget_millis: u64,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: u64 = 24 * 3_600_000;
        Self {
            age_millis: 7 * DAY,
            count: 1_000_000,
            event_age_millis: 7 * DAY,
            event_count: 1_000_000,
            forget_millis: DAY,
        }
    }
}

/// What one call of [`Store::prune`] deleted.
///
/// ```
/// use moorline_store::Pruned;
///
/// let pruned = Pruned { tasks: 512, ..Pruned::default() };
/// assert!(!pruned.is_nothing(), "there may be more: prune again");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pruned {
    /// Finished tasks.
    pub tasks: u64,
    /// Events.
    pub events: u64,
    /// Workers that were gone.
    pub workers: u64,
}

impl Pruned {
    /// There was nothing to delete, and so there is nothing more.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.tasks == 0 && self.events == 0 && self.workers == 0
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
    /// Before this time it is not given out: it waits for its retry.
    pub ready_at: Option<WallTime>,
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
///
/// ```
/// use moorline_store::Counts;
///
/// fn is_sound(counts: &Counts) -> bool {
///     counts.applied_twice == 0
/// }
/// # let _ = is_sound;
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// By [`TaskState::ALL`]'s order.
    pub by_state: [u64; 6],
    /// Tasks whose result was applied more than once: 0, or a promise is broken.
    pub applied_twice: u64,
    /// Attempts that were accepted and lost, over all tasks.
    pub lost_attempts: u64,
    /// When the one was submitted that is queued for the longest, if one is queued.
    pub oldest_queued: Option<WallTime>,
}

/// How much a store holds. Each number is right by itself; a commit may come between two of them.
///
/// ```
/// use moorline_store::Size;
///
/// /// The share of the file that pruning has freed and that will be used again.
/// fn free_share(size: &Size) -> f64 {
///     size.free_bytes as f64 / size.database_bytes.max(1) as f64
/// }
/// # let _ = free_share;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Size {
    /// Tasks in any state.
    pub tasks: u64,
    /// Events that are kept.
    pub events: u64,
    /// Size of the database in bytes, its free pages included. 0 for a store in memory.
    pub database_bytes: u64,
    /// How much of that is free pages: used again before the file grows. 0 for a store in memory.
    pub free_bytes: u64,
    /// Size of the file of the write-ahead log in bytes: it is started over again and again, and cut
    /// back to at most 64 MiB then. 0 for a store in memory.
    pub log_bytes: u64,
}

/// A store or a journal failed: nothing of what was asked happened.
///
/// ```
/// use moorline_store::StoreError;
///
/// let full = StoreError::Full { path: "moorline.db".into(), detail: "database or disk is full".into() };
/// assert_eq!(full.code(), 5006); // written ML5006
/// assert!(full.may_pass());
/// let damaged = StoreError::Damaged { path: "moorline.db".into(), detail: "malformed".into() };
/// assert!(!damaged.may_pass());
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has it open.
    #[error("{path} is in use by another process")]
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
    #[error("{path} has schema {found}, this moorline knows up to {known}: upgrade moorline")]
    Newer {
        /// The file.
        path: String,
        /// Its schema version.
        found: u32,
        /// The newest known here.
        known: u32,
    },
    /// The file is none of moorline, one of another kind, or damaged.
    #[error("{path} is damaged, or not what moorline keeps there: {detail}")]
    Damaged {
        /// The file.
        path: String,
        /// In words.
        detail: String,
    },
    /// There is no room to write; the same works when there is.
    #[error("no room for {path}: {detail}")]
    Full {
        /// The file.
        path: String,
        /// In words.
        detail: String,
    },
    /// The file, its directory or its file system does not let itself be written.
    #[error("{path} is read-only: {detail}")]
    ReadOnly {
        /// The file.
        path: String,
        /// In words.
        detail: String,
    },
    /// Reading or writing failed; the same may work later.
    #[error("storage I/O: {detail}")]
    Io {
        /// In words.
        detail: String,
    },
}

impl StoreError {
    /// The number of its code: 5004 is written `ML5004`.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            Self::Locked { .. } => 5001,
            Self::UnsafeLibrary { .. } => 5002,
            Self::Newer { .. } => 5003,
            Self::Damaged { .. } => 5004,
            Self::Io { .. } => 5005,
            Self::Full { .. } => 5006,
            Self::ReadOnly { .. } => 5007,
        }
    }

    /// The same may work later, on the same open store: it is tried again. Otherwise trying again could
    /// only make it worse.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Full { .. } | Self::ReadOnly { .. } | Self::Locked { .. } => {
                true
            }
            Self::UnsafeLibrary { .. } | Self::Newer { .. } | Self::Damaged { .. } => false,
        }
    }
}
