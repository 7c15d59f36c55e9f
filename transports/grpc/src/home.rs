//! Tokio where there is one, else a small one of the transport's own.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use futures::channel::oneshot;
use tokio::runtime::{Builder, EnterGuard, Handle};
use tokio::task::AbortHandle;

/// Where the sockets of a dial or a listener live, and the tasks that drive them.
#[derive(Clone)]
pub(crate) struct Home {
    tokio: Handle,
    /// The transport's own runtime lives as long as one of these, so each task there holds one.
    private: Option<Arc<Private>>,
}

/// Finds a home for whoever asks. Cloning shares the private runtime, which begins when somebody without
/// tokio asks first.
#[derive(Clone, Default)]
pub(crate) struct Homes {
    private: Arc<Mutex<Option<Arc<Private>>>>,
}

/// A tokio runtime on a thread of its own. The thread ends when this is dropped, wherever that is: nobody
/// waits for it.
struct Private {
    tokio: Handle,
    _alive: oneshot::Sender<()>,
}

impl Homes {
    /// The tokio of the caller, or else the private one.
    ///
    /// # Errors
    /// The system gives no thread or no descriptors for it.
    pub(crate) fn here(&self) -> io::Result<Home> {
        if let Ok(tokio) = Handle::try_current() {
            return Ok(Home { tokio, private: None });
        }
        // It is assigned whole, so a poisoned lock holds a whole one.
        let mut begun = self.private.lock().unwrap_or_else(PoisonError::into_inner);
        let private = match &*begun {
            Some(private) => Arc::clone(private),
            None => Arc::clone(begun.insert(Arc::new(Private::begin()?))),
        };
        Ok(Home { tokio: private.tokio.clone(), private: Some(private) })
    }
}

impl Private {
    fn begin() -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .thread_name("moorline-lookup")
            .build()?;
        let tokio = runtime.handle().clone();
        let (alive, ended) = oneshot::channel::<()>();
        thread::Builder::new().name("moorline-grpc".into()).spawn(move || {
            // Nothing is ever said: its end is that the other one is dropped.
            let _ = runtime.block_on(ended);
            // A name that is still being looked up is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { tokio, _alive: alive })
    }
}

impl Home {
    /// Runs this in the background, to its end.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let home = self.clone();
        // Boxed: what is moved into a future and awaited there has room in it twice.
        let task = Box::pin(task);
        self.tokio.spawn(async move {
            task.await;
            // Behind the task, not beside it.
            drop(home);
        });
    }

    /// Runs this where it can use sockets and timers, until it ends or its caller waits no more.
    ///
    /// # Errors
    /// It has panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> io::Result<T> {
        if self.private.is_none() {
            return Ok(work.await);
        }
        let (tell, done) = oneshot::channel();
        let task = self.tokio.spawn(async move {
            // Who waits no more has aborted this.
            let _ = tell.send(work.await);
        });
        let _wanted = Wanted(task.abort_handle());
        done.await.map_err(|_| io::Error::other("the task of the transport has panicked"))
    }

    /// What makes sockets or timers has to be called under this.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.tokio.enter()
    }
}

/// Ends a task when nobody waits for it any more.
struct Wanted(AbortHandle);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl fmt::Debug for Homes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let private = self.private.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Homes").field("has_private", &private.is_some()).finish()
    }
}

#[cfg(test)]
mod tests;
