//! What a search finds, as a plan that the simulator runs.
//!
//! The steps of a way get times, close together. Then the plan is run once with somebody who takes every
//! decision so that each thing happens at the time of its step: a packet arrives then, a handler ends, a
//! timer fires, a commit is durable. What was decided is written into the plan: from then on it is a plan
//! like any other. A world has what a searched one has not, heartbeats above all; so whether it goes the
//! same way is not taken for granted, but seen.

mod conductor;
mod schedule;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use super::Counterexample;
use super::explore::Space;
use super::model::Model;
use super::model::script::{At, Leaving, Line, Script};
use super::process::LOST_CAP;
use super::step::{Ending, Step};
use crate::plan::{
    CoordinatorPlan, Dialled, Episode, Fault, JOURNAL_MAX, Kept, Latency, MS, Manner, Mode, SEC,
    Settings, TaskPlan, Temper, Told, Who, WorkerPlan,
};
use crate::trace::Recording;
use crate::{Base, Failure, Plan, Report, Rule, Run, Violation};
use conductor::Conductor;
use schedule::{Schedule, WAIT};

/// Records that are kept of the run in which decisions are taken.
const RECORDS: usize = 1 << 20;

/// A way through a searched world that the simulator does not go: it ends in another way.
///
/// ```
/// use moorline_sim::check::{Bounds, Counterexample};
///
/// // No promise is broken where nothing has happened.
/// let way = Counterexample { bounds: Bounds::default(), steps: Vec::new(), violation: None };
/// let other = way.plan().unwrap_err();
/// assert!(other.outcome.is_ok());
/// assert!(other.to_string().contains("keeps every promise"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OtherWay {
    /// The plan, as close to the way as it was possible.
    pub plan: Plan,
    /// What comes of it.
    pub outcome: Result<Report, Box<Failure>>,
    /// The first step that does not happen at its time, counted from 1. None: all do.
    pub strays_at: Option<usize>,
}

impl fmt::Display for OtherWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the simulator does not go this way: ")?;
        match &self.outcome {
            Ok(_) => f.write_str("it keeps every promise")?,
            Err(failure) => write!(f, "it breaks {}", failure.violation)?,
        }
        match self.strays_at {
            Some(step) => write!(f, "; the first step that is another one is {step}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for OtherWay {}

/// A plan that goes a way, and how.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) plan: Plan,
    pub(super) outcome: Result<Report, Box<Failure>>,
    pub(super) strays_at: Option<usize>,
}

impl Counterexample {
    /// The same as a plan that the simulator runs: it has been run, and breaks the same rule. After a trap
    /// that is one of those by which work that cannot be done any more is noticed.
    ///
    /// # Errors
    /// If it does not, with what it came to.
    pub fn plan(&self) -> Result<Plan, Box<OtherWay>> {
        let model = Model::new(self.bounds);
        let first = replay(&model, &self.steps);
        if self.is_gone_by(&first) {
            return Ok(first.plan);
        }
        let early = with_early_expiries(&model, &self.steps);
        if early != self.steps {
            let second = replay(&model, &early);
            if self.is_gone_by(&second) {
                return Ok(second.plan);
            }
        }
        let Replay { plan, outcome, strays_at } = first;
        Err(Box::new(OtherWay { plan, outcome, strays_at }))
    }

    fn is_gone_by(&self, replay: &Replay) -> bool {
        replay.outcome.as_ref().is_err_and(|failure| self.is_shown_by(&failure.violation))
    }

    /// Whether a run that breaks a promise so shows the same as this.
    ///
    /// ```
    /// use moorline_sim::check::{Bounds, Counterexample};
    /// use moorline_sim::{Rule, Violation};
    ///
    /// let trap = Counterexample { bounds: Bounds::default(), steps: Vec::new(), violation: None };
    /// assert!(trap.is_shown_by(&Violation::new(Rule::NotEnded, "t0 has not ended")));
    /// assert!(!trap.is_shown_by(&Violation::new(Rule::StartedTwice, "t0 is started twice")));
    /// ```
    #[must_use]
    pub fn is_shown_by(&self, violation: &Violation) -> bool {
        /// What cannot be done any more shows as one of these.
        const STUCK: [Rule; 5] =
            [Rule::NotEnded, Rule::Strayed, Rule::NotRerun, Rule::OutOfStep, Rule::Blocked];
        match &self.violation {
            Some(own) => own.rule == violation.rule,
            None => STUCK.contains(&violation.rule),
        }
    }
}

/// The same way, and timers of the coordinator run out in it as early as they can. A search takes steps that
/// do not depend on each other in any order; but until a timer runs out a long time passes, and a connection
/// that was opened before would not wait for that.
fn with_early_expiries(model: &Model, steps: &[Step]) -> Vec<Step> {
    let mut way = steps.to_vec();
    let end = end_of(model, steps);
    for at in (0..steps.len()).filter(|at| steps[*at] == Step::Expire) {
        let orders = (0..at).map(|earlier| {
            let mut other = way.clone();
            other[earlier..=at].rotate_right(1);
            other
        });
        let found = orders.into_iter().find(|other| end.is_some() && end_of(model, other) == end);
        way = found.unwrap_or(way);
    }
    way
}

/// Where a way leads to, or from where its last step breaks a promise; none if it is no way.
fn end_of(model: &Model, steps: &[Step]) -> Option<u128> {
    let mut here = model.first();
    for (left, step) in (0..steps.len()).rev().zip(steps) {
        if !model.steps(&here).contains(step) {
            return None;
        }
        match model.take(&here, step) {
            Ok(after) => here = after,
            Err(_) if left == 0 => break,
            Err(_) => return None,
        }
    }
    Some(model.fingerprint(&here))
}

/// Has the simulator go this way.
pub(super) fn replay(model: &Model, steps: &[Step]) -> Replay {
    let script = Rc::new(Script::of(model, steps));
    let schedule = Rc::new(Schedule::of(&script, model.bounds.tasks.into()));
    let mut plan = plan_of(model, &script, &schedule);
    let recording = Rc::new(RefCell::new(Recording::keeping(RECORDS)));
    let conductor = Conductor::new(Rc::clone(&script), Rc::clone(&schedule), Rc::clone(&recording));
    let conducted = Run::new(plan.clone())
        .decided_by(Box::new(conductor))
        .with_decisions()
        .recorded_in(recording)
        .go();
    plan.decisions = conducted.decisions;
    // Each place once, in an order that says more than that in which they were taken.
    plan.decisions.sort_unstable();
    plan.decisions.dedup();
    let outcome = Run::new(plan.clone()).recorded(RECORDS).go();
    let recording = outcome.recording.unwrap_or_else(|| Recording::keeping(1));
    let strays_at = schedule.strays_at(&script, &recording);
    Replay { plan, outcome: outcome.result, strays_at }
}

fn plan_of(model: &Model, script: &Script, schedule: &Schedule) -> Plan {
    // Whatever is held back arrives before that.
    let most = schedule.end() + SEC;
    let usual = moorline_link::LaneLimits::default();
    let settings = Settings {
        lost_after: 90 * SEC,
        start_grace: 120 * SEC,
        lost_cap: LOST_CAP.into(),
        accept_timeout: 10 * SEC,
        answer_timeout: 30 * SEC,
        window: 256,
        registrations: Some(1_000_000),
        beat: 5 * SEC,
        misses: 3,
        initial_delay: WAIT,
        max_delay: WAIT,
        multiplier: 1_000,
        jitter: moorline_link::Jitter::None,
        first: moorline_link::First::Backoff,
        stable_after: 3_600 * SEC,
        max_attempts: 0,
        connect: 3_600 * SEC,
        restore: 3_600 * SEC,
        window_messages: usual.window_messages,
        window_bytes: usual.window_bytes,
        retry_delay: SEC,
        buffer: 128 << 10,
        commit: most,
        group: 1_024,
        late: most,
        keeps: None,
        journal: None,
        journal_max: JOURNAL_MAX,
    };
    let law = Latency::Uniform { min: 0, max: most };
    let worker = |index: usize| WorkerPlan {
        absent: false,
        id: 1 << 64 | index as u128,
        slots: model.bounds.slots.into(),
        handlers: 1,
        begins_at: schedule.at(0),
        clock: 0,
        rate: 0,
        up: law,
        down: law,
        distance: 0,
    };
    let early = model.bounds.tasks - model.bounds.late;
    let task = |index: usize| {
        let nth = |step: Step| {
            let same = (1..).zip(&script.steps).filter(|(_, known)| **known == step);
            same.map(|(at, _)| at).collect::<Vec<At>>()
        };
        let later = index.checked_sub(early.into());
        let submitted = later.map_or(Some(0), |later| nth(Step::Submit).get(later).copied());
        let fails = script.runs.iter().any(|run| {
            run.task == index && run.ends.is_some_and(|(_, how)| how == Ending::Failure)
        });
        TaskPlan {
            absent: submitted.is_none(),
            id: 1 << 64 | index as u128,
            submit_at: match submitted {
                // One after the other, before anybody is there.
                Some(0) => MS + index as u64,
                Some(at) => schedule.at(at),
                None => 0,
            },
            handler: 0,
            priority: 0,
            max_retries: 0,
            timeout: None,
            size: 1,
            work: schedule.work(index),
            endless: false,
            stops: most,
            failing: u64::from(fails),
            panics: 0,
            twice: false,
            cancel_at: nth(Step::Cancel { task: index }).first().map(|at| schedule.at(*at)),
            again_at: None,
            clash_at: None,
        }
    };
    Plan {
        seed: 0,
        mode: Mode::Honest,
        temper: Temper::Common,
        settings,
        coordinator: CoordinatorPlan::default(),
        workers: (0..model.bounds.workers.into()).map(worker).collect(),
        tasks: (0..model.bounds.tasks.into()).map(task).collect(),
        episodes: episodes(script, schedule),
        lull: None,
        quiet_at: most,
        core: None,
        base: Base::Benign,
        decisions: Vec::new(),
        sabotage: None,
    }
}

/// What goes wrong on the way.
fn episodes(script: &Script, schedule: &Schedule) -> Vec<Episode> {
    let crash = |at: At, who| {
        let fault = Fault::Crash { who, manner: Manner::Killed, back: 0, kept: Kept::All };
        Episode { at: schedule.at(at), moment: None, fault }
    };
    let mut episodes = Vec::new();
    for (at, step) in (1..).zip(&script.steps) {
        if let Step::Crash { worker } = step {
            episodes.push(crash(at, Who::Worker(*worker)));
        } else if let Step::Restart { .. } = step {
            episodes.push(crash(at, Who::Coordinator));
        }
    }
    for (worker, lines) in script.lines.iter().enumerate() {
        episodes.extend(lines.iter().filter_map(|line| break_of(worker, line, schedule)));
    }
    episodes.sort_by_key(|episode| episode.at);
    episodes
}

/// How a connection breaks on the way, if it does.
fn break_of(worker: usize, line: &Line, schedule: &Schedule) -> Option<Episode> {
    let cut = line.cut?;
    if line.opened.is_none() {
        let refused = Dialled::Refused;
        let fault = Fault::Dials { worker, outcome: refused, lasts: 2 * Schedule::BETWEEN };
        let at = schedule.at(cut) - Schedule::BETWEEN;
        return Some(Episode { at, moment: None, fault });
    }
    let first = line.first_end();
    let until = match first {
        // Everybody learns of it by that.
        Some((_, Leaving::Ends)) => return None,
        Some((at, Leaving::Told | Leaving::Closes)) => at,
        None => At::MAX,
    };
    // What is under way is lost then: so it breaks when everything has arrived that does.
    let last = line.last_arrival(until).max(cut);
    let at = schedule.at(last) + Schedule::BETWEEN;
    Some(Episode { at, moment: None, fault: Fault::Cut { worker, told: Told::Both } })
}

#[cfg(test)]
mod tests;
