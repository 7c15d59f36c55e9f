//! `planted`: every promise of the simulator has a bug that breaks it, and the simulator finds it.
//!
//! A planted bug is a line or two under `cfg(moorline_planted = "SAFE-9")`, beside the code it spoils,
//! and in no build but those that are made here: the packages of the workspace get the flag through
//! cargo's wrapper for their compiler, so that dependencies are built once for all of them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::table::Table;
use crate::write::{root, target};

type Error = Box<dyn std::error::Error>;

/// How long a bug may stay hidden, in seconds.
const WITHIN: &str = "120";

/// How long the shrinker may take until nothing more can go, in milliseconds.
const SHRUNK_WITHIN: u64 = 10_000;

const TABLE: Table = Table {
    document: "docs/simulation.md",
    begin: "<!-- planted: written by `cargo xtask planted` -->\n",
    end: "<!-- /planted -->",
    head: "| bug | in | found as | worlds until found | seconds | seen before as | size | shrunk | replays | seconds |\n\
           | --- | --- | --- | ---: | ---: | --- | ---: | ---: | ---: | ---: |\n",
};

/// Where sources are in which bugs may be planted.
const SOURCES: [&str; 6] =
    ["crates/link", "crates/work", "crates/node", "crates/wire", "crates/store", "sim"];

/// A bug that was found.
#[derive(Debug)]
struct Found {
    rule: String,
    worlds: u64,
    millis: u64,
    others: String,
    /// None: the same plan does not break the promise again.
    shrunk: Option<Shrunk>,
}

/// What the shrinker made of the plan.
#[derive(Debug)]
struct Shrunk {
    before: u64,
    after: u64,
    replays: u64,
    millis: u64,
    is_done: bool,
}

pub(crate) fn run(args: &[String]) -> Outcome {
    let (flags, wanted): (Vec<&String>, Vec<&String>) =
        args.iter().partition(|arg| arg.starts_with("--"));
    let check = match flags.as_slice() {
        [] => false,
        [flag] if *flag == "--check" => true,
        _ => return Err(format!("takes bugs and --check, got {flags:?}").into()),
    };
    let sites = sites()?;
    if let Some(unknown) = wanted.iter().find(|id| !sites.contains_key(**id)) {
        return Err(format!("no bug {unknown} is planted").into());
    }
    let is_wanted = |id: &String| {
        if wanted.is_empty() { is_promise(id) } else { wanted.contains(&id) }
    };
    let mut rows = if check { BTreeMap::new() } else { rows(&TABLE.read()?)? };
    let (mut hidden, mut large) = (Vec::new(), Vec::new());
    for (id, files) in sites.iter().filter(|(id, _)| is_wanted(id)) {
        match hunt(id) {
            Ok(found) => {
                let row = found.row(id, files);
                print!("{row}");
                if !found.is_shrunk_in_time() {
                    large.push(id.clone());
                }
                rows.insert(order(id), row);
            }
            Err(error) => {
                println!("{id}: {error}");
                hidden.push(id.clone());
            }
        }
        if !check {
            write(&rows)?;
        }
    }
    if !hidden.is_empty() {
        return Err(format!("not found: {}", hidden.join(" ")).into());
    }
    if !large.is_empty() {
        return Err(format!("not shrunk in time: {}", large.join(" ")).into());
    }
    Ok(())
}

impl Found {
    /// A row of the table.
    fn row(&self, id: &str, files: &[String]) -> String {
        let Self { rule, worlds, millis, others, shrunk } = self;
        let places: Vec<String> = files.iter().map(|file| format!("`{file}`")).collect();
        let (places, others) = (places.join(", "), if others.is_empty() { "-" } else { others });
        let shrunk = match shrunk {
            Some(Shrunk { before, after, replays, millis, is_done }) => {
                let end = if *is_done { "" } else { ", not done" };
                format!("{before} | {after} | {replays} | {}{end}", seconds(*millis))
            }
            None => "- | - | - | -".to_owned(),
        };
        let seconds = seconds(*millis);
        format!("| {id} | {places} | {rule} | {worlds} | {seconds} | {others} | {shrunk} |\n")
    }

    /// What does not fail again cannot be shrunk, and nobody waits for it.
    fn is_shrunk_in_time(&self) -> bool {
        let is_in_time = |shrunk: &Shrunk| shrunk.is_done && shrunk.millis <= SHRUNK_WITHIN;
        self.shrunk.as_ref().is_none_or(is_in_time)
    }

    /// What the simulator says in one line.
    fn read(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split('\t').collect();
        let number = |at: usize| words.get(at)?.parse().ok();
        let shrunk = match *words.get(5)? {
            "not again" => None,
            _ => Some(Shrunk {
                before: number(5)?,
                after: number(6)?,
                replays: number(7)?,
                millis: number(8)?,
                is_done: *words.get(9)? == "done",
            }),
        };
        let (rule, others) = (words[1].to_owned(), words[4].to_owned());
        Some(Self { rule, worlds: number(2)?, millis: number(3)?, others, shrunk })
    }
}

/// Milliseconds as `1.234`.
fn seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1_000, millis % 1_000)
}

/// The bugs of promises; the others are found in other ways.
fn is_promise(id: &str) -> bool {
    id.starts_with("SAFE-") || id.starts_with("LIVE-")
}

/// Promises of safety first, by number.
fn order(id: &str) -> (bool, u32, String) {
    let number = id.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(0);
    (!id.starts_with("SAFE-"), number, id.to_owned())
}

/// Every planted bug, with the files it is in.
fn sites() -> Result<BTreeMap<String, Vec<String>>, Error> {
    let mut sites: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for folder in SOURCES {
        let mut folders = vec![root().join(folder).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = fs::read_to_string(&path)?;
                    let name = path.strip_prefix(root())?.display().to_string();
                    for id in ids(&text) {
                        let files = sites.entry(id).or_default();
                        if !files.contains(&name) {
                            files.push(name.clone());
                        }
                    }
                }
            }
        }
    }
    sites.values_mut().for_each(|files| files.sort());
    Ok(sites)
}

/// The bugs that a text names in conditions.
fn ids(text: &str) -> impl Iterator<Item = String> + '_ {
    let conditions = text.split("moorline_planted = \"").skip(1);
    conditions.filter_map(|rest| rest.split('"').next()).map(str::to_owned)
}

/// Builds the simulator with a bug, and has it look for that.
fn hunt(id: &str) -> Result<Found, Error> {
    let target = target().join("planted");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--profile", "planted"])
        .args(["--package", "moorline-sim", "--example", "hunt", "--target-dir"])
        .arg(&target)
        .env("RUSTC_WORKSPACE_WRAPPER", wrapper(&target, id)?)
        .current_dir(root())
        .status()?;
    if !status.success() {
        return Err("does not compile".into());
    }
    // What a trap breaks is not settled: the simulator says, and the exhaustive checker finds it.
    let promise = if is_promise(id) { id } else { "LIVE-2" };
    let output =
        Command::new(target.join("planted/examples/hunt")).args([promise, WITHIN]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().into());
    }
    let text = String::from_utf8(output.stdout)?;
    let found = text.lines().next().and_then(Found::read);
    found.ok_or_else(|| format!("cannot read {text:?}").into())
}

/// A compiler that sets the condition of a bug. Each has a path of its own: cargo builds anew for it.
pub(crate) fn wrapper(target: &Path, id: &str) -> Result<PathBuf, Error> {
    let folder = target.join("wrappers");
    fs::create_dir_all(&folder)?;
    let file = folder.join(id);
    fs::write(&file, format!("#!/bin/sh\nexec \"$@\" --cfg 'moorline_planted=\"{id}\"'\n"))?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    Ok(file)
}

type Rows = BTreeMap<(bool, u32, String), String>;

/// The rows of the table as it stands.
fn rows(document: &str) -> Result<Rows, Error> {
    let rows = TABLE.rows(document)?.lines().filter_map(|line| {
        let id = line.strip_prefix("| ")?.split(' ').next()?;
        Some((order(id), format!("{line}\n")))
    });
    Ok(rows.collect())
}

fn write(rows: &Rows) -> Outcome {
    TABLE.write(&rows.values().map(String::as_str).collect::<String>())
}

#[cfg(test)]
mod tests;
