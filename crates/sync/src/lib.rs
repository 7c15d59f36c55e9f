//! What user tasks, transports and a node's loop share across threads, and nothing else of either.
//!
//! - [`mailbox()`]: a queue from many to one: what handles ask of a loop, how handlers ended.
//! - [`Watch`]: a value with a version: the status of a worker, its end.
//! - [`Ready`], [`Mark`]: who of many wants to be looked at; the wakers that transports are given.
//!
//! No runtime is needed, and nothing here waits for another thread longer than for a lock that is held
//! to move a few words. Neither a waker nor the `Drop` of a value that is passed runs under one, so both
//! may come back here (P100).
//!
//! Every interleaving of two or three threads, within a bound on preemptions, is tried by
//! `cargo xtask loom`, over the same sources: with `--cfg loom` their locks and atomics are loom's. Beyond
//! it, the reference counts of the standard library are trusted. So are, outside of this crate, the
//! channels of `futures` (requests of clients, which wait for their turn; answers, one each) and of tokio,
//! which loom cannot see into; both projects test theirs.
//!
//! ```
//! use std::task::{Context, Poll};
//!
//! let (commands, mut asked) = moorline_sync::mailbox();
//! let status = moorline_sync::Watch::new("idle");
//! let handle = (commands, status.clone());
//!
//! // A task of the user asks for something, and waits for what becomes of it.
//! assert_eq!(handle.0.send("drain"), Ok(()));
//! let seen = handle.1.version();
//!
//! // The loop.
//! # let mut cx = Context::from_waker(std::task::Waker::noop());
//! assert_eq!(asked.poll_next(&mut cx), Poll::Ready(Some("drain")));
//! status.set("draining", true);
//!
//! # futures::executor::block_on(async {
//! assert!(handle.1.changed(seen).await > seen);
//! assert_eq!(handle.1.get(), "draining");
//! # });
//! ```

mod mailbox;
mod primitives;
mod ready;
mod watch;

pub use mailbox::{Receiver, Sender, mailbox};
pub use ready::{Mark, Ready};
pub use watch::Watch;
