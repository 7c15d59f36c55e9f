//! The orders in which tasks in memory are looked for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use moorline_node::Name;
use moorline_work::TaskState;

use super::task::Task;
use crate::WallTime;

#[derive(Debug, Default)]
pub(super) struct Indexes {
    /// Places by state, in the order of [`TaskState::ALL`].
    by_state: [BTreeSet<u64>; 6],
    /// Queued tasks of each handler that need not wait, in the order of their turn.
    ready: BTreeMap<Name, BTreeSet<(Reverse<i16>, u64)>>,
    /// Queued tasks of each handler that wait, by the end of it.
    waiting: BTreeMap<Name, BTreeSet<(u64, u64)>>,
    /// Places of ended tasks, the oldest end first.
    pub(super) finished: BTreeSet<(WallTime, u64)>,
}

/// Under what a task is found, beside its place and its handler, which stay.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Keys {
    state: TaskState,
    turn: Option<Turn>,
    finished: Option<WallTime>,
}

/// Where a queued task is in its handler's queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Ready(Reverse<i16>),
    /// Until this time.
    Waiting(u64),
}

impl Keys {
    pub(super) fn of(task: &Task) -> Self {
        let turn = match task.not_before {
            _ if task.state != TaskState::Queued => None,
            0 => Some(Turn::Ready(Reverse(task.spec.priority))),
            not_before => Some(Turn::Waiting(not_before)),
        };
        Self { state: task.state, turn, finished: task.finished_at }
    }
}

impl Indexes {
    /// The places of the tasks in a state.
    pub(super) fn of(&self, state: TaskState) -> &BTreeSet<u64> {
        &self.by_state[index_of(state)]
    }

    /// The places of a handler's queued tasks that need not wait, in the order of their turn.
    pub(super) fn ready(&self, handler: &Name) -> impl Iterator<Item = u64> + '_ {
        self.ready.get(handler).into_iter().flatten().map(|&(_, place)| place)
    }

    /// A handler's queued tasks that wait, each with the end of it, the earliest first.
    pub(super) fn waiting(&self, handler: &Name) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.waiting.get(handler).into_iter().flatten().copied()
    }

    /// The places of all that wait.
    pub(super) fn all_waiting(&self) -> impl Iterator<Item = u64> + '_ {
        self.waiting.values().flatten().map(|&(_, place)| place)
    }

    /// A task is there.
    pub(super) fn insert(&mut self, place: u64, task: &Task) {
        let Keys { state, turn, finished } = Keys::of(task);
        self.by_state[index_of(state)].insert(place);
        self.enter(place, &task.spec.handler, turn);
        self.finished.extend(finished.map(|at| (at, place)));
    }

    /// A task that was found under these keys has changed.
    pub(super) fn update(&mut self, place: u64, task: &Task, before: Keys) {
        let after = Keys::of(task);
        if before.state != after.state {
            self.by_state[index_of(before.state)].remove(&place);
            self.by_state[index_of(after.state)].insert(place);
        }
        if before.turn != after.turn {
            self.leave(place, &task.spec.handler, before.turn);
            self.enter(place, &task.spec.handler, after.turn);
        }
        if before.finished != after.finished {
            if let Some(at) = before.finished {
                self.finished.remove(&(at, place));
            }
            self.finished.extend(after.finished.map(|at| (at, place)));
        }
    }

    /// A task goes.
    pub(super) fn remove(&mut self, place: u64, task: &Task) {
        let Keys { state, turn, finished } = Keys::of(task);
        self.by_state[index_of(state)].remove(&place);
        self.leave(place, &task.spec.handler, turn);
        if let Some(at) = finished {
            self.finished.remove(&(at, place));
        }
    }

    fn enter(&mut self, place: u64, handler: &Name, turn: Option<Turn>) {
        match turn {
            Some(Turn::Ready(priority)) => {
                queue_of(&mut self.ready, handler).insert((priority, place))
            }
            Some(Turn::Waiting(until)) => {
                queue_of(&mut self.waiting, handler).insert((until, place))
            }
            None => false,
        };
    }

    fn leave(&mut self, place: u64, handler: &Name, turn: Option<Turn>) {
        match turn {
            Some(Turn::Ready(priority)) => drop_from(&mut self.ready, handler, (priority, place)),
            Some(Turn::Waiting(until)) => drop_from(&mut self.waiting, handler, (until, place)),
            None => {}
        }
    }
}

type Queues<K> = BTreeMap<Name, BTreeSet<(K, u64)>>;

/// The queue of a handler; a new one if it has none.
fn queue_of<'q, K: Ord>(queues: &'q mut Queues<K>, handler: &Name) -> &'q mut BTreeSet<(K, u64)> {
    queues.entry(handler.clone()).or_default()
}

/// Takes a task out of its handler's queue; no empty one is kept.
fn drop_from<K: Ord>(queues: &mut Queues<K>, handler: &Name, key: (K, u64)) {
    let Some(queue) = queues.get_mut(handler) else { return };
    queue.remove(&key);
    if queue.is_empty() {
        queues.remove(handler);
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
