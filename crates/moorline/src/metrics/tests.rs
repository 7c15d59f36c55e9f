use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::{ALL, Kind, Metric};
use super::page::Page;

/// Fails unless the file is this text; written instead if `MOORLINE_WRITE_DOCS` is set.
pub(crate) fn same_document(path: &str, text: &str) {
    if std::env::var_os("MOORLINE_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == text,
        "{path} is not what its source says: run the tests with MOORLINE_WRITE_DOCS=1"
    );
}

/// Series by name with labels, as a scraper reads a page; fails where it would.
pub(crate) fn series(text: &str) -> BTreeMap<String, f64> {
    let (mut types, mut all) = (BTreeMap::new(), BTreeMap::new());
    let mut closed = BTreeSet::new();
    let mut family = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
            assert_eq!(name, family, "HELP comes first");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            family = rest.split(' ').next().unwrap().to_owned();
            assert!(closed.insert(family.clone()), "{family} is not in one piece");
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let bare = name.split('{').next().unwrap();
        let histogram = types.get(&family).is_some_and(|kind| kind == "histogram");
        let belongs = if histogram {
            ["_bucket", "_sum", "_count"].iter().any(|s| bare == format!("{family}{s}"))
        } else {
            bare == family
        };
        assert!(belongs, "{line} in {family}");
        let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
        assert!(all.insert(name.to_owned(), value).is_none(), "twice: {line}");
    }
    all
}

fn document() -> String {
    let mut text = String::from(
        "# Metrics\n\n\
         Written from the table in `crates/moorline/src/metrics/catalogue.rs`: do not edit.\n\n\
         A worker and a coordinator serve them at `/metrics` of `--health-listen`, a coordinator also\n\
         at its admin address, in Prometheus' text format. Units are seconds and bytes; labels come\n\
         from closed sets (states, outcomes, the [reasons](protocol.md), the worker's own handlers).\n\
         No metric of a coordinator names a worker unless metrics per worker are asked for. Gauges are\n\
         computed from what is true at the scrape: who was forgotten leaves no series behind.\n\
         A counter begins at 0 with its process; of the reasons only those that happened are there.\n\n\
         Alert rules are in [ops/alerts.yml](ops/alerts.yml), a board for Grafana in\n\
         [ops/grafana.json](ops/grafana.json).\n",
    );
    let groups =
        [("Worker", "moorline_worker_"), ("Coordinator", "moorline_coordinator_"), ("Both", "")];
    let mut left: Vec<&Metric> = ALL.iter().collect();
    for (title, prefix) in groups {
        text += &format!(
            "\n## {title}\n\n| metric | type | labels | what |\n| --- | --- | --- | --- |\n"
        );
        let (here, rest) = left.into_iter().partition::<Vec<_>, _>(|m| m.name.starts_with(prefix));
        left = rest;
        for metric in here {
            let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let only = if metric.only.is_empty() {
                String::new()
            } else {
                format!(" Only {}.", metric.only)
            };
            text += &format!(
                "| `{}` | {} | {} | {}{only} |\n",
                metric.name,
                metric.kind.name(),
                if labels.is_empty() { "–".to_owned() } else { labels.join(", ") },
                metric.help
            );
        }
    }
    text
}

#[test]
fn the_document_is_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    same_document(path, &document());
}

#[test]
fn every_metric_is_named_by_the_rules() {
    let mut names = BTreeSet::new();
    for metric in ALL {
        let Metric { name, kind, labels, help, .. } = metric;
        assert!(names.insert(name), "{name} twice");
        assert!(name.starts_with("moorline_") || name.starts_with("process_"), "{name}");
        let word = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        assert!(word(name) && labels.iter().all(|label| word(label)), "{name} {labels:?}");
        assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
        if *kind == Kind::Histogram {
            assert!(name.ends_with("_seconds"), "{name}");
        }
        assert!(help.ends_with('.') && !help.contains('\n'), "{name}: {help}");
        for unit in ["_ms", "_millis", "_minutes", "_kb", "_percent"] {
            assert!(!name.contains(unit), "{name} is not in a base unit");
        }
        // Names of workers are an open set: only where they were asked for.
        assert_eq!(labels.contains(&"worker"), metric.only == "with metrics per worker", "{name}");
    }
}

#[test]
fn words_of_others_cannot_end_a_label() {
    let metric = Metric {
        name: "moorline_test",
        kind: Kind::Gauge,
        labels: &["task"],
        help: "A test.",
        only: "",
    };
    let mut page = Page::default();
    page.put(&metric, [(&["a\"} 1\nevil{x=\"\\"][..], 7)]);
    let text = page.finish();
    assert_eq!(
        text,
        "# HELP moorline_test A test.\n# TYPE moorline_test gauge\n\
         moorline_test{task=\"a\\\"} 1\\nevil{x=\\\"\\\\\"} 7\n"
    );
}

#[test]
fn a_metric_without_series_is_not_there_at_all() {
    let mut page = Page::default();
    page.put(&super::catalogue::DISCONNECTS, std::iter::empty::<(&[&str], u64)>());
    assert_eq!(page.finish(), "");
}

#[test]
fn alerts_and_board_ask_only_for_metrics_that_exist() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ops");
    for file in ["alerts.yml", "alerts.test.yml", "grafana.json"] {
        let text = std::fs::read_to_string(format!("{root}/{file}")).unwrap();
        let mut asked = 0;
        for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
            let Some(_) = word.strip_prefix("moorline_").filter(|rest| rest.contains('_')) else {
                continue;
            };
            let exists = ALL.iter().any(|metric| {
                let of = |suffix: &str| word.strip_suffix(suffix) == Some(metric.name);
                word == metric.name
                    || metric.kind == Kind::Histogram
                        && (of("_bucket") || of("_sum") || of("_count"))
            });
            assert!(exists, "{file} asks for {word}");
            asked += 1;
        }
        assert!(asked >= 8, "{file}: {asked}");
    }
}

#[test]
fn the_board_is_json_with_a_title_and_a_query_in_every_panel() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ops/grafana.json");
    let board: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let panels = board["panels"].as_array().unwrap();
    assert!(panels.len() >= 8);
    for panel in panels {
        assert!(panel["title"].as_str().is_some_and(|title| !title.is_empty()), "{panel}");
        let targets = panel["targets"].as_array().unwrap();
        assert!(targets.iter().all(|target| target["expr"].is_string()), "{panel}");
        assert!(!targets.is_empty(), "{panel}");
    }
}
