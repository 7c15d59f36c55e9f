//! The coordinator's node: a hub and a dispatcher, joined.

mod canonical;
mod conn;
mod door;
mod elsewhere;
mod events;
mod incoming;
mod io;
mod names;
mod outbox;
mod pump;
mod storage;
mod transmit;
mod view;

pub use io::{
    Applicant, ClientReply, CoordinatorAction, CoordinatorConfig, CoordinatorEvent,
    CoordinatorInput, WorkerView,
};

use std::collections::{BTreeMap, VecDeque};

use moorline_link::{Backoff, ConnId, Epoch, Hub, HubInput, Instant, WorkerId};
use moorline_work::{Dispatcher, DispatcherInput};

use self::conn::Conn;
use self::elsewhere::Places;
use self::events::Events;
use self::names::WorkerNames;
use self::outbox::Outbox;
use self::storage::Storage;
use crate::frame::convert;
use crate::{Event, EventKind, KnownWorker, Name, Names};

/// Handler names one coordinator knows at most. Tasks that are in its store are never turned away,
/// so there may be more after a restart.
const HANDLERS_MAX: u32 = 65_536;
/// Of these, what workers may fill with their offers: the rest is kept for tasks.
const OFFERED_MAX: u32 = HANDLERS_MAX / 4 * 3;

/// The coordinator's machine: workers come and go, tasks are given out and their results applied once.
///
/// ```text
/// loop {
///     node.handle(now, input);                       // a packet, a commit, a request, a timeout
///     while let Some(action) = node.poll_action() {  // Persist, Close, Reply, Ended, Event,
///         // on Flush { conn }: poll_transmit(now, conn) for a few packets while it is writable
///     }
///     wait until node.next_wake() or the next input
/// }
/// ```
///
/// It keeps the laws of every machine: `next_wake` is "now" exactly while `poll_action` returns
/// something, an early timeout changes nothing, equal inputs give equal outputs.
///
/// ```
/// use moorline_link::{Backoff, Epoch, HubConfig, Instant};
/// use moorline_node::{
///     CoordinatorAction, CoordinatorConfig, CoordinatorNode, Name, Persist, StoreOp,
/// };
/// use moorline_work::DispatcherConfig;
///
/// let config = CoordinatorConfig {
///     hub: HubConfig::default(),
///     dispatcher: DispatcherConfig::default(),
///     retry: Backoff::default(),
///     epoch: Epoch(1),
///     software: Name::new("example 1.0")?,
///     seed: 42,
/// };
/// let mut node = CoordinatorNode::new(config, Instant::ZERO);
/// // First it reads what earlier lives left.
/// let asked: Vec<StoreOp> = std::iter::from_fn(|| node.poll_action())
///     .filter_map(|action| match action {
///         CoordinatorAction::Persist(Persist { op, .. }) => Some(op),
///         _ => None,
///     })
///     .collect();
/// assert!(asked.contains(&StoreOp::Workers) && asked.contains(&StoreOp::Leases));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CoordinatorNode {
    hub: Hub,
    dispatcher: Dispatcher,
    epoch: Epoch,
    software: Name,
    retry: Backoff,
    seed: u64,
    handlers: Names,
    names: WorkerNames,
    workers: BTreeMap<WorkerId, WorkerFile>,
    conns: BTreeMap<ConnId, Conn>,
    outbox: Outbox,
    storage: Storage,
    events: Events,
    places: Places,
    out: VecDeque<CoordinatorAction>,
    /// Nobody is let in unheard.
    authenticates: bool,
    /// Nobody is let in whose certificate was not seen.
    wants_certificates: bool,
    waiting: bool,
    now: Instant,
}

/// What the node knows of a worker beside the machines.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct WorkerFile {
    known: KnownWorker,
    slots: u16,
    software: Option<Name>,
    conn: Option<ConnId>,
}

impl CoordinatorNode {
    /// A coordinator at the beginning of a life. Its first actions read what earlier lives left.
    #[must_use]
    pub fn new(config: CoordinatorConfig, now: Instant) -> Self {
        let hub = Hub::new(config.hub, config.epoch, config.seed, now);
        let dispatcher = Dispatcher::new(config.dispatcher, convert::instant(hub.effective(now)));
        let mut node = Self {
            hub,
            dispatcher,
            epoch: config.epoch,
            software: config.software,
            retry: config.retry,
            seed: low_half(config.seed),
            handlers: Names::new(HANDLERS_MAX),
            names: WorkerNames::default(),
            workers: BTreeMap::new(),
            conns: BTreeMap::new(),
            outbox: Outbox::default(),
            storage: Storage::default(),
            events: Events::default(),
            places: Places::default(),
            out: VecDeque::new(),
            authenticates: false,
            wants_certificates: false,
            waiting: false,
            now,
        };
        node.recall_workers();
        node.pump();
        node
    }

    /// The same, but that it asks by [`CoordinatorAction::Authenticate`] about everybody who says Hello
    /// before it looks at that.
    #[must_use]
    pub fn authenticating(mut self) -> Self {
        self.authenticates = true;
        self
    }

    /// The same, but that it refuses whoever says Hello on a connection on which no certificate was seen:
    /// [`CoordinatorInput::Proven`] was not told.
    #[must_use]
    pub fn with_certificates(mut self) -> Self {
        self.wants_certificates = true;
        self
    }

    /// The only door in.
    pub fn handle(&mut self, now: Instant, input: CoordinatorInput) {
        if matches!(input, CoordinatorInput::Timeout)
            && self.next_wake().is_none_or(|wake| now < wake)
        {
            return;
        }
        self.now = now;
        match input {
            CoordinatorInput::Timeout => {
                self.ask(HubInput::Timeout);
                self.tell(DispatcherInput::Timeout);
            }
            CoordinatorInput::Accepted { conn } => {
                self.conns.insert(conn, Conn::new());
                self.ask(HubInput::Accepted { conn });
            }
            CoordinatorInput::Proven { conn, name } => {
                if let Some(state) = self.conns.get_mut(&conn) {
                    state.proven = Some(name);
                }
            }
            CoordinatorInput::Authenticated { conn, judged } => self.authenticated(conn, judged),
            CoordinatorInput::Closed { conn, reason } => {
                let reason = self.why_closed(conn, reason);
                self.forget_conn(conn);
                self.ask(HubInput::Closed { conn, reason });
            }
            CoordinatorInput::Packet { conn, frames } => {
                for frame in frames {
                    self.frame(conn, frame);
                    self.pump();
                }
            }
            CoordinatorInput::Undecodable { conn } => self.violation(conn),
            CoordinatorInput::Writable { conn } => {
                self.ask(HubInput::Writable { conn });
                if let Some(state) = self.conns.get_mut(&conn) {
                    state.writable = true;
                    if state.outgoing.is_some() || !state.redirect.is_empty() {
                        self.out.push_back(CoordinatorAction::Flush { conn });
                    }
                }
            }
            CoordinatorInput::Unwritable { conn } => {
                self.ask(HubInput::Unwritable { conn });
                if let Some(state) = self.conns.get_mut(&conn) {
                    state.writable = false;
                }
            }
            CoordinatorInput::Submit { ticket, task, spec, payload } => {
                let bytes = u32::try_from(payload.len()).unwrap_or(u32::MAX);
                match self.intern(&spec, bytes) {
                    Some(interned) => {
                        self.storage.submit(ticket, spec, payload);
                        self.tell(DispatcherInput::Submit { ticket, task, spec: interned });
                    }
                    None => self.refuse(ticket, ClientReply::TooManyHandlers { max: HANDLERS_MAX }),
                }
            }
            CoordinatorInput::Cancel { ticket, task } => {
                self.tell(DispatcherInput::Cancel { ticket, task });
            }
            CoordinatorInput::Retry { ticket, task, last } => {
                self.tell(DispatcherInput::Retry { ticket, task, last });
            }
            CoordinatorInput::Committed { up_to, done } => self.committed(up_to, done),
            CoordinatorInput::Disconnect { worker, reason } => {
                self.ask(HubInput::Disconnect { worker, reason });
            }
            CoordinatorInput::Reconnect { worker } => {
                self.ask(HubInput::Reconnect { worker });
            }
            CoordinatorInput::Endpoints { endpoints } => self.set_endpoints(endpoints),
            CoordinatorInput::Instead { to } => self.set_instead(to),
            CoordinatorInput::Redirect { worker, to } => self.send_elsewhere(worker, to),
            CoordinatorInput::Cordon { worker, cordoned } => self.cordon(worker, cordoned),
            CoordinatorInput::Forget { worker } => {
                if self.is_forgettable(worker) {
                    self.ask(HubInput::Forget { worker });
                    self.forgotten(worker);
                }
            }
            CoordinatorInput::Measured { registrations, busy } => {
                self.ask(HubInput::Measured { registrations, busy });
            }
            CoordinatorInput::LameDuck { grace, spread, hurry } => {
                let spread = if hurry { spread.min(self.hub.window()) } else { spread };
                let attached = self.hub.attached();
                self.event(CoordinatorEvent::Leaving { attached, grace, spread });
                self.ask(HubInput::LameDuck { grace, spread });
            }
            CoordinatorInput::Stop => {
                self.record(Event::new(EventKind::CoordinatorStopping));
                self.tell(DispatcherInput::Stop);
                self.ask(HubInput::Stop);
            }
        }
        self.pump();
    }

    /// What the driver can do at once; none until the next input or packet when there is none.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<CoordinatorAction> {
        self.out.pop_front()
    }

    /// When the node wants a `Timeout`: now while there are actions, else at the earliest deadline.
    #[must_use]
    pub fn next_wake(&self) -> Option<Instant> {
        if !self.out.is_empty() {
            return Some(self.now);
        }
        let hub = self.hub.next_wake().deadline();
        let dispatcher = self.dispatcher.next_wake().deadline();
        let dispatcher = dispatcher.map(|at| self.hub.actual(convert::instant_back(at)));
        hub.into_iter().chain(dispatcher).min()
    }

    /// Tells the dispatcher, on effective time.
    fn tell(&mut self, input: DispatcherInput) {
        let now = convert::instant(self.hub.effective(self.now));
        self.dispatcher.handle(now, input);
    }

    /// The name of a worker that is known.
    fn name_of(&self, worker: WorkerId) -> Name {
        match self.workers.get(&worker) {
            Some(file) => file.known.name.clone(),
            None => self.software.clone(),
        }
    }

    /// A connection is no more, and with it what its Hello said.
    fn forget_conn(&mut self, conn: ConnId) {
        let about = self.conns.remove(&conn).and_then(|state| state.about);
        if let Some(about) = about {
            self.names.release(&about.name);
        }
    }
}

/// Jitter needs no more of a seed.
fn low_half(seed: u128) -> u64 {
    u64::try_from(seed & u128::from(u64::MAX)).unwrap_or_default()
}
