//! What can happen next in a world with clocks.

use std::fmt;

use moorline_link::Lane;

/// One step in a world with clocks.
///
/// ```
/// use moorline_sim::check::TimedStep;
///
/// assert_eq!(TimedStep::Pass.to_string(), "time goes on to the next moment at which something is due");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TimedStep {
    /// Nothing is due any more: time goes on.
    Pass,
    /// A timer of a process fires: of a worker, or of the coordinator.
    Wake(Option<usize>),
    /// A dial of a worker is answered.
    Open(usize, usize),
    /// A packet of a worker arrives, on one of its connections and one lane.
    Up(usize, usize, Lane),
    /// A packet arrives at a worker.
    Down(usize, usize, Lane),
    /// An end of a connection is told that the other one closed it: the worker's, or the coordinator's.
    Tell(usize, usize, bool),
    /// A connection of a worker is dead, with everything under way on it; one end is told, or nobody.
    Break(usize, usize, Option<bool>),
}

impl fmt::Display for TimedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |is_worker: bool| if is_worker { "its worker" } else { "the coordinator" };
        match self {
            Self::Pass => f.write_str("time goes on to the next moment at which something is due"),
            Self::Wake(Some(worker)) => write!(f, "the timer of w{worker} fires"),
            Self::Wake(None) => f.write_str("the timer of the coordinator fires"),
            Self::Open(worker, wire) => write!(f, "connection {wire} of w{worker} opens"),
            Self::Up(worker, wire, lane) => {
                write!(f, "a packet of w{worker} arrives on connection {wire}, lane {lane:?}")
            }
            Self::Down(worker, wire, lane) => {
                write!(f, "a packet arrives at w{worker} on connection {wire}, lane {lane:?}")
            }
            Self::Tell(worker, wire, told) => {
                write!(f, "connection {wire} of w{worker} was closed; {} is told", end(*told))
            }
            Self::Break(worker, wire, Some(told)) => {
                write!(f, "connection {wire} of w{worker} is dead; {} is told", end(*told))
            }
            Self::Break(worker, wire, None) => {
                write!(f, "connection {wire} of w{worker} is dead, and nobody is told")
            }
        }
    }
}
