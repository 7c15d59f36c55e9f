//! Every refusal as it is printed.

use super::super::{Given, Key, Level, Role, Sources, Surroundings, examine, load};
use super::RULES;

/// What `config check` says of such a file, and of flags.
fn told(text: &str, roles: &[Role], flags: Given) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("moorline.toml");
    std::fs::write(&file, format!("config_version = 1\n{text}")).unwrap();
    let sources = Sources { file: Some(file), flags };
    let (_, problems) = examine(&sources, &Surroundings::nowhere(), |_| roles.to_vec());
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    told.join("\n").replace(&format!("{}/", directory.path().display()), "")
}

const WORKER: &[Role] = &[Role::Worker];
const COORDINATOR: &[Role] = &[Role::Coordinator];
const BOTH: &[Role] = &[Role::Worker, Role::Coordinator];

/// A worker knows its coordinator here.
const URL: &str = "worker.coordinator = [\"grpc://127.0.0.1:8740\"]\n";

#[test]
fn every_refusal_is_told_as_it_was_reviewed() {
    let cases: &[(&str, &[Role], &str)] = &[
        ("not toml", BOTH, "[worker\nslots = \nname = \"x\n"),
        (
            "unknown keys",
            BOTH,
            "[worker.heartbeat]\nintervall = \"5s\"\n[wroker]\nslots = 1\n[log]\nslots = 2\n[metrics]\nper_task = true\n[coordinator.health]\nlisten = \"8742\"\n[coordinator.admission]\nrate = 0\n",
        ),
        (
            "wrong kinds",
            BOTH,
            "[worker]\nslots = \"4\"\nlabels = {}\nheartbeat = 5\nreconnect.max_delay = 60\nreconnect.first = \"imediate\"\nreconnect.jitter = 2.0\n[coordinator.store]\nurl = \"postgres://x\"\n[log]\nlevel = \"inof\"\n",
        ),
        ("no coordinator", WORKER, ""),
        (
            "worker's texts",
            WORKER,
            "[worker]\ncoordinator = [\"127.0.0.1\", \"smoke://x:1\"]\nname = \"\"\nhandlers = { a = \"echo 'x\" }\n",
        ),
        (
            "worker's transports",
            WORKER,
            "[worker]\ncoordinator = [\"grpc://192.0.2.1:1\", \"192.0.2.1\", \"ws://example.com\"]\nproxy = \"http://me:secret@192.0.2.1:3128\"\ntls.ca = \"gone.pem\"\n",
        ),
        (
            "a proxy with a password",
            WORKER,
            "[worker]\ncoordinator = [\"wss://a\"]\nproxy = \"http://me:secret@192.0.2.1:3128\"\n",
        ),
        (
            "another transport",
            WORKER,
            "[worker]\ntransport = \"quic\"\ncoordinator = [\"quic://a:1\", \"b\", \"wss://c\"]\n",
        ),
        (
            "in the clear, half said",
            BOTH,
            "[worker]\ninsecure = true\ncoordinator = [\"grpc://192.0.2.1:1\"]\n[coordinator]\ninsecure = true\nlisten = [\"ws://0.0.0.0:1\"]\n",
        ),
        (
            "coordinator's transports",
            COORDINATOR,
            "[coordinator]\nlisten = [\"grpc://0.0.0.0:1\", \"quic://127.0.0.1:1\", \"smoke://x:1\"]\n",
        ),
        ("key without certificate", COORDINATOR, "[coordinator]\ntls.key = \"a.key\"\n"),
        ("delays", WORKER, &format!("{URL}[worker.reconnect]\ninitial_delay = \"2m\"\n")),
        ("delay too long", WORKER, &format!("{URL}[worker.reconnect]\nmax_delay = \"8d\"\n")),
        ("multiplier", WORKER, &format!("{URL}[worker.reconnect]\nmultiplier = 0.5\n")),
        ("interval", WORKER, &format!("{URL}[worker.heartbeat]\ninterval = \"1ms\"\n")),
        ("timeout below interval", WORKER, &format!("{URL}[worker.heartbeat]\ntimeout = \"4s\"\n")),
        (
            "timeout of two intervals",
            WORKER,
            &format!("{URL}[worker.heartbeat]\ntimeout = \"10s\"\n"),
        ),
        ("step timeout", WORKER, &format!("{URL}[worker.reconnect]\nconnect_timeout = \"2d\"\n")),
        ("stable after", WORKER, &format!("{URL}[worker.reconnect]\nstable_after = \"10s\"\n")),
        (
            "nothing to give up",
            WORKER,
            &format!("{URL}worker.preset = \"testing\"\nworker.reconnect.max_attempts = 3\n"),
        ),
        (
            "coordinator's addresses",
            COORDINATOR,
            "[coordinator]\nlisten = [\"grpc://127.0.0.1\"]\nadmin.listen = \"0.0.0.0:8741\"\n",
        ),
        (
            "coordinator's other places",
            COORDINATOR,
            "[coordinator]\nadvertise = [\"grpcs://a.example:1\", \"ws://192.0.2.1:1\"]\n",
        ),
        ("certificates only", COORDINATOR, "[coordinator.auth]\ncertificates_only = true\n"),
        (
            "tokens that are not there",
            BOTH,
            &format!(
                "{URL}worker.join_token_file = \"gone\"\n[coordinator.auth]\njoin_token_file = \"gone\"\n"
            ),
        ),
        ("suspect after", COORDINATOR, "[coordinator.liveness]\nsuspect_after = \"20s\"\n"),
        (
            "disconnect after",
            COORDINATOR,
            "[coordinator.liveness]\ndisconnect_after = \"2m\"\nlost_after = \"100s\"\n",
        ),
        (
            "lost after, much too short",
            COORDINATOR,
            "[coordinator.liveness]\nlost_after = \"50ms\"\n",
        ),
        (
            "lost after, too short for any default worker",
            COORDINATOR,
            "[coordinator.liveness]\nlost_after = \"2s\"\n",
        ),
        ("start grace", COORDINATOR, "[coordinator.liveness]\nstart_grace = \"1m\"\n"),
        (
            "one side of both: a warning",
            COORDINATOR,
            "[coordinator.liveness]\nlost_after = \"30s\"\n",
        ),
        (
            "the other side of both",
            WORKER,
            &format!("{URL}[worker.reconnect]\nmax_delay = \"5m\"\n"),
        ),
        (
            "both sides in one file",
            BOTH,
            &format!(
                "{URL}[worker.reconnect]\nmax_delay = \"5m\"\n[coordinator.liveness]\nlost_after = \"2m\"\n"
            ),
        ),
    ];
    let text: Vec<_> = cases
        .iter()
        .map(|(name, roles, file)| format!("== {name}\n{}\n", told(file, roles, Given::new())))
        .collect();
    let text = text.join("\n");
    assert!(!text.contains("secret"), "it may be read by others: {text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_configuration_without_mistakes_is_told_nothing() {
    let file = format!(
        "{URL}[worker.heartbeat]\ninterval = \"200ms\"\ntimeout = \"600ms\"\n\
         [coordinator.liveness]\nlost_after = \"2s\"\nstart_grace = \"2s\"\n\
         [worker.reconnect]\nmax_delay = \"1s\"\nconnect_timeout = \"400ms\"\nregister_timeout = \"400ms\"\n"
    );
    assert_eq!(told(&file, BOTH, Given::new()), "");
    assert_eq!(told(URL, BOTH, Given::new()), "");
}

#[test]
fn no_preset_is_refused() {
    for name in super::super::preset::NAMES {
        let file = format!("{URL}worker.preset = \"{name}\"\n");
        assert_eq!(told(&file, BOTH, Given::new()), "", "{name}");
    }
}

#[test]
fn a_problem_names_the_flag_it_came_from() {
    let flags = [(Key::HeartbeatInterval, vec!["15s".to_owned()])].into();
    let text = told(URL, WORKER, flags);
    assert!(text.contains("worker.heartbeat.interval = \"15s\" (--heartbeat-interval)"), "{text}");
    assert!(text.contains("30s") && text.contains("45s"), "{text}");
}

#[test]
fn every_rule_has_a_code_of_its_own_and_says_what_to_set() {
    let (config, _) = load(&Sources::default(), &Surroundings::nowhere());
    let mut codes: Vec<_> = RULES.iter().map(|rule| rule.code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), RULES.len());
    for rule in RULES {
        assert!(rule.verdict(&config).unwrap().holds, "{}", rule.text);
        let hint = (rule.hint)(std::time::Duration::from_secs(7));
        assert!(hint.contains("set ") && hint.contains(char::is_numeric), "{hint}");
        assert!(rule.level >= Level::Error);
    }
}
