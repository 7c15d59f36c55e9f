//! `moorline task cancel` and `moorline task retry`.

use futures::{StreamExt, stream};
use serde::Serialize;

use super::Outcomes;
use super::select::Selection;
use super::wait::Limit;
use crate::cli::confirm::confirmed;
use crate::cli::exit::Exit;
use crate::cli::global::Format;
use crate::cli::output::{self, Shape};
use crate::cli::server::ServerArgs;
use crate::cli::{Context, Outcome};
use crate::client::Client;
use crate::{Cancelled, Code, Error, Result, Retried, TaskId, TaskState};

/// Requests under way at a time: enough for the store to commit them together.
const AT_ONCE: usize = 32;

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    selection: Selection,

    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,

    /// Wait until all have ended. Exit code 3 if --timeout ran out; after a retry 1 if one ended
    /// without success.
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,

    #[command(flatten)]
    server: ServerArgs,
}

/// What is done to them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    Cancel,
    Retry,
}

/// What became of one, as JSON has it.
#[derive(Serialize)]
struct Changed {
    id: TaskId,
    outcome: &'static str,
}

impl Change {
    fn word(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Retry => "retry",
        }
    }

    /// The states in which it can do something.
    fn able(self) -> &'static [TaskState] {
        match self {
            Self::Cancel => &[TaskState::Queued, TaskState::Leased],
            Self::Retry => &[TaskState::Failed, TaskState::Cancelled, TaskState::Dead],
        }
    }

    async fn make(self, client: &Client, task: TaskId) -> Result<Changed> {
        let outcome = match self {
            Self::Cancel => match cancel(client, task).await? {
                Cancelled::Cancelled => "cancelled",
                Cancelled::CancelRequested => "cancel_requested",
                Cancelled::AlreadyEnded => "already_ended",
            },
            Self::Retry => match client.retry(task).await? {
                Retried::Queued => "queued",
                Retried::NotEnded => {
                    return Err(Error::Command {
                        code: Code::NOT_ENDED,
                        detail: format!("the task {task} has not ended: there is nothing to retry"),
                    });
                }
            },
        };
        Ok(Changed { id: task, outcome })
    }
}

impl Changed {
    fn words(&self) -> &'static str {
        match self.outcome {
            "cancel_requested" => "cancel requested: its worker is told to stop it",
            "queued" => "queued again",
            _ => "cancelled",
        }
    }
}

pub(super) async fn run(change: Change, args: Args, context: Context) -> Outcome {
    let client = args.server.client()?;
    let open = args.selection.is_open();
    let tasks: Vec<TaskId> = if open {
        let found = args.selection.matching(&client, change.able()).await?;
        found.iter().map(|task| task.id).collect()
    } else {
        args.selection.named().to_vec()
    };
    let shape = if tasks.len() == 1 && !open { Shape::One } else { Shape::List };
    if args.dry_run {
        return dry_run(change, &client, &tasks, context).await;
    }
    if open && !tasks.is_empty() {
        let count = tasks.len();
        let plural = if count == 1 { "" } else { "s" };
        if !confirmed(context, &format!("{} {count} task{plural}", change.word()))? {
            output::note("nothing was done");
            return Ok(Exit::Done);
        }
    }
    let calls = tasks.iter().map(|&task| change.make(&client, task));
    let mut results = stream::iter(calls).buffered(AT_ONCE);
    let (mut changed, mut outcomes) = (Vec::new(), Outcomes::new(context));
    while let Some(result) = results.next().await {
        changed.extend(outcomes.note(result)?);
    }
    if args.wait && !changed.is_empty() {
        let ids: Vec<TaskId> = changed.iter().map(|changed| changed.id).collect();
        let limit = args.server.timeout().map(Limit::new);
        let ended = super::wait::run(&client, &ids, limit, shape, context).await?;
        // What was cancelled has ended as it should.
        let ended =
            if change == Change::Cancel && ended == Exit::Failed { Exit::Done } else { ended };
        return Ok(if outcomes.exit() == Exit::Done { ended } else { outcomes.exit() });
    }
    match context.format {
        Format::Json | Format::Jsonl => output::named(&changed, shape, context)?,
        Format::Name => changed.iter().try_for_each(|one| output::line(&one.id.to_string()))?,
        Format::Table | Format::Wide => {
            for one in &changed {
                output::line(&format!("{}  {}", one.id, one.words()))?;
            }
        }
    }
    Ok(outcomes.exit())
}

/// What would be done, by where each task stands now.
async fn dry_run(change: Change, client: &Client, tasks: &[TaskId], context: Context) -> Outcome {
    let mut outcomes = Outcomes::new(context);
    let mut lines = Vec::new();
    let reads = tasks.iter().map(|&task| client.get(task));
    let mut reads = stream::iter(reads).buffered(AT_ONCE);
    while let Some(read) = reads.next().await {
        let Some(task) = outcomes.note(read)? else { continue };
        let would = change.able().contains(&task.state);
        lines.push((task.id, task.state.name(), would));
    }
    if context.json {
        let value = |&(id, state, would): &(TaskId, &str, bool)| serde_json::json!({"id": id, "state": state, "would": would.then_some(change.word())});
        output::json(&lines.iter().map(value).collect::<Vec<_>>())?;
    } else {
        for (id, state, would) in lines {
            let words =
                if would { format!("would {}", change.word()) } else { "left alone".into() };
            output::line(&format!("{id}  {words}: it is {state}"))?;
        }
    }
    Ok(outcomes.exit())
}

/// A task that is cancelled already, perhaps by a request whose answer was lost, is cancelled.
async fn cancel(client: &Client, task: TaskId) -> Result<Cancelled> {
    let outcome = client.cancel(task).await?;
    if outcome == Cancelled::AlreadyEnded {
        let state = client.get(task).await?.state;
        if state != TaskState::Cancelled {
            return Err(Error::Command {
                code: Code::ALREADY_ENDED,
                detail: format!("the task {task} had ended before: it {}", state.name()),
            });
        }
        return Ok(Cancelled::Cancelled);
    }
    Ok(outcome)
}
