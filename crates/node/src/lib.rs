//! Joins link and work: worker and coordinator nodes with payloads, still sans-IO.

mod coordinator;
mod event;
mod frame;
mod name;
mod parts;
mod persist;
mod worker;

pub use coordinator::*;
pub use event::{Detail, Event, EventKind};
pub use frame::*;
pub use name::{Name, NameError, Names};
pub use persist::*;
pub use worker::*;
