//! Results on their way to the journal, and starts that wait for them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};

use bytes::Bytes;
use moorline_link::Instant;
use moorline_work::{Outcome, RunId, RunnerInput, TaskKey};

use super::{Due, WorkerAction, WorkerNode, WorkerVerdict};
use crate::frame::convert;
use crate::{JournalId, JournalOp, JournalWrite, KeptResult};

/// What of a worker is on its disk, as far as it is of interest. However long the disk does not answer, this
/// does not grow.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Journal {
    /// The last write that was asked for.
    last: JournalId,
    /// The last one that was answered, and all before it.
    done: JournalId,
    /// Finished runs that are neither kept nor answered, and the write that is to keep each: they use the
    /// slots of their handlers.
    unkept: BTreeMap<RunId, JournalId>,
    /// Those of them for which there was no room.
    roomless: BTreeSet<RunId>,
    /// Finished runs that are kept and not answered.
    kept: BTreeSet<RunId>,
    /// Of the writes that are not answered the first that makes room.
    makes_room: Option<JournalId>,
    /// Starts that wait for a slot, in order.
    waiting: VecDeque<(RunId, Due)>,
}

impl Journal {
    /// One that keeps the results of these runs.
    pub(super) fn new(kept: BTreeSet<RunId>) -> Self {
        Self { kept, ..Self::default() }
    }

    /// How many starts wait for a slot.
    pub(super) fn waits(&self) -> usize {
        self.waiting.len()
    }

    /// Starts that wait for a slot.
    pub(super) fn waiting(&mut self) -> impl Iterator<Item = &mut Due> {
        self.waiting.iter_mut().map(|(_, start)| start)
    }

    /// What decides; the numbers of writes only name them.
    pub(super) fn feed<H: Hasher>(&self, state: &mut H) {
        let Self { last, done, unkept, roomless, kept, makes_room, waiting } = self;
        let ago = |id: &JournalId| last.0 - id.0;
        ago(done).hash(state);
        unkept.len().hash(state);
        unkept.iter().for_each(|(run, id)| (run, ago(id)).hash(state));
        (roomless, kept, makes_room.as_ref().map(ago), waiting).hash(state);
    }
}

impl WorkerNode {
    /// A handler ended: what it came to is to be kept.
    pub(super) fn keep(&mut self, run: RunId) {
        // Of a run that nobody wants any more there is no result.
        let Some((key, outcome)) = self.runner.finished(run) else { return };
        let body = self.bodies.result(run);
        let kept = JournalOp::Keep(KeptResult { run, key, outcome, body });
        let Some(id) = self.write(kept) else { return };
        if let Some(journal) = &mut self.journal {
            journal.unkept.insert(run, id);
        }
    }

    /// The attempt that was adopted may be that of a result.
    pub(super) fn renumber(&mut self, key: TaskKey) {
        if let Some(run) = self.runner.run_of(key)
            && self.runner.finished(run).is_some()
        {
            self.write(JournalOp::Renumber { run, attempt: key.attempt });
        }
    }

    /// A run is settled: what the journal has of it may go.
    pub(super) fn answered(&mut self, run: RunId) {
        let Some(journal) = &mut self.journal else { return };
        let is_written = if journal.unkept.remove(&run).is_some() {
            !journal.roomless.remove(&run)
        } else {
            journal.kept.remove(&run)
        };
        if !is_written {
            return;
        }
        let id = self.write(JournalOp::Forget { run });
        if let Some(journal) = &mut self.journal {
            journal.makes_room = journal.makes_room.or(id);
        }
    }

    pub(super) fn journaled(&mut self, up_to: JournalId, full: &[JournalId]) -> WorkerVerdict {
        let Some(journal) = &mut self.journal else { return WorkerVerdict::Stale };
        if up_to <= journal.done || up_to > journal.last {
            return WorkerVerdict::Stale;
        }
        journal.done = up_to;
        let is_done = |(_, id): &(&RunId, &JournalId)| **id <= up_to;
        let done: Vec<_> = journal.unkept.iter().filter(is_done).map(|(a, b)| (*a, *b)).collect();
        for (run, id) in done {
            if full.contains(&id) {
                journal.roomless.insert(run);
            } else if !journal.roomless.contains(&run) {
                journal.unkept.remove(&run);
                journal.kept.insert(run);
            }
        }
        if journal.makes_room.is_some_and(|id| id <= up_to) {
            // Others of its kind may be behind it: they count as the first that is not answered.
            let next = JournalId(up_to.0.saturating_add(1));
            journal.makes_room = (next <= journal.last).then_some(next);
            for run in std::mem::take(&mut journal.roomless) {
                self.keep(run);
            }
        }
        WorkerVerdict::Accepted
    }

    /// Starts a run, as soon as there is a slot for it: what ended in its slot may not be kept yet.
    pub(super) fn begin(&mut self, now: Instant, run: RunId, start: Due) {
        match &mut self.journal {
            Some(journal) => {
                journal.waiting.push_back((run, start));
                self.runner.handle(convert::instant(now), RunnerInput::Waits { run });
            }
            None => self.due.push_back(start),
        }
    }

    /// Starts one of those that wait, if there is a slot for it.
    pub(super) fn begin_waiting(&mut self, now: Instant) -> bool {
        let Some(journal) = &mut self.journal else { return false };
        let begun = self.runner.running().saturating_sub(journal.waiting.len());
        if begun + journal.unkept.len() >= usize::from(self.about.slots) {
            return false;
        }
        let Some((run, mut start)) = journal.waiting.pop_front() else { return false };
        self.runner.handle(convert::instant(now), RunnerInput::Begins { run });
        if let WorkerAction::Start { deadline, .. } = &mut start.action {
            // The wait for the disk is not its own.
            *deadline = self.runner.deadline(run);
        }
        self.due.push_back(start);
        true
    }

    /// A run is to stop; whether it has not begun, and so has stopped.
    pub(super) fn never_begins(&mut self, now: Instant, run: RunId) -> bool {
        let Some(journal) = &mut self.journal else { return false };
        let Some(at) = journal.waiting.iter().position(|(waits, _)| *waits == run) else {
            return false;
        };
        if let Some((_, Due { credit, .. })) = journal.waiting.remove(at) {
            self.freed.give(credit);
        }
        let outcome = Outcome::Failed { retryable: true };
        let body = Bytes::from_static(b"it was stopped before it began");
        let done = RunnerInput::Done { run, outcome, len: super::len_of(&body) };
        self.runner.handle(convert::instant(now), done);
        self.bodies.keep(run, body, false);
        self.keep(run);
        true
    }

    /// Asks for a write, if there is a journal.
    fn write(&mut self, op: JournalOp) -> Option<JournalId> {
        let journal = self.journal.as_mut()?;
        journal.last = JournalId(journal.last.0.saturating_add(1));
        let id = journal.last;
        self.act(WorkerAction::Journal(JournalWrite { id, op }));
        Some(id)
    }
}
