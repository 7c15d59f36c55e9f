//! What happens in a world, drawn from its seed: settings, workers, tasks, faults.

mod crowd;
mod fault;
mod settings;
mod swallow;
mod work;

pub(crate) use fault::SLOWEST_COMMIT;
pub use fault::{Episode, Fault, Manner, Moment, Nudge, Side, Told, Who};
pub(crate) use settings::{CONNECT, RESTORE, good_path};
pub use settings::{Latency, Settings};
pub(crate) use work::HANDLERS;
pub use work::{TaskPlan, WorkerPlan};

use crate::Sabotage;
use crate::decide::{Base, Decide, Decision, Draws, Site};

/// A millisecond in the nanoseconds of a world.
pub(crate) const MS: u64 = 1_000_000;
/// A second in the nanoseconds of a world.
pub(crate) const SEC: u64 = 1_000 * MS;

/// Everything that is decided before a world begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Where it comes from; feeds the decisions that are taken on the way.
    pub seed: u64,
    /// No fault at all: any suspicion, reconnect or redelivery is a bug.
    pub calm: bool,
    /// How both sides and the world are set.
    pub settings: Settings,
    /// The workers.
    pub workers: Vec<WorkerPlan>,
    /// The tasks.
    pub tasks: Vec<TaskPlan>,
    /// The faults, each with its time.
    pub episodes: Vec<Episode>,
    /// From here on nothing goes wrong any more.
    pub quiet_at: u64,
    /// What decisions are on the way where none is laid down.
    pub base: Base,
    /// Decisions that are laid down.
    pub decisions: Vec<Decision>,
    /// A part that does not do what it should, so that a rule is seen to notice.
    pub sabotage: Option<Sabotage>,
}

impl Plan {
    /// The plan of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::draw(seed, &Draws::new(seed))
    }

    /// A plan that is drawn by these decisions; the seed is for what is decided on the way.
    #[must_use]
    pub fn draw(seed: u64, draws: &dyn Decide) -> Self {
        let plan = |k, bound| draws.draw(Site::Plan, 0, k, bound);
        let calm = plan(0, 10) == 9;
        let settings = Settings::draw(draws, calm);
        // Geometric: one worker in half of the worlds, at most six, and one more in half of them.
        let workers =
            1 + (plan(1, 64) + 1).trailing_zeros().min(5) as usize + (plan(2, 2) as usize);
        let workers: Vec<WorkerPlan> =
            (0..workers).map(|index| WorkerPlan::draw(draws, index)).collect();
        let quiet_at = 10 * SEC + settings.lost_after * draws.between(Site::Plan, 0, 3, 1, 3);
        let tasks = TaskPlan::draw_all(draws, quiet_at);
        let episodes = if calm {
            Vec::new()
        } else {
            fault::draw_all(draws, &settings, workers.len(), quiet_at)
        };
        Self {
            seed,
            calm,
            settings,
            workers,
            tasks,
            episodes,
            quiet_at,
            base: Base::Random,
            decisions: Vec::new(),
            sabotage: None,
        }
    }
}
