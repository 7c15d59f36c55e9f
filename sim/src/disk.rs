//! The coordinator's store: the real memory store behind a disk that takes its time.
//!
//! Operations wait in order; a commit takes a prefix of them, lasts a while, and is then durable as a
//! whole. What was not committed when the coordinator's process ended is lost.

use std::collections::VecDeque;

use moorline_link::Epoch;
use moorline_node::{Done, Persist, PersistId};
use moorline_store::{MemoryStore, Reader, Store, WallTime};

/// The store and what waits for it.
#[derive(Debug)]
pub(crate) struct Disk {
    store: MemoryStore,
    waiting: VecDeque<Persist>,
    under_way: Vec<Persist>,
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
    pub(crate) fn new() -> Self {
        Self {
            store: MemoryStore::new(),
            waiting: VecDeque::new(),
            under_way: Vec::new(),
            commits: 0,
        }
    }

    /// A new life of the coordinator.
    pub(crate) fn begin(&mut self, now: u64) -> Epoch {
        self.store = self.store.reopen();
        self.store.begin_epoch(wall(now)).expect(NEVER)
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
        let done = self.store.commit(wall(now), &batch).expect(NEVER);
        Committed { batch, done }
    }

    /// The coordinator's process ended. The commit that was under way may be durable all the same.
    pub(crate) fn crash(&mut self, now: u64, durable: bool) -> Option<Committed> {
        self.waiting.clear();
        if durable && !self.under_way.is_empty() {
            return Some(self.commit(now));
        }
        self.under_way.clear();
        None
    }

    pub(crate) fn reader(&self) -> Box<dyn Reader> {
        self.store.reader().expect(NEVER)
    }
}
