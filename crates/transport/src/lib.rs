//! The transport trait of moorline: how packets move, and where to. It decides nothing.
//!
//! - [`Endpoint`]: where a coordinator is.
//! - [`Transport`], [`Listener`], [`Connection`]: what a transport crate implements.
//! - [`PacketSender`], [`PacketReceiver`]: the two halves of a connection.
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

mod endpoint;
mod transport;

pub use endpoint::{Endpoint, EndpointError};
pub use transport::{
    AcceptError, Connection, DialError, ListenError, Listener, PacketReceiver, PacketSender,
    Transport, UNWRITTEN_MAX,
};
