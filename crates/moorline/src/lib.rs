//! Keeps distributed workers moored to their coordinator.
//!
//! A [`Worker`] runs async functions as handlers of tasks. When it loses its coordinator (restart,
//! cut network, half-open socket, sleep) it comes back by itself and tells the truth about what it
//! was doing; a [`Coordinator`] applies each task's result once. A [`Client`] submits tasks and waits
//! for them.
//!
//! A worker is this much:
//!
//! ```no_run
//! use moorline::{Result, TaskCtx, Worker};
//!
//! async fn greet(_ctx: TaskCtx, who: String) -> Result<String> {
//!     Ok(format!("hello {who}"))
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<()> {
//!     Worker::builder("grpc://127.0.0.1:8740").task("greet", greet).run().await
//! }
//! ```
//!
//! And all three in one process:
//!
//! ```
//! use moorline::{Client, Coordinator, Result, Submit, TaskCtx, Worker};
//!
//! async fn greet(_ctx: TaskCtx, who: String) -> Result<String> {
//!     Ok(format!("hello {who}"))
//! }
//!
//! # #[cfg(all(feature = "grpc", feature = "coordinator", feature = "client"))]
//! #[tokio::main]
//! async fn main() -> Result<()> {
//!     let coordinator = Coordinator::builder()
//!         .listen("grpc://127.0.0.1:0")
//!         .admin("127.0.0.1:0")
//!         .start()
//!         .await?;
//!     let worker = Worker::builder(coordinator.endpoints()[0].to_string())
//!         .name("greeter")
//!         .task("greet", greet)
//!         .build()?;
//!     let handle = worker.handle();
//!     let running = tokio::spawn(worker.run());
//!
//!     let client = Client::new(coordinator.admin_url().unwrap_or_default())?;
//!     let task = client.submit(Submit::json("greet", &"you")?).await?;
//!     client.wait(task.id).await?;
//!     let said: String = client.result_json(task.id).await?;
//!     assert_eq!(said, "hello you");
//!
//!     handle.drain().await;
//!     running.await.expect("it does not panic")?;
//!     coordinator.stop().await;
//!     Ok(())
//! }
//! # #[cfg(not(all(feature = "grpc", feature = "coordinator", feature = "client")))]
//! # fn main() {}
//! ```
//!
//! | | |
//! | --- | --- |
//! | [`Worker`], [`WorkerHandle`], [`LinkStatus`], [`Reconnect`], [`Preset`] | run tasks, steer and watch the link |
//! | [`TaskCtx`], [`Fatal`] | inside a handler |
//! | [`Runtime`] | a worker without tokio (features `smol`, `threads`, `async-std`) |
//! | [`Coordinator`] | embed a coordinator (feature `coordinator`) |
//! | [`Credential`], [`Applicant`] | what a worker shows, and who is let in |
//! | [`Client`], [`Submit`] | hand in tasks (feature `client`) |
//! | [`Error`], [`Code`], [`DisconnectReason`] | what can go wrong, and what to do about it |
//!
//! What is guaranteed: a task that was accepted is not lost, its result is applied once, and its
//! handler runs at least once; it can run more than once, which is what
//! [`TaskCtx::idempotency_key`] is for. For other runtimes `moorline-link`, `moorline-work` and
//! `moorline-node` are machines without clocks, sockets or threads.

#[cfg(any(feature = "client", feature = "coordinator"))]
mod api;
mod auth;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "client")]
mod client;
mod code;
#[cfg(feature = "cli")]
mod config;
#[cfg(feature = "coordinator")]
mod coordinator;
mod error;
#[cfg(any(feature = "client", feature = "coordinator"))]
mod explain;
/// What the fuzz targets of the repository call.
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod fuzzing {
    #[cfg(feature = "chaos")]
    pub use crate::cli::chaos_script;
    pub use crate::config::fuzzing::config;
    pub use crate::coordinator::admin_of_nobody;
}
#[cfg(feature = "health")]
mod health;
mod id;
#[cfg(feature = "health")]
mod metrics;
mod preset;
#[cfg(all(feature = "process", unix))]
mod process;
mod random;
mod reach;
mod reconnect;
mod task;
#[cfg(all(test, feature = "client", feature = "coordinator"))]
mod test_rig;
mod worker;

pub use moorline_link::{
    Degraded, First, Jitter, OutageEnd, Reason as DisconnectReason, State as LinkState,
};
pub use moorline_node::{Credential, CredentialError, EventKind};
#[cfg(feature = "tls")]
pub use moorline_transport::{TlsError, TlsFiles};
pub use moorline_work::TaskState;

#[cfg(any(feature = "client", feature = "coordinator"))]
pub use api::{
    Cancelled, Draining, EventInfo, LeftBehind, Overview, Retried, Submit, Submitted, TaskInfo,
    WorkerFlapping, WorkerInfo, WorkerLink,
};
#[cfg(feature = "coordinator")]
pub use auth::{Applicant, Denial};
#[cfg(feature = "client")]
pub use client::{Client, EventQuery, TaskQuery};
pub use code::Code;
#[cfg(feature = "coordinator")]
pub use coordinator::{Coordinator, CoordinatorBuilder, StoreAt};
pub use error::{BoxError, Error, Result};
#[cfg(any(feature = "client", feature = "coordinator"))]
pub use explain::{Candidate, Cause, Certainty, Explanation, Sighting};
pub use id::{TaskId, TaskIdError};
pub use preset::Preset;
#[cfg(all(feature = "process", unix))]
pub use process::ProcessGroups;
pub use reconnect::Reconnect;
pub use task::{Fatal, TaskCtx};
pub use worker::{
    LinkChanges, LinkStatus, OutageStatus, Runtime, Why, Worker, WorkerBuilder, WorkerHandle,
};

use moorline_node::Name;

/// The version of this software, as workers and coordinators tell each other.
fn software() -> Name {
    let text = concat!("moorline ", env!("CARGO_PKG_VERSION"));
    // A package version is neither empty, nor long, nor does it hold control characters.
    Name::new(text).expect("a package version is a name")
}
