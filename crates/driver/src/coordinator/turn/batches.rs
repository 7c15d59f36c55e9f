//! Operations on their way to the store.

use std::time::Duration;

use moorline_link::Instant;
use moorline_node::{CoordinatorInput, Done, Persist, PersistId, StoreOp};

use crate::tally::{CoordinatorTally, LeaseClock, Turn};

/// Operations in one batch, at most.
const BATCH: usize = 1_024;
/// Bytes of bodies in one batch; the operation that reaches it is the last.
const BATCH_BYTES: usize = 8 << 20;
/// Operations that wait for the store; with more no request of a client is taken in.
const WAITING: usize = 16_384;
/// Bytes of bodies that wait for the store; likewise.
const WAITING_BYTES: usize = 64 << 20;

/// A batch that is not answered for so long means that the store is stalled.
pub(super) const STALLED_AFTER: Duration = Duration::from_secs(2);

/// Operations on their way to the store: one batch is there, the others make up the next one.
#[derive(Default)]
pub(super) struct Batches {
    waiting: Vec<Persist>,
    waiting_bytes: usize,
    /// The last operation of the batch that is being committed, and its size.
    under_way: Option<(PersistId, usize)>,
    /// What each of its operations is to a lease, if it is anything.
    turns: Vec<Option<Turn>>,
    /// Since when tasks are leased.
    leases: LeaseClock,
    /// When that was handed over to the store's thread.
    pub(super) handed_over: Option<Instant>,
    /// The thread was called stalled because of it, at that time.
    pub(super) stalled: bool,
}

impl Batches {
    pub(super) fn push(&mut self, operation: Persist) {
        self.waiting_bytes += size(&operation);
        self.waiting.push(operation);
    }

    pub(super) fn next_batch(&mut self) -> Option<Vec<Persist>> {
        if self.under_way.is_some() {
            return None;
        }
        let mut bytes = 0;
        let mut count = 0;
        for operation in self.waiting.iter().take(BATCH) {
            bytes += size(operation);
            count += 1;
            if bytes >= BATCH_BYTES {
                break;
            }
        }
        let rest = self.waiting.split_off(count);
        let batch = std::mem::replace(&mut self.waiting, rest);
        self.waiting_bytes -= bytes;
        self.under_way = Some((batch.last()?.id, bytes));
        self.turns.clear();
        self.turns.extend(batch.iter().map(|operation| Turn::of(&operation.op)));
        Some(batch)
    }

    /// The batch that was under way is committed.
    pub(super) fn committed(
        &mut self,
        now: Instant,
        done: Vec<Done>,
        tally: &CoordinatorTally,
    ) -> Option<CoordinatorInput> {
        let (up_to, _) = self.under_way.take()?;
        for (turn, done) in self.turns.drain(..).zip(&done) {
            if done.conflict.is_none() {
                self.leases.turn(now, turn, &done.rows, tally);
            }
        }
        Some(CoordinatorInput::Committed { up_to, done })
    }

    /// When the batch that is under way will have taken too long, unless it has already.
    pub(super) fn stalls_at(&self) -> Option<Instant> {
        self.handed_over.filter(|_| !self.stalled).map(|at| at + STALLED_AFTER)
    }

    pub(super) fn is_full(&self) -> bool {
        let under_way = self.under_way.map_or(0, |(_, bytes)| bytes);
        self.waiting.len() >= WAITING || self.waiting_bytes + under_way >= WAITING_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_none()
    }

    pub(super) fn count(&self) -> usize {
        self.waiting.len() + usize::from(self.under_way.is_some())
    }
}

/// Bytes of the body an operation carries.
fn size(operation: &Persist) -> usize {
    match &operation.op {
        StoreOp::Submit { payload: body, .. }
        | StoreOp::Requeue { error: body, .. }
        | StoreOp::Finish { body, .. } => body.len(),
        StoreOp::Claim { .. }
        | StoreOp::Unclaim { .. }
        | StoreOp::Leases
        | StoreOp::Lookup { .. }
        | StoreOp::Lease { .. }
        | StoreOp::Adopt { .. }
        | StoreOp::Cancel { .. }
        | StoreOp::Retry { .. }
        | StoreOp::Worker(_)
        | StoreOp::Forget { .. }
        | StoreOp::Workers
        | StoreOp::Event { .. } => 0,
    }
}

#[cfg(test)]
mod tests;
