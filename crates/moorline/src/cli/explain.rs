//! `moorline explain`: every code and reason, from the same tables as the errors themselves.

mod page;
mod subject;

use super::exit::Exit;
use super::{Context, Outcome, output};
use subject::Subject;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Codes such as ML2104, or reasons such as stream_lost [default: list all].
    #[arg(value_name = "CODE|REASON", value_parser = subject::parse)]
    subjects: Vec<Subject>,

    /// Print all as the page docs/codes.md.
    #[arg(long, hide = true, conflicts_with = "subjects")]
    markdown: bool,
}

pub(super) fn run(args: &Args, context: Context) -> Outcome {
    if args.markdown {
        output::bytes(page::page().as_bytes())?;
        return Ok(Exit::Done);
    }
    let all;
    let subjects = if args.subjects.is_empty() {
        all = Subject::all();
        &all
    } else {
        &args.subjects
    };
    if context.json {
        if let [one] = args.subjects[..] {
            output::json(&one.json())?;
        } else {
            output::json(&subjects.iter().map(|subject| subject.json()).collect::<Vec<_>>())?;
        }
    } else if args.subjects.is_empty() {
        let row = |subject: &Subject| {
            vec![
                subject.code().to_string(),
                subject.name().to_owned(),
                subject.meaning().to_owned(),
            ]
        };
        let rows: Vec<_> = subjects.iter().map(row).collect();
        output::line(&output::table(&["CODE", "REASON", "MEANING"], &rows))?;
    } else {
        let texts: Vec<_> = subjects.iter().map(|subject| subject.text()).collect();
        output::line(&texts.join("\n\n"))?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests;
