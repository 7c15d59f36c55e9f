//! The thread on which a worker's journal lives.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use moorline_node::{JournalId, JournalWrite, KeptResult, Name};
use moorline_store::{Journal, JournalSize, StoreError};
use moorline_sync::mailbox;

use crate::log::worker::journal as log;
use crate::runtime::Runtime;
use crate::store_thread::{RETRY_FIRST, RETRY_LAST};
use crate::tally::WorkerTally;

/// A journal, and what it keeps of earlier processes of its worker: for [`WorkerOptions`](crate::WorkerOptions).
///
/// ```
/// use moorline_driver::OpenJournal;
/// use moorline_store::{MemoryJournal, StoreError};
///
/// let journal = OpenJournal::read(MemoryJournal::new(256 << 20))?; // or SqliteJournal::open(...)?
/// assert_eq!(journal.results(), 0, "nothing is left to deliver");
/// # Ok::<(), StoreError>(())
/// ```
pub struct OpenJournal {
    journal: Box<dyn Journal>,
    kept: Vec<KeptResult>,
}

impl OpenJournal {
    /// Reads all that the journal keeps. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`StoreError`]: it cannot be read, or is damaged.
    pub fn read(mut journal: impl Journal + 'static) -> Result<Self, StoreError> {
        let kept = journal.kept()?;
        Ok(Self { journal: Box::new(journal), kept })
    }

    /// How many results are left to deliver.
    #[must_use]
    pub fn results(&self) -> usize {
        self.kept.len()
    }

    pub(crate) fn into_parts(self) -> (Box<dyn Journal>, Vec<KeptResult>) {
        (self.journal, self.kept)
    }
}

impl fmt::Debug for OpenJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenJournal").field("size", &self.journal.size()).finish_non_exhaustive()
    }
}

/// What became of a batch.
#[derive(Debug)]
pub(crate) enum Answered {
    /// It is durable, but for these writes.
    Committed { full: Vec<JournalId>, size: JournalSize },
    /// The journal is of no use any more, which its log says; the thread ends.
    Broken,
}

/// What the loop holds of its journal. Dropped, the thread ends; its answers end when it is closed.
pub(crate) struct JournalThread {
    /// Batches, one at a time: the next one when this one is answered.
    pub(crate) batches: Sender<Vec<JournalWrite>>,
    pub(crate) answers: moorline_sync::Receiver<Answered>,
}

/// Starts the thread.
///
/// # Errors
/// The system gives none.
pub(crate) fn start<R: Runtime>(
    runtime: R,
    worker: Name,
    journal: Box<dyn Journal>,
    tally: Arc<WorkerTally>,
) -> io::Result<JournalThread> {
    let (batches, asked) = channel();
    let (answered, answers) = mailbox();
    let mut writer = Writer { runtime, worker, journal, tally };
    std::thread::Builder::new().name("moorline-journal".into()).spawn(move || {
        writer.run(&asked, &answered);
        // Who waits for the end opens it again.
        drop(writer);
        drop(answered);
    })?;
    Ok(JournalThread { batches, answers })
}

struct Writer<R> {
    runtime: R,
    worker: Name,
    journal: Box<dyn Journal>,
    tally: Arc<WorkerTally>,
}

impl<R: Runtime> Writer<R> {
    fn run(
        &mut self,
        asked: &Receiver<Vec<JournalWrite>>,
        answered: &moorline_sync::Sender<Answered>,
    ) {
        while let Ok(batch) = asked.recv() {
            let Some(answer) = self.commit(&batch, asked) else { return };
            let is_over = matches!(answer, Answered::Broken);
            if answered.send(answer).is_err() || is_over {
                return;
            }
        }
    }

    /// Until it succeeds, or the journal is found to be of no use; `None` if the loop has ended meanwhile.
    fn commit(
        &mut self,
        batch: &[JournalWrite],
        asked: &Receiver<Vec<JournalWrite>>,
    ) -> Option<Answered> {
        let mut failing_since = None;
        let mut delay = RETRY_FIRST;
        loop {
            let error = match self.journal.commit(batch) {
                Ok(full) => {
                    if let Some(since) = failing_since {
                        log::works(&self.worker, self.runtime.now().since(since));
                    }
                    return Some(Answered::Committed { full, size: self.journal.size() });
                }
                Err(error) => error,
            };
            self.tally.journal.failures.add(1);
            if !error.may_pass() {
                log::broken(&self.worker, &error);
                return Some(Answered::Broken);
            }
            failing_since.get_or_insert_with(|| {
                log::failing(&self.worker, &error);
                self.runtime.now()
            });
            // Nothing comes while a batch is unanswered, but the end.
            if let Err(RecvTimeoutError::Disconnected) = asked.recv_timeout(delay) {
                return None;
            }
            delay = longer(delay);
        }
    }
}

/// The wait after one of this length.
fn longer(wait: Duration) -> Duration {
    wait.saturating_mul(2).min(RETRY_LAST)
}

#[cfg(test)]
mod tests;
