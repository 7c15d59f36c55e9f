//! The smallest plan that breaks the same promise.
//!
//! A plan is a value, so it is made smaller by trying: leave out a family of faults, a worker, half of the
//! tasks; lay down that nothing is decided but the benign; halve a number. What still breaks the same
//! promise is kept, the rest is put back, and again until nothing more can go. Numbers of workers and
//! tasks are names and decisions are keyed by whom they are about, so what is left goes on as before
//! when something else is taken away: that is what makes it work. (Zeller, Hildebrandt: "Simplifying
//! and isolating failure-inducing input", 2002, for lists.)

mod numbers;
mod parts;
mod replace;
mod settings;

use crate::plan::Plan;
use crate::{Base, Failure, Rule, Run};

/// A smaller plan may take so many times the events of the one that it is made of, and a few more, before
/// it is given up: one that goes round in circles says nothing.
const LONGER: u64 = 20;
/// A few more.
const EVENTS: u64 = 20_000;

/// How much there is of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Workers that take part.
    pub workers: usize,
    /// Tasks that are handed in.
    pub tasks: usize,
    /// Faults.
    pub episodes: usize,
    /// Decisions that are not benign.
    pub decisions: usize,
    /// When the promise is broken, in nanoseconds.
    pub lasts: u64,
}

impl Size {
    /// What somebody has to understand: workers, tasks, faults and decisions.
    ///
    /// ```
    /// use moorline_sim::shrink::Size;
    ///
    /// let size = Size { workers: 2, tasks: 1, episodes: 1, decisions: 3, lasts: 5_000_000_000 };
    /// assert_eq!(size.items(), 7);
    /// ```
    #[must_use]
    pub const fn items(&self) -> usize {
        self.workers + self.tasks + self.episodes + self.decisions
    }
}

/// A plan that could not be made smaller, or not in the time that was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shrunk {
    /// The plan. It breaks the same promise.
    pub plan: Plan,
    /// How.
    pub failure: Failure,
    /// How much there was before.
    pub before: Size,
    /// How much there is now.
    pub after: Size,
    /// How many plans were run for it.
    pub replays: u64,
    /// Nothing more can go; else the time was over.
    pub is_minimal: bool,
}

/// Looks for the smallest plan that breaks the same promise as this one; `None` if this one keeps them
/// all. `goes_on` is asked before each of the runs, with how many there were: a limit of time is the
/// caller's.
///
/// ```
/// use moorline_sim::shrink::shrink;
/// use moorline_sim::{Plan, Sabotage};
///
/// let plan = Plan { sabotage: Some(Sabotage::AnswersLie), ..Plan::new(7) };
/// let shrunk = shrink(&plan, |replays| replays < 2_000).expect("a promise is broken");
/// assert_eq!((shrunk.after.workers, shrunk.after.tasks, shrunk.after.episodes), (1, 1, 0));
///
/// let whole = shrink(&Plan::new(7), |_| true);
/// assert_eq!(whole, None);
/// ```
pub fn shrink(plan: &Plan, mut goes_on: impl FnMut(u64) -> bool) -> Option<Shrunk> {
    let outcome = Run::new(plan.clone()).with_decisions().go();
    let failure = *outcome.result.err()?;
    let before = size(plan, outcome.decisions.len(), &failure);
    let mut shrinker = Shrinker {
        broken: failure.violation.rule,
        best: plan.clone(),
        failure,
        events_max: limit(outcome.events),
        replays: 0,
        goes_on: &mut goes_on,
        is_over: false,
    };
    shrinker.go();
    let Shrinker { best, failure, replays, is_over, .. } = shrinker;
    // Decisions that nobody laid down are those of the seed.
    let decisions = match best.base {
        Base::Benign => best.decisions.len(),
        Base::Random => Run::new(best.clone()).with_decisions().go().decisions.len(),
    };
    let after = size(&best, decisions, &failure);
    Some(Shrunk { plan: best, failure, before, after, replays, is_minimal: !is_over })
}

fn size(plan: &Plan, decisions: usize, failure: &Failure) -> Size {
    Size {
        workers: plan.workers.iter().filter(|worker| !worker.absent).count(),
        tasks: plan.tasks.iter().filter(|task| !task.absent).count(),
        episodes: plan.episodes.len(),
        decisions,
        lasts: failure.at,
    }
}

/// How many events a plan may take that is smaller than one that takes so many.
const fn limit(events: u64) -> u64 {
    events * LONGER + EVENTS
}

/// The smallest plan so far.
struct Shrinker<'a> {
    /// This rule has to be broken: a promise may be broken in several ways, and one is looked for.
    broken: Rule,
    best: Plan,
    failure: Failure,
    events_max: u64,
    replays: u64,
    goes_on: &'a mut dyn FnMut(u64) -> bool,
    is_over: bool,
}

impl Shrinker<'_> {
    fn go(&mut self) {
        self.leap();
        self.until_nothing_helps(|shrinker| {
            shrinker.until_nothing_helps(Self::reduce);
            shrinker.replace_all_faults();
            shrinker.replace_faults();
            shrinker.replace_decisions();
        });
    }

    /// Does this again and again, until the plan is as it was before.
    fn until_nothing_helps(&mut self, try_all: impl Fn(&mut Self)) {
        loop {
            let before = self.best.clone();
            try_all(self);
            if self.best == before || self.is_over {
                return;
            }
        }
    }

    /// Takes away, and makes simpler. To put something in the place of something else takes many trials,
    /// most of them in vain: better where little is left.
    fn reduce(&mut self) {
        self.cut_after();
        self.drop_families();
        self.drop_workers();
        self.drop_tasks();
        self.leap_numbers();
        self.drop_episodes();
        self.settle_decisions();
        self.drop_decisions();
        self.narrow_sets();
        self.simplify_numbers();
    }

    /// Takes this plan if it breaks the promise.
    fn attempt(&mut self, plan: Plan) -> bool {
        // What goes wrong when nothing goes wrong any more breaks promises of its own.
        let is_in_time = plan.episodes.iter().all(|episode| episode.at < plan.quiet_at);
        if plan == self.best || !is_in_time || plan.settings.is_fit().is_err() {
            return false;
        }
        self.is_over = self.is_over || !(self.goes_on)(self.replays);
        if self.is_over {
            return false;
        }
        self.replays += 1;
        let outcome = Run::new(plan.clone()).within(self.events_max).go();
        let Err(failure) = outcome.result else { return false };
        let is_same = failure.violation.rule == self.broken;
        if is_same {
            self.best = plan;
            self.failure = *failure;
            self.events_max = self.events_max.min(limit(outcome.events));
        }
        is_same
    }

    /// Takes the plan with this change if it breaks the promise.
    fn change(&mut self, change: impl FnOnce(&mut Plan)) -> bool {
        let mut plan = self.best.clone();
        change(&mut plan);
        self.attempt(plan)
    }

    /// Leaves things out of a list: first all, then halves, at last one by one.
    fn leave_out<T: Clone>(
        &mut self,
        list: impl Fn(&Plan) -> Vec<T>,
        without: impl Fn(&mut Plan, &[T]),
    ) {
        let mut size = list(&self.best).len();
        while size > 0 && !self.is_over {
            let mut at = 0;
            loop {
                let left = list(&self.best);
                if at >= left.len() {
                    break;
                }
                let chunk = &left[at..(at + size).min(left.len())];
                if !self.change(|plan| without(plan, chunk)) {
                    at += size;
                }
            }
            size /= 2;
        }
    }
}

#[cfg(test)]
mod tests;
