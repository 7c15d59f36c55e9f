//! The transport trait of moorline: how packets move, and where to. It decides nothing.
//!
//! - [`Endpoint`]: where a coordinator is.
//! - [`Transport`], [`Listener`], [`Connection`]: what a transport crate implements.
//! - [`PacketSender`], [`PacketReceiver`]: the two halves of a connection.
//! - [`Resolver`], [`race`], [`connect_reason`]: what dialling has in common wherever there are names;
//!   [`own_addresses`], [`bind_error`], [`accept_error`]: and listening.
//! - `Security`, `ClientTls`, `ServerTls`, with the feature `tls`: keys and certificates from files.
//! - `conformance`, with the feature of that name: what every transport has to keep, as tests.
//! - [`DialError`], [`ListenError`], [`AcceptError`]: what can go wrong, classified.
//!
//! A connection from both ends, over any transport:
//!
//! ```
//! use std::future::poll_fn;
//! use std::pin::Pin;
//!
//! use bytes::Bytes;
//! use moorline_link::{Lane, Reason};
//! use moorline_transport::Connection;
//!
//! /// Sends one packet as soon as the transport takes it, and waits until it has left.
//! async fn send(connection: &mut Connection, packet: Bytes) -> Result<(), Reason> {
//!     poll_fn(|cx| Pin::new(&mut *connection.sender).poll_ready(cx)).await?;
//!     Pin::new(&mut *connection.sender).send(packet, Lane::C)?;
//!     poll_fn(|cx| Pin::new(&mut *connection.sender).poll_flush(cx)).await
//! }
//!
//! /// The next packet, or why there is none any more.
//! async fn receive(connection: &mut Connection) -> Result<Bytes, Reason> {
//!     poll_fn(|cx| Pin::new(&mut *connection.receiver).poll_receive(cx)).await
//! }
//! ```

mod authority;
#[cfg(feature = "conformance")]
pub mod conformance;
mod dial;
mod endpoint;
mod listen;
#[cfg(feature = "tls")]
mod security;
#[cfg(feature = "tls")]
mod tls;
mod transport;

pub use authority::{Authority, AuthorityError};
pub use dial::{Resolver, connect_reason, race};
pub use endpoint::{Endpoint, EndpointError};
pub use listen::{accept_error, bind_error, own_addresses};
#[cfg(feature = "tls")]
pub use security::Security;
#[cfg(feature = "tls")]
pub use tls::{ClientTls, ServerTls, TlsError, TlsFiles, name_of};
pub use transport::{
    AcceptError, Connection, DialError, ListenError, Listener, PACKET_MAX, PacketReceiver,
    PacketSender, Transport, UNWRITTEN_MAX,
};
