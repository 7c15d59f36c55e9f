//! How a fleet of some size comes back by one policy: `herds WORKERS POLICY`. Without arguments: which
//! policies there are.
//!
//! A line of JSON for each outage; `cargo xtask bench herds` makes tables of them.

#![allow(clippy::print_stdout, reason = "this is a command")]

use std::error::Error;
use std::time::{Duration, Instant};

use moorline_sim::Latency;
use moorline_sim::herd::{Herd, Policy};

const MS: u64 = 1_000_000;
/// For how long nobody listens.
const DOWN: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(60)];

fn main() -> Result<(), Box<dyn Error>> {
    let near = Policy::ALL.map(|policy| (policy.name().to_owned(), Herd::new(policy)));
    let latency = Latency::Uniform { min: MS, max: 100 * MS };
    let far = Herd { latency, ..Herd::new(Policy::Ours) };
    let mut herds = near.into_iter().chain([("ours, paths of 1 to 100 ms".to_owned(), far)]);
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [workers, wanted] = &args[..] else {
        herds.for_each(|(name, _)| println!("{name}"));
        return Ok(());
    };
    let workers = workers.parse()?;
    let (name, herd) = herds.find(|(name, _)| name == wanted).ok_or("no such policy")?;
    for down in DOWN {
        run(&name, Herd { workers, down, ..herd });
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
