//! What a worker is asked about a task, it answers: a revoke at once, and a cancel by how the attempt
//! ended. One that takes the question in and says nothing would keep its leases for ever, because its
//! heartbeats prove that it lives.

use alloc::collections::{BTreeMap, BTreeSet};
use core::hash::{Hash, Hasher};

use super::task::{CancelWish, Stage, Task};
use super::worker::Worker;
use super::{Dispatcher, DispatcherAction};
use crate::canonical::View;
use crate::{Instant, TaskId};

/// The leases that wait for a word of their worker, each with the time by which it is to come.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Owing {
    of: BTreeMap<TaskId, Instant>,
    by_time: BTreeSet<(Instant, TaskId)>,
}

impl Owing {
    /// A clock that runs already goes on.
    fn arm(&mut self, id: TaskId, at: Instant) {
        let at = *self.of.entry(id).or_insert(at);
        self.by_time.insert((at, id));
    }

    pub(super) fn disarm(&mut self, id: TaskId) {
        if let Some(at) = self.of.remove(&id) {
            self.by_time.remove(&(at, id));
        }
    }

    /// When the first of them is due.
    pub(super) fn first(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    pub(super) fn feed<H: Hasher>(&self, view: &View, state: &mut H) {
        let Self { of, by_time: _ } = self;
        of.len().hash(state);
        of.iter().for_each(|(task, at)| (task, view.at(*at)).hash(state));
    }

    fn pop(&mut self) -> Option<TaskId> {
        let (_, id) = self.by_time.pop_first()?;
        self.of.remove(&id);
        Some(id)
    }
}

impl Dispatcher {
    /// Starts the clock of a lease whose worker owes a word about it, if it is here to say it; stops
    /// that of any other.
    pub(super) fn expect_answer(&mut self, now: Instant, id: TaskId) {
        let awaits = self.tasks.get(&id).and_then(Task::lease).is_some_and(|lease| {
            lease.awaits_answer() && self.workers.get(&lease.worker).is_some_and(Worker::is_active)
        });
        if awaits {
            self.timers.answer.arm(id, now + self.config.settings().answer_timeout);
        } else {
            self.timers.answer.disarm(id);
        }
    }

    /// The worker said that it has it: if it is to stop, it has the whole time again.
    pub(super) fn is_answered(&mut self, now: Instant, id: TaskId) {
        self.timers.answer.disarm(id);
        self.expect_answer(now, id);
    }

    /// The time is over. A handler may take its time to stop, or never do so, and nobody is to blame
    /// for that but the handler: so the worker is asked whether it still has the attempt. That it has
    /// to answer at once, and if it does not its inventory has to.
    pub(super) fn answer_is_due(&mut self, now: Instant) {
        let Some(id) = self.timers.answer.pop() else { return };
        let Some(lease) = self.tasks.get(&id).and_then(Task::lease).copied() else { return };
        match lease.stage {
            Stage::Accepted => {
                if lease.cancel == CancelWish::Told {
                    self.set_stage(id, Stage::Revoking);
                }
                self.expect_answer(now, id);
            }
            Stage::Revoking | Stage::Revoked => {
                // It is told once, whatever else it owes.
                for task in self.leases_of(lease.worker) {
                    self.timers.answer.disarm(task);
                }
                // Nothing new for it until its session has ended: it would return at once.
                self.mute(now, lease.worker);
                self.owed.push_back(DispatcherAction::Unanswered { worker: lease.worker });
            }
            Stage::Granting
            | Stage::Assigning
            | Stage::Sent
            | Stage::Withdrawing
            | Stage::Recalled
            | Stage::Offered { .. }
            | Stage::Adopting => {}
        }
    }
}
