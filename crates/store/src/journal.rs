//! The trait behind which a worker's journal lives.

pub(crate) mod memory;
pub(crate) mod sqlite;

use moorline_node::{JournalId, JournalWrite, KeptResult};

use crate::StoreError;

/// Keeps the results of a worker until they are answered.
///
/// One value is the one writer of its data; it is blocking, and lives on a thread of its own. What it keeps
/// together never counts for more than its bound, by [`KeptResult::cost`]: a result for which there is no
/// room is not written, which its answer says. A bound that is smaller than what an earlier process left
/// takes nothing away: until there is room again nothing is added.
///
/// ```
/// use bytes::Bytes;
/// use moorline_node::{JournalId, JournalOp, JournalWrite, KeptResult};
/// use moorline_store::{Journal, MemoryJournal, StoreError};
/// use moorline_work::{Attempt, Outcome, RunId, TaskId, TaskKey};
///
/// fn keep(id: u64, body: &'static [u8]) -> JournalWrite {
///     let key = TaskKey { task: TaskId(id.into()), attempt: Attempt(1) };
///     let body = Bytes::from_static(body);
///     let kept = KeptResult { run: RunId(id), key, outcome: Outcome::Succeeded, body };
///     JournalWrite { id: JournalId(id), op: JournalOp::Keep(kept) }
/// }
///
/// let mut journal = MemoryJournal::new(100); // or SqliteJournal::open("journal.db", 256 << 20)?
/// let full = journal.commit(&[keep(1, b"forty-two"), keep(2, b"another one")])?;
/// assert_eq!(full, [JournalId(2)], "73 bytes are taken, and 75 more do not fit");
/// assert_eq!(journal.kept()?.len(), 1);
/// # Ok::<(), StoreError>(())
/// ```
pub trait Journal: Send {
    /// What it keeps, by run: read once, at the start.
    ///
    /// # Errors
    /// [`StoreError`].
    fn kept(&mut self) -> Result<Vec<KeptResult>, StoreError>;

    /// Commits all writes, in order, as one transaction: after `Ok` they survive what the journal survives,
    /// after `Err` none of them happened (and the same batch may be tried again). Answers those that
    /// found no room, in the order of the batch: they are not written, while all others are. A result whose run is
    /// kept already takes the place of the other one.
    ///
    /// # Errors
    /// [`StoreError`]; that there is no room within its bound is an answer instead.
    fn commit(&mut self, batch: &[JournalWrite]) -> Result<Vec<JournalId>, StoreError>;

    /// How much it keeps, at no cost.
    fn size(&self) -> JournalSize;
}

/// How much a journal keeps.
///
/// ```
/// use moorline_store::{Journal, MemoryJournal};
///
/// let size = MemoryJournal::new(1 << 20).size();
/// assert_eq!((size.results, size.bytes, size.max_bytes), (0, 0, 1 << 20));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct JournalSize {
    /// Results that are not forgotten.
    pub results: u64,
    /// What they count for together, by [`KeptResult::cost`].
    pub bytes: u64,
    /// What they may count for together.
    pub max_bytes: u64,
}

impl JournalSize {
    pub(crate) const fn new(max_bytes: u64) -> Self {
        Self { results: 0, bytes: 0, max_bytes }
    }

    /// Takes in a result of this cost, in the place of one that cost `before`. Returns whether there is room.
    fn keeps(&mut self, cost: u64, before: Option<u64>) -> bool {
        let rest = self.bytes.saturating_sub(before.unwrap_or(0));
        let bytes = rest.saturating_add(cost);
        // What takes no more than it frees is taken in also beyond a bound that was made smaller.
        let fits = bytes <= self.max_bytes || bytes <= self.bytes;
        if fits {
            self.bytes = bytes;
            self.results += u64::from(before.is_none());
        }
        fits
    }

    /// A result that cost so much is forgotten.
    fn forgets(&mut self, cost: u64) {
        self.bytes = self.bytes.saturating_sub(cost);
        self.results = self.results.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests;
