//! The runtime of a worker: where its handlers run, and what its loop waits by.

use std::fmt;
use std::future::Future;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use futures::future::BoxFuture;
use moorline_driver::{Executor, Transports, WorkerOptions};
use tokio::runtime::Handle;

use crate::{Error, Result};

/// The runtime of a worker ([`WorkerBuilder::runtime`](crate::WorkerBuilder::runtime)): its handlers and
/// its listeners run there, and its loop, which has a thread to itself under each of them, waits by its
/// sockets and timers.
///
/// Which there are is a matter of features; without those nothing of them is built in.
///
/// ```
/// use moorline::Runtime;
///
/// assert_eq!(Runtime::default(), Runtime::Tokio);
/// assert_eq!("tokio".parse::<Runtime>()?, Runtime::Tokio);
/// let error = "fibers".parse::<Runtime>().unwrap_err();
/// assert!(error.to_string().contains("`fibers` is no runtime"), "{error}");
/// # Ok::<(), moorline::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Runtime {
    /// The tokio runtime in which the worker is built. The default.
    #[default]
    Tokio,
    /// smol's global executor, whose threads begin by themselves (feature `smol`).
    #[cfg(feature = "smol")]
    Smol,
    /// async-std's global executor, for programs that are built on it (feature `async-std`). Its authors
    /// have discontinued it.
    #[cfg(feature = "async-std")]
    AsyncStd,
    /// No runtime: a thread for each attempt and for each listener, one that starts attempts, and one
    /// that keeps the time for all (feature `threads`). A handler may block as long as it likes.
    #[cfg(feature = "threads")]
    Threads,
}

impl Runtime {
    /// Those of this build.
    const ALL: &[Self] = &[
        Self::Tokio,
        #[cfg(feature = "smol")]
        Self::Smol,
        #[cfg(feature = "async-std")]
        Self::AsyncStd,
        #[cfg(feature = "threads")]
        Self::Threads,
    ];

    /// Those that another build may have.
    const NAMES: &[&str] = &["tokio", "smol", "async-std", "threads"];

    const fn name(self) -> &'static str {
        match self {
            Self::Tokio => "tokio",
            #[cfg(feature = "smol")]
            Self::Smol => "smol",
            #[cfg(feature = "async-std")]
            Self::AsyncStd => "async-std",
            #[cfg(feature = "threads")]
            Self::Threads => "threads",
        }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Runtime {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(runtime) = Self::ALL.iter().find(|runtime| runtime.name() == text) {
            return Ok(*runtime);
        }
        let known = Self::ALL.iter().map(|runtime| runtime.name()).collect::<Vec<_>>().join(", ");
        Err(Error::setting(
            "runtime",
            if Self::NAMES.contains(&text) {
                format!(
                    "`{text}` is not in this build, which has {known}: build it with the feature `{text}`"
                )
            } else {
                format!("`{text}` is no runtime; this build has {known}")
            },
        ))
    }
}

/// A runtime that is there: what a worker asks of it.
#[derive(Clone, Debug)]
pub(crate) enum Host {
    /// This one.
    Tokio(Handle),
    #[cfg(feature = "smol")]
    Smol,
    #[cfg(feature = "async-std")]
    AsyncStd,
    #[cfg(feature = "threads")]
    Threads,
}

impl Host {
    /// # Errors
    /// [`Error::NoRuntime`]: it has to be entered, and is not.
    pub(crate) fn of(runtime: Runtime) -> Result<Self> {
        Ok(match runtime {
            Runtime::Tokio => Self::Tokio(Handle::try_current().map_err(|_| Error::NoRuntime)?),
            #[cfg(feature = "smol")]
            Runtime::Smol => Self::Smol,
            #[cfg(feature = "async-std")]
            Runtime::AsyncStd => Self::AsyncStd,
            #[cfg(feature = "threads")]
            Runtime::Threads => Self::Threads,
        })
    }

    /// Runs this to its end in the background.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::Tokio(tokio) => drop(tokio.spawn(task)),
            #[cfg(feature = "smol")]
            Self::Smol => spawn_on(&moorline_driver::Smol, task),
            #[cfg(feature = "async-std")]
            Self::AsyncStd => spawn_on(&moorline_driver::AsyncStd, task),
            #[cfg(feature = "threads")]
            Self::Threads => spawn_on(&moorline_driver::Threads, task),
        }
    }

    /// Ends after this time, or somewhat later.
    pub(crate) fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        match self {
            Self::Tokio(tokio) => {
                // Whoever waits may be in another one, which may outlive this.
                let entered = Handle::try_current().is_err().then(|| tokio.enter());
                let sleep = Box::pin(tokio::time::sleep(time));
                drop(entered);
                sleep
            }
            #[cfg(feature = "smol")]
            Self::Smol => sleep_on(&moorline_driver::Smol, time),
            #[cfg(feature = "async-std")]
            Self::AsyncStd => sleep_on(&moorline_driver::AsyncStd, time),
            #[cfg(feature = "threads")]
            Self::Threads => sleep_on(&moorline_driver::Threads, time),
        }
    }

    /// Starts the loop of a worker, on a thread of its own.
    pub(crate) fn start(
        &self,
        transports: Transports,
        options: WorkerOptions,
        handlers: Box<dyn Executor>,
    ) -> io::Result<moorline_driver::WorkerHandle> {
        #[cfg(any(feature = "smol", feature = "async-std", feature = "threads"))]
        use moorline_driver::start_worker_thread;
        match self {
            // A small one of its own, so that nothing on this one can silence it (P23).
            Self::Tokio(_) => moorline_driver::start_worker(transports, options, handlers),
            #[cfg(feature = "smol")]
            Self::Smol => start_worker_thread(moorline_driver::Smol, transports, options, handlers),
            #[cfg(feature = "async-std")]
            Self::AsyncStd => {
                start_worker_thread(moorline_driver::AsyncStd, transports, options, handlers)
            }
            #[cfg(feature = "threads")]
            Self::Threads => {
                start_worker_thread(moorline_driver::Threads, transports, options, handlers)
            }
        }
    }
}

#[cfg(any(feature = "smol", feature = "async-std", feature = "threads"))]
fn spawn_on(
    runtime: &impl moorline_driver::Runtime,
    task: impl Future<Output = ()> + Send + 'static,
) {
    runtime.spawn(Box::pin(task));
}

#[cfg(any(feature = "smol", feature = "async-std", feature = "threads"))]
fn sleep_on(runtime: &impl moorline_driver::Runtime, time: Duration) -> BoxFuture<'static, ()> {
    runtime.sleep_until(runtime.now() + time)
}

#[cfg(test)]
mod tests;
