//! `features`: the libraries compile, without a warning, with every combination of their features.
//!
//! Features that are alike ([`ALIKE`]) are combined with each other, and with the others all of them or none.
//! Combinations that switch on the same features (because one brings others along) are one. Everything
//! is checked in the target directory of the workspace, dependencies once for all that can share them.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::Outcome;
use crate::write::root;

/// Packages whose features users combine.
const PACKAGES: &[&str] = &["moorline", "moorline-driver"];

/// Transports do not know each other: what else there is sees only that there are some. They would make
/// eight times as many combinations.
const ALIKE: &[&str] = &["grpc", "quic", "tls", "websocket"];
/// Features that switch on one of a crate below, where it is checked in every combination, or add a
/// variant or two here: each is checked alone, and all of them beside nothing and beside everything.
const ASIDE: &[(&str, &[&str])] = &[("moorline", &["async-std", "journal", "smol", "threads"])];

type Features = BTreeMap<String, Vec<String>>;

pub(crate) fn run(args: &[String]) -> Outcome {
    if !args.is_empty() {
        return Err(format!("takes nothing, got {args:?}").into());
    }
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()?;
    if !metadata.status.success() {
        return Err(String::from_utf8_lossy(&metadata.stderr).into());
    }
    let metadata: Value = serde_json::from_slice(&metadata.stdout)?;
    let (begun, mut count, mut broken) = (Instant::now(), 0, Vec::new());
    for package in PACKAGES {
        let aside = ASIDE.iter().find(|(of, _)| of == package).map_or(&[][..], |(_, aside)| aside);
        for combination in combinations(&features(&metadata, package)?, aside) {
            let listed = combination.join(",");
            println!("{package}: {}", if listed.is_empty() { "nothing" } else { &listed });
            // Clippy, because it can refuse warnings in this package without building all others anew.
            let status = Command::new(env!("CARGO"))
                .args(["clippy", "--quiet", "--lib", "--package", package])
                .args(["--no-default-features", "--features", &listed, "--", "-D", "warnings"])
                .current_dir(root())
                .status()?;
            count += 1;
            if !status.success() {
                broken.push(format!("{package} with {listed:?}"));
            }
        }
    }
    if !broken.is_empty() {
        return Err(format!("does not compile: {}", broken.join("; ")).into());
    }
    println!("{count} combinations of features compile ({} s)", begun.elapsed().as_secs());
    Ok(())
}

/// What each feature of a package brings along.
fn features(metadata: &Value, package: &str) -> Result<Features, String> {
    let packages = metadata["packages"].as_array().ok_or("cargo lists no packages")?;
    let found = packages.iter().find(|it| it["name"] == package);
    let found = found.ok_or_else(|| format!("there is no package {package}"))?;
    let features = found["features"].as_object().ok_or("a package without a table of features")?;
    let list = |value: &Value| -> Vec<String> {
        let entries = value.as_array().into_iter().flatten();
        entries.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    Ok(features.iter().map(|(name, brings)| (name.clone(), list(brings))).collect())
}

/// Every set of features that differs from the others, each as short as it can be written; of those that
/// are alike, and of those aside, only what [`ALIKE`] and [`ASIDE`] say.
fn combinations(features: &Features, aside: &[&str]) -> Vec<Vec<String>> {
    let names = features.keys().filter(|name| *name != "default");
    let (aside, names): (Vec<&String>, Vec<&String>) =
        names.partition(|name| aside.contains(&name.as_str()));
    let (alike, others): (Vec<&String>, Vec<&String>) =
        names.iter().copied().partition(|name| ALIKE.contains(&name.as_str()));
    let mut sets = every(&others);
    let all =
        |names: &[&[&String]]| -> Vec<String> { names.concat().into_iter().cloned().collect() };
    let all_alike = all(&[&alike]);
    let with_all: Vec<_> =
        sets.iter().map(|set| [set.as_slice(), all_alike.as_slice()].concat()).collect();
    sets.extend(with_all);
    sets.extend(every(&alike));
    sets.extend(aside.iter().map(|name| vec![(*name).clone()]));
    sets.extend([all(&[&aside]), all(&[&names, &aside])]);
    sets.sort_by_key(Vec::len);
    let mut seen = BTreeSet::new();
    sets.retain(|set| seen.insert(closure(features, set)));
    sets
}

/// Every set of these.
fn every(names: &[&String]) -> Vec<Vec<String>> {
    let mut sets: Vec<Vec<String>> = vec![Vec::new()];
    for name in names {
        let with: Vec<_> =
            sets.iter().map(|set| [set.as_slice(), &[(*name).clone()]].concat()).collect();
        sets.extend(with);
    }
    sets
}

/// All that these switch on.
fn closure(features: &Features, set: &[String]) -> BTreeSet<String> {
    let (mut all, mut waiting) = (BTreeSet::new(), set.to_vec());
    while let Some(name) = waiting.pop() {
        if let Some(brings) = features.get(&name)
            && all.insert(name)
        {
            waiting.extend(brings.iter().cloned());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{Features, combinations};

    #[test]
    fn each_set_of_features_is_checked_once() {
        let feature = |name: &str, brings: &[&str]| {
            (name.to_owned(), brings.iter().map(|it| (*it).to_owned()).collect())
        };
        let features: Features = [
            feature("default", &["all"]),
            feature("grpc", &["dep:grpc"]),
            feature("client", &["tokio/net"]),
            feature("all", &["grpc", "client", "dep:clap"]),
        ]
        .into();
        let found = |aside: &[&str]| -> Vec<String> {
            combinations(&features, aside).iter().map(|set| set.join(",")).collect()
        };
        assert_eq!(found(&[]), ["", "all", "client", "grpc", "client,grpc"]);
        assert_eq!(found(&["grpc"]), ["", "all", "client", "grpc"]);
        assert_eq!(found(&["client", "grpc"]), ["", "all", "client", "grpc", "client,grpc"]);
    }

    #[test]
    fn transports_are_combined_with_each_other_and_all_of_them_with_the_rest() {
        let names = ["client", "grpc", "health", "quic", "websocket"];
        let features: Features = names.map(|name| (name.to_owned(), Vec::new())).into();
        let found: Vec<String> =
            combinations(&features, &[]).iter().map(|set| set.join(",")).collect();
        for wanted in ["", "grpc", "quic,websocket", "client", "client,health,grpc,quic,websocket"]
        {
            assert!(found.iter().any(|set| set == wanted), "{wanted} in {found:?}");
        }
        assert!(!found.iter().any(|set| set == "client,quic"), "{found:?}");
        assert_eq!(found.len(), 4 + 4 + 8 - 2, "{found:?}");
    }

    #[test]
    fn the_features_are_those_that_cargo_knows() {
        let metadata = serde_json::json!({"packages": [
            {"name": "other", "features": {}},
            {"name": "moorline", "features": {"cli": ["grpc"], "grpc": []}},
        ]});
        let features = super::features(&metadata, "moorline").unwrap();
        assert_eq!(features["cli"], ["grpc"]);
        assert!(super::features(&metadata, "absent").is_err());
    }
}
