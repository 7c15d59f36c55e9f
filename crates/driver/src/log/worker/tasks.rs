//! What a worker's log says of the attempts it runs.

use std::time::Duration;

use moorline_node::Name;
use moorline_work::{Outcome, TaskKey};
use tracing::{error, info, warn};

use super::WorkerLog;
use crate::log::{Key, Task, Time, millis};

impl WorkerLog {
    /// The coordinator may have given these attempts away by now.
    pub(crate) fn leases_expired(&self, held: impl Iterator<Item = TaskKey>) {
        for key in held {
            warn!(
                event = "task.lease_lost", role = "worker", worker = %self.worker,
                session = self.session(), epoch = self.epoch(),
                task = %Task(key.task), attempt = key.attempt.0,
                "Lease of {} may have been given away; its result will be offered", Key(key)
            );
        }
    }

    pub(crate) fn task_started(&self, key: TaskKey, handler: &Name) {
        info!(
            event = "task.started", role = "worker", worker = %self.worker,
            session = self.session(), epoch = self.epoch(), task = %Task(key.task),
            attempt = key.attempt.0, handler = %handler,
            "Task started: {handler}/{}", Key(key)
        );
    }

    pub(crate) fn task_ended(
        &self,
        key: TaskKey,
        handler: &Name,
        outcome: Outcome,
        took: Duration,
        error: &[u8],
    ) {
        let task = Task(key.task);
        let took_ms = millis(took);
        let how = match outcome {
            Outcome::Succeeded => {
                info!(
                    event = "task.finished", role = "worker", worker = %self.worker,
                    session = self.session(), epoch = self.epoch(), task = %task,
                    attempt = key.attempt.0, handler = %handler, took_ms,
                    "Task completed: {handler}/{task} ({})", Time(took)
                );
                return;
            }
            Outcome::Failed { retryable: true } => "failed, may be retried",
            Outcome::Failed { retryable: false } => "failed for good",
            Outcome::TimedOut => "timed out",
            Outcome::Cancelled => "cancelled",
        };
        warn!(
            event = "task.failed", role = "worker", worker = %self.worker,
            session = self.session(), epoch = self.epoch(), task = %task,
            attempt = key.attempt.0, handler = %handler, outcome = how, took_ms,
            "Task failed: {handler}/{task} ({}): {how}: {}", Time(took), first_line(error)
        );
    }

    pub(crate) fn handler_panicked(&self, key: TaskKey, handler: &Name) {
        error!(
            event = "task.failed", role = "worker", worker = %self.worker,
            session = self.session(), epoch = self.epoch(), task = %Task(key.task),
            attempt = key.attempt.0, handler = %handler,
            "The executor panicked while it started {handler}/{}", Key(key)
        );
    }
}

/// As much of an error text as belongs into a log line.
fn first_line(text: &[u8]) -> String {
    const MOST: usize = 200;
    let text = String::from_utf8_lossy(text);
    text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(MOST).collect()
}
