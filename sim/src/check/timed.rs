//! Exhaustive checking with clocks: what is promised about time, in every order in which connections can fall
//! silent and packets be slow.
//!
//! All processes share one clock, timers fire when they are due, and a packet takes either no time or the
//! longest there is. A handler never ends: so whoever has a task has it until he is told to stop. What may
//! happen at any moment is that a connection is dead, and that one end is told, or nobody. Checked is that who
//! is declared dead was silent for as long as was promised, and that nobody else is given the task before that;
//! and that nothing of the kind ever happens where nothing breaks.

mod nodes;
mod step;
mod world;

use std::fmt;
use std::str::FromStr;

use super::explore::{End, Explored, explore};
use crate::Violation;
pub use step::TimedStep;
use world::Model;

/// How large a world with clocks is. Times are in milliseconds of its clock.
///
/// It is written as `timed-w2-b1-d100-n9000`: two workers, one connection that breaks, packets that take up
/// to 100 ms, nine seconds. Letters that are left out mean as in [`TimedBounds::default`].
///
/// ```
/// use moorline_sim::check::TimedBounds;
///
/// let bounds: TimedBounds = "timed-w2-b1".parse()?;
/// assert_eq!((bounds.workers, bounds.breaks, bounds.delay), (2, 1, 0));
/// assert_eq!(bounds.to_string(), "timed-w2-b1-d0-n20000");
/// # Ok::<(), moorline_sim::check::TimedBoundsError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TimedBounds {
    /// Workers: 1 to 3, letter `w`.
    pub workers: u8,
    /// Connections that break: 0 to 3, letter `b`.
    pub breaks: u8,
    /// The longest time that a packet takes: 0 to 200, letter `d`.
    pub delay: u64,
    /// When it is over: 1 to 100,000, letter `n`.
    pub lasts: u64,
}

impl Default for TimedBounds {
    fn default() -> Self {
        Self { workers: 1, breaks: 0, delay: 0, lasts: 20_000 }
    }
}

/// What is wrong with the letters of a world with clocks.
///
/// ```
/// use moorline_sim::check::TimedBounds;
///
/// let error = "timed-w9".parse::<TimedBounds>().unwrap_err();
/// assert!(error.to_string().contains("from 1 to 3"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimedBoundsError {
    part: String,
}

impl fmt::Display for TimedBoundsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no part of a model with clocks: timed, then w (workers, from 1 to 3), b (breaks, from 0 \
             to 3), d (delay, from 0 to 200 ms) or n (length, from 1 to 100000 ms), each with a number",
            self.part
        )
    }
}

impl std::error::Error for TimedBoundsError {}

impl FromStr for TimedBounds {
    type Err = TimedBoundsError;

    fn from_str(text: &str) -> Result<Self, TimedBoundsError> {
        let wrong = |part: &str| TimedBoundsError { part: part.into() };
        let mut parts = text.split('-');
        if parts.next() != Some("timed") {
            return Err(wrong(text));
        }
        let mut bounds = Self::default();
        for part in parts {
            let letter = part.get(..1).ok_or_else(|| wrong(part))?;
            let number: u64 = part[1..].parse().map_err(|_| wrong(part))?;
            let small = u8::try_from(number).unwrap_or(u8::MAX);
            match letter {
                "w" if (1..=3).contains(&small) => bounds.workers = small,
                "b" if small <= 3 => bounds.breaks = small,
                "d" if number <= 200 => bounds.delay = number,
                "n" if (1..=100_000).contains(&number) => bounds.lasts = number,
                _ => return Err(wrong(part)),
            }
        }
        Ok(bounds)
    }
}

impl fmt::Display for TimedBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workers, breaks, delay, lasts } = self;
        write!(f, "timed-w{workers}-b{breaks}-d{delay}-n{lasts}")
    }
}

/// What a search through a world with clocks came to.
///
/// ```
/// use moorline_sim::check::{TimedBounds, TimedVerdict, check_timed};
///
/// let bounds = TimedBounds { lasts: 2_000, ..TimedBounds::default() };
/// let checked = check_timed(bounds, &mut |_| true);
/// assert_eq!(checked.verdict, TimedVerdict::Holds);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimedChecked {
    /// How large the world was.
    pub bounds: TimedBounds,
    /// States that were reached.
    pub states: u64,
    /// Steps that were taken.
    pub steps: u64,
    /// Steps from the beginning to the state that is farthest away.
    pub depth: u32,
    /// The outcome.
    pub verdict: TimedVerdict,
}

/// How a search through a world with clocks ended.
///
/// ```
/// use moorline_sim::check::{TimedBounds, TimedVerdict, check_timed};
///
/// let stopped = check_timed(TimedBounds::default(), &mut |_| false);
/// assert_eq!(stopped.verdict, TimedVerdict::Stopped);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TimedVerdict {
    /// Every state was reached, and no promise is broken in any.
    Holds,
    /// These steps, the fewest there are, break a promise.
    Broken(Vec<TimedStep>, Violation),
    /// After these steps time stands still.
    Stuck(Vec<TimedStep>),
    /// It was told to stop before every state was reached.
    Stopped,
}

/// Searches through all states of a world with clocks; see [`check`](super::check) for `goes_on`.
#[must_use]
pub fn check_timed(bounds: TimedBounds, goes_on: &mut dyn FnMut(u64) -> bool) -> TimedChecked {
    let Explored { states, edges, depth, end, .. } = explore(&Model::new(bounds), goes_on);
    let verdict = match end {
        End::Holds => TimedVerdict::Holds,
        End::Stopped => TimedVerdict::Stopped,
        End::Broken(steps, violation) => TimedVerdict::Broken(steps, violation),
        End::Trapped(steps) => TimedVerdict::Stuck(steps),
    };
    TimedChecked { bounds, states, steps: edges, depth, verdict }
}

#[cfg(test)]
mod tests;
