//! The store that forgets with its process.

mod events;
mod indexes;
mod table;
mod task;
mod tasks;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use bytes::Bytes;
use moorline_link::Epoch;
use moorline_node::{Done, Name, Persist};
use moorline_work::{TaskId, WorkerId};

use crate::rule::Owed;
use crate::{
    Counts, EventPage, EventQuery, Pruned, Reader, Retention, Size, Store, StoreError, TaskFilter,
    TaskRecord, WallTime,
};
use table::Table;

/// Keeps everything in memory: for tests, for `moorline dev`, and where tasks may be lost with the
/// coordinator's process.
///
/// It answers as [`SqliteStore`](crate::SqliteStore) does and never fails.
///
/// ```
/// use moorline_store::{MemoryStore, Store, WallTime};
///
/// let mut store = MemoryStore::new();
/// let first = store.begin_epoch(WallTime(1_700_000_000_000))?;
/// let mut restarted = store.reopen();
/// let second = restarted.begin_epoch(WallTime(1_700_000_000_000))?;
/// assert!(second > first);
/// # Ok::<(), moorline_store::StoreError>(())
/// ```
#[derive(Debug, Default)]
pub struct MemoryStore {
    epoch: Epoch,
    /// Known without the lock: whoever asks for it must not wait for a long list that is being read.
    last_event: u64,
    /// What pruning has to keep up with.
    owed: Owed,
    /// How long those had waited that the last commit gave out for the first time.
    waits: Vec<Duration>,
    table: Arc<Mutex<Table>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same data for the next life of a coordinator in this process; use `self` no more.
    #[must_use]
    pub fn reopen(&self) -> Self {
        let last_event = self.table().last_event();
        let (epoch, owed, waits) = (Epoch::default(), Owed::default(), Vec::new());
        Self { epoch, last_event, owed, waits, table: Arc::clone(&self.table) }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        locked(&self.table)
    }
}

/// No operation of the table panics half-way, so what a panicking thread left is whole.
fn locked(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

fn applied(table: &mut Table, now: WallTime, epoch: Epoch, batch: &[Persist]) -> Vec<Done> {
    batch.iter().map(|persist| table.apply(now, epoch, &persist.op)).collect()
}

impl Store for MemoryStore {
    fn begin_epoch(&mut self, now: WallTime) -> Result<Epoch, StoreError> {
        let mut table = locked(&self.table);
        self.epoch = table.begin_epoch(now);
        self.last_event = table.last_event();
        Ok(self.epoch)
    }

    fn commit(&mut self, now: WallTime, batch: &[Persist]) -> Result<Vec<Done>, StoreError> {
        // The lock is held over the batch: a reader sees all of it or nothing.
        let mut table = locked(&self.table);
        let done = applied(&mut table, now, self.epoch, batch);
        self.last_event = table.last_event();
        self.owed.add(batch, &done);
        table.take_waits(&mut self.waits);
        Ok(done)
    }

    fn commit_now(&mut self, now: WallTime, batch: &[Persist]) -> Option<Vec<Done>> {
        let mut table = match self.table.try_lock() {
            Ok(table) => table,
            Err(TryLockError::Poisoned(whole)) => whole.into_inner(),
            // A long list is being read.
            Err(TryLockError::WouldBlock) => return None,
        };
        let done = applied(&mut table, now, self.epoch, batch);
        self.last_event = table.last_event();
        self.owed.add(batch, &done);
        table.take_waits(&mut self.waits);
        Some(done)
    }

    fn waits(&self) -> &[Duration] {
        &self.waits
    }

    fn prune(&mut self, now: WallTime, retention: &Retention) -> Result<Pruned, StoreError> {
        let mut table = locked(&self.table);
        let pruned = table.prune(now, self.epoch, retention);
        self.last_event = table.last_event();
        self.owed.pay(&pruned);
        Ok(pruned)
    }

    fn prune_is_due(&self) -> bool {
        self.owed.is_due()
    }

    fn last_event(&self) -> u64 {
        self.last_event
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(MemoryReader { table: Arc::clone(&self.table) }))
    }
}

/// Reads the table of a [`MemoryStore`].
struct MemoryReader {
    table: Arc<Mutex<Table>>,
}

impl Reader for MemoryReader {
    fn task(&mut self, task: TaskId) -> Result<Option<TaskRecord>, StoreError> {
        Ok(locked(&self.table).record(task))
    }

    fn tasks(&mut self, filter: &TaskFilter) -> Result<Vec<TaskRecord>, StoreError> {
        Ok(locked(&self.table).records(filter))
    }

    fn result(&mut self, task: TaskId) -> Result<Option<Bytes>, StoreError> {
        Ok(locked(&self.table).result(task))
    }

    fn counts(&mut self) -> Result<Counts, StoreError> {
        Ok(locked(&self.table).counts())
    }

    fn size(&mut self) -> Result<Size, StoreError> {
        Ok(locked(&self.table).size())
    }

    fn events(&mut self, query: &EventQuery) -> Result<EventPage, StoreError> {
        Ok(locked(&self.table).events(query))
    }

    fn worker_named(&mut self, name: &Name) -> Result<Option<WorkerId>, StoreError> {
        Ok(locked(&self.table).worker_named(name))
    }
}

#[cfg(test)]
mod tests;
