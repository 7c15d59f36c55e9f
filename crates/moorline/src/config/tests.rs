use std::path::{Path, PathBuf};
use std::time::Duration;

use super::value::Kind;
use super::{Key, Origin, SETTINGS, Sources, Surroundings, load};
use crate::Code;

/// Three values of a kind, none of them standard, as the environment writes them.
fn samples(key: Key) -> [&'static str; 3] {
    match key.setting().kind {
        Kind::Bool => ["false", "true", "false"],
        Kind::Integer { .. } => ["3", "5", "7"],
        Kind::Factor => ["3", "4", "5.5"],
        Kind::Duration { .. } => ["11s", "12s", "13s"],
        Kind::Size { .. } => ["17MiB", "1GiB", "500MB"],
        Kind::Choice(words) => [words[0], words[1], words[0]],
        Kind::Jitter => ["none", "0.3", "equal"],
        Kind::Rate => ["50", "measured", "70"],
        Kind::List => ["grpc://a:1", "grpc://b:2,grpc://c:3", "grpc://d:4"],
        Kind::Map => ["a=x", "b=y z", "c=w"],
        Kind::Text(_) if key == Key::Store => ["memory", "sqlite:a.db", "sqlite:b.db"],
        Kind::Text(_) if [Key::WorkerHealth, Key::CoordinatorHealth].contains(&key) => {
            ["127.0.0.1:1", "127.0.0.1:2", "[::1]:3"]
        }
        Kind::Text(_) if key == Key::LogLevel => ["warn", "debug", "trace"],
        Kind::Text(_) => ["a", "b", "c"],
    }
}

struct Home {
    directory: tempfile::TempDir,
    surroundings: Surroundings,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name| directory.path().join(name);
        let (local, system) = (at("local.toml"), at("system.toml"));
        let surroundings = Surroundings { variables: Vec::new(), local, system };
        Self { directory, surroundings }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn file_with(key: Key, text: &str) -> String {
    let row = key.setting();
    let value = row.kind.parse(text).unwrap();
    format!("config_version = 1\n{} = {}\n", row.path, value.toml())
}

#[test]
fn a_flag_goes_before_a_variable_a_variable_before_the_file_and_the_file_before_the_default() {
    let mut home = Home::new();
    for row in SETTINGS {
        let [in_flag, in_variable, in_file] = samples(row.key);
        for sources in 0..8 {
            let (flag, variable, file) = (sources & 1 != 0, sources & 2 != 0, sources & 4 != 0);
            // One that only confirms what others say has no value of its own.
            if flag && row.flag.is_none_or(|flag| flag.confirms) {
                continue;
            }
            home.surroundings.variables =
                if variable { vec![(row.variable(), in_variable.to_owned())] } else { Vec::new() };
            let text = if file { file_with(row.key, in_file) } else { String::new() };
            home.write("local.toml", &text);
            let mut given = Sources::default();
            if flag {
                let parts: Vec<_> = in_flag.split(',').map(str::to_owned).collect();
                given.flags.insert(row.key, parts);
            }
            let (config, problems) = load(&given, &home.surroundings);
            assert_eq!(problems, [], "{}", row.path);
            let read = |text| Some(row.kind.parse(text).unwrap());
            let (value, kind) = match (flag, variable, file) {
                (true, _, _) => (read(in_flag), "flag"),
                (false, true, _) => (read(in_variable), "environment"),
                (false, false, true) => (read(in_file), "file"),
                (false, false, false) => (row.standard_value(), "default"),
            };
            assert_eq!(config.get(row.key), value.as_ref(), "{} by {sources:03b}", row.path);
            assert_eq!(config.origin(row.key).kind(), kind, "{} by {sources:03b}", row.path);
        }
    }
}

#[test]
fn a_preset_lies_between_the_file_and_the_defaults_wherever_it_was_named() {
    let mut home = Home::new();
    home.write("local.toml", "config_version = 1\n[worker.heartbeat]\ninterval = \"4s\"\n");
    let named = Sources { flags: [(Key::Preset, vec!["edge".into()])].into(), file: None };
    let (config, _) = load(&named, &home.surroundings);
    assert_eq!(config.time(Key::HeartbeatInterval).unwrap().as_secs(), 4);
    assert_eq!(config.time(Key::HeartbeatTimeout).unwrap().as_secs(), 10);
    assert_eq!(config.origin(Key::HeartbeatTimeout), Origin::Preset("edge".into()));
    assert_eq!(config.origin(Key::Multiplier), Origin::Standard);
    home.surroundings.variables = vec![("MOORLINE_WORKER_PRESET".into(), "agent".into())];
    let (config, _) = load(&Sources::default(), &home.surroundings);
    assert_eq!(config.text(Key::Jitter), Some("none"));
    assert_eq!(config.time(Key::HeartbeatTimeout).unwrap().as_secs(), 15);
}

#[test]
fn a_preset_of_the_configuration_is_the_librarys() {
    for &preset in crate::Preset::ALL {
        let flags = [(Key::Preset, vec![preset.name().to_owned()])].into();
        let (config, problems) = load(&Sources { flags, file: None }, &Surroundings::nowhere());
        assert_eq!(problems, []);
        let library = crate::Worker::builder("grpc://127.0.0.1:1").preset(preset);
        let link = config.worker().link_config().unwrap();
        assert_eq!(link, library.link_config().unwrap(), "{preset}");
    }
}

#[test]
fn one_file_is_read_the_named_one_before_the_variables_before_the_local_before_the_systems() {
    let mut home = Home::new();
    let slots = |home: &Home, file: Option<&Path>| {
        let sources = Sources { file: file.map(Path::to_owned), ..Sources::default() };
        let (config, problems) = load(&sources, &home.surroundings);
        (config.integer(Key::Slots), problems.first().map(|problem| problem.code))
    };
    let text = |slots| format!("config_version = 1\nworker.slots = {slots}\n");
    assert_eq!(slots(&home, None), (1, None), "no file at all is no problem");
    home.write("system.toml", &text(2));
    assert_eq!(slots(&home, None), (2, None));
    home.write("local.toml", &text(3));
    assert_eq!(slots(&home, None), (3, None));
    let variable = home.write("variable.toml", &text(4));
    home.surroundings.variables = vec![("MOORLINE_CONFIG".into(), variable.display().to_string())];
    assert_eq!(slots(&home, None), (4, None));
    let named = home.write("named.toml", &text(5));
    assert_eq!(slots(&home, Some(&named)), (5, None));
    std::fs::remove_file(&named).unwrap();
    assert_eq!(
        slots(&home, Some(&named)),
        (1, Some(Code::CONFIG_FILE)),
        "a named one has to be there"
    );
    std::fs::remove_file(&variable).unwrap();
    assert_eq!(slots(&home, None), (1, Some(Code::CONFIG_FILE)));
}

#[test]
fn the_defaults_are_the_librarys() {
    let (config, problems) = load(&Sources::default(), &Surroundings::nowhere());
    assert_eq!(problems, []);
    let link = config.worker().link_config().unwrap();
    assert_eq!(link, moorline_link::LinkConfig::default());
    let given = format!("{:?}", config.coordinator().listen("x"));
    let standard = crate::Coordinator::builder()
        .store("sqlite:moorline.db".parse().unwrap())
        .admin("127.0.0.1:8741")
        .listen("grpc://127.0.0.1:8740")
        .listen("ws://127.0.0.1:8743")
        .listen("x");
    assert_eq!(given, format!("{standard:?}"));
}

#[test]
fn every_value_of_the_file_reaches_the_builder_of_its_role() {
    // What a builder holds is in its debug form or in what it parses: a row that nobody reads, or
    // that is read into the wrong place, leaves all of it as it was.
    let home = Home::new();
    let shape = |text: &str| {
        home.write("local.toml", text);
        let (config, problems) = load(&Sources::default(), &home.surroundings);
        assert_eq!(problems, []);
        let (worker, coordinator) = (config.worker(), config.coordinator());
        let logs = (config.text(Key::LogFormat), config.text(Key::LogLevel));
        format!("{worker:?} {:?} {coordinator:?} {logs:?}", worker.link_config())
    };
    // Read by the command itself: they are no part of what a builder holds, or not shown by it.
    let mut by_the_command = vec![Key::DataDir, Key::Handlers, Key::OnGiveUp];
    // Nothing without their flag: see the test below.
    by_the_command.extend([Key::WorkerInsecure, Key::CoordinatorInsecure]);
    let before = shape("");
    for row in SETTINGS.iter().filter(|row| !by_the_command.contains(&row.key)) {
        let samples = samples(row.key);
        let values = samples.map(|text| row.kind.parse(text).unwrap());
        let other = values.iter().position(|value| Some(value) != row.standard_value().as_ref());
        let text = if row.key == Key::Preset { "edge" } else { samples[other.unwrap()] };
        assert_ne!(shape(&file_with(row.key, text)), before, "{} does nothing", row.path);
    }
}

#[test]
fn other_machines_are_reached_without_tls_only_if_both_the_configuration_and_a_flag_say_so() {
    let home = Home::new();
    for (key, role) in [(Key::WorkerInsecure, "worker"), (Key::CoordinatorInsecure, "coordinator")]
    {
        for (in_file, by_flag) in [(false, false), (false, true), (true, false), (true, true)] {
            home.write("local.toml", &format!("config_version = 1\n{role}.insecure = {in_file}\n"));
            let flags = if by_flag { [(key, Vec::new())].into() } else { Default::default() };
            let sources = Sources { flags, file: None };
            let (config, problems) = load(&sources, &home.surroundings);
            assert_eq!(problems, []);
            assert_eq!(config.is_confirmed(key), in_file && by_flag, "{role}");
            let built = format!("{:?} {:?}", config.worker(), config.coordinator());
            assert_eq!(built.contains("is_insecure: true"), in_file && by_flag, "{role}");
        }
    }
}

#[test]
fn without_a_word_a_coordinator_listens_by_all_transports_that_need_no_more_than_there_is() {
    let home = Home::new();
    let listens = |text: &str| {
        home.write("local.toml", &format!("config_version = 1\n{text}"));
        let (config, problems) = load(&Sources::default(), &home.surroundings);
        assert_eq!(problems, []);
        let built = format!("{:?}", config.coordinator());
        let listen = built.split("listen: [").nth(1).unwrap().split(']').next().unwrap();
        listen.replace('"', "")
    };
    assert_eq!(listens(""), "grpc://127.0.0.1:8740, ws://127.0.0.1:8743");
    assert_eq!(
        listens("coordinator.tls.cert = \"a.pem\"\n"),
        "grpcs://127.0.0.1:8740, quic://127.0.0.1:8740, wss://127.0.0.1:8743"
    );
    assert_eq!(listens("coordinator.listen = [\"quic://127.0.0.1:1\"]\n"), "quic://127.0.0.1:1");
    assert_eq!(listens("coordinator.listen = []\n"), "", "nowhere, if somebody wants that");
}

#[test]
fn what_is_written_of_links_and_of_admission_reaches_the_machines() {
    let home = Home::new();
    let file = home.write(
        "all.toml",
        "config_version = 1\n\
         [coordinator.admission]\nmax_handshakes = 9\n\
         [coordinator.flapping]\nlosses = 4\nwindow = \"2m\"\n\
         [worker]\ncoordinator = [\"grpc://127.0.0.1:8740\"]\npreset = \"edge\"\n\
         [worker.reconnect]\nmax_first_window = \"20s\"\n\
         [worker.quality]\nmax_round_trip = \"300ms\"\n",
    );
    let sources = Sources { file: Some(file), ..Sources::default() };
    let (config, problems) = load(&sources, &home.surroundings);
    assert_eq!(problems, []);
    let hub = *config.coordinator().hub_config().unwrap().settings();
    assert_eq!((hub.max_handshakes.get(), hub.flap_losses.get()), (9, 4));
    assert_eq!(hub.flap_window, Duration::from_secs(120));
    let link = config.worker().link_config().unwrap();
    let quality = moorline_link::Quality::new(800_000, Duration::from_millis(300)).unwrap();
    assert_eq!(link.quality, quality, "the preset's stability and the file's round trip");
    let backoff = *link.reconnect.backoff();
    let expected = moorline_link::Reconnect::new(backoff).max_first_window(Duration::from_secs(20));
    assert_eq!(link.reconnect, expected);
}

#[test]
fn what_is_written_of_places_and_of_who_is_let_in_reaches_the_builders() {
    let home = Home::new();
    let built = |text: &str| {
        home.write("local.toml", &format!("config_version = 1\n{text}"));
        let (config, problems) = load(&Sources::default(), &home.surroundings);
        assert_eq!(problems, []);
        format!("{:?} {:?}", config.worker(), config.coordinator())
    };
    let plain = built("");
    for (text, shown) in [
        ("worker.endpoint_order = \"shuffled\"\n", "shuffles: true"),
        ("coordinator.advertise = [\"a:1\", \"b:2\"]\n", "advertise: [\"a:1\", \"b:2\"]"),
        ("coordinator.auth.certificates_only = true\n", "wants_certificates: true"),
        ("coordinator.auth.join_token_file = \"x\"\n", "authenticator: Some(AskApplicants)"),
    ] {
        assert!(!plain.contains(shown), "{shown}");
        assert!(built(text).contains(shown), "{text}");
    }
}
