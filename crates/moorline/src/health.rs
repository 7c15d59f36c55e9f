//! Health, metrics and status over HTTP, on a thread of its own.
//!
//! A server on the runtime it watches says nothing at all when that runtime is blocked, and one that
//! asks a loop for its state says whatever the loop said last. So this one has its own thread and
//! runtime, reads what the loops publish, and compares their sign of life with the clock.
//!
//! The admin API of a coordinator answers the same paths by the same code.

mod answer;
#[cfg(feature = "coordinator")]
mod coordinator;
mod page;
mod report;
mod server;
mod worker;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

#[cfg(feature = "coordinator")]
pub(crate) use answer::PATHS;
pub(crate) use answer::{Answer, answer};
#[cfg(feature = "coordinator")]
pub(crate) use coordinator::{Asked, CoordinatorSubject};
pub(crate) use report::{Check, Report};
#[cfg(feature = "coordinator")]
pub(crate) use server::response;
pub(crate) use server::{Bound, Server};
pub(crate) use worker::{WorkerSubject, word};

use crate::metrics::Page;
use crate::{Error, Result};

/// What is watched, turns at least this often.
pub(crate) const PULSE_EVERY: Duration = Duration::from_secs(1);

/// When something counts as broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    /// A loop that has not turned for so long is stuck.
    pub(crate) stuck_after: Duration,
    /// An active link that was not proven by a round trip for so long is no ready worker (P31).
    pub(crate) control_silence: Duration,
    /// A commit that takes so long says that the store cannot be written.
    #[cfg_attr(
        not(feature = "coordinator"),
        allow(dead_code, reason = "a worker has no store to watch")
    )]
    pub(crate) store_stalled_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stuck_after: Duration::from_secs(10),
            control_silence: Duration::from_secs(30),
            store_stalled_after: Duration::from_secs(5),
        }
    }
}

/// The sign of life of a loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Life {
    /// It does not run yet.
    Before,
    /// It runs.
    Turning {
        /// Turns so far.
        turns: u64,
        /// Since the last one.
        age: Duration,
    },
    /// It has ended.
    Ended,
}

/// How it is, at one glance.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "for an init system"))]
pub(crate) struct Glance {
    /// Its start is over: a worker tries to connect, a coordinator takes work.
    pub(crate) started: bool,
    /// It finishes what it has.
    pub(crate) stopping: bool,
    /// In one line that changes with transitions only.
    pub(crate) summary: String,
}

/// A worker or a coordinator that is watched.
pub(crate) trait Subject: Send + Sync + 'static {
    /// What is broken when.
    fn limits(&self) -> Limits;

    /// The sign of life: asked without waiting for anything the loop could hold.
    fn life(&self) -> Life;

    /// How it is, as far as that can be said without asking anybody.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "for an init system"))]
    fn glance(&self) -> Glance;

    /// How it is now.
    fn report(&self) -> BoxFuture<'_, Report>;

    /// Its metrics now.
    fn measure<'a>(&'a self, page: &'a mut Page) -> BoxFuture<'a, ()>;
}

/// Whether the loop of what is watched is stuck.
///
/// A loop that is behind is given a moment: when a machine wakes up, or a stopped process goes on,
/// what the loop has published is from before, until it turns.
pub(crate) async fn stuck(subject: &dyn Subject) -> Option<Duration> {
    const MOMENT: Duration = Duration::from_millis(1_500);
    const STEP: Duration = Duration::from_millis(20);
    let Life::Turning { turns: before, age } = subject.life() else { return None };
    let limit = subject.limits().stuck_after;
    if age <= limit.min(PULSE_EVERY * 2) {
        return None;
    }
    let mut waited = Duration::ZERO;
    let mut oldest = age;
    while waited < MOMENT {
        tokio::time::sleep(STEP).await;
        waited += STEP;
        match subject.life() {
            Life::Turning { turns, age } if turns == before => oldest = age,
            Life::Turning { .. } | Life::Before | Life::Ended => return None,
        }
    }
    Some(oldest).filter(|age| *age > limit)
}

/// Reads an address, such as `127.0.0.1:8742`; `localhost` is 127.0.0.1. Port 0 takes any free one.
pub(crate) fn address(text: &str) -> Result<SocketAddr> {
    let local = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    local.as_deref().unwrap_or(text).parse().map_err(|_| {
        let problem = format!("`{text}` is not an address; write it as 127.0.0.1:8742");
        Error::setting("health-listen", problem)
    })
}

/// What every status says of its process.
fn identity(role: &'static str) -> serde_json::Map<String, serde_json::Value> {
    let mut identity = serde_json::Map::new();
    identity.insert("role".into(), role.into());
    identity.insert("version".into(), env!("CARGO_PKG_VERSION").into());
    identity.insert("pid".into(), std::process::id().into());
    identity
}

/// A running server and where it is; dropped, it ends.
#[derive(Debug)]
pub(crate) struct Health {
    server: Server,
}

impl Health {
    /// Serves on a thread of its own.
    pub(crate) fn serve(bound: Bound, subject: Arc<dyn Subject>) -> Result<Self> {
        let server = Server::start(bound, subject).map_err(Error::Start)?;
        Ok(Self { server })
    }

    #[cfg_attr(not(feature = "coordinator"), expect(dead_code, reason = "nobody asks a worker"))]
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests;
