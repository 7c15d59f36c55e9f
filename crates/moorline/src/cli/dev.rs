//! `moorline dev`: everything in one process, to try things out.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::exit::Exit;
use super::signals::Signals;
use super::tls::TlsArgs;
use super::{Context, Outcome, output};
use crate::coordinator::StoreAt;
use crate::{BoxError, Coordinator, CoordinatorBuilder, Error, Result, TaskCtx, TlsFiles, Worker};

/// The worker's name.
const WORKER: &str = "dev-worker";

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Where workers come in: grpc, grpcs, quic, ws or wss. The worker takes the first of several.
    #[arg(long, value_name = "URL", default_value = "grpc://127.0.0.1:8740")]
    listen: Vec<String>,

    #[command(flatten)]
    tls: TlsArgs,

    /// Where the admin API is served.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8741")]
    admin_listen: String,

    /// How many tasks the worker runs at once.
    #[arg(long, value_name = "K", default_value_t = 4)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    slots: u16,
}

pub(super) async fn run(args: Args, context: Context) -> Outcome {
    let mut signals = Signals::new()?;
    let builder = Coordinator::builder().store(StoreAt::Memory).tls(args.tls.of_coordinator());
    let builder = args.listen.into_iter().fold(builder, CoordinatorBuilder::listen);
    let coordinator = builder.admin(args.admin_listen).start().await?;
    let endpoint = coordinator.endpoints().first().map(ToString::to_string).unwrap_or_default();
    let worker = worker(&endpoint, args.tls.of_worker(), args.slots)?;
    let handle = worker.handle();
    let mut running = tokio::spawn(worker.run());
    announce(&endpoint, &coordinator.admin_url().unwrap_or_default(), context)?;

    tokio::select! {
        _ = signals.next() => {}
        ended = &mut running => {
            coordinator.stop().await;
            return ended.unwrap_or_else(|error| Err(Error::Start(std::io::Error::other(error))))
                .map(|()| Exit::Done);
        }
    }
    let stop = async {
        handle.drain().await;
        coordinator.stop().await;
    };
    tokio::select! {
        () = stop => Ok(Exit::Done),
        exit = signals.next() => exit.now(),
    }
}

fn worker(endpoint: &str, tls: TlsFiles, slots: u16) -> Result<Worker> {
    Worker::builder(endpoint)
        .tls(tls)
        .name(WORKER)
        .slots(slots)
        .task("sleep", sleep)
        .task("echo", echo)
        .task("fail", fail)
        .build()
}

fn announce(endpoint: &str, admin: &str, context: Context) -> Result<()> {
    if context.json {
        return output::json(&serde_json::json!({
            "listen": [endpoint],
            "admin": admin,
            "store": "temporary",
            "worker": WORKER,
            "handlers": ["sleep", "echo", "fail"],
        }));
    }
    output::line(&format!("coordinator  {endpoint}     admin  {admin}   (store: temporary)"))?;
    output::line(&format!("worker       {WORKER}, handlers: sleep, echo, fail"))
}

/// How long to sleep.
#[derive(Deserialize, Serialize)]
struct Sleep {
    seconds: f64,
}

/// Sleeps and says how long: `{"seconds": 30}`.
async fn sleep(_ctx: TaskCtx, input: Sleep) -> Result<Sleep, BoxError> {
    tokio::time::sleep(Duration::try_from_secs_f64(input.seconds)?).await;
    Ok(input)
}

/// Gives back what it got.
async fn echo(_ctx: TaskCtx, input: Bytes) -> Result<Bytes, BoxError> {
    Ok(input)
}

/// Fails with its input as the error.
async fn fail(_ctx: TaskCtx, input: Bytes) -> Result<(), BoxError> {
    let words = String::from_utf8_lossy(&input);
    Err(if words.is_empty() { "it was asked to fail".into() } else { words.into() })
}
