//! `cargo xtask check`: every state of the worlds that are too large for `cargo test`.

use std::process::Command;

use crate::Outcome;

/// What is searched unless models are named; the table in `docs/simulation.md` has these.
const MODELS: &[&str] = &[
    "w1-t1-b1-c1",
    "w1-t1-b2-e1",
    "w1-t1-b1-e1-r1",
    "w1-t1-b1-c1-e1",
    "w1-t2-b1-c1",
    "w1-t2-b1-e1",
    "w2-t1-b1",
    "w2-t1-c1",
    "w2-t1-b1-e1",
    "w2-t1-b1-c1",
    "w2-t2-e1",
    "w2-t2-b1",
];

/// The time each may take, in seconds, unless it is said.
const LIMIT: &str = "120";

pub(crate) fn run(args: &[String]) -> Outcome {
    let (limit, models) = match args {
        [option, limit, rest @ ..] if option == "--time" => (limit.as_str(), rest),
        rest => (LIMIT, rest),
    };
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--release", "--quiet", "-p", "moorline-sim", "--example", "check", "--"]);
    command.args(["--time", limit]);
    if models.is_empty() {
        command.args(MODELS);
    } else {
        command.args(models);
    }
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("the search ended with {status}").into()) }
}
