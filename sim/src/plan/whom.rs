//! To whom faults happen, and in which direction.

use std::fmt;

use super::Workers;

/// Which end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Side {
    /// The worker's.
    Worker,
    /// The coordinator's.
    Coordinator,
}

impl Side {
    /// 0 for the worker's.
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Worker => 0,
            Self::Coordinator => 1,
        }
    }

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
    pub(super) const fn aimed(self, worker: usize) -> Self {
        match self {
            Self::Coordinator => Self::Coordinator,
            Self::Worker(_) => Self::Worker(worker),
        }
    }
}

/// Whom a fault happens to.
///
/// ```
/// use moorline_sim::{Fault, Told, Whom};
///
/// assert_eq!(Fault::Cut { worker: 3, told: Told::Both }.whom(), Whom::Worker(3));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whom {
    /// The coordinator, and so everybody.
    Coordinator,
    /// One worker.
    Worker(usize),
    /// The ways to some workers.
    Workers(Workers),
}

/// In which direction, as the workers see it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Way {
    /// Both.
    Both,
    /// From workers to the coordinator.
    Up,
    /// From the coordinator to workers.
    Down,
}

impl Way {
    /// Whether what this side sends goes that way.
    pub(crate) const fn is_from(self, side: Side) -> bool {
        match (self, side) {
            (Self::Both, _) | (Self::Up, Side::Worker) | (Self::Down, Side::Coordinator) => true,
            (Self::Up, Side::Coordinator) | (Self::Down, Side::Worker) => false,
        }
    }
}
