//! Listening: an address, and what there is at it.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{self, UnboundedReceiver};
use futures::channel::oneshot;
use futures::future::{BoxFuture, FutureExt};
use moorline_transport::{
    AcceptError, Connection, Endpoint, ListenError, Listener, Security, ServerTls, bind_error,
    own_addresses,
};
use quinn::crypto::rustls::QuicServerConfig;

use crate::keys::Key;
use crate::runtime::{Runtime, gone};
use crate::serve::{Listening, Served, Taken};
use crate::settings::{
    self, PROTOCOL, SOCKET_BUFFER, Timing, WAITING_BYTES, WAITING_BYTES_ALL, WAITING_MAX,
};

/// How long an address that this transport itself has just left is waited for, and how often it is tried.
const LEAVING_EVERY: Duration = Duration::from_millis(5);
const LEAVING_TIMES: u32 = 200;

/// What this transport has at its addresses: whoever listens there, or connections that are left of one.
#[derive(Default)]
pub(crate) struct Addresses {
    served: Mutex<BTreeMap<SocketAddr, Weak<Served>>>,
}

impl Addresses {
    /// Whether there was something, and whether it still is.
    fn find(&self, address: SocketAddr) -> (bool, Option<Arc<Served>>) {
        // A panic cannot happen under this lock, so a poisoned one holds a whole map.
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        let found = served.get(&address);
        (found.is_some(), found.and_then(Weak::upgrade))
    }

    fn insert(&self, address: SocketAddr, there: &Arc<Served>) {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.retain(|_, served| served.strong_count() > 0);
        served.insert(address, Arc::downgrade(there));
    }
}

pub(crate) async fn listen(
    endpoint: Endpoint,
    security: Security,
    timing: Timing,
    key: Option<Key>,
    addresses: Arc<Addresses>,
) -> Result<Box<dyn Listener>, ListenError> {
    let other = |detail: &dyn fmt::Display| ListenError::Other {
        endpoint: endpoint.clone(),
        detail: detail.to_string(),
    };
    let tls = security.server(&endpoint)?;
    let crypto = server_tls(&tls).map_err(|error| other(&error))?;
    let runtime = Runtime::current().map_err(|error| other(&error))?;
    let mut failed = None;
    let lookup = runtime.lookup(endpoint.host().to_owned(), endpoint.port());
    for address in own_addresses(&endpoint, lookup).await.map_err(|error| other(&error))? {
        let (was_ours, there) = addresses.find(address);
        let (listening, begun) = begin(&tls);
        if let Some(there) = there
            && there.take_up(&listening)
        {
            return Ok(Box::new(QuicListener { endpoint, there, begun }));
        }
        match bind(&runtime, address, was_ours).await {
            Ok(socket) => {
                let at = socket.local_addr().map_err(|error| other(&error))?;
                // Without a key of its own its connections cannot be told to end by its successor.
                let key =
                    key.clone().map_or_else(Key::random, Ok).map_err(|error| other(&error))?;
                let mut config = quinn::ServerConfig::new(crypto, Arc::new(key.token()));
                config
                    .transport_config(settings::connection(timing, 2))
                    .migration(true)
                    .max_incoming(WAITING_MAX)
                    .incoming_buffer_size(WAITING_BYTES)
                    .incoming_buffer_size_total(WAITING_BYTES_ALL);
                let ids = key.endpoint().map_err(|error| other(&error))?;
                let quic = quinn::Endpoint::new(ids, Some(config.clone()), socket, runtime.quinn());
                let quic = quic.map_err(|error| other(&error))?;
                let there = Served::start(quic, config, runtime, listening);
                addresses.insert(at, &there);
                let endpoint = endpoint.with_port(at.port());
                return Ok(Box::new(QuicListener { endpoint, there, begun }));
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    Err(bind_error(&endpoint, failed))
}

/// The two ends of a new listener: what is served, and what is listened with.
fn begin(tls: &ServerTls) -> (Listening, Begun) {
    let (taken, ready) = mpsc::unbounded();
    let (here, left) = gone();
    (Listening { taken, tls: tls.clone(), left }, Begun { ready, _here: here })
}

/// What holds now for whoever dials: TLS 1.3 alone, nothing ahead of it.
///
/// # Errors
/// The configuration is not made for it.
pub(crate) fn server_tls(tls: &ServerTls) -> Result<Arc<QuicServerConfig>, String> {
    let mut config = (*tls.config(PROTOCOL)).clone();
    config.max_early_data_size = 0;
    let config = Arc::new(config);
    // Quinn takes for granted what this finds out.
    let version = rustls::quic::Version::V1;
    rustls::quic::ServerConnection::new(Arc::clone(&config), version, Vec::new())
        .map_err(|error| error.to_string())?;
    QuicServerConfig::try_from(config).map(Arc::new).map_err(|error| error.to_string())
}

async fn bind(runtime: &Runtime, address: SocketAddr, was_ours: bool) -> io::Result<UdpSocket> {
    let mut times = if was_ours { LEAVING_TIMES } else { 1 };
    loop {
        times -= 1;
        match UdpSocket::bind(address) {
            // Its last connections are being forgotten at this moment.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && times > 0 => {
                runtime.sleep(LEAVING_EVERY).await;
            }
            Err(error) => return Err(error),
            Ok(socket) => {
                socket.set_nonblocking(true)?;
                // What is granted is taken.
                let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(SOCKET_BUFFER);
                return Ok(socket);
            }
        }
    }
}

struct QuicListener {
    endpoint: Endpoint,
    there: Arc<Served>,
    begun: Begun,
}

struct Begun {
    ready: UnboundedReceiver<Taken>,
    /// Those who are not let in yet go with it.
    _here: oneshot::Sender<()>,
}

impl Listener for QuicListener {
    fn accept(&mut self) -> BoxFuture<'_, Result<Connection, AcceptError>> {
        let next = self.begun.ready.next().map(|taken| match taken {
            Some(Taken { what, place }) => {
                drop(place);
                what
            }
            None => {
                let detail = "its socket failed, or its runtime has ended".to_owned();
                Err(AcceptError::Closed { detail })
            }
        });
        next.boxed()
    }

    fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }
}

impl Drop for QuicListener {
    fn drop(&mut self) {
        self.there.leave();
    }
}
