//! Workers' journals: the real one in memory, on a disk that takes its time.
//!
//! Writes wait in order; a commit takes all that wait, lasts a while, and is then durable as a whole. What was
//! not committed when the process ended is lost.

use std::collections::{BTreeMap, BTreeSet};

use moorline_node::{
    DownFrame, JournalId, JournalOp, JournalWrite, KeptResult, ToWorker, WorkerInput, WorkerNode,
};
use moorline_store::{Journal as _, MemoryJournal};
use moorline_work::{Judgement, Outcome, RunId, TaskKey};

use super::{Event, World};
use crate::decide::{Decide, Site};
use crate::plan::Who;
use crate::trace::What;
use crate::{Rule, Sabotage};

/// The journal in memory never fails.
const NEVER: &str = "the journal in memory does not fail";

/// A worker's journal and what waits for it.
#[derive(Debug)]
pub(super) struct JournalDisk {
    journal: MemoryJournal,
    waiting: Vec<JournalWrite>,
    under_way: Vec<JournalWrite>,
    /// Commits so far.
    commits: u64,
    /// Attempts whose results the coordinator has answered.
    answered: BTreeSet<TaskKey>,
    /// Which process ended what.
    makers: BTreeMap<RunId, u64>,
    /// The same of what the present process had from earlier ones.
    restored: BTreeMap<TaskKey, u64>,
}

impl JournalDisk {
    fn kept(&mut self) -> Vec<KeptResult> {
        self.journal.kept().expect(NEVER)
    }

    /// Makes what is under way durable: the writes, those of them for which there was no room, and how many
    /// results are kept by it.
    fn commit(&mut self) -> (Vec<JournalWrite>, Vec<JournalId>, u64) {
        let batch = std::mem::take(&mut self.under_way);
        let full = self.journal.commit(&batch).expect(NEVER);
        let keeps = batch.iter().filter(|write| matches!(write.op, JournalOp::Keep(_))).count();
        let kept = (keeps - full.len()) as u64;
        (batch, full, kept)
    }

    /// The attempt under which a run is kept, or will be.
    fn key_of(&mut self, run: RunId) -> Option<TaskKey> {
        let mut key = self.kept().into_iter().find(|kept| kept.run == run).map(|kept| kept.key);
        for JournalWrite { id: _, op } in self.under_way.iter().chain(&self.waiting) {
            match op {
                JournalOp::Keep(kept) if kept.run == run => key = Some(kept.key),
                JournalOp::Renumber { run: of, attempt } if *of == run => {
                    key = key.map(|key| TaskKey { attempt: *attempt, ..key });
                }
                JournalOp::Keep(_) | JournalOp::Renumber { .. } | JournalOp::Forget { .. } => {}
            }
        }
        key
    }
}

impl World {
    /// A process begins: with what its journal has, if there is one.
    pub(super) fn with_journal(&mut self, index: usize, node: WorkerNode) -> WorkerNode {
        let (settings, conceals) =
            (&self.plan.settings, self.is_sabotaged(Sabotage::JournalConcealed));
        if settings.journal.is_none() {
            return node;
        }
        let (max, now) = (settings.journal_max, self.clock_of(index));
        let worker = &mut self.workers[index];
        let disk = worker.journal.get_or_insert_with(|| JournalDisk {
            journal: MemoryJournal::new(max),
            waiting: Vec::new(),
            under_way: Vec::new(),
            commits: 0,
            answered: BTreeSet::new(),
            makers: BTreeMap::new(),
            restored: BTreeMap::new(),
        });
        let kept = disk.kept();
        let maker = |kept: &KeptResult| Some((kept.key, *disk.makers.get(&kept.run)?));
        disk.restored = kept.iter().filter_map(maker).collect();
        for KeptResult { key, outcome, body, .. } in &kept {
            *worker.ended.entry(key.task).or_default() += 1;
            if *outcome == Outcome::Succeeded {
                worker.results.insert(key.task, body.clone());
            }
        }
        self.seen.restored += kept.len() as u64;
        node.with_journal(now, if conceals { Vec::new() } else { kept })
    }

    /// A worker wants this to be written.
    pub(super) fn journal(&mut self, index: usize, write: JournalWrite) {
        let incarnation = self.workers[index].incarnation;
        let Some(disk) = &mut self.workers[index].journal else { return };
        if let JournalOp::Forget { run } = write.op
            && let Some(key) = disk.key_of(run)
            && !disk.answered.contains(&key)
        {
            let words = format!("w{index} forgets what it made of {key:?}, which nobody answered");
            self.break_promise(Rule::KeptLost, words);
            return;
        }
        if let JournalOp::Keep(kept) = &write.op {
            disk.makers.insert(kept.run, incarnation);
        }
        disk.waiting.push(write);
        self.start_journal(index);
    }

    fn start_journal(&mut self, index: usize) {
        let Some(most) = self.plan.settings.journal else { return };
        let entity = self.workers[index].incarnation;
        let Some(disk) = &mut self.workers[index].journal else { return };
        if !disk.under_way.is_empty() || disk.waiting.is_empty() {
            return;
        }
        disk.under_way = std::mem::take(&mut disk.waiting);
        disk.commits += 1;
        let lasts = self.draws.draw(Site::Journal, entity, disk.commits, most);
        self.after(lasts, Event::Journaled { worker: index });
    }

    /// The commit that is under way is durable.
    pub(super) fn journaled(&mut self, index: usize) {
        let Some(disk) = &mut self.workers[index].journal else { return };
        let (batch, full, kept) = disk.commit();
        let Some(up_to) = batch.last().map(|write| write.id) else { return };
        self.seen.roomless += full.len() as u64;
        self.seen.kept += kept;
        let durable = What::Durable.by(Who::Worker(index)).value(up_to.0);
        self.note(durable, || format!("the journal of w{index} is written up to {up_to:?}"));
        if self.is_sabotaged(Sabotage::JournalForgets) {
            let early = batch.iter().find_map(|write| match &write.op {
                JournalOp::Keep(kept) => Some(JournalOp::Forget { run: kept.run }),
                JournalOp::Renumber { .. } | JournalOp::Forget { .. } => None,
            });
            if let Some(op) = early {
                self.journal(index, JournalWrite { id: up_to, op });
            }
        }
        self.start_journal(index);
        self.tell_worker(index, WorkerInput::Journaled { up_to, full });
    }

    /// The process is gone: what was under way may be durable all the same.
    pub(super) fn journal_is_left(&mut self, index: usize) {
        let entity = self.workers[index].incarnation;
        let Some(disk) = &mut self.workers[index].journal else { return };
        disk.waiting.clear();
        if self.draws.draw(Site::Journal, entity, u64::MAX, 2) == 1 {
            let (.., kept) = disk.commit();
            self.seen.kept += kept;
        }
        disk.under_way.clear();
    }

    /// Which process has made what a worker says of an attempt.
    pub(super) fn maker(&self, index: usize, key: TaskKey) -> u64 {
        let worker = &self.workers[index];
        let earlier = worker.journal.as_ref().and_then(|disk| disk.restored.get(&key));
        earlier.copied().unwrap_or(worker.incarnation)
    }

    /// What the coordinator says has become of results.
    pub(super) fn hears_answers(&mut self, index: usize, frames: &[DownFrame]) {
        let Some(disk) = &mut self.workers[index].journal else { return };
        for frame in frames {
            match frame {
                DownFrame::InventoryAnswer {
                    key,
                    judgement: Judgement::Drop { .. } | Judgement::Unknown,
                    ..
                } => drop(disk.answered.insert(*key)),
                DownFrame::Message(message) => match message.head {
                    ToWorker::Settled { key, .. } => drop(disk.answered.insert(key)),
                    ToWorker::Assign { .. } | ToWorker::Cancel { .. } | ToWorker::Revoke { .. } => {
                    }
                },
                DownFrame::InventoryAnswer {
                    judgement:
                        Judgement::Continue
                        | Judgement::Adopt { .. }
                        | Judgement::Cancel
                        | Judgement::Send,
                    ..
                }
                | DownFrame::Welcome { .. }
                | DownFrame::Refused { .. }
                | DownFrame::GoAway { .. }
                | DownFrame::Endpoints(_)
                | DownFrame::Redirect(_)
                | DownFrame::Active
                | DownFrame::Probe
                | DownFrame::BeatAnswer(_)
                | DownFrame::Ack(_)
                | DownFrame::Part(_) => {}
            }
        }
    }

    /// SAFE-3: where there is nothing to do, no journal of a worker that is there keeps anything.
    pub(super) fn unless_delivered(&mut self) {
        let indices: Vec<usize> = self.core().map(|(index, _)| index).collect();
        for index in indices {
            let worker = &mut self.workers[index];
            let is_there = worker.process.node.is_some();
            let Some(disk) = worker.journal.as_mut().filter(|_| is_there) else { continue };
            // What is to be forgotten is on its way.
            if let Some(kept) = disk.kept().first()
                && disk.under_way.is_empty()
                && disk.waiting.is_empty()
            {
                let words = format!(
                    "w{index} keeps what it made of {:?} and offers it to nobody",
                    kept.key
                );
                self.break_promise(Rule::KeptLost, words);
                return;
            }
        }
    }
}
