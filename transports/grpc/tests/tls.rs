//! TLS at a gRPC listener: who is believed, who is let in, and what becomes of the others.

mod pki;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../memory/tests/tools/mod.rs"]
mod tools;

use std::time::Duration;

use moorline_grpc::GrpcTransport;
use moorline_link::{Lane, Reason};
use moorline_transport::{AcceptError, Connection, Endpoint, Listener, Transport};
use pki::{Authority, Files, LIFE, authority, ends_soon, issued, issued_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tools::{receive, send, soon};

async fn listen(transport: &GrpcTransport) -> Box<dyn Listener> {
    let here = "grpcs://127.0.0.1:0".parse().expect("an endpoint");
    transport.listen(&here).await.expect("listens")
}

/// Both ends, or why the one who dialled was turned away, by either of them.
type Met = Result<(Connection, Connection), (Option<Reason>, Option<AcceptError>)>;

/// Dials, and waits for what both ends have to say.
async fn meet(dialler: &GrpcTransport, there: &Endpoint, listener: &mut dyn Listener) -> Met {
    let (dialled, accepted) =
        soon(futures::future::join(dialler.dial(there), listener.accept())).await;
    match (dialled, accepted) {
        (Ok(dialled), Ok(accepted)) => Ok((dialled, accepted)),
        (dialled, accepted) => Err((dialled.err().map(|error| error.reason), accepted.err())),
    }
}

async fn refused(dialler: &GrpcTransport, there: &Endpoint, listener: &mut dyn Listener) {
    match meet(dialler, there, listener).await {
        Err((
            Some(Reason::TlsFailed),
            Some(AcceptError::Refused { reason: Reason::TlsFailed, .. }),
        )) => {}
        met => panic!("{met:?}"),
    }
}

/// A coordinator whose certificate is by `by`, and a listener of it.
async fn coordinator(by: &Authority) -> (Files, Box<dyn Listener>) {
    let files = Files::new(by, &issued(by, "the coordinator"));
    let listener = listen(&files.listens()).await;
    (files, listener)
}

async fn echo(dialled: &mut Connection, accepted: &mut Connection) {
    send(dialled, "hello", Lane::C).await.expect("sent");
    assert_eq!(receive(accepted).await.expect("received"), "hello");
    send(accepted, "hello yourself", Lane::C).await.expect("sent");
    assert_eq!(receive(dialled).await.expect("received"), "hello yourself");
}

#[tokio::test]
async fn a_coordinator_whose_authority_is_unknown_is_not_believed() {
    let (ours, theirs) = (authority(), authority());
    let (_files, mut listener) = coordinator(&theirs).await;
    let worker = Files::new(&ours, &issued(&ours, "gpu-1"));
    refused(&worker.dials(), &listener.endpoint(), &mut *listener).await;
    let worker = Files::new(&theirs, &issued(&theirs, "gpu-1"));
    let met = meet(&worker.dials(), &listener.endpoint(), &mut *listener).await;
    let (mut dialled, mut accepted) = met.expect("believed");
    echo(&mut dialled, &mut accepted).await;
}

#[tokio::test]
async fn a_certificate_that_ends_while_it_is_in_use_is_not_believed_any_more() {
    let ca = authority();
    let files = Files::new(&ca, &issued_with(&ca, "the coordinator", ends_soon));
    let mut listener = listen(&files.listens()).await;
    let coordinator = Files::new(&ca, &issued(&ca, "the coordinator"));
    let mut strict = listen(&coordinator.listens_to_workers()).await;
    let (good, ending) = (issued(&ca, "gpu-1"), issued_with(&ca, "gpu-1", ends_soon));
    let worker = Files::new(&ca, &good).dials();
    let over = Files::new(&ca, &ending).dials();
    tokio::time::sleep(LIFE + Duration::from_secs(1)).await;
    refused(&worker, &listener.endpoint(), &mut *listener).await;
    refused(&over, &strict.endpoint(), &mut *strict).await;
    meet(&worker, &strict.endpoint(), &mut *strict).await.expect("its own is in force");
}

#[tokio::test]
async fn a_certificate_for_another_host_is_not_believed() {
    let ca = authority();
    let certificate = issued_with(&ca, "the coordinator", |params| {
        params.subject_alt_names.retain(|name| !matches!(name, rcgen::SanType::IpAddress(_)));
    });
    let files = Files::new(&ca, &certificate);
    let mut listener = listen(&files.listens()).await;
    let worker = Files::new(&ca, &issued(&ca, "gpu-1"));
    let there = listener.endpoint();
    refused(&worker.dials(), &there, &mut *listener).await;
    // The name that it is for leads to the same place.
    let named = format!("grpcs://localhost:{}", there.port()).parse().expect("an endpoint");
    let met = meet(&worker.dials(), &named, &mut *listener).await;
    let (mut dialled, mut accepted) = met.expect("believed");
    echo(&mut dialled, &mut accepted).await;
}

#[tokio::test]
async fn the_name_of_a_workers_certificate_is_its_identity() {
    let ca = authority();
    let files = Files::new(&ca, &issued(&ca, "the coordinator"));
    let mut listener = listen(&files.listens_to_workers()).await;
    let there = listener.endpoint();
    for name in ["gpu-1", "gpu-2"] {
        let worker = Files::new(&ca, &issued(&ca, name));
        let met = meet(&worker.dials(), &there, &mut *listener).await;
        let (mut dialled, mut accepted) = met.expect("let in");
        assert_eq!(accepted.identity.as_deref(), Some(name));
        assert_eq!(dialled.identity, None, "the dialled end is known by its host");
        echo(&mut dialled, &mut accepted).await;
    }
    let nameless = issued_with(&ca, "nobody", |params| {
        params.distinguished_name = rcgen::DistinguishedName::new();
    });
    let worker = Files::new(&ca, &nameless);
    let met = meet(&worker.dials(), &there, &mut *listener).await;
    assert_eq!(met.expect("let in").1.identity.as_deref(), Some(""));
}

#[tokio::test]
async fn nobody_is_asked_for_a_certificate_where_no_authority_is_named() {
    let ca = authority();
    let (_files, mut listener) = coordinator(&ca).await;
    let worker = Files::new(&ca, &issued(&ca, "gpu-1"));
    for dialler in [worker.dials(), worker.dials_as_nobody()] {
        let met = meet(&dialler, &listener.endpoint(), &mut *listener).await;
        assert_eq!(met.expect("let in").1.identity, None);
    }
}

#[tokio::test]
async fn a_worker_without_a_certificate_or_with_a_strangers_is_not_let_in() {
    let (ours, other) = (authority(), authority());
    let files = Files::new(&ours, &issued(&ours, "the coordinator"));
    let mut listener = listen(&files.listens_to_workers()).await;
    let there = listener.endpoint();
    let worker = Files::new(&ours, &issued(&ours, "gpu-1"));
    refused(&worker.dials_as_nobody(), &there, &mut *listener).await;
    let stranger = Files::new(&ours, &issued(&other, "gpu-1"));
    refused(&stranger.dials(), &there, &mut *listener).await;
    let met = meet(&worker.dials(), &there, &mut *listener).await;
    assert_eq!(met.expect("let in").1.identity.as_deref(), Some("gpu-1"));
}

#[tokio::test]
async fn what_is_no_tls_is_refused_and_disturbs_nobody() {
    let ca = authority();
    let (_files, mut listener) = coordinator(&ca).await;
    let worker = Files::new(&ca, &issued(&ca, "gpu-1"));
    let there = listener.endpoint();
    let met = meet(&worker.dials(), &there, &mut *listener).await;
    let (mut dialled, mut accepted) = met.expect("let in");
    for garbage in [
        &b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        // A record of a handshake, and what is in it is none.
        b"\x16\x03\x01\x00\x05hello",
        &[0xff; 4_096],
    ] {
        let mut stranger = TcpStream::connect(("127.0.0.1", there.port())).await.expect("there");
        stranger.write_all(garbage).await.expect("written");
        let address = stranger.local_addr().expect("bound").to_string();
        match soon(listener.accept()).await {
            Err(AcceptError::Refused { peer, reason: Reason::TlsFailed, detail }) => {
                assert_eq!(peer, address, "{detail}");
            }
            taken => panic!("{taken:?}"),
        }
        // It is told so, and let go.
        let mut answer = Vec::new();
        let _ = soon(stranger.read_to_end(&mut answer)).await;
        echo(&mut dialled, &mut accepted).await;
    }
    let met = meet(&worker.dials(), &there, &mut *listener).await;
    let (mut dialled, mut accepted) = met.expect("let in");
    echo(&mut dialled, &mut accepted).await;
}

#[tokio::test]
async fn clear_text_and_tls_do_not_meet() {
    let ca = authority();
    let (_files, mut listener) = coordinator(&ca).await;
    let worker = Files::new(&ca, &issued(&ca, "gpu-1"));
    let clear = format!("grpc://127.0.0.1:{}", listener.endpoint().port());
    let met = meet(&worker.dials(), &clear.parse().expect("an endpoint"), &mut *listener).await;
    let Err((Some(_), Some(AcceptError::Refused { reason: Reason::TlsFailed, .. }))) = met else {
        panic!("{met:?}");
    };
    let here: Endpoint = "grpc://127.0.0.1:0".parse().expect("an endpoint");
    let mut listener = GrpcTransport::new().listen(&here).await.expect("listens");
    let encrypted = format!("grpcs://127.0.0.1:{}", listener.endpoint().port());
    let met = meet(&worker.dials(), &encrypted.parse().expect("an endpoint"), &mut *listener).await;
    let Err((Some(Reason::TlsFailed), Some(AcceptError::Refused { .. }))) = met else {
        panic!("{met:?}");
    };
}

#[tokio::test]
async fn certificates_are_replaced_while_the_listener_goes_on() {
    let (old, new) = (authority(), authority());
    let files = Files::new(&old, &issued(&old, "the coordinator"));
    let mut listener = listen(&files.listens_to_workers()).await;
    let there = listener.endpoint();
    let before = Files::new(&old, &issued(&old, "before"));
    let after = Files::new(&new, &issued(&new, "after"));
    let met = meet(&before.dials(), &there, &mut *listener).await;
    let (mut dialled, mut accepted) = met.expect("let in");
    refused(&after.dials(), &there, &mut *listener).await;

    let (cert, key) = issued(&new, "the coordinator");
    files.write("ca.pem", &new.pem());
    files.write("cert.pem", &cert);
    files.write("key.pem", &key);
    refused(&before.dials(), &there, &mut *listener).await;
    let met = meet(&after.dials(), &there, &mut *listener).await;
    let (mut dialled_after, mut accepted_after) = met.expect("let in");
    assert_eq!(accepted_after.identity.as_deref(), Some("after"));
    echo(&mut dialled_after, &mut accepted_after).await;
    // Who was there goes on.
    echo(&mut dialled, &mut accepted).await;

    files.write("cert.pem", "no certificate at all");
    let met = meet(&after.dials(), &there, &mut *listener).await;
    assert_eq!(met.expect("what there was goes on").1.identity.as_deref(), Some("after"));
}
