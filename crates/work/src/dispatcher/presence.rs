//! Who is here: registration, offers, flags, detachment, departure, loss.

use alloc::vec::Vec;

use super::lease::Loss;
use super::task::{Stage, Task};
use super::window::Window;
use super::worker::{Inventory, Later, Note, OFFERS_MAX, Presence, Worker};
use super::{Dispatcher, DispatcherAction};
use crate::{DispatcherVerdict, Incarnation, Instant, Sym, TaskId, WorkerId};

impl Dispatcher {
    pub(super) fn on_registered(
        &mut self,
        id: WorkerId,
        incarnation: Incarnation,
        slots: u16,
        resumed: bool,
    ) -> DispatcherVerdict {
        self.departed.remove(&id);
        self.ensure_worker(id, incarnation);
        self.clear_offers(id);
        self.break_promises(id);
        self.unmute(id);
        let registration = self.next_registration();
        let Some(worker) = self.workers.get_mut(&id) else { return DispatcherVerdict::Stale };
        let same = worker.registration > 0 && worker.incarnation == incarnation;
        if !same {
            worker.draining = false;
            worker.paused = false;
            worker.fenced.clear();
        }
        let goes_on = resumed && same;
        worker.undecided |= !goes_on;
        worker.incarnation = incarnation;
        worker.registration = registration;
        worker.slots = slots;
        worker.believed = None;
        // Answers are for the inventory that asked; messages, for the session.
        worker.notes.retain(|note| goes_on && matches!(note, Note::Message(_)));
        // Its inventory names the results again, unless lanes have brought them for good.
        worker.later.retain(|later| goes_on && matches!(later, Later::Report(_)));
        let inventory = Inventory::new(!worker.undecided);
        self.set_presence(id, Presence::Restoring(inventory));
        self.stop_clocks(id);
        if self.ready {
            self.begin_inventory(id);
        }
        self.guard.held.remove(&id);
        self.release_held();
        DispatcherVerdict::Accepted
    }

    pub(super) fn on_expect(
        &mut self,
        id: WorkerId,
        incarnation: Incarnation,
    ) -> DispatcherVerdict {
        if self.departed.contains(&id) {
            return DispatcherVerdict::Stale;
        }
        self.ensure_worker(id, incarnation);
        DispatcherVerdict::Accepted
    }

    /// What is answered for the time before is void, also if the worker is forgotten in between.
    fn next_registration(&mut self) -> u64 {
        self.registrations = self.registrations.saturating_add(1);
        self.registrations
    }

    /// Makes sure that a worker is known; one that is new here is away since the start.
    pub(super) fn ensure_worker(&mut self, id: WorkerId, incarnation: Incarnation) {
        if self.workers.contains_key(&id) {
            return;
        }
        let settings = self.config.settings();
        let deadline = self.start + self.config.recovered_grace();
        let latest = deadline.max(self.start + settings.lost_after.saturating_mul(2));
        let presence = Presence::Away { deadline, latest, counted: true };
        self.guard.count(&presence);
        self.timers.lost.insert((deadline, id));
        self.workers.insert(id, Worker::recovered(incarnation, presence));
    }

    pub(super) fn on_offer(&mut self, id: WorkerId, handler: Sym) -> DispatcherVerdict {
        match self.workers.get(&id) {
            Some(worker) if !worker.is_away() && worker.offers.len() < OFFERS_MAX => {}
            Some(_) | None => return DispatcherVerdict::Stale,
        }
        self.unlist(id);
        if let Some(worker) = self.workers.get_mut(&id)
            && worker.offers.insert(handler)
        {
            let window = self.windows.entry(handler).or_insert_with(Window::new);
            window.offered = window.offered.saturating_add(1);
        }
        self.touched_workers.insert(id);
        DispatcherVerdict::Accepted
    }

    pub(super) fn on_active(&mut self, now: Instant, id: WorkerId) -> DispatcherVerdict {
        match self.workers.get_mut(&id).and_then(Worker::inventory_mut) {
            Some(inventory) if inventory.ended && inventory.waiting.is_empty() => {}
            Some(_) | None => return DispatcherVerdict::Stale,
        }
        self.set_presence(id, Presence::Active);
        for task in self.leases_of(id) {
            match self.stage_of(task) {
                // The lane delivers it now, if it has not before: so the clock starts here.
                Some(Stage::Offered { .. }) => self.offered(now, task, id),
                Some(
                    Stage::Granting
                    | Stage::Assigning
                    | Stage::Sent
                    | Stage::Withdrawing
                    | Stage::Recalled
                    | Stage::Revoking
                    | Stage::Revoked
                    | Stage::Adopting
                    | Stage::Accepted,
                )
                | None => self.refresh_lease(task),
            }
            self.expect_answer(now, task);
        }
        DispatcherVerdict::Accepted
    }

    pub(super) fn on_detached(
        &mut self,
        id: WorkerId,
        last_received: Instant,
    ) -> DispatcherVerdict {
        if self.workers.get(&id).is_none_or(Worker::is_away) {
            return DispatcherVerdict::Stale;
        }
        let registration = self.next_registration();
        let Some(worker) = self.workers.get_mut(&id) else { return DispatcherVerdict::Stale };
        worker.registration = registration;
        worker.notes.retain(|note| matches!(note, Note::Message(_)));
        let counted = !worker.draining;
        let settings = self.config.settings();
        let mut deadline = last_received + settings.lost_after;
        if worker.undecided {
            // It may hold what was recovered: that stands for the grace after the start (P59).
            deadline = deadline.max(self.start + self.config.recovered_grace());
        }
        let latest = deadline.max(last_received + settings.lost_after.saturating_mul(2));
        #[cfg(moorline_planted = "SAFE-9")]
        let latest = latest.min(last_received + settings.lost_after / 6);
        #[cfg(moorline_planted = "SAFE-9")]
        let deadline = deadline.min(latest);
        self.set_presence(id, Presence::Away { deadline, latest, counted });
        self.return_unsent(id);
        self.stop_clocks(id);
        for task in self.leases_of(id) {
            if self.stage_of(task) == Some(Stage::Sent) {
                self.set_stage(task, Stage::Withdrawing);
            }
            self.refresh_lease(task);
        }
        DispatcherVerdict::Accepted
    }

    pub(super) fn on_departed(&mut self, id: WorkerId) -> DispatcherVerdict {
        if !self.workers.contains_key(&id) {
            return DispatcherVerdict::Stale;
        }
        self.remove_worker(id, Loss::Returned);
        if !self.ready {
            self.departed.insert(id);
        }
        DispatcherVerdict::Accepted
    }

    pub(super) fn on_flags(
        &mut self,
        id: WorkerId,
        draining: bool,
        paused: bool,
    ) -> DispatcherVerdict {
        let Some(worker) = self.workers.get_mut(&id) else { return DispatcherVerdict::Stale };
        if worker.is_away() {
            return DispatcherVerdict::Stale;
        }
        worker.draining = draining;
        worker.paused = paused;
        self.unmute(id);
        if draining || paused {
            self.return_unsent(id);
        }
        self.touched_workers.insert(id);
        DispatcherVerdict::Accepted
    }

    /// Else what has not left would be leased to one worker after the other as they lose their
    /// connections, by operations of the store that lead nowhere.
    pub(super) fn on_stop(&mut self) -> DispatcherVerdict {
        self.stopping = true;
        let workers = self.workers.keys().copied();
        workers.for_each(|id| self.touched_workers.insert(id));
        DispatcherVerdict::Accepted
    }

    pub(super) fn loss_is_due(&mut self, now: Instant) {
        let Some((_, id)) = self.timers.lost.pop_first() else { return };
        let holds = self.guard.holds(self.config.settings());
        if let Some(worker) = self.workers.get_mut(&id)
            && let Presence::Away { deadline, latest, .. } = &mut worker.presence
            && holds
            && now < *latest
        {
            *deadline = *latest;
            self.timers.lost.insert((*latest, id));
            self.guard.held.insert(id);
            return;
        }
        self.lose(id);
    }

    /// Enough workers are back: those that are not are lost.
    fn release_held(&mut self) {
        if !self.guard.holds(self.config.settings()) {
            for id in core::mem::take(&mut self.guard.held) {
                self.lose(id);
            }
        }
    }

    fn lose(&mut self, id: WorkerId) {
        self.remove_worker(id, Loss::Lost);
        self.owed.push_back(DispatcherAction::Lost { worker: id });
    }

    pub(super) fn remove_worker(&mut self, id: WorkerId, loss: Loss) {
        self.break_promises(id);
        for task in self.leases_of(id) {
            self.end_lease(task, loss);
        }
        self.clear_offers(id);
        self.unmute(id);
        if let Some(worker) = self.workers.remove(&id) {
            self.due.forget_worker(id, &worker);
            self.guard.discount(&worker.presence);
            if let Presence::Away { deadline, .. } = worker.presence {
                self.timers.lost.remove(&(deadline, id));
            }
        }
        self.guard.held.remove(&id);
    }

    /// The only place where a presence changes: keeps the guard's counts and the loss deadline.
    fn set_presence(&mut self, id: WorkerId, presence: Presence) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        self.guard.count(&presence);
        if let Presence::Away { deadline, .. } = presence {
            self.timers.lost.insert((deadline, id));
        }
        let before = core::mem::replace(&mut worker.presence, presence);
        self.guard.discount(&before);
        if let Presence::Away { deadline, .. } = before {
            self.timers.lost.remove(&(deadline, id));
        }
        self.touched_workers.insert(id);
    }

    /// What has not left goes back to the queue.
    fn return_unsent(&mut self, id: WorkerId) {
        self.break_promises(id);
        for task in self.leases_of(id) {
            if self.stage_of(task).is_some_and(Stage::is_unsent) {
                self.end_lease(task, Loss::Returned);
            }
        }
    }

    /// The clocks of leases run while the session is active only.
    fn stop_clocks(&mut self, id: WorkerId) {
        for task in self.leases_of(id) {
            self.timers.answer.disarm(task);
            if let Some(Stage::Offered { .. }) = self.stage_of(task) {
                self.set_stage(task, Stage::Offered { deadline: None });
            }
            self.refresh_lease(task);
        }
    }

    pub(super) fn leases_of(&self, id: WorkerId) -> Vec<TaskId> {
        self.workers.get(&id).map_or(Vec::new(), |worker| worker.leases.iter().copied().collect())
    }

    pub(super) fn stage_of(&self, id: TaskId) -> Option<Stage> {
        Some(self.tasks.get(&id).and_then(Task::lease)?.stage)
    }

    /// The worker refused: it is left alone until something changes, so that nothing goes back and
    /// forth without delay (P07).
    pub(super) fn mute(&mut self, now: Instant, id: WorkerId) {
        self.unmute(id);
        if let Some(worker) = self.workers.get_mut(&id) {
            let until = now + self.config.settings().accept_timeout;
            worker.muted_until = Some(until);
            self.timers.retry.insert((until, id));
            self.touched_workers.insert(id);
        }
    }

    pub(super) fn unmute(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id)
            && let Some(until) = worker.muted_until.take()
        {
            self.timers.retry.remove(&(until, id));
            self.touched_workers.insert(id);
        }
    }

    pub(super) fn mute_ends(&mut self) {
        if let Some((_, id)) = self.timers.retry.pop_first()
            && let Some(worker) = self.workers.get_mut(&id)
        {
            worker.muted_until = None;
            self.touched_workers.insert(id);
        }
    }
}
