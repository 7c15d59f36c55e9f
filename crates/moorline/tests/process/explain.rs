//! Why a worker or a task is where it is, asked of real processes.

use rustix::process::Signal;

use crate::rig::{QUICK, Rig, STEADY, until};

fn texts(value: &serde_json::Value) -> Vec<String> {
    let all = value.as_array().unwrap().iter();
    all.map(|one| one.as_str().unwrap_or_else(|| one["text"].as_str().unwrap()).to_owned())
        .collect()
}

#[test]
fn a_killed_worker_is_explained_by_what_its_connection_showed() {
    let rig = Rig::new("60s");
    let mut worker = rig.worker("gpu-1", &[QUICK, &["--handler=work=sleep 60"]].concat());
    rig.until_worker("gpu-1", "active");
    let healthy = rig.run(&["worker", "explain", "gpu-1"]);
    assert_eq!((&healthy["state"], &healthy["cause"]), (&"active".into(), &().into()));
    let task = rig.submit("work", "", &[]);
    worker.log().wait("task.started");
    until("it is leased", || (rig.task(&task)["state"] == "leased").then_some(()));
    worker.kill();
    let seen = rig.until_worker("gpu-1", "disconnected");
    let explained = until("the event is on record", || {
        let explained = rig.run(&["worker", "explain", "gpu-1"]);
        texts(&explained["seen"])
            .iter()
            .any(|text| text.starts_with("worker.disconnected"))
            .then_some(explained)
    });
    assert_eq!(explained["cause"]["reason"], seen["reason"], "{explained}");
    assert_eq!(explained["cause"]["certainty"], "sure");
    let headline = explained["headline"].as_str().unwrap();
    assert!(headline.contains("DISCONNECTED") && headline.contains("keeps 1 lease"), "{headline}");
    // Right before the loss it belongs to the moment of it.
    let known = [texts(&explained["seen"]), texts(&explained["before"])].concat();
    assert!(known.iter().any(|text| text.starts_with("task.leased work/")), "{explained}");
    assert!(texts(&explained["ruled_out"]).iter().any(|text| text.starts_with("version (")));

    let holder = rig.run(&["task", "explain", &task]);
    assert_eq!(holder["cause"]["rule"], "holder");
    assert!(texts(&holder["next"])[0].contains("it is queued again"), "{holder}");
}

#[test]
fn a_frozen_worker_is_likely_and_not_surely_explained() {
    let rig = Rig::new("60s");
    let mut worker = rig.worker("gpu-1", QUICK);
    rig.until_worker("gpu-1", "active");
    worker.signal(Signal::STOP);
    rig.until_worker("gpu-1", "disconnected");
    let explained = rig.run(&["worker", "explain", "gpu-1"]);
    assert_eq!(explained["cause"]["reason"], "heartbeat_timeout", "{explained}");
    assert_eq!(explained["cause"]["certainty"], "likely");
    worker.signal(Signal::CONT);
}

#[test]
fn a_task_that_nobody_can_take_names_what_each_worker_lacks() {
    let rig = Rig::new("60s");
    let busy = rig.worker("busy", &[STEADY, &["--handler=resize=sleep 60"]].concat());
    let other = rig.worker("other", &[STEADY, &["--handler=hash=cat"]].concat());
    rig.until_worker("busy", "active");
    rig.until_worker("other", "active");
    rig.submit("resize", "1", &[]);
    busy.log().wait("task.started");
    let waits = rig.submit("resize", "2", &[]);
    let explained = rig.run(&["task", "explain", &waits]);
    assert_eq!(explained["cause"]["rule"], "busy", "{explained}");
    assert_eq!(texts(&explained["candidates"]), ["1 of 1 slots used", "has no handler `resize`"]);
    let nobody = rig.submit("paint", "3", &[]);
    let explained = rig.run(&["task", "explain", &nobody]);
    assert_eq!(explained["cause"]["rule"], "handler");
    drop(other);
}
