//! What a heartbeat and its answer are on the wire: bytes within TCP and UDP, counted by a proxy.

use std::fmt::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::super::process::{Process, free_address};
use super::proxy::Proxy;
use super::side::{LIMITS, PAIRS, Programs, Side};
use super::{Error, Plan};

const WORKERS: u32 = 20;

/// Between two heartbeats of one worker: the default.
const EVERY: Duration = Duration::from_secs(5);

/// How long anything may take.
const SOON: Duration = Duration::from_secs(120);

/// What a bare heartbeat carries, and its answer.
pub(super) const BARE_PAYLOAD: f64 = 17.0 + 17.0;

struct Counted {
    proxy: Proxy,
    _server: Process,
    _fleet: Process,
}

/// How much of what nobody else does is counted does not depend on who else runs: all run at once.
pub(super) fn measure(programs: &Programs, plan: Plan) -> Result<String, Error> {
    // Whole intervals: each worker has as many heartbeats as there are of those.
    let (settle, intervals) = if plan.quick { (Duration::ZERO, 2) } else { (2 * EVERY, 12) };
    let mut all = Vec::new();
    for side in Side::all() {
        let started = start(programs, side);
        all.push(started.map_err(|error| format!("wire, {}: {error}", side.name()))?);
    }
    sleep(settle);
    let count = || -> Result<Vec<[u64; 2]>, Error> {
        all.iter().map(|counted| counted.proxy.bytes()).collect()
    };
    let began = Instant::now();
    let before = count()?;
    sleep((EVERY * intervals).saturating_sub(began.elapsed()));
    let after = count()?;
    let exchanges = f64::from(WORKERS * intervals);
    let each: Vec<[f64; 2]> = before
        .iter()
        .zip(&after)
        .map(|(before, after)| [0, 1].map(|way| (after[way] - before[way]) as f64 / exchanges))
        .collect();
    Ok(text(u64::from(WORKERS * intervals), &each))
}

fn start(programs: &Programs, side: Side) -> Result<Counted, Error> {
    let address = free_address()?.to_string();
    let server = Process::start(&mut programs.serve(side, &address, None))?;
    server.until("READY", SOON)?;
    let proxy = Proxy::start(&programs.moorline, side.is_udp(), &address)?;
    let fleet = Process::start(&mut programs.fleet(side, &proxy.address, WORKERS, EVERY))?;
    fleet.until("UP", SOON)?;
    Ok(Counted { proxy, _server: server, _fleet: fleet })
}

/// `each` has those of [`Side::all`]: bytes to the coordinator, and back.
pub(super) fn text(exchanges: u64, each: &[[f64; 2]]) -> String {
    let sum = |place: usize| each[place][0] + each[place][1];
    let shown =
        |place: usize| format!("{:.0} + {:.0} = {:.0}", each[place][0], each[place][1], sum(place));
    let mut text = format!(
        "| a heartbeat and its answer, mean of {exchanges} | bytes of a bare library, 17 + 17 of them payload | of moorline | \
         payload and own pings |\n| --- | ---: | ---: | ---: |\n"
    );
    for (place, limit) in LIMITS.iter().enumerate() {
        let _ = writeln!(text, "| {} | {} | | |", Side::Bare(limit).name(), shown(place));
    }
    for (nth, pair) in PAIRS.iter().enumerate() {
        let bare = LIMITS.len() + 2 * nth;
        let payload = sum(bare + 1) - (sum(bare) - BARE_PAYLOAD);
        let (theirs, ours) = (shown(bare), shown(bare + 1));
        let _ = writeln!(text, "| {} | {theirs} | {ours} | {payload:.0} |", pair.scheme);
    }
    text
}
