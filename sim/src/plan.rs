//! What happens in a world, drawn from its seed: settings, workers, tasks, faults.
//!
//! A plan holds what cannot be derived, in plain values: a person, a shrinker or a file can change any
//! part of it, and it is a plan all the same. Numbers of workers and tasks are names: who is left out
//! is marked absent, so that the others keep theirs.

mod config;
mod crowd;
mod episodes;
mod family;
mod fault;
mod latency;
mod moment;
mod reach;
mod settings;
mod swallow;
mod work;
mod workers;

pub(crate) use config::Configs;
pub use config::Unfit;
pub(crate) use episodes::SLOWEST_COMMIT;
pub use family::{Families, Family};
pub use fault::{Dialled, Ending, Episode, Fault, Kept, Manner, Nudge, Side, Told, Twin, Way, Who};
pub use latency::Latency;
pub use moment::Moment;
pub use settings::Settings;
pub(crate) use settings::good_path;
pub(crate) use work::HANDLERS;
pub use work::{TaskPlan, WorkerPlan};
pub use workers::Workers;

use crate::Sabotage;
use crate::decide::{Base, Decide, Decision, Draws, Site};

/// A millisecond in the nanoseconds of a world.
pub(crate) const MS: u64 = 1_000_000;
/// A second in the nanoseconds of a world.
pub(crate) const SEC: u64 = 1_000 * MS;

/// What may go wrong at all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Mode {
    /// What networks, machines and people do: every promise holds.
    Honest,
    /// Also what they never should: bytes that come again or changed, a store that forgets what was
    /// durable. Nothing is invented, applied twice or read wrongly, nobody panics, nothing grows.
    Hostile,
}

/// How hard a world is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Temper {
    /// No fault at all: any suspicion, reconnect or redelivery is a bug.
    Calm,
    /// Some families of faults.
    Common,
    /// One family only, as hard as it gets.
    Cranked,
    /// Settings at their ends.
    Extreme,
}

/// The coordinator's process and its machine.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CoordinatorPlan {
    /// When its process begins.
    pub begins_at: u64,
    /// By how many millionths its clock is too fast; at most 100,000 either way.
    pub rate: i32,
    /// By how many milliseconds its wall clock is ahead.
    pub wall: i64,
    /// By how many millionths its wall clock is too fast; at most 100,000 either way.
    pub wall_rate: i32,
}

/// A time in the middle of the faults in which nothing goes wrong. What lasts is over when it begins,
/// and what begins in it does not happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lull {
    /// When it begins, in nanoseconds.
    pub at: u64,
    /// How long it is, in nanoseconds. Whether everybody is back at its end is asked only if it is long
    /// enough for that, by the settings.
    pub lasts: u64,
}

/// Everything that is decided before a world begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Where it comes from; feeds the decisions that are taken on the way.
    pub seed: u64,
    /// What may go wrong at all.
    pub mode: Mode,
    /// How hard it is.
    pub temper: Temper,
    /// How both sides and the world are set.
    pub settings: Settings,
    /// The coordinator.
    pub coordinator: CoordinatorPlan,
    /// The workers.
    pub workers: Vec<WorkerPlan>,
    /// The tasks.
    pub tasks: Vec<TaskPlan>,
    /// The faults, each with its time.
    pub episodes: Vec<Episode>,
    /// A time in which nothing goes wrong.
    pub lull: Option<Lull>,
    /// From here on nothing goes wrong any more, in nanoseconds.
    pub quiet_at: u64,
    /// The workers that have to be there after that; none: all of them. All others are left as the
    /// faults left them: one that was out of touch or not running stays so.
    pub core: Option<Workers>,
    /// What decisions are on the way where none is laid down.
    pub base: Base,
    /// Decisions that are laid down.
    pub decisions: Vec<Decision>,
    /// A part that does not do what it should, so that a rule is seen to notice.
    pub sabotage: Option<Sabotage>,
}

impl Plan {
    /// The plan of this seed: an honest one.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::draw(seed, Mode::Honest, &Draws::new(seed))
    }

    /// The hostile plan of this seed.
    #[must_use]
    pub fn hostile(seed: u64) -> Self {
        Self::draw(seed, Mode::Hostile, &Draws::new(seed))
    }

    /// A plan that is drawn by these decisions; the seed is for what is decided on the way.
    #[must_use]
    pub fn draw(seed: u64, mode: Mode, draws: &dyn Decide) -> Self {
        let plan = |k, bound| draws.draw(Site::Plan, 0, k, bound);
        let temper = match plan(0, 10) {
            9 => Temper::Calm,
            8 => Temper::Cranked,
            7 => Temper::Extreme,
            _ => Temper::Common,
        };
        let settings = Settings::draw(draws, temper);
        // Geometric: one worker in half of the worlds, at most six, and one more in half of them.
        let workers =
            1 + (plan(1, 64) + 1).trailing_zeros().min(5) as usize + (plan(2, 2) as usize);
        let workers: Vec<WorkerPlan> =
            (0..workers).map(|index| WorkerPlan::draw(draws, index, &settings, temper)).collect();
        let quiet_at = 10 * SEC + settings.lost_after * draws.between(Site::Plan, 0, 3, 1, 3);
        let tasks = TaskPlan::draw_all(draws, quiet_at);
        let episodes = match temper {
            Temper::Calm => Vec::new(),
            Temper::Common | Temper::Cranked | Temper::Extreme => {
                episodes::draw_all(draws, &settings, workers.len(), quiet_at)
            }
        };
        Self {
            seed,
            mode,
            temper,
            settings,
            coordinator: CoordinatorPlan::default(),
            workers,
            tasks,
            episodes,
            lull: None,
            quiet_at,
            core: None,
            base: Base::Random,
            decisions: Vec::new(),
            sabotage: None,
        }
    }

    /// Whether nothing goes wrong in it, so that any suspicion, reconnect or redelivery is a bug.
    #[must_use]
    pub const fn is_calm(&self) -> bool {
        match self.temper {
            Temper::Calm => true,
            Temper::Common | Temper::Cranked | Temper::Extreme => false,
        }
    }

    /// Whether this worker takes part and has to be there after the faults.
    #[must_use]
    pub fn is_core(&self, worker: usize) -> bool {
        self.workers.get(worker).is_some_and(|plan| !plan.absent)
            && self.core.is_none_or(|core| core.contains(worker))
    }

    /// The workers that take part.
    pub fn present(&self) -> impl Iterator<Item = (usize, &WorkerPlan)> {
        self.workers.iter().enumerate().filter(|(_, worker)| !worker.absent)
    }

    /// The longest latency of any link, without faults.
    pub(crate) fn slowest(&self) -> u64 {
        let longest =
            |worker: &WorkerPlan| worker.up.max().max(worker.down.max()) + worker.distance;
        self.present().map(|(_, worker)| longest(worker)).max().unwrap_or(0)
    }
}
