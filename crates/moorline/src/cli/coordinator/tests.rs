use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline_memory::MemoryTransport;

use super::*;
use crate::config::load;
use crate::test_rig;

#[tokio::test]
async fn a_reload_changes_how_often_a_running_coordinator_sums_up() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("moorline.toml");
    let write = |every: &str| {
        let text = format!("config_version = 1\nlog.repeat_every = \"{every}\"\n");
        std::fs::write(&file, text).unwrap();
    };
    write("45s");
    let sources = Sources { file: Some(file.clone()), ..Sources::default() };
    let (config, problems) = load(&sources, &Surroundings::nowhere());
    assert_eq!(problems, []);
    let (coordinator, _client) = test_rig::coordinator(&MemoryTransport::new()).await;
    let driver = coordinator.driver().clone();
    take(&driver, &config);
    assert_eq!(driver.summarises_every(), Duration::from_secs(45));

    let (of_reload, seen) = (driver.clone(), Arc::new(Mutex::new(Vec::new())));
    let told = Arc::clone(&seen);
    let reloader = Reloader::new(
        Role::Coordinator,
        sources,
        Surroundings::nowhere(),
        config,
        move |key, config| {
            told.lock().unwrap().push(key);
            take(&of_reload, config);
        },
    );
    write("7s");
    let reloaded = reloader.reload().unwrap();
    assert_eq!((reloaded.applied, reloaded.restart), (vec![Key::LogRepeatEvery], vec![]));
    assert_eq!(*seen.lock().unwrap(), [Key::LogRepeatEvery]);
    assert_eq!(driver.summarises_every(), Duration::from_secs(7));
    coordinator.stop().await;
}
