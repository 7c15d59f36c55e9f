//! The memory transport keeps what every transport has to keep.

mod essentials;

use futures::FutureExt;
use futures::executor::block_on;
use moorline_link::Lane;
use moorline_memory::MemoryTransport;
use moorline_transport::{Endpoint, Transport, UNWRITTEN_MAX};

fn here() -> Endpoint {
    "mem://here".parse().expect("an endpoint")
}

macro_rules! keeps {
    ($($name:ident($($more:expr),*);)*) => {
        $(#[tokio::test]
        async fn $name() {
            essentials::$name(&MemoryTransport::new(), &here(), $($more),*).await;
        })*
    };
}

keeps! {
    packets_arrive_in_order_both_ways_and_whole();
    a_slow_reader_holds_the_writer_back(UNWRITTEN_MAX + essentials::PACKET_MAX);
    an_abrupt_end_is_a_reset();
    one_half_that_is_dropped_cuts_the_connection();
    an_orderly_end_comes_behind_what_was_sent();
    an_orderly_end_waits_for_a_peer_that_reads_late();
    a_dial_to_nothing_is_refused();
    a_dial_can_be_cancelled();
    connections_outlive_their_listener();
    an_address_is_listened_on_once();
    many_connections_at_once();
}

#[test]
fn it_needs_no_runtime() {
    let transport = MemoryTransport::new();
    let mut listener = block_on(transport.listen(&here())).expect("listens");
    let mut dialled = block_on(transport.dial(&here())).expect("dialled");
    let mut accepted = block_on(listener.accept()).expect("accepted");
    let other = std::thread::spawn(move || {
        block_on(std::future::poll_fn(|cx| {
            std::pin::Pin::new(&mut *accepted.receiver).poll_receive(cx)
        }))
    });
    block_on(essentials::send(&mut dialled, "over threads", Lane::C)).expect("sent");
    assert_eq!(other.join().expect("no panic").expect("received"), "over threads");
}

#[test]
fn two_transports_share_no_names() {
    let transport = MemoryTransport::new();
    let _listener = block_on(transport.listen(&here())).expect("listens");
    assert!(block_on(MemoryTransport::new().dial(&here())).is_err());
    assert!(block_on(transport.clone().dial(&here())).is_ok());
}

#[test]
fn a_listener_that_is_dropped_late_leaves_its_successor_alone() {
    let transport = MemoryTransport::new();
    let first = block_on(transport.listen(&here())).expect("listens");
    drop(first);
    let mut second = block_on(transport.listen(&here())).expect("listens again");
    let _dialled = block_on(transport.dial(&here())).expect("dialled");
    assert!(second.accept().now_or_never().is_some());
}
