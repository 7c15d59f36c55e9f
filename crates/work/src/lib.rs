//! The task state machines of moorline, sans-IO: no sockets, clocks, disks, threads or randomness,
//! no dependencies, `no_std` + alloc.
//!
//! | | |
//! | --- | --- |
//! | [`Dispatcher`] | the coordinator's half: what is queued, who has what, what became of it |
//! | [`Runner`] | the worker's half: what runs, what is finished, what is owed |
//! | [`CoordinatorMessage`], [`WorkerMessage`], [`Holding`], [`Judgement`] | what they say to each other |
//! | [`Op`], [`Row`], [`Conflict`] | what the dispatcher asks of a store, and what it is answered |
//!
//! Both are driven the same way. Everything that happens goes in by one door, everything that is
//! to be done is polled, and the machine says when it wants to be called next:
//!
//! ```
//! use moorline_work::*;
//!
//! fn carry_out(action: DispatcherAction) { /* a store, a lane, a client */ }
//! fn wait(until: Wake<DispatcherTimer>) -> (Instant, DispatcherInput) {
//!     // Sleeps until an input is there, or until the deadline: then a timeout.
//!     (until.deadline().unwrap_or(Instant::ZERO), DispatcherInput::Timeout)
//! }
//!
//! let mut dispatcher = Dispatcher::new(DispatcherConfig::default(), Instant::ZERO);
//! # for _ in 0..3 {
//! // loop {
//! while let Some(action) = dispatcher.poll_action() {
//!     carry_out(action);
//! }
//! let (now, input) = wait(dispatcher.next_wake());
//! dispatcher.handle(now, input);
//! // }
//! # }
//! ```
//!
//! The machines are plain values: cloned, compared and hashed by a model checker, replayed from a
//! list of inputs. Payloads, bodies and names stay with the embedder, who joins them to the keys.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod canonical;
mod dispatcher;
mod id;
mod message;
mod op;
mod runner;
mod time;
mod wake;

pub use canonical::Canonical;
pub use dispatcher::{
    Dispatcher, DispatcherAction, DispatcherConfig, DispatcherConfigError, DispatcherInput,
    DispatcherSettings, DispatcherTimer, DispatcherVerdict, LeaseSnapshot, Reply, TaskSpec,
};
pub use id::{Attempt, Incarnation, OpId, RunId, Sym, TaskId, TaskKey, Ticket, WorkerId};
pub use message::{
    Assign, CoordinatorMessage, Disposition, Holding, Judgement, Outcome, Refusal, WorkerMessage,
};
pub use op::{Conflict, End, Op, Placement, RequeueCause, Row, Status, TaskState};
pub use runner::{
    AbortReason, RunPhase, RunSnapshot, Runner, RunnerAction, RunnerConfig, RunnerInput,
    RunnerTimer, RunnerVerdict,
};
pub use time::Instant;
pub use wake::Wake;
