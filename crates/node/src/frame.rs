//! Whole frames: the headers of link and work, joined with names and bodies.
//!
//! This is what the wire format encodes. A message with a body that does not fit its packet starts
//! with as much of the body as fits, and the rest follows in [`Part`]s, in order, on the same
//! connection; frames of lane C may travel between them. A new connection starts such a message
//! again from its first byte.

use bytes::Bytes;
use moorline_link as link;
use moorline_link::{Lane, Seq};
use moorline_work as work;
use moorline_work::{Disposition, Holding, Judgement, TaskKey, WorkerMessage};

use crate::{Address, Credential, Name};

/// Largest packet in bytes, encoded: 64 KiB.
pub const PACKET_MAX: usize = 64 << 10;

/// What the header of a message counts for in credit and limits, in bytes. A message counts
/// `MESSAGE_COST + body_len`, the same on both sides.
pub const MESSAGE_COST: u32 = 32;

/// Largest body in bytes: 16 MiB less the header's share.
pub const BODY_MAX: u32 = Lane::B_MESSAGE_MAX - MESSAGE_COST;

/// Most keys one inventory lists: attempts that run, or ended and are not settled.
pub const INVENTORY_MAX: usize = 65_536;

/// What a worker says of itself in its Hello, beside the header.
///
/// ```
/// use moorline_node::{About, Name};
///
/// let about = About {
///     name: Name::new("gpu-1")?,
///     slots: 4,
///     handlers: vec![Name::new("greet")?],
///     software: Name::new("example 1.0")?,
///     credential: None,
/// };
/// # let _ = about;
/// # Ok::<(), moorline_node::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct About {
    /// Its name.
    pub name: Name,
    /// How many attempts it runs at once.
    pub slots: u16,
    /// Its handlers, at most 1,024, sorted, without repetition.
    pub handlers: Vec<Name>,
    /// The version of its software, for people.
    pub software: Name,
    /// What it proves itself with, if it is asked to.
    pub credential: Option<Credential>,
}

impl About {
    /// Most handlers one worker may announce.
    pub const HANDLERS_MAX: usize = 1_024;
}

/// A message to a worker, with the name of its handler.
///
/// ```
/// use moorline_node::ToWorker;
///
/// fn has_body(message: &ToWorker) -> bool {
///     matches!(message, ToWorker::Assign { .. })
/// }
/// # let _ = has_body;
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ToWorker {
    /// Run this; the body is the payload. Lane B.
    Assign {
        /// What.
        key: TaskKey,
        /// Which handler runs it.
        handler: Name,
        /// How long the attempt may run.
        timeout: Option<core::time::Duration>,
    },
    /// The answer to a result. Lane C.
    Settled {
        /// Which result.
        key: TaskKey,
        /// What became of it.
        disposition: Disposition,
    },
    /// Stop this attempt. Lane C.
    Cancel {
        /// Which.
        key: TaskKey,
    },
    /// Say whether you hold this attempt. Lane C.
    Revoke {
        /// Which.
        key: TaskKey,
    },
}

impl ToWorker {
    /// The lane this message rides on.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        match self {
            Self::Assign { .. } => Lane::B,
            Self::Settled { .. } | Self::Cancel { .. } | Self::Revoke { .. } => Lane::C,
        }
    }
}

/// The lane a worker's message rides on.
#[must_use]
pub const fn lane_of(message: &WorkerMessage) -> Lane {
    match message {
        WorkerMessage::Result { .. } => Lane::B,
        WorkerMessage::Accept { .. }
        | WorkerMessage::Refuse { .. }
        | WorkerMessage::Held { .. }
        | WorkerMessage::NotHeld { .. } => Lane::C,
    }
}

/// A numbered message, whole or its beginning.
///
/// ```
/// use bytes::Bytes;
/// use moorline_link::Seq;
/// use moorline_node::Message;
///
/// let body = Bytes::from_static(b"all of it");
/// let message = Message { seq: Seq(1), head: (), body_len: 9, body };
/// assert_eq!(message.body.len(), 9, "shorter if parts follow");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Message<M> {
    /// Its number in its lane.
    pub seq: Seq,
    /// What it says.
    pub head: M,
    /// Size of the whole body in bytes.
    pub body_len: u32,
    /// The body, or as much of its beginning as this packet has room for.
    pub body: Bytes,
}

/// A further piece of the body of the lane-B message that was begun last.
///
/// ```
/// use bytes::Bytes;
/// use moorline_link::Seq;
/// use moorline_node::Part;
///
/// let second = Part { seq: Seq(1), offset: 65_536, bytes: Bytes::from_static(b"the rest") };
/// # let _ = second;
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Part {
    /// The number of the message.
    pub seq: Seq,
    /// Where this piece belongs in the body.
    pub offset: u32,
    /// The piece: at least one byte.
    pub bytes: Bytes,
}

/// A frame a worker sends.
///
/// ```
/// use moorline_link::Lane;
/// use moorline_node::{Packet, UpFrame};
///
/// let packet = Packet { lane: Lane::C, frames: vec![UpFrame::Active] };
/// # let _ = packet;
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum UpFrame {
    /// Registration. `head.name` means nothing on the wire: the receiver interns `about.name`.
    Hello {
        /// The link's part.
        head: link::Hello,
        /// Who and what.
        about: About,
    },
    /// One key of the inventory.
    InventoryItem {
        /// Counts from 0 within this connection.
        index: u32,
        /// Which attempt.
        key: TaskKey,
        /// What the worker has of it.
        holding: Holding,
    },
    /// The inventory is complete.
    InventoryEnd {
        /// Number of items.
        count: u32,
    },
    /// Ready for work.
    Active,
    /// Heartbeat.
    Beat(link::Beat),
    /// What the worker's link has counted.
    Statistics(link::Statistics),
    /// Acknowledgement.
    Ack(link::Ack),
    /// A message, its body whole or begun.
    Message(Message<WorkerMessage>),
    /// More of a body.
    Part(Part),
    /// The worker leaves.
    Goodbye {
        /// Why.
        reason: link::Reason,
    },
}

/// A frame a coordinator sends.
///
/// ```
/// use moorline_link::Lane;
/// use moorline_node::{DownFrame, Packet};
///
/// let packet = Packet { lane: Lane::C, frames: vec![DownFrame::Active, DownFrame::Probe] };
/// # let _ = packet;
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum DownFrame {
    /// Registration accepted.
    Welcome {
        /// The link's part.
        head: link::Welcome,
        /// The version of the coordinator's software, for people.
        software: Name,
    },
    /// Registration refused.
    Refused {
        /// Why, and when to come back.
        dismissal: link::Dismissal,
        /// In words, for people: at most 512 bytes.
        hint: String,
    },
    /// The answer to one inventory item.
    InventoryAnswer {
        /// Which item, as the worker counted.
        index: u32,
        /// Which attempt.
        key: TaskKey,
        /// What to do with it.
        judgement: Judgement,
    },
    /// Work flows from here on.
    Active,
    /// Answer a beat now.
    Probe,
    /// Answer to a heartbeat.
    BeatAnswer(link::BeatAnswer),
    /// Acknowledgement.
    Ack(link::Ack),
    /// A message, its body whole or begun.
    Message(Message<ToWorker>),
    /// More of a body.
    Part(Part),
    /// The coordinator ends this connection.
    GoAway {
        /// Why, and when to come back.
        dismissal: link::Dismissal,
        /// In words, for people: at most 512 bytes.
        hint: String,
    },
    /// Where the coordinator can be reached too: at most [`Address::COUNT_MAX`]. It takes the place of
    /// what was told before.
    Endpoints(Vec<Address>),
    /// Go there: at most [`Address::COUNT_MAX`], in order. Beside a connection that stands, without
    /// giving it up before; in front of a `Refused` or a `GoAway`, instead of coming back here.
    Redirect(Vec<Address>),
}

/// Longest hint in bytes.
pub const HINT_MAX: usize = 512;

/// Frames that travel together: at most [`PACKET_MAX`] bytes encoded.
///
/// A packet belongs to one lane: packets of lane B hold only lane-B messages and parts, everything
/// else rides in packets of lane C. A transport promises order inside a lane only.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Packet<F> {
    /// The lane.
    pub lane: Lane,
    /// At least one frame.
    pub frames: Vec<F>,
}

impl UpFrame {
    /// Not less than the encoded size of this frame in a packet, in bytes.
    #[must_use]
    pub fn size_bound(&self) -> usize {
        match self {
            Self::Hello { about, .. } => {
                320 + about.name.as_str().len()
                    + about.software.as_str().len()
                    + about.handlers.iter().map(|h| h.as_str().len() + 4).sum::<usize>()
                    + about.credential.as_ref().map_or(0, |credential| credential.len() + 8)
            }
            Self::Message(message) => 96 + message.body.len(),
            Self::Part(part) => 32 + part.bytes.len(),
            Self::Statistics(_) => 128,
            Self::InventoryItem { .. }
            | Self::InventoryEnd { .. }
            | Self::Active
            | Self::Beat(_)
            | Self::Ack(_)
            | Self::Goodbye { .. } => 96,
        }
    }
}

impl DownFrame {
    /// Not less than the encoded size of this frame in a packet, in bytes.
    #[must_use]
    pub fn size_bound(&self) -> usize {
        match self {
            Self::Welcome { .. } => 256 + Name::MAX,
            Self::Refused { hint, .. } | Self::GoAway { hint, .. } => 112 + hint.len(),
            Self::Message(message) => {
                let name = match &message.head {
                    ToWorker::Assign { handler, .. } => handler.as_str().len(),
                    ToWorker::Settled { .. }
                    | ToWorker::Cancel { .. }
                    | ToWorker::Revoke { .. } => 0,
                };
                96 + name + message.body.len()
            }
            Self::Part(part) => 32 + part.bytes.len(),
            Self::InventoryAnswer { .. }
            | Self::Active
            | Self::Probe
            | Self::BeatAnswer(_)
            | Self::Ack(_) => 96,
            Self::Endpoints(addresses) | Self::Redirect(addresses) => {
                16 + addresses.iter().map(|address| address.as_str().len() + 4).sum::<usize>()
            }
        }
    }
}

/// Converts between the identities of link and work, which do not know each other.
pub(crate) mod convert {
    use super::{link, work};

    pub(crate) fn worker(id: link::WorkerId) -> work::WorkerId {
        work::WorkerId(id.0)
    }

    pub(crate) fn worker_back(id: work::WorkerId) -> link::WorkerId {
        link::WorkerId(id.0)
    }

    pub(crate) fn incarnation(id: link::Incarnation) -> work::Incarnation {
        work::Incarnation(id.0)
    }

    pub(crate) fn instant(at: link::Instant) -> work::Instant {
        work::Instant::from_nanos(at.as_nanos())
    }

    pub(crate) fn instant_back(at: work::Instant) -> link::Instant {
        link::Instant::from_nanos(at.as_nanos())
    }
}
