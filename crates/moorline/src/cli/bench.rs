//! `moorline bench`: lets anyone measure from outside, beside other systems. Hidden: the output is for
//! scripts and may change. Everything runs on what the real commands run on.

mod coordinator;
mod fleet;
mod histogram;
mod worker;

use bytes::Bytes;
use clap::Subcommand;
use rustix::process::{Resource, getrlimit, setrlimit};

use super::exit::Exit;
use super::signals::Signals;
use super::tls::TlsArgs;
use super::{Outcome, output};
use crate::coordinator::StoreAt;
use crate::{Coordinator, CoordinatorBuilder, Error, Worker, WorkerBuilder};

/// The type of every task.
const HANDLER: &str = "bench";

/// What goes out with a task, and what comes back.
const PAYLOAD: Bytes = Bytes::from_static(&[7; 64]);

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Wait for one worker, keep tasks under way, and print how many there were and how long they took.
    Coordinator(coordinator::Args),
    /// Answer every task with 64 bytes until the coordinator ends.
    Worker(At),
    /// Only serve links.
    Serve(ServeArgs),
    /// Run many workers in one process, and tell when each dialled, was active and was cut off.
    Fleet(fleet::Args),
}

/// Where the coordinator is.
#[derive(clap::Args, Debug)]
pub(super) struct At {
    /// How packets travel: grpc, grpcs, quic, ws or wss.
    #[arg(value_name = "TRANSPORT")]
    transport: String,

    /// HOST:PORT.
    #[arg(value_name = "ADDR")]
    address: String,

    #[command(flatten)]
    tls: TlsArgs,
}

#[derive(clap::Args, Debug)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    at: At,

    /// Where its state is: sqlite:FILE or memory. Beside a file is the key of its QUIC connections too.
    #[arg(long, value_name = "STORE", default_value = "memory")]
    store: StoreAt,
}

impl At {
    fn url(&self) -> String {
        format!("{}://{}", self.transport, self.address)
    }

    /// A worker that dials it.
    fn worker(&self) -> WorkerBuilder {
        Worker::builder(self.url()).tls(self.tls.of_worker()).insecure(true)
    }

    /// A coordinator that listens there.
    fn coordinator(&self) -> CoordinatorBuilder {
        Coordinator::builder().listen(self.url()).tls(self.tls.of_coordinator())
    }
}

pub(super) async fn run(command: Command) -> Outcome {
    match command {
        Command::Coordinator(args) => coordinator::run(args).await,
        Command::Worker(at) => worker::run(&at).await,
        Command::Serve(args) => serve(args).await,
        Command::Fleet(args) => fleet::run(args).await,
    }
}

async fn serve(args: ServeArgs) -> Outcome {
    allow_descriptors();
    let mut signals = Signals::new()?;
    let coordinator = args.at.coordinator().store(args.store).start().await?;
    output::line("READY")?;
    tokio::select! {
        _ = signals.next() => {}
        () = coordinator.stopped() => return Err(Error::Stopped),
    }
    coordinator.stop().await;
    Ok(Exit::Done)
}

/// As many open files as the system lets this process have: a connection is one.
fn allow_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Without it there are fewer connections, which is said when they are missing.
    let _ = setrlimit(Resource::Nofile, limit);
}
