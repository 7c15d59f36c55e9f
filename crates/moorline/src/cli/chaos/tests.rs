use std::num::NonZeroU64;
use std::time::Duration;

use moorline_chaos::{Change, Event, Fate, Faults, Id, Kind, Origin, Patch, Share, Step, Ways};

use super::change::{self, Terms, Verb};
use super::values::{
    Listen, bandwidth, bandwidth_text, latency, listen, loopback, share, share_text, target,
    time_text,
};
use super::{report, script};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn ppm(ppm: u32) -> Share {
    Share::from_ppm(ppm).unwrap()
}

#[test]
fn shares_are_read_as_people_write_them_and_written_as_they_are_read() {
    for (text, wanted) in [
        ("1%", 10_000),
        ("0.5%", 5_000),
        ("100%", 1_000_000),
        ("0%", 0),
        ("0.01", 10_000),
        ("1", 1_000_000),
        ("0", 0),
        ("0.0001%", 1),
    ] {
        assert_eq!(share(text), Ok(ppm(wanted)), "{text}");
        assert_eq!(share(&share_text(ppm(wanted))), Ok(ppm(wanted)), "{text}");
    }
    for text in ["", "%", "101%", "1.1", "-1%", "1 %", "inf", "NaN", "1e-2", "+1%", "one", "1%%"] {
        assert!(share(text).is_err(), "{text}");
    }
}

#[test]
fn bandwidths_are_bytes_in_a_second_with_a_unit() {
    for (text, wanted) in [
        ("1MiB", 1 << 20),
        ("1MiB/s", 1 << 20),
        ("500kB/s", 500_000),
        ("7B", 7),
        ("2GB", 2_000_000_000),
    ] {
        let wanted = NonZeroU64::new(wanted);
        assert_eq!(bandwidth(text), Ok(wanted), "{text}");
        assert_eq!(bandwidth(&bandwidth_text(wanted)), Ok(wanted), "{text}");
    }
    assert_eq!(bandwidth("none"), Ok(None));
    assert_eq!(bandwidth(&bandwidth_text(None)), Ok(None));
    for text in ["", "1", "MiB", "1.5MiB", "1 MiB", "-1B", "1mb", "0B", "99999999999GiB", "1MiB/m"]
    {
        assert!(bandwidth(text).is_err(), "{text}");
    }
}

#[test]
fn latencies_have_a_unit_and_are_an_hour_at_most() {
    assert_eq!(latency("50ms"), Ok(ms(50)));
    assert_eq!(latency("1h"), Ok(Duration::from_secs(3_600)));
    assert!(latency("61m").is_err() && latency("50").is_err());
    for time in [ms(0), ms(50), ms(90_500), Duration::from_nanos(1_500)] {
        assert_eq!(latency(&time_text(time)), Ok(time));
    }
}

#[test]
fn addresses_are_what_they_are_for() {
    let address = "127.0.0.1:9000".parse().unwrap();
    assert_eq!(listen("127.0.0.1:9000"), Ok(Listen::Tcp(address)));
    assert_eq!(listen("tcp://127.0.0.1:9000"), Ok(Listen::Tcp(address)));
    assert_eq!(listen("udp://127.0.0.1:9000"), Ok(Listen::Udp(address)));
    for text in ["grpc://127.0.0.1:9000", "127.0.0.1", "localhost:9000", ""] {
        assert!(listen(text).is_err(), "{text}");
    }
    for text in ["127.0.0.1:8740", "coordinator.example.com:1", "[::1]:8740"] {
        assert_eq!(target(text).as_deref(), Ok(text));
    }
    for text in [
        "grpc://127.0.0.1:8740",
        "host",
        "host:",
        ":1",
        "host:0",
        "host:65536",
        "::1:8740",
        "a b:1",
    ] {
        assert!(target(text).is_err(), "{text}");
    }
    assert!(loopback("127.0.0.1:0").is_ok() && loopback("[::1]:9001").is_ok());
    assert!(loopback("0.0.0.0:9001").is_err() && loopback("192.0.2.1:9001").is_err());
}

#[test]
fn a_request_says_what_to_do_and_everything_else_is_refused() {
    let asked = |verb, text: &str| -> Result<Change, String> {
        let terms: Terms = serde_json::from_str(text).map_err(|error| error.to_string())?;
        terms.change(verb)
    };
    let patch = Patch { latency: Some(ms(200)), loss: Some(ppm(10_000)), ..Patch::default() };
    let set = r#"{"way": "back", "latency": "200ms", "loss": 0.01}"#;
    assert_eq!(asked(Verb::Set, set), Ok(Change::Set { ways: Ways::Back, patch }));
    let unlimited = Patch { bandwidth: Some(None), ..Patch::default() };
    assert_eq!(
        asked(Verb::Set, r#"{"bandwidth": "none"}"#),
        Ok(Change::Set { ways: Ways::Both, patch: unlimited })
    );
    assert_eq!(asked(Verb::Cut, "{}"), Ok(Change::Cut));
    assert_eq!(asked(Verb::Reset, "{}"), Ok(Change::Reset));
    assert_eq!(asked(Verb::Heal, "{}"), Ok(Change::Heal));
    assert_eq!(asked(Verb::HalfOpen, "{}"), Ok(Change::Silence(Ways::Both)));
    assert_eq!(asked(Verb::OneWay, r#"{"way": "back"}"#), Ok(Change::Silence(Ways::Back)));
    for (verb, text) in [
        (Verb::Set, "{}"),
        (Verb::Set, r#"{"way": "back"}"#),
        (Verb::Set, r#"{"latency": 5}"#),
        (Verb::Set, r#"{"latency": null}"#),
        (Verb::Set, r#"{"loss": 1.5}"#),
        (Verb::Set, r#"{"loss": -1}"#),
        (Verb::Set, r#"{"loss": 2}"#),
        (Verb::Set, r#"{"lateness": "5ms"}"#),
        (Verb::Cut, r#"{"latency": "5ms"}"#),
        (Verb::Cut, r#"{"way": "both"}"#),
        (Verb::HalfOpen, r#"{"way": "back"}"#),
        (Verb::OneWay, "{}"),
        (Verb::OneWay, r#"{"way": "both"}"#),
        (Verb::OneWay, r#"{"way": "sideways"}"#),
    ] {
        assert!(asked(verb, text).is_err(), "{verb:?} {text}");
    }
}

#[test]
fn what_is_told_is_what_was_asked_for() {
    let all = Patch {
        latency: Some(ms(1_500)),
        jitter: Some(ms(0)),
        loss: Some(ppm(12_345)),
        bandwidth: Some(NonZeroU64::new(1_000)),
        corrupt: Some(Share::NONE),
        reorder: Some(Share::ALL),
        duplicate: Some(ppm(1)),
    };
    let changes = [
        Change::Set { ways: Ways::ToTarget, patch: all },
        Change::Cut,
        Change::Reset,
        Change::Silence(Ways::Both),
        Change::Silence(Ways::Back),
        Change::Heal,
    ];
    for change in changes {
        let mut told = change::told(change);
        let verb = told.remove("do").unwrap();
        let verb = Verb::ALL.into_iter().find(|known| verb == known.word()).unwrap();
        let terms: Terms = serde_json::from_value(told.into()).unwrap();
        assert_eq!(terms.change(verb), Ok(change));
    }
    assert_eq!(change::faults(Faults::NONE).len(), 7, "all of them");
}

const SCRIPT: &str = r#"
format = 1
seed = 42

[faults]
latency = "20ms"
[back]
latency = "80ms"
loss = "1%"

[[step]]
at = "5s"
do = "cut"
for = "3s"

[[step]]
at = "500ms"
do = "set"
way = "to-target"
bandwidth = "1MiB"
corrupt = 0.5

[[step]]
at = "0s"
do = "one-way"
way = "back"
"#;

#[test]
fn a_script_says_what_happens_when() {
    let read = script::parse(SCRIPT).unwrap();
    let patch = Patch { latency: Some(ms(20)), ..Patch::default() };
    let back = Patch { latency: Some(ms(80)), loss: Some(ppm(10_000)), ..Patch::default() };
    assert_eq!((read.seed, read.faults), (Some(42), [patch, Patch::default(), back]));
    let set = Patch {
        bandwidth: Some(NonZeroU64::new(1 << 20)),
        corrupt: Some(ppm(500_000)),
        ..Patch::default()
    };
    let step = |millis, change| Step { at: ms(millis), change };
    let wanted = [
        step(5_000, Change::Cut),
        step(8_000, Change::Heal),
        step(500, Change::Set { ways: Ways::ToTarget, patch: set }),
        step(0, Change::Silence(Ways::Back)),
    ];
    assert_eq!(read.steps, wanted);
    assert_eq!(script::parse("format = 1").unwrap().steps, []);
}

#[test]
fn what_is_wrong_with_a_script_is_told_with_its_place() {
    for (text, wanted) in [
        ("", "missing field `format`"),
        ("format = 2", "format is 2"),
        ("format = 1\nsteps = 3", "line 2"),
        ("format = 1\n[faults]\nway = \"back\"", "[faults] has no way"),
        ("format = 1\n[[step]]\nat = \"1s\"\ndo = \"explode\"", "line 4"),
        ("format = 1\n[[step]]\nat = \"1\"\ndo = \"cut\"", "line 3"),
        ("format = 1\n[[step]]\nat = \"1s\"\ndo = \"cut\"\nwhile = \"2s\"", "line 5"),
        (
            "format = 1\n[[step]]\nat = \"1s\"\ndo = \"set\"\nloss = \"200%\"",
            "`200%` is not a share",
        ),
        ("format = 1\n[[step]]\nat = \"1s\"\ndo = \"set\"", "[[step]] 1: nothing is set"),
        ("format = 1\n[[step]]\nat = \"1s\"\ndo = \"reset\"\nfor = \"1s\"", "reset does not last"),
        ("format = 1\n[[step]]\nat = \"1s\"\ndo = \"cut\"\nfor = \"0s\"", "longer than nothing"),
    ] {
        let problem = script::parse(text).unwrap_err();
        assert!(problem.contains(wanted), "{text}\n{problem}");
    }
}

#[test]
fn the_script_of_the_document_is_one() {
    let page = include_str!("../../../../../docs/chaos-proxy.md");
    let blocks: Vec<_> = page.split("```toml\n").skip(1).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let text = block.split("```").next().unwrap();
        let read = script::parse(text).unwrap();
        assert!(!read.steps.is_empty(), "{text}");
    }
}

#[test]
fn events_are_told_in_words_and_as_objects() {
    let at = ms(1_250);
    let id = Id { kind: Kind::Udp, number: 3 };
    let mut counts = moorline_chaos::Counts::default();
    (counts.to_target.bytes, counts.to_target.lost, counts.back.swallowed) = (10, 2, 7);
    let peer = "127.0.0.1:5000".parse().unwrap();
    let patch = Patch { loss: Some(ppm(10_000)), ..Patch::default() };
    let change = Change::Set { ways: Ways::Back, patch };
    let origin = Origin::Timeline;
    let events = [
        Event::Opened { at, id, peer, answered: false },
        Event::Ended { at, id, fate: Fate::Idle, counts },
        Event::Refused { at, peer },
        Event::Changed { at, change, origin },
        Event::Failed {
            at,
            change: Change::Heal,
            origin: Origin::Caller,
            problem: "in use".into(),
        },
    ];
    let lines: Vec<_> = events.iter().map(report::line).collect();
    let objects: Vec<_> = events.iter().map(|event| report::object(event).to_string()).collect();
    insta::assert_snapshot!([lines, objects].concat().join("\n"));
}
