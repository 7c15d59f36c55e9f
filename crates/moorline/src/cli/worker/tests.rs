use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use clap::Parser;

use super::{Args, build, data_dir_below, file_name};
use crate::cli::{Context, logs};
use crate::process::ProcessGroups;
use crate::{Code, Reconnect};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: Args,
}

fn args(line: &[&str]) -> Result<Args, clap::Error> {
    Command::try_parse_from(["worker"].iter().chain(line)).map(|command| command.args)
}

const COORDINATOR: [&str; 2] = ["--coordinator", "grpc://127.0.0.1:8740"];

#[test]
fn a_worker_is_run_without_a_subcommand_and_both_are_not_mixed() {
    let run = args(&COORDINATOR).unwrap();
    assert!(run.command.is_none());
    assert_eq!(run.run.coordinator, ["grpc://127.0.0.1:8740"]);
    assert!(args(&["list"]).unwrap().command.is_some());
    assert!(args(&["get", "gpu-1"]).unwrap().command.is_some());
    for line in [&["--name", "x", "list"][..], &["list", "--slots", "2"], &[], &["--name", "x"]] {
        assert_eq!(args(line).map(|_| ()).unwrap_err().exit_code(), 2, "{line:?}");
    }
}

#[test]
fn the_defaults_are_the_librarys() {
    let run = args(&COORDINATOR).unwrap().run;
    assert_eq!(run.link.reconnect(), Reconnect::forever());
    assert_eq!(run.link.heartbeat_interval, Duration::from_secs(5));
    assert_eq!(run.link.heartbeat_timeout, Duration::from_secs(15));
}

#[test]
fn every_reconnect_flag_is_honoured() {
    use moorline_link::{First, Jitter};
    let line = [
        &COORDINATOR[..],
        &["--reconnect-initial-delay", "5s", "--reconnect-max-delay", "30s"],
        &["--reconnect-multiplier", "1.5", "--reconnect-jitter", "none"],
        &["--reconnect-first", "backoff", "--max-reconnect-attempts", "10"],
    ]
    .concat();
    let expected = Reconnect::attempts(10)
        .initial(Duration::from_secs(5))
        .max(Duration::from_secs(30))
        .multiplier(1.5)
        .jitter(Jitter::None)
        .first(First::Backoff);
    assert_eq!(args(&line).unwrap().run.link.reconnect(), expected);
    let never = [&COORDINATOR[..], &["--no-reconnect"]].concat();
    assert_eq!(args(&never).unwrap().run.link.reconnect(), Reconnect::off());
    let endless = [&COORDINATOR[..], &["--heartbeat-timeout", "580000000000years"]].concat();
    let _no_panic = args(&endless).unwrap().run.link.reconnect();
    let both = [&never[..], &["--max-reconnect-attempts", "3"]].concat();
    assert!(args(&both).is_err());
}

#[tokio::test]
async fn a_worker_is_built_from_its_flags_and_a_bad_command_is_named() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let with = |handler: &str| {
        let line = [&COORDINATOR[..], &["--data-dir", home, "--handler", handler]].concat();
        let context = Context {
            json: false,
            format: crate::cli::global::Format::Table,
            log: logs::LogSettings::default(),
            yes: false,
            no_input: true,
        };
        build(args(&line).unwrap().run, "w".into(), &ProcessGroups::new(), context)
    };
    drop(with("hash=sha256sum -b").unwrap());
    let error = with("hash=echo 'open").unwrap_err();
    assert_eq!(error.code(), Code::SETTING);
    assert!(error.to_string().contains("echo 'open"), "{error}");
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
