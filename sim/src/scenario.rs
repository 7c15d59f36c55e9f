//! Scenarios: plans as text that people read, write and keep.
//!
//! A seed dies when the code that draws plans changes; a scenario does not. It is TOML, complete and
//! explicit: what [`to_text`] writes names everything that a plan has, and [`parse`] makes the same plan
//! of it. What a person writes may be short: all that is left out has a default.
//!
//! ```
//! use moorline_sim::scenario;
//!
//! let plan = scenario::parse(
//!     r#"
//!     format = 1
//!     [workload]
//!     tasks = 10
//!     [[episode]]
//!     at = "5s"
//!     fault = "crash"
//!     node = "coordinator"
//!     back = "3s"
//!     "#,
//! )
//! .expect("it is one");
//! assert_eq!((plan.workers.len(), plan.tasks.len(), plan.episodes.len()), (1, 10, 1));
//! assert_eq!(scenario::parse(&scenario::to_text(&plan)), Ok(plan));
//! ```

mod expect;
mod file;
mod form;
mod kind;
mod latency;
#[cfg(test)]
mod lists;
mod parts;
mod reads;
mod units;
mod words;
mod writes;

use std::fmt;

pub use expect::Expect;

use crate::{Invariant, Plan, Recording, Run, RunOutcome};

/// Records of a run that expectations are looked for in: all that a scenario of a few minutes has.
const RECORDS: usize = 1_000_000;

/// A plan, and what is to come of it.
///
/// ```
/// use moorline_sim::scenario::Scenario;
///
/// let error = Scenario::parse("format = 1\n[nodes]\nworkers = 1_000_000\n").unwrap_err();
/// assert_eq!((error[0].line, error[0].key.as_str()), (3, "nodes.workers"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scenario {
    /// What it is about, in a sentence or two.
    pub about: String,
    /// What happens in it.
    pub plan: Plan,
    /// The promise that is broken in it; none: every one is kept.
    pub outcome: Option<Invariant>,
    /// What happens on the way, and by when.
    pub expects: Vec<Expect>,
}

impl Scenario {
    /// Of a plan in which every promise is kept.
    #[must_use]
    pub fn of(plan: Plan) -> Self {
        Self { about: String::new(), plan, outcome: None, expects: Vec::new() }
    }

    /// Reads one.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of lines.
    pub fn parse(text: &str) -> Result<Self, Vec<ScenarioError>> {
        file::read(text)
    }

    /// What was to happen in a run of it and did not, a sentence each.
    #[must_use]
    pub fn unmet(&self, recording: &Recording) -> Vec<String> {
        self.expects.iter().filter_map(|expect| expect.is_met(recording).err()).collect()
    }

    /// Runs it, and sees whether it goes as it says: which promise is broken, and what happens by when.
    ///
    /// ```
    /// use moorline_sim::scenario::Scenario;
    ///
    /// let scenario = Scenario { outcome: "SAFE-3".parse().ok(), ..Scenario::parse("format = 1").unwrap() };
    /// let wrong = scenario.play().1;
    /// assert_eq!(wrong, ["SAFE-3 is not broken"]);
    /// ```
    ///
    /// Returns what the run came to, and a sentence for each thing that is not as the scenario says.
    #[must_use]
    pub fn play(&self) -> (RunOutcome, Vec<String>) {
        let run = Run::new(self.plan.clone());
        let run = if self.expects.is_empty() { run } else { run.recorded(RECORDS) };
        let outcome = run.go();
        let mut wrong = outcome.recording.as_ref().map_or_else(Vec::new, |all| self.unmet(all));
        match (&outcome.result, self.outcome) {
            (Ok(_), None) => {}
            (Err(failure), Some(invariant)) if failure.violation.invariant == invariant => {}
            (Ok(_), Some(invariant)) => wrong.push(format!("{invariant} is not broken")),
            (Err(failure), _) => wrong.push(failure.to_string()),
        }
        (outcome, wrong)
    }

    /// Writes it, with a comment for each key where it stands first. Workers and tasks that are absent
    /// are not in it, only their numbers stay free.
    #[must_use]
    pub fn to_text(&self) -> String {
        file::write(self)
    }
}

/// A plan as text; see [`Scenario::to_text`].
#[must_use]
pub fn to_text(plan: &Plan) -> String {
    Scenario::of(plan.clone()).to_text()
}

/// The plan of a text.
///
/// # Errors
/// Everything that is wrong with it, in the order of lines.
pub fn parse(text: &str) -> Result<Plan, Vec<ScenarioError>> {
    Scenario::parse(text).map(|scenario| scenario.plan)
}

/// A plan as its file tells it: how those would be who are absent, and how many of them come last, is
/// nothing that it knows. `parse(to_text(plan))` is `tidy(plan)`.
///
/// ```
/// use moorline_sim::{Plan, scenario};
///
/// let mut plan = Plan::new(7);
/// assert_eq!(scenario::tidy(plan.clone()), plan);
/// plan.tasks.iter_mut().for_each(|task| task.absent = true);
/// assert!(scenario::tidy(plan).tasks.is_empty());
/// ```
#[must_use]
pub fn tidy(plan: Plan) -> Plan {
    file::tidy(plan)
}

/// A fault as a scenario says it, on one line: `crash, node = "w1", manner = "killed", back = "2s"`.
pub(crate) fn told(fault: &crate::Fault) -> String {
    let (name, _) = parts::episodes::FAULTS[parts::episodes::place(fault)];
    let mut fault = *fault;
    let keys = writes::Writes::inline(|form| parts::episodes::fault(form, &mut fault));
    if keys.is_empty() { name.to_owned() } else { format!("{name}, {keys}") }
}

/// A task of which nothing is said but its number.
pub(crate) fn task(index: usize) -> crate::TaskPlan {
    parts::nodes::task_of(index)
}

/// One thing that is wrong with a scenario.
///
/// ```
/// let errors = moorline_sim::scenario::parse("format = 1\n[quiet]\nat = \"60\"\n").unwrap_err();
/// let text = errors[0].to_string();
/// assert!(text.starts_with("line 3, quiet.at: `60` has no unit"), "{text}");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScenarioError {
    /// The line, from 1.
    pub line: usize,
    /// The key, with the tables it is in; empty if it is about no key.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

/// Characters of a message: what it quotes may be of any length.
const MESSAGE_MAX: usize = 500;

impl ScenarioError {
    fn new(line: usize, key: &str, what: &str, hint: &str) -> Self {
        let short = |text: &str| {
            if text.chars().count() <= MESSAGE_MAX {
                return text.to_owned();
            }
            text.chars().take(MESSAGE_MAX - 1).chain(['…']).collect()
        };
        Self { line, key: short(key), what: short(what), hint: short(hint) }
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if !self.key.is_empty() {
            write!(f, ", {}", self.key)?;
        }
        write!(f, ": {}\n  hint: {}", self.what, self.hint)
    }
}

impl std::error::Error for ScenarioError {}

#[cfg(test)]
mod tests;
