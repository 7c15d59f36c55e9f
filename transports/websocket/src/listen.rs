//! Listening: a long backlog, and a bounded crowd of those who have not been let in yet.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use futures::future::{self, BoxFuture, Either, FutureExt};
use futures::io::{AsyncReadExt, AsyncWriteExt};
use futures::stream::FuturesUnordered;
use futures::{AsyncWrite, StreamExt};
use moorline_link::Reason;
use moorline_transport::{
    AcceptError, Connection, Endpoint, ListenError, Listener, Security, ServerTls, accept_error,
    bind_error, own_addresses,
};
use tungstenite::protocol::Role;

use crate::halves::connection;
use crate::net::{Door, Runtime, Tcp};
use crate::settings::{ATTACH_WITHIN, HEAD_MAX, LINGER, UNATTACHED_MAX};
use crate::stream::Stream;
use crate::upgrade::{Refusal, admit};

pub(crate) async fn listen(
    endpoint: Endpoint,
    security: Security,
) -> Result<Box<dyn Listener>, ListenError> {
    let other = |error: &io::Error| ListenError::Other {
        endpoint: endpoint.clone(),
        detail: error.to_string(),
    };
    let runtime = Runtime::current().map_err(|error| other(&error))?;
    let lookup = runtime.lookup(endpoint.host().to_owned(), endpoint.port());
    let addresses = own_addresses(&endpoint, lookup).await.map_err(|error| other(&error))?;
    let tls = if endpoint.is_encrypted() {
        Some(security.server(&endpoint)?)
    } else {
        security.may_be_clear(&endpoint, &addresses)?;
        None
    };
    let mut failed = None;
    for address in addresses {
        match runtime.bind(address) {
            Ok(door) => {
                let port = door.port().map_err(|error| other(&error))?;
                return Ok(Box::new(WebSocketListener {
                    door,
                    runtime,
                    tls,
                    endpoint: endpoint.with_port(port),
                    arriving: FuturesUnordered::new(),
                    crowd: UNATTACHED_MAX,
                }));
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    Err(bind_error(&endpoint, failed))
}

struct WebSocketListener {
    door: Door,
    runtime: Runtime,
    tls: Option<ServerTls>,
    endpoint: Endpoint,
    /// Those who are not let in yet: moved while somebody asks for the next connection.
    arriving: FuturesUnordered<BoxFuture<'static, Taken>>,
    /// So many of them, and no more.
    crowd: usize,
}

/// What became of somebody who connected.
type Taken = Result<Connection, AcceptError>;

impl WebSocketListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Taken> {
        loop {
            if let Poll::Ready(Some(taken)) = self.arriving.poll_next_unpin(cx) {
                return Poll::Ready(taken);
            }
            if self.arriving.len() >= self.crowd {
                // The kernel keeps the rest: each of these is let in or let go, and wakes this.
                return Poll::Pending;
            }
            let (tcp, peer) = match ready!(self.door.poll_accept(cx)) {
                Ok(accepted) => accepted,
                Err(error) => return Poll::Ready(Err(accept_error(&error))),
            };
            if let Err(error) = tcp.set_up() {
                // Of this connection, whatever its number: macOS says EINVAL of one that is reset.
                let detail = error.to_string();
                return Poll::Ready(Err(AcceptError::Connection { detail }));
            }
            let path = self.endpoint.path().to_owned();
            let arrived = Arrived { tcp, peer, tls: self.tls.clone(), path };
            self.arriving.push(arrived.attach(self.runtime).boxed());
        }
    }
}

impl Listener for WebSocketListener {
    fn accept(&mut self) -> BoxFuture<'_, Taken> {
        poll_fn(|cx| self.poll_accept(cx)).boxed()
    }

    fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }
}

/// Somebody who has connected and said nothing yet.
struct Arrived {
    tcp: Tcp,
    peer: SocketAddr,
    tls: Option<ServerTls>,
    path: String,
}

impl Arrived {
    /// Lets somebody in or lets them go, within [`ATTACH_WITHIN`].
    async fn attach(self, runtime: Runtime) -> Taken {
        let peer = self.peer.to_string();
        let limit = runtime.sleep(ATTACH_WITHIN);
        let taken = match future::select(pin!(self.upgrade(runtime)), limit).await {
            Either::Left((taken, _)) => taken,
            Either::Right(((), _)) => {
                let detail = "it did not ask for WebSocket in time".to_owned();
                Err((Reason::RegisterTimeout, detail))
            }
        };
        taken.map_err(|(reason, detail)| AcceptError::Refused { peer, reason, detail })
    }

    async fn upgrade(self, runtime: Runtime) -> Result<Connection, (Reason, String)> {
        let (mut stream, identity) = match &self.tls {
            Some(tls) => {
                let accepted = Stream::Clear(self.tcp).accept(tls).await;
                accepted.map_err(|error| (Reason::TlsFailed, error.to_string()))?
            }
            None => (Stream::Clear(self.tcp), None),
        };
        match admit(&mut stream, &self.path).await {
            Ok(()) => {
                let peer = self.peer.to_string();
                Ok(connection((stream, Vec::new()), Role::Server, runtime, peer, identity))
            }
            Err(Refusal { reason, detail, answer }) => {
                if let Some(answer) = answer {
                    let said = say(stream, answer.text());
                    future::select(pin!(said), runtime.sleep(LINGER)).await;
                }
                Err((reason, detail))
            }
        }
    }
}

/// Answers, and reads on a little: closed with something unread in it, a socket takes its answer back.
async fn say(mut stream: Stream, answer: String) {
    let said = async {
        stream.write_all(answer.as_bytes()).await?;
        poll_fn(|cx| std::pin::Pin::new(&mut stream).poll_close(cx)).await?;
        let mut left = (&mut stream).take(HEAD_MAX as u64);
        futures::io::copy(&mut left, &mut futures::io::sink()).await
    };
    // Who does not wait for an answer misses it.
    let _ = said.await;
}

#[cfg(test)]
mod tests;
