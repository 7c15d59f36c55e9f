//! `cargo xtask check`: every state of the worlds that are too large for `cargo test`; and, of the bugs that are
//! planted, those that are found so, with what the simulator's shrinker makes of them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::planted::wrapper;
use crate::table::Table;
use crate::write::{root, target};

/// What is searched unless models are named, and how the table is ordered.
const MODELS: &[&str] = &[
    "w1-t1-b1-c1",
    "w1-t1-b1-e1",
    "w1-t1-b2",
    "w1-t2-b1",
    "w1-t1-b1-r1",
    "w1-t1-b1-c1-r1",
    "w1-t1-b2-e1",
    "w1-t1-b1-e1-r1",
    "w1-t1-b1-c1-e1",
    "w1-t2-b1-c1",
    "w1-t2-b1-e1",
    "w2-t1-b1",
    "w2-t1-c1",
    "w2-t1-b1-e1",
    "w2-t2-e1",
    "w2-t2-b1",
    "timed-w1-b0-d0-n60000",
    "timed-w1-b1-d0-n20000",
    "timed-w1-b2-d0-n20000",
    "timed-w2-b1-d0-n12000",
    "timed-w1-b0-d40-n3000",
    "timed-w1-b1-d40-n1800",
];

/// Bugs, and the worlds in which they are looked for, one after the other.
const BUGS: &[(&str, &[&str])] = &[
    ("TRAP-1", &["w1-t1-r1"]),
    ("TRAP-2", &["w1-t1-b2-e1-f1"]),
    ("TRAP-3", &["w1-t1-b1"]),
    ("SAFE-1", &["w1-t1", "w1-t1-b1", "w1-t1-e1", "w2-t1-e1"]),
    ("SAFE-2", &["w1-t1", "w1-t2", "w1-t2-s2"]),
    ("SAFE-4", &["w1-t1", "w1-t1-b1", "w1-t1-b2"]),
    ("SAFE-9", &["timed-w1-b1"]),
    ("LIVE-3", &["w1-t1", "w1-t1-b1", "w1-t1-r1"]),
    ("LIVE-5", &["w1-t1", "w1-t1-c1"]),
];

/// The time each world may take, in seconds, unless it is said.
const LIMIT: &str = "120";

const DOCUMENT: &str = "docs/simulation.md";

const STATES: Table = Table {
    document: DOCUMENT,
    begin: "<!-- checked: written by `cargo xtask check` -->\n",
    end: "<!-- /checked -->",
    head: "| model | states | steps | depth | s | MiB | |\n| --- | ---: | ---: | ---: | ---: | ---: | --- |\n",
};

const FOUND: Table = Table {
    document: DOCUMENT,
    begin: "<!-- solved: written by `cargo xtask check --bugs` -->\n",
    end: "<!-- /solved -->",
    head: "| bug | world | found as | steps | states until then | s | smallest plan of the way | drawn plan | shrunk | replays | ratio |\n\
           | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
};

pub(crate) fn run(args: &[String]) -> Outcome {
    let mut limit = LIMIT;
    let (mut bugs, mut check) = (false, false);
    let mut named = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--time" => limit = args.next().ok_or("--time takes whole seconds")?,
            "--bugs" => bugs = true,
            "--check" => check = true,
            option if option.starts_with("--") => return Err(format!("no option {option}").into()),
            name => named.push(name),
        }
    }
    if bugs { solve(&named, limit, check) } else { search(&named, limit, check) }
}

/// Searches worlds; `check` only looks.
fn search(named: &[&str], limit: &str, check: bool) -> Outcome {
    let models = if named.is_empty() { MODELS } else { named };
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--release", "--quiet", "-p", "moorline-sim", "--example", "check", "--"]);
    command.args(["--time", limit]).args(models);
    let mut child = command.current_dir(root()).stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().ok_or("no output")?;
    let mut fails = false;
    for line in BufReader::new(out).lines() {
        let line = line?;
        println!("{line}");
        let Some(model) = line.strip_prefix("| `").and_then(|rest| rest.split('`').next()) else {
            continue;
        };
        fails |= line.contains("**");
        if !check && !fails {
            write_row(STATES, model, &line, order_of_models)?;
        }
    }
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(format!("the search ended with {status}").into()) }
}

/// Looks for bugs that are planted.
fn solve(named: &[&str], limit: &str, check: bool) -> Outcome {
    if let Some(unknown) = named.iter().find(|id| !BUGS.iter().any(|(known, _)| known == *id)) {
        return Err(format!("nobody knows in which world to look for {unknown}").into());
    }
    let mut hidden = Vec::new();
    for (id, models) in BUGS.iter().filter(|(id, _)| named.is_empty() || named.contains(id)) {
        match hunt(id, models, limit)? {
            Some(row) => {
                println!("{row}");
                if !check {
                    write_row(FOUND, id, &row, order_of_bugs)?;
                }
            }
            None => hidden.push(*id),
        }
    }
    if hidden.is_empty() { Ok(()) } else { Err(format!("not found: {}", hidden.join(" ")).into()) }
}

fn hunt(
    id: &str,
    models: &[&str],
    limit: &str,
) -> Result<Option<String>, Box<dyn std::error::Error>> {
    let target = target().join("planted");
    let cargo = |args: &[&str]| -> Result<bool, Box<dyn std::error::Error>> {
        let status = Command::new(env!("CARGO"))
            .args(args)
            .args(["--quiet", "--profile", "planted", "--package", "moorline-sim", "--target-dir"])
            .arg(&target)
            .env("RUSTC_WORKSPACE_WRAPPER", wrapper(&target, id)?)
            .current_dir(root())
            .status()?;
        Ok(status.success())
    };
    if !cargo(&["build", "--example", "check"])? {
        return Err(format!("{id} does not compile").into());
    }
    // A test says in which world each trap is, and that the simulator goes the same way.
    if id.starts_with("TRAP-") && !cargo(&["test", "--test", "traps"])? {
        return Err(format!("the test of the traps fails with {id}").into());
    }
    let output = Command::new(target.join("planted/examples/check"))
        .args(["--bug", "--time", limit])
        .args(models)
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let row = text.lines().next().map(|cells| format!("| {id} | {cells} |"));
    Ok(row.filter(|_| output.status.success()))
}

/// As they stand here, and all others behind them by name.
fn order_of_models(model: &str) -> (usize, String) {
    let place = MODELS.iter().position(|known| *known == model);
    (place.unwrap_or(usize::MAX), model.to_owned())
}

fn order_of_bugs(bug: &str) -> (usize, String) {
    let place = BUGS.iter().position(|(known, _)| *known == bug);
    (place.unwrap_or(usize::MAX), bug.to_owned())
}

/// Puts a row into the table of the document, instead of the one there was for the same.
fn write_row(table: Table, key: &str, row: &str, order: fn(&str) -> (usize, String)) -> Outcome {
    table.write(&with_row(table.rows(&table.read()?)?, key, row, order))
}

/// These rows with one more, or another one for the same.
fn with_row(rows: &str, key: &str, row: &str, order: fn(&str) -> (usize, String)) -> String {
    let known = rows.lines().filter_map(|line| {
        let key = line.strip_prefix("| ")?.split(" |").next()?.trim_matches('`');
        Some((order(key), line.to_owned()))
    });
    let mut rows: BTreeMap<(usize, String), String> = known.collect();
    rows.insert(order(key), row.to_owned());
    rows.values().map(|row| format!("{row}\n")).collect()
}

#[cfg(test)]
mod tests;
