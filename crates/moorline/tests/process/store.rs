//! The store of a real coordinator: what it tells of what happened, and what a damaged one comes to.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::rig::{MOORLINE, QUICK, Rig, until};

fn kinds(events: &Value) -> Vec<String> {
    let kind = |event: &Value| event["kind"].as_str().unwrap().to_owned();
    events.as_array().unwrap().iter().map(kind).collect()
}

/// The pages of the store's file, but for the first one, are not what they were.
fn damage(rig: &Rig) {
    let file = File::options().write(true).open(rig.home.path().join("store.db")).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    assert!(pages > 20, "{pages} pages");
    for page in 1..pages {
        file.write_all_at(&[0xa5; 64], page * 4096).unwrap();
    }
}

#[test]
fn a_damaged_store_ends_the_coordinator_with_its_own_exit_code_and_what_to_do() {
    let mut rig = Rig::new("20s");
    let input = "x".repeat(4_000);
    for _ in 0..60 {
        rig.submit("nobody", &input, &[]);
    }
    // In order, so that everything is in the file and nothing in its log.
    rig.coordinator.signal(rustix::process::Signal::TERM);
    assert!(rig.coordinator.ends().success());
    damage(&rig);
    let store = format!("--store=sqlite:{}", rig.home.path().join("store.db").display());
    let output = Command::new(MOORLINE)
        .args(["coordinator", "--listen=grpc://127.0.0.1:0", "--admin-listen=127.0.0.1:0", &store])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(65), "{said}");
    assert!(said.contains("error[ML5004]") && said.contains("store.db"), "{said}");
    assert!(said.contains("restore a copy"), "{said}");
}

#[test]
fn what_happened_is_read_by_worker_by_task_and_over_the_death_of_the_coordinator() {
    let mut rig = Rig::new("20s");
    let mut worker = rig.worker("w1", &[QUICK, &["--handler=work=cat"]].concat());
    let first = rig.submit("work", "1", &[]);
    rig.until_task(&first, "succeeded");
    rig.coordinator.kill();
    rig.restart_coordinator();
    let second = rig.submit("work", "2", &[]);
    rig.until_task(&second, "succeeded");
    for task in [&first, &second] {
        let story = rig.run(&["task", "timeline", task]);
        assert_eq!(kinds(&story), ["task.submitted", "task.leased", "task.finished"]);
    }
    worker.signal(rustix::process::Signal::TERM);
    assert!(worker.ends().success());
    let timeline = until("it is told that the worker left", || {
        let timeline = rig.run(&["worker", "timeline", "w1", "--since", "15m"]);
        kinds(&timeline).iter().any(|kind| kind == "worker.departed").then_some(timeline)
    });
    let all = kinds(&timeline);
    let count = |kind: &str| all.iter().filter(|one| *one == kind).count();
    assert_eq!((count("worker.registered"), count("task.finished")), (2, 2), "{all:?}");
    let started = rig.run(&["event", "list", "--kind", "coordinator.started"]);
    assert_eq!(started.as_array().unwrap().len(), 2);
    assert_ne!(started[0]["epoch"], started[1]["epoch"]);
    let two = rig.run(&["event", "list", "--worker", "w1", "--kind", "worker", "--limit", "1"]);
    assert_eq!(kinds(&two), ["worker.departed"], "the latest so many");
}

#[test]
fn a_tail_prints_what_comes_over_the_death_of_the_coordinator_until_nobody_reads() {
    let mut rig = Rig::new("20s");
    let server = format!("--server=http://{}", rig.admin);
    let mut tail = Command::new(MOORLINE)
        .args(["event", "tail", "--kind", "task", "--since", "1h", "--json", &server])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let first = rig.submit("nobody", "1", &[]);
    let event = next();
    assert_eq!(
        (event["kind"].as_str(), event["task"].as_str()),
        (Some("task.submitted"), Some(&*first))
    );
    rig.coordinator.kill();
    rig.restart_coordinator();
    let second = rig.submit("nobody", "2", &[]);
    assert_eq!(next()["task"].as_str(), Some(&*second), "each once");
    drop(lines);
    rig.run(&["task", "cancel", &second]);
    let status = until("it ends with its reader", || {
        let ended = tail.try_wait().unwrap();
        if ended.is_none() {
            // It notices when it has something to print.
            rig.submit("nobody", "3", &[]);
        }
        ended
    });
    assert!(status.success(), "{status}");
}
