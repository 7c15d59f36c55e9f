//! Workers that are sent to other places, and that are told of them: between coordinators, and between the
//! doors of one.

use std::net::SocketAddr;

use rustix::process::Signal;
use serde_json::Value;

use crate::commands::{lines, run};
use crate::rig::{Process, QUICK, Rig, STEADY, free_address, until};
use crate::steering::{fails, json};
use crate::wire;

/// A task that runs until a file is there.
struct Gated {
    handler: String,
    began: std::path::PathBuf,
    open: std::path::PathBuf,
}

impl Gated {
    fn new(rig: &Rig) -> Self {
        let (began, open) = (rig.home.path().join("began"), rig.home.path().join("open"));
        let handler = format!(
            "--handler=gated=sh -c 'touch {}; while [ ! -e {} ]; do sleep 0.05; done'",
            began.display(),
            open.display()
        );
        Self { handler, began, open }
    }

    /// It runs.
    fn begin(&self, rig: &Rig) -> String {
        let task = rig.submit("gated", "", &[]);
        until("its handler runs", || self.began.exists().then_some(()));
        task
    }

    /// It ends, in the attempt that was begun.
    fn ends(&self, rig: &Rig, task: &str) {
        std::fs::write(&self.open, "").unwrap();
        let ended = rig.until_task(task, "succeeded");
        assert_eq!(ended["attempts"], 1, "{ended}");
        rig.balances(1);
    }
}

/// Events of a coordinator about one worker, oldest first.
fn events(rig: &Rig, worker: &str) -> Vec<Value> {
    json(&run(rig, &["worker", "timeline", worker, "--json"])).as_array().unwrap().clone()
}

fn event<'a>(events: &'a [Value], kind: &str) -> &'a Value {
    let found = events.iter().rfind(|event| event["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind} in {events:?}"))
}

fn never_left(worker: &Process) {
    assert_eq!(worker.log().messages("link.lost"), [""; 0]);
}

fn to(at: SocketAddr) -> String {
    format!("--to={}", wire::url(at))
}

#[test]
fn a_worker_is_sent_to_another_coordinator_and_is_never_without_one() {
    let (first, second) = (Rig::new("60s"), Rig::new("60s"));
    let worker = first.worker("w1", &[STEADY, &["--handler=work=cat"]].concat());
    let before = first.until_worker("w1", "active");
    assert_eq!(before["endpoint"], wire::url(first.listen));
    assert_eq!(
        lines(&run(&first, &["worker", "redirect", "w1", &to(second.listen), "--dry-run"])),
        ["w1  would redirect: it is active"]
    );

    let redirect =
        ["worker", "redirect", "w1", &to(second.listen), "--wait", "--timeout=60s", "--json"];
    let gone = json(&run(&first, &redirect));
    assert_eq!((&gone["state"], &gone["reason"]), (&"disconnected".into(), &"redirected".into()));
    let here = second.until_worker("w1", "active");
    assert_eq!(here["endpoint"], wire::url(second.listen));
    assert!(
        here["remote"].as_str().is_some_and(|remote| remote.starts_with("127.0.0.1:")),
        "{here}"
    );
    let task = second.submit("work", "over there", &[]);
    second.until_task(&task, "succeeded");
    worker.log().wait("link.redirected");
    never_left(&worker);

    let left = events(&first, "w1");
    assert_eq!(event(&left, "worker.redirected")["detail"], wire::url(second.listen));
    assert_eq!(event(&left, "worker.disconnected")["reason"], "redirected");
    let came = events(&second, "w1");
    event(&came, "worker.registered");
    event(&came, "worker.active");
    let audit =
        first.coordinator.log().wait_from(0, "admin.action", |line| line["action"] == "redirected");
    let said = audit["msg"].as_str().unwrap();
    assert_eq!(said, format!("An operator redirected w1 to {}", wire::url(second.listen)));
    assert!(gone["connection"].is_null() && before["connection"].is_u64(), "{gone} {before}");
    let why = lines(&run(&first, &["worker", "explain", "w1"])).join("\n");
    assert!(why.contains("redirected (ML3505)"), "{why}");
}

#[test]
fn a_worker_is_sent_to_another_door_of_its_coordinator_and_its_task_goes_on() {
    let door = free_address();
    let rig = Rig::flagged("60s", &[&format!("--listen={}", wire::url(door))]);
    let gated = Gated::new(&rig);
    let worker = rig.worker("w1", &[STEADY, &[gated.handler.as_str()]].concat());
    rig.until_worker("w1", "active");
    let task = gated.begin(&rig);
    let redirect =
        ["worker", "redirect", "--all", "--yes", &to(door), "--wait", "--timeout=60s", "--json"];
    let moved = json(&run(&rig, &redirect));
    assert_eq!(
        (&moved[0]["state"], &moved[0]["endpoint"]),
        (&"active".into(), &wire::url(door).into())
    );
    let shown = lines(&run(&rig, &["worker", "list", "-o", "wide"])).join("\n");
    assert!(shown.contains("ENDPOINT") && shown.contains(&wire::url(door)), "{shown}");
    let explained = lines(&run(&rig, &["worker", "explain", "w1"])).join("\n");
    assert!(explained.contains(&format!(" at {} from 127.0.0.1:", wire::url(door))), "{explained}");
    gated.ends(&rig, &task);
    never_left(&worker);
}

#[test]
fn a_worker_that_is_sent_where_nobody_is_stays_and_goes_on() {
    let rig = Rig::new("60s");
    let gated = Gated::new(&rig);
    let flags = ["--connect-timeout=2s", gated.handler.as_str()];
    let worker = rig.worker("w1", &[STEADY, &flags].concat());
    rig.until_worker("w1", "active");
    let task = gated.begin(&rig);
    let redirect = ["worker", "redirect", "w1", &to(free_address()), "--wait", "--timeout=4s"];
    let output = run(&rig, &redirect);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("w1: not within the time allowed, it is active with 1 task"), "{said}");
    worker.log().wait("link.redirect_failed");
    let seen = rig.until_worker("w1", "active");
    assert_eq!(seen["endpoint"], wire::url(rig.listen));
    gated.ends(&rig, &task);
    never_left(&worker);
}

#[test]
fn a_drained_coordinator_sends_everybody_to_the_other_and_names_who_is_not_there_to_be_told() {
    let (mut first, second) = (Rig::new("60s"), Rig::new("60s"));
    let workers =
        ["w1", "w2"].map(|name| first.worker(name, &[STEADY, &["--handler=work=cat"]].concat()));
    let mut away = first.worker("away", STEADY);
    for name in ["w1", "w2", "away"] {
        first.until_worker(name, "active");
    }
    away.kill();
    first.until_worker("away", "disconnected");

    let drain = [
        "coordinator",
        "drain",
        &to(second.listen),
        "--grace=0s",
        "--spread=500ms",
        "--within=30s",
    ];
    let told = json(&run(&first, &[&drain[..], &["--wait", "--json"]].concat()));
    assert_eq!((&told["connected"], &told["to"][0]), (&2.into(), &wire::url(second.listen).into()));
    let left = told["left"].as_array().unwrap();
    assert_eq!(left.len(), 1, "{told}");
    assert_eq!((&left[0]["name"], &left[0]["code"]), (&"away".into(), &"ML6018".into()));
    assert_eq!(first.coordinator.ends().code(), Some(0));
    let warned = first.coordinator.log().wait("coordinator.left_behind");
    assert_eq!(warned["worker"], "away", "{warned}");
    for (name, worker) in ["w1", "w2"].iter().zip(&workers) {
        assert_eq!(second.until_worker(name, "active")["endpoint"], wire::url(second.listen));
        assert_eq!(worker.log().wait("link.lost")["reason"], "coordinator_stopping");
    }
    for n in 0..4 {
        let task = second.submit("work", &n.to_string(), &[]);
        second.until_task(&task, "succeeded");
    }
}

#[test]
fn workers_find_whoever_takes_the_place_of_a_killed_coordinator_where_it_said() {
    let standby = free_address();
    let mut rig = Rig::flagged("60s", &[&format!("--advertise={}", wire::url(standby))]);
    let gated = Gated::new(&rig);
    let worker = rig.worker("w1", &[QUICK, &[gated.handler.as_str()]].concat());
    rig.until_worker("w1", "active");
    let told = worker.log().wait("link.endpoints");
    assert_eq!(told["to"], wire::url(standby));
    let task = gated.begin(&rig);
    rig.coordinator.kill();
    // The same store, at the other address.
    rig.listen = standby;
    rig.restart_coordinator();
    let back = rig.until_worker("w1", "active");
    assert_eq!(back["endpoint"], wire::url(standby));
    gated.ends(&rig, &task);
}

#[test]
fn what_is_advertised_is_told_to_those_who_are_there_when_it_is_reloaded() {
    let (mut rig, standby) = (Rig::configured("60s", ""), free_address());
    let worker = rig.worker("w1", &[QUICK, &["--handler=work=cat"]].concat());
    rig.until_worker("w1", "active");
    rig.configure(&format!("coordinator.advertise = [\"{}\"]\n", wire::url(standby)));
    let report = rig.run(&["coordinator", "reload"]);
    assert_eq!(report["applied"], serde_json::json!(["coordinator.advertise"]));
    assert_eq!(worker.log().wait("link.endpoints")["to"], wire::url(standby));

    let mark = worker.log().mark();
    rig.configure("coordinator.advertise = [\"grpc://169.254.169.254:80\"]\n");
    fails(&rig, &["coordinator", "reload"], 78, "ML6017");
    rig.configure("");
    rig.run(&["coordinator", "reload"]);
    let taken_back = worker.log().wait_from(mark, "link.endpoints", |_| true);
    assert_eq!(taken_back["to"], "", "the broken one was never told");
    rig.coordinator.signal(Signal::TERM);
    assert_eq!(rig.coordinator.ends().code(), Some(0));
}

#[test]
fn places_that_no_worker_would_go_to_are_refused_before_anybody_is_told() {
    let rig = Rig::new("60s");
    let mut worker = rig.worker("w1", STEADY);
    rig.until_worker("w1", "active");
    let scheme = wire::scheme();
    // 192.0.2.0/24 and .example are nobody's; the metadata of clouds is link-local.
    let foreign = ["192.0.2.7:8740", "other.example:8740", "169.254.169.254:80", "0.0.0.0:8740"];
    let mut foreign = foreign.map(|at| format!("--to={scheme}://{at}")).to_vec();
    if wire::is_encrypted() {
        foreign.push("--to=grpc://127.0.0.1:8740".to_owned());
    }
    for place in &foreign {
        assert_eq!(fails(&rig, &["worker", "redirect", "w1", place], 5, "ML6020"), "");
        assert_eq!(fails(&rig, &["coordinator", "drain", place], 5, "ML6020"), "");
    }
    let own = to(rig.listen);
    let one_of_two = ["worker", "redirect", "w1", &own, &foreign[0]];
    fails(&rig, &one_of_two, 5, "ML6020");
    fails(&rig, &["worker", "redirect", "nobody", &own], 4, "ML6011");
    let unknown = run(&rig, &["worker", "redirect", "w1", "--to=smoke://127.0.0.1:1"]);
    assert_eq!(unknown.status.code(), Some(78), "{}", String::from_utf8_lossy(&unknown.stderr));
    for usage in [&["worker", "redirect", "w1"][..], &["worker", "redirect", "w1", "--to=grpc://x"]]
    {
        assert_eq!(run(&rig, usage).status.code(), Some(2), "{usage:?}");
    }
    assert_eq!(rig.get("/api/v1/overview")["problem"], Value::Null, "nothing was drained");
    assert_eq!(worker.log().messages("link.redirected"), [""; 0]);
    assert!(!events(&rig, "w1").iter().any(|event| event["kind"] == "worker.redirected"));

    worker.kill();
    rig.until_worker("w1", "disconnected");
    assert_eq!(fails(&rig, &["worker", "redirect", "w1", &own], 5, "ML6018"), "");
    let would = lines(&run(&rig, &["worker", "redirect", "w1", &own, "--dry-run"]));
    assert_eq!(would, ["w1  left alone: it is disconnected"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_worker_that_knows_nothing_of_places_is_not_told_and_a_drain_says_so() {
    let (mut rig, other) = (Rig::new("60s"), free_address());
    let mut old = crate::stranger::Stranger::dial(rig.listen).await;
    old.register(7, "old", &[], 1).await;
    rig.until_worker("old", "active");
    assert_eq!(fails(&rig, &["worker", "redirect", "old", &to(other)], 5, "ML6019"), "");
    let would = lines(&run(&rig, &["worker", "redirect", "old", &to(other), "--dry-run"]));
    assert_eq!(would, ["old  left alone: it is active"]);
    let output = run(&rig, &["coordinator", "drain", &to(other), "--grace=0s", "--spread=1s"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("not told where to go[ML6019]: old cannot be told"), "{said}");
    assert_eq!(rig.coordinator.ends().code(), Some(0));
}
