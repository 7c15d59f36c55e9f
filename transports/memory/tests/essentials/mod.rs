//! What every transport has to keep, as functions over a transport and an endpoint to listen on.
//! The tests of each transport call all of them.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use moorline_link::{Lane, Reason};
use moorline_transport::{
    AcceptError, Connection, Endpoint, ListenError, Listener, Transport, UNWRITTEN_MAX,
};

/// The next who is let in.
pub(crate) async fn accept(listener: &mut dyn Listener) -> Result<Connection, AcceptError> {
    loop {
        let accepted = listener.accept().await;
        if !matches!(accepted, Err(AcceptError::Refused { .. })) {
            return accepted;
        }
    }
}

/// Largest packet the contract knows.
pub(crate) const PACKET_MAX: usize = 64 << 10;

/// Longest wait for what has to happen; only a failure takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something that has to happen.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it happens in time")
}

pub(crate) async fn ready(connection: &mut Connection) -> Result<(), Reason> {
    poll_fn(|cx| Pin::new(&mut *connection.sender).poll_ready(cx)).await
}

pub(crate) async fn send(
    connection: &mut Connection,
    packet: impl Into<Bytes>,
    lane: Lane,
) -> Result<(), Reason> {
    ready(connection).await?;
    Pin::new(&mut *connection.sender).send(packet.into(), lane)?;
    // Starts it on its way; whether the peer reads is not waited for.
    poll_fn(|cx| {
        let _ = Pin::new(&mut *connection.sender).poll_flush(cx)?;
        std::task::Poll::Ready(Ok(()))
    })
    .await
}

pub(crate) async fn receive(connection: &mut Connection) -> Result<Bytes, Reason> {
    soon(poll_fn(|cx| Pin::new(&mut *connection.receiver).poll_receive(cx))).await
}

pub(crate) async fn close(connection: &mut Connection) -> Result<(), Reason> {
    soon(poll_fn(|cx| Pin::new(&mut *connection.sender).poll_close(cx))).await
}

/// A listener, and both ends of a connection to it.
pub(crate) async fn connect(
    transport: &dyn Transport,
    listen: &Endpoint,
) -> (Box<dyn Listener>, Connection, Connection) {
    let mut listener = transport.listen(listen).await.expect("listens");
    let dial = transport.dial(&listener.endpoint());
    let (dialled, accepted) = soon(futures::future::join(dial, accept(&mut *listener))).await;
    (listener, dialled.expect("dialled"), accepted.expect("accepted"))
}

pub(crate) async fn packets_arrive_in_order_both_ways_and_whole(
    transport: &dyn Transport,
    listen: &Endpoint,
) {
    let (_listener, mut dialled, mut accepted) = connect(transport, listen).await;
    let sizes = [1, 2, 100, 16_384, PACKET_MAX, 7, PACKET_MAX, 0, 3];
    let packet =
        |n: usize| Bytes::from(vec![u8::try_from(n % 251).expect("small"); sizes[n % sizes.len()]]);
    let lane = |n: usize| if n.is_multiple_of(3) { Lane::B } else { Lane::C };
    let talk = async |connection: &mut Connection| {
        // One end at a time owns its connection: a packet is sent, then one is read.
        for n in 0..200 {
            send(connection, packet(n), lane(n)).await.expect("sent");
            assert_eq!(receive(connection).await.expect("received"), packet(n), "packet {n}");
        }
    };
    futures::join!(talk(&mut dialled), talk(&mut accepted));
}

pub(crate) async fn a_slow_reader_holds_the_writer_back(
    transport: &dyn Transport,
    listen: &Endpoint,
    most: usize,
) {
    let (_listener, mut dialled, mut accepted) = connect(transport, listen).await;
    let mut sent = 0;
    // Until nothing moves any more for a while: the reader reads nothing.
    while let Ok(ok) = tokio::time::timeout(
        Duration::from_millis(300),
        send(&mut dialled, vec![7; 16 << 10], Lane::B),
    )
    .await
    {
        ok.expect("sent");
        sent += 16 << 10;
        assert!(sent <= most, "{sent} bytes taken from a writer whose reader reads nothing");
    }
    assert!(sent >= UNWRITTEN_MAX / 2, "{sent} bytes is less than a transport should take");
    // The reader reads, and the writer goes on.
    let read = async {
        for _ in 0..sent / (16 << 10) {
            receive(&mut accepted).await.expect("received");
        }
    };
    let flush = poll_fn(|cx| Pin::new(&mut *dialled.sender).poll_flush(cx));
    soon(futures::future::join(read, flush)).await.1.expect("flushed");
    soon(ready(&mut dialled)).await.expect("ready again");
}

pub(crate) async fn an_abrupt_end_is_a_reset(transport: &dyn Transport, listen: &Endpoint) {
    let (_listener, mut dialled, accepted) = connect(transport, listen).await;
    drop(accepted);
    assert_eq!(receive(&mut dialled).await, Err(Reason::TransportReset));

    let (dialled, accepted) = {
        let dial = transport.dial(&_listener.endpoint());
        let mut listener = _listener;
        let (dialled, accepted) = soon(futures::future::join(dial, accept(&mut *listener))).await;
        (dialled.expect("dialled"), accepted.expect("accepted"))
    };
    let mut accepted = accepted;
    drop(dialled);
    assert_eq!(receive(&mut accepted).await, Err(Reason::TransportReset));
}

pub(crate) async fn one_half_that_is_dropped_cuts_the_connection(
    transport: &dyn Transport,
    listen: &Endpoint,
) {
    let (_listener, dialled, mut accepted) = connect(transport, listen).await;
    let Connection { sender, receiver, .. } = dialled;
    drop(sender);
    assert_eq!(receive(&mut accepted).await, Err(Reason::TransportReset));
    drop(receiver);
    drop(accepted);
    drop(_listener);

    let (_listener, dialled, mut accepted) = connect(transport, listen).await;
    let Connection { sender, receiver, .. } = dialled;
    drop(receiver);
    assert_eq!(receive(&mut accepted).await, Err(Reason::TransportReset));
    drop(sender);
}

pub(crate) async fn an_orderly_end_comes_behind_what_was_sent(
    transport: &dyn Transport,
    listen: &Endpoint,
) {
    let (mut listener, first, second) = connect(transport, listen).await;
    let pairs = {
        let dial = transport.dial(&listener.endpoint());
        let (dialled, accepted) = soon(futures::future::join(dial, accept(&mut *listener))).await;
        // Once closed by the one that dialled, once by the one that accepted.
        [(first, second), (accepted.expect("accepted"), dialled.expect("dialled"))]
    };
    for (mut closing, mut other) in pairs {
        for n in 0..20_u8 {
            send(&mut closing, vec![n; 4_000], Lane::B).await.expect("sent");
        }
        let closed = async {
            let closed = close(&mut closing).await;
            drop(closing);
            closed
        };
        let read = async {
            for n in 0..20_u8 {
                assert_eq!(receive(&mut other).await.expect("received")[0], n);
            }
            receive(&mut other).await
        };
        let (closed, end) = futures::join!(closed, read);
        assert_eq!(closed, Ok(()));
        assert_eq!(end, Err(Reason::ClosedByPeer));
    }
}

pub(crate) async fn an_orderly_end_waits_for_a_peer_that_reads_late(
    transport: &dyn Transport,
    listen: &Endpoint,
) {
    let (mut listener, first, second) = connect(transport, listen).await;
    let pairs = {
        let dial = transport.dial(&listener.endpoint());
        let (dialled, accepted) = soon(futures::future::join(dial, accept(&mut *listener))).await;
        [(first, second), (accepted.expect("accepted"), dialled.expect("dialled"))]
    };
    for (mut closing, mut other) in pairs {
        // More than the network takes from a writer whose reader reads nothing.
        const PACKETS: usize = 4;
        send(&mut other, "nobody reads this", Lane::C).await.expect("sent");
        let closed = async {
            for _ in 0..PACKETS {
                send(&mut closing, vec![7; PACKET_MAX], Lane::B).await.expect("sent");
            }
            let closed = close(&mut closing).await;
            drop(closing);
            closed
        };
        let read = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            for packet in 0..PACKETS {
                let received = receive(&mut other).await;
                assert_eq!(received.map(|packet| packet.len()), Ok(PACKET_MAX), "packet {packet}");
            }
            receive(&mut other).await
        };
        let (closed, end) = futures::join!(closed, read);
        assert_eq!((closed, end), (Ok(()), Err(Reason::ClosedByPeer)));
    }
}

pub(crate) async fn a_dial_to_nothing_is_refused(transport: &dyn Transport, listen: &Endpoint) {
    // Something was there: so the address is certainly free.
    let listener = transport.listen(listen).await.expect("listens");
    let endpoint = listener.endpoint();
    drop(listener);
    let error = soon(transport.dial(&endpoint)).await.expect_err("refused");
    assert_eq!(error.reason, Reason::ConnectRefused, "{error}");
}

pub(crate) async fn a_dial_can_be_cancelled(transport: &dyn Transport, listen: &Endpoint) {
    let mut listener = transport.listen(listen).await.expect("listens");
    for _ in 0..10 {
        let mut dial = transport.dial(&listener.endpoint());
        let _ = (&mut dial).now_or_never();
        drop(dial);
    }
    // Whatever got through is over; a whole one works.
    let dial = transport.dial(&listener.endpoint());
    let serve = async {
        loop {
            let mut accepted = accept(&mut *listener).await.expect("accepted");
            if let Ok(packet) = receive(&mut accepted).await {
                return (packet, accepted);
            }
        }
    };
    let dialled = async {
        let mut dialled = dial.await.expect("dialled");
        send(&mut dialled, "whole", Lane::C).await.expect("sent");
        dialled
    };
    let ((packet, _accepted), _dialled) = soon(futures::future::join(serve, dialled)).await;
    assert_eq!(packet, "whole");
}

pub(crate) async fn connections_outlive_their_listener(
    transport: &dyn Transport,
    listen: &Endpoint,
) {
    let (listener, mut dialled, mut accepted) = connect(transport, listen).await;
    let endpoint = listener.endpoint();
    drop(listener);
    send(&mut dialled, "still here", Lane::C).await.expect("sent");
    assert_eq!(receive(&mut accepted).await.expect("received"), "still here");
    assert!(soon(transport.dial(&endpoint)).await.is_err(), "nobody listens any more");
    // And the address is free again.
    drop(transport.listen(&endpoint).await.expect("listens again"));
}

pub(crate) async fn an_address_is_listened_on_once(transport: &dyn Transport, listen: &Endpoint) {
    let listener = transport.listen(listen).await.expect("listens");
    let endpoint = listener.endpoint();
    let error = transport.listen(&endpoint).await.map(|_| ()).expect_err("taken");
    assert_eq!(error, ListenError::InUse { endpoint });
}

pub(crate) async fn many_connections_at_once(transport: &dyn Transport, listen: &Endpoint) {
    const MANY: u32 = 200;
    let mut listener = transport.listen(listen).await.expect("listens");
    let endpoint = listener.endpoint();
    let serve = async {
        let mut open = Vec::new();
        for _ in 0..MANY {
            let mut accepted = accept(&mut *listener).await.expect("accepted");
            open.push(tokio::spawn(async move {
                let packet = receive(&mut accepted).await.expect("received");
                send(&mut accepted, packet, Lane::C).await.expect("sent");
                // Stays until the other end has gone.
                receive(&mut accepted).await.expect_err("the end")
            }));
        }
        futures::future::join_all(open).await
    };
    let dials = futures::future::join_all((0..MANY).map(|n| {
        let dial = transport.dial(&endpoint);
        tokio::spawn(async move {
            let mut dialled = dial.await.expect("dialled");
            send(&mut dialled, n.to_be_bytes().to_vec(), Lane::C).await.expect("sent");
            assert_eq!(receive(&mut dialled).await.expect("echoed"), n.to_be_bytes()[..]);
            close(&mut dialled).await.expect("closed");
        })
    }));
    let (ends, dials) = soon(futures::future::join(serve, dials)).await;
    for dial in dials {
        dial.expect("no panic");
    }
    for end in ends {
        assert_eq!(end.expect("no panic"), Reason::ClosedByPeer);
    }
}
