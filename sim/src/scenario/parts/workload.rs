//! Tasks that are not written one by one.

use crate::decide::{Decide, Draws, Site};
use crate::plan::{HANDLERS, SEC, TaskPlan};
use crate::scenario::form::{Form, Key};
use crate::scenario::kind::Kind;
use crate::scenario::parts::nodes::task_of;

/// `[workload]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::scenario) struct Workload {
    tasks: u64,
    from: u64,
    every: u64,
    shortest: u64,
    longest: u64,
    size: usize,
    retries: u32,
    failing: u64,
}

/// What a workload is of which nothing is said.
pub(in crate::scenario) const STANDARD: Workload = Workload {
    tasks: 0,
    from: 0,
    every: SEC,
    shortest: SEC,
    longest: SEC,
    size: 64,
    retries: 0,
    failing: 0,
};

/// Its keys.
pub(in crate::scenario) fn workload(form: &mut dyn Form, workload: &mut Workload) {
    let key = Key::new("tasks", "How many tasks.");
    form.put(key.needed(), Kind::Count { min: 1, max: 10_000 }, &mut workload.tasks);
    form.put(Key::new("from", "When the first is handed in."), Kind::TIME, &mut workload.from);
    let key = Key::new("every", "From one to the next; 0s: all at once.");
    form.put(key, Kind::TIME, &mut workload.every);
    let key = Key::new("shortest", "How long the shortest work takes.");
    form.put(key, Kind::TIME, &mut workload.shortest);
    let key = Key::new("longest", "How long the longest work takes.");
    form.put(key, Kind::TIME, &mut workload.longest);
    let key = Key::new("size", "Bytes of a payload and of a result.");
    form.put(key, Kind::Size { min: 0, max: 1_000_000 }, &mut workload.size);
    let key = Key::new("retries", "Further attempts after a failure that may be retried.");
    form.put(key, Kind::up_to(1_000_000), &mut workload.retries);
    form.put(Key::new("failing", "How many attempts fail."), Kind::Share, &mut workload.failing);
}

impl Workload {
    /// Why there is no such workload.
    pub(in crate::scenario) fn problem(&self) -> Option<&'static str> {
        (self.shortest > self.longest).then_some("the shortest work is longer than the longest")
    }

    /// Its tasks, with numbers from this one on; the seed says how long each works.
    pub(in crate::scenario) fn draw(&self, seed: u64, first: usize) -> Vec<TaskPlan> {
        let draws = Draws::new(seed);
        let tasks = usize::try_from(self.tasks).unwrap_or(0);
        let of = |place: usize| {
            let index = first + place;
            let draw = |k, bound| draws.draw(Site::Task, index as u64, k, bound);
            let work = draws.log_between(Site::Task, index as u64, 1, self.shortest, self.longest);
            TaskPlan {
                submit_at: self.from.saturating_add(self.every.saturating_mul(place as u64)),
                handler: usize::try_from(draw(4, HANDLERS.len() as u64)).unwrap_or(0),
                max_retries: self.retries,
                size: self.size,
                work: work.clamp(self.shortest, self.longest),
                failing: self.failing,
                ..task_of(index)
            }
        };
        (0..tasks).map(of).collect()
    }
}
