//! Where a world comes from.

use std::ops::Range;
use std::path::{Path, PathBuf};

use moorline_sim::scenario::Scenario;

use super::drawing::{Drawing, OPTIONS};
use crate::cli::output;
use crate::{Code, Error, Result};

/// One world: of a seed, or of a file.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("world").required(true))]
pub(super) struct Source {
    /// The world of this seed.
    #[arg(long, value_name = "N", group = "world")]
    seed: Option<u64>,

    /// The world of this scenario file; see docs/scenarios.md for every key.
    #[arg(long, value_name = "FILE", group = "world", conflicts_with_all = OPTIONS)]
    scenario: Option<PathBuf>,

    /// The same as --scenario FILE.
    #[arg(value_name = "FILE", group = "world", conflicts_with_all = OPTIONS)]
    file: Option<PathBuf>,

    #[command(flatten)]
    drawing: Drawing,
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
            None => self.drawing.origin(self.seed.unwrap_or(0)).to_string(),
        }
    }

    /// Reads it.
    pub(super) fn read(&self) -> Result<Scenario> {
        match self.path() {
            Some(path) => read(path),
            None => Ok(Scenario::of(self.drawing.origin(self.seed.unwrap_or(0)).plan())),
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
