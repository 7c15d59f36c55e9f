use std::time::{Duration, SystemTime};

use super::report::{Format, Level, Metric, Report};
use super::{CoordinatorArgs, FleetArgs, fleet, of_coordinator, worker};
use crate::{Overview, WorkerInfo};

fn one(name: &str, state: &str, seconds: u64) -> WorkerInfo {
    let mut info: WorkerInfo = serde_json::from_value(serde_json::json!({
        "id": "0a", "name": name, "state": state, "since": "2026-11-22T10:00:00.000Z",
        "reason": "stream_lost", "slots": 4, "running": 2, "last_contact_ms": 1_500,
        "rtt_ms": null, "transport": null, "version": null,
    }))
    .unwrap();
    info.since = SystemTime::now() - Duration::from_secs(seconds);
    info
}

#[test]
fn a_worker_is_as_bad_as_its_state_and_the_time_it_is_away() {
    let level = |state, seconds| worker(&one("w", state, seconds), Duration::from_secs(90)).level;
    assert_eq!(level("active", 1_000), Level::Ok);
    for state in ["suspect", "restoring", "draining", "expected"] {
        assert_eq!(level(state, 1_000), Level::Warning, "{state}");
    }
    assert_eq!(level("disconnected", 10), Level::Warning);
    assert_eq!(level("disconnected", 91), Level::Critical);
    assert_eq!(level("lost", 0), Level::Critical);
    assert_eq!(level("departed", 0), Level::Critical);
    assert_eq!(level("something newer", 0), Level::Unknown);
    for state in crate::api::WORKER_STATES {
        assert_ne!(level(state, 0), Level::Unknown, "{state}");
    }
}

#[test]
fn a_fleet_is_as_bad_as_the_number_of_workers_that_are_away() {
    let level = |states: &[&str], warning, critical| {
        let workers: Vec<_> = states.iter().map(|state| one("w", state, 5)).collect();
        fleet(&workers, &FleetArgs { warning, critical }).level
    };
    assert_eq!(level(&[], 1, None), Level::Ok, "nobody is missed");
    assert_eq!(level(&["active", "suspect", "departed"], 1, None), Level::Ok);
    assert_eq!(level(&["active", "lost"], 1, None), Level::Warning);
    assert_eq!(level(&["disconnected", "lost"], 1, None), Level::Critical, "all of them");
    assert_eq!(level(&["active", "disconnected", "lost"], 1, Some(2)), Level::Critical);
    assert_eq!(level(&["active", "disconnected", "lost"], 3, Some(4)), Level::Ok);
}

#[test]
fn an_age_is_as_bad_as_the_limit_that_it_reaches() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(Level::of(seconds(9), None, None), Level::Ok);
    assert_eq!(Level::of(seconds(9), seconds(10), seconds(20)), Level::Ok);
    assert_eq!(Level::of(seconds(10), seconds(10), seconds(20)), Level::Warning);
    assert_eq!(Level::of(seconds(20), seconds(10), seconds(20)), Level::Critical);
    assert_eq!(Level::of(None, seconds(10), seconds(20)), Level::Ok, "nothing waits");
}

#[test]
fn a_report_reads_as_each_monitoring_system_wants_it() {
    let workers = [one("a|b\nc", "lost", 300), one("gpu-2", "active", 5)];
    let fleet = fleet(&workers, &FleetArgs { warning: 1, critical: None });
    let formats = [Format::Nagios, Format::Text, Format::Json, Format::Prometheus];
    insta::assert_snapshot!(formats.map(|format| fleet.text(format)).join("\n\n"));
    let bare = Report::new("coordinator", Level::Critical, "it is away".into());
    assert_eq!(bare.text(Format::Nagios), "COORDINATOR CRITICAL - it is away");
    let mut timed = Report::new("coordinator", Level::Ok, "fine".into());
    timed.metrics = vec![Metric::new("oldest_seconds", 1.234_56).limits(Some(60.0), None)];
    assert_eq!(timed.text(Format::Nagios), "COORDINATOR OK - fine | oldest_seconds=1.235;60");
}

#[test]
fn a_coordinator_that_is_not_ready_is_critical_and_says_why() {
    let overview = |problem: Option<&str>| -> Overview {
        serde_json::from_value(serde_json::json!({
            "epoch": "1", "workers": {}, "tasks": {"queued": 2}, "applied_twice": 0,
            "lost_attempts": 0, "problem": problem,
        }))
        .unwrap()
    };
    let limits = CoordinatorArgs { warning: None, critical: None };
    let of = |problem| of_coordinator(&overview(problem), None, &limits);
    assert_eq!((of(None).level, of(None).message.as_str()), (Level::Ok, "2 tasks queued"));
    let red = of(Some("store: takes no writes (store_error, ML5006)"));
    assert_eq!(red.level, Level::Critical);
    assert_eq!(red.message, "not ready: store: takes no writes (store_error, ML5006)");
}
