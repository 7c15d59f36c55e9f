//! Simulate your own worker: your handlers, policies and settings in worlds in which everything goes
//! wrong that can.

mod job;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub(crate) use job::{Handled, Handler};
pub use job::{Job, Made};

use crate::decide::{Decide, Draws, Site};
use crate::picture::Timeline;
use crate::plan::{HANDLERS, MS, TaskPlan, Temper};
use crate::{
    Failure, Plan, Recording, Run, Settings, Story, Swarm, SwarmReport, Who, Workers, scenario,
};

/// How a task of a simulation ended.
///
/// ```
/// use moorline_sim::{Ended, Made, simulate};
///
/// fn all_in_order(ended: &[Ended]) -> Result<(), String> {
///     for (place, ended) in ended.iter().enumerate() {
///         assert_eq!(ended.task, place);
///     }
///     Ok(())
/// }
///
/// simulate(|_| Made::at_once("done")).seeds(0..5).check(all_in_order).run().expect("all is well");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    /// The number of the task.
    pub task: usize,
    /// What its handler made; none if it did not succeed.
    pub result: Option<Vec<u8>>,
    /// How many attempts were started. More than one only where a worker was lost or an attempt failed.
    pub attempts: u32,
}

/// What is asked of the tasks' ends, beside all promises.
type Check = Arc<dyn Fn(&[Ended]) -> Result<(), String> + Send + Sync>;

/// Worlds with handlers, tasks and settings of one's own; see [`simulate`].
#[derive(Clone)]
#[must_use = "nothing runs before `run`"]
pub struct Simulation {
    handler: Handler,
    tasks: Vec<Bytes>,
    longest: Duration,
    retries: u32,
    slots: Option<u16>,
    workers: Option<usize>,
    settings: Option<fn(&mut Settings)>,
    seeds: Range<u64>,
    checks: Vec<Check>,
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation").field("seeds", &self.seeds).finish_non_exhaustive()
    }
}

/// Puts a handler into worlds in which networks, machines and people do what they do, and judges every
/// step by all promises.
///
/// The handler is a function of its job: of the payload, the attempt, and the decisions that it asks the
/// job for. It says how long it runs and what comes of it. It has to say the same for the same job each
/// time: it is asked when the attempt starts and when it ends.
///
/// ```
/// use std::time::Duration;
/// use moorline_sim::{Made, simulate};
///
/// simulate(|job| Made::after(Duration::from_secs(2), job.payload().to_ascii_uppercase()))
///     .tasks(["one", "two", "three"])
///     .seeds(0..20)
///     .run()
///     .expect("every promise is kept");
/// ```
pub fn simulate(handler: impl Fn(&Job<'_>) -> Made + Send + Sync + 'static) -> Simulation {
    Simulation {
        handler: Arc::new(handler),
        tasks: (0..10).map(|number| Bytes::from(format!("task {number}"))).collect(),
        longest: Duration::from_secs(30),
        retries: 0,
        slots: None,
        workers: None,
        settings: None,
        seeds: 0..200,
        checks: Vec::new(),
    }
}

impl Simulation {
    /// The payloads of the tasks. Default: ten short ones.
    pub fn tasks(self, payloads: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        let tasks = payloads.into_iter().map(|payload| Bytes::from(payload.into())).collect();
        Self { tasks, ..self }
    }

    /// No handler runs longer, whatever it says: the time in which all has to end follows from this.
    /// Default 30 s.
    pub fn longest(self, longest: Duration) -> Self {
        Self { longest, ..self }
    }

    /// Further attempts after a failure that may be retried. Default 0.
    pub fn retries(self, retries: u32) -> Self {
        Self { retries, ..self }
    }

    /// So many attempts at once on each worker. Default: drawn for each.
    pub fn slots(self, slots: u16) -> Self {
        Self { slots: Some(slots.max(1)), ..self }
    }

    /// At most so many workers. Default: as many as are drawn, 1 to 64.
    pub fn workers(self, most: usize) -> Self {
        Self { workers: Some(most.max(1)), ..self }
    }

    /// Sets what is to be as it is in production: backoff, heartbeats, `lost_after`, everything that
    /// [`Settings`] has. What it leaves alone is drawn.
    pub fn settings(self, set: fn(&mut Settings)) -> Self {
        Self { settings: Some(set), ..self }
    }

    /// The seeds of the worlds. Default 0..200.
    pub fn seeds(self, seeds: Range<u64>) -> Self {
        Self { seeds, ..self }
    }

    /// Is asked about the ends of all tasks of each world, in the order of tasks.
    pub fn check(
        mut self,
        check: impl Fn(&[Ended]) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.checks.push(Arc::new(check));
        self
    }

    /// Runs all worlds, spread over the cores.
    ///
    /// # Errors
    /// The first world, in the order of seeds, in which a promise was broken or a check refused the ends
    /// of its tasks.
    pub fn run(self) -> Result<SwarmReport, Box<Unkept>> {
        let refused = std::sync::Mutex::new(std::collections::BTreeMap::new());
        let swarm = Swarm::of(self.seeds.clone()).stop_after(1);
        let report = swarm.planned_by(|seed| Some(self.plan(seed))).run_by(
            |plan| {
                let seed = plan.seed;
                let outcome = self.world(plan).go();
                let report = outcome.result?;
                let words = self.checks.iter().find_map(|check| check(&outcome.ended).err());
                let Some(words) = words else { return Ok(report) };
                if let Ok(mut refused) = refused.lock() {
                    refused.insert(seed, words);
                }
                // Whatever stands here: the check's own words are told.
                let violation = crate::Violation::new(crate::Rule::ResultInvented, "refused");
                Err(Box::new(Failure { seed, at: report.lasted, violation, last: Vec::new() }))
            },
            |_| (),
        );
        let Some(failure) = report.failures.first() else { return Ok(report) };
        let seed = failure.seed;
        let words = refused.into_inner().ok().and_then(|mut refused| refused.remove(&seed));
        let plan = self.plan(seed);
        let recording = self.world(plan.clone()).recorded(RECORDS).go().recording;
        Err(Box::new(Unkept {
            words: words.unwrap_or_else(|| failure.violation.to_string()),
            plan,
            recording,
        }))
    }

    fn world(&self, plan: Plan) -> Run {
        let handled = Handled { handler: Arc::clone(&self.handler), payloads: self.tasks.clone() };
        Run::new(plan).handled_by(handled)
    }

    /// The plan of a seed.
    fn plan(&self, seed: u64) -> Plan {
        let mut plan = Plan::new(seed);
        let draws = Draws::new(seed);
        if let Some(set) = self.settings {
            set(&mut plan.settings);
            // Its links may be too slow for them.
            if plan.temper == Temper::Calm {
                plan.temper = Temper::Common;
            }
        }
        if let Some(most) = self.workers {
            plan.workers.truncate(most);
            let left = Workers::first(plan.workers.len());
            plan.core = plan.core.map(|core| core.and(left)).filter(|core| !core.is_empty());
            let world = plan.clone();
            let there = plan.workers.len();
            for episode in &mut plan.episodes {
                // Those who are left are struck in the place of those who are not.
                if let [Who::Worker(worker)] = episode.fault.strikes(&world)[..]
                    && worker >= there
                {
                    episode.fault = episode.fault.aimed(worker % there);
                }
            }
        }
        for worker in &mut plan.workers {
            worker.handlers = HANDLERS.len();
            worker.slots = self.slots.unwrap_or(worker.slots);
        }
        let longest = u64::try_from(self.longest.as_nanos()).unwrap_or(u64::MAX);
        let task = |(index, payload): (usize, &Bytes)| TaskPlan {
            submit_at: draws.draw(Site::Task, index as u64, 0, plan.quiet_at / 2),
            size: payload.len(),
            work: longest.max(MS),
            max_retries: self.retries,
            ..scenario::task(index)
        };
        plan.tasks = self.tasks.iter().enumerate().map(task).collect();
        plan
    }
}

/// Lines of a failure that has no story.
const LINES: usize = 60;
/// Records that are kept of a failure: of longer runs the last.
const RECORDS: usize = 1_000_000;

/// A world in which a promise was broken, or a check refused the ends of its tasks.
///
/// ```
/// use moorline_sim::{Made, simulate};
///
/// let never = simulate(|_| Made::at_once("done")).seeds(3..9).check(|_| Err("I do not like it".into()));
/// let unkept = never.run().unwrap_err();
/// assert_eq!(unkept.seed(), 3);
/// assert!(unkept.to_string().ends_with("again: .seeds(3..4)"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unkept {
    words: String,
    plan: Plan,
    recording: Option<Recording>,
}

impl Unkept {
    /// The seed of the world.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.plan.seed
    }

    /// What is wrong.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }

    /// What led to the broken promise; none if it was a check that refused the ends of the tasks.
    #[must_use]
    pub fn story(&self) -> Option<Story> {
        self.recording.as_ref().and_then(Story::new)
    }

    /// The world as a page to look for causes in, with everything in it: write it to a file, and open
    /// that in any browser.
    ///
    /// ```
    /// use moorline_sim::{Made, simulate};
    ///
    /// let never = simulate(|_| Made::at_once("done")).seeds(3..4).check(|_| Err("no".into()));
    /// assert!(never.run().unwrap_err().html().contains("<script"));
    /// ```
    #[must_use]
    pub fn html(&self) -> String {
        let timeline = self.recording.as_ref().map(|all| Timeline::new(&self.plan, all));
        timeline.map_or_else(String::new, |timeline| timeline.html())
    }

    /// The world as a scenario file, for `moorline sim run --scenario FILE`: without the handlers, which
    /// no file can have.
    #[must_use]
    pub fn scenario(&self) -> String {
        scenario::to_text(&self.plan)
    }
}

impl fmt::Display for Unkept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seed = self.plan.seed;
        match (self.story(), &self.recording) {
            (Some(story), _) => write!(f, "{story}")?,
            (None, Some(recording)) => {
                for line in recording.lines(LINES) {
                    writeln!(f, "{line}")?;
                }
            }
            // Settings that no machine takes: nothing has happened yet.
            (None, None) => {}
        }
        writeln!(f, "seed {seed}: {}", self.words)?;
        write!(f, "again: .seeds({seed}..{})", seed + 1)
    }
}

impl std::error::Error for Unkept {}

#[cfg(test)]
mod tests;
