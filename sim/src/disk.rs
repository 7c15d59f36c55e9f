//! The coordinator's store: the real memory store behind a disk that takes its time.
//!
//! Operations wait in order; a commit takes a prefix of them, lasts a while, and is then durable as a
//! whole. What was not committed when the coordinator's process ended is lost.

use std::collections::VecDeque;

use bytes::Bytes;
use moorline_link::Epoch;
use moorline_node::{Done, EventKind, Name, Persist, PersistId, StoreOp};
use moorline_store::{
    Counts, EventPage, EventQuery, MemoryStore, Reader, Retention, Size, Store, StoreError,
    TaskFilter, TaskRecord, WallTime,
};
use moorline_work::{Conflict, TaskId, WorkerId};

use crate::Sabotage;

/// The store and what waits for it.
#[derive(Debug)]
pub(crate) struct Disk {
    store: MemoryStore,
    waiting: VecDeque<Persist>,
    under_way: Vec<Persist>,
    sabotage: Option<Sabotage>,
    /// Commits so far.
    pub(crate) commits: u64,
}

/// A commit that is durable.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) batch: Vec<Persist>,
    pub(crate) done: Vec<Done>,
}

impl Committed {
    pub(crate) fn up_to(&self) -> PersistId {
        self.batch.last().map(|persist| persist.id).unwrap_or_default()
    }
}

/// The memory store never fails.
const NEVER: &str = "the memory store does not fail";

/// Wall time: the machines never see it, so its zero is of no matter.
fn wall(now: u64) -> WallTime {
    WallTime(1_700_000_000_000 + now / 1_000_000)
}

impl Disk {
    pub(crate) fn new(sabotage: Option<Sabotage>) -> Self {
        Self {
            store: MemoryStore::new(),
            waiting: VecDeque::new(),
            under_way: Vec::new(),
            sabotage,
            commits: 0,
        }
    }

    /// A new life of the coordinator.
    pub(crate) fn begin(&mut self, now: u64) -> Epoch {
        self.store = self.store.reopen();
        let epoch = self.store.begin_epoch(wall(now)).expect(NEVER);
        if self.sabotage == Some(Sabotage::EpochRepeats) { Epoch(1) } else { epoch }
    }

    pub(crate) fn wait(&mut self, persist: Persist) {
        self.waiting.push_back(persist);
    }

    /// Begins a commit of at most this many operations, unless there are none or one is under way.
    pub(crate) fn start(&mut self, most: u64) -> bool {
        if !self.under_way.is_empty() || self.waiting.is_empty() {
            return false;
        }
        let count = usize::try_from(most).unwrap_or(usize::MAX).min(self.waiting.len());
        self.under_way = self.waiting.drain(..count).collect();
        self.commits += 1;
        true
    }

    /// The commit that is under way is durable.
    pub(crate) fn commit(&mut self, now: u64) -> Committed {
        let batch = std::mem::take(&mut self.under_way);
        let done = match self.sabotage {
            Some(sabotage) => self.spoiled(now, &batch, sabotage),
            None => self.store.commit(wall(now), &batch),
        };
        Committed { batch, done: done.expect(NEVER) }
    }

    /// A commit by a store that is not what it should be.
    fn spoiled(
        &mut self,
        now: u64,
        batch: &[Persist],
        sabotage: Sabotage,
    ) -> Result<Vec<Done>, StoreError> {
        let of_tasks = [Sabotage::StoreConfuses, Sabotage::StoreFails];
        let spoils = |persist: &Persist| {
            of_tasks.contains(&sabotage) && matches!(persist.op, StoreOp::Submit { .. })
        };
        if sabotage == Sabotage::StoreFails && batch.iter().any(spoils) {
            return Err(StoreError::Io { detail: String::from("on purpose") });
        }
        let kept: Vec<Persist> = batch.iter().filter(|persist| !spoils(persist)).cloned().collect();
        let mut done = self.store.commit(wall(now), &kept)?.into_iter();
        let answer = |persist: &Persist| {
            if spoils(persist) {
                Done { rows: Vec::new(), conflict: Some(Conflict::Exists { same: false }) }
            } else {
                done.next().unwrap_or_default()
            }
        };
        Ok(batch.iter().map(answer).collect())
    }

    /// Forgets finished tasks but so many, and returns how many went.
    pub(crate) fn prune(&mut self, now: u64, keeps: u64) -> u64 {
        // The books tell everything from the beginning.
        let event_age_millis = u64::MAX;
        let retention = Retention { count: keeps, event_age_millis, ..Retention::default() };
        self.store.prune(wall(now), &retention).expect(NEVER).tasks
    }

    /// The coordinator's process ended. The commit that was under way may be durable all the same.
    pub(crate) fn crash(&mut self, now: u64, durable: bool) -> Option<Committed> {
        self.waiting.clear();
        let committed = (durable && !self.under_way.is_empty()).then(|| self.commit(now));
        self.under_way.clear();
        if self.sabotage == Some(Sabotage::StoreForgets) {
            self.store = MemoryStore::new();
        }
        committed
    }

    pub(crate) fn reader(&self) -> Box<dyn Reader> {
        let reader = self.store.reader().expect(NEVER);
        match self.sabotage {
            Some(Sabotage::StoreConceals) => Box::new(Concealing(reader)),
            Some(_) | None => reader,
        }
    }
}

/// Shows no event of a task that ended well.
struct Concealing(Box<dyn Reader>);

impl Reader for Concealing {
    fn task(&mut self, task: TaskId) -> Result<Option<TaskRecord>, StoreError> {
        self.0.task(task)
    }
    fn tasks(&mut self, filter: &TaskFilter) -> Result<Vec<TaskRecord>, StoreError> {
        self.0.tasks(filter)
    }
    fn result(&mut self, task: TaskId) -> Result<Option<Bytes>, StoreError> {
        self.0.result(task)
    }
    fn counts(&mut self) -> Result<Counts, StoreError> {
        self.0.counts()
    }
    fn size(&mut self) -> Result<Size, StoreError> {
        self.0.size()
    }
    fn events(&mut self, query: &EventQuery) -> Result<EventPage, StoreError> {
        let mut page = self.0.events(query)?;
        page.events.retain(|record| record.event.kind != EventKind::TaskFinished);
        // Nobody can tell by the numbers.
        for (seq, record) in (query.after + 1..).zip(&mut page.events) {
            record.seq = seq;
        }
        Ok(page)
    }
    fn worker_named(&mut self, name: &Name) -> Result<Option<WorkerId>, StoreError> {
        self.0.worker_named(name)
    }
}
