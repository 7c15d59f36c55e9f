//! Workers that are drained, resumed, sent away and forgotten by commands.

use std::process::Output;

use rustix::process::Signal;
use serde_json::Value;

use crate::commands::{lines, run};
use crate::rig::{Rig, STEADY, until};

/// The one JSON value that a command printed.
pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_str(&lines(output).concat()).unwrap()
}

/// A command that ends with this exit code and this error; what it printed.
pub(crate) fn fails(rig: &Rig, args: &[&str], exit: i32, code: &str) -> String {
    let output = run(rig, args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{args:?}: {said}");
    assert!(said.contains(&format!("error[{code}]: ")), "{args:?}: {said}");
    assert!(said.contains("hint: "), "{args:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_drain_is_waited_for_until_nothing_runs_and_a_resume_until_there_is_work_again() {
    let rig = Rig::new("20s");
    let (begun, go) = (rig.home.path().join("begun"), rig.home.path().join("go"));
    let handler = format!(
        "--handler=work=sh -c 'touch {}; while [ ! -e {} ]; do sleep 0.05; done'",
        begun.display(),
        go.display()
    );
    let _worker = rig.worker("w1", &[STEADY, &[handler.as_str()]].concat());
    rig.until_worker("w1", "active");
    let running = rig.submit("work", "1", &[]);
    until("its handler runs", || begun.exists().then_some(()));

    let would = run(&rig, &["worker", "drain", "w1", "--dry-run"]);
    assert_eq!(lines(&would), ["w1  would drain: it is active"]);
    assert_eq!(rig.seen("w1")["state"], "active", "nothing was done");

    let short = run(&rig, &["worker", "drain", "w1", "--wait", "--timeout=300ms"]);
    let said = String::from_utf8_lossy(&short.stderr);
    assert_eq!(short.status.code(), Some(3), "its task goes on: {said}");
    assert!(said.contains("w1: not within the time allowed, it is draining with 1 task"), "{said}");
    assert_eq!(rig.seen("w1")["state"], "draining");
    let waiting = rig.submit("work", "2", &[]);

    std::fs::write(&go, "").unwrap();
    let drain = ["worker", "drain", "w1", "--wait", "--timeout=60s", "--json"];
    let drained = json(&run(&rig, &drain));
    assert_eq!((&drained["state"], &drained["running"]), (&"draining".into(), &0.into()));
    assert_eq!(rig.task(&running)["state"], "succeeded");
    assert_eq!(rig.task(&waiting)["state"], "queued", "a drained worker takes nothing new");

    let resumed = run(&rig, &["worker", "resume", "w1", "--wait", "--timeout=60s"]);
    assert_eq!(lines(&resumed), ["w1  resumed"]);
    assert_eq!(rig.until_task(&waiting, "succeeded")["attempts"], 1);
    rig.balances(2);
}

#[test]
fn a_worker_dials_again_when_told_to_and_one_without_a_connection_cannot_be_told() {
    let rig = Rig::new("20s");
    let mut worker = rig.worker("w1", STEADY);
    rig.until_worker("w1", "active");
    let mark = worker.log().mark();
    let reconnect = ["worker", "reconnect", "w1", "--wait", "--timeout=60s", "-o", "name"];
    assert_eq!(lines(&run(&rig, &reconnect)), ["w1"]);
    assert_eq!(rig.seen("w1")["state"], "active", "it was waited for");
    worker.log().wait_from(mark, "link.restored", |_| true);

    let mark = worker.log().mark();
    let away = json(&run(&rig, &["worker", "disconnect", "w1", "--json"]));
    assert_eq!((&away["name"], &away["state"]), (&"w1".into(), &"disconnected".into()));
    assert_eq!(away["reason"], "operator_disconnect");
    let lost = worker.log().wait_from(mark, "link.lost", |_| true);
    assert_eq!(lost["reason"], "operator_disconnect", "it is told why");
    rig.until_worker("w1", "active");

    worker.kill();
    rig.until_worker("w1", "disconnected");
    for action in ["reconnect", "disconnect"] {
        assert_eq!(fails(&rig, &["worker", action, "w1"], 5, "ML6018"), "");
        let would = lines(&run(&rig, &["worker", action, "w1", "--dry-run"]));
        assert_eq!(would, ["w1  left alone: it is disconnected"]);
    }
}

#[test]
fn a_worker_is_forgotten_when_it_is_gone_and_not_before() {
    let rig = Rig::new("20s");
    let mut worker = rig.worker("w1", STEADY);
    rig.until_worker("w1", "active");
    fails(&rig, &["worker", "forget", "w1"], 5, "ML6015");
    fails(&rig, &["worker", "forget", "nobody"], 4, "ML6011");
    worker.signal(Signal::TERM);
    assert!(worker.ends().success());
    rig.until_worker("w1", "departed");
    let forgotten = json(&run(&rig, &["worker", "forget", "w1", "--json"]));
    assert_eq!(forgotten["state"], "departed", "as it was");
    assert_eq!(rig.seen("w1"), Value::Null);
    fails(&rig, &["worker", "forget", "w1"], 4, "ML6011");
    fails(&rig, &["worker", "get", "w1"], 4, "ML6011");

    // The name is free, and the machine may come again.
    let _again = rig.worker("w1", STEADY);
    rig.until_worker("w1", "active");
}

#[test]
fn workers_are_steered_by_what_they_are() {
    let rig = Rig::new("20s");
    let mut gpus = ["gpu-1", "gpu-2"].map(|name| rig.worker(name, STEADY));
    let _cpu = rig.worker("cpu-1", STEADY);
    for name in ["gpu-1", "gpu-2", "cpu-1"] {
        rig.until_worker(name, "active");
    }
    let drain = ["worker", "drain", "--all", "--name=gpu-*"];
    let asked = run(&rig, &drain);
    assert_eq!(asked.status.code(), Some(2), "nobody is there to be asked");
    assert!(String::from_utf8_lossy(&asked.stderr).contains("this would drain 2 workers"));
    let would = json(&run(&rig, &[&drain[..], &["--dry-run", "--json"]].concat()));
    let would: Vec<_> = would.as_array().unwrap().iter().map(|one| &one["would"]).collect();
    assert_eq!(would, ["drain", "drain"]);
    assert_eq!(rig.seen("gpu-1")["state"], "active");

    let drained = run(&rig, &[&drain[..], &["--yes", "--wait", "--timeout=60s"]].concat());
    assert_eq!(lines(&drained), ["gpu-1  draining", "gpu-2  draining"]);
    assert_eq!(rig.seen("cpu-1")["state"], "active", "of another name");
    let resume = ["worker", "resume", "--all", "--state=draining", "-y", "--wait", "-o", "name"];
    assert_eq!(lines(&run(&rig, &resume)), ["gpu-1", "gpu-2"]);

    // One that is not there does not keep the other from being steered.
    let some = fails(&rig, &["worker", "reconnect", "cpu-1", "nobody", "-o", "name"], 6, "ML6011");
    assert_eq!(some, "cpu-1\n");
    rig.until_worker("cpu-1", "active");

    for gpu in &mut gpus {
        gpu.signal(Signal::TERM);
        assert!(gpu.ends().success());
    }
    rig.until_worker("gpu-1", "departed");
    rig.until_worker("gpu-2", "departed");
    // Of all workers it takes those that are gone.
    let forgotten = run(&rig, &["worker", "forget", "--all", "--yes", "-o", "name"]);
    assert_eq!(lines(&forgotten), ["gpu-1", "gpu-2"]);
    assert_eq!(lines(&run(&rig, &["worker", "list", "-o", "name"])), ["cpu-1"]);
    assert_eq!(json(&run(&rig, &["worker", "forget", "--all", "--json"])), serde_json::json!([]));
}
