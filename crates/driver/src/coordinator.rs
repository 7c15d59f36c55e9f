//! Runs a coordinator node: the handle and the options.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use futures::{FutureExt, SinkExt};
use moorline_link::{Backoff, ConnId, Epoch, HubConfig, HubSettings, Reason, WorkerId};
use moorline_node::{
    Address, ClientReply, CoordinatorConfig, CoordinatorNode, Name, Spec, WorkerView,
};
use moorline_store::{Reader, Retention, Store, StoreError};
use moorline_sync::{Sender, Watch, mailbox};
use moorline_transport::Endpoint;
use moorline_work::{Attempt, DispatcherConfig, TaskId};

pub use self::drain::Drain;
use self::errors::{ReadError, StartError, Stopped};
use self::judges::Judges;
use self::peer::Peer;
use self::store_state::{SharedState, StoreState};
use self::turn::CoordinatorLoop;
use self::waiters::Waiters;
use crate::auth::Authenticator;
use crate::log::coordinator::CoordinatorLog;
use crate::runtime::Runtime;
use crate::store_thread::{self, Read};
use crate::tally::CoordinatorTally;
use crate::transports::Transports;
use crate::wall::Wall;

mod accept;
mod drain;
mod elsewhere;
pub(crate) mod errors;
mod judges;
pub(crate) mod peer;
pub(crate) mod store_state;
#[cfg(feature = "tokio")]
pub(crate) mod thread;
mod turn;
mod waiters;

/// Connections that were accepted and wait for the loop.
const ACCEPTED: usize = 64;
/// Requests that wait for the loop; more wait with their callers.
const REQUESTS: usize = 256;

/// What a coordinator is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CoordinatorOptions {
    /// Connections and sessions.
    pub hub: HubConfig,
    /// Tasks and leases.
    pub dispatcher: DispatcherConfig,
    /// Delays between the attempts of a task that failed and may be retried.
    pub retry: Backoff,
    /// Where to listen for workers. Default: nowhere.
    pub listen: Vec<Endpoint>,
    /// How long finished tasks are kept.
    pub retention: Retention,
    /// The version of the software, for people. Default `moorline 0.1.0`.
    pub software: Name,
    /// Feeds jitter. Default `None`: random.
    pub seed: Option<u64>,
    /// Who looks at what workers show. Default `None`: nobody, and whoever reaches it is let in.
    pub authenticator: Option<Authenticator>,
    /// Whoever comes over a connection on which no certificate was seen is refused
    /// ([`Reason::AuthMissing`]). Whoever has shown one is its worker
    /// and no other in any case. Default `false`: that is for listeners to ask for.
    pub wants_certificates: bool,
}

impl CoordinatorOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Default for CoordinatorOptions {
    fn default() -> Self {
        Self {
            hub: HubConfig::default(),
            dispatcher: DispatcherConfig::default(),
            retry: Backoff::default(),
            listen: Vec::new(),
            retention: Retention::default(),
            software: crate::software(),
            seed: None,
            authenticator: None,
            wants_certificates: false,
        }
    }
}

/// A request of a client: waits while the store is behind.
pub(crate) enum Request {
    Submit { task: TaskId, spec: Spec, payload: Bytes, reply: oneshot::Sender<ClientReply> },
    Cancel { task: TaskId, reply: oneshot::Sender<ClientReply> },
    Retry { task: TaskId, last: Attempt, reply: oneshot::Sender<ClientReply> },
}

/// What does not wait.
pub(crate) enum Control {
    Workers { reply: oneshot::Sender<Vec<WorkerView>> },
    Peers { reply: oneshot::Sender<BTreeMap<ConnId, Peer>> },
    Offering { handler: Name, reply: oneshot::Sender<Vec<WorkerId>> },
    Disconnect { worker: WorkerId, reason: Reason, reply: oneshot::Sender<()> },
    PulseEvery(Duration),
    Reconnect { worker: WorkerId, reply: oneshot::Sender<()> },
    Advertise { endpoints: Vec<Address> },
    Instead { to: Vec<Address> },
    Redirect { worker: WorkerId, to: Vec<Address>, reply: oneshot::Sender<bool> },
    Cordon { worker: WorkerId, cordoned: bool, reply: oneshot::Sender<()> },
    Forget { worker: WorkerId, reply: oneshot::Sender<bool> },
    Drain { drain: Drain, reply: oneshot::Sender<usize> },
    Stop,
}

/// Steers a coordinator. Cloning gives another handle to the same one; dropping all handles leaves it
/// running until its process ends.
///
/// ```
/// # async fn example(coordinator: moorline_driver::CoordinatorHandle) {
/// for endpoint in coordinator.endpoints() {
///     println!("workers come to {endpoint}");
/// }
/// coordinator.stop().await;
/// # }
/// ```
#[derive(Clone)]
pub struct CoordinatorHandle {
    shared: Arc<Handle>,
}

struct Handle {
    endpoints: Vec<Endpoint>,
    hub: HubConfig,
    epoch: Epoch,
    requests: mpsc::Sender<Request>,
    control: Sender<Control>,
    reads: Mutex<Option<SyncSender<Read>>>,
    retention: Watch<Retention>,
    state: SharedState,
    last_event: Watch<u64>,
    waiters: Waiters,
    stopped: Watch<bool>,
    tally: Arc<CoordinatorTally>,
}

impl fmt::Debug for CoordinatorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoordinatorHandle")
            .field("endpoints", &self.shared.endpoints)
            .field("epoch", &self.shared.epoch)
            .finish_non_exhaustive()
    }
}

/// Starts a coordinator: begins an epoch of the store, binds every listener, and runs the loop in the
/// background of `runtime`. When this returns, workers can connect; what earlier lives left in the
/// store is being read.
///
/// # Errors
/// [`StartError`]. Nothing is left running then.
pub async fn start_coordinator<R: Runtime>(
    runtime: R,
    transports: Transports,
    store: Box<dyn Store>,
    options: CoordinatorOptions,
) -> Result<CoordinatorHandle, StartError> {
    let started = runtime.now();
    let wall = Wall::new(runtime.clone());
    let (committed, commits) = mpsc::unbounded();
    let tally = Arc::<CoordinatorTally>::default();
    tally.pulse.beat(started);
    let retention = Watch::new(options.retention);
    let threads =
        store_thread::start(&wall, store, retention.clone(), committed, Arc::clone(&tally)).await?;
    let mut listeners = Vec::with_capacity(options.listen.len());
    for endpoint in &options.listen {
        match transports.listen(endpoint).await {
            Ok(listener) => listeners.push(listener),
            Err(error) => {
                threads.close().await;
                return Err(error.into());
            }
        }
    }
    let endpoints: Vec<_> = listeners.iter().map(|listener| listener.endpoint()).collect();
    let log = CoordinatorLog::new(threads.epoch, started, options.hub.settings());
    log.listening(&endpoints);

    let (accepted, arriving) = mpsc::channel(ACCEPTED);
    let listening = listeners
        .into_iter()
        .map(|listener| {
            let (listening, stop) = oneshot::channel();
            let (accepted, tally) = (accepted.clone(), Arc::clone(&tally));
            let accepting = accept::run(runtime.clone(), listener, accepted, tally, stop);
            runtime.spawn(accepting.boxed());
            listening
        })
        .collect();

    let (requests, requested) = mpsc::channel(REQUESTS);
    let (control, controlled) = mailbox();
    let waiters = Waiters::default();
    let stopped = Watch::new(false);
    // Everything is bound: from here on a worker could have come back (P59, P92).
    let now = runtime.now();
    let node = CoordinatorNode::new(
        CoordinatorConfig {
            hub: options.hub,
            dispatcher: options.dispatcher,
            retry: options.retry,
            epoch: threads.epoch,
            software: options.software,
            seed: options.seed.map_or_else(random, u128::from),
        },
        now,
    );
    let node = if options.authenticator.is_some() { node.authenticating() } else { node };
    let node = if options.wants_certificates { node.with_certificates() } else { node };
    let (judged, verdicts) = mpsc::unbounded();
    let shared = Arc::new(Handle {
        endpoints,
        hub: options.hub,
        epoch: threads.epoch,
        requests,
        control,
        reads: Mutex::new(Some(threads.reads)),
        retention,
        state: threads.state.clone(),
        last_event: threads.store.last_event.clone(),
        waiters: waiters.clone(),
        stopped: stopped.clone(),
        tally: Arc::clone(&tally),
    });
    let coordinator = CoordinatorLoop::new(turn::Parts {
        runtime: runtime.clone(),
        wall,
        node,
        log,
        requested,
        controlled,
        arriving,
        listening,
        store: threads.store,
        state: threads.state,
        orders: threads.orders,
        commits,
        closed: threads.closed,
        waiters,
        tally,
        judges: Judges::new(runtime.clone(), options.authenticator, judged),
        verdicts,
    });
    let end = End(Arc::clone(&shared));
    runtime.spawn(
        async move {
            coordinator.run(|| end.0.close_reads()).await;
            drop(end);
        }
        .boxed(),
    );
    Ok(CoordinatorHandle { shared })
}

/// Tells everybody that the loop has ended, however it ended: also if it panicked, or if its runtime
/// is no more.
struct End(Arc<Handle>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.close_reads();
        self.0.waiters.close();
        self.0.stopped.set(true, true);
    }
}

impl Handle {
    fn close_reads(&self) {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl CoordinatorHandle {
    /// Where it listens: with the real ports where port 0 was asked for.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.shared.endpoints
    }

    /// This life.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.shared.epoch
    }

    /// What its loop and its store's thread have counted. Reading it never waits for them.
    #[must_use]
    pub fn tally(&self) -> &CoordinatorTally {
        &self.shared.tally
    }

    /// From now on the loop turns at least this often, so that its [`Pulse`](crate::Pulse) tells
    /// whether it is stuck. Without it a loop sleeps as long as nothing is to be done.
    pub fn pulse_every(&self, every: Duration) {
        // One that has ended has no pulse any more.
        let _ = self.shared.control.send(Control::PulseEvery(every));
    }

    /// From now on things are kept so long. What is beyond it goes when the store is pruned the next
    /// time, within a minute, a part at a time.
    pub fn retain(&self, retention: Retention) {
        self.shared.retention.set(retention, false);
    }

    /// From now on a failure of the store that lasts is summed up in the log this often, also one that
    /// goes on. Default 30 s.
    pub fn summarise_every(&self, every: Duration) {
        self.shared.tally.set_repeat_every(every);
    }

    /// How often it is.
    #[must_use]
    pub fn summarises_every(&self) -> Duration {
        self.shared.tally.repeat_every()
    }

    /// Hands in a task. The reply comes when it is durable, so while the store fails it waits;
    /// submitting the same again is idempotent. A caller that stops waiting does not know whether it
    /// was taken.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn submit(
        &self,
        task: TaskId,
        spec: Spec,
        payload: Bytes,
    ) -> Result<ClientReply, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.request(Request::Submit { task, spec, payload, reply }).await?;
        answer.await.map_err(|_| Stopped)
    }

    /// Wants a task to end. The reply comes when that is durable.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn cancel(&self, task: TaskId) -> Result<ClientReply, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.request(Request::Cancel { task, reply }).await?;
        answer.await.map_err(|_| Stopped)
    }

    /// Wants an ended task that has no result to be queued again. `last` is the last attempt given
    /// out, as the caller knows it: if there was another one since, nothing happens, so asking again
    /// is harmless. The reply comes when it is durable.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn retry(&self, task: TaskId, last: Attempt) -> Result<ClientReply, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.request(Request::Retry { task, last, reply }).await?;
        answer.await.map_err(|_| Stopped)
    }

    /// Every worker that is known, by id; computed from freshness now.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn workers(&self) -> Result<Vec<WorkerView>, Stopped> {
        self.control(|reply| Control::Workers { reply }).await
    }

    /// Where the open connections lead: what [`WorkerView::conn`] names.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn peers(&self) -> Result<BTreeMap<ConnId, Peer>, Stopped> {
        self.control(|reply| Control::Peers { reply }).await
    }

    /// Which workers announced this handler in their present sessions, by id.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn offering(&self, handler: Name) -> Result<Vec<WorkerId>, Stopped> {
        self.control(|reply| Control::Offering { handler, reply }).await
    }

    /// How long silence of a worker may last.
    #[must_use]
    pub fn liveness(&self) -> &HubSettings {
        self.shared.hub.settings()
    }

    /// Ends a worker's connection; it comes back.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn disconnect(&self, worker: WorkerId) -> Result<(), Stopped> {
        let reason = Reason::OperatorDisconnect;
        self.control(|reply| Control::Disconnect { worker, reason, reply }).await
    }

    /// Ends a worker's connection and lets it come back at once.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn reconnect(&self, worker: WorkerId) -> Result<(), Stopped> {
        self.control(|reply| Control::Reconnect { worker, reply }).await
    }

    /// Gives a worker nothing new (it finishes what it has), or lets it go on; over lives of both.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn cordon(&self, worker: WorkerId, cordoned: bool) -> Result<(), Stopped> {
        self.control(|reply| Control::Cordon { worker, cordoned, reply }).await
    }

    /// Forgets a worker that is expected, lost or departed and holds no lease; returns whether it was
    /// one.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn forget(&self, worker: WorkerId) -> Result<bool, Stopped> {
        self.control(|reply| Control::Forget { worker, reply }).await
    }

    /// Sends all workers away, one after the other, lets nobody in, and then stops. Returns at once
    /// how many are connected. Asked again, the latest word counts.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn drain(&self, drain: Drain) -> Result<usize, Stopped> {
        self.control(|reply| Control::Drain { drain, reply }).await
    }

    /// It lets nobody in any more, because it is drained or stopped: it is not ready.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.shared.tally.is_leaving()
    }

    /// Runs a read on a reader's thread, never on the loop: however long it takes, nothing else waits
    /// for it but other reads.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut dyn Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |reader| {
            // Who asked may have stopped waiting.
            let _ = reply.send(read(reader));
        });
        {
            let reads = self.shared.reads.lock().unwrap_or_else(PoisonError::into_inner);
            match reads.as_ref().ok_or(Stopped)?.try_send(read) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => return Err(ReadError::Busy),
                Err(TrySendError::Disconnected(_)) => return Err(Stopped.into()),
            }
        }
        Ok(answer.await.map_err(|_| Stopped)??)
    }

    /// Resolves when this task has ended durably, at once if it had. Cancel-safe; many may wait.
    ///
    /// # Errors
    /// [`ReadError::NoSuchTask`] if it is not in the store now.
    pub async fn ended(&self, task: TaskId) -> Result<(), ReadError> {
        // First the place in the list, then the look: an end in between is not missed.
        let waiter = self.shared.waiters.wait_for(task);
        if waiter.is_unended {
            return waiter.await.map_err(|_| Stopped.into());
        }
        match self.read(move |reader| reader.task(task)).await? {
            None => Err(ReadError::NoSuchTask),
            Some(record) if record.state.is_final() => Ok(()),
            Some(_) => waiter.await.map_err(|_| Stopped.into()),
        }
    }

    /// The store does not take writes: nothing new is acknowledged until it does.
    #[must_use]
    pub fn is_store_failing(&self) -> bool {
        !self.shared.state.get().works()
    }

    /// What the store does, and why it does not do it.
    #[must_use]
    pub fn store_state(&self) -> StoreState {
        self.shared.state.get()
    }

    /// The number of the last event that is durable.
    #[must_use]
    pub fn last_event(&self) -> u64 {
        self.shared.last_event.get()
    }

    /// Resolves with the number of the last durable event once it is another one than `seen`: then
    /// [`Reader::events`] has something new. Cancel-safe; many may wait.
    ///
    /// # Errors
    /// [`Stopped`]: nothing new will come.
    pub async fn new_events(&self, seen: u64) -> Result<u64, Stopped> {
        let news = pin!(self.shared.last_event.until(|last| (*last != seen).then_some(*last)));
        let stopped = pin!(self.stopped());
        match select(news, stopped).await {
            Either::Left((last, _)) => Ok(last),
            Either::Right(((), _)) => Err(Stopped),
        }
    }

    /// Stops it: workers are told, what was accepted is committed, the store is closed, the loop ends.
    /// Takes at most some seconds, also while the store fails. Many may call it.
    pub async fn stop(&self) {
        self.begin_stop();
        self.stopped().await;
    }

    fn begin_stop(&self) {
        // If it has stopped already there is nobody to be told.
        let _ = self.shared.control.send(Control::Stop);
    }

    /// Resolves when the loop has ended. Cancel-safe.
    pub async fn stopped(&self) {
        self.shared.stopped.until(|stopped| stopped.then_some(())).await;
    }

    async fn request(&self, request: Request) -> Result<(), Stopped> {
        self.shared.requests.clone().send(request).await.map_err(|_| Stopped)
    }

    async fn control<T>(
        &self,
        ask: impl FnOnce(oneshot::Sender<T>) -> Control,
    ) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.shared.control.send(ask(reply)).map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}

/// A number nobody can guess: the standard library draws the keys of its hash maps at random.
fn random() -> u128 {
    use std::hash::{BuildHasher, RandomState};
    let half = || u128::from(RandomState::new().hash_one(0_u8));
    (half() << 64) | half()
}
