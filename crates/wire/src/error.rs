//! Why bytes are not a packet.

use moorline_link::Lane;
use moorline_node::NameError;

/// Why bytes are not a packet of the expected direction. The connection they came on is to be closed
/// with `protocol_error`.
///
/// Fields are named as in the schema: `Hello.slots`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The packet is too long: nothing of it was read.
    #[error("a packet has at most {max} bytes, this one has {len}")]
    PacketTooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The packet holds no frame.
    #[error("a packet has at least one frame, this one has none")]
    Empty,
    /// The packet holds too many frames.
    #[error("a packet has at most {max} frames, this one has more")]
    TooManyFrames {
        /// The limit.
        max: usize,
    },
    /// Not protobuf, or a field of another type than the schema says.
    #[error("not a packet of this schema: {detail}")]
    Malformed {
        /// Where and how.
        detail: String,
    },
    /// A frame says several things at once.
    #[error("a frame has exactly one kind, this one has {kinds}")]
    SeveralKinds {
        /// How many.
        kinds: u32,
    },
    /// A text is too long.
    #[error("{field} has at most {max} bytes, this one has {len}")]
    TextTooLong {
        /// Which.
        field: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// A list is too long.
    #[error("{field} has at most {max} entries, this one has more")]
    TooMany {
        /// Which.
        field: &'static str,
        /// The limit.
        max: usize,
    },
    /// A text is not a name.
    #[error("{field}: {error}")]
    Name {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        error: NameError,
    },
    /// A field that must be there is not.
    #[error("{field} is missing")]
    Missing {
        /// Which.
        field: &'static str,
    },
    /// A number is not in its range, or a value of an enum is not known here.
    #[error("{field} cannot be {value}")]
    OutOfRange {
        /// Which.
        field: &'static str,
        /// The number.
        value: i64,
    },
    /// A frame or a message that only the other side may send.
    #[error("{what} travels the other way")]
    WrongDirection {
        /// Which.
        what: &'static str,
    },
    /// A message on the lane it does not belong to.
    #[error("{what} does not ride on lane {lane:?}")]
    WrongLane {
        /// Which.
        what: &'static str,
        /// The lane it came on.
        lane: Lane,
    },
    /// Frames of lane B beside others in one packet.
    #[error("a packet belongs to one lane, this one holds frames of both")]
    MixedLanes,
    /// A numbered message of a kind that is not known here: it belongs to a feature that was never
    /// agreed on.
    #[error("message {seq} of lane {lane:?} is of a kind that was not agreed on")]
    UnknownMessage {
        /// Its lane.
        lane: Lane,
        /// Its number.
        seq: u64,
    },
    /// A body is larger than its lane takes.
    #[error("a body on lane {lane:?} has at most {max} bytes, this one has {len}")]
    BodyTooLarge {
        /// The lane.
        lane: Lane,
        /// Its length in bytes.
        len: u64,
        /// The limit.
        max: u32,
    },
    /// More or (on lane C) fewer bytes of a body than it was said to have.
    #[error("a body of {said} bytes on lane {lane:?} came with {came}")]
    BodyLength {
        /// The lane.
        lane: Lane,
        /// Its length as the message says.
        said: u32,
        /// Bytes in the packet.
        came: usize,
    },
    /// A part without a byte.
    #[error("a part has at least one byte")]
    EmptyPart,
}
