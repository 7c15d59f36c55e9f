//! How fleets of some size come back, by every policy: `herds WORKERS`.
//!
//! A line of JSON for each outage, as soon as it is over; `cargo xtask bench herds` makes tables of them.
//! A name behind the size is that of the one policy to try.

#![allow(clippy::print_stdout, reason = "this is a command")]

use std::error::Error;
use std::time::{Duration, Instant};

use moorline_sim::Latency;
use moorline_sim::herd::{Herd, Policy};

const MS: u64 = 1_000_000;
/// For how long nobody listens.
const DOWN: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(60)];

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let workers = args.next().ok_or("how many workers?")?.parse()?;
    let wanted = args.next();
    let near = Policy::ALL.map(|policy| (policy.name().to_owned(), Herd::new(policy)));
    let latency = Latency::Uniform { min: MS, max: 100 * MS };
    let far = Herd { latency, ..Herd::new(Policy::Ours) };
    let herds = near.into_iter().chain([("ours, paths of 1 to 100 ms".to_owned(), far)]);
    for (name, herd) in herds.filter(|(name, _)| wanted.as_ref().is_none_or(|one| one == name)) {
        for down in DOWN {
            run(&name, Herd { workers, down, ..herd });
        }
    }
    Ok(())
}

fn run(name: &str, herd: Herd) {
    let began = Instant::now();
    let outcome = herd.run();
    let millis =
        |at: Option<Duration>| at.map_or("null".to_owned(), |at| at.as_millis().to_string());
    println!(
        "{{\"workers\":{},\"policy\":\"{name}\",\"down_s\":{},\"peak\":{},\"dials\":{},\
         \"while_down\":{},\"back\":{},\"half_ms\":{},\"last_ms\":{},\"patience_s\":{},\"wall_ms\":{}}}",
        herd.workers,
        herd.down.as_secs(),
        outcome.peak,
        outcome.dials,
        outcome.while_down,
        outcome.back,
        millis(outcome.half),
        millis(outcome.last),
        herd.patience.as_secs(),
        began.elapsed().as_millis()
    );
}
