//! Group commit: operations of whole tasks (submit, lease, finish with 64 bytes each way) in batches of
//! 1 to 256, in memory and in SQLite, where every batch is synced. The peer is SQLite with the same
//! settings, one row inserted for each operation. And readings beside a million events, where an index
//! that is cut into blocks has to be asked a thousand times.
#![allow(clippy::print_stdout, reason = "a benchmark reports")]

#[path = "../../link/benches/kit/mod.rs"]
mod kit;

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use bytes::Bytes;
use moorline_node::{Event, EventKind, Name, Persist, PersistId, Spec, StoreOp, StorePlacement};
use moorline_store::{EventQuery, MemoryStore, Reader, Retention, SqliteStore, Store, WallTime};
use moorline_work::{Attempt, End, Incarnation, TaskId, TaskKey, WorkerId};
use rusqlite::Connection;
use tempfile::TempDir;

use kit::{Run, Workload};

const PAYLOAD: Bytes = Bytes::from_static(&[7; 64]);
const NOW: WallTime = WallTime(1_700_000_000_000);

/// What is finished goes at once, so that a long run meets the same store as a short one.
const KEPT: Retention = Retention {
    age_millis: u64::MAX,
    count: 10_000,
    event_age_millis: u64::MAX,
    event_count: 30_000,
    forget_millis: u64::MAX,
};

/// Tasks that go through a store step by step, a batch of them at a time.
struct Line {
    store: Box<dyn Store>,
    batch: u64,
    handler: Name,
    tasks: u64,
    step: u8,
    ops: u64,
    _home: Option<TempDir>,
}

impl Line {
    fn new(mut store: Box<dyn Store>, batch: u64, home: Option<TempDir>) -> Self {
        store.begin_epoch(NOW).expect("an epoch");
        let handler = Name::new("bench").expect("a name");
        Self { store, batch, handler, tasks: 0, step: 0, ops: 0, _home: home }
    }

    fn operation(&self, task: u64) -> StoreOp {
        // Spread over the numbers as ids of clients are.
        let id = u128::from(task.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64 | u128::from(task);
        let task = TaskId(id);
        let key = TaskKey { task, attempt: Attempt(1) };
        match self.step {
            0 => {
                let handler = self.handler.clone();
                let spec = Spec { handler, priority: 0, max_retries: 0, timeout: None };
                StoreOp::Submit {
                    task,
                    spec,
                    payload: PAYLOAD,
                    placement: StorePlacement::Unclaimed,
                }
            }
            1 => {
                let (worker, incarnation) = (WorkerId(1), Incarnation(1));
                StoreOp::Lease { key, worker, incarnation }
            }
            _ => StoreOp::Finish { key, end: End::Succeeded, body: PAYLOAD },
        }
    }

    /// One batch: the next step of the latest tasks.
    fn commit(&mut self) {
        let first = self.tasks;
        let batch: Vec<Persist> = (first..first + self.batch)
            .map(|task| {
                self.ops += 1;
                Persist { id: PersistId(self.ops), op: self.operation(task) }
            })
            .collect();
        let answers = self.store.commit(NOW, &batch).expect("a commit");
        assert!(answers.iter().all(|done| done.conflict.is_none()), "each does what it says");
        self.step = (self.step + 1) % 3;
        if self.step == 0 {
            self.tasks += self.batch;
        }
    }

    fn run(mut self) -> Run {
        Box::new(move |operations| {
            (0..operations.div_ceil(self.batch)).for_each(|_| self.commit());
            while !self.store.prune(NOW, &KEPT).expect("pruned").is_nothing() {}
        })
    }
}

fn memory(batch: u64) -> Run {
    Line::new(Box::new(MemoryStore::new()), batch, None).run()
}

fn sqlite(batch: u64) -> Run {
    let home = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(home.path().join("store.db")).expect("a store");
    Line::new(Box::new(store), batch, Some(home)).run()
}

/// One row for each operation, a batch of them in one transaction, synced.
fn bare_sqlite(batch: u64) -> Run {
    let home = tempfile::tempdir().expect("a directory");
    let mut connection = Connection::open(home.path().join("bare.db")).expect("a database");
    let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()));
    mode.expect("a log");
    connection.pragma_update(None, "synchronous", "FULL").expect("synced");
    connection.pragma_update(None, "fullfsync", true).expect("synced");
    let table = "CREATE TABLE row (id INTEGER PRIMARY KEY, body BLOB NOT NULL)";
    connection.execute(table, []).expect("a table");
    Box::new(move |operations| {
        let _home = &home;
        for _ in 0..operations.div_ceil(batch) {
            let transaction = connection.transaction().expect("a transaction");
            {
                let insert = "INSERT INTO row (body) VALUES (?1)";
                let mut insert = transaction.prepare_cached(insert).expect("a statement");
                for _ in 0..batch {
                    insert.execute([&PAYLOAD[..]]).expect("a row");
                }
            }
            transaction.commit().expect("a commit");
        }
    })
}

/// As many as are kept by default, of 1,000 workers; every 1,000th is about the same task.
const EVENTS: u64 = 1_000_000;
const OFTEN: u64 = 1_000;

struct History {
    store: SqliteStore,
    _home: TempDir,
}

impl History {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let mut store = SqliteStore::open(home.path().join("store.db")).expect("a store");
        store.begin_epoch(NOW).expect("an epoch");
        let events: Vec<u64> = (0..EVENTS).collect();
        for chunk in events.chunks(10_000) {
            let batch: Vec<Persist> = chunk.iter().map(|&n| Self::event(n)).collect();
            store.commit(NOW, &batch).expect("a commit");
        }
        Self { store, _home: home }
    }

    fn event(n: u64) -> Persist {
        let spread = u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let task = if n.is_multiple_of(OFTEN) { TaskId(1) } else { TaskId(spread << 64) };
        let worker = Some(WorkerId(spread % 1_000));
        let event = Event { task: Some(task), worker, ..Event::new(EventKind::TaskLeased) };
        Persist { id: PersistId(n), op: StoreOp::Event { at_millis: None, event } }
    }

    /// The one that other workloads read too.
    fn shared() -> Rc<Self> {
        thread_local! {
            static SHARED: RefCell<Weak<History>> = const { RefCell::new(Weak::new()) };
        }
        SHARED.with_borrow_mut(|shared| {
            shared.upgrade().unwrap_or_else(|| {
                let history = Rc::new(History::new());
                *shared = Rc::downgrade(&history);
                history
            })
        })
    }
}

/// Reads with the same reader again and again.
fn reading(read: impl Fn(&mut dyn Reader) -> bool + 'static) -> Run {
    let history = History::shared();
    let mut reader = history.store.reader().expect("a reader");
    Box::new(move |times| {
        let _history = &history;
        (0..times).for_each(|_| assert!(read(reader.as_mut()), "what is there is found"));
    })
}

/// The first page of these events.
fn page(query: EventQuery) -> Run {
    reading(move |reader| reader.events(&query).expect("a page").events.len() == 100)
}

fn main() {
    let workload = |name, round, set_up: fn() -> Run| Workload {
        name,
        counted: false,
        large: false,
        round,
        set_up,
    };
    let beside_history = |name, round, set_up: fn() -> Run| Workload {
        large: true,
        ..workload(name, round, set_up)
    };
    let workloads = [
        workload("memory_1", 20_000, || memory(1)),
        workload("memory_16", 20_000, || memory(16)),
        workload("memory_256", 20_000, || memory(256)),
        workload("sqlite_1", 100, || sqlite(1)),
        workload("peer: bare SQLite, 1", 100, || bare_sqlite(1)),
        workload("sqlite_16", 1_600, || sqlite(16)),
        workload("peer: bare SQLite, 16", 1_600, || bare_sqlite(16)),
        workload("sqlite_64", 6_400, || sqlite(64)),
        workload("peer: bare SQLite, 64", 6_400, || bare_sqlite(64)),
        workload("sqlite_256", 25_600, || sqlite(256)),
        workload("peer: bare SQLite, 256", 25_600, || bare_sqlite(256)),
        beside_history("events_latest_100", 1_000, || {
            page(EventQuery { newest_first: true, ..EventQuery::default() })
        }),
        beside_history("timeline_of_a_task_100", 200, || {
            page(EventQuery { task: Some(TaskId(1)), ..EventQuery::default() })
        }),
        beside_history("timeline_of_a_worker_latest_100", 200, || {
            let worker = Some(WorkerId(7));
            page(EventQuery { worker, newest_first: true, ..EventQuery::default() })
        }),
        beside_history("timeline_of_nobody", 20, || {
            let query = EventQuery { task: Some(TaskId(2)), ..EventQuery::default() };
            reading(move |reader| reader.events(&query).expect("a page").events.is_empty())
        }),
        beside_history("size", 1_000, || {
            reading(|reader| reader.size().expect("a size").events == EVENTS)
        }),
    ];
    kit::main("store", &workloads);
}
