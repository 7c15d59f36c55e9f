//! What goes into a [`Dispatcher`](crate::Dispatcher) and what comes out of it.

use core::time::Duration;

use crate::{
    Attempt, CoordinatorMessage, Holding, Incarnation, Instant, Judgement, Op, OpId, Sym, TaskId,
    TaskKey, Ticket, WorkerId, WorkerMessage,
};
use crate::{Conflict, Row};

/// What a task asks for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TaskSpec {
    /// Which handler runs it.
    pub handler: Sym,
    /// Larger goes first. Default 0.
    pub priority: i16,
    /// Further attempts after a retryable failure. Default 0.
    pub max_retries: u32,
    /// How long one attempt may run. Default: no limit.
    pub timeout: Option<Duration>,
    /// Length of its payload in bytes: what it takes of memory between its lease and its delivery.
    pub bytes: u32,
}

/// Everything a [`Dispatcher`](crate::Dispatcher) can be told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DispatcherInput {
    /// The time of [`next_wake`](crate::Dispatcher::next_wake) has come (an early one changes nothing).
    Timeout,
    /// A client hands in a task.
    Submit {
        /// Given back with the reply.
        ticket: Ticket,
        /// Its id, chosen by the client.
        task: TaskId,
        /// What it asks for.
        spec: TaskSpec,
    },
    /// A client wants a task to end.
    Cancel {
        /// Given back with the reply.
        ticket: Ticket,
        /// Which.
        task: TaskId,
    },
    /// A client wants an ended task that has no result to be queued again.
    Retry {
        /// Given back with the reply.
        ticket: Ticket,
        /// Which.
        task: TaskId,
        /// The last attempt given out, as the client knows it: if there was another since, nothing
        /// happens, so the same request may come twice.
        last: Attempt,
    },
    /// A worker of an earlier life of the coordinator, which was neither lost nor departed then: it is
    /// away since the start, and lost if it does not come. Nothing if it is known already.
    Expect {
        /// Who.
        worker: WorkerId,
        /// The last process of it that was here.
        incarnation: Incarnation,
    },
    /// A worker was welcomed; its handlers follow as `Offer`, then its inventory.
    Registered {
        /// Who.
        worker: WorkerId,
        /// Which process of it.
        incarnation: Incarnation,
        /// How many attempts it runs at once.
        slots: u16,
        /// Whether its session goes on: then lanes deliver what is under way, and what the
        /// inventory does not name is left alone.
        resumed: bool,
    },
    /// The worker has this handler. `Registered` forgets the handlers of before.
    Offer {
        /// Who.
        worker: WorkerId,
        /// The handler.
        handler: Sym,
    },
    /// One key of the worker's inventory: answered by [`DispatcherAction::Answer`], at once or after the store was asked.
    Item {
        /// Who.
        worker: WorkerId,
        /// Which attempt.
        key: TaskKey,
        /// What the worker has of it.
        holding: Holding,
    },
    /// The inventory is complete.
    InventoryEnd {
        /// Of whom.
        worker: WorkerId,
    },
    /// The session is active: assignments may flow.
    Active {
        /// Who.
        worker: WorkerId,
    },
    /// The worker has no connection any more; its leases stand until `lost_after`.
    Detached {
        /// Who.
        worker: WorkerId,
        /// Its last frame; `lost_after` runs from here.
        last_received: Instant,
    },
    /// The worker left on purpose: what it holds returns to the queue.
    Departed {
        /// Who.
        worker: WorkerId,
    },
    /// What the worker says of itself.
    Flags {
        /// Who.
        worker: WorkerId,
        /// It takes nothing new.
        draining: bool,
        /// Paused by an operator.
        paused: bool,
    },
    /// A message of a worker.
    Message {
        /// From whom.
        worker: WorkerId,
        /// From which process of it.
        incarnation: Incarnation,
        /// What.
        message: WorkerMessage,
    },
    /// The assignment was written to a live connection: the accept clock starts.
    HandedOver {
        /// To whom.
        worker: WorkerId,
        /// Which.
        key: TaskKey,
    },
    /// The answer to [`DispatcherAction::Withdraw`].
    Withdrawn {
        /// From whom.
        worker: WorkerId,
        /// Which.
        key: TaskKey,
        /// It will not be sent; else it has its number and may be under way.
        done: bool,
    },
    /// The coordinator stops, and every worker is about to lose its connection: from now on nothing is
    /// claimed and nothing leased. Leases stand.
    Stop,
    /// A row read by an operation, before the `Stored` that covers it.
    Loaded {
        /// By which operation.
        op: OpId,
        /// The row.
        row: Row,
    },
    /// Everything up to and including this operation is durable, but for what conflicted.
    Stored {
        /// The last one.
        up_to: OpId,
    },
    /// The condition of an operation failed: it changed nothing. Comes before the `Stored` that covers it.
    Conflict {
        /// Which.
        op: OpId,
        /// Why.
        conflict: Conflict,
    },
}

/// What became of an input, at once.
///
/// ```
/// use moorline_work::*;
///
/// let now = Instant::from_nanos(0);
/// let mut dispatcher = Dispatcher::new(DispatcherConfig::default(), now);
/// let verdict = dispatcher.handle(now, DispatcherInput::Timeout);
/// assert_eq!(verdict, DispatcherVerdict::Accepted);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DispatcherVerdict {
    /// It took effect, or rightly changed nothing.
    Accepted,
    /// It names a worker, an incarnation, a key or an operation that is not current: nothing changed.
    Stale,
}

/// The reply to a client's request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reply {
    /// The task is durable, now or since an earlier submit of the same.
    Submitted {
        /// It was there already.
        again: bool,
    },
    /// Another task with this id exists.
    IdTaken,
    /// The task was queued and is cancelled.
    Cancelled,
    /// The task runs; its worker is told to stop it.
    CancelRequested,
    /// The task had ended before; to a retry: with a result, so that it does not run again.
    AlreadyEnded,
    /// The task had ended and is queued again.
    Retried,
    /// Nothing to retry: the task has not ended, or had another attempt since the client looked.
    NotEnded,
    /// No such task.
    NotFound,
}

/// What the embedder can always do at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DispatcherAction {
    /// Make this durable, after all with smaller numbers; answer `Loaded`, `Conflict`, `Stored`.
    Persist {
        /// Its number.
        id: OpId,
        /// What.
        op: Op,
    },
    /// Put this message on the worker's lane.
    Send {
        /// For whom.
        worker: WorkerId,
        /// What.
        message: CoordinatorMessage,
    },
    /// Take the assignment back if it has no number yet; answer `Withdrawn`.
    Withdraw {
        /// From whom.
        worker: WorkerId,
        /// Which.
        key: TaskKey,
    },
    /// The answer to one key of an inventory.
    Answer {
        /// For whom.
        worker: WorkerId,
        /// Which attempt.
        key: TaskKey,
        /// What to do with it.
        judgement: Judgement,
    },
    /// The worker is active and does not answer what it was asked about a task: end its session. What
    /// it has, the inventory of the next one tells; what that does not name goes elsewhere.
    Unanswered {
        /// Who.
        worker: WorkerId,
    },
    /// The worker's leases are given away: its session ends.
    Lost {
        /// Who.
        worker: WorkerId,
    },
    /// The reply to a client.
    Reply {
        /// To which request.
        ticket: Ticket,
        /// What.
        reply: Reply,
    },
    /// A task has ended, durably: whoever waits for it may look.
    Ended {
        /// Which.
        task: TaskId,
    },
    /// The free slots that a worker should count when nothing is under way to or from it changed:
    /// an attempt takes one from the moment its assignment was sent, not while its lease waits for
    /// the store.
    Believe {
        /// Of whom.
        worker: WorkerId,
        /// Free slots.
        free: u16,
    },
}

/// What a [`Dispatcher`](crate::Dispatcher) waits for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DispatcherTimer {
    /// An assignment that was handed over is to be accepted.
    Accept,
    /// A worker is to answer what it was asked about a task.
    Answer,
    /// A detached worker is to be back.
    Lost,
    /// A task that waits for its retry is ready.
    Ready,
    /// A worker that refused may be tried again.
    Retry,
}

impl DispatcherTimer {
    /// Every timer, in the order in which ties resolve.
    pub const ALL: [Self; 5] = [Self::Accept, Self::Answer, Self::Lost, Self::Ready, Self::Retry];
}

/// An open lease as the dispatcher sees it, for lists and explanations.
///
/// ```
/// use moorline_work::*;
///
/// let dispatcher = Dispatcher::new(DispatcherConfig::default(), Instant::from_nanos(0));
/// let leases: Vec<LeaseSnapshot> = dispatcher.leases().collect();
/// assert!(leases.is_empty());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LeaseSnapshot {
    /// Which task.
    pub task: TaskId,
    /// The current attempt.
    pub attempt: Attempt,
    /// Who holds it.
    pub worker: WorkerId,
    /// The task's submission is under way with it: there is no such lease if the id is taken.
    pub submitting: bool,
    /// Its assignment has left this machine.
    pub handed_over: bool,
    /// The worker said that it took it.
    pub accepted: bool,
    /// A client wants it to end.
    pub cancel_requested: bool,
}
