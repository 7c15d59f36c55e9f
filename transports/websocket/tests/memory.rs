//! What an open connection takes while nobody speaks.

#[allow(dead_code, reason = "other tests use the rest")]
mod common;

use std::future::poll_fn;
use std::hint::black_box;
use std::pin::Pin;

use allocation_counter::measure;
use bytes::Bytes;
use futures::executor::block_on;
use futures::future;
use moorline_link::Lane;
use moorline_transport::{Connection, Endpoint};
use moorline_websocket::over;

async fn connected() -> (Connection, Connection) {
    let endpoint: Endpoint = "ws://127.0.0.1:0".parse().expect("an endpoint");
    let (near, far) = common::pipe();
    let dial = over::dial(near, &endpoint, "there");
    let (dialled, accepted) = future::join(dial, over::accept(far, &endpoint, "here")).await;
    (dialled.expect("dialled"), accepted.expect("accepted"))
}

async fn send(from: &mut Connection, to: &mut Connection, size: usize) {
    poll_fn(|cx| Pin::new(&mut *from.sender).poll_ready(cx)).await.expect("ready");
    Pin::new(&mut *from.sender).send(Bytes::from(vec![7; size]), Lane::B).expect("taken");
    let flush = poll_fn(|cx| Pin::new(&mut *from.sender).poll_flush(cx));
    let read = poll_fn(|cx| Pin::new(&mut *to.receiver).poll_receive(cx));
    let (flushed, read) = future::join(flush, read).await;
    flushed.expect("flushed");
    assert_eq!(read.expect("read").len(), size);
}

/// Bytes that two ends of one connection hold behind some packets.
fn held_behind(sizes: &'static [usize]) -> u64 {
    let mut kept = None;
    let info = measure(|| {
        let (mut near, mut far) = block_on(connected());
        for size in sizes {
            block_on(send(&mut near, &mut far, *size));
            block_on(send(&mut far, &mut near, *size));
        }
        kept = Some((near, far));
    });
    drop(black_box(kept));
    u64::try_from(info.bytes_current).expect("something is held")
}

#[test]
fn a_connection_that_says_little_takes_little() {
    held_behind(&[]);
    let new = held_behind(&[]);
    let used = held_behind(&[50; 100]);
    let large = held_behind(&[64 << 10, 64 << 10, 50, 50]);
    // Two ends, each with 4 KiB to read into.
    assert!(new < 12 << 10, "{new} B");
    assert!(used < 14 << 10, "{used} B behind small packets");
    // Each keeps what it has read the largest frame into, and nothing that it has written from.
    assert!(large < 150 << 10, "{large} B behind large packets");
}
