//! Commands as people and scripts use them, on many tasks and several coordinators.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::rig::{MOORLINE, Rig, STEADY, until};

/// Runs a command against the coordinator of a test, with nothing of whoever runs it.
pub(crate) fn run(rig: &Rig, args: &[&str]) -> Output {
    Command::new(MOORLINE)
        .args(args)
        .env("MOORLINE_SERVER", format!("http://{}", rig.admin))
        .env("XDG_CONFIG_HOME", rig.home.path().join("config"))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// What a command that succeeded has printed.
pub(crate) fn lines(output: &Output) -> Vec<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn tasks_are_cancelled_and_retried_by_what_they_are() {
    let rig = Rig::new("20s");
    let ids: Vec<String> = (0..3).map(|_| rig.submit("paint", "", &[])).collect();
    let other = rig.submit("print", "", &[]);
    let cancel = ["task", "cancel", "--all", "--handler=paint", "--state=queued"];

    let asked = run(&rig, &cancel);
    assert_eq!(asked.status.code(), Some(2), "nobody is there to be asked");
    assert!(String::from_utf8_lossy(&asked.stderr).contains("this would cancel 3 tasks"));
    let would = lines(&run(&rig, &[&cancel[..], &["--dry-run"]].concat()));
    assert_eq!(would.len(), 3);
    assert!(would.iter().all(|line| line.ends_with("would cancel: it is queued")), "{would:?}");
    assert_eq!(rig.task(&ids[0])["state"], "queued");

    let cancelled = lines(&run(&rig, &[&cancel[..], &["--yes", "-o", "name"]].concat()));
    assert_eq!(cancelled, ids.iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(rig.task(&other)["state"], "queued", "of another type");
    assert_eq!(lines(&run(&rig, &["task", "list", "--handler=print", "-o", "name"])), [other]);

    let _worker = rig.worker("w1", &[STEADY, &["--handler=paint=cat"]].concat());
    let retry = ["task", "retry", &ids[0], &ids[1], "--wait", "--timeout=60s", "--json"];
    let ended: Value = serde_json::from_str(&lines(&run(&rig, &retry))[0]).unwrap();
    let ended: Vec<_> = ended.as_array().unwrap().iter().map(|task| &task["state"]).collect();
    assert_eq!(ended, ["succeeded", "succeeded"]);
    let each = lines(&run(&rig, &["task", "list", "--state=succeeded", "-o", "jsonl"]));
    assert_eq!(each.len(), 2);
    assert!(each.iter().all(|line| serde_json::from_str::<Value>(line).unwrap()["id"].is_string()));
}

#[test]
fn a_context_stands_for_its_coordinator() {
    let rig = Rig::new("20s");
    let task = rig.submit("paint", "", &[]);
    let home = rig.home.path().join("config");
    let run = |args: &[&str]| {
        let mut command = Command::new(MOORLINE);
        command.args(args).env_remove("MOORLINE_SERVER").env("XDG_CONFIG_HOME", &home);
        command.output().unwrap()
    };
    let server = format!("http://{}", rig.admin);
    lines(&run(&["context", "add", "lab", "--server", &server]));
    lines(&run(&["context", "add", "fab", "--server", "http://127.0.0.1:1"]));
    let listed = lines(&run(&["task", "list", "-o", "name", "--context", "lab"]));
    assert_eq!(listed, std::slice::from_ref(&task));
    assert_eq!(run(&["context", "show"]).status.code(), Some(4), "none is in use");
    lines(&run(&["context", "use", "lab"]));
    assert_eq!(lines(&run(&["task", "list", "-o", "name"])), [task]);
    let listed = lines(&run(&["context", "list"])).join("\n");
    assert_eq!(listed, format!("   NAME  SERVER\n   fab   http://127.0.0.1:1\n*  lab   {server}"));
    assert_eq!(run(&["context", "use", "lap"]).status.code(), Some(78));
    lines(&run(&["context", "remove", "lab"]));
    let show: Value =
        serde_json::from_str(&lines(&run(&["context", "list", "--json"]))[0]).unwrap();
    assert_eq!(show[0]["name"], "fab");
    assert_eq!(show[0]["current"], false);
}

#[test]
fn a_list_is_printed_again_as_long_as_somebody_watches() {
    let rig = Rig::new("20s");
    let mut watching = Command::new(MOORLINE)
        .args(["worker", "list", "-o", "name", "--watch=50ms"])
        .args(["--server", &format!("http://{}", rig.admin)])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let _worker = rig.worker("w1", STEADY);
    let mut seen = std::io::BufReader::new(watching.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut seen, &mut line).unwrap();
    std::io::BufRead::read_line(&mut seen, &mut line).unwrap();
    assert_eq!(line, "w1\nw1\n");
    watching.kill().unwrap();
    watching.wait().unwrap();
}

#[test]
fn a_shell_takes_the_completion_that_is_printed() {
    let script = Command::new(MOORLINE).args(["completion", "bash"]).output().unwrap();
    assert!(script.status.success());
    let mut shell = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    shell.stdin.take().unwrap().write_all(&script.stdout).unwrap();
    assert!(until("bash has read it", || shell.try_wait().unwrap()).success());
    assert!(String::from_utf8_lossy(&script.stdout).contains("reconnect"));
}
