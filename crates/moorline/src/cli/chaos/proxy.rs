//! `moorline chaos proxy`.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use moorline_chaos::{Event, Faults, Proxy, Share, Snapshot, Timeline, Way, Ways};
use serde_json::json;
use tokio::sync::mpsc;

use super::change::{Terms, WayWord};
use super::control::{Control, cannot_listen};
use super::report;
use super::script::{self, Script};
use super::values::{Listen, bandwidth, latency, listen, loopback, share, target};
use crate::Result;
use crate::cli::exit::Exit;
use crate::cli::signals::Signals;
use crate::cli::values::some_duration;
use crate::cli::{Context, Outcome, output};

/// Events that wait to be printed.
const EVENTS_MAX: usize = 4_096;

pub(super) const EXAMPLES: &str = "\
Examples:
  A worker behind a slow line that loses one piece in a hundred:
    moorline chaos proxy --listen tcp://127.0.0.1:9000 --to 127.0.0.1:8740 --latency 50ms --loss 1%
    moorline worker --coordinator grpc://127.0.0.1:9000 --handler work=cat

  Cut off after five seconds, back after eight, as a script says; everything drawn from seed 7:
    moorline chaos proxy --listen 127.0.0.1:9000 --to 127.0.0.1:8740 --script outage.toml --seed 7
    where outage.toml is:
      format = 1
      [[step]]
      at = \"5s\"
      do = \"cut\"
      for = \"3s\"

  Steered as one goes along:
    moorline chaos proxy --listen 127.0.0.1:9000 --to 127.0.0.1:8740 --control 127.0.0.1:9001
    curl -X POST http://127.0.0.1:9001/half-open
    curl --json '{\"latency\": \"200ms\", \"way\": \"back\"}' http://127.0.0.1:9001/set
    curl -X POST http://127.0.0.1:9001/heal
    curl http://127.0.0.1:9001/status

docs/chaos-proxy.md says what each fault does, and how to write scripts and requests.";

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// Where it listens: tcp://ADDRESS:PORT or udp://ADDRESS:PORT; without a scheme it is TCP. Port 0 is
    /// any free one.
    #[arg(long, value_name = "URL", value_parser = listen)]
    listen: Listen,

    /// Take datagrams at the same address too, for QUIC.
    #[arg(long)]
    udp: bool,

    /// Where it passes everything on to.
    #[arg(long, value_name = "HOST:PORT", value_parser = target)]
    to: String,

    /// What every decision is drawn from [default: that of the script, else 0].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// What happens when, as a file.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,

    /// Steer it over HTTP at this address of the loopback interface.
    #[arg(long, value_name = "ADDRESS", value_parser = loopback)]
    control: Option<SocketAddr>,

    /// Connections and flows at once; more are refused.
    #[arg(long, value_name = "N", default_value_t = 1_024)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=65_536))]
    max_connections: u32,

    /// End by itself after so long [default: when it is told to].
    #[arg(long = "for", value_name = "DURATION", value_parser = some_duration)]
    lasts: Option<Duration>,

    #[command(flatten)]
    faults: FaultArgs,
}

#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Faults, from the beginning")]
struct FaultArgs {
    /// Which way they are about: both, to-target or back.
    #[arg(long, value_enum, value_name = "WAY", default_value_t = WayWord::Both)]
    #[arg(hide_possible_values = true)]
    way: WayWord,

    /// Everything arrives so much later.
    #[arg(long, value_name = "DURATION", value_parser = latency)]
    latency: Option<Duration>,

    /// Up to so much later than that, evenly.
    #[arg(long, value_name = "DURATION", value_parser = latency)]
    jitter: Option<Duration>,

    /// How much is lost: 1% or 0.01. Of TCP a lost piece stands still until it is sent again.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    loss: Option<Share>,

    /// How much passes in a second: 1MiB or 500kB.
    #[arg(long, value_name = "SIZE", value_parser = bytes_in_a_second)]
    bandwidth: Option<NonZeroU64>,

    /// In how many pieces or datagrams a bit is flipped.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    corrupt: Option<Share>,

    /// How many datagrams come after the next one.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    reorder: Option<Share>,

    /// How many datagrams come twice.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    duplicate: Option<Share>,
}

/// A bandwidth that is one.
fn bytes_in_a_second(text: &str) -> std::result::Result<NonZeroU64, String> {
    bandwidth(text)?.ok_or_else(|| "without the flag there is no limit".to_owned())
}

impl FaultArgs {
    fn terms(&self) -> Terms {
        Terms {
            way: Some(self.way),
            latency: self.latency,
            jitter: self.jitter,
            loss: self.loss,
            bandwidth: self.bandwidth.map(Some),
            corrupt: self.corrupt,
            reorder: self.reorder,
            duplicate: self.duplicate,
        }
    }

    /// The faults of a way in the beginning: those of the script, and over them the flags.
    fn of(&self, way: Way, script: &Script) -> Faults {
        let [both, to_target, back] = script.faults;
        let own = match way {
            Way::ToTarget => to_target,
            Way::Back => back,
        };
        let faults = own.on(both.on(Faults::NONE));
        if Ways::from(self.way).has(way) { self.terms().patch().on(faults) } else { faults }
    }
}

pub(super) async fn run(args: Args, context: Context) -> Outcome {
    let script = args.script.as_deref().map(script::read).transpose()?.unwrap_or_default();
    let mut signals = Signals::new()?;
    let (events, mut told) = mpsc::channel(EVENTS_MAX);
    let seed = args.seed.or(script.seed).unwrap_or(0);
    let mut builder = Proxy::to(&args.to)
        .seed(seed)
        .faults(Ways::ToTarget, args.faults.of(Way::ToTarget, &script))
        .faults(Ways::Back, args.faults.of(Way::Back, &script))
        .max_connections(args.max_connections as usize)
        .timeline(Timeline::new(script.steps))
        .events(events);
    let address = match args.listen {
        Listen::Tcp(address) => {
            builder = builder.tcp(address);
            address
        }
        Listen::Udp(address) => {
            builder = builder.udp(address);
            address
        }
    };
    if args.udp {
        builder = builder.udp(address);
    }
    let proxy = builder.start().await;
    let proxy = Arc::new(proxy.map_err(|error| cannot_listen(&address.to_string(), &error))?);
    let control = match args.control {
        Some(address) => Some(Control::start(address, Arc::clone(&proxy)).await?),
        None => None,
    };
    announce(&args.to, seed, &proxy, control.as_ref(), context)?;
    let over = async {
        match args.lasts {
            Some(lasts) => tokio::time::sleep(lasts).await,
            None => std::future::pending().await,
        }
    };
    let mut over = std::pin::pin!(over);
    loop {
        tokio::select! {
            Some(event) = told.recv() => tell(&event, context)?,
            _ = signals.next() => break,
            () = &mut over => break,
        }
    }
    drop(control);
    let snapshot = proxy.stop().await;
    while let Ok(event) = told.try_recv() {
        tell(&event, context)?;
    }
    stopped(&snapshot, context)?;
    Ok(Exit::Done)
}

fn announce(
    target: &str,
    seed: u64,
    proxy: &Proxy,
    control: Option<&Control>,
    context: Context,
) -> Result<()> {
    let control = control.map(|control| format!("http://{}", control.address));
    if context.json {
        return say(&json!({
            "event": "chaos.started",
            "tcp": proxy.tcp(), "udp": proxy.udp(), "to": target, "control": control, "seed": seed,
        })
        .to_string());
    }
    for (kind, address) in [("tcp", proxy.tcp()), ("udp", proxy.udp())] {
        if let Some(address) = address {
            say(&format!("{kind}      {address} -> {target}   (seed {seed})"))?;
        }
    }
    control.map_or(Ok(()), |url| say(&format!("control  {url}/status")))
}

fn tell(event: &Event, context: Context) -> Result<()> {
    if context.json {
        return say(&report::object(event).to_string());
    }
    say(&report::line(event))
}

fn stopped(snapshot: &Snapshot, context: Context) -> Result<()> {
    if context.json {
        let mut status = report::status(snapshot);
        status["event"] = "chaos.stopped".into();
        return say(&status.to_string());
    }
    say(&format!(
        "stopped: {} connections, {} flows; {}",
        snapshot.connections,
        snapshot.flows,
        report::sum(&snapshot.total)
    ))
}

/// Prints a line at once. Without a reader it goes on: bytes are still passed on.
fn say(text: &str) -> Result<()> {
    output::streamed_line(&output::printable(text)).map(drop)
}
