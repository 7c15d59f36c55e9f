//! Runs worlds until a promise is broken: `hunt SAFE-9 [SECONDS]`.
//!
//! `cargo xtask planted` runs it in builds that have a bug. It says which promises broke, after how many
//! worlds, and ends with 0 if the one that was named is among them.

#![allow(clippy::print_stdout, reason = "this is a command")]

use std::collections::BTreeSet;
use std::error::Error;
use std::time::{Duration, Instant};

use moorline_sim::{Invariant, Plan, run_plan};

/// One in so many worlds is a crowd.
const CROWDS: u64 = 16;
/// Of so many workers.
const CROWD: usize = 64;

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
        if let Err(failure) = run_plan(plan) {
            let violation = failure.violation;
            if violation.invariant == wanted {
                let others: Vec<String> = others.iter().map(Invariant::to_string).collect();
                let (rule, millis) = (violation.rule, begun.elapsed().as_millis());
                println!("found\t{rule:?}\t{}\t{millis}\t{}", seed + 1, others.join(" "));
                println!("{violation}");
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
