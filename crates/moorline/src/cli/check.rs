//! `moorline check`: a monitoring plugin.
//!
//! Its exit codes are those of such plugins and not those of the other commands: 0 ok, 1 warning, 2
//! critical, 3 unknown.

mod report;

use std::time::{Duration, SystemTime};

use clap::Subcommand;

use super::Outcome;
use super::exit::Exit;
use super::output::{self, roughly, short};
use super::server::ServerArgs;
use super::values::some_duration;
use crate::client::Client;
use crate::{Error, Overview, Result, WorkerInfo};
use report::{Format, Level, Metric, Report};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// How the answer is printed: nagios (with performance data), json, prometheus or text.
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = Format::Nagios)]
    #[arg(hide_possible_values = true)]
    format: Format,

    #[command(subcommand)]
    what: What,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Subcommand, Debug)]
enum What {
    /// The coordinator: it is ready, no result was applied twice, no task waits too long.
    Coordinator(CoordinatorArgs),
    /// One worker.
    Worker(WorkerArgs),
    /// All workers.
    Fleet(FleetArgs),
}

#[derive(clap::Args, Debug)]
struct CoordinatorArgs {
    /// Warn when the oldest queued task waits so long [default: never].
    #[arg(long, value_name = "DURATION", value_parser = some_duration)]
    warning: Option<Duration>,

    /// Critical when the oldest queued task waits so long [default: never].
    #[arg(long, value_name = "DURATION", value_parser = some_duration)]
    critical: Option<Duration>,
}

#[derive(clap::Args, Debug)]
struct WorkerArgs {
    /// The worker's name or identity.
    #[arg(value_name = "WORKER")]
    worker: String,

    /// Critical when it is disconnected so long; before, that is a warning.
    #[arg(long, value_name = "DURATION", default_value = "90s", value_parser = some_duration)]
    critical: Duration,
}

#[derive(clap::Args, Debug)]
struct FleetArgs {
    /// Warn when so many workers are disconnected or lost.
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    warning: u64,

    /// Critical when so many workers are disconnected or lost [default: when no other is there].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    critical: Option<u64>,
}

pub(super) async fn run(args: Args) -> Outcome {
    let checked = match args.server.client() {
        Ok(client) => match &args.what {
            What::Coordinator(limits) => coordinator(&client, limits).await,
            What::Worker(worker) => one(&client, worker).await,
            What::Fleet(limits) => client.workers().await.map(|workers| fleet(&workers, limits)),
        },
        Err(error) => Err(error),
    };
    let report = checked.unwrap_or_else(|error| failed(&args.what, &error));
    output::line(&report.text(args.format))?;
    Ok(match report.level {
        Level::Ok => Exit::Done,
        Level::Warning => Exit::Failed,
        Level::Critical => Exit::Usage,
        Level::Unknown => Exit::NotMet,
    })
}

/// A coordinator that does not answer is what the check of a coordinator is for; of workers nothing is
/// known then.
fn failed(what: &What, error: &Error) -> Report {
    let is_its =
        matches!(error, Error::Unreachable { .. } | Error::Stopped | Error::Refused { .. });
    let (name, level) = match what {
        What::Coordinator(_) if is_its => ("coordinator", Level::Critical),
        What::Coordinator(_) => ("coordinator", Level::Unknown),
        What::Worker(_) => ("worker", Level::Unknown),
        What::Fleet(_) => ("fleet", Level::Unknown),
    };
    Report::new(name, level, format!("{error} ({})", error.code()))
}

async fn coordinator(client: &Client, limits: &CoordinatorArgs) -> Result<Report> {
    let overview = client.overview().await?;
    let oldest = client.oldest_queued().await?;
    let waits =
        oldest.map(|task| SystemTime::now().duration_since(task.submitted_at).unwrap_or_default());
    Ok(of_coordinator(&overview, waits, limits))
}

fn of_coordinator(
    overview: &Overview,
    waits: Option<Duration>,
    limits: &CoordinatorArgs,
) -> Report {
    let count = |state: &str| overview.tasks.get(state).copied().unwrap_or_default();
    let (level, message) = if let Some(problem) = &overview.problem {
        (Level::Critical, format!("not ready: {}", short(problem, 100)))
    } else if overview.applied_twice > 0 {
        let words =
            format!("{} tasks have a result that was applied twice", overview.applied_twice);
        (Level::Critical, words)
    } else {
        let level = Level::of(waits, limits.warning, limits.critical);
        let waits = waits.map(|waits| format!(", the oldest for {}", roughly(waits)));
        let words = format!("{} tasks queued{}", count("queued"), waits.unwrap_or_default());
        (level, words)
    };
    let seconds = |limit: Option<Duration>| limit.map(|limit| limit.as_secs_f64());
    let mut report = Report::new("coordinator", level, message);
    report.metrics = vec![
        Metric::new("queued", count("queued") as f64),
        Metric::new("leased", count("leased") as f64),
        Metric::new("applied_twice", overview.applied_twice as f64),
        Metric::new("oldest_queued_seconds", waits.unwrap_or_default().as_secs_f64())
            .limits(seconds(limits.warning), seconds(limits.critical)),
    ];
    report
}

async fn one(client: &Client, args: &WorkerArgs) -> Result<Report> {
    Ok(worker(&client.worker(&args.worker).await?, args.critical))
}

fn worker(worker: &WorkerInfo, critical: Duration) -> Report {
    let since = SystemTime::now().duration_since(worker.since).unwrap_or_default();
    let level = match worker.state.as_str() {
        "active" => Level::Ok,
        "suspect" | "restoring" | "draining" | "expected" => Level::Warning,
        "disconnected" if since < critical => Level::Warning,
        "disconnected" | "lost" | "departed" => Level::Critical,
        _ => Level::Unknown,
    };
    let mut report = Report::new("worker", level, away(worker, since));
    let contact = worker.last_contact_ms.map(|millis| millis as f64 / 1_000.0);
    report.metrics = vec![Metric::new("running", f64::from(worker.running))];
    report.metrics.extend(contact.map(|contact| Metric::new("last_contact_seconds", contact)));
    report
}

/// `gpu-1 is disconnected for 42s (stream_lost)`.
fn away(worker: &WorkerInfo, since: Duration) -> String {
    let reason = worker.reason.as_deref().map(|reason| format!(" ({})", short(reason, 30)));
    let (name, state) = (short(&worker.name, 40), short(&worker.state, 20));
    format!("{name} is {state} for {}{}", roughly(since), reason.unwrap_or_default())
}

/// Names that a message has room for.
const NAMED: usize = 5;

fn fleet(workers: &[WorkerInfo], limits: &FleetArgs) -> Report {
    // Who left on purpose is not missed.
    let known: Vec<_> = workers.iter().filter(|worker| worker.state != "departed").collect();
    let is_away = |worker: &&&WorkerInfo| matches!(worker.state.as_str(), "disconnected" | "lost");
    let gone: Vec<_> = known.iter().filter(is_away).collect();
    let all = (known.len() as u64).max(1);
    let critical = limits.critical.unwrap_or(all);
    let level = match gone.len() as u64 {
        away if away >= critical => Level::Critical,
        away if away >= limits.warning => Level::Warning,
        _ => Level::Ok,
    };
    let mut names: Vec<_> = gone.iter().take(NAMED).map(|worker| short(&worker.name, 40)).collect();
    if gone.len() > NAMED {
        names.push(format!("{} more", gone.len() - NAMED));
    }
    let names = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
    let message = format!("{} of {} workers are away{names}", gone.len(), known.len());
    let mut report = Report::new("fleet", level, message);
    let count = |state: &str| known.iter().filter(|worker| worker.state == state).count() as f64;
    report.metrics = vec![
        Metric::new("workers", known.len() as f64),
        Metric::new("away", gone.len() as f64)
            .limits(Some(limits.warning as f64), Some(critical as f64)),
        Metric::new("active", count("active")),
        Metric::new("lost", count("lost")),
    ];
    report
}

#[cfg(test)]
mod tests;
