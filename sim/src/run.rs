//! A run of a plan, and what is kept of it.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use crate::decide::{Decide, Decider, Decision, Log};
use crate::plan::Plan;
use crate::simulate::{Ended, Handled};
use crate::trace::{Recording, Shared};
use crate::world::{EVENTS_MAX, World};
use crate::{Coverage, Failure, Report, Rule, Violation};

/// Lines that a failure shows.
const LINES: usize = 400;

/// Runs the world of this seed.
///
/// # Errors
/// The first promise that was broken, without the lines that led to it: [`Run::recorded`] has them.
pub fn run(seed: u64) -> Result<Report, Box<Failure>> {
    run_plan(Plan::new(seed))
}

/// Runs the world of a plan.
///
/// # Errors
/// The first promise that was broken.
pub fn run_plan(plan: Plan) -> Result<Report, Box<Failure>> {
    Run::new(plan).go().result
}

/// A run of a plan, and what of it is kept.
///
/// ```
/// use moorline_sim::{Plan, Run};
///
/// let outcome = Run::new(Plan::new(7)).recorded(1_000).with_decisions().go();
/// let report = outcome.result.expect("every promise is kept");
/// assert!(outcome.recording.is_some_and(|recording| recording.last() > 0));
/// assert!(!outcome.decisions.is_empty(), "not everything was benign");
/// # let _ = report;
/// ```
#[derive(Debug)]
pub struct Run {
    plan: Plan,
    keeps: Option<usize>,
    logs: bool,
    events_max: u64,
    decisions: Option<Box<dyn Decide>>,
    handled: Option<Handled>,
    /// Where to record it, if somebody reads that meanwhile.
    shared: Option<Shared>,
}

/// What a run comes to.
#[derive(Debug)]
pub struct RunOutcome {
    /// Whether every promise was kept.
    pub result: Result<Report, Box<Failure>>,
    /// What happened, if that was asked for.
    pub recording: Option<Recording>,
    /// The decisions that were not benign, in the order in which they were taken, if they were asked for.
    pub decisions: Vec<Decision>,
    /// How the tasks ended, if their handlers are somebody's own; see [`simulate`](fn@crate::simulate).
    pub ended: Vec<Ended>,
    /// How many events there were.
    pub events: u64,
    /// What was covered until a promise was broken.
    covered: Coverage,
}

impl RunOutcome {
    /// Which faults met which states and frames, up to the broken promise if there is one.
    #[must_use]
    pub const fn coverage(&self) -> &Coverage {
        match &self.result {
            Ok(report) => &report.coverage,
            Err(_) => &self.covered,
        }
    }
}

impl Run {
    /// A run of this plan of which nothing is kept. Settings that the machines do not take
    /// ([`Settings::is_fit`](crate::Settings::is_fit)) fail it at once.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            keeps: None,
            logs: false,
            events_max: EVENTS_MAX,
            decisions: None,
            handled: None,
            shared: None,
        }
    }

    /// Keeps the last so many records.
    #[must_use]
    pub fn recorded(self, keeps: usize) -> Self {
        Self { keeps: Some(keeps.max(1)), ..self }
    }

    /// Keeps what happens here, where somebody reads it meanwhile.
    #[must_use]
    pub(crate) fn recorded_in(self, recording: Shared) -> Self {
        Self { shared: Some(recording), ..self }
    }

    /// Keeps the decisions that were not benign.
    #[must_use]
    pub fn with_decisions(self) -> Self {
        Self { logs: true, ..self }
    }

    /// Ends it after so many events, 5,000,000 if nothing is said: as a run that goes round in circles.
    #[must_use]
    pub fn within(self, events_max: u64) -> Self {
        Self { events_max: events_max.min(EVENTS_MAX), ..self }
    }

    /// Has decisions taken by this one, instead of by the plan.
    #[must_use]
    pub fn decided_by(self, decisions: Box<dyn Decide>) -> Self {
        Self { decisions: Some(decisions), ..self }
    }

    /// Has tasks handled by this.
    pub(crate) fn handled_by(self, handled: Handled) -> Self {
        Self { handled: Some(handled), ..self }
    }

    /// Runs it.
    #[must_use]
    pub fn go(self) -> RunOutcome {
        let Self { plan, keeps, logs, events_max, decisions, handled, shared } = self;
        let seed = plan.seed;
        let keeps = keeps.map(|keeps| Rc::new(RefCell::new(Recording::keeping(keeps))));
        let recording = shared.or(keeps);
        let draws = decisions.map_or_else(|| Decider::of(&plan), Decider::Other);
        let (draws, taken) = if logs {
            let log = Log::new(draws);
            let taken = log.taken();
            (Decider::Other(Box::new(log)), Some(taken))
        } else {
            (draws, None)
        };
        let configs = match plan.settings.configs() {
            Ok(configs) => configs,
            Err(unfit) => {
                let violation = Violation::new(Rule::Panic, unfit.to_string());
                let failure = Failure { seed, at: 0, violation, last: Vec::new() };
                return RunOutcome {
                    result: Err(Box::new(failure)),
                    recording: None,
                    decisions: Vec::new(),
                    ended: Vec::new(),
                    events: 0,
                    covered: Coverage::default(),
                };
            }
        };
        let mut world = World::new(plan, configs, draws, recording.clone(), events_max);
        world.handle_by(handled);
        // A panic in the machines is a failure like any other.
        let run = catch_unwind(AssertUnwindSafe(|| world.run()));
        let at = world.now;
        let violation = match run {
            Ok(Ok(report)) => Ok(report),
            Ok(Err(violation)) => Err(violation),
            Err(panic) => {
                let words = words_of(panic);
                world.break_promise(Rule::Panic, words.clone());
                Err(Violation::new(Rule::Panic, words))
            }
        };
        let (ended, events, covered) = (world.ended(), world.events(), world.covered());
        drop(world);
        let recording = recording.map(|recording| recording.replace(Recording::keeping(1)));
        let last = || recording.as_ref().map_or_else(Vec::new, |recording| recording.lines(LINES));
        let result =
            violation.map_err(|violation| Box::new(Failure { seed, at, violation, last: last() }));
        let decisions = taken.map_or_else(Vec::new, |taken| taken.take());
        RunOutcome { result, recording, decisions, ended, events, covered }
    }
}

/// What a panic says.
fn words_of(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(words) => *words,
        Err(panic) => match panic.downcast::<&str>() {
            Ok(words) => (*words).to_owned(),
            Err(_) => String::from("no words"),
        },
    }
}
