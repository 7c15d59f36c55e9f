//! Runs moorline nodes over a transport, a clock, a store and a runtime. It decides nothing.
//!
//! - [`Runtime`]: clock, sleep, spawn; [`Tokio`] is the adapter to tokio, and see
//!   [below](#which-runtime) for the others.
//! - [`Transports`]: transports by scheme.
//! - [`start_coordinator`], [`CoordinatorHandle`]: a coordinator, its store on a thread of its own
//!   with group commit, but for what a store takes without a wait. [`start_coordinator_thread`] gives
//!   the coordinator a thread and a runtime to itself.
//! - [`start_worker`], [`WorkerHandle`], [`Executor`]: a worker, its loop on a thread of its own, on
//!   tokio; `start_worker_thread` is the same for a runtime that works on any thread, and [`worker()`]
//!   gives the loop as a future. [`OpenJournal`] is what survives its process.
//! - [`CoordinatorTally`], [`WorkerTally`]: what the loops count, and their [`Pulse`].
//!
//! Both loops are alike. A turn takes in what is ready (packets, commits, ends of handlers,
//! requests), up to a budget; tells the node with one reading of the clock; does what the node asks
//! for; and writes as long as the transports take packets. A timer only wakes a loop: whether it is
//! time is asked of the clock.
//!
//! # Which runtime
//!
//! Take what the program is built on; the loops are the same ones under all of them.
//!
//! | the program has | adapter | feature | a worker starts with |
//! | --- | --- | --- | --- |
//! | tokio, or nothing that speaks for another | [`Tokio`] | `tokio` (default) | [`start_worker`] |
//! | smol | `Smol` | `smol` | `start_worker_thread` |
//! | no async runtime, and wants none | `Threads` | `threads` | `start_worker_thread` |
//! | async-std, which its authors have discontinued | `AsyncStd` | `async-std` | `start_worker_thread` |
//! | another | its own [`Runtime`], some thirty lines | any but `tokio` | `start_worker_thread` |
//!
//! The features add up; a program that does not use tokio switches the default off. A coordinator takes
//! any of them as the first argument of [`start_coordinator`].
//!
//! # An example
//!
//! A coordinator, a worker and a task in one process:
//!
//! ```
//! use bytes::Bytes;
//! use moorline_driver::{
//!     Completion, CoordinatorOptions, Executor, Job, Tokio, Transports, WorkerOptions,
//!     start_coordinator, start_worker,
//! };
//! use moorline_link::{Incarnation, LinkConfig, WorkerId};
//! use moorline_memory::MemoryTransport;
//! use moorline_node::{Name, Spec, WorkerConfig};
//! use moorline_store::MemoryStore;
//! use moorline_work::{AbortReason, Outcome, RunId, RunnerConfig, TaskId};
//!
//! /// Has no handler but `echo`, which needs no time.
//! struct Echo;
//!
//! impl Executor for Echo {
//!     fn start(&mut self, job: Job, done: Completion) {
//!         done.complete(Outcome::Succeeded, job.payload);
//!     }
//!     fn abort(&mut self, _run: RunId, _reason: AbortReason) {}
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let transports = Transports::new().with(MemoryTransport::new());
//! let mut options = CoordinatorOptions::new();
//! options.listen = vec!["mem://coordinator".parse()?];
//! let store = Box::new(MemoryStore::new());
//! let coordinator = start_coordinator(Tokio, transports.clone(), store, options).await?;
//!
//! let config = WorkerConfig {
//!     link: LinkConfig::default(),
//!     runner: RunnerConfig::default(),
//!     worker: WorkerId(1),
//!     incarnation: Incarnation(1),
//!     name: Name::new("worker-1")?,
//!     handlers: vec![Name::new("echo")?],
//!     software: Name::new("example 1.0")?,
//!     seed: 1,
//! };
//! let endpoints = coordinator.endpoints().to_vec();
//! let worker = start_worker(transports, WorkerOptions::new(config, endpoints), Box::new(Echo))?;
//!
//! let task = TaskId(42);
//! let spec = Spec { handler: Name::new("echo")?, priority: 0, max_retries: 0, timeout: None };
//! coordinator.submit(task, spec, Bytes::from_static(b"over and back")).await?;
//! coordinator.ended(task).await?;
//! let result = coordinator.read(move |reader| reader.result(task)).await?;
//! assert_eq!(result.as_deref(), Some(&b"over and back"[..]));
//!
//! worker.shutdown();
//! coordinator.stop().await;
//! # Ok(())
//! # }
//! ```

mod auth;
mod connections;
mod coordinator;
mod elsewhere;
mod executor;
mod journal_thread;
mod log;
mod runtime;
mod store_thread;
mod tally;
mod timer;
mod transports;
mod wall;
mod worker;

pub use auth::{Authenticator, Credentials};
pub use coordinator::errors::{ReadError, StartError, Stopped};
pub use coordinator::peer::Peer;
pub use coordinator::store_state::StoreState;
#[cfg(feature = "tokio")]
pub use coordinator::thread::start_coordinator_thread;
pub use coordinator::{CoordinatorHandle, CoordinatorOptions, Drain, start_coordinator};
pub use executor::{Completion, Executor, Job};
pub use journal_thread::OpenJournal;
#[cfg(feature = "async-std")]
pub use runtime::AsyncStd;
pub use runtime::Runtime;
#[cfg(feature = "smol")]
pub use runtime::Smol;
#[cfg(feature = "threads")]
pub use runtime::Threads;
#[cfg(feature = "tokio")]
pub use runtime::Tokio;
pub use tally::{
    CoordinatorTally, Count, Counts, HandlerTally, Histogram, HistogramView, JournalTally, Outages,
    Outbox, Pulse, WorkerTally,
};
pub use transports::Transports;
#[cfg(feature = "tokio")]
pub use worker::start_worker;
#[cfg(any(feature = "smol", feature = "threads", feature = "async-std"))]
pub use worker::start_worker_thread;
pub use worker::{Ending, WorkerHandle, WorkerOptions, WorkerStatus, worker};

/// The version of this software, as workers and coordinators tell each other.
fn software() -> moorline_node::Name {
    let text = concat!("moorline ", env!("CARGO_PKG_VERSION"));
    // 1 to 128 printable bytes: a package version is neither empty nor that long.
    moorline_node::Name::new(text).expect("a package version is a name")
}
