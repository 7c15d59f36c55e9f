//! Steers a worker from outside.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{Either, select};
use moorline_link::{Instant, LinkSnapshot, Reason, State};
use tokio::sync::watch;

use super::runtime::Host;
use super::{LinkChanges, LinkStatus};
use crate::{Error, Result};

/// Steers a worker. Cheap to clone; dropping every handle leaves the worker running.
///
/// Every future of it is cancel-safe: dropped before it resolves, it loses nothing, and what it asked
/// for when it was first polled stays asked.
///
/// ```no_run
/// # async fn example() -> moorline::Result<()> {
/// use moorline::{BoxError, TaskCtx, Worker};
///
/// let worker = Worker::builder("grpc://127.0.0.1:8740")
///     .task("echo", |_ctx: TaskCtx, text: String| async move { Ok::<_, BoxError>(text) })
///     .build()?;
/// let handle = worker.handle();
/// tokio::spawn(async move {
///     tokio::signal::ctrl_c().await.ok();
///     handle.drain().await;
/// });
/// worker.run().await
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct WorkerHandle {
    shared: Arc<Shared>,
    drain_timeout: Duration,
}

impl WorkerHandle {
    pub(crate) fn new(shared: Arc<Shared>, drain_timeout: Duration) -> Self {
        Self { shared, drain_timeout }
    }

    /// Whether work may flow: for a health check.
    ///
    /// ```
    /// # #[cfg(feature = "grpc")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> moorline::Result<()> {
    /// let worker = moorline::Worker::builder("grpc://127.0.0.1:8740").build()?;
    /// let status = if worker.handle().connected() { 200 } else { 503 };
    /// assert_eq!(status, 503, "it does not run yet");
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "grpc"))]
    /// # fn main() {}
    /// ```
    #[must_use]
    pub fn connected(&self) -> bool {
        self.link().is_active()
    }

    /// What the link looks like now.
    ///
    /// ```
    /// # fn example(handle: &moorline::WorkerHandle) {
    /// let link = handle.link();
    /// println!("{:?} for {:?}, {} attempts running", link.state, link.since, link.running);
    /// # }
    /// ```
    #[must_use]
    pub fn link(&self) -> LinkStatus {
        self.shared.look().status
    }

    /// The link from now on: what it looks like now, then every change, and after the end of the
    /// worker nothing more.
    ///
    /// A subscriber that is slow misses changes in between, never the latest state, and costs neither
    /// the worker nor other subscribers anything (P103).
    ///
    /// ```
    /// # async fn example(handle: &moorline::WorkerHandle) {
    /// let mut changes = handle.subscribe();
    /// while let Some(link) = changes.next().await {
    ///     println!("{}", link.why());
    /// }
    /// # }
    /// ```
    pub fn subscribe(&self) -> LinkChanges {
        LinkChanges::new(Arc::clone(&self.shared))
    }

    /// Resolves when the link is active: at once if it is. `false` if the worker has ended. Cancel-safe.
    ///
    /// ```
    /// # async fn example(handle: &moorline::WorkerHandle) {
    /// if handle.active().await {
    ///     println!("ready for work");
    /// }
    /// # }
    /// ```
    pub async fn active(&self) -> bool {
        self.until_active().await.is_ok()
    }

    /// [`active`](Self::active) within a time: what the link looks like then. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::NotActive`] if it is not active in time; the worker goes on trying. [`Error::Ended`]
    /// if the worker has ended: its reason is [`worker_stopping`](moorline_link::Reason::WorkerStopping)
    /// if it was drained or shut down.
    ///
    /// ```
    /// # async fn example(handle: &moorline::WorkerHandle) -> moorline::Result<()> {
    /// use std::time::Duration;
    ///
    /// handle.wait_active(Duration::from_secs(30)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_active(&self, timeout: Duration) -> Result<LinkStatus> {
        let limit = self.shared.host.sleep(timeout);
        let ended = match select(Box::pin(self.until_active()), limit).await {
            Either::Left((Ok(status), _)) => return Ok(status),
            Either::Left((Err(ended), _)) => ended,
            Either::Right(_) => {
                let reason = self.link().reason;
                return Err(Error::NotActive { limit: timeout, reason });
            }
        };
        let reason = ended.reason.unwrap_or(Reason::WorkerStopping);
        Err(Error::Ended { reason, hint: None })
    }

    /// The status that is active, or the last one of a worker that has ended.
    async fn until_active(&self) -> Result<LinkStatus, LinkStatus> {
        let mut changes = self.subscribe();
        let mut last = self.link();
        while let Some(status) = changes.next().await {
            if status.is_active() {
                return Ok(status);
            }
            last = status;
        }
        Err(last)
    }

    /// An outage is summed up in the log this often from now on, also one that goes on. No effect
    /// before it runs.
    #[cfg(feature = "cli")]
    pub(crate) fn summarise_every(&self, every: Duration) {
        if let Some(driver) = self.shared.running() {
            driver.summarise_every(every);
        }
    }

    /// Gives the connection up and dials at once, skipping any wait. Resolves when that was taken:
    /// from then on [`connected`](Self::connected) is true only of a new connection. `false` if the
    /// worker does not run.
    ///
    /// Many that ask at once get one dial (P10), no sooner than 100 ms after the last one began (P07).
    /// Cancel-safe; what was asked stays asked.
    ///
    /// ```
    /// # async fn example(handle: &moorline::WorkerHandle) -> moorline::Result<()> {
    /// use std::time::Duration;
    ///
    /// handle.reconnect().await;
    /// handle.wait_active(Duration::from_secs(30)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reconnect(&self) -> bool {
        let Some(driver) = self.shared.running() else { return false };
        let before = driver.status().reconnects;
        driver.reconnect();
        loop {
            let status = driver.status();
            if status.reconnects != before {
                return true;
            }
            tokio::select! {
                _ = driver.changed(status.version) => {}
                _ = driver.ended() => return false,
            }
        }
    }

    /// Counts anew from now on: round trips, stability, attempts, outages. Nothing the link decides by
    /// changes.
    ///
    /// ```
    /// # fn example(handle: &moorline::WorkerHandle) {
    /// // The link was repaired: what it was before is of no interest.
    /// handle.reset_statistics();
    /// # }
    /// ```
    pub fn reset_statistics(&self) {
        if let Phase::Running(driver) = &*self.shared.phase() {
            driver.reset_statistics();
        }
    }

    /// Takes nothing new, finishes what runs, waits until every result is answered, says goodbye and
    /// ends. Resolves when the worker has ended.
    ///
    /// What still runs after the drain timeout is told to stop, and handed back by the goodbye: the
    /// coordinator gives it to another worker at once. What does not stop within 5 s is not handed
    /// back: its task waits until the coordinator counts this worker as lost.
    ///
    /// Cancel-safe; what was asked stays asked.
    ///
    /// ```no_run
    /// # async fn example(handle: moorline::WorkerHandle) {
    /// tokio::signal::ctrl_c().await.ok();
    /// handle.drain().await;
    /// # }
    /// ```
    pub async fn drain(&self) {
        self.drain_within(self.drain_timeout).await;
    }

    /// [`drain`](Self::drain) with another timeout than the worker's own.
    ///
    /// ```
    /// # async fn example(handle: moorline::WorkerHandle) {
    /// handle.drain_within(std::time::Duration::from_secs(5)).await;
    /// # }
    /// ```
    pub async fn drain_within(&self, timeout: Duration) {
        let driver = self.shared.stop(|driver| driver.drain(timeout));
        if let Some(driver) = driver {
            driver.ended().await;
        }
    }

    /// Ends at once: handlers are told to stop. If they do within 1 s, a goodbye hands their tasks
    /// back; else the coordinator waits with them until it counts this worker as lost.
    ///
    /// ```
    /// # async fn example(handle: &moorline::WorkerHandle) {
    /// handle.shutdown();
    /// handle.ended().await;
    /// # }
    /// ```
    pub fn shutdown(&self) {
        self.shared.stop(moorline_driver::WorkerHandle::shutdown);
    }

    /// Resolves when the worker has ended, with what its link looked like last. Cancel-safe.
    ///
    /// ```
    /// # async fn example(handle: &moorline::WorkerHandle) {
    /// let last = handle.ended().await;
    /// println!("{}", last.why());
    /// # }
    /// ```
    pub async fn ended(&self) -> LinkStatus {
        let mut changes = self.shared.changed.subscribe();
        loop {
            let look = self.shared.look();
            if look.ended {
                return look.status;
            }
            // The sender lives as long as `self`.
            let _ = changes.changed().await;
        }
    }
}

/// What a worker and its handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    host: Host,
    phase: Mutex<Phase>,
    /// Told of every change of the phase.
    changed: watch::Sender<()>,
}

/// What a worker looks like at one moment, with what tells it from what it looked like before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) status: LinkStatus,
    /// Nothing comes after this.
    pub(crate) ended: bool,
    /// The driver's version of it; `None` before the worker runs.
    pub(crate) version: Option<u64>,
    /// What of it is about the link: not what runs.
    pub(crate) link: LinkMark,
}

/// Differs whenever something of the link has changed that is worth telling.
pub(crate) type LinkMark =
    (State, Instant, Option<Reason>, (u32, Option<Duration>, Option<Instant>), (u8, bool));

fn mark(link: &LinkSnapshot) -> LinkMark {
    let wait = (link.attempts, link.delay, link.next_attempt);
    (link.state, link.since, link.reason, wait, (link.missed, link.draining))
}

/// The worker's own end of it. Dropped before the worker runs, it says that it never will.
#[derive(Debug)]
pub(crate) struct Owner(Arc<Shared>);

impl Owner {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    pub(crate) fn get(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut phase = self.0.phase();
        match &*phase {
            Phase::Built => *phase = Phase::Stopped,
            Phase::Stopped | Phase::Running(_) | Phase::Ended(_) => return,
        }
        drop(phase);
        self.0.changed.send_replace(());
    }
}

#[derive(Debug)]
enum Phase {
    /// Not run yet.
    Built,
    /// Stopped before it ran.
    Stopped,
    /// Its loop runs.
    Running(moorline_driver::WorkerHandle),
    /// Its loop has ended, or will without anybody waiting for it.
    Ended(Box<Look>),
}

impl Shared {
    pub(crate) fn new(host: Host) -> Arc<Self> {
        let (phase, changed) = (Mutex::new(Phase::Built), watch::Sender::new(()));
        Arc::new(Self { host, phase, changed })
    }

    /// What it looks like now.
    pub(crate) fn look(&self) -> Look {
        let still = |status: LinkStatus, ended| {
            let link = (status.state, Instant::ZERO, status.reason, (0, None, None), (0, false));
            Look { status, ended, version: None, link }
        };
        match &*self.phase() {
            Phase::Built => still(LinkStatus::before(), false),
            Phase::Stopped => still(LinkStatus::before().ended(), true),
            Phase::Running(driver) => Look::of(driver),
            Phase::Ended(last) => **last,
        }
    }

    /// Resolves when it may look different than at `seen`, whose version that is; `changes` has been
    /// read before. Of a worker that has ended it never resolves.
    pub(crate) async fn differs(&self, seen: Option<u64>, changes: &mut watch::Receiver<()>) {
        let phase = async {
            // The sender lives as long as `self`.
            let _ = changes.changed().await;
        };
        match (self.running(), seen) {
            (Some(driver), Some(version)) => tokio::select! {
                () = phase => {}
                _ = driver.changed(version) => {}
            },
            // It has begun to run since.
            (Some(_), None) => {}
            (None, _) => phase.await,
        }
    }

    /// Its loop, while it runs.
    pub(crate) fn running(&self) -> Option<moorline_driver::WorkerHandle> {
        match &*self.phase() {
            Phase::Running(driver) => Some(driver.clone()),
            Phase::Built | Phase::Stopped | Phase::Ended(_) => None,
        }
    }

    /// Whether it will never run again.
    #[cfg(feature = "health")]
    pub(crate) fn has_ended(&self) -> bool {
        matches!(&*self.phase(), Phase::Stopped | Phase::Ended(_))
    }

    /// Resolves at the next change of the phase, if it was not yet seen.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Whether nobody has stopped it before it ran.
    pub(crate) fn may_start(&self) -> bool {
        matches!(&*self.phase(), Phase::Built)
    }

    /// The loop runs. It is shut down when the answer is dropped.
    pub(crate) fn started(self: &Arc<Self>, driver: moorline_driver::WorkerHandle) -> Running {
        let stopped = {
            let mut phase = self.phase();
            let stopped = matches!(&*phase, Phase::Stopped);
            *phase = Phase::Running(driver.clone());
            stopped
        };
        if stopped {
            driver.shutdown();
        }
        self.changed.send_replace(());
        Running { shared: Arc::clone(self), driver }
    }

    /// Does it to the running loop, or remembers that none is to start.
    fn stop(
        &self,
        how: impl FnOnce(&moorline_driver::WorkerHandle),
    ) -> Option<moorline_driver::WorkerHandle> {
        let mut phase = self.phase();
        match &*phase {
            Phase::Running(driver) => {
                how(driver);
                Some(driver.clone())
            }
            Phase::Built => {
                *phase = Phase::Stopped;
                self.changed.send_replace(());
                None
            }
            Phase::Stopped | Phase::Ended(_) => None,
        }
    }

    fn phase(&self) -> std::sync::MutexGuard<'_, Phase> {
        // Every change is one assignment: a panic leaves it whole.
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running loop. Dropped before the loop has ended, it shuts it down.
pub(crate) struct Running {
    shared: Arc<Shared>,
    driver: moorline_driver::WorkerHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        // The loop has ended already when `run` was not dropped: then nobody hears this.
        self.driver.shutdown();
        let mut last = Look::of(&self.driver);
        last.status = last.status.ended();
        last.link.0 = last.status.state;
        *self.shared.phase() = Phase::Ended(Box::new(Look { ended: true, ..last }));
        self.shared.changed.send_replace(());
    }
}

impl Look {
    fn of(driver: &moorline_driver::WorkerHandle) -> Self {
        let status = driver.status();
        let (version, link) = (Some(status.version), mark(&status.link));
        Self { status: status.into(), ended: false, version, link }
    }
}
