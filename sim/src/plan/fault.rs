//! What goes wrong, and at which moment.

use std::fmt;

use super::{MS, SEC, Settings};
use crate::decide::{Decide, Site};

/// A fault at its time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Episode {
    /// When it begins; with a moment: from when on that is waited for.
    pub at: u64,
    /// It strikes when this happens next, and whom it happens to; else at its time.
    pub moment: Option<Moment>,
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

/// As in `w3`, and in words.
impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Coordinator => f.write_str("the coordinator"),
            Self::Worker(index) => write!(f, "w{index}"),
        }
    }
}

impl Who {
    /// If this is a worker, that worker instead.
    const fn aimed(self, worker: usize) -> Self {
        match self {
            Self::Coordinator => Self::Coordinator,
            Self::Worker(_) => Self::Worker(worker),
        }
    }
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

/// A step of the protocol during which a fault is worth most: few faults that strike at random times
/// hit one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Moment {
    /// A worker says Hello.
    Hello,
    /// A worker is welcomed.
    Welcome,
    /// A worker names what it holds.
    Item,
    /// That is answered.
    Answer,
    /// One side says that it is active.
    Active,
    /// A task is assigned.
    Assign,
    /// A worker accepts.
    Accept,
    /// The coordinator asks whether an assignment is held, or wants a run to stop.
    Recall,
    /// A result is sent.
    Result,
    /// A piece of a large body is sent, either way.
    Part,
    /// A result is answered.
    Settled,
    /// A worker leaves.
    Goodbye,
    /// The store is asked for a lease, or to take one back.
    Lease,
    /// The store is asked for the end of a task.
    End,
}

impl Moment {
    /// Every moment.
    pub const ALL: [Self; 14] = [
        Self::Hello,
        Self::Welcome,
        Self::Item,
        Self::Answer,
        Self::Active,
        Self::Assign,
        Self::Accept,
        Self::Recall,
        Self::Result,
        Self::Part,
        Self::Settled,
        Self::Goodbye,
        Self::Lease,
        Self::End,
    ];
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
    /// For a while a worker takes in questions about attempts and says nothing: what it has swallowed
    /// it never answers in that session.
    Swallow {
        /// Which worker.
        worker: usize,
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

impl Fault {
    /// The same, happening to this worker if it happens to one.
    pub(crate) fn aimed(self, worker: usize) -> Self {
        match self {
            Self::Cut { told, .. } => Self::Cut { worker, told },
            Self::Freeze { who, lasts } => Self::Freeze { who: who.aimed(worker), lasts },
            Self::Crash { who, manner, back } => {
                Self::Crash { who: who.aimed(worker), manner, back }
            }
            Self::Jam { lasts, .. } => Self::Jam { worker, lasts },
            Self::Dials { refused, lasts, .. } => Self::Dials { worker, refused, lasts },
            Self::Slow { delay, lasts } => Self::Slow { delay, lasts },
            Self::Swallow { lasts, .. } => Self::Swallow { worker, lasts },
            Self::Nudge { nudge, .. } => Self::Nudge { worker, nudge },
        }
    }

    /// The same, over within this time.
    pub(crate) fn within(self, left: u64) -> Self {
        match self {
            Self::Cut { .. } => self,
            Self::Freeze { who, lasts } => Self::Freeze { who, lasts: lasts.min(left) },
            Self::Crash { who, manner, back } => Self::Crash { who, manner, back: back.min(left) },
            Self::Jam { worker, lasts } => Self::Jam { worker, lasts: lasts.min(left) },
            Self::Dials { worker, refused, lasts } => {
                Self::Dials { worker, refused, lasts: lasts.min(left) }
            }
            Self::Slow { delay, lasts } => {
                Self::Slow { delay: delay.min(left), lasts: lasts.min(left) }
            }
            Self::Swallow { worker, lasts } => Self::Swallow { worker, lasts: lasts.min(left) },
            Self::Nudge { worker, nudge } => Self::Nudge {
                worker,
                nudge: match nudge {
                    Nudge::Stop { within, back } => {
                        Nudge::Stop { within: within.min(left / 2), back: back.min(left / 2) }
                    }
                    Nudge::Reconnect | Nudge::Migrate | Nudge::Kick | Nudge::Disconnect => nudge,
                },
            },
        }
    }
}

/// How much longer a commit takes at most by a fault.
pub(crate) const SLOWEST_COMMIT: u64 = 20 * SEC;

/// Families of faults; each is on or off in a world.
const FAMILIES: u64 = 7;

/// The faults of a world.
pub(super) fn draw_all(
    draws: &dyn Decide,
    settings: &Settings,
    workers: usize,
    quiet_at: u64,
) -> Vec<Episode> {
    // Half of the families, at least one.
    let first = draws.draw(Site::Plan, 0, 10, FAMILIES);
    let families: Vec<u64> = (0..FAMILIES)
        .filter(|family| *family == first || draws.chance(Site::Plan, 1, *family, 500_000))
        .collect();
    let count = draws.log_between(Site::Plan, 0, 11, 1, 16);
    // A third of the worlds is struck where it hurts only.
    let aimed = draws.draw(Site::Plan, 0, 12, 3) == 2;
    let mut episodes = Vec::new();
    for index in 0..count {
        let draw = |k, bound| draws.draw(Site::Episode, index, k, bound);
        let family = families[usize::try_from(draw(0, families.len() as u64)).unwrap_or(0)];
        let first = draws.between(Site::Episode, index, 1, 100 * MS, quiet_at - SEC);
        let fault = draw_one(draws, settings, index, family, workers);
        let moment = if aimed || draw(16, 4) == 3 {
            Some(Moment::ALL[usize::try_from(draw(17, Moment::ALL.len() as u64)).unwrap_or(0)])
        } else {
            None
        };
        // Again and again, as flapping links and crash loops do.
        let times = if draw(18, 5) == 4 { 2 + draw(19, 5) } else { 1 };
        let gap = draws.log_between(Site::Episode, index, 20, 50 * MS, 8 * SEC);
        for at in (0..times).map(|time| first + time * gap).filter(|at| at + SEC <= quiet_at) {
            episodes.push(Episode { at, moment, fault: fault.within(quiet_at - at) });
        }
    }
    episodes.sort_by_key(|episode| episode.at);
    episodes
}

/// A fault of a family.
fn draw_one(
    draws: &dyn Decide,
    settings: &Settings,
    index: u64,
    family: u64,
    workers: usize,
) -> Fault {
    let draw = |k, bound| draws.draw(Site::Episode, index, k, bound);
    let worker = usize::try_from(draw(2, workers as u64)).unwrap_or(0);
    let who = if draw(3, 3) == 0 { Who::Coordinator } else { Who::Worker(worker) };
    // Mostly short; in a third, for about as long as it takes to be given up.
    let long = settings.lost_after * 2;
    let is_long = draw(21, 3) == 2;
    let lasts = |k, low, high: u64| {
        let low = if is_long { settings.lost_after / 2 } else { low };
        draws.log_between(Site::Episode, index, k, low.min(high), high)
    };
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
        5 => Fault::Slow { delay: lasts(11, 50 * MS, SLOWEST_COMMIT), lasts: lasts(12, SEC, long) },
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
