//! `moorline task`: submit, list, get, wait, result, cancel.

mod submit;
mod wait;

use clap::Subcommand;

use super::exit::Exit;
use super::output::{self, ago, short, table};
use super::server::ServerArgs;
use super::{Context, Outcome, event};
use crate::api::parse_task_state;
use crate::client::{Client, TaskQuery};
use crate::{Cancelled, Code, Error, Result, TaskId, TaskInfo, TaskState};

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
    Cancel(TargetArgs),
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

    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,

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
        Command::Cancel(args) => cancel(args, context).await,
        Command::Explain(args) => {
            let explanation = args.server.client()?.explain_task(args.task).await?;
            output::explanation(&explanation, context.json)?;
            Ok(Exit::Done)
        }
        Command::Timeline(args) => event::of_task(args, context).await,
    }
}

async fn list(args: ListArgs, context: Context) -> Outcome {
    let query = TaskQuery { state: args.state, limit: args.limit };
    let tasks = args.server.client()?.list(query).await?;
    if context.json {
        output::json(&tasks)?;
    } else {
        let head = ["ID", "TYPE", "STATE", "ATTEMPTS", "WORKER", "AGE", "ERROR"];
        output::line(&table(&head, &tasks.iter().map(row).collect::<Vec<_>>()))?;
    }
    Ok(Exit::Done)
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
    if context.json {
        print_json(&tasks, args.shape())?;
    } else {
        let details: Vec<_> = tasks.iter().map(detail).collect();
        if !details.is_empty() {
            output::line(&details.join("\n\n"))?;
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

async fn cancel(args: TargetArgs, context: Context) -> Outcome {
    let client = args.server.client()?;
    let mut cancelled = Vec::new();
    let mut outcomes = Outcomes::new(context);
    for &task in &args.tasks {
        let outcome = outcomes.note(cancel_one(&client, task).await)?;
        cancelled.extend(outcome.map(|outcome| (task, outcome)));
    }
    if context.json {
        let values: Vec<_> = cancelled
            .iter()
            .map(|(task, outcome)| serde_json::json!({"id": task, "outcome": outcome}))
            .collect();
        print_json(&values, args.shape())?;
    } else {
        for (task, outcome) in cancelled {
            let words = match outcome {
                Cancelled::Cancelled | Cancelled::AlreadyEnded => "cancelled",
                Cancelled::CancelRequested => "cancel requested: its worker is told to stop it",
            };
            output::line(&format!("{task}  {words}"))?;
        }
    }
    Ok(outcomes.exit())
}

/// A task that is cancelled already, perhaps by a request whose answer was lost, is cancelled.
async fn cancel_one(client: &Client, task: TaskId) -> Result<Cancelled> {
    let outcome = client.cancel(task).await?;
    if outcome == Cancelled::AlreadyEnded {
        let state = client.get(task).await?.state;
        if state != TaskState::Cancelled {
            return Err(Error::Refused {
                status: 409,
                code: Code::ALREADY_ENDED,
                detail: format!("the task {task} had ended before: it {}", state.name()),
                hint: None,
            });
        }
    }
    Ok(outcome)
}

/// What a command prints as JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    /// One thing was asked for: one object, or nothing if it is not there.
    One,
    /// Any number of things was asked for: one array.
    List,
}

impl TargetArgs {
    fn shape(&self) -> Shape {
        if self.tasks.len() == 1 { Shape::One } else { Shape::List }
    }
}

fn print_json(values: &[impl serde::Serialize], shape: Shape) -> Result<()> {
    match shape {
        Shape::One => values.iter().try_for_each(output::json),
        Shape::List => output::json(&values),
    }
}

/// What became of several targets, one after the other.
struct Outcomes<F> {
    /// Tells the user of a failure, and says with which code it ends.
    tell: F,
    done: usize,
    failed: Vec<Exit>,
}

impl Outcomes<Box<dyn Fn(&Error) -> Exit>> {
    /// Failures are told on stderr.
    fn new(context: Context) -> Self {
        Self::telling(Box::new(move |error| output::failed(error, context.json)))
    }
}

impl<F: Fn(&Error) -> Exit> Outcomes<F> {
    fn telling(tell: F) -> Self {
        Self { tell, done: 0, failed: Vec::new() }
    }

    /// Tells the user of a failure that is about one target; any other ends the command.
    fn note<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => {
                self.done += 1;
                Ok(Some(value))
            }
            Err(error) => match Exit::from(&error) {
                Exit::NotFound | Exit::Conflict => {
                    self.failed.push((self.tell)(&error));
                    Ok(None)
                }
                Exit::Done
                | Exit::Failed
                | Exit::Usage
                | Exit::NotMet
                | Exit::Partly
                | Exit::Input
                | Exit::Unavailable
                | Exit::Internal
                | Exit::InUse
                | Exit::Io
                | Exit::Later
                | Exit::Version
                | Exit::Denied
                | Exit::Config
                | Exit::Interrupted
                | Exit::Terminated => Err(error),
            },
        }
    }

    fn exit(&self) -> Exit {
        match self.failed.first() {
            None => Exit::Done,
            Some(&first) if self.done == 0 && self.failed.iter().all(|exit| *exit == first) => {
                first
            }
            Some(_) => Exit::Partly,
        }
    }
}

#[cfg(test)]
mod tests;
