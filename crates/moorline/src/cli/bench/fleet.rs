//! `moorline bench fleet`: many workers in one process, on one thread, and the moments of their links.

mod tally;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use moorline_driver::WorkerHandle;
use moorline_link::{ConnId, State};
use moorline_transport::{Connection, DialError, Endpoint, ListenError, Listener, Transport};

use super::{At, allow_descriptors};
use crate::cli::exit::Exit;
use crate::cli::{Outcome, output};
use crate::{Error, Result};
use tally::Tally;

/// Without an answer for so many heartbeats the connection is given up: the ratio of the defaults.
const MISSES: u32 = 3;

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    at: At,

    /// How many workers.
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    workers: u32,

    /// A heartbeat every so many milliseconds; the coordinator may assign another interval.
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u32).range(10..))]
    heartbeat_ms: u32,
}

pub(super) async fn run(args: Args) -> Outcome {
    allow_descriptors();
    let tally = Arc::new(Tally::new(args.workers));
    let members =
        (0..args.workers).map(|n| Member::new(&args, n, &tally)).collect::<Result<Vec<_>>>()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Start)?;
    let fleet = std::thread::Builder::new().name("moorline-fleet".into());
    // It ends with the process.
    let _fleet = fleet
        .spawn(move || {
            runtime.block_on(async {
                for member in members {
                    tokio::spawn(member);
                }
                std::future::pending::<()>().await;
            });
        })
        .map_err(Error::Start)?;
    let answering = tokio::task::spawn_blocking(move || -> Result<()> {
        for line in std::io::stdin().lines() {
            line.map_err(|source| Error::Input { path: "stdin".into(), source })?;
            output::json(&tally.moments())?;
        }
        Ok(())
    });
    answering.await.map_err(|error| Error::Start(std::io::Error::other(error)))??;
    Ok(Exit::Done)
}

/// A worker's loop, looked at after each of its turns.
struct Member {
    run: BoxFuture<'static, ()>,
    handle: WorkerHandle,
    /// The connection it is active on.
    active: Option<ConnId>,
    tally: Arc<Tally>,
}

impl Member {
    fn new(args: &Args, n: u32, tally: &Arc<Tally>) -> Result<Self> {
        let interval = Duration::from_millis(args.heartbeat_ms.into());
        let mut builder = args
            .at
            .worker()
            .name(format!("bench-{}-{n}", std::process::id()))
            .heartbeat(interval, interval * MISSES);
        // What is not built in is refused below, by name.
        if let Some(dials) = builder.built_in()?.get(&args.at.transport) {
            builder = builder.transport(Counted { dials, tally: Arc::clone(tally) });
        }
        let (handle, run) = builder.build()?.into_loop()?;
        Ok(Self { run, handle, active: None, tally: Arc::clone(tally) })
    }

    /// What has become of its link.
    fn look(&mut self) {
        let link = self.handle.status().link;
        let active = link.conn.filter(|_| link.state == State::Active);
        if active == self.active {
            return;
        }
        // From one connection to the next within one turn it was cut off too.
        if self.active.is_some() {
            self.tally.down();
        }
        self.active = active;
        if active.is_some() && self.tally.up() {
            // Who does not read it does not wait for it.
            let _ = output::line("UP");
        }
    }
}

impl Future for Member {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let poll = self.run.poll_unpin(cx);
        self.look();
        poll
    }
}

/// The built-in transport; dials are written down when they begin.
struct Counted {
    dials: Arc<dyn Transport>,
    tally: Arc<Tally>,
}

impl Transport for Counted {
    fn schemes(&self) -> &'static [&'static str] {
        self.dials.schemes()
    }

    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<'static, Result<Connection, DialError>> {
        let (dial, tally) = (self.dials.dial(endpoint), Arc::clone(&self.tally));
        async move {
            tally.dial();
            dial.await
        }
        .boxed()
    }

    fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, Result<Box<dyn Listener>, ListenError>> {
        self.dials.listen(endpoint)
    }
}
