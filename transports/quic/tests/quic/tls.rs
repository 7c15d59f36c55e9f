//! Who proves what to whom.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join;
use moorline_link::{Lane, Reason};
use moorline_quic::QuicTransport;
use moorline_transport::{AcceptError, ClientTls, ListenError, Security, ServerTls, Transport};
use rcgen::{CertificateParams, DnType};

use crate::certificates::{Files, LIFE, authority, ends_soon, params, security};
use crate::here;
use crate::peers;
use crate::tools::{accept, connect, receive, send, soon};

/// Dials a listener; why that failed, as both ends say it.
async fn refused(client: ClientTls, server: ServerTls) -> (Reason, Reason) {
    let server = QuicTransport::new().with_security(Security::new().with_server(server));
    let client = QuicTransport::new().with_security(Security::new().with_client(client));
    let mut listener = server.listen(&here()).await.expect("listens");
    let dial = client.dial(&listener.endpoint());
    let (dialled, accepted) = soon(join(dial, listener.accept())).await;
    let dialled = dialled.expect_err("refused").reason;
    let error = accepted.expect_err("refused");
    let AcceptError::Refused { reason, .. } = error else { panic!("{error}") };
    (dialled, reason)
}

#[tokio::test]
async fn a_coordinator_that_somebody_else_vouches_for_is_not_believed() {
    let (ours, theirs) = (authority(), authority());
    let server = Files::new(params("the coordinator"), &theirs, &theirs);
    let client = Files::new(params("gpu-1"), &ours, &ours);
    let refused = refused(client.nameless_client(), server.open_server()).await;
    assert_eq!(refused, (Reason::TlsFailed, Reason::TlsFailed));
}

#[tokio::test]
async fn a_certificate_that_ends_while_it_is_in_use_is_not_believed_any_more() {
    let ca = authority();
    let mut ending = params("the coordinator");
    ends_soon(&mut ending);
    let files = Files::new(ending, &ca, &ca);
    let server = files.open_server();
    tokio::time::sleep(LIFE + Duration::from_secs(1)).await;
    let refused = refused(files.nameless_client(), server).await;
    assert_eq!(refused, (Reason::TlsFailed, Reason::TlsFailed));
}

#[tokio::test]
async fn a_workers_certificate_that_ends_while_it_is_in_use_is_not_believed_any_more() {
    let ca = authority();
    let mut ending = params("gpu-1");
    ends_soon(&mut ending);
    let (worker, server) =
        (Files::new(ending, &ca, &ca), Files::new(params("the coordinator"), &ca, &ca));
    let client = worker.client();
    tokio::time::sleep(LIFE + Duration::from_secs(1)).await;
    let refused = refused(client, server.server()).await;
    assert_eq!(refused, (Reason::TlsFailed, Reason::TlsFailed));
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_believed() {
    let ca = authority();
    let mut other = CertificateParams::new(vec!["elsewhere.test".to_owned()]).expect("a name");
    other.distinguished_name.push(DnType::CommonName, "127.0.0.1");
    let server = Files::new(other, &ca, &ca);
    let refused = refused(server.nameless_client(), server.open_server()).await;
    assert_eq!(refused, (Reason::TlsFailed, Reason::TlsFailed));
}

#[tokio::test]
async fn a_worker_without_the_certificate_that_is_asked_for_learns_so_by_dialling() {
    let (ours, theirs) = (authority(), authority());
    let server = Files::new(params("the coordinator"), &ours, &ours);
    let nobody = refused(server.nameless_client(), server.server()).await;
    assert_eq!(nobody, (Reason::TlsFailed, Reason::TlsFailed));
    let stranger = Files::new(params("gpu-1"), &theirs, &ours);
    let stranger = refused(stranger.client(), server.server()).await;
    assert_eq!(stranger, (Reason::TlsFailed, Reason::TlsFailed));
}

#[tokio::test]
async fn a_worker_is_known_by_its_certificate() {
    let ca = authority();
    let server = Files::new(params("the coordinator"), &ca, &ca);
    let worker = Files::new(params("gpu-1"), &ca, &ca);
    let security = Security::new().with_server(server.server()).with_client(worker.client());
    let transport = QuicTransport::new().with_security(security);
    let (_listener, mut dialled, mut accepted) = connect(&transport, &here()).await;
    assert_eq!(accepted.identity.as_deref(), Some("gpu-1"));
    assert_eq!(dialled.identity, None);
    send(&mut dialled, "it works", Lane::B).await.expect("sent");
    assert_eq!(receive(&mut accepted).await.expect("received"), "it works");

    let security = Security::new().with_server(server.open_server()).with_client(worker.client());
    let transport = QuicTransport::new().with_security(security);
    let (_listener, _dialled, accepted) = connect(&transport, &here()).await;
    assert_eq!(accepted.identity, None, "nobody asked");
}

#[tokio::test]
async fn a_listener_needs_a_certificate() {
    let error = QuicTransport::new().listen(&here()).await.map(|_| ()).expect_err("it has none");
    assert_eq!(error, ListenError::NoCertificate { endpoint: here() });
}

#[tokio::test]
async fn another_protocol_is_not_taken_for_a_coordinator() {
    let security = security();
    let (server, at) = peers::listen(&security, b"h3");
    let transport = QuicTransport::new().with_security(security.clone());
    let serving = async { soon(server.accept()).await.expect("open").await.map(|_| ()) };
    let (dialled, served) = soon(join(transport.dial(&at), serving)).await;
    assert_eq!(dialled.expect_err("no coordinator").reason, Reason::ProxyRefused);
    served.expect_err("no worker");

    let mut listener = transport.listen(&here()).await.expect("listens");
    let client = quinn::Endpoint::client(peers::address(&here())).expect("a socket");
    let config = peers::client_config(&security, b"h3");
    let at = peers::address(&listener.endpoint());
    let connecting = client.connect_with(config, at, "localhost").expect("begun");
    let (connected, accepted) = soon(join(connecting, listener.accept())).await;
    connected.expect_err("no server of that");
    let error = accepted.expect_err("refused");
    assert!(matches!(error, AcceptError::Refused { reason: Reason::ProxyRefused, .. }), "{error}");
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

#[tokio::test]
async fn nothing_below_tls_1_3_is_spoken() {
    let old = &[&rustls::version::TLS12];
    let client = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(old)
        .expect("a version")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let security = Security::new().with_client(ClientTls::from_config(client));
    let transport = QuicTransport::new().with_security(security);
    let error = soon(transport.dial(&here().with_port(9))).await.expect_err("refused");
    assert_eq!(error.reason, Reason::TlsFailed, "{error}");

    let key = rcgen::KeyPair::generate().expect("a key");
    let cert = params("the coordinator").self_signed(&key).expect("signed");
    let server = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(old)
        .expect("a version")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .expect("a certificate");
    let security = Security::new().with_server(ServerTls::from_config(server));
    let transport = QuicTransport::new().with_security(security);
    let error = transport.listen(&here()).await.map(|_| ()).expect_err("refused");
    assert!(matches!(error, ListenError::Other { .. }), "{error}");
}

#[tokio::test]
async fn nothing_is_sent_or_taken_ahead_of_the_handshake() {
    // Both ends are set up for 0-RTT by whoever gave the configurations.
    let key = rcgen::KeyPair::generate().expect("a key");
    let cert = params("the coordinator").self_signed(&key).expect("signed");
    let mut server = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .expect("a certificate");
    server.max_early_data_size = u32::MAX;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(cert.der().clone()).expect("a certificate");
    let mut client = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.enable_early_data = true;
    let security = Security::new()
        .with_client(ClientTls::from_config(client))
        .with_server(ServerTls::from_config(server));

    // Tickets are kept by name. A plain listener gives out what 0-RTT needs, so the client below could.
    let (plain, at) = peers::listen(&security, peers::PROTOCOL);
    assert!(
        can_send_ahead(&security, &at, "localhost", async {
            plain.accept().await.expect("open").await.ok()
        })
        .await
    );
    // Ours does not.
    let transport = QuicTransport::new().with_security(security.clone());
    let mut listener = transport.listen(&here()).await.expect("listens");
    let at = listener.endpoint();
    let serving = async {
        let _ = accept(&mut *listener).await;
        None
    };
    assert!(!can_send_ahead(&security, &at, "127.0.0.1", serving).await);
}

/// Connects, which gives a ticket, and says whether that is good for sending ahead.
async fn can_send_ahead(
    security: &Security,
    at: &moorline_transport::Endpoint,
    name: &str,
    serving: impl Future<Output = Option<quinn::Connection>>,
) -> bool {
    let client = quinn::Endpoint::client(peers::address(&here())).expect("a socket");
    let config = peers::client_config(security, peers::PROTOCOL);
    let connect = || client.connect_with(config.clone(), peers::address(at), name).expect("begun");
    let first = async {
        let connected = connect().await.expect("connected");
        let c = peers::open(&connected, 0).await;
        let b = peers::open(&connected, 1).await;
        (connected, c, b)
    };
    let (first, _served) = soon(join(first, serving)).await;
    // Tickets come right behind the handshake.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    drop(first);
    connect().into_0rtt().is_ok()
}
