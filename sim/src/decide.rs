//! Every decision of a world: what a latency is, whether a handler fails, how late a timer fires.
//!
//! A decision is asked for by its place: where it is taken, whom it is about, and how often it was
//! taken before. By default it is a pure function of that and of the seed, so a new decision at one
//! place moves no other, and a run can be repeated with one of them overridden. 0 is always the benign
//! value: the shortest delay, no fault. So whatever answers with zeros runs a world in which nothing
//! goes wrong by chance, and a run is its plan and the few decisions that were not benign.

mod bytes;
mod log;
mod overridden;

use std::fmt;

use crate::Plan;

pub use bytes::FromBytes;
pub use log::{Decision, Log};
pub use overridden::{Base, Overridden};

/// Where a decision is taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Site {
    /// The shape of the whole plan.
    Plan,
    /// One episode of the plan.
    Episode,
    /// One worker of the plan.
    Worker,
    /// One task of the plan.
    Task,
    /// The latency of a packet.
    Latency,
    /// What becomes of a dial.
    Dial,
    /// How long a handler runs, and how it ends.
    Handler,
    /// How many operations a commit takes, and how long it lasts.
    Commit,
    /// Whether the commit that was under way at a crash is durable.
    Torn,
    /// How late a timer fires.
    Timer,
    /// The order of what waited for a process that was frozen.
    Thaw,
    /// How a connection ends when its process does.
    Reset,
    /// How long after its moment a fault strikes.
    Strike,
    /// What a worker swallows, and when.
    Swallow,
    /// Whether a packet takes much longer, and by how much.
    Spike,
    /// Whether a packet is lost and sent again, how many behind it, and how much later.
    Stall,
    /// How much later the last piece of a packet arrives than its first.
    Segment,
    /// Whether a packet arrives again, how often and when.
    Replay,
    /// Whether a packet changes on its way, and how.
    Corrupt,
    /// How much later what was lost in a partition is sent again.
    Retransmit,
    /// When a worker loses its link, and gets it back.
    Swizzle,
    /// How a second process of a worker ends.
    Second,
    /// Whose credential is refused and when, and how long it takes to find out.
    Credential,
    /// How long a commit of a worker's journal lasts, and whether one that was under way is durable.
    Journal,
}

impl Site {
    /// Every one.
    pub const ALL: &[Self] = &[
        Self::Plan,
        Self::Episode,
        Self::Worker,
        Self::Task,
        Self::Latency,
        Self::Dial,
        Self::Handler,
        Self::Commit,
        Self::Torn,
        Self::Timer,
        Self::Thaw,
        Self::Reset,
        Self::Strike,
        Self::Swallow,
        Self::Spike,
        Self::Stall,
        Self::Segment,
        Self::Replay,
        Self::Corrupt,
        Self::Retransmit,
        Self::Swizzle,
        Self::Second,
        Self::Credential,
        Self::Journal,
    ];
}

/// Takes the decisions of a world.
///
/// ```
/// use moorline_sim::{Decide, Draws, Site};
///
/// /// Every latency is the longest there is.
/// #[derive(Debug)]
/// struct Slowest;
///
/// impl Decide for Slowest {
///     fn draw(&self, site: Site, _entity: u64, _k: u64, bound: u64) -> u64 {
///         if site == Site::Latency { bound.saturating_sub(1) } else { 0 }
///     }
/// }
///
/// assert_eq!(Slowest.between(Site::Latency, 0, 0, 5, 9), 9);
/// assert_eq!(Draws::new(7).draw(Site::Dial, 1, 2, 1), 0, "there is one value only");
/// ```
pub trait Decide: fmt::Debug {
    /// The `k`-th decision at this place about this entity: in `0..bound` (0 for a bound of 0), and 0
    /// is benign.
    fn draw(&self, site: Site, entity: u64, k: u64, bound: u64) -> u64;

    /// Whether something happens that happens so many times in a million.
    fn chance(&self, site: Site, entity: u64, k: u64, ppm: u64) -> bool {
        self.draw(site, entity, k, MILLION) >= MILLION.saturating_sub(ppm)
    }

    /// Uniform in `low..=high`.
    fn between(&self, site: Site, entity: u64, k: u64, low: u64, high: u64) -> u64 {
        low + self.draw(site, entity, k, high.saturating_sub(low) + 1)
    }

    /// From `low` to `high`, each octave equally likely.
    fn log_between(&self, site: Site, entity: u64, k: u64, low: u64, high: u64) -> u64 {
        let low = low.max(1);
        let octaves = (high / low).max(1).ilog2();
        // The upper bits choose the octave, the lower ones the place in it.
        let octave = self.draw(site, entity, k, u64::from(octaves) + 1);
        let from = low << octave;
        let to = (from << 1).min(high).max(from);
        self.between(site, entity, k ^ (1 << 63), from, to)
    }
}

/// The decisions of a seed: a hash of it and of the place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Draws {
    seed: u64,
}

impl Draws {
    /// The decisions of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }
}

impl Decide for Draws {
    fn draw(&self, site: Site, entity: u64, k: u64, bound: u64) -> u64 {
        let place = mix(self.seed ^ ((site as u64) << 56));
        let hash = mix(mix(place ^ entity) ^ k);
        let scaled = (u128::from(hash) * u128::from(bound)) >> 64;
        u64::try_from(scaled).unwrap_or(0)
    }
}

/// By whom the decisions of a run are taken: nearly always by its seed alone.
#[derive(Debug)]
pub(crate) enum Decider {
    Draws(Draws),
    Other(Box<dyn Decide>),
}

impl Decider {
    /// As a plan says.
    pub(crate) fn of(plan: &Plan) -> Self {
        if plan.base == Base::Random && plan.decisions.is_empty() {
            Self::Draws(Draws::new(plan.seed))
        } else {
            Self::Other(Box::new(Overridden::new(plan.seed, plan.base, &plan.decisions)))
        }
    }
}

impl Decide for Decider {
    fn draw(&self, site: Site, entity: u64, k: u64, bound: u64) -> u64 {
        match self {
            Self::Draws(draws) => draws.draw(site, entity, k, bound),
            Self::Other(decisions) => decisions.draw(site, entity, k, bound),
        }
    }
}

const MILLION: u64 = 1_000_000;

/// One step of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
pub(crate) const fn mix(x: u64) -> u64 {
    let z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
