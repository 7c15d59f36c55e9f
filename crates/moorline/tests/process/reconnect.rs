//! The outages the earlier systems described, step by step, with what their logs told.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::proxy::Proxy;
use crate::rig::{Log, QUICK, Rig, free_address, start_worker, until};

/// The classic backoff, twenty times as fast: 50, 100, 200 ms ... instead of 1, 2, 4 s ...
const CLASSIC: &[&str] = &[
    "--heartbeat-interval=200ms",
    "--heartbeat-timeout=1s",
    "--reconnect-initial-delay=50ms",
    "--reconnect-max-delay=3s",
    "--reconnect-jitter=none",
    "--reconnect-first=backoff",
    "--handler=work=cat",
];

/// The delays that were announced after `mark`, in milliseconds.
fn announced(log: &Log, mark: usize) -> Vec<(u64, u64)> {
    let lines = log.lines().split_off(mark);
    let backoffs = lines.iter().filter(|line| line["event"] == "link.backoff");
    backoffs
        .map(|line| (line["attempts"].as_u64().unwrap(), line["delay_ms"].as_u64().unwrap()))
        .collect()
}

/// The misses that were counted after `mark`: "1/3", "2/3" ...
fn misses(log: &Log, mark: usize) -> Vec<String> {
    let lines = log.lines().split_off(mark);
    let missed = lines.iter().filter(|line| line["event"] == "heartbeat.missed");
    missed.map(|line| format!("{}/{}", line["missed"], line["limit"])).collect()
}

/// The delays of before are forgotten after twice the heartbeat timeout without a loss. Nothing tells
/// when, so time itself is the condition.
fn stable(worker: &Log) {
    let mut mark = worker.mark();
    loop {
        std::thread::sleep(Duration::from_millis(2_300));
        let since = worker.lines().split_off(mark);
        mark += since.len();
        if !since.iter().any(|line| line["event"] == "link.lost") {
            return;
        }
    }
}

#[test]
fn a_frozen_coordinator_is_counted_out_and_a_restarted_one_is_found_again() {
    let mut rig = Rig::new("20s");
    let worker = rig.worker("w1", CLASSIC);
    worker.log().wait("worker.registered");
    rig.until_worker("w1", "active");

    stable(worker.log());
    let mark = worker.log().mark();
    rig.coordinator.signal(Signal::STOP);
    let lost = worker.log().wait_from(mark, "link.lost", |_| true);
    assert_eq!(misses(worker.log(), mark), ["1/3", "2/3", "3/3"]);
    let missed = worker.log().messages("heartbeat.missed");
    assert_eq!(missed[0], "Heartbeat failed (1/3): heartbeat_unacked");
    assert_eq!(lost["reason"], "heartbeat_unacked");
    let message = lost["msg"].as_str().unwrap();
    assert!(
        message.contains("Lost connection to coordinator after 3 failed heartbeats"),
        "{message}"
    );

    // Dead, it refuses; each attempt is announced with its delay and fails with its cause.
    rig.coordinator.kill();
    let refused = |n: u64| {
        move |line: &serde_json::Value| line["attempts"] == n && line["reason"] == "connect_refused"
    };
    for attempt in [3, 4] {
        worker.log().wait_from(mark, "link.attempt_failed", refused(attempt));
    }
    let delays = announced(worker.log(), mark);
    assert_eq!(delays[..4], [(1, 50), (2, 100), (3, 200), (4, 400)]);
    let messages = worker.log().messages("link.backoff");
    assert!(messages.iter().any(|m| m == "Reconnection attempt 3 in 0.2s"), "{messages:?}");

    rig.restart_coordinator();
    let restored = worker.log().wait_from(mark, "link.restored", |_| true);
    let attempts = restored["attempts"].as_u64().unwrap();
    assert!(attempts >= 5, "{restored}");
    let message = restored["msg"].as_str().unwrap();
    let wanted = format!("Reconnected successfully after {attempts} attempts");
    assert!(message.starts_with(&wanted), "{message}");
    let again = worker.log().wait_from(mark, "handlers.announced", |_| true);
    assert_eq!(again["msg"], "Announced 1 handler: work");
    worker.log().wait_from(mark, "poll.idle", |_| true);
    let task = rig.submit("work", "again", &[]);
    rig.until_task(&task, "succeeded");
}

#[test]
fn a_killed_coordinator_is_seen_at_once() {
    let mut rig = Rig::new("20s");
    let worker = rig.worker("w1", CLASSIC);
    rig.until_worker("w1", "active");
    let mark = worker.log().mark();
    rig.coordinator.kill();
    let lost = worker.log().wait_from(mark, "link.lost", |_| true);
    assert_eq!(misses(worker.log(), mark), [""; 0], "the transport says so: {lost}");
}

#[test]
fn a_network_loss_of_seconds_costs_one_attempt_and_no_task() {
    let rig = Rig::new("20s");
    let proxy = Proxy::start(rig.listen);
    // A second instead of a twentieth: the network has to be back before the first attempt.
    let slower = |flag: &&'static str| match *flag {
        "--reconnect-initial-delay=50ms" => "--reconnect-initial-delay=1s",
        flag => flag,
    };
    let flags: Vec<_> = CLASSIC.iter().map(slower).collect();
    let worker = rig.worker_at(proxy.address(), "w1", &flags);
    rig.until_worker("w1", "active");
    let before = rig.submit("work", "before", &[]);
    rig.until_task(&before, "succeeded");
    worker.log().wait("task.finished");

    stable(worker.log());
    let mark = worker.log().mark();
    proxy.half_open();
    worker.log().wait_from(mark, "link.lost", |line| line["reason"] == "heartbeat_unacked");
    proxy.heal();
    assert_eq!(misses(worker.log(), mark), ["1/3", "2/3", "3/3"]);
    let meanwhile = rig.submit("work", "meanwhile", &[]);
    let restored = worker.log().wait_from(mark, "link.restored", |_| true);
    let message = restored["msg"].as_str().unwrap();
    assert!(message.starts_with("Reconnected successfully after 1 attempts"), "{message}");
    assert_eq!(announced(worker.log(), mark), [(1, 1_000)]);
    let resumed = worker.log().wait_from(mark, "worker.registered", |_| true);
    assert!(resumed["msg"].as_str().unwrap().contains("resumed"), "{resumed}");

    rig.until_task(&meanwhile, "succeeded");
    let after = rig.submit("work", "after", &[]);
    for task in [&before, &meanwhile, &after] {
        assert_eq!(rig.until_task(task, "succeeded")["attempts"], 1);
    }
    rig.balances(3);
}

#[test]
fn a_coordinator_that_never_returns_ends_the_worker_after_the_allowed_attempts() {
    let mut rig = Rig::new("20s");
    // A sixtieth of the classic second: the cap is reached at the seventh attempt.
    let flags = [
        "--heartbeat-interval=200ms",
        "--heartbeat-timeout=600ms",
        "--reconnect-initial-delay=20ms",
        "--reconnect-max-delay=1200ms",
        "--reconnect-jitter=none",
        "--reconnect-first=backoff",
        "--max-reconnect-attempts=10",
        "--handler=work=cat",
    ];
    let mut worker = rig.worker("w1", &flags);
    rig.until_worker("w1", "active");
    stable(worker.log());
    let mark = worker.log().mark();
    rig.coordinator.kill();
    let status = worker.ends();
    assert_eq!(status.code(), Some(69), "gave up: a restart may help");
    let classic = [20, 40, 80, 160, 320, 640, 1_200, 1_200, 1_200, 1_200];
    let wanted: Vec<(u64, u64)> = (1..=10).zip(classic).collect();
    assert_eq!(announced(worker.log(), mark), wanted);
    let gave_up = worker.log().wait("link.gave_up");
    assert_eq!(gave_up["msg"], "Max reconnection attempts (10) reached, stopping worker");
    assert_eq!(gave_up["reason"], "attempts_exhausted");
    assert_eq!(gave_up["code"], "ML3901");
}

#[test]
fn without_reconnecting_the_worker_ends_at_the_loss_and_says_so() {
    let mut rig = Rig::new("20s");
    let mut worker = rig.worker("w1", &["--no-reconnect", "--handler=work=cat"]);
    rig.until_worker("w1", "active");
    rig.coordinator.kill();
    assert_eq!(worker.ends().code(), Some(69));
    let message = worker.log().messages("link.gave_up").concat();
    assert!(message.starts_with("Auto-reconnect disabled"), "{message}");
}

#[test]
fn a_restarted_master_finds_its_agents_again_by_five_ten_twenty_forty_sixty() {
    let mut rig = Rig::new("20s");
    // 5, 10, 20, 40, 60, 60 s at a hundredth.
    let flags = [
        "--heartbeat-interval=200ms",
        "--heartbeat-timeout=600ms",
        "--reconnect-initial-delay=50ms",
        "--reconnect-max-delay=600ms",
        "--reconnect-jitter=none",
        "--reconnect-first=backoff",
    ];
    let worker = rig.worker("agent-1", &flags);
    rig.until_worker("agent-1", "active");
    stable(worker.log());
    let mark = worker.log().mark();
    rig.coordinator.kill();
    worker.log().wait_from(mark, "link.lost", |_| true);
    worker.log().wait_from(mark, "link.backoff", |line| line["attempts"] == 7);
    let delays: Vec<u64> = announced(worker.log(), mark).into_iter().map(|d| d.1).collect();
    assert_eq!(delays[..6], [50, 100, 200, 400, 600, 600]);
    rig.restart_coordinator();
    worker.log().wait_from(mark, "worker.registered", |_| true);
    worker.log().wait_from(mark, "link.restored", |_| true);
    rig.until_worker("agent-1", "active");
}

#[test]
fn after_a_network_interruption_tasks_run_again() {
    let rig = Rig::new("20s");
    let proxy = Proxy::start(rig.listen);
    let flags = [QUICK, &["--handler=work=cat"]].concat();
    let worker = rig.worker_at(proxy.address(), "agent-1", &flags);
    rig.until_worker("agent-1", "active");
    proxy.half_open();
    worker.log().wait("link.lost");
    // Dials in vain while the network is away, and is shown as away.
    rig.until_worker("agent-1", "disconnected");
    proxy.heal();
    worker.log().wait("link.restored");
    let task = rig.submit("work", "again", &[]);
    rig.until_task(&task, "succeeded");
    rig.balances(1);
}

#[test]
fn a_restarted_agent_is_ready_within_two_seconds() {
    let rig = Rig::new("20s");
    let flags = [QUICK, &["--handler=work=cat"]].concat();
    let mut first = rig.worker("agent-1", &flags);
    rig.until_worker("agent-1", "active");
    first.signal(Signal::TERM);
    assert_eq!(first.ends().code(), Some(0));
    let start = Instant::now();
    let again = rig.worker("agent-1", &flags);
    again.log().wait("worker.registered");
    rig.until_worker("agent-1", "active");
    // Two seconds is the promise; the rest is what a machine that runs other tests may add.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn an_agent_started_before_its_master_keeps_trying_and_registers() {
    let home = tempfile::tempdir().unwrap();
    let nobody = free_address();
    let flags = [QUICK, &["--handler=work=cat"]].concat();
    let mut worker = start_worker(home.path(), nobody, "w1", "w1", &flags);
    worker.log().wait_from(0, "link.attempt_failed", |line| {
        line["attempts"] == 3 && line["reason"] == "connect_refused"
    });
    assert!(worker.is_running());
    assert_eq!(worker.log().messages("worker.registered"), [""; 0]);
    let admin = free_address();
    let store = home.path().join("late.db");
    let coordinator = crate::rig::Process::start(
        "coordinator",
        &[
            "coordinator",
            &format!("--listen={}", crate::wire::url(nobody)),
            &format!("--admin-listen={admin}"),
            &format!("--store=sqlite:{}", store.display()),
        ],
    );
    worker.log().wait("worker.registered");
    until("it is active", || coordinator.log().messages("worker.active").pop());
}
