//! Moorline packets over WebSocket: `ws://HOST:PORT/PATH`, and `wss://` over TLS. Runs under any runtime.
//!
//! Each binary message is one packet, with the subprotocol `moorline.worker.v1`. Both lanes share the
//! connection, so order holds over all packets, which is stricter than was promised. It begins as HTTP/1.1,
//! so it passes what lets web browsers pass: reverse proxies such as nginx, load balancers, and proxies
//! that a network is left by ([`Proxy`]).
//!
//! Nothing runs in the background: a connection moves while its halves are polled, and who has dialled is
//! let in while [`Listener::accept`] is polled. Pings travel every 30 s whatever else does; a peer of which
//! nothing is heard within 10 s of one is [`Reason::HalfOpen`](moorline_link::Reason::HalfOpen).
//!
//! Without TLS a listener on anything but loopback is refused unless that is asked for
//! ([`Security`]), and what is dialled elsewhere travels in clear text.
//!
//! Web pages are not let in: a browser says which page asks (`Origin`), and any page could otherwise be a
//! worker of a coordinator on its visitor's machine.
//!
//! # Strangers
//!
//! Up to 1,024 connections are let in that were not upgraded yet, each for 10 s at most; more wait in the
//! kernel. Of a head at most 16 KiB in 64 lines are read. A frame or a message that says it is longer than a
//! packet ends its connection before it comes, and so do fragments without an end: of one message at most
//! 512 KiB arrive, heads of frames included. Why somebody was turned away is told to whoever accepts
//! ([`AcceptError::Refused`](moorline_transport::AcceptError::Refused)).
//!
//! # Runtimes
//!
//! Where a dial or a listener begins inside a tokio runtime, its sockets and timers are used: with its I/O
//! and time drivers enabled. Elsewhere those of `async-io` are, which has a thread of its own, under any
//! executor, as long as the feature `smol` is on.
//!
//! | feature | default | |
//! | --- | --- | --- |
//! | `tokio` | on | inside a tokio runtime |
//! | `smol` | off | anywhere |
//!
//! ```
//! use moorline_transport::Transport;
//! use moorline_websocket::WebSocketTransport;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let websocket = WebSocketTransport::new();
//! let mut listener = websocket.listen(&"ws://127.0.0.1:0".parse()?).await?;
//! let there = listener.endpoint();
//! let (dialled, accepted) = tokio::join!(websocket.dial(&there), listener.accept());
//! println!("{} and {}", dialled?.peer, accepted?.peer);
//! # Ok(())
//! # }
//! ```

#[cfg(not(any(feature = "tokio", feature = "smol")))]
compile_error!("moorline-websocket needs one of its features `tokio` and `smol`, or both");

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use moorline_transport::{
    Connection, DialError, Endpoint, ListenError, Listener, Resolver, Security, Transport,
};

mod dial;
/// What the fuzz targets of the repository call.
#[cfg(feature = "tokio")]
#[doc(hidden)]
pub mod fuzzing;
mod halves;
mod head;
mod listen;
mod net;
pub mod over;
mod proxy;
mod settings;
mod socket;
mod stream;
mod upgrade;
mod wire;

pub use proxy::{Proxy, ProxyError};

use proxy::{Environment, Proxies};

/// Packets over WebSocket. Cloning shares the memory of addresses that worked.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use moorline_transport::Transport;
/// use moorline_websocket::WebSocketTransport;
///
/// let transport = WebSocketTransport::new().with_proxy("http://proxy.example.com:3128".parse()?);
/// let dialled = transport.dial(&"wss://coordinator.example.com/moorline".parse()?).await?;
/// println!("{}", dialled.peer);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct WebSocketTransport {
    resolver: Resolver,
    security: Security,
    proxies: Proxies,
}

impl WebSocketTransport {
    /// A transport that has resolved nothing yet, with the default [`Security`], and with the proxies that
    /// the environment names now.
    ///
    /// `https_proxy` is for `wss`, `http_proxy` for `ws`, `all_proxy` for both where they are not set;
    /// `no_proxy` lists hosts, domains, addresses and nets for which there is none, with commas in between,
    /// or is `*`. All of them may be written in capital letters too. This machine is always dialled
    /// directly. What cannot be read fails the dials it is meant for, as
    /// [`Reason::ProxyRefused`](moorline_link::Reason::ProxyRefused).
    #[must_use]
    pub fn new() -> Self {
        Self {
            resolver: Resolver::default(),
            security: Security::new(),
            proxies: Proxies::Environment(Arc::new(Environment::now())),
        }
    }

    /// The same, secured like this.
    #[must_use]
    pub fn with_security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// Dials everything through this proxy, whatever the environment says.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Proxy) -> Self {
        self.proxies = Proxies::Always(Arc::new(proxy));
        self
    }

    /// Dials everything directly, whatever the environment says.
    #[must_use]
    pub fn without_proxy(mut self) -> Self {
        self.proxies = Proxies::Never;
        self
    }
}

impl Default for WebSocketTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl Transport for WebSocketTransport {
    fn schemes(&self) -> &'static [&'static str] {
        &["ws", "wss"]
    }

    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<'static, Result<Connection, DialError>> {
        let (resolver, security) = (self.resolver.clone(), self.security.clone());
        dial::dial(endpoint.clone(), resolver, security, self.proxies.clone()).boxed()
    }

    fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, Result<Box<dyn Listener>, ListenError>> {
        listen::listen(endpoint.clone(), self.security.clone()).boxed()
    }
}
