//! The bounds a decoder holds a peer to, before it allocates anything.

use moorline_link::Lane;
use moorline_node::{About, Address, HINT_MAX, MESSAGE_COST, Name};

pub use moorline_node::{BODY_MAX, PACKET_MAX};

/// Frames in one packet: 1,024.
pub const FRAMES: usize = 1_024;
/// Bytes of a name: 128.
pub const NAME: usize = Name::MAX;
/// Handlers of one worker: 1,024.
pub const HANDLERS: usize = About::HANDLERS_MAX;
/// Bytes of an endpoint's URL: 512.
pub const ADDRESS: usize = Address::MAX;
/// Endpoints told at once: 16.
pub const ADDRESSES: usize = Address::COUNT_MAX;
/// Bytes of a hint in words: 512.
pub const HINT: usize = HINT_MAX;

/// Bytes of the body of one message of this lane: its largest message less the cost of a header.
#[must_use]
pub const fn body(lane: Lane) -> u32 {
    lane.message_max() - MESSAGE_COST
}
