//! Which workers a command is about: those that are named, or all that match.

use clap::builder::PossibleValuesParser;
use moorline_link::Reason;
use wildmatch::WildMatch;

use crate::WorkerInfo;
use crate::api::WORKER_STATES;

/// Which workers are meant, by what they are; without a condition all of them.
#[derive(Default)]
pub(super) struct Filter<'a> {
    states: &'a [String],
    reasons: &'a [Reason],
    name: Option<WildMatch>,
}

impl<'a> Filter<'a> {
    pub(super) fn new(states: &'a [String], reasons: &'a [Reason], name: Option<&str>) -> Self {
        Self { states, reasons, name: name.map(WildMatch::new) }
    }

    pub(super) fn takes(&self, worker: &WorkerInfo) -> bool {
        let reason = worker.reason.as_deref();
        (self.states.is_empty() || self.states.iter().any(|state| is_in(worker, state)))
            && (self.reasons.is_empty()
                || self.reasons.iter().any(|one| Some(one.name()) == reason))
            && self.name.as_ref().is_none_or(|name| name.matches(&worker.name))
    }
}

/// The word for every state in which a worker has no connection.
pub(super) const INACTIVE: &str = "inactive";

fn is_in(worker: &WorkerInfo, state: &str) -> bool {
    let inactive = ["expected", "disconnected", "lost", "departed"];
    worker.state == state || (state == INACTIVE && inactive.contains(&worker.state.as_str()))
}

pub(super) fn reason(text: &str) -> Result<Reason, String> {
    Reason::from_name(text)
        .ok_or_else(|| format!("`{text}` is not a reason; `moorline explain` lists them"))
}

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Selection {
    /// Names or identities of workers.
    #[arg(value_name = "WORKER", required_unless_present = "all")]
    workers: Vec<String>,

    /// All workers that the command can change, or those of them that --state, --reason and --name
    /// leave.
    #[arg(long, conflicts_with = "workers")]
    all: bool,

    /// With --all: only workers in one of these states.
    #[arg(long, value_name = "STATE", value_delimiter = ',', requires = "all")]
    #[arg(value_parser = PossibleValuesParser::new(WORKER_STATES), hide_possible_values = true)]
    state: Vec<String>,

    /// With --all: only workers that are not active for one of these reasons.
    #[arg(long, value_name = "REASON", value_delimiter = ',', requires = "all")]
    #[arg(value_parser = reason)]
    reason: Vec<Reason>,

    /// With --all: only workers whose name is like this: `*` stands for any characters, `?` for one.
    #[arg(long, value_name = "GLOB", requires = "all")]
    name: Option<String>,
}

impl Selection {
    /// The named ones.
    pub(super) fn named(&self) -> &[String] {
        &self.workers
    }

    /// Whether it is not known beforehand how many there are.
    pub(super) fn is_open(&self) -> bool {
        self.all
    }

    /// Which of all.
    pub(super) fn filter(&self) -> Filter<'_> {
        Filter::new(&self.state, &self.reason, self.name.as_deref())
    }
}
