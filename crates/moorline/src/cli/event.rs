//! `moorline event`: list, tail; and the timelines of workers and tasks.

use std::time::SystemTime;

use clap::Subcommand;
use moorline_link::Reason;
use moorline_node::EventKind;

use super::exit::Exit;
use super::output::{self, short, table};
use super::server::ServerArgs;
use super::{Context, Outcome};
use crate::api::parse_kinds;
use crate::client::EventQuery;
use crate::{EventInfo, TaskId};

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// List what happened, the latest last.
    List(ListArgs),
    /// Print what happens, as it happens, until interrupted.
    Tail(TailArgs),
}

#[derive(clap::Args, Debug)]
pub(super) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,

    /// Only about this worker: its name or identity.
    #[arg(long, value_name = "WORKER")]
    worker: Option<String>,

    /// Only about this task.
    #[arg(long, value_name = "ID")]
    task: Option<TaskId>,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(clap::Args, Debug)]
pub(super) struct TailArgs {
    /// First print what has happened since: a time such as 2026-11-22T10:00:00Z, or so long ago as 15m.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<SystemTime>,

    /// Only about this worker: its name or identity.
    #[arg(long, value_name = "WORKER")]
    worker: Option<String>,

    /// Only about this task.
    #[arg(long, value_name = "ID")]
    task: Option<TaskId>,

    #[command(flatten)]
    words: WordArgs,

    #[command(flatten)]
    server: ServerArgs,
}

/// Which of the events.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct FilterArgs {
    /// Only since this time: 2026-11-22T10:00:00Z, or so long ago as 15m.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<SystemTime>,

    /// Only before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<SystemTime>,

    #[command(flatten)]
    words: WordArgs,

    /// The latest so many.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
}

#[derive(clap::Args, Clone, Debug)]
struct WordArgs {
    /// Only of these kinds: worker, task, coordinator, or one such as worker.disconnected.
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kinds)]
    kind: Vec<Kinds>,

    /// Only with this reason, such as stream_lost.
    #[arg(long, value_name = "REASON", value_parser = reason)]
    reason: Option<Reason>,
}

#[derive(Clone, Debug)]
struct Kinds(Vec<EventKind>);

fn kinds(text: &str) -> Result<Kinds, String> {
    parse_kinds(text).map(Kinds)
}

fn reason(text: &str) -> Result<Reason, String> {
    Reason::from_name(text).ok_or_else(|| format!("there is no reason `{text}`"))
}

/// A time, or how long ago.
pub(super) fn time(text: &str) -> Result<SystemTime, String> {
    if let Ok(time) = humantime::parse_rfc3339(text) {
        return Ok(time);
    }
    let ago = super::values::duration(text).map_err(|_| {
        format!("`{text}` is not a time such as 2026-11-22T10:00:00Z, nor one so long ago as 15m")
    })?;
    Ok(SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH))
}

impl WordArgs {
    fn kinds(&self) -> Vec<EventKind> {
        self.kind.iter().flat_map(|kinds| kinds.0.clone()).collect()
    }
}

impl FilterArgs {
    /// The latest that fit, the latest first.
    pub(super) fn query(&self) -> EventQuery {
        EventQuery {
            since: self.since,
            until: self.until,
            kinds: self.words.kinds(),
            reason: self.words.reason,
            limit: self.limit,
            newest_first: true,
            ..EventQuery::default()
        }
    }
}

pub(super) async fn run(command: Command, context: Context) -> Outcome {
    match command {
        Command::List(args) => {
            let query = EventQuery { worker: args.worker, task: args.task, ..args.filter.query() };
            let events = args.server.client()?.events(&query).await?;
            print(events, context)
        }
        Command::Tail(args) => tail(args, context).await,
    }
}

/// Prints events that came the latest first.
pub(super) fn print(mut events: Vec<EventInfo>, context: Context) -> Outcome {
    events.reverse();
    if context.json {
        output::json(&events)?;
    } else {
        let rows: Vec<_> = events.iter().map(row).collect();
        output::line(&table(&HEAD, &rows))?;
    }
    Ok(Exit::Done)
}

const HEAD: [&str; 7] = ["TIME", "EVENT", "WORKER", "TASK", "ATTEMPT", "REASON", "DETAIL"];

fn row(event: &EventInfo) -> Vec<String> {
    let or_dash = |text: Option<&str>, most| short(text.unwrap_or("-"), most);
    vec![
        humantime::format_rfc3339_millis(event.at).to_string(),
        short(&event.kind, 30),
        or_dash(event.worker.as_deref(), 40),
        event.task.map_or_else(|| "-".to_owned(), |task| task.to_string()),
        event.attempt.map_or_else(|| "-".to_owned(), |attempt| attempt.to_string()),
        or_dash(event.reason.as_deref(), 30),
        or_dash(event.detail.as_deref(), 120),
    ]
}

/// One line for a stream: what is wide stands last, so that the others stay below each other.
fn streamed(event: &EventInfo) -> String {
    let [time, kind, worker, task, attempt, reason, detail] =
        row(event).try_into().unwrap_or_default();
    let line =
        format!("{time}  {kind:<23}  {worker:<16}  {task:<26}  {attempt:>3}  {reason}  {detail}");
    line.trim_end_matches([' ', '-']).to_owned()
}

async fn tail(args: TailArgs, context: Context) -> Outcome {
    let client = args.server.client()?;
    let after = match args.since {
        Some(_) => 0,
        // Only what comes.
        None => client.last_event().await?,
    };
    let mut query = EventQuery {
        after,
        since: args.since,
        kinds: args.words.kinds(),
        worker: args.worker,
        task: args.task,
        reason: args.words.reason,
        limit: 1_000,
        ..EventQuery::default()
    };
    let mut reader_is_there = true;
    let print = async {
        while reader_is_there {
            for event in client.next_events(&mut query).await? {
                let line =
                    if context.json { serde_json::to_string(&event)? } else { streamed(&event) };
                reader_is_there = output::streamed_line(&line)?;
            }
        }
        Ok(Exit::Done)
    };
    match args.server.timeout() {
        // A time for the whole, as for everything that waits.
        Some(limit) => tokio::time::timeout(limit, print).await.unwrap_or(Ok(Exit::Done)),
        None => print.await,
    }
}

#[derive(clap::Args, Debug)]
pub(super) struct WorkerTimelineArgs {
    /// The worker's name or identity.
    #[arg(value_name = "WORKER")]
    worker: String,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(clap::Args, Debug)]
pub(super) struct TaskTimelineArgs {
    /// The task's id.
    #[arg(value_name = "ID")]
    task: TaskId,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn of_worker(args: WorkerTimelineArgs, context: Context) -> Outcome {
    let client = args.server.client()?;
    print(client.worker_timeline(&args.worker, &args.filter.query()).await?, context)
}

pub(super) async fn of_task(args: TaskTimelineArgs, context: Context) -> Outcome {
    let client = args.server.client()?;
    print(client.task_timeline(args.task, &args.filter.query()).await?, context)
}

#[cfg(test)]
mod tests;
