//! How fleets come back: `herds [WORKERS [SECONDS [POLICY]]]`, all of them without arguments.
//!
//! A line of JSON for each; `cargo xtask bench herds` makes tables of them. POLICY is a number in the
//! order of `Policy::ALL`.

#![allow(clippy::print_stdout, reason = "this is a command")]

use std::error::Error;
use std::time::{Duration, Instant};

use moorline_sim::Latency;
use moorline_sim::herd::{Herd, Policy};

fn main() -> Result<(), Box<dyn Error>> {
    let numbers = std::env::args().skip(1).map(|text| text.parse());
    let numbers: Vec<u64> = numbers.collect::<Result<_, _>>()?;
    let given = |at: usize| numbers.get(at).copied();
    let all = |at: usize, all: &[u64]| given(at).map_or(all.to_vec(), |one| vec![one]);
    for workers in all(0, &[1_000, 10_000, 100_000]) {
        for (number, policy) in (0..).zip(Policy::ALL) {
            if given(2).is_some_and(|wanted| wanted != number) {
                continue;
            }
            for seconds in all(1, &[3, 60]) {
                let latency = Latency::Uniform { min: 1_000_000, max: 1_000_000 * given(3).unwrap_or(1) };
                let herd = Herd {
                    workers: usize::try_from(workers)?,
                    down: Duration::from_secs(seconds),
                    latency,
                    ..Herd::new(policy)
                };
                let began = Instant::now();
                let outcome = herd.run();
                let millis = |at: Option<Duration>| {
                    at.map_or("null".to_owned(), |at| at.as_millis().to_string())
                };
                println!(
                    "{{\"workers\":{workers},\"policy\":\"{}\",\"down\":{seconds},\"peak\":{},\"dials\":{},\"while_down\":{},\"back\":{},\"half_ms\":{},\"last_ms\":{},\"wall_ms\":{}}}",
                    policy.name(),
                    outcome.peak,
                    outcome.dials,
                    outcome.while_down,
                    outcome.back,
                    millis(outcome.half),
                    millis(outcome.last),
                    began.elapsed().as_millis()
                );
            }
        }
    }
    Ok(())
}
