//! What WebSocket does with time, and how it writes, over a byte stream in memory: there time only passes
//! when everything that was said has arrived.

#[allow(dead_code, reason = "other tests use the rest")]
mod common;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../memory/tests/tools/mod.rs"]
mod tools;

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use common::{PipeEnd, UPGRADE, end_of, frame, pipe};
use futures::{AsyncReadExt, AsyncWriteExt};
use moorline_link::{Lane, Reason};
use moorline_transport::{Connection, Endpoint, UNWRITTEN_MAX};
use moorline_websocket::over;
use tokio::time::Instant;
use tools::{receive, send, soon};

fn here() -> Endpoint {
    "ws://127.0.0.1:0".parse().expect("an endpoint")
}

/// Somebody who is let in and speaks bytes, and what is seen of it.
async fn raw_in_memory() -> (PipeEnd, Connection) {
    let (mut near, far) = pipe();
    near.write_all(UPGRADE.as_bytes()).await.expect("written");
    let accepted = over::accept(far, &here(), "the near end").await.expect("accepted");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        near.read_exact(&mut byte).await.expect("read");
        head.extend(byte);
    }
    (near, accepted)
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_answer_pings_is_half_open() {
    let (mut stream, mut accepted) = raw_in_memory().await;
    let began = Instant::now();
    let mut ping = [0; 2];
    let (end, read) = futures::join!(end_of(&mut accepted), stream.read_exact(&mut ping));
    assert_eq!(end, Reason::HalfOpen);
    read.expect("a ping");
    assert_eq!(ping, [0x89, 0]);
    assert_eq!(began.elapsed().as_secs(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_something_else_is_not_half_open_yet() {
    let (mut stream, mut accepted) = raw_in_memory().await;
    let began = Instant::now();
    let talk = async {
        // Its answer is behind much that travels slowly: byte by byte, until 65 s.
        stream.write_all(&frame(0x82, &[7; 100])[..20]).await.expect("written");
        for _ in 0..13 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            stream.write_all(&[7]).await.expect("written");
        }
    };
    let (end, ()) = futures::join!(end_of(&mut accepted), talk);
    assert_eq!(end, Reason::HalfOpen);
    let silent = began.elapsed() - Duration::from_secs(65);
    assert!(silent >= Duration::from_secs(10) && silent <= Duration::from_secs(20), "{silent:?}");
}

/// Both ends of a connection in memory.
async fn connected_in_memory() -> (Connection, Connection, impl Fn() -> usize) {
    let (near, far) = pipe();
    let writes = far.writes();
    let endpoint = here();
    let both = futures::future::join(
        over::dial(near, &endpoint, "the far end"),
        over::accept(far, &endpoint, "the near end"),
    );
    let (dialled, accepted) = both.await;
    (dialled.expect("dialled"), accepted.expect("accepted"), writes)
}

#[tokio::test(start_paused = true)]
async fn two_ends_that_are_looked_at_stay_connected() {
    let (mut dialled, mut accepted, writes) = connected_in_memory().await;
    let before = writes();
    let hour = tokio::time::sleep(Duration::from_secs(3_600));
    tokio::select! {
        end = end_of(&mut dialled) => panic!("{end}"),
        end = end_of(&mut accepted) => panic!("{end}"),
        () = hour => {}
    }
    // A ping each 30 s, and an answer to each of the other end's.
    let written = writes() - before;
    assert!((230..=240).contains(&written), "{written}");
    send(&mut dialled, "still here", Lane::C).await.expect("sent");
    assert_eq!(receive(&mut accepted).await.expect("received"), "still here");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_an_end_is_given_a_second() {
    let (_stream, mut accepted) = raw_in_memory().await;
    let began = Instant::now();
    let end = async {
        poll_fn(|cx| Pin::new(&mut *accepted.sender).poll_close(cx)).await.expect("closed");
        // And again at once.
        poll_fn(|cx| Pin::new(&mut *accepted.sender).poll_close(cx)).await.expect("closed");
    };
    end.await;
    assert!(began.elapsed().as_millis().abs_diff(1_000) < 10, "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_arrives_while_only_the_end_is_waited_for_is_not_lost() {
    let (mut stream, mut accepted) = raw_in_memory().await;
    for n in 0..3 {
        stream.write_all(&frame(0x82, &[n; 7])).await.expect("written");
    }
    stream.write_all(&frame(0x88, b"")).await.expect("written");
    tools::close(&mut accepted).await.expect("closed");
    for n in 0..3 {
        assert_eq!(receive(&mut accepted).await.expect("received"), [n; 7][..]);
    }
    assert_eq!(receive(&mut accepted).await, Err(Reason::ClosedByPeer));
}

#[tokio::test]
async fn many_packets_leave_in_few_writes() {
    let (mut dialled, mut accepted, writes) = connected_in_memory().await;
    assert_eq!(accepted.peer, "the near end");
    let before = writes();
    const PACKETS: usize = 1_000;
    const { assert!(UNWRITTEN_MAX > 100 * PACKETS, "all of it is taken at once") };
    for _ in 0..PACKETS {
        tools::ready(&mut dialled).await.expect("ready");
        Pin::new(&mut *dialled.sender).send(Bytes::from(vec![7; 94]), Lane::C).expect("taken");
    }
    let flushed = poll_fn(|cx| Pin::new(&mut *dialled.sender).poll_flush(cx));
    soon(flushed).await.expect("flushed");
    // 100 bytes each, with a head and a mask; written when 32 KiB are there.
    assert_eq!(writes() - before, 4, "as few as that");
    for _ in 0..PACKETS {
        assert_eq!(receive(&mut accepted).await.expect("received"), [7; 94][..]);
    }
    let flushed = poll_fn(|cx| Pin::new(&mut *dialled.sender).poll_flush(cx));
    soon(flushed).await.expect("nothing is left");
    drop(dialled);
    assert_eq!(receive(&mut accepted).await, Err(Reason::TransportReset));
}
