//! The task state machines of moorline, sans-IO.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod dispatcher;
mod id;
mod message;
mod op;
mod runner;
mod time;
mod wake;

pub use dispatcher::*;
pub use id::*;
pub use message::*;
pub use op::*;
pub use runner::*;
pub use time::Instant;
pub use wake::Wake;
