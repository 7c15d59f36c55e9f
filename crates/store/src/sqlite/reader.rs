//! A second connection that only reads.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use moorline_node::Name;
use moorline_work::{TaskId, TaskState, WorkerId};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};

use super::column::{self, Columns};
use super::events;
use super::statement;
use crate::database::BUSY_TIMEOUT;
use crate::database::fault::Fault;
use crate::{Counts, EventPage, EventQuery, Reader, Size, StoreError, TaskFilter, TaskRecord};

/// Reads a [`SqliteStore`](super::SqliteStore); never waits for its writer, nor the writer for it.
pub(super) struct SqliteReader {
    connection: Connection,
    path: PathBuf,
    /// How many tasks there are, as the writer counts along.
    tasks: Arc<AtomicU64>,
}

impl SqliteReader {
    pub(super) fn open(path: &Path, tasks: Arc<AtomicU64>) -> Result<Self, StoreError> {
        let connect = || -> Result<Connection, Fault> {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.set_prepared_statement_cache_capacity(statement::READER.len());
            Ok(connection)
        };
        let connection = connect().map_err(|fault| fault.at(path))?;
        Ok(Self { connection, path: path.to_owned(), tasks })
    }

    fn records(&self, filter: &TaskFilter) -> Result<Vec<TaskRecord>, Fault> {
        let before = column::millis(filter.before.unwrap_or(u64::MAX));
        let mut records = Vec::new();
        let mut statement;
        let mut rows = if let Some(state) = filter.state {
            statement = self.connection.prepare_cached(statement::RECORDS_OF_STATE)?;
            statement.query(params![before, filter.limit, state.name()])?
        } else {
            statement = self.connection.prepare_cached(statement::RECORDS)?;
            statement.query(params![before, filter.limit])?
        };
        while let Some(row) = rows.next()? {
            records.push(record(row)?);
        }
        Ok(records)
    }

    fn record(&self, task: TaskId) -> Result<Option<TaskRecord>, Fault> {
        let mut statement = self.connection.prepare_cached(statement::RECORD)?;
        let mut rows = statement.query(params![column::task_id(task)])?;
        rows.next()?.map(record).transpose()
    }

    fn body(&self, task: TaskId) -> Result<Option<Bytes>, Fault> {
        let body: Option<Option<Vec<u8>>> = self
            .connection
            .prepare_cached(statement::RESULT)?
            .query_row(params![column::task_id(task)], |row| row.get(0))
            .optional()?;
        Ok(body.flatten().map(Bytes::from))
    }

    fn named(&self, name: &Name) -> Result<Option<WorkerId>, Fault> {
        let mut statement = self.connection.prepare_cached(statement::WORKER_NAMED)?;
        let mut rows = statement.query(params![name.as_str()])?;
        let mut gone = None;
        while let Some(row) = rows.next()? {
            let mut columns = Columns::of(row);
            let worker = columns.worker_id()?;
            if !columns.take()? {
                return Ok(Some(worker));
            }
            gone = gone.or(Some(worker));
        }
        Ok(gone)
    }

    fn measure(&self) -> Result<Size, Fault> {
        let pragma = |name| -> Result<u64, Fault> {
            let number: i64 = self.connection.pragma_query_value(None, name, |row| row.get(0))?;
            Ok(number.cast_unsigned())
        };
        let page = pragma("page_size")?;
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        Ok(Size {
            tasks: self.tasks.load(Ordering::Relaxed),
            events: events::count(&self.connection)?,
            database_bytes: pragma("page_count")? * page,
            free_bytes: pragma("freelist_count")? * page,
            // It is not there before the first commit.
            log_bytes: fs::metadata(log).map_or(0, |log| log.len()),
        })
    }

    fn count(&mut self) -> Result<Counts, Fault> {
        // One transaction, so that the numbers belong together.
        let transaction = self.connection.transaction()?;
        let mut counts = Counts::default();
        let mut statement = transaction.prepare_cached(statement::COUNTS)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let mut columns = Columns::of(row);
            let state = columns.state()?;
            let count = columns.bits()?;
            for (slot, of) in counts.by_state.iter_mut().zip(TaskState::ALL) {
                if of == state {
                    *slot = count;
                }
            }
        }
        let number = |sql| -> Result<u64, Fault> {
            let number: i64 = transaction.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            Ok(number.cast_unsigned())
        };
        counts.applied_twice = number(statement::APPLIED_TWICE)?;
        counts.lost_attempts = number(statement::LOST_ATTEMPTS)?;
        let mut oldest = transaction.prepare_cached(statement::OLDEST_QUEUED)?;
        let mut rows = oldest.query([])?;
        counts.oldest_queued = rows.next()?.map(|row| Columns::of(row).time()).transpose()?;
        Ok(counts)
    }
}

impl Reader for SqliteReader {
    fn task(&mut self, task: TaskId) -> Result<Option<TaskRecord>, StoreError> {
        self.record(task).map_err(|fault| fault.at(&self.path))
    }

    fn tasks(&mut self, filter: &TaskFilter) -> Result<Vec<TaskRecord>, StoreError> {
        self.records(filter).map_err(|fault| fault.at(&self.path))
    }

    fn result(&mut self, task: TaskId) -> Result<Option<Bytes>, StoreError> {
        self.body(task).map_err(|fault| fault.at(&self.path))
    }

    fn counts(&mut self) -> Result<Counts, StoreError> {
        self.count().map_err(|fault| fault.at(&self.path))
    }

    fn size(&mut self) -> Result<Size, StoreError> {
        self.measure().map_err(|fault| fault.at(&self.path))
    }

    fn events(&mut self, query: &EventQuery) -> Result<EventPage, StoreError> {
        events::page(&self.connection, query).map_err(|fault| fault.at(&self.path))
    }

    fn worker_named(&mut self, name: &Name) -> Result<Option<WorkerId>, StoreError> {
        self.named(name).map_err(|fault| fault.at(&self.path))
    }
}

/// The columns of `statement::RECORD`.
fn record(row: &Row<'_>) -> Result<TaskRecord, Fault> {
    let mut columns = Columns::of(row);
    Ok(TaskRecord {
        task: columns.task_id()?,
        order: columns.bits()?,
        handler: columns.name()?,
        state: columns.state()?,
        priority: columns.take()?,
        attempt: columns.attempt()?,
        retries: columns.count()?,
        max_retries: columns.count()?,
        lost: columns.count()?,
        worker: columns.optional_worker_id()?,
        worker_name: columns.optional_name()?,
        submitted_at: columns.time()?,
        finished_at: columns.optional_time()?,
        ready_at: columns.optional_time()?,
        error: columns.take()?,
        cancel_requested: columns.take()?,
        result_len: columns.take::<Option<i64>>()?.map(i64::cast_unsigned),
        applied: columns.count()?,
    })
}
