use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Server;
use crate::counts::WayCounts;
use crate::faults::Faults;
use crate::route::Route;
use crate::shared::Shared;
use crate::timeline::Timeline;

/// What becomes of so many datagrams of so many bytes that come before their flow has a turn.
async fn burst(count: usize, len: usize) -> WayCounts {
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    let target = UdpSocket::bind(any).await.unwrap().local_addr().unwrap();
    let route = Route::new(7, [Faults::NONE; 2], 1);
    let shared = Arc::new(Shared::new(target.to_string(), route, None));
    let (_asks, commands) = mpsc::channel(1);
    let server = Server {
        shared: Arc::clone(&shared),
        door: None,
        datagrams: Some(Arc::new(UdpSocket::bind(any).await.unwrap())),
        timeline: Timeline::default(),
        commands,
    };
    let (mut carriers, mut flows) = (JoinSet::new(), HashMap::new());
    // Nothing is awaited here: no task runs.
    for _ in 0..count {
        server.hand(&vec![0; len], target, &mut carriers, &mut flows);
    }
    assert_eq!((flows.len(), carriers.len()), (1, 1));
    shared.snapshot().total.to_target
}

#[tokio::test]
async fn what_waits_for_the_task_of_a_flow_has_the_bound_of_a_flow() {
    let large = burst(40, 60_000).await;
    // 17 of them are a MiB.
    assert_eq!((large.pieces, large.overflowed), (40, 40 - 17));
    let small = burst(1_100, 1).await;
    assert_eq!((small.pieces, small.overflowed), (1_100, 1_100 - 1_024));
}
