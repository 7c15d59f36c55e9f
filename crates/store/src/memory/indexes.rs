//! The orders in which tasks in memory are looked for.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use moorline_node::Name;
use moorline_work::TaskState;

use super::task::Task;
use crate::WallTime;

#[derive(Debug, Default)]
pub(super) struct Indexes {
    /// Places by state, in the order of [`TaskState::ALL`].
    by_state: [BTreeSet<u64>; 6],
    /// Queued tasks that need not wait, in the order of their turn.
    pub(super) ready: BTreeSet<(Name, Reverse<i16>, u64)>,
    /// Queued tasks that wait, by the end of it.
    pub(super) waiting: BTreeSet<(Name, u64, u64)>,
    /// Places of ended tasks, the oldest end first.
    pub(super) finished: BTreeSet<(WallTime, u64)>,
}

impl Indexes {
    /// The places of the tasks in a state.
    pub(super) fn of(&self, state: TaskState) -> &BTreeSet<u64> {
        &self.by_state[index_of(state)]
    }

    /// A task is there, or has changed.
    pub(super) fn insert(&mut self, place: u64, task: &Task) {
        self.by_state[index_of(task.state)].insert(place);
        if task.state == TaskState::Queued {
            let handler = task.spec.handler.clone();
            if task.not_before == 0 {
                self.ready.insert((handler, Reverse(task.spec.priority), place));
            } else {
                self.waiting.insert((handler, task.not_before, place));
            }
        }
        if let Some(at) = task.finished_at {
            self.finished.insert((at, place));
        }
    }

    /// A task goes, or is about to change.
    pub(super) fn remove(&mut self, place: u64, task: &Task) {
        self.by_state[index_of(task.state)].remove(&place);
        if task.state == TaskState::Queued {
            let handler = task.spec.handler.clone();
            if task.not_before == 0 {
                self.ready.remove(&(handler, Reverse(task.spec.priority), place));
            } else {
                self.waiting.remove(&(handler, task.not_before, place));
            }
        }
        if let Some(at) = task.finished_at {
            self.finished.remove(&(at, place));
        }
    }
}

/// The place of a state in [`TaskState::ALL`].
fn index_of(state: TaskState) -> usize {
    match state {
        TaskState::Queued => 0,
        TaskState::Leased => 1,
        TaskState::Succeeded => 2,
        TaskState::Failed => 3,
        TaskState::Cancelled => 4,
        TaskState::Dead => 5,
    }
}
