//! `mutants`: whether a test notices when a line of the machines is wrong.
//!
//! cargo-mutants says how each line of `link` and `work` can be made wrong. Where many are to be tried,
//! this chore puts them all into one copy of the repository, each behind a switch, builds the test
//! programs once, and runs them for each mutant with its switch set. Those that cannot stand among the
//! others are tried in a copy of their own, built anew for each. Either way the test program goes first
//! that is likely to notice soonest, and one test that fails is enough. What survives the package's own
//! tests is tried again with those of the nodes and worlds of the simulator. What is known is kept, so it
//! can be stopped at any time and goes on where it was.

mod board;
mod mutant;
mod reasons;
mod report;
mod state;
mod suite;
mod switch;
mod tree;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::write::{Mode, root};
use board::Board;
use mutant::Mutant;
use reasons::Reasons;
use state::{Fate, State};
use suite::{Suite, Verdict};
use tree::{Changed, Tree};

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
/// For fewer the switches are not worth their build.
const FEW: usize = 12;
/// The longest that a test program takes which is asked in a hurry.
const QUICK: Duration = Duration::from_millis(1_500);
const TABLE: &str = "docs/mutants.md";
/// What is known, for other machines.
const KNOWN: &str = "xtask/mutants.known";
const USAGE: &str = "takes --shard K/N, --in-diff [BASE], --file PART, --time 5m, --quick, --again, --second, --report";

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
    /// Only by switches, and with test programs that take little time. What they miss is not judged.
    quick: bool,
    /// Try again what survived.
    again: bool,
    /// Ask the second stage, though not everything has passed the first.
    second: bool,
    report: bool,
}

pub(crate) fn run(args: &[String]) -> Outcome {
    let asked = parse(args)?;
    if let Some(base) = &asked.in_diff
        && difference(base)?.is_empty()
    {
        println!("nothing that is made wrong differs from {base}");
        return Ok(());
    }
    let place = absolute(root().join("target/mutants"))?;
    let mut state = State::load(&place.join("state.json"))?;
    let reasons = Reasons::load(&root().join("xtask/mutants.toml"))?;
    let all = list(None)?;
    state.join(&all, &fs::read_to_string(root().join(KNOWN)).unwrap_or_default())?;
    if !asked.report {
        let chosen = choose(&all, &asked)?;
        let mut chore = Chore { place, all: &all, asked: &asked, state, until: None };
        chore.until = asked.time.map(|time| Instant::now() + time);
        chore.go(&chosen)?;
        state = chore.state;
        if asked.in_diff.is_some() {
            return judge(&chosen, &state, &reasons);
        }
    }
    Mode::Write.apply(KNOWN, &state.known(&all), "mutants --report")?;
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
            "--quick" => asked.quick = true,
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
        let file = root().join("target/mutants/diff");
        fs::create_dir_all(root().join("target/mutants"))?;
        fs::write(&file, difference(base)?)?;
        command.arg("--in-diff").arg(file);
    }
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    mutant::read(&String::from_utf8(output.stdout)?, |file| fs::read_to_string(root().join(file)))
}

/// In what the packages differ from a revision, with what is not committed yet.
fn difference(base: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let git = |args: &[&str]| Command::new("git").args(args).current_dir(root()).output();
    let of = git(&["merge-base", base, "HEAD"])?;
    if !of.status.success() {
        return Err(format!("git knows no {base}").into());
    }
    let from = String::from_utf8(of.stdout)?;
    let sources =
        PACKAGES.map(|package| format!("crates/{}/src", package.trim_start_matches("moorline-")));
    let mut args = vec!["diff", from.trim(), "--"];
    args.extend(sources.iter().map(String::as_str));
    let diff = git(&args)?;
    if !diff.status.success() {
        return Err(String::from_utf8_lossy(&diff.stderr).into_owned().into());
    }
    Ok(diff.stdout)
}

/// Those of all that are among these. By their names: which of those alike one is, is counted in the whole
/// list.
fn among(all: &[Mutant], these: &[Mutant]) -> Vec<Mutant> {
    let names: BTreeSet<&str> = these.iter().map(|mutant| mutant.name.as_str()).collect();
    all.iter().filter(|mutant| names.contains(mutant.name.as_str())).cloned().collect()
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
        Some(base) => among(all, &list(Some(base))?),
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

/// What is being done.
struct Chore<'a> {
    place: PathBuf,
    all: &'a [Mutant],
    asked: &'a Asked,
    state: State,
    until: Option<Instant>,
}

impl Chore<'_> {
    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Those that nobody has tried, or that are to be tried again.
    fn untried<'m>(&self, chosen: &'m [Mutant]) -> Vec<&'m Mutant> {
        let is_new = |mutant: &&Mutant| match self.state.of(mutant) {
            None => true,
            Some(Fate::Open) => !self.asked.quick,
            Some(Fate::Survived | Fate::Missed) => self.asked.again,
            Some(Fate::Caught { .. } | Fate::TimedOut { .. } | Fate::Unviable) => false,
        };
        if self.asked.second { Vec::new() } else { chosen.iter().filter(is_new).collect() }
    }

    fn go(&mut self, chosen: &[Mutant]) -> Outcome {
        let todo = self.untried(chosen);
        println!("{} mutants, {} to try", chosen.len(), todo.len());
        let missed = |state: &State| -> Vec<Mutant> {
            let is_missed = |mutant: &&Mutant| state.of(mutant) == Some(&Fate::Missed);
            chosen.iter().filter(is_missed).cloned().collect()
        };
        let build = self.place.join("build");
        let mut tried = BTreeSet::new();
        if todo.len() + missed(&self.state).len() > FEW {
            let mut board = Board::open(&self.place, &build, self.all)?;
            let mut suite = Suite::new(&board.tree, build.clone())?;
            for package in PACKAGES {
                let of_it = |mutant: &&&Mutant| mutant.package == package;
                let some: Vec<&Mutant> = todo.iter().filter(of_it).copied().collect();
                tried.extend(self.switch(&some, &[package], &mut board, &mut suite)?);
            }
            let missed = missed(&self.state);
            if !self.is_over() && !self.asked.quick {
                let missed: Vec<&Mutant> = missed.iter().collect();
                self.switch(&missed, &SECOND, &mut board, &mut suite)?;
            }
        }
        let rest: Vec<&Mutant> =
            todo.into_iter().filter(|mutant| !tried.contains(&mutant.key)).collect();
        let missed = missed(&self.state);
        if self.is_over() || self.asked.quick || rest.len() + missed.len() == 0 {
            println!("{} are not tried yet", rest.len());
            return Ok(());
        }
        let tree = Tree::at(self.place.join("tree"))?;
        let mut suite = Suite::new(&tree, build)?;
        self.alone(&rest, None, &tree, &mut suite)?;
        let missed: Vec<&Mutant> = missed.iter().collect();
        self.alone(&missed, Some(&SECOND), &tree, &mut suite)
    }

    /// Tries mutants by their switches, with the tests of some packages. Gives the keys of those it knows of.
    fn switch(
        &mut self,
        some: &[&Mutant],
        packages: &[&str],
        board: &mut Board,
        suite: &mut Suite,
    ) -> Result<BTreeSet<String>, Box<dyn std::error::Error>> {
        let is_second = packages == SECOND;
        let mut tried = BTreeSet::new();
        for mutant in some.iter().filter(|mutant| board.is_unviable(mutant)) {
            self.state.put(mutant, Fate::Unviable)?;
            tried.insert(mutant.key.clone());
        }
        let here: Vec<(&Mutant, usize)> =
            some.iter().filter_map(|mutant| Some((*mutant, board.number(mutant)?))).collect();
        if here.is_empty() || self.is_over() {
            return Ok(tried);
        }
        let built = suite.prepare(packages)?;
        for (n, (mutant, number)) in here.iter().enumerate() {
            let begun = Instant::now();
            let over = || self.is_over();
            let patience = if self.asked.quick { QUICK } else { Duration::MAX };
            let Some(verdict) =
                suite.choose(&built, (mutant, *number), &self.state, patience, over)?
            else {
                println!("the time is over: {} are left", here.len() - n);
                break;
            };
            let mut fate = fate(verdict, begun, is_second);
            if fate == Fate::Missed && self.asked.quick {
                fate = Fate::Open;
            }
            println!("{}/{} {fate} {}", n + 1, here.len(), mutant.name);
            if matches!(fate, Fate::Missed | Fate::Survived) && board.doubt(mutant)? {
                continue;
            }
            self.state.put(mutant, fate)?;
            tried.insert(mutant.key.clone());
        }
        Ok(tried)
    }

    /// Tries mutants one by one in a copy of their own, with the tests of their package or of others.
    fn alone(
        &mut self,
        some: &[&Mutant],
        packages: Option<&[&str]>,
        tree: &Tree,
        suite: &mut Suite,
    ) -> Outcome {
        for (n, mutant) in some.iter().enumerate() {
            let own = [mutant.package.as_str()];
            let Some(fate) = self.tried(mutant, packages.unwrap_or(&own), tree, suite)? else {
                println!("the time is over: {} are left to be tried alone", some.len() - n);
                return Ok(());
            };
            println!("alone {}/{} {fate} {}", n + 1, some.len(), mutant.name);
            self.state.put(mutant, fate)?;
        }
        Ok(())
    }

    /// Makes one line wrong, and asks the tests of these packages. Nothing if the time was over.
    fn tried(
        &self,
        mutant: &Mutant,
        packages: &[&str],
        tree: &Tree,
        suite: &mut Suite,
    ) -> Result<Option<Fate>, Box<dyn std::error::Error>> {
        let groups = suite.groups(packages, mutant, &self.state)?;
        let mut begun = Instant::now();
        let mut changed = None;
        let mut verdict = Some(Verdict::Passed);
        for group in &groups {
            if self.is_over() {
                verdict = None;
                break;
            }
            if suite.is_new(group) {
                changed.take().map_or(Ok(()), Changed::restore)?;
                suite.measure(group)?;
                begun = Instant::now();
            }
            if changed.is_none() {
                let text = mutant.changed(&tree.read(&mutant.file)?)?;
                changed = Some(tree.change(&mutant.file, &text)?);
            }
            let said = suite.ask(group)?;
            if said != Verdict::Passed {
                verdict = Some(said);
                break;
            }
        }
        changed.map_or(Ok(()), Changed::restore)?;
        Ok(verdict.map(|verdict| fate(verdict, begun, packages == SECOND)))
    }
}

/// What a verdict means for a mutant.
fn fate(verdict: Verdict, begun: Instant, is_second: bool) -> Fate {
    match verdict {
        Verdict::Passed if is_second => Fate::Survived,
        Verdict::Passed => Fate::Missed,
        Verdict::Unbuilt => Fate::Unviable,
        Verdict::Failed { program, test } => {
            Fate::Caught { program, test, seconds: begun.elapsed().as_secs() }
        }
        Verdict::TimedOut { program } => Fate::TimedOut { program },
    }
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
    let unknown =
        chosen.iter().filter(|mutant| matches!(state.of(mutant), None | Some(Fate::Open))).count();
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
