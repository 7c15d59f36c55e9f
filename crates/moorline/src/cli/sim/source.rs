//! Where a world comes from.

use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use moorline_sim::Plan;
use moorline_sim::scenario::Scenario;

use crate::cli::output;
use crate::{Code, Error, Result};

/// What may go wrong in a world that a seed makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(super) enum Mode {
    /// What networks, machines and people do: every promise holds.
    #[default]
    Honest,
    /// Also what they never should.
    Hostile,
}

impl Mode {
    /// As plans say it.
    pub(super) const fn of_plan(self) -> moorline_sim::Mode {
        match self {
            Self::Honest => moorline_sim::Mode::Honest,
            Self::Hostile => moorline_sim::Mode::Hostile,
        }
    }

    /// The plan of a seed.
    pub(super) fn plan(self, seed: u64) -> Plan {
        match self {
            Self::Honest => Plan::new(seed),
            Self::Hostile => Plan::hostile(seed),
        }
    }

    /// What has to stand behind a seed so that it is this one's.
    pub(super) const fn flag(self) -> &'static str {
        match self {
            Self::Honest => "",
            Self::Hostile => " --mode hostile",
        }
    }
}

/// One world: of a seed, or of a file.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("world").required(true))]
pub(super) struct Source {
    /// The world of this seed.
    #[arg(long, value_name = "N", group = "world")]
    seed: Option<u64>,

    /// The world of this scenario file; see docs/scenarios.md for every key.
    #[arg(long, value_name = "FILE", group = "world")]
    scenario: Option<PathBuf>,

    /// The same as --scenario FILE.
    #[arg(value_name = "FILE", group = "world")]
    file: Option<PathBuf>,

    /// What may go wrong in the world of a seed: honest, or hostile for what networks and disks never
    /// should do.
    #[arg(long, value_enum, value_name = "MODE", default_value_t = Mode::Honest)]
    #[arg(hide_possible_values = true, conflicts_with_all = ["scenario", "file"])]
    mode: Mode,
}

impl Source {
    fn path(&self) -> Option<&Path> {
        self.scenario.as_deref().or(self.file.as_deref())
    }

    /// What it is called in a sentence.
    pub(super) fn name(&self) -> String {
        match self.path() {
            Some(path) => path.display().to_string(),
            None => format!("seed {}", self.seed.unwrap_or(0)),
        }
    }

    /// How it stands on a command line.
    pub(super) fn flags(&self) -> String {
        match self.path() {
            Some(path) => of_file(path),
            None => of_seed(self.seed.unwrap_or(0), self.mode),
        }
    }

    /// Reads it.
    pub(super) fn read(&self) -> Result<Scenario> {
        match self.path() {
            Some(path) => read(path),
            None => Ok(Scenario::of(self.mode.plan(self.seed.unwrap_or(0)))),
        }
    }
}

/// Reads a scenario file.
pub(super) fn read(path: &Path) -> Result<Scenario> {
    let bytes =
        std::fs::read(path).map_err(|source| Error::Input { path: path.to_owned(), source })?;
    let refused = |detail: String| Error::Command { code: Code::SCENARIO, detail };
    let text = String::from_utf8(bytes)
        .map_err(|_| refused(format!("{} is not a text in UTF-8", path.display())))?;
    Scenario::parse(&text).map_err(|errors| {
        let mut lines = vec![format!("{} is no scenario", path.display())];
        lines.extend(errors.iter().map(ToString::to_string));
        refused(output::printable(&lines.join("\n")))
    })
}

/// How a scenario file stands on a command line.
fn of_file(path: &Path) -> String {
    let path = path.display().to_string();
    format!("--scenario {}", shell_words::quote(&path))
}

/// The command that runs a scenario file.
pub(super) fn replay_of(path: &Path) -> String {
    format!("moorline sim run {}", of_file(path))
}

/// How the world of a seed stands on a command line.
pub(super) fn of_seed(seed: u64, mode: Mode) -> String {
    format!("--seed {seed}{}", mode.flag())
}

/// Seeds: `0..1000`, or one.
pub(super) fn seeds(text: &str) -> Result<Range<u64>, String> {
    let wrong = || format!("`{text}` are no seeds; write them as 0..1000");
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    let range = match text.split_once("..") {
        Some((from, to)) => number(from)?..number(to)?,
        None => {
            let one = number(text)?;
            one..one.checked_add(1).ok_or_else(wrong)?
        }
    };
    if range.is_empty() {
        return Err(format!("there is no seed in {text}: the first one is to be below the last"));
    }
    Ok(range)
}
