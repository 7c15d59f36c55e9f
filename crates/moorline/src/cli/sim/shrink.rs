//! `moorline sim shrink`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use moorline_sim::Plan;
use moorline_sim::scenario::Scenario;
use moorline_sim::shrink::{self, Shrunk, Size};
use serde_json::{Value, json};

use super::run::write;
use super::source::{Source, replay_of};
use super::verdict::{self, count};
use super::{in_a_world, judged};
use crate::cli::exit::Exit;
use crate::cli::progress::Line;
use crate::cli::values::some_duration;
use crate::cli::{Context, Outcome, output};

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    source: Source,

    /// Write the smallest scenario to this file [default: print it].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Take what is smallest after this time.
    #[arg(long, value_name = "DURATION", value_parser = some_duration, default_value = "1m")]
    time: Duration,
}

pub(super) fn run(args: &Args, context: Context) -> Outcome {
    let scenario = args.source.read()?;
    let name = args.source.name();
    let began = Instant::now();
    let Some(shrunk) = smallest(&scenario.plan, args.time)? else {
        if context.json {
            output::json(&json!({"result": "pass", "seed": scenario.plan.seed}))?;
        } else {
            output::line(&output::printable(&format!(
                "{name} keeps every promise: there is nothing to shrink"
            )))?;
        }
        return Ok(Exit::Done);
    };
    let took = began.elapsed();
    let exit = judged(&scenario, &shrunk.failure);
    let (smallest, about) = (small(&scenario, &name, &shrunk), told(&name, &shrunk, took));
    let replay = match &args.out {
        Some(path) => {
            write(path, &smallest.to_text())?;
            replay_of(path)
        }
        None => format!("moorline sim run {}", args.source.flags()),
    };
    if context.json {
        output::json(&as_json(&shrunk, &smallest, took, &replay))?;
    } else if args.out.is_some() {
        output::line(&output::printable(&about))?;
        output::line(&output::printable(&replay))?;
    } else {
        // The scenario is what was asked for: it can be sent to a file, and this be read meanwhile.
        output::bytes(smallest.to_text().as_bytes())?;
        output::note(&output::printable(&format!("{about}\n{replay}")));
    }
    Ok(exit)
}

/// Looks for the smallest plan, and says on a terminal how far it is.
pub(super) fn smallest(plan: &Plan, time: Duration) -> crate::Result<Option<Shrunk>> {
    let line = Line::new();
    let began = Instant::now();
    in_a_world(|| {
        shrink::shrink(plan, |replays| {
            if replays % 16 == 0 {
                let (plans, seconds) = (count(replays, "plan"), began.elapsed().as_secs());
                line.show(&format!("shrinking: {plans} run in {seconds} s"));
            }
            began.elapsed() < time
        })
    })
}

/// The scenario of the smallest plan: it says where it comes from, and what is wrong with it.
pub(super) fn small(whole: &Scenario, name: &str, shrunk: &Shrunk) -> Scenario {
    let whence = format!("Shrunk from {name}. {}", shrunk.failure.violation);
    let about = if whole.about.is_empty() { whence } else { format!("{}\n{whence}", whole.about) };
    // What was to happen on the way is about what may be gone now.
    Scenario { about, outcome: whole.outcome, ..Scenario::of(shrunk.plan.clone()) }
}

/// How much there is of a plan, in words.
fn size(size: &Size) -> String {
    format!(
        "{}, {}, {}, {}, broken after {}",
        count(size.workers as u64, "worker"),
        count(size.tasks as u64, "task"),
        count(size.episodes as u64, "fault"),
        count(size.decisions as u64, "decision"),
        verdict::seconds(size.lasts),
    )
}

/// What came of it, in a few lines.
pub(super) fn told(name: &str, shrunk: &Shrunk, took: Duration) -> String {
    let violation = &shrunk.failure.violation;
    let end = if shrunk.is_minimal {
        "nothing more can be left out"
    } else {
        "the time was over: with a longer --time there may be less"
    };
    format!(
        "{name} breaks {violation}\nbefore: {}\nafter:  {}\n{} run in {:.1} s: {end}",
        size(&shrunk.before),
        size(&shrunk.after),
        count(shrunk.replays, "plan"),
        took.as_secs_f64(),
    )
}

fn as_json(shrunk: &Shrunk, smallest: &Scenario, took: Duration, replay: &str) -> Value {
    let size = |size: &Size| {
        json!({
            "workers": size.workers, "tasks": size.tasks, "faults": size.episodes,
            "decisions": size.decisions, "broken_after_nanos": size.lasts,
        })
    };
    let mut value = verdict::failure(&shrunk.failure, replay);
    value["before"] = size(&shrunk.before);
    value["after"] = size(&shrunk.after);
    value["plans_run"] = shrunk.replays.into();
    value["took_millis"] = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).into();
    value["minimal"] = shrunk.is_minimal.into();
    value["scenario"] = smallest.to_text().into();
    value
}

#[cfg(test)]
mod tests;
