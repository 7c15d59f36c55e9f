//! What probes, scrapers and systemd are told, while the network dies, a process freezes and a drain
//! goes on.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::proxy::Proxy;
use crate::rig::{MOORLINE, QUICK, Rig, SOON, free_address, until};
use crate::wire;

/// Asks over a connection of its own: status and body.
pub(crate) fn get(at: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(at).ok()?;
    stream.set_read_timeout(Some(SOON)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn ready(at: SocketAddr) -> (u16, Value) {
    let (status, body) = until("readiness is told", || get(at, "/readyz"));
    (status, serde_json::from_str(&body).unwrap())
}

/// Waits until readiness is answered so; with what it says then.
pub(crate) fn until_ready(at: SocketAddr, wanted: u16) -> Value {
    until(&format!("{at} is {wanted}"), || Some(ready(at)).filter(|(status, _)| *status == wanted))
        .1
}

/// Series of a page, by name with labels.
pub(crate) fn metrics(at: SocketAddr) -> BTreeMap<String, f64> {
    let (status, page) = until("metrics are told", || get(at, "/metrics"));
    assert_eq!(status, 200);
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

/// The only state that the coordinator's metrics have a worker in.
fn measured(at: SocketAddr) -> String {
    let all = metrics(at);
    let prefix = "moorline_coordinator_workers{state=\"";
    let with: Vec<_> = all
        .iter()
        .filter(|(_, count)| **count > 0.0)
        .filter_map(|(name, _)| name.strip_prefix(prefix)?.strip_suffix("\"}"))
        .collect();
    assert_eq!(with.len(), 1, "{with:?}");
    with[0].to_owned()
}

#[test]
fn a_dead_stream_on_a_live_connection_is_red_on_both_sides_and_heals_without_a_restart() {
    let rig = Rig::new("60s");
    let proxy = Proxy::start(rig.listen);
    let health = free_address();
    let flag = format!("--health-listen={health}");
    let mut worker = rig.worker_at(
        proxy.address(),
        "w1",
        &[QUICK, &["--handler=work=cat", flag.as_str()]].concat(),
    );
    until_ready(health, 200);
    rig.until_worker("w1", "active");
    proxy.half_open();
    let cut = Instant::now();
    let red = until_ready(health, 503);
    // The default of `max_control_silence`; the link's own heartbeats are quicker.
    assert!(cut.elapsed() < Duration::from_secs(30), "{:?}", cut.elapsed());
    assert_eq!(red["status"], "unready");
    assert!(red["code"].as_str().unwrap().starts_with("ML2"), "{red}");
    assert_eq!(metrics(health)["moorline_worker_connected"], 0.0);
    assert_eq!(get(health, "/livez").unwrap().0, 200, "the worker itself is well");
    rig.until_worker("w1", "disconnected");
    assert_eq!(measured(rig.admin), "disconnected");

    proxy.heal();
    until_ready(health, 200);
    rig.until_worker("w1", "active");
    assert!(worker.is_running());
    let all = metrics(health);
    assert_eq!(all["moorline_worker_connected"], 1.0);
    let successes: f64 = all
        .iter()
        .filter(|(name, _)| name.starts_with("moorline_worker_reconnection_successes_total"))
        .map(|(_, count)| count)
        .sum();
    assert!(successes >= 1.0, "{all:#?}");
    assert!(all["moorline_worker_reconnection_attempts_total"] >= 1.0);
}

#[test]
fn list_and_metrics_agree_on_a_frozen_worker_at_every_instant() {
    let rig = Rig::new("60s");
    let health = free_address();
    let flag = format!("--health-listen={health}");
    let mut worker = rig.worker("w1", &[QUICK, &["--handler=work=cat", flag.as_str()]].concat());
    rig.until_worker("w1", "active");
    until_ready(health, 200);
    worker.signal(Signal::STOP);
    let frozen = Instant::now();
    let state = |rig: &Rig| rig.seen("w1")["state"].as_str().unwrap().to_owned();
    let mut seen = Vec::new();
    until("it is disconnected", || {
        let (before, between, after) = (state(&rig), measured(rig.admin), state(&rig));
        assert!(between == before || between == after, "{before}, {between}, {after}");
        seen.push(after.clone());
        (after == "disconnected").then_some(())
    });
    // The standard 15 s at this rig's scale is less than that; nothing may say active any more.
    assert!(frozen.elapsed() < Duration::from_secs(30), "{:?}", frozen.elapsed());
    for _ in 0..20 {
        assert_eq!(
            (state(&rig), measured(rig.admin)),
            ("disconnected".into(), "disconnected".into())
        );
    }
    worker.signal(Signal::CONT);
    until_ready(health, 200);
    rig.until_worker("w1", "active");
    assert_eq!(measured(rig.admin), "active");
}

#[test]
fn a_coordinator_tells_its_readiness_at_both_addresses() {
    let home = tempfile::tempdir().unwrap();
    let (listen, admin, health) = (free_address(), free_address(), free_address());
    let mut coordinator = crate::rig::Process::start(
        "coordinator",
        &[
            "coordinator",
            &format!("--listen={}", wire::url(listen)),
            &format!("--admin-listen={admin}"),
            &format!("--health-listen={health}"),
            &format!("--store=sqlite:{}", home.path().join("store.db").display()),
        ],
    );
    for at in [health, admin] {
        until_ready(at, 200);
        for path in ["/livez", "/startupz", "/status", "/status.json", "/metrics"] {
            assert_eq!(get(at, path).unwrap().0, 200, "{path}");
        }
    }
    coordinator.signal(Signal::TERM);
    assert_eq!(coordinator.ends().code(), Some(0));
    assert_eq!(get(health, "/livez"), None, "its address is free again");
}

/// A socket like systemd's, and what was written to it.
struct Systemd {
    path: std::path::PathBuf,
    told: Arc<Mutex<Vec<String>>>,
}

impl Systemd {
    fn new(home: &std::path::Path) -> Self {
        let path = home.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&told);
        // Ends with the process of the tests.
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok(read) = socket.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
                lines.lock().unwrap().extend(text.lines().map(str::to_owned));
            }
        });
        Self { path, told }
    }

    fn start(&self, args: &[&str]) -> Service {
        let child = Command::new(MOORLINE)
            .args(args)
            .env("NOTIFY_SOCKET", &self.path)
            .envs(wire::variables())
            .env("WATCHDOG_USEC", "600000")
            .env_remove("WATCHDOG_PID")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Service(child)
    }

    fn count(&self, wanted: impl Fn(&str) -> bool) -> usize {
        self.told.lock().unwrap().iter().filter(|line| wanted(line)).count()
    }

    fn until(&self, wanted: impl Fn(&str) -> bool) {
        until("systemd is told", || {
            let found = self.count(&wanted) > 0;
            found.then_some(())
        });
    }
}

struct Service(Child);

impl Service {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn ends(&mut self) -> Option<i32> {
        until("it ends", || self.0.try_wait().unwrap()).code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn systemd_is_told_of_a_coordinator_from_its_start_to_its_end() {
    let home = tempfile::tempdir().unwrap();
    let systemd = Systemd::new(home.path());
    let (listen, admin) = (free_address(), free_address());
    let mut coordinator = systemd.start(&[
        "coordinator",
        &format!("--listen={}", wire::url(listen)),
        &format!("--admin-listen={admin}"),
        &format!("--store=sqlite:{}", home.path().join("store.db").display()),
    ]);
    systemd.until(|line| line == "READY=1");
    until_ready(admin, 200);
    systemd.until(|line| line == "STATUS=ready");
    let feeds = |line: &str| line == "WATCHDOG=1";
    let before = systemd.count(feeds);
    until("the watchdog is fed again", || (systemd.count(feeds) >= before + 3).then_some(()));
    coordinator.signal(Signal::STOP);
    // What was on its way is there; then nothing comes from a process that does not run.
    std::thread::sleep(Duration::from_millis(300));
    let before = systemd.count(feeds);
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(systemd.count(feeds), before);
    coordinator.signal(Signal::CONT);
    until("the watchdog is fed again", || (systemd.count(feeds) > before).then_some(()));
    // It reads its configuration again, and is ready when it has.
    coordinator.signal(Signal::HUP);
    systemd.until(|line| line == "RELOADING=1");
    let ready = |line: &str| line == "READY=1";
    until("it is ready again", || (systemd.count(ready) == 2).then_some(()));
    assert_eq!(systemd.count(|line| line.starts_with("MONOTONIC_USEC=")), 1);
    coordinator.signal(Signal::TERM);
    assert_eq!(coordinator.ends(), Some(0));
    systemd.until(|line| line == "STOPPING=1");
    assert_eq!(systemd.count(ready), 2);
}

#[test]
fn systemd_has_a_worker_ready_while_it_tries_and_gives_it_time_to_drain() {
    let rig = Rig::new("60s");
    let home = tempfile::tempdir().unwrap();
    let systemd = Systemd::new(home.path());
    let nobody = free_address();
    let data = format!("--data-dir={}", home.path().join("w1").display());
    let coordinator = format!("--coordinator={}", wire::url(nobody));
    let second = format!("--coordinator={}", wire::url(rig.listen));
    let mut lonely =
        systemd.start(&[&["worker", "--name=w1", &data, &coordinator], QUICK].concat());
    systemd.until(|line| line == "READY=1");
    systemd.until(|line| line.starts_with("STATUS=disconnected (connect_refused, ML2202)"));
    lonely.signal(Signal::TERM);
    assert_eq!(lonely.ends(), Some(0));
    systemd.until(|line| line == "STOPPING=1");

    let systemd_two = tempfile::tempdir().unwrap();
    let systemd = Systemd::new(systemd_two.path());
    let handler = "--handler=work=sleep 3";
    let worker = [&["worker", "--name=w2", &data, &second, handler], QUICK].concat();
    let mut worker = systemd.start(&worker);
    systemd.until(|line| line == "STATUS=active");
    let task = rig.submit("work", "", &[]);
    until("it runs", || (rig.task(&task)["state"] == "leased").then_some(()));
    worker.signal(Signal::TERM);
    systemd.until(|line| line.starts_with("STATUS=stopping: 1 running"));
    systemd.until(|line| line == "EXTEND_TIMEOUT_USEC=10000000");
    assert_eq!(worker.ends(), Some(0));
    rig.until_task(&task, "succeeded");
}
