//! What a worker proves itself with, and who is let in: the callbacks of programs that embed either.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{Either, select};
use moorline_driver::Credentials;
use moorline_node::Credential;

use crate::worker::Host;
use crate::{BoxError, DisconnectReason};

#[cfg(feature = "coordinator")]
mod applicant;
pub(crate) mod tokens;

#[cfg(feature = "coordinator")]
pub(crate) use applicant::AskApplicants;
#[cfg(feature = "coordinator")]
pub use applicant::{Applicant, Denial};

/// A function that gets a credential, until it is known on which runtime.
pub(crate) struct GetCredentials(Box<dyn FnOnce(&Host) -> Credentials + Send + Sync>);

impl GetCredentials {
    pub(crate) fn by<F, T>(fetch: F) -> Self
    where
        F: Fn(Option<DisconnectReason>) -> T + Send + Sync + 'static,
        T: Future<Output = Result<Credential, BoxError>> + Send + 'static,
    {
        let fetch = Arc::new(fetch);
        Self(Box::new(move |runtime| {
            let runtime = runtime.clone();
            Credentials::new(move |refused| {
                let (runtime, fetch) = (runtime.clone(), Arc::clone(&fetch));
                async move {
                    match on(&runtime, async move { fetch(refused).await }).await {
                        Some(fetched) => fetched.map_err(|error| error.to_string()),
                        None => {
                            Err("what gets the credential has panicked, or its runtime has ended"
                                .to_owned())
                        }
                    }
                }
            })
        }))
    }

    /// Asks it for each attempt to connect, on the runtime that handlers run on: whatever it does there
    /// holds up no heartbeat.
    pub(crate) fn on(self, runtime: &Host) -> Credentials {
        (self.0)(runtime)
    }
}

/// Runs this on a runtime, and ends it when nobody waits for it any more. `None`: it panicked, or the
/// runtime has ended.
async fn on<T: Send + 'static>(
    runtime: &Host,
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    // Gone with whoever waits.
    let (wanted, unwanted) = oneshot::channel::<Infallible>();
    runtime.spawn(async move {
        let work = pin!(AssertUnwindSafe(work).catch_unwind());
        if let Either::Left((Ok(done), _)) = select(work, unwanted).await {
            // Who asked may have stopped waiting.
            let _ = reply.send(done);
        }
    });
    let done = answer.await.ok();
    drop(wanted);
    done
}
