//! A worker and its coordinator on two hosts: network namespaces with a cable between them, whose link
//! goes down, whose addresses change, and which loses packets one way.
//!
//! Without TLS a coordinator serves only loopback addresses, so the two hosts are in 127.77.0.0/24, and the
//! kernel is told to let such addresses out of the machine.
//!
//! It takes `ip` and the right to use it. Where that is not there, each test says so on stderr, past what
//! the test harness captures, and ends; with `MOORLINE_NETNS=required` in the environment it fails instead.

mod hosts;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline::{BoxError, Client, Coordinator, LinkState, StoreAt, Submit, TaskCtx, Worker};
use moorline_quic::QuicTransport;
use moorline_transport::{ClientTls, Security, ServerTls, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use self::hosts::{COORDINATOR, Hosts, MOVED, WORKER, skip};
use crate::rig::{Process, QUICK, Rig, SOON};

/// A coordinator on its host, and a worker on its own one. Everything a test does, it does on the
/// coordinator's host.
fn over_the_cable(test: impl FnOnce(&Hosts, &Rig, &Process) + Send) {
    let Some(hosts) = Hosts::new() else { return };
    hosts.coordinator.inside(|| {
        let rig = Rig::at("20s", (COORDINATOR, 8740).into(), ([127, 0, 0, 1], 8741).into());
        let flags = [QUICK, &["--handler=work=cat"]].concat();
        let worker = hosts.worker.inside(|| rig.worker("w1", &flags));
        rig.until_worker("w1", "active");
        worker.log().wait("poll.idle");
        works(&rig);
        test(&hosts, &rig, &worker);
    });
}

fn works(rig: &Rig) {
    let task = rig.submit("work", "x", &[]);
    assert_eq!(rig.until_task(&task, "succeeded")["attempts"], 1);
}

#[test]
fn a_worker_whose_link_goes_down_is_missed_and_comes_back_with_it() {
    over_the_cable(|hosts, rig, worker| {
        for round in 0..2 {
            let (here, there) = (worker.log().mark(), rig.coordinator.log().mark());
            hosts.worker.ip(&["link", "set", "wire", "down"]);
            // No reset comes through a cable that is out: it is silence that is noticed, by both.
            worker.log().wait_from(here, "link.lost", |_| true);
            worker
                .log()
                .wait_from(here, "link.attempt_failed", |line| line["reason"] == "unreachable");
            let gone = rig.coordinator.log().wait_from(there, "worker.disconnected", |_| true);
            assert_eq!(gone["reason"], "heartbeat_timeout", "{gone}");
            let meanwhile = rig.submit("work", "meanwhile", &[]);
            hosts.worker.ip(&["link", "set", "wire", "up"]);
            worker.log().wait_from(here, "link.restored", |_| true);
            assert_eq!(rig.until_task(&meanwhile, "succeeded")["attempts"], 1);
            works(rig);
            rig.balances(1 + 2 * (round + 1));
        }
    });
}

#[test]
fn a_worker_over_tcp_whose_address_changes_comes_back_from_the_new_one() {
    over_the_cable(|hosts, rig, worker| {
        let (here, there) = (worker.log().mark(), rig.coordinator.log().mark());
        hosts.worker_moves();
        worker.log().wait_from(here, "link.lost", |_| true);
        worker.log().wait_from(here, "link.restored", |_| true);
        let again = rig.coordinator.log().wait_from(there, "worker.registered", |_| true);
        let from = again["remote"].as_str().unwrap();
        assert!(from.starts_with(&MOVED.to_string()), "{again}");
        assert_eq!(again["kind"], "resumed", "{again}");
        works(rig);
        rig.balances(2);
    });
}

#[test]
fn a_worker_that_hears_nothing_and_is_heard_leaves_and_comes_back() {
    over_the_cable(|hosts, rig, worker| {
        let mark = worker.log().mark();
        // What the coordinator sends goes nowhere; what it is sent arrives.
        let to = format!("{WORKER}/32");
        hosts.coordinator.ip(&["route", "add", "blackhole", &to]);
        let lost = worker.log().wait_from(mark, "link.lost", |_| true);
        let silence = ["heartbeat_unacked", "heartbeat_timeout"];
        assert!(silence.iter().any(|reason| lost["reason"] == *reason), "{lost}");
        rig.until_worker("w1", "disconnected");
        hosts.coordinator.ip(&["route", "del", "blackhole", &to]);
        worker.log().wait_from(mark, "link.restored", |_| true);
        works(rig);
        rig.balances(2);
    });
}

#[test]
fn packets_that_are_lost_one_way_cost_time_and_no_task() {
    over_the_cable(|hosts, rig, _worker| {
        let netem = ["qdisc", "add", "dev", "wire", "root", "netem", "loss", "20%", "delay", "5ms"];
        if let Err(problem) = hosts.coordinator.tc(&netem) {
            return skip("lossy packets", &problem);
        }
        let tasks: Vec<_> = (0..20).map(|_| rig.submit("work", "x", &[])).collect();
        for task in &tasks {
            rig.until_task(task, "succeeded");
        }
        hosts.coordinator.tc(&["qdisc", "del", "dev", "wire", "root"]).unwrap();
        rig.until_worker("w1", "active");
        works(rig);
        rig.balances(22);
    });
}

/// QUIC for both ends, who believe each other.
fn quic(dir: &std::path::Path) -> QuicTransport {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "an authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([COORDINATOR.to_string()]).unwrap();
    let cert = params.signed_by(&key, &authority).unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let server = TlsFiles {
        cert: write("cert.pem", &cert.pem()),
        key: write("key.pem", &key.serialize_pem()),
        ca: None,
    };
    let client = TlsFiles { ca: write("ca.pem", &authority.pem()), ..TlsFiles::default() };
    let security = Security::new()
        .with_server(ServerTls::from_files(server).unwrap())
        .with_client(ClientTls::from_files(client).unwrap());
    QuicTransport::new().with_security(security)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

async fn echo(_ctx: TaskCtx, text: String) -> Result<String, BoxError> {
    Ok(text)
}

#[test]
fn a_worker_over_quic_whose_address_changes_stays_active() {
    let Some(hosts) = Hosts::new() else { return };
    let home = tempfile::tempdir().unwrap();
    let quic = quic(home.path());
    let endpoint = format!("quic://{COORDINATOR}:8740");
    hosts.coordinator.inside(|| {
        // Threads are where the thread is that begins them: each runtime lives on its own host.
        let there = runtime();
        let coordinator = Coordinator::builder()
            .store(StoreAt::Memory)
            .transport(quic.clone())
            .listen(&endpoint)
            .admin("127.0.0.1:8741");
        let coordinator = there.block_on(coordinator.start()).unwrap();
        let client = Client::new("http://127.0.0.1:8741").unwrap();
        let round_trip = |text: &str| {
            let submit = Submit::json("echo", &text).unwrap();
            there.block_on(async {
                let task = client.submit(submit).await.unwrap().id;
                client.wait_for(task, SOON).await.unwrap();
                let said: String = client.result_json(task).await.unwrap();
                assert_eq!(said, text);
            });
        };
        let told: Arc<Mutex<Vec<LinkState>>> = Arc::default();
        let listener = Arc::clone(&told);
        let (here, handle) = hosts.worker.inside(|| {
            let here = runtime();
            let entered = here.enter();
            let worker = Worker::builder(&endpoint)
                .transport(quic.clone())
                .name("w1")
                .data_dir(home.path().join("w1"))
                // Fifteen of them may be missed: on a machine that runs neither side no loss is seen.
                .heartbeat(Duration::from_secs(1), Duration::from_secs(15))
                .on_link_change(move |link| listener.lock().unwrap().push(link.state))
                .task("echo", echo)
                .build()
                .unwrap();
            let handle = worker.handle();
            here.spawn(worker.run());
            here.block_on(handle.wait_active(SOON)).unwrap();
            drop(entered);
            (here, handle)
        });
        round_trip("before");
        let addresses = || hosts.worker.said(&["-brief", "address", "show", "wire"]);
        assert!(addresses().contains(&WORKER.to_string()));
        hosts.worker_moves();
        assert!(!addresses().contains(&WORKER.to_string()));
        for nth in 0..3 {
            round_trip(&format!("after {nth}"));
        }
        let link = handle.link();
        assert_eq!((link.state, link.dials), (LinkState::Active, 1), "{link:?}");
        let told = told.lock().unwrap().clone();
        let active = told.iter().position(|state| *state == LinkState::Active).unwrap();
        assert!(told[active..].iter().all(|state| *state == LinkState::Active), "{told:?}");
        there.block_on(coordinator.stop());
        here.shutdown_background();
    });
}
