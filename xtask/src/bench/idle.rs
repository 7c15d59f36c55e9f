//! `bench idle`: what 1,000 workers without work cost their coordinator, beside bare tonic.

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::cargo;
use super::process::{Process, free_address, median};
use crate::Outcome;

type Error = Box<dyn std::error::Error>;

const WORKERS: u32 = 1_000;
/// Between two heartbeats of one worker: the default.
const EVERY: Duration = Duration::from_secs(5);

/// How long anything may take.
const SOON: Duration = Duration::from_secs(120);

/// Of the server, for each worker.
#[derive(Clone, Copy)]
struct Cost {
    kib: f64,
    micros_per_heartbeat: f64,
}

pub(super) fn measure(flags: &[&str]) -> Outcome {
    let quick = flags.contains(&"--quick");
    let rounds = if quick { 1 } else { 3 };
    let (settle, watch) = if quick { (5, 5) } else { (15, 30) };
    let moorline = cargo::moorline()?;
    let built =
        cargo::build(&["bench", "--no-run", "--package", "moorline-driver", "--bench", "tasks"])?;
    let (_, tonic) = built.into_iter().find(|(name, _)| name == "tasks").ok_or("no tasks")?;
    let times = (Duration::from_secs(settle), Duration::from_secs(watch));
    let mut costs = Vec::new();
    for _ in 0..rounds {
        costs.push((of_tonic(&tonic, times)?, of_moorline(&moorline, times)?));
    }
    let of = |cost: fn(&(Cost, Cost)) -> f64| median(costs.iter().map(cost));
    println!(
        "| {WORKERS} workers, a heartbeat every {EVERY:?}, medians of {rounds} | KiB of the server per worker | its CPU per heartbeat |"
    );
    println!("| --- | ---: | ---: |");
    println!(
        "| bare tonic | {:.1} | {:.1} us |",
        of(|c| c.0.kib),
        of(|c| c.0.micros_per_heartbeat)
    );
    println!("| moorline | {:.1} | {:.1} us |", of(|c| c.1.kib), of(|c| c.1.micros_per_heartbeat));
    println!(
        "| of the same round | {:+.1} | {:.2} times |",
        of(|c| c.1.kib - c.0.kib),
        of(|c| c.1.micros_per_heartbeat / c.0.micros_per_heartbeat)
    );
    Ok(())
}

fn of_moorline(program: &Path, times: (Duration, Duration)) -> Result<Cost, Error> {
    let address = free_address()?.to_string();
    let mut serve = Command::new(program);
    let server = Process::start(serve.args(["bench", "serve", "grpc", &address]))?;
    server.until("READY", SOON)?;
    let workers = WORKERS.to_string();
    let every = EVERY.as_millis().to_string();
    let fleet = ["bench", "fleet", "grpc", &address, &workers, "--heartbeat-ms", &every];
    cost(&server, Command::new(program).args(fleet), times)
}

fn of_tonic(program: &Path, times: (Duration, Duration)) -> Result<Cost, Error> {
    let server = Process::start(Command::new(program).arg("--echo"))?;
    let address = server.line(SOON)?;
    let (workers, every) = (WORKERS.to_string(), EVERY.as_millis().to_string());
    let fleet = ["--idle-fleet", &address, &workers, &every];
    cost(&server, Command::new(program).args(fleet), times)
}

/// What the server needs more with its fleet than without.
fn cost(
    server: &Process,
    fleet: &mut Command,
    (settle, watch): (Duration, Duration),
) -> Result<Cost, Error> {
    sleep(Duration::from_secs(1));
    let alone = server.memory()?;
    let fleet = Process::start(fleet)?;
    fleet.until("UP", SOON)?;
    sleep(settle);
    let (began, before) = (Instant::now(), server.cpu()?);
    sleep(watch);
    let (ran, passed) = (server.cpu()? - before, began.elapsed());
    let heartbeats = f64::from(WORKERS) * passed.as_secs_f64() / EVERY.as_secs_f64();
    let more = server.memory()?.saturating_sub(alone);
    Ok(Cost {
        kib: more as f64 / 1_024.0 / f64::from(WORKERS),
        micros_per_heartbeat: ran as f64 / 1_000.0 / heartbeats,
    })
}
