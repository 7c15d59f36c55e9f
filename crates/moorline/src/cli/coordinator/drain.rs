//! `moorline coordinator drain`: send everybody away and stop.

use std::time::Duration;

use crate::cli::exit::Exit;
use crate::cli::server::ServerArgs;
use crate::cli::values::{duration, place};
use crate::cli::{Context, Outcome, output};
use crate::{Code, LeftBehind};

#[derive(clap::Args, Debug)]
pub(super) struct DrainArgs {
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

    /// Tell workers to go there instead of coming back: the URL of a coordinator, or its HOST:PORT. Up to 16, of
    /// which the first is taken that lets them in. Over TLS a worker goes only to hosts that this coordinator's
    /// certificate names, else only to loopback addresses. Those that cannot be told are named.
    #[arg(long, value_name = "URL", value_parser = place)]
    to: Vec<String>,
}

/// How often `--wait` looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn run(args: DrainArgs, context: Context) -> Outcome {
    let client = args.server.client()?;
    let DrainArgs { grace, spread, within, to, .. } = args;
    let begun = client.drain_coordinator_to(&to, grace, spread, within).await?;
    if context.json {
        output::json(&begun)?;
    } else {
        let workers = if begun.connected == 1 { "worker" } else { "workers" };
        output::line(&format!(
            "draining: {} {workers} to send {}, stops within {:.0}s",
            begun.connected,
            if to.is_empty() { "away".to_owned() } else { format!("to {}", begun.to.join(", ")) },
            begun.timeout_s
        ))?;
        for LeftBehind { code, detail, .. } in &begun.left {
            output::message(&output::printable(&format!("not told where to go[{code}]: {detail}")));
        }
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
