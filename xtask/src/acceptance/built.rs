//! The tests that `cargo test --workspace` runs, as the built test programs list them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Named;
use crate::write::root;

/// One test program.
struct Program {
    /// The folder of its package, from the root of the repository.
    package: PathBuf,
    /// The file it is built from, from the root of the repository.
    source: PathBuf,
    /// Names without their modules.
    tests: BTreeSet<String>,
}

impl Program {
    /// Whether a test that stands in this file would be one of its own.
    fn holds(&self, file: &Path) -> bool {
        let folder = self.source.parent().unwrap_or(Path::new(""));
        let integration = self.package.join("tests");
        if !file.starts_with(&integration) {
            return file.starts_with(&self.package) && !self.source.starts_with(&integration);
        }
        // tests/name.rs, or tests/name/main.rs with its modules beside it.
        file == self.source || (folder != integration && file.starts_with(folder))
    }
}

/// Every test program of the workspace.
pub(super) struct Built {
    programs: Vec<Program>,
}

/// Builds what is not built yet and asks each program what it would run.
pub(super) fn tests() -> Result<Built, Box<dyn std::error::Error>> {
    let built = Command::new(env!("CARGO"))
        .args(["test", "--workspace", "--no-run", "--quiet", "--message-format=json"])
        .current_dir(root())
        .output()?;
    if !built.status.success() {
        return Err(format!("cargo test --no-run: {}", built.status).into());
    }
    let root = root().canonicalize()?;
    let mut programs = Vec::new();
    for line in String::from_utf8(built.stdout)?.lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        let text = |value: &serde_json::Value| value.as_str().map(PathBuf::from);
        let (Some(program), Some(manifest), Some(source), Some(true)) = (
            text(&message["executable"]),
            text(&message["manifest_path"]),
            text(&message["target"]["src_path"]),
            message["profile"]["test"].as_bool(),
        ) else {
            continue;
        };
        let within = |path: &Path| path.strip_prefix(&root).map(Path::to_path_buf);
        programs.push(Program {
            package: within(manifest.parent().unwrap_or(&manifest))?,
            source: within(&source)?,
            tests: list(&program)?,
        });
    }
    if programs.is_empty() {
        return Err("cargo test --no-run named no test program".into());
    }
    Ok(Built { programs })
}

/// What a test program runs: everything it lists but what it ignores.
fn list(program: &Path) -> Result<BTreeSet<String>, Box<dyn std::error::Error>> {
    let names = |ignored: &[&str]| -> Result<BTreeSet<String>, Box<dyn std::error::Error>> {
        let args = [&["--list", "--format", "terse"], ignored].concat();
        let output = Command::new(program).args(args).output()?;
        if !output.status.success() {
            return Err(format!("{} --list: {}", program.display(), output.status).into());
        }
        let text = String::from_utf8(output.stdout)?;
        let last = |path: &str| path.rsplit("::").next().unwrap_or(path).to_owned();
        Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(last).collect())
    };
    let ignored = names(&["--ignored"])?;
    Ok(names(&[])?.difference(&ignored).cloned().collect())
}

impl Built {
    /// Why this is no proof, in words.
    pub(super) fn problem_with(&self, named: &Named) -> Option<String> {
        let Named { file, test } = named;
        let Ok(source) = fs::read_to_string(root().join(file)) else {
            return Some(format!("{file} does not exist (it is said to hold `{test}`)"));
        };
        if !source.contains(&format!("fn {test}(")) {
            return Some(format!("{file} has no test `{test}`"));
        }
        let runs = |program: &Program| {
            program.holds(Path::new(file)) && program.tests.contains(test.as_str())
        };
        (!self.programs.iter().any(runs))
            .then(|| format!("`{test}` of {file} is not run by `cargo test --workspace`"))
    }
}

#[cfg(test)]
pub(super) fn of(package: &str, source: &str, tests: &[&str]) -> Built {
    let tests = tests.iter().map(ToString::to_string).collect();
    Built { programs: vec![Program { package: package.into(), source: source.into(), tests }] }
}
