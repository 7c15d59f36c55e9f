//! The other end of a connection, for people.

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
}
