//! The worker: handlers, and a link that comes back by itself.

mod builder;
mod data_dir;
mod executor;
mod handle;
mod settings;
mod status;

use std::sync::Arc;
use std::time::Duration;

use moorline_driver::{Transports, WorkerOptions, start_worker};
use moorline_link::State;

pub use builder::WorkerBuilder;
#[cfg(feature = "cli")]
pub(crate) use builder::host_name;
pub use handle::WorkerHandle;
pub use status::LinkStatus;

use crate::{Error, Result};
use data_dir::DataDir;
use executor::Handlers;
use handle::Owner;

/// Runs tasks for a coordinator, and finds back to it whatever happens to the connection.
///
/// Its link lives on a thread of its own, so a handler that blocks every thread of the runtime does
/// not cost the connection (P23). Handlers run on the tokio runtime in which it was built.
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
    /// Held as long as the worker runs.
    data_dir: Option<DataDir>,
}

impl Worker {
    /// A worker for the coordinator at this URL, such as `grpc://127.0.0.1:8740`.
    pub fn builder(coordinator: impl Into<String>) -> WorkerBuilder {
        WorkerBuilder::new(coordinator.into())
    }

    /// Steers the worker, also before it runs.
    #[must_use]
    pub fn handle(&self) -> WorkerHandle {
        WorkerHandle::new(Arc::clone(self.shared.get()), self.drain_timeout)
    }

    /// Runs until the worker was drained or shut down, or its link has failed for good.
    ///
    /// Dropping the future shuts the worker down, see [`WorkerHandle::shutdown`].
    ///
    /// # Errors
    /// [`Error::Ended`] with the reason if the link has failed for good: the coordinator refuses this
    /// worker, a newer process of it took over, or the attempts allowed by
    /// [`Reconnect`](crate::Reconnect) are used up. [`Error::Start`] if there is no thread for it.
    pub async fn run(self) -> Result<()> {
        let Self { transports, options, handlers, shared, log_repeat_every, data_dir, .. } = self;
        // Released when the worker has ended, so that the next process finds nobody here.
        let _data_dir = data_dir;
        if !shared.get().may_start() {
            return Ok(());
        }
        let driver = start_worker(transports, options, Box::new(handlers)).map_err(Error::Start)?;
        driver.summarise_every(log_repeat_every);
        let _ended = shared.get().started(driver.clone());
        let ending = driver.ended().await;
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

#[cfg(all(test, feature = "client", feature = "coordinator"))]
mod tests;
