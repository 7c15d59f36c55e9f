//! What strangers, coordinators and proxies say, for the fuzz targets.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::io::{AsyncRead, AsyncWrite};
use moorline_link::{Lane, Reason};
use moorline_transport::{Connection, DialError, Endpoint, PACKET_MAX};
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::Role;

use crate::Proxy;
use crate::halves::connection;
use crate::head::read_request;
use crate::net::Runtime;
use crate::settings::{HEAD_MAX, HEADERS_MAX};
use crate::upgrade::{admit, ask};

mod model;

/// Reads any bytes as what somebody says who connects: all at once, and in pieces of as many bytes as the
/// first one says. Both find the same request or none; who is refused is told so in few words.
pub fn websocket_head(bytes: &[u8]) {
    let Some((piece, said)) = bytes.split_first() else { return };
    block_on(async {
        let whole = read_request(&mut Script::new(said, usize::MAX)).await;
        let pieces = read_request(&mut Script::new(said, 1 + usize::from(*piece))).await;
        match (&whole, &pieces) {
            (Ok((whole, rest)), Ok((pieces, _))) => {
                assert_eq!(
                    format!("{whole:?}"),
                    format!("{pieces:?}"),
                    "it matters how it arrives"
                );
                let head = &said[..said.len() - rest.len()];
                assert!(said.len() > 1_024 || head.ends_with(b"\n"), "a head ends with a line");
                assert!(whole.path.starts_with('/') || !whole.path.contains("://"), "{whole:?}");
                assert!(whole.headers.len() <= HEADERS_MAX);
            }
            (Err(_), Err(_)) => {}
            (Ok(_), Err(error)) | (Err(error), Ok(_)) => {
                panic!("it matters how it arrives: {error:?}");
            }
        }
        let mut script = Script::new(said, usize::MAX);
        match admit(&mut script, "/moorline").await {
            Ok(()) => {
                assert!(script.written().starts_with(b"HTTP/1.1 101 "));
                let (request, rest) = whole.expect("it was let in");
                assert!(rest.is_empty(), "it spoke too soon");
                assert_eq!((&*request.method, &*request.path), ("GET", "/moorline"));
                assert!(!request.headers.contains("origin"), "a web page is let in");
            }
            Err(refusal) => {
                assert!(script.written().is_empty(), "it was let in, and refused");
                check_words(&refusal.detail);
                let answer = refusal.answer.map(crate::upgrade::Answer::text);
                assert!(answer.is_none_or(|answer| answer.starts_with("HTTP/1.1 4")));
            }
        }
    });
}

/// Reads any bytes as what comes behind the upgrade, at the end that the lowest bit of the first byte says,
/// all at once and in pieces of as many bytes as the rest of it. The packets are those of a model that
/// knows RFC 6455, and travel on as they are.
pub fn websocket_frames(bytes: &[u8]) {
    let Some((how, said)) = bytes.split_first() else { return };
    let role = if how & 1 == 0 { Role::Server } else { Role::Client };
    block_on(async {
        let (packets, end, answers) = hear(Script::new(said, usize::MAX), role).await;
        assert_eq!(packets, model::packets(said, role), "it is not what RFC 6455 says");
        // A pong is as long as its ping; a mask, and the last word.
        assert!(answers.len() <= 3 * said.len() + 16, "{} bytes of answers", answers.len());
        let (again, end_again, _) = hear(Script::new(said, 1 + usize::from(how >> 1)), role).await;
        assert_eq!((&again, end_again), (&packets, end), "it matters how it arrives");
        let other = if how & 1 == 0 { Role::Client } else { Role::Server };
        let written = write(&packets, other).await;
        let (again, end, _) = hear(Script::new(&written, usize::MAX), role).await;
        assert_eq!((again, end), (packets, Reason::ClosedByPeer), "it is not what was sent");
    });
}

/// Reads any bytes as the answer of a coordinator and as that of a proxy. `$ACCEPT$` in it is what the key
/// of the question asks for: only who answers that question is believed.
pub fn websocket_answer(bytes: &[u8]) {
    let Some((piece, said)) = bytes.split_first() else { return };
    let piece = 1 + usize::from(*piece);
    let endpoint: Endpoint = "ws://coordinator.test:8740/moorline".parse().expect("an endpoint");
    let proxy: Proxy = "http://gpu:secret@proxy.test:3128".parse().expect("a proxy");
    block_on(async {
        let mut script = Script::new(said, piece);
        match ask(&mut script, &endpoint).await {
            Ok(rest) => {
                assert!(is_http(said), "it is no HTTP");
                assert!(has(said, b"$ACCEPT$") && has(said, b" 101"), "that is no answer");
                assert!(rest.len() <= 1_024, "{} bytes are kept", rest.len());
            }
            Err(error) => check_refusal(&error),
        }
        assert!(script.taken() <= HEAD_MAX + 1_024, "it listens without end");
        let mut script = Script::new(said, piece);
        match proxy.open(&mut script, &endpoint).await {
            Ok(()) => assert!(is_http(said) && has(said, b" 2"), "it was refused"),
            Err(error) => check_refusal(&error),
        }
        assert!(script.taken() <= HEAD_MAX + 1_024, "it listens without end");
        let asked = script.written();
        assert_eq!(asked.windows(4).filter(|end| *end == b"\r\n\r\n").count(), 1, "one question");
    });
}

/// Reads any text as the URL of a proxy, which nobody is told the password of.
pub fn proxy_url(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<Proxy>() {
        Ok(proxy) => {
            let told = proxy.to_string();
            let again: Proxy = told.parse().expect("it was read once");
            assert_eq!((again.to_string(), again.at()), (told.clone(), proxy.at()));
            assert!(!told.contains('@') && !format!("{proxy:?}").contains('@'), "{told}");
            assert!(!told.contains(char::is_control), "{told:?} is no place");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Empty lines may be ahead of it (RFC 9112, 2.2).
fn is_http(said: &[u8]) -> bool {
    let blank = said.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    said[blank..].starts_with(b"HTTP/1.")
}

fn has(said: &[u8], what: &[u8]) -> bool {
    said.windows(what.len()).any(|part| part == what)
}

fn check_refusal(error: &DialError) {
    use Reason::{ProxyRefused, TransportReset};
    assert!(matches!(error.reason, ProxyRefused | TransportReset), "{error:?}");
    check_words(&error.detail);
    assert!(!error.detail.contains("secret"), "{error:?}");
}

/// What is told of somebody is one short line, whatever they say.
fn check_words(detail: &str) {
    assert!(!detail.is_empty() && detail.len() < 512, "{detail:?}");
    assert!(!detail.contains(char::is_control), "{detail:?}");
}

fn block_on(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(work);
}

/// Who has said all it will say, in pieces of so many bytes, and listens to everything.
struct Script {
    said: Vec<u8>,
    at: usize,
    piece: usize,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Script {
    fn new(said: &[u8], piece: usize) -> Self {
        Self { said: said.to_owned(), at: 0, piece, written: Arc::default() }
    }

    fn written(&self) -> Vec<u8> {
        self.written.lock().expect("no panic").clone()
    }

    /// How much of it was listened to.
    fn taken(&self) -> usize {
        self.at
    }
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let count = (self.said.len() - self.at).min(self.piece).min(buffer.len());
        let end = self.at + count;
        buffer[..count].copy_from_slice(&self.said[self.at..end]);
        self.at = end;
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let accept = {
            let mut written = self.written.lock().expect("no panic");
            written.extend_from_slice(bytes);
            let text = String::from_utf8_lossy(&written);
            let key = text.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
            key.map(|key| derive_accept_key(key.as_bytes()))
        };
        // Whoever answers has heard the question.
        if let (Some(accept), 0) = (accept, self.at) {
            const PLACE: &[u8] = b"$ACCEPT$";
            let place = self.said.windows(PLACE.len()).position(|part| part == PLACE);
            if let Some(place) = place {
                self.said.splice(place..place + PLACE.len(), accept.into_bytes());
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn open(script: Script, role: Role) -> Connection {
    let runtime = Runtime::current().expect("tokio");
    connection((script, Vec::new()), role, runtime, "somebody".to_owned(), None)
}

/// The packets in what is said, how it ended, and what was answered.
async fn hear(script: Script, role: Role) -> (Vec<Bytes>, Reason, Vec<u8>) {
    let written = Arc::clone(&script.written);
    let mut heard = open(script, role);
    let mut packets = Vec::new();
    let end = loop {
        match poll_fn(|cx| Pin::new(&mut *heard.receiver).poll_receive(cx)).await {
            Ok(packet) => packets.push(packet),
            Err(end) => break end,
        }
    };
    assert!(packets.iter().all(|packet| packet.len() <= PACKET_MAX), "a packet is too long");
    use Reason::{ClosedByPeer, ProtocolError, TransportReset};
    assert!(matches!(end, ClosedByPeer | ProtocolError | TransportReset), "{end}");
    drop(heard);
    let written = written.lock().expect("no panic").clone();
    (packets, end, written)
}

/// These packets and an end in order, as an end of this role writes them.
async fn write(packets: &[Bytes], role: Role) -> Vec<u8> {
    let script = Script::new(&[], usize::MAX);
    let written = Arc::clone(&script.written);
    let mut sent = open(script, role);
    for packet in packets {
        poll_fn(|cx| Pin::new(&mut *sent.sender).poll_ready(cx)).await.expect("open");
        Pin::new(&mut *sent.sender).send(packet.clone(), Lane::C).expect("open");
    }
    // Nobody answers: that is no matter here.
    let _ = poll_fn(|cx| Pin::new(&mut *sent.sender).poll_close(cx)).await;
    drop(sent);
    written.lock().expect("no panic").clone()
}
