//! What goes into a [`Runner`](crate::Runner) and what comes out of it.

use core::time::Duration;

use crate::{Assign, CoordinatorMessage, Disposition, Instant, Judgement, Outcome, RunId, TaskKey};

/// Everything a [`Runner`](crate::Runner) can be told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RunnerInput {
    /// The time of [`next_wake`](crate::Runner::next_wake) has come (an early one changes nothing).
    Timeout,
    /// The coordinator accepted a registration. In a new session everything said in the old one is
    /// void, and what is held is judged again.
    Welcomed {
        /// Whether the old session goes on.
        resumed: bool,
    },
    /// The coordinator's answer to one key of the inventory.
    Judged {
        /// Which.
        key: TaskKey,
        /// What to do with it.
        judgement: Judgement,
    },
    /// A message of the coordinator.
    Message(CoordinatorMessage),
    /// A handler ended (or stopped after an abort); its body is kept by the embedder.
    Done {
        /// Which run.
        run: RunId,
        /// How. After an abort the reason of the abort wins over a failure, a success over both.
        outcome: Outcome,
        /// Size of the body in bytes.
        len: u32,
    },
    /// Take nothing new from now on.
    Drain,
}

/// What became of an input, at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RunnerVerdict {
    /// It took effect, or rightly changed nothing.
    Accepted,
    /// The assignment starts a run: keep its payload under this name.
    Started {
        /// The run.
        run: RunId,
        /// What was assigned.
        assign: Assign,
        /// When the run has to end.
        deadline: Option<Instant>,
    },
    /// The assignment was refused or is held already: its payload is not needed.
    NotStarted,
    /// It names something that is not held: nothing changed.
    Stale,
}

/// Why a run is to be stopped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AbortReason {
    /// The coordinator said so.
    Cancelled,
    /// It ran longer than it may.
    TimedOut,
}

/// What the driver can always do at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RunnerAction {
    /// Stop this run; say `Done` when it has stopped.
    Abort {
        /// Which run.
        run: RunId,
        /// Its attempt.
        key: TaskKey,
        /// Why.
        reason: AbortReason,
    },
    /// The result is answered: its body may go.
    Settled {
        /// Which run.
        run: RunId,
        /// Its attempt.
        key: TaskKey,
        /// What became of it.
        disposition: Disposition,
    },
}

/// Settings of a [`Runner`](crate::Runner).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RunnerConfig {
    /// How many attempts run at once: 1 to 65,535. Default 1.
    pub slots: u16,
    /// How long an attempt may run when its task does not say; the shorter of both counts. Default: no limit.
    pub task_timeout: Option<Duration>,
}

impl Default for RunnerConfig {
    fn default() -> Self {
        Self { slots: 1, task_timeout: None }
    }
}
