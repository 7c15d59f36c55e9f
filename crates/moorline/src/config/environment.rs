//! The environment: `MOORLINE_` and a setting's path in capitals.

use super::Layer;
use super::problem::{Origin, Problem};
use super::table::{Key, SETTINGS};
use super::value::nearest;
use crate::Code;

/// The beginning of every variable of ours.
const PREFIX: &str = "MOORLINE_";

/// The short name of `log.level`'s variable.
pub(super) const LOG: &str = "MOORLINE_LOG";

/// Variables that are ours and no settings: where the file is, which coordinator a client asks, and
/// what a handler is told, which is there when a handler starts moorline.
const OTHERS: &[&str] = &[
    "MOORLINE_CONFIG",
    "MOORLINE_SERVER",
    "MOORLINE_CONTEXT",
    "MOORLINE_TOKEN_FILE",
    "MOORLINE_TASK_ID",
    "MOORLINE_ATTEMPT",
    "MOORLINE_IDEMPOTENCY_KEY",
    // What `moorline conformance` tells the worker that it judges.
    "MOORLINE_CONFORMANCE_URL",
    "MOORLINE_CONFORMANCE_DIR",
    // For tests of moorline itself.
    "MOORLINE_BLESS",
    "MOORLINE_RUNTIME",
    "MOORLINE_WRITE_DOCS",
];

/// Reads what the environment says. An empty variable says nothing.
pub(super) fn read(variables: &[(String, String)]) -> (Layer, Vec<Problem>) {
    let (mut layer, mut problems) = (Layer::new(), Vec::new());
    for (name, text) in variables {
        if text.is_empty() || !name.starts_with(PREFIX) || is_foreign(name, text) {
            continue;
        }
        let key = match SETTINGS.iter().find(|setting| setting.variable() == *name) {
            Some(setting) => setting.key,
            // The long name has the last word.
            None if name == LOG => {
                let long = Key::LogLevel.setting().variable();
                if variables.iter().any(|(name, text)| *name == long && !text.is_empty()) {
                    continue;
                }
                Key::LogLevel
            }
            None => {
                problems.push(unknown(name));
                continue;
            }
        };
        let origin = Origin::Variable(name.clone());
        match key.setting().kind.parse(text) {
            Ok(value) => {
                layer.insert(key, (value, origin));
            }
            Err(text) => {
                let hint = format!("Correct it, or unset {name}.");
                let problem = Problem::new(Code::SETTING, text).hint(hint);
                problems.push(problem.at(key.path(), origin));
            }
        }
    }
    (layer, problems)
}

fn unknown(name: &str) -> Problem {
    let variables: Vec<_> = SETTINGS.iter().map(super::setting::Setting::variable).collect();
    let known = variables.iter().map(String::as_str).chain(OTHERS.iter().copied());
    let meant = nearest(name, known).map(|name| format!(": did you mean `{name}`?"));
    let text = format!("`{name}` is no variable of moorline{}", meant.unwrap_or_default());
    Problem::new(Code::UNKNOWN_VARIABLE, text).at("", Origin::Variable(name.to_owned()))
}

/// Not a setting: one of the others, of tests, or set by a container platform for a
/// service that is named moorline (`MOORLINE_PORT=tcp://…`, `MOORLINE_SERVICE_HOST`, `…_PORT_8740_TCP`).
fn is_foreign(name: &str, text: &str) -> bool {
    let service = || {
        let port = |rest: &str| {
            let mut parts = rest.split('_');
            let number = parts.next().is_some_and(|part| part.parse::<u16>().is_ok());
            number && parts.next().is_some_and(|part| ["TCP", "UDP", "SCTP"].contains(&part))
        };
        name.ends_with("_SERVICE_HOST")
            || name.contains("_SERVICE_PORT")
            || (name.ends_with("_PORT") && text.contains("://"))
            || name.match_indices("_PORT_").any(|(at, word)| port(&name[at + word.len()..]))
    };
    let of_tests = ["MOORLINE_SIM_", "MOORLINE_TEST_"].iter().any(|own| name.starts_with(own));
    OTHERS.contains(&name) || of_tests || service()
}

#[cfg(test)]
mod tests;
