//! `bench transports`: each transport beside the bare library beneath it, with its turn in every round:
//! how much passes, what a worker without work costs, what a heartbeat is on the wire, and how long a
//! connection that breaks stays broken. The bare sides are those of `xtask/peers`.

mod cut;
mod memory;
mod proxy;
mod side;
mod speed;
mod wire;

use std::path::PathBuf;

use super::{cargo, peers};
use crate::Outcome;
use side::{Pki, Programs};

type Error = Box<dyn std::error::Error>;

/// What is told to measure, and how long.
#[derive(Clone, Copy)]
struct Plan {
    /// `--quick`: it is only to be seen that it works.
    quick: bool,
}

pub(super) fn measure(flags: &[&str]) -> Outcome {
    let plan = Plan { quick: flags.contains(&"--quick") };
    let home = tempfile::tempdir()?;
    let moorline = cargo::moorline()?;
    let pki = Pki::new(&moorline, home.path())?;
    let programs = Programs { messages: messages()?, peers: peers::build()?, moorline, pki };
    for part in [speed::measure, memory::measure, wire::measure, cut::measure] {
        println!("{}", part(&programs, plan)?);
    }
    Ok(())
}

/// Reliable messages alone, over any transport.
fn messages() -> Result<PathBuf, Error> {
    let built =
        cargo::build(&["bench", "--no-run", "--package", "moorline-driver", "--bench", "tasks"])?;
    let found = built.into_iter().find(|(name, _)| name == "tasks");
    Ok(found.ok_or("cargo built no tasks")?.1)
}

#[cfg(test)]
mod tests;
