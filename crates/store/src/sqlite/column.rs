//! Values of ours as columns, and back. Numbers of 64 bits keep their bits; ids are 16 bytes, the
//! most significant first.

use std::time::Duration;

use moorline_node::{Name, Spec};
use moorline_work::{Attempt, Incarnation, TaskId, TaskState, WorkerId};
use rusqlite::Row;
use rusqlite::types::FromSql;

use crate::WallTime;
use crate::database::fault::Fault;

pub(crate) fn task_id(task: TaskId) -> [u8; 16] {
    task.0.to_be_bytes()
}

pub(crate) fn worker_id(worker: WorkerId) -> [u8; 16] {
    worker.0.to_be_bytes()
}

/// Wall time beyond the year 292,278,994 is stored as that.
pub(crate) fn millis(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

/// A limit of more than 292 years is stored as that.
pub(crate) fn timeout_nanos(timeout: Option<Duration>) -> Option<i64> {
    timeout.map(|timeout| i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX))
}

/// Reads the columns of a row one after the other.
pub(crate) struct Columns<'r, 's> {
    row: &'r Row<'s>,
    next: usize,
}

impl<'r, 's> Columns<'r, 's> {
    pub(crate) fn of(row: &'r Row<'s>) -> Self {
        Self { row, next: 0 }
    }

    pub(crate) fn take<T: FromSql>(&mut self) -> Result<T, Fault> {
        let value = self.row.get(self.next)?;
        self.next += 1;
        Ok(value)
    }

    /// A number with the bits it was stored with.
    pub(crate) fn bits(&mut self) -> Result<u64, Fault> {
        Ok(self.take::<i64>()?.cast_unsigned())
    }

    pub(crate) fn count(&mut self) -> Result<u32, Fault> {
        self.take()
    }

    pub(crate) fn attempt(&mut self) -> Result<Attempt, Fault> {
        self.count().map(Attempt)
    }

    pub(crate) fn task_id(&mut self) -> Result<TaskId, Fault> {
        Ok(TaskId(u128::from_be_bytes(self.take()?)))
    }

    pub(crate) fn worker_id(&mut self) -> Result<WorkerId, Fault> {
        Ok(WorkerId(u128::from_be_bytes(self.take()?)))
    }

    pub(crate) fn optional_worker_id(&mut self) -> Result<Option<WorkerId>, Fault> {
        let bytes: Option<[u8; 16]> = self.take()?;
        Ok(bytes.map(|bytes| WorkerId(u128::from_be_bytes(bytes))))
    }

    pub(crate) fn optional_task_id(&mut self) -> Result<Option<TaskId>, Fault> {
        let bytes: Option<[u8; 16]> = self.take()?;
        Ok(bytes.map(|bytes| TaskId(u128::from_be_bytes(bytes))))
    }

    pub(crate) fn incarnation(&mut self) -> Result<Incarnation, Fault> {
        self.bits().map(Incarnation)
    }

    pub(crate) fn time(&mut self) -> Result<WallTime, Fault> {
        self.bits().map(WallTime)
    }

    pub(crate) fn optional_time(&mut self) -> Result<Option<WallTime>, Fault> {
        let millis: Option<i64> = self.take()?;
        Ok(millis.map(|millis| WallTime(millis.cast_unsigned())))
    }

    pub(crate) fn name(&mut self) -> Result<Name, Fault> {
        name(&self.take::<String>()?)
    }

    pub(crate) fn optional_name(&mut self) -> Result<Option<Name>, Fault> {
        let text: Option<String> = self.take()?;
        text.as_deref().map(name).transpose()
    }

    pub(crate) fn state(&mut self) -> Result<TaskState, Fault> {
        let word: String = self.take()?;
        TaskState::ALL
            .into_iter()
            .find(|state| state.name() == word)
            .ok_or_else(|| Fault::Damaged(format!("no state of a task is called {word:?}")))
    }

    /// `handler, priority, max_retries, timeout_nanos`.
    pub(crate) fn spec(&mut self) -> Result<Spec, Fault> {
        Ok(Spec {
            handler: self.name()?,
            priority: self.take()?,
            max_retries: self.count()?,
            timeout: self
                .take::<Option<i64>>()?
                .map(|nanos| Duration::from_nanos(nanos.unsigned_abs())),
        })
    }
}

pub(crate) fn name(text: &str) -> Result<Name, Fault> {
    Name::new(text).map_err(|error| Fault::Damaged(format!("{text:?}: {error}")))
}
