//! Exhaustive checking: every order in which the messages, commits, breaks and crashes of a small world
//! can happen, around the real nodes.
//!
//! A world of the simulator draws one order of events; here all of them are taken. The processes are the
//! real [`WorkerNode`](moorline_node::WorkerNode) and [`CoordinatorNode`](moorline_node::CoordinatorNode), each
//! with a clock of its own that only its timers move, so a timer may fire before or after anything else.
//! States that differ in nothing that is ever decided by are one: see [`moorline_node::Canonical`].
//!
//! Two kinds of promises are checked: no step breaks one (a result counts once, an attempt starts once, no
//! success is turned away, nothing runs twice, nobody says that the other broke the protocol), and there is
//! no trap: from every state that can be reached all work can still be done, without anything going wrong
//! for that.
//!
//! ```
//! use moorline_sim::check::{Bounds, Verdict, check};
//!
//! let checked = check(Bounds::default(), &mut |_| true);
//! assert!(matches!(checked.verdict, Verdict::Holds));
//! ```

mod bounds;
mod digest;
mod explore;
mod model;
mod process;
mod replay;
mod rows;
mod step;
mod table;
mod timed;
mod trap;
mod turn;
mod wire;

use std::fmt;

pub use bounds::{Bounds, BoundsError};
pub use replay::OtherWay;
pub use step::{Ending, Step};
pub use timed::{
    TimedBounds, TimedBoundsError, TimedChecked, TimedStep, TimedVerdict, check_timed,
};

use crate::Violation;
use explore::{End, Explored, explore};
use model::Model;

/// What a search through all states of a world came to.
///
/// ```
/// use moorline_sim::check::{Bounds, check};
///
/// let checked = check(Bounds::default(), &mut |_| true);
/// assert!(checked.states > 10 && checked.done > 0);
/// println!("{checked}");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// How large the world was.
    pub bounds: Bounds,
    /// States that were reached.
    pub states: u64,
    /// Steps that were taken, one for each state and thing that can happen there.
    pub steps: u64,
    /// States in which all work is done.
    pub done: u64,
    /// Steps from the beginning to the state that is farthest away.
    pub depth: u32,
    /// Memory for what was seen, in bytes; the states of the frontier come on top.
    pub bytes: u64,
    /// Most states that waited to be looked at.
    pub frontier: u64,
    /// The outcome.
    pub verdict: Verdict,
}

/// How a search ended.
///
/// ```
/// use moorline_sim::check::{Bounds, Verdict, check};
///
/// let stopped = check(Bounds::default(), &mut |_| false);
/// assert!(matches!(stopped.verdict, Verdict::Stopped));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Every state was reached, no promise is broken in any, and none is a trap.
    Holds,
    /// A promise was broken.
    Broken(Counterexample),
    /// Some work can never be done any more.
    Trapped(Counterexample),
    /// It was told to stop before every state was reached.
    Stopped,
}

/// The steps that lead to what must not be; there is no way with fewer.
///
/// ```
/// use moorline_sim::check::{Bounds, Counterexample, Step};
///
/// let bounds = Bounds::default();
/// let trap = Counterexample { bounds, steps: vec![Step::Commit], violation: None };
/// assert!(trap.to_string().contains("1. what the coordinator wants is durable"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counterexample {
    /// How large the world is.
    pub bounds: Bounds,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// The promise that the last step breaks; none if it leads into a trap.
    pub violation: Option<Violation>,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in (1..).zip(&self.steps) {
            writeln!(f, "{number:>3}. {step}")?;
        }
        match &self.violation {
            Some(violation) => write!(f, "breaks {violation}"),
            None => f.write_str("from here on some work can never be done"),
        }
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bounds, states, steps, done, depth, bytes: _, frontier: _, verdict } = self;
        write!(f, "{bounds}: {states} states, {steps} steps, depth {depth}, ")?;
        match verdict {
            Verdict::Holds => write!(f, "every promise holds; all work is done in {done} states"),
            Verdict::Stopped => f.write_str("stopped before the end"),
            Verdict::Broken(way) => write!(f, "a promise is broken\n{way}"),
            Verdict::Trapped(way) => write!(f, "a trap\n{way}"),
        }
    }
}

/// Searches through all states of a world. `goes_on` is asked about every thousand states with their number
/// so far, and stops the search when it says no: for limits of time or memory, and to show progress.
///
/// It takes 20 to 60 bytes for each state and 12 for each step, and about 10 KiB for each state of the
/// frontier, as long as that waits.
#[must_use]
pub fn check(bounds: Bounds, goes_on: &mut dyn FnMut(u64) -> bool) -> Checked {
    let Explored { states, edges, depth, done, bytes, frontier, end } =
        explore(&Model::new(bounds), goes_on);
    let verdict = match end {
        End::Holds => Verdict::Holds,
        End::Stopped => Verdict::Stopped,
        End::Broken(steps, violation) => {
            Verdict::Broken(Counterexample { bounds, steps, violation: Some(violation) })
        }
        End::Trapped(steps) => Verdict::Trapped(Counterexample { bounds, steps, violation: None }),
    };
    Checked { bounds, states, steps: edges, done, depth, bytes, frontier, verdict }
}

#[cfg(test)]
mod tests;
