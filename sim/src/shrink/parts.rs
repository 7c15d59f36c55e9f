//! What can be left out of a plan as a whole.

use super::Shrinker;
use crate::plan::{Families, Plan, Who};
use crate::{Base, Run};

impl Shrinker<'_> {
    /// What would have happened after the promise was broken.
    pub(super) fn cut_after(&mut self) {
        let at = self.failure.at;
        self.change(|plan| {
            plan.episodes.retain(|episode| episode.at <= at);
            for task in plan.tasks.iter_mut().filter(|task| task.submit_at > at) {
                task.absent = true;
            }
            // A run is judged as a whole only if it has been one.
            plan.lull = plan.lull.filter(|lull| lull.at <= at);
        });
        self.change(|plan| plan.lull = None);
        self.change(|plan| plan.core = None);
    }

    /// Whole families of faults: all but one, or one.
    pub(super) fn drop_families(&mut self) {
        let of = |plan: &Plan| {
            let families = plan.episodes.iter().map(|episode| episode.fault.family());
            families.fold(Families::NONE, Families::with)
        };
        for only in of(&self.best).iter() {
            if self.change(|plan| plan.episodes.retain(|e| e.fault.family() == only)) {
                break;
            }
        }
        let without = |plan: &mut Plan, families: &[_]| {
            plan.episodes.retain(|episode| !families.contains(&episode.fault.family()));
        };
        self.leave_out(|plan| of(plan).iter().collect(), without);
    }

    /// Workers, with what happens to them only. One has to stay.
    pub(super) fn drop_workers(&mut self) {
        let present = |plan: &Plan| plan.present().map(|(index, _)| index).collect::<Vec<_>>();
        self.leave_out(present, |plan, workers| {
            if workers.len() < plan.present().count() {
                let is_gone = |who: &Who| match who {
                    Who::Worker(worker) => workers.contains(worker),
                    Who::Coordinator => false,
                };
                let mut episodes = std::mem::take(&mut plan.episodes);
                episodes.retain(|episode| !episode.fault.strikes(plan).iter().all(is_gone));
                plan.episodes = episodes;
                for worker in workers {
                    plan.workers[*worker].absent = true;
                }
            }
        });
    }

    pub(super) fn drop_tasks(&mut self) {
        let present = |plan: &Plan| -> Vec<usize> {
            (0..plan.tasks.len()).filter(|task| !plan.tasks[*task].absent).collect()
        };
        self.leave_out(present, |plan, tasks| {
            for task in tasks {
                plan.tasks[*task].absent = true;
            }
        });
    }

    pub(super) fn drop_episodes(&mut self) {
        let all = |plan: &Plan| (0..plan.episodes.len()).collect::<Vec<_>>();
        self.leave_out(all, |plan, episodes| {
            let mut index = 0;
            plan.episodes.retain(|_| {
                index += 1;
                !episodes.contains(&(index - 1))
            });
        });
    }

    /// Decisions become part of the plan: none but benign ones if that will do, else those of the seed,
    /// one by one.
    pub(super) fn settle_decisions(&mut self) {
        if self.best.base == Base::Benign {
            return;
        }
        let benign = self.change(|plan| {
            plan.base = Base::Benign;
            plan.decisions.clear();
        });
        if !benign && !self.is_over {
            let decisions = Run::new(self.best.clone()).with_decisions().go().decisions;
            self.change(|plan| {
                plan.base = Base::Benign;
                plan.decisions = decisions;
            });
        }
    }

    pub(super) fn drop_decisions(&mut self) {
        if self.best.base == Base::Random {
            return;
        }
        // Those that belong together are next to each other.
        self.best.decisions.sort_unstable();
        self.leave_out(
            |plan| plan.decisions.clone(),
            |plan, decisions| plan.decisions.retain(|decision| !decisions.contains(decision)),
        );
    }

    /// Faults that strike several workers strike fewer, and no moment is waited for.
    pub(super) fn narrow_sets(&mut self) {
        for index in 0..self.best.episodes.len() {
            self.change(|plan| plan.episodes[index].moment = None);
            let present: Vec<usize> = self.best.present().map(|(worker, _)| worker).collect();
            for worker in present {
                self.change(|plan| {
                    if let Some(workers) = plan.episodes[index].fault.workers_mut() {
                        *workers = workers.without(worker);
                    }
                });
            }
        }
    }
}
