//! The transport trait of moorline: how packets move, and where to.
//!
//! - [`Endpoint`]: where a coordinator is.
//! - [`Transport`], [`Listener`], [`Connection`]: what a transport crate implements.

mod endpoint;
mod transport;

pub use endpoint::{Endpoint, EndpointError};
pub use transport::{
    AcceptError, Connection, DialError, ListenError, Listener, PacketReceiver, PacketSender,
    Transport, UNWRITTEN_MAX,
};
