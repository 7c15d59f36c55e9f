//! What processes write while nothing is well: quiet during an outage, and never in the way of a
//! heartbeat.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::rig::{MOORLINE, QUICK, Rig, until};

#[test]
fn an_outage_of_twenty_summaries_has_as_many_warnings_and_one_closing_line_with_totals() {
    const REPEAT: Duration = Duration::from_millis(500);
    let mut rig = Rig::new("60s");
    let worker =
        rig.worker("w1", &[QUICK, &["--log-repeat-every=500ms", "--handler=w=cat"]].concat());
    rig.until_worker("w1", "active");
    worker.log().wait("worker.registered");
    let mark = worker.log().mark();
    rig.coordinator.signal(Signal::TERM);
    rig.coordinator.ends();
    worker.log().wait_from(mark, "link.lost", |_| true);
    let began = Instant::now();
    // Summaries are what is being counted, so time itself is the condition.
    std::thread::sleep(REPEAT * 10);
    rig.restart_coordinator();
    let restored = worker.log().wait_from(mark, "link.restored", |_| true);
    let outage = Duration::from_millis(restored["outage_ms"].as_u64().unwrap());
    assert!(outage <= began.elapsed() + Duration::from_secs(5) && outage >= REPEAT * 10);

    let lines = worker.log().lines().split_off(mark);
    let warnings: Vec<_> =
        lines.iter().filter(|line| line["level"] == "warn" || line["level"] == "error").collect();
    let allowed = outage.as_millis() / REPEAT.as_millis() + 1;
    assert!(warnings.len() >= 5, "the outage is not hushed up: {warnings:#?}");
    assert!(warnings.len() as u128 <= allowed, "{} in {outage:?}: {warnings:#?}", warnings.len());
    let attempts = restored["attempts"].as_u64().unwrap();
    assert!(attempts >= 5, "{restored}");
    assert_eq!(restored["reason"], "coordinator_stopping");
    let closing = lines.iter().filter(|line| line["event"] == "link.restored").count();
    assert_eq!(closing, 1);
    for line in &lines {
        if line["event"] != "link.endpoint_failed" {
            assert!(line["session"].is_string() && line["epoch"].is_string(), "{line}");
        }
    }
}

#[test]
fn a_worker_whose_log_nobody_reads_for_a_while_stays_active_and_loses_nothing_the_queue_holds() {
    let rig = Rig::new("60s");
    let mut child = Command::new(MOORLINE)
        .args(["worker", "--name=mute", "--handler=work=cat", "--slots=8"])
        .arg(format!("--coordinator={}", crate::wire::url(rig.listen)))
        .envs(crate::wire::variables())
        .arg(format!("--data-dir={}", rig.home.path().join("mute").display()))
        .args(QUICK)
        .args(["--log-format=json", "--log-level=trace"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    rig.until_worker("mute", "active");
    // Each task writes lines, and the pipe takes 64 KiB: far more than both it and the queue hold.
    let tasks = rig.run(&["task", "submit", "work", "--input", "x", "--count", "1000"]);
    assert_eq!(tasks.as_array().unwrap().len(), 1_000);
    until("all are done", || (rig.overview()["tasks"]["succeeded"] == 1_000).then_some(()));
    // Five times what a silent worker is given before it is cut off.
    let quiet = Instant::now();
    while quiet.elapsed() < Duration::from_secs(3) {
        let seen = rig.seen("mute");
        assert_eq!(seen["state"], "active", "{seen}");
        std::thread::sleep(Duration::from_millis(100));
    }
    let losses = ["event", "list", "--worker", "mute", "--kind", "worker.disconnected"];
    assert_eq!(rig.run(&losses), serde_json::json!([]), "it was active all the time");

    // Now somebody reads: everything that was kept comes, and the end is in order.
    let mut stderr = child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).map(|_| text)
    });
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let status = until("it ends", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
    let text = reader.join().unwrap().unwrap();
    assert!(text.len() > 65_536, "the pipe was full: {} bytes", text.len());
    let last = text.lines().rev().find(|line| line.contains("moorline_driver")).unwrap();
    assert!(last.contains("shutdown.end"), "{last}");
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[test]
fn a_process_whose_log_nobody_reads_ends_all_the_same() {
    let rig = Rig::new("60s");
    let mut child = Command::new(MOORLINE)
        .args(["worker", "--name=mute", "--handler=work=cat"])
        .arg(format!("--coordinator={}", crate::wire::url(rig.listen)))
        .envs(crate::wire::variables())
        .arg(format!("--data-dir={}", rig.home.path().join("mute").display()))
        .args(["--log-format=json", "--log-level=trace"])
        .args(QUICK)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    rig.until_worker("mute", "active");
    rig.run(&["task", "submit", "work", "--input", "x", "--count", "200"]);
    until("all are done", || (rig.overview()["tasks"]["succeeded"] == 200).then_some(()));
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let status = until("it ends", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
    drop(child.stderr.take());
}
