//! `moorline worker drain|resume|reconnect|disconnect|redirect|forget`, for one worker or many.

use std::time::{Duration, SystemTime};

use futures::{StreamExt, stream};
use moorline_link::Reason;
use tokio::time::Instant;

use super::select::Selection;
use crate::cli::confirm::confirmed;
use crate::cli::exit::Exit;
use crate::cli::global::Format;
use crate::cli::outcomes::Outcomes;
use crate::cli::output::{self, Shape, short};
use crate::cli::server::ServerArgs;
use crate::cli::values::place;
use crate::cli::{Context, Outcome};
use crate::client::{Client, WorkerAction};
use crate::{Error, Result, WorkerInfo};

/// Requests under way at a time.
const AT_ONCE: usize = 32;

/// Between two looks at a worker that is waited for.
const PAUSE: Duration = Duration::from_millis(200);

/// A worker that is active since so much later than before has come back in between: the time is
/// computed anew for each answer, and may differ a little for that.
const LATER: Duration = Duration::from_millis(20);

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    selection: Selection,

    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct WaitArgs {
    #[command(flatten)]
    args: Args,

    /// Wait until it is so: nothing runs on it, it is active, it is active on a new connection. Exit
    /// code 3 if --timeout ran out.
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
}

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct RedirectArgs {
    #[command(flatten)]
    args: Args,

    /// Where to: the URL of a coordinator, or its HOST:PORT. Up to 16, of which the first is taken that lets the
    /// worker in. Over TLS a worker goes only to hosts that its coordinator's certificate names, else only to
    /// loopback addresses. What it runs is stopped by a coordinator with another store: drain it first.
    #[arg(long, value_name = "URL", required = true, value_parser = place)]
    to: Vec<String>,

    /// Wait until it has gone, or is here over another connection. Exit code 3 if --timeout ran out: then it
    /// has most likely stayed, and its log says why.
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
}

/// What all of them come to.
pub(in crate::cli) struct Steering {
    args: Args,
    wait: bool,
    /// Where to, if they are sent somewhere.
    to: Vec<String>,
}

impl From<Args> for Steering {
    fn from(args: Args) -> Self {
        Self { args, wait: false, to: Vec::new() }
    }
}

impl From<WaitArgs> for Steering {
    fn from(WaitArgs { args, wait }: WaitArgs) -> Self {
        Self { args, wait, to: Vec::new() }
    }
}

impl From<RedirectArgs> for Steering {
    fn from(RedirectArgs { args, to, wait }: RedirectArgs) -> Self {
        Self { args, wait, to }
    }
}

pub(super) async fn run(action: WorkerAction, steering: Steering, context: Context) -> Outcome {
    crate::cli::logs::for_client(context.log);
    let Steering { args: Args { selection, dry_run, server }, wait, to } = steering;
    let client = server.client()?;
    let deadline = server.timeout().map(|limit| Instant::now() + limit);
    let open = selection.is_open();
    let workers = if open {
        let (filter, all) = (selection.filter(), client.workers().await?);
        let meant = all.into_iter().filter(|one| filter.takes(one) && is_worth(action, one));
        meant.map(|worker| worker.id).collect()
    } else {
        selection.named().to_vec()
    };
    if dry_run {
        return self::dry_run(action, &client, &workers, context).await;
    }
    let count = workers.len();
    if (open && count > 0) || (action == WorkerAction::Forget && count > 1) {
        let plural = if count == 1 { "" } else { "s" };
        if !confirmed(context, &format!("{} {count} worker{plural}", action.name()))? {
            output::note("nothing was done");
            return Ok(Exit::Done);
        }
    }
    let calls = workers.iter().map(|worker| steer(&client, worker, action, &to, wait));
    let mut results = stream::iter(calls).buffered(AT_ONCE);
    let (mut changed, mut outcomes) = (Vec::new(), Outcomes::new(context));
    while let Some(result) = results.next().await {
        changed.extend(outcomes.note(result)?);
    }
    let mut seen = Vec::with_capacity(changed.len());
    let mut exit = outcomes.exit();
    for (before, after) in changed {
        let Some(before) = before else {
            seen.push(after);
            continue;
        };
        match until(&client, action, &before, deadline).await? {
            Some(worker) => seen.push(worker),
            None => {
                let tasks = if after.running == 1 { "task" } else { "tasks" };
                output::message(&format!(
                    "{}: not within the time allowed, it is {} with {} {tasks}",
                    short(&after.name, 40),
                    short(&after.state, 20),
                    after.running
                ));
                exit = if exit == Exit::Done { Exit::NotMet } else { exit };
            }
        }
    }
    match context.format {
        Format::Json | Format::Jsonl => {
            let shape = if count == 1 && !open { Shape::One } else { Shape::List };
            output::named(&seen, shape, context)?;
        }
        Format::Name => seen.iter().try_for_each(|worker| output::line(&worker.name))?,
        Format::Table | Format::Wide => {
            for worker in &seen {
                output::line(&format!("{}  {}", short(&worker.name, 40), action.done()))?;
            }
        }
    }
    Ok(exit)
}

/// Does it to one. Answers it as it was, if it is waited for, and as it is then.
async fn steer(
    client: &Client,
    worker: &str,
    action: WorkerAction,
    to: &[String],
    wait: bool,
) -> Result<(Option<WorkerInfo>, WorkerInfo)> {
    let before = if wait { Some(client.worker(worker).await?) } else { None };
    Ok((before, client.steer(worker, action, to).await?))
}

/// What would be done, by where each worker is now.
async fn dry_run(
    action: WorkerAction,
    client: &Client,
    workers: &[String],
    context: Context,
) -> Outcome {
    let reads = workers.iter().map(|worker| client.worker(worker));
    let mut reads = stream::iter(reads).buffered(AT_ONCE);
    let (mut seen, mut outcomes) = (Vec::new(), Outcomes::new(context));
    while let Some(read) = reads.next().await {
        seen.extend(outcomes.note(read)?);
    }
    if context.json {
        let value = |worker: &WorkerInfo| {
            let would = is_possible(action, worker).then(|| action.name());
            serde_json::json!({
                "id": worker.id, "name": worker.name, "state": worker.state, "would": would,
            })
        };
        output::json(&seen.iter().map(value).collect::<Vec<_>>())?;
    } else {
        for worker in &seen {
            let would = if is_possible(action, worker) {
                format!("would {}", action.name())
            } else {
                "left alone".to_owned()
            };
            let (name, state) = (short(&worker.name, 40), short(&worker.state, 20));
            output::line(&format!("{name}  {would}: it is {state}"))?;
        }
    }
    Ok(outcomes.exit())
}

/// Whether the coordinator would do it.
fn is_possible(action: WorkerAction, worker: &WorkerInfo) -> bool {
    match action {
        WorkerAction::Drain | WorkerAction::Resume => true,
        WorkerAction::Reconnect | WorkerAction::Disconnect => worker.transport.is_some(),
        WorkerAction::Redirect => worker.moves,
        WorkerAction::Forget => {
            matches!(&*worker.state, "expected" | "lost" | "departed") && worker.running == 0
        }
    }
}

/// Whether it is done to this one when it is to be done to all.
fn is_worth(action: WorkerAction, worker: &WorkerInfo) -> bool {
    let gone = matches!(&*worker.state, "lost" | "departed");
    match action {
        WorkerAction::Drain => !gone && worker.state != "draining",
        WorkerAction::Resume => !gone,
        WorkerAction::Reconnect
        | WorkerAction::Disconnect
        | WorkerAction::Redirect
        | WorkerAction::Forget => is_possible(action, worker),
    }
}

/// Waits until the action has come to what it is for; none if the time is over before.
async fn until(
    client: &Client,
    action: WorkerAction,
    before: &WorkerInfo,
    deadline: Option<Instant>,
) -> Result<Option<WorkerInfo>> {
    loop {
        let seen = match client.worker(&before.id).await {
            // Who drains may leave, and be forgotten.
            Err(Error::NoSuchWorker { .. })
                if matches!(action, WorkerAction::Drain | WorkerAction::Redirect) =>
            {
                return Ok(Some(before.clone()));
            }
            seen => seen?,
        };
        if is_so(action, before, &seen) {
            return Ok(Some(seen));
        }
        let wake = Instant::now() + PAUSE;
        if deadline.is_some_and(|deadline| wake >= deadline) {
            return Ok(None);
        }
        tokio::time::sleep_until(wake).await;
    }
}

/// Whether a worker is where the action was to bring it.
fn is_so(action: WorkerAction, before: &WorkerInfo, seen: &WorkerInfo) -> bool {
    let since = |worker: &WorkerInfo| {
        worker.since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    };
    match action {
        WorkerAction::Drain => seen.running == 0 && seen.state != "active",
        WorkerAction::Resume => seen.state == "active",
        WorkerAction::Reconnect => {
            // A drained worker comes back as one.
            let here = |worker: &WorkerInfo| matches!(&*worker.state, "active" | "draining");
            here(seen) && (since(seen) > since(before) + LATER || !here(before))
        }
        WorkerAction::Redirect => match seen.connection {
            // It has come again, and is past what that begins with.
            Some(number) => {
                Some(number) != before.connection && matches!(&*seen.state, "active" | "draining")
            }
            // Who was lost otherwise may be anywhere.
            None => seen.reason.as_deref() == Some(Reason::Redirected.name()),
        },
        WorkerAction::Disconnect | WorkerAction::Forget => true,
    }
}

#[cfg(test)]
mod tests;
