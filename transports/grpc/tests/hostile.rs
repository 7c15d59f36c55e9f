//! Whoever means no good at a gRPC listener: floods, bytes that drip, bytes without end, TLS that is none.

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../memory/tests/hostile_kit/mod.rs"]
mod hostile_kit;
#[allow(dead_code, reason = "other tests use the rest")]
mod pki;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../memory/tests/tokio_kit/mod.rs"]
mod tokio_kit;

use std::sync::Arc;
use std::time::Duration;

use hostile_kit::{PUSHED_MAX, Siege, end_in_silence, hear, push, tls, withstands_all};
use moorline_grpc::GrpcTransport;
use moorline_link::Reason;
use moorline_transport::{ClientTls, Connection, Security, ServerTls};
use pki::{Files, authority, issued};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_kit::take_all_descriptors;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

async fn clear() -> Siege {
    Siege::begin(GrpcTransport::new(), "grpc://127.0.0.1:0").await
}

/// With the files its certificates are read from.
async fn encrypted() -> (Siege, Files) {
    let ca = authority();
    let files = Files::new(&ca, &issued(&ca, "both ends"));
    let server = ServerTls::from_files(files.files.clone()).expect("files");
    let client = ClientTls::from_files(files.files.clone()).expect("files");
    let security = Security::new().with_server(server).with_client(client);
    let grpc = GrpcTransport::new().with_security(security);
    (Siege::begin(grpc, "grpcs://127.0.0.1:0").await, files)
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The preface and empty settings.
fn greeting() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

/// The fields of a request for this path, as HPACK writes what it does not keep.
fn fields(path: &str) -> Vec<u8> {
    let literal = |index: &[u8], value: &str| {
        let length = u8::try_from(value.len()).ok().filter(|length| *length < 127).expect("short");
        [index, &[length], value.as_bytes()].concat()
    };
    // `:method: POST`, `:scheme: http`, and names from the static table.
    let content_type = literal(&[0x0f, 0x10], "application/grpc");
    [&[0x83, 0x86][..], &literal(&[0x04], path), &literal(&[0x01], "x"), &content_type].concat()
}

const ATTACH: &str = "/moorline.worker.v1.WorkerService/Attach";

/// Somebody who is let in, and does as it likes.
async fn attached(siege: &mut Siege) -> (TcpStream, Connection) {
    let mut stranger = siege.stranger().await;
    let ask = [greeting(), frame(HEADERS, END_HEADERS, 1, &fields(ATTACH))].concat();
    stranger.write_all(&ask).await.expect("written");
    let accepted = siege.taken().await;
    // What the listener has told of its windows holds from here on.
    stranger.write_all(&frame(SETTINGS, 1, 0, &[])).await.expect("written");
    (stranger, accepted)
}

#[tokio::test]
async fn a_crowd_that_says_nothing_is_bounded_and_let_go() {
    take_all_descriptors();
    clear().await.withstands_crowd(b"").await;
}

#[tokio::test]
async fn a_crowd_in_the_middle_of_its_preface_is_bounded_and_let_go() {
    take_all_descriptors();
    clear().await.withstands_crowd(&PREFACE[..20]).await;
}

#[tokio::test]
async fn a_preface_that_drips_is_let_go() {
    clear().await.withstands_drops(&PREFACE[..23]).await;
}

#[tokio::test]
async fn who_speaks_http2_and_asks_for_nothing_is_let_go() {
    clear().await.withstands_drops(&greeting()).await;
}

#[tokio::test]
async fn who_asks_for_something_else_again_and_again_is_let_go() {
    let mut siege = clear().await;
    let mut stranger = siege.stranger().await;
    let peer = stranger.local_addr().expect("bound");
    stranger.write_all(&greeting()).await.expect("written");
    for stream in 0..500 {
        let stream = 1 + 2 * stream;
        let ask = frame(HEADERS, END_HEADERS | 1, stream, &fields("/other.Service/Method"));
        stranger.write_all(&ask).await.expect("written");
    }
    siege.waits_no_longer(stranger, peer).await;
    siege.withstands().await;
}

#[tokio::test]
async fn headers_without_an_end_are_refused() {
    // Of 16 KiB at a time: a header list may have as much in all.
    let endless = frame(CONTINUATION, 0, 1, &[0x10; 16 << 10]);
    let begin = [greeting(), frame(HEADERS, 0, 1, &fields(ATTACH))].concat();
    clear().await.withstands_endless(&begin, &endless, Reason::ProtocolError).await;
}

#[tokio::test]
async fn empty_continuations_without_an_end_are_refused() {
    let begin = [greeting(), frame(HEADERS, 0, 1, &fields(ATTACH))].concat();
    let empty = frame(CONTINUATION, 0, 1, &[]);
    clear().await.withstands_endless(&begin, &empty, Reason::ProtocolError).await;
}

#[tokio::test]
async fn streams_that_are_begun_and_reset_without_end_are_refused() {
    let mut siege = clear().await;
    let mut stranger = siege.stranger().await;
    let peer = stranger.local_addr().expect("bound");
    let mut flood = greeting();
    for stream in 0..5_000 {
        let stream = 1 + 2 * stream;
        flood.extend(frame(HEADERS, END_HEADERS, stream, &fields("/other.Service/Method")));
        flood.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    // It may be cut off in the middle.
    let _ = stranger.write_all(&flood).await;
    siege.refuses(peer, Reason::ProtocolError).await;
    siege.withstands().await;
}

#[tokio::test]
async fn what_breaks_the_rules_of_http2_is_refused_with_its_reason() {
    let greeted = |more: Vec<u8>| [greeting(), more].concat();
    let all = [
        ("no HTTP/2", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), Reason::ProtocolError),
        ("TLS where there is none", tls::record(&tls::greeting(508)), Reason::ProtocolError),
        ("noise", vec![0xff; 4_096], Reason::ProtocolError),
        (
            "a frame above the limit",
            greeted(vec![1, 0, 1, DATA, 0, 0, 0, 0, 1]),
            Reason::ProtocolError,
        ),
        (
            "the longest frame there is",
            greeted(vec![255, 255, 255, 0x99, 0, 0, 0, 0, 0]),
            Reason::ProtocolError,
        ),
        ("data of no stream", greeted(frame(DATA, 0, 0, b"x")), Reason::ProtocolError),
        (
            "fields that are none",
            greeted(frame(HEADERS, END_HEADERS, 1, &[0xff; 64])),
            Reason::ProtocolError,
        ),
        (
            "a continuation of nothing",
            greeted(frame(CONTINUATION, END_HEADERS, 1, &[])),
            Reason::ProtocolError,
        ),
    ];
    withstands_all(clear().await, all.into()).await;
}

#[tokio::test]
async fn a_message_that_says_it_is_too_long_is_not_waited_for() {
    for prefix in [[0, 0, 1, 0, 1], [0, 255, 255, 255, 255], [1, 0, 0, 0, 1], [7, 0, 0, 0, 0]] {
        let mut siege = clear().await;
        let (mut stranger, mut accepted) = attached(&mut siege).await;
        stranger.write_all(&frame(DATA, 0, 1, &prefix)).await.expect("written");
        // Of the message itself nothing has come.
        assert_eq!(hear(&mut accepted).await, Err(Reason::ProtocolError), "{prefix:?}");
        drop(accepted);
        assert!(push(&mut stranger, &frame(DATA, 0, 1, &[0; 1_000])).await <= PUSHED_MAX);
        siege.withstands().await;
    }
}

#[tokio::test]
async fn a_message_that_stops_halfway_is_half_open() {
    let mut siege = clear().await;
    let (mut stranger, mut accepted) = attached(&mut siege).await;
    stranger.write_all(&frame(DATA, 0, 1, &[0, 0, 0, 0, 9, b'h', b'a'])).await.expect("written");
    siege.undisturbed().await;
    let (end, waited) = end_in_silence(&mut accepted).await;
    assert_eq!(end, Reason::HalfOpen);
    assert!(waited <= Duration::from_secs(41), "{waited:?}");
}

#[tokio::test]
async fn a_peer_that_is_not_read_is_held_back() {
    let mut siege = clear().await;
    let (mut stranger, accepted) = attached(&mut siege).await;
    // Nobody reads, and it goes on beyond its window.
    let packet = frame(DATA, 0, 1, &[&[0, 0, 0, 64, 0][..], &[7; 16 << 10]].concat());
    let pushed = push(&mut stranger, &packet).await;
    assert!(pushed <= PUSHED_MAX, "{pushed} bytes were taken");
    drop(accepted);
    siege.withstands().await;
}

#[tokio::test]
async fn a_tls_handshake_that_drips_is_let_go() {
    let (siege, _files) = encrypted().await;
    siege.withstands_drops(&tls::record(&tls::greeting(508))).await;
}

#[tokio::test]
async fn a_crowd_in_the_middle_of_its_tls_handshake_is_bounded_and_let_go() {
    take_all_descriptors();
    let (siege, _files) = encrypted().await;
    siege.withstands_crowd(&tls::record(&tls::greeting(508))).await;
}

#[tokio::test]
async fn tls_without_end_is_refused() {
    let (siege, _files) = encrypted().await;
    // A greeting of 16 MiB, in records as long as they may be.
    let begin = tls::record(&tls::greeting(0xff_ffff));
    let more = tls::record(&[0; 16 << 10]);
    siege.withstands_endless(&begin, &more, Reason::TlsFailed).await;
}

#[tokio::test]
async fn what_is_no_tls_is_refused_with_its_reason() {
    let all = [
        ("clear text", greeting(), Reason::TlsFailed),
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
    let (siege, _files) = encrypted().await;
    withstands_all(siege, all.into()).await;
}

#[tokio::test]
async fn who_exchanges_keys_and_says_nothing_more_is_let_go() {
    let (mut siege, files) = encrypted().await;
    let config = ClientTls::from_files(files.files.clone()).expect("files").config(b"h2");
    let stranger = siege.stranger().await;
    let peer = stranger.local_addr().expect("bound");
    let name = "localhost".try_into().expect("a name");
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(&config));
    let stranger = connector.connect(name, stranger).await.expect("exchanged");
    siege.waits_no_longer(stranger, peer).await;
    siege.withstands().await;
}
