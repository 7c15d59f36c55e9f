//! `moorline task`: submit, list, get, wait, result, cancel, retry.

mod change;
mod select;
mod submit;
mod wait;

use clap::Subcommand;

use super::exit::Exit;
use super::global::Format;
use super::outcomes::Outcomes;
use super::output::{self, Shape, ago, short, table};
use super::server::ServerArgs;
use super::watch::WatchArgs;
use super::{Context, Outcome, event};
use crate::api::parse_task_state;
use crate::client::TaskQuery;
use crate::{Result, TaskId, TaskInfo, TaskState};
use change::Change;

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Submit one task, or several of one type.
    Submit(submit::Args),
    /// List tasks, the latest submitted first.
    List(ListArgs),
    /// Show tasks.
    Get(TargetArgs),
    /// Wait until tasks have ended. Exit code 1 if one ended without success, 3 if --timeout ran out.
    Wait(TargetArgs),
    /// Print the result of a task, as it is.
    Result(ResultArgs),
    /// Cancel tasks, queued or running.
    Cancel(change::Args),
    /// Queue tasks again that failed, were cancelled, or were lost too often with their workers.
    Retry(change::Args),
    /// Say why a task is where it is, and who could take it.
    Explain(ExplainArgs),
    /// Show what happened to a task, the latest last.
    Timeline(event::TaskTimelineArgs),
}

#[derive(clap::Args, Debug)]
pub(super) struct ListArgs {
    /// Only tasks in this state: queued, leased, succeeded, failed, cancelled or dead.
    #[arg(long, value_name = "STATE", value_parser = task_state)]
    state: Option<TaskState>,

    /// Only tasks of this type.
    #[arg(long, value_name = "TYPE")]
    handler: Option<String>,

    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,

    #[command(flatten)]
    watch: WatchArgs,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(clap::Args, Debug)]
pub(super) struct TargetArgs {
    /// Ids of tasks.
    #[arg(required = true, value_name = "ID")]
    tasks: Vec<TaskId>,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(clap::Args, Debug)]
pub(super) struct ExplainArgs {
    /// The task's id.
    #[arg(value_name = "ID")]
    task: TaskId,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(clap::Args, Debug)]
pub(super) struct ResultArgs {
    /// The task's id.
    #[arg(value_name = "ID")]
    task: TaskId,

    #[command(flatten)]
    server: ServerArgs,
}

fn task_state(text: &str) -> Result<TaskState, String> {
    parse_task_state(text).ok_or_else(|| {
        format!("`{text}` is not queued, leased, succeeded, failed, cancelled or dead")
    })
}

pub(super) async fn run(command: Command, context: Context) -> Outcome {
    match command {
        Command::Submit(args) => submit::run(args, context).await,
        Command::List(args) => list(args, context).await,
        Command::Get(args) => get(args, context).await,
        Command::Wait(args) => {
            let client = args.server.client()?;
            let limit = args.server.timeout().map(wait::Limit::new);
            wait::run(&client, &args.tasks, limit, args.shape(), context).await
        }
        Command::Result(args) => {
            output::bytes(&args.server.client()?.result(args.task).await?)?;
            Ok(Exit::Done)
        }
        Command::Cancel(args) => change::run(Change::Cancel, args, context).await,
        Command::Retry(args) => change::run(Change::Retry, args, context).await,
        Command::Explain(args) => {
            let explanation = args.server.client()?.explain_task(args.task).await?;
            output::explanation(&explanation, context.json)?;
            Ok(Exit::Done)
        }
        Command::Timeline(args) => event::of_task(args, context).await,
    }
}

async fn list(args: ListArgs, context: Context) -> Outcome {
    let client = args.server.client()?;
    let print = async || -> Outcome {
        // The coordinator knows no filter by type, so that all are looked at until there are enough.
        let limit = if args.handler.is_some() { u32::MAX } else { args.limit };
        let mut tasks = client.list(TaskQuery { state: args.state, limit }).await?;
        tasks.retain(|task| args.handler.as_ref().is_none_or(|handler| task.kind == *handler));
        tasks.truncate(usize::try_from(args.limit).unwrap_or(usize::MAX));
        output::list(
            context,
            &tasks,
            |task| task.id.to_string(),
            |wide| {
                let mut head = HEAD.to_vec();
                let mut rows: Vec<_> = tasks.iter().map(row).collect();
                if wide {
                    head.extend(WIDE);
                    rows.iter_mut()
                        .zip(&tasks)
                        .for_each(|(row, task)| row.extend(wide_columns(task)));
                }
                table(&head, &rows)
            },
        )?;
        Ok(Exit::Done)
    };
    args.watch.run(print).await
}

const HEAD: [&str; 7] = ["ID", "TYPE", "STATE", "ATTEMPTS", "WORKER", "AGE", "ERROR"];
const WIDE: [&str; 5] = ["PRIORITY", "RETRIES", "LOST", "RESULT", "SUBMITTED"];

fn wide_columns(task: &TaskInfo) -> [String; 5] {
    [
        task.priority.to_string(),
        format!("{}/{}", task.retries, task.max_retries),
        task.lost.to_string(),
        task.result_bytes.map_or_else(|| "-".to_owned(), |bytes| format!("{bytes} B")),
        humantime::format_rfc3339_millis(task.submitted_at).to_string(),
    ]
}

fn row(task: &TaskInfo) -> Vec<String> {
    vec![
        task.id.to_string(),
        short(&task.kind, 30),
        task.state.name().to_owned(),
        task.attempts.to_string(),
        short(task.worker.as_deref().unwrap_or_default(), 30),
        ago(task.submitted_at),
        short(task.error.as_deref().unwrap_or_default(), 60),
    ]
}

async fn get(args: TargetArgs, context: Context) -> Outcome {
    let client = args.server.client()?;
    let mut tasks = Vec::new();
    let mut outcomes = Outcomes::new(context);
    for &task in &args.tasks {
        tasks.extend(outcomes.note(client.get(task).await)?);
    }
    match context.format {
        Format::Json | Format::Jsonl => output::named(&tasks, args.shape(), context)?,
        Format::Name => tasks.iter().try_for_each(|task| output::line(&task.id.to_string()))?,
        Format::Table | Format::Wide => {
            let details: Vec<_> = tasks.iter().map(detail).collect();
            if !details.is_empty() {
                output::line(&details.join("\n\n"))?;
            }
        }
    }
    Ok(outcomes.exit())
}

fn detail(task: &TaskInfo) -> String {
    let time = |time| humantime::format_rfc3339_millis(time).to_string();
    let mut lines = vec![
        ("id", task.id.to_string()),
        ("type", short(&task.kind, 128)),
        ("state", task.state.name().to_owned()),
        ("attempts", format!("{} ({} lost)", task.attempts, task.lost)),
        ("retries", format!("{} of {}", task.retries, task.max_retries)),
        ("submitted", time(task.submitted_at)),
    ];
    if task.cancel_requested && !task.state.is_final() {
        lines.push(("cancel", "requested".to_owned()));
    }
    if let Some(worker) = &task.worker {
        lines.push(("worker", short(worker, 128)));
    }
    if let Some(finished) = task.finished_at {
        lines.push(("finished", time(finished)));
    }
    if let Some(bytes) = task.result_bytes {
        lines.push(("result", format!("{bytes} bytes")));
    }
    if let Some(error) = &task.error {
        lines.push(("error", output::printable(error)));
    }
    let lines = lines.into_iter().map(|(name, value)| format!("{name:<10} {value}"));
    lines.collect::<Vec<_>>().join("\n")
}

impl TargetArgs {
    fn shape(&self) -> Shape {
        if self.tasks.len() == 1 { Shape::One } else { Shape::List }
    }
}
