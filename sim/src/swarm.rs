//! Many worlds, spread over the cores, and what they come to together.
//!
//! A world runs in one thread; a swarm runs one world a thread at a time, and takes what comes of them in
//! the order of their seeds. So what a swarm comes to depends on its seeds alone: not on the number of
//! threads, nor on which of them was faster.

mod kind;
mod spread;
mod steer;
mod tally;

use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};

pub use kind::{Amount, Kind};
pub use spread::Spread;
pub use tally::{SeenIn, SwarmReport, Under, Used};

use crate::{Failure, Origin, Plan, Report, run_plan};
use steer::Steering;
use tally::Ran;

/// Failures after which a swarm stops, unless it is told otherwise.
const FAILURES: usize = 20;

/// Seeds to run, and how.
///
/// ```
/// use moorline_sim::Swarm;
///
/// let report = Swarm::of(0..40).jobs(2).run();
/// assert_eq!((report.worlds, report.failures.len()), (40, 0));
/// assert_eq!(report.hash, Swarm::of(0..40).jobs(1).run().hash, "threads make no difference");
/// ```
pub struct Swarm<'a> {
    spread: Spread,
    stop_after: usize,
    plans: Plans<'a>,
}

/// Where the plans of a swarm come from.
enum Plans<'a> {
    /// From somebody.
    Given(Box<dyn Fn(u64) -> Option<Plan> + Sync + 'a>),
    /// They are drawn; some of them so that they lead to cells that are still empty.
    Drawn { origin: Box<dyn Fn(u64) -> Origin + Sync + 'a>, steered: bool },
}

impl Plans<'_> {
    /// The plan of a seed, and where it comes from.
    fn of(&self, seed: u64, steering: Option<&Steering>) -> Option<(Plan, Option<Origin>)> {
        match self {
            Self::Given(plans) => plans(seed).map(|plan| (plan, None)),
            Self::Drawn { origin, .. } => {
                let origin = origin(seed);
                let origin = steering.map_or(origin, |steering| steering.aim(origin));
                Some((origin.plan(), Some(origin)))
            }
        }
    }
}

impl std::fmt::Debug for Swarm<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { spread, stop_after, plans: _ } = self;
        f.debug_struct("Swarm")
            .field("spread", spread)
            .field("stop_after", stop_after)
            .finish_non_exhaustive()
    }
}

impl<'a> Swarm<'a> {
    /// So many seeds are run before it is asked again which cells are empty: a round of a steered swarm.
    /// The same for every swarm, so that the plan of a seed does not depend on the number of threads.
    pub const ROUND: u64 = 1_024;

    /// The worlds of these seeds.
    #[must_use]
    pub fn of(seeds: Range<u64>) -> Self {
        Self {
            spread: Spread::over(seeds),
            stop_after: FAILURES,
            plans: Plans::Drawn { origin: Box::new(Origin::new), steered: false },
        }
    }

    /// The worlds of all seeds from this one on, until so much time is over; those that run then are
    /// still finished.
    #[must_use]
    pub fn lasting(first: u64, time: Duration) -> Self {
        Self::of(first..u64::MAX).within(time)
    }

    /// Begins with no further world after this time.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        Self { spread: self.spread.within(time), ..self }
    }

    /// So many worlds at a time; at least one. Default: as many as there are cores.
    #[must_use]
    pub fn jobs(self, jobs: usize) -> Self {
        Self { spread: self.spread.jobs(jobs), ..self }
    }

    /// Stops with the so manyeth failure, in the order of seeds; at least the first. Default 20.
    #[must_use]
    pub fn stop_after(self, failures: usize) -> Self {
        Self { stop_after: failures.max(1), ..self }
    }

    /// The plan of each seed; none leaves it out. Default: [`Plan::new`].
    #[must_use]
    pub fn planned_by(self, plans: impl Fn(u64) -> Option<Plan> + Sync + 'a) -> Self {
        Self { plans: Plans::Given(Box::new(plans)), ..self }
    }

    /// Where the plan of each seed comes from: what cannot be said of a plan that is given, how large the
    /// world was drawn and how it is drawn again, is in the report.
    #[must_use]
    pub fn drawn_by(self, origin: impl Fn(u64) -> Origin + Sync + 'a) -> Self {
        Self { plans: Plans::Drawn { origin: Box::new(origin), steered: false }, ..self }
    }

    /// Draws every second plan so that it leads to cells of [`Coverage`](crate::Coverage) that are empty
    /// after the rounds before: with faults of that family, and of those under which such a frame was
    /// written most often in such a state. Seeds whose origin names families or a moment keep it. A swarm
    /// whose plans are given cannot be steered.
    ///
    /// ```
    /// use moorline_sim::{Origin, Size, Swarm};
    ///
    /// let brief = |seed| Origin { size: Size::Brief, ..Origin::new(seed) };
    /// let swarm = |jobs| Swarm::of(0..2_000).drawn_by(brief).steered().jobs(jobs).run();
    /// let (one, two) = (swarm(1), swarm(2));
    /// assert_eq!((one.hash, &one.coverage), (two.hash, &two.coverage), "threads make no difference");
    /// assert!(one.kinds.keys().any(|kind| kind.steered));
    /// ```
    #[must_use]
    pub fn steered(self) -> Self {
        let plans = match self.plans {
            Plans::Given(plans) => Plans::Given(plans),
            Plans::Drawn { origin, .. } => Plans::Drawn { origin, steered: true },
        };
        Self { plans, ..self }
    }

    /// Runs it.
    #[must_use]
    pub fn run(self) -> SwarmReport {
        self.run_with(|_| ())
    }

    /// Runs it, and says about ten times a second how far it is.
    #[must_use]
    pub fn run_with(self, progress: impl FnMut(&SwarmReport)) -> SwarmReport {
        self.run_by(run_plan, progress)
    }

    /// The same, with each plan run by this: [`run_plan`] with handlers of its own, for example.
    #[must_use]
    pub fn run_by(
        self,
        run: impl Fn(Plan) -> Result<Report, Box<Failure>> + Sync,
        mut progress: impl FnMut(&SwarmReport),
    ) -> SwarmReport {
        let Self { spread, stop_after, plans } = self;
        let began = Instant::now();
        let mut report = SwarmReport::before(spread.numbers().start);
        let round = match &plans {
            Plans::Drawn { steered: true, .. } => Some(Self::ROUND),
            Plans::Drawn { steered: false, .. } | Plans::Given(_) => None,
        };
        while let Some(part) = spread.next(report.seeds.end, round, began.elapsed()) {
            let end = part.numbers().end;
            let steering = round.map(|_| Steering::towards(&report.coverage));
            // What is taken and what is shown change the same report, one after the other.
            let shared = std::cell::RefCell::new(&mut report);
            part.run(
                |seed| {
                    let (plan, origin) = plans.of(seed, steering.as_ref())?;
                    let kind = origin.map(|origin| Kind::of(&origin, &plan));
                    Some(Ran { origin, kind, result: run(plan) })
                },
                |seed, ran| {
                    let mut report = shared.borrow_mut();
                    report.take(seed, ran, began.elapsed());
                    if report.failures.len() >= stop_after {
                        return ControlFlow::Break(());
                    }
                    ControlFlow::Continue(())
                },
                || {
                    let mut report = shared.borrow_mut();
                    report.took = began.elapsed();
                    progress(&report);
                },
            );
            if report.seeds.end < end || report.failures.len() >= stop_after {
                break;
            }
        }
        report.took = began.elapsed();
        report
    }
}

#[cfg(test)]
mod tests;
