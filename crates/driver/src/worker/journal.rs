//! Results on their way to the journal's thread: one batch is there, the others make up the next one.

use std::collections::BTreeMap;
use std::task::{Context, Poll};
use std::time::Duration;

use moorline_node::{JournalId, JournalOp, JournalWrite, Name, WorkerInput};
use moorline_store::JournalSize;
use moorline_work::RunId;

use crate::journal_thread::{Answered, JournalThread};
use crate::log::worker::journal as log;

/// How long the end of a loop waits for its journal.
pub(super) const CLOSED_WITHIN: Duration = Duration::from_secs(1);

/// Writes in one batch, at most.
const BATCH: usize = 1_024;
/// Bytes of bodies in one batch; the write that reaches it is the last.
const BATCH_BYTES: usize = 8 << 20;

/// The loop's side of its journal, if it has one.
pub(crate) struct LoopJournal {
    worker: Name,
    thread: Option<JournalThread>,
    writes: Writes,
    /// There was no room for the last result.
    is_full: bool,
}

impl LoopJournal {
    pub(crate) fn new(worker: Name, thread: Option<JournalThread>) -> Self {
        Self { worker, thread, writes: Writes::default(), is_full: false }
    }

    /// What a broken journal is asked for is not answered.
    pub(crate) fn push(&mut self, write: JournalWrite) {
        if self.thread.is_some() {
            self.writes.push(write);
        }
    }

    /// Hands the next batch over if the thread is free. Returns what is answered without the disk.
    pub(crate) fn hand_over(&mut self) -> Option<WorkerInput> {
        let thread = self.thread.as_ref()?;
        if let Some(batch) = self.writes.next_batch() {
            // A thread that has ended says so by its answers.
            let _ = thread.batches.send(batch);
        }
        let up_to = self.writes.settled()?;
        Some(WorkerInput::Journaled { up_to, full: Vec::new() })
    }

    /// What became of the batch, for the node and for the gauges.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(WorkerInput, JournalSize)>> {
        let Some(thread) = &mut self.thread else { return Poll::Pending };
        match std::task::ready!(thread.answers.poll_next(cx)) {
            Some(Answered::Committed { full, size }) => {
                self.tell(&full, size);
                self.writes.committed();
                let journaled = self.writes.settled();
                let journaled = journaled.map(|up_to| WorkerInput::Journaled { up_to, full });
                Poll::Ready(journaled.map(|journaled| (journaled, size)))
            }
            Some(Answered::Broken) => {
                self.break_off();
                Poll::Ready(None)
            }
            None => {
                log::gone(&self.worker);
                self.break_off();
                Poll::Ready(None)
            }
        }
    }

    /// At the end: hands over what is left, and ready when all of it is written and the journal is closed.
    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(thread) = &mut self.thread else { return Poll::Ready(()) };
            if let Some(batch) = self.writes.next_batch() {
                let _ = thread.batches.send(batch);
            } else if self.writes.is_empty() {
                // Its other end is what the thread waits for.
                (thread.batches, _) = std::sync::mpsc::channel();
            }
            match std::task::ready!(thread.answers.poll_next(cx)) {
                Some(Answered::Committed { .. }) => self.writes.committed(),
                Some(Answered::Broken) => self.writes = Writes::default(),
                None => {
                    if !self.writes.is_empty() {
                        log::gone(&self.worker);
                    }
                    self.break_off();
                }
            }
        }
    }

    /// The end does not wait any longer.
    pub(crate) fn abandon(&self) {
        let left = self.writes.len();
        if left > 0 {
            log::unwritten(&self.worker, left);
        }
    }

    fn break_off(&mut self) {
        self.thread = None;
        self.writes = Writes::default();
    }

    /// Once for as long as no result finds room.
    fn tell(&mut self, full: &[JournalId], size: JournalSize) {
        if !full.is_empty() && !self.is_full {
            log::full(&self.worker, full.len(), size);
        }
        self.is_full = if full.is_empty() { self.is_full && !self.writes.keeps } else { true };
    }
}

/// Writes that are not answered.
#[derive(Default)]
struct Writes {
    /// Not handed over.
    waiting: BTreeMap<JournalId, JournalOp>,
    /// Of these a result or its number, which a later write of the same run may change.
    runs: BTreeMap<RunId, JournalId>,
    /// The last number that was asked for.
    last: JournalId,
    /// All up to this one are answered.
    answered: JournalId,
    /// So many are with the thread.
    under_way: usize,
    /// Among those is a result.
    keeps: bool,
}

impl Writes {
    fn push(&mut self, JournalWrite { id, op }: JournalWrite) {
        self.last = id;
        let (run, is_forgotten) = match &op {
            JournalOp::Keep(result) => (result.run, false),
            JournalOp::Renumber { run, attempt } => {
                let before = self.runs.get(run).and_then(|before| self.waiting.get_mut(before));
                match before {
                    Some(JournalOp::Keep(result)) => {
                        result.key.attempt = *attempt;
                        return;
                    }
                    Some(JournalOp::Renumber { attempt: before, .. }) => {
                        *before = *attempt;
                        return;
                    }
                    Some(JournalOp::Forget { .. }) | None => (*run, false),
                }
            }
            JournalOp::Forget { run } => {
                let before = self.runs.remove(run).and_then(|before| self.waiting.remove(&before));
                // A result that is answered before it was written never touches the disk.
                if let Some(JournalOp::Keep(_)) = before {
                    return;
                }
                (*run, true)
            }
        };
        if !is_forgotten {
            self.runs.insert(run, id);
        }
        self.waiting.insert(id, op);
    }

    /// What the thread is to commit next, if it is free.
    fn next_batch(&mut self) -> Option<Vec<JournalWrite>> {
        if self.under_way > 0 || self.waiting.is_empty() {
            return None;
        }
        let (mut batch, mut bytes) = (Vec::new(), 0);
        self.keeps = false;
        while batch.len() < BATCH && bytes < BATCH_BYTES {
            let Some((id, op)) = self.waiting.pop_first() else { break };
            let run = match &op {
                JournalOp::Keep(result) => {
                    bytes += result.body.len();
                    self.keeps = true;
                    result.run
                }
                JournalOp::Renumber { run, .. } | JournalOp::Forget { run } => *run,
            };
            if self.runs.get(&run) == Some(&id) {
                self.runs.remove(&run);
            }
            batch.push(JournalWrite { id, op });
        }
        self.under_way = batch.len();
        Some(batch)
    }

    /// What was with the thread is committed.
    fn committed(&mut self) {
        self.under_way = 0;
    }

    /// All up to this one are done, if that is news. What was taken back counts with what came before.
    fn settled(&mut self) -> Option<JournalId> {
        if self.under_way > 0 {
            return None;
        }
        let first = self.waiting.first_key_value();
        let up_to = first.map_or(self.last, |(id, _)| JournalId(id.0.saturating_sub(1)));
        let is_news = up_to > self.answered;
        self.answered = self.answered.max(up_to);
        is_news.then_some(up_to)
    }

    fn len(&self) -> usize {
        self.under_way + self.waiting.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
