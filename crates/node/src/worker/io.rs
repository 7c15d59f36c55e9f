//! What goes into a [`WorkerNode`](crate::WorkerNode) and what comes out of it.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use moorline_link::{
    ConnId, Degraded, Incarnation, Kick, LinkConfig, LinkRejection, Reason, Timer, Transition,
    WorkerId,
};
use moorline_work::{
    AbortReason, Disposition, Instant, Outcome, RunId, RunnerConfig, RunnerTimer, TaskKey,
};

use crate::{Address, Credential, DownFrame, JournalId, JournalWrite, Name};

/// Everything a [`WorkerNode`](crate::WorkerNode) is made of.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WorkerConfig {
    /// The connection.
    pub link: LinkConfig,
    /// The slots.
    pub runner: RunnerConfig,
    /// Who.
    pub worker: WorkerId,
    /// Which process of it.
    pub incarnation: Incarnation,
    /// Its name.
    pub name: Name,
    /// Its handlers.
    pub handlers: Vec<Name>,
    /// The version of its software, for people.
    pub software: Name,
    /// Feeds the jitter of its backoff: independent for each worker (P08).
    pub seed: u64,
}

/// Why a [`WorkerNode`](crate::WorkerNode) cannot be made.
///
/// ```
/// use moorline_node::WorkerConfigError;
///
/// assert!(WorkerConfigError::NoSlots.to_string().contains("slot"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WorkerConfigError {
    /// It could run nothing: the least is one slot.
    NoSlots,
    /// More handlers than one worker may announce.
    TooManyHandlers {
        /// How many, without repetition.
        count: usize,
        /// How many it may announce.
        max: usize,
    },
    /// The names of its handlers do not fit into one Hello together.
    HelloTooLarge {
        /// Size of the Hello in bytes, at most.
        bytes: usize,
        /// What one packet takes.
        max: usize,
    },
}

impl fmt::Display for WorkerConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSlots => write!(f, "a worker needs at least one slot"),
            Self::TooManyHandlers { count, max } => {
                write!(f, "a worker has at most {max} handlers, this one has {count}")
            }
            Self::HelloTooLarge { bytes, max } => write!(
                f,
                "the names of all handlers together are too long: \
                 the registration would have {bytes} bytes and may have {max}"
            ),
        }
    }
}

impl std::error::Error for WorkerConfigError {}

/// What became of an input, at once.
///
/// ```
/// use moorline_node::WorkerVerdict;
///
/// fn took_effect(verdict: WorkerVerdict) -> bool {
///     verdict == WorkerVerdict::Accepted
/// }
/// # let _ = took_effect;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WorkerVerdict {
    /// It took effect, or rightly changed nothing.
    Accepted,
    /// Too soon after the last one of its kind: it is remembered, and done after this time, unless
    /// another such wish comes first.
    Later {
        /// Until then.
        within: Duration,
    },
    /// It names a connection or a run that is not current: nothing changed.
    Stale,
    /// It cannot be done now: nothing changed.
    Rejected(LinkRejection),
}

/// What a [`WorkerNode`](crate::WorkerNode) waits for.
///
/// ```
/// use moorline_link::Timer;
/// use moorline_node::WorkerTimer;
///
/// let next_dial = WorkerTimer::Link(Timer::Retry);
/// # let _ = next_dial;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WorkerTimer {
    /// Something of the connection.
    Link(Timer),
    /// Something of a run.
    Runner(RunnerTimer),
}

/// Everything a [`WorkerNode`](crate::WorkerNode) can be told.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum WorkerInput {
    /// The time of `next_wake` has come (an early one changes nothing).
    Timeout,
    /// What the Hello of a dial is to show: told before it opens. Another one takes its place.
    Credential {
        /// The dial.
        conn: ConnId,
        /// The secret.
        credential: Credential,
    },
    /// Which of the endpoints of a dial answered: told before it opens.
    Reached {
        /// The dial.
        conn: ConnId,
        /// The endpoint.
        at: Address,
    },
    /// The answer to [`WorkerAction::Vet`].
    Vetted {
        /// What for.
        vet: Vet,
        /// Those that the peer may speak for, in the same order.
        endpoints: Vec<Address>,
    },
    /// A dial succeeded.
    Opened {
        /// The dial.
        conn: ConnId,
    },
    /// A dial failed.
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
    /// A packet arrived.
    Packet {
        /// On which connection.
        conn: ConnId,
        /// Its frames.
        frames: Vec<DownFrame>,
    },
    /// Bytes arrived that are no packet.
    Undecodable {
        /// On which connection.
        conn: ConnId,
    },
    /// A handler ended.
    Done {
        /// Which run.
        run: RunId,
        /// How.
        outcome: Outcome,
        /// The result, or the error in words. A result above [`BODY_MAX`](crate::BODY_MAX) becomes a failure that says so.
        body: Bytes,
    },
    /// All writes up to this one are durable, but for those that found no room.
    Journaled {
        /// The last of them.
        up_to: JournalId,
        /// What was not written: there is no room for it.
        full: Vec<JournalId>,
    },
    /// Skip the wait and dial now. Of a kick, a reconnect and a migrate that came too soon the newest
    /// is remembered and done when it may be.
    Kick(Kick),
    /// Give this connection up and dial at once.
    Reconnect,
    /// Move the session to a new connection without a gap.
    Migrate,
    /// Drain, say goodbye and end.
    Stop {
        /// At the latest after this time.
        within: Duration,
    },
    /// An operator restarts a failed link.
    Restart,
    /// Count anew from now on; nothing the link decides by changes.
    ResetStatistics,
}

/// What endpoints that a peer told are for.
///
/// ```
/// use moorline_node::{Vet, WorkerInput};
///
/// /// The peer may speak for none of them.
/// fn refused(vet: Vet) -> WorkerInput {
///     WorkerInput::Vetted { vet, endpoints: Vec::new() }
/// }
/// # let _ = refused(Vet::Redirect);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Vet {
    /// To be tried too, whenever the worker dials.
    Endpoints,
    /// To be gone to now.
    Redirect,
}

/// What the driver can always do at once.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum WorkerAction {
    /// Open a connection; answer `Opened` or `DialFailed`.
    Dial {
        /// Its name from now on.
        conn: ConnId,
        /// Dials since the last stable connection, from 1.
        attempt: u32,
        /// Give up after this time.
        timeout: Duration,
        /// Where to, in the order to try them; empty if the node was told of no endpoints.
        to: Vec<Address>,
    },
    /// A peer told where to go; answer [`WorkerInput::Vetted`] with those of them that this peer may
    /// speak for. The connection is closed behind this action at the earliest.
    Vet {
        /// The connection on which it was told.
        conn: ConnId,
        /// What for.
        vet: Vet,
        /// As told.
        endpoints: Vec<Address>,
    },
    /// Close a connection or cancel a dial, after what is written has left as far as it can.
    Close {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: Reason,
    },
    /// Run a handler; answer `Done`.
    Start {
        /// The run.
        run: RunId,
        /// Its attempt when it started.
        key: TaskKey,
        /// Which handler.
        handler: Name,
        /// Its input.
        payload: Bytes,
        /// When it will be stopped.
        deadline: Option<Instant>,
    },
    /// Stop a run; answer `Done` when it has stopped.
    Abort {
        /// Which.
        run: RunId,
        /// Its attempt.
        key: TaskKey,
        /// Why.
        reason: AbortReason,
    },
    /// Write this to the journal, after all that was asked for before; answer `Journaled`. Only a node that
    /// was given a journal asks for it.
    Journal(JournalWrite),
    /// Something worth a log line.
    Event(WorkerEvent),
}

/// Something worth a log line, with what it needs.
///
/// ```
/// use moorline_node::{WorkerAction, WorkerEvent};
///
/// fn is_back(action: &WorkerAction) -> bool {
///     matches!(action, WorkerAction::Event(WorkerEvent::Registered { resumed: true, .. }))
/// }
/// # let _ = is_back;
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum WorkerEvent {
    /// The state of the link changed.
    Link(Transition),
    /// The coordinator accepted the registration.
    Registered {
        /// The session goes on.
        resumed: bool,
        /// Keys listed in the inventory.
        held: u32,
        /// The coordinator's epoch.
        epoch: u64,
        /// The session's number in it.
        session: u64,
        /// The version of the coordinator's software.
        coordinator: Name,
    },
    /// The coordinator refused the registration or ended the connection, and says why in words.
    Dismissed {
        /// Why.
        reason: Reason,
        /// In words.
        hint: String,
    },
    /// A beat was missed.
    BeatMissed {
        /// In a row.
        missed: u8,
        /// Allowed.
        limit: u8,
        /// The cause.
        reason: Reason,
    },
    /// A beat was answered after one or more were missed.
    BeatRecovered,
    /// A second connection, which was to replace the one that stands, failed: nothing was lost.
    CandidateLost {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: Reason,
    },
    /// The coordinator has told of other endpoints than before.
    Told {
        /// Those that are tried beside the configured ones from now on; empty: none any more.
        endpoints: Vec<Address>,
    },
    /// The coordinator sends this worker elsewhere, and it goes: beside a connection that stands without
    /// giving it up before it is registered there.
    Redirected {
        /// Where to, in order.
        to: Vec<Address>,
    },
    /// It was sent elsewhere too often lately: it does not follow.
    RedirectIgnored {
        /// So many were followed within the last minute.
        followed: usize,
    },
    /// The place it was sent to did not take it in: it stays, or comes back to where it was.
    RedirectFailed {
        /// Why.
        reason: Reason,
    },
    /// The coordinator has been silent for longer than usual on this path, or is not any more.
    Suspicion {
        /// Suspected, or trusted again.
        suspect: bool,
        /// For how long nothing was heard.
        silent: Duration,
    },
    /// It beats at another interval from now on, on this connection.
    Interval {
        /// The new one.
        interval: Duration,
    },
    /// What is bad about the link has changed; nothing, if it is good again.
    Degraded(Degraded),
    /// The link is not active, and the coordinator may have given away by now what this worker holds.
    LeasesExpired,
    /// This process was not run for so long.
    Stalled {
        /// For how long.
        late: Duration,
    },
    /// A handler ended while there is no active connection: its result is kept.
    ResultKept {
        /// Its attempt.
        key: TaskKey,
    },
    /// A result was answered.
    Settled {
        /// Its attempt.
        key: TaskKey,
        /// What became of it.
        disposition: Disposition,
        /// It had been kept while offline, or was offered in more than one session.
        resubmitted: bool,
    },
    /// The time of a drain was over before this attempt had finished: it has stopped, and goes back to
    /// the queue with the goodbye.
    HandedBack {
        /// Which.
        key: TaskKey,
    },
}
