//! `moorline demo`: real processes, real faults, and a ledger that has to balance.

mod faults;
mod ledger;
mod logbook;
mod plan;
mod process;
mod proxy;
mod stage;
mod view;

use std::path::PathBuf;
use std::time::Duration;

use super::exit::Exit;
use super::signals::Signals;
use super::values::some_duration;
use super::{Context, Outcome, output};
use crate::Error;
use ledger::Ledger;
use plan::Plan;
use stage::Stage;
use view::View;

/// The demo is over after this, whatever has happened until then.
const LIMIT: Duration = Duration::from_secs(120);

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// One task for each file below it [default: a tree of this machine, else a generated one].
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,

    /// How packets travel: grpc, grpcs, ws or wss. What makes a connection half-open here sees TCP only.
    #[arg(long, value_name = "TRANSPORT", default_value = "grpc")]
    #[arg(value_parser = ["grpc", "grpcs", "ws", "wss"], hide_possible_values = true)]
    transport: String,

    #[command(flatten)]
    tls: super::tls::TlsArgs,

    /// At most so many files [default: 1000 of DIR, else 96].
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(i64::from(plan::FILES_MIN)..=10_000))]
    tasks: Option<u32>,

    /// How long three workers take for all of it if nothing goes wrong; at least 10s.
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = work)]
    work: Duration,

    /// The workers' heartbeat interval.
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = some_duration)]
    heartbeat_interval: Duration,

    /// A worker not heard for so long loses its leases.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = some_duration)]
    lost_after: Duration,
}

fn work(text: &str) -> Result<Duration, String> {
    let work = some_duration(text)?;
    if work < Duration::from_secs(10) {
        return Err("at least 10s, so that every fault finds running tasks".to_owned());
    }
    Ok(work)
}

/// Why the demo did not come to its end.
#[derive(Debug)]
enum Failure {
    /// Something could not be done.
    Error(Error),
    /// Something did not happen that has to happen.
    Unproven(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// For what has to happen and did not.
fn unproven<T>(text: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Unproven(text.into()))
}

pub(super) async fn run(args: Args, context: Context) -> Outcome {
    let mut signals = Signals::new()?;
    // Dropped last: the processes that live in it are gone then.
    let home = tempfile::tempdir()
        .map_err(|source| Error::Input { path: std::env::temp_dir(), source })?;
    let plan = Plan::new(&args, home.path())?;
    let view = View::new();
    if let Some(note) = plan.left_out() {
        view.say(&note);
    }
    let mut stage = Stage::new(&args, &plan, home.path(), view.clone())?;
    let played = tokio::select! {
        played = tokio::time::timeout(LIMIT, play(&mut stage, &plan)) => {
            played.unwrap_or_else(|_| unproven(format!("it is not over after {LIMIT:?}")))
        }
        exit = signals.next() => {
            stage.kill().await;
            return Ok(exit);
        }
    };
    match played {
        Ok(ledger) => report(&ledger, context),
        Err(failure) => {
            stage.kill().await;
            view.say("what the processes said last:");
            for line in stage.logbook().last_lines() {
                view.say(&line);
            }
            match failure {
                Failure::Error(error) => Err(error),
                Failure::Unproven(text) => {
                    output::message(&format!("demo failed: {text}"));
                    Ok(Exit::Failed)
                }
            }
        }
    }
}

/// The whole play: start, submit, four faults, the end, and the sum.
async fn play(stage: &mut Stage, plan: &Plan) -> Result<Ledger, Failure> {
    stage.start().await?;
    let drawing = stage.draw();
    let tasks = stage.submit(plan).await?;
    faults::strike(stage).await?;
    stage.finish(&tasks).await?;
    let mut ledger = Ledger::read(stage.client(), plan, &tasks).await?;
    drawing.stop().await;
    stage.stop().await?;
    ledger.add_logs(stage.logbook());
    Ok(ledger)
}

fn report(ledger: &Ledger, context: Context) -> Outcome {
    if context.json {
        output::json(ledger)?;
    } else {
        output::line(&ledger.to_string())?;
    }
    let faults = ledger.faults();
    for fault in &faults {
        output::message(&format!("the ledger does not balance: {fault}"));
    }
    Ok(if faults.is_empty() { Exit::Done } else { Exit::Failed })
}
