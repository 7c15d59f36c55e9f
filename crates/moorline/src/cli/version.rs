//! `moorline version`.

use serde::Serialize;

use super::exit::Exit;
use super::server::ServerArgs;
use super::{Context, Outcome, output};
use crate::api::Version;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Serialize)]
struct Versions {
    #[serde(flatten)]
    here: Version,
    #[serde(skip_serializing_if = "Option::is_none")]
    coordinator: Option<Version>,
}

pub(super) async fn run(args: Args, context: Context) -> Outcome {
    let named = args.server.is_named();
    let coordinator = if named { Some(args.server.client()?.version().await?) } else { None };
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
    let Version { version, protocol_min, protocol_max, store_schema, sqlite, .. } = version;
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
        assert_eq!(json["target"], format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS));
        let mut features = vec!["cli", "client", "coordinator", "grpc", "health", "process"];
        features.extend(cfg!(feature = "sim").then_some("sim"));
        assert_eq!(json["features"], serde_json::json!(features));
        assert_eq!(json["revision"], serde_json::json!(option_env!("MOORLINE_REVISION")));
        let words = words(&here);
        assert!(words.ends_with(&format!("store schema 2, SQLite {sqlite})")), "{words}");
    }
}
