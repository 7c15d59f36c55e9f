//! What stands around the figures: where they come from, and how they compare.

use std::fs;
use std::process::Command;

use serde_json::Value;

type Error = Box<dyn std::error::Error>;

/// The command, the machine and the date, as a line of docs/performance.md.
pub(super) fn heading(group: &str, flags: &[&str]) -> Result<String, Error> {
    let flags: String = flags.iter().map(|flag| format!(" {flag}")).collect();
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("an unknown processor", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism()?;
    let (rustc, date) = (said("rustc", &["--version"])?, said("date", &["-u", "+%Y-%m-%d"])?);
    let commit = said("git", &["rev-parse", "--short=12", "HEAD"])
        .unwrap_or_else(|_| "no repository".to_owned());
    Ok(format!(
        "# `cargo xtask bench {group}{flags}`: {cores} cores ({model}), {rustc}, {date}, {commit}"
    ))
}

/// What a program says in its first line.
pub(super) fn said(program: &str, args: &[&str]) -> Result<String, Error> {
    let output = Command::new(program).args(args).output()?;
    if !output.status.success() {
        return Err(format!("{program}: {}", output.status).into());
    }
    let said = String::from_utf8(output.stdout)?;
    Ok(said.lines().next().unwrap_or_default().to_owned())
}

/// Each median of the machines against that of the peer that follows it, and the growth of hubs with
/// their sessions.
pub(super) fn ratios(lines: &str) -> Result<Vec<String>, Error> {
    let mut figures = Vec::new();
    for line in lines.lines().filter(|line| line.starts_with('{')) {
        let figure: Value = serde_json::from_str(line)?;
        if let (Some(what), Some(median)) = (figure["what"].as_str(), figure["median_ns"].as_f64())
        {
            figures.push((what.to_owned(), median));
        }
    }
    let mut ratios = Vec::new();
    let mut ours: Vec<&(String, f64)> = Vec::new();
    for figure in &figures {
        match figure.0.strip_prefix("peer: ") {
            None => ours.push(figure),
            Some(peer) => {
                for (what, median) in ours.drain(..) {
                    ratios.push(format!("{what}: {:.2} times {peer}", median / figure.1));
                }
            }
        }
    }
    let find = |name: &str| figures.iter().find(|(what, _)| what == name).map(|figure| figure.1);
    if let (Some(few), Some(many)) = (find("hub_1000"), find("hub_1000000")) {
        ratios.push(format!("a hub of 1,000,000: {:.2} times a hub of 1,000", many / few));
    }
    Ok(ratios)
}
