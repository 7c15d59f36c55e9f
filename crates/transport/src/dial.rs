//! What dialling has in common wherever there are names and addresses: no runtime, no socket.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{self, Either, FutureExt};
use futures::stream::FuturesUnordered;
use moorline_link::Reason;

use crate::{DialError, Endpoint};

/// For resolving a name whose last addresses are known: then they are used (P13).
const RESOLVE_WITHIN: Duration = Duration::from_secs(2);

/// One address out of several may take so long: one that is silent leaves time for the others (P13).
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// After this time the next address is tried beside the one that has not answered yet: RFC 8305, 5.
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// Where names led to when they were resolved last (P14). Cloning shares it.
///
/// It holds the addresses of as many names as are dialled.
///
/// ```
/// use std::time::Duration;
///
/// use moorline_transport::Resolver;
///
/// # futures::executor::block_on(async {
/// let resolver = Resolver::default();
/// let endpoint = "grpc://coordinator.example.com:8740".parse()?;
/// let lookup = async { Ok(vec!["192.0.2.1:8740".parse().expect("an address")]) };
/// let never = |_: Duration| std::future::pending();
/// let addresses = resolver.resolve(&endpoint, lookup, never).await?;
/// assert_eq!(addresses.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Default, Debug)]
pub struct Resolver {
    known: Arc<Mutex<Known>>,
}

/// By host and port: the addresses it had when it was resolved last.
type Known = BTreeMap<(String, u16), Vec<SocketAddr>>;

impl Resolver {
    /// The addresses of an endpoint, families in turn, IPv6 first (RFC 8305, 4). The name is looked up
    /// anew; what it was before still counts if that fails or takes more than 2 s.
    ///
    /// # Errors
    /// [`Reason::DnsFailed`]: it has no address, and never had one.
    pub async fn resolve<S: Future<Output = ()>>(
        &self,
        endpoint: &Endpoint,
        lookup: impl Future<Output = io::Result<Vec<SocketAddr>>>,
        sleep: impl FnOnce(Duration) -> S,
    ) -> Result<Vec<SocketAddr>, DialError> {
        let host = endpoint.host();
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, endpoint.port())]);
        }
        // A panic cannot happen under this lock, so a poisoned one holds a whole map.
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (host.to_owned(), endpoint.port());
        let known = lock().get(&name).cloned();
        let found = if known.is_some() {
            within(lookup, sleep(RESOLVE_WITHIN)).await
        } else {
            lookup.await
        };
        let detail = match found {
            Ok(addresses) if !addresses.is_empty() => {
                let addresses = interleaved(addresses);
                lock().insert(name, addresses.clone());
                return Ok(addresses);
            }
            Ok(_) => format!("{host} has no address"),
            Err(error) => format!("{host} cannot be resolved: {error}"),
        };
        known.ok_or(DialError { reason: Reason::DnsFailed, detail })
    }
}

/// Families in turn, as long as there are both, IPv6 first.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let (six, four): (Vec<_>, Vec<_>) = addresses.into_iter().partition(SocketAddr::is_ipv6);
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    let mut both = Vec::with_capacity(six.len() + four.len());
    loop {
        let pair = [six.next(), four.next()];
        if pair == [None, None] {
            return both;
        }
        both.extend(pair.into_iter().flatten());
    }
}

async fn within<T>(
    doing: impl Future<Output = io::Result<T>>,
    limit: impl Future<Output = ()>,
) -> io::Result<T> {
    match future::select(pin!(doing), pin!(limit)).await {
        Either::Left((done, _)) => done,
        Either::Right(((), _)) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Connects to one of several addresses: whichever answers first. The next one is tried as soon as one
/// has failed, or 250 ms after the last was begun (happy eyeballs, RFC 8305); what is not needed any more
/// is dropped.
///
/// # Errors
/// None of them could be reached: the last one's error, or [`Reason::DnsFailed`] if there are none.
///
/// ```
/// use std::io;
/// use std::net::SocketAddr;
/// use std::time::Duration;
///
/// use moorline_transport::race;
///
/// # futures::executor::block_on(async {
/// let addresses: [SocketAddr; 2] = ["[2001:db8::1]:1".parse()?, "192.0.2.1:1".parse()?];
/// let connect = |address: SocketAddr| async move {
///     if address.is_ipv4() { Ok(address) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
/// };
/// let reached = race(&addresses, connect, |_: Duration| std::future::pending()).await?;
/// assert_eq!(reached, addresses[1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn race<T, C, S>(
    addresses: &[SocketAddr],
    connect: impl Fn(SocketAddr) -> C,
    sleep: impl Fn(Duration) -> S,
) -> Result<T, DialError>
where
    C: Future<Output = io::Result<T>>,
    S: Future<Output = ()>,
{
    let detail = "no address".to_owned();
    let mut last = DialError { reason: Reason::DnsFailed, detail };
    let mut waiting = addresses.iter().copied();
    let mut trying = FuturesUnordered::new();
    while let Some(address) = waiting.next() {
        let is_alone = addresses.len() == 1;
        let (connecting, limit) = (connect(address), (!is_alone).then(|| sleep(CONNECT_WITHIN)));
        trying.push(async move {
            let connected = match limit {
                Some(limit) => within(connecting, limit).await,
                // It has all the time there is.
                None => connecting.await,
            };
            connected.map_err(|error| {
                let detail = format!("{address}: {error}");
                DialError { reason: connect_reason(&error), detail }
            })
        });
        let mut next = pin!(async {
            if waiting.len() > 0 { sleep(NEXT_AFTER).await } else { future::pending().await }
        });
        // Until one is reached, or it is time for the next.
        let reached = poll_fn(|cx| {
            while let Poll::Ready(Some(tried)) = trying.poll_next_unpin(cx) {
                match tried {
                    Ok(reached) => return Poll::Ready(Some(reached)),
                    Err(error) => last = error,
                }
                if waiting.len() > 0 {
                    return Poll::Ready(None);
                }
            }
            if trying.is_empty() {
                return Poll::Ready(None);
            }
            next.poll_unpin(cx).map(|()| None)
        });
        if let Some(reached) = reached.await {
            return Ok(reached);
        }
    }
    Err(last)
}

/// Why a connection could not be opened.
///
/// ```
/// use std::io::ErrorKind;
///
/// use moorline_link::Reason;
/// use moorline_transport::connect_reason;
///
/// assert_eq!(connect_reason(&ErrorKind::ConnectionRefused.into()), Reason::ConnectRefused);
/// assert_eq!(connect_reason(&ErrorKind::TimedOut.into()), Reason::ConnectTimeout);
/// ```
#[must_use]
pub fn connect_reason(error: &io::Error) -> Reason {
    let kind = error.kind();
    if kind == io::ErrorKind::ConnectionRefused {
        Reason::ConnectRefused
    } else if kind == io::ErrorKind::TimedOut {
        Reason::ConnectTimeout
    } else if matches!(kind, io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted) {
        Reason::TransportReset
    } else {
        Reason::Unreachable
    }
}

#[cfg(test)]
mod tests;
