//! A task in memory: queued in its handler's window, or leased.

use core::cmp::Reverse;

use crate::{Attempt, Incarnation, Instant, OpId, TaskId, TaskKey, TaskSpec, WorkerId};

/// What memory knows of a task that has not ended.
///
/// It is the picture after all operations asked for, durable or not: the store carries them out in
/// their order, so the picture is right unless an operation conflicts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Task {
    pub(super) spec: TaskSpec,
    /// Its place in the order of submission.
    pub(super) order: u64,
    /// The last attempt given out.
    pub(super) attempt: Attempt,
    pub(super) retries: u32,
    pub(super) lost: u32,
    /// How often it was not accepted in time: each time doubles the time that the next has.
    pub(super) overdue: u8,
    /// The operation this picture rests on: if it conflicts, the picture is wrong.
    pub(super) basis: OpId,
    pub(super) place: Place,
}

/// Where a task is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Place {
    /// In the window of its handler.
    Queued,
    /// With a worker.
    Leased(Lease),
}

/// The current attempt of a task, and who has it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Lease {
    pub(super) worker: WorkerId,
    pub(super) incarnation: Incarnation,
    pub(super) stage: Stage,
    pub(super) cancel: CancelWish,
    /// How far the run was when an inventory named it last.
    pub(super) progress: u64,
    /// The attempt under which this run began: of two runs the smaller one is the original.
    pub(super) origin: Attempt,
    /// The number under which the worker still knows this run, until it has heard of its adoption.
    pub(super) alias: Option<Attempt>,
    /// An inventory named it as finished: only its result is owed.
    pub(super) ended: bool,
    /// It is in the list of what is due.
    pub(super) due: bool,
}

/// What a lease wants to be said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    Withdraw,
    Assign,
    Revoke,
    Cancel,
}

impl Lease {
    /// A lease that its worker calls as it is called here.
    pub(super) fn new(
        worker: WorkerId,
        incarnation: Incarnation,
        attempt: Attempt,
        stage: Stage,
    ) -> Self {
        Self {
            worker,
            incarnation,
            stage,
            cancel: CancelWish::None,
            progress: 0,
            origin: attempt,
            alias: None,
            ended: false,
            due: false,
        }
    }

    /// What is to be said next, if its worker takes messages.
    pub(super) fn wish(&self) -> Option<Wish> {
        match self.stage {
            Stage::Withdrawing => Some(Wish::Withdraw),
            Stage::Assigning => Some(Wish::Assign),
            Stage::Revoking => Some(Wish::Revoke),
            // Only now: an earlier cancel could overtake the assignment on the other lane.
            Stage::Accepted if self.cancel == CancelWish::Durable => Some(Wish::Cancel),
            Stage::Granting
            | Stage::Sent
            | Stage::Recalled
            | Stage::Offered { .. }
            | Stage::Revoked
            | Stage::Adopting
            | Stage::Accepted => None,
        }
    }

    /// Its worker has said that it runs: also while it is asked whether it still does.
    pub(super) fn is_accepted(&self) -> bool {
        self.stage.is_accepted() || self.cancel == CancelWish::Told
    }

    /// Whether its worker owes a word about it: the answer to a revoke, or how it ended.
    pub(super) fn awaits_answer(&self) -> bool {
        match self.stage {
            Stage::Revoking | Stage::Revoked => true,
            Stage::Accepted => match self.cancel {
                CancelWish::Durable | CancelWish::Told => true,
                CancelWish::None | CancelWish::Asked => false,
            },
            Stage::Granting
            | Stage::Assigning
            | Stage::Sent
            | Stage::Withdrawing
            | Stage::Recalled
            | Stage::Offered { .. }
            | Stage::Adopting => false,
        }
    }

    /// Whether this process of this worker holds it.
    pub(super) fn is_held_by(&self, worker: WorkerId, incarnation: Incarnation) -> bool {
        self.worker == worker && self.incarnation == incarnation
    }
}

/// How far an assignment came.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Stage {
    /// The lease is not durable yet.
    Granting,
    /// The assignment is due.
    Assigning,
    /// The lane has it.
    Sent,
    /// It is to be taken back from the lane.
    Withdrawing,
    /// The lane was asked to give it back.
    Recalled,
    /// The worker has it, or may have it; the accept clock runs while the session is active.
    Offered {
        /// When it runs out.
        deadline: Option<Instant>,
    },
    /// The clock ran out: a revoke is due.
    Revoking,
    /// The worker was asked whether it holds it.
    Revoked,
    /// A run it had is being adopted: that is not durable yet.
    Adopting,
    /// The worker said that it has it.
    Accepted,
}

impl Stage {
    /// Nothing of the assignment has left this machine.
    pub(super) const fn is_unsent(self) -> bool {
        match self {
            Self::Granting | Self::Assigning => true,
            Self::Sent
            | Self::Withdrawing
            | Self::Recalled
            | Self::Offered { .. }
            | Self::Revoking
            | Self::Revoked
            | Self::Adopting
            | Self::Accepted => false,
        }
    }

    /// The assignment is still in the memory of this machine, and nowhere else.
    pub(super) const fn is_undelivered(self) -> bool {
        match self {
            Self::Granting | Self::Assigning | Self::Sent | Self::Withdrawing | Self::Recalled => {
                true
            }
            Self::Offered { .. }
            | Self::Revoking
            | Self::Revoked
            | Self::Adopting
            | Self::Accepted => false,
        }
    }

    /// The worker has said that it runs.
    pub(super) const fn is_accepted(self) -> bool {
        match self {
            Self::Adopting | Self::Accepted => true,
            Self::Granting
            | Self::Assigning
            | Self::Sent
            | Self::Withdrawing
            | Self::Recalled
            | Self::Offered { .. }
            | Self::Revoking
            | Self::Revoked => false,
        }
    }
}

/// Whether a client wants a leased task to end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum CancelWish {
    /// No.
    None,
    /// Yes, but that is not durable yet.
    Asked,
    /// Yes.
    Durable,
    /// Yes, and its worker was told.
    Told,
}

impl CancelWish {
    pub(super) fn is_wanted(self) -> bool {
        self != Self::None
    }
}

/// The place in a window: larger priority first, then the order of submission.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Rank {
    priority: Reverse<i16>,
    order: u64,
    pub(super) task: TaskId,
}

impl Rank {
    /// Whether a new task of this priority goes before this one.
    pub(super) fn is_behind(self, priority: i16) -> bool {
        self.priority > Reverse(priority)
    }
}

impl Task {
    /// A new one, by the operation that inserted it.
    pub(super) fn submitted(spec: TaskSpec, order: u64, basis: OpId) -> Self {
        let (attempt, retries, lost) = (Attempt(0), 0, 0);
        let place = Place::Queued;
        Self { spec, order, attempt, retries, lost, overdue: 0, basis, place }
    }

    pub(super) fn key(&self, task: TaskId) -> TaskKey {
        TaskKey { task, attempt: self.attempt }
    }

    pub(super) fn rank(&self, task: TaskId) -> Rank {
        Rank { priority: Reverse(self.spec.priority), order: self.order, task }
    }

    /// The lease, if it has one.
    pub(super) fn lease(&self) -> Option<&Lease> {
        match &self.place {
            Place::Queued => None,
            Place::Leased(lease) => Some(lease),
        }
    }

    pub(super) fn lease_mut(&mut self) -> Option<&mut Lease> {
        match &mut self.place {
            Place::Queued => None,
            Place::Leased(lease) => Some(lease),
        }
    }

    /// Whether this attempt was given out, as far as memory knows.
    pub(super) fn was_given_out(&self, attempt: Attempt) -> bool {
        attempt > Attempt(0) && attempt <= self.attempt
    }

    /// Whether a worker means the current lease by this attempt.
    pub(super) fn is_current(
        &self,
        attempt: Attempt,
        worker: WorkerId,
        incarnation: Incarnation,
    ) -> bool {
        self.lease().is_some_and(|lease| {
            lease.is_held_by(worker, incarnation)
                && (attempt == self.attempt || lease.alias == Some(attempt))
        })
    }
}
