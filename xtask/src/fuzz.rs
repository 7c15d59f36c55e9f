//! `fuzz`: libFuzzer on the targets of `fuzz/`, one after the other, with the toolchain there is.
//!
//! Nothing of it needs a nightly compiler: instrumentation for coverage is a pass of LLVM, and without a
//! sanitizer there is no standard library to build anew (our crates have no `unsafe`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::mutants::{duration, install};
use crate::write::root;

const USAGE: &str = "takes [TARGET..] [--time 60s] [--minimize]";
/// The longest input, in bytes.
const LONGEST: u32 = 4_096;
/// The most inputs that are kept of a target, of all lengths: `cargo test` replays them.
const KEPT: usize = 100;

/// What the command line asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Asked {
    targets: Vec<String>,
    /// For each target.
    time: Duration,
    /// Keep only what reaches something, and move it to the corpus that is checked in.
    minimize: bool,
}

pub(crate) fn run(args: &[String]) -> Outcome {
    let asked = parse(args)?;
    install("cargo-fuzz", "fuzz")?;
    let known = targets(&root().join("fuzz/fuzz_targets"))?;
    for target in &asked.targets {
        if !known.contains(target) {
            return Err(
                format!("there is no target {target}; there are {}", known.join(", ")).into()
            );
        }
    }
    let chosen = if asked.targets.is_empty() { known } else { asked.targets.clone() };
    for target in &chosen {
        if asked.minimize { minimize(target)? } else { fuzz(target, asked.time)? }
    }
    Ok(())
}

fn parse(args: &[String]) -> Result<Asked, String> {
    let mut asked = Asked { targets: Vec::new(), time: Duration::from_secs(60), minimize: false };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--time" => asked.time = duration(args.next().ok_or(USAGE)?)?,
            "--minimize" => asked.minimize = true,
            name if !name.starts_with('-') => asked.targets.push(name.to_owned()),
            _ => return Err(format!("{USAGE}; got {arg}")),
        }
    }
    Ok(asked)
}

fn targets(folder: &Path) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name =
            path.file_stem().and_then(|name| name.to_str()).ok_or("a target without a name")?;
        names.push(name.to_owned());
    }
    names.sort();
    Ok(names)
}

/// What was found so far and is not checked in.
fn found(target: &str) -> Result<PathBuf, std::io::Error> {
    let folder = root().join("fuzz/target/found").join(target);
    fs::create_dir_all(&folder)?;
    folder.canonicalize()
}

fn cargo_fuzz(command: &str, target: &str) -> Result<Command, std::io::Error> {
    let mut cargo = Command::new(env!("CARGO"));
    // The whole of it on one toolchain, whichever that is.
    cargo
        .args(["fuzz", command, "--sanitizer", "none", "--codegen-units", "16", target])
        .current_dir(root());
    cargo.env("CARGO_TARGET_DIR", root().join("fuzz/target"));
    Ok(cargo)
}

fn fuzz(target: &str, time: Duration) -> Outcome {
    let checked_in = root().join("fuzz/corpus").join(target);
    fs::create_dir_all(&checked_in)?;
    println!("{target} for {} s", time.as_secs());
    let mut command = cargo_fuzz("run", target)?;
    // What is new goes to the first folder.
    command.args([found(target)?, checked_in.canonicalize()?]).arg("--");
    let words = root().join("fuzz/dictionaries").join(format!("{target}.dict"));
    if words.exists() {
        command.arg(format!("-dict={}", words.canonicalize()?.display()));
    }
    let done = command
        .arg(format!("-max_total_time={}", time.as_secs()))
        .arg(format!("-max_len={LONGEST}"))
        .args(["-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1"])
        .status()?;
    if done.success() {
        return Ok(());
    }
    Err(format!("{target}: {done}; the input is in fuzz/artifacts/{target}").into())
}

/// Merges what was found into what is checked in: the smallest inputs that reach all of it, and of those at
/// most [`KEPT`].
fn minimize(target: &str) -> Outcome {
    let checked_in = root().join("fuzz/corpus").join(target);
    fs::create_dir_all(&checked_in)?;
    let merged = root().join("fuzz/target/merged").join(target);
    let _ = fs::remove_dir_all(&merged);
    fs::create_dir_all(&merged)?;
    let done = cargo_fuzz("run", target)?
        .args([merged.canonicalize()?, found(target)?, checked_in.canonicalize()?])
        .args(["--", "-merge=1", "-timeout=20"])
        .arg(format!("-max_len={LONGEST}"))
        .status()?;
    if !done.success() {
        return Err(format!("{target}: {done}").into());
    }
    let mut inputs = Vec::new();
    for entry in fs::read_dir(&merged)? {
        let path = entry?.path();
        inputs.push((fs::read(&path)?, path));
    }
    inputs.sort_by_key(|(bytes, path)| (bytes.len(), path.clone()));
    fs::remove_dir_all(&checked_in)?;
    fs::create_dir_all(&checked_in)?;
    let (all, mut kept) = (inputs.len(), 0);
    for (bytes, path) in inputs.into_iter().step_by(all.div_ceil(KEPT).max(1)) {
        let name = path.file_name().ok_or("an input without a name")?;
        fs::write(checked_in.join(name), bytes)?;
        kept += 1;
    }
    println!("{target}: {kept} of {all} inputs are kept");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_makes_sense_is_understood() {
        let asked = |line: &str| parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let time = Duration::from_secs(300);
        let expected = Asked { targets: vec!["link".into(), "hub".into()], time, minimize: false };
        assert_eq!(asked("link --time 5m hub"), Ok(expected));
        assert!(asked("link --minimize").is_ok_and(|asked| asked.minimize));
        for wrong in ["--time", "--time 5", "--all"] {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_targets_are_the_files_there_are() {
        let targets = targets(&root().join("fuzz/fuzz_targets")).unwrap();
        assert!(targets.contains(&"wire_up".to_owned()) && targets.len() >= 10, "{targets:?}");
    }
}
