//! Worlds whose workers sometimes take in a question about a task and never say anything.

use super::{Episode, Fault, MS, Plan, SEC, Temper};
use crate::decide::{Decide, Draws, Site};

impl Plan {
    /// Whether a worker may keep something to itself in it.
    pub(crate) fn swallows(&self) -> bool {
        self.episodes.iter().any(|episode| matches!(episode.fault, Fault::Swallow { .. }))
    }

    /// The plan of this seed, in which workers also swallow questions, and there are more of them: half
    /// of the tasks run until they are told to stop, and their clients want that.
    ///
    /// # Panics
    /// Never: every value that is drawn is one that the settings take.
    #[must_use]
    pub fn swallowing(seed: u64) -> Self {
        let mut plan = Self::new(seed);
        let draws = Draws::new(seed);
        plan.temper = Temper::Common;
        let settings = &mut plan.settings;
        // Above the time after which a silent worker is disconnected.
        let answer_timeout = settings.lost_after / 3 + SEC;
        settings.answer_timeout = answer_timeout;
        plan.quiet_at = plan.quiet_at.max(answer_timeout * 4);
        plan.lull = None;
        for (index, task) in (0..).zip(&mut plan.tasks) {
            if draws.draw(Site::Swallow, index, 0, 2) == 0 {
                continue;
            }
            let from = task.submit_at.min(plan.quiet_at / 2);
            let within = draws.draw(Site::Swallow, index, 1, plan.quiet_at / 4);
            task.endless = true;
            task.timeout = None;
            task.submit_at = from;
            task.cancel_at = Some(from + SEC + within);
        }
        for worker in 0..plan.workers.len() {
            let draw = |k, bound| draws.draw(Site::Swallow, worker as u64, k, bound);
            let at = 100 * MS + draw(2, plan.quiet_at / 2);
            let lasts = draws.log_between(Site::Swallow, worker as u64, 3, SEC, plan.quiet_at);
            // Not everybody does.
            if worker == 0 || draw(4, 2) == 1 {
                let fault = Fault::Swallow { worker, lasts };
                plan.episodes.push(Episode { at, moment: None, fault });
            }
        }
        plan.episodes.sort_by_key(|episode| episode.at);
        plan
    }
}
