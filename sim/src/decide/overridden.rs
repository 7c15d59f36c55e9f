//! Decisions that are laid down one by one, over others.

use std::collections::BTreeMap;

use super::{Decide, Decision, Draws, Site};

/// What holds where nothing is laid down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Base {
    /// What the seed says.
    #[default]
    Random,
    /// The benign value, always.
    Benign,
}

/// Decisions by a seed, or benign ones, but for those that are laid down.
///
/// ```
/// use moorline_sim::{Base, Decide, Decision, Overridden, Site};
///
/// let slow = Decision { site: Site::Latency, entity: 3, k: 1, value: 40 };
/// let decisions = Overridden::new(7, Base::Benign, &[slow]);
/// assert_eq!(decisions.draw(Site::Latency, 3, 1, 100), 40);
/// assert_eq!(decisions.draw(Site::Latency, 3, 2, 100), 0);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Overridden {
    draws: Draws,
    base: Base,
    values: BTreeMap<(Site, u64, u64), u64>,
}

impl Overridden {
    /// The decisions of a seed or none, and these over them.
    #[must_use]
    pub fn new(seed: u64, base: Base, decisions: &[Decision]) -> Self {
        let place = |decision: &Decision| (decision.site, decision.entity, decision.k);
        let values = decisions.iter().map(|decision| (place(decision), decision.value)).collect();
        Self { draws: Draws::new(seed), base, values }
    }
}

impl Decide for Overridden {
    fn draw(&self, site: Site, entity: u64, k: u64, bound: u64) -> u64 {
        match (self.values.get(&(site, entity, k)), self.base) {
            // What was laid down for another bound stays within this one.
            (Some(value), _) => (*value).min(bound.saturating_sub(1)),
            (None, Base::Random) => self.draws.draw(site, entity, k, bound),
            (None, Base::Benign) => 0,
        }
    }
}
