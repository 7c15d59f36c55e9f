//! The journal that forgets with its process.

use std::collections::BTreeMap;

use moorline_node::{JournalId, JournalOp, JournalWrite, KeptResult};
use moorline_work::RunId;

use super::{Journal, JournalSize};
use crate::StoreError;

/// Keeps everything in memory: for tests, and where a journal is to answer without a disk.
///
/// It answers as [`SqliteJournal`](crate::SqliteJournal) does and never fails.
///
/// ```
/// use moorline_node::{JournalId, JournalOp, JournalWrite};
/// use moorline_store::{Journal, MemoryJournal, StoreError};
/// use moorline_work::RunId;
///
/// let mut journal = MemoryJournal::new(256 << 20);
/// let forget = JournalWrite { id: JournalId(1), op: JournalOp::Forget { run: RunId(7) } };
/// assert!(journal.commit(&[forget])?.is_empty(), "of a run that is not kept it changes nothing");
/// # Ok::<(), StoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MemoryJournal {
    results: BTreeMap<RunId, KeptResult>,
    size: JournalSize,
}

impl MemoryJournal {
    /// An empty one that keeps results up to this cost together, in bytes.
    #[must_use]
    pub const fn new(max_bytes: u64) -> Self {
        Self { results: BTreeMap::new(), size: JournalSize::new(max_bytes) }
    }

    /// The same with another bound, as a journal in a file that is opened with it.
    #[must_use]
    pub fn bounded_by(mut self, max_bytes: u64) -> Self {
        self.size.max_bytes = max_bytes;
        self
    }
}

impl Journal for MemoryJournal {
    fn kept(&mut self) -> Result<Vec<KeptResult>, StoreError> {
        Ok(self.results.values().cloned().collect())
    }

    fn commit(&mut self, batch: &[JournalWrite]) -> Result<Vec<JournalId>, StoreError> {
        let mut full = Vec::new();
        for write in batch {
            match &write.op {
                JournalOp::Keep(result) => {
                    let before = self.results.get(&result.run).map(KeptResult::cost);
                    if self.size.keeps(result.cost(), before) {
                        self.results.insert(result.run, result.clone());
                    } else {
                        full.push(write.id);
                    }
                }
                JournalOp::Renumber { run, attempt } => {
                    if let Some(result) = self.results.get_mut(run) {
                        result.key.attempt = *attempt;
                    }
                }
                JournalOp::Forget { run } => {
                    if let Some(result) = self.results.remove(run) {
                        self.size.forgets(result.cost());
                    }
                }
            }
        }
        Ok(full)
    }

    fn size(&self) -> JournalSize {
        self.size
    }
}
