use std::future::poll_fn;
use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::executor::block_on;
use moorline_link::Lane;
use moorline_transport::{Connection, Transport};

use super::*;
use crate::GrpcTransport;

/// Longest wait for what has to happen; only a failure takes so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Resolves when the thread of a private runtime has ended: it drops what its tasks held.
fn ended(receiver: &std::sync::mpsc::Receiver<()>) -> bool {
    // Nothing is ever sent: it is disconnected, or it is too late.
    receiver.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Disconnected)
}

/// A task that lives as long as its runtime, and holds one end of this.
fn witness(home: &Home) -> std::sync::mpsc::Receiver<()> {
    let (held, here) = std::sync::mpsc::channel::<()>();
    // Not by `Home::spawn`, which would keep the runtime.
    home.tokio.spawn(async move {
        let _held = held;
        std::future::pending::<()>().await;
    });
    here
}

/// Sends a packet from one to the other.
async fn pass(one: &mut Connection, other: &mut Connection) {
    let packet = Bytes::from_static(b"over");
    poll_fn(|cx| Pin::new(&mut *one.sender).poll_ready(cx)).await.expect("it is open");
    Pin::new(&mut *one.sender).send(packet.clone(), Lane::C).expect("it takes a packet");
    poll_fn(|cx| Pin::new(&mut *one.sender).poll_flush(cx)).await.expect("it is sent");
    let received = poll_fn(|cx| Pin::new(&mut *other.receiver).poll_receive(cx)).await;
    assert_eq!(received, Ok(packet));
}

#[test]
fn without_tokio_a_transport_has_one_private_runtime_and_with_tokio_none() {
    let homes = Homes::default();
    let (first, second) =
        (homes.here().expect("a thread"), homes.clone().here().expect("a thread"));
    assert_eq!(first.tokio.id(), second.tokio.id());
    let tokio = Builder::new_current_thread().build().expect("a runtime");
    tokio.block_on(async {
        let there = homes.here().expect("tokio's");
        assert!(there.private.is_none());
        assert_eq!(there.tokio.id(), Handle::current().id());
    });
}

#[test]
fn the_private_runtime_ends_with_the_last_that_needs_it() {
    let transport = GrpcTransport::new();
    let (mut one, mut other, listener) = block_on(async {
        let nowhere = "grpc://127.0.0.1:0".parse().expect("an endpoint");
        let mut listener = transport.listen(&nowhere).await.expect("listens");
        let dial = transport.dial(&listener.endpoint());
        let (dialled, accepted) = futures::join!(dial, listener.accept());
        (dialled.expect("dialled"), accepted.expect("accepted"), listener)
    });
    let witness = witness(&transport.homes.here().expect("it runs"));
    // Dropped inside async code, one after the other: each of them alone keeps it.
    block_on(async move {
        for last in [Box::new(transport) as Box<dyn std::any::Any>, Box::new(listener)] {
            drop(last);
            assert_eq!(witness.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty));
        }
        for _ in 0..10 {
            pass(&mut one, &mut other).await;
        }
        drop(one);
        drop(other);
        assert!(ended(&witness), "its thread goes on");
    });
}

#[test]
fn a_dial_that_is_given_up_ends_at_home_too() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let transport = GrpcTransport::new();
    let port = silent.local_addr().expect("bound").port();
    let endpoint = format!("grpc://127.0.0.1:{port}").parse().expect("an endpoint");
    let mut dial = transport.dial(&endpoint);
    block_on(async {
        // Until it is connected, and waits for somebody who speaks HTTP/2.
        let accepted = std::thread::spawn(move || silent.accept().expect("somebody comes").0);
        while !accepted.is_finished() {
            assert!(futures::poll!(&mut dial).is_pending());
            std::thread::yield_now();
        }
        let mut peer = accepted.join().expect("accepted");
        drop(dial);
        peer.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let begun = Instant::now();
        let mut said = Vec::new();
        // Its preface, and then the end: at once, not after any time.
        let _ = std::io::Read::read_to_end(&mut peer, &mut said);
        assert!(begun.elapsed() < PATIENCE, "the connection stays open");
    });
    let witness = witness(&transport.homes.here().expect("it runs"));
    drop(transport);
    assert!(ended(&witness));
}

#[test]
fn a_panic_of_the_work_is_an_error_of_who_waits_and_ends_nothing_else() {
    let home = Homes::default().here().expect("a thread");
    let panicked = block_on(home.run(async { panic!("on purpose") }));
    let error: io::Result<()> = panicked;
    assert!(error.is_err_and(|error| error.to_string().contains("panicked")));
    assert_eq!(block_on(home.run(async { 7 })).ok(), Some(7));
}
