//! What every worker and every coordinator keeps, as a list of promises, judged on the wire.
//!
//! - [`worker::run`] plays the coordinator and judges a worker: any program that can be started with an
//!   address, or anything else that [`Launch`] starts.
//! - [`coordinator::run`] plays workers and judges a coordinator that listens somewhere.
//!
//! Both go through their promises one by one ([`worker::PROMISES`], [`coordinator::PROMISES`]), over any
//! transport, and return a [`Report`]. What a peer says is judged by machines without clocks or sockets;
//! what is here beside them waits, sends and starts programs.
//!
//! A check waits for what has to happen, for no longer than it is allowed to. What must *not* happen is
//! waited for as long as the promise says it must not, or for a short while: a machine that is slow makes
//! such a check weaker, never wrong.
//!
//! ```no_run
//! use moorline_conformance::{Program, worker};
//!
//! # async fn judge(transport: impl moorline_transport::Transport) {
//! let program = Program::new("python3", ["worker.py", "{url}"]);
//! let at = "grpc://127.0.0.1:0".parse().expect("an endpoint");
//! let subject = worker::Subject::new(transport, at, program);
//! let report = worker::run(&subject, worker::PROMISES, |judged| println!("{judged}")).await;
//! assert!(report.is_kept());
//! # }
//! ```

mod connection;
pub mod coordinator;
mod hearing;
mod lane;
mod launch;
mod limits;
mod outcome;
mod raw;
mod report;
pub mod worker;

pub use launch::{Launch, Program, Running};
pub use limits::Limits;
pub use report::{Broken, Judged, Promise, Report, Verdict};
