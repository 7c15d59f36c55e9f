//! Moorline packets over gRPC: `grpc://HOST:PORT`, and `grpcs://HOST:PORT` over TLS.
//!
//! One bidirectional stream, `/moorline.worker.v1.WorkerService/Attach`, is one connection, and has
//! an HTTP/2 connection to itself; each gRPC message is one packet. Both lanes share the stream, so
//! order holds over all packets, which is stricter than was promised. Messages are passed through as
//! bytes, so that all transports share one encoding.
//!
//! HTTP/2 is spoken by `h2`, gRPC's messages and status by `tonic`. There is no reconnecting channel
//! in between: who dials, when, and what a loss means is decided by the machines.
//!
//! Without TLS a listener on anything but loopback is refused unless that is asked for
//! ([`Security`]), and what is dialled elsewhere travels in clear text.
//!
//! # Strangers
//!
//! Up to 1,024 connections are let in that have not asked for the stream yet, each for 10 s at most; more
//! wait in the kernel. Of whoever is not attached at most a header list of 16 KiB is kept; of whoever is and
//! is not read, 256 KiB. A message that says it is longer than a packet ends its connection before it comes.
//! Why somebody was turned away is told to whoever accepts
//! ([`AcceptError::Refused`](moorline_transport::AcceptError::Refused)).
//!
//! # Runtimes
//!
//! HTTP/2 and TLS are tokio's here. Polled inside a tokio runtime, which needs its I/O and time drivers, a
//! dial or a listener has its sockets and its background tasks there. Anywhere else (smol, async-std, a
//! plain thread) the transport begins a small tokio runtime of its own: one thread, `moorline-grpc`, for
//! everything that this transport and its clones dial and listen to; and as long as a name is looked up,
//! another. Packets are handed over between the threads, and wake whoever polls. The thread ends when the
//! transport, its clones, its listeners and its connections are gone; dropping the last of them waits for
//! nothing, so that may be done inside async code.
//!
//! ```
//! use moorline_grpc::GrpcTransport;
//! use moorline_transport::Transport;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let grpc = GrpcTransport::new();
//! let mut listener = grpc.listen(&"grpc://127.0.0.1:0".parse()?).await?;
//! let there = listener.endpoint();
//! let (dialled, accepted) = tokio::join!(grpc.dial(&there), listener.accept());
//! println!("{} and {}", dialled?.peer, accepted?.peer);
//! # Ok(())
//! # }
//! ```

use futures::FutureExt;
use futures::future::BoxFuture;
use moorline_transport::{
    Connection, DialError, Endpoint, ListenError, Listener, Resolver, Security, Transport,
    connect_reason,
};

mod dial;
mod drive;
/// What the fuzz targets of the repository call.
#[doc(hidden)]
pub mod fuzzing;
mod halves;
mod home;
mod inflow;
mod listen;
mod settings;
mod shared;
mod stream;

use home::Homes;

/// Packets over gRPC. Cloning shares the memory of addresses that worked, and the thread of sockets where
/// there is no tokio.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use moorline_grpc::GrpcTransport;
/// use moorline_transport::Transport;
///
/// let transport = GrpcTransport::new();
/// let mut listener = transport.listen(&"grpc://127.0.0.1:0".parse()?).await?;
/// println!("listening on {}", listener.endpoint());
/// let dial = transport.dial(&listener.endpoint());
/// let (accepted, dialled) = futures::join!(listener.accept(), dial);
/// # accepted?; dialled?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default, Debug)]
pub struct GrpcTransport {
    resolver: Resolver,
    security: Security,
    homes: Homes,
}

impl GrpcTransport {
    /// A transport that has resolved nothing yet, with the default [`Security`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, secured like this.
    #[must_use]
    pub fn with_security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }
}

impl Transport for GrpcTransport {
    fn schemes(&self) -> &'static [&'static str] {
        &["grpc", "grpcs"]
    }

    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<'static, Result<Connection, DialError>> {
        let (endpoint, homes) = (endpoint.clone(), self.homes.clone());
        let (resolver, security) = (self.resolver.clone(), self.security.clone());
        async move {
            let failed = |error: std::io::Error| {
                let detail = format!("no runtime for its sockets: {error}");
                DialError { reason: connect_reason(&error), detail }
            };
            let home = homes.here().map_err(failed)?;
            let dial = dial::dial(endpoint, resolver, security, home.clone());
            home.run(dial).await.map_err(failed)?
        }
        .boxed()
    }

    fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, Result<Box<dyn Listener>, ListenError>> {
        let (endpoint, homes) = (endpoint.clone(), self.homes.clone());
        let security = self.security.clone();
        async move {
            let at = endpoint.clone();
            let failed = |error: std::io::Error| {
                let detail = format!("no runtime for its sockets: {error}");
                ListenError::Other { endpoint: at.clone(), detail }
            };
            let home = homes.here().map_err(failed)?;
            let listen = listen::listen(endpoint, security, home.clone());
            home.run(listen).await.map_err(failed)?
        }
        .boxed()
    }
}
