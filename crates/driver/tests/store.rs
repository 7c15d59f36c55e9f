//! A store that fails: nothing is acknowledged, nothing is lost, and then all goes on.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use moorline_driver::{Tokio, start_coordinator};
use moorline_link::{Epoch, State};
use moorline_node::{ClientReply, Done, Persist};
use moorline_store::{MemoryStore, Pruned, Reader, Retention, Store, StoreError, WallTime};
use moorline_work::{Reply, TaskId, TaskState};
use support::{
    Threads, coordinator, ended, gated, memory, options, receive, soon, spec, submit, until, worker,
};

/// What the test turns on and off, and counts.
#[derive(Clone, Default)]
struct Switch {
    fails: Arc<AtomicBool>,
    /// A commit that has begun does not end.
    held: Arc<AtomicBool>,
    begun: Arc<AtomicU32>,
    commits: Arc<AtomicU32>,
    largest: Arc<AtomicUsize>,
    /// It takes batches without a wait, and how many it did.
    at_once: Arc<AtomicBool>,
    now: Arc<AtomicU32>,
    prunes: Arc<AtomicU32>,
}

struct Switched {
    store: MemoryStore,
    switch: Switch,
}

impl Switched {
    fn new(switch: &Switch) -> Self {
        Self { store: MemoryStore::new(), switch: switch.clone() }
    }
}

impl Store for Switched {
    fn begin_epoch(&mut self, now: WallTime) -> Result<Epoch, StoreError> {
        self.store.begin_epoch(now)
    }

    fn commit(&mut self, now: WallTime, batch: &[Persist]) -> Result<Vec<Done>, StoreError> {
        if self.switch.fails.load(Ordering::SeqCst) {
            return Err(StoreError::Io { detail: "no space left on device".into() });
        }
        self.switch.begun.fetch_add(1, Ordering::SeqCst);
        while self.switch.held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.switch.commits.fetch_add(1, Ordering::SeqCst);
        self.switch.largest.fetch_max(batch.len(), Ordering::SeqCst);
        self.store.commit(now, batch)
    }

    fn commit_now(&mut self, now: WallTime, batch: &[Persist]) -> Option<Vec<Done>> {
        if !self.switch.at_once.load(Ordering::SeqCst) {
            return None;
        }
        self.switch.now.fetch_add(1, Ordering::SeqCst);
        self.store.commit_now(now, batch)
    }

    fn prune(&mut self, now: WallTime, retention: &Retention) -> Result<Pruned, StoreError> {
        self.switch.prunes.fetch_add(1, Ordering::SeqCst);
        self.store.prune(now, retention)
    }

    fn prune_is_due(&self) -> bool {
        self.store.prune_is_due()
    }

    fn last_event(&self) -> u64 {
        self.store.last_event()
    }
    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.store.reader()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_fails_nothing_is_acknowledged_and_then_all_goes_on() {
    let switch = Switch::default();
    let transports = memory();
    let coordinator = coordinator(&transports, Switched::new(&switch)).await;
    let (threads, began, open) = gated(Threads::echo(), "wait");
    let worker = worker(&transports, 1, &threads, 2);
    until(&worker, State::Active).await;
    submit(&coordinator, 1, "wait", b"x").await;
    let (_job, _began) = receive(began).await;

    switch.fails.store(true, Ordering::SeqCst);
    open.send(()).expect("it waits");
    let submitting = tokio::spawn({
        let coordinator = coordinator.clone();
        async move { coordinator.submit(TaskId(2), spec("echo"), Bytes::new()).await }
    });
    soon(async {
        while !coordinator.is_store_failing() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    // For longer than a heartbeat timeout: the link stands, the result is kept, the client waits.
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert!(!submitting.is_finished(), "nothing was acknowledged");
    let status = worker.status();
    assert_eq!((status.link.state, status.kept_results), (State::Active, 1), "{status:?}");
    let record = coordinator
        .read(|reader| reader.task(TaskId(1)))
        .await
        .expect("reads still work")
        .expect("there");
    assert_eq!(record.state, TaskState::Leased);

    switch.fails.store(false, Ordering::SeqCst);
    let reply = soon(submitting).await.expect("no panic");
    assert_eq!(reply, Ok(ClientReply::Work(Reply::Submitted { again: false })));
    for id in [1, 2] {
        let record = ended(&coordinator, id).await;
        assert_eq!((record.state, record.applied), (TaskState::Succeeded, 1));
    }
    assert!(!coordinator.is_store_failing());
    soon(async {
        while worker.status().kept_results != 0 {
            worker.changed(worker.status().version).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_coordinator_stops_also_while_its_store_fails() {
    let switch = Switch::default();
    let transports = memory();
    let coordinator = coordinator(&transports, Switched::new(&switch)).await;
    switch.fails.store(true, Ordering::SeqCst);
    let submitting = tokio::spawn({
        let coordinator = coordinator.clone();
        async move { coordinator.submit(TaskId(1), spec("echo"), Bytes::new()).await }
    });
    soon(async {
        while !coordinator.is_store_failing() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    tokio::time::timeout(Duration::from_secs(15), coordinator.stop()).await.expect("it stops");
    assert!(soon(submitting).await.expect("no panic").is_err(), "nobody says that it was stored");
}

/// On one thread: when the loop answers, it has run after everything that was asked before.
#[tokio::test]
async fn what_comes_while_a_commit_runs_is_committed_together() {
    let switch = Switch::default();
    let transports = memory();
    let coordinator = coordinator(&transports, Switched::new(&switch)).await;
    submit(&coordinator, 1_000, "nobody", b"x").await;
    let counts = || (switch.begun.load(Ordering::SeqCst), switch.commits.load(Ordering::SeqCst));
    let before = counts();
    assert_eq!(before.0, before.1, "nothing is under way");
    switch.held.store(true, Ordering::SeqCst);
    let task = |id| {
        let coordinator = coordinator.clone();
        tokio::spawn(async move { submit(&coordinator, id, "nobody", b"x").await })
    };
    let first = task(1);
    soon(async {
        while counts().0 == before.0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let others: Vec<_> = (2..=100).map(task).collect();
    for _ in 0..2 {
        soon(coordinator.workers()).await.expect("it runs");
    }
    assert_eq!(counts(), (before.0 + 1, before.1), "the first one is under way");
    switch.held.store(false, Ordering::SeqCst);
    for one in others.into_iter().chain([first]) {
        soon(one).await.expect("no panic");
    }
    assert_eq!(
        counts().1,
        before.1 + 2,
        "one commit for the first, one for all that came meanwhile"
    );
    // With them goes what the coordinator itself has to say by then: on a slow machine that the store
    // did not answer for seconds.
    let largest = switch.largest.load(Ordering::SeqCst);
    assert!(largest >= 99, "{largest}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_store_takes_without_a_wait_crosses_no_thread_and_the_rest_is_done_by_its_own() {
    let switch = Switch::default();
    let transports = memory();
    let coordinator = coordinator(&transports, Switched::new(&switch)).await;
    let worker = worker(&transports, 1, &Threads::echo(), 4);
    until(&worker, State::Active).await;
    let mut id = 0;
    for at_once in [true, false, true] {
        switch.at_once.store(at_once, Ordering::SeqCst);
        let counts = || (switch.now.load(Ordering::SeqCst), switch.commits.load(Ordering::SeqCst));
        let mut before = counts();
        for nth in 0..=20 {
            id += 1;
            submit(&coordinator, id, "echo", b"x").await;
            let record = ended(&coordinator, id).await;
            assert_eq!((record.state, record.applied), (TaskState::Succeeded, 1));
            if nth == 0 {
                // What the other way had under way is committed: commits keep their order.
                before = counts();
            }
        }
        let after = counts();
        let grown = (after.0 > before.0, after.1 > before.1);
        assert_eq!(grown, (at_once, !at_once), "from {before:?} to {after:?}");
    }
}

/// What the loop commits by itself does not wake the store's thread, which sleeps for longer the less
/// there is to do: up to a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_committed_without_a_wait_is_pruned_by_its_number_and_not_only_by_the_clock() {
    let switch = Switch::default();
    switch.at_once.store(true, Ordering::SeqCst);
    let mut options = options();
    options.retention.count = 1;
    let store = Box::new(Switched::new(&switch));
    let coordinator = start_coordinator(Tokio, memory(), store, options).await.expect("started");
    // The next one by the clock comes four seconds after the second one.
    soon(async {
        while switch.prunes.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let begin = Instant::now();
    // Two of these are as much as one round of pruning takes.
    let large: &'static [u8] = vec![7; 4 << 20].leak();
    for id in 1..=8 {
        submit(&coordinator, id, "nobody", large).await;
        let reply = soon(coordinator.cancel(TaskId(id))).await;
        assert_eq!(reply, Ok(ClientReply::Work(Reply::Cancelled)));
    }
    let kept = || async {
        let counts = coordinator.read(|reader| reader.counts()).await.expect("read");
        counts.by_state.iter().sum::<u64>()
    };
    soon(async {
        while kept().await > 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(begin.elapsed() < Duration::from_secs(3), "it waited for its clock");
}
