//! What a worker has finished while it was cut off outlives its process.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::health::metrics;
use crate::rig::{MOORLINE, QUICK, Rig, free_address, until};

/// A handler that says in `runs` that it runs, and gives its input back once `go` is there.
fn waiting(runs: &Path, go: &Path) -> String {
    let (runs, go) = (runs.display(), go.display());
    format!(
        "--handler=work=sh -c 'echo ran >> {runs}; while ! test -e {go}; do sleep 0.02; done; exec cat'"
    )
}

#[test]
fn a_worker_killed_while_it_was_cut_off_comes_back_and_delivers_what_it_had_finished() {
    let mut rig = Rig::new("60s");
    let (runs, go) = (rig.home.path().join("runs"), rig.home.path().join("go"));
    let (handler, health) = (waiting(&runs, &go), free_address());
    let listen = format!("--health-listen={health}");
    let flags = [QUICK, &[handler.as_str(), listen.as_str()]].concat();
    let mut first = rig.worker("w1", &flags);
    rig.until_worker("w1", "active");
    let task = rig.submit("work", "finished in the dark", &[]);
    until("its handler runs", || runs.exists().then_some(()));
    until("it is leased", || (rig.task(&task)["state"] == "leased").then_some(()));

    rig.coordinator.kill();
    first.log().wait("link.lost");
    fs::write(&go, "").unwrap();
    let kept = || metrics(health)["moorline_worker_journal_results"];
    until("its result is kept", || (kept() >= 1.0).then_some(()));
    assert_eq!(metrics(health)["moorline_worker_journal_bytes"], 64.0 + 20.0);
    first.kill();

    rig.restart_coordinator();
    let second = rig.worker("w1", &flags);
    let loaded = second.log().wait("journal.loaded");
    let said = loaded["msg"].as_str().unwrap();
    assert!(said.contains("1 result of an earlier process is kept"), "{said}");
    let ended = rig.until_task(&task, "succeeded");
    assert_eq!((&ended["attempts"], &ended["lost"]), (&1.into(), &0.into()), "{ended}");
    let server = format!("--server=http://{}", rig.admin);
    let result = Command::new(MOORLINE).args(["task", "result", &task, &server]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&result.stdout), "finished in the dark");
    assert_eq!(fs::read_to_string(&runs).unwrap(), "ran\n", "the handler ran once");
    assert_eq!(rig.coordinator.log().messages("worker.lost"), [""; 0]);
    rig.balances(1);
    until("it is forgotten", || (kept() == 0.0).then_some(()));

    // What is answered is not delivered again.
    drop(second);
    let third = rig.worker("w1", &flags);
    third.log().wait("worker.registered");
    assert_eq!(third.log().messages("journal.loaded"), [""; 0]);
    rig.balances(1);
}

#[test]
fn a_damaged_journal_refuses_the_start_and_nothing_is_deleted() {
    let rig = Rig::new("60s");
    let mut first = rig.worker("w1", &[QUICK, &["--handler=work=cat"]].concat());
    rig.until_worker("w1", "active");
    let task = rig.submit("work", "over and back", &[]);
    rig.until_task(&task, "succeeded");
    first.signal(Signal::TERM);
    assert_eq!(first.ends().code(), Some(0));

    let data = rig.home.path().join("w1");
    let file = data.join("journal.db");
    let mut content = fs::read(&file).unwrap();
    content[100..300].fill(0xa5);
    fs::write(&file, &content).unwrap();
    let identity = fs::read(data.join("identity")).unwrap();
    for _ in 0..2 {
        let mut refused = rig.worker("w1", QUICK);
        assert_eq!(refused.ends().code(), Some(65));
        let said = refused.log().messages("plain").concat();
        for part in ["ML5004", "journal.db", "move a worker's journal away"] {
            assert!(said.contains(part), "`{part}` in {said}");
        }
        assert_eq!(refused.log().messages("link.dial"), [""; 0]);
        assert!(fs::read(&file).unwrap() == content, "the journal was changed");
    }

    fs::rename(&file, data.join("damaged.db")).unwrap();
    let again = rig.worker("w1", QUICK);
    again.log().wait("worker.registered");
    assert_eq!(fs::read(data.join("identity")).unwrap(), identity, "it is who it was");
}
