//! Flows in virtual time: their sockets are ready, and nothing comes from the target.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;

use super::{Inlet, Origin, begin, run};
use crate::counts::Counts;
use crate::faults::Faults;
use crate::route::{Admission, Kind, Route};
use crate::shared::{Fate, Shared};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

async fn socket() -> UdpSocket {
    let socket = UdpSocket::bind(ANY).await.unwrap();
    socket.writable().await.unwrap();
    socket
}

/// A flow with these faults both ways, its socket towards the target, and the target. Time is virtual from now.
async fn flow(faults: Faults) -> (Shared, Origin, [UdpSocket; 2]) {
    let (socket, target, sink) = (socket().await, socket().await, socket().await);
    target.connect(sink.local_addr().unwrap()).await.unwrap();
    tokio::time::pause();
    let route = Route::new(7, [faults; 2], 1);
    let shared = Shared::new("nowhere".to_owned(), route, None);
    let peer = sink.local_addr().unwrap();
    let Admission::Answered(id) = shared.route(|route| route.admit(Kind::Udp, peer)) else {
        panic!("there is room");
    };
    let inlet = Arc::new(Inlet::new());
    (shared, Origin { id, peer, socket: Arc::new(socket), inlet }, [target, sink])
}

fn counts(shared: &Shared) -> Counts {
    shared.snapshot().total
}

/// Virtual seconds that have passed.
fn seconds(shared: &Shared) -> u64 {
    shared.now().as_secs()
}

#[tokio::test]
async fn a_flow_is_forgotten_two_minutes_after_its_last_datagram() {
    let (shared, origin, [target, _sink]) = flow(Faults::NONE).await;
    assert!(origin.inlet.take(&shared, origin.id, b"x"));
    assert_eq!(run(&shared, &origin, &target).await, Fate::Idle);
    assert_eq!((seconds(&shared), counts(&shared).to_target.bytes), (120, 1));
    assert!(!origin.inlet.take(&shared, origin.id, b"y"), "it is for the next flow");
    assert_eq!(counts(&shared).to_target.pieces, 1);
}

#[tokio::test]
async fn a_flow_is_not_forgotten_while_a_datagram_waits() {
    let (shared, origin, [target, _sink]) =
        flow(Faults { latency: Duration::from_secs(180), ..Faults::NONE }).await;
    assert!(origin.inlet.take(&shared, origin.id, b"late"));
    assert_eq!(run(&shared, &origin, &target).await, Fate::Idle);
    assert_eq!(counts(&shared).to_target.bytes, 4);
    // What has just left may be answered.
    assert_eq!(seconds(&shared), 180 + 120);
}

#[tokio::test]
async fn a_target_that_is_not_found_in_time_is_out_of_reach_and_what_waits_is_bounded() {
    let (shared, origin, _sockets) = flow(Faults::NONE).await;
    for _ in 0..40 {
        assert!(origin.inlet.take(&shared, origin.id, &[0; 60_000]));
    }
    // 17 of them are a MiB.
    assert_eq!(counts(&shared).to_target.overflowed, 40 - 17);
    let begun = tokio::time::timeout(
        Duration::from_secs(3_600),
        begin(&shared, &origin, std::future::pending()),
    );
    assert_eq!(begun.await.unwrap(), Fate::Unreachable);
    assert_eq!((seconds(&shared), shared.snapshot().unreachable), (10, 1));
}
