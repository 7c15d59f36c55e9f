//! Handlers of one's own.

use moorline_work::{TaskId, TaskKey};

use super::World;
use crate::decide::{Decide, Site};
use crate::plan::TaskPlan;
use crate::simulate::{Ended, Handled, Job, Made};

/// Bytes that say in a result who made it: the task, the attempt, the worker and its process.
pub(super) const HEAD: usize = 16 + 4 + 8 + 8;

impl World {
    /// What the handler of this attempt makes, if it is somebody's own.
    pub(super) fn made(&self, key: TaskKey, entity: u64) -> Option<Made> {
        let handled = self.handled.as_ref()?;
        let task = TaskPlan::index_of(key.task);
        let payload = handled.payloads.get(task)?;
        let job = Job::new(task, key.attempt.0, payload, &self.draws, entity);
        Some((handled.handler)(&job))
    }

    /// How long the handler of this attempt runs.
    pub(super) fn lasts(&self, key: TaskKey, entity: u64, plan: &TaskPlan) -> u64 {
        match self.made(key, entity) {
            Some(made) => {
                let lasts = u64::try_from(made.lasts.as_nanos()).unwrap_or(u64::MAX);
                // A task that takes longer than its plan says is promised no end in time.
                lasts.min(plan.work)
            }
            None => self.draws.between(Site::Handler, entity, 0, plan.work / 8, plan.work),
        }
    }

    /// Handlers are to be somebody's own.
    pub(crate) fn handle_by(&mut self, handled: Option<Handled>) {
        self.handled = handled;
    }

    /// How the tasks ended whose handlers are somebody's own.
    pub(crate) fn ended(&self) -> Vec<Ended> {
        if self.handled.is_none() {
            return Vec::new();
        }
        let ended = |(task, plan): (usize, &TaskPlan)| {
            let (result, attempts) = self.ledger.result_of(TaskId(plan.id));
            let result = result.map(|body| body.get(HEAD..).unwrap_or_default().to_vec());
            Ended { task, result, attempts }
        };
        self.plan.tasks.iter().enumerate().map(ended).collect()
    }
}
