//! `moorline sim cover`.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use moorline_sim::{Coverage, Failure, Family, FrameKind, Met, Run, Swarm};
use serde_json::{Value, json};

use super::drawing::{Drawing, OPTIONS, family, typed};
use super::in_a_world;
use super::source::{self, replay_of, seeds};
use super::swarm::{MINUTE, how_far};
use super::verdict::{self, count};
use crate::Error;
use crate::cli::exit::Exit;
use crate::cli::progress::Line;
use crate::cli::values::some_duration;
use crate::cli::{Context, Outcome, output};

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// Count in the worlds of these scenario files, and of those in these directories [default: in
    /// worlds of seeds].
    #[arg(value_name = "PATH", conflicts_with_all = ["seeds", "time", "jobs", "steer"])]
    #[arg(conflicts_with_all = OPTIONS)]
    paths: Vec<PathBuf>,

    /// Run the worlds of these seeds, from the first to the one before the last [default: from 0 on,
    /// for a minute].
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    seeds: Option<Range<u64>>,

    /// Begin with no further world after this time.
    #[arg(long, value_name = "DURATION", value_parser = some_duration)]
    time: Option<Duration>,

    /// Run so many worlds at a time [default: one for each core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    jobs: Option<u16>,

    #[command(flatten)]
    drawing: Drawing,

    /// Draw every second world so that it leads to cells that are empty so far.
    #[arg(long)]
    steer: bool,

    /// Show of this family which frame met which state, and how often.
    #[arg(long, value_name = "FAMILY", value_parser = family)]
    family: Option<Family>,

    /// End with exit code 15 if fewer cells are covered.
    #[arg(long, value_name = "CELLS")]
    floor: Option<usize>,
}

/// What was run, and what it covered.
struct Covered {
    /// What was run, as it stands on a command line.
    of: String,
    /// How many worlds that were.
    worlds: u64,
    coverage: Coverage,
    /// The first world in which a promise was broken, its name, and the command that repeats it.
    failure: Option<(Failure, String, String)>,
}

pub(super) fn run(args: &Args, context: Context) -> Outcome {
    let covered = if args.paths.is_empty() { of_seeds(args) } else { of_files(&args.paths)? };
    let below = args.floor.filter(|floor| covered.coverage.covered() < *floor);
    let exit = match (&covered.failure, below) {
        (Some((failure, ..)), _) => verdict::exit(failure),
        (None, Some(_)) => Exit::Uncovered,
        (None, None) => Exit::Done,
    };
    if context.json {
        output::json(&as_json(&covered, args.floor, exit))?;
        return Ok(exit);
    }
    let text = match args.family {
        Some(family) => of_family(&covered.coverage, family),
        None => matrix(&covered.coverage),
    };
    output::bytes(text.as_bytes())?;
    output::line(&format!(
        "{}, {} of {} cells covered",
        count(covered.worlds, "world"),
        covered.coverage.covered(),
        Coverage::reachable()
    ))?;
    if let (Some(floor), None) = (below, &covered.failure) {
        output::line(&format!("less than the {floor} that were asked for"))?;
        output::line(&format!("moorline sim cover {} --floor {floor}", covered.of))?;
    }
    if let Some((failure, name, replay)) = &covered.failure {
        output::line(&output::short(&format!("{name} breaks {}", failure.violation), 400))?;
        output::line(replay)?;
    }
    Ok(exit)
}

fn of_seeds(args: &Args) -> Covered {
    let drawing = &args.drawing;
    let swarm = match (&args.seeds, args.time) {
        (Some(seeds), None) => Swarm::of(seeds.clone()),
        (Some(seeds), Some(time)) => Swarm::of(seeds.clone()).within(time),
        (None, time) => Swarm::lasting(0, time.unwrap_or(MINUTE)),
    };
    let swarm = match args.jobs {
        Some(jobs) => swarm.jobs(jobs.into()),
        None => swarm,
    };
    let swarm = swarm.drawn_by(|seed| drawing.origin(seed));
    let swarm = if args.steer { swarm.steered() } else { swarm };
    let line = Line::new();
    let report = swarm.run_with(|so_far| {
        let cells = count(so_far.coverage.covered() as u64, "cell");
        line.show(&format!("{}, {cells} covered", how_far(so_far)));
    });
    let origins = &report.origins;
    let failure = report.failures.into_iter().next().map(|failure| {
        let origin = origins.get(&failure.seed).copied();
        let origin = origin.unwrap_or_else(|| drawing.origin(failure.seed));
        let replay = format!("moorline sim run {origin}");
        let name = format!("seed {}", failure.seed);
        (failure, name, replay)
    });
    let (from, to) = (report.seeds.start, report.seeds.end);
    let steer = if args.steer { " --steer" } else { "" };
    let of = format!("--seeds {from}..{to}{}{steer}", drawing.flags());
    Covered { of, worlds: report.worlds, coverage: report.coverage, failure }
}

/// The scenario files among these, and in these.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let wrong = |source| Error::Input { path: path.clone(), source };
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(wrong)? {
            let path = entry.map_err(wrong)?.path();
            if path.extension().is_some_and(|end| end == "toml") {
                inside.push(path);
            }
        }
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

fn of_files(paths: &[PathBuf]) -> Result<Covered, Error> {
    let named = paths.iter().map(|path| path.display().to_string());
    let of: Vec<String> = named.map(|path| shell_words::quote(&path).into_owned()).collect();
    let (of, coverage) = (of.join(" "), Coverage::default());
    let mut covered = Covered { of, worlds: 0, coverage, failure: None };
    for path in files(paths)? {
        one_file(&path, &mut covered)?;
    }
    Ok(covered)
}

fn one_file(path: &Path, covered: &mut Covered) -> Result<(), Error> {
    let scenario = source::read(path)?;
    let plan = scenario.plan.clone();
    let outcome = in_a_world(|| Run::new(plan).go())?;
    covered.worlds += 1;
    covered.coverage.merge(outcome.coverage());
    if let Err(failure) = outcome.result
        && scenario.outcome != Some(failure.violation.invariant)
        && covered.failure.is_none()
    {
        let name = path.display().to_string();
        covered.failure = Some((*failure, name, replay_of(path)));
    }
    Ok(())
}

/// Whose state it is, and its name.
fn name(met: Met) -> (&'static str, String) {
    match met {
        Met::Link(state) => ("link", format!("{state:?}").to_lowercase()),
        Met::Presence(presence) => ("presence", format!("{presence:?}").to_lowercase()),
    }
}

/// So many letters of a state are shown at the head of a column.
const LETTERS: usize = 5;

/// The heads of the columns: states of links, a bar, states that the coordinator sees.
fn heads() -> String {
    let mut line = String::new();
    let mut before = "link";
    for met in Met::ALL {
        let (whose, name) = name(met);
        if whose != before {
            line.push_str("  |");
            before = whose;
        }
        let short: String = name.chars().take(LETTERS).collect();
        line.push_str(&format!("  {short:>LETTERS$}"));
    }
    line
}

/// A row of figures, one for each state; nothing is a dot.
fn row(of: impl Fn(Met) -> u64) -> String {
    let mut line = String::new();
    let mut before = "link";
    for met in Met::ALL {
        let (whose, _) = name(met);
        if whose != before {
            line.push_str("  |");
            before = whose;
        }
        let shown = match of(met) {
            0 => ".".to_owned(),
            many @ 1..=99_999 => many.to_string(),
            many => format!("{}k", many / 1_000),
        };
        line.push_str(&format!("  {shown:>LETTERS$}"));
    }
    line
}

/// How many kinds of frames met each family in each state.
fn matrix(coverage: &Coverage) -> String {
    let kinds = |family: Family, met: Met| {
        let met = FrameKind::ALL.iter().filter(|kind| coverage.count(family, met, **kind) > 0);
        met.count() as u64
    };
    let all = FrameKind::ALL.len();
    let mut text = format!(
        "kinds of frames, of {all}, that met a fault of each family: by the state of the worker's link | \
         and by how the coordinator sees the worker\n"
    );
    text.push_str(&format!("{:<16}{}\n", "", heads()));
    let mut never = Vec::new();
    for family in Family::ALL {
        let title = format!("{} {}", family.name(), typed(*family));
        text.push_str(&format!("{title:<16}{}\n", row(|met| kinds(*family, met))));
        if Met::ALL.into_iter().all(|met| kinds(*family, met) == 0) {
            never.push(title);
        }
    }
    let frames = FrameKind::ALL.iter().filter(|kind| {
        let places = Family::ALL.iter().flat_map(|family| Met::ALL.map(|met| (*family, met)));
        !places.into_iter().any(|(family, met)| coverage.count(family, met, **kind) > 0)
    });
    let frames: Vec<&str> = frames.map(|kind| kind.name()).collect();
    let mut note = |what: &str, which: &[String]| {
        if !which.is_empty() {
            text.push_str(&format!("{what}: {}\n", which.join(", ")));
        }
    };
    note("families that met nothing", &never);
    note(
        "frames that met nothing",
        &frames.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(),
    );
    text
}

/// How often each kind of frame met this family in each state.
fn of_family(coverage: &Coverage, family: Family) -> String {
    let mut text = format!(
        "{} {}: {}\nhow often a frame met it: by the state of the worker's link | and by how the \
         coordinator sees the worker\n",
        family.name(),
        family.title(),
        family.meaning()
    );
    text.push_str(&format!("{:<18}{}\n", "", heads()));
    for kind in FrameKind::ALL {
        let line = row(|met| coverage.count(family, met, *kind).into());
        text.push_str(&format!("{:<18}{line}\n", kind.name()));
    }
    text
}

fn as_json(covered: &Covered, floor: Option<usize>, exit: Exit) -> Value {
    let coverage = &covered.coverage;
    let cells: Vec<Value> = coverage
        .cells()
        .map(|(family, met, kind, times)| {
            let (whose, state) = name(met);
            json!({"family": family.name(), "of": whose, "state": state, "frame": kind.name(), "times": times})
        })
        .collect();
    let mut value = json!({
        "worlds": covered.worlds,
        "covered": coverage.covered(),
        "of": Coverage::reachable(),
        "floor": floor,
        "cells": cells,
        "exit": exit as u8,
    });
    if let Some((failure, _, replay)) = &covered.failure {
        value["failure"] = verdict::failure(failure, replay);
    }
    value
}

#[cfg(test)]
mod tests;
