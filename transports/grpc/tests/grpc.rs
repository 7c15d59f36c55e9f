//! What is gRPC's and HTTP/2's own, over real sockets on loopback.

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../memory/tests/tools/mod.rs"]
mod tools;

use std::time::Duration;

use bytes::Bytes;
use moorline_grpc::GrpcTransport;
use moorline_link::{Lane, Reason};
use moorline_transport::{Endpoint, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tools::{receive, send, soon};

fn here() -> Endpoint {
    "grpc://127.0.0.1:0".parse().expect("an endpoint")
}

/// Dials something on loopback that is no coordinator.
async fn dial_a_server_that_says(answer: &'static [u8]) -> Reason {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let port = server.local_addr().expect("bound").port();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.expect("accepted");
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.expect("a preface");
        stream.write_all(answer).await.expect("written");
        let mut rest = Vec::new();
        if !answer.is_empty() {
            let _ = stream.read_to_end(&mut rest).await;
        }
    });
    let endpoint = here().with_port(port);
    let error = soon(GrpcTransport::new().dial(&endpoint)).await.expect_err("no coordinator");
    serving.await.expect("no panic");
    error.reason
}

#[tokio::test]
async fn an_http_server_is_not_taken_for_a_coordinator() {
    let page = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    assert_eq!(dial_a_server_that_says(page).await, Reason::ProxyRefused);
}

#[tokio::test]
async fn a_server_that_hangs_up_is_a_reset() {
    assert_eq!(dial_a_server_that_says(b"").await, Reason::TransportReset);
}

#[tokio::test]
async fn a_stream_that_is_reset_while_its_connection_is_up_is_lost() {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let endpoint = here().with_port(server.local_addr().expect("bound").port());
    let serving = tokio::spawn(async move {
        let (stream, _) = server.accept().await.expect("accepted");
        let mut http2 = h2::server::handshake(stream).await.expect("http/2");
        let (_request, mut respond) = http2.accept().await.expect("a request").expect("whole");
        let answer = http::Response::builder().header("content-type", "application/grpc").body(());
        let mut stream =
            respond.send_response(answer.expect("a response"), false).expect("answered");
        stream.send_data(Bytes::from_static(b"\0\0\0\0\x02hi"), false).expect("sent");
        tokio::select! {
            _ = http2.accept() => {}
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
        stream.send_reset(h2::Reason::CANCEL);
        // The connection stays up.
        while http2.accept().await.is_some() {}
    });
    let mut dialled = soon(GrpcTransport::new().dial(&endpoint)).await.expect("dialled");
    assert_eq!(receive(&mut dialled).await.expect("received"), "hi");
    assert_eq!(receive(&mut dialled).await, Err(Reason::StreamLost));
    drop(dialled);
    soon(serving).await.expect("no panic");
}

/// A server that answers the request for the stream and then does as `after` says.
async fn attached<F: Future<Output = ()> + Send>(
    after: impl FnOnce(h2::server::Connection<TcpStream, Bytes>, h2::SendStream<Bytes>) -> F
    + Send
    + 'static,
) -> moorline_transport::Connection {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let endpoint = here().with_port(server.local_addr().expect("bound").port());
    let serving = tokio::spawn(async move {
        let (stream, _) = server.accept().await.expect("accepted");
        let mut http2 = h2::server::handshake(stream).await.expect("http/2");
        let (_request, mut respond) = http2.accept().await.expect("a request").expect("whole");
        let answer = http::Response::builder().header("content-type", "application/grpc").body(());
        let stream = respond.send_response(answer.expect("a response"), false).expect("answered");
        tokio::select! {
            _ = http2.accept() => {}
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
        after(http2, stream).await;
    });
    let dialled = soon(GrpcTransport::new().dial(&endpoint)).await.expect("dialled");
    drop(serving);
    dialled
}

#[tokio::test]
async fn a_peer_that_does_not_answer_pings_is_half_open() {
    let (held, mut hold) = tokio::sync::mpsc::unbounded_channel();
    let mut dialled = attached(move |http2, stream| async move {
        // Open, and never looked at again.
        held.send((http2, stream)).expect("held");
    })
    .await;
    let _held = soon(hold.recv()).await;
    // From here on time passes as soon as nothing else happens.
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let end =
        std::future::poll_fn(|cx| std::pin::Pin::new(&mut *dialled.receiver).poll_receive(cx))
            .await;
    assert_eq!(end, Err(Reason::HalfOpen));
    assert!(began.elapsed() <= Duration::from_secs(41), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_peer_that_breaks_the_rules_of_http2_is_a_protocol_error() {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let endpoint = here().with_port(server.local_addr().expect("bound").port());
    let (go_on, dialled) = tokio::sync::oneshot::channel();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.expect("accepted");
        // Empty settings; headers of stream 1, `:status: 200` and a content type.
        stream.write_all(b"\0\0\0\x04\0\0\0\0\0").await.expect("written");
        stream
            .write_all(b"\0\0\x13\x01\x04\0\0\0\x01\x88\x5f\x10application/grpc")
            .await
            .expect("written");
        dialled.await.expect("dialled");
        // Data on stream 0.
        stream.write_all(b"\0\0\x01\0\0\0\0\0\0\0").await.expect("written");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    });
    let mut dialled = soon(GrpcTransport::new().dial(&endpoint)).await.expect("dialled");
    go_on.send(()).expect("it waits");
    assert_eq!(receive(&mut dialled).await, Err(Reason::ProtocolError));
    drop(dialled);
    soon(serving).await.expect("no panic");
}

#[tokio::test]
async fn a_connection_that_is_given_up_before_it_was_taken_ends() {
    // The listener hands over 64 before somebody takes one, and gives up the others after 10 s.
    const MANY: usize = 70;
    let transport = GrpcTransport::new();
    let mut listener = transport.listen(&here()).await.expect("listens");
    let dials: Vec<_> =
        (0..MANY).map(|_| tokio::spawn(transport.dial(&listener.endpoint()))).collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let first = futures::poll!(&mut listener.accept()).is_ready();
    assert!(!first, "nothing has been handed over yet");
    soon(async {
        while !dials.iter().all(tokio::task::JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    // From here on time passes as soon as nothing else happens.
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(11)).await;
    tokio::time::resume();
    let mut taken = Vec::new();
    for _ in 0..MANY {
        taken.push(soon(listener.accept()).await.expect("accepted"));
    }
    let ends = taken.iter_mut().map(|accepted| {
        let end =
            std::future::poll_fn(|cx| std::pin::Pin::new(&mut *accepted.receiver).poll_receive(cx));
        tokio::time::timeout(Duration::from_millis(500), end)
    });
    let ends = futures::future::join_all(ends).await;
    let given_up = ends.iter().filter(|end| **end == Ok(Err(Reason::TransportReset))).count();
    let open = ends.iter().filter(|end| end.is_err()).count();
    assert!(given_up > 0 && open + given_up == MANY, "{open} open, {given_up} given up");
    drop(dials);
}

#[tokio::test]
async fn a_peer_that_says_goaway_has_left_in_order() {
    let mut dialled = attached(|mut http2, stream| async move {
        http2.abrupt_shutdown(h2::Reason::NO_ERROR);
        let _ = std::future::poll_fn(|cx| http2.poll_closed(cx)).await;
        drop(stream);
    })
    .await;
    assert_eq!(receive(&mut dialled).await, Err(Reason::ClosedByPeer));
}

#[tokio::test]
async fn a_client_made_by_tonic_can_attach() {
    use tonic::client::Grpc;
    use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
    use tonic::{Request, Status};

    #[derive(Default)]
    struct Raw;
    impl Codec for Raw {
        type Encode = Bytes;
        type Decode = Bytes;
        type Encoder = Self;
        type Decoder = Self;
        fn encoder(&mut self) -> Self {
            Self
        }
        fn decoder(&mut self) -> Self {
            Self
        }
    }
    impl Encoder for Raw {
        type Item = Bytes;
        type Error = Status;
        fn encode(&mut self, item: Bytes, dst: &mut EncodeBuf<'_>) -> Result<(), Status> {
            bytes::BufMut::put(dst, item);
            Ok(())
        }
    }
    impl Decoder for Raw {
        type Item = Bytes;
        type Error = Status;
        fn decode(&mut self, src: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
            Ok(Some(bytes::Buf::copy_to_bytes(src, bytes::Buf::remaining(src))))
        }
    }

    let mut listener = GrpcTransport::new().listen(&here()).await.expect("listens");
    let url = format!("http://127.0.0.1:{}", listener.endpoint().port());
    let client = tokio::spawn(async move {
        let channel = tonic::transport::Endpoint::from_shared(url)
            .expect("a url")
            .connect()
            .await
            .expect("connected");
        let mut grpc = Grpc::new(channel);
        grpc.ready().await.expect("ready");
        let up = futures::stream::iter([Bytes::from_static(b"from tonic")]);
        let path = http::uri::PathAndQuery::from_static("/moorline.worker.v1.WorkerService/Attach");
        let mut down =
            grpc.streaming(Request::new(up), path, Raw).await.expect("attached").into_inner();
        let packet = down.message().await.expect("no error").expect("a packet");
        let end = down.message().await.expect("an orderly end");
        (packet, end)
    });
    let mut accepted = soon(listener.accept()).await.expect("accepted");
    assert_eq!(receive(&mut accepted).await.expect("received"), "from tonic");
    assert_eq!(receive(&mut accepted).await, Err(Reason::ClosedByPeer));
    send(&mut accepted, "to tonic", Lane::C).await.expect("sent");
    let closed =
        std::future::poll_fn(|cx| std::pin::Pin::new(&mut *accepted.sender).poll_close(cx));
    soon(closed).await.expect("closed");
    drop(accepted);
    let (packet, end) = soon(client).await.expect("no panic");
    assert_eq!((&packet[..], end), (&b"to tonic"[..], None));
}
