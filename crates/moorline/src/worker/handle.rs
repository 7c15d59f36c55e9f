//! Steers a worker from outside.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moorline_link::State;
use tokio::sync::watch;

use super::LinkStatus;

/// Steers a worker. Cheap to clone; dropping every handle leaves the worker running.
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
    #[must_use]
    pub fn connected(&self) -> bool {
        self.link().is_active()
    }

    /// What the link looks like now.
    #[must_use]
    pub fn link(&self) -> LinkStatus {
        match &*self.shared.phase() {
            Phase::Built | Phase::Stopped => LinkStatus::before(),
            Phase::Running(driver) => driver.status().into(),
            Phase::Ended(last) => *last,
        }
    }

    /// Resolves when the link is active: at once if it is. `false` if the worker has ended. Cancel-safe.
    pub async fn active(&self) -> bool {
        let mut phases = self.shared.changed.subscribe();
        loop {
            let driver = match &*self.shared.phase() {
                Phase::Running(driver) => Some(driver.clone()),
                Phase::Stopped | Phase::Ended(_) => return false,
                Phase::Built => None,
            };
            match driver {
                None => {
                    if phases.changed().await.is_err() {
                        return false;
                    }
                }
                Some(driver) => {
                    let status = driver.status();
                    if status.link.state == State::Active {
                        return true;
                    }
                    tokio::select! {
                        _ = driver.changed(status.version) => {}
                        _ = driver.ended() => return false,
                    }
                }
            }
        }
    }

    /// Gives the connection up and dials at once.
    pub fn reconnect(&self) {
        if let Phase::Running(driver) = &*self.shared.phase() {
            driver.reconnect();
        }
    }

    /// Takes nothing new, finishes what runs, waits until every result is answered, says goodbye and
    /// ends. Resolves when the worker has ended.
    ///
    /// What still runs after the drain timeout is told to stop, and handed back by the goodbye: the
    /// coordinator gives it to another worker at once. What does not stop within 5 s is not handed
    /// back: its task waits until the coordinator counts this worker as lost.
    ///
    /// What was asked stays asked if the future is dropped.
    pub async fn drain(&self) {
        let driver = self.shared.stop(|driver| driver.drain(self.drain_timeout));
        if let Some(driver) = driver {
            driver.ended().await;
        }
    }

    /// Ends at once: handlers are told to stop. If they do within 1 s, a goodbye hands their tasks
    /// back; else the coordinator waits with them until it counts this worker as lost.
    pub fn shutdown(&self) {
        self.shared.stop(moorline_driver::WorkerHandle::shutdown);
    }
}

/// What a worker and its handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    phase: Mutex<Phase>,
    changed: watch::Sender<()>,
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
    /// Its loop has ended.
    Ended(LinkStatus),
}

impl Shared {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { phase: Mutex::new(Phase::Built), changed: watch::Sender::new(()) })
    }

    /// The running loop, if it runs.
    #[cfg(feature = "health")]
    pub(crate) fn driver(&self) -> Option<moorline_driver::WorkerHandle> {
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
        *self.shared.phase() = Phase::Ended(LinkStatus::from(self.driver.status()).ended());
        self.shared.changed.send_replace(());
    }
}
