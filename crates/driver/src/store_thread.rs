//! The threads on which a store lives: one writer with group commit, two readers.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{self, UnboundedReceiver, UnboundedSender};
use futures::channel::oneshot;
use moorline_link::Epoch;
use moorline_node::{Done, Persist};
use moorline_store::{Reader, Retention, Store, StoreError, WallTime};
use moorline_sync::Watch;

use crate::coordinator::errors::StartError;
use crate::coordinator::store_state::SharedState;
use crate::log;
use crate::runtime::Runtime;
use crate::tally::CoordinatorTally;
use crate::wall::Wall;

/// After a failed commit the same batch is tried again: first after this time, ...
pub(crate) const RETRY_FIRST: Duration = Duration::from_millis(100);
/// ... then after twice as long, up to this.
pub(crate) const RETRY_LAST: Duration = Duration::from_secs(5);
/// Finished tasks that may go are looked for after this time, and while there are none after twice
/// as long each time, ...
const PRUNE_FIRST: Duration = Duration::from_secs(1);
/// ... up to this.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// While there are some: a round takes so many, and a busy coordinator ends more tasks a second than
/// that. The next one comes after this many times as long as the last one took, ...
const PRUNE_SHARE: u32 = 4;
/// ... and not sooner than this.
const PRUNE_MORE: Duration = Duration::from_millis(10);
/// Threads that read.
const READERS: usize = 2;
/// Reads that wait for them.
const READS_MAX: usize = 1_024;

/// What became of a batch. An error is the end: the store is of no use any more.
pub(crate) type Answered = Result<Vec<Done>, StoreError>;

/// What the store's thread is to do.
pub(crate) enum Order {
    /// Commit this and answer it.
    Commit(Vec<Persist>),
    /// Prune what came since the last time: see [`SharedStore::commit_now`].
    Prune,
}

/// A read, with the way back for its answer inside.
pub(crate) type Read = Box<dyn FnOnce(&mut dyn Reader) + Send>;

/// What the loop holds of its store.
pub(crate) struct StoreThreads {
    pub(crate) epoch: Epoch,
    /// For batches that need no waiting.
    pub(crate) store: SharedStore,
    /// Batches, one at a time: the next one when this one is answered. Dropped, the writer ends.
    pub(crate) orders: Sender<Order>,
    /// Reads. Dropped, the readers end.
    pub(crate) reads: SyncSender<Read>,
    /// Ends when the store and its readers are closed.
    pub(crate) closed: UnboundedReceiver<Infallible>,
    pub(crate) state: SharedState,
}

impl StoreThreads {
    /// Ends the threads and waits for it.
    pub(crate) async fn close(mut self) {
        drop(self.store);
        drop(self.orders);
        drop(self.reads);
        while self.closed.next().await.is_some() {}
    }
}

/// The store, of which there is one at a time: its thread has it during a commit and while it prunes,
/// the loop for what takes no time. Whoever drops it last closes it.
#[derive(Clone)]
pub(crate) struct SharedStore {
    store: Arc<Mutex<Box<dyn Store>>>,
    /// The number of the last event that is durable.
    pub(crate) last_event: Watch<u64>,
    /// The loop was told to order a pruning that has not begun.
    prune_asked: Arc<AtomicBool>,
    tally: Arc<CoordinatorTally>,
}

/// What was committed without a wait.
pub(crate) struct AtOnce {
    pub(crate) done: Vec<Done>,
    /// So much has come since the last pruning that the thread is to prune: it does not see what is
    /// committed here, and would sleep until its clock says so.
    pub(crate) prune: bool,
}

impl SharedStore {
    fn new(store: Box<dyn Store>, tally: Arc<CoordinatorTally>) -> Self {
        let last_event = Watch::new(store.last_event());
        let prune_asked = Arc::default();
        Self { store: Arc::new(Mutex::new(store)), last_event, prune_asked, tally }
    }

    /// The answers, if the store takes the batch without a wait; else it is for the thread. Not
    /// while the thread has a batch: batches are committed in order.
    pub(crate) fn commit_now(&self, now: WallTime, batch: &[Persist]) -> Option<AtOnce> {
        // It prunes, or a commit has panicked, which its thread reports.
        let mut store = self.store.try_lock().ok()?;
        let done = store.commit_now(now, batch)?;
        self.waited(&**store);
        let (last, due) = (store.last_event(), store.prune_is_due());
        drop(store);
        self.tell(last);
        let prune = due && !self.prune_asked.swap(true, Ordering::Relaxed);
        Some(AtOnce { done, prune })
    }

    /// Commits, which waits for the disk.
    fn commit(&self, now: WallTime, batch: &[Persist]) -> Result<Vec<Done>, StoreError> {
        self.with(|store| {
            let done = store.commit(now, batch)?;
            self.waited(store);
            Ok(done)
        })
    }

    /// Counts how long the tasks had waited that are given out now.
    fn waited(&self, store: &dyn Store) {
        for wait in store.waits() {
            self.tally.queue_latency.observe(*wait);
        }
    }

    /// Wakes those who wait for events, if there are new ones.
    fn tell(&self, last: u64) {
        let is_news = self.last_event.get() != last;
        if is_news {
            self.last_event.set(last, true);
        }
    }

    /// Does something that waits for the disk.
    fn with<T>(&self, work: impl FnOnce(&mut dyn Store) -> T) -> T {
        let mut store = self.lock();
        let value = work(&mut **store);
        let last = store.last_event();
        drop(store);
        self.tell(last);
        value
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn Store>> {
        // A store that panicked has ended its thread, which alone calls this.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the threads and begins an epoch. `committed` gets the answer to each batch; it ends with
/// the writer's thread.
pub(crate) async fn start<R: Runtime>(
    wall: &Wall<R>,
    store: Box<dyn Store>,
    retention: Watch<Retention>,
    committed: UnboundedSender<Answered>,
    tally: Arc<CoordinatorTally>,
) -> Result<StoreThreads, StartError> {
    let (orders, ordered) = channel();
    let (begun, beginning) = oneshot::channel();
    let state = SharedState::default();
    let (open, closed) = mpsc::unbounded();
    let store = SharedStore::new(store, Arc::clone(&tally));
    let writer = Writer {
        runtime: wall.runtime.clone(),
        wall: wall.clone(),
        store: store.clone(),
        retention,
        committed,
        state: state.clone(),
        tally,
    };
    let writing = open.clone();
    spawn("moorline-store", move || {
        writer.run(begun, &ordered);
        drop(writing);
    })?;
    // The thread answers before it does anything else; without an answer it panicked.
    let ended = || StartError::Thread(std::io::Error::other("the store's thread ended"));
    let (epoch, readers) = beginning.await.map_err(|_| ended())??;

    let (reads, queue) = sync_channel::<Read>(READS_MAX);
    let queue = Arc::new(Mutex::new(queue));
    for reader in readers {
        let (queue, open) = (Arc::clone(&queue), open.clone());
        spawn("moorline-reader", move || {
            run_reads(reader, &queue);
            drop(open);
        })?;
    }
    Ok(StoreThreads { epoch, store, orders, reads, closed, state })
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), StartError> {
    let thread = std::thread::Builder::new().name(name.into()).spawn(run);
    thread.map(drop).map_err(StartError::Thread)
}

type Begun = Result<(Epoch, Vec<Box<dyn Reader>>), StoreError>;

struct Writer<R> {
    runtime: R,
    wall: Wall<R>,
    store: SharedStore,
    /// It can change while the store is in use: the next pruning goes by it.
    retention: Watch<Retention>,
    committed: UnboundedSender<Answered>,
    state: SharedState,
    tally: Arc<CoordinatorTally>,
}

impl<R: Runtime> Writer<R> {
    fn run(mut self, begun: oneshot::Sender<Begun>, orders: &Receiver<Order>) {
        let beginning = self.begin();
        let failed = beginning.is_err();
        if begun.send(beginning).is_err() || failed {
            return;
        }
        let mut prune_in = PRUNE_FIRST;
        let mut prune_at = self.runtime.now() + prune_in;
        loop {
            let idle = prune_at.since(self.runtime.now());
            match orders.recv_timeout(idle) {
                Ok(Order::Commit(batch)) => {
                    let Some(answered) = self.commit(&batch, orders) else { return };
                    let is_over = answered.is_err();
                    if self.committed.unbounded_send(answered).is_err() || is_over {
                        return;
                    }
                }
                Ok(Order::Prune) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = self.runtime.now();
            if now >= prune_at {
                prune_in = self.prune(now, prune_in);
                prune_at = self.runtime.now() + prune_in;
            }
            // What comes faster than it goes by the clock goes by its number.
            while self.store.with(|store| store.prune_is_due()) {
                prune_in = self.prune(self.runtime.now(), prune_in);
                prune_at = self.runtime.now() + prune_in;
            }
        }
    }

    fn begin(&mut self) -> Begun {
        let wall = self.wall.now();
        self.store.with(|store| {
            let epoch = store.begin_epoch(wall)?;
            let readers = (0..READERS).map(|_| store.reader()).collect::<Result<_, _>>()?;
            Ok((epoch, readers))
        })
    }

    /// Until it succeeds, or the store is found to be of no use; `None` if the loop has ended meanwhile.
    fn commit(&mut self, batch: &[Persist], orders: &Receiver<Order>) -> Option<Answered> {
        let mut outage: Option<Outage> = None;
        loop {
            let began = self.runtime.now();
            self.tally.commit_begins(began);
            let wall = self.wall.now();
            let committed = self.store.commit(wall, batch);
            self.tally.commit_ends(self.runtime.now().since(began));
            let error = match committed {
                Ok(done) => {
                    if let Some(outage) = outage {
                        self.state.works();
                        log::coordinator::store_recovered(
                            self.runtime.now().since(outage.since),
                            outage.tries,
                        );
                    }
                    return Some(Ok(done));
                }
                Err(error) => error,
            };
            self.tally.store_errors.add("commit");
            if !error.may_pass() {
                // Nothing of the batch happened, and nobody was told otherwise.
                self.state.breaks(&error);
                return Some(Err(error));
            }
            self.state.fails(&error);
            let now = self.runtime.now();
            let outage = outage.get_or_insert_with(|| {
                log::coordinator::store_failed(&error);
                Outage::new(now)
            });
            outage.tries += 1;
            if outage.sums_up(now, self.tally.repeat_every()) {
                log::coordinator::store_still_fails(&error, now.since(outage.since), outage.tries);
            }
            // Nothing comes while a batch is unanswered, but the end.
            if let Err(RecvTimeoutError::Disconnected) = orders.recv_timeout(outage.delay) {
                return None;
            }
            outage.delay = outage.delay.saturating_mul(2).min(RETRY_LAST);
        }
    }

    /// It was waited for `waited`. Returns after what time to prune again.
    fn prune(&mut self, now: moorline_link::Instant, waited: Duration) -> Duration {
        self.store.prune_asked.store(false, Ordering::Relaxed);
        let (aged, retention) = (self.wall.aged(), self.retention.get());
        let pruned = self.store.with(|store| store.prune(aged, &retention));
        match pruned {
            Ok(pruned) if pruned.is_nothing() => {
                waited.max(PRUNE_FIRST / 2).saturating_mul(2).min(PRUNE_EVERY)
            }
            Ok(pruned) => {
                log::coordinator::pruned(pruned);
                let took = self.runtime.now().since(now);
                took.saturating_mul(PRUNE_SHARE).clamp(PRUNE_MORE, PRUNE_EVERY)
            }
            Err(error) => {
                log::coordinator::prune_failed(&error);
                self.tally.store_errors.add("prune");
                PRUNE_EVERY
            }
        }
    }
}

struct Outage {
    since: moorline_link::Instant,
    tries: u32,
    delay: Duration,
    /// When it was told last.
    told: moorline_link::Instant,
}

impl Outage {
    const fn new(now: moorline_link::Instant) -> Self {
        Self { since: now, tries: 0, delay: RETRY_FIRST, told: now }
    }

    /// Whether a summary is due, which is told then. `every` may be another one each time: it holds at
    /// once.
    fn sums_up(&mut self, now: moorline_link::Instant, every: Duration) -> bool {
        let due = now.since(self.told) >= every;
        if due {
            self.told = now;
        }
        due
    }
}

fn run_reads(mut reader: Box<dyn Reader>, queue: &Mutex<Receiver<Read>>) {
    loop {
        // Held while it waits, so that one read wakes one reader; no read runs under it.
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(read) = next else { return };
        // The caller's closure: its panic is the caller's, who gets no answer.
        let _ = catch_unwind(AssertUnwindSafe(|| read(&mut *reader)));
    }
}

#[cfg(test)]
mod tests;
