use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use clap::Parser;

use moorline_link::Reason;

use super::{Args, Command, build, data_dir_below, file_name, gave_up};
use crate::config::{Config, Key, Sources, Surroundings, load};
use crate::process::ProcessGroups;
use crate::{Code, Error};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn args(line: &[&str]) -> Result<Args, clap::Error> {
    Line::try_parse_from(["worker"].iter().chain(line)).map(|line| line.args)
}

const COORDINATOR: [&str; 2] = ["--coordinator", "grpc://127.0.0.1:8740"];

/// What a worker with these flags runs by.
fn config(line: &[&str]) -> Config {
    let flags = args(&[&COORDINATOR[..], line].concat()).unwrap().run.settings.0;
    let (config, problems) =
        load(&Sources { flags, ..Sources::default() }, &Surroundings::nowhere());
    assert_eq!(problems, []);
    config
}

#[test]
fn a_worker_is_run_with_or_without_the_word_start_and_both_forms_are_not_mixed() {
    let run = args(&COORDINATOR).unwrap();
    assert!(run.command.is_none());
    assert_eq!(run.run.settings.0[&Key::Coordinator], ["grpc://127.0.0.1:8740"]);
    let start = args(&[&["start"], &COORDINATOR[..]].concat()).unwrap();
    let Some(Command::Start(started)) = start.command else { panic!("{start:?}") };
    assert_eq!(started.settings.0, run.run.settings.0);
    assert!(args(&["list"]).unwrap().command.is_some());
    assert!(args(&["get", "gpu-1"]).unwrap().command.is_some());
    for line in [&["--name", "x", "list"][..], &["list", "--slots", "4"], &["--name", "x", "start"]]
    {
        assert_eq!(args(line).map(|_| ()).unwrap_err().exit_code(), 2, "{line:?}");
    }
}

#[test]
fn the_flags_of_other_systems_are_understood() {
    let line = ["--master", "grpc://a:1", "--core-url", "grpc://b:2", "--worker-id", "w"];
    let given = args(&line).unwrap().run.settings.0;
    assert_eq!(given[&Key::Coordinator], ["grpc://a:1", "grpc://b:2"]);
    assert_eq!(given[&Key::Name], ["w"]);
}

#[test]
fn the_defaults_are_the_librarys() {
    let link = config(&[]).worker().link_config().unwrap();
    assert_eq!(link, moorline_link::LinkConfig::default());
}

#[test]
fn every_reconnect_flag_is_honoured() {
    use moorline_link::{Backoff, First, Jitter, Reconnect};
    let line = [
        &["--reconnect-initial-delay", "5s", "--reconnect-max-delay", "30s"][..],
        &["--reconnect-multiplier", "1.5", "--reconnect-jitter", "none"],
        &["--reconnect-first", "backoff", "--max-reconnect-attempts", "10"],
        &["--give-up-after", "1h"],
    ]
    .concat();
    let seconds = Duration::from_secs;
    let backoff =
        Backoff::new(seconds(5), seconds(30), 1_500, Jitter::None, First::Backoff).unwrap();
    let expected = Reconnect::new(backoff).max_attempts(10).give_up_after(Some(seconds(3_600)));
    assert_eq!(config(&line).worker().link_config().unwrap().reconnect, expected);
    let never = config(&["--no-reconnect"]).worker().link_config().unwrap();
    assert_eq!(never.reconnect, Reconnect::default().auto(false));
    let endless = config(&["--heartbeat-timeout", "580000000000years"]);
    assert!(endless.worker().link_config().is_err(), "and no panic");
    let both = [&COORDINATOR[..], &["--no-reconnect", "--max-reconnect-attempts", "3"]].concat();
    assert!(args(&both).is_err());
}

#[tokio::test]
async fn a_worker_is_built_from_its_flags_and_a_bad_command_is_named() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let with = |handler: &str| {
        let config = config(&["--data-dir", home, "--handler", handler]);
        build(&config, "w", &ProcessGroups::new())
    };
    drop(with("hash=sha256sum -b").unwrap());
    let error = with("hash=echo 'open").unwrap_err();
    assert_eq!(error.code(), Code::SETTING);
    assert!(error.to_string().contains("echo 'open"), "{error}");
}

#[test]
fn only_a_worker_that_gave_up_by_itself_may_stay() {
    let ended = |reason| Error::Ended { reason, hint: None };
    assert!(gave_up(&ended(Reason::AttemptsExhausted)));
    assert!(gave_up(&ended(Reason::DeadlineExceeded)));
    for reason in [Reason::Superseded, Reason::NameConflict, Reason::AuthRejected] {
        assert!(!gave_up(&ended(reason)), "{reason}");
    }
}

#[test]
fn a_data_directory_stays_below_the_state_directory_whatever_the_name() {
    let dir = data_dir_below(Path::new("/state"), "gpu-1");
    assert_eq!(dir, Path::new("/state/moorline/worker/gpu-1"));
    let names = ["gpu-1", "gpu-1.b", ".", "..", "../x", "a/b", "a%2Fb", "ä", " ", "~", "a\0"];
    let files: BTreeSet<_> = names.iter().map(|name| file_name(name)).collect();
    assert_eq!(files.len(), names.len(), "different names stay different");
    for file in files {
        assert!(
            !file.contains(['/', '\0']) && !file.starts_with('.') && !file.is_empty(),
            "{file}"
        );
    }
}
