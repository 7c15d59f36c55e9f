//! Moorline packets over QUIC: `quic://HOST:PORT`. Runs on tokio, and without it on any executor.
//!
//! # On the wire
//!
//! TLS 1.3 always, with the protocol (ALPN) `moorline/1`. Who dials opens two bidirectional streams, one
//! for each lane. Both directions of a stream begin with a byte that names the lane: 0 is C, 1 is B. Then
//! come packets: a big-endian number of four bytes, and so many bytes, 64 KiB at most. There are no other
//! streams and no datagrams. Order holds inside a lane; what is lost of one lane does not hold up the
//! other, and C goes first where both wait. Packets begin only when the handshake is over: 0-RTT is off at
//! both ends, for a Hello that is replayed could take over a session.
//!
//! What a reader that reads nothing holds back is bounded: 192 KiB of a lane, 256 KiB of both.
//!
//! A dial is done when the other end has named the lanes, too: a round trip after the handshake. Only then
//! is it known whether it takes our certificate.
//!
//! | application error code | means | seen as |
//! | --- | --- | --- |
//! | 0 | ended in order | `closed_by_peer` |
//! | 1 | a half was dropped | `transport_reset` |
//! | 2 | the other end broke these rules | `protocol_error` |
//! | 3 | nobody listens any more | `connect_refused` |
//!
//! # What outlives a connection
//!
//! - **A changed address.** A client that appears at another address keeps its connection, as behind a NAT
//!   that forgot it. One that notices itself that its network has changed calls
//!   [`QuicTransport::rebind`].
//! - **A coordinator's end.** UDP knows no reset: a coordinator that died would be missed only after the
//!   idle timeout. One that comes back with the same key ([`QuicTransport::with_key`]) resets what it does
//!   not know any more as soon as it hears of it.
//!
//! # Strangers
//!
//! At most 1,024 connections are being let in at a time, each for 10 s at most; up to 4,096 more wait.
//! From 64 on whoever dials has to prove its address first, which costs it a round trip and us nothing.
//! Before that an address that proved nothing may get three times what it sent, and what is left of the
//! datagram with which that was reached: quinn does not cut one short. So what a forged address can be
//! made to receive is bounded as a whole: 64 times less than 4.8 kB in 10 s.
//!
//! What comes to a listener's one socket at once has to wait in the kernel. 4 MiB are asked for; Linux
//! grants what `net.core.rmem_max` says, which by default is less than a thousand first packets need. What
//! is lost comes again, but only after a second: a coordinator of a large fleet wants that limit raised.
//!
//! # Runtimes
//!
//! Where [`tokio::runtime::Handle::try_current`] says that there is a tokio (feature `tokio`, the
//! default), dials and listeners use its sockets and timers, and their tasks are spawned on it; it needs
//! its I/O and time drivers. Elsewhere (feature `smol`) they use the reactor of smol, and their tasks run
//! on smol's global executor; both have a thread of their own, so that even
//! `futures::executor::block_on` is enough. A connection belongs to the runtime in which it was begun, and
//! ends with it; its halves can be polled anywhere.
//!
//! All connections that are dialled share one socket for each family of addresses (and runtime): a
//! process with a thousand of them has one socket, and moves them all when it changes networks. All that a
//! listener takes share its own socket. So they keep the address taken until the last of them is gone,
//! though nobody listens there any more: who dials then is refused. The same transport can listen there
//! again at once.
//!
//! ```no_run
//! use moorline_quic::QuicTransport;
//! use moorline_transport::{ClientTls, Security, ServerTls, TlsFiles, Transport};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let files = TlsFiles {
//!     cert: Some("coordinator.pem".into()),
//!     key: Some("coordinator.key".into()),
//!     ca: None,
//! };
//! let ca = TlsFiles { ca: Some("ca.pem".into()), ..TlsFiles::default() };
//! let security = Security::new()
//!     .with_server(ServerTls::from_files(files)?)
//!     .with_client(ClientTls::from_files(ca)?);
//! let quic = QuicTransport::new().with_security(security);
//! let mut listener = quic.listen(&"quic://127.0.0.1:0".parse()?).await?;
//! let there = listener.endpoint();
//! let (dialled, accepted) = tokio::join!(quic.dial(&there), listener.accept());
//! println!("{} and {}", dialled?.peer, accepted?.peer);
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use moorline_transport::{
    Connection, DialError, Endpoint, ListenError, Listener, Resolver, Security, Transport,
};

mod dial;
/// What the fuzz targets of the repository call.
#[doc(hidden)]
pub mod fuzzing;
mod halves;
mod keys;
mod lane;
mod listen;
mod reason;
mod runtime;
mod serve;
mod settings;

use dial::Clients;
use keys::Key;
use listen::Addresses;
use settings::Timing;

/// Packets over QUIC. Cloning shares its sockets and the memory of addresses that worked.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use moorline_quic::QuicTransport;
/// use moorline_transport::Transport;
///
/// let transport = QuicTransport::new()
///     .with_idle_timeout(Duration::from_secs(30))
///     .with_keep_alive(Duration::from_secs(10));
/// let connection = transport.dial(&"quic://coordinator.example.com:8740".parse()?).await?;
/// // Later, in another network:
/// transport.rebind()?;
/// # drop(connection);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct QuicTransport {
    resolver: Resolver,
    security: Security,
    timing: Timing,
    key: Option<Key>,
    clients: Arc<Clients>,
    addresses: Arc<Addresses>,
}

impl QuicTransport {
    /// A transport that has resolved nothing yet, with the default [`Security`] and a key of its own for
    /// each listener.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, secured like this. A listener needs a certificate.
    #[must_use]
    pub fn with_security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// The same, with a key that outlives the process: a coordinator that dies and comes back with it, at
    /// the same address, resets the connections it had as soon as it hears of them. Otherwise these are
    /// missed only after the idle timeout.
    ///
    /// Take 32 random bytes once, and keep them secret in the coordinator's data directory: whoever knows
    /// them can end its connections. Never use them for two coordinators that run at the same time.
    #[must_use]
    pub fn with_key(mut self, key: [u8; 32]) -> Self {
        self.key = Some(Key::new(key));
        self
    }

    /// The same, with another idle timeout: after so long without a sign of life from the other end's QUIC
    /// a connection is `half_open`. Default 15 s; zero is never. Each end has its own, and the shorter one
    /// counts. It should be near the heartbeat timeout, and three times the keep-alive.
    #[must_use]
    pub fn with_idle_timeout(mut self, idle: Duration) -> Self {
        self.timing.idle = idle;
        self
    }

    /// The same, with another keep-alive: after so long without a packet a ping is sent, which also keeps
    /// a NAT from forgetting the connection. Default 5 s; zero is never.
    #[must_use]
    pub fn with_keep_alive(mut self, every: Duration) -> Self {
        self.timing.keep_alive = every;
        self
    }

    /// Moves all connections that were dialled to new sockets, as is wanted when the network of this
    /// machine has changed. Nothing that was sent is lost, and the peer finds out by itself. Connections
    /// that were accepted stay where they are.
    ///
    /// # Errors
    /// A new socket could not be opened: what it was for stays on the old one.
    pub fn rebind(&self) -> io::Result<()> {
        self.clients.rebind()
    }
}

impl fmt::Debug for QuicTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicTransport").field("timing", &self.timing).finish_non_exhaustive()
    }
}

impl Transport for QuicTransport {
    fn schemes(&self) -> &'static [&'static str] {
        &["quic"]
    }

    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<'static, Result<Connection, DialError>> {
        let Self { resolver, security, timing, clients, .. } = self.clone();
        dial::dial(endpoint.clone(), resolver, security, timing, clients).boxed()
    }

    fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, Result<Box<dyn Listener>, ListenError>> {
        let Self { security, timing, key, addresses, .. } = self.clone();
        listen::listen(endpoint.clone(), security, timing, key, addresses).boxed()
    }
}
