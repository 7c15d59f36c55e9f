//! Who gets which task, and when the store is asked for more.
//!
//! Between inputs no window has both a task and a worker that could take it: so after an input only
//! what it touched is looked at.

use alloc::collections::BinaryHeap;
use core::cmp::Reverse;

use super::Dispatcher;
use super::log::Cause;
use super::task::{Lease, Place, Rank, Stage};
use crate::{Op, Sym, TaskId, WorkerId};

impl Dispatcher {
    /// Brings the lists up to date with what an input touched, then gives out and claims.
    pub(super) fn settle(&mut self) {
        while let Some(worker) = self.touched_workers.pop() {
            self.relist(worker);
        }
        // Most inputs touch none.
        if self.touched_handlers.is_empty() {
            return;
        }
        if !self.ready || self.stopping {
            self.touched_handlers.clear();
            return;
        }
        let handlers = self.touched_handlers.take();
        // Before giving out, while there are free slots: so the next tasks are on their way when
        // the last free slot is taken.
        handlers.iter().for_each(|handler| self.claim(*handler));
        self.give_out(&handlers);
        for handler in &handlers {
            self.claim(*handler);
            self.drop_if_idle(*handler);
        }
        // Giving out only takes slots, which touches nobody else.
        self.touched_handlers.reuse(handlers);
    }

    /// Of all the best tasks of these handlers the best first, each to the worker with most free
    /// slots, ties by its id.
    fn give_out(&mut self, handlers: &[Sym]) {
        let best = handlers.iter().filter_map(|handler| self.next_match(*handler));
        let mut best: BinaryHeap<Reverse<(Rank, Sym)>> = best.map(Reverse).collect();
        while let Some(Reverse((rank, handler))) = best.pop() {
            let window = self.windows.get_mut(&handler);
            // One that takes the tasks of several handlers may have no slot left.
            if let Some(window) = window
                && let Some((_, worker)) = window.workers.first().copied()
            {
                window.ready.pop_first();
                self.grant(rank.task, worker);
                best.extend(self.next_match(handler).map(Reverse));
            }
        }
    }

    /// The best task of a handler, if a worker could take it.
    fn next_match(&self, handler: Sym) -> Option<(Rank, Sym)> {
        let window = self.windows.get(&handler)?;
        window.workers.first()?;
        Some((*window.ready.first()?, handler))
    }

    /// Leases a task that has left its window.
    fn grant(&mut self, id: TaskId, to: WorkerId) {
        let (Some(task), Some(worker)) = (self.tasks.get_mut(&id), self.workers.get(&to)) else {
            return;
        };
        let incarnation = worker.incarnation;
        task.attempt = task.attempt.next();
        let op = Op::Lease { key: task.key(id), worker: to, incarnation };
        task.basis = self.log.push(op, Cause::Own);
        let lease = Lease::new(to, incarnation, task.attempt, Stage::Granting);
        task.place = Place::Leased(lease);
        let bytes = task.spec.bytes;
        // Nothing is to be said of it yet.
        self.is_given(to, id, lease.stage, bytes);
        self.relist(to);
    }

    /// Asks the store for tasks of a handler if somebody could run them.
    fn claim(&mut self, handler: Sym) {
        let size = self.config.window();
        let Some(window) = self.windows.get_mut(&handler) else { return };
        if let Some(limit) = window.wants(size) {
            window.claiming = true;
            window.more = false;
            window.overtaken = false;
            self.persist(Op::Claim { handler, limit }, Cause::Own);
        }
    }

    fn drop_if_idle(&mut self, handler: Sym) {
        if let Some(window) = self.windows.get(&handler)
            && window.is_idle()
        {
            if let Some(at) = window.ready_at {
                self.timers.ready.remove(&(at, handler));
            }
            self.windows.remove(&handler);
        }
    }

    /// Lists a worker in the windows of its handlers by its free slots, or not at all.
    pub(super) fn relist(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        self.due.refresh_worker(id, worker);
        let free = worker.free();
        let settings = self.config.settings();
        let open = self.ready
            && !self.stopping
            && worker.is_open()
            && free > 0
            && self.undelivered.has_room(settings, worker);
        let listed = open.then_some(free);
        let before = core::mem::replace(&mut worker.listed, listed);
        if before == listed {
            return;
        }
        for handler in &worker.offers {
            let Some(window) = self.windows.get_mut(handler) else { continue };
            if let Some(free) = listed {
                window.workers.insert((Reverse(free), id));
            }
            if let Some(before) = before {
                window.workers.remove(&(Reverse(before), id));
            }
            if listed > before {
                self.touched_handlers.insert(*handler);
            }
        }
    }

    /// Takes a worker off all lists, before its handlers change or it goes.
    pub(super) fn unlist(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if let Some(before) = worker.listed.take() {
            for handler in &worker.offers {
                if let Some(window) = self.windows.get_mut(handler) {
                    window.workers.remove(&(Reverse(before), id));
                }
            }
        }
    }

    /// The handlers of a worker are void.
    pub(super) fn clear_offers(&mut self, id: WorkerId) {
        self.unlist(id);
        let Some(worker) = self.workers.get_mut(&id) else { return };
        for handler in core::mem::take(&mut worker.offers) {
            if let Some(window) = self.windows.get_mut(&handler) {
                window.offered = window.offered.saturating_sub(1);
                self.touched_handlers.insert(handler);
            }
        }
    }

    /// A worker has not this handler after all.
    pub(super) fn withdraw_offer(&mut self, id: WorkerId, handler: Sym) {
        self.unlist(id);
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if worker.offers.remove(&handler)
            && let Some(window) = self.windows.get_mut(&handler)
        {
            window.offered = window.offered.saturating_sub(1);
            self.touched_handlers.insert(handler);
        }
        self.touched_workers.insert(id);
    }

    pub(super) fn retry_is_ready(&mut self) {
        if let Some((_, handler)) = self.timers.ready.pop_first()
            && let Some(window) = self.windows.get_mut(&handler)
        {
            window.ready_at = None;
            window.more = !cfg!(moorline_planted = "LIVE-7");
            window.overtaken = window.more;
            self.touched_handlers.insert(handler);
        }
    }
}
