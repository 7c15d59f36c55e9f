//! `mutants`: whether a test notices when a line of the machines is wrong.
//!
//! cargo-mutants says how each line of `link` and `work` can be made wrong. This chore tries each in a
//! copy of the repository, with the test program first that caught most of the same file so far, and
//! ends as soon as one test fails. What survives the package's own tests is tried again with those of
//! the nodes and worlds of the simulator. What is known is kept, so it can be stopped at any time and
//! goes on where it was.

mod mutant;
mod reasons;
mod report;
mod state;
mod suite;
mod tree;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::write::{Mode, root};
use mutant::Mutant;
use reasons::Reasons;
use state::{Fate, State};
use suite::{Suite, Verdict};
use tree::Tree;

/// Whose lines are made wrong.
const PACKAGES: [&str; 2] = ["moorline-link", "moorline-work"];
/// Who is asked when a package's own tests notice nothing.
const SECOND: [&str; 2] = ["moorline-node", "moorline-sim"];
/// Files whose mistakes would cost users most go first.
const DECISIVE: [&str; 10] = [
    "link/src/backoff.rs",
    "link/src/link/retry.rs",
    "link/src/lane.rs",
    "link/src/hub/presence.rs",
    "link/src/hub/stall.rs",
    "work/src/dispatcher/lease.rs",
    "work/src/dispatcher/result.rs",
    "work/src/dispatcher/inventory.rs",
    "work/src/dispatcher/presence.rs",
    "link/src/link/presence.rs",
];
const TABLE: &str = "docs/mutants.md";
const USAGE: &str =
    "takes --shard K/N, --in-diff [BASE], --file PART, --time 5m, --again, --second, --report";

/// What the command line asks for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Asked {
    /// The `.0`-th of `.1` parts, from 1.
    shard: Option<(usize, usize)>,
    /// Only what differs from this revision.
    in_diff: Option<String>,
    /// Only files with this in their path.
    file: Option<String>,
    time: Option<Duration>,
    /// Try again what survived.
    again: bool,
    /// Ask the second stage, though not everything has passed the first.
    second: bool,
    report: bool,
}

pub(crate) fn run(args: &[String]) -> Outcome {
    let asked = parse(args)?;
    let place = root().join("target/mutants");
    let mut state = State::load(&place.join("state.json"))?;
    let reasons = Reasons::load(&root().join("xtask/mutants.toml"))?;
    let all = list(None)?;
    if !asked.report {
        let chosen = choose(&all, &asked)?;
        let tree = Tree::at(place.join("tree"))?;
        let mut suite = Suite::new(&tree, place.join("build"))?;
        go(&chosen, &asked, &tree, &mut suite, &mut state)?;
        if asked.in_diff.is_some() {
            return judge(&chosen, &state, &reasons);
        }
    }
    let text = report::write(&all, &state, &reasons, &DECISIVE);
    Ok(Mode::Write.apply(TABLE, &text, "mutants --report")?)
}

fn parse(args: &[String]) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut args = args.iter().peekable();
    while let Some(arg) = args.next() {
        let mut value = || args.next_if(|next| !next.starts_with("--")).cloned();
        match arg.as_str() {
            "--shard" => {
                let text = value().ok_or(USAGE)?;
                let (k, n) = text.split_once('/').ok_or(USAGE)?;
                let (k, n) = (k.parse().map_err(|_| USAGE)?, n.parse().map_err(|_| USAGE)?);
                if k == 0 || k > n {
                    return Err(format!("there is no shard {k} of {n}"));
                }
                asked.shard = Some((k, n));
            }
            "--in-diff" => asked.in_diff = Some(value().unwrap_or_else(|| "origin/main".into())),
            "--file" => asked.file = Some(value().ok_or(USAGE)?),
            "--time" => asked.time = Some(duration(&value().ok_or(USAGE)?)?),
            "--again" => asked.again = true,
            "--second" => asked.second = true,
            "--report" => asked.report = true,
            _ => return Err(format!("{USAGE}; got {arg}")),
        }
    }
    Ok(asked)
}

/// `90s`, `5m` or `2h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.len().saturating_sub(1);
    let seconds = match text.as_bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3_600,
        _ => 0,
    };
    let count = text.get(..unit).and_then(|digits| digits.parse::<u64>().ok());
    match count.and_then(|count| count.checked_mul(seconds)) {
        Some(time) if time > 0 => Ok(Duration::from_secs(time)),
        _ => Err(format!("{text:?} is no time such as 90s, 5m or 2h")),
    }
}

/// What cargo-mutants makes of the packages, of all lines or of those that differ from a revision.
fn list(base: Option<&str>) -> Result<Vec<Mutant>, Box<dyn std::error::Error>> {
    install("cargo-mutants", "mutants")?;
    let mut command = Command::new(env!("CARGO"));
    command.args(["mutants", "--list", "--json"]).current_dir(root());
    for package in PACKAGES {
        command.args(["--package", package]);
    }
    if let Some(base) = base {
        // With what is not committed yet.
        let of =
            Command::new("git").args(["merge-base", base, "HEAD"]).current_dir(root()).output()?;
        if !of.status.success() {
            return Err(format!("git knows no {base}").into());
        }
        let from = String::from_utf8(of.stdout)?;
        let diff = Command::new("git").args(["diff", from.trim()]).current_dir(root()).output()?;
        let file = root().join("target/mutants/diff");
        fs::create_dir_all(root().join("target/mutants"))?;
        fs::write(&file, diff.stdout)?;
        command.arg("--in-diff").arg(file);
    }
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    mutant::read(&String::from_utf8(output.stdout)?, |file| fs::read_to_string(root().join(file)))
}

/// Installs a command of cargo, if there is none.
pub(crate) fn install(package: &str, command: &str) -> Outcome {
    let cargo = || Command::new(env!("CARGO"));
    if cargo().args([command, "--version"]).output()?.status.success() {
        return Ok(());
    }
    println!("cargo install {package} --locked");
    let done = cargo().args(["install", package, "--locked"]).status()?;
    if done.success() { Ok(()) } else { Err(format!("cargo install {package}: {done}").into()) }
}

/// Those that are asked for, the decisive files first.
fn choose(all: &[Mutant], asked: &Asked) -> Result<Vec<Mutant>, Box<dyn std::error::Error>> {
    let mut chosen = match &asked.in_diff {
        Some(base) => list(Some(base))?,
        None => all.to_vec(),
    };
    if let Some(part) = &asked.file {
        chosen.retain(|mutant| mutant.file.contains(part.as_str()));
    }
    if let Some((k, n)) = asked.shard {
        // Neighbors go to different shards: files differ in what their mutants cost.
        chosen = chosen.into_iter().skip(k - 1).step_by(n).collect();
    }
    let rank =
        |file: &str| DECISIVE.iter().position(|end| file.ends_with(end)).unwrap_or(DECISIVE.len());
    chosen.sort_by_key(|mutant| rank(&mutant.file));
    Ok(chosen)
}

fn go(
    chosen: &[Mutant],
    asked: &Asked,
    tree: &Tree,
    suite: &mut Suite,
    state: &mut State,
) -> Outcome {
    let until = asked.time.map(|time| Instant::now() + time);
    let over = || until.is_some_and(|until| Instant::now() >= until);
    let new = |state: &State, mutant: &Mutant| match state.of(mutant) {
        None => true,
        Some(Fate::Survived | Fate::Missed) => asked.again,
        Some(Fate::Caught { .. } | Fate::TimedOut { .. } | Fate::Unviable) => false,
    };
    let mut todo: Vec<&Mutant> = chosen.iter().filter(|mutant| new(state, mutant)).collect();
    if asked.second {
        todo.clear();
    }
    println!("{} mutants, {} to try", chosen.len(), todo.len());
    for (n, mutant) in todo.iter().enumerate() {
        if over() {
            println!("the time is over: {} are left", todo.len() - n);
            return Ok(());
        }
        let fate = tried(mutant, &[&mutant.package], tree, suite, state, over)?;
        // Out of time: it stays unknown.
        let Some(fate) = fate else { continue };
        println!("{}/{} {fate} {}", n + 1, todo.len(), mutant.name);
        state.put(mutant, fate)?;
    }
    let missed: Vec<&Mutant> =
        chosen.iter().filter(|mutant| state.of(mutant) == Some(&Fate::Missed)).collect();
    for (n, mutant) in missed.iter().enumerate() {
        if over() {
            println!("the time is over: {} are left for the second stage", missed.len() - n);
            return Ok(());
        }
        let fate = match tried(mutant, &SECOND, tree, suite, state, over)? {
            Some(Fate::Missed) => Fate::Survived,
            Some(fate) => fate,
            None => continue,
        };
        println!("second {}/{} {fate} {}", n + 1, missed.len(), mutant.name);
        state.put(mutant, fate)?;
    }
    Ok(())
}

/// Makes one line wrong, and asks the tests of these packages.
fn tried(
    mutant: &Mutant,
    packages: &[&str],
    tree: &Tree,
    suite: &mut Suite,
    state: &State,
    over: impl Fn() -> bool,
) -> Result<Option<Fate>, Box<dyn std::error::Error>> {
    let groups = suite.groups(packages, mutant, state)?;
    let begun = Instant::now();
    let changed = tree.change(&mutant.file, &mutant.changed(&tree.read(&mutant.file)?)?)?;
    let mut fate = Some(Fate::Missed);
    for group in &groups {
        if over() {
            fate = None;
            break;
        }
        match suite.ask(group)? {
            Verdict::Passed => {}
            Verdict::Unbuilt => {
                fate = Some(Fate::Unviable);
                break;
            }
            Verdict::Failed { program, test } => {
                let seconds = begun.elapsed().as_secs();
                fate = Some(Fate::Caught { program, test, seconds });
                break;
            }
            Verdict::TimedOut { program } => {
                fate = Some(Fate::TimedOut { program });
                break;
            }
        }
    }
    changed.restore()?;
    Ok(fate)
}

/// Fails if something among these survives without a reason.
fn judge(chosen: &[Mutant], state: &State, reasons: &Reasons) -> Outcome {
    let survives = |mutant: &&Mutant| {
        matches!(state.of(mutant), Some(Fate::Survived)) && reasons.of(mutant).is_none()
    };
    let survivors: Vec<&Mutant> = chosen.iter().filter(survives).collect();
    let files: BTreeSet<&str> = survivors.iter().map(|mutant| mutant.file.as_str()).collect();
    for mutant in &survivors {
        println!("no test notices: {}", mutant.name);
    }
    let unknown = chosen.iter().filter(|mutant| state.of(mutant).is_none()).count();
    if unknown > 0 {
        println!("{unknown} of {} were not tried", chosen.len());
    }
    if survivors.is_empty() {
        return Ok(());
    }
    Err(format!("{} mutants survive in {files:?}: test what they change, or say in xtask/mutants.toml why it changes nothing", survivors.len()).into())
}

/// Where a chore keeps what it builds, in full.
fn absolute(path: PathBuf) -> Result<PathBuf, std::io::Error> {
    fs::create_dir_all(&path)?;
    path.canonicalize()
}

#[cfg(test)]
mod tests;
