//! Dialling: resolve, shake hands, name the lanes.

use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{self, Either, FutureExt};
use moorline_link::{Lane, Reason};
use moorline_transport::{Authority, Connection, DialError, Endpoint, Resolver, Security, race};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ConnectError, EndpointConfig, ReadExactError};

use crate::halves::{Streams, chain_of, connection};
use crate::reason::{Guard, dial_error, protocol_error, read_reason, unanswered, write_reason};
use crate::runtime::{Gone, Runtime, Which, gone};
use crate::settings::{self, PROTOCOL, SOCKET_BUFFER, Timing, name_of_lane};

/// Sockets that ask at the same time whether anybody is there, see [`Clients::probe`].
const PROBES_MAX: usize = 64;

/// When they ask first, and between two questions at most.
const PROBE_AFTER: Duration = Duration::from_millis(30);
const PROBE_EVERY_MAX: Duration = Duration::from_secs(1);

/// The sockets from which is dialled: one for each family of addresses, and for each runtime.
#[derive(Default)]
pub(crate) struct Clients {
    open: Mutex<Vec<Client>>,
    probes: AtomicUsize,
}

struct Client {
    which: Which,
    is_ipv6: bool,
    endpoint: quinn::Endpoint,
    gone: Gone,
    /// Its task goes when this does, and all connections.
    _kept: oneshot::Sender<()>,
}

impl Clients {
    // A panic cannot happen under this lock, so a poisoned one holds whole values.
    fn lock(&self) -> MutexGuard<'_, Vec<Client>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|client| client.gone.clone().now_or_never().is_none());
        open
    }

    fn endpoint(&self, runtime: &Runtime, is_ipv6: bool) -> io::Result<(quinn::Endpoint, Gone)> {
        let mut open = self.lock();
        let is_it =
            |client: &&Client| client.which == *runtime.which() && client.is_ipv6 == is_ipv6;
        if let Some(client) = open.iter().find(is_it) {
            return Ok((client.endpoint.clone(), client.gone.clone()));
        }
        // Nobody waits for resets from an end that dials: its keys are made anew.
        let config = EndpointConfig::default();
        let endpoint = quinn::Endpoint::new(config, None, bind(is_ipv6)?, runtime.quinn())?;
        let (here, gone) = gone();
        let (kept, over) = oneshot::channel::<()>();
        let driven = endpoint.clone();
        runtime.spawn(async move {
            let _ = over.await;
            // The connections may outlive the transport, and its socket may fail, which ends what an
            // endpoint accepts; this one is never dialled.
            future::select(pin!(driven.wait_idle()), pin!(driven.accept())).await;
            drop(here);
        });
        let which = runtime.which().clone();
        let client =
            Client { which, is_ipv6, endpoint: endpoint.clone(), gone: gone.clone(), _kept: kept };
        open.push(client);
        Ok((endpoint, gone))
    }

    /// It is not driven any more: its socket failed.
    fn forget(&self, runtime: &Runtime, is_ipv6: bool) {
        let is_it = |client: &Client| client.which == *runtime.which() && client.is_ipv6 == is_ipv6;
        self.lock().retain(|client| !is_it(client));
    }

    pub(crate) fn rebind(&self) -> io::Result<()> {
        let mut failed = Ok(());
        for client in &*self.lock() {
            // The others are moved all the same.
            let moved = bind(client.is_ipv6).and_then(|socket| client.endpoint.rebind(socket));
            failed = failed.and(moved);
        }
        failed
    }

    /// Ready when the address says that nothing listens there, or that it cannot be reached.
    ///
    /// QUIC's own socket has many peers, so the kernel does not tell it what came back; and QUIC does not
    /// believe it. Dialling should not take a timeout to learn what is known at once: a second socket
    /// asks with a byte that no QUIC answers, as soon as nothing was heard for a moment.
    async fn probe(&self, runtime: &Runtime, address: SocketAddr) -> io::Error {
        let mut every = PROBE_AFTER;
        runtime.sleep(every).await;
        let _place = ProbePlace(&self.probes);
        if self.probes.fetch_add(1, Ordering::AcqRel) >= PROBES_MAX {
            return pending().await;
        }
        // Without a socket nothing is asked.
        let Ok(socket) = bind(address.is_ipv6()) else { return pending().await };
        let asked = || {
            socket.send(&[0])?;
            Ok(())
        };
        if let Err(error) = socket.connect(address) {
            return error;
        }
        loop {
            if let Err(error) = refusal(asked()) {
                return error;
            }
            runtime.sleep(every).await;
            if let Err(error) = refusal(socket.recv(&mut [0; 1]).map(|_| ())) {
                return error;
            }
            every = (every * 2).min(PROBE_EVERY_MAX);
        }
    }
}

struct ProbePlace<'a>(&'a AtomicUsize);

impl Drop for ProbePlace<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What came back, if it is about the address.
fn refusal(asked: io::Result<()>) -> io::Result<()> {
    const ABOUT_IT: [io::ErrorKind; 3] = [
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::HostUnreachable,
        io::ErrorKind::NetworkUnreachable,
    ];
    match asked {
        Err(error) if ABOUT_IT.contains(&error.kind()) => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn bind(is_ipv6: bool) -> io::Result<UdpSocket> {
    let socket = if is_ipv6 {
        UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?
    } else {
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?
    };
    socket.set_nonblocking(true)?;
    // What is granted is taken.
    let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(SOCKET_BUFFER);
    Ok(socket)
}

pub(crate) async fn dial(
    endpoint: Endpoint,
    resolver: Resolver,
    security: Security,
    timing: Timing,
    clients: Arc<Clients>,
) -> Result<Connection, DialError> {
    let config = config(&endpoint, &security, timing)?;
    let runtime =
        Runtime::current().map_err(|error| failed(Reason::Unreachable, error.to_string()))?;
    let lookup = runtime.lookup(endpoint.host().to_owned(), endpoint.port());
    let addresses = resolver.resolve(&endpoint, lookup, |time| runtime.sleep(time)).await?;
    let dialled = Dialled { endpoint: &endpoint, config, runtime: &runtime, clients: &clients };
    let connected =
        race(&addresses, |address| dialled.connect(address), |time| runtime.sleep(time)).await??;
    let (connected, gone) = connected;
    attach(connected, gone).await
}

fn failed(reason: Reason, detail: impl Into<String>) -> DialError {
    DialError { reason, detail: detail.into() }
}

/// TLS 1.3 and nothing else, and nothing ahead of it: a Hello that is replayed could take over a session.
fn config(
    endpoint: &Endpoint,
    security: &Security,
    timing: Timing,
) -> Result<quinn::ClientConfig, DialError> {
    let tls_failed = |detail: String| failed(Reason::TlsFailed, detail);
    let tls = security.client().map_err(|error| tls_failed(error.to_string()))?;
    let mut tls = (*tls.config(PROTOCOL)).clone();
    tls.enable_early_data = false;
    let tls = Arc::new(tls);
    // Quinn takes for granted what this finds out.
    let host = endpoint.host();
    let name = rustls::pki_types::ServerName::try_from(host.to_owned())
        .map_err(|_| tls_failed(format!("no certificate can be for `{host}`")))?;
    let version = rustls::quic::Version::V1;
    rustls::quic::ClientConnection::new(Arc::clone(&tls), version, name, Vec::new())
        .map_err(|error| tls_failed(error.to_string()))?;
    let tls = QuicClientConfig::try_from(tls).map_err(|error| tls_failed(error.to_string()))?;
    let mut config = quinn::ClientConfig::new(Arc::new(tls));
    // Who dials opens both streams.
    config.transport_config(settings::connection(timing, 0));
    Ok(config)
}

struct Dialled<'a> {
    endpoint: &'a Endpoint,
    config: quinn::ClientConfig,
    runtime: &'a Runtime,
    clients: &'a Clients,
}

impl Dialled<'_> {
    /// Shakes hands with one address. The outer error is for one that did not answer, so that another
    /// may; the inner one for whoever did answer.
    async fn connect(
        &self,
        address: SocketAddr,
    ) -> io::Result<Result<(quinn::Connection, Gone), DialError>> {
        let (connecting, gone) = match self.begin(address)? {
            Ok(begun) => begun,
            // The socket's driver ended with an error: a new one is as good as the first.
            Err(ConnectError::EndpointStopping) => {
                self.clients.forget(self.runtime, address.is_ipv6());
                self.begin(address)?.map_err(io::Error::other)?
            }
            Err(error) => return Err(io::Error::other(error)),
        };
        let probe = pin!(self.clients.probe(self.runtime, address));
        match future::select(connecting, probe).await {
            Either::Left((Ok(connected), _)) => Ok(Ok((connected, gone))),
            Either::Left((Err(error), _)) => match unanswered(&error) {
                Ok(error) => Err(error),
                Err(failed) => Ok(Err(failed)),
            },
            Either::Right((error, _)) => Err(error),
        }
    }

    fn begin(
        &self,
        address: SocketAddr,
    ) -> io::Result<Result<(quinn::Connecting, Gone), ConnectError>> {
        let (from, gone) = self.clients.endpoint(self.runtime, address.is_ipv6())?;
        let begun = from.connect_with(self.config.clone(), address, self.endpoint.host());
        Ok(begun.map(|connecting| (connecting, gone)))
    }
}

/// Opens the streams, and waits until the other end has named them too: then it has let us in.
async fn attach(connected: quinn::Connection, gone: Gone) -> Result<Connection, DialError> {
    let guard = Guard::new(&connected);
    let open = async |lane: Lane| {
        let (mut send, mut receive) =
            connected.open_bi().await.map_err(|error| dial_error(&error))?;
        let written = send.write_all(&[name_of_lane(lane)]).await;
        written.map_err(|error| of_stream(&connected, write_reason(&error), &error))?;
        let mut named = [0];
        match receive.read_exact(&mut named).await {
            Ok(()) if named == [name_of_lane(lane)] => Ok((send, receive)),
            Ok(()) | Err(ReadExactError::FinishedEarly(_)) => {
                let detail = "its stream does not begin with its lane";
                Err(failed(protocol_error(&connected, detail), detail))
            }
            Err(ReadExactError::ReadError(error)) => {
                Err(of_stream(&connected, read_reason(&error), &error))
            }
        }
    };
    let (c, b) = future::try_join(open(Lane::C), open(Lane::B)).await?;
    guard.release();
    let peer = connected.remote_address().to_string();
    let chain = chain_of(&connected).unwrap_or_default();
    let authority = chain.first().map_or_else(Authority::nobody, Authority::certificate);
    Ok(Connection { authority, ..connection(connected, gone, Streams { c, b }, peer, None) })
}

/// What ended the connection says more than what ended a stream.
fn of_stream(
    connected: &quinn::Connection,
    reason: Reason,
    error: &dyn std::error::Error,
) -> DialError {
    match connected.close_reason() {
        Some(error) => dial_error(&error),
        None => failed(reason, error.to_string()),
    }
}
