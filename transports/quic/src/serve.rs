//! A socket that is listened on: who may begin, who is let in.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures::channel::mpsc::UnboundedSender;
use futures::channel::oneshot;
use futures::future::{self, Either, FutureExt};
use futures::task::AtomicWaker;
use moorline_link::{Lane, Reason};
use moorline_transport::{AcceptError, Connection, ServerTls, name_of};
use quinn::{ConnectionError, ReadExactError, ServerConfig, VarInt};

use crate::halves::{Streams, chain_of, connection};
use crate::listen::server_tls;
use crate::reason::{Guard, code, end_reason, protocol_error, read_reason, write_reason};
use crate::runtime::{Gone, Runtime, Sleep, gone};
use crate::settings::{ATTACH_WITHIN, PROVE_FROM, UNATTACHED_MAX, name_of_lane};

/// A socket and its connections. It outlives its listener while there are any, and may get another.
pub(crate) struct Served {
    quic: quinn::Endpoint,
    config: ServerConfig,
    runtime: Runtime,
    state: Mutex<State>,
    /// Wakes the task when there is a listener, or none any more.
    changed: AtomicWaker,
    unattached: Arc<Unattached>,
    gone: Gone,
}

struct State {
    listening: Option<Listening>,
    /// The task has ended: nothing can be had here any more.
    is_over: bool,
}

/// Whoever listens.
#[derive(Clone)]
pub(crate) struct Listening {
    pub(crate) taken: UnboundedSender<Taken>,
    pub(crate) tls: ServerTls,
    /// Resolves when the listener is dropped.
    pub(crate) left: Gone,
}

/// What became of somebody, with its place until that was told.
pub(crate) struct Taken {
    pub(crate) what: Result<Connection, AcceptError>,
    pub(crate) place: Place,
}

/// Connections that were begun and have not been handed over.
#[derive(Default)]
struct Unattached {
    count: AtomicUsize,
    accepting: AtomicWaker,
}

/// A connection's place among them.
pub(crate) struct Place(Arc<Unattached>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        self.0.accepting.wake();
    }
}

impl Unattached {
    fn is_busy(&self) -> bool {
        self.count.load(Ordering::Acquire) >= PROVE_FROM
    }

    /// Waits while there are too many. Asked by one task alone.
    async fn place(self: &Arc<Self>) -> Place {
        poll_fn(|cx| {
            self.accepting.register(cx.waker());
            if self.count.load(Ordering::Acquire) >= UNATTACHED_MAX {
                return Poll::Pending;
            }
            self.count.fetch_add(1, Ordering::AcqRel);
            Poll::Ready(Place(Arc::clone(self)))
        })
        .await
    }
}

impl Served {
    pub(crate) fn start(
        quic: quinn::Endpoint,
        config: ServerConfig,
        runtime: Runtime,
        listening: Listening,
    ) -> Arc<Self> {
        let state = State { listening: Some(listening), is_over: false };
        let (here, gone) = gone();
        let served = Arc::new(Self {
            quic,
            config,
            runtime,
            state: Mutex::new(state),
            changed: AtomicWaker::new(),
            unattached: Arc::default(),
            gone,
        });
        let over = Over { served: Arc::clone(&served), _here: here };
        served.runtime.spawn(async move { over.served.serve().await });
        served
    }

    // A panic cannot happen under this lock, so a poisoned one holds whole values.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens here again. No if somebody does already, or if it is over.
    pub(crate) fn take_up(&self, listening: &Listening) -> bool {
        let mut state = self.lock();
        if state.is_over || state.listening.is_some() {
            return false;
        }
        state.listening = Some(listening.clone());
        drop(state);
        self.changed.wake();
        true
    }

    /// The listener is gone.
    pub(crate) fn leave(&self) {
        let left = self.lock().listening.take();
        drop(left);
        self.changed.wake();
    }

    fn listening(&self) -> Option<Listening> {
        self.lock().listening.clone()
    }

    async fn serve(&self) {
        loop {
            match self.next().await {
                Next::Arrived(incoming) => self.take(incoming).await,
                Next::Idle => {
                    let mut state = self.lock();
                    if state.listening.is_none() {
                        state.is_over = true;
                        return;
                    }
                }
                Next::Ended => return,
            }
        }
    }

    async fn next(&self) -> Next {
        let mut arrived = pin!(self.quic.accept());
        let mut idle = pin!(self.quic.wait_idle());
        poll_fn(|cx| {
            self.changed.register(cx.waker());
            if let Poll::Ready(arrived) = arrived.poll_unpin(cx) {
                return Poll::Ready(arrived.map_or(Next::Ended, Next::Arrived));
            }
            // The last connection outlives the listener, and the socket the connection.
            if self.lock().listening.is_none() && idle.poll_unpin(cx).is_ready() {
                return Poll::Ready(Next::Idle);
            }
            Poll::Pending
        })
        .await
    }

    /// Begins with somebody who dials, if there is a place.
    async fn take(&self, incoming: quinn::Incoming) {
        // To say so is better than silence: who dials need not wait.
        let Some(listening) = self.listening() else { return incoming.refuse() };
        if self.unattached.is_busy() && !incoming.remote_address_validated() {
            // Costs nothing here, and shows that whoever dials is where it says it is. It is allowed once,
            // which is behind an address that is validated.
            let _ = incoming.retry();
            return;
        }
        let waiting = pin!(self.unattached.place());
        let place = match future::select(waiting, listening.left.clone()).await {
            Either::Left((place, _)) => place,
            Either::Right(_) => return incoming.refuse(),
        };
        let peer = incoming.remote_address();
        // The files may have changed.
        let connecting = server_tls(&listening.tls)
            .map_err(|detail| Refusal(Reason::TlsFailed, detail))
            .and_then(|crypto| {
                let mut config = self.config.clone();
                config.crypto = crypto;
                incoming.accept_with(Arc::new(config)).map_err(|error| Refusal::from(&error))
            });
        let late = self.runtime.sleep(ATTACH_WITHIN);
        let gone = self.gone.clone();
        self.runtime.spawn(async move {
            let late = future::select(late, listening.left.clone());
            let attached = match connecting {
                Ok(connecting) => attach(connecting, gone, peer, late).await,
                Err(refusal) => Err(refusal),
            };
            let what = attached.map_err(|Refusal(reason, detail)| AcceptError::Refused {
                peer: peer.to_string(),
                reason,
                detail,
            });
            // An error is the end of the listener.
            let _ = listening.taken.unbounded_send(Taken { what, place });
        });
    }
}

#[allow(clippy::large_enum_variant, reason = "it is taken apart where it is made")]
enum Next {
    /// Somebody dials.
    Arrived(quinn::Incoming),
    /// There are no connections, and nobody listens.
    Idle,
    /// The socket failed.
    Ended,
}

/// Goes with the task: however that ends, nobody waits for it in vain.
struct Over {
    served: Arc<Served>,
    _here: oneshot::Sender<()>,
}

impl Drop for Over {
    fn drop(&mut self) {
        let left = {
            let mut state = self.served.lock();
            state.is_over = true;
            state.listening.take()
        };
        drop(left);
    }
}

/// Why somebody was let go.
struct Refusal(Reason, String);

impl From<&ConnectionError> for Refusal {
    fn from(error: &ConnectionError) -> Self {
        Self(end_reason(error), error.to_string())
    }
}

/// What ends the wait for somebody: the time, or that nobody listens.
type Late = future::Select<Sleep, Gone>;

/// From the handshake to the names of both lanes.
async fn attach(
    connecting: quinn::Connecting,
    gone: Gone,
    peer: SocketAddr,
    mut late: Late,
) -> Result<Connection, Refusal> {
    let connected = match future::select(connecting, &mut late).await {
        Either::Left((connected, _)) => connected.map_err(|error| Refusal::from(&error))?,
        Either::Right((why, _)) => return Err(given_up(&why).0),
    };
    let guard = Guard::new(&connected);
    let streams = match future::select(pin!(streams(&connected)), late).await {
        Either::Left((streams, _)) => streams?,
        Either::Right((why, _)) => {
            let (refusal, code) = given_up(&why);
            guard.close(code);
            return Err(refusal);
        }
    };
    guard.release();
    let identity = chain_of(&connected).map(|chain| chain.first().map(name_of).unwrap_or_default());
    Ok(connection(connected, gone, streams, peer.to_string(), identity))
}

fn given_up<A, B>(why: &Either<A, B>) -> (Refusal, VarInt) {
    match why {
        Either::Left(_) => {
            let detail = "it did not open its lanes in time".to_owned();
            (Refusal(Reason::RegisterTimeout, detail), code::CUT)
        }
        Either::Right(_) => {
            (Refusal(Reason::ConnectRefused, "nobody listens".to_owned()), code::GONE)
        }
    }
}

/// Takes both streams, and names their lanes too: with that the peer is let in.
async fn streams(connected: &quinn::Connection) -> Result<Streams, Refusal> {
    let of_stream = |reason: Reason, error: &dyn std::error::Error| match connected.close_reason() {
        Some(error) => Refusal::from(&error),
        None => Refusal(reason, error.to_string()),
    };
    let rules = |detail: &str| Refusal(protocol_error(connected, detail), detail.to_owned());
    let mut lanes = [None, None];
    for _ in Lane::ALL {
        let accepted = connected.accept_bi().await;
        let (mut send, mut receive) = accepted.map_err(|error| Refusal::from(&error))?;
        let mut name = [0];
        match receive.read_exact(&mut name).await {
            Ok(()) => {}
            Err(ReadExactError::FinishedEarly(_)) => return Err(rules("a stream has no name")),
            Err(ReadExactError::ReadError(error)) => {
                return Err(of_stream(read_reason(&error), &error));
            }
        }
        let lane = Lane::ALL.into_iter().find(|lane| name == [name_of_lane(*lane)]);
        let lane = lane.ok_or_else(|| rules("a stream is of no lane"))?;
        let named = send.write_all(&name).await;
        named.map_err(|error| of_stream(write_reason(&error), &error))?;
        lanes[lane.index()] = Some((send, receive));
    }
    // No more than these, not even in their place.
    connected.set_max_concurrent_bi_streams(VarInt::from_u32(0));
    let [Some(c), Some(b)] = lanes else { return Err(rules("two streams are of the same lane")) };
    Ok(Streams { c, b })
}

#[cfg(test)]
mod tests;
