//! `moorline sim`: whole fleets in virtual time, from a seed or a scenario.

mod check;
mod cover;
mod drawing;
mod explain;
mod finds;
mod plan;
mod run;
mod same;
mod shrink;
mod source;
mod swarm;
mod verdict;

use clap::Subcommand;
use moorline_sim::Failure;
use moorline_sim::scenario::Scenario;

use super::exit::Exit;
use super::{Context, Outcome};

/// Records that are kept where all are wanted: of longer runs the last.
const RECORDS: usize = 1_000_000;

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Run one world, and say whether every promise was kept.
    Run(run::Args),
    /// Run many worlds over all cores.
    Swarm(swarm::Args),
    /// Print the scenario of a seed: everything that happens in its world, as a file.
    Plan(plan::Args),
    /// Look for the smallest scenario that breaks the same promise.
    Shrink(shrink::Args),
    /// Say in words what led to a broken promise.
    Explain(explain::Args),
    /// Visit every state that a small world can come into, and see whether every promise is kept in each.
    Check(check::Args),
    /// Count which faults met which states and frames, and show where none did.
    Cover(cover::Args),
    /// Run each world twice, and stop at the first thing that differs.
    Same(same::Args),
}

pub(super) fn run(command: Command, context: Context) -> Outcome {
    expect_panics();
    match command {
        Command::Run(args) => run::run(&args, context),
        Command::Swarm(args) => swarm::run(&args, context),
        Command::Plan(args) => plan::run(&args, context),
        Command::Shrink(args) => shrink::run(&args, context),
        Command::Explain(args) => explain::run(&args, context),
        Command::Check(args) => check::run(&args, context),
        Command::Cover(args) => cover::run(&args, context),
        Command::Same(args) => same::run(&args, context),
    }
}

/// A panic in a world is what the simulator looks for: it is told as a broken promise, not on stderr.
fn expect_panics() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() != Some(moorline_sim::Spread::THREAD) {
            told(panic);
        }
    }));
}

/// Does what runs worlds where their panics are expected.
fn in_a_world<T: Send>(work: impl FnOnce() -> T + Send) -> crate::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(moorline_sim::Spread::THREAD.into());
        let thread = thread.spawn_scoped(scope, work).map_err(crate::Error::Start)?;
        // Worlds catch what panics in them.
        thread.join().map_err(|panic| std::panic::resume_unwind(panic))
    })
}

/// How a process ends that found this: well, if it is what the scenario says.
fn judged(scenario: &Scenario, failure: &Failure) -> Exit {
    if scenario.outcome == Some(failure.violation.invariant) {
        Exit::Done
    } else {
        verdict::exit(failure)
    }
}

#[cfg(test)]
mod tests;
