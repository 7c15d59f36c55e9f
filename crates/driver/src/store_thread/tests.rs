use std::sync::atomic::AtomicU32;

use bytes::Bytes;
use moorline_node::{Name, PersistId, Spec, StoreOp, StorePlacement};
use moorline_store::{MemoryStore, Pruned, TaskFilter, WallTime};
use moorline_work::TaskId;

use super::*;
use crate::runtime::Tokio;

/// Fails the next commits.
struct Failing {
    store: MemoryStore,
    commits_to_fail: Arc<AtomicU32>,
}

impl Store for Failing {
    fn begin_epoch(&mut self, now: WallTime) -> Result<Epoch, StoreError> {
        self.store.begin_epoch(now)
    }
    fn commit(&mut self, now: WallTime, batch: &[Persist]) -> Result<Vec<Done>, StoreError> {
        let left = self.commits_to_fail.load(Ordering::SeqCst);
        if left > 0 {
            self.commits_to_fail.store(left - 1, Ordering::SeqCst);
            return Err(StoreError::Io { detail: "no space left".into() });
        }
        assert!(batch.iter().all(|operation| operation.id != PANICS), "this store cannot");
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

/// Has finished tasks to prune, in so many rounds.
struct Full {
    store: MemoryStore,
    rounds: Arc<AtomicU32>,
    /// What the last round went by.
    by: Arc<Mutex<Option<Retention>>>,
}

impl Store for Full {
    fn begin_epoch(&mut self, now: WallTime) -> Result<Epoch, StoreError> {
        self.store.begin_epoch(now)
    }
    fn commit(&mut self, now: WallTime, batch: &[Persist]) -> Result<Vec<Done>, StoreError> {
        self.store.commit(now, batch)
    }
    fn prune(&mut self, _: WallTime, retention: &Retention) -> Result<Pruned, StoreError> {
        *self.by.lock().expect("nobody panics") = Some(*retention);
        let left = self.rounds.load(Ordering::SeqCst);
        self.rounds.store(left.saturating_sub(1), Ordering::SeqCst);
        let tasks = if left == 0 { 0 } else { 1_000 };
        Ok(Pruned { tasks, ..Pruned::default() })
    }
    fn last_event(&self) -> u64 {
        self.store.last_event()
    }
    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.store.reader()
    }
}

const PANICS: PersistId = PersistId(u64::MAX);

fn panicking() -> Persist {
    Persist { id: PANICS, ..submit(1) }
}

fn submit(id: u64) -> Persist {
    let spec = Spec {
        handler: Name::new("h").expect("a name"),
        priority: 0,
        max_retries: 0,
        timeout: None,
    };
    let op = StoreOp::Submit {
        task: TaskId(id.into()),
        spec,
        payload: Bytes::new(),
        placement: StorePlacement::Unclaimed,
    };
    Persist { id: PersistId(id), op }
}

async fn stored(reads: &SyncSender<Read>) -> usize {
    let (reply, answer) = oneshot::channel();
    let read: Read = Box::new(move |reader| {
        let _ = reply.send(reader.tasks(&TaskFilter::default()).expect("read").len());
    });
    reads.try_send(read).expect("there is room");
    answer.await.expect("answered")
}

/// The threads of a store that keeps things as long as it does by itself.
async fn started(store: Box<dyn Store>, committed: UnboundedSender<Answered>) -> StoreThreads {
    let retention = Watch::new(Retention::default());
    start(&Wall::new(Tokio), store, retention, committed, Arc::default()).await.expect("started")
}

#[tokio::test]
async fn a_batch_that_fails_is_tried_again_until_it_is_stored_once() {
    let commits_to_fail = Arc::new(AtomicU32::new(2));
    let store =
        Failing { store: MemoryStore::new(), commits_to_fail: Arc::clone(&commits_to_fail) };
    let (committed, mut commits) = mpsc::unbounded();
    let threads = started(Box::new(store), committed).await;
    threads.orders.send(Order::Commit(vec![submit(1), submit(2)])).expect("taken");
    while commits_to_fail.load(Ordering::SeqCst) == 2 {
        tokio::task::yield_now().await;
    }
    // It waits between its tries for long enough to be seen.
    while threads.state.get().works() {
        assert_ne!(commits_to_fail.load(Ordering::SeqCst), 0, "it was never called failing");
        tokio::task::yield_now().await;
    }
    assert_eq!(commits.next().await.expect("committed").expect("stored").len(), 2);
    assert!(threads.state.get().works());
    assert_eq!(stored(&threads.reads).await, 2);
}

#[tokio::test]
async fn the_threads_end_with_their_channels_and_say_so() {
    let (committed, mut commits) = mpsc::unbounded();
    let store = Box::new(MemoryStore::new());
    let threads = started(store, committed).await;
    threads.close().await;
    assert!(commits.next().await.is_none());
}

#[tokio::test]
async fn a_writer_that_panics_is_noticed() {
    let (committed, mut commits) = mpsc::unbounded();
    let store = Failing { store: MemoryStore::new(), commits_to_fail: Arc::default() };
    let threads = started(Box::new(store), committed).await;
    threads.orders.send(Order::Commit(vec![panicking()])).expect("taken");
    assert!(commits.next().await.is_none(), "though the readers live on");
    assert_eq!(stored(&threads.reads).await, 0);
}

#[tokio::test]
async fn the_writer_gives_up_a_failing_batch_when_the_loop_has_ended() {
    let store =
        Failing { store: MemoryStore::new(), commits_to_fail: Arc::new(AtomicU32::new(u32::MAX)) };
    let (committed, mut commits) = mpsc::unbounded();
    let threads = started(Box::new(store), committed).await;
    threads.orders.send(Order::Commit(vec![submit(1)])).expect("taken");
    threads.close().await;
    assert!(commits.next().await.is_none());
}

#[tokio::test]
async fn a_read_that_panics_leaves_its_thread_for_others() {
    let (committed, _commits) = mpsc::unbounded();
    let store = Box::new(MemoryStore::new());
    let threads = started(store, committed).await;
    for _ in 0..READERS {
        threads
            .reads
            .try_send(Box::new(|_| panic!("a mistake of the caller")))
            .expect("there is room");
    }
    assert_eq!(stored(&threads.reads).await, 0);
}

#[tokio::test]
async fn more_finished_tasks_than_one_round_takes_are_pruned_as_fast_as_a_busy_coordinator_ends_them()
 {
    let (committed, _commits) = mpsc::unbounded();
    let rounds = Arc::new(AtomicU32::new(200));
    let store = Full { store: MemoryStore::new(), rounds: Arc::clone(&rounds), by: Arc::default() };
    let begin = std::time::Instant::now();
    let threads = started(Box::new(store), committed).await;
    while rounds.load(Ordering::SeqCst) > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        // At one round a second it would take more than three minutes.
        assert!(begin.elapsed().as_secs() < 60, "{rounds:?} rounds are left");
    }
    threads.close().await;
}

#[tokio::test]
async fn pruning_goes_by_what_is_set_while_it_runs() {
    let (committed, _commits) = mpsc::unbounded();
    let by = Arc::new(Mutex::new(None));
    let store = Full { store: MemoryStore::new(), rounds: Arc::default(), by: Arc::clone(&by) };
    let retention = Watch::new(Retention::default());
    let of_start = retention.get();
    let threads =
        start(&Wall::new(Tokio), Box::new(store), retention.clone(), committed, Arc::default())
            .await
            .expect("started");
    let set = Retention { age_millis: 1, ..of_start };
    retention.set(set, false);
    let begin = std::time::Instant::now();
    while *by.lock().expect("nobody panics") != Some(set) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        assert!(begin.elapsed().as_secs() < 60, "it went by {by:?}");
    }
    threads.close().await;
}

#[test]
fn another_interval_of_summaries_holds_at_once_in_an_outage_that_goes_on() {
    let at = |seconds| moorline_link::Instant::ZERO + Duration::from_secs(seconds);
    let (long, short) = (Duration::from_secs(30), Duration::from_secs(5));
    let mut outage = Outage::new(at(100));
    assert!(!outage.sums_up(at(129), long));
    assert!(outage.sums_up(at(130), long));
    assert!(!outage.sums_up(at(134), short));
    assert!(outage.sums_up(at(135), short), "it was told last at 130");
    assert!(!outage.sums_up(at(164), long));
    assert!(outage.sums_up(at(165), long));
}
