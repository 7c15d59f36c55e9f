//! The exit codes that commands of today end with, each by the command itself; 130 and 143 are in
//! `surface.rs`.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::rig::{MOORLINE, Rig, STEADY, free_address};

/// A command without anything of whoever runs the tests.
fn command(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(MOORLINE);
    command.args(args).env_clear().env("HOME", home).current_dir(home).stdin(Stdio::null());
    command
}

fn run(home: &Path, args: &[&str]) -> Output {
    command(home, args).output().unwrap()
}

/// Ends with this code, and says so with this one of the table, which knows of no other exit code. What it
/// says is returned.
pub(crate) fn ends(home: &Path, args: &[&str], exit: i32, code: &str) -> String {
    let output = run(home, &[args, &["--json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{args:?}: {said}");
    let error = said.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
    let error = error.unwrap_or_else(|| panic!("{args:?} told no error as JSON: {said}"));
    assert_eq!(error["code"], code, "{args:?}: {said}");
    for field in ["error", "hint"] {
        assert!(!error[field].as_str().unwrap().is_empty(), "{args:?}: {field} of {error}");
    }
    let explained = run(home, &["explain", code, "--json"]);
    let explained: Value = serde_json::from_slice(&explained.stdout).unwrap();
    assert_eq!(explained["exit"], exit, "{explained}");
    error["error"].as_str().unwrap_or_default().to_owned()
}

/// An admin API that answers every request with this problem document; its URL.
fn refusing(status: u16, code: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = json!({
        "title": "no", "status": status, "detail": "not today", "code": code, "hint": "come back",
    })
    .to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\ncontent-type: application/problem+json\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    url
}

/// Nobody is there, and nobody comes.
const NOBODY: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

#[test]
fn what_was_done_or_not_found_or_not_possible_has_its_exit_code() {
    let rig = Rig::new("20s");
    let home = rig.home.path();
    let server = format!("--server=http://{}", rig.admin);
    let here = server.as_str();
    let flags = ["--handler=work=cat", "--handler=broken=sh -c 'exit 64'"];
    let _worker = rig.worker("w1", &[STEADY, &flags].concat());
    rig.until_worker("w1", "active");
    assert_eq!(run(home, &["version", here]).status.code(), Some(0));
    let waits = |kind| ["task", "submit", kind, "--wait", "--timeout=60s", here];
    assert_eq!(run(home, &waits("work")).status.code(), Some(0));
    assert_eq!(run(home, &waits("broken")).status.code(), Some(1));
    let never = ["task", "submit", "nobody-has-this", "--wait", "--timeout=300ms", here];
    ends(home, &never, 3, "ML4007");
    ends(home, &["task", "get", NOBODY, here], 4, "ML4001");
    ends(home, &["worker", "get", "nobody", here], 4, "ML6011");
    let queued = rig.submit("nobody-has-this", "", &[]);
    ends(home, &["task", "retry", &queued, here], 5, "ML4010");
    let done = rig.submit("work", "", &["--wait", "--timeout=60s"]);
    ends(home, &["task", "cancel", &done, here], 5, "ML4008");
    ends(home, &["task", "retry", &done, here], 5, "ML4011");
    ends(home, &["task", "result", &queued, here], 5, "ML4003");
}

#[test]
fn some_of_several_is_neither_all_nor_none() {
    let rig = Rig::new("20s");
    let queued = rig.submit("nobody-has-this", "", &[]);
    let server = format!("--server=http://{}", rig.admin);
    let output = run(rig.home.path(), &["task", "get", &queued, NOBODY, &server, "-o", "name"]);
    assert_eq!(output.status.code(), Some(6));
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{queued}\n"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("error[ML4001]: ") && said.contains("\n  hint: "), "{said}");
    assert!(!said.contains('\x1b'), "no colours where there is no terminal: {said}");
}

#[test]
fn what_is_typed_wrong_is_a_usage_error_in_the_parsers_own_words() {
    let home = tempfile::tempdir().unwrap();
    for line in [
        &["task", "get"][..],
        &["task", "get", "81"],
        &["task", "cancel"],
        &["task", "cancel", "--handler=x"],
        &["explain", "weather"],
        &["context", "add", "lab"],
        &["--json", "--output=name", "task", "list"],
        &["--context=a", "--server=http://127.0.0.1:1", "task", "list"],
        &["nothing-like-this"],
    ] {
        let output = run(home.path(), line);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line:?}: {said}");
        assert!(said.starts_with("error: ") && output.stdout.is_empty(), "{line:?}: {said}");
    }
}

#[test]
fn a_coordinator_that_is_away_or_refuses_has_its_exit_code() {
    let home = tempfile::tempdir().unwrap();
    let list = |url: &str| ["task", "list", "--timeout=300ms", "--server", url].map(str::to_owned);
    let of = |url: String, exit, code| {
        let args = list(&url);
        ends(home.path(), &args.each_ref().map(String::as_str), exit, code);
    };
    of(format!("http://{}", free_address()), 69, "ML6002");
    of(refusing(500, "ML6013"), 70, "ML6013");
    of(refusing(429, "ML3109"), 75, "ML3109");
    of(refusing(503, "ML6014"), 75, "ML6014");
    of(refusing(404, "ML6008"), 76, "ML6008");
    of(refusing(401, "ML3102"), 77, "ML3102");
    of(refusing(403, "ML6004"), 77, "ML6004");
    of("http://far.example.com:1".to_owned(), 78, "ML6012");
    // Of a newer coordinator: the code is not known, its status is.
    let newer = list(&refusing(409, "ML4999"));
    let output = run(home.path(), &newer.each_ref().map(String::as_str));
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_a_machine_or_a_file_does_not_give_has_its_exit_code() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    ends(home, &["task", "submit", "x", "--input-file=missing"], 65, "ML1301");
    std::fs::write(home.join("odd.db"), "this is no store of anything, it is a text\n").unwrap();
    let free = |address: SocketAddr| format!("--listen=grpc://{address}");
    let (listen, admin) = (free(free_address()), format!("--admin-listen={}", free_address()));
    let starts = |store: &'static str| ["coordinator", &listen, &admin, store].map(str::to_owned);
    let odd = starts("--store=sqlite:odd.db");
    ends(home, &odd.each_ref().map(String::as_str), 65, "ML5004");
    let nowhere = starts("--store=sqlite:/proc/nowhere/store.db");
    ends(home, &nowhere.each_ref().map(String::as_str), 74, "ML5005");
    let open = ["coordinator", "--listen=grpc://0.0.0.0:0", &admin, "--store=memory"];
    ends(home, &open, 78, "ML1202");
    ends(home, &["task", "list", "--context=lab"], 78, "ML1401");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin_taken = format!("--admin-listen={}", taken.local_addr().unwrap());
    let both = ["coordinator", &listen, &admin_taken, "--store=memory"];
    let output = run(home, &both);
    assert_eq!(output.status.code(), Some(73), "{}", String::from_utf8_lossy(&output.stderr));

    let full = File::options().write(true).open("/dev/full").unwrap();
    let status = command(home, &["version"]).stdout(full).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(74));
}

#[test]
fn a_worker_that_gives_up_says_that_a_restart_may_help() {
    let home = tempfile::tempdir().unwrap();
    let coordinator = format!("--coordinator=grpc://{}", free_address());
    for (flag, code) in [("--no-reconnect", "ML3902"), ("--max-reconnect-attempts=1", "ML3901")] {
        let args = ["worker", &coordinator, "--name=w", "--data-dir=w", flag];
        ends(home.path(), &args, 69, code);
    }
}

#[test]
fn a_check_ends_as_monitoring_plugins_do() {
    let rig = Rig::new("20s");
    let home = rig.home.path();
    let here = format!("--server=http://{}", rig.admin);
    let away = format!("--server=http://{}", free_address());
    let check = |args: &[&str]| {
        let output = run(home, &[&["check"], args, &["--timeout=2s"]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        (output.status.code().unwrap(), text)
    };
    let (exit, text) = check(&["coordinator", &here]);
    assert_eq!(exit, 0, "{text}");
    assert!(text.starts_with("COORDINATOR OK - 0 tasks queued | queued=0 "), "{text}");
    rig.submit("nobody-has-this", "", &[]);
    assert_eq!(check(&["coordinator", &here, "--warning=1ms", "--critical=1h"]).0, 1);
    assert_eq!(check(&["coordinator", &here, "--warning=1ms", "--critical=2ms"]).0, 2);
    assert_eq!(check(&["coordinator", &away]).0, 2);
    assert_eq!(check(&["fleet", &away]).0, 3);
    assert_eq!(check(&["worker", "w1", &here]).0, 3, "nobody knows it");
    let mut worker = rig.worker("w1", STEADY);
    rig.until_worker("w1", "active");
    assert_eq!(check(&["worker", "w1", &here]).0, 0);
    assert_eq!(check(&["fleet", &here]).0, 0);
    worker.kill();
    rig.until_worker("w1", "disconnected");
    assert_eq!(check(&["worker", "w1", &here, "--critical=1h"]).0, 1);
    assert_eq!(check(&["fleet", &here]).0, 2, "there is no other");
}
