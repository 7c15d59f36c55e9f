//! Who is let in: by a token from a file, by a certificate.

use std::path::PathBuf;

use serde_json::Value;

use crate::exits::ends;
use crate::rig::{Process, Rig, STEADY};
use crate::wire;

const OLD: &str = "the-token-that-was-good-before";
const NEW: &str = "the-token-that-is-good-now";

/// A file in the home of a rig, for its owner alone.
fn write(rig: &Rig, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = rig.home.path().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn refused(worker: &Process) -> Value {
    worker.log().wait("link.attempt_failed")["reason"].clone()
}

#[test]
fn a_token_from_a_file_lets_a_worker_in_and_counts_from_the_next_attempt_on_when_it_is_replaced() {
    let secrets = tempfile::tempdir().unwrap();
    let taken = secrets.path().join("taken");
    std::fs::write(&taken, format!("# of all workers\n{OLD}\n")).unwrap();
    let rig = Rig::flagged("60s", &[&format!("--join-token-file={}", taken.display())]);
    // Everybody may read it: that is said.
    let warned = rig.coordinator.log().wait("config.warning");
    assert_eq!(warned["code"], "ML1226", "{warned}");
    let flag = |path: &PathBuf| format!("--join-token-file={}", path.display());

    let own = write(&rig, "own", &format!("{OLD}\n"));
    let worker = rig.worker("w1", &[STEADY, &[&flag(&own)]].concat());
    rig.until_worker("w1", "active");
    assert_eq!(worker.log().messages("config.warning"), [""; 0]);

    std::fs::write(&taken, NEW).unwrap();
    std::fs::write(&own, NEW).unwrap();
    assert_eq!(rig.seen("w1")["state"], "active", "who is in stays");
    let mark = worker.log().mark();
    rig.run(&["worker", "disconnect", "w1"]);
    worker.log().wait_from(mark, "link.restored", |_| true);
    rig.until_worker("w1", "active");

    let old = write(&rig, "old", OLD);
    let late = rig.worker("late", &[STEADY, &[&flag(&old)]].concat());
    assert_eq!(refused(&late), "auth_rejected");
    let without = rig.worker("without", STEADY);
    assert_eq!(refused(&without), "auth_missing");
    for line in [late.log().lines(), rig.coordinator.log().lines()].concat() {
        assert!(!line.to_string().contains("that-was-good"), "a token was logged: {line}");
    }
}

#[test]
fn a_worker_whose_token_is_not_there_yet_comes_when_it_is() {
    let rig = Rig::new("60s");
    let missing = rig.home.path().join("later");
    let worker = rig
        .worker("w1", &[STEADY, &[&format!("--join-token-file={}", missing.display())]].concat());
    assert_eq!(worker.log().wait("config.warning")["code"], "ML1225");
    assert_eq!(refused(&worker), "credential_failed");
    let said = worker.log().wait("link.no_credential")["msg"].as_str().unwrap().to_owned();
    assert!(said.contains("later: "), "{said}");
    assert_eq!(rig.seen("w1"), Value::Null);
    write(&rig, "later", NEW);
    rig.until_worker("w1", "active");
}

#[test]
fn where_certificates_alone_count_nobody_comes_in_without_one() {
    let pki = wire::pki();
    let file = |flag: &str, name: &str| format!("--tls-{flag}={}", pki.path(name).display());
    let (cert, key) = (file("cert", "coordinator.pem"), file("key", "coordinator.key"));
    let (ca, only) = (file("ca", "ca.pem"), "--certificates-only".to_owned());
    let rig = Rig::flagged("60s", &[&cert, &key, &ca, &only]);
    let without = rig.worker("without", STEADY);
    let why = if wire::is_encrypted() { "tls_failed" } else { "auth_missing" };
    assert_eq!(refused(&without), why);
    assert_eq!(rig.seen("without"), Value::Null);
    if wire::is_encrypted() {
        pki.issue("certified");
        let own = [file("cert", "certified.pem"), file("key", "certified.key")];
        let flags: Vec<_> = own.iter().map(String::as_str).collect();
        let _worker = rig.worker("certified", &[STEADY, &flags].concat());
        rig.until_worker("certified", "active");
    }
}

#[test]
fn what_would_let_nobody_in_or_send_nobody_anywhere_is_refused_at_the_start() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let coordinator = [
        "coordinator",
        "--store=memory",
        "--listen=grpc://127.0.0.1:0",
        "--admin-listen=127.0.0.1:0",
    ];
    let with = |flag: &'static str, code: &str, why: &str| {
        let said = ends(home, &[&coordinator[..], &[flag]].concat(), 78, code);
        assert!(said.contains(why), "{flag}: {said}");
    };
    std::fs::write(home.join("short"), "guessable\n").unwrap();
    with("--join-token-file=gone", "ML1225", "cannot read gone");
    with("--join-token-file=short", "ML1225", "short, line 1: a token has 16 to 8192 bytes");
    with("--certificates-only", "ML1227", "no authority says which are good");
    with("--advertise=grpc://192.0.2.7:8740", "ML1219", "it is not encrypted");
    with("--advertise=wss://169.254.169.254", "ML1219", "nobody can be reached there");
    with("--advertise=nonsense:x", "ML1219", "has no valid port");
}
