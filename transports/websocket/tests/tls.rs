//! Who proves what over `wss`, and what is said to those who prove nothing.

#[allow(dead_code, reason = "other tests use the rest")]
mod common;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../memory/tests/tools/mod.rs"]
mod tools;

use std::time::Duration;

use common::{Authority, LIFE, client, server};
use moorline_link::Reason;
use moorline_transport::{
    AcceptError, Connection, DialError, Endpoint, Security, TlsFiles, Transport,
};
use moorline_websocket::WebSocketTransport;
use tools::soon;

/// What becomes of a dial with the one's files to a listener with the other's.
async fn meet(
    worker: TlsFiles,
    coordinator: TlsFiles,
) -> (Result<Connection, DialError>, Result<Connection, AcceptError>) {
    meet_with(Security::new().with_server(server(coordinator)).with_client(client(worker))).await
}

async fn meet_with(
    security: Security,
) -> (Result<Connection, DialError>, Result<Connection, AcceptError>) {
    let transport = WebSocketTransport::new().with_security(security);
    let here: Endpoint = "wss://127.0.0.1:0".parse().expect("an endpoint");
    let mut listener = transport.listen(&here).await.expect("listens");
    let dial = transport.dial(&listener.endpoint());
    soon(futures::future::join(dial, listener.accept())).await
}

#[tokio::test]
async fn a_client_certificate_proves_a_name() {
    let ca = Authority::new();
    let coordinator = ca.issue("127.0.0.1", "the coordinator");
    let worker = ca.issue("127.0.0.1", "gpu-1");
    let (dialled, accepted) = meet(worker.both(), coordinator.both()).await;
    assert_eq!(dialled.expect("dialled").identity, None);
    assert_eq!(accepted.expect("accepted").identity.as_deref(), Some("gpu-1"));
    let (dialled, accepted) = meet(worker.believing(), coordinator.alone()).await;
    dialled.expect("dialled");
    assert_eq!(accepted.expect("accepted").identity, None, "nobody was asked for one");
}

#[tokio::test]
async fn who_proves_nothing_is_refused_at_both_ends() {
    let (ca, stranger) = (Authority::new(), Authority::new());
    let good = ca.issue("127.0.0.1", "the coordinator");
    let elsewhere = ca.issue("localhost", "the coordinator");
    let strange = stranger.issue("127.0.0.1", "gpu-1");
    for (what, worker, coordinator) in [
        ("an authority that is not believed", strange.believing(), good.alone()),
        ("a certificate for another host", good.believing(), elsewhere.alone()),
        ("no certificate of its own", good.believing(), good.both()),
        (
            "a certificate that somebody else signed",
            TlsFiles { ca: good.both().ca, ..strange.both() },
            good.both(),
        ),
    ] {
        is_refused(what, meet(worker, coordinator).await);
    }
}

fn is_refused(
    what: &str,
    (dialled, accepted): (Result<Connection, DialError>, Result<Connection, AcceptError>),
) {
    let error = dialled.expect_err(what);
    assert_eq!(error.reason, Reason::TlsFailed, "{what}: {error}");
    let error = accepted.expect_err(what);
    let AcceptError::Refused { reason: Reason::TlsFailed, .. } = error else {
        panic!("{what}: {error}");
    };
}

#[tokio::test]
async fn a_certificate_that_ends_while_it_is_in_use_is_not_believed_any_more() {
    let ca = Authority::new();
    let (good, ending) =
        (ca.issue("127.0.0.1", "the coordinator"), ca.issue_for_a_while("127.0.0.1"));
    let of_coordinator =
        Security::new().with_server(server(ending.alone())).with_client(client(good.believing()));
    let of_worker =
        Security::new().with_server(server(good.both())).with_client(client(ending.both()));
    tokio::time::sleep(LIFE + Duration::from_secs(1)).await;
    is_refused("a coordinator's", meet_with(of_coordinator).await);
    is_refused("a worker's", meet_with(of_worker).await);
}

#[tokio::test]
async fn clear_and_encrypted_do_not_mix() {
    let issued = Authority::new().issue("127.0.0.1", "the coordinator");
    let security =
        Security::new().with_server(server(issued.alone())).with_client(client(issued.believing()));
    let transport = WebSocketTransport::new().with_security(security);
    for (at, to) in [("ws", "wss"), ("wss", "ws")] {
        let at: Endpoint = format!("{at}://127.0.0.1:0").parse().expect("an endpoint");
        let mut listener = transport.listen(&at).await.expect("listens");
        let port = listener.endpoint().port();
        let to: Endpoint = format!("{to}://127.0.0.1:{port}").parse().expect("an endpoint");
        let (dialled, accepted) =
            soon(futures::future::join(transport.dial(&to), listener.accept())).await;
        let error = dialled.expect_err("it is the other kind");
        let told = accepted.expect_err("it is the other kind");
        assert!(matches!(told, AcceptError::Refused { .. }), "{told}");
        if to.is_encrypted() {
            assert_eq!(error.reason, Reason::TlsFailed, "{error}");
        } else {
            assert_eq!(error.reason, Reason::ProxyRefused, "{error}");
        }
    }
}

#[tokio::test]
async fn a_listener_needs_a_certificate() {
    let here: Endpoint = "wss://127.0.0.1:0".parse().expect("an endpoint");
    let refused = WebSocketTransport::new().listen(&here).await.map(|_| ());
    let error = refused.expect_err("it has none");
    assert_eq!(error, moorline_transport::ListenError::NoCertificate { endpoint: here });
}
