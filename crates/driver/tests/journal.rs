//! A worker with a journal: a result outlives its process, and a journal in trouble holds up nothing else.

mod support;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use moorline_driver::{OpenJournal, Transports, WorkerHandle, start_worker};
use moorline_link::{Incarnation, State};
use moorline_node::{JournalId, JournalOp, JournalWrite, KeptResult};
use moorline_store::{Journal, JournalSize, MemoryJournal, MemoryStore, StoreError};
use moorline_work::{Outcome, RunId, TaskState};
use support::{
    PATIENCE, Threads, coordinator, ended, gated, memory, receive, result, soon, submit, until,
    worker_options,
};

/// A journal that outlives its worker, as one in a file does; what it does is turned on and off here.
#[derive(Clone)]
struct Disk {
    journal: Arc<Mutex<MemoryJournal>>,
    /// The next commits fail.
    fails: Arc<AtomicU32>,
    is_damaged: Arc<AtomicBool>,
    /// A commit that has begun does not end.
    held: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
    committed: Arc<Mutex<Vec<JournalOp>>>,
    is_open: Arc<AtomicBool>,
}

impl Disk {
    fn new(max_bytes: u64) -> Self {
        Self {
            journal: Arc::new(Mutex::new(MemoryJournal::new(max_bytes))),
            fails: Arc::default(),
            is_damaged: Arc::default(),
            held: Arc::default(),
            asked: Arc::default(),
            committed: Arc::default(),
            is_open: Arc::default(),
        }
    }

    fn open(&self) -> OpenJournal {
        assert!(!self.is_open.swap(true, Ordering::SeqCst), "it is in use");
        OpenJournal::read(Head(self.clone())).expect("read")
    }

    fn lock(&self) -> MutexGuard<'_, MemoryJournal> {
        self.journal.lock().expect("nobody panics")
    }

    fn kept(&self) -> Vec<Bytes> {
        self.lock().kept().expect("read").into_iter().map(|kept| kept.body).collect()
    }
}

/// Who has it open.
struct Head(Disk);

impl Drop for Head {
    fn drop(&mut self) {
        self.0.is_open.store(false, Ordering::SeqCst);
    }
}

impl Journal for Head {
    fn kept(&mut self) -> Result<Vec<KeptResult>, StoreError> {
        self.0.lock().kept()
    }

    fn commit(&mut self, batch: &[JournalWrite]) -> Result<Vec<JournalId>, StoreError> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        while self.0.held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.0.is_damaged.load(Ordering::SeqCst) {
            return Err(StoreError::Damaged { path: "journal.db".into(), detail: "torn".into() });
        }
        let left = self.0.fails.load(Ordering::SeqCst);
        if left > 0 {
            self.0.fails.store(left - 1, Ordering::SeqCst);
            return Err(StoreError::Io { detail: "no space left on device".into() });
        }
        let ops = batch.iter().map(|write| write.op.clone());
        self.0.committed.lock().expect("nobody panics").extend(ops);
        self.0.lock().commit(batch)
    }

    fn size(&self) -> JournalSize {
        self.0.lock().size()
    }
}

/// One slot, and this disk.
fn worker(
    transports: &Transports,
    threads: &Threads,
    disk: &Disk,
    incarnation: u64,
) -> WorkerHandle {
    let mut options = worker_options(1, &["gated", "echo"], 1);
    options.config.incarnation = Incarnation(incarnation);
    options.journal = Some(disk.open());
    start_worker(transports.clone(), options, Box::new(threads.clone())).expect("started")
}

/// Waits for what no event tells.
async fn eventually(mut is_so: impl FnMut() -> bool) {
    soon(async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// A worker whose handler has ended while there was no coordinator; and what the coordinator stored.
async fn cut_off(transports: &Transports, disk: &Disk) -> (WorkerHandle, MemoryStore) {
    let store = MemoryStore::new();
    let coordinator = coordinator(transports, store.reopen()).await;
    let (threads, began, gate) = gated(Threads::echo(), "gated");
    let worker = worker(transports, &threads, disk, 1);
    submit(&coordinator, 7, "gated", b"kept").await;
    let (_, _began) = receive(began).await;
    soon(coordinator.stop()).await;
    drop(coordinator);
    eventually(|| worker.status().link.state != State::Active).await;
    drop(gate);
    eventually(|| worker.status().kept_results == 1).await;
    (worker, store)
}

#[tokio::test]
async fn a_result_of_a_worker_without_a_coordinator_is_delivered_by_its_next_process() {
    let (transports, disk) = (memory(), Disk::new(1 << 20));
    let (first, store) = cut_off(&transports, &disk).await;
    eventually(|| first.tally().journal.results() == 1).await;
    assert_eq!(first.tally().journal.bytes(), 68);
    first.shutdown();
    soon(first.ended()).await;
    assert!(!disk.is_open.load(Ordering::SeqCst), "whoever hears of the end may open it");
    assert_eq!(disk.kept(), [&b"kept"[..]]);

    let coordinator = coordinator(&transports, store.reopen()).await;
    let nobody = Threads::default();
    let second = worker(&transports, &nobody, &disk, 2);
    let record = ended(&coordinator, 7).await;
    assert_eq!((record.state, record.applied), (TaskState::Succeeded, 1));
    assert_eq!(result(&coordinator, 7).await, Some(Bytes::from_static(b"kept")));
    eventually(|| second.tally().journal.results() == 0).await;
    assert!(disk.kept().is_empty(), "it is answered");
}

#[tokio::test]
async fn a_journal_that_fails_three_times_keeps_the_result_at_the_fourth() {
    let (transports, disk) = (memory(), Disk::new(1 << 20));
    disk.fails.store(3, Ordering::SeqCst);
    let (worker, _) = cut_off(&transports, &disk).await;
    eventually(|| worker.tally().journal.results() == 1).await;
    assert_eq!(worker.tally().journal.failures.get(), 3);
    assert_eq!(disk.kept(), [&b"kept"[..]]);
}

#[tokio::test]
async fn a_damaged_journal_is_not_asked_again_and_results_that_are_answered_free_their_slots() {
    let (transports, disk) = (memory(), Disk::new(1 << 20));
    disk.is_damaged.store(true, Ordering::SeqCst);
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let worker = worker(&transports, &Threads::echo(), &disk, 1);
    for id in 1..=5 {
        submit(&coordinator, id, "echo", b"over and back").await;
        assert_eq!(ended(&coordinator, id).await.state, TaskState::Succeeded);
    }
    assert_eq!(worker.tally().journal.failures.get(), 1);
    assert_eq!(disk.asked.load(Ordering::SeqCst), 1);
    worker.drain(PATIENCE);
    soon(worker.ended()).await;
}

#[tokio::test]
async fn a_result_without_room_is_delivered_from_memory() {
    let (transports, disk) = (memory(), Disk::new(10));
    let (worker, store) = cut_off(&transports, &disk).await;
    eventually(|| disk.asked.load(Ordering::SeqCst) == 1).await;
    let coordinator = coordinator(&transports, store.reopen()).await;
    assert_eq!(ended(&coordinator, 7).await.state, TaskState::Succeeded);
    // Its slot is free again.
    submit(&coordinator, 8, "echo", b"over and back").await;
    assert_eq!(ended(&coordinator, 8).await.state, TaskState::Succeeded);
    assert_eq!(worker.tally().journal.results(), 0);
}

#[tokio::test]
async fn what_is_answered_while_the_disk_is_slow_never_touches_it() {
    let (transports, disk) = (memory(), Disk::new(1 << 20));
    disk.held.store(true, Ordering::SeqCst);
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let worker = worker(&transports, &Threads::echo(), &disk, 1);
    // The first one's result is on its way to the disk while the others come and go.
    for id in 1..=10 {
        submit(&coordinator, id, "echo", b"over and back").await;
        assert_eq!(ended(&coordinator, id).await.state, TaskState::Succeeded);
    }
    eventually(|| worker.status().kept_results == 0).await;
    assert_eq!(disk.asked.load(Ordering::SeqCst), 1);
    disk.held.store(false, Ordering::SeqCst);
    worker.drain(PATIENCE);
    soon(worker.ended()).await;
    let committed = disk.committed.lock().expect("nobody panics").clone();
    let kept = committed.iter().filter(|op| matches!(op, JournalOp::Keep(_))).count();
    assert_eq!((committed.len(), kept), (2, 1), "{committed:?}");
    assert!(disk.kept().is_empty());
}

#[tokio::test]
async fn an_end_waits_for_its_journal_and_for_one_that_never_answers_not_for_long() {
    let (transports, disk) = (memory(), Disk::new(1 << 20));
    let (worker, _) = cut_off(&transports, &disk).await;
    eventually(|| worker.tally().journal.results() == 1).await;
    worker.shutdown();
    soon(worker.ended()).await;
    assert!(!disk.is_open.load(Ordering::SeqCst));

    let stuck = Disk::new(1 << 20);
    stuck.held.store(true, Ordering::SeqCst);
    let (worker, _) = cut_off(&transports, &stuck).await;
    worker.shutdown();
    soon(worker.ended()).await;
    assert!(stuck.is_open.load(Ordering::SeqCst), "its thread is still at it");
    // Lets go of the thread.
    stuck.held.store(false, Ordering::SeqCst);
    eventually(|| !stuck.is_open.load(Ordering::SeqCst)).await;
}

#[tokio::test]
async fn what_a_next_process_is_offered_is_what_the_last_one_wrote() {
    let disk = Disk::new(1 << 20);
    let key = moorline_work::TaskKey {
        task: moorline_work::TaskId(3),
        attempt: moorline_work::Attempt(1),
    };
    let kept = KeptResult {
        run: RunId(1 << 40),
        key,
        outcome: Outcome::Failed { retryable: false },
        body: Bytes::from_static(b"of a task that nobody knows"),
    };
    let write = JournalWrite { id: JournalId(1), op: JournalOp::Keep(kept) };
    disk.lock().commit(&[write]).expect("kept");
    let transports = memory();
    let worker = worker(&transports, &Threads::echo(), &disk, 1);
    assert_eq!(worker.status().kept_results, 1, "from the start");
    assert_eq!(worker.tally().journal.results(), 1);
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    until(&worker, State::Active).await;
    // Answered as unknown, it goes.
    eventually(|| disk.kept().is_empty()).await;
    drop(coordinator);
}
