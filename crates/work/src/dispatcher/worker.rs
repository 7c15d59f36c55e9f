//! What the dispatcher knows of one worker.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::delivery::Backlog;
use super::fenced::Fenced;
use super::log::{Item, Report};
use crate::{
    Attempt, CoordinatorMessage, Holding, Incarnation, Instant, Judgement, OpId, Sym, TaskId,
    TaskKey,
};

/// Handlers of one worker at most: what a peer can make grow is bounded.
pub(super) const OFFERS_MAX: usize = 1_024;
/// Keys of one inventory that are judged; what exceeds it gets the answer that loses nothing.
pub(super) const ITEMS_MAX: u32 = 65_536;

/// A worker that registered in this life, or whose leases were recovered.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Worker {
    pub(super) incarnation: Incarnation,
    /// Which registration or detachment was its last: an answer is for one of them only. 0: never
    /// seen.
    pub(super) registration: u64,
    pub(super) presence: Presence,
    /// No inventory has been complete since its session began, or since the start: what it does not
    /// name returns, though the session goes on.
    pub(super) undecided: bool,
    pub(super) slots: u16,
    pub(super) offers: BTreeSet<Sym>,
    pub(super) draining: bool,
    pub(super) paused: bool,
    /// It refused: nothing new before this time, if nothing changes earlier.
    pub(super) muted_until: Option<Instant>,
    /// Tasks leased to it.
    pub(super) leases: BTreeSet<TaskId>,
    /// Those whose assignment has not left this machine: it cannot know of them.
    pub(super) unsent: u16,
    /// Submissions under way that lease their task to it, in order: each has a slot.
    pub(super) promised: VecDeque<OpId>,
    /// Those leased or promised that were not handed over to a connection: their payloads are in
    /// memory here.
    pub(super) undelivered: Backlog,
    /// Attempts it may run that are not wanted any more: they use a slot until it says otherwise.
    pub(super) fenced: Fenced,
    /// The free slots that were last told.
    pub(super) believed: Option<u16>,
    /// The free slots under which its handlers' windows list it; `None`: they do not.
    pub(super) listed: Option<u16>,
    /// It is in the list of what is due.
    pub(super) due: bool,
    /// What is owed to it.
    pub(super) notes: VecDeque<Note>,
    /// What it asked about tasks that memory does not know, while the store is far behind: at most what
    /// its credit and its inventory hold.
    pub(super) later: VecDeque<Later>,
}

/// A question that waits until the store has caught up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Later {
    Item(Item),
    Report(Report),
}

/// What is owed to a worker and stays true whatever happens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Note {
    Message(CoordinatorMessage),
    Answer { key: TaskKey, judgement: Judgement },
}

/// Where a worker is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Presence {
    /// Without a connection, or not seen since the start.
    Away {
        /// When its leases are given away, unless the guard holds.
        deadline: Instant,
        /// When they are given away even if it does.
        latest: Instant,
        /// The guard counts it; it does not count a worker that was draining.
        counted: bool,
    },
    /// Registered; its inventory is judged.
    Restoring(Inventory),
    /// Work may flow.
    Active,
}

/// A worker's account of what it holds, as far as it came.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Inventory {
    /// Its session goes on: what is not named is left alone.
    pub(super) resumed: bool,
    /// Keys so far.
    pub(super) items: u32,
    /// Keys that wait until the leases are read.
    pub(super) waiting: Vec<(TaskKey, Holding)>,
    /// Leases of it that it has to name, else they return.
    pub(super) unnamed: BTreeSet<TaskId>,
    /// Attempts that run, as it says.
    pub(super) running: BTreeSet<TaskKey>,
    /// It is complete.
    pub(super) ended: bool,
}

impl Inventory {
    pub(super) fn new(resumed: bool) -> Self {
        Self {
            resumed,
            items: 0,
            waiting: Vec::new(),
            unnamed: BTreeSet::new(),
            running: BTreeSet::new(),
            ended: false,
        }
    }
}

impl Worker {
    /// A worker of which only a lease is known.
    pub(super) fn recovered(incarnation: Incarnation, presence: Presence) -> Self {
        Self {
            incarnation,
            registration: 0,
            presence,
            undecided: true,
            slots: 0,
            offers: BTreeSet::new(),
            draining: false,
            paused: false,
            muted_until: None,
            leases: BTreeSet::new(),
            unsent: 0,
            promised: VecDeque::new(),
            undelivered: Backlog::default(),
            fenced: Fenced::default(),
            believed: None,
            listed: None,
            due: false,
            notes: VecDeque::new(),
            later: VecDeque::new(),
        }
    }

    /// Free slots: a lease counts from its operation on.
    pub(super) fn free(&self) -> u16 {
        let used = self.used().saturating_add(self.promised.len());
        self.slots.saturating_sub(u16::try_from(used).unwrap_or(u16::MAX))
    }

    /// Free slots as the worker sees them when its lanes are empty: what the store is still asked
    /// for takes no slot there.
    pub(super) fn free_there(&self) -> u16 {
        let used = self.used().saturating_sub(usize::from(self.unsent));
        self.slots.saturating_sub(u16::try_from(used).unwrap_or(u16::MAX))
    }

    /// Slots of tasks that are there, as far as memory knows.
    fn used(&self) -> usize {
        self.leases.len().saturating_add(self.fenced.len())
    }

    pub(super) fn is_active(&self) -> bool {
        match self.presence {
            Presence::Active => true,
            Presence::Away { .. } | Presence::Restoring(_) => false,
        }
    }

    pub(super) fn is_away(&self) -> bool {
        match self.presence {
            Presence::Away { .. } => true,
            Presence::Active | Presence::Restoring(_) => false,
        }
    }

    /// Whether something new may be leased to it, a free slot provided.
    pub(super) fn is_open(&self) -> bool {
        let stays = !self.draining || cfg!(moorline_planted = "SAFE-8");
        self.is_active() && stays && !self.paused && self.muted_until.is_none()
    }

    /// Whether it runs an accepted attempt that it may know by another number: while its session is
    /// not active, only if its inventory has named it; else the inventory is yet to come.
    pub(super) fn runs(&self, key: TaskKey, alias: Option<Attempt>) -> bool {
        match &self.presence {
            Presence::Active => true,
            Presence::Away { .. } => false,
            Presence::Restoring(inventory) => {
                let alias = alias.map(|attempt| TaskKey { task: key.task, attempt });
                inventory.running.contains(&key)
                    || alias.is_some_and(|alias| inventory.running.contains(&alias))
            }
        }
    }

    /// The inventory that is being judged.
    pub(super) fn inventory_mut(&mut self) -> Option<&mut Inventory> {
        match &mut self.presence {
            Presence::Restoring(inventory) => Some(inventory),
            Presence::Away { .. } | Presence::Active => None,
        }
    }

    /// Whether something is owed to it.
    pub(super) fn is_owed(&self) -> bool {
        !self.notes.is_empty()
            || (self.registration > 0 && self.believed != Some(self.free_there()))
    }
}
