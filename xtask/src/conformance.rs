//! `cargo xtask conformance`: the worker in Python that the documents show keeps every promise.
//!
//! It makes an environment of Python's own under the target directory, with grpcio and grpcio-tools from
//! Python's registry, generates the code of the schema there, and has `moorline conformance worker` judge
//! `docs/workers/python/worker.py`. It fails where there is no Python, and says so.

use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::write::{root, target};

/// What is installed, at versions that are known to work together.
const PACKAGES: [&str; 2] = ["grpcio==1.85.1", "grpcio-tools==1.85.1"];

pub(crate) fn run(args: &[String]) -> Outcome {
    if !args.is_empty() {
        return Err(format!("takes nothing, got {args:?}").into());
    }
    let home = target().join("xtask-conformance");
    let python = environment(&home)?;
    let generated = home.join("generated");
    std::fs::create_dir_all(&generated)?;
    must(
        Command::new(&python)
            .args(["-m", "grpc_tools.protoc", "-I"])
            .arg(root().join("crates/wire/proto"))
            .arg(format!("--python_out={}", generated.display()))
            .arg("moorline/worker/v1/worker.proto"),
    )?;
    must(Command::new(env!("CARGO")).current_dir(root()).args(["build", "--package", "moorline"]))?;
    must(
        Command::new(target().join("debug/moorline"))
            .args(["conformance", "worker", "--"])
            .arg(&python)
            .arg(root().join("docs/workers/python/worker.py"))
            .arg("{url}")
            .env("PYTHONPATH", &generated)
            .env("PYTHONDONTWRITEBYTECODE", "1"),
    )?;
    println!("conformance: the worker in Python keeps every promise");
    Ok(())
}

/// The Python of an environment that has what is needed.
fn environment(home: &Path) -> Result<std::path::PathBuf, String> {
    let python = home.join("venv/bin/python");
    if !python.is_file() {
        must(Command::new("python3").args(["-m", "venv"]).arg(home.join("venv"))).map_err(
            |error| format!("NOT RUN: it needs python3 (3.11 or newer) with venv. {error}"),
        )?;
    }
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    must(Command::new(&python).args(install).args(PACKAGES))
        .map_err(|error| format!("NOT RUN: grpcio could not be installed. {error}"))?;
    Ok(python)
}

/// Runs a command and says so; whatever it prints is seen.
fn must(command: &mut Command) -> Result<(), String> {
    println!("conformance: {command:?}");
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}")) }
}
