//! `moorline sim explain`.

use moorline_sim::{Run, Story};
use serde_json::{Value, json};

use super::source::Source;
use super::verdict;
use super::{RECORDS, in_a_world, judged};
use crate::cli::exit::Exit;
use crate::cli::{Context, Outcome, output};

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    source: Source,
}

pub(super) fn run(args: &Args, context: Context) -> Outcome {
    let source = &args.source;
    let scenario = source.read()?;
    let name = source.name();
    let plan = scenario.plan.clone();
    let outcome = in_a_world(|| Run::new(plan).recorded(RECORDS).go())?;
    let Err(failure) = &outcome.result else {
        if context.json {
            output::json(&json!({"result": "pass", "seed": scenario.plan.seed}))?;
        } else {
            output::line(&output::printable(&format!(
                "{name} keeps every promise: there is nothing to explain"
            )))?;
        }
        return Ok(Exit::Done);
    };
    let story = outcome.recording.as_ref().and_then(Story::new);
    let replay = format!("moorline sim run {}", source.flags());
    if context.json {
        let mut value = verdict::failure(failure, &replay);
        value["story"] = story.as_ref().map_or(Value::Null, sentences);
        output::json(&value)?;
    } else {
        let text = match &story {
            Some(story) => told(&name, &failure.violation, story),
            // Settings that no machine takes: nothing has happened yet.
            None => verdict::broken(&name, failure),
        };
        output::line(&output::printable(&text))?;
        output::line(&output::printable(&replay))?;
    }
    Ok(judged(&scenario, failure))
}

/// The promise, and what led to its end.
pub(super) fn told(name: &str, violation: &moorline_sim::Violation, story: &Story) -> String {
    let invariant = violation.invariant;
    format!(
        "{name} breaks {invariant}: {}\n\n{}",
        invariant.meaning(),
        story.to_string().trim_end()
    )
}

fn sentences(story: &Story) -> Value {
    let sentences = story.sentences.iter().map(|sentence| {
        json!({
            "at_nanos": sentence.at, "words": sentence.words, "cause": sentence.is_cause,
            "record": sentence.record,
        })
    });
    sentences.collect()
}
