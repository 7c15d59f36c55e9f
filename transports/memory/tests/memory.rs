//! The memory transport keeps what every transport has to keep.

use futures::FutureExt;
use futures::executor::block_on;
use moorline_link::Lane;
use moorline_memory::MemoryTransport;
use moorline_transport::conformance::Subject;
use moorline_transport::{Endpoint, Transport};

fn here() -> Endpoint {
    "mem://here".parse().expect("an endpoint")
}

moorline_transport::conformance! {
    subject: Subject::new(MemoryTransport::new(), here()),
    block_on: block_on,
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
    block_on(std::future::poll_fn(|cx| std::pin::Pin::new(&mut *dialled.sender).poll_ready(cx)))
        .expect("ready");
    let sender = std::pin::Pin::new(&mut *dialled.sender);
    sender.send("over threads".into(), Lane::C).expect("sent");
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
