//! `cargo xtask e2e`: what needs more than a Rust toolchain and a C compiler. It says what it installs
//! and what it runs, and fails where it cannot.

mod nginx;
mod promtool;
mod roles;
mod systemd;
mod thin;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::Outcome;
use crate::write::root;

pub(crate) fn run(args: &[String]) -> Outcome {
    if !args.is_empty() {
        return Err(format!("takes nothing, got {args:?}").into());
    }
    let promtool = promtool::find()?;
    let moorline = roles::build()?;
    promtool::check_metrics(&promtool, &roles::pages(&moorline)?)?;
    promtool::test_rules(&promtool, &root().join("docs/ops"))?;
    systemd::verify(&moorline)?;
    nginx::run(&moorline)?;
    thin::run()?;
    println!("e2e: all is well");
    Ok(())
}

/// Runs a command and says so; an error with all it said if it fails.
fn must(command: &mut Command) -> Result<Output, String> {
    println!("e2e: {command:?}");
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&said)))
}

/// A program on the path.
fn on_path(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_file(file))
}

fn is_file(file: &Path) -> bool {
    file.metadata().is_ok_and(|about| about.is_file())
}
