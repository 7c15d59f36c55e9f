//! Those who are turned away at the door, at every transport of a coordinator: each is counted by why, and
//! a worker that goes on working notices nothing. Those who get in and break the rules then are in
//! `hostile`.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use moorline_link::Reason;
use moorline_quic::QuicTransport;
use moorline_transport::{ClientTls, Endpoint, Security, TlsFiles, Transport};
use moorline_websocket::WebSocketTransport;
use serde_json::Value;

use crate::health::metrics;
use crate::reach::{Everywhere, shows};
use crate::rig::{Process, until};
use crate::wire::Pki;

/// Those who were turned away, by transport and by why.
fn refused(everywhere: &Everywhere) -> BTreeMap<(String, String), u64> {
    let series = metrics(everywhere.admin).into_iter().filter_map(|(name, count)| {
        let labels = name.strip_prefix("moorline_coordinator_connections_refused_total{")?;
        let (transport, reason) =
            labels.strip_prefix("transport=\"")?.strip_suffix("\"}")?.split_once("\",reason=\"")?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        Some(((transport.to_owned(), reason.to_owned()), count as u64))
    });
    series.collect()
}

/// Waits until so many have been turned away there for this reason, and no more.
fn until_refused(everywhere: &Everywhere, transport: &str, reason: Reason, count: u64) {
    let of = || {
        let by = (transport.to_owned(), reason.name().to_owned());
        refused(everywhere).get(&by).copied().unwrap_or_default()
    };
    let what = format!("{count} are refused at {transport}, {}", reason.name());
    until(&what, || (of() >= count).then_some(()));
    assert_eq!(of(), count, "{what}");
}

/// A worker that has work all the time, until this is over.
struct Honest<'scope> {
    worker: Process,
    done: Arc<AtomicU32>,
    working: ScopedJoinHandle<'scope, ()>,
}

impl<'scope> Honest<'scope> {
    fn begin(
        scope: &'scope Scope<'scope, '_>,
        everywhere: &'scope Everywhere,
        over: &'scope AtomicBool,
    ) -> Self {
        everywhere.pki.issue("honest");
        let url = format!("--coordinator=grpcs://{}", everywhere.at("grpcs"));
        let files = shows(&everywhere.pki, "honest");
        let flags: Vec<_> = files.iter().map(String::as_str).chain([url.as_str()]).collect();
        let worker = everywhere.worker("honest", &flags);
        everywhere.until_active("honest");
        let done = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&done);
        let working = scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let task = everywhere.run(&["task", "submit", "cat", "--input=x", "--wait"]);
                assert_eq!(task["state"], "succeeded", "{task}");
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { worker, done, working }
    }

    fn notices_nothing(mut self, over: &AtomicBool) {
        // However fast the others were.
        until("some tasks are done", || (self.done.load(Ordering::Relaxed) >= 3).then_some(()));
        over.store(true, Ordering::Relaxed);
        self.working.join().unwrap();
        for event in ["link.lost", "heartbeat.missed", "link.attempt_failed"] {
            assert_eq!(self.worker.log().messages(event), [""; 0], "{event}");
        }
        assert!(self.worker.is_running());
    }
}

fn says(at: SocketAddr, what: &[u8]) {
    let mut stranger = TcpStream::connect(at).unwrap();
    stranger.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stranger.write_all(what).unwrap();
    // It is answered, or cut off.
    let _ = stranger.read_to_end(&mut Vec::new());
}

const NOISE: &[u8] = &[0xff; 3_000];
const PAGE: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn whoever_is_no_worker_is_counted_by_transport_and_reason_and_disturbs_nobody() {
    let everywhere = Everywhere::new(true);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let honest = Honest::begin(scope, &everywhere, &over);
        let (protocol, tls) = (Reason::ProtocolError, Reason::TlsFailed);
        for (scheme, reason) in [("grpc", protocol), ("ws", protocol), ("grpcs", tls), ("wss", tls)]
        {
            for round in 0..20 {
                says(everywhere.at(scheme), if round % 2 == 0 { NOISE } else { PAGE });
            }
            until_refused(&everywhere, scheme, reason, 20);
        }
        strangers(&everywhere);
        honest.notices_nothing(&over);
    });
    let all: u64 = refused(&everywhere).values().sum();
    assert_eq!(all, 4 * 20 + 3 * 2, "{:?}", refused(&everywhere));
}

/// Those who show nothing, and those whose certificate somebody else has signed.
fn strangers(everywhere: &Everywhere) {
    let others = Pki::new(&everywhere.pki.path("others"));
    others.issue("stranger");
    let ca = Some(everywhere.pki.path("ca.pem"));
    let nobody = TlsFiles { ca: ca.clone(), ..TlsFiles::default() };
    let path = |file: &str| Some(others.path(file));
    let stranger = TlsFiles { cert: path("stranger.pem"), key: path("stranger.key"), ca };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (scheme, before) in [("grpcs", 20), ("wss", 20), ("quic", 0)] {
        for files in [nobody.clone(), stranger.clone()] {
            let client = ClientTls::from_files(files).unwrap();
            let security = Security::new().with_client(client);
            let transport: Box<dyn Transport> = match scheme {
                "quic" => Box::new(QuicTransport::new().with_security(security)),
                "wss" => Box::new(WebSocketTransport::new().with_security(security)),
                _ => Box::new(moorline_grpc::GrpcTransport::new().with_security(security)),
            };
            let there: Endpoint = format!("{scheme}://{}", everywhere.at(scheme)).parse().unwrap();
            let error = runtime.block_on(async { transport.dial(&there).await }).unwrap_err();
            assert_eq!(error.reason, Reason::TlsFailed, "{scheme}: {error}");
        }
        until_refused(everywhere, scheme, Reason::TlsFailed, before + 2);
    }
}

#[test]
fn a_certificate_with_another_workers_name_is_counted_and_disturbs_nobody() {
    let everywhere = Everywhere::new(true);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let honest = Honest::begin(scope, &everywhere, &over);
        for scheme in ["grpcs", "quic", "wss"] {
            let url = format!("--coordinator={scheme}://{}", everywhere.at(scheme));
            let files = shows(&everywhere.pki, "honest");
            let flags: Vec<_> = files.iter().map(String::as_str).chain([url.as_str()]).collect();
            let thief = everywhere.worker(&format!("thief-{scheme}"), &flags);
            let failed: Value = thief.log().wait("link.attempt_failed");
            assert_eq!(failed["reason"], "auth_rejected", "{scheme}: {failed}");
        }
        const REJECTED: &str =
            "moorline_coordinator_session_rejections_total{reason=\"auth_rejected\"}";
        let rejected = metrics(everywhere.admin)[REJECTED];
        assert!(rejected >= 3.0, "{rejected}");
        honest.notices_nothing(&over);
    });
    assert_eq!(refused(&everywhere), BTreeMap::new(), "they were let in, and refused then");
}

#[test]
fn whoever_connects_and_says_too_little_is_let_go_and_disturbs_nobody() {
    const EACH: u64 = 100;
    let everywhere = Everywhere::new(true);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let honest = Honest::begin(scope, &everywhere, &over);
        let greeting: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];
        let kinds: [(&str, &[u8]); 4] = [
            ("grpc", b"PRI * HTTP/2.0\r\n\r\nSM"),
            ("ws", b"GET / HTTP/1.1\r\nHost: x\r\nUpgra"),
            ("grpcs", greeting),
            ("wss", greeting),
        ];
        let silent: Vec<_> = kinds
            .into_iter()
            .flat_map(|(scheme, said)| (0..EACH).map(move |_| (scheme, said)))
            .map(|(scheme, said)| {
                let mut silent = TcpStream::connect(everywhere.at(scheme)).unwrap();
                silent.write_all(said).unwrap();
                silent
            })
            .collect();
        for (scheme, _) in kinds {
            until_refused(&everywhere, scheme, Reason::RegisterTimeout, EACH);
        }
        drop(silent);
        honest.notices_nothing(&over);
    });
}
