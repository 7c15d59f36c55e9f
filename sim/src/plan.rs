//! What happens in a world, drawn from its seed: settings, workers, tasks, faults.

mod settings;
mod work;

pub(crate) use settings::{CONNECT, RESTORE, good_path};
pub use settings::{Latency, Settings};
pub(crate) use work::HANDLERS;
pub use work::{TaskPlan, WorkerPlan};

use crate::draw::{Draws, Site};

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
}

/// A fault at its time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Episode {
    /// When it begins.
    pub at: u64,
    /// What it is.
    pub fault: Fault,
}

/// Which end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Side {
    /// The worker's.
    Worker,
    /// The coordinator's.
    Coordinator,
}

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Worker => Self::Coordinator,
            Self::Coordinator => Self::Worker,
        }
    }
}

/// A process of the world.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Who {
    /// The coordinator.
    Coordinator,
    /// The worker with this index.
    Worker(usize),
}

/// How a process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// Killed: its connections are reset, what was under way on them may still arrive.
    Killed,
    /// Its machine is gone: nobody is told.
    Vanished,
    /// Asked to stop, and killed a moment later.
    Asked,
}

/// Who is told that a connection is dead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// Both ends.
    Both,
    /// One end: the other stays half-open.
    Only(Side),
    /// Nobody.
    Nobody,
}

/// Something that goes wrong, or that an operator does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The connection of a worker is dead, with everything that is under way on it.
    Cut {
        /// Whose.
        worker: usize,
        /// Who learns of it.
        told: Told,
    },
    /// A process gets nothing for a while; what arrives waits for it.
    Freeze {
        /// Which.
        who: Who,
        /// For how long.
        lasts: u64,
    },
    /// A process ends and comes back with no memory but the store.
    Crash {
        /// Which.
        who: Who,
        /// How.
        manner: Manner,
        /// Back after this time.
        back: u64,
    },
    /// Nothing travels on the connection of a worker for a while; then everything does.
    Jam {
        /// Whose.
        worker: usize,
        /// For how long.
        lasts: u64,
    },
    /// Dials of a worker fail for a while.
    Dials {
        /// Whose.
        worker: usize,
        /// At once; else they hang.
        refused: bool,
        /// For how long.
        lasts: u64,
    },
    /// Commits take longer for a while.
    Slow {
        /// By how much.
        delay: u64,
        /// For how long.
        lasts: u64,
    },
    /// An operator does something to a worker.
    Nudge {
        /// Which worker.
        worker: usize,
        /// What.
        nudge: Nudge,
    },
}

/// What operators do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nudge {
    /// The worker is to reconnect.
    Reconnect,
    /// The worker is to change its connection without a gap.
    Migrate,
    /// The worker is to dial now.
    Kick,
    /// The coordinator is to end the worker's connection.
    Disconnect,
    /// The worker is to drain; it comes back as a new process.
    Stop {
        /// At the latest after this time.
        within: u64,
        /// Back after this time.
        back: u64,
    },
}

/// Families of faults; each is on or off in a world.
const FAMILIES: u64 = 7;

impl Plan {
    /// The plan of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let draws = Draws::new(seed);
        let plan = |k, bound| draws.draw(Site::Plan, 0, k, bound);
        let calm = plan(0, 10) == 9;
        let settings = Settings::draw(&draws, calm);
        // Geometric: one worker in half of the worlds, at most six.
        let workers =
            1 + (plan(1, 64) + 1).trailing_zeros().min(5) as usize + (plan(2, 2) as usize);
        let workers: Vec<WorkerPlan> =
            (0..workers).map(|index| WorkerPlan::draw(&draws, index)).collect();
        let quiet_at = 10 * SEC + settings.lost_after * draws.between(Site::Plan, 0, 3, 1, 3);
        let tasks = TaskPlan::draw_all(&draws, quiet_at);
        let episodes =
            if calm { Vec::new() } else { episodes(&draws, &settings, workers.len(), quiet_at) };
        Self { seed, calm, settings, workers, tasks, episodes, quiet_at }
    }
}

fn episodes(draws: &Draws, settings: &Settings, workers: usize, quiet_at: u64) -> Vec<Episode> {
    // Half of the families, at least one.
    let first = draws.draw(Site::Plan, 0, 10, FAMILIES);
    let families: Vec<u64> = (0..FAMILIES)
        .filter(|family| *family == first || draws.chance(Site::Plan, 1, *family, 500_000))
        .collect();
    let count = draws.log_between(Site::Plan, 0, 11, 1, 16);
    let mut episodes: Vec<Episode> = (0..count)
        .map(|index| {
            let which = draws.draw(Site::Episode, index, 0, families.len() as u64);
            let at = draws.between(Site::Episode, index, 1, 100 * MS, quiet_at - SEC);
            let family = families[usize::try_from(which).unwrap_or(0)];
            let fault = fault(draws, settings, index, family, workers, quiet_at - at);
            Episode { at, fault }
        })
        .collect();
    episodes.sort_by_key(|episode| episode.at);
    episodes
}

/// A fault of a family that is over in `left`.
fn fault(
    draws: &Draws,
    settings: &Settings,
    index: u64,
    family: u64,
    workers: usize,
    left: u64,
) -> Fault {
    let draw = |k, bound| draws.draw(Site::Episode, index, k, bound);
    let worker = usize::try_from(draw(2, workers as u64)).unwrap_or(0);
    let who = if draw(3, 3) == 0 { Who::Coordinator } else { Who::Worker(worker) };
    let lasts = |k, low, high| draws.log_between(Site::Episode, index, k, low, high).min(left);
    let long = settings.lost_after * 2;
    match family {
        0 => Fault::Cut {
            worker,
            told: match draw(4, 8) {
                0..=2 => Told::Both,
                3..=4 => Told::Only(Side::Worker),
                5..=6 => Told::Only(Side::Coordinator),
                _ => Told::Nobody,
            },
        },
        1 => Fault::Freeze { who, lasts: lasts(5, 10 * MS, long) },
        2 => {
            let manner = match draw(6, 5) {
                0..=1 => Manner::Killed,
                2..=3 => Manner::Vanished,
                _ => Manner::Asked,
            };
            Fault::Crash { who, manner, back: lasts(7, 10 * MS, long) }
        }
        3 => Fault::Jam { worker, lasts: lasts(8, 10 * MS, settings.lost_after) },
        4 => Fault::Dials { worker, refused: draw(9, 2) == 0, lasts: lasts(10, 100 * MS, long) },
        5 => Fault::Slow { delay: lasts(11, 50 * MS, 20 * SEC), lasts: lasts(12, SEC, long) },
        _ => Fault::Nudge {
            worker,
            nudge: match draw(13, 5) {
                0 => Nudge::Reconnect,
                1 => Nudge::Migrate,
                2 => Nudge::Kick,
                3 => Nudge::Disconnect,
                _ => Nudge::Stop {
                    within: lasts(14, 10 * MS, 30 * SEC),
                    back: lasts(15, 10 * MS, settings.lost_after),
                },
            },
        },
    }
}
