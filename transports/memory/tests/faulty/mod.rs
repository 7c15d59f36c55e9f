//! The memory transport with something broken: one promise at a time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Instant;

use futures::FutureExt;
use futures::future::{BoxFuture, pending, poll_fn};
use moorline_link::Reason;
use moorline_memory::MemoryTransport;
use moorline_transport::{
    AcceptError, Connection, DialError, Endpoint, ListenError, Listener, Transport,
};

mod receiver;
mod sender;

use receiver::FaultyReceiver;
use sender::FaultySender;

/// What is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// Nothing.
    Nothing,
    FlipsABit,
    Duplicates,
    Loses,
    SwapsPackets,
    /// Packets of lane C wait for the next one of lane B.
    MixesLanes,
    ShortensTheLargest,
    SwallowsEmptyPackets,
    HasNoLimit,
    LimitIsAReset,
    HasNoNames,
    TakesEverything,
    TakesOne,
    OneWayAtATime,
    ForgetsWriters,
    KeepsTheFirstWriter,
    ForgetsReaders,
    KeepsTheFirstReader,
    FlushesLater,
    ForgetsItsEnd,
    CutsAreOrderly,
    SwallowsCuts,
    CutsLeaveHoles,
    DroppedSendersClose,
    DroppedReceiversStay,
    EndsOvertake,
    OrderlyEndsAreResets,
    ClosesTooEarly,
    ClosingEndsBothWays,
    EndsAtOnceAreResets,
    SendsBehindItsEnd,
    CannotCloseTwice,
    NothingIsUnreachable,
    CancelledDialsStay,
    AcceptsLose,
    ListenersStay,
    ConnectionsGoWithTheirListener,
    ListensTwice,
    TellsAnotherAddress,
    TellsAnotherScheme,
    OnlySoMany,
    OneForAll,
    FallsAsleep,
    Panics,
    HoldsUpTheThread,
}

/// Which end of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Dialled,
    Accepted,
}

impl Role {
    fn other(self) -> Self {
        match self {
            Self::Dialled => Self::Accepted,
            Self::Accepted => Self::Dialled,
        }
    }
}

/// What all connections of a transport share.
#[derive(Default)]
struct World {
    dials: AtomicUsize,
    /// Bytes that were sent and not received, by the end that sends.
    under_way: [AtomicUsize; 2],
    is_over: AtomicBool,
    /// What should have been dropped, and goes only with the test.
    kept: Mutex<Vec<Box<dyn Send>>>,
}

impl World {
    fn keep(&self, what: impl Send + 'static) {
        self.kept.lock().expect("not poisoned").push(Box::new(what));
    }

    fn under_way(&self, role: Role) -> &AtomicUsize {
        &self.under_way[role as usize]
    }
}

/// What the two halves of one end share.
struct End {
    fault: Fault,
    role: Role,
    closed: AtomicBool,
    active: Mutex<Instant>,
    world: Arc<World>,
}

impl End {
    /// Whether it was left alone for too long.
    fn fell_asleep(&self) -> bool {
        let mut active = self.active.lock().expect("not poisoned");
        let last = std::mem::replace(&mut *active, Instant::now());
        self.fault == Fault::FallsAsleep && last.elapsed().as_millis() > 100
    }
}

#[derive(Clone)]
pub(crate) struct Faulty {
    memory: MemoryTransport,
    fault: Fault,
    world: Arc<World>,
}

impl Faulty {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { memory: MemoryTransport::new(), fault, world: Arc::default() }
    }

    fn wrap(&self, role: Role, connection: Connection) -> Connection {
        let Connection { sender, receiver, peer, identity, authority } = connection;
        let end = Arc::new(End {
            fault: self.fault,
            role,
            closed: AtomicBool::new(false),
            active: Mutex::new(Instant::now()),
            world: Arc::clone(&self.world),
        });
        let peer = if self.fault == Fault::HasNoNames { String::new() } else { peer };
        Connection {
            sender: Box::new(FaultySender::new(sender, Arc::clone(&end))),
            receiver: Box::new(FaultyReceiver::new(receiver, end)),
            peer,
            identity,
            authority,
        }
    }
}

/// Waits once, for itself.
async fn yielding() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Is kept instead of being dropped.
struct Kept(Option<Connection>, Arc<World>);

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            self.1.keep(connection);
        }
    }
}

impl Transport for Faulty {
    fn schemes(&self) -> &'static [&'static str] {
        if self.fault == Fault::TellsAnotherScheme { &["men"] } else { &["mem"] }
    }

    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<'static, Result<Connection, DialError>> {
        let (this, endpoint) = (self.clone(), endpoint.clone());
        async move {
            let dials = this.world.dials.fetch_add(1, Ordering::Relaxed);
            if this.fault == Fault::OnlySoMany && dials >= 100 {
                pending::<()>().await;
            }
            let dialled = this.memory.dial(&endpoint).await.map_err(|mut error| {
                if this.fault == Fault::NothingIsUnreachable {
                    error.reason = Reason::Unreachable;
                }
                error
            });
            let mut dialled = this.wrap(Role::Dialled, dialled?);
            if this.fault == Fault::CancelledDialsStay {
                let mut kept = Kept(Some(dialled), Arc::clone(&this.world));
                yielding().await;
                dialled = kept.0.take().expect("it is kept");
            }
            Ok(dialled)
        }
        .boxed()
    }

    fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, Result<Box<dyn Listener>, ListenError>> {
        let (this, endpoint) = (self.clone(), endpoint.clone());
        async move {
            let listening = match this.memory.listen(&endpoint).await {
                Err(_) if this.fault == Fault::ListensTwice => {
                    this.memory.listen(&"mem://another".parse().expect("an endpoint")).await
                }
                listening => listening,
            };
            let listener = FaultyListener { inner: Some(listening?), transport: this };
            Ok(Box::new(listener) as Box<dyn Listener>)
        }
        .boxed()
    }
}

struct FaultyListener {
    /// Until it is dropped.
    inner: Option<Box<dyn Listener>>,
    transport: Faulty,
}

impl Listener for FaultyListener {
    fn accept(&mut self) -> BoxFuture<'_, Result<Connection, AcceptError>> {
        async {
            let inner = self.inner.as_mut().expect("not dropped");
            let accepted = inner.accept().await?;
            if self.transport.fault == Fault::AcceptsLose {
                yielding().await;
            }
            Ok(self.transport.wrap(Role::Accepted, accepted))
        }
        .boxed()
    }

    fn endpoint(&self) -> Endpoint {
        if self.transport.fault == Fault::TellsAnotherAddress {
            return "mem://elsewhere".parse().expect("an endpoint");
        }
        self.inner.as_ref().expect("not dropped").endpoint()
    }
}

impl Drop for FaultyListener {
    fn drop(&mut self) {
        if self.transport.fault == Fault::ListenersStay {
            self.transport.world.keep(self.inner.take());
        }
        self.transport.world.is_over.store(true, Ordering::Relaxed);
    }
}
