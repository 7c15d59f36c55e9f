use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::{Role, Sources, Surroundings, load};
use super::{Key, Reloaded, Reloader};
use crate::Code;

struct Home {
    _directory: tempfile::TempDir,
    file: PathBuf,
    applied: Arc<Mutex<Vec<Key>>>,
    reloader: Reloader,
}

impl Home {
    /// A worker that runs by this file.
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("moorline.toml");
        std::fs::write(&file, text).unwrap();
        let sources = Sources {
            file: Some(file.clone()),
            flags: [(Key::Coordinator, vec!["grpc://127.0.0.1:1".to_owned()])].into(),
        };
        let (config, problems) = load(&sources, &Surroundings::nowhere());
        assert_eq!(problems, []);
        let applied = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&applied);
        let reloader =
            Reloader::new(Role::Worker, sources, Surroundings::nowhere(), config, move |key, _| {
                told.lock().unwrap().push(key)
            });
        Self { _directory: directory, file, applied, reloader }
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.file, text).unwrap();
    }

    fn applied(&self) -> Vec<Key> {
        std::mem::take(&mut *self.applied.lock().unwrap())
    }
}

#[test]
fn what_can_be_applied_is_and_what_cannot_is_named_until_the_restart() {
    let home = Home::new("config_version = 1\nlog.level = \"warn\"\n");
    assert_eq!(home.reloader.reload(), Ok(Reloaded::default()));
    home.write(
        "config_version = 1\n[worker]\nslots = 8\ndrain_timeout = \"5s\"\n[coordinator]\nlisten = []\n",
    );
    let (applied, restart) = (vec![Key::DrainTimeout, Key::LogLevel], vec![Key::Slots]);
    let first = home.reloader.reload().unwrap();
    assert_eq!(first, Reloaded { applied: applied.clone(), restart: restart.clone() });
    assert_eq!(home.applied(), applied);
    assert_eq!(home.reloader.running().duration(Key::DrainTimeout), Duration::from_secs(5));
    assert_eq!(home.reloader.running().integer(Key::Slots), 1, "it runs with the old one");
    // What was applied has been; what waits still waits.
    let again = home.reloader.reload().unwrap();
    assert_eq!(again, Reloaded { applied: Vec::new(), restart });
    home.write("config_version = 1\n[worker]\ndrain_timeout = \"5s\"\n");
    assert_eq!(home.reloader.reload(), Ok(Reloaded::default()));
}

#[test]
fn a_file_with_an_error_changes_nothing_and_says_why() {
    let home = Home::new("config_version = 1\nlog.level = \"warn\"\n");
    for (broken, code) in [
        ("config_version = 1\nlog.level = \"debug\"\nlog.colour = true\n", Code::UNKNOWN_SETTING),
        ("config_version = 1\nlog.level = \"debug\"\n[worker\n", Code::CONFIG_SYNTAX),
        (
            "config_version = 1\nlog.level = \"debug\"\nworker.heartbeat.interval = \"15s\"\n",
            Code::HEARTBEAT_TIMEOUT,
        ),
    ] {
        home.write(broken);
        let problems = home.reloader.reload().unwrap_err();
        assert_eq!(problems[0].code, code, "{problems:?}");
        assert_eq!(home.reloader.running().text(Key::LogLevel), Some("warn"));
    }
    std::fs::remove_file(&home.file).unwrap();
    assert_eq!(home.reloader.reload().unwrap_err()[0].code, Code::CONFIG_FILE);
    assert_eq!(home.applied(), []);
}

#[test]
fn a_flag_goes_before_the_file_at_every_reload() {
    let home = Home::new("config_version = 1\n");
    home.write("config_version = 1\nworker.coordinator = [\"grpc://127.0.0.1:2\"]\n");
    assert_eq!(home.reloader.reload(), Ok(Reloaded::default()));
}

#[test]
fn every_reloadable_setting_is_one_that_somebody_takes() {
    // Whoever marks a row makes something read it: the logs, or a server that asks `running`.
    let marked: Vec<_> =
        super::SETTINGS.iter().filter(|row| row.reloadable).map(|row| row.path).collect();
    assert_eq!(
        marked,
        [
            "coordinator.advertise",
            "coordinator.store.task_retention",
            "coordinator.store.task_retention_max",
            "coordinator.store.event_retention",
            "coordinator.store.event_retention_max",
            "worker.drain_timeout",
            "worker.reconnect.on_give_up",
            "log.format",
            "log.level",
            "log.repeat_every",
        ]
    );
}
