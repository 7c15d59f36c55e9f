//! `moorline version`.

use serde::Serialize;

use super::exit::Exit;
use super::{Context, Outcome, output};
use crate::api::Version;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Ask the coordinator at this admin API, too.
    #[arg(short, long, value_name = "URL")]
    server: Option<String>,
}

#[derive(Serialize)]
struct Versions {
    #[serde(flatten)]
    here: Version,
    #[serde(skip_serializing_if = "Option::is_none")]
    coordinator: Option<Version>,
}

pub(super) async fn run(args: Args, context: Context) -> Outcome {
    let coordinator = match &args.server {
        Some(url) => Some(crate::Client::new(url)?.version().await?),
        None => None,
    };
    let versions = Versions { here: Version::here(), coordinator };
    if context.json {
        output::json(&versions)?;
    } else {
        output::line(&format!("moorline     {}", words(&versions.here)))?;
        if let Some(coordinator) = &versions.coordinator {
            output::line(&format!("coordinator  {}", words(coordinator)))?;
        }
    }
    Ok(Exit::Done)
}

fn words(version: &Version) -> String {
    format!("{} (protocol {} to {})", version.version, version.protocol_min, version.protocol_max)
}
