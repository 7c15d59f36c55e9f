//! Runs handlers on the user's runtime for the worker's loop.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc::{self, UnboundedReceiver, UnboundedSender};
use futures::{FutureExt, StreamExt};
use moorline_driver::{Completion, Executor, Job};
use moorline_work::{AbortReason, Outcome, RunId};

use super::runtime::Host;
use crate::task::{Abort, Finished, Handler, Stop, TaskCtx};

/// How long a handler that looks at its cancellation may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// The runs that have not ended, to stop them. Locked only to copy.
type Runs = Arc<Mutex<BTreeMap<RunId, Arc<Abort>>>>;

/// The handlers of a worker, each attempt a task of its runtime. Dropping it ends what runs.
pub(crate) struct Handlers {
    handlers: BTreeMap<String, Arc<dyn Handler>>,
    /// To the task that starts attempts: what comes in one turn of the loop wakes the runtime once.
    attempts: UnboundedSender<Attempt>,
    runs: Runs,
}

/// An attempt that is to begin. Dropped, it says so.
struct Attempt {
    handler: Arc<dyn Handler>,
    job: Job,
    done: Completion,
    abort: Arc<Abort>,
    entry: Entry,
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Handlers").field(&self.handlers.keys()).finish()
    }
}

impl Handlers {
    pub(crate) fn new(handlers: BTreeMap<String, Arc<dyn Handler>>, host: &Host) -> Self {
        let (attempts, coming) = mpsc::unbounded();
        host.spawn(start(coming, host.clone()));
        Self { handlers, attempts, runs: Runs::default() }
    }
}

/// Until the worker is gone.
async fn start(mut coming: UnboundedReceiver<Attempt>, host: Host) {
    while let Some(attempt) = coming.next().await {
        host.spawn(attempt.run(host.clone()));
    }
}

impl Attempt {
    async fn run(self, host: Host) {
        let Self { handler, job, done, abort, entry: _entry } = self;
        let ctx = TaskCtx::new(job.key, job.deadline, Arc::clone(&abort));
        // The future is gone, and what it held is free, before anybody hears that it ended.
        let finished = run(handler, ctx, job.payload, &abort, &host).await;
        done.complete(finished.outcome, finished.body);
    }
}

impl Executor for Handlers {
    fn start(&mut self, job: Job, done: Completion) {
        let Some(handler) = self.handlers.get(job.handler.as_str()) else {
            // The machine refuses what is not registered, so this is a fault of this worker only.
            let text = format!("this worker has no handler {}", job.handler);
            done.complete(Outcome::Failed { retryable: true }, text.into());
            return;
        };
        let abort = Abort::new();
        lock(&self.runs).insert(job.run, Arc::clone(&abort));
        let entry = Entry { run: job.run, runs: Arc::clone(&self.runs) };
        let attempt = Attempt { handler: Arc::clone(handler), job, done, abort, entry };
        // If the runtime is gone, the attempt is dropped here.
        let _ = self.attempts.unbounded_send(attempt);
    }

    fn abort(&mut self, run: RunId, reason: AbortReason) {
        if let Some(abort) = lock(&self.runs).get(&run) {
            abort.tell(Stop::Asked(reason));
        }
    }
}

impl Drop for Handlers {
    fn drop(&mut self) {
        for abort in lock(&self.runs).values() {
            abort.tell(Stop::Now);
        }
    }
}

async fn run(
    handler: Arc<dyn Handler>,
    ctx: TaskCtx,
    input: Bytes,
    abort: &Abort,
    host: &Host,
) -> Finished {
    let work = AssertUnwindSafe(async move { handler.call(ctx, input).await }).catch_unwind();
    tokio::select! {
        // A result that is there counts, whatever was asked meanwhile.
        biased;
        finished = work => {
            let finished = finished.unwrap_or_else(|panic| {
                Finished::failed(true, format!("the handler panicked: {}", panic_text(&*panic)))
            });
            explained(finished, abort.stop())
        }
        stop = abort.over(|| host.sleep(GRACE)) => match stop {
            Stop::Asked(reason) => stopped(reason, None),
            Stop::Now | Stop::No => Finished { outcome: Outcome::Cancelled, body: Bytes::new() },
        },
    }
}

/// A failure of an attempt that was told to stop is told by why it was: what the handler says, such
/// as the signal it died of, comes after.
fn explained(finished: Finished, stop: Stop) -> Finished {
    match (finished.outcome, stop) {
        (Outcome::Failed { .. }, Stop::Asked(reason)) => stopped(reason, Some(&finished.body)),
        (Outcome::Failed { .. }, Stop::No | Stop::Now)
        | (Outcome::Succeeded | Outcome::TimedOut | Outcome::Cancelled, _) => finished,
    }
}

/// The end of an attempt that was told to stop, with what its handler said to that.
fn stopped(reason: AbortReason, said: Option<&Bytes>) -> Finished {
    let (outcome, why) = match reason {
        AbortReason::TimedOut => (Outcome::TimedOut, "the attempt ran out of time"),
        AbortReason::Cancelled => (Outcome::Cancelled, "the attempt was cancelled"),
        AbortReason::HandedBack => (Outcome::Cancelled, "its worker handed the attempt back"),
    };
    let body = match said {
        Some(said) => Bytes::from([why.as_bytes(), b": ", said].concat()),
        None => Bytes::from_static(why.as_bytes()),
    };
    Finished { outcome, body }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// Takes a run off the list when it ends, however it ends.
struct Entry {
    run: RunId,
    runs: Runs,
}

impl Drop for Entry {
    fn drop(&mut self) {
        lock(&self.runs).remove(&self.run);
    }
}

fn lock(runs: &Runs) -> MutexGuard<'_, BTreeMap<RunId, Arc<Abort>>> {
    // A panic cannot leave the map half changed.
    runs.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
