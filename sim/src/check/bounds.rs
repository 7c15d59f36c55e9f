//! How large a world is that is searched.

use std::fmt;
use std::str::FromStr;

/// How large a world is and how much may go wrong in it, at most.
///
/// It is written as letters with numbers: `w2-t2-b1-c1` is two workers, two tasks, one connection that
/// breaks and one worker that crashes. Letters that are left out mean 0, or 1 for `w`, `t` and `s`.
///
/// ```
/// use moorline_sim::check::Bounds;
///
/// let bounds: Bounds = "w2-t1-b1-c1-e1".parse()?;
/// assert_eq!((bounds.workers, bounds.breaks, bounds.restarts), (2, 1, 0));
/// assert_eq!(bounds.to_string(), "w2-t1-b1-c1-e1");
/// # Ok::<(), moorline_sim::check::BoundsError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Bounds {
    /// Workers: 1 to 4, letter `w`, default 1.
    pub workers: u8,
    /// Tasks: 1 to 4, letter `t`, default 1.
    pub tasks: u8,
    /// Slots of each worker: 1 to 4, letter `s`, default 1.
    pub slots: u8,
    /// Of the tasks, those that are handed in while others run, not at the beginning: letter `l`, default 0.
    pub late: u8,
    /// Connections that break, dials that fail included: letter `b`, default 0.
    pub breaks: u8,
    /// Worker processes that end without a word and begin anew: letter `c`, default 0.
    pub crashes: u8,
    /// Timers of the coordinator that run out although nothing is wrong, the one by which a worker is given
    /// up among them: letter `e`, default 0.
    pub expiries: u8,
    /// Coordinators that end without a word and begin anew: letter `r`, default 0.
    pub restarts: u8,
    /// Handlers that fail for good: letter `f`, default 0.
    pub failures: u8,
    /// Tasks that a client cancels: letter `x`, default 0.
    pub cancels: u8,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            workers: 1,
            tasks: 1,
            slots: 1,
            late: 0,
            breaks: 0,
            crashes: 0,
            expiries: 0,
            restarts: 0,
            failures: 0,
            cancels: 0,
        }
    }
}

/// What is wrong with the letters of a world.
///
/// ```
/// use moorline_sim::check::{Bounds, BoundsError};
///
/// assert_eq!("w2-z1".parse::<Bounds>(), Err(BoundsError::Letter { part: "z1".into() }));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BoundsError {
    /// A part that does not begin with one of the letters.
    Letter {
        /// The part.
        part: String,
    },
    /// A letter that comes twice.
    Twice {
        /// The letter.
        letter: char,
    },
    /// A number that is none, or outside what it may be.
    Number {
        /// The part.
        part: String,
        /// The least it may be.
        min: u8,
        /// The most it may be.
        max: u8,
    },
}

impl fmt::Display for BoundsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Letter { part } => write!(
                f,
                "{part:?} is no part of a model: w (workers), t (tasks), s (slots), l (late tasks), b (breaks), \
                 c (crashes), e (expiries), r (restarts of the coordinator), f (failures) or x \
                 (cancels), each with a number"
            ),
            Self::Twice { letter } => write!(f, "the letter {letter} comes twice"),
            Self::Number { part, min, max } => {
                write!(f, "the number in {part:?} must be from {min} to {max}")
            }
        }
    }
}

impl std::error::Error for BoundsError {}

/// A letter with its number, and what that may be at least.
const LETTERS: [(char, u8); 10] = [
    ('w', 1),
    ('t', 1),
    ('s', 1),
    ('l', 0),
    ('b', 0),
    ('c', 0),
    ('e', 0),
    ('r', 0),
    ('f', 0),
    ('x', 0),
];
const MOST: u8 = 4;

impl Bounds {
    fn number(&mut self, letter: char) -> Option<&mut u8> {
        Some(match letter {
            'w' => &mut self.workers,
            't' => &mut self.tasks,
            's' => &mut self.slots,
            'l' => &mut self.late,
            'b' => &mut self.breaks,
            'c' => &mut self.crashes,
            'e' => &mut self.expiries,
            'r' => &mut self.restarts,
            'f' => &mut self.failures,
            'x' => &mut self.cancels,
            _ => return None,
        })
    }
}

impl FromStr for Bounds {
    type Err = BoundsError;

    fn from_str(text: &str) -> Result<Self, BoundsError> {
        let mut bounds = Self::default();
        let mut had = Vec::new();
        for part in text.split('-') {
            let no_letter = || BoundsError::Letter { part: part.into() };
            let letter = part.chars().next().ok_or_else(no_letter)?;
            let (_, min) =
                *LETTERS.iter().find(|(known, _)| *known == letter).ok_or_else(no_letter)?;
            if had.contains(&letter) {
                return Err(BoundsError::Twice { letter });
            }
            had.push(letter);
            let number = part[letter.len_utf8()..].parse().ok();
            let number = number.filter(|number| (min..=MOST).contains(number));
            let wrong = || BoundsError::Number { part: part.into(), min, max: MOST };
            if let Some(bound) = bounds.number(letter) {
                *bound = number.ok_or_else(wrong)?;
            }
        }
        Ok(bounds)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut bounds, mut standard) = (*self, Self::default());
        write!(f, "w{}-t{}", self.workers, self.tasks)?;
        for (letter, _) in &LETTERS[2..] {
            let (Some(number), Some(standard)) = (bounds.number(*letter), standard.number(*letter))
            else {
                continue;
            };
            if number != standard {
                write!(f, "-{letter}{number}")?;
            }
        }
        Ok(())
    }
}
