//! The trait every way of moving packets implements. It decides nothing.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use moorline_link::{Lane, Reason};

use crate::{Authority, Endpoint};

/// One way of moving packets.
///
/// A transport resolves, connects, frames and classifies; when to dial, what a loss means and how
/// long to wait are the machines' affair, so it has no timeouts, retries or buffers without a bound
/// of its own.
///
/// Dropping a future it returned cancels the dial or the accept. Timeouts are the caller's.
///
/// ```
/// use futures::future::BoxFuture;
/// use moorline_link::Reason;
/// use moorline_transport::{
///     Connection, DialError, Endpoint, ListenError, Listener, Transport,
/// };
///
/// /// Reaches nobody.
/// struct Nowhere;
///
/// impl Transport for Nowhere {
///     fn schemes(&self) -> &'static [&'static str] {
///         &["nowhere"]
///     }
///
///     fn dial(&self, _to: &Endpoint) -> BoxFuture<'static, Result<Connection, DialError>> {
///         let error = DialError { reason: Reason::Unreachable, detail: "it is nowhere".to_owned() };
///         Box::pin(async { Err(error) })
///     }
///
///     fn listen(
///         &self,
///         at: &Endpoint,
///     ) -> BoxFuture<'static, Result<Box<dyn Listener>, ListenError>> {
///         let error = ListenError::Scheme { endpoint: at.clone() };
///         Box::pin(async { Err(error) })
///     }
/// }
/// ```
pub trait Transport: Send + Sync + 'static {
    /// The schemes of the URLs it serves, such as `["grpc"]`; the first is its name in lists.
    fn schemes(&self) -> &'static [&'static str];

    /// Opens a connection. Names are resolved anew for each call (P14).
    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<'static, Result<Connection, DialError>>;

    /// Starts to listen.
    fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, Result<Box<dyn Listener>, ListenError>>;
}

/// Takes connections. Dropping it stops listening; connections that were taken go on.
///
/// ```
/// use moorline_transport::{AcceptError, Connection, Listener};
///
/// async fn next(listener: &mut dyn Listener) -> Result<Connection, AcceptError> {
///     println!("listening at {}", listener.endpoint());
///     listener.accept().await
/// }
/// # let _ = next;
/// ```
pub trait Listener: Send {
    /// The next connection. An error that goes by itself (too many open files) is returned too: the
    /// caller waits a little and asks again.
    fn accept(&mut self) -> BoxFuture<'_, Result<Connection, AcceptError>>;

    /// Where it listens: with the real port where port 0 was asked for.
    fn endpoint(&self) -> Endpoint;
}

/// An open connection: packets both ways.
///
/// The halves are independent, but one half that is dropped ends the other: abruptly, which the peer
/// sees as [`Reason::TransportReset`], unless the sender had ended its direction in order.
pub struct Connection {
    /// Where packets go out.
    pub sender: Box<dyn PacketSender>,
    /// Where packets come in.
    pub receiver: Box<dyn PacketReceiver>,
    /// The other end, for people.
    pub peer: String,
    /// The name that the other end has proven with a certificate; empty if its certificate proves none,
    /// and nobody has that name. `None` if it was not asked for one.
    pub identity: Option<String>,
    /// For which places the other end may speak: a coordinator that was dialled tells workers where to go.
    pub authority: Authority,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Bytes that may wait in a transport before it takes no more packets: 128 KiB, so that a heartbeat
/// never waits behind more.
pub const UNWRITTEN_MAX: usize = 128 << 10;

/// Largest packet in bytes, encoded: 64 KiB. A transport ends a connection on which a longer one arrives as
/// [`Reason::ProtocolError`].
pub const PACKET_MAX: usize = 64 << 10;

/// The sending half. Dropping it without [`PacketSender::poll_close`] cuts the connection.
///
/// It is driven by being polled: what `send` took moves only while one of the `poll_` functions is
/// called, which wake the caller when it is time to call again. After an error it is of no more use;
/// the receiving half knows best why, and is to be read to its end.
///
/// ```
/// use std::future::poll_fn;
/// use std::pin::Pin;
///
/// use moorline_link::Reason;
/// use moorline_transport::PacketSender;
///
/// /// Ends this direction in order.
/// async fn close(mut sender: Box<dyn PacketSender>) -> Result<(), Reason> {
///     poll_fn(|cx| Pin::new(&mut *sender).poll_close(cx)).await
/// }
/// # let _ = close;
/// ```
pub trait PacketSender: Send + Unpin {
    /// Ready while less than [`UNWRITTEN_MAX`] bytes are unwritten. An error is the end of the connection.
    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>>;

    /// Takes one encoded packet (at most [`PACKET_MAX`]). Order is kept inside a lane. Only after
    /// `poll_ready` said yes.
    ///
    /// # Errors
    /// The connection has ended.
    fn send(self: Pin<&mut Self>, packet: Bytes, lane: Lane) -> Result<(), Reason>;

    /// Drives what was sent to the network. Ready when nothing is unwritten, as far as the transport knows.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>>;

    /// Flushes and ends this direction in order. The peer sees `closed_by_peer` behind all that was
    /// sent. Ready when the transport has taken all of it; both halves may be dropped then.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>>;
}

/// The receiving half. Dropping it cuts the connection.
///
/// ```
/// use std::future::poll_fn;
/// use std::pin::Pin;
///
/// use moorline_link::Reason;
/// use moorline_transport::PacketReceiver;
///
/// /// Reads to the end, and says why it came.
/// async fn end(mut receiver: Box<dyn PacketReceiver>) -> Reason {
///     loop {
///         let packet = poll_fn(|cx| Pin::new(&mut *receiver).poll_receive(cx)).await;
///         if let Err(reason) = packet {
///             return reason;
///         }
///     }
/// }
/// # let _ = end;
/// ```
pub trait PacketReceiver: Send + Unpin {
    /// The next packet, or why there will be none. After an error it is not asked again.
    fn poll_receive(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Bytes, Reason>>;
}

/// A dial failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct DialError {
    /// The classified reason.
    pub reason: Reason,
    /// In words.
    pub detail: String,
}

/// Listening failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address is taken by another process.
    #[error("{endpoint} is in use by another process")]
    InUse {
        /// The address.
        endpoint: Endpoint,
    },
    /// Without TLS only loopback addresses are served, unless that is asked for.
    #[error(
        "{endpoint} is not a loopback address and has no TLS: it would hand the coordinator to anybody who can reach it"
    )]
    NotLoopback {
        /// The address.
        endpoint: Endpoint,
    },
    /// A listener with TLS needs a certificate.
    #[error("{endpoint} is served with TLS, and there is no certificate and no key for it")]
    NoCertificate {
        /// The address.
        endpoint: Endpoint,
    },
    /// No transport of this build serves the scheme.
    #[error("no transport for {endpoint}")]
    Scheme {
        /// The address.
        endpoint: Endpoint,
    },
    /// Anything else.
    #[error("cannot listen on {endpoint}: {detail}")]
    Other {
        /// The address.
        endpoint: Endpoint,
        /// In words.
        detail: String,
    },
}

/// Taking a connection failed.
///
/// ```
/// use moorline_transport::AcceptError;
///
/// fn goes_on(error: &AcceptError) -> bool {
///     !matches!(error, AcceptError::Closed { .. })
/// }
/// # let _ = goes_on;
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// This process or machine has no free descriptor: wait a little.
    #[error("out of file descriptors: {detail}")]
    Exhausted {
        /// In words.
        detail: String,
    },
    /// One connection failed before it was there: ask again.
    #[error("a connection failed: {detail}")]
    Connection {
        /// In words.
        detail: String,
    },
    /// Somebody was turned away before there was a connection: ask again.
    #[error("{peer} was refused, {reason}: {detail}")]
    Refused {
        /// Who, for people.
        peer: String,
        /// The classified reason.
        reason: Reason,
        /// In words.
        detail: String,
    },
    /// The listener is broken for good.
    #[error("the listener ended: {detail}")]
    Closed {
        /// In words.
        detail: String,
    },
}
