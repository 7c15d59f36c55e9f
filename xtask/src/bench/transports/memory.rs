//! What 1,000 workers without work take of their coordinator's memory, over each transport.

use std::fmt::Write as _;
use std::thread::sleep;
use std::time::Duration;

use super::super::process::{Process, free_address, median};
use super::side::{LIMITS, PAIRS, Programs, Side};
use super::{Error, Plan};

const ROUNDS: usize = 3;

const WORKERS: u32 = 1_000;

/// Between two heartbeats of one worker: the default.
const EVERY: Duration = Duration::from_secs(5);

/// How long anything may take.
const SOON: Duration = Duration::from_secs(120);

pub(super) fn measure(programs: &Programs, plan: Plan) -> Result<String, Error> {
    // Each worker has had a heartbeat by then, but for when that does not matter.
    let (rounds, workers, settle) = match plan.quick {
        true => (1, 100, Duration::from_secs(1)),
        false => (ROUNDS, WORKERS, EVERY + Duration::from_secs(1)),
    };
    let sides: Vec<Side> = Side::all().collect();
    let mut costs = Vec::new();
    for _ in 0..rounds {
        let round = sides.iter().map(|side| {
            let cost = kib_per_worker(programs, *side, workers, settle);
            cost.map_err(|error| format!("memory, {}: {error}", side.name()).into())
        });
        costs.push(round.collect::<Result<Vec<f64>, Error>>()?);
    }
    Ok(text(workers, &costs))
}

/// What the server needs more with its fleet than without.
fn kib_per_worker(
    programs: &Programs,
    side: Side,
    workers: u32,
    settle: Duration,
) -> Result<f64, Error> {
    let address = free_address()?.to_string();
    let server = Process::start(&mut programs.serve(side, &address, None))?;
    server.until("READY", SOON)?;
    let alone = server.memory()?;
    let fleet = Process::start(&mut programs.fleet(side, &address, workers, EVERY))?;
    fleet.until("UP", SOON)?;
    sleep(settle);
    let more = server.memory()?.saturating_sub(alone);
    Ok(more as f64 / 1_024.0 / f64::from(workers))
}

/// `costs` has for each round those of [`Side::all`].
pub(super) fn text(workers: u32, costs: &[Vec<f64>]) -> String {
    let of = |place: usize| median(costs.iter().map(|round| round[place]));
    let mut text = format!(
        "| {workers} workers without work, medians of {} | KiB for each: bare library | moorline | more, in the same round |\n\
         | --- | ---: | ---: | ---: |\n",
        costs.len()
    );
    for (place, limit) in LIMITS.iter().enumerate() {
        let _ = writeln!(text, "| {} | {:.1} | | |", Side::Bare(limit).name(), of(place));
    }
    for (nth, pair) in PAIRS.iter().enumerate() {
        let bare = LIMITS.len() + 2 * nth;
        let more = median(costs.iter().map(|round| round[bare + 1] - round[bare]));
        let (theirs, ours) = (of(bare), of(bare + 1));
        let _ = writeln!(text, "| {} | {theirs:.1} | {ours:.1} | {more:+.1} |", pair.scheme);
    }
    text
}
