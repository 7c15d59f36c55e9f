//! Joins link and work: worker and coordinator nodes with payloads, still sans-IO.
//!
//! [`WorkerNode`] and [`CoordinatorNode`] are told what happens and asked what to do; packets go from
//! one to the other however the embedder likes. Here a worker
//! knocks in one process:
//!
//! ```
//! use moorline_link::{Backoff, ConnId, Epoch, HubConfig, Incarnation, Instant, LinkConfig, WorkerId};
//! use moorline_node::{
//!     CoordinatorConfig, CoordinatorInput, CoordinatorNode, Name, WorkerAction, WorkerConfig,
//!     WorkerInput, WorkerNode,
//! };
//! use moorline_work::{DispatcherConfig, RunnerConfig};
//!
//! let config = CoordinatorConfig {
//!     hub: HubConfig::default(),
//!     dispatcher: DispatcherConfig::default(),
//!     retry: Backoff::default(),
//!     epoch: Epoch(1),
//!     software: Name::new("example 1.0")?,
//!     seed: 1,
//! };
//! let mut coordinator = CoordinatorNode::new(config, Instant::ZERO);
//! let config = WorkerConfig {
//!     link: LinkConfig::default(),
//!     runner: RunnerConfig::default(),
//!     worker: WorkerId(7),
//!     incarnation: Incarnation(1),
//!     name: Name::new("gpu-1")?,
//!     handlers: vec![Name::new("greet")?],
//!     software: Name::new("example 1.0")?,
//!     seed: 2,
//! };
//! let mut worker = WorkerNode::new(config, Instant::ZERO)?;
//! // The worker waits for its first dial: now it is time.
//! let now = worker.next_wake().deadline().expect("it dials");
//! worker.handle(now, WorkerInput::Timeout);
//! let Some(conn) = std::iter::from_fn(|| worker.poll_action()).find_map(|action| match action {
//!     WorkerAction::Dial { conn, .. } => Some(conn),
//!     _ => None,
//! }) else {
//!     panic!("it dials")
//! };
//! // The connection has another name on the other side.
//! let there = ConnId(100);
//! worker.handle(now, WorkerInput::Opened { conn });
//! coordinator.handle(now, CoordinatorInput::Accepted { conn: there });
//! let mut packets = 0;
//! while let Some(packet) = worker.poll_transmit(now, conn) {
//!     packets += 1;
//!     coordinator.handle(now, CoordinatorInput::Packet { conn: there, frames: packet.frames });
//! }
//! assert_eq!(packets, 1, "its Hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod canonical;
mod coordinator;
mod credential;
mod event;
mod frame;
mod journal;
mod load;
mod name;
mod parts;
mod persist;
mod worker;

pub use address::Address;
pub use canonical::Canonical;
pub use coordinator::*;
pub use credential::{Credential, CredentialError};
pub use event::{Detail, Event, EventKind};
pub use frame::*;
pub use journal::{JournalId, JournalOp, JournalWrite, KeptResult};
pub use load::{CoordinatorLoad, WorkerLoad};
pub use name::{Name, NameError, Names};
pub use persist::*;
pub use worker::*;
