//! Machines as a model checker compares them: by what they will do from now on.

use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::time::Duration;

use crate::{Dispatcher, Instant, Runner};

/// A machine relative to a time: two are equal if from here on they do the same with the same inputs, the
/// first at its own `now` and the second at its own.
///
/// The derived equality of a machine is plain: everything counts. A search through all states of a
/// protocol would never end with it, because time goes on and counters grow. This view leaves out what
/// makes no difference:
///
/// - deadlines count by their distance from `now`, and those that are at least `far` away are equal;
/// - numbers that only the machine itself gives out count by their order: runs of a [`Runner`], and the order
///   in which they finished; operations of a [`Dispatcher`] from the first one on that is not stored, and
///   registrations by whether they are the worker's last;
/// - what is never decided by does not count: when a run started, and what follows from the rest.
///
/// Attempts and the order of submission stay as they are: messages under way and the store quote them.
/// Where runs are compared, call the run with the smallest [`RunId`](crate::RunId) the first, and so on.
///
/// ```
/// use core::time::Duration;
/// use moorline_work::{Canonical, Dispatcher, DispatcherConfig, Instant};
///
/// let begun = |at| Dispatcher::new(DispatcherConfig::default(), at);
/// let (early, late) = (Instant::from_nanos(0), Instant::from_nanos(5_000_000_000));
/// let hour = Duration::from_secs(3_600);
/// assert_ne!(begun(early), begun(late));
/// assert_eq!(Canonical::new(&begun(early), early, hour), Canonical::new(&begun(late), late, hour));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Canonical<'a, M> {
    machine: &'a M,
    view: View,
}

impl<'a, M> Canonical<'a, M> {
    /// The machine as it is at `now`. Distances of `far` or more are all the same: choose it longer than
    /// every delay that is to be told apart.
    #[must_use]
    pub const fn new(machine: &'a M, now: Instant, far: Duration) -> Self {
        Self { machine, view: View { now, far } }
    }
}

macro_rules! compared_by_what_it_feeds {
    ($($machine:ident)*) => {$(
        impl Hash for Canonical<'_, $machine> {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.machine.feed(&self.view, state);
            }
        }

        impl PartialEq for Canonical<'_, $machine> {
            fn eq(&self, other: &Self) -> bool {
                Transcript::of(self) == Transcript::of(other)
            }
        }

        impl Eq for Canonical<'_, $machine> {}
    )*};
}

compared_by_what_it_feeds! { Dispatcher Runner }

/// From where times are seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    now: Instant,
    far: Duration,
}

impl View {
    /// How far away a time is, before or behind: nanoseconds, at most `far`.
    pub(crate) fn at(&self, time: Instant) -> (bool, u64) {
        let (past, distance) = if time < self.now {
            (true, self.now.since(time))
        } else {
            (false, time.since(self.now))
        };
        (past, crate::time::saturating_nanos(distance.min(self.far)))
    }

    /// The same of a time that may not be.
    pub(crate) fn at_some(&self, time: Option<Instant>) -> Option<(bool, u64)> {
        time.map(|time| self.at(time))
    }

    pub(crate) const fn now(&self) -> Instant {
        self.now
    }
}

/// Everything that was hashed, byte by byte: what hashes alike in full is equal.
#[derive(PartialEq, Eq, Default)]
struct Transcript(Vec<u8>);

impl Transcript {
    fn of(value: &impl Hash) -> Self {
        let mut transcript = Self::default();
        value.hash(&mut transcript);
        transcript
    }
}

impl Hasher for Transcript {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Nobody asks for it.
    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests;
