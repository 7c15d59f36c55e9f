//! Every decision of a world: a pure function of its seed, the place where it is taken, whom it is
//! about, and how often it was taken before.
//!
//! So a new decision at one place moves no other, and a run can be repeated with one of them
//! overridden. 0 is always the benign value: the shortest delay, no fault.

/// Where a decision is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
}

/// The decisions of one seed.
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

    /// The `k`-th decision at this place about this entity: uniform in `0..bound` (0 for a bound of 0).
    #[must_use]
    pub fn draw(&self, site: Site, entity: u64, k: u64, bound: u64) -> u64 {
        let place = mix(self.seed ^ ((site as u64) << 56));
        let hash = mix(mix(place ^ entity) ^ k);
        let scaled = (u128::from(hash) * u128::from(bound)) >> 64;
        u64::try_from(scaled).unwrap_or(0)
    }

    /// Whether something happens that happens so many times in a million.
    #[must_use]
    pub fn chance(&self, site: Site, entity: u64, k: u64, ppm: u64) -> bool {
        self.draw(site, entity, k, MILLION) >= MILLION.saturating_sub(ppm)
    }

    /// Uniform in `low..=high`.
    #[must_use]
    pub fn between(&self, site: Site, entity: u64, k: u64, low: u64, high: u64) -> u64 {
        low + self.draw(site, entity, k, high.saturating_sub(low) + 1)
    }

    /// From `low` to `high`, each octave equally likely.
    #[must_use]
    pub fn log_between(&self, site: Site, entity: u64, k: u64, low: u64, high: u64) -> u64 {
        let low = low.max(1);
        let octaves = (high / low).max(1).ilog2();
        // The upper bits choose the octave, the lower ones the place in it.
        let octave = self.draw(site, entity, k, u64::from(octaves) + 1);
        let from = low << octave;
        let to = (from << 1).min(high).max(from);
        self.between(site, entity, k ^ (1 << 63), from, to)
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
mod tests {
    use super::{Draws, Site};

    #[test]
    fn a_decision_depends_on_nothing_but_its_place() {
        let draws = Draws::new(7);
        let one = draws.draw(Site::Latency, 3, 5, 1_000);
        assert_eq!(Draws::new(7).draw(Site::Latency, 3, 5, 1_000), one);
        let others = [
            Draws::new(8).draw(Site::Latency, 3, 5, 1_000),
            draws.draw(Site::Dial, 3, 5, 1_000),
            draws.draw(Site::Latency, 4, 5, 1_000),
            draws.draw(Site::Latency, 3, 6, 1_000),
        ];
        assert!(others.iter().any(|other| *other != one));
    }

    #[test]
    fn decisions_stay_in_their_bounds_and_reach_both_ends() {
        let draws = Draws::new(1);
        let all: Vec<u64> = (0..2_000).map(|k| draws.between(Site::Task, 0, k, 10, 19)).collect();
        assert_eq!((all.iter().min(), all.iter().max()), (Some(&10), Some(&19)));
        let all: Vec<u64> =
            (0..2_000).map(|k| draws.log_between(Site::Task, 0, k, 3, 3_000)).collect();
        assert!(all.iter().all(|value| (3..=3_000).contains(value)));
        assert!(all.iter().filter(|value| **value < 100).count() > 500, "small ones are as likely");
        let often = (0..10_000).filter(|k| draws.chance(Site::Dial, 0, *k, 250_000)).count();
        assert!((2_200..2_800).contains(&often), "{often}");
        assert_eq!(draws.draw(Site::Dial, 0, 0, 0), 0);
    }
}
