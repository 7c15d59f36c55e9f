//! Two streams, and the rules for them.

use std::time::Duration;

use moorline_link::{Lane, Reason};
use moorline_quic::QuicTransport;
use moorline_transport::{AcceptError, Connection, Listener, PACKET_MAX, Transport};
use quinn::{RecvStream, SendStream};

use crate::certificates::{security, transport};
use crate::here;
use crate::peers::{self, closed_with, framed, is_named, read};
use crate::tools::{accept, connect, receive, send, soon};

/// Our end, and a plain one with both lanes open.
async fn meet() -> (Box<dyn Listener>, Connection, quinn::Connection, [(SendStream, RecvStream); 2])
{
    let security = security();
    let transport = QuicTransport::new().with_security(security.clone());
    let mut listener = transport.listen(&here()).await.expect("listens");
    let dialling = async {
        let at = listener.endpoint();
        let dialled = peers::dial(&security, &at).await;
        let c = peers::open(&dialled, 0).await;
        let b = peers::open(&dialled, 1).await;
        (dialled, [c, b])
    };
    let (dialled, mut lanes) = dialling.await;
    let accepted = soon(accept(&mut *listener)).await.expect("accepted");
    is_named(&mut lanes[0].1, 0).await;
    is_named(&mut lanes[1].1, 1).await;
    (listener, accepted, dialled, lanes)
}

#[tokio::test]
async fn a_lane_whose_window_is_full_does_not_hold_up_the_other() {
    const LARGE: usize = 16 << 10;
    let (_listener, mut accepted, _dialled, [(_, mut c), (_, mut b)]) = meet().await;
    // What the peer takes without reading is 192 KiB, and 64 KiB wait here.
    for n in 0..16_u8 {
        send(&mut accepted, vec![n; LARGE], Lane::B).await.expect("sent");
    }
    for n in 0..100_u8 {
        send(&mut accepted, vec![n; 1_000], Lane::C).await.expect("sent");
        assert_eq!(read(&mut c).await, [n; 1_000]);
    }
    // Nothing was lost of the first.
    let reading = async {
        for n in 0..16_u8 {
            assert_eq!(read(&mut b).await, [n; LARGE]);
        }
    };
    let flush = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *accepted.sender).poll_flush(cx));
    soon(futures::future::join(reading, flush)).await.1.expect("flushed");
}

#[tokio::test]
async fn lanes_are_read_in_turn() {
    let (_listener, mut accepted, _dialled, lanes) = meet().await;
    let arrived = lanes.map(|(mut stream, receive)| async move {
        for _ in 0..100 {
            stream.write_all(&framed(&[0; 300])).await.expect("written");
        }
        stream.write_all(&framed(&[1])).await.expect("written");
        stream.finish().expect("finished");
        stream.stopped().await.expect("acknowledged");
        receive
    });
    let _streams = soon(futures::future::join_all(arrived)).await;
    for n in 0..202 {
        let packet = receive(&mut accepted).await.expect("a packet");
        // So the last of each comes one right behind the other.
        assert_eq!(packet.len(), if n < 200 { 300 } else { 1 }, "packet {n}");
    }
    assert_eq!(receive(&mut accepted).await, Err(Reason::ClosedByPeer));
}

#[tokio::test]
async fn a_packet_above_the_limit_is_a_protocol_error() {
    let (_listener, mut dialled, mut accepted) = connect(&transport(), &here()).await;
    send(&mut dialled, vec![0; PACKET_MAX + 1], Lane::B).await.expect("sent");
    assert_eq!(receive(&mut accepted).await, Err(Reason::ProtocolError));
    assert_eq!(receive(&mut dialled).await, Err(Reason::ProtocolError));
}

#[tokio::test]
async fn what_is_no_packet_is_a_protocol_error() {
    let torn = framed(&[7; 100])[..50].to_vec();
    for wrong in [vec![0xff; 4], vec![0, 0], torn] {
        let (_listener, mut accepted, dialled, [_c, (mut b, _)]) = meet().await;
        b.write_all(&framed(b"whole")).await.expect("written");
        b.write_all(&wrong).await.expect("written");
        b.finish().expect("finished");
        assert_eq!(receive(&mut accepted).await.expect("received"), "whole");
        assert_eq!(receive(&mut accepted).await, Err(Reason::ProtocolError));
        assert_eq!(closed_with(&dialled).await, 2);
    }
}

#[tokio::test]
async fn a_lane_that_is_given_up_alone_is_lost() {
    let (_listener, mut accepted, _dialled, [(mut c, _), _b]) = meet().await;
    c.write_all(&framed(b"whole")).await.expect("written");
    assert_eq!(receive(&mut accepted).await.expect("received"), "whole");
    c.reset(7_u32.into()).expect("reset");
    assert_eq!(receive(&mut accepted).await, Err(Reason::StreamLost));

    let (_listener, mut accepted, _dialled, [_c, (_, mut b)]) = meet().await;
    b.stop(7_u32.into()).expect("stopped");
    let end = soon(async {
        loop {
            if let Err(end) = send(&mut accepted, vec![0; 1_000], Lane::B).await {
                break end;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(end, Reason::StreamLost);
}

#[tokio::test]
async fn a_third_stream_cannot_be_had() {
    const MOMENT: Duration = Duration::from_millis(200);
    let (_listener, mut accepted, dialled, [(mut c, mut from), _b]) = meet().await;
    let third = tokio::time::timeout(MOMENT, dialled.open_bi()).await;
    assert!(third.is_err(), "there is one");
    assert!(tokio::time::timeout(MOMENT, dialled.open_uni()).await.is_err());
    assert!(dialled.max_datagram_size().is_none());
    // Not even in the place of one that is over, both ways.
    c.finish().expect("finished");
    let close = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *accepted.sender).poll_close(cx));
    let read_to_end = async { from.read_to_end(10).await };
    let _ = tokio::time::timeout(MOMENT, futures::future::join(close, read_to_end)).await;
    let _ = tokio::time::timeout(MOMENT, receive(&mut accepted)).await;
    assert!(tokio::time::timeout(MOMENT, dialled.open_bi()).await.is_err());

    // And who accepted opens none.
    let security = security();
    let (server, at) = peers::listen(&security, peers::PROTOCOL);
    let transport = QuicTransport::new().with_security(security);
    let (dialled, (other, _lanes)) =
        soon(futures::future::join(transport.dial(&at), peers::accept(&server))).await;
    let _dialled = dialled.expect("dialled");
    assert!(tokio::time::timeout(MOMENT, other.open_bi()).await.is_err());
    assert!(tokio::time::timeout(MOMENT, other.open_uni()).await.is_err());
}

#[tokio::test]
async fn streams_that_are_not_the_two_lanes_are_refused() {
    let security = security();
    let transport = QuicTransport::new().with_security(security.clone());
    let mut listener = transport.listen(&here()).await.expect("listens");
    for names in [[0, 0], [1, 1], [2, 0], [0, b'G']] {
        let dialled = peers::dial(&security, &listener.endpoint()).await;
        let _streams =
            (peers::open(&dialled, names[0]).await, peers::open(&dialled, names[1]).await);
        let refused = soon(listener.accept()).await.expect_err("refused");
        assert!(
            matches!(refused, AcceptError::Refused { reason: Reason::ProtocolError, .. }),
            "{refused}"
        );
        assert_eq!(closed_with(&dialled).await, 2);
    }
}

#[tokio::test]
async fn who_names_its_lanes_otherwise_is_not_taken_for_a_coordinator() {
    let security = security();
    let (server, at) = peers::listen(&security, peers::PROTOCOL);
    let transport = QuicTransport::new().with_security(security);
    let serving = async {
        let connection = soon(server.accept()).await.expect("open").await.expect("connected");
        let (mut send, _receive) = soon(connection.accept_bi()).await.expect("opened");
        send.write_all(&[9]).await.expect("written");
        closed_with(&connection).await
    };
    let (dialled, code) = soon(futures::future::join(transport.dial(&at), serving)).await;
    assert_eq!(dialled.expect_err("no coordinator").reason, Reason::ProtocolError);
    assert_eq!(code, 2);
}
