//! A store in trouble: stalled, full, damaged. Nobody is disconnected for it and nothing is settled
//! that is not durable; what passes is waited for, and what cannot pass ends the coordinator.

mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;
use moorline_driver::{CoordinatorHandle, StoreState};
use moorline_link::{Epoch, State};
use moorline_node::{Done, EventKind, Persist};
use moorline_store::{
    EventKinds, EventPage, EventQuery, MemoryStore, Pruned, Reader, Retention, Store, StoreError,
    WallTime,
};
use moorline_work::{TaskId, TaskState};
use support::{
    Threads, coordinator, ended, gated, memory, receive, soon, spec, submit, until, worker,
};

/// What happens to a commit.
#[derive(Clone, Debug, Default)]
enum Mode {
    #[default]
    Works,
    Stalls,
    Fails(StoreError),
}

#[derive(Clone, Default)]
struct Trouble {
    mode: Arc<(Mutex<Mode>, Condvar)>,
    /// Commits that failed.
    failed: Arc<AtomicU32>,
}

impl Trouble {
    fn set(&self, mode: Mode) {
        *self.mode.0.lock().expect("not poisoned") = mode;
        self.mode.1.notify_all();
    }
}

struct Troubled {
    store: MemoryStore,
    trouble: Trouble,
}

impl Troubled {
    fn new(trouble: &Trouble) -> Self {
        Self { store: MemoryStore::new(), trouble: trouble.clone() }
    }
}

impl Store for Troubled {
    fn begin_epoch(&mut self, now: WallTime) -> Result<Epoch, StoreError> {
        self.store.begin_epoch(now)
    }

    fn commit(&mut self, now: WallTime, batch: &[Persist]) -> Result<Vec<Done>, StoreError> {
        let (mode, changed) = &*self.trouble.mode;
        let mode = mode.lock().expect("not poisoned");
        let mode = changed
            .wait_while(mode, |mode| matches!(mode, Mode::Stalls))
            .expect("not poisoned")
            .clone();
        if let Mode::Fails(error) = mode {
            self.trouble.failed.fetch_add(1, Ordering::SeqCst);
            return Err(error);
        }
        self.store.commit(now, batch)
    }

    fn prune(&mut self, now: WallTime, retention: &Retention) -> Result<Pruned, StoreError> {
        self.store.prune(now, retention)
    }

    fn last_event(&self) -> u64 {
        self.store.last_event()
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.store.reader()
    }
}

async fn state(
    coordinator: &CoordinatorHandle,
    wanted: impl Fn(&StoreState) -> bool,
) -> StoreState {
    soon(async {
        loop {
            let state = coordinator.store_state();
            if wanted(&state) {
                return state;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

async fn read_state(coordinator: &CoordinatorHandle, id: u128) -> TaskState {
    let record = coordinator.read(move |reader| reader.task(TaskId(id))).await.expect("a reading");
    record.expect("a task").state
}

async fn events(coordinator: &CoordinatorHandle, kinds: &[EventKind]) -> EventPage {
    let kinds = EventKinds::of(kinds.iter().copied());
    let query = EventQuery { kinds, limit: u32::MAX, ..EventQuery::default() };
    coordinator.read(move |reader| reader.events(&query)).await.expect("a reading")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_stalls_disconnects_nobody_settles_nothing_and_then_all_goes_on() {
    const WORKERS: u128 = 20;
    let trouble = Trouble::default();
    let transports = memory();
    let coordinator = coordinator(&transports, Troubled::new(&trouble)).await;
    let mut workers = Vec::new();
    let mut gates = Vec::new();
    for id in 1..=WORKERS {
        let handler = format!("wait-{id}");
        let (threads, began, open) = gated(Threads::default(), &handler);
        let worker = worker(&transports, id, &threads, 1);
        until(&worker, State::Active).await;
        submit(&coordinator, id, &handler, b"x").await;
        let (_job, _began) = receive(began).await;
        workers.push(worker);
        gates.push(open);
    }

    trouble.set(Mode::Stalls);
    for gate in &gates {
        gate.send(()).expect("it waits");
    }
    let submitting = tokio::spawn({
        let coordinator = coordinator.clone();
        async move { coordinator.submit(TaskId(99), spec("nobody"), Bytes::new()).await }
    });
    let stalled = state(&coordinator, |state| !state.works()).await;
    assert_eq!(stalled, StoreState::Stalled);
    assert!(coordinator.is_store_failing(), "readiness is red");
    // Five heartbeat timeouts of the workers, and as long as a worker may be away altogether.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!submitting.is_finished(), "nothing was acknowledged");
    for (id, worker) in (1..=WORKERS).zip(&workers) {
        let status = worker.status();
        assert_eq!((status.link.state, status.kept_results), (State::Active, 1), "{status:?}");
        assert_eq!(read_state(&coordinator, id).await, TaskState::Leased);
    }

    trouble.set(Mode::Works);
    soon(submitting).await.expect("no panic").expect("it is stored");
    for id in 1..=WORKERS {
        let record = ended(&coordinator, id).await;
        assert_eq!((record.state, record.applied), (TaskState::Succeeded, 1));
    }
    state(&coordinator, StoreState::works).await;
    let away = [EventKind::WorkerDisconnected, EventKind::WorkerSuspect, EventKind::WorkerLost];
    assert_eq!(events(&coordinator, &away).await.events, []);
    let came = [EventKind::WorkerRegistered, EventKind::WorkerResumed];
    assert_eq!(events(&coordinator, &came).await.events.len() as u128, WORKERS);
    assert_eq!(events(&coordinator, &[EventKind::TaskLeased]).await.events.len() as u128, WORKERS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_damaged_ends_the_coordinator_with_the_reason_and_is_not_tried_again() {
    let trouble = Trouble::default();
    let coordinator = coordinator(&memory(), Troubled::new(&trouble)).await;
    submit(&coordinator, 1, "nobody", b"x").await;
    let damaged = StoreError::Damaged { path: "store.db".into(), detail: "malformed".into() };
    trouble.set(Mode::Fails(damaged.clone()));
    let reply = soon(coordinator.submit(TaskId(2), spec("nobody"), Bytes::new())).await;
    assert!(reply.is_err(), "nothing was acknowledged: {reply:?}");
    soon(coordinator.stopped()).await;
    assert_eq!(coordinator.store_state(), StoreState::Broken(damaged));
    assert_eq!(trouble.failed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_coordinator_that_stops_does_not_wait_for_a_store_that_is_damaged() {
    let trouble = Trouble::default();
    let coordinator = coordinator(&memory(), Troubled::new(&trouble)).await;
    trouble.set(Mode::Fails(StoreError::Damaged { path: "x".into(), detail: "y".into() }));
    // It writes down that it stops, which fails.
    tokio::time::timeout(Duration::from_secs(4), coordinator.stop()).await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_without_room_is_named_and_goes_on_when_there_is_room() {
    let trouble = Trouble::default();
    let coordinator = coordinator(&memory(), Troubled::new(&trouble)).await;
    for error in [
        StoreError::Full { path: "store.db".into(), detail: "database or disk is full".into() },
        StoreError::ReadOnly { path: "store.db".into(), detail: "readonly".into() },
        StoreError::Io { detail: "disk I/O error".into() },
    ] {
        trouble.set(Mode::Fails(error.clone()));
        let id = TaskId(u128::from(error.code()));
        let submitting = tokio::spawn({
            let coordinator = coordinator.clone();
            async move { coordinator.submit(id, spec("nobody"), Bytes::new()).await }
        });
        let seen = state(&coordinator, |state| !state.works()).await;
        assert_eq!(seen, StoreState::Fails(error));
        assert!(!submitting.is_finished());
        trouble.set(Mode::Works);
        soon(submitting).await.expect("no panic").expect("it is stored");
        assert_eq!(read_state(&coordinator, id.0).await, TaskState::Queued);
        state(&coordinator, StoreState::works).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_events_is_told_of_new_ones_and_of_the_end() {
    let coordinator = coordinator(&memory(), MemoryStore::new()).await;
    soon(async {
        while coordinator.last_event() == 0 {
            let _ = coordinator.new_events(0).await.expect("it has begun");
        }
    })
    .await;
    let before = coordinator.last_event();
    let waiting = tokio::spawn({
        let coordinator = coordinator.clone();
        async move { coordinator.new_events(before).await }
    });
    submit(&coordinator, 1, "nobody", b"x").await;
    let last = soon(waiting).await.expect("no panic").expect("it goes on");
    assert_eq!(last, before + 1);
    let page = events(&coordinator, &[EventKind::TaskSubmitted]).await;
    assert_eq!(page.events.last().map(|event| event.seq), Some(last));
    // Of a number that is not there yet, as of a store that was replaced, is told at once.
    assert_eq!(soon(coordinator.new_events(1_000)).await, Ok(last));
    coordinator.stop().await;
    let end = coordinator.last_event();
    assert!(soon(coordinator.new_events(end)).await.is_err());
    // The store was closed behind the last event: that it stops.
    assert_eq!(end, last + 1);
}
