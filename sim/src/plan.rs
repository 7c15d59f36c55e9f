//! What happens in a world, drawn from its seed: settings, workers, tasks, faults.
//!
//! A plan holds what cannot be derived, in plain values: a person, a shrinker or a file can change any
//! part of it, and it is a plan all the same. Numbers of workers and tasks are names: who is left out
//! is marked absent, so that the others keep theirs.

mod config;
mod credential;
mod crowd;
mod episodes;
mod family;
mod fault;
mod latency;
mod moment;
mod origin;
mod reach;
mod settings;
mod size;
mod swallow;
mod whom;
mod work;
mod workers;

pub(crate) use config::Configs;
pub use config::Unfit;
pub use family::{Families, Family};
pub use fault::{Dialled, Ending, Episode, Fault, Kept, Manner, Nudge, Refusal, Told, Twin};
pub use latency::Latency;
pub use moment::Moment;
pub use origin::Origin;
pub use settings::Settings;
pub(crate) use settings::{JOURNAL_MAX, good_path};
pub use size::Size;
pub use whom::{Side, Way, Who, Whom};
pub(crate) use work::HANDLERS;
pub use work::{TaskPlan, WorkerPlan};
pub use workers::Workers;

use std::time::Duration;

use crate::Sabotage;
use crate::decide::{Base, Decide, Decision, Draws, Site};
use episodes::Drawing;
use size::Limits;

/// A microsecond in the nanoseconds of a world.
const MICRO: u64 = 1_000;
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

impl CoordinatorPlan {
    fn draw(draws: &dyn Decide, families: Families, limits: &Limits) -> Self {
        let draw = |k, bound| draws.draw(Site::Plan, 7, k, bound);
        // Either way.
        let signed = |k, most: u64| {
            let by = i64::try_from(draw(k, 2 * most + 1)).unwrap_or(0);
            by - i64::try_from(most).unwrap_or(0)
        };
        let rate = |k, most| i32::try_from(signed(k, most)).unwrap_or(0);
        let has = |family| families.contains(family);
        Self {
            begins_at: if families.is_empty() || draw(0, 4) != 3 {
                0
            } else {
                draw(1, limits.boot)
            },
            rate: if has(Family::T2) { rate(2, 500) } else { 0 },
            wall: if has(Family::T1) { signed(3, 3 * 86_400_000) } else { 0 },
            wall_rate: if has(Family::T1) { rate(4, 10_000) } else { 0 },
        }
    }
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
        Self::draw_sized(seed, mode, Size::Usual, draws)
    }

    /// The same, of a size.
    fn draw_sized(seed: u64, mode: Mode, size: Size, draws: &dyn Decide) -> Self {
        let limits = &size.limits();
        let draw = |k, bound| draws.draw(Site::Plan, 0, k, bound);
        let temper = match draw(0, 10) {
            9 => Temper::Calm,
            8 => Temper::Cranked,
            7 => Temper::Extreme,
            _ => Temper::Common,
        };
        let families = Families::draw(draws, temper, mode);
        let mut settings = size.settings(draws, |draws| Settings::draw(draws, temper, families));
        // Geometric, with a median of 4 in usual worlds.
        let more = |count: &u64| draws.draw(Site::Plan, 6, *count, 1_000) >= limits.last_worker;
        let count = 1 + (1..limits.workers).take_while(more).count();
        let worker = |index| WorkerPlan::draw(draws, index, &settings, families, limits);
        let mut workers: Vec<WorkerPlan> = (0..count).map(worker).collect();
        let quiet_at = draws.log_between(Site::Plan, 0, 3, limits.quiet.0, limits.quiet.1);
        let tasks = TaskPlan::draw_all(draws, &mut settings, families, quiet_at, limits);
        let core = (temper != Temper::Calm && draw(1, 2) == 1).then(|| {
            let bits = Workers::from_bits(draw(2, u64::MAX)).and(Workers::first(count));
            bits.with(usize::try_from(draw(4, count as u64)).unwrap_or(0))
        });
        // Whatever there is to do, somebody of the core can do it.
        if let Some(first) = core.and_then(Workers::lowest) {
            workers[first].handlers = HANDLERS.len();
        }
        let mut plan = Self {
            seed,
            mode,
            temper,
            coordinator: CoordinatorPlan::draw(draws, families, limits),
            settings,
            workers,
            tasks,
            episodes: Vec::new(),
            lull: None,
            quiet_at,
            core,
            base: Base::Random,
            decisions: Vec::new(),
            sabotage: None,
        };
        plan.episodes = Drawing { draws, plan: &plan, families, limits }.all();
        plan.lull = plan.draw_lull(draws);
        plan
    }

    /// A lull in a quarter of the worlds, if there is room for one.
    fn draw_lull(&self, draws: &dyn Decide) -> Option<Lull> {
        let lasts = crate::bound::back(self) + SEC;
        let last = self.quiet_at.checked_sub(lasts + 20 * SEC)?;
        let is_drawn = !self.is_calm() && draws.draw(Site::Plan, 0, 5, 4) == 3;
        let at = || draws.between(Site::Plan, 0, 6, 10 * SEC, last.max(10 * SEC));
        is_drawn.then(|| Lull { at: at(), lasts })
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

    /// The episodes that bring a second process of a worker.
    pub(crate) fn seconds(&self) -> impl Iterator<Item = usize> {
        let brings = |fault: &Fault| matches!(fault, Fault::Twin { .. });
        let all = self.episodes.iter().enumerate();
        all.filter(move |(_, episode)| brings(&episode.fault)).map(|(index, _)| index)
    }

    /// The workers that take part.
    pub fn present(&self) -> impl Iterator<Item = (usize, &WorkerPlan)> {
        self.workers.iter().enumerate().filter(|(_, worker)| !worker.absent)
    }

    /// The interval of heartbeats that workers are assigned, as it is told: in whole microseconds.
    pub(crate) fn interval(&self, configs: &Configs) -> u64 {
        let told = |time: Duration| Duration::from_nanos(nanos(time).next_multiple_of(MICRO));
        let wish = told(Duration::from_nanos(self.settings.beat));
        let assigned = told(configs.hub.beat_interval(wish, self.present().count()));
        let kept = configs.link.heartbeat.clamp(assigned);
        nanos(kept)
    }

    /// Whether the store may lose what was durable.
    pub(crate) fn loses_commits(&self) -> bool {
        let loses = |fault: &Fault| {
            let gone = |kept: &Kept| matches!(kept, Kept::Before { .. } | Kept::Nothing);
            if let Fault::Crash { kept, .. } = fault { gone(kept) } else { false }
        };
        self.episodes.iter().any(|episode| loses(&episode.fault))
    }

    /// The longest latency of any link, without faults.
    pub(crate) fn slowest(&self) -> u64 {
        let longest =
            |worker: &WorkerPlan| worker.up.max().max(worker.down.max()) + worker.distance;
        self.present().map(|(_, worker)| longest(worker)).max().unwrap_or(0)
    }
}

/// A time as a number of nanoseconds, which is how the simulator counts.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{MS, Plan};

    #[test]
    fn an_interval_is_as_it_is_told_in_whole_microseconds() {
        let mut plan = Plan::new(1);
        for (wish, told) in [(333_333_333, 333_334_000), (250 * MS, 250 * MS)] {
            plan.settings.beat = wish;
            let configs = plan.settings.configs().expect("they are fit");
            assert_eq!(plan.interval(&configs), told);
        }
    }
}
