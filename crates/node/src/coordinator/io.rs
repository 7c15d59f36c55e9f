//! What goes into a [`CoordinatorNode`](crate::CoordinatorNode) and what comes out of it.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::{
    Backoff, ConnId, Dismissal, Epoch, Flapping, HubConfig, Incarnation, Reason, Statistics,
    WorkerId,
};
use moorline_work::{Attempt, DispatcherConfig, Disposition, Reply, TaskId, TaskKey, Ticket};

use crate::{Address, Credential, Done, Name, Persist, PersistId, Spec, UpFrame};

/// Everything a [`CoordinatorNode`](crate::CoordinatorNode) is made of.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CoordinatorConfig {
    /// Connections and sessions.
    pub hub: HubConfig,
    /// Tasks and leases.
    pub dispatcher: DispatcherConfig,
    /// Delays between the attempts of a task that failed and may be retried.
    pub retry: Backoff,
    /// This life.
    pub epoch: Epoch,
    /// The version of the software, for people.
    pub software: Name,
    /// Random, and a secret: feeds jitter and the key of admission tickets.
    pub seed: u128,
}

/// Who somebody says to be, and what there is to show for it.
///
/// ```
/// use moorline_link::{ComeBack, Dismissal, Reason};
/// use moorline_node::{Applicant, CoordinatorInput};
///
/// /// Lets in who shows anything at all.
/// fn judge(applicant: &Applicant) -> Result<(), Dismissal> {
///     let (reason, come_back) = (Reason::AuthMissing, ComeBack::ByReason);
///     applicant.credential.as_ref().map(|_| ()).ok_or(Dismissal { reason, come_back })
/// }
/// # let _ = judge;
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Applicant {
    /// Which worker.
    pub worker: WorkerId,
    /// Which process of it.
    pub incarnation: Incarnation,
    /// Its name.
    pub name: Name,
    /// The name its certificate proves, where it was asked for one: the same.
    pub proven: Option<String>,
    /// What its Hello showed.
    pub credential: Option<Credential>,
}

/// Everything a [`CoordinatorNode`](crate::CoordinatorNode) can be told.
///
/// ```
/// # use moorline_link::{Backoff, Epoch, HubConfig, Instant};
/// # use moorline_node::*;
/// # use moorline_work::DispatcherConfig;
/// # let config = CoordinatorConfig {
/// #     hub: HubConfig::default(), dispatcher: DispatcherConfig::default(), retry: Backoff::default(),
/// #     epoch: Epoch(1), software: Name::new("example 1.0")?, seed: 42,
/// # };
/// use moorline_link::ConnId;
///
/// let mut node = CoordinatorNode::new(config, Instant::ZERO);
/// node.handle(Instant::ZERO, CoordinatorInput::Accepted { conn: ConnId(1) });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum CoordinatorInput {
    /// The time of `next_wake` has come (an early one changes nothing).
    Timeout,
    /// A connection was accepted.
    Accepted {
        /// Its name, chosen by the driver, never used before.
        conn: ConnId,
    },
    /// The name that the transport has seen proven by a certificate: told before a packet. Whoever says
    /// Hello under another one is refused with [`Reason::AuthRejected`] and a hint that has both names;
    /// it comes back slowly, for certificates are read again when they change.
    Proven {
        /// On which connection.
        conn: ConnId,
        /// The name; empty: none, and nobody has that.
        name: String,
    },
    /// The answer to [`CoordinatorAction::Authenticate`].
    Authenticated {
        /// On which connection.
        conn: ConnId,
        /// Whether its worker is let in, or what it is told.
        judged: Result<(), Dismissal>,
    },
    /// A connection ended, as the transport says.
    Closed {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: Reason,
    },
    /// A packet arrived.
    Packet {
        /// On which connection.
        conn: ConnId,
        /// Its frames.
        frames: Vec<UpFrame>,
    },
    /// Bytes arrived that are no packet.
    Undecodable {
        /// On which connection.
        conn: ConnId,
    },
    /// The connection takes packets again. A new connection is writable.
    Writable {
        /// Which.
        conn: ConnId,
    },
    /// The connection takes no packets for now.
    Unwritable {
        /// Which.
        conn: ConnId,
    },
    /// A client hands in a task.
    Submit {
        /// Given back with the reply.
        ticket: Ticket,
        /// Its id.
        task: TaskId,
        /// What it asks for.
        spec: Spec,
        /// The handler's input, at most [`BODY_MAX`](crate::BODY_MAX) bytes (checked by whoever builds this).
        payload: Bytes,
    },
    /// A client wants a task to end.
    Cancel {
        /// Given back with the reply.
        ticket: Ticket,
        /// Which.
        task: TaskId,
    },
    /// A client wants an ended task that has no result to be queued again.
    Retry {
        /// Given back with the reply.
        ticket: Ticket,
        /// Which.
        task: TaskId,
        /// The last attempt given out, as the client knows it.
        last: Attempt,
    },
    /// Everything up to and including this operation is durable, but for what conflicted.
    Committed {
        /// The last one.
        up_to: PersistId,
        /// What became of each, in order, since the last `Committed`.
        done: Vec<Done>,
    },
    /// End a worker's connection; it comes back.
    Disconnect {
        /// Whose.
        worker: WorkerId,
        /// Why.
        reason: Reason,
    },
    /// End a worker's connection and let it come back at once.
    Reconnect {
        /// Whose.
        worker: WorkerId,
    },
    /// Where this coordinator can be reached too: told to every worker with its Welcome and with the next
    /// answer to a beat. At most [`Address::COUNT_MAX`], the rest is left out.
    Endpoints {
        /// In the order in which to try them; none takes back what was told.
        endpoints: Vec<Address>,
    },
    /// Where workers go that are sent away because this coordinator stops. At most
    /// [`Address::COUNT_MAX`], the rest is left out.
    Instead {
        /// In the order in which to try them; nowhere in particular if there are none.
        to: Vec<Address>,
    },
    /// Send a worker elsewhere: it leaves when it is registered there, and stays if it cannot be. One
    /// for which [`is_movable`](crate::CoordinatorNode::is_movable) does not hold stays.
    Redirect {
        /// Whom.
        worker: WorkerId,
        /// In the order in which to try them: at most [`Address::COUNT_MAX`], the rest is left out.
        to: Vec<Address>,
    },
    /// Give a worker nothing new, or let it go on; durably.
    Cordon {
        /// Whom.
        worker: WorkerId,
        /// Nothing new from now on, or again.
        cordoned: bool,
    },
    /// Forget a worker for which [`is_forgettable`](crate::CoordinatorNode::is_forgettable) holds.
    Forget {
        /// Which.
        worker: WorkerId,
    },
    /// So many registrations took so much of the coordinator's work.
    Measured {
        /// Workers that were registered.
        registrations: u32,
        /// The time the coordinator was busy meanwhile.
        busy: Duration,
    },
    /// The coordinator will stop: nobody comes in any more, and workers are sent away one after the
    /// other.
    LameDuck {
        /// For so long nobody is sent away.
        grace: Duration,
        /// Then everybody within this time.
        spread: Duration,
        /// Takes no more of `spread` than as many workers need to register elsewhere.
        hurry: bool,
    },
    /// The coordinator stops: workers are told, new ones are refused.
    Stop,
}

/// What the driver can always do at once.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum CoordinatorAction {
    /// Make this durable, after all with smaller numbers.
    Persist(Persist),
    /// Find out whether a worker is who it says, and say it by [`CoordinatorInput::Authenticated`].
    /// There are as many of these under way as connections may wait for their Hello, each for as long as
    /// that may take: what is answered later is not heard.
    Authenticate {
        /// On which connection.
        conn: ConnId,
        /// What it says, and what it shows.
        applicant: Applicant,
    },
    /// Close a connection, after what is written has left as far as it can.
    Close {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: Reason,
    },
    /// This connection has packets due and is writable: poll it for a few.
    Flush {
        /// Which.
        conn: ConnId,
    },
    /// The reply to a client.
    Reply {
        /// To which request.
        ticket: Ticket,
        /// What.
        reply: ClientReply,
    },
    /// A task has ended, durably.
    Ended {
        /// Which.
        task: TaskId,
    },
    /// Something worth a log line.
    Event(CoordinatorEvent),
}

/// The reply to a client's request.
///
/// ```
/// use moorline_node::ClientReply;
/// use moorline_work::Reply;
///
/// let durable = ClientReply::Work(Reply::Submitted { again: false });
/// # let _ = durable;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ClientReply {
    /// What work says.
    Work(Reply),
    /// The table of handler names is full: this coordinator has seen too many different ones.
    TooManyHandlers {
        /// How many it takes.
        max: u32,
    },
}

/// Something worth a log line, with what it needs.
///
/// ```
/// use moorline_node::{CoordinatorAction, CoordinatorEvent};
///
/// fn event(action: CoordinatorAction) -> Option<CoordinatorEvent> {
///     if let CoordinatorAction::Event(event) = action { Some(event) } else { None }
/// }
/// # let _ = event;
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum CoordinatorEvent {
    /// The store's leases and workers are read.
    Recovered {
        /// Leases of earlier lives.
        leases: u32,
        /// Workers expected back.
        workers: u32,
    },
    /// It is a lame duck now: [`CoordinatorInput::LameDuck`].
    Leaving {
        /// Workers that will be sent away.
        attached: usize,
        /// For so long nobody is.
        grace: Duration,
        /// Then everybody is within this time.
        spread: Duration,
    },
    /// A worker was welcomed.
    Registered {
        /// Who.
        worker: WorkerId,
        /// Its name.
        name: Name,
        /// Its session goes on.
        resumed: bool,
        /// The number of its session.
        session: u64,
        /// On which connection.
        conn: ConnId,
    },
    /// A worker's session is active.
    Active {
        /// Its name.
        name: Name,
        /// How long it had not been, if it was before.
        away: Option<Duration>,
    },
    /// A worker has no connection any more.
    Detached {
        /// Its name.
        name: Name,
        /// Why.
        reason: Reason,
        /// How long it had been silent.
        silent: Duration,
        /// Leases it keeps for now.
        leases: u32,
    },
    /// A worker is late.
    Suspect {
        /// Its name.
        name: Name,
        /// Late now, or heard again.
        suspect: bool,
    },
    /// A worker's leases were given away.
    Lost {
        /// Its name.
        name: Name,
    },
    /// A worker said goodbye.
    Departed {
        /// Its name.
        name: Name,
        /// Why.
        reason: Reason,
    },
    /// A registration was refused.
    Refused {
        /// The name it gave, if it got that far.
        name: Option<Name>,
        /// Why.
        reason: Reason,
    },
    /// A task was leased and sent.
    Assigned {
        /// Which attempt.
        key: TaskKey,
        /// To whom.
        name: Name,
    },
    /// A task went back to the queue because its worker was lost, or came back without it.
    Redelivered {
        /// The attempt that is over.
        key: TaskKey,
    },
    /// A result or an inventory item was answered finally.
    Settled {
        /// Which attempt.
        key: TaskKey,
        /// Of whom.
        name: Name,
        /// What became of it.
        disposition: Disposition,
    },
    /// A worker comes and goes, or is calm again.
    Flapping {
        /// Its name.
        name: Name,
        /// What it lost; `None` = calm again.
        flapping: Option<Flapping>,
    },
    /// A worker that was gone for long enough is not known any more.
    Forgotten {
        /// Its name.
        name: Name,
    },
    /// The table of handlers has no place for some that a worker offers: it gets no task of them.
    HandlersFull {
        /// The worker's name.
        name: Name,
        /// How many.
        left_out: u32,
    },
    /// This process was not run for so long; no worker is blamed for it.
    Stalled {
        /// For how long.
        late: Duration,
    },
}

/// Where a worker is, in the words of surfaces: for lists.
///
/// ```
/// use moorline_node::WorkerView;
///
/// fn say(view: &WorkerView) -> String {
///     format!("{}: {:?} for {:?}, {} running", view.name.as_str(), view.presence, view.since, view.running)
/// }
/// # let _ = say;
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct WorkerView {
    /// Who.
    pub worker: WorkerId,
    /// Its name.
    pub name: Name,
    /// `expected`, `restoring`, `active`, `suspect`, `disconnected`, `lost`, `draining` or `departed`.
    pub presence: moorline_link::Presence,
    /// For how long.
    pub since: Duration,
    /// Why it is not active.
    pub reason: Option<Reason>,
    /// How many attempts it runs at once; 0 until it was seen.
    pub slots: u16,
    /// Leases it holds.
    pub running: u32,
    /// How long ago its last frame arrived.
    pub last_contact: Option<Duration>,
    /// Round trip, as the worker measured it.
    pub rtt: Option<Duration>,
    /// What its link has counted, as it told last in this session.
    pub statistics: Option<Statistics>,
    /// Its connection.
    pub conn: Option<ConnId>,
    /// The version of its software.
    pub software: Option<Name>,
    /// It gets nothing new, by an operator's word.
    pub cordoned: bool,
    /// What it lost, while it comes and goes.
    pub flapping: Option<Flapping>,
    /// It is connected, and understands to be told of endpoints and to be sent elsewhere.
    pub moves: bool,
}
