//! Builds what is measured, and says where it is.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

type Error = Box<dyn std::error::Error>;

/// Runs cargo with these arguments, and returns the programs it built, by name.
pub(super) fn build(args: &[&str]) -> Result<Vec<(String, PathBuf)>, Error> {
    build_with(args, &[])
}

/// The same with these variables of the environment.
pub(super) fn build_with(
    args: &[&str],
    variables: &[(&str, &str)],
) -> Result<Vec<(String, PathBuf)>, Error> {
    let output = Command::new(env!("CARGO"))
        .args(args)
        .envs(variables.iter().copied())
        .args(["--quiet", "--message-format=json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("cargo {}: {}", args.join(" "), output.status).into());
    }
    programs(&String::from_utf8(output.stdout)?)
}

/// The programs among cargo's messages.
pub(super) fn programs(messages: &str) -> Result<Vec<(String, PathBuf)>, Error> {
    let mut programs = Vec::new();
    for line in messages.lines() {
        let message: Value = serde_json::from_str(line)?;
        let name = message["target"]["name"].as_str();
        if let (Some(name), Some(file)) = (name, message["executable"].as_str()) {
            programs.push((name.to_owned(), file.into()));
        }
    }
    Ok(programs)
}

/// The command as it is shipped.
pub(super) fn moorline() -> Result<PathBuf, Error> {
    let built = build(&["build", "--release", "--package", "moorline", "--bin", "moorline"])?;
    let found = built.into_iter().find(|(name, _)| name == "moorline");
    Ok(found.ok_or("cargo built no moorline")?.1)
}
