//! What the tasks of a proxy share: the route, a clock, and whom to tell.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::counts::Counts;
use crate::faults::Change;
use crate::route::{Id, Route, Snapshot};

/// Who has made a change.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// [`Proxy::apply`](crate::Proxy::apply).
    Caller,
    /// The [`Timeline`](crate::Timeline).
    Timeline,
}

/// How a connection or a flow ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fate {
    /// Its two ends have ended it.
    Closed,
    /// One of its ends has reset it, or is gone; the other end was reset too.
    Broken,
    /// The target could not be reached within 10 s.
    Unreachable,
    /// A cut has closed it, or [`Proxy::stop`](crate::Proxy::stop).
    Cut,
    /// A reset has reset it.
    Reset,
    /// A flow is forgotten when none of its datagrams waits and for 2 minutes none has come or left.
    Idle,
}

/// Something that happened, and when: counted from the start of the proxy.
///
/// ```
/// use moorline_chaos::{Builder, Counts, Event, Fate, Id, Kind, Origin, WayCounts};
/// use tokio::sync::mpsc;
///
/// fn watched(proxy: Builder) -> (Builder, mpsc::Receiver<Event>) {
///     let (events, told) = mpsc::channel(1_024);
///     (proxy.events(events), told)
/// }
///
/// fn in_words(event: &Event) -> Option<String> {
///     match event {
///         Event::Changed { change, origin: Origin::Timeline, .. } => Some(format!("{change:?}")),
///         Event::Ended { id: Id { kind: Kind::Tcp, number }, fate: Fate::Broken, counts, .. } => {
///             let Counts { back: WayCounts { bytes, .. }, .. } = counts;
///             Some(format!("connection {number} was reset after {bytes} bytes"))
///         }
///         _ => None,
///     }
/// }
/// # let _ = (watched, in_words);
/// ```
#[derive(Clone, Debug)]
pub enum Event {
    /// A connection was taken, or a flow has begun.
    Opened {
        /// When.
        at: Duration,
        /// Which.
        id: Id,
        /// By whom.
        peer: SocketAddr,
        /// Whether it is passed on to the target.
        answered: bool,
    },
    /// It has ended.
    Ended {
        /// When.
        at: Duration,
        /// Which.
        id: Id,
        /// How.
        fate: Fate,
        /// What happened to it.
        counts: Counts,
    },
    /// A connection was reset at once or a flow did not begin, because there are too many: counted as
    /// [`Snapshot::refused`] is.
    Refused {
        /// When.
        at: Duration,
        /// Who.
        peer: SocketAddr,
    },
    /// A change was made.
    Changed {
        /// When.
        at: Duration,
        /// Which.
        change: Change,
        /// By whom.
        origin: Origin,
    },
    /// A change could not be made: after a cut the address cannot be listened on again.
    Failed {
        /// When.
        at: Duration,
        /// Which.
        change: Change,
        /// By whom.
        origin: Origin,
        /// Why.
        problem: String,
    },
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) target: String,
    start: Instant,
    route: Mutex<Route>,
    changes: watch::Sender<()>,
    events: Option<mpsc::Sender<Event>>,
    dropped: AtomicU64,
}

impl Shared {
    pub(crate) fn new(target: String, route: Route, events: Option<mpsc::Sender<Event>>) -> Self {
        Self {
            target,
            start: Instant::now(),
            route: Mutex::new(route),
            changes: watch::Sender::new(()),
            events,
            dropped: AtomicU64::new(0),
        }
    }

    /// The time since the start.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Sleeps until then; for ever without a time.
    pub(crate) async fn sleep_until(&self, at: Option<Duration>) {
        match at.and_then(|at| self.start.checked_add(at)) {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Looks at the route, shortly.
    pub(crate) fn route<T>(&self, look: impl FnOnce(&mut Route) -> T) -> T {
        // Nobody panics in there; and if, a route is still a route.
        look(&mut self.route.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a change, and wakes everybody whom it may concern.
    pub(crate) fn change(&self, change: Change) {
        self.route(|route| route.change(change));
        self.changes.send_replace(());
    }

    /// Ends everybody who is there.
    pub(crate) fn stop(&self) {
        self.route(Route::stop);
        self.changes.send_replace(());
    }

    /// Is woken by changes from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Tells whoever wants to know; nobody is waited for.
    pub(crate) fn tell(&self, event: impl FnOnce(Duration) -> Event) {
        if let Some(events) = &self.events
            && events.try_send(event(self.now())).is_err()
        {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A connection or a flow has ended.
    pub(crate) fn leave(&self, id: Id, fate: Fate) {
        let counts = self.route(|route| route.leave(id));
        self.tell(|at| Event::Ended { at, id, fate, counts });
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.route(|route| route.snapshot());
        snapshot.events_dropped = self.dropped.load(Ordering::Relaxed);
        snapshot
    }
}
