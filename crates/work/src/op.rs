//! Storage operations: conditional, keys only, answered by rows and conflicts.
//!
//! The embedder joins payloads, bodies and names to them. An operation whose condition fails
//! changes nothing and is answered by a [`Conflict`], inside a batch that otherwise commits.
//! [`Op::Claim`], [`Op::Leases`], [`Op::Lookup`] and [`Op::Cancel`] have no condition and never
//! conflict; of all others but [`Op::Submit`] the conflict is [`Conflict::Status`].

use core::time::Duration;

use crate::{Attempt, Incarnation, Sym, TaskId, TaskKey, TaskSpec, Ticket, WorkerId};

/// Why a leased task goes back to the queue.
///
/// ```
/// use moorline_work::RequeueCause;
///
/// let second_retry = RequeueCause::Retry { retry: 2 };
/// assert_ne!(second_retry, RequeueCause::Lost);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RequeueCause {
    /// Refused, revoked, drained, or given back otherwise: counts for nothing.
    Returned,
    /// It was accepted and its worker is lost: counts towards `lost_cap`.
    Lost,
    /// A retryable failure: counts towards `max_retries`, and waits. The body is the error text.
    Retry {
        /// Which retry this is, from 1: the embedder computes the delay by the backoff policy and
        /// answers it in [`Row::ReadyIn`].
        retry: u32,
    },
}

/// How a task ends.
///
/// ```
/// use moorline_work::End;
///
/// assert_ne!(End::Failed, End::Dead);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum End {
    /// With a result: the body. Condition: the task has not ended, and the attempt was given out.
    Succeeded,
    /// The handler said so for the last time; the body is the error text. Condition: leased by this attempt.
    Failed,
    /// Cancelled. Condition: leased by this attempt, or queued if the attempt is not current any more (0 = never given out).
    Cancelled,
    /// Lost too often. Condition: leased by this attempt.
    Dead,
}

/// Where a task is from its submission on.
///
/// ```
/// use moorline_work::{Incarnation, Placement, WorkerId};
///
/// let (worker, incarnation) = (WorkerId(7), Incarnation(1));
/// let at_once = Placement::Leased { worker, incarnation };
/// assert_ne!(at_once, Placement::Claimed);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Placement {
    /// Queued: the store keeps it until it is claimed.
    Unclaimed,
    /// Queued, and claimed by this epoch: the dispatcher keeps it in its window.
    Claimed,
    /// Leased, under attempt 1. There is no such lease if the id is taken.
    Leased {
        /// To whom.
        worker: WorkerId,
        /// To which process of it.
        incarnation: Incarnation,
    },
}

/// One storage operation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    /// Insert a task if its id is free. Rows: [`Row::Submitted`]. Conflict: [`Conflict::Exists`].
    Submit {
        /// For the reply.
        ticket: Ticket,
        /// Its id.
        task: TaskId,
        /// What it asks for.
        spec: TaskSpec,
        /// Where it is from then on. Of one that is leased the embedder keeps the payload.
        placement: Placement,
    },
    /// Claim up to `limit` queued tasks of a handler that are ready and not claimed by this epoch,
    /// by priority (larger first), then order of submission. Rows: [`Row::Task`], [`Row::More`], [`Row::ReadyIn`].
    Claim {
        /// The handler.
        handler: Sym,
        /// At most so many.
        limit: u32,
    },
    /// Give up the claim of a task. Condition: it is still queued.
    Unclaim {
        /// Which.
        task: TaskId,
    },
    /// Read all leases. Rows: [`Row::Lease`]. Asked first, once.
    Leases,
    /// Read where a task stands. Rows: [`Row::Status`].
    Lookup {
        /// Which.
        task: TaskId,
    },
    /// Lease a queued task whose last attempt is the one before `key.attempt`. The embedder loads the payload.
    Lease {
        /// The attempt it becomes.
        key: TaskKey,
        /// To whom.
        worker: WorkerId,
        /// To which process of it.
        incarnation: Incarnation,
    },
    /// Lease a task under a new attempt to a worker that runs an old one of it. Condition: it is
    /// queued, or leased by attempt `from`, and `from` is its last attempt. Rows: [`Row::Lease`] as
    /// it is afterwards (the task may be one that memory does not know).
    Adopt {
        /// The task and its new attempt.
        key: TaskKey,
        /// The last attempt given out.
        from: Attempt,
        /// To whom.
        worker: WorkerId,
        /// To which process of it.
        incarnation: Incarnation,
    },
    /// Return a task to the queue. Condition: leased by this attempt. It stays claimed by this
    /// epoch unless it has to wait. Rows: [`Row::ReadyIn`] for a retry.
    Requeue {
        /// Which attempt held it.
        key: TaskKey,
        /// Why.
        cause: RequeueCause,
    },
    /// End a task; the condition depends on how. Conflict: [`Conflict::Status`].
    Finish {
        /// By which attempt.
        key: TaskKey,
        /// How.
        end: End,
    },
    /// A queued task is cancelled, a leased one is marked, an ended or unknown one left alone. The
    /// mark is read back by [`Row::Lease`]. Rows: [`Row::Status`] as it was before.
    Cancel {
        /// For the reply.
        ticket: Ticket,
        /// Which.
        task: TaskId,
    },
    /// Queue an ended task again: attempts, retries and losses count on, its payload is still there,
    /// and what a client wanted of it before is forgotten. Condition: it has ended without a result,
    /// and `last` is the last attempt given out, so that asking twice is asking once. It is not
    /// claimed. Rows: [`Row::Task`].
    Retry {
        /// For the reply.
        ticket: Ticket,
        /// Which.
        task: TaskId,
        /// The last attempt given out, as the client knows it; 0 if it ended before there was one.
        last: Attempt,
    },
}

/// The words for where a task stands.
///
/// ```
/// use moorline_work::TaskState;
///
/// assert_eq!(TaskState::Leased.name(), "leased");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TaskState {
    /// Waiting for a worker.
    Queued,
    /// Given to a worker.
    Leased,
    /// Ended with a result.
    Succeeded,
    /// The handler failed for the last time.
    Failed,
    /// Ended by a client.
    Cancelled,
    /// Lost too often.
    Dead,
}

impl TaskState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Leased, Self::Succeeded, Self::Failed, Self::Cancelled, Self::Dead];

    /// Only [`Op::Retry`] changes a task that has ended.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Queued | Self::Leased => false,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Dead => true,
        }
    }

    /// The word used in the API, in `--json` and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Leased => "leased",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Dead => "dead",
        }
    }
}

/// Where a task stands in the store.
///
/// ```
/// use moorline_work::{Attempt, Status, TaskState};
///
/// let ended = Status::Known { state: TaskState::Succeeded, attempt: Attempt(1) };
/// assert_ne!(ended, Status::Unknown);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Status {
    /// No such task.
    Unknown,
    /// It exists.
    Known {
        /// Its state.
        state: TaskState,
        /// The last attempt given out; of an ended task the one that ended it.
        attempt: Attempt,
    },
}

/// What an operation read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Row {
    /// A submitted task's place in the order of submission.
    Submitted {
        /// Larger is later.
        order: u64,
    },
    /// A task that was claimed.
    Task {
        /// Which.
        task: TaskId,
        /// Its place in the order of submission.
        order: u64,
        /// What it asks for.
        spec: TaskSpec,
        /// The last attempt given out.
        attempt: Attempt,
        /// Retries so far.
        retries: u32,
        /// Losses so far.
        lost: u32,
    },
    /// More tasks of this handler are ready than were claimed.
    More,
    /// A task of this handler becomes ready after this time.
    ReadyIn {
        /// The time.
        delay: Duration,
    },
    /// A lease: of an earlier life of the coordinator, or as an [`Op::Adopt`] has just made it.
    Lease {
        /// The current attempt.
        key: TaskKey,
        /// Its place in the order of submission.
        order: u64,
        /// What it asks for.
        spec: TaskSpec,
        /// Retries so far.
        retries: u32,
        /// Losses so far.
        lost: u32,
        /// Who holds it.
        worker: WorkerId,
        /// Which process of it.
        incarnation: Incarnation,
        /// A client wants it to end.
        cancel_requested: bool,
    },
    /// Where a task stands.
    Status(Status),
}

/// Why the condition of an operation failed.
///
/// ```
/// use moorline_work::{Conflict, Status};
///
/// let again = Conflict::Exists { same: true };
/// assert_ne!(again, Conflict::Status(Status::Unknown));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Conflict {
    /// The id of a submitted task is taken.
    Exists {
        /// By the same task: handler, payload and spec are equal.
        same: bool,
    },
    /// The task stands otherwise than the operation needs.
    Status(Status),
}
