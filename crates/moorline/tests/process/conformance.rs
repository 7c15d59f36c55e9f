//! What others are judged by is kept here.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::rig::{MOORLINE, Process, Rig, free_address};
use crate::wire::Pki;

/// What `moorline conformance` says, each promise by its name, and its exit code.
fn judged(args: &[&str]) -> (Vec<Value>, Option<i32>) {
    let output = Command::new(MOORLINE)
        .args(["conformance"])
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (said.as_array().cloned().unwrap_or_default(), output.status.code())
}

#[test]
fn our_own_worker_keeps_every_promise_of_a_worker() {
    worker_keeps_all("grpc");
}

#[test]
fn our_own_worker_keeps_every_promise_over_websocket() {
    worker_keeps_all("ws");
}

fn worker_keeps_all(transport: &str) {
    let transport = format!("--transport={transport}");
    let worker = [
        "worker",
        "-o",
        "json",
        "--patience=40s",
        &transport,
        "--",
        MOORLINE,
        "worker",
        "--coordinator={url}",
        "--data-dir={dir}",
        "--name=judged",
        "--slots=4",
        "--handler=echo=cat",
        "--handler=sleep=sh -c 'exec sleep $(cat)'",
    ];
    let (promises, code) = judged(&worker);
    let broken: Vec<_> = promises.iter().filter(|one| one["verdict"] != "kept").collect();
    assert!(broken.is_empty(), "{broken:#?}");
    assert_eq!(code, Some(0));
    assert!(promises.len() > 50, "{}", promises.len());
}

#[test]
fn a_program_that_is_no_worker_keeps_none_and_that_is_said() {
    let only = "--only=a_hello_comes_first_and_is_whole";
    let (promises, code) = judged(&["worker", "-o", "json", only, "--patience=1s", "--", "true"]);
    assert_eq!(code, Some(1));
    assert_eq!(promises.len(), 1);
    let saw = promises[0]["saw"].as_str().unwrap();
    assert_eq!(saw, "the program has ended, with exit code 0");
    assert_eq!(promises[0]["written"], "docs/protocol.md#4-registration");
}

#[test]
fn our_own_coordinator_keeps_every_promise_over_websocket() {
    let [listen, admin] = [free_address(), free_address()];
    let (url, at) = (format!("ws://{listen}"), format!("--admin-listen={admin}"));
    let listen = format!("--listen={url}");
    let args = ["coordinator", "--store=memory", "--lost-after=90s", &listen, &at];
    let coordinator = Process::start("coordinator", &args);
    coordinator.log().wait("coordinator.started");
    coordinator_keeps_all(&url, &format!("http://{admin}"));
}

#[test]
fn our_own_coordinator_keeps_every_promise_over_quic_to_one_who_has_to_prove_its_name() {
    let home = tempfile::tempdir().unwrap();
    let pki = Pki::new(home.path());
    pki.issue("coordinator");
    pki.issue("judge");
    let file = |name: &str| home.path().join(name).display().to_string();
    let tokens = file("tokens");
    std::fs::write(&tokens, "nobody else knows this\n").unwrap();
    let shows = |who: &str| {
        let cert = ["cert", "key"].map(|what| {
            let end = if what == "cert" { "pem" } else { "key" };
            format!("--tls-{what}={}", file(&format!("{who}.{end}")))
        });
        [cert[0].clone(), cert[1].clone(), format!("--tls-ca={}", file("ca.pem"))]
    };
    let [listen, admin] = [free_address(), free_address()];
    let url = format!("quic://{listen}");
    let mut args =
        vec!["coordinator".to_owned(), "--store=memory".into(), "--lost-after=90s".into()];
    args.extend([format!("--listen={url}"), format!("--admin-listen={admin}")]);
    args.push(format!("--join-token-file={tokens}"));
    args.extend(shows("coordinator"));
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let coordinator = Process::start("coordinator", &args);
    coordinator.log().wait("coordinator.started");
    let mut proof = shows("judge").to_vec();
    proof.extend(["--name=judge".to_owned(), format!("--credential-file={tokens}")]);
    coordinator_keeps(&url, &format!("http://{admin}"), &proof);
}

fn coordinator_keeps_all(url: &str, admin: &str) {
    coordinator_keeps(url, admin, &[]);
}

fn coordinator_keeps(url: &str, admin: &str, proof: &[String]) {
    let mut all = vec!["coordinator", "-o", "json", "--patience=40s", url, "--admin", admin];
    all.extend(proof.iter().map(String::as_str));
    let (promises, code) = judged(&all);
    let broken: Vec<_> = promises.iter().filter(|one| one["verdict"] != "kept").collect();
    assert!(broken.is_empty(), "{broken:#?}");
    assert_eq!(code, Some(0));
    assert!(promises.len() > 40, "{}", promises.len());
}

#[test]
fn our_own_coordinator_keeps_every_promise_of_a_coordinator() {
    let rig = Rig::new("90s");
    let (url, admin) = (format!("grpc://{}", rig.listen), format!("http://{}", rig.admin));
    coordinator_keeps_all(&url, &admin);

    // What needs tasks is told as not judged where none can be handed in, and never as kept.
    let only = "--only=a_task_is_assigned_and_its_result_is_accepted";
    let (promises, code) = judged(&["coordinator", "-o", "json", only, &url]);
    assert_eq!(promises[0]["verdict"], "not_judged", "{promises:?}");
    assert_eq!(promises[0]["why"], "it needs tasks: --admin URL");
    assert_eq!(code, Some(0));
}
