//! Coordinators that leave in order: their workers are sent away first, and nothing is lost.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::rig::{Process, Rig, STEADY, until};

/// A coordinator with two workers, one of which runs a task until a file is there.
fn at_work(rig: &Rig) -> (Vec<Process>, String, std::path::PathBuf) {
    let (began, open) = (rig.home.path().join("began"), rig.home.path().join("open"));
    let script = format!(
        "--handler=gated=sh -c 'touch {}; while [ ! -e {} ]; do sleep 0.05; done; echo done'",
        began.display(),
        open.display()
    );
    let workers =
        ["w1", "w2"].map(|name| rig.worker(name, &[STEADY, &[script.as_str()]].concat())).into();
    for name in ["w1", "w2"] {
        rig.until_worker(name, "active");
    }
    let task = rig.submit("gated", "", &[]);
    until("the task runs", || began.exists().then_some(()));
    (workers, task, open)
}

/// Each worker was sent away in order.
fn all_were_sent_away(workers: &[Process]) {
    for worker in workers {
        let lost = worker.log().wait("link.lost");
        assert_eq!(lost["reason"], "coordinator_stopping", "{lost}");
    }
}

/// The coordinator comes back, and the task ends in its first attempt.
fn goes_on(rig: &mut Rig, task: &str, open: &std::path::Path) {
    rig.restart_coordinator();
    for name in ["w1", "w2"] {
        rig.until_worker(name, "active");
    }
    std::fs::write(open, "").unwrap();
    let ended = rig.until_task(task, "succeeded");
    assert_eq!(ended["attempts"], 1, "{ended}");
    rig.balances(1);
}

#[test]
fn a_drained_coordinator_sends_all_workers_away_and_the_command_waits_until_it_has_stopped() {
    let mut rig = Rig::new("60s");
    let (workers, task, open) = at_work(&rig);
    let times = ["--grace=100ms", "--spread=400ms", "--within=20s"];
    let begun = Instant::now();
    let told = rig.run(&[&["coordinator", "drain", "--wait"][..], &times].concat());
    assert_eq!(told["connected"], 2, "{told}");
    assert_eq!(told["timeout_s"], 20.0, "{told}");
    assert!(begun.elapsed() >= Duration::from_millis(100), "nobody goes within the grace");
    assert!(begun.elapsed() < Duration::from_secs(20), "all were gone before the time was over");
    assert!(TcpStream::connect(rig.admin).is_err(), "it has stopped");
    assert_eq!(rig.coordinator.ends().code(), Some(0));
    all_were_sent_away(&workers);
    goes_on(&mut rig, &task, &open);
}

#[test]
fn a_coordinator_that_is_told_to_stop_sends_its_workers_away_first() {
    let mut rig = Rig::new("60s");
    let (workers, task, open) = at_work(&rig);
    rig.coordinator.signal(Signal::TERM);
    assert_eq!(rig.coordinator.ends().code(), Some(0));
    let lines = rig.coordinator.log().lines();
    let at = |event: &str| lines.iter().position(|line| line["event"] == event);
    let draining = at("coordinator.draining").expect("it says so");
    assert_eq!(lines[draining]["connected"], 2, "{}", lines[draining]);
    let gone = lines.iter().filter(|line| line["event"] == "worker.disconnected");
    assert_eq!(gone.count(), 2);
    let last = lines.iter().rposition(|line| line["event"] == "worker.disconnected");
    assert!(Some(draining) < last && last < at("shutdown.begin"), "{lines:#?}");
    all_were_sent_away(&workers);
    goes_on(&mut rig, &task, &open);
}

#[test]
fn a_coordinator_without_workers_or_without_a_time_for_them_stops_at_once() {
    let mut rig = Rig::new("60s");
    rig.coordinator.signal(Signal::TERM);
    assert_eq!(rig.coordinator.ends().code(), Some(0));
    assert!(rig.coordinator.log().messages("coordinator.draining").is_empty());
}
