//! Kills and freezes in the middle of work: no task is lost, no result applied twice.

use std::time::Duration;

use rustix::process::Signal;

use crate::rig::{QUICK, Rig, until};

fn flags<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [QUICK, more].concat()
}

#[test]
fn twenty_kills_of_the_coordinator_during_two_thousand_tasks_lose_and_double_nothing() {
    const TASKS: u64 = 2_000;
    const KILLS: u64 = 20;
    let mut rig = Rig::new("20s");
    let flags = flags(&["--slots=8", "--handler=work=sleep 0.03"]);
    let workers: Vec<_> = ["w1", "w2", "w3"].map(|name| rig.worker(name, &flags)).into();
    for name in ["w1", "w2", "w3"] {
        rig.until_worker(name, "active");
    }
    let all = rig.run(&["task", "submit", "work", "--count", "2000"]);
    assert_eq!(all.as_array().unwrap().len() as u64, TASKS);
    let succeeded = |rig: &Rig| rig.overview()["tasks"]["succeeded"].as_u64().unwrap();
    let mut struck = 0;
    for kill in 1..=KILLS {
        until("the next twentieth is done", || {
            (succeeded(&rig) >= (kill - 1) * TASKS / (KILLS + 5)).then_some(())
        });
        let leased = until("tasks run", || {
            rig.overview()["tasks"]["leased"].as_u64().filter(|&leased| leased > 0)
        });
        struck += u64::from(leased > 0);
        rig.coordinator.kill();
        rig.restart_coordinator();
    }
    assert_eq!(struck, KILLS);
    until("all have ended", || (succeeded(&rig) == TASKS).then_some(()));
    rig.balances(TASKS);
    drop(workers);
}

#[test]
fn a_task_of_a_killed_worker_is_redelivered_and_done_once() {
    let rig = Rig::new("3s");
    let mut first = rig.worker("w1", &flags(&["--handler=work=sleep 30"]));
    rig.until_worker("w1", "active");
    let task = rig.submit("work", "", &[]);
    first.log().wait("task.started");
    until("it is leased", || (rig.task(&task)["worker"] == "w1").then_some(()));
    let second = rig.worker("w2", &flags(&["--handler=work=cat"]));
    rig.until_worker("w2", "active");
    first.kill();
    rig.coordinator.log().wait("worker.lost");
    let ended = rig.until_task(&task, "succeeded");
    assert_eq!((&ended["attempts"], &ended["worker"]), (&2.into(), &"w2".into()), "{ended}");
    assert_eq!(second.log().messages("task.finished").len(), 1);
    rig.balances(1);
}

#[test]
fn the_late_result_of_a_frozen_worker_is_answered_and_not_applied_twice() {
    let rig = Rig::new("3s");
    let (begun, ended) = (rig.home.path().join("begun"), rig.home.path().join("ended"));
    let handler = format!(
        "--handler=work=sh -c 'touch {}; sleep 1; touch {}'",
        begun.display(),
        ended.display()
    );
    let mut first = rig.worker("w1", &flags(&[&handler]));
    rig.until_worker("w1", "active");
    let task = rig.submit("work", "", &[]);
    // The log line comes before the process: frozen between the two, it would not have a handler.
    until("its handler runs", || begun.exists().then_some(()));
    // Its handler goes on, and ends while the worker itself is frozen.
    first.signal(Signal::STOP);
    let second = rig.worker("w2", &flags(&["--handler=work=cat"]));
    until("its handler ends", || ended.exists().then_some(()));
    rig.coordinator.log().wait("worker.lost");
    assert_eq!(rig.until_task(&task, "succeeded")["worker"], "w2");
    let mark = rig.coordinator.log().mark();
    first.signal(Signal::CONT);
    let answered = rig.coordinator.log().wait_from(mark, "task.result_settled", |_| true);
    assert_eq!((&answered["worker"], &answered["disposition"]), (&"w1".into(), &"stale".into()));
    rig.until_worker("w1", "active");
    assert_eq!(rig.task(&task)["worker"], "w2");
    rig.balances(1);
    drop(second);
}

#[test]
fn a_frozen_coordinator_loses_no_lease_however_long() {
    let mut rig = Rig::new("2500ms");
    let worker = rig.worker("w1", &flags(&["--handler=work=sleep 4"]));
    rig.until_worker("w1", "active");
    let task = rig.submit("work", "", &[]);
    worker.log().wait("task.started");
    until("it is leased", || (rig.task(&task)["state"] == "leased").then_some(()));
    // Longer than a worker may be silent.
    rig.coordinator.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(3));
    rig.coordinator.signal(Signal::CONT);
    let ended = rig.until_task(&task, "succeeded");
    assert_eq!(ended["attempts"], 1, "{ended}");
    assert_eq!(rig.coordinator.log().messages("worker.lost"), [""; 0]);
    assert_eq!(rig.coordinator.log().messages("task.redelivered"), [""; 0]);
    rig.balances(1);
}

#[test]
fn a_drained_worker_finishes_what_it_runs_and_takes_nothing_new() {
    let rig = Rig::new("20s");
    let mut worker = rig.worker("w1", &flags(&["--handler=work=sleep 1"]));
    rig.until_worker("w1", "active");
    let running = rig.submit("work", "", &[]);
    worker.log().wait("task.started");
    worker.signal(Signal::TERM);
    let waiting = rig.submit("work", "", &[]);
    assert_eq!(worker.ends().code(), Some(0));
    assert_eq!(rig.task(&running)["state"], "succeeded");
    assert_eq!(rig.task(&waiting)["state"], "queued");
    rig.coordinator.log().wait("worker.departed");
}
