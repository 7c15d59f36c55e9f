//! Runs moorline nodes over a transport, a clock, a store and a runtime. It decides nothing.
//!
//! - [`Runtime`]: clock, sleep, spawn; [`Tokio`] is the adapter to tokio.
//! - [`Transports`]: transports by scheme.
//! - [`start_coordinator`], [`CoordinatorHandle`]: a coordinator, its store on a thread of its own
//!   with group commit.
//! - [`start_worker`], [`WorkerHandle`], [`Executor`]: a worker, its loop on a thread of its own;
//!   [`worker()`] is the same loop for another runtime.
//!
//! Both loops are alike. A turn takes in what is ready (packets, commits, ends of handlers,
//! requests), up to a budget; tells the node with one reading of the clock; does what the node asks
//! for; and writes as long as the transports take packets. A timer only wakes a loop: whether it is
//! time is asked of the clock.

mod connections;
mod coordinator;
mod executor;
mod log;
mod ready;
mod runtime;
mod store_thread;
mod timer;
mod transports;
mod watch;
mod worker;

pub use coordinator::{
    CoordinatorHandle, CoordinatorOptions, Peer, ReadError, StartError, Stopped, start_coordinator,
};
pub use executor::{Completion, Executor, Job};
pub use runtime::Runtime;
#[cfg(feature = "tokio")]
pub use runtime::Tokio;
pub use transports::Transports;
#[cfg(feature = "tokio")]
pub use worker::start_worker;
pub use worker::{Ending, WorkerHandle, WorkerOptions, WorkerStatus, worker};

/// The version of this software, as workers and coordinators tell each other.
fn software() -> moorline_node::Name {
    let text = concat!("moorline ", env!("CARGO_PKG_VERSION"));
    // 1 to 128 printable bytes: a package version is neither empty nor that long.
    moorline_node::Name::new(text).expect("a package version is a name")
}
