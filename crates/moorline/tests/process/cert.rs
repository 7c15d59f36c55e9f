//! `moorline cert` as people and timers use it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::rig::MOORLINE;

/// Runs `moorline cert` in a directory.
fn cert(home: &Path, args: &[&str]) -> Output {
    Command::new(MOORLINE).arg("cert").args(args).current_dir(home).output().unwrap()
}

/// The same, and what it prints as JSON; it has to end with this code.
fn printed(home: &Path, code: i32, args: &[&str]) -> Value {
    let output = cert(home, &[args, &["--json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What it says when it fails, with this exit code and this code of moorline's.
fn refused(home: &Path, exit: i32, code: &str, args: &[&str]) -> Value {
    let output = cert(home, &[args, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(exit), "{args:?}");
    assert!(output.stdout.is_empty(), "{args:?}");
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["code"], code, "{error}");
    assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{error}");
    error
}

#[test]
fn a_private_authority_from_its_beginning_to_a_renewal() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let made = printed(home, 0, &["init", "--name", "the lab"]);
    assert_eq!((&made["subject"], &made["for"]), (&"the lab".into(), &"authority".into()));
    assert_eq!(
        (&made["cert"], &made["key"]),
        (&"moorline-ca/ca.pem".into(), &"moorline-ca/ca.key".into())
    );

    let worker = printed(home, 0, &["issue", "gpu-1", "--days", "40"]);
    assert_eq!((&worker["subject"], &worker["issuer"]), (&"gpu-1".into(), &"the lab".into()));
    assert_eq!((&worker["for"], &worker["cert"]), (&"client".into(), &"./gpu-1.pem".into()));
    // Whole ones: a second later there is one less.
    let days = |of: &Value| of["days_left"].as_i64().unwrap();
    assert!((39..=40).contains(&days(&worker)));
    let san = ["--coordinator", "--san", "localhost", "--san", "10.0.0.5"];
    let server = printed(home, 0, &[&["issue", "coordinator"][..], &san].concat());
    assert_eq!(server["names"], serde_json::json!(["localhost", "10.0.0.5"]));
    assert_eq!(server["for"], "server");

    let shown = printed(home, 0, &["show", "gpu-1.pem"]);
    assert_eq!((&shown[0]["sha256"], &shown[0]["serial"]), (&worker["sha256"], &worker["serial"]));
    printed(home, 3, &["show", "gpu-1.pem", "--within", "60"]);
    let people = cert(home, &["show", "coordinator.pem"]);
    let text = String::from_utf8(people.stdout).unwrap();
    for line in ["subject  coordinator", "names    localhost, 10.0.0.5", "for      server"] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }

    // A timer asks every day; only near its end is it renewed.
    let before = std::fs::read(home.join("gpu-1.pem")).unwrap();
    let early = cert(home, &["renew", "gpu-1", "--within", "30"]);
    assert_eq!(early.status.code(), Some(0));
    assert_eq!(std::fs::read(home.join("gpu-1.pem")).unwrap(), before);
    let key = std::fs::read(home.join("gpu-1.key")).unwrap();
    let renewed = printed(home, 0, &["renew", "gpu-1", "--within", "60", "--days", "90"]);
    assert_eq!(renewed["subject"], "gpu-1");
    assert!((89..=90).contains(&days(&renewed)));
    assert_ne!(renewed["serial"], worker["serial"]);
    assert_eq!(std::fs::read(home.join("gpu-1.key")).unwrap(), key, "the key stays");
    let renewed = printed(home, 0, &["renew", "coordinator.pem", "--new-key"]);
    assert_eq!(renewed["names"], server["names"]);
    assert!((364..=365).contains(&days(&renewed)), "as long as before");
    let entries = std::fs::read_dir(home).unwrap().count();
    assert_eq!(entries, 5, "an authority, two certificates, two keys, and nothing else");
}

#[test]
fn what_cannot_be_done_is_said_with_a_code_and_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    refused(home, 4, "ML1412", &["issue", "gpu-1"]);
    printed(home, 0, &["init"]);
    let key = std::fs::read(home.join("moorline-ca/ca.key")).unwrap();
    refused(home, 5, "ML1411", &["init"]);
    assert_eq!(std::fs::read(home.join("moorline-ca/ca.key")).unwrap(), key);
    printed(home, 0, &["issue", "gpu-1"]);
    refused(home, 5, "ML1414", &["issue", "gpu-1"]);
    refused(home, 65, "ML1413", &["show", "nowhere.pem"]);
    refused(home, 65, "ML1413", &["show", "gpu-1.key"]);
    refused(home, 65, "ML1413", &["renew", "gpu-2"]);
    let ca = std::fs::read(home.join("moorline-ca/ca.pem")).unwrap();
    refused(home, 65, "ML1413", &["renew", "moorline-ca/ca.pem"]);
    assert_eq!(
        std::fs::read(home.join("moorline-ca/ca.pem")).unwrap(),
        ca,
        "it would be no authority"
    );
    std::fs::write(home.join("damaged.pem"), "-----BEGIN CERTIFICATE-----\nMIIB\n").unwrap();
    let error = refused(home, 65, "ML1413", &["show", "damaged.pem"]);
    assert!(error["error"].as_str().unwrap().contains("damaged.pem"), "{error}");
    printed(home, 0, &["init", "--dir", "other"]);
    refused(home, 5, "ML1415", &["renew", "gpu-1", "--dir", "other"]);
    std::fs::write(home.join("moorline-ca/ca.key"), "no key").unwrap();
    refused(home, 65, "ML1413", &["issue", "gpu-3"]);
    refused(home, 74, "ML1303", &["issue", "gpu-3", "--dir", "other", "--out", "nowhere"]);

    let long = "n".repeat(65);
    for usage in [
        &["issue", long.as_str()][..],
        &["issue", ""],
        &["issue", "a", "--coordinator"],
        &["issue", "a", "--san", "localhost"],
        &["issue", "a", "--coordinator", "--san", "not a name"],
        &["issue", "a", "--days", "0"],
    ] {
        let output = cert(home, usage);
        assert_eq!(output.status.code(), Some(2), "{usage:?}");
    }
    let said = String::from_utf8(cert(home, &["issue", long.as_str()]).stderr).unwrap();
    assert!(said.contains("at most 64"), "{said}");
}

#[test]
fn a_certificate_that_has_expired_is_shown_with_exit_code_3() {
    let home = tempfile::tempdir().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let expired = params.self_signed(&key).unwrap().pem();
    std::fs::write(home.path().join("old.pem"), &expired).unwrap();
    let shown = printed(home.path(), 3, &["show", "old.pem"]);
    assert_eq!(shown[0]["until"], "2002-01-01T00:00:00Z");
    assert!(shown[0]["days_left"].as_i64().unwrap() < -7_000);
    let text = String::from_utf8(cert(home.path(), &["show", "old.pem"]).stdout).unwrap();
    assert!(text.contains("(expired "), "{text}");
}
