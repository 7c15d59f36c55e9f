//! Whoever can send a datagram.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::future::join;
use moorline_link::{Lane, Reason};
use moorline_quic::QuicTransport;
use moorline_transport::{AcceptError, Connection, Endpoint, Security, Transport};
use tokio::net::UdpSocket;

use crate::certificates::{Files, authority, params, security, transport};
use crate::here;
use crate::peers;
use crate::tools::{accept, connect, receive, send, soon};

pub(crate) async fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.expect("a socket")
}

/// What comes to a socket until nothing has come for a moment.
async fn answers(socket: &UdpSocket, moment: Duration) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut datagram = vec![0; 2_000];
    while let Ok(read) = tokio::time::timeout(moment, socket.recv(&mut datagram)).await {
        all.push(datagram[..read.expect("received")].to_vec());
    }
    all
}

async fn still_talks(dialled: &mut Connection, accepted: &mut Connection) {
    send(dialled, "undisturbed", Lane::C).await.expect("sent");
    assert_eq!(receive(accepted).await.expect("received"), "undisturbed");
    send(accepted, "so is this", Lane::B).await.expect("sent");
    assert_eq!(receive(dialled).await.expect("received"), "so is this");
}

#[tokio::test]
async fn garbage_at_the_port_disturbs_nobody() {
    let transport = transport();
    let (mut listener, mut dialled, mut accepted) = connect(&transport, &here()).await;
    let stranger = socket().await;
    stranger.connect(peers::address(&listener.endpoint())).await.expect("connected");
    let mut sent = 0;
    let mut seed = 1_u64;
    for n in 0..400_usize {
        let mut garbage: Vec<u8> = std::iter::repeat_with(|| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 56) as u8
        })
        .take(1 + n * 3)
        .collect();
        // By turns: what begins like an Initial, a packet of another version, a short packet, anything.
        let begins: [&[u8]; 4] =
            [&[0xc0, 0, 0, 0, 1, 8], &[0xc0, 0xba, 0xba, 0xba, 0xba], &[0x40], &[]];
        garbage.splice(..0, begins[n % 4].iter().copied());
        sent += garbage.len();
        stranger.send(&garbage).await.expect("sent");
        if n % 100 == 0 {
            still_talks(&mut dialled, &mut accepted).await;
        }
    }
    let answered: usize =
        answers(&stranger, Duration::from_millis(200)).await.iter().map(Vec::len).sum();
    assert!(answered <= sent, "{answered} bytes for {sent}");
    still_talks(&mut dialled, &mut accepted).await;
    let dial = transport.dial(&listener.endpoint());
    let (another, taken) = soon(join(dial, accept(&mut *listener))).await;
    still_talks(&mut another.expect("dialled"), &mut taken.expect("accepted")).await;
}

/// The first datagrams of so many dials, which nobody answered.
pub(crate) async fn first_datagrams(security: &Security, many: usize) -> Vec<Vec<u8>> {
    let hole = socket().await;
    let at = here().with_port(hole.local_addr().expect("bound").port());
    let client = QuicTransport::new().with_security(security.clone());
    let dials: Vec<_> = (0..many).map(|_| tokio::spawn(client.dial(&at))).collect();
    let mut found = std::collections::BTreeMap::new();
    let mut datagram = vec![0; 2_000];
    while found.len() < many {
        let length = soon(hole.recv(&mut datagram)).await.expect("received");
        // An Initial: its destination's id is from the seventh byte on, as long as the sixth says.
        if length >= 1_200 && datagram[0] & 0xf0 == 0xc0 {
            let id = datagram[6..6 + usize::from(datagram[5])].to_vec();
            found.entry(id).or_insert_with(|| datagram[..length].to_vec());
        }
    }
    dials.iter().for_each(tokio::task::JoinHandle::abort);
    found.into_values().collect()
}

/// Sends a datagram as from an address whose owner knows nothing of it.
pub(crate) async fn spoof(datagram: &[u8], to: SocketAddr) -> UdpSocket {
    let spoofed = socket().await;
    spoofed.connect(to).await.expect("connected");
    spoofed.send(datagram).await.expect("sent");
    spoofed
}

#[tokio::test]
async fn an_address_that_nobody_proved_gets_no_more_once_it_got_three_times_what_it_sent() {
    let ca = authority();
    let mut large = params("the coordinator");
    // A certificate of more than three first datagrams.
    let names = (0..200).map(|n| format!("name-{n}.somewhere.where.names.are.long.test"));
    let names = names.map(|name| rcgen::SanType::DnsName(name.try_into().expect("a name")));
    large.subject_alt_names.extend(names);
    let files = Files::new(large, &ca, &ca);
    let security =
        Security::new().with_server(files.open_server()).with_client(files.nameless_client());
    let transport = QuicTransport::new().with_security(security.clone());
    // Such a certificate is no obstacle for who answers.
    let (listener, _dialled, _accepted) = connect(&transport, &here()).await;
    let first = first_datagrams(&security, 1).await.remove(0);
    // Long enough to send it all again, and again.
    let at = peers::address(&listener.endpoint());
    let answers = answers(&spoof(&first, at).await, Duration::from_millis(2_500)).await;
    let lengths: Vec<_> = answers.iter().map(Vec::len).collect();
    // It began with the handshake. What is below the limit when a datagram begins is not cut short.
    let (last, rest) = lengths.split_last().expect("an answer");
    assert!(*last <= 1_200 && rest.iter().sum::<usize>() < 3 * first.len(), "{lengths:?}");
    assert!(lengths.iter().sum::<usize>() > first.len(), "{lengths:?}");
}

/// Whether a datagram asks for a proof of the address.
pub(crate) fn is_retry(datagram: &[u8]) -> bool {
    datagram[0] & 0xf0 == 0xf0
}

#[tokio::test]
async fn a_flood_of_half_open_handshakes_is_bounded_and_disturbs_nobody() {
    // From so many on an address has to be proven.
    const BEGUN_MAX: usize = 64;
    const FLOOD: usize = 300;
    let security = security();
    let transport = QuicTransport::new().with_security(security.clone());
    let (mut listener, mut dialled, mut accepted) = connect(&transport, &here()).await;
    let at = peers::address(&listener.endpoint());
    let flood = first_datagrams(&security, FLOOD).await;
    let mut begun = 0;
    for datagram in &flood {
        let spoofed = spoof(datagram, at).await;
        let mut answer = vec![0; 2_000];
        let length = soon(spoofed.recv(&mut answer)).await.expect("answered");
        if is_retry(&answer) {
            assert!(length < 200, "{length} bytes");
        } else {
            begun += 1;
        }
    }
    assert_eq!(begun, BEGUN_MAX);
    still_talks(&mut dialled, &mut accepted).await;
    // Who is where it says it is gets in all the same.
    let began = Instant::now();
    let dial = transport.dial(&listener.endpoint());
    let (another, taken) = soon(join(dial, accept(&mut *listener))).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    still_talks(&mut another.expect("dialled"), &mut taken.expect("accepted")).await;
}

#[tokio::test]
async fn who_does_not_open_its_lanes_is_let_go() {
    let security = security();
    let transport = QuicTransport::new().with_security(security.clone());
    let mut listener = transport.listen(&here()).await.expect("listens");
    let silent = peers::dial(&security, &listener.endpoint()).await;
    // From here on time passes as soon as nothing else happens.
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let refused = soon(listener.accept()).await.expect_err("refused");
    let after = began.elapsed();
    assert!(
        matches!(refused, AcceptError::Refused { reason: Reason::RegisterTimeout, .. }),
        "{refused}"
    );
    assert!(after > Duration::from_secs(9) && after < Duration::from_secs(12), "{after:?}");
    tokio::time::resume();
    assert_eq!(peers::closed_with(&silent).await, 1);
}

#[tokio::test]
async fn who_waits_when_the_listener_goes_is_told_that_nobody_listens() {
    let security = security();
    let transport = QuicTransport::new().with_security(security.clone());
    let listener = transport.listen(&here()).await.expect("listens");
    let waiting = peers::dial(&security, &listener.endpoint()).await;
    // Named: so the handshake is over there, too.
    let (_send, mut named) = peers::open(&waiting, 0).await;
    peers::is_named(&mut named, 0).await;
    drop(listener);
    assert_eq!(peers::closed_with(&waiting).await, 3);
}

#[tokio::test]
async fn a_socket_that_is_no_coordinator_is_dialled_in_vain() {
    // Somebody is there, and says nothing: only the idle timeout tells.
    let hole = socket().await;
    let at: Endpoint = here().with_port(hole.local_addr().expect("bound").port());
    let transport = transport().with_idle_timeout(Duration::from_secs(1));
    let error = soon(transport.dial(&at)).await.expect_err("nobody");
    assert_eq!(error.reason, Reason::ConnectTimeout, "{error}");
}
