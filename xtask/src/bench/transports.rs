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

type Part = fn(&Programs, Plan) -> Result<String, Error>;

/// In the order in which they are measured.
const PARTS: [(&str, Part); 4] = [
    ("speed", speed::measure),
    ("memory", memory::measure),
    ("wire", wire::measure),
    ("cut", cut::measure),
];

pub(super) fn has_part(name: &str) -> bool {
    PARTS.iter().any(|(part, _)| *part == name)
}

/// All parts, or those that are named beside the flags.
pub(super) fn measure(args: &[&str]) -> Outcome {
    let plan = Plan { quick: args.contains(&"--quick") };
    let chosen: Vec<&str> = args.iter().copied().filter(|arg| has_part(arg)).collect();
    let home = tempfile::tempdir()?;
    let moorline = cargo::moorline()?;
    let pki = Pki::new(&moorline, home.path())?;
    let programs = Programs { messages: messages()?, peers: peers::build()?, moorline, pki };
    for (_, measure) in PARTS.iter().filter(|(name, _)| chosen.is_empty() || chosen.contains(name))
    {
        println!("{}", measure(&programs, plan)?);
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
