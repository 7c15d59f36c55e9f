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
fn every_column_has_a_head_and_nothing_steers_the_terminal() {
    let odd = worker("a\x1b[2J", "active", None);
    assert_eq!((row(&odd).len(), wide_columns(&odd).len()), (HEAD.len(), WIDE.len()));
    assert!(!detail(&odd).contains('\x1b'));
}
