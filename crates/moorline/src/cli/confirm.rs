//! Asking before several things go at once.

use std::io::{BufRead, IsTerminal, Write};

use super::Context;
use crate::{Code, Error, Result};

/// What is to be done about a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Go,
    Ask,
    Refuse,
}

/// Yes is taken for an answer when it was given before; somebody has to be there to be asked.
fn way(yes: bool, no_input: bool, terminal: bool) -> Way {
    if yes {
        Way::Go
    } else if no_input || !terminal {
        Way::Refuse
    } else {
        Way::Ask
    }
}

/// Whether to go on with what `what` says, such as `cancel 12 tasks`.
pub(super) fn confirmed(context: Context, what: &str) -> Result<bool> {
    let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    match way(context.yes, context.no_input, terminal) {
        Way::Go => Ok(true),
        Way::Refuse => Err(Error::Command {
            code: Code::UNCONFIRMED,
            detail: format!("this would {what}, and nobody can be asked"),
        }),
        Way::Ask => {
            let mut stderr = std::io::stderr().lock();
            // A terminal that is gone answers nothing, which is no.
            let _ = write!(stderr, "{what}? [y/N] ").and_then(|()| stderr.flush());
            let mut answer = String::new();
            let _ = std::io::stdin().lock().read_line(&mut answer);
            Ok(is_yes(&answer))
        }
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::{Way, is_yes, way};

    #[test]
    fn nobody_is_asked_who_said_yes_and_nothing_is_done_where_nobody_can_be_asked() {
        assert_eq!(way(true, true, false), Way::Go);
        assert_eq!(way(false, false, true), Way::Ask);
        assert_eq!(way(false, true, true), Way::Refuse);
        assert_eq!(way(false, false, false), Way::Refuse);
    }

    #[test]
    fn only_a_yes_is_one() {
        for yes in ["y\n", " YES \n"] {
            assert!(is_yes(yes), "{yes}");
        }
        for no in ["", "\n", "n\n", "yep\n", "ye"] {
            assert!(!is_yes(no), "{no}");
        }
    }
}
