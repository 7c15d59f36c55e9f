//! A worker and its coordinator with the fault proxy between them, as people use it: started by the
//! command, steered over HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::rig::{MOORLINE, Process, QUICK, Rig, free_address, until};

/// A proxy in front of an address, and where it is steered.
struct Steered {
    process: Process,
    listen: SocketAddr,
    control: SocketAddr,
}

impl Steered {
    fn start(target: SocketAddr, flags: &[&str]) -> Self {
        let (listen, control) = (free_address(), free_address());
        let addresses = [
            format!("--listen=tcp://{listen}"),
            format!("--to={target}"),
            format!("--control={control}"),
        ];
        let addresses = addresses.iter().map(String::as_str).collect::<Vec<_>>();
        let args = [&["chaos", "proxy"], &addresses[..], flags].concat();
        let process = Process::start("proxy", &args);
        let steered = Self { process, listen, control };
        until("it can be steered", || TcpStream::connect(control).ok());
        steered
    }

    /// The status and the body of the answer.
    fn ask(&self, request: &str, body: &str) -> (String, Value) {
        let mut stream = TcpStream::connect(self.control).unwrap();
        let host = self.control;
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let len = body.len();
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{kind}Content-Length: {len}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().to_owned();
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    /// Makes a change; how everything stands after it.
    fn post(&self, verb: &str, body: &str) -> Value {
        let (status, answer) = self.ask(&format!("POST /{verb}"), body);
        assert_eq!(status, "200", "{verb} {body}: {answer}");
        answer
    }

    fn status(&self) -> Value {
        self.ask("GET /status", "").1
    }
}

fn flags() -> Vec<&'static str> {
    [QUICK, &["--handler=work=cat"]].concat()
}

/// The third heartbeat that is missed, or the time all of them have: they come to the same moment.
fn is_silence(reason: &Value) -> bool {
    reason == "heartbeat_unacked" || reason == "heartbeat_timeout"
}

/// Tasks that go through now.
fn works(rig: &Rig, count: usize) {
    for _ in 0..count {
        let task = rig.submit("work", "x", &[]);
        assert_eq!(rig.until_task(&task, "succeeded")["attempts"], 1);
    }
}

#[test]
fn a_cut_is_seen_at_once_its_dials_are_refused_and_the_worker_comes_back() {
    let rig = Rig::new("20s");
    let proxy = Steered::start(rig.listen, &[]);
    let worker = rig.worker_at(proxy.listen, "w1", &flags());
    rig.until_worker("w1", "active");
    works(&rig, 2);

    let cut = proxy.post("cut", "");
    assert_eq!((&cut["cut"], &cut["open"]), (&true.into(), &Value::Array(Vec::new())));
    let lost = worker.log().wait("link.lost");
    assert!(
        ["transport_reset", "closed_by_peer", "stream_lost"].iter().any(|it| lost["reason"] == *it),
        "{lost}"
    );
    assert_eq!(worker.log().messages("heartbeat.missed"), [""; 0], "nobody has to wait for that");
    worker.log().wait_from(0, "link.attempt_failed", |line| line["reason"] == "connect_refused");
    rig.until_worker("w1", "disconnected");
    let meanwhile = rig.submit("work", "meanwhile", &[]);

    proxy.post("heal", "");
    worker.log().wait("link.restored");
    rig.until_task(&meanwhile, "succeeded");
    works(&rig, 1);
    rig.balances(4);
}

#[test]
fn half_open_connections_are_counted_out_by_their_heartbeats() {
    let rig = Rig::new("20s");
    let proxy = Steered::start(rig.listen, &[]);
    let worker = rig.worker_at(proxy.listen, "w1", &flags());
    rig.until_worker("w1", "active");
    works(&rig, 1);

    let mark = rig.coordinator.log().mark();
    proxy.post("half-open", "");
    let lost = worker.log().wait("link.lost");
    assert!(is_silence(&lost["reason"]), "{lost}");
    assert!(!worker.log().messages("heartbeat.missed").is_empty());
    let gone = rig.coordinator.log().wait_from(mark, "worker.disconnected", |_| true);
    assert_eq!(gone["reason"], "heartbeat_timeout", "nobody has told it: {gone}");
    let meanwhile = rig.submit("work", "meanwhile", &[]);
    // Nobody answers a dial.
    worker.log().wait("link.attempt_failed");
    let status = proxy.status();
    assert_eq!(status["silent"], "both", "{status}");
    assert!(status["to_target"]["swallowed"].as_u64() > Some(0), "{status}");

    proxy.post("heal", "");
    worker.log().wait("link.restored");
    rig.until_task(&meanwhile, "succeeded");
    works(&rig, 1);
    rig.balances(3);
}

#[test]
fn a_coordinator_that_is_heard_and_does_not_hear_is_left() {
    let rig = Rig::new("20s");
    let proxy = Steered::start(rig.listen, &[]);
    let worker = rig.worker_at(proxy.listen, "w1", &flags());
    rig.until_worker("w1", "active");
    let mark = rig.coordinator.log().mark();
    proxy.post("one-way", r#"{"way": "to-target"}"#);
    let lost = worker.log().wait("link.lost");
    assert!(is_silence(&lost["reason"]), "{lost}");
    let gone = rig.coordinator.log().wait_from(mark, "worker.disconnected", |_| true);
    assert_eq!(gone["reason"], "heartbeat_timeout", "{gone}");
    proxy.post("heal", "");
    worker.log().wait("link.restored");
    works(&rig, 1);
    rig.balances(1);
}

#[test]
fn a_reset_is_told_as_one_and_costs_a_moment() {
    let rig = Rig::new("20s");
    let proxy = Steered::start(rig.listen, &["--latency=5ms", "--jitter=5ms", "--seed=7"]);
    let worker = rig.worker_at(proxy.listen, "w1", &flags());
    rig.until_worker("w1", "active");
    worker.log().wait("poll.idle");
    for _ in 0..3 {
        let mark = worker.log().mark();
        let reset = proxy.post("reset", "");
        assert_eq!(reset["faults"]["back"]["latency"], "5ms", "{reset}");
        let lost = worker.log().wait_from(mark, "link.lost", |_| true);
        assert_eq!((&lost["reason"], &lost["code"]), (&"transport_reset".into(), &"ML2103".into()));
        worker.log().wait_from(mark, "link.restored", |_| true);
        works(&rig, 1);
    }
    rig.balances(3);
}

#[test]
fn what_is_corrupted_is_refused_and_the_worker_comes_back() {
    let rig = Rig::new("20s");
    let proxy = Steered::start(rig.listen, &["--seed=7"]);
    // Two seconds until it dials: nothing is to be corrupted any more by then, for without TLS a flipped bit
    // in a name is another name.
    let patient = [
        "--heartbeat-interval=200ms",
        "--heartbeat-timeout=600ms",
        "--reconnect-initial-delay=2s",
        "--reconnect-max-delay=2s",
        "--reconnect-jitter=none",
        "--reconnect-first=backoff",
        "--handler=work=cat",
    ];
    let worker = rig.worker_at(proxy.listen, "w1", &patient);
    rig.until_worker("w1", "active");
    worker.log().wait("poll.idle");
    works(&rig, 1);
    let (mut refused, mut rounds) = (0, 0);
    // A bit that breaks no rule of the protocol is an answer that does not fit: that one is waited for in
    // vain. So a single round may have no error.
    while refused == 0 || rounds < 4 {
        rounds += 1;
        assert!(rounds <= 12, "nothing was refused");
        let way = if rounds % 2 == 0 { "to-target" } else { "back" };
        let (here, there) = (worker.log().mark(), rig.coordinator.log().mark());
        // While nothing but heartbeats is under way: also a payload with another bit is a payload.
        proxy.post("set", &format!(r#"{{"corrupt": "100%", "way": "{way}"}}"#));
        let lost = worker.log().wait_from(here, "link.lost", |_| true);
        proxy.post("heal", "");
        worker.log().wait_from(here, "link.restored", |_| true);
        rig.until_worker("w1", "active");
        // Whoever waits for the rest of what was said to be longer learns of the end by the next Hello alone.
        let lines = rig.coordinator.log().lines();
        let gone = lines.iter().skip(there).filter(|line| line["event"] == "worker.disconnected");
        let mut reasons = gone.map(|line| &line["reason"]).chain([&lost["reason"]]);
        refused += u32::from(reasons.any(|reason| *reason == "protocol_error"));
        works(&rig, 1);
    }
    let status = proxy.status();
    for way in ["to_target", "back"] {
        assert!(status[way]["corrupted"].as_u64() > Some(0), "{status}");
    }
    rig.balances(1 + rounds);
}

#[test]
fn a_script_makes_its_changes_and_everything_is_told() {
    let rig = Rig::new("20s");
    let script = rig.home.path().join("script.toml");
    let steps = "format = 1\nseed = 5\n[back]\nlatency = \"1ms\"\n\
                 [[step]]\nat = \"20ms\"\ndo = \"cut\"\nfor = \"20ms\"\n";
    std::fs::write(&script, steps).unwrap();
    let output = chaos(&[
        "--listen=127.0.0.1:0",
        &format!("--to={}", rig.listen),
        &format!("--script={}", script.display()),
        "--for=300ms",
        "-o",
        "json",
    ]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["chaos.started", "chaos.changed", "chaos.changed", "chaos.stopped"]);
    assert_eq!((&lines[0]["seed"], &lines[0]["udp"]), (&5.into(), &Value::Null));
    assert_eq!((&lines[1]["do"], &lines[1]["by"]), (&"cut".into(), &"script".into()));
    assert_eq!((&lines[2]["do"], &lines[2]["by"]), (&"heal".into(), &"script".into()));
    assert_eq!(lines[3]["faults"]["back"]["latency"], "1ms");
}

fn chaos(args: &[&str]) -> Output {
    let args = [&["chaos", "proxy"], args].concat();
    Command::new(MOORLINE).args(args).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn what_cannot_be_done_is_told_with_its_code() {
    let home = tempfile::tempdir().unwrap();
    let bad = home.path().join("bad.toml");
    std::fs::write(&bad, "format = 1\n[[step]]\nat = \"5s\"\ndo = \"explode\"\n").unwrap();
    let bad = format!("--script={}", bad.display());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let (to, any) = ("--to=127.0.0.1:1", "--listen=127.0.0.1:0");
    for (args, exit, said) in [
        (vec![any, to, &bad], 65, "error[ML7101]"),
        (vec![&format!("--listen={taken}"), to], 73, "error[ML7103]"),
        (vec![any, to, &format!("--control={taken}")], 73, "error[ML7103]"),
        // Documentation addresses belong to no machine.
        (vec!["--listen=192.0.2.1:9000", to], 78, "error[ML7102]"),
        (vec![any, to, "--control=0.0.0.0:9001"], 2, "only 127.0.0.1 and [::1] are served"),
        (vec![any, to, "--loss=200%"], 2, "is not a share"),
        (vec![any], 2, "--to"),
    ] {
        let output = chaos(&args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "{args:?}: {text}");
        assert!(text.contains(said), "{args:?}: {text}");
    }
}

#[test]
fn requests_that_are_not_understood_are_refused_and_change_nothing() {
    let mut proxy = Steered::start("127.0.0.1:1".parse().unwrap(), &[]);
    let before = proxy.status();
    for (request, body, status, code) in [
        ("POST /explode", "", "400", "ML7104"),
        ("GET /cut", "", "400", "ML7104"),
        ("POST /set", "{}", "400", "ML7104"),
        ("POST /set", r#"{"latency": 5}"#, "400", "ML7104"),
        ("POST /cut", "not JSON", "400", "ML7104"),
    ] {
        let (answered, problem) = proxy.ask(request, body);
        assert_eq!(
            (answered.as_str(), &problem["code"]),
            (status, &code.into()),
            "{request} {body}"
        );
    }
    assert_eq!(proxy.status(), before);
    proxy.process.signal(Signal::TERM);
    assert_eq!(proxy.process.ends().code(), Some(0));
}
