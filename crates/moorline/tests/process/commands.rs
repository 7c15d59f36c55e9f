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
fn of_many_tasks_each_is_retried_or_cancelled_for_itself() {
    let rig = Rig::new("20s");
    let flags = ["--handler=broken=sh -c 'exit 64'", "--handler=work=cat"];
    let _worker = rig.worker("w1", &[STEADY, &flags].concat());
    let failed: Vec<String> = (0..3).map(|_| rig.submit("broken", "", &[])).collect();
    for task in &failed {
        rig.until_task(task, "failed");
    }
    let done = rig.submit("work", "kept", &["--wait", "--timeout=60s"]);
    let queued = rig.submit("nobody-has-this", "", &[]);

    let retry = ["task", "retry", "--all", "--handler=broken"];
    let would = lines(&run(&rig, &[&retry[..], &["--dry-run"]].concat()));
    assert_eq!(would.len(), 3, "{would:?}");
    assert!(would.iter().all(|line| line.ends_with("would retry: it is failed")), "{would:?}");
    let retried = lines(&run(&rig, &[&retry[..], &["--yes", "-o", "name"]].concat()));
    assert_eq!(retried, failed.iter().rev().cloned().collect::<Vec<_>>());
    for task in &failed {
        until("it has failed again", || {
            let task = rig.task(task);
            (task["state"] == "failed" && task["attempts"] == 2).then_some(())
        });
    }

    // What a task was given is gone with its success: that is said, and keeps nobody else back.
    let some = run(&rig, &["task", "retry", &done, &queued, &failed[0], "-o", "name"]);
    let said = String::from_utf8_lossy(&some.stderr);
    assert_eq!(some.status.code(), Some(6), "{said}");
    assert_eq!(String::from_utf8_lossy(&some.stdout), format!("{}\n", failed[0]));
    assert!(said.contains("error[ML4011]: ") && said.contains("error[ML4010]: "), "{said}");
    assert!(said.contains(&format!("{done} has succeeded: it does not run again")), "{said}");
    assert_eq!(rig.task(&done)["attempts"], 1);
    assert_eq!(lines(&run(&rig, &["task", "result", &done])), ["kept"], "its result is untouched");

    let some = run(&rig, &["task", "cancel", &done, &queued]);
    assert_eq!(some.status.code(), Some(6));
    assert!(String::from_utf8_lossy(&some.stderr).contains("error[ML4008]: "));
    assert_eq!(rig.task(&queued)["state"], "cancelled");
    // One that never ran has what it was given.
    lines(&run(&rig, &["task", "retry", &queued]));
    assert_eq!(rig.task(&queued)["state"], "queued");
}

#[test]
fn a_task_that_was_pruned_is_not_retried_and_that_is_said() {
    let rig = Rig::configured("20s", "[coordinator.store]\ntask_retention = \"1ms\"\n");
    let task = rig.submit("nobody-has-this", "", &[]);
    lines(&run(&rig, &["task", "cancel", &task]));
    until("it is pruned", || {
        let output = run(&rig, &["task", "get", &task]);
        (output.status.code() == Some(4)).then_some(())
    });
    let output = run(&rig, &["task", "retry", &task]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("error[ML4001]: ") && said.contains(&task), "{said}");
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
fn a_table_is_cut_to_the_columns_that_are_said_and_what_is_piped_is_not() {
    let rig = Rig::new("20s");
    let task = rig.submit(&"long".repeat(20), "", &[]);
    let widest = |columns: Option<&str>| {
        let mut command = Command::new(MOORLINE);
        command.args(["task", "list"]).env("MOORLINE_SERVER", format!("http://{}", rig.admin));
        match columns {
            Some(columns) => command.env("COLUMNS", columns),
            None => command.env_remove("COLUMNS"),
        };
        let lines = lines(&command.stdin(Stdio::null()).output().unwrap());
        assert!(lines[1].starts_with(&task), "{lines:?}");
        lines.iter().map(|line| line.chars().count()).max().unwrap()
    };
    // How wide it is exactly depends on how old the task is.
    for whole in [None, Some("500"), Some("0")] {
        assert!(widest(whole) > 80, "{whole:?}: no terminal is as narrow as 0");
    }
    assert_eq!(widest(Some("70")), 70);
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
