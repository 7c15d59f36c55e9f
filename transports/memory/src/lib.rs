//! Moorline packets inside one process: `mem://NAME`.
//!
//! The names live in a [`MemoryTransport`] value, not in the process: two of them know nothing of
//! each other, and its clones share one set of names. It needs no runtime, only `futures`.
//!
//! ```
//! use std::future::poll_fn;
//! use std::pin::Pin;
//!
//! use bytes::Bytes;
//! use futures::executor::block_on;
//! use moorline_link::Lane;
//! use moorline_memory::MemoryTransport;
//! use moorline_transport::Transport;
//!
//! let transport = MemoryTransport::new();
//! let here = "mem://here".parse()?;
//! let packet = block_on(async {
//!     let mut listener = transport.listen(&here).await.ok()?;
//!     let mut dialled = transport.dial(&here).await.ok()?;
//!     let mut accepted = listener.accept().await.ok()?;
//!
//!     poll_fn(|cx| Pin::new(&mut *dialled.sender).poll_ready(cx)).await.ok()?;
//!     Pin::new(&mut *dialled.sender).send(Bytes::from_static(b"hello"), Lane::C).ok()?;
//!     poll_fn(|cx| Pin::new(&mut *accepted.receiver).poll_receive(cx)).await.ok()
//! });
//! assert_eq!(packet.as_deref(), Some(&b"hello"[..]));
//! # Ok::<(), moorline_transport::EndpointError>(())
//! ```

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::{FutureExt, SinkExt, StreamExt};
use moorline_link::Reason;
use moorline_transport::{
    AcceptError, Connection, DialError, Endpoint, ListenError, Listener, Transport,
};

mod pipe;

/// Connections that were dialled and wait to be accepted; further dials wait.
const BACKLOG: usize = 4_096;

/// Packets inside one process. Cloning shares the names.
#[derive(Clone, Default, Debug)]
pub struct MemoryTransport {
    names: Arc<Mutex<Names>>,
}

#[derive(Default, Debug)]
struct Names {
    listening: BTreeMap<String, Registration>,
    // A listener that is dropped late must not end its successor of the same name.
    next_listener: u64,
    next_peer: u64,
}

#[derive(Debug)]
struct Registration {
    listener: u64,
    backlog: mpsc::Sender<Connection>,
}

impl MemoryTransport {
    /// A transport on which nobody listens yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    // A panic cannot happen under this lock, so a poisoned one holds whole values.
    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for MemoryTransport {
    fn schemes(&self) -> &'static [&'static str] {
        &["mem"]
    }

    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<'static, Result<Connection, DialError>> {
        let transport = self.clone();
        let endpoint = endpoint.clone();
        async move {
            let found = {
                let mut names = transport.names();
                names.next_peer += 1;
                let peer = names.next_peer;
                names.listening.get(endpoint.host()).map(|one| (one.backlog.clone(), peer))
            };
            let refused = || DialError {
                reason: Reason::ConnectRefused,
                detail: format!("nobody listens at {endpoint}"),
            };
            let (mut backlog, peer) = found.ok_or_else(refused)?;
            let (here, there) =
                pipe::connection(endpoint.to_string(), format!("{endpoint}#{peer}"));
            backlog.send(there).await.map_err(|_| refused())?;
            Ok(here)
        }
        .boxed()
    }

    fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, Result<Box<dyn Listener>, ListenError>> {
        let transport = self.clone();
        let endpoint = endpoint.clone();
        async move {
            let (backlog, dialled) = mpsc::channel(BACKLOG);
            let listener = {
                let mut names = transport.names();
                names.next_listener += 1;
                let listener = names.next_listener;
                match names.listening.entry(endpoint.host().to_owned()) {
                    Entry::Occupied(_) => return Err(ListenError::InUse { endpoint }),
                    Entry::Vacant(free) => free.insert(Registration { listener, backlog }),
                };
                listener
            };
            let listener = MemoryListener { transport, endpoint, listener, dialled };
            Ok(Box::new(listener) as Box<dyn Listener>)
        }
        .boxed()
    }
}

struct MemoryListener {
    transport: MemoryTransport,
    endpoint: Endpoint,
    listener: u64,
    dialled: mpsc::Receiver<Connection>,
}

impl Listener for MemoryListener {
    fn accept(&mut self) -> BoxFuture<'_, Result<Connection, AcceptError>> {
        async {
            // The registration holds a sender for as long as this listener lives.
            self.dialled.next().await.ok_or_else(|| AcceptError::Closed {
                detail: format!("{} is not listened on any more", self.endpoint),
            })
        }
        .boxed()
    }

    fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        let mut names = self.transport.names();
        let name = self.endpoint.host();
        if names.listening.get(name).is_some_and(|one| one.listener == self.listener) {
            names.listening.remove(name);
        }
    }
}
