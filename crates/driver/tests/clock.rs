//! Somebody sets the system's clock: an hour back, then a day forward. Nobody is blamed for it.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use moorline_driver::{CoordinatorHandle, Runtime, Tokio, start_coordinator};
use moorline_link::{Backoff, Epoch, First, Jitter, State};
use moorline_node::{ClientReply, Done, EventKind, Persist, Spec};
use moorline_store::{
    EventKinds, EventQuery, MemoryStore, Pruned, Reader, Retention, Store, StoreError, WallTime,
};
use moorline_work::{Outcome, Reply, TaskId, TaskState};
use support::{
    PATIENCE, Threads, ended, gated, memory, options, receive, soon, spec, submit, until, worker,
};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// Tokio under a clock that the test sets: by so many milliseconds.
#[derive(Clone, Default)]
struct Set(Arc<AtomicI64>);

impl Set {
    fn to(&self, millis: i64) {
        self.0.store(millis, Ordering::SeqCst);
    }
}

impl Runtime for Set {
    fn now(&self) -> moorline_link::Instant {
        Tokio.now()
    }

    fn wall(&self) -> WallTime {
        WallTime(Tokio.wall().0.saturating_add_signed(self.0.load(Ordering::SeqCst)))
    }

    fn sleep_until(&self, at: moorline_link::Instant) -> BoxFuture<'static, ()> {
        Tokio.sleep_until(at)
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        Tokio.spawn(future);
    }
}

/// Counts how often it was pruned; commits on the loop, or only on its thread.
struct Counting {
    store: MemoryStore,
    at_once: bool,
    prunes: Arc<AtomicU32>,
}

impl Store for Counting {
    fn begin_epoch(&mut self, now: WallTime) -> Result<Epoch, StoreError> {
        self.store.begin_epoch(now)
    }

    fn commit(&mut self, now: WallTime, batch: &[Persist]) -> Result<Vec<Done>, StoreError> {
        self.store.commit(now, batch)
    }

    fn commit_now(&mut self, now: WallTime, batch: &[Persist]) -> Option<Vec<Done>> {
        if self.at_once { self.store.commit_now(now, batch) } else { None }
    }

    fn prune(&mut self, now: WallTime, retention: &Retention) -> Result<Pruned, StoreError> {
        let pruned = self.store.prune(now, retention)?;
        self.prunes.fetch_add(1, Ordering::SeqCst);
        Ok(pruned)
    }

    fn last_event(&self) -> u64 {
        self.store.last_event()
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.store.reader()
    }
}

/// How long a failed task waits for its next attempt.
const RETRY: Duration = Duration::from_millis(2_500);

/// A task that fails once; returns when it failed.
async fn fails_once(
    coordinator: &CoordinatorHandle,
    failed: std::sync::mpsc::Receiver<Instant>,
    id: u128,
) -> (Instant, std::sync::mpsc::Receiver<Instant>) {
    let spec = Spec { max_retries: 3, ..spec("flaky") };
    let reply = soon(coordinator.submit(TaskId(id), spec, Bytes::from_static(b"x"))).await;
    assert_eq!(reply, Ok(ClientReply::Work(Reply::Submitted { again: false })));
    let (at, failed) = receive(failed).await;
    soon(async {
        let is_waiting = || coordinator.read(move |reader| reader.task(TaskId(id)));
        while is_waiting().await.expect("read").expect("there").ready_at.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    (at, failed)
}

/// Waits for its end: its second attempt came after the delay, and not long after.
async fn comes_at_its_time(coordinator: &CoordinatorHandle, id: u128, failed: Instant) -> u64 {
    let record = ended(coordinator, id).await;
    assert_eq!((record.state, record.attempt.0), (TaskState::Succeeded, 2), "{record:?}");
    let waited = failed.elapsed();
    assert!(waited >= RETRY, "the retry came after {waited:?}");
    assert!(waited < PATIENCE / 2, "the retry came after {waited:?}");
    record.finished_at.expect("it has ended").0
}

async fn another_prune(prunes: &AtomicU32) {
    let before = prunes.load(Ordering::SeqCst);
    soon(async {
        while prunes.load(Ordering::SeqCst) == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

async fn a_clock_that_is_set(at_once: bool) {
    let clock = Set::default();
    let prunes = Arc::new(AtomicU32::new(0));
    let store = Counting { store: MemoryStore::new(), at_once, prunes: Arc::clone(&prunes) };
    let transports = memory();
    let mut options = options();
    options.retry =
        Backoff::new(RETRY, RETRY, 1_000, Jitter::None, First::Backoff).expect("a policy");
    options.retention = Retention { age_millis: HOUR.unsigned_abs(), ..Retention::default() };
    let coordinator =
        start_coordinator(clock.clone(), transports.clone(), Box::new(store), options)
            .await
            .expect("started");

    let (told, failed) = std::sync::mpsc::channel();
    let first = AtomicBool::new(true);
    let threads = Threads::echo().with("flaky", move |job| {
        if first.fetch_not(Ordering::SeqCst) {
            let _ = told.send(Instant::now());
            return (Outcome::Failed { retryable: true }, Bytes::new());
        }
        (Outcome::Succeeded, job.payload)
    });
    let (threads, began, open) = gated(threads, "wait");
    let workers = [1, 2].map(|id| worker(&transports, id, &threads, 2));
    for worker in &workers {
        until(worker, State::Active).await;
    }
    submit(&coordinator, 1, "echo", b"x").await;
    let finished = ended(&coordinator, 1).await.finished_at.expect("it has ended").0;
    submit(&coordinator, 2, "wait", b"x").await;
    let (_job, _began) = receive(began).await;
    let conns = || async {
        let workers = coordinator.workers().await.expect("it runs");
        workers.iter().map(|worker| (worker.conn, worker.presence)).collect::<Vec<_>>()
    };
    let before = conns().await;

    let (at, failed) = fails_once(&coordinator, failed, 3).await;
    clock.to(-HOUR);
    let after_back = comes_at_its_time(&coordinator, 3, at).await;
    assert!(after_back >= finished, "no time goes back");
    // For longer than silence may last, and then a day forward.
    let (at, _failed) = fails_once(&coordinator, failed, 4).await;
    clock.to(DAY);
    let after_leap = comes_at_its_time(&coordinator, 4, at).await;
    assert!(after_leap >= finished + DAY.unsigned_abs(), "people read the right time");
    another_prune(&prunes).await;

    assert_eq!(conns().await, before, "the same connections stand");
    let (kept, events) = coordinator
        .read(|reader| {
            let kinds = [
                EventKind::WorkerSuspect,
                EventKind::WorkerDisconnected,
                EventKind::WorkerLost,
                EventKind::TaskRedelivered,
            ];
            let query = EventQuery { kinds: EventKinds::of(kinds), ..EventQuery::default() };
            Ok((reader.task(TaskId(1))?, reader.events(&query)?.events))
        })
        .await
        .expect("read");
    assert!(kept.is_some(), "what is kept for an hour is still there");
    assert!(events.is_empty(), "{events:?}");
    open.send(()).expect("it waits");
    let record = ended(&coordinator, 2).await;
    assert_eq!((record.state, record.attempt.0), (TaskState::Succeeded, 1), "its lease stood");
    coordinator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_disturbs_nobody_where_commits_need_no_wait() {
    a_clock_that_is_set(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_disturbs_nobody_where_commits_wait_for_a_disk() {
    a_clock_that_is_set(false).await;
}
