//! What the WebSocket transport makes of peers that are not its own: those who break the rules, those who
//! speak something else, those who say nothing.

#[allow(dead_code, reason = "other tests use the rest")]
mod common;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../memory/tests/tools/mod.rs"]
mod tools;

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use common::{UPGRADE, end_of, frame};
use moorline_link::{Lane, Reason};
use moorline_transport::{
    AcceptError, Connection, DialError, Endpoint, Listener, PACKET_MAX, Transport,
};
use moorline_websocket::WebSocketTransport;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tools::{close, connect, receive, send, soon};
use tungstenite::handshake::derive_accept_key;
use tungstenite::{Message, WebSocket};

fn here() -> Endpoint {
    "ws://127.0.0.1:0".parse().expect("an endpoint")
}

async fn listen(at: &str) -> Box<dyn Listener> {
    let at = at.parse().expect("an endpoint");
    WebSocketTransport::new().listen(&at).await.expect("listens")
}

async fn connected(listener: &dyn Listener) -> TcpStream {
    let address = ("127.0.0.1", listener.endpoint().port());
    TcpStream::connect(address).await.expect("connected")
}

/// The head of what the other end says.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
    String::from_utf8(head).expect("text")
}

/// Somebody who is let in and speaks bytes, and what the listener sees.
async fn raw() -> (TcpStream, Connection) {
    let mut listener = listen("ws://127.0.0.1:0").await;
    let mut stream = connected(&*listener).await;
    stream.write_all(UPGRADE.as_bytes()).await.expect("written");
    let accepted = soon(listener.accept()).await.expect("accepted");
    let head = head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "RFC 6455, 1.3: {head}");
    assert!(head.contains("Sec-WebSocket-Protocol: moorline.worker.v1\r\n"), "{head}");
    (stream, accepted)
}

/// What the listener's end makes of these frames, behind a good one; and that the peer is told.
async fn judged(frames: &[u8]) -> Reason {
    let (mut stream, mut accepted) = raw().await;
    stream.write_all(&frame(0x82, b"good")).await.expect("written");
    assert_eq!(receive(&mut accepted).await.expect("received"), "good");
    let write = async {
        // It may have been cut off in the middle.
        let _ = stream.write_all(frames).await;
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        said
    };
    let read = async {
        let end = receive(&mut accepted).await.expect_err("the end");
        drop(accepted);
        end
    };
    soon(futures::future::join(write, read)).await.1
}

#[tokio::test]
async fn what_websocket_does_not_allow_is_a_protocol_error() {
    let endless = [frame(0x02, b"begin"), frame(0x00, b"more").repeat(30_000)].concat();
    let long_fragment = [0x02, 0x80 | 127, 0, 0, 0, 0, 0xff, 0, 0, 0, 1, 2, 3, 4];
    for (what, frames) in [
        ("fragments without an end", endless),
        ("a fragment above the limit", long_fragment.to_vec()),
        ("a message above the limit", frame(0x82, &vec![0; PACKET_MAX + 1])),
        ("a frame without a mask", vec![0x82, 2, b'h', b'i']),
        ("a text", frame(0x81, b"hi")),
        ("no text", frame(0x81, &[0xff])),
        ("a reserved bit", frame(0xc2, b"hi")),
        ("an unknown kind", frame(0x83, b"hi")),
        ("a fragmented ping", frame(0x09, b"hi")),
        ("a long ping", frame(0x89, &[0; 126])),
        ("a continuation of nothing", frame(0x80, b"hi")),
        ("a close frame of one byte", frame(0x88, &[3])),
        ("the word that we broke the rules", frame(0x88, &1_002_u16.to_be_bytes())),
    ] {
        assert_eq!(judged(&frames).await, Reason::ProtocolError, "{what}");
    }
}

#[tokio::test]
async fn an_end_in_order_is_told_from_one_that_is_none() {
    for (what, frames, reason) in [
        ("without a code", frame(0x88, b""), Reason::ClosedByPeer),
        ("going away", frame(0x88, &1_001_u16.to_be_bytes()), Reason::ClosedByPeer),
        ("a restart", frame(0x88, &1_012_u16.to_be_bytes()), Reason::ClosedByPeer),
    ] {
        assert_eq!(judged(&frames).await, reason, "{what}");
    }
    let (stream, mut accepted) = raw().await;
    drop(stream);
    assert_eq!(receive(&mut accepted).await, Err(Reason::TransportReset));
}

#[tokio::test]
async fn who_breaks_the_rules_is_told_so() {
    let (mut stream, mut accepted) = raw().await;
    stream.write_all(&frame(0x81, b"text")).await.expect("written");
    assert_eq!(receive(&mut accepted).await, Err(Reason::ProtocolError));
    drop(accepted);
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.expect("read");
    assert_eq!(said, [0x88, 2, 0x03, 0xeb], "1003: it takes no text");
}

#[tokio::test]
async fn messages_in_fragments_are_put_together_around_pings() {
    let (mut stream, mut accepted) = raw().await;
    let mut frames = frame(0x02, b"in ");
    frames.extend(frame(0x00, b""));
    frames.extend(frame(0x89, b"there?"));
    frames.extend(frame(0x80, b"pieces"));
    // However it arrives.
    let write = async {
        for byte in frames {
            stream.write_all(&[byte]).await.expect("written");
            tokio::task::yield_now().await;
        }
    };
    let (received, ()) = futures::join!(receive(&mut accepted), write);
    assert_eq!(received.expect("received"), "in pieces");
    let mut pong = [0; 8];
    soon(stream.read_exact(&mut pong)).await.expect("read");
    assert_eq!(&pong, b"\x8a\x06there?", "without any packet to go with it");
}

#[tokio::test]
async fn who_pings_without_end_and_reads_nothing_is_let_go() {
    let (mut stream, mut accepted) = raw().await;
    let ping = frame(0x89, &[7; 125]).repeat(1_000);
    let flood = async { while stream.write_all(&ping).await.is_ok() {} };
    let (end, ()) = soon(futures::future::join(
        async {
            let end = receive(&mut accepted).await;
            drop(accepted);
            end
        },
        flood,
    ))
    .await;
    assert_eq!(end, Err(Reason::ProtocolError));
}

/// What is answered to somebody who says this, and what the listener tells.
async fn refused(at: &str, said: &str) -> (String, Reason) {
    let mut listener = listen(at).await;
    let mut stream = connected(&*listener).await;
    stream.write_all(said.as_bytes()).await.expect("written");
    let answer = async move {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        answer
    };
    let (answer, told) = soon(futures::future::join(answer, listener.accept())).await;
    match told {
        Err(AcceptError::Refused { reason, .. }) => (answer, reason),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was let in: {said}"),
    }
}

#[tokio::test]
async fn who_asks_for_something_else_gets_a_clear_answer() {
    let open = "ws://127.0.0.1:0";
    let (answer, reason) = refused(open, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{answer}");
    assert!(answer.contains("Upgrade: websocket\r\n"), "{answer}");
    assert!(answer.ends_with("it speaks WebSocket, moorline.worker.v1\n"), "{answer}");
    assert_eq!(reason, Reason::ProtocolError);
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    assert!(answer.contains(&format!("Content-Length: {}\r\n", body.len())), "{answer}");

    let with_body = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    assert!(refused(open, with_body).await.0.starts_with("HTTP/1.1 426 "));
    let deep = "ws://127.0.0.1:0/moorline";
    for path in ["/", "/other", "/moorline/", "/moorlin"] {
        let elsewhere = UPGRADE.replacen("GET / ", &format!("GET {path} "), 1);
        let (answer, _) = refused(deep, &elsewhere).await;
        assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{path}: {answer}");
    }
    for (from, to, status) in [
        ("chat, moorline.worker.v1", "chat, moorline.worker.v2", "400"),
        ("Sec-WebSocket-Protocol: chat, moorline.worker.v1\r\n", "", "400"),
        ("Version: 13", "Version: 12", "426"),
        ("HTTP/1.1", "HTTP/1.0", "426"),
        ("Upgrade: websocket\r\n", "", "426"),
        ("keep-alive, Upgrade", "keep-alive", "426"),
        ("GET", "POST", "400"),
        ("Host: x\r\n", "Host: x\r\nOrigin: https://example.com\r\n", "403"),
        ("dGhlIHNhbXBsZSBub25jZQ==", "short", "400"),
        ("Host: x", "Host", "400"),
        ("\r\n\r\n", "\r\n\r\n\u{2}", "400"),
    ] {
        let (answer, reason) = refused(open, &UPGRADE.replacen(from, to, 1)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{from}: {answer}");
        assert_eq!(reason, Reason::ProtocolError, "{from}");
    }
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n", "x".repeat(17 << 10));
    assert!(refused(open, &long).await.0.starts_with("HTTP/1.1 431 "));
    let many = format!("GET / HTTP/1.1\r\n{}", "X: x\r\n".repeat(65));
    assert!(refused(open, &many).await.0.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn a_path_of_its_own_is_found_and_every_path_leads_to_the_root() {
    let transport = WebSocketTransport::new();
    for (at, to) in [("/moorline", "/moorline"), ("", "/any/where"), ("", "")] {
        let mut listener = listen(&format!("ws://127.0.0.1:0{at}")).await;
        let port = listener.endpoint().port();
        let to: Endpoint = format!("ws://127.0.0.1:{port}{to}").parse().expect("an endpoint");
        let both = futures::future::join(transport.dial(&to), listener.accept());
        let (dialled, accepted) = soon(both).await;
        dialled.expect("dialled");
        accepted.expect("accepted");
    }
    let mut listener = listen("ws://127.0.0.1:0/moorline").await;
    let mut stream = connected(&*listener).await;
    let asked = UPGRADE.replacen("GET / ", "GET http://x/moorline?a=b ", 1);
    stream.write_all(asked.as_bytes()).await.expect("written");
    soon(listener.accept()).await.expect("a query is nobody's affair");
    let elsewhere = here().with_port(listener.endpoint().port());
    let both = futures::future::join(transport.dial(&elsewhere), listener.accept());
    let (dialled, _) = soon(both).await;
    let DialError { reason, detail } = dialled.expect_err("nothing is there");
    assert_eq!(reason, Reason::ProxyRefused);
    assert!(detail.contains("404 Not Found"), "{detail}");
}

#[tokio::test]
async fn garbage_at_the_port_disturbs_nobody() {
    let transport = WebSocketTransport::new();
    let (mut listener, mut dialled, mut accepted) = connect(&transport, &here()).await;
    for garbage in [
        &[0xff; 4_096][..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"",
    ] {
        let mut stream = connected(&*listener).await;
        stream.write_all(garbage).await.expect("written");
        if garbage.is_empty() {
            // Says nothing, and stays.
            std::mem::forget(stream);
            continue;
        }
        let mut answer = Vec::new();
        let answered = async {
            let _ = stream.read_to_end(&mut answer).await;
            drop(stream);
        };
        let told = soon(futures::future::join(listener.accept(), answered)).await.0;
        assert!(matches!(told, Err(AcceptError::Refused { .. })), "{told:?}");
        assert!(answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
        send(&mut dialled, "undisturbed", Lane::C).await.expect("sent");
        assert_eq!(receive(&mut accepted).await.expect("received"), "undisturbed");
    }
    let dial = transport.dial(&listener.endpoint());
    let (another, _taken) = soon(futures::future::join(dial, tools::accept(&mut *listener))).await;
    another.expect("dialled");
}

#[tokio::test]
async fn a_head_that_never_ends_is_let_go() {
    let mut listener = listen("ws://127.0.0.1:0").await;
    let mut stream = connected(&*listener).await;
    tokio::time::pause();
    let began = Instant::now();
    let drip = async {
        for byte in UPGRADE.bytes().cycle() {
            if stream.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let told = tokio::select! {
        told = listener.accept() => told,
        () = drip => panic!("it was cut off without a word to the listener"),
    };
    let Err(AcceptError::Refused { reason: Reason::RegisterTimeout, .. }) = told else {
        panic!("{told:?}");
    };
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(10) && waited < Duration::from_secs(11), "{waited:?}");
}

/// Dials something on loopback that is no coordinator, and answers like this to its question.
async fn dial_a_server_that_says(answer: impl Fn(&str) -> String) -> DialError {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let port = server.local_addr().expect("bound").port();
    let serving = async {
        let (mut stream, _) = server.accept().await.expect("accepted");
        let asked = head(&mut stream).await;
        let key = asked.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let accept = derive_accept_key(key.expect("a key").as_bytes());
        stream.write_all(answer(&accept).as_bytes()).await.expect("written");
    };
    let transport = WebSocketTransport::new();
    let dial = transport.dial(&here().with_port(port));
    soon(futures::future::join(dial, serving)).await.0.expect_err("no coordinator")
}

#[tokio::test]
async fn what_is_no_coordinator_is_not_taken_for_one() {
    let good = |accept: &str| {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: moorline.worker.v1\r\n\r\n"
        )
    };
    for (from, to) in [
        ("moorline.worker.v1", "chat"),
        ("Sec-WebSocket-Protocol: moorline.worker.v1\r\n", ""),
        ("Accept: ", "Accept: x"),
        ("Upgrade: websocket\r\n", ""),
        ("Connection: Upgrade", "Connection: close"),
        ("101", "200"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
    ] {
        let error = dial_a_server_that_says(|accept| good(accept).replacen(from, to, 1)).await;
        assert_eq!(error.reason, Reason::ProxyRefused, "{from}: {error}");
    }
    let page = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    let error = dial_a_server_that_says(|_| page.to_owned()).await;
    assert_eq!(error.reason, Reason::ProxyRefused);
    assert!(error.detail.contains("403 Forbidden"), "{error}");
    let error = dial_a_server_that_says(|_| "220 mail.example.com ESMTP\r\n".to_owned()).await;
    assert_eq!(error.reason, Reason::ProxyRefused, "{error}");
    let error = dial_a_server_that_says(|_| String::new()).await;
    assert_eq!(error.reason, Reason::TransportReset, "{error}");
}

#[tokio::test]
async fn what_comes_right_behind_the_answer_is_not_lost() {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let port = server.local_addr().expect("bound").port();
    let serving = async {
        let (mut stream, _) = server.accept().await.expect("accepted");
        let asked = head(&mut stream).await;
        assert!(asked.starts_with("GET /a HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains(&format!("Host: 127.0.0.1:{port}\r\n")), "{asked}");
        let key = asked.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let accept = derive_accept_key(key.expect("a key").as_bytes());
        let mut said = format!(
            "HTTP/1.1 101 OK\r\nupgrade: WebSocket\r\nconnection: upgrade\r\n\
             sec-websocket-accept: {accept}\r\nsec-websocket-protocol: moorline.worker.v1\r\n\r\n"
        )
        .into_bytes();
        said.extend(b"\x82\x02hi\x82\x01");
        stream.write_all(&said).await.expect("written");
        stream.write_all(b"!").await.expect("written");
        // A server masks nothing.
        stream.write_all(&frame(0x82, b"masked")).await.expect("written");
        stream
    };
    let to = format!("ws://127.0.0.1:{port}/a").parse().expect("an endpoint");
    let dial = WebSocketTransport::new().dial(&to);
    let (dialled, _stream) = soon(futures::future::join(dial, serving)).await;
    let mut dialled = dialled.expect("dialled");
    assert_eq!(receive(&mut dialled).await.expect("received"), "hi");
    assert_eq!(receive(&mut dialled).await.expect("received"), "!");
    assert_eq!(receive(&mut dialled).await, Err(Reason::ProtocolError));
}

/// What somebody makes of a stream who knows tungstenite alone.
fn by_tungstenite_alone(port: u16) -> (Message, Message, String) {
    use tungstenite::client::IntoClientRequest;
    let stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("connected");
    let mut request = format!("ws://127.0.0.1:{port}/").into_client_request().expect("a request");
    let protocol = "moorline.worker.v1".parse().expect("a header");
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let (mut socket, _): (WebSocket<_>, _) =
        tungstenite::client::client(request, stream).expect("attached");
    socket.send(Message::Binary(Bytes::from_static(b"from tungstenite"))).expect("sent");
    let packet = socket.read().expect("a packet");
    let close = socket.read().expect("the end");
    let end = socket.read().expect_err("nothing follows").to_string();
    (packet, close, end)
}

#[tokio::test]
async fn a_client_made_by_tungstenite_alone_can_attach() {
    let mut listener = listen("ws://127.0.0.1:0").await;
    let port = listener.endpoint().port();
    let client = tokio::task::spawn_blocking(move || by_tungstenite_alone(port));
    let mut accepted = soon(listener.accept()).await.expect("accepted");
    assert_eq!(receive(&mut accepted).await.expect("received"), "from tungstenite");
    send(&mut accepted, "to tungstenite", Lane::C).await.expect("sent");
    close(&mut accepted).await.expect("closed");
    drop(accepted);
    let (packet, close, end) = soon(client).await.expect("no panic");
    assert_eq!(packet.into_data(), "to tungstenite");
    assert!(close.is_close(), "it ends in order: {close}");
    assert_eq!(end, "Connection closed normally");
}

/// Both ends of a connection, a packet each way and the end, where there is no runtime at all.
async fn talk_without_tokio(at: &str, transport: WebSocketTransport) {
    let mut listener = transport.listen(&at.parse().expect("an endpoint")).await.expect("listens");
    let dial = transport.dial(&listener.endpoint());
    let (dialled, accepted) = futures::future::join(dial, listener.accept()).await;
    let (mut dialled, mut accepted) = (dialled.expect("dialled"), accepted.expect("accepted"));
    for n in 0..100_u8 {
        let packet = Bytes::from(vec![n; 1 + usize::from(n) * 600]);
        let sent = async {
            send(&mut dialled, packet.clone(), Lane::C).await.expect("sent");
            poll_fn(|cx| Pin::new(&mut *dialled.sender).poll_flush(cx)).await.expect("flushed");
        };
        let read = poll_fn(|cx| Pin::new(&mut *accepted.receiver).poll_receive(cx));
        let (received, ()) = futures::future::join(read, sent).await;
        assert_eq!(received.expect("received"), packet);
    }
    let closed = poll_fn(|cx| Pin::new(&mut *accepted.sender).poll_close(cx));
    let (closed, end) = futures::future::join(closed, end_of(&mut dialled)).await;
    assert_eq!((closed, end), (Ok(()), Reason::ClosedByPeer));
}

#[test]
fn any_executor_will_do() {
    futures::executor::block_on(talk_without_tokio("ws://127.0.0.1:0", WebSocketTransport::new()));
    futures::executor::block_on(talk_without_tokio("wss://127.0.0.1:0", common::encrypted()));
    // With a name to look up.
    async_io::block_on(talk_without_tokio("ws://localhost:0", WebSocketTransport::new()));
}
