//! `moorline worker drain|resume|reconnect|disconnect|forget`, for one worker or many.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::cli::confirm::confirmed;
use crate::cli::exit::Exit;
use crate::cli::outcomes::Outcomes;
use crate::cli::output::{self, short};
use crate::cli::server::ServerArgs;
use crate::cli::{Context, Outcome};
use crate::client::{Client, WorkerAction};
use crate::{Error, Result, WorkerInfo};

/// Between two looks at a worker that is waited for.
const PAUSE: Duration = Duration::from_millis(200);

/// A worker that is active since so much later than before has come back in between: the time is
/// computed anew for each answer, and may differ a little for that.
const LATER: Duration = Duration::from_millis(20);

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// Names or identities of workers.
    #[arg(required = true, value_name = "WORKER")]
    workers: Vec<String>,

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

/// What all of them come to.
pub(in crate::cli) struct Steering {
    args: Args,
    wait: bool,
}

impl From<Args> for Steering {
    fn from(args: Args) -> Self {
        Self { args, wait: false }
    }
}

impl From<WaitArgs> for Steering {
    fn from(args: WaitArgs) -> Self {
        Self { args: args.args, wait: args.wait }
    }
}

pub(super) async fn run(action: WorkerAction, steering: Steering, context: Context) -> Outcome {
    crate::cli::logs::for_client(context.log);
    let Steering { args, wait } = steering;
    let client = args.server.client()?;
    let mut outcomes = Outcomes::new(context);
    if args.dry_run {
        let mut seen = Vec::new();
        for worker in &args.workers {
            seen.extend(outcomes.note(client.worker(worker).await)?);
        }
        let word = format!("would {}", action.name());
        print(&seen, &word, context)?;
        return Ok(outcomes.exit());
    }
    let count = args.workers.len();
    if action == WorkerAction::Forget
        && count > 1
        && !confirmed(context, &format!("forget {count} workers"))?
    {
        output::note("nothing was done");
        return Ok(Exit::Done);
    }
    let deadline = args.server.timeout().map(|limit| Instant::now() + limit);
    let mut changed = Vec::new();
    for worker in &args.workers {
        let before = if wait { outcomes.note(client.worker(worker).await)? } else { None };
        if wait && before.is_none() {
            continue;
        }
        let after = outcomes.note(client.steer(worker, action).await)?;
        changed.extend(after.map(|after| (before, after)));
    }
    let mut exit = outcomes.exit();
    let mut seen = Vec::new();
    for (before, after) in changed {
        let Some(before) = before else {
            seen.push(after);
            continue;
        };
        match until(&client, action, &before, deadline).await? {
            Some(worker) => seen.push(worker),
            None => {
                output::message(&format!(
                    "{}: not within the time allowed, it is {} with {} tasks",
                    short(&after.name, 40),
                    short(&after.state, 20),
                    after.running
                ));
                exit = Exit::NotMet;
            }
        }
    }
    print(&seen, action.done(), context)?;
    Ok(exit)
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
            Err(Error::NoSuchWorker { .. }) if action == WorkerAction::Drain => {
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
            let new = since(seen) > since(before) + LATER || before.state != "active";
            seen.state == "active" && new
        }
        WorkerAction::Disconnect | WorkerAction::Forget => true,
    }
}

fn print(workers: &[WorkerInfo], word: &str, context: Context) -> Result<()> {
    let lines = |_wide| {
        let line = |worker: &WorkerInfo| format!("{}  {word}", short(&worker.name, 40));
        workers.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    if workers.is_empty() && !context.json {
        return Ok(());
    }
    output::list(context, workers, |worker| worker.name.clone(), lines)
}

#[cfg(test)]
mod tests;
