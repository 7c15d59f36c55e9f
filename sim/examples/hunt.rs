//! Runs worlds until a promise is broken, and shrinks the plan that broke it: `hunt SAFE-9 [SECONDS]`.
//!
//! `cargo xtask planted` runs it in builds that have a bug. It says which promises broke, after how many
//! worlds, what the shrinker made of the plan and in which time, and prints what is left as a scenario. It
//! ends with 0 if the promise that was named is among them.

#![allow(clippy::print_stdout, reason = "this is a command")]

use std::collections::BTreeSet;
use std::error::Error;
use std::time::{Duration, Instant};

use moorline_sim::shrink::shrink;
use moorline_sim::{Invariant, Plan, run_plan, scenario};

/// One in so many worlds is a crowd.
const CROWDS: u64 = 16;
/// Of so many workers.
const CROWD: usize = 64;
/// How long a plan may be shrunk: longer than it should take, so that what takes too long is seen to.
const SHRINKING: Duration = Duration::from_secs(120);

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let wanted: Invariant = args.next().ok_or("which promise?")?.parse()?;
    let within = Duration::from_secs(args.next().map_or(Ok(60), |text| text.parse())?);
    // A panic is found as all else is: nobody has to read of it.
    std::panic::set_hook(Box::new(|_| {}));
    let begun = Instant::now();
    let mut others = BTreeSet::new();
    for seed in 0.. {
        let plan = Plan::new(seed);
        let is_crowd = seed % CROWDS == CROWDS - 1;
        let plan = if is_crowd { plan.crowded(CROWD) } else { plan };
        if let Err(failure) = run_plan(plan.clone()) {
            let violation = failure.violation;
            if violation.invariant == wanted {
                let others: Vec<String> = others.iter().map(Invariant::to_string).collect();
                let (rule, millis) = (violation.rule, begun.elapsed().as_millis());
                print!("found\t{rule:?}\t{}\t{millis}\t{}\t", seed + 1, others.join(" "));
                show_shrunk(&plan);
                return Ok(());
            }
            others.insert(violation.invariant);
        }
        if begun.elapsed() > within {
            return Err(format!("not found in {} worlds, but {others:?}", seed + 1).into());
        }
    }
    Ok(())
}

/// The rest of the line: sizes before and after, plans that were run, milliseconds, and whether it was done.
fn show_shrunk(plan: &Plan) {
    let begun = Instant::now();
    let shrunk = shrink(plan, |_| begun.elapsed() < SHRINKING);
    let millis = begun.elapsed().as_millis();
    let Some(shrunk) = shrunk else {
        println!("not again");
        return;
    };
    let (before, after) = (shrunk.before.items(), shrunk.after.items());
    let end = if shrunk.is_minimal { "done" } else { "not done" };
    println!("{before}\t{after}\t{}\t{millis}\t{end}", shrunk.replays);
    println!("{}\n{}", shrunk.failure.violation, scenario::to_text(&shrunk.plan));
}
