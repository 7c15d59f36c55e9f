//! Listening: a long backlog, one task for each connection.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::channel::mpsc::{self, Receiver, Sender};
use futures::channel::oneshot;
use futures::future::{self, BoxFuture, Either, FutureExt};
use futures::task::AtomicWaker;
use futures::{SinkExt, StreamExt};
use h2::RecvStream;
use h2::server::{self, SendResponse};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use moorline_link::Reason;
use moorline_transport::{
    AcceptError, Connection, Endpoint, ListenError, Listener, PACKET_MAX, Security, ServerTls,
    accept_error, bind_error, name_of, own_addresses,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tonic::{Code, Status, Streaming};

use crate::drive::{Http2, drive, end_reason};
use crate::halves::{Role, connection};
use crate::home::Home;
use crate::inflow::{Inflow, Raw};
use crate::settings::{
    ATTACH_WITHIN, BACKLOG, CONTENT_TYPE, FRAME_MAX, HEADERS_MAX, LINGER, PATH, PROTOCOL, RESETS,
    SEND_BUFFER, STREAMS, UNATTACHED_MAX, WINDOW,
};
use crate::shared::{Driven, Shared};
use crate::stream::Stream;

/// Attached connections that wait to be taken.
const READY: usize = 64;

pub(crate) async fn listen(
    endpoint: Endpoint,
    security: Security,
    home: Home,
) -> Result<Box<dyn Listener>, ListenError> {
    let other = |endpoint: &Endpoint, error: &io::Error| ListenError::Other {
        endpoint: endpoint.clone(),
        detail: error.to_string(),
    };
    let (host, port) = (endpoint.host().to_owned(), endpoint.port());
    let lookup = async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) };
    let addresses = own_addresses(&endpoint, lookup).await;
    let addresses = addresses.map_err(|error| other(&endpoint, &error))?;
    let tls = if endpoint.is_encrypted() {
        Some(security.server(&endpoint)?)
    } else {
        security.may_be_clear(&endpoint, &addresses)?;
        None
    };
    let mut failed = None;
    for address in addresses {
        match bind(address) {
            Ok(tcp) => {
                let port = tcp.local_addr().map_err(|error| other(&endpoint, &error))?.port();
                let (attached, ready) = mpsc::channel(READY);
                let (alive, gone) = oneshot::channel();
                return Ok(Box::new(GrpcListener {
                    home,
                    tcp,
                    tls,
                    endpoint: endpoint.with_port(port),
                    attached,
                    ready,
                    unattached: Arc::default(),
                    gone: gone.shared(),
                    _alive: alive,
                }));
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    Err(bind_error(&endpoint, failed))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A coordinator that comes back at once finds its old connections in TIME_WAIT.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

struct GrpcListener {
    /// Where it listens, and where whoever connects is served, whatever polls it.
    home: Home,
    tcp: TcpListener,
    tls: Option<ServerTls>,
    endpoint: Endpoint,
    attached: Sender<Taken>,
    ready: Receiver<Taken>,
    unattached: Arc<Unattached>,
    gone: Gone,
    _alive: oneshot::Sender<()>,
}

/// What became of somebody who connected.
type Taken = Result<Connection, AcceptError>;

/// Resolves when the listener is dropped.
type Gone = future::Shared<oneshot::Receiver<()>>;

/// Connections that have not asked for the stream yet.
#[derive(Default)]
struct Unattached {
    count: AtomicUsize,
    accepting: AtomicWaker,
}

impl GrpcListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Connection, AcceptError>> {
        let _entered = self.home.enter();
        loop {
            if let Poll::Ready(Some(taken)) = self.ready.poll_next_unpin(cx) {
                return Poll::Ready(taken);
            }
            self.unattached.accepting.register(cx.waker());
            if self.unattached.count.load(Ordering::Acquire) >= UNATTACHED_MAX {
                // The kernel keeps the rest: each of these attaches or is let go, and wakes this.
                return Poll::Pending;
            }
            let (stream, peer) = match ready!(self.tcp.poll_accept(cx)) {
                Ok(accepted) => accepted,
                Err(error) => return Poll::Ready(Err(accept_error(&error))),
            };
            if let Err(error) = stream.set_nodelay(true) {
                // Of this connection, whatever its number: macOS says EINVAL of one that is reset.
                let detail = error.to_string();
                return Poll::Ready(Err(AcceptError::Connection { detail }));
            }
            let place = Place::take(&self.unattached);
            let tls = self.tls.as_ref().map(|tls| TlsAcceptor::from(tls.config(PROTOCOL)));
            let arrived = Arrived { stream, peer, tls };
            self.home.spawn(serve(arrived, place, self.attached.clone(), self.gone.clone()));
        }
    }
}

impl Listener for GrpcListener {
    fn accept(&mut self) -> BoxFuture<'_, Result<Connection, AcceptError>> {
        poll_fn(|cx| self.poll_accept(cx)).boxed()
    }

    fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }
}

/// A connection's place among those that have not attached yet.
struct Place {
    unattached: Arc<Unattached>,
}

impl Place {
    fn take(unattached: &Arc<Unattached>) -> Self {
        unattached.count.fetch_add(1, Ordering::AcqRel);
        Self { unattached: Arc::clone(unattached) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.unattached.count.fetch_sub(1, Ordering::AcqRel);
        self.unattached.accepting.wake();
    }
}

/// Somebody who has connected and said nothing yet.
struct Arrived {
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
}

/// Serves one connection from its first byte to its end.
async fn serve(arrived: Arrived, place: Place, mut attached: Sender<Taken>, gone: Gone) {
    let shared = Arc::new(Shared::default());
    // The connection may have been handed over already when this gives it up.
    let _driven = Driven(Arc::clone(&shared));
    let peer = arrived.peer;
    let attaching = attach(arrived, attached.clone(), Arc::clone(&shared));
    // Whoever says nothing, or nothing that is HTTP/2, is let go without a word.
    let attaching = Box::pin(timeout(ATTACH_WITHIN, attaching));
    let server = match future::select(attaching, gone).await {
        Either::Left((done, _)) => {
            let late =
                Refusal::new(Reason::RegisterTimeout, "it did not ask for its stream".to_owned());
            done.unwrap_or(Err(late))
        }
        Either::Right(_) => return,
    };
    match server {
        Ok(mut server) => {
            drop(place);
            let pings = server.http2.ping_pong();
            drive(server, pings, shared).await;
        }
        Err(Refusal { reason, detail, unread }) => {
            let refused = AcceptError::Refused { peer: peer.to_string(), reason, detail };
            // Nobody is told if there are too many of them, or if the listener has ended.
            let _ = attached.try_send(Err(refused));
            if let Some(stream) = unread {
                part(stream).await;
            }
            drop(place);
        }
    }
}

/// Why somebody was let go.
struct Refusal {
    reason: Reason,
    detail: String,
    /// Where the peer is told so.
    unread: Option<TcpStream>,
}

impl Refusal {
    fn new(reason: Reason, detail: String) -> Self {
        Self { reason, detail, unread: None }
    }
}

/// Until the stream was asked for and handed over.
async fn attach(
    arrived: Arrived,
    mut attached: Sender<Taken>,
    shared: Arc<Shared>,
) -> Result<Server, Refusal> {
    let Arrived { stream, peer, tls } = arrived;
    let (stream, identity) = match tls {
        Some(tls) => encrypt(tls, stream).await?,
        None => (Stream::Clear(stream), None),
    };
    let broken = |error: h2::Error| Refusal::new(end_reason(&error), error.to_string());
    let mut http2 = server::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(FRAME_MAX)
        .max_header_list_size(HEADERS_MAX)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_streams(STREAMS)
        .max_concurrent_reset_streams(RESETS)
        .handshake::<_, Bytes>(stream)
        .await
        .map_err(broken)?;
    loop {
        let left = || Refusal::new(Reason::ClosedByPeer, "it left".to_owned());
        let (request, respond) = http2.accept().await.ok_or_else(left)?.map_err(broken)?;
        if let Some(connection) = take(request, respond, peer, identity.clone(), &shared) {
            // Waits while the driver takes no connections; an error is the end of the listener.
            attached.send(Ok(connection)).await.map_err(|_| left())?;
            return Ok(Server { http2: Box::new(http2) });
        }
    }
}

/// Exchanges keys. The name that the peer has proven, if it was asked for one.
async fn encrypt(tls: TlsAcceptor, stream: TcpStream) -> Result<(Stream, Option<String>), Refusal> {
    let stream = match tls.accept(stream).into_fallible().await {
        Ok(stream) => stream,
        Err((error, stream)) => {
            let refusal = Refusal::new(Reason::TlsFailed, error.to_string());
            return Err(Refusal { unread: Some(stream), ..refusal });
        }
    };
    let proven = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let identity = proven.map(name_of);
    Ok((Stream::Tls(Box::new(stream.into())), identity))
}

/// Lets the peer read why: closing a socket with something unread resets it, and a worker whose
/// certificate is not let in has spoken on already.
async fn part(mut stream: TcpStream) {
    let rest = async {
        stream.shutdown().await?;
        let mut unread = [0; 1 << 10];
        while stream.read(&mut unread).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    // Whatever comes of it, it is over.
    let _ = timeout(LINGER, rest).await;
}

/// Answers a request; the one for the stream makes a connection.
fn take(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    peer: SocketAddr,
    identity: Option<String>,
    shared: &Arc<Shared>,
) -> Option<Connection> {
    if let Err(response) = check(&request) {
        // A peer that does not wait for its answer misses it.
        let _ = respond.send_response(response, true);
        return None;
    }
    let mut response = Response::new(());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    let outgoing = respond.send_response(response, false).ok()?;
    let incoming =
        Streaming::new_request(Raw, Inflow::new(request.into_body()), None, Some(PACKET_MAX));
    Some(connection(Role::Server, outgoing, incoming, shared, peer.to_string(), identity))
}

/// Whether this asks for the stream; else the answer.
fn check<B>(request: &Request<B>) -> Result<(), Response<()>> {
    let is_grpc = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(CONTENT_TYPE.as_bytes()));
    if request.method() != Method::POST || !is_grpc {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(response);
    }
    if request.uri().path() != PATH {
        return Err(refusal(
            Code::Unimplemented,
            "this is a moorline coordinator: it serves Attach",
        ));
    }
    Ok(())
}

/// An answer that is nothing but its status.
fn refusal(code: Code, message: &'static str) -> Response<()> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    // A fixed text has nothing that a header could not hold.
    let _ = Status::new(code, message).add_header(&mut headers);
    let mut response = Response::new(());
    *response.headers_mut() = headers;
    response
}

/// The end that accepted.
struct Server {
    /// Boxed: it is handed on from task to task, and each would have room for it.
    http2: Box<server::Connection<Stream, Bytes>>,
}

impl Http2 for Server {
    fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<Reason> {
        loop {
            match ready!(self.http2.poll_accept(cx)) {
                Some(Ok((request, mut respond))) => {
                    let response = check(&request).err().unwrap_or_else(|| {
                        refusal(Code::FailedPrecondition, "this connection is attached already")
                    });
                    let _ = respond.send_response(response, true);
                }
                Some(Err(error)) => return Poll::Ready(end_reason(&error)),
                None => return Poll::Ready(Reason::TransportReset),
            }
        }
    }

    fn wind_up(&mut self) {
        self.http2.graceful_shutdown();
    }
}

#[cfg(test)]
mod tests;
