//! `moorline worker list|get`.

use std::time::Duration;

use clap::builder::PossibleValuesParser;
use moorline_link::Reason;

use super::select::{Filter, INACTIVE, reason};
use crate::api::WORKER_STATES;
use crate::cli::exit::Exit;
use crate::cli::global::Format;
use crate::cli::output::{self, ago, roughly, short, table};
use crate::cli::server::ServerArgs;
use crate::cli::watch::WatchArgs;
use crate::cli::{Context, Outcome};
use crate::{WorkerInfo, WorkerLink};

#[derive(clap::Args, Debug)]
pub(super) struct ListArgs {
    /// Only workers in one of these states: expected, restoring, active, suspect, disconnected, lost,
    /// draining, departed; or inactive: expected, disconnected, lost or departed.
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    #[arg(value_parser = PossibleValuesParser::new(WORKER_STATES.into_iter().chain([INACTIVE])))]
    #[arg(hide_possible_values = true)]
    state: Vec<String>,

    /// Only workers that are not active for one of these reasons, such as stream_lost; see
    /// `moorline explain`.
    #[arg(long, value_name = "REASON", value_delimiter = ',', value_parser = reason)]
    reason: Vec<Reason>,

    /// Only workers whose name is like this: `*` stands for any characters, `?` for one.
    #[arg(long, value_name = "GLOB")]
    name: Option<String>,

    #[command(flatten)]
    watch: WatchArgs,

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

impl ListArgs {
    fn filter(&self) -> Filter<'_> {
        Filter::new(&self.state, &self.reason, self.name.as_deref())
    }
}

pub(super) async fn list(args: ListArgs, context: Context) -> Outcome {
    let client = args.server.client()?;
    let filter = args.filter();
    let print = async || -> Outcome {
        let mut workers = client.workers().await?;
        workers.retain(|worker| filter.takes(worker));
        output::list(
            context,
            &workers,
            |worker| worker.name.clone(),
            |wide| {
                let mut head = HEAD.to_vec();
                let mut rows: Vec<_> = workers.iter().map(|worker| row(worker).to_vec()).collect();
                if wide {
                    head.extend(WIDE);
                    rows.iter_mut()
                        .zip(&workers)
                        .for_each(|(row, worker)| row.extend(wide_columns(worker)));
                }
                table(&head, &rows)
            },
        )?;
        Ok(Exit::Done)
    };
    args.watch.run(print).await
}

const HEAD: [&str; 8] =
    ["NAME", "STATE", "SINCE", "REASON", "TASKS", "LAST CONTACT", "VERSION", "TRANSPORT"];
const WIDE: [&str; 5] = ["SLOTS", "RTT", "ENDPOINT", "REMOTE", "ID"];

fn row(worker: &WorkerInfo) -> [String; 8] {
    let or_dash = |text: Option<&str>| short(text.unwrap_or("-"), 30);
    [
        short(&worker.name, 40),
        short(&worker.state, 20),
        ago(worker.since),
        or_dash(worker.reason.as_deref()),
        worker.running.to_string(),
        last_contact(worker),
        or_dash(worker.version.as_deref()),
        or_dash(worker.transport.as_deref()),
    ]
}

fn wide_columns(worker: &WorkerInfo) -> [String; 5] {
    let rtt = worker.rtt_ms.map_or_else(|| "-".to_owned(), |rtt| format!("{rtt} ms"));
    let place = |text: &Option<String>| short(text.as_deref().unwrap_or("-"), 60);
    let (endpoint, remote) = (place(&worker.endpoint), place(&worker.remote));
    [worker.slots.to_string(), rtt, endpoint, remote, short(&worker.id, 32)]
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
    match context.format {
        Format::Json | Format::Jsonl => output::json(&worker)?,
        Format::Name => output::line(&worker.name)?,
        Format::Table | Format::Wide => output::line(&detail(&worker))?,
    }
    Ok(Exit::Done)
}

fn detail(worker: &WorkerInfo) -> String {
    let [name, state, since, reason, tasks, contact, version, transport] = row(worker);
    let [slots, rtt, endpoint, remote, id] = wide_columns(worker);
    let mut lines = vec![
        ("name", name),
        ("id", id),
        ("state", state),
        ("since", since),
        ("reason", reason),
        ("tasks", format!("{tasks} of {slots} slots")),
        ("contact", contact),
        ("transport", transport),
        ("endpoint", endpoint),
        ("remote", remote),
        ("version", version),
    ];
    match &worker.link {
        Some(link) => lines.extend(link_lines(link, rtt)),
        None => lines.push(("rtt", rtt)),
    }
    let lines = lines.iter().map(|(name, value)| format!("{name:<10} {value}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// What the worker has counted of its link.
fn link_lines(link: &WorkerLink, rtt: String) -> Vec<(&'static str, String)> {
    let percent = |share: Option<f64>| {
        // Cut off and not rounded: 100% is said of what never failed.
        share.map_or_else(|| "-".to_owned(), |share| format!("{}%", (share * 1e4).floor() / 1e2))
    };
    let of = |millis| roughly(Duration::from_millis(millis));
    let (figures, jitter) = ([link.rtt_mean_ms, link.rtt_p50_ms, link.rtt_p99_ms], link.jitter_ms);
    let rtt = match (figures, jitter) {
        ([Some(mean), Some(p50), Some(p99)], Some(jitter)) => {
            format!("{rtt}, mean {mean} ms, p50 {p50} ms, p99 {p99} ms, jitter {jitter} ms")
        }
        _ => rtt,
    };
    let (stability, recent) = (percent(link.stability), percent(Some(link.recent_stability)));
    let (up, down) = (of(link.connected_ms), of(link.disconnected_ms));
    let plural = if link.outages == 1 { "" } else { "s" };
    let mut lines = vec![
        ("rtt", rtt),
        ("stability", format!("{stability} in all, {recent} in the last 10m")),
        ("outages", format!("{} outage{plural}; up for {up}, down for {down}", link.outages)),
        ("dials", format!("{}, {} of them successful", link.dials, percent(link.success_rate))),
    ];
    if !link.degraded.is_empty() {
        let causes = link.degraded.iter().map(|cause| short(cause, 20)).collect::<Vec<_>>();
        lines.push(("degraded", causes.join(", ")));
    }
    lines
}

#[cfg(test)]
mod tests;
