//! `moorline sim run`.

use std::path::{Path, PathBuf};

use moorline_sim::picture::Timeline;
use moorline_sim::scenario::Scenario;
use moorline_sim::{Recording, Run, RunOutcome};

use super::source::Source;
use super::{RECORDS, in_a_world, verdict};
use crate::Error;
use crate::cli::exit::Exit;
use crate::cli::{Context, Outcome, output};

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    source: Source,

    /// Print what happened last, so many lines [default: 40 if a promise is broken, else none].
    #[arg(long, value_name = "N")]
    lines: Option<usize>,

    /// Write a picture of the run to this file: a page with everything in it, to look for causes in.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Write a picture of the run to this file, for documents.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Lines that are shown of a run that failed.
const LINES: usize = 40;

pub(super) fn run(args: &Args, context: Context) -> Outcome {
    let scenario = args.source.read()?;
    let needs_all = args.html.is_some() || args.svg.is_some() || !scenario.expects.is_empty();
    let kept = if needs_all { RECORDS } else { args.lines.unwrap_or(LINES) };
    let plan = scenario.plan.clone();
    let outcome = in_a_world(|| Run::new(plan).recorded(kept).go())?;
    if let Some(recording) = &outcome.recording {
        draw(args, &scenario, recording)?;
    }
    tell(args, &scenario, &outcome, context)
}

fn draw(args: &Args, scenario: &Scenario, recording: &Recording) -> Result<(), Error> {
    if args.html.is_none() && args.svg.is_none() {
        return Ok(());
    }
    let timeline = Timeline::new(&scenario.plan, recording);
    if let Some(path) = &args.html {
        write(path, &timeline.html())?;
    }
    if let Some(path) = &args.svg {
        write(path, &timeline.svg(timeline.from, timeline.to))?;
    }
    Ok(())
}

/// Writes a file that a person named.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text)
        .map_err(|source| Error::WriteFile { path: path.to_owned(), source })?;
    output::note(&format!("wrote {}", path.display()));
    Ok(())
}

fn tell(args: &Args, scenario: &Scenario, outcome: &RunOutcome, context: Context) -> Outcome {
    let name = args.source.name();
    let replay = format!("moorline sim run {}", args.source.flags());
    let wanted = args.lines.unwrap_or(if outcome.result.is_err() { LINES } else { 0 });
    let lines =
        outcome.recording.as_ref().map_or_else(Vec::new, |recording| recording.lines(wanted));
    let expected = scenario.outcome;
    let unmet = outcome.recording.as_ref().map_or_else(Vec::new, |all| scenario.unmet(all));
    if context.json {
        let mut value = match &outcome.result {
            Ok(report) => verdict::report(report),
            Err(failure) => verdict::failure(failure, &replay),
        };
        value["expected"] = expected.map_or("pass", |invariant| invariant.id()).into();
        value["unmet"] = unmet.clone().into();
        if !lines.is_empty() {
            value["lines"] = lines.into();
        }
        output::json(&value)?;
    } else {
        for line in &lines {
            output::line(&output::printable(line))?;
        }
    }
    let say =
        |text: &str| if context.json { Ok(()) } else { output::line(&output::printable(text)) };
    match (&outcome.result, expected) {
        (Ok(report), None) => {
            say(&verdict::kept(&name, report))?;
            as_told(scenario, &unmet, &replay, say)
        }
        (Err(failure), Some(invariant)) if failure.violation.invariant == invariant => {
            say(&format!("{}\nas the scenario says", verdict::broken(&name, failure)))?;
            as_told(scenario, &unmet, &replay, say)
        }
        (Ok(report), Some(invariant)) => {
            say(&format!(
                "{}\nexpected was that it breaks {invariant}",
                verdict::kept(&name, report)
            ))?;
            say(&replay)?;
            Ok(Exit::Failed)
        }
        (Err(failure), _) => {
            say(&verdict::broken(&name, failure))?;
            say(&replay)?;
            Ok(verdict::exit(failure))
        }
    }
}

/// It came to what the scenario says. Whether it also went so.
fn as_told(
    scenario: &Scenario,
    unmet: &[String],
    replay: &str,
    say: impl Fn(&str) -> crate::Result<()>,
) -> Outcome {
    if unmet.is_empty() {
        if !scenario.expects.is_empty() {
            let met = verdict::count(scenario.expects.len() as u64, "expectation");
            say(&format!("{met} met"))?;
        }
        return Ok(Exit::Done);
    }
    for line in unmet {
        say(line)?;
    }
    say(replay)?;
    Ok(Exit::Failed)
}
