//! Workers that a coordinator refuses for good: they end at once, each with the exit code of its reason.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use futures::future::poll_fn;
use moorline_link::{ComeBack, Dismissal, Lane, Reason};
use moorline_node::{DownFrame, Packet, UpFrame};
use moorline_transport::Connection;
use moorline_wire::{decode_up, encode_down};

use crate::exits::ends;
use crate::wire;

/// A coordinator that answers every registration with one and the same refusal.
struct Refusing {
    address: SocketAddr,
    /// How many it has refused.
    refused: Arc<AtomicU32>,
}

impl Refusing {
    fn start(dismissal: Dismissal) -> Self {
        let refused = Arc::<AtomicU32>::default();
        let count = Arc::clone(&refused);
        let (bound, is_bound) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let anywhere = wire::url(SocketAddr::from(([127, 0, 0, 1], 0)));
                let anywhere = anywhere.parse().expect("an endpoint");
                let listener = wire::transport().listen(&anywhere).await;
                let mut listener = listener.expect("it listens");
                bound.send(listener.endpoint().port()).expect("somebody waits for it");
                while let Ok(connection) = listener.accept().await {
                    tokio::spawn(refuse(connection, dismissal, Arc::clone(&count)));
                }
            });
        });
        let port = is_bound.recv().expect("it listens");
        Self { address: SocketAddr::from(([127, 0, 0, 1], port)), refused }
    }
}

async fn refuse(mut connection: Connection, dismissal: Dismissal, count: Arc<AtomicU32>) {
    let receiver = &mut connection.receiver;
    let said = poll_fn(|cx| Pin::new(&mut **receiver).poll_receive(cx)).await;
    let Ok(packet) = said else { return };
    let hello = decode_up(packet).expect("a worker writes packets").frames;
    assert!(matches!(hello[..], [UpFrame::Hello { .. }]), "{hello:?}");
    count.fetch_add(1, Ordering::SeqCst);
    let frames = vec![DownFrame::Refused { dismissal, hint: "not here".to_owned() }];
    let packet = encode_down(&Packet { lane: Lane::C, frames });
    let sender = &mut connection.sender;
    let written = async {
        poll_fn(|cx| Pin::new(&mut **sender).poll_ready(cx)).await?;
        Pin::new(&mut **sender).send(packet, Lane::C)?;
        poll_fn(|cx| Pin::new(&mut **sender).poll_flush(cx)).await
    };
    if written.await.is_ok() {
        // The worker closes it.
        while poll_fn(|cx| Pin::new(&mut **receiver).poll_receive(cx)).await.is_ok() {}
    }
}

/// A worker that is refused with this reason ends with this exit code and says this code.
fn refused(reason: Reason, come_back: ComeBack, exit: i32, code: &str) {
    let home = tempfile::tempdir().unwrap();
    let coordinator = Refusing::start(Dismissal { reason, come_back });
    let url = format!("--coordinator={}", wire::url(coordinator.address));
    let mut args = vec!["worker", &url, "--name=w", "--data-dir=w", "--reconnect-max-delay=1s"];
    let ca = format!("--tls-ca={}", wire::pki().path("ca.pem").display());
    if wire::is_encrypted() {
        args.push(&ca);
    }
    ends(home.path(), &args, exit, code);
    assert_eq!(coordinator.refused.load(Ordering::SeqCst), 1, "{reason}: it does not try again");
}

#[test]
fn a_worker_of_another_protocol_ends_with_76() {
    refused(Reason::VersionUnsupported, ComeBack::ByReason, 76, "ML3105");
}

#[test]
fn a_worker_whose_credential_or_place_is_refused_for_good_ends_with_77() {
    refused(Reason::AuthRevoked, ComeBack::ByReason, 77, "ML3104");
    for (reason, code) in [
        (Reason::AuthMissing, "ML3101"),
        (Reason::AuthRejected, "ML3102"),
        (Reason::AuthExpired, "ML3103"),
        (Reason::Quarantined, "ML3107"),
        (Reason::NotAdmitted, "ML3108"),
    ] {
        refused(reason, ComeBack::Never, 77, code);
    }
}

#[test]
fn a_worker_that_another_process_has_replaced_ends_with_5() {
    refused(Reason::Superseded, ComeBack::ByReason, 5, "ML3201");
    refused(Reason::NameConflict, ComeBack::Never, 5, "ML3106");
}
