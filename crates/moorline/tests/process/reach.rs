//! Every transport of the command: which is used, who is believed, what is refused.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::exits::ends;
use crate::rig::{MOORLINE, Process, STEADY, free_address, until};
use crate::wire::Pki;

/// A coordinator that listens by every transport, with files of its own.
pub(crate) struct Everywhere {
    home: tempfile::TempDir,
    pub(crate) pki: Pki,
    pub(crate) admin: SocketAddr,
    /// By scheme.
    listen: [(&'static str, SocketAddr); 5],
    coordinator: Process,
}

const SCHEMES: [&str; 5] = ["grpc", "grpcs", "quic", "ws", "wss"];

impl Everywhere {
    pub(crate) fn new(asks_workers: bool) -> Self {
        let home = tempfile::tempdir().unwrap();
        let pki = Pki::new(home.path());
        pki.issue("coordinator");
        let (admin, listen) = (free_address(), SCHEMES.map(|scheme| (scheme, free_address())));
        let coordinator = start(home.path(), admin, &listen, asks_workers);
        Self { home, pki, admin, listen, coordinator }
    }

    fn restart(&mut self) {
        self.coordinator = start(self.home.path(), self.admin, &self.listen, false);
    }

    pub(crate) fn at(&self, scheme: &str) -> SocketAddr {
        self.listen.iter().find(|(own, _)| *own == scheme).unwrap().1
    }

    fn file(&self, name: &str) -> String {
        self.pki.path(name).display().to_string()
    }

    /// A worker that believes this coordinator.
    pub(crate) fn worker(&self, name: &str, flags: &[&str]) -> Process {
        let (name_flag, data) = (format!("--name={name}"), self.pki.path(name));
        let data = format!("--data-dir={}", data.display());
        let ca = format!("--tls-ca={}", self.file("ca.pem"));
        let args =
            [&["worker", &name_flag, &data, &ca, "--handler=cat=cat"], STEADY, flags].concat();
        Process::start(name, &args)
    }

    fn workers(&self) -> Vec<Value> {
        let server = format!("http://{}", self.admin);
        let output = Command::new(MOORLINE)
            .args(["worker", "list", "--json", "-s", &server])
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command of a client, and returns what it printed.
    pub(crate) fn run(&self, args: &[&str]) -> Value {
        let server = format!("http://{}", self.admin);
        let output =
            Command::new(MOORLINE).args(args).args(["--json", "-s", &server]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {} {said}", output.status);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn until_active(&self, name: &str) -> Value {
        until(&format!("{name} is active"), || {
            let is_it = |worker: &Value| worker["name"] == name && worker["state"] == "active";
            self.workers().into_iter().find(is_it)
        })
    }
}

fn start(
    home: &Path,
    admin: SocketAddr,
    listen: &[(&str, SocketAddr)],
    asks_workers: bool,
) -> Process {
    let file = |name: &str| home.join(name).display().to_string();
    let mut args = vec![
        "coordinator".to_owned(),
        format!("--admin-listen={admin}"),
        format!("--store=sqlite:{}", file("store.db")),
        format!("--tls-cert={}", file("coordinator.pem")),
        format!("--tls-key={}", file("coordinator.key")),
    ];
    args.extend(listen.iter().map(|(scheme, at)| format!("--listen={scheme}://{at}")));
    if asks_workers {
        args.push(format!("--tls-ca={}", file("ca.pem")));
    }
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let coordinator = Process::start("coordinator", &args);
    coordinator.log().wait("coordinator.started");
    until("its API answers", || TcpStream::connect(admin).ok());
    coordinator
}

/// The flags of a worker that shows this certificate.
pub(crate) fn shows(pki: &Pki, name: &str) -> [String; 2] {
    let path = |file: String| pki.path(&file).display().to_string();
    let (cert, key) = (path(format!("{name}.pem")), path(format!("{name}.key")));
    [format!("--tls-cert={cert}"), format!("--tls-key={key}")]
}

#[test]
fn one_coordinator_is_reached_by_every_transport_and_says_which() {
    let everywhere = Everywhere::new(false);
    let running: Vec<_> = SCHEMES
        .map(|scheme| {
            let url = format!("--coordinator={scheme}://{}", everywhere.at(scheme));
            everywhere.worker(scheme, &[&url])
        })
        .into_iter()
        .collect();
    let https = format!("--coordinator=https://localhost:{}", everywhere.at("wss").port());
    let web = everywhere.worker("https", &[&https]);
    for (name, transport) in
        SCHEMES.map(|scheme| (scheme, scheme)).into_iter().chain([("https", "wss")])
    {
        assert_eq!(everywhere.until_active(name)["transport"], transport, "{name}");
    }
    let server = format!("http://{}", everywhere.admin);
    let table = Command::new(MOORLINE).args(["worker", "list", "-s", &server]).output().unwrap();
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.lines().next().unwrap().trim_end().ends_with("TRANSPORT"), "{table}");
    for scheme in SCHEMES {
        let row = table.lines().find(|line| line.split_whitespace().next() == Some(scheme));
        assert_eq!(row.unwrap().split_whitespace().last(), Some(scheme), "{table}");
    }
    drop((running, web));
}

#[test]
fn the_command_to_try_things_out_takes_every_transport() {
    let home = tempfile::tempdir().unwrap();
    let pki = Pki::new(home.path());
    pki.issue("dev");
    let flag = |name: &str, file: &str| format!("--tls-{name}={}", pki.path(file).display());
    let files = [flag("cert", "dev.pem"), flag("key", "dev.key"), flag("ca", "ca.pem")];
    for scheme in SCHEMES {
        let (listen, admin) = (free_address(), free_address());
        let (listen, own) =
            (format!("--listen={scheme}://{listen}"), format!("--admin-listen={admin}"));
        let files: Vec<_> = files.iter().map(String::as_str).collect();
        let dev = Process::start("dev", &[&["dev", &listen, &own], &files[..]].concat());
        let server = format!("http://{admin}");
        let get = ["worker", "get", "dev-worker", "--json", "-s", &server];
        let seen = until("its worker is active", || {
            let output = Command::new(MOORLINE).args(get).output().unwrap();
            let seen: Value = serde_json::from_slice(&output.stdout).ok()?;
            (seen["state"] == "active").then_some(seen)
        });
        assert_eq!(seen["transport"], scheme);
        drop(dev);
    }
}

#[test]
fn a_named_transport_takes_addresses_as_its_own_and_refuses_other_urls() {
    let everywhere = Everywhere::new(false);
    let mut running = Vec::new();
    for (transport, scheme) in
        [("grpc", "grpcs"), ("quic", "quic"), ("websocket", "wss"), ("auto", "grpcs")]
    {
        let (flag, at) = (
            format!("--transport={transport}"),
            format!("--coordinator={}", everywhere.at(scheme)),
        );
        running.push(everywhere.worker(transport, &[&flag, &at]));
        assert_eq!(everywhere.until_active(transport)["transport"], scheme, "{transport}");
    }
    let wrong = ["worker", "--name=w", "--transport=quic", "--coordinator=wss://127.0.0.1:1"];
    let said = ends(everywhere.home.path(), &wrong, 78, "ML1001");
    assert!(said.contains("`wss://127.0.0.1:1` is not for quic"), "{said}");
}

#[test]
fn a_transport_that_does_not_work_is_left_for_the_next_which_is_remembered() {
    let everywhere = Everywhere::new(false);
    let (nobody, other) = (free_address(), everywhere.at("wss"));
    let (first, second) =
        (format!("--coordinator=quic://{nobody}"), format!("--coordinator=wss://{other}"));
    let worker = everywhere.worker("w1", &[&first, &second, "--connect-timeout=2s"]);
    let told = worker.log().wait("transport.fallback");
    assert_eq!((&told["level"], &told["transport"]), (&"info".into(), &"wss".into()), "{told}");
    let said = told["msg"].as_str().unwrap();
    assert!(said.starts_with("quic unreachable, using wss: "), "{said}");
    everywhere.until_active("w1");
    let mark = worker.log().mark();
    let server = format!("http://{}", everywhere.admin);
    let disconnect = ["worker", "disconnect", "w1", "--yes", "-s", &server];
    assert!(Command::new(MOORLINE).args(disconnect).output().unwrap().status.success());
    worker.log().wait_from(mark, "link.restored", |_| true);
    // Nobody is looked for at the first one any more.
    let lines = worker.log().lines();
    let since: Vec<_> = lines.iter().skip(mark).map(|line| &line["event"]).collect();
    assert!(!since.iter().any(|event| *event == "link.endpoint_failed"), "{since:?}");
    assert!(!since.iter().any(|event| *event == "transport.fallback"), "{since:?}");
}

#[test]
fn a_coordinator_that_asks_for_certificates_lets_nobody_else_in() {
    let everywhere = Everywhere::new(true);
    let others = Pki::new(&everywhere.pki.path("others"));
    others.issue("stranger");
    for scheme in ["grpcs", "quic", "wss"] {
        let url = format!("--coordinator={scheme}://{}", everywhere.at(scheme));
        let worker = |name: &str, flags: &[String]| {
            let flags: Vec<_> = flags.iter().map(String::as_str).chain([url.as_str()]).collect();
            everywhere.worker(name, &flags)
        };
        let stranger = shows(&others, "stranger");
        for (name, flags) in [("nobody", &[][..]), ("stranger", &stranger)] {
            let refused = worker(&format!("{name}-{scheme}"), flags);
            let failed = refused.log().wait("link.attempt_failed");
            assert_eq!(failed["reason"], "tls_failed", "{scheme}: {failed}");
        }
        let name = format!("known-{scheme}");
        everywhere.pki.issue(&name);
        let known = worker(&name, &shows(&everywhere.pki, &name));
        everywhere.until_active(&name);
        // A certificate is its own worker's alone.
        let other = worker(&format!("other-{scheme}"), &shows(&everywhere.pki, &name));
        let failed = other.log().wait("link.attempt_failed");
        assert_eq!(failed["reason"], "auth_rejected", "{scheme}: {failed}");
        drop(known);
    }
}

#[test]
fn files_that_are_replaced_count_from_the_next_connection_on() {
    let everywhere = Everywhere::new(false);
    let url = format!("--coordinator=grpcs://{}", everywhere.at("grpcs"));
    let worker = everywhere.worker("w1", &[&url]);
    everywhere.until_active("w1");
    // Another authority: the coordinator's certificate is replaced first, the worker's list later.
    let other = Pki::new(&everywhere.pki.path("other"));
    other.issue("coordinator");
    let replace = |file: &str| {
        std::fs::copy(other.path(file), everywhere.pki.path(file)).unwrap();
    };
    replace("coordinator.key");
    replace("coordinator.pem");
    let mark = worker.log().mark();
    let server = format!("http://{}", everywhere.admin);
    let disconnect = ["worker", "disconnect", "w1", "--yes", "-s", &server];
    assert!(Command::new(MOORLINE).args(disconnect).output().unwrap().status.success());
    worker.log().wait_from(mark, "link.attempt_failed", |line| line["reason"] == "tls_failed");
    replace("ca.pem");
    worker.log().wait_from(mark, "link.restored", |_| true);
}

#[test]
fn a_coordinator_that_died_resets_its_quic_connections_when_it_is_back() {
    let mut everywhere = Everywhere::new(false);
    let url = format!("--coordinator=quic://{}", everywhere.at("quic"));
    let worker = everywhere.worker("w1", &[&url]);
    everywhere.until_active("w1");
    let key = everywhere.pki.path("store.db.quic-key");
    let before = std::fs::read(&key).unwrap();
    let mark = worker.log().mark();
    everywhere.coordinator.kill();
    everywhere.restart();
    // Without the key it would be the silence that is noticed, after three heartbeats.
    let lost = worker.log().wait_from(mark, "link.lost", |_| true);
    assert_eq!(lost["reason"], "transport_reset", "{lost}");
    worker.log().wait_from(mark, "link.restored", |_| true);
    assert_eq!(std::fs::read(&key).unwrap(), before);
}

#[test]
fn other_machines_are_reached_in_the_clear_only_if_flag_and_configuration_say_so() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    // 192.0.2.0/24 is nobody's.
    let worker = |more: &[&'static str]| {
        let mut args =
            vec!["worker", "--name=w", "--data-dir=w", "--coordinator=grpc://192.0.2.1:8740"];
        args.extend(["--max-reconnect-attempts=1", "--connect-timeout=50ms"]);
        args.extend(more);
        args
    };
    let coordinator = |more: &[&'static str]| {
        let mut args = vec!["coordinator", "--store=memory", "--admin-listen=127.0.0.1:0"];
        args.extend(["--listen=grpc://0.0.0.0:0"]);
        args.extend(more);
        args
    };
    std::fs::write(home.join("closed.toml"), "config_version = 1\n").unwrap();
    let open = "config_version = 1\nworker.insecure = true\ncoordinator.insecure = true\n";
    std::fs::write(home.join("open.toml"), open).unwrap();
    for half in [
        &["--config=closed.toml"][..],
        &["--config=closed.toml", "--insecure"],
        &["--config=open.toml"],
    ] {
        ends(home, &worker(half), 78, "ML1217");
        ends(home, &coordinator(half), 78, "ML1202");
    }
    // It gives up on whoever is not there, and is not refused.
    ends(home, &worker(&["--config=open.toml", "--insecure"]), 69, "ML3901");
    let config = format!("--config={}", home.join("open.toml").display());
    let args = [&coordinator(&["--insecure"])[..], &[config.as_str()]].concat();
    let open = Process::start("coordinator", &args);
    open.log().wait("coordinator.started");
}

#[test]
fn files_of_keys_and_certificates_that_cannot_be_used_are_named() {
    let home = tempfile::tempdir().unwrap();
    let pki = Pki::new(home.path());
    pki.issue("good");
    pki.issue("other");
    pki.issue_with("old", |params| {
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    });
    std::fs::write(home.path().join("text.pem"), "no certificate at all").unwrap();
    let with = |cert: &str, key: &str| {
        let mut args = vec!["coordinator".to_owned(), "--store=memory".to_owned()];
        args.extend([
            "--listen=quic://127.0.0.1:0".to_owned(),
            "--admin-listen=127.0.0.1:0".to_owned(),
        ]);
        if !cert.is_empty() {
            args.push(format!("--tls-cert={cert}"));
        }
        if !key.is_empty() {
            args.push(format!("--tls-key={key}"));
        }
        args
    };
    for (cert, key, code, said) in [
        ("", "", "ML1205", "quic://127.0.0.1:0 is served with TLS"),
        ("good.pem", "", "ML1205", "a certificate is given without its key"),
        ("gone.pem", "good.key", "ML1206", "cannot read gone.pem"),
        ("text.pem", "good.key", "ML1207", "text.pem holds no certificate"),
        ("good.pem", "ca.pem", "ML1207", "ca.pem holds no key"),
        ("good.pem", "other.key", "ML1208", "the key in other.key is not the one"),
    ] {
        let args = with(cert, key);
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let told = ends(home.path(), &args, 78, code);
        assert!(told.contains(said), "{cert} {key}: {told}");
    }
    let worker = ["worker", "--name=w", "--coordinator=grpcs://127.0.0.1:1", "--tls-ca=text.pem"];
    ends(home.path(), &worker, 78, "ML1207");
    // This machine's clock may be wrong: it is told, and nothing ends.
    let at = |file: &str| home.path().join(file).display().to_string();
    let args = with(&at("old.pem"), &at("old.key"));
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let old = Process::start("coordinator", &args);
    old.log().wait("coordinator.started");
    old.log().wait("tls.not_in_force");
    assert_eq!(old.log().messages("tls.not_in_force").len(), 1, "it is said once");
}

/// An HTTP proxy that knows `CONNECT` alone; it counts how often it was asked.
fn connect_proxy() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let count = Arc::clone(&count);
            std::thread::spawn(move || tunnel(client, &count));
        }
    });
    (address, asked)
}

fn tunnel(mut client: TcpStream, count: &AtomicUsize) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let to = head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap();
    let Ok(server) = TcpStream::connect(to) else { return };
    count.fetch_add(1, Ordering::SeqCst);
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    let (mut up, mut down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || std::io::copy(&mut down, &mut client));
    let _ = std::io::copy(&mut up, &mut &server);
}

#[test]
fn a_proxy_that_is_set_leads_to_the_coordinator() {
    let everywhere = Everywhere::new(false);
    let (proxy, asked) = connect_proxy();
    let url = format!("--coordinator=wss://{}", everywhere.at("wss"));
    let flag = format!("--proxy=http://{proxy}");
    let worker = everywhere.worker("w1", &[&url, &flag]);
    everywhere.until_active("w1");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    drop(worker);
    // `none` goes before what the environment says, and loopback is never its affair.
    let direct = everywhere.worker("w2", &[&url, "--proxy=none"]);
    everywhere.until_active("w2");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    drop(direct);
    let nobody = format!("--proxy=http://{}", free_address());
    let refused = everywhere.worker("w3", &[&url, &nobody]);
    let failed = refused.log().wait("link.attempt_failed");
    assert_eq!(failed["reason"], "connect_refused", "{failed}");
}
