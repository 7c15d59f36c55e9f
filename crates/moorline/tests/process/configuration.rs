//! Configuration files of running processes: what keeps a server from starting, and what it takes while
//! it runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::process::Signal;
use serde_json::Value;

use crate::rig::{MOORLINE, Process, free_address, until};

/// A command that takes its log level from a file: the one of the rig is set by the environment.
fn moorline(args: &[&str]) -> Output {
    Command::new(MOORLINE).args(args).output().unwrap()
}

fn write(home: &Path, text: &str) -> PathBuf {
    let file = home.join("moorline.toml");
    std::fs::write(&file, format!("config_version = 1\n{text}")).unwrap();
    file
}

/// A coordinator that runs by a file.
struct Home {
    directory: tempfile::TempDir,
    addresses: String,
    admin: String,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (listen, admin) = (free_address(), free_address());
        let addresses = format!(
            "[coordinator]\nlisten = [\"grpc://{listen}\"]\nadmin.listen = \"{admin}\"\n\
             store.url = \"memory\"\n"
        );
        Self { directory, addresses, admin: format!("--server=http://{admin}") }
    }

    fn write(&self, rest: &str) -> String {
        let file = write(self.directory.path(), &format!("{}{rest}", self.addresses));
        format!("--config={}", file.display())
    }

    fn start(&self, rest: &str) -> Process {
        let config = self.write(rest);
        let coordinator =
            Process::start_with_own_log_level("coordinator", &["coordinator", "start", &config]);
        until("the coordinator is ready", || {
            moorline(&["worker", "list", &self.admin]).status.success().then_some(())
        });
        coordinator
    }

    /// What `coordinator reload` says.
    fn reload(&self) -> Output {
        moorline(&["coordinator", "reload", "--json", &self.admin])
    }
}

#[test]
fn a_hangup_lets_a_coordinator_take_what_it_can_and_name_what_it_cannot() {
    let home = Home::new();
    let mut coordinator = home.start("[log]\nlevel = \"warn\"\n");
    assert_eq!(coordinator.log().messages("coordinator.listening"), [""; 0], "it is below warn");
    home.write("[log]\nlevel = \"info\"\n[coordinator.liveness]\nlost_after = \"100s\"\n");
    coordinator.signal(Signal::HUP);
    let applied = coordinator.log().wait("config.applied");
    assert_eq!(applied["setting"], "log.level");
    assert!(applied["msg"].as_str().unwrap().contains("moorline.toml:7"), "{applied}");
    let waiting = coordinator.log().wait("config.needs_restart");
    assert_eq!(waiting["setting"], "coordinator.liveness.lost_after");
    let summary = coordinator.log().wait("config.reloaded");
    assert_eq!((&summary["applied"], &summary["restart"]), (&1.into(), &1.into()));
    // The level is in force, and the same is taken back over the admin API.
    home.write("store.task_retention = \"1d\"\n[log]\nlevel = \"error\"\n");
    let output = home.reload();
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let applied = ["coordinator.store.task_retention", "log.level"];
    assert_eq!(report, serde_json::json!({"applied": applied, "restart": []}));
    coordinator.signal(Signal::TERM);
    assert_eq!(coordinator.ends().code(), Some(0));
    assert_eq!(coordinator.log().messages("shutdown.begin"), [""; 0], "it is below error");
}

#[test]
fn a_coordinator_says_which_file_it_read() {
    let home = Home::new();
    let mut coordinator = home.start("");
    let file = home.directory.path().join("moorline.toml");
    assert_eq!(coordinator.log().wait("config.read")["file"], file.to_str().unwrap());
    coordinator.signal(Signal::TERM);
    assert_eq!(coordinator.ends().code(), Some(0));
}

#[test]
fn a_broken_file_changes_nothing_in_a_running_coordinator_and_says_why() {
    let home = Home::new();
    let mut coordinator = home.start("[log]\nlevel = \"warn\"\n");
    home.write("[log]\nlevel = \"debug\"\ncolour = true\n");
    coordinator.signal(Signal::HUP);
    let refused = coordinator.log().wait("config.refused");
    assert_eq!(refused["code"], "ML1004");
    let output = home.reload();
    assert_eq!(output.status.code(), Some(78));
    let said: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(said["code"], "ML6017");
    assert!(said["error"].as_str().unwrap().contains("log.colour"), "{said}");
    assert_eq!(coordinator.log().messages("config.applied"), [""; 0]);
    coordinator.signal(Signal::TERM);
    assert_eq!(coordinator.ends().code(), Some(0));
    assert_eq!(coordinator.log().messages("shutdown.begin"), [""; 0], "it is still at warn");
}

#[test]
fn an_impossible_configuration_is_refused_by_check_and_by_start_alike() {
    let home = tempfile::tempdir().unwrap();
    let file = write(
        home.path(),
        "[worker]\ncoordinator = [\"grpc://127.0.0.1:1\"]\nheartbeat.timeout = \"6s\"\n\
         [coordinator.liveness]\nsuspect_after = \"1h\"\n",
    );
    let config = format!("--config={}", file.display());
    let code = |args: &[&str]| {
        let output = moorline(&[args, &[&config, "--json"]].concat());
        let (out, err) = (output.stdout, output.stderr);
        let said = String::from_utf8(if out.is_empty() { err } else { out }).unwrap();
        (output.status.code(), said)
    };
    let (status, said) = code(&["config", "check"]);
    assert_eq!(status, Some(78));
    assert!(said.contains("ML1214") && said.contains("ML1220"), "{said}");
    for (args, own, other) in [
        (&["worker"][..], "ML1214", "ML1220"),
        (&["worker", "start"], "ML1214", "ML1220"),
        (&["agent"], "ML1214", "ML1220"),
        (&["coordinator"], "ML1220", "ML1214"),
    ] {
        let (status, said) = code(args);
        assert_eq!(status, Some(78), "{args:?}");
        assert!(said.contains(own) && !said.contains(other), "{args:?}: {said}");
    }
    let (status, said) = code(&["config", "timing"]);
    assert_eq!(status, Some(78), "{said}");
}

#[test]
fn a_hangup_changes_how_often_a_worker_sums_up_the_outage_it_is_in() {
    let home = tempfile::tempdir().unwrap();
    let url = format!("coordinator = [\"grpc://{}\"]", free_address());
    let every = |every: &str| {
        let retry = "reconnect.initial_delay = \"50ms\"\nreconnect.max_delay = \"100ms\"";
        let log = format!("[log]\nrepeat_every = \"{every}\"\n");
        write(home.path(), &format!("[worker]\n{url}\n{retry}\n{log}"))
    };
    let config = format!("--config={}", every("1h").display());
    let data = format!("--data-dir={}", home.path().join("w").display());
    let mut worker = Process::start("worker", &["worker", &config, &data]);
    until("it has tried a few times", || {
        (worker.log().messages("link.attempt_failed").len() >= 5).then_some(())
    });
    assert_eq!(worker.log().messages("link.still_down"), [""; 0]);

    let mark = worker.log().mark();
    every("200ms");
    worker.signal(Signal::HUP);
    let applied = worker.log().wait_from(mark, "config.applied", |_| true);
    assert_eq!(applied["setting"], "log.repeat_every");
    for _ in 0..3 {
        let mark = worker.log().mark();
        worker.log().wait_from(mark, "link.still_down", |_| true);
    }
    worker.signal(Signal::TERM);
    assert_eq!(worker.ends().code(), Some(0));
}

#[test]
fn init_writes_a_file_that_check_accepts_and_overwrites_none() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("moorline.toml").display().to_string();
    let config = format!("--config={file}");
    assert_eq!(moorline(&["config", "init", &file]).status.code(), Some(0));
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(moorline(&["config", "init"]).stdout, written.as_bytes());
    assert_eq!(moorline(&["config", "check", &config]).status.code(), Some(0));
    let again = moorline(&["config", "init", &file]);
    assert_eq!(again.status.code(), Some(78));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), written);
    let shown = Command::new(MOORLINE)
        .args(["config", "show", "--origin", &config])
        .env("MOORLINE_WORKER_SLOTS", "7")
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let line = |setting: &str| {
        let line = shown.lines().find(|line| line.starts_with(setting)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line("worker.slots"), ["worker.slots", "7", "MOORLINE_WORKER_SLOTS"]);
    assert_eq!(line("log.level"), ["log.level", "\"info\"", "default"]);
}

#[test]
fn a_worker_that_gave_up_ends_or_stays_as_it_is_told() {
    let home = tempfile::tempdir().unwrap();
    let data = format!("--data-dir={}", home.path().join("w").display());
    let url = format!("--coordinator=grpc://{}", free_address());
    let flags = [
        "worker",
        &url,
        &data,
        "--max-reconnect-attempts=2",
        "--reconnect-initial-delay=10ms",
        "--reconnect-first=immediate",
    ];
    let mut exits = Process::start("exits", &flags);
    assert_eq!(exits.ends().code(), Some(69));
    let mut stays = Process::start("stays", &[&flags[..], &["--on-give-up=stay"]].concat());
    let line = stays.log().wait("worker.stays");
    assert_eq!(line["code"], "ML3901");
    assert!(stays.is_running());
    stays.signal(Signal::TERM);
    assert_eq!(stays.ends().code(), Some(0));
}
