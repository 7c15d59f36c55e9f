//! `bench herd`: 1,000 workers lose their coordinator by SIGKILL, and it is back after 3 s.

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::cargo;
use super::process::{Process, free_address, median};
use crate::Outcome;

type Error = Box<dyn std::error::Error>;

const WORKERS: usize = 1_000;
/// How long nobody listens.
const DOWN: Duration = Duration::from_secs(3);
/// How long the fleet has been connected when that happens. Delays begin anew only after a stable
/// connection, which is twice the timeout of its heartbeats: 30 s. Before that its first connect counts.
const AGES: [(&str, Duration); 2] =
    [("in service", Duration::from_secs(40)), ("just started", Duration::from_secs(12))];

/// How long anything may take.
const SOON: Duration = Duration::from_secs(120);

/// Seconds after the coordinator was back, and dials.
struct Herd {
    half: f64,
    nearly_all: f64,
    all: f64,
    /// In the busiest 100 ms since the kill.
    peak: f64,
    dials_while_down: f64,
}

pub(super) fn measure(flags: &[&str]) -> Outcome {
    let rounds = if flags.contains(&"--quick") { 1 } else { 5 };
    let moorline = cargo::moorline()?;
    println!(
        "| {WORKERS} workers, SIGKILL, back after {DOWN:?}, medians of {rounds} | half | 95 % | all | peak per 100 ms | dials per worker while down |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for (word, age) in AGES {
        let herds =
            (0..rounds).map(|_| outage(&moorline, age)).collect::<Result<Vec<_>, Error>>()?;
        let of = |figure: fn(&Herd) -> f64| median(herds.iter().map(figure));
        println!(
            "| {word}, {age:?} | {:.2} s | {:.2} s | {:.2} s | {:.0} | {:.1} |",
            of(|h| h.half),
            of(|h| h.nearly_all),
            of(|h| h.all),
            of(|h| h.peak),
            of(|h| h.dials_while_down)
        );
    }
    Ok(())
}

/// A fleet that has been connected for so long loses its coordinator, and gets it back.
fn outage(moorline: &Path, age: Duration) -> Result<Herd, Error> {
    let address = free_address()?.to_string();
    let serve = || -> Result<Process, Error> {
        let mut serve = Command::new(moorline);
        let server = Process::start(serve.args(["bench", "serve", "grpc", &address]))?;
        server.until("READY", SOON)?;
        Ok(server)
    };
    let server = serve()?;
    let workers = WORKERS.to_string();
    let args = ["bench", "fleet", "grpc", &address, &workers, "--heartbeat-ms", "5000"];
    let mut fleet = Process::start(Command::new(moorline).args(args))?;
    fleet.until("UP", SOON)?;
    // Long enough, too, for the interval and the slots of the whole fleet to be known to all of it.
    sleep(age);
    let killed = unix_nanos()?;
    server.kill()?;
    sleep(DOWN);
    let _server = serve()?;
    let back = unix_nanos()?;
    fleet.until("UP", SOON)?;
    herd(&serde_json::from_str(&fleet.ask(SOON)?)?, killed, back)
}

fn unix_nanos() -> Result<u64, Error> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?)
}

/// From the moments the fleet tells, since it began.
fn herd(moments: &Value, killed: u64, back: u64) -> Result<Herd, Error> {
    let times = |what: &str| -> Result<Vec<u64>, Error> {
        let list = moments[what].as_array().ok_or("no list of moments")?;
        let mut times: Vec<u64> =
            list.iter().filter_map(Value::as_u64).filter(|at| *at >= killed).collect();
        times.sort_unstable();
        Ok(times)
    };
    let (tries, ups) = (times("tries")?, times("ups")?);
    if ups.len() < WORKERS {
        return Err(format!("{} of {WORKERS} workers came back", ups.len()).into());
    }
    let seconds = |nth: usize| ups[nth - 1].saturating_sub(back) as f64 / 1e9;
    // They are in order.
    let within = |at: u64| tries.partition_point(|one| *one < at + 100_000_000);
    let peak = tries.iter().enumerate().map(|(nth, at)| within(*at) - nth).max().unwrap_or(0);
    let down = tries.iter().filter(|at| **at < back).count();
    Ok(Herd {
        half: seconds(WORKERS / 2),
        nearly_all: seconds(WORKERS * 95 / 100),
        all: seconds(ups.len().min(WORKERS)),
        peak: peak as f64,
        dials_while_down: down as f64 / WORKERS as f64,
    })
}

#[cfg(test)]
mod tests;
