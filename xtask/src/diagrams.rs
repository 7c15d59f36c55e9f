//! `cargo xtask diagrams`: docs/states.md and the reasons in docs/protocol.md, from the tables the
//! code asks.

use std::fmt::Write as _;

use moorline_link::{LinkEvent, Reason, Retry, State};

use crate::Outcome;
use crate::write::{Mode, root};

const STATES: &str = "docs/states.md";
const PROTOCOL: &str = "docs/protocol.md";
/// Around the table of reasons.
const MARKS: [&str; 2] =
    ["<!-- reasons: written by `cargo xtask diagrams` -->\n", "<!-- /reasons -->\n"];

pub(crate) fn run(args: &[String]) -> Outcome {
    let mode = Mode::parse(args)?;
    mode.apply(STATES, &states(), "diagrams")?;
    let protocol = std::fs::read_to_string(root().join(PROTOCOL))?;
    mode.apply(PROTOCOL, &with_reasons(&protocol)?, "diagrams")?;
    Ok(())
}

fn with_reasons(text: &str) -> Result<String, String> {
    let [begin, end] = MARKS;
    let missing = |mark: &str| format!("{PROTOCOL} has no mark {mark:?}");
    let (before, rest) = text.split_once(begin).ok_or_else(|| missing(begin))?;
    let (_, after) = rest.split_once(end).ok_or_else(|| missing(end))?;
    let mut table =
        String::from("| code | reason | retry | meaning |\n| --- | --- | --- | --- |\n");
    for reason in Reason::ALL {
        let retry = match reason.retry() {
            Retry::Backoff => "backoff",
            Retry::Slow => "slow",
            Retry::Renew => "renew",
            Retry::Never => "never",
        };
        let _ = writeln!(
            table,
            "| {} | `{}` | {retry} | {} |",
            reason.code(),
            reason.name(),
            reason.meaning()
        );
    }
    Ok(format!("{before}{begin}\n{table}\n{end}{after}"))
}

fn states() -> String {
    let mut text = String::from(
        "# The states of a connection\n\n\
         Drawn by `cargo xtask diagrams` from the one table of transitions in\n\
         `crates/link/src/state.rs`, which the code asks: do not edit. What the events mean is in\n\
         [protocol.md](protocol.md).\n\n```mermaid\n",
    );
    text += &State::diagram();
    text += "```\n\nDraining is a flag beside the state. What is not listed does not happen.\n\n";
    text += "| from | to | when |\n| --- | --- | --- |\n";
    for from in State::ALL {
        for to in State::ALL {
            let events: Vec<&str> = LinkEvent::ALL
                .iter()
                .filter(|event| from.after(**event) == Some(*to))
                .map(|event| event.meaning())
                .collect();
            if !events.is_empty() {
                let _ = writeln!(text, "| {from:?} | {to:?} | {} |", events.join("; "));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_state_is_in_the_picture() {
        let text = super::states();
        for state in moorline_link::State::ALL {
            assert!(text.contains(&format!("| {state:?} |")), "{state:?}");
        }
    }

    #[test]
    fn the_table_of_reasons_is_replaced_whole() {
        let [begin, end] = super::MARKS;
        let text = super::with_reasons(&format!("a\n{begin}ROW\n{end}b\n")).unwrap();
        assert!(text.starts_with("a\n") && text.ends_with("b\n") && !text.contains("ROW"));
        assert!(text.contains("| 2104 | `stream_lost` | backoff |"));
        assert!(super::with_reasons("no marks").is_err());
    }

    #[test]
    fn the_checked_in_documents_are_what_the_tables_say() {
        super::run(&["--check".into()]).unwrap();
    }
}
