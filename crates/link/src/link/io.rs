//! What goes into a [`Link`](crate::Link) and what comes out of it.

use core::time::Duration;

use crate::{
    Arrival, ConnId, CoordinatorFrame, Degraded, EnqueueError, Flags, Instant, Lane, Reason,
    SessionId, Spread, State, Tag,
};

/// Why a waiting worker should dial now.
///
/// ```
/// use moorline_link::{Kick, LinkInput};
///
/// let network_is_back = LinkInput::Kick(Kick::Network);
/// # let _ = network_is_back;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kick {
    /// The network is back or changed.
    Network,
    /// An operator or the application asked.
    Operator,
}

/// Everything a [`Link`](crate::Link) can be told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LinkInput {
    /// The time of [`next_wake`](crate::Link::next_wake) has come (an early one changes nothing).
    Timeout,
    /// A dial this machine asked for succeeded.
    Opened {
        /// The dial.
        conn: ConnId,
    },
    /// A dial this machine asked for failed.
    DialFailed {
        /// The dial.
        conn: ConnId,
        /// Why.
        reason: Reason,
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
        frame: CoordinatorFrame,
    },
    /// The peer broke the protocol in a way only the embedder can see (undecodable bytes, a bad part).
    Violation {
        /// On which connection.
        conn: ConnId,
    },
    /// The embedder's answer to [`LinkAction::TakeInventory`]: so many items will be asked for.
    Inventory {
        /// Items of this connection's inventory; they are indexed from 0.
        items: u32,
    },
    /// A message for the coordinator, at the end of its lane.
    Enqueue {
        /// The lane.
        lane: Lane,
        /// The embedder's mark.
        tag: Tag,
        /// Its size in bytes, header and body.
        len: u32,
    },
    /// The embedder no longer holds so much of what was delivered: the coordinator may send more.
    Release {
        /// The lane.
        lane: Lane,
        /// Messages.
        messages: u32,
        /// Bytes.
        bytes: u64,
    },
    /// What beats say from now on, and whether a drain must wait.
    Report {
        /// Free slots.
        free: u16,
        /// Paused by an operator.
        paused: bool,
        /// Something runs, or is finished and not answered.
        owes: bool,
    },
    /// Skip the wait and dial now (rate-limited, P06). Of a kick, a reconnect and a migrate that
    /// came too soon the newest is remembered and done when it may be ([`LinkVerdict::Later`]).
    Kick(Kick),
    /// Give this connection up and dial at once.
    Reconnect,
    /// Dial a second connection and move the session to it without a gap.
    Migrate,
    /// Drain, say goodbye and end. A second one can only bring the end nearer.
    Stop {
        /// What is not finished after this time is stopped and handed back ([`LinkAction::HandBack`]).
        /// Without a connection the link ends then; with one, when the goodbye is written, or could
        /// not be in its own time ([`Timeouts`](crate::Timeouts)).
        within: Duration,
    },
    /// An operator restarts a failed link.
    Restart,
    /// Count anew from now on ([`LinkStatistics`](crate::LinkStatistics)); nothing the link decides
    /// by changes.
    ResetStatistics,
}

/// What became of an input, at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LinkVerdict {
    /// It took effect, or rightly changed nothing.
    Accepted,
    /// The message of this frame is new and next: process it now, once.
    Deliver,
    /// The message of this frame was processed before: drop it.
    Duplicate,
    /// The inventory answer of this frame counts: honour it.
    Answer,
    /// Too soon after the last one of its kind (P06, P07): it is remembered, and done after this
    /// time, unless another such wish comes first.
    Later {
        /// Until then.
        within: Duration,
    },
    /// It quotes a connection that is not current: nothing changed.
    Stale,
    /// The embedder cannot do this now: nothing changed.
    Rejected(LinkRejection),
    /// The peer broke the protocol: the connection is being closed.
    Violation(Violation),
}

/// Why an input of the embedder was not taken.
///
/// ```
/// # use moorline_link::*;
/// # let me = Identity { worker: WorkerId(1), incarnation: Incarnation(2), name: Sym(0),
/// #     versions: Versions::SPOKEN, features: 0 };
/// let mut link = Link::new(LinkConfig::default(), me, 42, Instant::ZERO);
/// let verdict = link.handle(Instant::ZERO, LinkInput::Restart);
/// let not_failed = LinkRejection::State(State::Disconnected);
/// assert_eq!(verdict, LinkVerdict::Rejected(not_failed));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum LinkRejection {
    /// The message was not enqueued.
    Enqueue(EnqueueError),
    /// Not meaningful in this state.
    State(State),
}

/// How a peer broke the protocol. It closes the connection with [`Reason::ProtocolError`].
///
/// ```
/// use moorline_link::{Reason, Violation};
///
/// fn reason(_what: Violation) -> Reason {
///     Reason::ProtocolError
/// }
/// assert_eq!(reason(Violation::FalseAck), Reason::ProtocolError);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Violation {
    /// A frame that may not come at this point of the conversation.
    OutOfPlace,
    /// A message with a wrong number, size or credit.
    Message(Arrival),
    /// An acknowledgement or a resume of what was never sent.
    FalseAck,
    /// The embedder said so.
    Undecodable,
    /// More inventory answers than items, more items than allowed, or a wrong count.
    Inventory,
}

/// A transition that the embedder may want to log, with what it needs to say it.
///
/// ```
/// use moorline_link::{Reason, State, Transition};
///
/// let lost =
///     Transition { from: State::Active, to: State::Disconnected, reason: Some(Reason::StreamLost) };
/// println!("{:?} to {:?}: {}", lost.from, lost.to, lost.reason.map_or("", Reason::meaning));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Transition {
    /// Before.
    pub from: State,
    /// After.
    pub to: State,
    /// Why.
    pub reason: Option<Reason>,
}

/// What the driver can always do at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LinkAction {
    /// Open a connection with a new [`ConnId`] the machine chose, and answer `Opened` or `DialFailed`.
    Dial {
        /// Its name from now on.
        conn: ConnId,
        /// Dials since the last stable connection, from 1.
        attempt: u32,
        /// Give up after this time: the machine does so too.
        timeout: Duration,
    },
    /// Close a connection or cancel a dial; it is not current any more.
    Close {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: Reason,
    },
    /// The coordinator accepted: bodies of a session that was not resumed are void, and the
    /// inventory is to be taken now and answered by [`LinkInput::Inventory`].
    TakeInventory {
        /// The session.
        session: SessionId,
        /// Whether its lanes go on.
        resumed: bool,
    },
    /// The coordinator processed this message: its body may go (durable is said by work).
    Released {
        /// The mark it was enqueued with.
        tag: Tag,
    },
    /// The state changed.
    Announce(Transition),
    /// A beat was missed, or its answer disagreed with it (`out_of_step`: what the coordinator
    /// believes is not what the worker said): this many in a row of this many allowed.
    BeatMissed {
        /// In a row, from 1.
        missed: u8,
        /// Allowed: at this number the connection is given up.
        limit: u8,
        /// The cause: unanswered, not even written, silence, or disagreement.
        reason: Reason,
    },
    /// A beat was answered, or agreed with, after one or more were not.
    BeatRecovered,
    /// The peer has been silent for longer than usual on this path (phi 3), or is not any more. At
    /// phi 8 it is probed, and at the latest then the silence has an end; a connection that is lost
    /// ends a suspicion without a word.
    Suspicion {
        /// Suspected, or trusted again.
        suspect: bool,
        /// For how long nothing was heard.
        silent: Duration,
    },
    /// It beats at another interval from now on: shorter while the path is in doubt, as assigned when
    /// it is not. A new connection begins as assigned without a word.
    Interval {
        /// The new one.
        interval: Duration,
    },
    /// What is bad about the link has changed; nothing, if it is good again.
    Degraded(Degraded),
    /// The link is not active, and the coordinator may have given away by now what this worker holds
    /// ([`LinkSnapshot::leases_until`]): a success of it may come too late. Told once for each outage.
    LeasesExpired,
    /// The time for the drain is over: stop what runs, and report that nothing is owed when it has
    /// stopped. Then the goodbye hands it back; without it the link ends in the time of a goodbye.
    HandBack,
    /// A dial or registration beside a connection that stands failed: the state is the same, and it
    /// is not tried again by itself (ask for another [`LinkInput::Migrate`]).
    CandidateLost {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: Reason,
    },
    /// The clock jumped or this machine was not run for this long; the silence is not held against
    /// the peer.
    Stalled {
        /// For how long.
        late: Duration,
    },
}

/// A frame to write on a connection, in a packet of the lane it was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LinkTransmit {
    /// A frame that is complete as it stands, but for what the embedder joins to it.
    Frame(crate::WorkerFrame),
    /// A numbered message: the embedder has its body under `tag`.
    Message {
        /// The header to write.
        head: crate::MessageHead,
        /// The embedder's mark.
        tag: Tag,
    },
}

/// What a [`Link`](crate::Link) looks like from outside, now.
///
/// ```
/// # use moorline_link::*;
/// # let me = Identity { worker: WorkerId(1), incarnation: Incarnation(2), name: Sym(0),
/// #     versions: Versions::SPOKEN, features: 0 };
/// let link = Link::new(LinkConfig::default(), me, 42, Instant::ZERO);
/// let snapshot: LinkSnapshot = link.snapshot();
/// assert_eq!((snapshot.state, snapshot.attempts), (State::Disconnected, 0));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LinkSnapshot {
    /// The state.
    pub state: State,
    /// Since when.
    pub since: Instant,
    /// Why the last connection ended or the link failed.
    pub reason: Option<Reason>,
    /// The session, while there is one.
    pub session: Option<SessionId>,
    /// The connection that is registered, while there is one.
    pub conn: Option<ConnId>,
    /// Draining.
    pub draining: bool,
    /// Dials since the last stable connection.
    pub attempts: u32,
    /// Those of them that a coordinator answered with a slot: they do not let the delays grow, so the
    /// next delay is drawn by the number `attempts - put_off + 1`.
    pub put_off: u32,
    /// Reconnects that were asked for and taken ([`LinkInput::Reconnect`]): the connection of before
    /// is given up.
    pub reconnects: u64,
    /// The delay that was drawn before the next dial, while waiting for it.
    pub delay: Option<Duration>,
    /// The delay before that one: what [`Jitter::Decorrelated`](crate::Jitter::Decorrelated) reads.
    pub previous_delay: Duration,
    /// The seed of this outage: with the policy, `drawn_with`, the number of the next delay (see
    /// `put_off`) and the previous delay it gives the delay again
    /// ([`Backoff::delay_with`](crate::Backoff::delay_with)).
    pub backoff_seed: u64,
    /// What was known of the outage when the delay was drawn.
    pub drawn_with: Spread,
    /// Over how long the coordinator wants this worker to spread its dials, within our own bound.
    pub first_window: Option<Duration>,
    /// When the next dial is due, while waiting for it.
    pub next_attempt: Option<Instant>,
    /// When `Active` was lost for the outage that goes on, or went on last.
    pub outage_since: Option<Instant>,
    /// When anything was received last: a frame, or a part of one (P22).
    pub last_received: Option<Instant>,
    /// When the last frame that was answered had been sent, a beat or a Hello: the coordinator
    /// received something then or later.
    pub last_proven: Option<Instant>,
    /// Until when the coordinator keeps what this worker holds, at least: `lost_after` from
    /// `last_proven`.
    pub leases_until: Option<Instant>,
    /// Round trip of the last answered beat.
    pub rtt: Option<Duration>,
    /// Beats missed in a row.
    pub missed: u8,
    /// The interval of beats the coordinator assigned.
    pub beat_interval: Duration,
    /// The interval of beats that is kept now, while there is a connection: the assigned one, or a
    /// shorter one while the path is in doubt.
    pub interval: Option<Duration>,
    /// The peer has been silent for longer than usual.
    pub suspected: bool,
    /// What is bad about the link: judged while it is active, and kept while it is not.
    pub degraded: Degraded,
    /// After how long without contact the coordinator gives work away, as it said.
    pub lost_after: Option<Duration>,
    /// What the coordinator believes, from the last answered beat.
    pub believed: Flags,
}
