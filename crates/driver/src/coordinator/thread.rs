//! A coordinator with a thread and a runtime to itself.

use futures::channel::oneshot;
use moorline_store::Store;

use super::errors::StartError;
use super::{CoordinatorHandle, CoordinatorOptions, start_coordinator};
use crate::runtime::Tokio;
use crate::transports::Transports;

/// [`start_coordinator`] on an OS thread of its own with a current-thread tokio runtime, which drives its
/// connections too: nothing else in the process holds them up, and no turn waits for another thread to
/// wake. Dropping the future before it has resolved stops what was started.
///
/// # Errors
/// [`StartError`]. Nothing is left running then.
pub async fn start_coordinator_thread(
    transports: Transports,
    store: Box<dyn Store>,
    options: CoordinatorOptions,
) -> Result<CoordinatorHandle, StartError> {
    let (tell, started) = oneshot::channel();
    let run = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                // Who does not wait any more does not miss it.
                let _ = tell.send(Err(StartError::Thread(error)));
                return;
            }
        };
        runtime.block_on(async {
            let started = start_coordinator(Tokio, transports, store, options).await;
            let coordinator = started.as_ref().ok().cloned();
            // Whether it is taken out there, nobody here can know: not taken, it is dropped.
            let _ = tell.send(started.map(Unclaimed::new));
            if let Some(coordinator) = coordinator {
                coordinator.stopped().await;
            }
        });
        // A name that is still being resolved is not waited for.
        runtime.shutdown_background();
    };
    std::thread::Builder::new()
        .name("moorline-coordinator".into())
        .spawn(run)
        .map_err(StartError::Thread)?;
    // Without an answer it panicked.
    let ended = || StartError::Thread(std::io::Error::other("the coordinator's thread ended"));
    started.await.map_err(|_| ended())?.map(Unclaimed::claim)
}

/// A coordinator that stops if nobody takes it.
struct Unclaimed {
    coordinator: CoordinatorHandle,
    is_claimed: bool,
}

impl Unclaimed {
    fn new(coordinator: CoordinatorHandle) -> Self {
        Self { coordinator, is_claimed: false }
    }

    fn claim(mut self) -> CoordinatorHandle {
        self.is_claimed = true;
        self.coordinator.clone()
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if !self.is_claimed {
            self.coordinator.begin_stop();
        }
    }
}
