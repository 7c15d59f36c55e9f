//! One outage, and the last sixteen.

use core::time::Duration;

use crate::{Instant, Reason};

/// How an outage ended.
///
/// ```
/// assert_eq!(moorline_link::OutageEnd::Resumed.name(), "resumed");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OutageEnd {
    /// The session of before goes on.
    Resumed,
    /// In a new session: the coordinator had forgotten the old one, or given its work away.
    NewSession,
}

impl OutageEnd {
    /// The word used in logs and `--json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resumed => "resumed",
            Self::NewSession => "new_session",
        }
    }
}

/// A time from losing `Active` to regaining it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Outage {
    /// Why `Active` was lost.
    pub reason: Reason,
    /// When; after a reset of the statistics not before that.
    pub began: Instant,
    /// For how long.
    pub duration: Duration,
    /// Dials it took, the one that ended it included.
    pub attempts: u32,
    /// How it ended; `None` while it goes on.
    pub end: Option<OutageEnd>,
}

impl Outage {
    /// When it was over.
    #[must_use]
    pub fn ended(&self) -> Instant {
        self.began + self.duration
    }
}

/// The last outages of a link: at most [`Outages::MAX`], the oldest first.
///
/// ```
/// use moorline_link::{Outage, Outages};
///
/// fn longest(outages: &Outages) -> Option<&Outage> {
///     outages.iter().max_by_key(|outage| outage.duration)
/// }
/// # let _ = longest;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Outages {
    /// A ring.
    kept: [Option<Outage>; Self::MAX],
    /// Where the next one goes: over the oldest, if it is full.
    next: u8,
}

impl Outages {
    /// So many are remembered: 16.
    pub const MAX: usize = 16;

    pub(crate) const fn new() -> Self {
        Self { kept: [None; Self::MAX], next: 0 }
    }

    /// Each of them, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Outage> {
        let (newer, older) = self.kept.split_at(usize::from(self.next));
        older.iter().chain(newer).flatten()
    }

    /// The last one.
    #[must_use]
    pub fn last(&self) -> Option<&Outage> {
        self.iter().next_back()
    }

    /// Returns the one that is forgotten for it.
    pub(crate) fn push(&mut self, outage: Outage) -> Option<Outage> {
        let at = usize::from(self.next);
        self.next = if at + 1 == Self::MAX { 0 } else { self.next + 1 };
        self.kept[at].replace(outage)
    }
}
