//! What can be put in the place of several things: one fault at the right moment for many that hit it by
//! chance, a slow link for a packet that happens to be slow, a long task for a handler that happens to take
//! long.

use std::mem::discriminant;

use super::Shrinker;
use crate::plan::{
    Episode, Fault, Kept, Latency, MS, Manner, Moment, Plan, SEC, Side, Told, Way, Who, Workers,
};
use crate::{Base, Decision, Site};

/// Of more workers than these nobody knows which one it is about.
const FEW: usize = 2;
/// So many faults are tried one by one.
const MANY: usize = 6;
/// How long something takes that replaces a decision.
const TIMES: [u64; 4] = [10 * MS, 100 * MS, SEC, 10 * SEC];

/// What the first coordinator wanted when it ended is durable, and it was not told.
const DURABLE: Decision = Decision { site: Site::Torn, entity: 0, k: 0, value: 1 };

/// The simplest faults there are: a connection breaks, a process ends, nothing travels for a while.
fn simple_faults(worker: usize) -> [Fault; 8] {
    let cut = |told| Fault::Cut { worker, told };
    let crash = |who, back| Fault::Crash { who, manner: Manner::Killed, back, kept: Kept::All };
    let workers = Workers::one(worker);
    [
        cut(Told::Both),
        cut(Told::Nobody),
        cut(Told::Only(Side::Worker)),
        cut(Told::Only(Side::Coordinator)),
        crash(Who::Worker(worker), MS),
        crash(Who::Coordinator, MS),
        crash(Who::Coordinator, 10 * SEC),
        Fault::Partition { workers, way: Way::Both, lasts: 10 * SEC, again: 0 },
    ]
}

/// Whether it is one of those, whatever its numbers.
fn is_simple(fault: &Fault) -> bool {
    let is_like = |simple: Fault| discriminant(&simple) == discriminant(fault);
    simple_faults(0).into_iter().any(is_like)
}

impl Shrinker<'_> {
    /// One simple fault at a moment, instead of all faults and decisions.
    pub(super) fn replace_all_faults(&mut self) {
        if self.best.episodes.len() + self.best.decisions.len() < 2 {
            return;
        }
        let mut begins: Vec<u64> = self.best.episodes.iter().map(|episode| episode.at).collect();
        begins.push(0);
        begins.sort_unstable();
        begins.dedup();
        // What is waited for at first, and what comes when the others have struck.
        for at in [begins.first(), begins.last()].into_iter().flatten().copied() {
            for fault in self.faults_of_few() {
                for moment in Moment::ALL {
                    let episode = Episode { at, moment: Some(moment), fault };
                    if self.replace_all(episode, Vec::new()) {
                        return;
                    }
                    let ends = matches!(fault, Fault::Crash { who: Who::Coordinator, .. });
                    if ends && self.replace_all(episode, vec![DURABLE]) {
                        return;
                    }
                }
            }
        }
    }

    fn replace_all(&mut self, episode: Episode, decisions: Vec<Decision>) -> bool {
        let items = self.best.episodes.len() + self.best.decisions.len();
        1 + decisions.len() < items
            && self.change(|plan| {
                plan.episodes = vec![episode];
                (plan.base, plan.decisions) = (Base::Benign, decisions);
            })
    }

    /// A simple fault for one that is not: then, or at a moment after that.
    pub(super) fn replace_faults(&mut self) {
        if self.best.episodes.len() > MANY {
            return;
        }
        for index in 0..self.best.episodes.len() {
            if is_simple(&self.best.episodes[index].fault) {
                continue;
            }
            // Any that does will do.
            let _ = self.faults_of_few().into_iter().any(|fault| {
                let moments = Moment::ALL.into_iter().map(Some);
                std::iter::once(None).chain(moments).any(|moment| {
                    self.change(|plan| {
                        plan.episodes[index].fault = fault;
                        plan.episodes[index].moment = moment;
                    })
                })
            });
        }
    }

    fn faults_of_few(&self) -> Vec<Fault> {
        let workers = self.best.present().map(|(worker, _)| worker);
        let is_few = self.best.present().count() <= FEW;
        workers.filter(|_| is_few).flat_map(simple_faults).collect()
    }

    /// Links and tasks that always take as long as a decision says that they do once.
    pub(super) fn replace_decisions(&mut self) {
        let workers: Vec<usize> = self.best.present().map(|(worker, _)| worker).collect();
        for worker in workers {
            for side in [Side::Worker, Side::Coordinator] {
                let pipes = (worker as u64) << 1 | u64::from(side == Side::Worker);
                self.replace(
                    |decision| decision.site == Site::Latency && pipe_of(decision) == pipes,
                    |plan, at| {
                        let law = Latency::Fixed { at };
                        match side {
                            Side::Worker => plan.workers[worker].up = law,
                            Side::Coordinator => plan.workers[worker].down = law,
                        }
                    },
                );
            }
        }
        self.replace(
            |decision| decision.site == Site::Handler,
            |plan, work| plan.tasks.iter_mut().for_each(|task| task.work = work),
        );
    }

    /// Leaves these decisions out, with something else that takes its time instead.
    fn replace(&mut self, is_out: impl Fn(&Decision) -> bool, instead: impl Fn(&mut Plan, u64)) {
        if !self.best.decisions.iter().any(&is_out) {
            return;
        }
        for time in TIMES {
            let is_it = self.change(|plan| {
                plan.decisions.retain(|decision| !is_out(decision));
                instead(plan, time);
            });
            if is_it {
                return;
            }
        }
    }
}

/// Whose link a latency is about, and which way: the number of the connection is between the two.
const fn pipe_of(decision: &Decision) -> u64 {
    decision.entity >> 33 << 1 | decision.entity & 1
}
