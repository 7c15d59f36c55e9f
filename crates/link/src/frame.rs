//! What the two ends of a link say to each other: headers only, all `Copy`.
//!
//! Names, labels, payloads and the words of a hint are the embedder's: it joins them to these
//! headers on the wire. The direction is part of the type, so a frame that travels the wrong way
//! cannot be built.

use core::time::Duration;

use crate::{Degraded, Epoch, Incarnation, Reason, Seq, SessionId, Sym, WorkerId};

/// One of the two numbered lanes that a session has in each direction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Lane {
    /// Small messages: accept, settled, cancel, revoke. At most [`Lane::C_MESSAGE_MAX`] bytes each.
    C,
    /// Messages with a body: results and assignments. At most [`Lane::B_MESSAGE_MAX`] bytes each.
    B,
}

impl Lane {
    /// Both lanes, in the order in which arrays by lane are laid out.
    pub const ALL: [Self; 2] = [Self::C, Self::B];
    /// Largest message of lane C: 16 KiB.
    pub const C_MESSAGE_MAX: u32 = 16 << 10;
    /// Largest message of lane B: 16 MiB.
    pub const B_MESSAGE_MAX: u32 = 16 << 20;

    /// The place of this lane in an array by lane.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::C => 0,
            Self::B => 1,
        }
    }

    /// The largest message this lane takes, in bytes.
    #[must_use]
    pub const fn message_max(self) -> u32 {
        match self {
            Self::C => Self::C_MESSAGE_MAX,
            Self::B => Self::B_MESSAGE_MAX,
        }
    }
}

/// How much a receiver will take, as totals since the session began (so it can be repeated safely).
///
/// A sender may number a message while its number is at most `messages` and the bytes sent before it
/// are fewer than `bytes`: one message may overshoot, so that no size can deadlock a lane.
///
/// ```
/// use moorline_link::{Credit, Inbox, LaneLimits};
///
/// let limits = LaneLimits::default();
/// let credit: Credit = Inbox::first_credit(&limits);
/// assert_eq!(credit.messages.0, u64::from(limits.window_messages));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Credit {
    /// The highest message number that may be sent.
    pub messages: Seq,
    /// Total bytes of messages that may be sent.
    pub bytes: u64,
}

/// Where the receiving half of a lane stands: what it processed, and its credit.
///
/// ```
/// use moorline_link::{Credit, Seq, Standing};
///
/// let standing = Standing { received: Seq(3), credit: Credit { messages: Seq(35), bytes: 1 << 18 } };
/// assert!(standing.credit.messages > standing.received);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Standing {
    /// Everything up to and including this number was processed.
    pub received: Seq,
    /// What the receiver will take.
    pub credit: Credit,
}

/// Inclusive range of protocol versions a side speaks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Versions {
    /// Oldest version spoken.
    pub min: u16,
    /// Newest version spoken.
    pub max: u16,
}

impl Versions {
    /// What this build speaks.
    pub const SPOKEN: Self = Self { min: 1, max: 1 };

    /// The newest version both sides speak, if there is one.
    ///
    /// ```
    /// use moorline_link::Versions;
    /// let old = Versions { min: 1, max: 2 };
    /// assert_eq!(old.agree(Versions { min: 2, max: 5 }), Some(2));
    /// assert_eq!(old.agree(Versions { min: 3, max: 5 }), None);
    /// ```
    #[must_use]
    pub fn agree(self, other: Self) -> Option<u16> {
        let newest = self.max.min(other.max);
        (newest >= self.min.max(other.min)).then_some(newest)
    }
}

/// Optional features of the protocol: bits that a Hello offers and a Welcome agrees to.
///
/// ```
/// use moorline_link::Features;
///
/// let (offered, known) = (Features::STATISTICS | 1 << 63, Features::SPOKEN);
/// assert_eq!(offered & known, Features::STATISTICS);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Features {}

impl Features {
    /// The worker tells its link's [`Statistics`].
    pub const STATISTICS: u64 = 1;
    /// The coordinator tells where it can be reached too, and sends the worker elsewhere.
    pub const ENDPOINTS: u64 = 2;
    /// Every feature of this build.
    pub const SPOKEN: u64 = Self::STATISTICS | Self::ENDPOINTS;
}

/// What a worker says of itself in beats, and what a coordinator believes of it in answers.
///
/// ```
/// use moorline_link::Flags;
///
/// let leaving = Flags { active: true, draining: true, ..Flags::default() };
/// assert!(!leaving.paused);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Flags {
    /// The session is active: work may flow.
    pub active: bool,
    /// The worker takes nothing new.
    pub draining: bool,
    /// The worker is paused by an operator.
    pub paused: bool,
}

/// A session the worker wants to continue, and how far its receiving lanes got.
///
/// ```
/// use moorline_link::{Epoch, Resume, SessionId, Standing};
///
/// let session = SessionId { epoch: Epoch(1), n: 2 };
/// let resume = Resume { session, lanes: [Standing::default(); 2] };
/// # let _ = resume;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Resume {
    /// The session.
    pub session: SessionId,
    /// By lane ([`Lane::index`]): where the worker's receiving half stands.
    pub lanes: [Standing; 2],
}

/// The first frame of every connection: only the worker says it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Hello {
    /// Versions the worker speaks.
    pub versions: Versions,
    /// Optional features the worker offers, one bit each.
    pub features: u64,
    /// Who.
    pub worker: WorkerId,
    /// Which process of it.
    pub incarnation: Incarnation,
    /// Its name, interned by the side that holds this header.
    pub name: Sym,
    /// The session to continue, if any.
    pub resume: Option<Resume>,
    /// Credit of a fresh session by lane: used when the session is not resumed.
    pub credit: [Credit; 2],
    /// The heartbeat interval the worker wishes for.
    pub beat_interval: Duration,
    /// The ticket it was given when it was refused last.
    pub ticket: Option<Ticket>,
    /// Something of a task runs there, or is finished and not answered.
    pub holds_work: bool,
}

/// A reserved slot: who was refused [`Reason::RateLimited`] shows it in its next Hello.
///
/// It means something to the coordinator that gave it only, and there only for the worker it was
/// given to, from its slot on for two seconds, once.
///
/// ```
/// use moorline_link::{Epoch, Ticket};
///
/// // Kept as it came, and shown once: only its coordinator can tell what it says.
/// let ticket = Ticket { epoch: Epoch(7), slot: 81_000, mac: 0x9e37_79b9 };
/// # let _ = ticket;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ticket {
    /// The life of the coordinator that gave it.
    pub epoch: Epoch,
    /// The slot.
    pub slot: u64,
    /// Proves that the coordinator gave it.
    pub mac: u64,
}

/// The coordinator accepted the registration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Welcome {
    /// The version both sides speak from here on.
    pub version: u16,
    /// The features both sides use from here on.
    pub features: u64,
    /// The session, new or resumed; its epoch is the coordinator's.
    pub session: SessionId,
    /// Whether it is the session the worker asked for.
    pub resumed: bool,
    /// By lane: where the coordinator's receiving half stands.
    pub lanes: [Standing; 2],
    /// The heartbeat interval to keep.
    pub beat_interval: Duration,
    /// Spread the first dial after a loss over this time; `None` = no hint.
    pub first_window: Option<Duration>,
    /// How long after the last sign of life the coordinator gives the worker's work away.
    pub lost_after: Duration,
}

/// When to come back, as a coordinator's hint. The worker clamps it to its own bounds (P84).
///
/// ```
/// use core::time::Duration;
/// use moorline_link::{ComeBack, Dismissal, Reason};
///
/// let later = ComeBack::After(Duration::from_secs(30));
/// let dismissal = Dismissal { reason: Reason::RateLimited, come_back: later };
/// # let _ = dismissal;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ComeBack {
    /// As the reason says: see [`Reason::retry`].
    ByReason,
    /// After this time.
    After(Duration),
    /// After this time, with a ticket for the slot that is reserved then: only in a refusal.
    Slot {
        /// When the slot comes.
        after: Duration,
        /// What to show in the next Hello.
        ticket: Ticket,
    },
    /// Never: the refusal is final.
    Never,
}

/// A registration refused, or a connection ended on purpose by the coordinator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Dismissal {
    /// Why.
    pub reason: Reason,
    /// When to come back.
    pub come_back: ComeBack,
}

impl Dismissal {
    /// Whether the worker is not to come back by itself.
    ///
    /// ```
    /// use moorline_link::{ComeBack, Dismissal, Reason};
    ///
    /// let revoked = Dismissal { reason: Reason::AuthRevoked, come_back: ComeBack::ByReason };
    /// assert!(revoked.is_final());
    /// ```
    #[must_use]
    pub fn is_final(self) -> bool {
        match self.come_back {
            ComeBack::ByReason => self.reason.retry() == crate::Retry::Never,
            ComeBack::After(_) | ComeBack::Slot { .. } => false,
            ComeBack::Never => true,
        }
    }
}

/// A heartbeat.
///
/// ```
/// use moorline_link::{Beat, Flags};
///
/// let beat =
///     Beat { seq: 1, flags: Flags::default(), free: 4, quiet: false, rtt_micros: 850 };
/// # let _ = beat;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Beat {
    /// Number within the connection, from 1; wraps.
    pub seq: u32,
    /// What the worker is.
    pub flags: Flags,
    /// Free slots.
    pub free: u16,
    /// Nothing of the worker is outstanding on either lane, so `free` may be compared.
    pub quiet: bool,
    /// Round trip of the last answered beat in microseconds; 0 = none yet.
    pub rtt_micros: u32,
}

/// The answer to a heartbeat: semantic, so that alive means *can receive work* (P24, P25).
///
/// ```
/// use moorline_link::{BeatAnswer, Epoch, Flags};
///
/// let unknown = BeatAnswer {
///     seq: 1,
///     epoch: Epoch(2),
///     known: false, // the worker registers again at once
///     flags: Flags::default(),
///     free: 0,
///     quiet: false,
///     waiting: false,
///     first_window: None,
///     beat_interval: None,
/// };
/// # let _ = unknown;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BeatAnswer {
    /// The number of the beat that is answered.
    pub seq: u32,
    /// The life of the coordinator that answers.
    pub epoch: Epoch,
    /// The coordinator knows the session of this connection.
    pub known: bool,
    /// What the coordinator believes.
    pub flags: Flags,
    /// Free slots the coordinator believes.
    pub free: u16,
    /// Nothing of the coordinator is outstanding on either lane.
    pub quiet: bool,
    /// The coordinator waits for its store: a restore that makes no progress is not stalled.
    pub waiting: bool,
    /// [`Welcome::first_window`] has changed to this; `None` = it has not.
    pub first_window: Option<Duration>,
    /// [`Welcome::beat_interval`] has changed to this; `None` = it has not.
    pub beat_interval: Option<Duration>,
}

/// What a worker's link has counted since its process began or its statistics were reset. Volatile:
/// the next one replaces it.
///
/// ```
/// use moorline_link::Statistics;
///
/// let told = Statistics { dials: 3, successes: 2, failures: 1, ..Statistics::default() };
/// assert_eq!(told.rtt_p50_micros, 0, "no round trip yet");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Statistics {
    /// Mean of the last round trips, at most 100, in microseconds; 0 = none yet, in all four.
    pub rtt_mean_micros: u32,
    /// Their smoothed mean deviation in microseconds: jitter.
    pub rtt_deviation_micros: u32,
    /// Their median in microseconds.
    pub rtt_p50_micros: u32,
    /// Their 99th percentile in microseconds.
    pub rtt_p99_micros: u32,
    /// Microseconds in which the link was active.
    pub connected_micros: u64,
    /// Microseconds in which it was not.
    pub disconnected_micros: u64,
    /// The share of the recent past in which it was active, in parts per million.
    pub recent_stability_ppm: u32,
    /// Dials.
    pub dials: u64,
    /// Dials that ended with a Welcome.
    pub successes: u64,
    /// Dials that failed, timed out or were refused.
    pub failures: u64,
    /// Outages, one that goes on included.
    pub outages: u64,
    /// What is bad about the link.
    pub degraded: Degraded,
}

/// Cumulative acknowledgement of one lane, with credit for more.
///
/// ```
/// use moorline_link::{Ack, Lane, Seq, Standing};
///
/// let ack = Ack { lane: Lane::B, standing: Standing { received: Seq(9), ..Standing::default() } };
/// # let _ = ack;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ack {
    /// The lane, of the direction opposite to the one this frame travels.
    pub lane: Lane,
    /// Where its receiving half stands.
    pub standing: Standing,
}

/// The header of a numbered message.
///
/// ```
/// use moorline_link::{Lane, MessageHead, Seq};
///
/// let head = MessageHead { lane: Lane::B, seq: Seq(1), len: 4_096 };
/// assert!(head.len <= head.lane.message_max());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MessageHead {
    /// Its lane.
    pub lane: Lane,
    /// Its number.
    pub seq: Seq,
    /// Its size for credit and limits, in bytes: header and body as the embedder counts them, the same on both sides.
    pub len: u32,
}

/// A frame a worker sends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WorkerFrame {
    /// Registration; nothing else may come before it.
    Hello(Hello),
    /// One key of the inventory; `index` counts from 0 within this connection.
    InventoryItem {
        /// Which one.
        index: u32,
    },
    /// The inventory is complete: it had this many items.
    InventoryEnd {
        /// Number of items sent.
        count: u32,
    },
    /// All answers are in and honoured: ready for work.
    Active,
    /// Heartbeat.
    Beat(Beat),
    /// What the link has counted, if [`Features::STATISTICS`] was agreed to.
    Statistics(Statistics),
    /// Acknowledgement.
    Ack(Ack),
    /// A numbered message.
    Message(MessageHead),
    /// The worker leaves on purpose: what it still holds goes back to the queue at once.
    Goodbye {
        /// Why.
        reason: Reason,
    },
}

/// A frame a coordinator sends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CoordinatorFrame {
    /// Registration accepted.
    Welcome(Welcome),
    /// Registration refused; the connection ends.
    Refused(Dismissal),
    /// The answer to one inventory item.
    InventoryAnswer {
        /// Which item.
        index: u32,
    },
    /// The worker is active: work flows from here on. Messages of lane B may overtake it, because
    /// order is promised inside a lane only; none is sent before the worker's own `Active` arrived.
    Active,
    /// Answer to a heartbeat.
    BeatAnswer(BeatAnswer),
    /// Another process claims this worker's identity: say a [`Beat`] at once to prove that this one
    /// lives.
    Probe,
    /// Acknowledgement.
    Ack(Ack),
    /// A numbered message.
    Message(MessageHead),
    /// The coordinator ends this connection on purpose.
    GoAway(Dismissal),
}
