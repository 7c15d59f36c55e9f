//! What coordinator and worker say to each other about work: headers only, all `Copy`.

use core::time::Duration;

use crate::{Attempt, Sym, TaskKey};

/// How an attempt ended on its worker.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// The handler returned a result; the body is the result.
    Succeeded,
    /// The handler failed; the body says why in words.
    Failed {
        /// Another attempt may help, as the handler says.
        retryable: bool,
    },
    /// The attempt ran longer than it may; counts as a retryable failure.
    TimedOut,
    /// It was cancelled and stopped.
    Cancelled,
}

/// Why a worker does not take an assignment. It counts neither as a retry nor as a loss.
///
/// ```
/// use moorline_work::*;
///
/// let mut runner = Runner::new(RunnerConfig::default(), [Sym(1)]);
/// let key = TaskKey { task: TaskId(7), attempt: Attempt(1) };
/// let assign = Assign { key, handler: Sym(2), timeout: None };
/// let now = Instant::from_nanos(0);
/// runner.handle(now, RunnerInput::Message(CoordinatorMessage::Assign(assign)));
/// let refusal = Refusal::UnknownHandler;
/// assert_eq!(runner.poll_message(), Some(WorkerMessage::Refuse { key, refusal }));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refusal {
    /// The worker takes nothing new.
    Draining,
    /// All slots are used.
    NoSlot,
    /// It has no such handler.
    UnknownHandler,
    /// The coordinator revoked this key and was told that it is not held.
    Revoked,
}

/// What became of a result; final for the worker.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Disposition {
    /// It counts: it was the current attempt's, and is durable.
    Accepted,
    /// A success that counts although its attempt was not current any more.
    LateAccepted,
    /// This very result was applied before.
    Duplicate,
    /// Another attempt decides, or the task has ended otherwise.
    Stale,
    /// No such task or attempt.
    Unknown,
}

impl Disposition {
    /// The word used in logs, events and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::LateAccepted => "late_accepted",
            Self::Duplicate => "duplicate",
            Self::Stale => "stale",
            Self::Unknown => "unknown",
        }
    }
}

/// An assignment; its payload travels with it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Assign {
    /// What.
    pub key: TaskKey,
    /// Which handler runs it.
    pub handler: Sym,
    /// How long the attempt may run.
    pub timeout: Option<Duration>,
}

/// A message from the coordinator. `Assign` has a body and rides on lane B, the others on lane C.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CoordinatorMessage {
    /// Run this.
    Assign(Assign),
    /// The answer to a result: it is durable, or final otherwise. The worker forgets it.
    Settled {
        /// Which result.
        key: TaskKey,
        /// What became of it.
        disposition: Disposition,
    },
    /// Stop this attempt.
    Cancel {
        /// Which.
        key: TaskKey,
    },
    /// Say whether you hold this attempt; if not, refuse it from now on.
    Revoke {
        /// Which.
        key: TaskKey,
    },
}

/// A message from a worker. `Result` has a body and rides on lane B, the others on lane C.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WorkerMessage {
    /// The assignment was taken: it runs, or will.
    Accept {
        /// Which.
        key: TaskKey,
    },
    /// The assignment was not taken.
    Refuse {
        /// Which.
        key: TaskKey,
        /// Why.
        refusal: Refusal,
    },
    /// The answer to a revoke: it is held, the lease stands.
    Held {
        /// Which.
        key: TaskKey,
    },
    /// The answer to a revoke: it is not held, and will be refused.
    NotHeld {
        /// Which.
        key: TaskKey,
    },
    /// An attempt ended. Implies the accept.
    Result {
        /// Which.
        key: TaskKey,
        /// How.
        outcome: Outcome,
    },
}

/// What a worker says of one key in its inventory.
///
/// ```
/// use moorline_work::{Holding, Outcome};
///
/// let ended = Holding::Finished { outcome: Outcome::Succeeded, len: 3 };
/// assert_ne!(ended, Holding::Running { progress: 0 });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Holding {
    /// It runs.
    Running {
        /// How far it is: larger is further; 0 where the handler reports none.
        progress: u64,
    },
    /// It ended and was not answered.
    Finished {
        /// How.
        outcome: Outcome,
        /// Size of the body in bytes.
        len: u32,
    },
}

/// The coordinator's answer to one key of an inventory.
///
/// ```
/// use moorline_work::{Attempt, Judgement};
///
/// fn is_wanted(judgement: Judgement) -> bool {
///     match judgement {
///         Judgement::Continue | Judgement::Adopt { .. } | Judgement::Send => true,
///         Judgement::Cancel | Judgement::Drop { .. } | Judgement::Unknown => false,
///     }
/// }
/// assert!(is_wanted(Judgement::Adopt { attempt: Attempt(2) }));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Judgement {
    /// Go on: the lease stands.
    Continue,
    /// Go on under another attempt number.
    Adopt {
        /// The number.
        attempt: Attempt,
    },
    /// Stop it: it is not wanted any more. (A success that is already there may still be offered.)
    Cancel,
    /// Send the result.
    Send,
    /// Forget the result: it is final already.
    Drop {
        /// What became of the task's result.
        disposition: Disposition,
    },
    /// No such task or attempt: forget the result. (A run of it is answered [`Cancel`](Self::Cancel),
    /// so that its slot is counted until it has stopped.)
    Unknown,
}
