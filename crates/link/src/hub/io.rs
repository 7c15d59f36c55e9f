//! What goes into a [`Hub`](crate::Hub) and what comes out of it.

use core::time::Duration;

use crate::{
    ConnId, CoordinatorFrame, Dismissal, EnqueueError, Incarnation, Instant, Lane, MessageHead,
    Reason, SessionId, Statistics, Sym, Tag, Violation, WorkerFrame, WorkerId,
};

/// Everything a [`Hub`](crate::Hub) can be told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HubInput {
    /// The time of [`next_wake`](crate::Hub::next_wake) has come (an early one changes nothing).
    Timeout,
    /// A connection was accepted; it has to say Hello within the register timeout.
    Accepted {
        /// Its name, chosen by the driver, never used before.
        conn: ConnId,
    },
    /// A connection ended, as the transport says.
    Closed {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: Reason,
    },
    /// Bytes arrived that are not a whole frame yet: they prove life.
    Received {
        /// On which connection.
        conn: ConnId,
    },
    /// A frame arrived (which proves life too).
    Frame {
        /// On which connection.
        conn: ConnId,
        /// The frame.
        frame: WorkerFrame,
    },
    /// The peer broke the protocol in a way only the embedder can see.
    Violation {
        /// On which connection.
        conn: ConnId,
    },
    /// Somebody who has said Hello is not let in, for a reason of the embedder: in the place of that
    /// frame.
    Refuse {
        /// On which connection.
        conn: ConnId,
        /// What it is told.
        dismissal: Dismissal,
    },
    /// The connection takes packets again. A new connection is writable.
    Writable {
        /// Which.
        conn: ConnId,
    },
    /// The connection takes no packets for now: it leaves the ring until `Writable`.
    Unwritable {
        /// Which.
        conn: ConnId,
    },
    /// A worker that is known from an earlier life and not seen in this one.
    Expect {
        /// Who.
        worker: WorkerId,
        /// Its name.
        name: Sym,
    },
    /// A message for a worker, at the end of its lane. It waits for the session to be active.
    Enqueue {
        /// For whom.
        worker: WorkerId,
        /// The lane.
        lane: Lane,
        /// The embedder's mark.
        tag: Tag,
        /// Its size in bytes, header and body.
        len: u32,
    },
    /// Take a message back that has no number yet.
    Withdraw {
        /// Of whom.
        worker: WorkerId,
        /// The lane.
        lane: Lane,
        /// The embedder's mark.
        tag: Tag,
    },
    /// The embedder no longer holds so much of what was delivered: the worker may send more.
    Release {
        /// Of whom. Stale sessions are told apart by the embedder's care: release before `Registered` of a new session, or never.
        worker: WorkerId,
        /// The lane.
        lane: Lane,
        /// Messages.
        messages: u32,
        /// Bytes.
        bytes: u64,
    },
    /// One more answer to the inventory of this connection is ready; answers are indexed from 0 in
    /// the order they became ready, and given back by that index.
    AnswerReady {
        /// On which connection.
        conn: ConnId,
    },
    /// What the coordinator believes of a worker: carried in beat answers, compared with its beats.
    Believe {
        /// Of whom.
        worker: WorkerId,
        /// Free slots.
        free: u16,
        /// Paused by an operator.
        paused: bool,
    },
    /// The store is behind: beat answers say so.
    Waiting(bool),
    /// So many registrations took so much of the coordinator's work: with
    /// [`RegistrationRate::Measured`](crate::RegistrationRate) the rate at which workers come in
    /// follows from it. Best told about once a second, while there are any.
    Measured {
        /// Workers that were registered.
        registrations: u32,
        /// The time the coordinator was busy meanwhile.
        busy: Duration,
    },
    /// End a worker's connection; the session stays.
    Disconnect {
        /// Whose.
        worker: WorkerId,
        /// Why.
        reason: Reason,
    },
    /// End a worker's connection and let it come back at once; the session stays.
    Reconnect {
        /// Whose.
        worker: WorkerId,
    },
    /// The worker is to get nothing new, or may again, through all its sessions: it counts as draining
    /// here, whatever it says of itself.
    Cordon {
        /// Who.
        worker: WorkerId,
        /// Nothing new from now on, or again.
        cordoned: bool,
    },
    /// The worker's leases were given away: its session ends, the next Hello gets a new one.
    Lost {
        /// Who.
        worker: WorkerId,
    },
    /// Forget a worker that is lost or departed, or expected and not seen.
    Forget {
        /// Who.
        worker: WorkerId,
    },
    /// The coordinator will stop: nobody comes in any more, and those who are connected are sent away
    /// one after the other, at times of their own between `grace` and `grace + spread` from now.
    LameDuck {
        /// For so long nobody is sent away.
        grace: Duration,
        /// Then everybody within this time.
        spread: Duration,
    },
    /// The coordinator stops: every connection is told and closed, new ones are refused.
    Stop,
}

/// What became of an input, at once.
///
/// ```
/// use moorline_link::*;
///
/// let now = Instant::ZERO;
/// let mut hub = Hub::new(HubConfig::default(), Epoch(1), 7, now);
/// let foreign = HubInput::Closed { conn: ConnId(9), reason: Reason::StreamLost };
/// assert_eq!(hub.handle(now, foreign), HubVerdict::Stale);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HubVerdict {
    /// It took effect, or rightly changed nothing.
    Accepted,
    /// The message of this frame is new and next: process it now, once.
    Deliver {
        /// From whom.
        worker: WorkerId,
        /// From which process of it.
        incarnation: Incarnation,
    },
    /// The message of this frame was processed before: drop it.
    Duplicate,
    /// The inventory item of this frame counts: look it up, then say `AnswerReady`.
    Item {
        /// Of whom.
        worker: WorkerId,
        /// Of which process of it.
        incarnation: Incarnation,
    },
    /// The inventory is complete.
    InventoryEnd {
        /// Of whom.
        worker: WorkerId,
        /// Of which process of it.
        incarnation: Incarnation,
    },
    /// The message was withdrawn: it will not be sent.
    Withdrawn,
    /// It quotes a connection or a worker that is not current: nothing changed.
    Stale,
    /// The embedder cannot do this now: nothing changed.
    Rejected(EnqueueError),
    /// The peer broke the protocol: the connection is being closed.
    Violation(Violation),
}

/// What the driver or the embedder can always do at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HubAction {
    /// Close a connection (after what is written, the dismissal included, has left as far as it can).
    Close {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: Reason,
    },
    /// This connection has frames due and is writable: poll it up to the quantum.
    Flush {
        /// Which.
        conn: ConnId,
    },
    /// A worker was welcomed. Its inventory follows.
    Registered(Registration),
    /// The worker honoured all answers and its session is active.
    Active {
        /// Who.
        worker: WorkerId,
        /// On which connection.
        conn: ConnId,
        /// How long it had not been active, if it was before in this life: its outage as it was seen
        /// here. A connection that took over from a live one is none.
        away: Option<Duration>,
    },
    /// The worker has no connection any more. Its session and leases stand.
    Detached {
        /// Who.
        worker: WorkerId,
        /// Why.
        reason: Reason,
        /// Its last frame, on the effective clock: `lost_after` runs from here.
        last_received: Instant,
    },
    /// Nothing was heard from the worker for `suspect_after`; or it was heard again.
    Suspect {
        /// Who.
        worker: WorkerId,
        /// Suspect now, or not any more.
        suspect: bool,
    },
    /// The worker said goodbye: its session is over.
    Departed {
        /// Who.
        worker: WorkerId,
        /// Why.
        reason: Reason,
    },
    /// A registration was refused.
    Refused {
        /// On which connection.
        conn: ConnId,
        /// Why.
        reason: Reason,
    },
    /// The worker processed this message: its body may go.
    Released {
        /// Who.
        worker: WorkerId,
        /// The mark it was enqueued with.
        tag: Tag,
    },
    /// A worker's beats changed what it says of itself.
    Flags {
        /// Who.
        worker: WorkerId,
        /// It takes nothing new.
        draining: bool,
        /// Paused by an operator.
        paused: bool,
    },
    /// A worker lost too many connections within the window of the settings, or was calm for half of
    /// it after it had.
    Flapping {
        /// Who.
        worker: WorkerId,
        /// What it lost; `None` = it is calm again.
        flapping: Option<Flapping>,
    },
    /// A worker that was lost, departed or never came is not known any more: for `forget_after`, or
    /// to make room for another one.
    Forgotten {
        /// Who.
        worker: WorkerId,
    },
    /// The hub was not run for this long: no worker is blamed for it.
    Stalled {
        /// For how long.
        late: Duration,
    },
}

/// What a worker that comes and goes has lost lately.
///
/// ```
/// use core::time::Duration;
/// use moorline_link::{Flapping, Reason};
///
/// let median_life = Duration::from_secs(60);
/// let flapping = Flapping { losses: 6, reason: Reason::HalfOpen, median_life };
/// assert_eq!(flapping.reason.name(), "half_open");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Flapping {
    /// Connections within the window; 16 and more count as 16.
    pub losses: u8,
    /// The most common reason.
    pub reason: Reason,
    /// How long a connection lived: as many lived longer as shorter.
    pub median_life: Duration,
}

/// A worker that was welcomed.
///
/// ```
/// use moorline_link::{HubAction, Registration};
///
/// fn taken_in(action: HubAction) -> Option<Registration> {
///     if let HubAction::Registered(registration) = action { Some(registration) } else { None }
/// }
/// # let _ = taken_in;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Registration {
    /// Who.
    pub worker: WorkerId,
    /// Its name.
    pub name: Sym,
    /// Which process of it.
    pub incarnation: Incarnation,
    /// On which connection.
    pub conn: ConnId,
    /// The session.
    pub session: SessionId,
    /// Whether its lanes go on; else tags of the old session are void.
    pub resumed: bool,
}

/// A frame to write on a connection, in a packet of the lane it was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HubTransmit {
    /// A frame that is complete as it stands, but for what the embedder joins to it.
    Frame(CoordinatorFrame),
    /// A numbered message: the embedder has its body under `tag`.
    Message {
        /// For whom.
        worker: WorkerId,
        /// The header to write.
        head: MessageHead,
        /// The embedder's mark.
        tag: Tag,
    },
}

/// The link's part of the coordinator's view of a worker, computed when read. `lost` is said by work.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Presence {
    /// Known, and not seen in this life of the coordinator.
    Expected,
    /// Connected, its inventory is being answered.
    Restoring,
    /// Heard within `suspect_after`.
    Active,
    /// Silent for `suspect_after`, its connection still open.
    Suspect,
    /// No connection, or silent for `disconnect_after`.
    Disconnected,
    /// Its leases were given away.
    Lost,
    /// It takes nothing new.
    Draining,
    /// It said goodbye.
    Departed,
}

/// What a [`Hub`](crate::Hub) knows of one worker, now.
///
/// ```
/// use moorline_link::*;
///
/// let now = Instant::ZERO;
/// let hub = Hub::new(HubConfig::default(), Epoch(1), 7, now);
/// let nobody: Option<WorkerSnapshot> = hub.worker(now, WorkerId(1));
/// assert_eq!(nobody, None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct WorkerSnapshot {
    /// Who.
    pub worker: WorkerId,
    /// Its name.
    pub name: Sym,
    /// The latest process of it, once seen.
    pub incarnation: Option<Incarnation>,
    /// Computed from freshness.
    pub presence: Presence,
    /// Since when, on the effective clock.
    pub since: Instant,
    /// Why it is not active.
    pub reason: Option<Reason>,
    /// Its connection, if it has one.
    pub conn: Option<ConnId>,
    /// Its session, while there is one.
    pub session: Option<SessionId>,
    /// Its last frame, on the effective clock.
    pub last_received: Option<Instant>,
    /// Round trip, as the worker measured it last.
    pub rtt: Option<Duration>,
    /// It is to get nothing new, by an operator's word.
    pub cordoned: bool,
    /// What it lost, while it comes and goes.
    pub flapping: Option<Flapping>,
    /// What the worker's link has counted, as it told last in this session.
    pub statistics: Option<Statistics>,
}

/// What a [`Hub`](crate::Hub) waits for. Of deadlines at the same time the first listed comes first.
///
/// ```
/// use moorline_link::*;
///
/// let now = Instant::ZERO;
/// let mut hub = Hub::new(HubConfig::default(), Epoch(1), 7, now);
/// hub.handle(now, HubInput::Accepted { conn: ConnId(1) });
/// assert!(matches!(hub.next_wake(), Wake::At { timer: HubTimer::Pulse | HubTimer::Register, .. }));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum HubTimer {
    /// A connection has to have said Hello by then.
    Register,
    /// The last frame of a connection that is being closed is given up.
    Farewell,
    /// The incumbent of a claimed identity has to have answered by then.
    TakeOver,
    /// A silent worker becomes suspect.
    Suspect,
    /// A silent worker is disconnected.
    Disconnect,
    /// A worker is sent away by a lame duck.
    SendAway,
    /// A worker that came and went was calm for long enough.
    Calm,
    /// A worker that is not here any more is forgotten.
    Forget,
    /// A transport that takes no packets is to have taken one again by then.
    Full,
    /// One of the messages that a worker was sent is to be acknowledged by then.
    Unacknowledged,
    /// Nothing: the hub is run often enough to measure its own stalls.
    Pulse,
}
