//! Each fault of a stream, between real sockets. Times are only ever at least so long: nothing here
//! fails on a slow machine.

mod common;

use std::io::ErrorKind;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use common::{ANY, dial, in_front, round_trip, soon, until};
use moorline_chaos::{
    Change, Event, Fate, Faults, Id, Kind, Origin, Patch, Proxy, Share, Step, Timeline, Ways,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Long enough that a test that waits for it fails instead.
const HOURS: Duration = Duration::from_secs(3_600 * 24);

fn set(patch: Patch) -> Change {
    Change::Set { ways: Ways::Both, patch }
}

#[tokio::test]
async fn bytes_pass_both_ways_and_so_do_ends() {
    let proxy = in_front(|proxy| proxy).await;
    let mut socket = dial(&proxy).await;
    // More than waits anywhere.
    let sent: Vec<u8> = (0..4_000_000_u32).map(|at| (at % 251) as u8).collect();
    let (mut read, mut write) = socket.split();
    let mut got = Vec::new();
    let both = async {
        let send = async {
            write.write_all(&sent).await.unwrap();
            write.shutdown().await.unwrap();
        };
        tokio::join!(send, read.read_to_end(&mut got)).1.unwrap();
    };
    soon("all is echoed", both).await;
    assert!(got == sent);
    let snapshot =
        until("it is closed", || Some(proxy.snapshot()).filter(|it| it.open.is_empty())).await;
    assert_eq!((snapshot.connections, snapshot.ended), (1, 0));
    let bytes = sent.len() as u64;
    assert_eq!((snapshot.total.to_target.bytes, snapshot.total.back.bytes), (bytes, bytes));
}

#[tokio::test]
async fn latency_is_added_to_each_way() {
    let faults = Faults { latency: Duration::from_millis(60), ..Faults::NONE };
    let proxy = in_front(|proxy| proxy.faults(Ways::Both, faults)).await;
    let mut socket = dial(&proxy).await;
    let begun = Instant::now();
    round_trip(&mut socket, b"hello").await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(120), "{:?}", begun.elapsed());

    let back = Change::Set {
        ways: Ways::ToTarget,
        patch: Patch { latency: Some(HOURS), ..Patch::default() },
    };
    proxy.apply(back).await.unwrap();
    socket.write_all(b"late").await.unwrap();
    until("it waits inside", || (proxy.snapshot().total.to_target.pieces == 2).then_some(())).await;
    assert_eq!(proxy.snapshot().total.to_target.bytes, 5, "it is not through");
    proxy.apply(Change::Heal).await.unwrap();
    let mut late = [0; 4];
    soon("healed, it arrives", socket.read_exact(&mut late)).await.unwrap();
    assert_eq!(&late, b"late");
}

#[tokio::test]
async fn a_bandwidth_holds_bytes_up_and_then_their_source() {
    // A byte a second: the first piece takes more than twenty minutes.
    let faults = Faults { bandwidth: NonZeroU64::new(1), ..Faults::NONE };
    let proxy = in_front(|proxy| proxy.faults(Ways::ToTarget, faults)).await;
    let mut socket = dial(&proxy).await;
    let all = vec![5; 40_000_000];
    let mut sent = 0;
    // The system takes some, the proxy takes its 64 KiB, and then nobody takes anything.
    while let Ok(written) =
        tokio::time::timeout(Duration::from_secs(1), socket.write(&all[sent..])).await
    {
        sent += written.unwrap();
        assert!(sent < all.len(), "the source is never held up");
    }
    let waits = proxy.snapshot().total.to_target;
    assert!(waits.pieces * 1_448 < 200_000, "{waits:?}");
    assert_eq!(waits.bytes, 0, "{waits:?}");
    proxy.apply(set(Patch { bandwidth: Some(None), ..Patch::default() })).await.unwrap();
    let mut got = vec![0; sent];
    soon("without the limit all of it arrives", socket.read_exact(&mut got)).await.unwrap();
    assert!(got.iter().all(|byte| *byte == 5));
}

#[tokio::test]
async fn a_lost_piece_comes_after_a_retransmission() {
    let faults = Faults { loss: Share::from_ppm(500_000).unwrap(), ..Faults::NONE };
    let proxy = in_front(|proxy| proxy.faults(Ways::ToTarget, faults)).await;
    let mut socket = dial(&proxy).await;
    let begun = Instant::now();
    for number in 0..6 {
        assert_eq!(round_trip(&mut socket, &[number]).await.unwrap(), [number]);
    }
    let stalls = proxy.snapshot().total.to_target.stalls;
    // Each answer is waited for: the pieces, and so what is drawn for them, are the same each time.
    assert!(stalls > 0);
    assert!(begun.elapsed() >= Duration::from_millis(200) * u32::try_from(stalls).unwrap());
    let again = in_front(|proxy| proxy.faults(Ways::ToTarget, faults)).await;
    let mut socket = dial(&again).await;
    for number in 0..6 {
        round_trip(&mut socket, &[number]).await.unwrap();
    }
    assert_eq!(again.snapshot().total.to_target.stalls, stalls);
}

#[tokio::test]
async fn corrupted_bytes_differ_in_one_bit() {
    let faults = Faults { corrupt: Share::ALL, ..Faults::NONE };
    let proxy = in_front(|proxy| proxy.faults(Ways::Back, faults)).await;
    let mut socket = dial(&proxy).await;
    for number in 1..=5 {
        let back = round_trip(&mut socket, &[0; 100]).await.unwrap();
        assert_eq!(back.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
        assert_eq!(proxy.snapshot().total.back.corrupted, number);
    }
    assert_eq!(proxy.snapshot().total.to_target.corrupted, 0);
}

#[tokio::test]
async fn a_cut_closes_what_is_open_refuses_what_is_new_and_heals() {
    let proxy = in_front(|proxy| proxy).await;
    let address = proxy.tcp().unwrap();
    let mut socket = dial(&proxy).await;
    round_trip(&mut socket, b"a").await.unwrap();
    for _ in 0..3 {
        proxy.apply(Change::Cut).await.unwrap();
        let ended = soon("it ends", socket.read(&mut [0])).await;
        assert!(matches!(&ended, Ok(0)), "{ended:?}");
        let refused = soon("it is refused", TcpStream::connect(address)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let snapshot = proxy.snapshot();
        assert!(snapshot.cut && snapshot.open.is_empty(), "{snapshot:?}");
        // Cut once more, it is as cut as before.
        proxy.apply(Change::Cut).await.unwrap();
        proxy.apply(Change::Heal).await.unwrap();
        proxy.apply(Change::Heal).await.unwrap();
        socket = dial(&proxy).await;
        assert_eq!(round_trip(&mut socket, b"b").await.unwrap(), b"b");
    }
    assert_eq!(proxy.snapshot().ended, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_cut_or_a_reset_is_made_every_connection_has_ended() {
    let proxy = in_front(|proxy| proxy).await;
    for change in [Change::Cut, Change::Reset] {
        let mut sockets = Vec::new();
        for _ in 0..200 {
            let mut socket = dial(&proxy).await;
            round_trip(&mut socket, b"a").await.unwrap();
            sockets.push(socket);
        }
        assert_eq!(proxy.snapshot().open.len(), 200);
        proxy.apply(change).await.unwrap();
        assert_eq!(proxy.snapshot().open.len(), 0, "{change:?}");
        proxy.apply(Change::Heal).await.unwrap();
    }
}

#[tokio::test]
async fn a_reset_is_a_reset_at_both_ends_and_new_connections_work() {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let proxy = Proxy::to(target).tcp(ANY).start().await.unwrap();
    let mut client = dial(&proxy).await;
    let (mut server, _) = soon("it is passed on", listener.accept()).await.unwrap();
    client.write_all(b"x").await.unwrap();
    soon("a byte arrives", server.read_exact(&mut [0])).await.unwrap();
    proxy.apply(Change::Reset).await.unwrap();
    for (name, end) in [("client", &mut client), ("server", &mut server)] {
        let error = soon("it is reset", end.read(&mut [0])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{name}");
    }
    let mut client = dial(&proxy).await;
    let (mut server, _) = soon("it is passed on", listener.accept()).await.unwrap();
    client.write_all(b"y").await.unwrap();
    soon("a byte arrives", server.read_exact(&mut [0])).await.unwrap();
}

#[tokio::test]
async fn a_reset_of_one_end_is_one_of_the_other() {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let proxy =
        Proxy::to(listener.local_addr().unwrap().to_string()).tcp(ANY).start().await.unwrap();
    let mut client = dial(&proxy).await;
    let (server, _) = soon("it is passed on", listener.accept()).await.unwrap();
    server.set_zero_linger().unwrap();
    drop(server);
    let error = soon("it is reset", client.read(&mut [0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

/// Nothing arrives, and it does not end.
async fn is_silent(socket: &mut TcpStream) -> bool {
    tokio::time::timeout(Duration::from_millis(300), socket.read(&mut [0])).await.is_err()
}

#[tokio::test]
async fn half_open_connections_are_silent_for_good_and_stay_open() {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let proxy =
        Proxy::to(listener.local_addr().unwrap().to_string()).tcp(ANY).start().await.unwrap();
    let mut client = dial(&proxy).await;
    let (mut server, _) = soon("it is passed on", listener.accept()).await.unwrap();
    client.write_all(b"x").await.unwrap();
    soon("a byte arrives", server.read_exact(&mut [0])).await.unwrap();

    proxy.apply(Change::Silence(Ways::Both)).await.unwrap();
    client.write_all(b"lost").await.unwrap();
    server.write_all(b"lost too").await.unwrap();
    let swallowed = || {
        let total = proxy.snapshot().total;
        (total.to_target.swallowed, total.back.swallowed)
    };
    until("both are swallowed", || (swallowed() == (4, 8)).then_some(())).await;
    assert!(is_silent(&mut client).await && is_silent(&mut server).await);
    // A new one is taken, and the target never hears of it.
    let mut during = dial(&proxy).await;
    during.write_all(b"anybody?").await.unwrap();
    until("it is swallowed", || (swallowed() == (12, 8)).then_some(())).await;
    assert!(is_silent(&mut during).await);
    assert!(tokio::time::timeout(Duration::ZERO, listener.accept()).await.is_err());
    assert!(!proxy.snapshot().open[1].answered);

    proxy.apply(Change::Heal).await.unwrap();
    client.write_all(b"lost").await.unwrap();
    until("it still is", || (swallowed() == (16, 8)).then_some(())).await;
    let mut after = dial(&proxy).await;
    let (mut fresh, _) = soon("a new one works", listener.accept()).await.unwrap();
    after.write_all(b"y").await.unwrap();
    soon("a byte arrives", fresh.read_exact(&mut [0])).await.unwrap();

    // The end of one side is not told to the other; when both have ended it is over.
    drop(client);
    assert!(is_silent(&mut server).await);
    assert_eq!(proxy.snapshot().open.len(), 3);
    drop(server);
    until("it is over", || (proxy.snapshot().open.len() == 2).then_some(())).await;
}

#[tokio::test]
async fn a_connection_of_a_silence_ends_with_its_client() {
    let (events, mut told) = mpsc::channel(64);
    let proxy = in_front(|proxy| proxy.max_connections(1).events(events)).await;
    proxy.apply(Change::Silence(Ways::Both)).await.unwrap();
    for resets in [false, true, false] {
        let mut client = dial(&proxy).await;
        client.write_all(b"anybody?").await.unwrap();
        until("it is taken", || (proxy.snapshot().open.len() == 1).then_some(())).await;
        assert!(is_silent(&mut client).await);
        if resets {
            client.set_zero_linger().unwrap();
        }
        drop(client);
        // Nobody else would ever end it, and its place would be taken for good.
        until("it is over", || proxy.snapshot().open.is_empty().then_some(())).await;
    }
    proxy.apply(Change::Heal).await.unwrap();
    let mut after = dial(&proxy).await;
    assert_eq!(round_trip(&mut after, b"a").await.unwrap(), b"a");
    let snapshot = proxy.snapshot();
    assert_eq!((snapshot.connections, snapshot.refused, snapshot.ended), (4, 0, 0));
    drop(proxy);
    let mut fates = Vec::new();
    while let Some(event) = soon("it is told", told.recv()).await {
        if let Event::Ended { fate, .. } = event {
            fates.push(fate);
        }
    }
    assert_eq!(fates, [Fate::Closed; 3]);
}

#[tokio::test]
async fn a_network_that_works_one_way_passes_that_way() {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let proxy =
        Proxy::to(listener.local_addr().unwrap().to_string()).tcp(ANY).start().await.unwrap();
    let mut client = dial(&proxy).await;
    let (mut server, _) = soon("it is passed on", listener.accept()).await.unwrap();
    proxy.apply(Change::Silence(Ways::ToTarget)).await.unwrap();
    client.write_all(b"lost").await.unwrap();
    server.write_all(b"heard").await.unwrap();
    let mut heard = [0; 5];
    soon("it is heard", client.read_exact(&mut heard)).await.unwrap();
    assert_eq!(&heard, b"heard");
    assert!(is_silent(&mut server).await);
    // A client that is gone: what comes back breaks on it, and the target does not hear of that.
    client.set_zero_linger().unwrap();
    drop(client);
    let mut swallowed = 0;
    while swallowed == 0 {
        server.write_all(b"still there?").await.unwrap();
        assert!(is_silent(&mut server).await);
        swallowed = proxy.snapshot().total.back.swallowed;
    }
    assert_eq!(proxy.snapshot().open.len(), 1);
}

#[tokio::test]
async fn more_connections_than_allowed_are_reset() {
    let proxy = in_front(|proxy| proxy.max_connections(1)).await;
    let mut first = dial(&proxy).await;
    round_trip(&mut first, b"a").await.unwrap();
    let mut second = dial(&proxy).await;
    let error = soon("it is reset", second.read(&mut [0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(proxy.snapshot().refused, 1);
    drop(first);
    until("there is room", || proxy.snapshot().open.is_empty().then_some(())).await;
    let mut third = dial(&proxy).await;
    assert_eq!(round_trip(&mut third, b"b").await.unwrap(), b"b");
}

#[tokio::test]
async fn a_target_that_is_away_is_a_connection_that_is_reset() {
    let nobody = TcpListener::bind(ANY).await.unwrap().local_addr().unwrap();
    let proxy = Proxy::to(nobody.to_string()).tcp(ANY).start().await.unwrap();
    let mut client = dial(&proxy).await;
    let error = soon("it is reset", client.read(&mut [0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    until("it is counted", || (proxy.snapshot().unreachable == 1).then_some(())).await;
}

#[tokio::test]
async fn a_timeline_makes_its_changes_and_everything_is_told() {
    let (events, mut told) = mpsc::channel(64);
    let steps = [(0, Change::Cut), (1, Change::Heal), (2, Change::Silence(Ways::Both))];
    let at = Duration::from_millis;
    let steps = steps.map(|(millis, change)| Step { at: at(millis), change });
    let timeline = Timeline::new(steps.into());
    let proxy = in_front(|proxy| proxy.timeline(timeline).events(events)).await;
    for expected in steps {
        let Some(Event::Changed { at, change, origin }) = soon("it is told", told.recv()).await
        else {
            panic!("something else was told");
        };
        assert_eq!((change, origin), (expected.change, Origin::Timeline));
        assert!(at >= expected.at);
    }
    proxy.apply(Change::Heal).await.unwrap();
    assert!(matches!(told.recv().await, Some(Event::Changed { origin: Origin::Caller, .. })));
    let mut socket = dial(&proxy).await;
    round_trip(&mut socket, b"abc").await.unwrap();
    let opened = soon("it is told", told.recv()).await.unwrap();
    let one = Id { kind: Kind::Tcp, number: 1 };
    let local = socket.local_addr().unwrap();
    assert!(
        matches!(opened, Event::Opened { id, peer, answered: true, .. } if id == one && peer == local),
        "{opened:?}"
    );
    drop(socket);
    let ended = soon("it is told", told.recv()).await.unwrap();
    let Event::Ended { id, fate, counts, .. } = ended else { panic!("{ended:?}") };
    assert_eq!((id, fate, counts.back.bytes), (one, Fate::Closed, 3));
    assert_eq!(proxy.snapshot().events_dropped, 0);
}

#[tokio::test]
async fn nobody_waits_for_those_who_take_no_events() {
    let (events, _nobody_reads) = mpsc::channel(1);
    let proxy = in_front(|proxy| proxy.events(events)).await;
    for _ in 0..3 {
        proxy.apply(Change::Heal).await.unwrap();
    }
    assert_eq!(proxy.snapshot().events_dropped, 2);
}

#[tokio::test]
async fn a_proxy_that_is_dropped_or_stopped_ends_its_connections() {
    let proxy = in_front(|proxy| proxy).await;
    let address = proxy.tcp().unwrap();
    let mut socket = dial(&proxy).await;
    round_trip(&mut socket, b"a").await.unwrap();
    assert_eq!(proxy.stop().await.total.back.bytes, 1);
    assert_eq!(soon("it ends", socket.read(&mut [0])).await.unwrap(), 0);
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

    let proxy = in_front(|proxy| proxy).await;
    let mut socket = dial(&proxy).await;
    round_trip(&mut socket, b"a").await.unwrap();
    drop(proxy);
    assert_eq!(soon("it ends", socket.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_proxy_is_stopped_every_connection_has_ended() {
    let (events, mut told) = mpsc::channel(1_024);
    let proxy = in_front(|proxy| proxy.events(events)).await;
    let mut sockets = Vec::new();
    for _ in 0..200 {
        let mut socket = dial(&proxy).await;
        round_trip(&mut socket, b"a").await.unwrap();
        sockets.push(socket);
    }
    // One more, that hears nothing.
    proxy.apply(Change::Silence(Ways::Both)).await.unwrap();
    sockets.push(dial(&proxy).await);
    until("it is taken", || (proxy.snapshot().open.len() == 201).then_some(())).await;
    let snapshot = proxy.stop().await;
    assert_eq!((snapshot.open.len(), snapshot.ended), (0, 201));
    assert_eq!(snapshot.total.back.bytes, 200);
    let mut ended = 0;
    while let Ok(event) = told.try_recv() {
        ended += usize::from(matches!(event, Event::Ended { fate: Fate::Cut, .. }));
    }
    assert_eq!(ended, 201, "all of it is told already");
    for mut socket in sockets {
        assert_eq!(soon("it ends", socket.read(&mut [0])).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_proxy_that_listens_nowhere_does_not_begin() {
    let error = Proxy::to("127.0.0.1:1").start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let taken = in_front(|proxy| proxy).await;
    let error = Proxy::to("127.0.0.1:1").tcp(taken.tcp().unwrap()).start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}
