//! The connection state machines of moorline, sans-IO: both ends of the link between a worker and
//! its coordinator.
//!
//! | | |
//! | --- | --- |
//! | [`Link`] | the worker's end: dial, register, beat, notice, back off, come back, drain |
//! | [`Hub`] | the coordinator's end, for all workers |
//! | [`Outbox`], [`Inbox`] | the two halves of a resumable numbered lane, the same at both ends |
//! | [`Backoff`] | when to dial again: a pure function |
//! | [`LinkStatistics`] | a link in figures: round trips, stability, attempts, outages |
//! | [`State`] | the six states of a link and the one table of their transitions |
//! | [`Reason`] | why a connection ended: the closed list all surfaces take their words from |
//!
//! No sockets, clocks, threads or randomness: time is an [`Instant`] that the driver passes in, and
//! every machine is a plain value that can be cloned, compared, recorded and replayed. `no_std` with
//! `alloc`, no dependencies, no unsafe code.
//!
//! # The loop
//!
//! A driver tells a machine what happened, does what it asks for, writes the frames it has due while
//! the connection takes them, and sleeps until it wants to be woken:
//!
//! ```
//! use moorline_link::{
//!     ConnId, Instant, Lane, Link, LinkAction, LinkInput, LinkTransmit, LinkVerdict, Wake,
//! };
//!
//! trait Driver {
//!     fn now(&self) -> Instant;
//!     fn act(&mut self, action: LinkAction);
//!     fn heed(&mut self, verdict: LinkVerdict);
//!     /// The connections that take a packet of this lane now.
//!     fn writable(&self, lane: Lane) -> Vec<ConnId>;
//!     fn write(&mut self, conn: ConnId, transmit: LinkTransmit);
//!     /// What happened next, or a timeout at this time.
//!     fn wait(&mut self, until: Option<Instant>) -> LinkInput;
//! }
//!
//! fn run(link: &mut Link, driver: &mut impl Driver) {
//!     loop {
//!         while let Some(action) = link.poll_action() {
//!             driver.act(action);
//!         }
//!         for lane in Lane::ALL {
//!             for conn in driver.writable(lane) {
//!                 while let Some(transmit) = link.poll_transmit(driver.now(), conn, lane) {
//!                     driver.write(conn, transmit);
//!                 }
//!             }
//!         }
//!         let until = match link.next_wake() {
//!             Wake::Now => continue,
//!             Wake::At { deadline, .. } => Some(deadline),
//!             Wake::OnInput => None,
//!         };
//!         let input = driver.wait(until);
//!         let verdict = link.handle(driver.now(), input);
//!         driver.heed(verdict);
//!     }
//! }
//! ```
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod backoff;
mod canonical;
mod clock;
mod config;
mod frame;
mod hub;
mod id;
mod lane;
mod link;
mod quality;
mod reason;
mod rtt;
mod siphash;
mod state;
mod statistics;
mod time;
mod timer;
mod wake;

pub use backoff::{Backoff, First, Jitter, Spread};
pub use canonical::Canonical;
pub use clock::EffectiveClock;
pub use config::{ConfigError, Heartbeat, Lanes, LinkConfig, Reconnect, Timeouts};
pub use frame::{
    Ack, Beat, BeatAnswer, ComeBack, CoordinatorFrame, Credit, Dismissal, Features, Flags, Hello,
    Lane, MessageHead, Resume, Standing, Statistics, Ticket, Versions, Welcome, WorkerFrame,
};
pub use hub::*;
pub use id::{ConnId, Epoch, Incarnation, Seq, SessionId, Sym, Tag, WorkerId};
pub use lane::{Arrival, EnqueueError, Inbox, LaneLimits, Outbox};
pub use link::{
    Identity, Kick, Link, LinkAction, LinkInput, LinkRejection, LinkSnapshot, LinkTransmit,
    LinkVerdict, Transition, Violation,
};
pub use quality::{Degraded, Quality};
pub use reason::{Reason, Retry};
pub use rtt::RoundTripFigures;
pub use state::{LinkEvent, State};
pub use statistics::{LinkStatistics, Outage, OutageEnd, Outages};
pub use time::Instant;
pub use timer::Timer;
pub use wake::Wake;
