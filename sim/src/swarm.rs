//! Many worlds, spread over the cores, and what they come to together.
//!
//! A world runs in one thread; a swarm runs one world a thread at a time, and takes what comes of them in
//! the order of their seeds. So what a swarm comes to depends on its seeds alone: not on the number of
//! threads, nor on which of them was faster.

mod spread;
mod tally;

use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};

pub use spread::Spread;
pub use tally::{SeenIn, SwarmReport, Used};

use crate::{Failure, Plan, Report, run_plan};

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
    plans: Box<dyn Fn(u64) -> Option<Plan> + Sync + 'a>,
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
    /// The worlds of these seeds.
    #[must_use]
    pub fn of(seeds: Range<u64>) -> Self {
        Self {
            spread: Spread::over(seeds),
            stop_after: FAILURES,
            plans: Box::new(|seed| Some(Plan::new(seed))),
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
        Self { plans: Box::new(plans), ..self }
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
        let mut report = SwarmReport::before(spread.first());
        // What is taken and what is shown change the same report, one after the other.
        let shared = std::cell::RefCell::new(&mut report);
        spread.run(
            |seed| plans(seed).map(&run),
            |seed, result| {
                let mut report = shared.borrow_mut();
                report.take(seed, result, began.elapsed());
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
        report.took = began.elapsed();
        report
    }
}

#[cfg(test)]
mod tests;
