//! Through HTTP proxies: a small one that does what it is told.

#[allow(dead_code, reason = "other tests use the rest")]
mod common;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../memory/tests/tools/mod.rs"]
mod tools;

use std::sync::{Arc, Mutex};

use common::{Authority, client, encrypted, server};
use moorline_link::{Lane, Reason};
use moorline_transport::{DialError, Endpoint, PACKET_MAX, Security, Transport};
use moorline_websocket::{Proxy, WebSocketTransport};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tools::{receive, send, soon};

/// A proxy, and what it was asked.
struct SmallProxy {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl SmallProxy {
    /// Answers each question like this, and makes a tunnel behind a 200.
    async fn new(answer: &'static str, tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let port = listener.local_addr().expect("bound").port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let all = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("accepted");
                let all = Arc::clone(&all);
                match &tls {
                    None => tokio::spawn(serve(stream, answer, all)),
                    Some(tls) => {
                        let accept = tls.accept(stream);
                        tokio::spawn(async move {
                            serve(accept.await.expect("keys"), answer, all).await;
                        })
                    }
                };
            }
        });
        Self { port, asked }
    }

    fn at(&self, scheme_and_user: &str) -> Proxy {
        format!("{scheme_and_user}127.0.0.1:{}", self.port).parse().expect("a proxy")
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &str,
    asked: Arc<Mutex<Vec<String>>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
    let head = String::from_utf8(head).expect("text");
    let to = head.split(' ').nth(1).expect("a target").to_owned();
    asked.lock().expect("no panic").push(head);
    stream.write_all(answer.as_bytes()).await.expect("written");
    stream.flush().await.expect("written");
    if answer.starts_with("HTTP/1.1 200") {
        let mut there = TcpStream::connect(to).await.expect("connected");
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut there).await;
    }
}

const YES: &str = "HTTP/1.1 200 Connection established\r\nVia: small\r\n\r\n";

/// A packet each way.
async fn talk(transport: &WebSocketTransport, at: &str) -> String {
    let at: Endpoint = at.parse().expect("an endpoint");
    let (_listener, mut dialled, mut accepted) = tools::connect(transport, &at).await;
    send(&mut dialled, "up", Lane::C).await.expect("sent");
    assert_eq!(receive(&mut accepted).await.expect("received"), "up");
    send(&mut accepted, vec![7; PACKET_MAX], Lane::B).await.expect("sent");
    let received = receive(&mut dialled).await.expect("received");
    assert_eq!(received.len(), PACKET_MAX);
    let end = futures::future::join(tools::close(&mut accepted), receive(&mut dialled));
    assert_eq!(end.await, (Ok(()), Err(Reason::ClosedByPeer)));
    dialled.peer
}

#[tokio::test]
async fn a_proxy_leads_there() {
    let proxy = SmallProxy::new(YES, None).await;
    let transport = WebSocketTransport::new().with_proxy(proxy.at("http://gpu%201:p%40ss:%25@"));
    let peer = talk(&transport, "ws://127.0.0.1:0").await;
    assert!(peer.ends_with(&format!(" through http://127.0.0.1:{}", proxy.port)), "{peer}");
    let asked = proxy.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].starts_with("CONNECT 127.0.0.1:"), "{asked:?}");
    // `gpu 1:p@ss:%` in base64.
    assert!(asked[0].contains("\r\nProxy-Authorization: Basic Z3B1IDE6cEBzczol\r\n"), "{asked:?}");

    let transport = encrypted().with_proxy(proxy.at(""));
    talk(&transport, "wss://127.0.0.1:0/moorline").await;
    assert_eq!(proxy.asked().len(), 2, "one question each");
    assert!(!proxy.asked()[1].contains("Authorization"));
    talk(&transport.without_proxy(), "wss://127.0.0.1:0").await;
    assert_eq!(proxy.asked().len(), 2, "nothing to ask");
}

#[tokio::test]
async fn a_proxy_may_be_spoken_to_over_tls() {
    let issued = Authority::new().issue("127.0.0.1", "the proxy");
    let tls = server(issued.alone()).config(b"http/1.1");
    let small = SmallProxy::new(YES, Some(tls.into())).await;
    let proxy = small.at("https://").with_tls(client(issued.believing()));
    talk(&WebSocketTransport::new().with_proxy(proxy.clone()), "ws://127.0.0.1:0").await;
    // Keys are exchanged inside of what is encrypted; the coordinator's authority is another one.
    talk(&encrypted().with_proxy(proxy), "wss://127.0.0.1:0").await;
    assert_eq!(small.asked().len(), 2);

    let stranger = Authority::new().issue("127.0.0.1", "somebody");
    let proxy = small.at("https://").with_tls(client(stranger.believing()));
    let there: Endpoint = "ws://192.0.2.1:9".parse().expect("an endpoint");
    let transport = WebSocketTransport::new().with_proxy(proxy);
    let error = soon(transport.dial(&there)).await.expect_err("it is not believed");
    assert_eq!(error.reason, Reason::TlsFailed);
}

#[tokio::test]
async fn a_proxy_that_refuses_says_so() {
    let there: Endpoint = "wss://coordinator.example.com/moorline".parse().expect("an endpoint");
    for (answer, reason, told) in [
        ("HTTP/1.1 403 Forbidden\r\n\r\n", Reason::ProxyRefused, "403 Forbidden"),
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", Reason::ProxyRefused, "407 Proxy"),
        ("HTTP/1.0 502 Bad Gateway\r\n\r\n", Reason::ProxyRefused, "502 Bad Gateway"),
        ("HTTP/1.1 302 Found\r\n\r\n", Reason::ProxyRefused, "302 Found"),
        ("SSH-2.0-OpenSSH_9.2\r\n", Reason::ProxyRefused, "HTTP"),
        ("HTTP/1.1 201 Created\r\n\r\nhello", Reason::ProxyRefused, "201 Created"),
        ("", Reason::TransportReset, "hung up"),
    ] {
        let proxy = SmallProxy::new(answer, None).await;
        let transport = encrypted().with_proxy(proxy.at("http://me:secret@"));
        let dialled = soon(transport.dial(&there)).await;
        let DialError { reason: found, detail } = dialled.expect_err("it refuses");
        assert_eq!(found, reason, "{detail}");
        assert!(detail.contains(told), "{detail}");
        assert!(detail.starts_with("the proxy http://127.0.0.1:"), "{detail}");
        assert!(!detail.contains("secret"), "{detail}");
        let asked = proxy.asked();
        assert!(asked[0].starts_with("CONNECT coordinator.example.com:443 HTTP/1.1\r\n"));
        assert!(asked[0].contains("\r\nHost: coordinator.example.com:443\r\n"), "{asked:?}");
    }
    let gone: Proxy = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let port = listener.local_addr().expect("bound").port();
        format!("127.0.0.1:{port}").parse().expect("a proxy")
    };
    let transport = WebSocketTransport::new().with_security(Security::new()).with_proxy(gone);
    let there: Endpoint = "ws://coordinator.example.com".parse().expect("an endpoint");
    let error = soon(transport.dial(&there)).await.expect_err("nobody is there");
    assert_eq!(error.reason, Reason::ConnectRefused, "{error}");
    assert!(error.detail.starts_with("the proxy http://127.0.0.1:"), "{error}");
}
