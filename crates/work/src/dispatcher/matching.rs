//! Who gets which task, and when the store is asked for more.
//!
//! Between inputs no window has both a task and a worker that could take it: so after an input only
//! what it touched is looked at.

use alloc::collections::BTreeSet;
use core::cmp::Reverse;

use super::Dispatcher;
use super::log::Cause;
use super::task::{CancelWish, Lease, Rank, Stage, Task};
use crate::{Op, Sym, TaskId, WorkerId};

impl Dispatcher {
    /// Brings the lists up to date with what an input touched, then gives out and claims.
    pub(super) fn settle(&mut self) {
        while let Some(worker) = self.touched_workers.pop_first() {
            self.relist(worker);
        }
        // Most inputs touch none.
        if !self.ready || self.touched_handlers.is_empty() {
            self.touched_handlers.clear();
            return;
        }
        let handlers = core::mem::take(&mut self.touched_handlers);
        // Before giving out, while there are free slots: so the next tasks are on their way when
        // the last free slot is taken.
        handlers.iter().for_each(|handler| self.claim(*handler));
        self.give_out(&handlers);
        handlers.iter().for_each(|handler| self.claim(*handler));
        for handler in handlers {
            self.drop_if_idle(handler);
        }
        // Giving out only takes slots, which touches nobody else.
        self.touched_handlers.clear();
    }

    /// Of all the best tasks of these handlers the best first, each to the worker with most free
    /// slots, ties by its id.
    fn give_out(&mut self, handlers: &BTreeSet<Sym>) {
        let mut best: BTreeSet<(Rank, Sym)> =
            handlers.iter().filter_map(|handler| self.next_match(*handler)).collect();
        while let Some((rank, handler)) = best.pop_first() {
            let worker = self.windows.get(&handler).and_then(|window| window.workers.first());
            let Some((_, worker)) = worker.copied() else { continue };
            self.grant(rank.task, worker);
            best.extend(self.next_match(handler));
        }
    }

    /// The best task of a handler, if a worker could take it.
    fn next_match(&self, handler: Sym) -> Option<(Rank, Sym)> {
        let window = self.windows.get(&handler)?;
        window.workers.first()?;
        Some((*window.ready.first()?, handler))
    }

    fn grant(&mut self, id: TaskId, to: WorkerId) {
        let (Some(task), Some(worker)) = (self.tasks.get(&id), self.workers.get(&to)) else {
            return;
        };
        let (task, incarnation) = (*task, worker.incarnation);
        let attempt = task.attempt.next();
        let key = crate::TaskKey { task: id, attempt };
        let basis = self.persist(Op::Lease { key, worker: to, incarnation }, Cause::Own);
        let lease = Lease {
            worker: to,
            incarnation,
            stage: Stage::Granting,
            cancel: CancelWish::None,
            progress: 0,
            origin: attempt,
            alias: None,
            ended: false,
        };
        self.place_lease(id, Task { attempt, basis, ..task }, lease);
        self.touched_workers.remove(&to);
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
        self.refresh_worker(id);
        let Some(worker) = self.workers.get(&id) else { return };
        let free = worker.free();
        let open = self.ready && worker.is_open() && free > 0 && self.has_room(worker);
        let listed = open.then_some(free);
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let before = core::mem::replace(&mut worker.listed, listed);
        if before == listed {
            return;
        }
        for handler in &worker.offers {
            let Some(window) = self.windows.get_mut(handler) else { continue };
            if let Some(before) = before {
                window.workers.remove(&(Reverse(before), id));
            }
            if let Some(free) = listed {
                window.workers.insert((Reverse(free), id));
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
            window.more = true;
            window.overtaken = true;
            self.touched_handlers.insert(handler);
        }
    }
}
