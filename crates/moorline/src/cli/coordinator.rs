//! `moorline coordinator`.

use std::time::Duration;

use super::exit::Exit;
use super::server::ServerArgs;
use super::signals::Signals;
use super::values::{duration, some_duration};
use super::{Context, Outcome, output, systemd};
use crate::coordinator::StoreAt;
use crate::{Code, Coordinator, Error};

#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// Where workers come in; may be given several times. Port 0 takes any free one.
    #[arg(long, value_name = "URL", default_value = "grpc://127.0.0.1:8740")]
    listen: Vec<String>,

    /// Where the admin API is served: for this machine only.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8741")]
    admin_listen: String,

    /// Serve health, metrics and status here too, such as 127.0.0.1:8742, on a thread of their own
    /// [default: only the admin API does].
    #[arg(long, value_name = "ADDRESS")]
    health_listen: Option<String>,

    /// Where tasks are kept: sqlite:FILE or memory.
    #[arg(long, value_name = "STORE", default_value = "sqlite:moorline.db")]
    store: StoreAt,

    /// A worker not heard for so long loses its leases, and its tasks are queued again.
    #[arg(long, value_name = "DURATION", default_value = "90s", value_parser = some_duration)]
    lost_after: Duration,

    /// Leases of an earlier life are kept at least so long after the start.
    #[arg(long, value_name = "DURATION", default_value = "120s", value_parser = duration)]
    start_grace: Duration,

    /// A worker has so long to accept a task that was handed to it.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = some_duration)]
    accept_timeout: Duration,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Send all workers away, one after the other, let nobody in, and stop.
    Drain(DrainArgs),
}

#[derive(clap::Args, Debug)]
struct DrainArgs {
    #[command(flatten)]
    server: ServerArgs,

    /// For so long nobody is sent away [default: 10s].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    grace: Option<Duration>,

    /// Then everybody within this time [default: 2m].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    spread: Option<Duration>,

    /// Stop at the latest after this time [default: 20s after the last one was sent away].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    within: Option<Duration>,

    /// Return when it has stopped.
    #[arg(long)]
    wait: bool,
}

/// How often `--wait` looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

async fn drain(args: DrainArgs, context: Context) -> Outcome {
    let client = args.server.client()?;
    let begun = client.drain_coordinator(args.grace, args.spread, args.within).await?;
    if context.json {
        output::json(&begun)?;
    } else {
        let workers = if begun.connected == 1 { "worker" } else { "workers" };
        output::line(&format!(
            "draining: {} {workers} to send away, stops within {:.0}s",
            begun.connected, begun.timeout_s
        ))?;
    }
    if !args.wait {
        return Ok(Exit::Done);
    }
    // It has stopped when it does not answer any more: then there is nothing to be patient for.
    let client = client.timeout(LOOK_EVERY);
    loop {
        match client.overview().await {
            Ok(_) => tokio::time::sleep(LOOK_EVERY).await,
            Err(error) if matches!(error.code(), Code::UNREACHABLE | Code::STOPPING) => {
                return Ok(Exit::Done);
            }
            Err(error) => return Err(error),
        }
    }
}

pub(super) async fn run(args: Args, context: Context) -> Outcome {
    if let Some(Command::Drain(args)) = args.command {
        return drain(args, context).await;
    }
    let mut signals = Signals::new()?;
    let store = args.store.to_string();
    let mut builder = Coordinator::builder()
        .store(args.store)
        .admin(args.admin_listen)
        .lost_after(args.lost_after)
        .start_grace(args.start_grace)
        .accept_timeout(args.accept_timeout)
        .log_repeat_every(context.log.repeat_every);
    if let Some(address) = args.health_listen {
        builder = builder.health(address);
    }
    for url in args.listen {
        builder = builder.listen(url);
    }
    let coordinator = builder.start().await?;
    announce(&coordinator, &store, context)?;
    let _notices = systemd::notify(coordinator.subject());
    tokio::select! {
        _ = signals.next() => {}
        () = coordinator.stopped() => {
            // After a drain that is how it ends.
            if !coordinator.is_draining() {
                return Err(coordinator.failure().unwrap_or(Error::Stopped));
            }
        }
    }
    tokio::select! {
        () = coordinator.stop() => Ok(Exit::Done),
        // At once: whoever asks twice does not want to wait for the store.
        exit = signals.next() => exit.now(),
    }
}

/// Says where it is, with the real ports.
fn announce(coordinator: &Coordinator, store: &str, context: Context) -> Result<(), Error> {
    let listen: Vec<_> = coordinator.endpoints().iter().map(ToString::to_string).collect();
    let admin = coordinator.admin_url().unwrap_or_default();
    if context.json {
        output::json(&serde_json::json!({
            "listen": listen, "admin": admin, "store": store, "epoch": coordinator.epoch(),
        }))
    } else {
        let epoch = coordinator.epoch();
        output::line(&format!(
            "coordinator  {}     admin  {admin}   (store: {store}, epoch {epoch})",
            listen.join(" ")
        ))
    }
}
