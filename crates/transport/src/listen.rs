//! What listening has in common wherever there are names and sockets: no runtime.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::{AcceptError, Endpoint, ListenError};

/// The addresses a listener may have: IPv4 first, which is what most will dial.
///
/// ```
/// use moorline_transport::own_addresses;
///
/// # futures::executor::block_on(async {
/// let endpoint = "grpc://localhost:8740".parse()?;
/// let lookup = async { Ok(vec!["[::1]:8740".parse().unwrap(), "127.0.0.1:8740".parse().unwrap()]) };
/// assert!(own_addresses(&endpoint, lookup).await?[0].is_ipv4());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// The lookup's. An address is not looked up.
pub async fn own_addresses(
    endpoint: &Endpoint,
    lookup: impl Future<Output = io::Result<Vec<SocketAddr>>>,
) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = endpoint.host().parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, endpoint.port())]);
    }
    let mut addresses = lookup.await?;
    addresses.sort_by_key(SocketAddr::is_ipv6);
    Ok(addresses)
}

/// Why none of its addresses could be bound: the error of the first one, or none if there is none.
///
/// ```
/// use std::io::ErrorKind;
///
/// use moorline_transport::{ListenError, bind_error};
///
/// let endpoint = "grpc://127.0.0.1:8740".parse()?;
/// let taken = bind_error(&endpoint, Some(ErrorKind::AddrInUse.into()));
/// assert_eq!(taken, ListenError::InUse { endpoint });
/// # Ok::<(), moorline_transport::EndpointError>(())
/// ```
#[must_use]
pub fn bind_error(endpoint: &Endpoint, first: Option<io::Error>) -> ListenError {
    let endpoint = endpoint.clone();
    match first {
        Some(error) if error.kind() == io::ErrorKind::AddrInUse => ListenError::InUse { endpoint },
        Some(error) => ListenError::Other { endpoint, detail: error.to_string() },
        None => ListenError::Other { endpoint, detail: "it has no address".to_owned() },
    }
}

/// What an error of a socket that is listened on means for whoever accepts.
///
/// ```
/// use std::io::Error;
///
/// use moorline_transport::{AcceptError, accept_error};
///
/// // EMFILE: too many open files.
/// let error = accept_error(&Error::from_raw_os_error(24));
/// assert!(matches!(error, AcceptError::Exhausted { .. }));
/// ```
#[must_use]
pub fn accept_error(error: &io::Error) -> AcceptError {
    // ENOMEM, ENFILE, EMFILE, ENOBUFS: on Linux and on macOS.
    const EXHAUSTED: [i32; 5] = [12, 23, 24, 105, 55];
    // EBADF, EINVAL, ENOTSOCK: the socket itself is no good.
    const BROKEN: [i32; 4] = [9, 22, 88, 38];
    let detail = error.to_string();
    match error.raw_os_error() {
        Some(code) if EXHAUSTED.contains(&code) => AcceptError::Exhausted { detail },
        Some(code) if BROKEN.contains(&code) => AcceptError::Closed { detail },
        // Not by the system: the runtime that listened has ended.
        None => AcceptError::Closed { detail },
        Some(_) => AcceptError::Connection { detail },
    }
}

#[cfg(test)]
mod tests;
