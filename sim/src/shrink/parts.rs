//! What can be left out of a plan as a whole.

use super::Shrinker;
use crate::plan::{Episode, Families, Fault, Plan, Who};
use crate::{Base, Decision, Run, Site};

/// Leaves faults out. Decisions name a fault by its place among them, and a life of the coordinator by how
/// many there were before: those about what is left out go with it, and those about what comes behind it stay
/// about that.
pub(super) fn leave_out_episodes(plan: &mut Plan, is_out: impl Fn(usize, &Episode) -> bool) {
    // By its end each life of the coordinator; of those that end more often nobody knows.
    let mut ends: Vec<usize> = (0..plan.episodes.len())
        .filter(|index| ends_coordinator(&plan.episodes[*index].fault))
        .collect();
    ends.sort_by_key(|index| plan.episodes[*index].at);
    let is_gone = |index: &usize| is_out(*index, &plan.episodes[*index]);
    let lives: Vec<u64> = (0..).zip(&ends).filter(|(_, it)| is_gone(it)).map(|(n, _)| n).collect();
    let mut places = Vec::with_capacity(plan.episodes.len());
    let mut left = 0;
    for (index, episode) in plan.episodes.iter().enumerate() {
        let stays = !is_out(index, episode);
        places.push(stays.then_some(left));
        left += u64::from(stays);
    }
    let mut place = places.iter();
    plan.episodes.retain(|_| place.next().is_some_and(Option::is_some));
    plan.decisions.retain_mut(|decision| {
        if decision.site == Site::Torn {
            let life = decision.entity;
            decision.entity -= lives.iter().filter(|gone| **gone < life).count() as u64;
            return !lives.contains(&life);
        }
        let Some(episode) = episode_of(decision) else { return true };
        let place = usize::try_from(*episode).ok().and_then(|index| places.get(index));
        let Some(Some(place)) = place else { return false };
        *episode = *place;
        true
    });
}

/// Whether a life of the coordinator ends, once.
fn ends_coordinator(fault: &Fault) -> bool {
    matches!(fault, Fault::Crash { who: Who::Coordinator, .. })
}

/// Where a decision says which fault it is about.
fn episode_of(decision: &mut Decision) -> Option<&mut u64> {
    match decision.site {
        Site::Strike | Site::Swizzle | Site::Second => Some(&mut decision.entity),
        Site::Retransmit => Some(&mut decision.k),
        Site::Plan
        | Site::Episode
        | Site::Worker
        | Site::Task
        | Site::Latency
        | Site::Dial
        | Site::Handler
        | Site::Commit
        | Site::Torn
        | Site::Journal
        | Site::Timer
        | Site::Thaw
        | Site::Reset
        | Site::Swallow
        | Site::Credential
        | Site::Spike
        | Site::Stall
        | Site::Segment
        | Site::Replay
        | Site::Corrupt => None,
    }
}

impl Shrinker<'_> {
    /// Nearly nothing, at once: most of what is broken without any fault is broken there, and a world that is
    /// that small takes no time, also where the large one goes round in circles.
    pub(super) fn leap(&mut self) {
        let tasks: Vec<usize> =
            (0..self.best.tasks.len()).filter(|task| !self.best.tasks[*task].absent).collect();
        let first = self.best.present().map(|(worker, _)| worker).next();
        for count in [0, 1, 2, 4] {
            let left = &tasks[..tasks.len().min(count)];
            let is_there = self.change(|plan| {
                (plan.base, plan.decisions) = (Base::Benign, Vec::new());
                (plan.episodes, plan.lull, plan.core) = (Vec::new(), None, None);
                for (index, worker) in plan.workers.iter_mut().enumerate() {
                    worker.absent |= Some(index) != first;
                }
                for (index, task) in plan.tasks.iter_mut().enumerate() {
                    task.absent |= !left.contains(&index);
                }
            });
            if is_there {
                return;
            }
        }
    }

    /// What would have happened after the promise was broken.
    pub(super) fn cut_after(&mut self) {
        let at = self.failure.at;
        self.change(|plan| {
            leave_out_episodes(plan, |_, episode| episode.at > at);
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
            let is_other = |_, episode: &Episode| episode.fault.family() != only;
            if self.change(|plan| leave_out_episodes(plan, is_other)) {
                break;
            }
        }
        let without = |plan: &mut Plan, families: &[_]| {
            leave_out_episodes(plan, |_, episode| families.contains(&episode.fault.family()));
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
                let strikes = |episode: &Episode| episode.fault.strikes(plan);
                let all = plan.episodes.iter();
                let gone: Vec<bool> = all.map(|it| strikes(it).iter().all(is_gone)).collect();
                leave_out_episodes(plan, |index, _| gone[index]);
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
            leave_out_episodes(plan, |index, _| episodes.contains(&index));
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
