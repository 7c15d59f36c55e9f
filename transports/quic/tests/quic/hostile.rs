//! Whoever means no good: addresses that are not its own, proofs of them that are forged, handshakes and
//! packets that stop halfway.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moorline_link::Reason;
use moorline_quic::QuicTransport;
use moorline_transport::{Security, Transport};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use crate::certificates::security;
use crate::flood::{first_datagrams, is_retry, socket, spoof};
use crate::here;
use crate::hostile_kit::{Siege, hear};
use crate::peers;
use crate::tools::soon;

/// From so many handshakes on an address has to be proven.
const PROVE_FROM: usize = 64;

async fn siege() -> (Siege, Security) {
    let security = security();
    let transport = QuicTransport::new().with_security(security.clone());
    (Siege::begin(transport, "quic://127.0.0.1:0").await, security)
}

/// So many handshakes are begun by nobody that from now on addresses have to be proven.
async fn press(siege: &Siege, security: &Security) {
    for datagram in first_datagrams(security, PROVE_FROM).await {
        let spoofed = spoof(&datagram, siege.address()).await;
        let mut answer = vec![0; 2_000];
        soon(spoofed.recv(&mut answer)).await.expect("answered");
        assert!(!is_retry(&answer), "it is under pressure already");
    }
}

#[tokio::test]
async fn handshakes_that_stop_halfway_are_let_go() {
    let (mut siege, security) = siege().await;
    press(&siege, &security).await;
    siege.undisturbed().await;
    // From here on time passes as soon as nothing else happens.
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    for _ in 0..PROVE_FROM {
        let refused = siege.refused().await;
        assert_eq!(refused.reason, Reason::RegisterTimeout, "{}", refused.detail);
    }
    let waited = began.elapsed();
    tokio::time::resume();
    assert!(waited < Duration::from_millis(10_100), "{waited:?}");
    // The pressure is off: nobody has to prove its address any more.
    press(&siege, &security).await;
    siege.withstands().await;
}

/// Whoever is between a worker and a coordinator, and passes its first datagram on from one address and
/// what comes behind the answer from another.
struct Between {
    at: SocketAddr,
    passing: JoinHandle<()>,
}

impl Drop for Between {
    fn drop(&mut self) {
        self.passing.abort();
    }
}

impl Between {
    async fn and(to: SocketAddr, is_honest: bool) -> Self {
        let (near, first, second) = (socket().await, socket().await, socket().await);
        let at = near.local_addr().expect("bound");
        let passing = tokio::spawn(async move {
            let (mut up, mut down) = (vec![0; 2_000], vec![0; 2_000]);
            let mut is_answered = false;
            let mut worker = None;
            loop {
                let away = if is_answered && !is_honest { &second } else { &first };
                let mut other = vec![0; 2_000];
                tokio::select! {
                    said = near.recv_from(&mut up) => {
                        let (length, from) = said.expect("received");
                        worker = Some(from);
                        away.send_to(&up[..length], to).await.expect("sent");
                    }
                    said = first.recv(&mut down) => {
                        is_answered = true;
                        pass(&near, &down[..said.expect("received")], worker).await;
                    }
                    said = second.recv(&mut other) => {
                        pass(&near, &other[..said.expect("received")], worker).await;
                    }
                }
            }
        });
        Self { at, passing }
    }
}

async fn pass(near: &UdpSocket, datagram: &[u8], worker: Option<SocketAddr>) {
    near.send_to(datagram, worker.expect("it spoke first")).await.expect("sent");
}

#[tokio::test]
async fn the_proof_of_one_address_is_none_for_another() {
    let (mut siege, security) = siege().await;
    press(&siege, &security).await;
    let worker = QuicTransport::new().with_security(security.clone());
    let honest = Between::and(siege.address(), true).await;
    let dialled = soon(worker.dial(&here().with_port(honest.at.port()))).await;
    dialled.expect("who stays where it is gets in");
    siege.taken().await;
    let moved = Between::and(siege.address(), false).await;
    let error = soon(worker.dial(&here().with_port(moved.at.port()))).await.expect_err("refused");
    assert_eq!(error.reason, Reason::ProtocolError, "{error}");
    assert!(error.detail.to_lowercase().contains("token"), "{error}");
    siege.withstands().await;
}

/// Shows whoever asks for a proof what was made up.
struct Forger(Vec<u8>);

impl quinn::TokenStore for Forger {
    fn insert(&self, _server: &str, _token: Bytes) {}

    fn take(&self, _server: &str) -> Option<Bytes> {
        Some(self.0.clone().into())
    }
}

#[tokio::test]
async fn a_proof_that_was_made_up_proves_nothing() {
    let (siege, security) = siege().await;
    press(&siege, &security).await;
    for forged in [vec![0; 1], vec![0; 64], (0..200).collect(), vec![0xff; 33]] {
        let hole = socket().await;
        let client = quinn::Endpoint::client(peers::address(&here())).expect("a socket");
        let mut config = peers::client_config(&security, peers::PROTOCOL);
        config.token_store(Arc::new(Forger(forged.clone())));
        let at = hole.local_addr().expect("bound");
        let connecting = client.connect_with(config, at, "localhost").expect("begun");
        let mut datagram = vec![0; 2_000];
        let length = soon(hole.recv(&mut datagram)).await.expect("received");
        drop(connecting);
        assert!(datagram[..length].windows(forged.len()).any(|part| part == forged), "it is shown");
        let spoofed = spoof(&datagram[..length], siege.address()).await;
        let mut answer = vec![0; 2_000];
        let length = soon(spoofed.recv(&mut answer)).await.expect("answered");
        // It has to prove itself all the same: nothing was begun for it.
        assert!(is_retry(&answer) && length < 200, "{length} bytes for {forged:?}");
    }
    siege.withstands().await;
}

#[tokio::test]
async fn a_packet_that_stops_halfway_holds_up_its_own_lane_alone() {
    let (mut siege, security) = siege().await;
    let stranger = peers::dial(&security, &here().with_port(siege.address().port())).await;
    let (mut c, mut named) = peers::open(&stranger, 0).await;
    peers::is_named(&mut named, 0).await;
    let (mut b, mut named) = peers::open(&stranger, 1).await;
    peers::is_named(&mut named, 1).await;
    let mut accepted = siege.taken().await;
    // It says that 64 KiB come, and a byte of them.
    b.write_all(&[0, 1, 0, 0, 7]).await.expect("written");
    for n in 0..100_u8 {
        c.write_all(&peers::framed(&[n])).await.expect("written");
        assert_eq!(hear(&mut accepted).await.as_deref(), Ok(&[n][..]));
    }
    b.write_all(&[7]).await.expect("written");
    siege.undisturbed().await;
    // It ends its lane there: that is no packet.
    b.finish().expect("open");
    assert_eq!(hear(&mut accepted).await, Err(Reason::ProtocolError));
    assert_eq!(peers::closed_with(&stranger).await, 2);
    siege.withstands().await;
}
