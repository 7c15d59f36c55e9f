use futures::FutureExt;
use futures::executor::block_on;
use moorline_grpc::GrpcTransport;
use moorline_memory::MemoryTransport;
use moorline_transport::{Listener, Transport, UNWRITTEN_MAX};

use super::*;

const HERE: ConnId = ConnId(1);

/// One end in [`Connections`], the other one by itself.
fn pair() -> (Connections, Connection) {
    let transport = MemoryTransport::new();
    let endpoint = "mem://here".parse().expect("an endpoint");
    let mut listener: Box<dyn Listener> = block_on(transport.listen(&endpoint)).expect("listens");
    let dialled = block_on(transport.dial(&endpoint)).expect("dialled");
    let accepted = block_on(listener.accept()).expect("accepted");
    let mut connections = Connections::default();
    connections.insert(HERE, accepted);
    (connections, dialled)
}

fn said(connections: &mut Connections, budget: u32) -> (Vec<String>, bool) {
    let mut said = Vec::new();
    let cx = Context::from_waker(Waker::noop());
    let more = connections.poll(&cx, budget, |arrival| {
        said.push(match arrival {
            Arrival::Packet { bytes, .. } => String::from_utf8_lossy(&bytes).into_owned(),
            Arrival::Ended { reason, .. } => reason.to_string(),
            Arrival::Writable { .. } => "writable".to_owned(),
        });
    });
    (said, more)
}

fn send(connection: &mut Connection, packet: &'static str) {
    Pin::new(&mut *connection.sender)
        .send(Bytes::from_static(packet.as_bytes()), Lane::C)
        .expect("sent");
}

#[test]
fn what_arrived_before_the_end_comes_before_it() {
    let (mut connections, mut peer) = pair();
    send(&mut peer, "one");
    send(&mut peer, "two");
    let close = std::future::poll_fn(|cx| Pin::new(&mut *peer.sender).poll_close(cx));
    assert!(close.now_or_never().is_none(), "nothing is read yet");
    assert_eq!(said(&mut connections, 64).0, ["one", "two", "closed_by_peer"]);
    assert!(connections.is_empty());
}

#[test]
fn no_more_packets_than_the_budget_arrive_in_one_turn() {
    let (mut connections, mut peer) = pair();
    for _ in 0..30 {
        send(&mut peer, "x");
    }
    let mut rounds = 0;
    let mut all = 0;
    while all < 30 {
        let (packets, _) = said(&mut connections, 5);
        assert!(packets.len() <= 5 && !packets.is_empty(), "{} at once", packets.len());
        all += packets.len();
        rounds += 1;
    }
    assert_eq!(rounds, 6);
}

#[test]
fn a_connection_that_takes_no_more_says_when_it_does() {
    let (mut connections, mut peer) = pair();
    let mut written = 0;
    while connections.takes(HERE) {
        connections.write(HERE, Bytes::from(vec![0; 16 << 10]), Lane::B);
        written += 16 << 10;
    }
    assert_eq!(written, UNWRITTEN_MAX);
    connections.flush(HERE);
    assert_eq!(said(&mut connections, 64).0, [""; 0]);
    let read = std::future::poll_fn(|cx| Pin::new(&mut *peer.receiver).poll_receive(cx));
    block_on(read).expect("received");
    assert_eq!(said(&mut connections, 64).0, ["writable"]);
    assert!(connections.takes(HERE));
}

#[test]
fn a_connection_that_is_closed_sends_what_is_written_and_says_nothing_more() {
    let (mut connections, mut peer) = pair();
    assert!(connections.takes(HERE));
    connections.write(HERE, Bytes::from_static(b"goodbye"), Lane::C);
    connections.close(Instant::ZERO, HERE);
    send(&mut peer, "too late");
    assert_eq!(said(&mut connections, 64).0, [""; 0]);
    let mut read =
        || block_on(std::future::poll_fn(|cx| Pin::new(&mut *peer.receiver).poll_receive(cx)));
    assert_eq!(read().expect("received"), "goodbye");
    assert_eq!(read(), Err(Reason::ClosedByPeer));
    assert_eq!(said(&mut connections, 64).0, [""; 0]);
    assert!(!connections.is_empty(), "the peer may not have read it");
    drop(peer);
    assert_eq!(said(&mut connections, 64).0, [""; 0]);
    assert!(connections.is_empty());
}

#[test]
fn a_connection_whose_peer_reads_nothing_is_closed_after_its_time() {
    let (mut connections, _peer) = pair();
    assert!(connections.takes(HERE));
    connections.write(HERE, Bytes::from_static(b"goodbye"), Lane::C);
    connections.close(Instant::ZERO, HERE);
    said(&mut connections, 64);
    let deadline = connections.deadline().expect("it has a deadline");
    assert_eq!(deadline, Instant::ZERO + CLOSE_WITHIN);
    connections.expire(deadline.before(Duration::from_nanos(1)));
    assert!(!connections.is_empty());
    connections.expire(deadline);
    assert!(connections.is_empty());
}

#[test]
fn a_peer_that_is_gone_is_told_by_the_receiver() {
    let (mut connections, peer) = pair();
    drop(peer);
    assert!(!connections.takes(HERE));
    assert_eq!(said(&mut connections, 64).0, ["transport_reset"]);
}

#[test]
fn a_last_word_outlives_a_runtime_that_ends_when_nothing_is_open() {
    const PACKETS: usize = 4;
    const SIZE: usize = 64 << 10;
    let reading = tokio::runtime::Builder::new_current_thread().enable_all().build();
    reading.expect("a runtime").block_on(async {
        let endpoint = "grpc://127.0.0.1:0".parse().expect("an endpoint");
        let mut listener = GrpcTransport::new().listen(&endpoint).await.expect("listens");
        let endpoint = listener.endpoint();
        // As a worker does: a thread, its runtime, and the end of both.
        let closing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let dialled = GrpcTransport::new().dial(&endpoint).await.expect("dialled");
                let mut connections = Connections::default();
                connections.insert(HERE, dialled);
                for _ in 0..PACKETS {
                    while !connections.takes(HERE) {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    connections.write(HERE, Bytes::from(vec![7; SIZE]), Lane::B);
                    connections.flush(HERE);
                }
                connections.close(Instant::ZERO, HERE);
                std::future::poll_fn(|cx| {
                    connections.poll(cx, 64, |_| {});
                    if connections.is_empty() { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
            });
        });
        let mut accepted = listener.accept().await.expect("accepted");
        // The peer reads late: what does not fit into its window waits at the other end.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut read = async || {
            std::future::poll_fn(|cx| Pin::new(&mut *accepted.receiver).poll_receive(cx)).await
        };
        for packet in 0..PACKETS {
            assert_eq!(read().await.map(|packet| packet.len()), Ok(SIZE), "packet {packet}");
        }
        assert_eq!(read().await, Err(Reason::ClosedByPeer));
        drop(accepted);
        let closed = tokio::task::spawn_blocking(|| closing.join());
        closed.await.expect("no panic").expect("no panic");
    });
}
