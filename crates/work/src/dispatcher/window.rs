//! The queued tasks of one handler that are in memory, and who could run them.

use alloc::collections::BTreeSet;
use core::cmp::Reverse;

use super::task::Rank;
use crate::{Instant, OpId, WorkerId};

/// Tasks claimed from the store for one handler: so tasks nobody can run never hide others.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Window {
    /// The tasks, best first.
    pub(super) ready: BTreeSet<Rank>,
    /// Workers that may take one now, those with most free slots first.
    pub(super) workers: BTreeSet<(Reverse<u16>, WorkerId)>,
    /// Registered workers that have the handler, with free slots or without.
    pub(super) offered: usize,
    /// The store may have ready tasks that are not claimed.
    pub(super) more: bool,
    /// One of them may go before the worst of these: so it is not left there until these are few.
    pub(super) overtaken: bool,
    /// The highest priority that was handed in while a claim was under way, and left to the store.
    pub(super) passed: Option<i16>,
    /// The last submission of a task that is to be queued here: until it is durable nothing that was
    /// handed in later goes before it.
    pub(super) arriving: Option<OpId>,
    /// A claim is under way.
    pub(super) claiming: bool,
    /// When a task that waits for its retry becomes ready.
    pub(super) ready_at: Option<Instant>,
}

impl Window {
    /// A window of which nothing is known: so the store may have something.
    pub(super) fn new() -> Self {
        Self {
            ready: BTreeSet::new(),
            workers: BTreeSet::new(),
            offered: 0,
            more: true,
            overtaken: false,
            passed: None,
            arriving: None,
            claiming: false,
            ready_at: None,
        }
    }

    /// Whether a new task of this priority belongs here, so that nothing in the store goes before it.
    pub(super) fn takes(&self, priority: i16, size: usize) -> bool {
        if self.offered == 0 {
            return false;
        }
        let complete = !self.more && !self.claiming;
        (complete && self.ready.len() < size) || self.is_worse_than(priority)
    }

    /// Whether no task is ready, neither here nor in the store.
    pub(super) fn is_bare(&self) -> bool {
        self.ready.is_empty() && !self.more && !self.claiming
    }

    /// A new task of this priority does not: the store keeps it.
    pub(super) fn pass(&mut self, priority: i16) {
        self.more = true;
        if self.claiming {
            self.passed = self.passed.max(Some(priority));
        }
    }

    /// A claim is over.
    pub(super) fn claimed(&mut self) {
        self.claiming = false;
        let passed = self.passed.take();
        self.overtaken |= passed.is_some_and(|priority| self.is_worse_than(priority));
        self.overtaken &= self.more;
    }

    pub(super) fn is_worse_than(&self, priority: i16) -> bool {
        self.ready.last().is_some_and(|worst| worst.is_behind(priority))
    }

    /// How many tasks to claim now, if any.
    pub(super) fn wants(&self, size: usize) -> Option<u32> {
        let is_low = self.ready.len() <= size / 4 || self.overtaken;
        if self.claiming || !self.more || !is_low || self.workers.is_empty() {
            return None;
        }
        let room = size.saturating_sub(self.ready.len()).max(1);
        Some(u32::try_from(room).unwrap_or(u32::MAX))
    }

    /// Nothing is lost if it is forgotten: a new window asks the store again.
    pub(super) fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.offered == 0 && !self.claiming
    }
}
