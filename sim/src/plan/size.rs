//! How large a drawn world is: how many are in it, and how long everything takes.

use super::{MS, SEC, Settings, Workers};
use crate::decide::{Decide, Site};

/// How large a world is that is drawn from a seed.
///
/// ```
/// use moorline_sim::{Origin, Size};
///
/// let plan = Origin { size: Size::Brief, ..Origin::new(7) }.plan();
/// assert!(plan.workers.len() <= 4 && plan.quiet_at <= 30_000_000_000);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Size {
    /// 1-64 workers, 1-32 tasks, 60-600 s of faults: whatever takes its time has it.
    #[default]
    Usual,
    /// 1-4 workers, 1-8 tasks, 5-30 s of faults, of which all else takes its share: there are more than
    /// ten of them for one of the others, and each fault falls into the little that happens.
    Brief,
}

impl Size {
    /// Every size.
    pub const ALL: [Self; 2] = [Self::Usual, Self::Brief];

    /// What it is called on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usual => "usual",
            Self::Brief => "brief",
        }
    }

    pub(super) const fn limits(self) -> Limits {
        match self {
            Self::Usual => USUAL,
            Self::Brief => BRIEF,
        }
    }

    /// The settings of a seed for a world of this size.
    pub(super) fn settings(
        self,
        draws: &dyn Decide,
        draw: impl FnOnce(&dyn Decide) -> Settings,
    ) -> Settings {
        match self {
            Self::Usual => draw(draws),
            Self::Brief => {
                let mut settings = draw(&Hasty(draws));
                settings.hasten();
                settings
            }
        }
    }
}

/// How far draws go. Times are in nanoseconds, the longest there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Workers.
    pub(super) workers: u64,
    /// How many of a thousand are the last one.
    pub(super) last_worker: u64,
    /// Tasks.
    pub(super) tasks: u64,
    /// Until nothing goes wrong any more: the shortest and the longest.
    pub(super) quiet: (u64, u64),
    /// Until a late process begins.
    pub(super) boot: u64,
    /// How long a handler runs.
    pub(super) work: u64,
    /// How long a handler that is slow to stop takes for it.
    pub(super) stops: u64,
    /// Until a client wants its task to end.
    pub(super) cancel: u64,
    /// Until a client hands in a task again, or another one takes its id.
    pub(super) again: u64,
    /// Bytes of a large body.
    pub(super) large: u64,
    /// Faults.
    pub(super) episodes: u64,
    /// Faults where there are those of one family only: the fewest and the most.
    pub(super) cranked: (u64, u64),
    /// A life, and the time to the next one, of a process that ends again and again.
    pub(super) lives: u64,
    /// How long a worker that is stopped has for it.
    pub(super) drain: u64,
    /// How much longer a commit takes by a fault.
    pub(super) commit: u64,
}

const USUAL: Limits = Limits {
    workers: Workers::MAX as u64,
    last_worker: 159,
    tasks: 32,
    quiet: (60 * SEC, 600 * SEC),
    boot: 30 * SEC,
    work: 30 * SEC,
    stops: 60 * SEC,
    cancel: 20 * SEC,
    again: 60 * SEC,
    large: 300_000,
    episodes: 16,
    cranked: (8, 32),
    lives: 30 * SEC,
    drain: 30 * SEC,
    commit: 20 * SEC,
};

const BRIEF: Limits = Limits {
    workers: 4,
    last_worker: 400,
    tasks: 8,
    quiet: (5 * SEC, 30 * SEC),
    boot: 3 * SEC,
    work: 4 * SEC,
    stops: 8 * SEC,
    cancel: 4 * SEC,
    again: 6 * SEC,
    large: 100_000,
    episodes: 8,
    cranked: (3, 12),
    lives: 3 * SEC,
    drain: 5 * SEC,
    commit: 4 * SEC,
};

/// Draws as another does, but for how long a worker may be silent: a fault that is to be longer than that
/// has to find room in a brief world.
#[derive(Debug)]
struct Hasty<'a>(&'a dyn Decide);

impl Decide for Hasty<'_> {
    fn draw(&self, site: Site, entity: u64, k: u64, bound: u64) -> u64 {
        match (site, entity, k) {
            // The longer half of what there is to choose from comes first.
            (Site::Plan, 2, 0) => bound - bound / 2 + self.0.draw(site, entity, k, bound / 2),
            (_, _, _) => self.0.draw(site, entity, k, bound),
        }
    }
}

impl Settings {
    /// Shortens what keeps a world waiting in which nothing happens. What is usual stays so.
    fn hasten(&mut self) {
        let shorten = |value: &mut u64, most: u64| *value = (*value).min(most);
        shorten(&mut self.max_delay, 8 * SEC);
        shorten(&mut self.initial_delay, self.max_delay);
        shorten(&mut self.accept_timeout, 10 * SEC);
        shorten(&mut self.connect, 10 * SEC);
        shorten(&mut self.retry_delay, 5 * SEC);
        shorten(&mut self.start_grace, self.lost_after * 2);
        shorten(&mut self.commit, 100 * MS);
    }
}

#[cfg(test)]
mod tests;
