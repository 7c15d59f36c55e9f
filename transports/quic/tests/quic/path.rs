//! What changes between the two ends: addresses, processes, silence.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use futures::future::{join, join_all};
use moorline_link::{Lane, Reason};
use moorline_quic::QuicTransport;
use moorline_transport::{Connection, Endpoint, Listener, Transport};

use crate::certificates::{security, transport};
use crate::here;
use crate::peers::{self, Process};
use crate::tools::{accept, connect, receive, send, soon};

/// As many connections as are wanted, by both ends.
async fn connect_many(
    transport: &QuicTransport,
    listener: &mut dyn Listener,
    many: usize,
) -> Vec<(Connection, Connection)> {
    let mut all = Vec::new();
    for _ in 0..many {
        let dial = transport.dial(&listener.endpoint());
        let (dialled, accepted) = soon(join(dial, accept(listener))).await;
        all.push((dialled.expect("dialled"), accepted.expect("accepted")));
    }
    all
}

/// A listener with some connections dies, and another one takes its place: how these end, and how long
/// after that the last of them did.
async fn end_behind_a_restart(
    key: [u8; 32],
    next: [u8; 32],
    many: usize,
) -> (Vec<Reason>, Duration) {
    let security = security();
    let server = QuicTransport::new().with_security(security.clone()).with_key(key);
    let client = QuicTransport::new()
        .with_security(security.clone())
        .with_idle_timeout(Duration::from_secs(4));
    let process = Process::new();
    let mut listener =
        process.run(async move { server.listen(&here()).await.expect("listens") }).await;
    let endpoint = listener.endpoint();
    let mut dialled = Vec::new();
    let mut accepted = Vec::new();
    for (one, other) in connect_many(&client, &mut *listener, many).await {
        dialled.push(one);
        accepted.push(other);
    }
    process.kill((listener, accepted)).await;

    // Who does not know yet goes on.
    for connection in &mut dialled {
        send(connection, "a heartbeat", Lane::C).await.expect("nobody said anything");
    }
    let next = QuicTransport::new().with_security(security).with_key(next);
    let _listener = next.listen(&endpoint).await.expect("the address is free");
    let began = Instant::now();
    let ends = join_all(
        dialled
            .iter_mut()
            .map(|connection| async { receive(connection).await.expect_err("it is over") }),
    );
    let ends = soon(ends).await;
    (ends, began.elapsed())
}

#[tokio::test]
async fn a_coordinator_that_comes_back_with_its_key_resets_its_old_connections() {
    const MANY: usize = 200;
    let (ends, took) = end_behind_a_restart([7; 32], [7; 32], MANY).await;
    assert_eq!(ends, [Reason::TransportReset; MANY]);
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn a_coordinator_with_another_key_resets_nobody() {
    let (ends, _) = end_behind_a_restart([7; 32], [8; 32], 1).await;
    assert_eq!(ends, [Reason::HalfOpen]);
}

/// Both ends send and read as fast as they can; `moving` happens meanwhile.
async fn talk_while(dialled: Connection, accepted: Connection, moving: impl Future<Output = ()>) {
    const MANY: u32 = 1_500;
    let ends = [dialled, accepted].map(|Connection { mut sender, mut receiver, .. }| async move {
        let send = async {
            for n in 0..MANY {
                let lane = if n.is_multiple_of(2) { Lane::C } else { Lane::B };
                std::future::poll_fn(|cx| std::pin::Pin::new(&mut *sender).poll_ready(cx))
                    .await
                    .expect("ready");
                let mut packet = vec![7; 2_000];
                packet[..4].copy_from_slice(&n.to_be_bytes());
                std::pin::Pin::new(&mut *sender).send(Bytes::from(packet), lane).expect("sent");
                if n.is_multiple_of(100) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            std::future::poll_fn(|cx| std::pin::Pin::new(&mut *sender).poll_flush(cx)).await
        };
        let read = async {
            let mut next = [0, 1];
            for _ in 0..MANY {
                let packet =
                    std::future::poll_fn(|cx| std::pin::Pin::new(&mut *receiver).poll_receive(cx));
                let packet = packet.await.expect("received");
                let n = u32::from_be_bytes(packet[..4].try_into().expect("four"));
                let lane = usize::try_from(n % 2).expect("small");
                assert_eq!((n, packet.len()), (next[lane], 2_000));
                next[lane] += 2;
            }
        };
        let (flushed, ()) = join(send, read).await;
        flushed.expect("flushed");
        (sender, receiver)
    });
    soon(join(join_all(ends), moving)).await;
}

#[tokio::test]
async fn a_connection_keeps_its_packets_while_it_moves_to_other_sockets() {
    let transport = transport();
    let (_listener, dialled, accepted) = connect(&transport, &here()).await;
    talk_while(dialled, accepted, async {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            transport.rebind().expect("moved");
        }
    })
    .await;
}

#[test]
fn connections_move_without_tokio_too() {
    let transport = transport();
    let (listener, mut dialled, mut accepted) = futures::executor::block_on(async {
        let mut listener = transport.listen(&here()).await.expect("listens");
        let dial = transport.dial(&listener.endpoint());
        let (dialled, accepted) = join(dial, accept(&mut *listener)).await;
        (listener, dialled.expect("dialled"), accepted.expect("accepted"))
    });
    transport.rebind().expect("moved");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        send(&mut accepted, "over there", Lane::C).await.expect("sent");
        assert_eq!(receive(&mut dialled).await.expect("received"), "over there");
    });
    drop(listener);
}

#[tokio::test]
async fn the_other_end_sees_a_connection_move() {
    let security = security();
    let (server, at) = peers::listen(&security, peers::PROTOCOL);
    let transport = QuicTransport::new().with_security(security);
    let (dialled, (accepted, _lanes)) =
        soon(join(transport.dial(&at), peers::accept(&server))).await;
    let _dialled = dialled.expect("dialled");
    let before = accepted.remote_address();
    // Out of any runtime, as whoever watches the network may be.
    let moving = transport.clone();
    std::thread::spawn(move || moving.rebind().expect("moved")).join().expect("no panic");
    // Nobody sends anything: it says so by itself.
    soon(async {
        while accepted.remote_address() == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(accepted.close_reason().is_none());
}

#[tokio::test]
async fn a_silent_peer_is_half_open() {
    let security = security();
    let quick = QuicTransport::new()
        .with_security(security.clone())
        .with_idle_timeout(Duration::from_millis(800))
        .with_keep_alive(Duration::from_millis(200));
    let process = Process::new();
    let client = QuicTransport::new().with_security(security).with_keep_alive(Duration::ZERO);
    let mut listener = quick.listen(&here()).await.expect("listens");
    let dialling = {
        let (client, at) = (client.clone(), listener.endpoint());
        process.run(async move { client.dial(&at).await.expect("dialled") })
    };
    let (dialled, accepted) = join(dialling, accept(&mut *listener)).await;
    let mut accepted = accepted.expect("accepted");
    // While it is there, keep-alives hold it.
    let silent = tokio::time::timeout(Duration::from_secs(2), receive(&mut accepted)).await;
    assert!(silent.is_err(), "{silent:?}");
    process.kill(dialled).await;
    let began = Instant::now();
    assert_eq!(receive(&mut accepted).await, Err(Reason::HalfOpen));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_runtime_that_ends_takes_its_connections_and_sockets_along_and_nothing_else() {
    let transport = transport();
    let process = Process::new();
    let there = transport.clone();
    let mut listener =
        process.run(async move { there.listen(&here()).await.expect("listens") }).await;
    let (there, at) = (transport.clone(), listener.endpoint());
    let dialling = process.run(async move { there.dial(&at).await.expect("dialled") });
    let (mut dialled, accepted) = soon(join(dialling, accept(&mut *listener))).await;
    let accepted = accepted.expect("accepted");
    process.kill(()).await;
    assert_eq!(receive(&mut dialled).await, Err(Reason::TransportReset));
    let error = soon(accept(&mut *listener)).await.expect_err("over");
    assert!(matches!(error, moorline_transport::AcceptError::Closed { .. }), "{error}");
    let at = listener.endpoint();
    drop((listener, dialled, accepted));
    // The same transport goes on in another one, at the same address.
    let mut listener = transport.listen(&at).await.expect("listens");
    connect_many(&transport, &mut *listener, 1).await;
}

#[tokio::test]
async fn both_families_of_addresses_are_dialled() {
    let endpoint: Endpoint = "quic://[::1]:0".parse().expect("an endpoint");
    let (_listener, mut dialled, mut accepted) = connect(&transport(), &endpoint).await;
    send(&mut dialled, "six", Lane::C).await.expect("sent");
    assert_eq!(receive(&mut accepted).await.expect("received"), "six");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_share_one_socket() {
    const MANY: usize = 1_000;
    let transport = transport();
    let mut listener = transport.listen(&here()).await.expect("listens");
    let at = listener.endpoint();
    // A hundred at a time: all at once would be a test of the machine, which other tests share.
    let dials = futures::stream::iter(0..MANY).map(|n| {
        let dial = transport.dial(&at);
        async move {
            let mut dialled = dial.await.expect("dialled");
            let packet = n.to_be_bytes().to_vec();
            send(&mut dialled, packet, Lane::C).await.expect("sent");
            dialled
        }
    });
    let dials = dials.buffer_unordered(100).collect::<Vec<_>>();
    let accepts = async {
        let mut all = Vec::new();
        for _ in 0..MANY {
            all.push(accept(&mut *listener).await.expect("accepted"));
        }
        all
    };
    let (_dialled, mut accepted) = soon(join(dials, accepts)).await;
    let first = accepted[0].peer.clone();
    assert!(accepted.iter().all(|connection| connection.peer == first), "one socket");
    let packets = join_all(accepted.iter_mut().map(receive)).await;
    let mut seen: Vec<_> =
        packets.into_iter().map(|packet| packet.expect("received").to_vec()).collect();
    seen.sort();
    let expected: Vec<_> = (0..MANY).map(|n| n.to_be_bytes().to_vec()).collect();
    assert_eq!(seen, expected);
}
