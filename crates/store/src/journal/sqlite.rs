//! The journal in one file.

use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use moorline_node::{JournalId, JournalOp, JournalWrite, KeptResult};
use moorline_work::{Outcome, RunId, TaskKey};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{Journal, JournalSize};
use crate::StoreError;
use crate::database::fault::Fault;
use crate::database::format::Format;
use crate::database::{self, Database};
use crate::lock::StoreLock;
use crate::sqlite::column::{self, Columns};

/// A journal of moorline: "mojo" in the header of the database.
pub(crate) const JOURNAL: Format = Format {
    name: "a worker's journal",
    application_id: i32::from_be_bytes(*b"mojo"),
    steps: &[include_str!("sqlite/1.sql")],
};

/// The log file is cut back to this size when it is started over.
const LOG_LIMIT: u32 = 8 << 20;

/// Read once, at the start.
const KEPT: &str = "SELECT run, task, attempt, outcome, body FROM results";
/// Does not read the bodies: their length is in the header of their rows.
const SIZE: &str = "SELECT count(*), coalesce(sum(length(body)), 0) FROM results";
/// `run`
const LENGTH: &str = "SELECT length(body) FROM results WHERE run = ?1";
/// `run, task, attempt, outcome, body`
const KEEP: &str = "INSERT OR REPLACE INTO results (run, task, attempt, outcome, body) \
    VALUES (?1, ?2, ?3, ?4, ?5)";
/// `run, attempt`
const RENUMBER: &str = "UPDATE results SET attempt = ?2 WHERE run = ?1";
/// `run`
const FORGET: &str = "DELETE FROM results WHERE run = ?1";

const STATEMENTS: [&str; 6] = [KEPT, SIZE, LENGTH, KEEP, RENUMBER, FORGET];

/// Keeps results in one SQLite file, and survives crashes of the process and of the machine.
///
/// The file is in WAL mode with `synchronous = FULL`, as [`SqliteStore`](crate::SqliteStore) is, and has a
/// mark of its own: neither is taken for the other. `FILE.lock` beside it keeps other processes out. What is
/// forgotten leaves room that is used again, so the file stays within a small multiple of its bound. Not
/// for network file systems.
///
/// ```
/// use moorline_store::{Journal, SqliteJournal, StoreError};
///
/// # let dir = tempfile::tempdir()?;
/// let file = dir.path().join("journal.db");
/// let mut journal = SqliteJournal::open(&file, 256 << 20)?;
/// assert!(journal.kept()?.is_empty());
/// assert!(matches!(SqliteJournal::open(&file, 256 << 20), Err(StoreError::Locked { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteJournal {
    connection: Connection,
    path: PathBuf,
    size: JournalSize,
    // Let go last, after the connection is closed.
    _lock: StoreLock,
}

impl fmt::Debug for SqliteJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteJournal")
            .field("path", &self.path)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl SqliteJournal {
    /// Opens the journal in this file, which keeps results up to this cost together, in bytes; creates it
    /// if there is none, migrates one of an older moorline. Its pages are checked.
    ///
    /// # Errors
    /// - [`StoreError::Locked`]: another process, or another value of this one, has it open.
    /// - [`StoreError::Newer`]: a newer moorline wrote it; it is left as it is.
    /// - [`StoreError::Damaged`]: it is no journal, or not whole; it is left as it is.
    /// - [`StoreError::UnsafeLibrary`]: the SQLite library linked can corrupt it.
    /// - [`StoreError::ReadOnly`]: it cannot be written.
    /// - [`StoreError::Full`]: there is no room to prepare it.
    /// - [`StoreError::Io`]: its directory does not exist, or reading it failed.
    pub fn open(path: impl AsRef<Path>, max_bytes: u64) -> Result<Self, StoreError> {
        let Database { connection, path, lock } =
            Database::open(path.as_ref(), &JOURNAL, LOG_LIMIT)?;
        let at = |fault: Fault| fault.at(&path);
        database::check(&connection, STATEMENTS).map_err(at)?;
        check_pages(&connection).map_err(at)?;
        let mut size = JournalSize::new(max_bytes);
        (size.results, size.bytes) = measure(&connection).map_err(at)?;
        Ok(Self { connection, path, size, _lock: lock })
    }

    /// The version of the schema that this moorline writes.
    pub const SCHEMA: u32 = JOURNAL.current();

    /// The file, with every link resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn read(&self) -> Result<Vec<KeptResult>, Fault> {
        let mut statement = self.connection.prepare(KEPT)?;
        let mut rows = statement.query([])?;
        let mut kept = Vec::new();
        while let Some(row) = rows.next()? {
            let mut columns = Columns::of(row);
            let run = RunId(columns.bits()?);
            let key = TaskKey { task: columns.task_id()?, attempt: columns.attempt()? };
            let outcome = outcome(&columns.take::<String>()?)?;
            let body = Bytes::from(columns.take::<Vec<u8>>()?);
            kept.push(KeptResult { run, key, outcome, body });
        }
        // A row's number is signed, a run's is not.
        kept.sort_unstable_by_key(|result| result.run);
        Ok(kept)
    }

    fn apply(&mut self, batch: &[JournalWrite]) -> Result<Vec<JournalId>, Fault> {
        let mut size = self.size;
        let mut full = Vec::new();
        let transaction = database::begin(&mut self.connection)?;
        for write in batch {
            match &write.op {
                JournalOp::Keep(result) => {
                    let before = cost(&transaction, result.run)?;
                    if size.keeps(result.cost(), before) {
                        keep(&transaction, result)?;
                    } else {
                        full.push(write.id);
                    }
                }
                JournalOp::Renumber { run, attempt } => {
                    let mut renumber = transaction.prepare_cached(RENUMBER)?;
                    renumber.execute(params![run.0.cast_signed(), attempt.0])?;
                }
                JournalOp::Forget { run } => {
                    if let Some(before) = cost(&transaction, *run)? {
                        let mut forget = transaction.prepare_cached(FORGET)?;
                        forget.execute(params![run.0.cast_signed()])?;
                        size.forgets(before);
                    }
                }
            }
        }
        transaction.commit()?;
        self.size = size;
        Ok(full)
    }
}

impl Journal for SqliteJournal {
    fn kept(&mut self) -> Result<Vec<KeptResult>, StoreError> {
        self.read().map_err(|fault| fault.at(&self.path))
    }

    fn commit(&mut self, batch: &[JournalWrite]) -> Result<Vec<JournalId>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.apply(batch).map_err(|fault| fault.at(&self.path))
    }

    fn size(&self) -> JournalSize {
        self.size
    }
}

/// What the result of this run counts for, if it is kept.
fn cost(transaction: &Transaction<'_>, run: RunId) -> Result<Option<u64>, Fault> {
    let mut length = transaction.prepare_cached(LENGTH)?;
    let length: Option<i64> =
        length.query_row(params![run.0.cast_signed()], |row| row.get(0)).optional()?;
    Ok(length.map(|length| KeptResult::COST.saturating_add(length.cast_unsigned())))
}

fn keep(transaction: &Transaction<'_>, result: &KeptResult) -> Result<(), Fault> {
    let KeptResult { run, key, outcome, body } = result;
    transaction.prepare_cached(KEEP)?.execute(params![
        run.0.cast_signed(),
        column::task_id(key.task),
        key.attempt.0,
        word(*outcome),
        &body[..],
    ])?;
    Ok(())
}

/// How many results there are, and what they count for together.
fn measure(connection: &Connection) -> Result<(u64, u64), Fault> {
    let (results, bytes): (i64, i64) =
        connection.query_row(SIZE, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (results, bytes) = (results.cast_unsigned(), bytes.cast_unsigned());
    Ok((results, bytes.saturating_add(results.saturating_mul(KeptResult::COST))))
}

/// A page that is not what it was is found at the start, and not when its result is looked for and none
/// is there.
fn check_pages(connection: &Connection) -> Result<(), Fault> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(Fault::Damaged(found)) }
}

/// What is written for an outcome: never edited, for files have it.
const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed { retryable: true } => "failed_retryable",
        Outcome::Failed { retryable: false } => "failed",
        Outcome::TimedOut => "timed_out",
        Outcome::Cancelled => "cancelled",
    }
}

fn outcome(written: &str) -> Result<Outcome, Fault> {
    let all = [
        Outcome::Succeeded,
        Outcome::Failed { retryable: true },
        Outcome::Failed { retryable: false },
        Outcome::TimedOut,
        Outcome::Cancelled,
    ];
    all.into_iter()
        .find(|outcome| word(*outcome) == written)
        .ok_or_else(|| Fault::Damaged(format!("no outcome is called {written:?}")))
}

#[cfg(test)]
mod tests;
