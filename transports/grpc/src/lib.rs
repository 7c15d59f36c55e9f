//! Moorline packets over gRPC: `grpc://HOST:PORT`, and `grpcs://HOST:PORT` over TLS. Runs on tokio.
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
//! Everything here has to run inside a tokio runtime with its I/O and time drivers enabled;
//! background tasks are spawned on the runtime that polls a dial or an accept.
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
};

mod dial;
mod drive;
mod halves;
mod inflow;
mod listen;
mod settings;
mod shared;
mod stream;

/// Packets over gRPC. Cloning shares the memory of addresses that worked.
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
        dial::dial(endpoint.clone(), self.resolver.clone(), self.security.clone()).boxed()
    }

    fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, Result<Box<dyn Listener>, ListenError>> {
        listen::listen(endpoint.clone(), self.security.clone()).boxed()
    }
}
