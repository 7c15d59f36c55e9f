//! What must become durable: the operations of work, joined with names and bodies.
//!
//! The conditions of the operations are written at [`moorline_work::Op`]; this is what a store sees.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::Epoch;
use moorline_work::{Attempt, Conflict, End, Incarnation, Status, TaskId, TaskKey, WorkerId};

use crate::{Event, Name};

/// The number of an operation: dense from 1 within one node, the order of commitment.
///
/// ```
/// use moorline_node::PersistId;
///
/// assert!(PersistId(1) < PersistId(2), "in the order they were asked for");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct PersistId(pub u64);

/// One operation for the store, after all with smaller numbers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Persist {
    /// Its number.
    pub id: PersistId,
    /// What.
    pub op: StoreOp,
}

/// What a task asks for, with the name of its handler.
///
/// ```
/// use moorline_node::{Name, Spec};
///
/// let spec = Spec { handler: Name::new("greet")?, priority: 0, max_retries: 3, timeout: None };
/// # let _ = spec;
/// # Ok::<(), moorline_node::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Spec {
    /// Which handler runs it.
    pub handler: Name,
    /// Larger goes first. Default 0.
    pub priority: i16,
    /// Further attempts after a retryable failure. Default 0.
    pub max_retries: u32,
    /// How long one attempt may run. Default: no limit.
    pub timeout: Option<Duration>,
}

/// Where a task is from its submission on, see [`moorline_work::Placement`].
///
/// ```
/// use moorline_link::Epoch;
/// use moorline_node::StorePlacement;
///
/// let queued = StorePlacement::Claimed { epoch: Epoch(7) };
/// assert_ne!(queued, StorePlacement::Unclaimed);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StorePlacement {
    /// Queued.
    Unclaimed,
    /// Queued, and claimed.
    Claimed {
        /// By this epoch.
        epoch: Epoch,
    },
    /// Leased, under attempt 1.
    Leased {
        /// To whom.
        worker: WorkerId,
        /// To which process of it.
        incarnation: Incarnation,
    },
}

/// Why a leased task goes back to the queue, see [`moorline_work::RequeueCause`].
///
/// ```
/// use core::time::Duration;
/// use moorline_node::Requeue;
///
/// let later = Requeue::Retry { delay: Duration::from_secs(2) };
/// # let _ = later;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Requeue {
    /// Counts for nothing.
    Returned,
    /// Counts as a loss.
    Lost,
    /// Counts as a retry; not ready before this time has passed.
    Retry {
        /// The delay.
        delay: Duration,
    },
}

/// A conditional operation; see [`moorline_work::Op`] for the conditions.
///
/// ```
/// use moorline_node::{Persist, PersistId, StoreOp};
///
/// let first = Persist { id: PersistId(1), op: StoreOp::Leases };
/// # let _ = first;
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum StoreOp {
    /// Insert a task, queued or leased.
    Submit {
        /// Its id.
        task: TaskId,
        /// What it asks for.
        spec: Spec,
        /// The handler's input.
        payload: Bytes,
        /// Where it is from then on.
        placement: StorePlacement,
    },
    /// Claim ready tasks of a handler.
    Claim {
        /// The handler.
        handler: Name,
        /// At most so many.
        limit: u32,
        /// By this epoch.
        epoch: Epoch,
    },
    /// Give up the claim of a queued task.
    Unclaim {
        /// Which.
        task: TaskId,
    },
    /// Read all leases.
    Leases,
    /// Read where a task stands.
    Lookup {
        /// Which.
        task: TaskId,
    },
    /// Lease a queued task. Also answers [`StoreRow::Payload`].
    Lease {
        /// The attempt it becomes.
        key: TaskKey,
        /// To whom.
        worker: WorkerId,
        /// To which process of it.
        incarnation: Incarnation,
    },
    /// Lease a task to a worker that runs an old attempt of it.
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
    /// Return a leased task to the queue.
    Requeue {
        /// Which attempt held it.
        key: TaskKey,
        /// Why.
        cause: Requeue,
        /// The error text of a failure, else empty.
        error: Bytes,
    },
    /// End a task.
    Finish {
        /// By which attempt.
        key: TaskKey,
        /// How.
        end: End,
        /// The result of a success, the error text of a failure, else empty.
        body: Bytes,
    },
    /// A queued task is cancelled, a leased one is marked.
    Cancel {
        /// Which.
        task: TaskId,
    },
    /// Queue an ended task again.
    Retry {
        /// Which.
        task: TaskId,
        /// The last attempt given out.
        last: Attempt,
    },
    /// Remember a worker: inserted, or its process and name updated.
    Worker(KnownWorker),
    /// Remember a worker no longer.
    Forget {
        /// Which.
        worker: WorkerId,
    },
    /// Read all workers that are remembered. Rows: [`StoreRow::Worker`].
    Workers,
    /// Write down something that happened to a worker or to the coordinator. What happens to tasks a
    /// store writes down by itself, together with the operation that does it.
    Event {
        /// When: milliseconds of wall time since 1970, put in by the driver. `None`: when it is committed.
        at_millis: Option<u64>,
        /// What.
        event: Event,
    },
}

/// A worker the store remembers.
///
/// ```
/// use moorline_node::{KnownWorker, Name};
/// use moorline_work::{Incarnation, WorkerId};
///
/// let known = KnownWorker {
///     worker: WorkerId(7),
///     name: Name::new("gpu-1")?,
///     incarnation: Incarnation(1),
///     departed: false,
///     cordoned: false,
///     lost: false,
/// };
/// # let _ = known;
/// # Ok::<(), moorline_node::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct KnownWorker {
    /// Who.
    pub worker: WorkerId,
    /// Its name.
    pub name: Name,
    /// The latest process of it.
    pub incarnation: Incarnation,
    /// It left on purpose.
    pub departed: bool,
    /// It was away for too long, its leases were given away, and it has not come back.
    pub lost: bool,
    /// It is to get nothing new, by an operator's word.
    pub cordoned: bool,
}

/// What an operation read, see [`moorline_work::Row`].
///
/// ```
/// use moorline_node::StoreRow;
/// use moorline_work::Status;
///
/// let row = StoreRow::Status(Status::Unknown);
/// # let _ = row;
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum StoreRow {
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
        spec: Spec,
        /// The last attempt given out.
        attempt: Attempt,
        /// Retries so far.
        retries: u32,
        /// Losses so far.
        lost: u32,
        /// Length of its payload.
        payload_bytes: u32,
    },
    /// More tasks are ready than were claimed.
    More,
    /// A task becomes ready after this time.
    ReadyIn {
        /// The time.
        delay: Duration,
    },
    /// A lease.
    Lease {
        /// The current attempt.
        key: TaskKey,
        /// Its place in the order of submission.
        order: u64,
        /// What it asks for.
        spec: Spec,
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
        /// Length of its payload.
        payload_bytes: u32,
    },
    /// Where a task stands.
    Status(Status),
    /// The payload of the task that was leased.
    Payload(Bytes),
    /// A worker that is remembered.
    Worker(KnownWorker),
}

/// What became of one operation.
///
/// ```
/// use moorline_node::{Done, StoreRow};
///
/// let read = Done { rows: vec![StoreRow::More], ..Done::default() };
/// assert_eq!(read.conflict, None);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Done {
    /// What it read.
    pub rows: Vec<StoreRow>,
    /// Its condition failed: it changed nothing.
    pub conflict: Option<Conflict>,
}
