//! Machines as a model checker compares them: by what they will do from now on.

use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::time::Duration;

use crate::{Hub, Instant, Link};

/// A machine relative to a time: two are equal if from here on they do the same with the same inputs, the
/// first at its own `now` and the second at its own.
///
/// The derived equality of a machine is plain: everything counts. A search through all states of a
/// protocol would never end with it, because time goes on and counters grow. This view leaves out what
/// makes no difference:
///
/// - deadlines count by their distance from `now`, and those that are at least `far` away are equal;
/// - what the machine counts for itself alone counts from its present value: the connections of a
///   [`Link`] from its last dial on, its dials not at all once its delays have reached their longest
///   (with a policy that draws nothing);
/// - names the embedder gave to messages ([`Tag`](crate::Tag)) do not count, only how many there are and
///   how long: whoever keeps the messages compares them, in the order in which they were put on a lane;
/// - what is never decided by does not count: statistics and round trips but for the figure from which
///   deadlines are made, what was said last and why, when a state was entered, counters for people, and
///   caches.
///
/// Numbers that both ends know stay as they are: sessions, epochs, beats, and messages of lanes. What is
/// under way quotes them, so neither end can count them from a base of its own.
///
/// Events for people do not count as something a machine does: of two equal machines one may tell of a
/// slow path and the other not.
///
/// ```
/// use core::time::Duration;
/// use moorline_link::{
///     Backoff, Canonical, First, Identity, Incarnation, Instant, Jitter, Link, LinkConfig, Reconnect, Sym,
///     Versions, WorkerId,
/// };
///
/// let second = Duration::from_secs(1);
/// let steady = Backoff::new(second, second, 1_000, Jitter::None, First::Backoff)?;
/// let config = LinkConfig { reconnect: Reconnect::new(steady), ..LinkConfig::default() };
/// let identity = Identity {
///     worker: WorkerId(7),
///     incarnation: Incarnation(1),
///     name: Sym(0),
///     versions: Versions::SPOKEN,
///     features: 0,
/// };
/// let begun = |at| Link::new(config, identity, 42, at);
/// let (early, late) = (Instant::ZERO, Instant::from_nanos(5_000_000_000));
/// let hour = Duration::from_secs(3_600);
/// assert_ne!(begun(early), begun(late));
/// assert_eq!(Canonical::new(&begun(early), early, hour), Canonical::new(&begun(late), late, hour));
/// # Ok::<(), moorline_link::ConfigError>(())
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

compared_by_what_it_feeds! { Link Hub }

/// From where times are seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    now: Instant,
    far: Duration,
}

impl View {
    /// The same from another time.
    pub(crate) const fn from(&self, now: Instant) -> Self {
        Self { now, ..*self }
    }

    pub(crate) const fn now(&self) -> Instant {
        self.now
    }

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

    pub(crate) fn is_over(&self, time: Instant) -> bool {
        time <= self.now
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
