//! `moorline sim check`.

use std::time::{Duration, Instant};

use moorline_sim::check::{Bounds, Checked, Counterexample, Verdict};
use moorline_sim::{Class, Rule};
use serde_json::{Value, json};

use super::in_a_world;
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
        let is_found = searched.is_found();
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
    let again = all.iter().find(|searched| searched.exit() == exit);
    let replay = again.map(|searched| searched.replay(args.time));
    if context.json {
        let models: Vec<Value> = all.iter().map(Searched::json).collect();
        let mut value = json!({"models": models, "exit": exit as u8});
        if exit != Exit::Done {
            value["replay"] = replay.into();
        }
        output::json(&value)?;
    } else if let (Some(replay), true) = (replay, exit != Exit::Done) {
        output::line(&replay)?;
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
    fn is_found(&self) -> bool {
        match self.checked.verdict {
            Verdict::Broken(_) | Verdict::Trapped(_) => true,
            Verdict::Holds | Verdict::Stopped => false,
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
