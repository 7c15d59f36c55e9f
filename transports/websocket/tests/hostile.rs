//! Whoever means no good at a WebSocket listener: floods, bytes that drip, bytes without end, TLS that is
//! none. What becomes of single frames that are not allowed is in `peers.rs`.

#[allow(dead_code, reason = "other tests use the rest")]
mod common;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../memory/tests/hostile_kit/mod.rs"]
mod hostile_kit;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../memory/tests/tokio_kit/mod.rs"]
mod tokio_kit;

use std::time::Duration;

use common::{UPGRADE, frame};
use hostile_kit::{PUSHED_MAX, Siege, end_in_silence, hear, push, tls, withstands_all};
use moorline_link::Reason;
use moorline_transport::{Connection, Security};
use moorline_websocket::WebSocketTransport;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_kit::take_all_descriptors;

async fn clear() -> Siege {
    Siege::begin(WebSocketTransport::new(), "ws://127.0.0.1:0").await
}

async fn encrypted() -> Siege {
    Siege::begin(common::encrypted(), "wss://127.0.0.1:0").await
}

/// Somebody who is let in, and does as it likes.
async fn attached(siege: &mut Siege) -> (TcpStream, Connection) {
    let mut stranger = siege.stranger().await;
    stranger.write_all(UPGRADE.as_bytes()).await.expect("written");
    let accepted = siege.taken().await;
    (stranger, accepted)
}

/// What is heard of somebody who says this over and over, and how much of it is taken.
async fn heard_of(first: &[u8], then: &[u8]) -> (Reason, usize) {
    let mut siege = clear().await;
    let (mut stranger, mut accepted) = attached(&mut siege).await;
    stranger.write_all(first).await.expect("written");
    let listening = async {
        let end = hear(&mut accepted).await.expect_err("no packet");
        drop(accepted);
        end
    };
    let (end, pushed) = tokio::join!(listening, push(&mut stranger, then));
    siege.withstands().await;
    (end, pushed)
}

#[tokio::test]
async fn a_crowd_that_says_nothing_is_bounded_and_let_go() {
    take_all_descriptors();
    clear().await.withstands_crowd(b"").await;
}

#[tokio::test]
async fn a_crowd_in_the_middle_of_its_head_is_bounded_and_let_go() {
    take_all_descriptors();
    clear().await.withstands_crowd(&UPGRADE.as_bytes()[..60]).await;
}

#[tokio::test]
async fn a_head_that_drips_is_let_go() {
    clear().await.withstands_drops(&UPGRADE.as_bytes()[..UPGRADE.len() - 1]).await;
}

#[tokio::test]
async fn heads_without_an_end_are_refused() {
    let line = b"X: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n";
    let begin = b"GET / HTTP/1.1\r\n";
    clear().await.withstands_endless(begin, line, Reason::ProtocolError).await;
    clear().await.withstands_endless(b"GET /", &[b'x'; 1_000], Reason::ProtocolError).await;
    clear().await.withstands_endless(b"", b"\r\n", Reason::ProtocolError).await;
}

#[tokio::test]
async fn fragments_without_an_end_are_refused() {
    let (end, pushed) = heard_of(&frame(0x02, b"begin"), &frame(0x00, &[7; 500])).await;
    assert_eq!(end, Reason::ProtocolError);
    assert!(pushed <= PUSHED_MAX, "{pushed} bytes were taken");
}

#[tokio::test]
async fn fragments_of_a_byte_without_an_end_are_refused() {
    let (end, pushed) = heard_of(&frame(0x02, b"begin"), &frame(0x00, b"x")).await;
    assert_eq!(end, Reason::ProtocolError);
    // 64 KiB of them, each with six bytes of its own.
    assert!(pushed <= PUSHED_MAX, "{pushed} bytes were taken");
}

#[tokio::test]
async fn empty_fragments_without_an_end_are_refused() {
    let (end, pushed) = heard_of(&frame(0x02, b"begin"), &frame(0x00, b"")).await;
    assert_eq!(end, Reason::ProtocolError);
    assert!(pushed <= PUSHED_MAX, "{pushed} bytes were taken");
}

#[tokio::test]
async fn a_frame_that_says_it_is_too_long_is_not_waited_for() {
    let length = |length: u64| [&[0x82, 0x80 | 127][..], &length.to_be_bytes(), &[0; 4]].concat();
    for said in [length((64 << 10) + 1), length(1 << 40), length(u64::MAX)] {
        let (end, pushed) = heard_of(&said, &[0; 1_000]).await;
        assert_eq!(end, Reason::ProtocolError);
        assert!(pushed <= PUSHED_MAX, "{pushed} bytes were taken");
    }
}

#[tokio::test]
async fn a_frame_that_stops_halfway_is_half_open() {
    let mut siege = clear().await;
    let (mut stranger, mut accepted) = attached(&mut siege).await;
    let whole = frame(0x82, b"hello");
    stranger.write_all(&whole[..whole.len() - 2]).await.expect("written");
    siege.undisturbed().await;
    let (end, waited) = end_in_silence(&mut accepted).await;
    assert_eq!(end, Reason::HalfOpen);
    // It was heard since the first ping, which gives it another turn.
    assert!(waited <= Duration::from_secs(51), "{waited:?}");
}

#[tokio::test]
async fn a_peer_that_is_not_read_is_held_back() {
    let mut siege = clear().await;
    let (mut stranger, accepted) = attached(&mut siege).await;
    // Nothing is read of it, so the kernel stops it.
    let all = frame(0x82, &[7; 32 << 10]).repeat(1_000);
    let filled = tokio::time::timeout(Duration::from_secs(1), stranger.write_all(&all)).await;
    assert!(filled.is_err(), "{} bytes were taken", all.len());
    drop((stranger, accepted));
    siege.withstands().await;
}

#[tokio::test]
async fn a_tls_handshake_that_drips_is_let_go() {
    encrypted().await.withstands_drops(&tls::record(&tls::greeting(508))).await;
}

#[tokio::test]
async fn a_crowd_in_the_middle_of_its_tls_handshake_is_bounded_and_let_go() {
    take_all_descriptors();
    encrypted().await.withstands_crowd(&tls::record(&tls::greeting(508))).await;
}

#[tokio::test]
async fn tls_without_end_is_refused() {
    // A greeting of 16 MiB, in records as long as they may be.
    let begin = tls::record(&tls::greeting(0xff_ffff));
    let more = tls::record(&[0; 16 << 10]);
    encrypted().await.withstands_endless(&begin, &more, Reason::TlsFailed).await;
}

#[tokio::test]
async fn what_is_no_tls_is_refused_with_its_reason() {
    let all = [
        ("clear text", UPGRADE.into(), Reason::TlsFailed),
        (
            "a record above the limit",
            [&[22, 3, 1, 0xff, 0xff][..], &[0; 64]].concat(),
            Reason::TlsFailed,
        ),
        ("an empty greeting", tls::record(&[1, 0, 0, 0]), Reason::TlsFailed),
        ("an answer instead of a greeting", tls::record(&[2, 0, 0, 2, 3, 3]), Reason::TlsFailed),
        ("an alert", vec![21, 3, 1, 0, 2, 2, 80], Reason::TlsFailed),
        ("noise", vec![0xff; 4_096], Reason::TlsFailed),
    ];
    withstands_all(encrypted().await, all.into()).await;
}

#[tokio::test]
async fn who_exchanges_keys_and_says_nothing_more_is_let_go() {
    let issued = common::Authority::new().issue("127.0.0.1", "the coordinator");
    let client = common::client(issued.believing());
    let security =
        Security::new().with_server(common::server(issued.alone())).with_client(client.clone());
    let transport = WebSocketTransport::new().with_security(security);
    let mut siege = Siege::begin(transport, "wss://127.0.0.1:0").await;
    let stranger = siege.stranger().await;
    let peer = stranger.local_addr().expect("bound");
    let connector = tokio_rustls::TlsConnector::from(client.config(b"http/1.1"));
    let name = "127.0.0.1".try_into().expect("a name");
    let mut stranger = connector.connect(name, stranger).await.expect("exchanged");
    // And then the head drips, too.
    stranger.write_all(&UPGRADE.as_bytes()[..40]).await.expect("written");
    stranger.flush().await.expect("written");
    siege.waits_no_longer(stranger, peer).await;
    siege.withstands().await;
}
