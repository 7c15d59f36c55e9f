//! `moorline sim check`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use moorline_sim::check::{Bounds, Checked, Counterexample, OtherWay, Verdict};
use moorline_sim::scenario::Scenario;
use moorline_sim::{Class, Plan, Rule};
use serde_json::{Value, json};

use super::in_a_world;
use super::run::write;
use super::source::replay_of;
use super::verdict::count;
use crate::cli::exit::Exit;
use crate::cli::progress::Line;
use crate::cli::values::some_duration;
use crate::cli::{Context, Outcome, output};

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// How large the world is and how much may go wrong in it, such as w2-t1-b1-c1: w workers, t tasks,
    /// s slots of a worker, l tasks handed in late, b connections that break, c workers that crash, e
    /// timers of the coordinator that run out, r coordinators that crash, f handlers that fail, x
    /// cancels. Several are searched one after the other.
    #[arg(long, value_name = "MODEL", value_delimiter = ',', required = true)]
    model: Vec<Bounds>,

    /// Give each up after this time. It also limits the memory: a second takes some 50 MiB.
    #[arg(long, value_name = "DURATION", value_parser = some_duration, default_value = "1m")]
    time: Duration,

    /// Write what is found to this file, as a scenario that `moorline sim run` replays.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A model, what a search through it came to, and how long that took.
struct Searched {
    checked: Checked,
    took: Duration,
}

pub(super) fn run(args: &Args, context: Context) -> Outcome {
    let mut all = Vec::new();
    for bounds in &args.model {
        let searched = search(*bounds, args.time)?;
        if !context.json {
            output::line(&output::printable(&searched.text()))?;
        }
        let is_found = searched.way().is_some();
        all.push(searched);
        // What is found is what was looked for.
        if is_found {
            break;
        }
    }
    let last = all.last().map_or(Exit::Done, Searched::exit);
    // One that was given up is not made good by another that was not.
    let is_unfinished = last == Exit::Done && all.iter().any(Searched::is_stopped);
    let exit = if is_unfinished { Exit::NotMet } else { last };
    let way = all.last().and_then(Searched::way);
    let kept = match (&args.out, way) {
        (Some(path), Some(way)) => Some(keep(path, way, in_a_world(|| way.plan())?)?),
        (Some(_) | None, _) => None,
    };
    let again = all.iter().find(|searched| searched.exit() == exit);
    let replay = match &kept {
        Some(Kept::Scenario { replay, .. }) => Some(replay.clone()),
        Some(Kept::Nothing { .. }) | None => again.map(|searched| searched.replay(args.time)),
    };
    if context.json {
        let models: Vec<Value> = all.iter().map(Searched::json).collect();
        let mut value = json!({"models": models, "exit": exit as u8});
        if exit != Exit::Done {
            value["replay"] = replay.into();
        }
        match kept {
            Some(Kept::Scenario { text, .. }) => value["scenario"] = text.into(),
            Some(Kept::Nothing { why }) => value["no_scenario"] = why.into(),
            None => {}
        }
        output::json(&value)?;
        return Ok(exit);
    }
    if let Some(Kept::Nothing { why }) = kept {
        output::line(&output::printable(&format!("no scenario is written: {why}")))?;
    }
    if let (Some(replay), true) = (replay, exit != Exit::Done) {
        output::line(&output::printable(&replay))?;
    }
    Ok(exit)
}

fn search(bounds: Bounds, time: Duration) -> crate::Result<Searched> {
    let (line, began) = (Line::new(), Instant::now());
    let checked = in_a_world(|| {
        moorline_sim::check::check(bounds, &mut |states| {
            line.show(&format!(
                "{bounds}: {} in {} s",
                count(states, "state"),
                began.elapsed().as_secs()
            ));
            began.elapsed() < time
        })
    })?;
    Ok(Searched { checked, took: began.elapsed() })
}

/// What became of a way that was to be kept.
#[derive(PartialEq, Eq, Debug)]
enum Kept {
    /// It is in a file: this text, which this command runs.
    Scenario { text: String, replay: String },
    /// The simulator does not go that way.
    Nothing { why: String },
}

/// Writes a way as a scenario. Like every find it is to keep every promise one day.
fn keep(
    path: &Path,
    way: &Counterexample,
    plan: Result<Plan, Box<OtherWay>>,
) -> crate::Result<Kept> {
    let plan = match plan {
        Ok(plan) => plan,
        Err(other) => return Ok(Kept::Nothing { why: other.to_string() }),
    };
    let about = format!("Found by a search of {}:\n{way}", way.bounds);
    let text = Scenario { about, ..Scenario::of(plan) }.to_text();
    write(path, &text)?;
    Ok(Kept::Scenario { text, replay: replay_of(path) })
}

/// What a broken promise of the search comes to.
fn class(way: &Counterexample) -> Class {
    match &way.violation {
        Some(violation) if violation.rule == Rule::Panic => Class::Panic,
        Some(violation) => violation.class(),
        // Work that can never be done is work that is not done in time.
        None => Class::Liveness,
    }
}

impl Searched {
    /// What was found.
    fn way(&self) -> Option<&Counterexample> {
        match &self.checked.verdict {
            Verdict::Broken(way) | Verdict::Trapped(way) => Some(way),
            Verdict::Holds | Verdict::Stopped => None,
        }
    }

    fn is_stopped(&self) -> bool {
        self.checked.verdict == Verdict::Stopped
    }

    fn exit(&self) -> Exit {
        match &self.checked.verdict {
            Verdict::Holds => Exit::Done,
            Verdict::Stopped => Exit::NotMet,
            Verdict::Broken(way) | Verdict::Trapped(way) => Exit::of_class(class(way)),
        }
    }

    /// The command that does it again; with more time if there was not enough.
    fn replay(&self, time: Duration) -> String {
        let bounds = self.checked.bounds;
        let time = if self.is_stopped() { time * 4 } else { time };
        format!("moorline sim check --model {bounds} --time {}", humantime::format_duration(time))
    }

    fn text(&self) -> String {
        let Checked { bounds, states, steps, done, depth, bytes: _, frontier: _, verdict } =
            &self.checked;
        let size = format!(
            "{bounds}: {}, {}, the farthest {} away, in {:.1} s",
            count(*states, "state"),
            count(*steps, "step"),
            count(u64::from(*depth), "step"),
            self.took.as_secs_f64(),
        );
        let end = match verdict {
            Verdict::Holds => format!(
                "every state was visited, every promise holds, and none is a trap; all work is done in {done}"
            ),
            Verdict::Stopped => "the time was over before every state was visited".to_owned(),
            Verdict::Broken(way) => {
                format!("a promise is broken, and no way there is shorter\n{way}")
            }
            Verdict::Trapped(way) => format!("a trap, and no way there is shorter\n{way}"),
        };
        format!("{size}\n{end}")
    }

    fn json(&self) -> Value {
        let Checked { bounds, states, steps, done, depth, bytes, frontier, verdict } =
            &self.checked;
        let (word, way) = match verdict {
            Verdict::Holds => ("holds", None),
            Verdict::Stopped => ("stopped", None),
            Verdict::Broken(way) => ("broken", Some(way)),
            Verdict::Trapped(way) => ("trapped", Some(way)),
        };
        let mut value = json!({
            "model": bounds.to_string(), "result": word, "states": states, "steps": steps,
            "done": done, "depth": depth, "bytes": bytes, "frontier": frontier,
            "took_millis": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        });
        if let Some(way) = way {
            value["way"] = way.steps.iter().map(ToString::to_string).collect();
            if let Some(violation) = &way.violation {
                value["invariant"] = violation.invariant.id().into();
                value["words"] = violation.words.clone().into();
            }
        }
        value
    }
}

#[cfg(test)]
mod tests;
