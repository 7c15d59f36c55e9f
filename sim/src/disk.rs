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
use crate::plan::{CoordinatorPlan, MS, SEC};
use crate::world::rated;

/// The store and what waits for it.
#[derive(Debug)]
pub(crate) struct Disk {
    store: MemoryStore,
    waiting: VecDeque<Persist>,
    under_way: Vec<Persist>,
    sabotage: Option<Sabotage>,
    wall: Wall,
    /// Everything that was done to the store, if it may have to be done again without the last of it.
    log: Option<Vec<Logged>>,
    /// How often the present commit has failed.
    failures: u32,
    /// Commits so far.
    pub(crate) commits: u64,
}

/// Something that was done to the store, and when by the wall clock.
#[derive(Clone, Debug)]
enum Logged {
    Began(WallTime),
    Committed(WallTime, Vec<Persist>),
    Pruned(WallTime, Retention),
}

/// The wall clock of the coordinator's machine, and what its process makes of it.
#[derive(Clone, Copy, Debug)]
struct Wall {
    /// Milliseconds that it is ahead.
    ahead: i64,
    /// By how many millionths it is too fast.
    rate: i32,
    /// The last reading of this process, and when that was: its time never goes back.
    last: Option<(u64, WallTime)>,
}

impl Wall {
    /// What the process takes for the time.
    fn now(&mut self, now: u64) -> WallTime {
        let system = START.saturating_add_signed(self.ahead) + rated(now, self.rate) / MS;
        let shown = match self.last {
            // Set back by more than a correction: it goes on from where it was.
            Some((at, last)) if last.0.saturating_sub(system) > CORRECTED => {
                last.0 + (now / MS).saturating_sub(at / MS)
            }
            Some((_, last)) => last.0.max(system),
            None => system,
        };
        self.last = Some((now, WallTime(shown)));
        WallTime(shown)
    }
}

/// Milliseconds that a wall clock may be behind without having been set back: as drivers see it.
const CORRECTED: u64 = 2_000;
/// What wall clocks show at the beginning of a world.
const START: u64 = 1_700_000_000_000;
/// After a commit that failed the next try comes after this time, ...
const RETRY_FIRST: u64 = 100 * MS;
/// ... and after twice as long each time, up to this: as drivers do it.
pub(crate) const RETRY_LAST: u64 = 5 * SEC;

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

impl Disk {
    /// A disk at the beginning; `logs` if it may have to go back to an earlier state.
    pub(crate) fn new(plan: &CoordinatorPlan, sabotage: Option<Sabotage>, logs: bool) -> Self {
        Self {
            wall: Wall { ahead: plan.wall, rate: plan.wall_rate, last: None },
            log: logs.then(Vec::new),
            failures: 0,
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
        // The next process knows nothing of what the last one took for the time.
        self.wall.last = None;
        let wall = self.wall.now(now);
        self.logged(|| Logged::Began(wall));
        let epoch = self.store.begin_epoch(wall).expect(NEVER);
        if self.sabotage == Some(Sabotage::EpochRepeats) { Epoch(1) } else { epoch }
    }

    fn logged(&mut self, what: impl FnOnce() -> Logged) {
        if let Some(log) = &mut self.log {
            log.push(what());
        }
    }

    /// The wall clock is set by so many milliseconds.
    pub(crate) fn set_clock(&mut self, by: i64) {
        self.wall.ahead = self.wall.ahead.saturating_add(by);
    }

    /// The commit that is under way has failed: after which time it is tried again.
    pub(crate) fn fails(&mut self) -> u64 {
        let delay = RETRY_FIRST.saturating_mul(1 << self.failures.min(16)).min(RETRY_LAST);
        self.failures += 1;
        delay
    }

    /// So many of the last commits never happened, or none ever did.
    pub(crate) fn roll_back(&mut self, commits: Option<u32>) {
        let Some(mut log) = self.log.take() else { return };
        let mut left = commits.map_or(usize::MAX, |commits| commits as usize);
        while left > 0 && !log.is_empty() {
            // What was pruned or begun meanwhile goes as well.
            let was = log.pop();
            left -= usize::from(matches!(was, Some(Logged::Committed(..))));
        }
        self.store = MemoryStore::new();
        for logged in &log {
            match logged {
                Logged::Began(wall) => drop(self.store.begin_epoch(*wall).expect(NEVER)),
                Logged::Committed(wall, batch) => {
                    drop(self.store.commit(*wall, batch).expect(NEVER));
                }
                Logged::Pruned(wall, retention) => {
                    let _ = self.store.prune(*wall, retention).expect(NEVER);
                }
            }
        }
        self.log = Some(log);
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

    /// How many operations wait for a commit.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// The commit that is under way is durable.
    pub(crate) fn commit(&mut self, now: u64) -> Committed {
        let batch = std::mem::take(&mut self.under_way);
        self.failures = 0;
        let wall = self.wall.now(now);
        self.logged(|| Logged::Committed(wall, batch.clone()));
        let done = match self.sabotage {
            Some(sabotage) => self.spoiled(wall, &batch, sabotage),
            None => self.store.commit(wall, &batch),
        };
        Committed { batch, done: done.expect(NEVER) }
    }

    /// A commit by a store that is not what it should be.
    fn spoiled(
        &mut self,
        wall: WallTime,
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
        let mut done = self.store.commit(wall, &kept)?.into_iter();
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
        let wall = self.wall.now(now);
        self.logged(|| Logged::Pruned(wall, retention));
        self.store.prune(wall, &retention).expect(NEVER).tasks
    }

    /// The coordinator's process ended. The commit that was under way may be durable all the same.
    pub(crate) fn crash(&mut self, now: u64, durable: bool) -> Option<Committed> {
        self.waiting.clear();
        self.failures = 0;
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
