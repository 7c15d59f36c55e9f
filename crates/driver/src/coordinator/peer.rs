//! The other end of a connection, for people.

use moorline_transport::{Connection, Endpoint};

/// Where a connection leads.
///
/// ```
/// use moorline_driver::Peer;
///
/// fn say(peer: &Peer) -> String {
///     format!("{} from {}", peer.transport, peer.remote)
/// }
/// # let _ = say;
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Peer {
    /// The scheme of the transport it uses, such as `grpc`.
    pub transport: String,
    /// The other end, as the transport names it.
    pub remote: String,
    /// Where it came in: one of [`CoordinatorHandle::endpoints`](crate::CoordinatorHandle::endpoints).
    pub endpoint: Endpoint,
}

impl Peer {
    pub(crate) fn new(endpoint: Endpoint, connection: &Connection) -> Self {
        let (transport, remote) = (endpoint.scheme().to_owned(), connection.peer.clone());
        Self { transport, remote, endpoint }
    }
}
