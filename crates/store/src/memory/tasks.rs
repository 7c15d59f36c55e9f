//! The tasks in memory, by id, by place and by everything else they are looked for.

use std::collections::BTreeMap;

use moorline_node::Done;
use moorline_work::{Conflict, Status, TaskId};

use super::indexes::{Indexes, Keys};
use super::task::Task;

#[derive(Debug, Default)]
pub(super) struct Tasks {
    last_place: u64,
    places: BTreeMap<TaskId, u64>,
    tasks: BTreeMap<u64, Task>,
    pub(super) indexes: Indexes,
}

/// The answer of an operation whose condition failed.
fn refused(status: Status) -> Done {
    Done { rows: Vec::new(), conflict: Some(Conflict::Status(status)) }
}

impl Tasks {
    /// Enters a task behind all others, and returns its place. Its id must be free.
    pub(super) fn insert(&mut self, task: Task) -> u64 {
        self.last_place += 1;
        let place = self.last_place;
        self.places.insert(task.id, place);
        self.indexes.insert(place, &task);
        self.tasks.insert(place, task);
        place
    }

    pub(super) fn remove(&mut self, place: u64) {
        if let Some(task) = self.tasks.remove(&place) {
            self.indexes.remove(place, &task);
            self.places.remove(&task.id);
        }
    }

    pub(super) fn get(&self, task: TaskId) -> Option<&Task> {
        self.at(self.place(task)?)
    }

    pub(super) fn place(&self, task: TaskId) -> Option<u64> {
        self.places.get(&task).copied()
    }

    pub(super) fn at(&self, place: u64) -> Option<&Task> {
        self.tasks.get(&place)
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values()
    }

    /// The places before this one, the latest first.
    pub(super) fn places_before(&self, before: u64) -> impl Iterator<Item = u64> {
        self.tasks.range(..before).rev().map(|(&place, _)| place)
    }

    /// Changes a task if it exists and the condition holds, and shows it as it is then, with its place.
    ///
    /// # Errors
    /// The answer that says how it stands.
    pub(super) fn change(
        &mut self,
        id: TaskId,
        condition: impl FnOnce(&Task) -> bool,
        change: impl FnOnce(&mut Task),
    ) -> Result<(u64, &Task), Done> {
        let Some(place) = self.place(id) else { return Err(refused(Status::Unknown)) };
        match self.tasks.get_mut(&place) {
            Some(task) if condition(task) => {
                let before = Keys::of(task);
                change(task);
                self.indexes.update(place, task, before);
                Ok((place, task))
            }
            Some(task) => Err(refused(task.status())),
            None => Err(refused(Status::Unknown)),
        }
    }

    /// Changes the task at a place.
    pub(super) fn update(&mut self, place: u64, change: impl FnOnce(&mut Task)) {
        if let Some(task) = self.tasks.get_mut(&place) {
            let before = Keys::of(task);
            change(task);
            self.indexes.update(place, task, before);
        }
    }
}
