//! `moorline coordinator`: run one, reload its configuration, drain it.

mod drain;

use std::sync::{Arc, OnceLock};

use clap::Subcommand;
use moorline_driver::CoordinatorHandle;

use super::config::{Started, start};
use super::exit::Exit;
use super::server::ServerArgs;
use super::signals::{Hangups, Signals};
use super::{Context, Outcome, logs, output, systemd};
use crate::api::ReloadReport;
use crate::config::{
    Config, CoordinatorFlags, Key, Level, Problem, Reloaded, Reloader, Role, Sources, Surroundings,
};
use crate::coordinator::ReloadHook;
use crate::{Code, Coordinator, Error};

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
    /// Run a coordinator: the same as without `start`.
    Start(RunArgs),
    /// Let a coordinator read its configuration again, as SIGHUP does.
    Reload(ReloadArgs),
    /// Send all workers away, one after the other, let nobody in, and stop.
    Drain(drain::DrainArgs),
}

#[derive(clap::Args, Debug)]
struct RunArgs {
    #[command(flatten)]
    settings: CoordinatorFlags,
}

#[derive(clap::Args, Debug)]
struct ReloadArgs {
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn run(args: Args, sources: Sources, context: Context) -> Outcome {
    match args.command {
        None => serve(args.run, sources, context).await,
        Some(Command::Start(run)) => serve(run, sources, context).await,
        Some(Command::Drain(args)) => {
            logs::for_client(context.log);
            drain::run(args, context).await
        }
        Some(Command::Reload(args)) => {
            logs::for_client(context.log);
            reload(&args, context).await
        }
    }
}

async fn serve(args: RunArgs, mut sources: Sources, context: Context) -> Outcome {
    let mut signals = Signals::new()?;
    let mut hangups = Hangups::new()?;
    sources.flags.extend(args.settings.0);
    let Started { config, sources, logs } = match start(Role::Coordinator, sources, context) {
        Ok(started) => started,
        Err(exit) => return Ok(exit),
    };
    let store = config.text(Key::Store).unwrap_or_default().to_owned();
    let builder = config.coordinator();
    let driver = Arc::new(OnceLock::<CoordinatorHandle>::new());
    let of_driver = Arc::clone(&driver);
    let reloader = Reloader::new(
        Role::Coordinator,
        sources,
        Surroundings::of_this_process(),
        config,
        move |key, config| {
            logs.apply(key, config);
            if let Some(driver) = of_driver.get() {
                take(driver, config);
            }
        },
    );
    let coordinator = builder.on_reload(hook(reloader.clone())).start().await?;
    let driver = driver.get_or_init(|| coordinator.driver().clone());
    // What was reloaded while it started.
    take(driver, &reloader.running());
    announce(&coordinator, &store, context)?;
    let _notices = systemd::notify(coordinator.subject());
    loop {
        tokio::select! {
            _ = signals.next() => break,
            () = coordinator.stopped() => {
                // After a drain that is how it ends.
                if coordinator.is_draining() {
                    break;
                }
                return Err(coordinator.failure().unwrap_or(Error::Stopped));
            }
            () = hangups.next() => reload_off_thread(&reloader).await,
        }
    }
    tokio::select! {
        () = coordinator.drain() => Ok(Exit::Done),
        // At once: whoever asks twice does not want to wait for workers or for the store.
        exit = signals.next() => exit.now(),
    }
}

/// Gives a coordinator that runs what can be reloaded, but for the logs' own.
fn take(driver: &CoordinatorHandle, config: &Config) {
    driver.retain(config.coordinator().retention());
    driver.summarise_every(config.duration(Key::LogRepeatEvery));
    // Its file of certificates may have gone since this was checked: then it stays as it was.
    if let (_, Ok(endpoints)) = config.coordinator().advertising() {
        // One that has ended has nobody to tell.
        let _ = driver.advertise(&endpoints);
    }
}

/// Reads files, so not on the runtime's own threads. What came out is in the log.
pub(super) async fn reload_off_thread(reloader: &Reloader) {
    let reloader = reloader.clone();
    let _ = tokio::task::spawn_blocking(move || reload_now(&reloader)).await;
}

/// A reload of which systemd knows.
fn reload_now(reloader: &Reloader) -> Result<Reloaded, Vec<Problem>> {
    systemd::reloading();
    let outcome = reloader.reload();
    systemd::reloaded();
    outcome
}

/// A reload for the admin API.
fn hook(reloader: Reloader) -> ReloadHook {
    ReloadHook(Arc::new(move || match reload_now(&reloader) {
        Ok(Reloaded { applied, restart }) => {
            let paths = |keys: Vec<Key>| keys.iter().map(|key| key.path().to_owned()).collect();
            Ok(ReloadReport { applied: paths(applied), restart: paths(restart) })
        }
        Err(problems) => {
            let errors = problems.iter().filter(|problem| problem.level == Level::Error);
            let told: Vec<_> =
                errors.map(|problem| format!("{}: {}", problem.code, problem.text)).collect();
            Err(Error::refused_setting(Code::NOT_RELOADED, "configuration", told.join("; ")))
        }
    }))
}

async fn reload(args: &ReloadArgs, context: Context) -> Outcome {
    let report = args.server.client()?.reload().await?;
    if context.json {
        output::json(&report)?;
        return Ok(Exit::Done);
    }
    if report.applied.is_empty() && report.restart.is_empty() {
        output::line("nothing has changed")?;
    }
    for setting in &report.applied {
        output::line(&format!("applied        {setting}"))?;
    }
    for setting in &report.restart {
        output::line(&format!("needs restart  {setting}"))?;
    }
    Ok(Exit::Done)
}

/// Says where it is, with the real ports.
fn announce(coordinator: &Coordinator, store: &str, context: Context) -> Result<(), Error> {
    let listen: Vec<_> = coordinator.endpoints().iter().map(ToString::to_string).collect();
    let admin = coordinator.admin_url().unwrap_or_default();
    if context.json {
        output::json(&serde_json::json!({
            "listen": listen, "admin": admin, "store": store, "epoch": coordinator.epoch().to_string(),
        }))
    } else {
        let epoch = coordinator.epoch();
        output::line(&format!(
            "coordinator  {}     admin  {admin}   (store: {store}, epoch {epoch})",
            listen.join(" ")
        ))
    }
}

#[cfg(test)]
mod tests;
