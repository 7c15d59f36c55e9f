//! How a whole fleet comes back to a coordinator that was started anew, beside the policies that other
//! systems have.
//!
//! The nodes of both sides, the codec, the admission and the store are the real ones, in virtual time.
//! Nothing else goes wrong and nothing is judged, so that a hundred thousand workers fit: promises are
//! for worlds ([`run`](crate::run())).
//!
//! ```
//! use moorline_sim::herd::{Herd, Policy};
//! use std::time::Duration;
//!
//! let herd = Herd { workers: 100, ..Herd::new(Policy::Ours) };
//! let outcome = herd.run();
//! assert!(outcome.last.is_some_and(|last| last < herd.down + Duration::from_secs(4)));
//! ```

mod conns;
mod coordinator;
mod fleet;
mod policy;
mod worker;

use std::time::Duration;

pub use policy::Policy;

use crate::Latency;
use crate::plan::MS;
use fleet::Fleet;

/// Registrations that the coordinator takes in a second, whatever the policy: its default until it has
/// measured how many it can take.
pub const RATE: u32 = 200;

/// A fleet, and what becomes of its coordinator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Herd {
    /// How many workers there are; at most 100,000, which is what a coordinator takes by default.
    pub workers: usize,
    /// When they dial.
    pub policy: Policy,
    /// For how long nobody listens. Default 3 s.
    pub down: Duration,
    /// How long a packet, a dial, its answer and the news of a connection's end travel. Default 1 ms.
    pub latency: Latency,
    /// After this time since the coordinator is back the run ends, whoever is still missing. Default
    /// an hour.
    pub patience: Duration,
    /// Feeds the delays. Default 7.
    pub seed: u64,
}

/// What became of the fleet. Times are since the coordinator was killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Dials, all workers together.
    pub dials: u64,
    /// Those of them that began before the coordinator was back.
    pub while_down: u64,
    /// Dials in the busiest tenth of a second; tenths are counted since the kill.
    pub peak: u64,
    /// Workers that are active at the end of the run.
    pub back: usize,
    /// When half of the workers were active again, if they were.
    pub half: Option<Duration>,
    /// When the last one was.
    pub last: Option<Duration>,
}

impl Herd {
    /// A thousand workers and an outage of three seconds.
    #[must_use]
    pub const fn new(policy: Policy) -> Self {
        Self {
            workers: 1_000,
            policy,
            down: Duration::from_secs(3),
            latency: Latency::Fixed { at: MS },
            patience: Duration::from_secs(3_600),
            seed: 7,
        }
    }

    /// The whole fleet starts and is in service for a minute, the coordinator is killed, and a new
    /// process of it begins after [`Herd::down`], with what is in its store. The same for the same
    /// herd, on every machine.
    ///
    /// # Panics
    /// If the fleet cannot start: for more than 100,000 workers, or a latency above a second or so.
    #[must_use]
    pub fn run(&self) -> Outcome {
        let mut fleet = Fleet::start(*self);
        fleet.outage();
        fleet.outcome()
    }
}
