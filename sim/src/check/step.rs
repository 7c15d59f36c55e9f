//! What can happen next in a searched world.

use std::fmt;

use moorline_link::Lane;

/// How a handler ends.
///
/// ```
/// use moorline_sim::check::{Ending, Step};
///
/// let failed = Step::Finish { worker: 0, run: 0, how: Ending::Failure };
/// assert!(failed.is_fault());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ending {
    /// With a result.
    Success,
    /// With an error after which nothing is tried again.
    Failure,
    /// It was told to stop, and did.
    Stopped,
}

/// One step: what one process is told, or what goes wrong. Workers, tasks and connections count from 0, the
/// connections of each worker by age.
///
/// ```
/// use moorline_sim::check::Step;
///
/// assert_eq!(Step::Commit.to_string(), "what the coordinator wants is durable");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    /// A worker's timer fires: it dials.
    Wake {
        /// The worker.
        worker: usize,
    },
    /// A dial is answered: both ends are told.
    Open {
        /// The worker.
        worker: usize,
        /// Which of its connections.
        wire: usize,
    },
    /// A packet of a worker arrives.
    Up {
        /// The worker.
        worker: usize,
        /// Which of its connections.
        wire: usize,
        /// On which lane.
        lane: Lane,
    },
    /// A packet for a worker arrives.
    Down {
        /// The worker.
        worker: usize,
        /// Which of its connections.
        wire: usize,
        /// On which lane.
        lane: Lane,
    },
    /// A worker is told that a connection is over; what is still under way to it is lost.
    TellWorker {
        /// The worker.
        worker: usize,
        /// Which of its connections.
        wire: usize,
    },
    /// The coordinator is told that a connection is over; what is still under way to it is lost.
    TellCoordinator {
        /// The worker.
        worker: usize,
        /// Which of its connections.
        wire: usize,
    },
    /// A handler ends.
    Finish {
        /// Whose.
        worker: usize,
        /// Which of its runs, by age.
        run: usize,
        /// How.
        how: Ending,
    },
    /// Everything the coordinator wants to have durable is, and it is told so.
    Commit,
    /// A connection breaks, or a dial fails.
    Cut {
        /// The worker.
        worker: usize,
        /// Which of its connections.
        wire: usize,
    },
    /// A worker's process ends without a word, and a new one begins.
    Crash {
        /// The worker.
        worker: usize,
    },
    /// A timer of the coordinator runs out.
    Expire,
    /// The coordinator ends without a word, and a new one begins.
    Restart {
        /// So many operations of those it wanted are durable; it was not told.
        durable: usize,
    },
    /// A client hands the next task in.
    Submit,
    /// A client cancels a task.
    Cancel {
        /// Which.
        task: usize,
    },
}

impl Step {
    /// Something that goes wrong, or that somebody wants: it takes from a budget and nobody can count on it.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        match self {
            Self::Wake { .. }
            | Self::Open { .. }
            | Self::Up { .. }
            | Self::Down { .. }
            | Self::TellWorker { .. }
            | Self::TellCoordinator { .. }
            | Self::Finish { how: Ending::Success | Ending::Stopped, .. }
            | Self::Commit => false,
            Self::Cut { .. }
            | Self::Finish { how: Ending::Failure, .. }
            | Self::Crash { .. }
            | Self::Expire
            | Self::Restart { .. }
            | Self::Submit
            | Self::Cancel { .. } => true,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wake { worker } => write!(f, "w{worker} dials"),
            Self::Open { worker, wire } => {
                write!(f, "connection {wire} of w{worker} opens")
            }
            Self::Up { worker, wire, lane } => {
                write!(f, "a packet of w{worker} arrives on connection {wire}, lane {lane:?}")
            }
            Self::Down { worker, wire, lane } => {
                write!(f, "a packet arrives at w{worker} on connection {wire}, lane {lane:?}")
            }
            Self::TellWorker { worker, wire } => {
                write!(f, "w{worker} is told that its connection {wire} is over")
            }
            Self::TellCoordinator { worker, wire } => {
                write!(f, "the coordinator is told that connection {wire} of w{worker} is over")
            }
            Self::Finish { worker, run, how: Ending::Success } => {
                write!(f, "run {run} of w{worker} ends with a result")
            }
            Self::Finish { worker, run, how: Ending::Failure } => {
                write!(f, "run {run} of w{worker} fails for good")
            }
            Self::Finish { worker, run, how: Ending::Stopped } => {
                write!(f, "run {run} of w{worker} stops as it was told")
            }
            Self::Commit => f.write_str("what the coordinator wants is durable"),
            Self::Cut { worker, wire } => write!(f, "connection {wire} of w{worker} breaks"),
            Self::Crash { worker } => write!(f, "w{worker} crashes and begins anew"),
            Self::Expire => f.write_str("a timer of the coordinator runs out"),
            Self::Restart { durable } => {
                write!(
                    f,
                    "the coordinator crashes and begins anew; {durable} operations are durable"
                )
            }
            Self::Submit => f.write_str("a client hands the next task in"),
            Self::Cancel { task } => write!(f, "a client cancels task {task}"),
        }
    }
}
