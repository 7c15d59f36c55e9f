//! The wire format of moorline: node frames to protobuf bytes and back.
//!
//! The schema is `proto/moorline/worker/v1/worker.proto`, what it means is `docs/protocol.md`. The
//! same bytes travel on every transport. Encoding cannot fail; decoding believes nothing: every
//! length, count and range is checked before anything is allocated for it, so a packet costs memory
//! in proportion to its own size. Bodies are slices of the packet they came in.
//!
//! ```
//! use moorline_link::{Beat, Flags, Lane};
//! use moorline_node::{Packet, UpFrame};
//!
//! let flags = Flags { active: true, ..Flags::default() };
//! let beat = Beat { seq: 7, flags, free: 4, quiet: false, rtt_micros: 0 };
//! let packet = Packet { lane: Lane::C, frames: vec![UpFrame::Beat(beat)] };
//! let bytes = moorline_wire::encode_up(&packet);
//! assert_eq!(bytes[..], [0x0a, 8, 0x0a, 6, 8, 7, 16, 1, 24, 4]);
//! assert_eq!(moorline_wire::decode_up(bytes)?.frames, packet.frames);
//! # Ok::<(), moorline_wire::DecodeError>(())
//! ```

mod codec;
mod down;
mod error;
mod frame;
mod generated;
mod hot;
pub mod limits;
mod reader;
mod shape;
mod sink;
mod up;
mod value;

#[cfg(fuzzing)]
#[doc(hidden)]
pub use codec::reference::{
    decode_down as generated_decode_down, decode_up as generated_decode_up,
};
pub use codec::{Decoded, decode_down, decode_up, encode_down, encode_up};
pub use error::DecodeError;
