//! The connection state machines of moorline, sans-IO.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod frame;
mod hub;
mod id;
mod lane;
mod link;
mod reason;
mod time;
mod wake;

pub use frame::*;
pub use hub::*;
pub use id::*;
pub use lane::*;
pub use link::*;
pub use reason::*;
pub use time::*;
pub use wake::*;

/// The state of a link.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum State { #[allow(missing_docs)] Disconnected, #[allow(missing_docs)] Connecting, #[allow(missing_docs)] Registered, #[allow(missing_docs)] Active, #[allow(missing_docs)] Failed, #[allow(missing_docs)] Shutdown }
