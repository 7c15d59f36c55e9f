//! `moorline worker`: run one, list, get, steer.

mod list;
mod steer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use moorline_link::{First, Jitter};

use super::exit::Exit;
use super::signals::Signals;
use super::values::{HandlerArg, first, handler, jitter, some_duration};
use super::{Context, Outcome, event, logs, output, systemd};
use crate::client::WorkerAction;
use crate::process::ProcessGroups;
use crate::{Error, Reconnect, Result, Worker};

#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    run: RunArgs,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List workers.
    List(list::ListArgs),
    /// Show a worker.
    Get(list::GetArgs),
    /// Give workers nothing new, and let what they run end.
    Drain(steer::WaitArgs),
    /// Give drained workers tasks again.
    Resume(steer::WaitArgs),
    /// Make workers dial again.
    Reconnect(steer::WaitArgs),
    /// End the connections of workers; they come back by themselves.
    Disconnect(steer::Args),
    /// Forget workers that are gone: their names are free, what they held returns to the queue.
    Forget(steer::Args),
    /// Say why a worker is where it is: the cause, what was ruled out, what happens next, what to do.
    Explain(list::GetArgs),
    /// Show what happened to a worker and to the tasks it was given, the latest last.
    Timeline(event::WorkerTimelineArgs),
}

#[derive(clap::Args, Debug)]
struct RunArgs {
    /// The coordinator; several are tried in order.
    #[arg(long, required = true, value_name = "URL")]
    coordinator: Vec<String>,

    /// The worker's name [default: the host name]. Two live workers cannot have the same.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// How many tasks run at once.
    #[arg(long, value_name = "K", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    slots: u16,

    /// Where the worker's identity and lock are [default: $XDG_STATE_HOME/moorline/worker/NAME, else
    /// ~/.local/state/moorline/worker/NAME].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Run tasks of type NAME by this command, without a shell: input on stdin, result on stdout, exit
    /// code 0 ok, 64-78 fatal, other retryable.
    #[arg(long = "handler", value_name = "NAME=COMMAND", value_parser = handler)]
    handlers: Vec<HandlerArg>,

    /// How long an attempt may run when its task does not say [default: no limit].
    #[arg(long, value_name = "DURATION", value_parser = some_duration)]
    task_timeout: Option<Duration>,

    /// How long running tasks may take to end when the worker is told to stop.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = some_duration)]
    drain_timeout: Duration,

    /// Serve health, metrics and status here, such as 127.0.0.1:8742 [default: not at all].
    #[arg(long, value_name = "ADDRESS")]
    health_listen: Option<String>,

    #[command(flatten)]
    link: LinkArgs,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Connection")]
struct LinkArgs {
    /// A heartbeat every so long; the coordinator may assign another interval.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = some_duration)]
    heartbeat_interval: Duration,

    /// Without any answer for so long the connection is given up.
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = some_duration)]
    heartbeat_timeout: Duration,

    /// The delay before the first retry.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = some_duration)]
    reconnect_initial_delay: Duration,

    /// The longest delay between two retries.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = some_duration)]
    reconnect_max_delay: Duration,

    /// Each delay is so many times the one before.
    #[arg(long, value_name = "FACTOR", default_value_t = 2.0)]
    reconnect_multiplier: f64,

    /// How delays are spread: full, none, equal, decorrelated, or a fraction such as 0.2.
    #[arg(long, value_name = "JITTER", default_value = "full", value_parser = jitter)]
    reconnect_jitter: Jitter,

    /// What the first dial after a loss waits for: window (set by the coordinator), backoff or immediate.
    #[arg(long, value_name = "FIRST", default_value = "window", value_parser = first)]
    reconnect_first: First,

    /// Give up after so many dials without success; 0 is never.
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_reconnect_attempts: u32,

    /// End at the first loss or failed dial.
    #[arg(long, conflicts_with = "max_reconnect_attempts")]
    no_reconnect: bool,
}

impl LinkArgs {
    fn reconnect(&self) -> Reconnect {
        let base = if self.no_reconnect {
            Reconnect::off()
        } else {
            Reconnect::attempts(self.max_reconnect_attempts)
        };
        base.initial(self.reconnect_initial_delay)
            .max(self.reconnect_max_delay)
            .multiplier(self.reconnect_multiplier)
            .jitter(self.reconnect_jitter)
            .first(self.reconnect_first)
            // 30 s with the standard timeout: longer than any detector, so that a link which dies
            // at its first heartbeats does not begin anew (P04).
            .stable_after(self.heartbeat_timeout.saturating_mul(2))
    }
}

pub(super) async fn run(args: Args, context: Context) -> Outcome {
    match args.command {
        Some(Command::List(args)) => {
            logs::for_client(context.log);
            list::list(args, context).await
        }
        Some(Command::Get(args)) => {
            logs::for_client(context.log);
            list::get(args, context).await
        }
        Some(Command::Drain(args)) => steer::run(WorkerAction::Drain, args.into(), context).await,
        Some(Command::Resume(args)) => steer::run(WorkerAction::Resume, args.into(), context).await,
        Some(Command::Reconnect(args)) => {
            steer::run(WorkerAction::Reconnect, args.into(), context).await
        }
        Some(Command::Disconnect(args)) => {
            steer::run(WorkerAction::Disconnect, args.into(), context).await
        }
        Some(Command::Forget(args)) => steer::run(WorkerAction::Forget, args.into(), context).await,
        Some(Command::Explain(args)) => {
            logs::for_client(context.log);
            list::explain(args, context).await
        }
        Some(Command::Timeline(args)) => {
            logs::for_client(context.log);
            event::of_worker(args, context).await
        }
        None => {
            logs::for_server(context.log);
            work(args.run, context).await
        }
    }
}

async fn work(args: RunArgs, context: Context) -> Outcome {
    let mut signals = Signals::new()?;
    let groups = ProcessGroups::new();
    let name = args.name.clone().unwrap_or_else(crate::worker::host_name);
    let mut worker = build(args, name.clone(), &groups, context)?;
    let handle = worker.handle();
    let _notices = systemd::notify(worker.subject());
    let running = worker.run();
    tokio::pin!(running);
    let drain = async {
        signals.next().await;
        // `running` ends when the drain does.
        let drain = handle.drain();
        tokio::select! {
            exit = signals.next() => exit,
            () = async { drain.await; std::future::pending().await } => Exit::Done,
        }
    };
    let ended = tokio::select! {
        biased;
        ended = &mut running => ended,
        exit = drain => {
            groups.kill_all();
            // At once: nothing that still runs is waited for.
            exit.now();
        }
    };
    // What is left of handlers that were aborted goes with the worker.
    groups.kill_all();
    if context.json {
        let reason = ended.as_ref().err().and_then(Error::reason).map(moorline_link::Reason::name);
        let state = if ended.is_ok() { "shutdown" } else { "failed" };
        output::json(&serde_json::json!({"name": name, "state": state, "reason": reason}))?;
    }
    ended.map(|()| Exit::Done)
}

fn build(args: RunArgs, name: String, groups: &ProcessGroups, context: Context) -> Result<Worker> {
    let data_dir = match args.data_dir {
        Some(data_dir) => data_dir,
        None => default_data_dir(&name)?,
    };
    let mut urls = args.coordinator.into_iter();
    let mut builder = Worker::builder(urls.next().unwrap_or_default())
        .name(name)
        .slots(args.slots)
        .data_dir(data_dir)
        .heartbeat(args.link.heartbeat_interval, args.link.heartbeat_timeout)
        .reconnect(args.link.reconnect())
        .drain_timeout(args.drain_timeout)
        .log_repeat_every(context.log.repeat_every);
    for url in urls {
        builder = builder.coordinator(url);
    }
    if let Some(address) = args.health_listen {
        builder = builder.health(address);
    }
    if let Some(timeout) = args.task_timeout {
        builder = builder.task_timeout(timeout);
    }
    for handler in args.handlers {
        builder = builder.command(handler.name, &handler.command, groups)?;
    }
    builder.build()
}

/// Where a worker of this name lives when nobody says.
fn default_data_dir(name: &str) -> Result<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let state = variable("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let home = variable("HOME").filter(|path| path.is_absolute());
    state
        .or_else(|| home.map(|home| home.join(".local/state")))
        .map(|state| data_dir_below(&state, name))
        .ok_or_else(|| Error::setting("data-dir", "HOME is not set: say where, with --data-dir"))
}

fn data_dir_below(state: &Path, name: &str) -> PathBuf {
    state.join("moorline/worker").join(file_name(name))
}

/// A worker's name as the name of a directory: different names stay different, and none leads elsewhere.
fn file_name(name: &str) -> String {
    let mut file = String::with_capacity(name.len());
    for (at, c) in name.char_indices() {
        let plain = c.is_alphanumeric() || "-_".contains(c) || (c == '.' && at > 0);
        if plain {
            file.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                file.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    file
}

#[cfg(test)]
mod tests;
