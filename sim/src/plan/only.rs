//! Plans in which faults of some families alone go wrong.

use super::{Families, Family, Mode, Plan};
use crate::decide::{Decide, Draws, Site};

/// Draws as a seed does, but for which families there are.
#[derive(Debug)]
struct Only {
    draws: Draws,
    families: Families,
}

impl Decide for Only {
    fn draw(&self, site: Site, entity: u64, k: u64, bound: u64) -> u64 {
        match (site, entity, k) {
            // Neither calm nor cranked nor extreme: those have families of their own.
            (Site::Plan, 0, 0) => 0,
            (Site::Plan, 5, family) => {
                let family = usize::try_from(family).ok().and_then(|place| Family::ALL.get(place));
                u64::from(family.is_some_and(|family| self.families.contains(*family)))
            }
            (_, _, _) => self.draws.draw(site, entity, k, bound),
        }
    }
}

impl Plan {
    /// The plan of this seed in which faults of these families go wrong, and of no others: another plan
    /// than that of [`Plan::new`] for the same seed.
    ///
    /// ```
    /// use moorline_sim::{Families, Family, Mode, Plan};
    ///
    /// let plan = Plan::only(7, Mode::Honest, Families::NONE.with(Family::N8));
    /// assert!(plan.episodes.iter().all(|episode| episode.fault.family() == Family::N8));
    /// ```
    #[must_use]
    pub fn only(seed: u64, mode: Mode, families: Families) -> Self {
        Self::draw(seed, mode, &Only { draws: Draws::new(seed), families })
    }
}
