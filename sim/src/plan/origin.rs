//! Where a plan comes from: what has to be known to draw it again.

use std::fmt;

use super::{Families, Family, Mode, Moment, Plan, Size};
use crate::decide::{Decide, Draws, Site};

/// Where a plan comes from: everything that has to be known to draw it again.
///
/// ```
/// use moorline_sim::{Families, Family, Mode, Moment, Origin, Plan, Size};
///
/// assert_eq!(Origin::new(7).plan(), Plan::new(7));
/// let origin = Origin {
///     mode: Mode::Hostile,
///     size: Size::Brief,
///     only: Families::NONE.with(Family::N8).with(Family::H1),
///     at: Some(Moment::Result),
///     ..Origin::new(7)
/// };
/// assert_eq!(
///     origin.to_string(),
///     "--seed 7 --mode hostile --size brief --only N8,H1 --at result"
/// );
/// assert!(origin.plan().episodes.iter().all(|episode| origin.only.contains(episode.fault.family())));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The seed: feeds every draw.
    pub seed: u64,
    /// What may go wrong at all.
    pub mode: Mode,
    /// How large the world is.
    pub size: Size,
    /// Faults of these families go wrong and of no others; none: as the seed has it.
    pub only: Families,
    /// There are many faults, and every second one waits for this moment; none: as the seed has it.
    pub at: Option<Moment>,
}

impl Origin {
    /// The honest plan of the usual size, as the seed has it: that of [`Plan::new`].
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, mode: Mode::Honest, size: Size::Usual, only: Families::NONE, at: None }
    }

    /// Draws the plan.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let draws = Draws::new(self.seed);
        if self.is_narrowed() {
            let Self { only, at, .. } = *self;
            Plan::draw_sized(self.seed, self.mode, self.size, &Narrowed { draws, only, at })
        } else {
            Plan::draw_sized(self.seed, self.mode, self.size, &draws)
        }
    }

    /// Whether it is another plan than the seed has by itself.
    #[must_use]
    pub const fn is_narrowed(&self) -> bool {
        !self.only.is_empty() || self.at.is_some()
    }
}

/// As it stands on a command line: `--seed 7 --mode hostile`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, mode, size, only, at } = self;
        write!(f, "--seed {seed}")?;
        match mode {
            Mode::Honest => {}
            Mode::Hostile => f.write_str(" --mode hostile")?,
        }
        match size {
            Size::Usual => {}
            Size::Brief => write!(f, " --size {}", size.name())?,
        }
        for (place, family) in only.iter().enumerate() {
            f.write_str(if place == 0 { " --only " } else { "," })?;
            f.write_str(family.name())?;
        }
        at.map_or(Ok(()), |at| write!(f, " --at {}", at.name()))
    }
}

/// Draws as a seed does, but for which families there are, and what faults wait for.
#[derive(Debug)]
struct Narrowed {
    draws: Draws,
    only: Families,
    at: Option<Moment>,
}

impl Decide for Narrowed {
    fn draw(&self, site: Site, entity: u64, k: u64, bound: u64) -> u64 {
        let seeded = || self.draws.draw(site, entity, k, bound);
        match (site, entity, k) {
            // Neither calm nor cranked nor extreme: those have families of their own.
            (Site::Plan, 0, 0) => 0,
            (Site::Plan, 5, family) if !self.only.is_empty() => {
                let family = usize::try_from(family).ok().and_then(|place| Family::ALL.get(place));
                u64::from(family.is_some_and(|family| self.only.contains(*family)))
            }
            // Many faults: for one the moment may never come.
            (Site::Plan, 0, 11) if self.at.is_some() => bound - 1,
            // Not every fault waits, but every second one.
            (Site::Plan, 0, 12) if self.at.is_some() => 0,
            (Site::Episode, index, 16) if self.at.is_some() => 3 * (index % 2),
            (Site::Episode, _, 17) => self.at.map_or_else(seeded, |at| at as u64),
            (_, _, _) => seeded(),
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
        let draws = Narrowed { draws: Draws::new(seed), only: families, at: None };
        Self::draw_sized(seed, mode, Size::Usual, &draws)
    }
}

#[cfg(test)]
mod tests;
