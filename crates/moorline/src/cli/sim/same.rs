//! `moorline sim same`.

use std::cell::Cell;
use std::ops::{ControlFlow, Range};

use moorline_sim::{Difference, Spread};
use serde_json::json;

use super::drawing::Drawing;
use super::source::seeds;
use crate::cli::exit::Exit;
use crate::cli::progress::Line;
use crate::cli::{Context, Outcome, output};

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// Which seed.
    #[arg(long, value_name = "N", required_unless_present = "seeds", conflicts_with = "seeds")]
    seed: Option<u64>,

    /// Which seeds, from the first to the one before the last.
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    seeds: Option<Range<u64>>,

    #[command(flatten)]
    drawing: Drawing,
}

pub(super) fn run(args: &Args, context: Context) -> Outcome {
    let one = args.seed.unwrap_or(0);
    let range = args.seeds.clone().unwrap_or(one..one.saturating_add(1));
    let drawing = &args.drawing;
    let (mut hash, mut found) = (0_u64, None);
    // What is taken is counted, and shown between.
    let worlds = Cell::new(0_u64);
    let line = Line::new();
    Spread::over(range).run(
        |seed| moorline_sim::same(&drawing.origin(seed).plan()),
        |_, result| match result {
            Ok(one) => {
                worlds.set(worlds.get() + 1);
                hash = hash.rotate_left(1) ^ one;
                ControlFlow::Continue(())
            }
            Err(difference) => {
                found = Some(difference);
                ControlFlow::Break(())
            }
        },
        || line.show(&format!("{} ran twice", super::verdict::count(worlds.get(), "world"))),
    );
    drop(line);
    let worlds = worlds.get();
    let Some(difference) = found else {
        if context.json {
            output::json(
                &json!({"result": "same", "worlds": worlds, "hash": format!("{hash:016x}")}),
            )?;
        } else {
            let worlds = super::verdict::count(worlds, "world");
            output::line(&format!("{worlds} ran twice and did the same: hash {hash:016x}"))?;
        }
        return Ok(Exit::Done);
    };
    let replay = format!("moorline sim same {}", drawing.origin(difference.seed));
    if context.json {
        let Difference { seed, record, before, one, other } = &*difference;
        output::json(&json!({
            "result": "different", "seed": seed, "record": record, "before": before,
            "one": one, "other": other, "replay": replay,
        }))?;
    } else {
        output::line(&output::printable(&text(&difference)))?;
        output::line(&replay)?;
    }
    Ok(Exit::Nondeterministic)
}

/// Both sides, with what led there.
fn text(difference: &Difference) -> String {
    let Difference { seed, record, before, one, other } = difference;
    let mut lines = vec![match record {
        Some(record) => {
            format!("seed {seed} is not the same when it is run again: record {record} differs")
        }
        None => {
            format!("seed {seed} does the same when it is run again, and comes to something else")
        }
    }];
    let mut part = |title: &str, part: &[String]| {
        lines.push(title.to_owned());
        lines.extend(part.iter().map(|line| format!("  {line}")));
        if part.is_empty() {
            lines.push("  nothing: it had ended".to_owned());
        }
    };
    if !before.is_empty() {
        part("what both did before:", before);
    }
    part("the first run, with what led there:", one);
    part("the second run, with what led there:", other);
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use moorline_sim::Difference;

    use super::text;

    #[test]
    fn both_sides_are_shown_with_what_led_there() {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        let difference = Difference {
            seed: 7,
            record: Some(3),
            before: lines(&["#2 1.000000 s  w0 dials c0, attempt 1"]),
            one: lines(&[
                "#3 1.100000 s  c0 of w0 is open",
                "#2 1.000000 s  w0 dials c0, attempt 1",
            ]),
            other: Vec::new(),
        };
        insta::assert_snapshot!(text(&difference));
    }
}
