use clap::Parser;

use super::{HEAD, ListArgs, WIDE, detail, row, wide_columns};
use crate::WorkerInfo;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: ListArgs,
}

fn worker(name: &str, state: &str, reason: Option<&str>) -> WorkerInfo {
    serde_json::from_value(serde_json::json!({
        "id": "5f00000000000000000000000000000a", "name": name, "state": state,
        "since": "2026-11-22T10:00:00.000Z", "reason": reason, "slots": 4, "running": 2,
        "last_contact_ms": 44_000, "rtt_ms": 0.25, "transport": "grpc", "version": "moorline 0.1.0",
    }))
    .unwrap()
}

fn taken(line: &[&str]) -> Vec<String> {
    let args = Command::try_parse_from(["list"].iter().chain(line)).unwrap().args;
    let all = [
        worker("gpu-1", "disconnected", Some("stream_lost")),
        worker("gpu-2", "active", None),
        worker("edge-7", "lost", Some("half_open")),
    ];
    let filter = args.filter();
    all.iter().filter(|worker| filter.takes(worker)).map(|worker| worker.name.clone()).collect()
}

#[test]
fn filters_leave_what_they_all_take() {
    assert_eq!(taken(&[]), ["gpu-1", "gpu-2", "edge-7"]);
    assert_eq!(taken(&["--state", "disconnected,lost"]), ["gpu-1", "edge-7"]);
    assert_eq!(taken(&["--reason", "half_open"]), ["edge-7"]);
    assert_eq!(taken(&["--name", "gpu-*"]), ["gpu-1", "gpu-2"]);
    assert_eq!(taken(&["--name", "gpu-?", "--state", "active"]), ["gpu-2"]);
    assert_eq!(taken(&["--name", "gpu"]), [""; 0]);
}

#[test]
fn a_state_or_a_reason_that_does_not_exist_is_a_usage_error() {
    for line in [["list", "--state=gone"], ["list", "--reason=weather"]] {
        assert_eq!(Command::try_parse_from(line).err().unwrap().exit_code(), 2);
    }
}

#[test]
fn what_a_worker_has_counted_of_its_link_is_shown_with_it() {
    let mut one = worker("gpu-1", "active", None);
    assert!(!detail(&one).contains("stability"), "nothing was told yet");
    one.rtt_ms = Some(0.412);
    one.link = serde_json::from_value(serde_json::json!({
        "stability": 0.999_99, "recent_stability": 1.0, "rtt_mean_ms": 0.4, "rtt_p50_ms": 0.38,
        "rtt_p99_ms": 31.5, "jitter_ms": 0.02, "dials": 4, "successes": 3, "success_rate": 0.75,
        "connected_ms": 7_300_000, "disconnected_ms": 61_000, "outages": 2, "degraded": ["queue"],
    }))
    .unwrap();
    let shown = detail(&one);
    let (_, link) = shown.split_once("rtt ").unwrap();
    assert_eq!(
        link,
        "       0.412 ms, mean 0.4 ms, p50 0.38 ms, p99 31.5 ms, jitter 0.02 ms\n\
         stability  99.99% in all, 100% in the last 10m\n\
         outages    2 outages; up for 2h, down for 61s\n\
         dials      4, 75% of them successful\n\
         degraded   queue"
    );
}

#[test]
fn every_column_has_a_head_and_nothing_steers_the_terminal() {
    let odd = worker("a\x1b[2J", "active", None);
    assert_eq!((row(&odd).len(), wide_columns(&odd).len()), (HEAD.len(), WIDE.len()));
    assert!(!detail(&odd).contains('\x1b'));
}
