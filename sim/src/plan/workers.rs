//! Sets of workers, by their numbers.

use std::fmt;

use super::Fault;

/// Some of the workers of a plan: those with the numbers 0 to 63.
///
/// ```
/// use moorline_sim::Workers;
///
/// let some: Workers = [5, 2].into_iter().collect();
/// assert!(some.contains(2) && !some.contains(3));
/// assert_eq!(some.iter().collect::<Vec<_>>(), [2, 5]);
/// assert_eq!(some.to_string(), "{w2, w5}");
/// assert_eq!(Workers::from_bits(some.bits()), some);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Workers(u64);

impl Workers {
    /// So many can be told apart.
    pub const MAX: usize = 64;

    /// Nobody.
    pub const NONE: Self = Self(0);

    /// Everybody who has a number here.
    pub const ALL: Self = Self(u64::MAX);

    /// One. A number above 63 is nobody's.
    #[must_use]
    pub const fn one(worker: usize) -> Self {
        if worker < Self::MAX { Self(1 << worker) } else { Self::NONE }
    }

    /// The first so many.
    #[must_use]
    pub const fn first(count: usize) -> Self {
        if count < Self::MAX { Self((1 << count) - 1) } else { Self::ALL }
    }

    /// The bit `1 << n` stands for worker `n`.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// See [`from_bits`](Self::from_bits).
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether it is one of them.
    #[must_use]
    pub const fn contains(self, worker: usize) -> bool {
        self.0 & Self::one(worker).0 != 0
    }

    /// These and that one.
    #[must_use]
    pub const fn with(self, worker: usize) -> Self {
        Self(self.0 | Self::one(worker).0)
    }

    /// These but that one.
    #[must_use]
    pub const fn without(self, worker: usize) -> Self {
        Self(self.0 & !Self::one(worker).0)
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// How many.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The lowest number.
    #[must_use]
    pub const fn lowest(self) -> Option<usize> {
        if self.0 == 0 { None } else { Some(self.0.trailing_zeros() as usize) }
    }

    /// Their numbers, from the lowest.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..Self::MAX).filter(move |worker| self.contains(*worker))
    }
}

impl FromIterator<usize> for Workers {
    fn from_iter<I: IntoIterator<Item = usize>>(workers: I) -> Self {
        workers.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (place, worker) in self.iter().enumerate() {
            write!(f, "{}w{worker}", if place == 0 { "" } else { ", " })?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Fault {
    /// The workers that it strikes together.
    pub(crate) const fn workers_mut(&mut self) -> Option<&mut Workers> {
        match self {
            Self::Spikes { workers, .. }
            | Self::Stalls { workers, .. }
            | Self::Replay { workers, .. }
            | Self::Corrupt { workers, .. }
            | Self::Partition { workers, .. }
            | Self::Flap { workers, .. }
            | Self::Swizzle { workers, .. }
            | Self::Narrow { workers, .. }
            | Self::Segments { workers, .. } => Some(workers),
            Self::Dials { .. }
            | Self::Close { .. }
            | Self::Cut { .. }
            | Self::Rebind { .. }
            | Self::Jam { .. }
            | Self::Crash { .. }
            | Self::CrashLoop { .. }
            | Self::Freeze { .. }
            | Self::Busy { .. }
            | Self::Twin { .. }
            | Self::Swallow { .. }
            | Self::SetClock { .. }
            | Self::Late { .. }
            | Self::Slow { .. }
            | Self::Fails { .. }
            | Self::Credential { .. }
            | Self::Vetting { .. }
            | Self::Nudge { .. } => None,
        }
    }
}
