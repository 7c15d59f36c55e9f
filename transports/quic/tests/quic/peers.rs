//! Other ends that are no transport of ours: plain quinn, which does as it is told.

use std::net::SocketAddr;
use std::sync::Arc;

use moorline_transport::{Endpoint, Security};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{Connection, RecvStream, SendStream};

use crate::here;
use crate::tools::soon;

pub(crate) const PROTOCOL: &[u8] = b"moorline/1";

pub(crate) fn address(of: &Endpoint) -> SocketAddr {
    SocketAddr::new(of.host().parse().expect("an address"), of.port())
}

pub(crate) fn client_config(security: &Security, protocol: &[u8]) -> quinn::ClientConfig {
    let tls = security.client().expect("given").config(protocol);
    let tls = QuicClientConfig::try_from(tls).expect("for QUIC");
    let mut config = quinn::ClientConfig::new(Arc::new(tls));
    let mut windows = quinn::TransportConfig::default();
    // As ours are.
    windows.receive_window((256_u32 << 10).into()).stream_receive_window((192_u32 << 10).into());
    config.transport_config(Arc::new(windows));
    config
}

/// Dials as somebody else's program would.
pub(crate) async fn dial(security: &Security, to: &Endpoint) -> Connection {
    let client = quinn::Endpoint::client(address(&here())).expect("a socket");
    let config = client_config(security, PROTOCOL);
    let connecting = client.connect_with(config, address(to), "localhost").expect("begun");
    soon(connecting).await.expect("connected")
}

/// Opens a lane.
pub(crate) async fn open(connection: &Connection, name: u8) -> (SendStream, RecvStream) {
    let (mut send, receive) = soon(connection.open_bi()).await.expect("opened");
    send.write_all(&[name]).await.expect("written");
    (send, receive)
}

/// The other end names its lane, too.
pub(crate) async fn is_named(receive: &mut RecvStream, name: u8) {
    let mut named = [9];
    soon(receive.read_exact(&mut named)).await.expect("named");
    assert_eq!(named, [name]);
}

/// Listens as somebody else's program would.
pub(crate) fn listen(security: &Security, protocol: &[u8]) -> (quinn::Endpoint, Endpoint) {
    let tls = security.server(&here()).expect("given").config(protocol);
    let crypto = Arc::new(QuicServerConfig::try_from(tls).expect("for QUIC"));
    let config = quinn::ServerConfig::with_crypto(crypto);
    let server = quinn::Endpoint::server(config, address(&here())).expect("listens");
    let at = here().with_port(server.local_addr().expect("bound").port());
    (server, at)
}

/// Takes both lanes, in the order of [`moorline_link::Lane::ALL`].
pub(crate) async fn accept(
    server: &quinn::Endpoint,
) -> (Connection, [(SendStream, RecvStream); 2]) {
    let connection = soon(server.accept()).await.expect("open").await.expect("connected");
    let mut lanes = [None, None];
    for _ in 0..2 {
        let (mut send, mut receive) = soon(connection.accept_bi()).await.expect("opened");
        let mut name = [9];
        soon(receive.read_exact(&mut name)).await.expect("named");
        send.write_all(&name).await.expect("written");
        lanes[usize::from(name[0])] = Some((send, receive));
    }
    (connection, lanes.map(|lane| lane.expect("both are there")))
}

/// As it is on the wire.
pub(crate) fn framed(packet: &[u8]) -> Vec<u8> {
    let length = u32::try_from(packet.len()).expect("short").to_be_bytes();
    [&length[..], packet].concat()
}

/// Reads one packet.
pub(crate) async fn read(receive: &mut RecvStream) -> Vec<u8> {
    let mut length = [0; 4];
    soon(receive.read_exact(&mut length)).await.expect("a length");
    let mut packet = vec![0; usize::try_from(u32::from_be_bytes(length)).expect("short")];
    soon(receive.read_exact(&mut packet)).await.expect("a packet");
    packet
}

/// What one of us said when it closed a connection.
pub(crate) async fn closed_with(connection: &Connection) -> u64 {
    let end = soon(connection.closed()).await;
    let quinn::ConnectionError::ApplicationClosed(close) = end else { panic!("{end}") };
    close.error_code.into_inner()
}

/// A runtime on a thread of its own, which can be stopped dead: nothing that runs there gets to say
/// goodbye.
pub(crate) struct Process(Option<tokio::runtime::Runtime>);

impl Process {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        Self(Some(runtime))
    }

    pub(crate) async fn run<T: Send + 'static>(
        &self,
        what: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let runtime = self.0.as_ref().expect("it runs");
        soon(runtime.spawn(what)).await.expect("no panic")
    }

    /// Ends it, and then drops what it held: nobody moves that any more.
    pub(crate) async fn kill<T: Send + 'static>(mut self, held: T) {
        let runtime = self.0.take().expect("it runs");
        let stopped = tokio::task::spawn_blocking(move || {
            drop(runtime);
            drop(held);
        });
        soon(stopped).await.expect("no panic");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
