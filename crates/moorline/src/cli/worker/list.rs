//! `moorline worker list|get`.

use std::time::Duration;

use clap::builder::PossibleValuesParser;

use crate::WorkerInfo;
use crate::api::WORKER_STATES;
use crate::cli::exit::Exit;
use crate::cli::output::{self, ago, roughly, short, table};
use crate::cli::server::ServerArgs;
use crate::cli::{Context, Outcome};

#[derive(clap::Args, Debug)]
pub(super) struct ListArgs {
    /// Only workers in one of these states: expected, restoring, active, suspect, disconnected, lost,
    /// draining, departed.
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    #[arg(value_parser = PossibleValuesParser::new(WORKER_STATES))]
    #[arg(hide_possible_values = true)]
    state: Vec<String>,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(clap::Args, Debug)]
pub(super) struct GetArgs {
    /// The worker's name or identity.
    #[arg(value_name = "WORKER")]
    worker: String,

    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn list(args: ListArgs, context: Context) -> Outcome {
    let mut workers = args.server.client()?.workers().await?;
    if !args.state.is_empty() {
        workers.retain(|worker| args.state.contains(&worker.state));
    }
    if context.json {
        output::json(&workers)?;
    } else {
        let head = [
            "NAME",
            "STATE",
            "SINCE",
            "REASON",
            "SLOTS",
            "RUNNING",
            "LAST CONTACT",
            "RTT",
            "TRANSPORT",
            "VERSION",
        ];
        output::line(&table(&head, &workers.iter().map(row).collect::<Vec<_>>()))?;
    }
    Ok(Exit::Done)
}

fn row(worker: &WorkerInfo) -> Vec<String> {
    let or_dash = |text: Option<&str>| short(text.unwrap_or("-"), 30);
    vec![
        short(&worker.name, 40),
        short(&worker.state, 20),
        ago(worker.since),
        or_dash(worker.reason.as_deref()),
        worker.slots.to_string(),
        worker.running.to_string(),
        last_contact(worker),
        worker.rtt_ms.map_or_else(|| "-".to_owned(), |rtt| format!("{rtt} ms")),
        or_dash(worker.transport.as_deref()),
        or_dash(worker.version.as_deref()),
    ]
}

fn last_contact(worker: &WorkerInfo) -> String {
    let ago = |millis| format!("{} ago", roughly(Duration::from_millis(millis)));
    worker.last_contact_ms.map_or_else(|| "-".to_owned(), ago)
}

pub(super) async fn explain(args: GetArgs, context: Context) -> Outcome {
    let explanation = args.server.client()?.explain_worker(&args.worker).await?;
    output::explanation(&explanation, context.json)?;
    Ok(Exit::Done)
}

pub(super) async fn get(args: GetArgs, context: Context) -> Outcome {
    let worker = args.server.client()?.worker(&args.worker).await?;
    if context.json {
        output::json(&worker)?;
        return Ok(Exit::Done);
    }
    let [name, state, since, reason, slots, running, contact, rtt, transport, version] =
        row(&worker).try_into().unwrap_or_default();
    let lines = [
        ("name", name),
        ("id", short(&worker.id, 32)),
        ("state", state),
        ("since", since),
        ("reason", reason),
        ("slots", slots),
        ("running", running),
        ("contact", contact),
        ("rtt", rtt),
        ("transport", transport),
        ("version", version),
    ];
    let lines = lines.map(|(name, value)| format!("{name:<10} {value}"));
    output::line(&lines.join("\n"))?;
    Ok(Exit::Done)
}
