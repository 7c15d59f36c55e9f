//! Chores of the moorline repository: `cargo xtask CHORE`. One module per chore.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a command for people")]

mod acceptance;
mod bench;
mod check;
mod codegen;
mod conformance;
mod diagrams;
mod e2e;
mod examples;
mod features;
mod fuzz;
mod loom;
mod matrix;
mod mutants;
mod no_std;
mod planted;
mod soak;
mod table;
mod write;

use std::process::ExitCode;

/// What a chore comes to.
type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A chore: its name, what it is for, and its function, which takes the rest of the command line.
type Chore = (&'static str, &'static str, fn(&[String]) -> Outcome);

const CHORES: &[Chore] = &[
    (
        "acceptance",
        "              check that every test the documents name exists and runs",
        acceptance::run,
    ),
    (
        "bench",
        "[GROUP..] [--quick] | --check | --update  measure what docs/performance.md says",
        bench::run,
    ),
    (
        "bench-icount",
        "  count instructions of the machines and the wire format",
        bench::instructions,
    ),
    (
        "check",
        "[--time SECONDS] [--check] [MODEL.. | --bugs [ID..]]  visit every state of small worlds around the real nodes",
        check::run,
    ),
    (
        "conformance",
        "             judge the worker in Python of the documents by `moorline conformance`",
        conformance::run,
    ),
    ("codegen", "[--check]  write the Rust code of the wire schema", codegen::run),
    ("diagrams", "[--check]  write docs/states.md from the table of states", diagrams::run),
    (
        "e2e",
        "             check metrics, alerts and units with promtool and systemd; a worker behind nginx",
        e2e::run,
    ),
    (
        "examples",
        "[--built]  find public items without an example, and run the programs that are",
        examples::run,
    ),
    ("features", "        compile the libraries with every combination of features", features::run),
    (
        "fuzz",
        "[TARGET..] [--time 60s] [--minimize]  look for inputs that break a promise",
        fuzz::run,
    ),
    ("loom", "[TEST] [--preemptions N]  try every interleaving of what threads share", loom::run),
    (
        "matrix",
        "[--transport T].. [--runtime R].. [--jobs N] [--program FILE]  run the process tests over every transport",
        matrix::run,
    ),
    (
        "mutants",
        "[--shard K/N] [--in-diff [BASE]] [--file PART] [--time 5m] [--quick] [--again] [--second] [--report]  see which wrong lines no test notices",
        mutants::run,
    ),
    (
        "planted",
        "[ID..] [--check] build the simulator with each planted bug, and see that it is found",
        planted::run,
    ),
    (
        "soak",
        "[--time 1m] [--jobs N] [--from SEED] [--floor PERCENT] [--built] [--update]  run worlds of every kind, and all that was broken once",
        soak::run,
    ),
    ("no-std", "          link the machines without the standard library", no_std::run),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = args.split_first() else { return usage() };
    let Some((_, _, chore)) = CHORES.iter().find(|(known, ..)| known == name) else {
        return usage();
    };
    match chore(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: cargo xtask CHORE");
    for (name, about, _) in CHORES {
        eprintln!("  {name} {about}");
    }
    ExitCode::from(2)
}
