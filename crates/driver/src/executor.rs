//! What runs handlers for a worker.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use moorline_node::Name;
use moorline_sync::Sender;
use moorline_work::{AbortReason, Outcome, RunId, TaskKey};

/// Runs handlers. Called from the worker's own loop thread, so it must not block: it hands the job
/// to where handlers run and returns.
///
/// A call that panics fails the run and nothing else.
pub trait Executor: Send + 'static {
    /// Run a handler and say through `done` how it ended.
    fn start(&mut self, job: Job, done: Completion);

    /// Stop a run as soon as possible; it is still to be completed. It may have ended already.
    fn abort(&mut self, run: RunId, reason: AbortReason);
}

/// One run of a handler.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Job {
    /// Its name in this process: stays the same when its attempt gets another number.
    pub run: RunId,
    /// The task and the attempt, as it was when it started.
    pub key: TaskKey,
    /// Which handler.
    pub handler: Name,
    /// Its input.
    pub payload: Bytes,
    /// It will be aborted after this time from now.
    pub deadline: Option<Duration>,
}

/// Takes the outcome of a run, exactly once.
///
/// Dropped without a word it says `Failed { retryable: true }` and "handler was dropped": so a panic
/// or a forgotten branch becomes a failure instead of a task that never ends.
pub struct Completion {
    run: RunId,
    done: Option<Sender<Finished>>,
}

/// How a run ended, on its way to the loop.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) run: RunId,
    pub(crate) outcome: Outcome,
    pub(crate) body: Bytes,
}

impl Completion {
    pub(crate) fn new(run: RunId, done: Sender<Finished>) -> Self {
        Self { run, done: Some(done) }
    }

    /// Which run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// The run ended: `body` is the result, or the error in words.
    pub fn complete(mut self, outcome: Outcome, body: Bytes) {
        self.say(outcome, body);
    }

    fn say(&mut self, outcome: Outcome, body: Bytes) {
        if let Some(done) = self.done.take() {
            // The loop has ended: nobody is left to be told.
            let _ = done.send(Finished { run: self.run, outcome, body });
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        self.say(Outcome::Failed { retryable: true }, Bytes::from_static(b"handler was dropped"));
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion").field("run", &self.run).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
