//! What is kept of the worlds of a swarm that failed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use moorline_sim::picture::Timeline;
use moorline_sim::scenario::Scenario;
use moorline_sim::{Failure, Plan, Rule, Run, Story};

use super::run::write;
use super::{RECORDS, explain, in_a_world, shrink};
use crate::Error;

/// Where finds go, and which rules were found broken before.
pub(super) struct Finds<'a> {
    directory: &'a Path,
    /// How long to look for the smallest plan of each.
    shrink: Duration,
    known: Vec<Rule>,
}

impl<'a> Finds<'a> {
    pub(super) const fn new(directory: &'a Path, shrink: Duration) -> Self {
        Self { directory, shrink, known: Vec::new() }
    }

    /// Keeps the plan of a world that failed as a scenario. The first that breaks a rule is also kept
    /// as small as it gets, with a picture and the story of that. Returns the scenario that somebody
    /// should look at.
    pub(super) fn keep(&mut self, plan: Plan, failure: &Failure) -> Result<PathBuf, Error> {
        std::fs::create_dir_all(self.directory)
            .map_err(|source| Error::WriteFile { path: self.directory.to_owned(), source })?;
        let name = format!("seed-{}", failure.seed);
        let path = self.directory.join(format!("{name}.toml"));
        let about = format!("Found by a swarm: {}", failure.violation);
        let whole = Scenario { about, ..Scenario::of(plan) };
        write(&path, &whole.to_text())?;
        if self.shrink.is_zero() || self.known.contains(&failure.violation.rule) {
            return Ok(path);
        }
        self.known.push(failure.violation.rule);
        let began = Instant::now();
        let Some(shrunk) = shrink::smallest(&whole.plan, self.shrink)? else { return Ok(path) };
        let name = format!("{name}-small");
        let path = self.directory.join(format!("{name}.toml"));
        let told = shrink::told(&path.display().to_string(), &shrunk, began.elapsed());
        let small = shrink::small(&whole, &format!("seed {}", failure.seed), &shrunk);
        write(&path, &small.to_text())?;
        let plan = small.plan.clone();
        let Some(recording) = in_a_world(|| Run::new(plan).recorded(RECORDS).go())?.recording
        else {
            return Ok(path);
        };
        write(
            &self.directory.join(format!("{name}.html")),
            &Timeline::new(&small.plan, &recording).html(),
        )?;
        if let Some(story) = Story::new(&recording) {
            let story = explain::told(&format!("{name}.toml"), &shrunk.failure.violation, &story);
            write(&self.directory.join(format!("{name}.txt")), &format!("{told}\n\n{story}\n"))?;
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests;
