//! promtool: metrics by the rules of Prometheus, alert rules by their cases.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{must, on_path};

/// promtool, installed from Debian's `prometheus` package where it is missing.
pub(super) fn find() -> Result<PathBuf, String> {
    if let Some(found) = on_path("promtool") {
        return Ok(found);
    }
    println!("e2e: promtool is missing: installing Debian's package prometheus with apt-get");
    let apt = |args: &[&str]| {
        must(Command::new("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let installed = apt(&["update", "--quiet"]).and_then(|_| {
        apt(&["install", "--yes", "--quiet", "--no-install-recommends", "prometheus"])
    });
    installed.map_err(|error| {
        format!("promtool cannot be installed; put it on the path and try again: {error}")
    })?;
    on_path("promtool").ok_or_else(|| "the package prometheus has brought no promtool".to_owned())
}

/// Lints pages of metrics.
pub(super) fn check_metrics(promtool: &Path, pages: &[(String, String)]) -> Result<(), String> {
    for (role, page) in pages {
        println!("e2e: promtool check metrics: the {role}'s {} lines", page.lines().count());
        let mut child = Command::new(promtool)
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("promtool: {error}"))?;
        // It has all of it before it says anything, so neither waits for the other.
        let written = child.stdin.take().map(|mut stdin| stdin.write_all(page.as_bytes()));
        let output = child.wait_with_output().map_err(|error| format!("promtool: {error}"))?;
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        let said = String::from_utf8_lossy(&said);
        if !output.status.success() || !said.trim().is_empty() {
            return Err(format!("the {role}'s metrics: {}\n{said}", output.status));
        }
        written.transpose().map_err(|error| format!("promtool: {error}"))?;
    }
    Ok(())
}

/// Checks the alert rules and tries them with their cases.
pub(super) fn test_rules(promtool: &Path, folder: &Path) -> Result<(), String> {
    let promtool = |args: &[&str]| must(Command::new(promtool).args(args).current_dir(folder));
    promtool(&["check", "rules", "alerts.yml"])?;
    promtool(&["test", "rules", "alerts.test.yml"])?;
    Ok(())
}
