//! `moorline worker`: run one, list, get, steer.

mod agent;
mod list;
mod select;
mod steer;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use moorline_link::Reason;

use super::config::{Started, start};
use super::coordinator::reload_off_thread;
use super::exit::Exit;
use super::signals::{Hangups, Signals};
use super::{Context, Outcome, event, logs, output, systemd};
use crate::client::WorkerAction;
use crate::config::{Config, Key, Reloader, Role, Sources, Surroundings, WorkerFlags};
use crate::process::ProcessGroups;
use crate::{Error, Result, Runtime, Worker};

#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    run: RunArgs,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a worker: the same as without `start`.
    Start(RunArgs),
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
    /// Send workers to another place: each registers there before it leaves here, and stays if it cannot.
    Redirect(steer::RedirectArgs),
    /// Forget workers that are gone: their names are free, what they held returns to the queue.
    Forget(steer::Args),
    /// Say why a worker is where it is: the cause, what was ruled out, what happens next, what to do.
    Explain(list::GetArgs),
    /// Show what happened to a worker and to the tasks it was given, the latest last.
    Timeline(event::WorkerTimelineArgs),
}

#[derive(clap::Args, Debug)]
struct RunArgs {
    #[command(flatten)]
    settings: WorkerFlags,

    #[command(flatten)]
    agent: agent::AgentArgs,
}

pub(super) async fn run(args: Args, sources: Sources, context: Context) -> Outcome {
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
        Some(Command::Redirect(args)) => {
            steer::run(WorkerAction::Redirect, args.into(), context).await
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
        Some(Command::Start(run)) => work(run, sources, context).await,
        None => work(args.run, sources, context).await,
    }
}

async fn work(args: RunArgs, mut sources: Sources, context: Context) -> Outcome {
    let mut signals = Signals::new()?;
    let mut hangups = Hangups::new()?;
    sources.flags.extend(args.settings.0);
    let Started { config, sources, logs } = match start(Role::Worker, sources, context) {
        Ok(started) => started,
        Err(exit) => return Ok(exit),
    };
    let groups = ProcessGroups::new();
    let name = config.text(Key::Name).map_or_else(crate::worker::host_name, str::to_owned);
    if args.agent.is_daemon() {
        return agent::start(&name, &data_dir(&config, &name)?, context).await;
    }
    let mut worker = build(&config, &name, &groups)?;
    let _pid_file = args.agent.settle(&data_dir(&config, &name)?)?;
    args.agent.note(&name);
    let handle = worker.handle();
    let of_reload = handle.clone();
    let reloader = Reloader::new(
        Role::Worker,
        sources,
        Surroundings::of_this_process(),
        config,
        move |key, config| {
            logs.apply(key, config);
            of_reload.summarise_every(config.duration(Key::LogRepeatEvery));
        },
    );
    let _notices = systemd::notify(worker.subject());
    let running = worker.run();
    tokio::pin!(running);
    let drain = async {
        loop {
            tokio::select! {
                _ = signals.next() => break,
                () = hangups.next() => reload_off_thread(&reloader).await,
            }
        }
        // As it is now: it may have been reloaded. `running` ends when the drain does.
        let limit = reloader.running().duration(Key::DrainTimeout);
        let drain = handle.drain_within(limit);
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
    if let Err(error) = &ended
        && gave_up(error)
        && stays(&reloader)
    {
        stay(error, &mut signals, &mut hangups, &reloader).await;
        return Ok(Exit::Done);
    }
    ended.map(|()| Exit::Done)
}

/// Whether the worker itself stopped trying; who was refused or replaced did not give up.
fn gave_up(error: &Error) -> bool {
    let reasons = [Reason::AttemptsExhausted, Reason::DeadlineExceeded];
    error.reason().is_some_and(|reason| reasons.contains(&reason))
}

fn stays(reloader: &Reloader) -> bool {
    reloader.running().text(Key::OnGiveUp) == Some("stay")
}

/// Waits until somebody ends the process, or wants it not to stay any more.
async fn stay(error: &Error, signals: &mut Signals, hangups: &mut Hangups, reloader: &Reloader) {
    tracing::error!(
        event = "worker.stays",
        role = "worker",
        code = %error.code(),
        "Gave up and stays without a connection, as worker.reconnect.on_give_up says: {error}"
    );
    loop {
        tokio::select! {
            _ = signals.next() => return,
            () = hangups.next() => reload_off_thread(reloader).await,
        }
        if !stays(reloader) {
            return;
        }
    }
}

fn build(config: &Config, name: &str, groups: &ProcessGroups) -> Result<Worker> {
    let mut builder =
        config.worker().name(name).data_dir(data_dir(config, name)?).runtime(runtime()?);
    for (name, command) in config.map(Key::Handlers) {
        builder = builder.command(name, command, groups)?;
    }
    builder.build()
}

/// Where a worker of this name lives.
fn data_dir(config: &Config, name: &str) -> Result<PathBuf> {
    match config.text(Key::DataDir) {
        Some(data_dir) => Ok(PathBuf::from(data_dir)),
        None => default_data_dir(name),
    }
}

/// For tests of moorline itself: the same command on every runtime of a build.
fn runtime() -> Result<Runtime> {
    match std::env::var("MOORLINE_RUNTIME") {
        Ok(name) if !name.is_empty() => name.parse(),
        Ok(_) | Err(std::env::VarError::NotPresent) => Ok(Runtime::default()),
        Err(std::env::VarError::NotUnicode(name)) => name.to_string_lossy().parse(),
    }
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
