//! The worker: handlers, and a link that comes back by itself.

mod builder;
mod changes;
#[cfg(any(feature = "health", all(feature = "process", unix)))]
#[cfg_attr(
    not(all(feature = "health", feature = "process", unix)),
    allow(dead_code, reason = "without children none is counted, without health nobody asks")
)]
mod child_exits;
mod data_dir;
mod executor;
mod handle;
#[cfg(feature = "journal")]
mod journal;
mod listener;
mod runtime;
mod settings;
mod status;
mod why;

use std::sync::Arc;
use std::time::Duration;

use moorline_driver::{Transports, WorkerOptions};
use moorline_link::State;

pub use builder::WorkerBuilder;
#[cfg(feature = "cli")]
pub(crate) use builder::host_name;
pub use changes::LinkChanges;
#[cfg(all(feature = "process", unix))]
pub(crate) use child_exits::ChildExit;
#[cfg(any(feature = "health", all(feature = "process", unix)))]
pub(crate) use child_exits::ChildExits;
#[cfg(feature = "health")]
pub(crate) use handle::Shared;
pub use handle::WorkerHandle;
#[cfg(feature = "cli")]
pub(crate) use journal::LEAST as JOURNAL_MAX_LEAST;
pub use runtime::Runtime;
pub use status::{LinkStatus, OutageStatus};
pub use why::Why;

use crate::{Error, Result};
use data_dir::DataDir;
use executor::Handlers;
use handle::Owner;
use listener::Listeners;
pub(crate) use runtime::Host;

/// Runs tasks for a coordinator, and finds back to it whatever happens to the connection.
///
/// Its link lives on a thread of its own, so a handler that blocks every thread of the runtime does
/// not cost the connection (P23). Handlers run on the tokio runtime in which it was built, or on
/// another [`Runtime`].
///
/// ```no_run
/// use moorline::{Result, TaskCtx, Worker};
///
/// async fn greet(_ctx: TaskCtx, who: String) -> Result<String> {
///     Ok(format!("hello {who}"))
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<()> {
///     Worker::builder("grpc://127.0.0.1:8740").task("greet", greet).run().await
/// }
/// ```
#[derive(Debug)]
#[must_use = "a worker does nothing until `run`"]
pub struct Worker {
    transports: Transports,
    options: WorkerOptions,
    handlers: Handlers,
    shared: Owner,
    drain_timeout: Duration,
    log_repeat_every: Duration,
    #[cfg(feature = "health")]
    health: Watched,
    listeners: Listeners,
    host: Host,
    /// Held as long as the worker runs.
    data_dir: Option<DataDir>,
}

impl Worker {
    /// A worker for the coordinator at this URL, such as `grpc://127.0.0.1:8740`.
    ///
    /// ```
    /// let builder = moorline::Worker::builder("grpc://127.0.0.1:8740").name("gpu-1").slots(4);
    /// # let _ = builder;
    /// ```
    pub fn builder(coordinator: impl Into<String>) -> WorkerBuilder {
        WorkerBuilder::new(coordinator.into())
    }

    /// Steers the worker, also before it runs.
    ///
    /// ```
    /// # fn example(worker: moorline::Worker) {
    /// let handle = worker.handle();
    /// tokio::spawn(worker.run());
    /// println!("{:?}", handle.link().state);
    /// # }
    /// ```
    #[must_use]
    pub fn handle(&self) -> WorkerHandle {
        WorkerHandle::new(Arc::clone(self.shared.get()), self.drain_timeout)
    }

    /// Where its health is served, if it is ([`WorkerBuilder::health`]): with the real port where port 0
    /// was asked for.
    ///
    /// ```
    /// # fn example(worker: &moorline::Worker) {
    /// if let Some(address) = worker.health_address() {
    ///     println!("probe http://{address}/readyz");
    /// }
    /// # }
    /// ```
    #[cfg(feature = "health")]
    #[must_use]
    pub fn health_address(&self) -> Option<std::net::SocketAddr> {
        self.health.bound.as_ref().map(crate::health::Bound::address)
    }

    /// What watches this worker looks at: from now on its loop turns often enough for that.
    #[cfg(feature = "health")]
    pub(crate) fn subject(&mut self) -> Arc<dyn crate::health::Subject> {
        self.health.is_watched = true;
        let config = &self.options.config;
        Arc::new(crate::health::WorkerSubject::new(
            Arc::clone(self.shared.get()),
            config.name.to_string(),
            config.handlers.iter().map(ToString::to_string).collect(),
            self.health.limits,
            self.health.child_exits.clone(),
        ))
    }

    /// Runs until the worker was drained or shut down, or its link has failed for good.
    ///
    /// Dropping the future shuts the worker down, see [`WorkerHandle::shutdown`].
    ///
    /// # Errors
    /// [`Error::Ended`] with the reason if the link has failed for good: the coordinator refuses this
    /// worker, a newer process of it took over, or the attempts allowed by
    /// [`Reconnect`](crate::Reconnect) are used up. [`Error::Start`] if there is no thread for it.
    ///
    /// ```
    /// # async fn example(worker: moorline::Worker) {
    /// if let Err(error) = worker.run().await {
    ///     eprintln!("{} {error} {}", error.code(), error.hint());
    /// }
    /// # }
    /// ```
    pub async fn run(self) -> Result<()> {
        let handle = self.handle();
        #[cfg(feature = "health")]
        let (this, _health) = self.with_health()?;
        #[cfg(not(feature = "health"))]
        let this = self;
        #[cfg(feature = "health")]
        let is_watched = this.health.is_watched;
        let Self {
            transports,
            options,
            handlers,
            shared,
            log_repeat_every,
            listeners,
            host,
            data_dir,
            ..
        } = this;
        // Released when the worker has ended, so that the next process finds nobody here.
        let _data_dir = data_dir;
        if !shared.get().may_start() {
            return Ok(());
        }
        let driver = host.start(transports, options, Box::new(handlers)).map_err(Error::Start)?;
        driver.summarise_every(log_repeat_every);
        #[cfg(feature = "health")]
        if is_watched {
            driver.pulse_every(crate::health::PULSE_EVERY);
        }
        let running = shared.get().started(driver.clone());
        let told = listeners.start(&host, || handle.subscribe());
        let ending = driver.ended().await;
        drop(running);
        told.of_the_end(&host).await;
        match ending.state {
            State::Failed => {
                let reason = ending.reason.unwrap_or(moorline_link::Reason::ClosedByPeer);
                Err(Error::Ended { reason, hint: ending.hint })
            }
            State::Shutdown
            | State::Disconnected
            | State::Connecting
            | State::Registered
            | State::Active => Ok(()),
        }
    }

    /// Its loop as a future, for a runtime that many workers share: instead of [`run`](Self::run).
    ///
    /// # Errors
    /// [`Error::Start`] if no node can be made of the settings.
    #[cfg(feature = "cli")]
    pub(crate) fn into_loop(
        self,
    ) -> Result<(moorline_driver::WorkerHandle, futures::future::BoxFuture<'static, ()>)> {
        let Self { transports, options, handlers, .. } = self;
        let (tokio, handlers) = (moorline_driver::Tokio, Box::new(handlers));
        moorline_driver::worker(tokio, transports, options, handlers).map_err(|error| {
            Error::Start(std::io::Error::new(std::io::ErrorKind::InvalidInput, error))
        })
    }
}

/// Who watches a worker.
#[cfg(feature = "health")]
#[derive(Debug, Default)]
struct Watched {
    bound: Option<crate::health::Bound>,
    limits: crate::health::Limits,
    is_watched: bool,
    /// If any handler is a child process.
    child_exits: Option<ChildExits>,
}

#[cfg(feature = "health")]
impl Worker {
    /// Health is served from before the first dial until the worker has ended.
    fn with_health(mut self) -> Result<(Self, Option<crate::health::Health>)> {
        let Some(bound) = self.health.bound.take() else { return Ok((self, None)) };
        let subject = self.subject();
        let health = crate::health::Health::serve(bound, subject)?;
        Ok((self, Some(health)))
    }
}

#[cfg(all(test, feature = "client", feature = "coordinator"))]
mod tests;
