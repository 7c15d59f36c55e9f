//! A transport that anybody could have written: packets over TCP, each behind its length.
//!
//! docs/your-own-transport.md goes through it; the kit finds that it keeps every promise:
//!
//! ```text
//! cargo run -p moorline-transport --features conformance --example packets_over_tcp
//! ```

#![allow(clippy::print_stdout, reason = "it prints a report")]

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use moorline_link::{Lane, Reason};
use moorline_transport::conformance::{Socket, Subject, run};
use moorline_transport::{
    AcceptError, Authority, Connection, DialError, Endpoint, ListenError, Listener, PacketReceiver,
    PacketSender, Resolver, Transport, UNWRITTEN_MAX, connect_reason, race,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

/// What both ends say first: who does not is no peer.
const GREETING: &[u8; 8] = b"packets\n";

/// What stands where a length would: this direction has ended in order.
const GOODBYE: u32 = u32::MAX;

const PACKET_MAX: usize = 64 << 10;

/// Who has connected has to greet in this time.
const GREET_WITHIN: Duration = Duration::from_secs(10);

/// A peer may take so long to read what was sent before an orderly end.
const LINGER: Duration = Duration::from_secs(10);

/// `tcp://HOST:PORT`: packets in clear text, so for this machine alone.
#[derive(Clone)]
pub(crate) struct Packets {
    pub(crate) resolver: Resolver,
    /// Those who have connected and not greeted yet; the system keeps the others.
    pub(crate) ungreeted_max: usize,
}

impl Default for Packets {
    fn default() -> Self {
        Self { resolver: Resolver::default(), ungreeted_max: 1_024 }
    }
}

impl Transport for Packets {
    fn schemes(&self) -> &'static [&'static str] {
        &["tcp"]
    }

    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<'static, Result<Connection, DialError>> {
        Box::pin(dial(self.resolver.clone(), endpoint.clone()))
    }

    fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, Result<Box<dyn Listener>, ListenError>> {
        Box::pin(listen(endpoint.clone(), self.ungreeted_max))
    }
}

async fn dial(resolver: Resolver, endpoint: Endpoint) -> Result<Connection, DialError> {
    let (host, port) = (endpoint.host().to_owned(), endpoint.port());
    let lookup = async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) };
    let addresses = resolver.resolve(&endpoint, lookup, sleep).await?;
    let mut stream = race(&addresses, TcpStream::connect, sleep).await?;
    let failed = |error: io::Error| {
        let hung_up = error.kind() == io::ErrorKind::UnexpectedEof;
        let reason = if hung_up { Reason::TransportReset } else { connect_reason(&error) };
        DialError { reason, detail: error.to_string() }
    };
    greet(&mut stream).await.map_err(failed)?;
    Ok(connection(stream, endpoint.authority()))
}

/// Greets, and waits to be greeted: from here on the other end is known to be a peer.
async fn greet(stream: &mut TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(GREETING).await?;
    let mut answer = [0; GREETING.len()];
    stream.read_exact(&mut answer).await?;
    if answer == *GREETING {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "it does not speak this protocol"))
}

async fn listen(
    endpoint: Endpoint,
    ungreeted_max: usize,
) -> Result<Box<dyn Listener>, ListenError> {
    if !endpoint.is_loopback() {
        return Err(ListenError::NotLoopback { endpoint });
    }
    match bind(&endpoint).await {
        Ok(tcp) => {
            let port = tcp.local_addr().map_or(endpoint.port(), |address| address.port());
            let endpoint = endpoint.with_port(port);
            let greeting = FuturesUnordered::new();
            Ok(Box::new(PacketListener { tcp, endpoint, ungreeted_max, greeting }))
        }
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Err(ListenError::InUse { endpoint })
        }
        Err(error) => Err(ListenError::Other { endpoint, detail: error.to_string() }),
    }
}

async fn bind(endpoint: &Endpoint) -> io::Result<TcpListener> {
    let mut addresses = tokio::net::lookup_host((endpoint.host(), endpoint.port())).await?;
    let address = addresses.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(4_096)
}

struct PacketListener {
    tcp: TcpListener,
    endpoint: Endpoint,
    ungreeted_max: usize,
    /// Those who have connected: here, and not in the future of an accept, which may be dropped.
    greeting: FuturesUnordered<BoxFuture<'static, Result<Connection, AcceptError>>>,
}

impl PacketListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Connection, AcceptError>> {
        loop {
            if let Poll::Ready(Some(greeted)) = self.greeting.poll_next_unpin(cx) {
                return Poll::Ready(greeted);
            }
            if self.greeting.len() >= self.ungreeted_max {
                // Each of them greets or is let go, and wakes this.
                return Poll::Pending;
            }
            match ready!(self.tcp.poll_accept(cx)) {
                Ok((stream, peer)) => self.greeting.push(Box::pin(let_in(stream, peer))),
                Err(error) => return Poll::Ready(Err(accept_error(&error))),
            }
        }
    }
}

async fn let_in(mut stream: TcpStream, peer: SocketAddr) -> Result<Connection, AcceptError> {
    let refused = |reason, detail| AcceptError::Refused { peer: peer.to_string(), reason, detail };
    match timeout(GREET_WITHIN, greet(&mut stream)).await {
        Ok(Ok(())) => Ok(connection(stream, peer.to_string())),
        Ok(Err(error)) => Err(refused(Reason::ProtocolError, error.to_string())),
        Err(_) => Err(refused(Reason::RegisterTimeout, "it said nothing".to_owned())),
    }
}

fn accept_error(error: &io::Error) -> AcceptError {
    let detail = error.to_string();
    match error.raw_os_error() {
        // ENFILE and EMFILE.
        Some(23 | 24) => AcceptError::Exhausted { detail },
        _ => AcceptError::Connection { detail },
    }
}

impl Listener for PacketListener {
    fn accept(&mut self) -> BoxFuture<'_, Result<Connection, AcceptError>> {
        Box::pin(poll_fn(|cx| self.poll_accept(cx)))
    }

    fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }
}

/// What both halves have in common.
struct Shared {
    /// Until one of them cuts it.
    stream: Option<TcpStream>,
    /// This end has said goodbye.
    closed: bool,
    /// Who waits for the stream: the sender, the receiver. A stream that is gone wakes nobody.
    waiting: [Option<Waker>; 2],
    runtime: Handle,
}

type Both = Arc<Mutex<Shared>>;

fn lock(both: &Both) -> MutexGuard<'_, Shared> {
    both.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the connection for both halves, and tells them when the lock is free again.
fn cut(both: &Both) -> Reason {
    let waiting = {
        let mut both = lock(both);
        both.stream = None;
        std::mem::take(&mut both.waiting)
    };
    waiting.into_iter().flatten().for_each(Waker::wake);
    Reason::TransportReset
}

fn connection(stream: TcpStream, peer: String) -> Connection {
    let (stream, runtime) = (Some(stream), Handle::current());
    let both =
        Arc::new(Mutex::new(Shared { stream, closed: false, waiting: [None, None], runtime }));
    let sender =
        Sender { both: Arc::clone(&both), unwritten: BytesMut::new(), says_goodbye: false };
    let receiver = Receiver { both, unread: BytesMut::new(), has_ended: false };
    Connection {
        sender: Box::new(sender),
        receiver: Box::new(receiver),
        peer,
        identity: None,
        authority: Authority::nobody(),
    }
}

struct Sender {
    both: Both,
    unwritten: BytesMut,
    says_goodbye: bool,
}

impl Sender {
    /// Ready when nothing is unwritten.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        let mut both = lock(&self.both);
        if both.closed {
            return Poll::Ready(Ok(()));
        }
        both.waiting[0] = Some(cx.waker().clone());
        loop {
            let Some(stream) = &mut both.stream else {
                return Poll::Ready(Err(Reason::TransportReset));
            };
            if self.unwritten.is_empty() {
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(stream).poll_write(cx, &self.unwritten)) {
                Ok(written) => self.unwritten.advance(written),
                Err(_) => {
                    drop(both);
                    return Poll::Ready(Err(cut(&self.both)));
                }
            }
        }
    }
}

impl PacketSender for Sender {
    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        match self.poll_write(cx) {
            Poll::Ready(Ok(())) if self.says_goodbye => Poll::Ready(Err(Reason::ClosedByPeer)),
            Poll::Pending if self.unwritten.len() < UNWRITTEN_MAX => Poll::Ready(Ok(())),
            Poll::Ready(written) => Poll::Ready(written),
            Poll::Pending => Poll::Pending,
        }
    }

    fn send(mut self: Pin<&mut Self>, packet: Bytes, _lane: Lane) -> Result<(), Reason> {
        if lock(&self.both).stream.is_none() {
            return Err(Reason::TransportReset);
        }
        let length = u32::try_from(packet.len()).map_err(|_| Reason::ProtocolError)?;
        self.unwritten.put_u32(length);
        self.unwritten.put(packet);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        self.poll_write(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        if !self.says_goodbye {
            self.says_goodbye = true;
            self.unwritten.put_u32(GOODBYE);
        }
        ready!(self.poll_write(cx))?;
        let mut both = lock(&self.both);
        if let Some(stream) = &mut both.stream {
            // The goodbye is written: whether the socket can be shut down changes nothing.
            let _ = ready!(Pin::new(stream).poll_shutdown(cx));
            both.closed = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if !lock(&self.both).closed {
            cut(&self.both);
        }
    }
}

struct Receiver {
    both: Both,
    unread: BytesMut,
    has_ended: bool,
}

impl Receiver {
    /// The next packet, if all of it is there.
    fn parse(&mut self) -> Result<Option<Bytes>, Reason> {
        let Some(length) = self.unread.first_chunk().map(|length| u32::from_be_bytes(*length))
        else {
            return Ok(None);
        };
        if length == GOODBYE {
            self.has_ended = true;
            return Err(Reason::ClosedByPeer);
        }
        let length = length as usize;
        if length > PACKET_MAX {
            return Err(Reason::ProtocolError);
        }
        if self.unread.len() < 4 + length {
            return Ok(None);
        }
        self.unread.advance(4);
        Ok(Some(self.unread.split_to(length).freeze()))
    }
}

impl PacketReceiver for Receiver {
    fn poll_receive(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Bytes, Reason>> {
        let this = &mut *self;
        loop {
            if let Some(parsed) = this.parse().transpose() {
                return Poll::Ready(parsed);
            }
            let mut both = lock(&this.both);
            both.waiting[1] = Some(cx.waker().clone());
            let Some(stream) = &mut both.stream else {
                return Poll::Ready(Err(Reason::TransportReset));
            };
            let mut bytes = [0; 16 << 10];
            let mut bytes = ReadBuf::new(&mut bytes);
            let read = ready!(Pin::new(stream).poll_read(cx, &mut bytes));
            if read.is_err() || bytes.filled().is_empty() {
                // It went without a goodbye.
                drop(both);
                return Poll::Ready(Err(cut(&this.both)));
            }
            this.unread.extend_from_slice(bytes.filled());
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let lingers = {
            let mut both = lock(&self.both);
            let stream = if both.closed && !self.has_ended { both.stream.take() } else { None };
            stream.map(|stream| (stream, both.runtime.clone()))
        };
        if let Some((mut stream, runtime)) = lingers {
            // A socket that is closed while something is unread resets the connection, and the peer
            // would lose what it has not read yet.
            runtime.spawn(timeout(LINGER, async move {
                let mut bytes = [0; 1 << 10];
                while matches!(stream.read(&mut bytes).await, Ok(read) if read > 0) {}
            }));
        }
        cut(&self.both);
    }
}

/// The transport, and what the kit has to know of it.
pub(crate) fn subject() -> Subject {
    Subject::new(Packets::default(), "tcp://127.0.0.1:0".parse().expect("an endpoint"))
        .with_socket(Socket::Tcp)
        // What the system keeps of a connection on loopback, and what waits here.
        .with_withheld_max(16 << 20)
        // Two descriptors each, and a process often has a thousand.
        .with_connections(200)
}

/// Runs a future to its end.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

#[allow(dead_code, reason = "the tests of this transport have another")]
fn main() {
    let report = block_on(run(&subject(), |judged| println!("{judged}")));
    std::process::exit(i32::from(!report.is_kept()));
}
