//! What workers say: accept, refuse, held, not held.

use super::Dispatcher;
use super::lease::Loss;
use super::task::Stage;
use super::worker::Note;
use crate::{
    CoordinatorMessage, DispatcherVerdict, Incarnation, Instant, Refusal, TaskKey, WorkerId,
    WorkerMessage,
};

impl Dispatcher {
    pub(super) fn on_message(
        &mut self,
        now: Instant,
        id: WorkerId,
        incarnation: Incarnation,
        message: WorkerMessage,
    ) -> DispatcherVerdict {
        let is_its =
            |worker: &super::Worker| worker.registration > 0 && worker.incarnation == incarnation;
        if !self.ready || !self.workers.get(&id).is_some_and(is_its) {
            return DispatcherVerdict::Stale;
        }
        match message {
            WorkerMessage::Accept { key } | WorkerMessage::Held { key } => {
                self.on_taken(now, id, incarnation, key)
            }
            WorkerMessage::NotHeld { key } => self.on_not_taken(id, incarnation, key),
            WorkerMessage::Refuse { key, refusal } => {
                let verdict = self.on_not_taken(id, incarnation, key);
                if verdict == DispatcherVerdict::Accepted {
                    self.heed(now, id, key, refusal);
                }
                verdict
            }
            WorkerMessage::Result { key, outcome } => {
                self.on_result(now, id, incarnation, key, outcome);
                DispatcherVerdict::Accepted
            }
        }
    }

    fn on_taken(
        &mut self,
        now: Instant,
        id: WorkerId,
        incarnation: Incarnation,
        key: TaskKey,
    ) -> DispatcherVerdict {
        match self.stage_if_current(id, incarnation, key) {
            Some(
                Stage::Sent
                | Stage::Withdrawing
                | Stage::Recalled
                | Stage::Offered { .. }
                | Stage::Revoking
                | Stage::Revoked,
            ) => {
                self.set_stage(key.task, Stage::Accepted);
                self.is_answered(now, key.task);
            }
            Some(Stage::Adopting | Stage::Accepted) => self.is_answered(now, key.task),
            Some(Stage::Granting | Stage::Assigning) => return DispatcherVerdict::Stale,
            None => {
                if !self.workers.get(&id).is_some_and(|worker| worker.fenced.contains(key)) {
                    return DispatcherVerdict::Stale;
                }
                // Now it can be told that nobody wants it any more.
                self.note(id, Note::Message(CoordinatorMessage::Cancel { key }));
            }
        }
        DispatcherVerdict::Accepted
    }

    /// The worker's own word that it does not have it: only then it goes elsewhere (P55).
    fn on_not_taken(
        &mut self,
        id: WorkerId,
        incarnation: Incarnation,
        key: TaskKey,
    ) -> DispatcherVerdict {
        match self.stage_if_current(id, incarnation, key) {
            Some(
                Stage::Sent
                | Stage::Withdrawing
                | Stage::Recalled
                | Stage::Offered { .. }
                | Stage::Revoking
                | Stage::Revoked
                | Stage::Adopting
                | Stage::Accepted,
            ) => self.end_lease(key.task, Loss::Returned),
            Some(Stage::Granting | Stage::Assigning) => return DispatcherVerdict::Stale,
            None => {
                let was_fenced =
                    self.workers.get_mut(&id).is_some_and(|worker| worker.fenced.remove(key));
                if !was_fenced {
                    return DispatcherVerdict::Stale;
                }
                self.touched_workers.insert(id);
            }
        }
        DispatcherVerdict::Accepted
    }

    /// Draws the consequence of a refusal, so that the same is not tried again at once (P07).
    fn heed(&mut self, now: Instant, id: WorkerId, handler_of: TaskKey, refusal: Refusal) {
        match refusal {
            Refusal::Draining | Refusal::NoSlot => self.mute(now, id),
            Refusal::UnknownHandler => {
                match self.tasks.get(&handler_of.task).map(|task| task.spec.handler) {
                    Some(handler) => self.withdraw_offer(id, handler),
                    None => self.mute(now, id),
                }
            }
            Refusal::Revoked => {}
        }
    }

    fn stage_if_current(
        &self,
        id: WorkerId,
        incarnation: Incarnation,
        key: TaskKey,
    ) -> Option<Stage> {
        let task = self.tasks.get(&key.task)?;
        if task.is_current(key.attempt, id, incarnation) { Some(task.lease()?.stage) } else { None }
    }
}
