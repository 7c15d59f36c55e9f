//! The operations that are not durable yet, in the order in which they must become so.

use alloc::collections::VecDeque;

use crate::{
    Conflict, Disposition, Holding, Incarnation, Op, OpId, Outcome, Status, Sym, TaskKey, WorkerId,
};

/// With so many operations that are not stored, workers' questions about tasks that memory does not know
/// wait with their workers.
const QUESTIONS_MAX: usize = 16_384;

/// Operations asked for and not yet stored. Each is kept until a `Stored` covers it; a cursor says
/// which were handed out.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Log {
    first: u64,
    pending: VecDeque<Pending>,
    handed: usize,
}

/// One operation that is not durable yet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Pending {
    pub(super) op: Op,
    pub(super) cause: Cause,
    /// What it read of one task.
    pub(super) read: Read,
    pub(super) conflict: Option<Conflict>,
}

/// What an operation read of the one task it is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Read {
    Nothing,
    Order(u64),
    Status(Status),
    /// A time until it is ready.
    Wait,
}

/// Who waits for the outcome of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Cause {
    /// Nobody, or whom the operation itself names.
    Own,
    /// A worker, for the answer to a key of its inventory.
    Item(Item, Option<Fence>),
    /// A worker, for the answer to a key of its inventory whose task memory does not know: the
    /// adoption reads the rest.
    Unseen(Item),
    /// A worker, for the answer to a result.
    Report(Report),
}

/// A key of an inventory that has to be answered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Item {
    pub(super) worker: WorkerId,
    /// The registration whose inventory it is in.
    pub(super) registration: u64,
    pub(super) key: TaskKey,
    pub(super) holding: Holding,
}

/// A result that has to be answered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Report {
    pub(super) worker: WorkerId,
    pub(super) incarnation: Incarnation,
    /// As the worker calls it.
    pub(super) key: TaskKey,
    pub(super) outcome: Outcome,
    /// The answer if the operation takes effect.
    pub(super) disposition: Disposition,
    /// The handler of its task, if memory knew the task.
    pub(super) handler: Option<Sym>,
    pub(super) fence: Option<Fence>,
}

/// An accepted attempt that is to be stopped once the operation is durable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Fence {
    pub(super) worker: WorkerId,
    pub(super) key: TaskKey,
}

impl Log {
    pub(super) fn new() -> Self {
        Self { first: 1, pending: VecDeque::new(), handed: 0 }
    }

    /// Appends an operation.
    pub(super) fn push(&mut self, op: Op, cause: Cause) -> OpId {
        let id = OpId(self.first.saturating_add(self.pending.len() as u64));
        self.pending.push_back(Pending { op, cause, read: Read::Nothing, conflict: None });
        id
    }

    /// An operation that is not durable yet, handed out or not.
    pub(super) fn get(&self, id: OpId) -> Option<&Op> {
        let index = usize::try_from(id.0.checked_sub(self.first)?).ok()?;
        Some(&self.pending.get(index)?.op)
    }

    /// The first operation that was not handed out.
    pub(super) fn next(&self) -> Option<(OpId, Op)> {
        let pending = self.pending.get(self.handed)?;
        Some((OpId(self.first.saturating_add(self.handed as u64)), pending.op))
    }

    /// Counts it as handed out.
    pub(super) fn advance(&mut self) {
        self.handed = (self.handed + 1).min(self.pending.len());
    }

    /// An operation that was handed out and is not stored.
    pub(super) fn under_way(&mut self, id: OpId) -> Option<&mut Pending> {
        let index = usize::try_from(id.0.checked_sub(self.first)?).ok()?;
        if index < self.handed { self.pending.get_mut(index) } else { None }
    }

    /// Takes out the first operation if it is not behind `up_to`.
    pub(super) fn take_stored(&mut self, up_to: OpId) -> Option<(OpId, Pending)> {
        if self.first > up_to.0 || self.handed == 0 {
            return None;
        }
        let pending = self.pending.pop_front()?;
        let id = OpId(self.first);
        self.first = self.first.saturating_add(1);
        self.handed -= 1;
        Some((id, pending))
    }

    /// The number of the first operation that is not stored, or will be asked for next.
    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// The operations that are not stored, in order.
    pub(super) const fn unstored(&self) -> &VecDeque<Pending> {
        &self.pending
    }

    /// So many of them were handed out.
    pub(super) const fn handed_out(&self) -> usize {
        self.handed
    }

    /// The store is far behind: a question has to wait.
    pub(super) fn is_full(&self) -> bool {
        self.pending.len() >= QUESTIONS_MAX
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }
}
