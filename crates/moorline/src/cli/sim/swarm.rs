//! `moorline sim swarm`.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use moorline_sim::{Failure, Swarm, SwarmReport};
use serde_json::{Value, json};

use super::drawing::Drawing;
use super::finds::Finds;
use super::source::{replay_of, seeds};
use super::verdict::{self, count};
use crate::Error;
use crate::cli::exit::Exit;
use crate::cli::progress::Line;
use crate::cli::values::{duration, some_duration};
use crate::cli::{Context, Outcome, output};

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
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

    /// Draw every second world so that it leads to cells of `moorline sim cover` that are empty so far.
    #[arg(long)]
    steer: bool,

    /// Write the plan of each world that failed to this directory, as a scenario file. The first one
    /// that breaks a rule is written also as small as it gets, with a picture of it and what led there
    /// in words.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Look so long for the smallest plan of each that gets one; 0s is not at all.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    #[arg(requires = "out")]
    shrink: Duration,

    /// Stop with the so manyeth failure.
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    stop_after: u16,
}

/// How long a swarm lasts if nobody says anything.
pub(super) const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn run(args: &Args, context: Context) -> Outcome {
    let drawing = &args.drawing;
    let swarm = match (&args.seeds, args.time) {
        (Some(seeds), None) => Swarm::of(seeds.clone()),
        (Some(seeds), Some(time)) => Swarm::of(seeds.clone()).within(time),
        (None, time) => Swarm::lasting(0, time.unwrap_or(MINUTE)),
    };
    let swarm = swarm.drawn_by(|seed| drawing.origin(seed)).stop_after(args.stop_after.into());
    let swarm = if args.steer { swarm.steered() } else { swarm };
    let swarm = match args.jobs {
        Some(jobs) => swarm.jobs(jobs.into()),
        None => swarm,
    };
    let report = {
        let line = Line::new();
        swarm.run_with(|so_far| line.show(&how_far(so_far)))
    };
    // A world that was steered somewhere is not what its seed alone makes.
    let origin = |failure: &Failure| {
        let steered = report.origins.get(&failure.seed).copied();
        steered.unwrap_or_else(|| drawing.origin(failure.seed))
    };
    let mut files = Vec::new();
    if let Some(directory) = &args.out {
        let mut finds = Finds::new(directory, args.shrink);
        for failure in &report.failures {
            files.push(finds.keep(origin(failure).plan(), failure)?);
        }
    }
    let replays: Vec<String> = report
        .failures
        .iter()
        .enumerate()
        .map(|(place, failure)| match files.get(place) {
            Some(path) => replay_of(path),
            None => format!("moorline sim run {}", origin(failure)),
        })
        .collect();
    if context.json {
        output::json(&json(&report, &replays))?;
    } else {
        tell(&report, &replays)?;
    }
    Ok(report.failures.first().map_or(Exit::Done, verdict::exit))
}

/// One line of progress.
pub(super) fn how_far(report: &SwarmReport) -> String {
    format!(
        "{}, {} a second, {}",
        count(report.worlds, "world"),
        report.a_second(report.worlds),
        count(report.failures.len() as u64, "failure"),
    )
}

fn tell(report: &SwarmReport, replays: &[String]) -> Result<(), Error> {
    let seeds = &report.seeds;
    output::line(&format!(
        "{} of the seeds {}..{} in {:.1} s: {} worlds and {} packets a second, {}",
        count(report.worlds, "world"),
        seeds.start,
        seeds.end,
        report.took.as_secs_f64(),
        report.a_second(report.worlds),
        report.a_second(report.packets),
        count(report.failures.len() as u64, "failure"),
    ))?;
    output::line("used of the time allowed after the faults, by half of the worlds, 99 %, all:")?;
    let parts = [("everybody is back", &report.back), ("every task has ended", &report.ended)];
    for (what, used) in parts {
        let [half, most, all] = [500, 990, 1_000].map(|share| verdict::percent(used.within(share)));
        let seed = used.most().map_or(report.seeds.start, |(seed, _)| seed);
        output::line(&format!("  until {what:<20}  {half:>7}  {most:>7}  {all:>7} (seed {seed})"))?;
    }
    output::line(&format!("hash {:016x}", report.hash))?;
    for failure in &report.failures {
        let text = format!(
            "seed {} after {}: {}",
            failure.seed,
            verdict::seconds(failure.at),
            failure.violation
        );
        output::line(&output::short(&text, 400))?;
    }
    match replays.first() {
        Some(replay) => output::line(replay),
        None => Ok(()),
    }
}

fn json(report: &SwarmReport, replays: &[String]) -> Value {
    let used = |used: &moorline_sim::Used| {
        json!({
            "p50": used.within(500), "p90": used.within(900), "p99": used.within(990),
            "max": used.within(1_000), "seed_of_max": used.most().map(|(seed, _)| seed),
        })
    };
    let failures: Vec<Value> = report
        .failures
        .iter()
        .zip(replays)
        .map(|(failure, replay)| verdict::failure(failure, replay))
        .collect();
    let seen = report
        .seen
        .iter()
        .map(|seen| (seen.name.to_owned(), json!({"times": seen.times, "worlds": seen.worlds})));
    json!({
        "result": if failures.is_empty() { "pass" } else { "fail" },
        "seeds": {"from": report.seeds.start, "to": report.seeds.end},
        "worlds": report.worlds,
        "hash": format!("{:016x}", report.hash),
        "took_millis": u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX),
        "worlds_per_second": report.a_second(report.worlds),
        "packets_per_second": report.a_second(report.packets),
        "simulated_seconds": report.lasted,
        "events": report.events,
        "packets": report.packets,
        "tasks": report.tasks,
        "attempts": report.attempts,
        "dials": report.dials,
        "crashes": report.crashes,
        "back_thousandths": used(&report.back),
        "ended_thousandths": used(&report.ended),
        "seen": seen.collect::<serde_json::Map<String, Value>>(),
        "failures": failures,
    })
}

#[cfg(test)]
mod tests;
