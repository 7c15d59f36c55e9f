//! Instructions of small workloads, counted by callgrind: the same on every machine with the same
//! compiler, however busy it is. A workload is run for N operations and for 2 N; the difference is what
//! the operations take, without the set-up.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{cargo, report};
use crate::Outcome;
use crate::write::{Mode, root};

type Error = Box<dyn std::error::Error>;

/// The counts that are committed.
const COUNTS: &str = "docs/bench/icount.txt";

/// More instructions than this many hundredths above the committed count are a regression.
const TOLERANCE: u64 = 5;

/// Instructions of an operation, by benchmark and workload.
pub(super) type Counts = BTreeMap<String, u64>;

pub(super) fn print() -> Outcome {
    print!("{}", text(&compiler()?, &count()?));
    Ok(())
}

pub(super) fn update() -> Outcome {
    Mode::Write.apply(COUNTS, &text(&compiler()?, &count()?), "bench --update")?;
    Ok(())
}

pub(super) fn check() -> Outcome {
    let (made_by, committed) = parse(&std::fs::read_to_string(root().join(COUNTS))?)?;
    let compiler = compiler()?;
    if made_by != compiler {
        return Err(format!(
            "{COUNTS} was counted with {made_by}, this is {compiler}: counts of two compilers say \
             nothing; use that one, or `cargo xtask bench --update`"
        )
        .into());
    }
    let (lines, worse) = compare(&committed, &count()?);
    print!("{lines}");
    if worse.is_empty() {
        return Ok(());
    }
    Err(format!(
        "more than {TOLERANCE} % more instructions: {}; if it has to be, `cargo xtask bench --update`",
        worse.join(", ")
    )
    .into())
}

/// Which compiler for which machine.
fn compiler() -> Result<String, Error> {
    let rustc = report::said("rustc", &["--version"])?;
    Ok(format!("{rustc} for {}", std::env::consts::ARCH))
}

pub(super) fn text(compiler: &str, counts: &Counts) -> String {
    let mut text = format!(
        "# Instructions of an operation. Written by `cargo xtask bench --update`, compared by\n\
         # `cargo xtask bench --check`.\n{compiler}\n"
    );
    for (name, count) in counts {
        let _ = writeln!(text, "{name} {count}");
    }
    text
}

/// The compiler and the counts of [`text`].
pub(super) fn parse(text: &str) -> Result<(String, Counts), Error> {
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let compiler = lines.next().ok_or("no compiler is named")?.to_owned();
    let mut counts = Counts::new();
    for line in lines {
        let (name, count) = line.rsplit_once(' ').ok_or_else(|| format!("no count: {line}"))?;
        counts.insert(name.to_owned(), count.parse()?);
    }
    Ok((compiler, counts))
}

/// A line for each count, and the names of those that are too large, new or gone: all have to be
/// looked at.
pub(super) fn compare(committed: &Counts, counted: &Counts) -> (String, Vec<String>) {
    let (mut lines, mut worse) = (String::new(), Vec::new());
    for (name, now) in counted {
        let Some(before) = committed.get(name) else {
            let _ = writeln!(lines, "{name}: {now}, not committed");
            worse.push(name.clone());
            continue;
        };
        let change = (*now as f64 / *before as f64 - 1.0) * 100.0;
        let _ = writeln!(lines, "{name}: {before} -> {now} ({change:+.1} %)");
        if *now * 100 > *before * (100 + TOLERANCE) {
            worse.push(name.clone());
        }
    }
    for name in committed.keys().filter(|name| !counted.contains_key(*name)) {
        let _ = writeln!(lines, "{name}: committed, not counted any more");
        worse.push(name.clone());
    }
    (lines, worse)
}

fn count() -> Result<Counts, Error> {
    need_valgrind()?;
    let benches = ["machines", "dispatch", "wire", "node", "memory"];
    let benches = benches.map(|name| ["--bench", name]).concat();
    let packages = ["link", "work", "wire", "node", "store"].map(|name| format!("moorline-{name}"));
    let packages: Vec<&str> = packages.iter().flat_map(|name| ["-p", name]).collect();
    let build = ["bench", "--no-run", "--profile", "icount"];
    let mut counts = Counts::new();
    for (bench, program) in cargo::build(&[&build[..], &packages, &benches].concat())? {
        let list = Command::new(&program).arg("--list").output()?;
        for line in String::from_utf8(list.stdout)?.lines() {
            let (name, operations) =
                line.rsplit_once(' ').ok_or("a workload and its operations")?;
            let operations: u64 = operations.parse()?;
            let once = instructions(&program, name, operations)?;
            let twice = instructions(&program, name, 2 * operations)?;
            counts.insert(format!("{bench} {name}"), (twice - once) / operations);
        }
    }
    Ok(counts)
}

/// What callgrind counts from the start of the program to its end.
fn instructions(program: &Path, workload: &str, operations: u64) -> Result<u64, Error> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("callgrind.out");
    let output = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args(["--count", workload, &operations.to_string()])
        .stdout(Stdio::null())
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("valgrind, {workload}: {} {said}", output.status).into());
    }
    let profile = std::fs::read_to_string(file)?;
    let summary = profile.lines().find_map(|line| line.strip_prefix("summary: "));
    Ok(summary.ok_or("callgrind summed nothing up")?.trim().parse()?)
}

/// Installs Debian's valgrind where there is none.
fn need_valgrind() -> Outcome {
    if Command::new("valgrind").arg("--version").output().is_ok() {
        return Ok(());
    }
    eprintln!("valgrind is missing: apt-get install valgrind");
    let status = Command::new("apt-get").args(["install", "--yes", "valgrind"]).status()?;
    if status.success() { Ok(()) } else { Err("valgrind cannot be installed".into()) }
}
