//! Results on their way to the journal, and starts that wait for them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};

use bytes::Bytes;
use moorline_link::Instant;
use moorline_work::{Outcome, RunId, RunnerInput, TaskKey};

use super::{Due, WorkerAction, WorkerNode, WorkerVerdict};
use crate::frame::convert;
use crate::{JournalId, JournalOp, JournalWrite, KeptResult};

/// What of a worker is on its disk, as far as it is of interest.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Journal {
    /// The last write that was asked for.
    last: JournalId,
    /// Writes that are not answered.
    asked: BTreeMap<JournalId, Asked>,
    /// Finished runs that are neither kept nor answered: each uses the slot of its handler.
    unkept: BTreeSet<RunId>,
    /// Those of them for which there was no room.
    roomless: BTreeSet<RunId>,
    /// Finished runs that are kept and not answered.
    kept: BTreeSet<RunId>,
    /// Starts that wait for a slot, in order.
    waiting: VecDeque<(RunId, Due)>,
}

/// What a write that is not answered comes to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Asked {
    Keep(RunId),
    Renumber,
    /// It makes room.
    Forget,
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
        let Self { last, asked, unkept, roomless, kept, waiting } = self;
        asked.len().hash(state);
        asked.iter().for_each(|(id, asked)| (last.0 - id.0, asked).hash(state));
        (unkept, roomless, kept, waiting).hash(state);
    }
}

impl WorkerNode {
    /// A handler ended: what it came to is to be kept.
    pub(super) fn keep(&mut self, run: RunId) {
        let Some(journal) = &mut self.journal else { return };
        // Of a run that nobody wants any more there is no result.
        if self.runner.finished(run).is_some() {
            journal.unkept.insert(run);
            self.ask_to_keep(run);
        }
    }

    fn ask_to_keep(&mut self, run: RunId) {
        if let Some((key, outcome)) = self.runner.finished(run) {
            let body = self.bodies.result(run);
            let kept = KeptResult { run, key, outcome, body };
            self.write(JournalOp::Keep(kept), Asked::Keep(run));
        }
    }

    /// The attempt that was adopted may be that of a result.
    pub(super) fn renumber(&mut self, key: TaskKey) {
        if let Some(run) = self.runner.run_of(key)
            && self.runner.finished(run).is_some()
        {
            self.write(JournalOp::Renumber { run, attempt: key.attempt }, Asked::Renumber);
        }
    }

    /// A run is settled: what the journal has of it may go.
    pub(super) fn answered(&mut self, run: RunId) {
        let Some(journal) = &mut self.journal else { return };
        let is_written = if journal.unkept.remove(&run) {
            !journal.roomless.remove(&run)
        } else {
            journal.kept.remove(&run)
        };
        if is_written {
            self.write(JournalOp::Forget { run }, Asked::Forget);
        }
    }

    pub(super) fn journaled(&mut self, up_to: JournalId, full: &[JournalId]) -> WorkerVerdict {
        let Some(journal) = &mut self.journal else { return WorkerVerdict::Stale };
        let later = journal.asked.split_off(&JournalId(up_to.0.saturating_add(1)));
        let done = std::mem::replace(&mut journal.asked, later);
        if done.is_empty() {
            return WorkerVerdict::Stale;
        }
        let mut makes_room = false;
        for (id, asked) in done {
            match asked {
                // It was answered meanwhile: what makes it forgotten is on its way.
                Asked::Keep(run) if !journal.unkept.contains(&run) => {}
                Asked::Keep(run) if full.contains(&id) => drop(journal.roomless.insert(run)),
                Asked::Keep(run) => {
                    journal.unkept.remove(&run);
                    journal.kept.insert(run);
                }
                Asked::Renumber => {}
                Asked::Forget => makes_room = true,
            }
        }
        if makes_room {
            for run in std::mem::take(&mut journal.roomless) {
                self.ask_to_keep(run);
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

    fn write(&mut self, op: JournalOp, asked: Asked) {
        let Some(journal) = &mut self.journal else { return };
        journal.last = JournalId(journal.last.0.saturating_add(1));
        let id = journal.last;
        journal.asked.insert(id, asked);
        self.act(WorkerAction::Journal(JournalWrite { id, op }));
    }
}
