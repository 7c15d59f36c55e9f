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
    let Version { version, protocol_min, protocol_max, store_schema, sqlite } = version;
    format!(
        "{version} (protocol {protocol_min} to {protocol_max}, store schema {store_schema}, \
         SQLite {sqlite})"
    )
}

#[cfg(test)]
mod tests {
    use super::{Version, words};

    #[test]
    fn a_version_names_what_two_builds_must_have_in_common() {
        let here = Version::here();
        let json = serde_json::to_value(&here).unwrap();
        assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!((&json["protocol_min"], &json["protocol_max"]), (&1.into(), &1.into()));
        assert_eq!(json["store_schema"], 2);
        let sqlite = json["sqlite"].as_str().unwrap();
        assert!(sqlite.starts_with("3."), "{sqlite}");
        let words = words(&here);
        assert!(words.ends_with(&format!("store schema 2, SQLite {sqlite})")), "{words}");
    }
}
