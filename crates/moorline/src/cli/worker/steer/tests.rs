use super::{is_so, is_worth};
use crate::WorkerInfo;
use crate::client::WorkerAction;

fn worker(state: &str, since: &str, running: u32) -> WorkerInfo {
    serde_json::from_value(serde_json::json!({
        "id": "0a", "name": "w", "state": state, "since": format!("2026-11-22T10:00:{since}Z"),
        "reason": null, "slots": 4, "running": running, "last_contact_ms": 1, "rtt_ms": null,
        "transport": null, "version": null,
    }))
    .unwrap()
}

#[test]
fn a_worker_is_drained_when_it_takes_nothing_new_and_nothing_runs_on_it() {
    let before = worker("active", "00.000", 2);
    let drained = |seen| is_so(WorkerAction::Drain, &before, &seen);
    assert!(!drained(worker("draining", "01.000", 1)));
    assert!(!drained(worker("active", "00.000", 0)), "the drain has not reached it");
    assert!(drained(worker("draining", "01.000", 0)));
    assert!(drained(worker("departed", "01.000", 0)));
}

#[test]
fn a_worker_has_reconnected_when_it_is_active_since_later() {
    let before = worker("active", "10.000", 0);
    let back = |seen| is_so(WorkerAction::Reconnect, &before, &seen);
    assert!(!back(worker("active", "10.003", 0)), "the same, computed anew");
    assert!(!back(worker("restoring", "12.000", 0)));
    assert!(back(worker("active", "12.000", 0)));
    assert!(back(worker("draining", "12.000", 0)), "who was drained comes back as such");
}

#[test]
fn a_worker_has_followed_when_it_has_left_for_that_or_is_here_over_another_connection() {
    let at = |state: &str, connection: Option<u64>, reason: Option<&str>| {
        let reason = reason.map(str::to_owned);
        WorkerInfo { connection, reason, ..worker(state, "00.000", 0) }
    };
    let before = at("active", Some(1), None);
    let followed = |seen| is_so(WorkerAction::Redirect, &before, &seen);
    assert!(!followed(before.clone()), "it is told, and has not gone");
    assert!(!followed(at("restoring", Some(2), None)));
    assert!(followed(at("active", Some(2), None)));
    assert!(followed(at("draining", Some(2), None)));
    assert!(followed(at("disconnected", None, Some("redirected"))));
    assert!(!followed(at("disconnected", None, Some("transport_reset"))), "it was lost");
}

#[test]
fn what_is_done_to_all_is_done_to_those_to_whom_it_makes_a_difference() {
    let with = |state: &str, running, connected: bool| {
        let mut worker = worker(state, "00.000", running);
        worker.transport = connected.then(|| "grpc".to_owned());
        worker.moves = connected && running == 1;
        worker
    };
    let all = [
        with("active", 1, true),
        with("draining", 0, true),
        with("disconnected", 1, false),
        with("lost", 0, false),
        with("lost", 1, false),
        with("departed", 0, false),
        with("expected", 0, false),
    ];
    let meant = |action| all.iter().map(|one| u8::from(is_worth(action, one))).collect::<Vec<_>>();
    assert_eq!(meant(WorkerAction::Drain), [1, 0, 1, 0, 0, 0, 1]);
    assert_eq!(meant(WorkerAction::Resume), [1, 1, 1, 0, 0, 0, 1]);
    assert_eq!(meant(WorkerAction::Reconnect), [1, 1, 0, 0, 0, 0, 0]);
    assert_eq!(meant(WorkerAction::Disconnect), [1, 1, 0, 0, 0, 0, 0]);
    assert_eq!(meant(WorkerAction::Redirect), [1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(meant(WorkerAction::Forget), [0, 0, 0, 1, 0, 1, 1]);
}
