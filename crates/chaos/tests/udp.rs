//! Each fault of datagrams, between real sockets.

mod common;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::{ANY, in_front_udp, soon, udp_echo, until};
use moorline_chaos::{Change, Event, Faults, Proxy, Share, Ways};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

async fn client(proxy: &Proxy) -> UdpSocket {
    let socket = UdpSocket::bind(ANY).await.unwrap();
    socket.connect(proxy.udp().unwrap()).await.unwrap();
    socket
}

async fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 16];
    let len = soon("a datagram arrives", socket.recv(&mut buffer)).await.unwrap();
    buffer.truncate(len);
    buffer
}

async fn round_trip(socket: &UdpSocket, bytes: &[u8]) -> Vec<u8> {
    socket.send(bytes).await.unwrap();
    receive(socket).await
}

fn percent(percent: u32) -> Share {
    Share::from_ppm(percent * 10_000).unwrap()
}

#[tokio::test]
async fn datagrams_pass_both_ways_each_whole_and_each_flow_for_itself() {
    let proxy = in_front_udp(|proxy| proxy).await;
    let (one, two) = (client(&proxy).await, client(&proxy).await);
    assert_eq!(round_trip(&one, b"one").await, b"one");
    assert_eq!(round_trip(&two, b"two").await, b"two");
    let largest = vec![7; 65_507];
    assert_eq!(round_trip(&one, &largest).await, largest);
    assert_eq!(round_trip(&two, b"").await, b"");
    let snapshot = proxy.snapshot();
    assert_eq!((snapshot.flows, snapshot.connections, snapshot.open.len()), (2, 0, 2));
    assert_eq!(snapshot.total.back.bytes, 65_507 + 6);
}

/// Which of so many datagrams come back, one after the other.
async fn survivors(faults: Faults, count: u8) -> Vec<u8> {
    let proxy = in_front_udp(|proxy| proxy.faults(Ways::ToTarget, faults)).await;
    let socket = client(&proxy).await;
    let mut survivors = Vec::new();
    for number in 0..count {
        socket.send(&[number]).await.unwrap();
        let through = until("it is through, or lost", || {
            let total = proxy.snapshot().total;
            let decided = total.to_target.bytes + total.to_target.lost;
            (decided == u64::from(number) + 1).then_some(total.to_target.bytes)
        });
        if through.await > survivors.len() as u64 {
            survivors.extend(receive(&socket).await);
        }
    }
    survivors
}

#[tokio::test]
async fn the_same_datagrams_are_lost_each_time() {
    let faults = Faults { loss: percent(40), ..Faults::NONE };
    let first = survivors(faults, 40).await;
    assert!((10..38).contains(&first.len()), "{first:?}");
    assert_eq!(survivors(faults, 40).await, first);
}

#[tokio::test]
async fn latency_is_added_to_each_way() {
    let faults = Faults { latency: Duration::from_millis(60), ..Faults::NONE };
    let proxy = in_front_udp(|proxy| proxy.faults(Ways::Both, faults)).await;
    let socket = client(&proxy).await;
    let begun = Instant::now();
    round_trip(&socket, b"hello").await;
    assert!(begun.elapsed() >= Duration::from_millis(120), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn datagrams_are_reordered_doubled_and_corrupted() {
    let all = Faults { reorder: Share::ALL, ..Faults::NONE };
    let proxy = in_front_udp(|proxy| proxy.faults(Ways::ToTarget, all)).await;
    let socket = client(&proxy).await;
    // Held back for the next one, or for 100 ms: on a machine that takes longer to send two, order is kept.
    soon("two of them change places", async {
        loop {
            let begun = Instant::now();
            socket.send(b"1").await.unwrap();
            socket.send(b"2").await.unwrap();
            let got = [receive(&socket).await, receive(&socket).await].concat();
            if got == b"21" {
                break;
            }
            assert_eq!(got, b"12");
            assert!(begun.elapsed() >= Duration::from_millis(100), "{:?}", begun.elapsed());
        }
    })
    .await;
    assert!(proxy.snapshot().total.to_target.reordered > 0);

    let twice = Faults { duplicate: Share::ALL, ..Faults::NONE };
    let proxy = in_front_udp(|proxy| proxy.faults(Ways::Back, twice)).await;
    let socket = client(&proxy).await;
    assert_eq!(round_trip(&socket, b"x").await, b"x");
    assert_eq!(receive(&socket).await, b"x");
    assert_eq!(proxy.snapshot().total.back.duplicated, 1);

    let corrupt = Faults { corrupt: Share::ALL, ..Faults::NONE };
    let proxy = in_front_udp(|proxy| proxy.faults(Ways::Back, corrupt)).await;
    let socket = client(&proxy).await;
    let back = round_trip(&socket, &[0; 100]).await;
    assert_eq!(back.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
}

#[tokio::test]
async fn in_a_cut_and_in_a_silence_datagrams_are_dropped_and_afterwards_they_pass() {
    let proxy = in_front_udp(|proxy| proxy).await;
    let socket = client(&proxy).await;
    round_trip(&socket, b"a").await;
    for change in [Change::Cut, Change::Silence(Ways::Both), Change::Silence(Ways::Back)] {
        let before = proxy.snapshot().total;
        proxy.apply(change).await.unwrap();
        socket.send(b"lost").await.unwrap();
        until("it is swallowed", || {
            let total = proxy.snapshot().total;
            let swallowed = total.to_target.swallowed + total.back.swallowed;
            (swallowed == before.to_target.swallowed + before.back.swallowed + 4).then_some(())
        })
        .await;
        proxy.apply(Change::Heal).await.unwrap();
        assert_eq!(round_trip(&socket, b"b").await, b"b", "after {change:?}");
    }
}

#[tokio::test]
async fn after_a_reset_the_target_sees_another_port() {
    let target = UdpSocket::bind(ANY).await.unwrap();
    let proxy = Proxy::to(target.local_addr().unwrap().to_string()).udp(ANY).start().await.unwrap();
    let socket = client(&proxy).await;
    let mut buffer = [0; 8];
    let mut seen: Vec<SocketAddr> = Vec::new();
    for change in [Change::Heal, Change::Heal, Change::Reset] {
        proxy.apply(change).await.unwrap();
        socket.send(b"x").await.unwrap();
        seen.push(soon("it arrives", target.recv_from(&mut buffer)).await.unwrap().1);
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[1], seen[2]);
    // And the way back leads to the same client.
    target.send_to(b"y", seen[2]).await.unwrap();
    assert_eq!(receive(&socket).await, b"y");
}

#[tokio::test]
async fn more_flows_than_allowed_are_dropped() {
    let (events, mut told) = mpsc::channel(64);
    let proxy = in_front_udp(|proxy| proxy.max_connections(1).events(events)).await;
    let (one, two) = (client(&proxy).await, client(&proxy).await);
    round_trip(&one, b"a").await;
    let three = client(&proxy).await;
    for _ in 0..3 {
        two.send(b"b").await.unwrap();
    }
    three.send(b"c").await.unwrap();
    until("both are refused", || (proxy.snapshot().refused >= 2).then_some(())).await;
    // Datagrams of one socket come in order: when this one is back, those before it were seen.
    assert_eq!(round_trip(&one, b"d").await, b"d");
    assert_eq!(proxy.snapshot().refused, 2, "flows are counted, not their datagrams");
    let mut refused = Vec::new();
    while let Ok(event) = told.try_recv() {
        if let Event::Refused { peer, .. } = event {
            refused.push(peer);
        }
    }
    assert_eq!(refused, [two, three].map(|socket| socket.local_addr().unwrap()));
}

#[tokio::test]
async fn a_target_that_is_away_ends_no_flow() {
    let nobody = UdpSocket::bind(ANY).await.unwrap().local_addr().unwrap();
    let proxy = Proxy::to(nobody.to_string()).udp(ANY).start().await.unwrap();
    let socket = client(&proxy).await;
    for number in 1..=3 {
        socket.send(b"x").await.unwrap();
        until("it has left", || (proxy.snapshot().total.to_target.pieces == number).then_some(()))
            .await;
    }
    assert_eq!(proxy.snapshot().flows, 1);
}

#[tokio::test]
async fn one_proxy_takes_both_kinds_at_one_address() {
    let target = udp_echo().await;
    let proxy = Proxy::to(target.to_string()).udp(ANY).tcp(ANY).start().await.unwrap();
    assert!(proxy.tcp().is_some());
    let socket = client(&proxy).await;
    assert_eq!(round_trip(&socket, b"x").await, b"x");
}
