use std::cell::RefCell;
use std::net::SocketAddr;

use tokio::time::{Instant, sleep, timeout};

use super::*;

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn endpoint(text: &str) -> Endpoint {
    text.parse().expect("an endpoint")
}

#[tokio::test(start_paused = true)]
async fn the_last_good_addresses_are_used_while_the_resolver_fails_or_is_silent_and_the_new_ones_when_it_speaks()
 {
    let (there, resolver) = (endpoint("grpc://coordinator:1"), Resolver::default());
    let [old, new] = ["127.0.0.1:1", "127.0.0.2:1"].map(address);
    let fails = || async { Err(io::ErrorKind::NotFound.into()) };
    let never = resolver.resolve(&there, fails(), sleep).await.expect_err("it never was resolved");
    assert_eq!(never.reason, Reason::DnsFailed);
    let empty = resolver.resolve(&there, async { Ok(Vec::new()) }, sleep).await;
    assert_eq!(empty.expect_err("no address").reason, Reason::DnsFailed);
    assert_eq!(resolver.resolve(&there, async { Ok(vec![old]) }, sleep).await, Ok(vec![old]));
    assert_eq!(resolver.resolve(&there, fails(), sleep).await, Ok(vec![old]));
    assert_eq!(resolver.resolve(&there, async { Ok(Vec::new()) }, sleep).await, Ok(vec![old]));
    let silent = resolver.resolve(&there, std::future::pending(), sleep);
    assert_eq!(timeout(Duration::from_secs(3), silent).await, Ok(Ok(vec![old])));
    let found = resolver.clone().resolve(&there, async { Ok(vec![new]) }, sleep).await;
    assert_eq!(found, Ok(vec![new]), "resolved anew");
    // Another name is another matter.
    let other = resolver.resolve(&endpoint("grpc://other:1"), fails(), sleep).await;
    assert_eq!(other.expect_err("never resolved").reason, Reason::DnsFailed);
}

#[tokio::test]
async fn an_address_is_not_looked_up() {
    let lookup = async { panic!("it is an address already") };
    let found = Resolver::default().resolve(&endpoint("ws://[::1]:8743/x"), lookup, sleep).await;
    assert_eq!(found, Ok(vec![address("[::1]:8743")]));
}

#[test]
fn families_take_turns() {
    let given = ["1.1.1.1:1", "2.2.2.2:1", "[::1]:1", "3.3.3.3:1", "[::2]:1"].map(address);
    let wanted = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "3.3.3.3:1"].map(address);
    assert_eq!(interleaved(given.to_vec()), wanted);
}

/// How a race went: which address was tried when, and which was reached when.
async fn raced(
    addresses: &[SocketAddr],
    answers: impl Fn(SocketAddr) -> (u64, io::Result<SocketAddr>),
) -> (Vec<(u64, SocketAddr)>, u64, Result<SocketAddr, DialError>) {
    let (begun, tried) = (Instant::now(), RefCell::new(Vec::new()));
    let millis = || u64::try_from(begun.elapsed().as_millis()).expect("not that long");
    let connect = |address| {
        tried.borrow_mut().push((millis(), address));
        let (after, answer) = answers(address);
        async move {
            sleep(Duration::from_millis(after)).await;
            answer
        }
    };
    let reached = race(addresses, connect, sleep).await;
    let at = millis();
    (tried.into_inner(), at, reached)
}

#[tokio::test(start_paused = true)]
async fn the_next_address_is_tried_beside_one_that_is_slow_and_at_once_after_one_that_failed() {
    let all = ["[::1]:1", "127.0.0.1:1", "[::2]:1", "127.0.0.2:1"].map(address);
    let (tried, at, reached) =
        raced(&all, |address| match all.iter().position(|a| *a == address) {
            Some(0) => (60_000, Ok(address)),
            Some(1) => (100, Err(io::ErrorKind::ConnectionRefused.into())),
            Some(2) => (300, Ok(address)),
            _ => (400, Ok(address)),
        })
        .await;
    assert_eq!(tried, [(0, all[0]), (250, all[1]), (350, all[2]), (600, all[3])]);
    assert_eq!((at, reached), (650, Ok(all[2])));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_answers_late_wins_all_the_same_and_one_that_never_does_has_its_time() {
    let both = ["[::1]:1", "127.0.0.1:1"].map(address);
    let refused = || Err(io::ErrorKind::ConnectionRefused.into());
    let slow = |address| if address == both[0] { (4_000, Ok(address)) } else { (10, refused()) };
    let (_, at, reached) = raced(&both, slow).await;
    assert_eq!((at, reached), (4_000, Ok(both[0])));
    let silent = |address| if address == both[0] { (60_000, Ok(address)) } else { (10, refused()) };
    let (_, at, reached) = raced(&both, silent).await;
    assert_eq!((at, reached.map_err(|error| error.reason)), (5_000, Err(Reason::ConnectTimeout)));
    // One that is alone has all the time its caller gives it.
    let (_, at, reached) = raced(&both[..1], silent).await;
    assert_eq!((at, reached), (60_000, Ok(both[0])));
    let none = raced(&[], silent).await.2;
    assert_eq!(none.map_err(|error| error.reason), Err(Reason::DnsFailed));
}

#[test]
fn errors_of_connecting_have_their_reason() {
    for (kind, reason) in [
        (io::ErrorKind::ConnectionRefused, Reason::ConnectRefused),
        (io::ErrorKind::TimedOut, Reason::ConnectTimeout),
        (io::ErrorKind::NetworkUnreachable, Reason::Unreachable),
        (io::ErrorKind::HostUnreachable, Reason::Unreachable),
        (io::ErrorKind::ConnectionReset, Reason::TransportReset),
    ] {
        assert_eq!(connect_reason(&io::Error::from(kind)), reason, "{kind:?}");
    }
}
