//! The store in one file.

pub(crate) mod column;
mod events;
mod operation;
mod reader;
pub(crate) mod schema;
mod statement;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moorline_link::Epoch;
use moorline_node::{Done, Name, Persist};
use moorline_work::WorkerId;
use rusqlite::{Connection, Transaction, params};

use crate::database::fault::Fault;
use crate::database::{self, Database};
use crate::lock::StoreLock;
use crate::rule::{self, Finished, Owed};
use crate::{EventRecord, Pruned, Reader, Retention, Store, StoreError, WallTime, event};
use column::Columns;
use operation::{Applied, Batch};
use reader::SqliteReader;
use schema::STORE;

/// The log file is cut back to this size when it is started over.
const LOG_LIMIT: u32 = 64 << 20;

/// Keeps everything in one SQLite file, and survives crashes of the process and of the machine.
///
/// The file is in WAL mode with `synchronous = FULL`: a commit returns when the operating system says that
/// it is on the disk. The library is built in; one with the WAL-reset bug is refused. `FILE.lock` beside
/// it keeps other processes out for as long as this value, or its process, lives. Not for network file systems.
///
/// ```
/// use moorline_store::{SqliteStore, Store, StoreError, WallTime};
///
/// # let dir = tempfile::tempdir()?;
/// let file = dir.path().join("moorline.db");
/// let mut store = SqliteStore::open(&file)?;
/// store.begin_epoch(WallTime(1_700_000_000_000))?;
/// assert!(matches!(SqliteStore::open(&file), Err(StoreError::Locked { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteStore {
    connection: Connection,
    path: PathBuf,
    epoch: Epoch,
    /// How many tasks there are, for readers.
    tasks: Arc<AtomicU64>,
    /// How many tasks have ended: this is the only writer, so it can count along.
    finished: u64,
    /// The number of the last event.
    last_event: u64,
    /// What pruning has to keep up with.
    owed: Owed,
    /// How long those had waited that the last commit gave out for the first time.
    waits: Vec<Duration>,
    /// The names of the workers that are remembered, for events.
    names: BTreeMap<WorkerId, Name>,
    // Let go last, after the connection is closed.
    _lock: StoreLock,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the store in this file; creates it if there is none, migrates one of an older moorline.
    ///
    /// # Errors
    /// - [`StoreError::Locked`]: another process, or another value of this one, has it open.
    /// - [`StoreError::Newer`]: a newer moorline wrote it; it is left as it is.
    /// - [`StoreError::Damaged`]: it is not a store; it is left as it is.
    /// - [`StoreError::UnsafeLibrary`]: the SQLite library linked can corrupt it.
    /// - [`StoreError::ReadOnly`]: it cannot be written.
    /// - [`StoreError::Full`]: there is no room to prepare it.
    /// - [`StoreError::Io`]: its directory does not exist, or reading it failed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let Database { connection, path, lock } = Database::open(path.as_ref(), &STORE, LOG_LIMIT)?;
        let at = |fault: Fault| fault.at(&path);
        connection.set_prepared_statement_cache_capacity(statement::WRITER.len());
        let statements = statement::WRITER.iter().chain(statement::READER).copied();
        database::check(&connection, statements).map_err(at)?;
        let finished = count(&connection, statement::COUNT_FINISHED).map_err(at)?;
        let tasks = count(&connection, statement::COUNT_TASKS).map_err(at)?;
        let tasks = Arc::new(AtomicU64::new(tasks));
        let last_event = events::last(&connection).map_err(at)?;
        let names = read_names(&connection).map_err(at)?;
        let (epoch, owed) = (Epoch::default(), Owed::default());
        Ok(Self {
            connection,
            path,
            epoch,
            tasks,
            finished,
            last_event,
            owed,
            waits: Vec::new(),
            names,
            _lock: lock,
        })
    }

    /// The version of the schema that this moorline writes.
    pub const SCHEMA: u32 = schema::CURRENT;

    /// The version of the SQLite library that is built in, such as `3.53.0`.
    #[must_use]
    pub fn library() -> &'static str {
        rusqlite::version()
    }

    /// The file, with every link resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn begin(&mut self) -> Result<Transaction<'_>, Fault> {
        database::begin(&mut self.connection)
    }

    fn next_epoch(&mut self, now: WallTime) -> Result<Epoch, Fault> {
        let transaction = self.begin()?;
        let last: Option<i64> =
            transaction.prepare_cached(statement::LAST_EPOCH)?.query_row([], |row| row.get(0))?;
        let last = Epoch(last.unwrap_or_default().cast_unsigned());
        let epoch = rule::next_epoch(last, now);
        transaction
            .prepare_cached(statement::BEGIN_EPOCH)?
            .execute(params![epoch.0.cast_signed(), column::millis(now.0)])?;
        let written = events::last_at(&transaction)?;
        let set_back = written.map_or(0, |written| rule::set_back(written, now));
        if set_back > 0 {
            let mut earlier = transaction.prepare_cached(statement::READY_EARLIER)?;
            earlier.execute(params![column::millis(set_back)])?;
        }
        transaction.commit()?;
        Ok(epoch)
    }

    fn apply(&mut self, now: WallTime, operations: &[Persist]) -> Result<Vec<Done>, Fault> {
        let (epoch, last_event) = (self.epoch, self.last_event);
        // Names that are known before their rows are durable do no harm: they come again.
        let mut names = std::mem::take(&mut self.names);
        let applied = self.begin().and_then(|transaction| {
            let mut batch = Batch::new(&transaction, now, epoch, last_event, &mut names);
            let mut answers = Vec::with_capacity(operations.len());
            for persist in operations {
                answers.push(batch.apply(&persist.op)?);
            }
            let applied = batch.close()?;
            transaction.commit()?;
            Ok((answers, applied))
        });
        self.names = names;
        self.waits.clear();
        let (answers, Applied { submitted, ended, revived, last_event, waits }) = applied?;
        self.waits = waits;
        self.tasks.fetch_add(submitted, Ordering::Relaxed);
        self.finished = (self.finished + ended).saturating_sub(revived);
        self.last_event = last_event;
        Ok(answers)
    }

    fn forget(&mut self, now: WallTime, retention: &Retention) -> Result<Pruned, Fault> {
        let tasks = self.forget_tasks(now, retention)?;
        let workers = self.forget_workers(now, retention)?;
        let transaction = self.begin()?;
        let events = events::prune(&transaction, now, retention)?;
        transaction.commit()?;
        Ok(Pruned { tasks, events, workers })
    }

    fn forget_workers(&mut self, now: WallTime, retention: &Retention) -> Result<u64, Fault> {
        let before = now.0.saturating_sub(retention.forget_millis);
        let mut gone = Vec::new();
        {
            let mut statement = self.connection.prepare_cached(statement::GONE_WORKERS)?;
            let mut rows = statement.query(params![column::millis(before)])?;
            while let Some(row) = rows.next()? {
                let mut columns = Columns::of(row);
                gone.push((columns.worker_id()?, columns.name()?));
            }
        }
        if gone.is_empty() {
            return Ok(0);
        }
        let mut leasing = BTreeSet::new();
        {
            let mut statement = self.connection.prepare_cached(statement::LEASING_WORKERS)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                leasing.insert(Columns::of(row).worker_id()?);
            }
        }
        gone.retain(|(worker, _)| !leasing.contains(worker));
        gone.truncate(rule::PRUNE_WORKERS);
        let (epoch, mut seq) = (self.epoch, self.last_event);
        let mut happened = Vec::with_capacity(gone.len());
        let transaction = self.begin()?;
        for (worker, name) in &gone {
            transaction
                .prepare_cached(statement::FORGET_WORKER)?
                .execute(params![column::worker_id(*worker)])?;
            seq += 1;
            let event = event::forgotten(*worker, name.clone());
            happened.push(EventRecord { seq, at: now, epoch, event });
        }
        events::insert(&transaction, &happened)?;
        transaction.commit()?;
        self.last_event = seq;
        for (worker, _) in &gone {
            self.names.remove(worker);
        }
        Ok(gone.len() as u64)
    }

    fn forget_tasks(&mut self, now: WallTime, retention: &Retention) -> Result<u64, Fault> {
        let finished = self.finished;
        let places = {
            let mut oldest = self.connection.prepare_cached(statement::OLDEST)?;
            // One that stays is the last one read: mostly the first.
            let candidates = oldest.query_and_then(params![rule::PRUNE_TASKS as i64], |row| {
                let mut columns = Columns::of(row);
                let (place, at) = (columns.bits()?, columns.bits()?);
                Ok::<_, Fault>(Finished { place, at, bytes: columns.bits()? })
            })?;
            rule::prunable(now, retention, finished, candidates)?
        };
        if places.is_empty() {
            return Ok(0);
        }
        let transaction = self.begin()?;
        {
            let mut task = transaction.prepare_cached(statement::FORGET_TASK)?;
            let mut applications = transaction.prepare_cached(statement::FORGET_APPLICATIONS)?;
            for place in &places {
                task.execute(params![place.cast_signed()])?;
                applications.execute(params![place.cast_signed()])?;
            }
        }
        transaction.commit()?;
        let gone = places.len() as u64;
        self.finished = self.finished.saturating_sub(gone);
        self.tasks.fetch_sub(gone, Ordering::Relaxed);
        Ok(gone)
    }
}

impl Store for SqliteStore {
    fn begin_epoch(&mut self, now: WallTime) -> Result<Epoch, StoreError> {
        let epoch = self.next_epoch(now).map_err(|fault| fault.at(&self.path))?;
        self.epoch = epoch;
        Ok(epoch)
    }

    fn commit(&mut self, now: WallTime, batch: &[Persist]) -> Result<Vec<Done>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.apply(now, batch).map_err(|fault| fault.at(&self.path))?;
        self.owed.add(batch, &answers);
        Ok(answers)
    }

    fn waits(&self) -> &[Duration] {
        &self.waits
    }

    fn prune(&mut self, now: WallTime, retention: &Retention) -> Result<Pruned, StoreError> {
        let pruned = self.forget(now, retention);
        match &pruned {
            Ok(pruned) => self.owed.pay(pruned),
            Err(_) => self.owed.defer(),
        }
        pruned.map_err(|fault| fault.at(&self.path))
    }

    fn prune_is_due(&self) -> bool {
        self.owed.is_due()
    }

    fn last_event(&self) -> u64 {
        self.last_event
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(SqliteReader::open(&self.path, Arc::clone(&self.tasks))?))
    }
}

fn read_names(connection: &Connection) -> Result<BTreeMap<WorkerId, Name>, Fault> {
    let mut statement = connection.prepare(statement::WORKERS)?;
    let mut rows = statement.query([])?;
    let mut names = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let mut columns = Columns::of(row);
        names.insert(columns.worker_id()?, columns.name()?);
    }
    Ok(names)
}

fn count(connection: &Connection, sql: &str) -> Result<u64, Fault> {
    let count: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

#[cfg(test)]
mod tests;
