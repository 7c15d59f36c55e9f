//! What such a worker does with tasks.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::Lane;
use moorline_node::{Message, ToWorker};
use moorline_work::{Attempt, Disposition, Judgement, Outcome, Refusal, TaskKey, WorkerMessage};
use tokio::time::Instant;

use super::{Next, Phase, Work, Worker};
use crate::lane::{Whole, Wrong};

impl Worker {
    pub(super) fn judge(&mut self, key: TaskKey, judgement: Judgement) {
        match judgement {
            Judgement::Continue | Judgement::Send => {}
            Judgement::Adopt { attempt } => {
                let attempt = if self.breaks("an_adopted_attempt_goes_on_under_its_new_number") {
                    Attempt(1)
                } else {
                    attempt
                };
                if let Some(work) = self.work.remove(&key) {
                    self.work.insert(TaskKey { attempt, ..key }, work);
                }
            }
            Judgement::Cancel => self.cancel(key, Outcome::Cancelled),
            Judgement::Drop { disposition: Disposition::Stale }
                if self.breaks("a_judgement_of_the_inventory_is_followed") => {}
            Judgement::Drop { .. } | Judgement::Unknown => drop(self.work.remove(&key)),
        }
    }

    fn cancel(&mut self, key: TaskKey, outcome: Outcome) {
        let is_old = self.breaks("an_adopted_attempt_goes_on_under_its_new_number");
        let key = if is_old { TaskKey { attempt: Attempt(1), ..key } } else { key };
        if let Some(work @ Work::Runs { .. }) = self.work.get_mut(&key) {
            *work = Work::Ended { outcome, body: Bytes::new(), said: false };
        }
    }

    pub(super) fn message(
        &mut self,
        phase: &mut Phase,
        message: Message<ToWorker>,
    ) -> Option<Next> {
        let down = &mut self.down[message.head.lane().index()];
        let wrong = down.begin(&message);
        if wrong.is_some() {
            let goes_on = self.breaks("a_gap_in_a_lane_ends_the_connection");
            return (!goes_on).then(|| self.pause());
        }
        let whole = self.down[message.head.lane().index()].message(message);
        self.numbered(phase, whole)
    }

    pub(super) fn numbered(
        &mut self,
        phase: &mut Phase,
        whole: Result<Option<Whole<ToWorker>>, Wrong>,
    ) -> Option<Next> {
        let Ok(whole) = whole else { return Some(self.pause()) };
        let whole = whole?;
        let late = self.breaks("messages_are_acknowledged");
        let wait = if late { Duration::from_secs(8) } else { Duration::ZERO };
        phase.ack = phase.ack.or(Some(Instant::now() + wait));
        if whole.again && !self.breaks("what_comes_twice_is_dropped") {
            return None;
        }
        let is_assign = matches!(whole.head, ToWorker::Assign { .. });
        if is_assign && self.breaks("an_assignment_is_accepted_at_once") {
            let at = Instant::now() + Duration::from_secs(6);
            self.later.push((at, whole.head, whole.body));
        } else {
            self.process(whole.head, whole.body);
        }
        None
    }

    pub(super) fn process(&mut self, message: ToWorker, body: Bytes) {
        let answer = match message {
            ToWorker::Assign { key, handler, timeout } => {
                match self.assign(key, handler.as_str(), timeout, body) {
                    Some(answer) => answer,
                    None => return,
                }
            }
            ToWorker::Settled { key, .. } => {
                let keeps = self.breaks("what_is_settled_is_forgotten");
                let one =
                    |work: &Work| matches!(work, Work::Ended { body, .. } if body == "echo 1");
                if !(keeps && self.work.get(&key).is_some_and(one)) {
                    self.work.remove(&key);
                }
                return;
            }
            ToWorker::Cancel { key } => {
                let wrong = self.breaks("a_cancelled_attempt_stops");
                let outcome =
                    if wrong { Outcome::Failed { retryable: false } } else { Outcome::Cancelled };
                self.cancel(key, outcome);
                return;
            }
            ToWorker::Revoke { key } => {
                if self.work.contains_key(&key) && !self.breaks("a_revoke_is_answered") {
                    WorkerMessage::Held { key }
                } else {
                    self.revoked.insert(key);
                    WorkerMessage::NotHeld { key }
                }
            }
        };
        self.up[Lane::C.index()].say(answer, Bytes::new());
    }

    fn assign(
        &mut self,
        key: TaskKey,
        handler: &str,
        timeout: Option<Duration>,
        body: Bytes,
    ) -> Option<WorkerMessage> {
        let refuse = |refusal| Some(WorkerMessage::Refuse { key, refusal });
        if self.revoked.contains(&key) {
            return refuse(Refusal::Revoked);
        }
        match self.work.get(&key) {
            Some(Work::Runs { .. }) => {
                self.ghosts += u16::from(self.breaks("the_same_assignment_twice_runs_once"));
                return Some(WorkerMessage::Accept { key });
            }
            Some(Work::Ended { .. }) => return None,
            None => {}
        }
        if self.draining && !self.breaks("who_drains_takes_nothing_new") {
            return refuse(Refusal::Draining);
        }
        let known = ["echo", "sleep"].contains(&handler);
        if !known && !self.breaks("an_unknown_handler_is_refused") {
            return refuse(Refusal::UnknownHandler);
        }
        if self.free() == 0 && !self.breaks("no_more_is_taken_than_there_are_slots") {
            return refuse(Refusal::NoSlot);
        }
        let now = Instant::now();
        let seconds = std::str::from_utf8(&body).ok().and_then(|text| text.parse().ok());
        let ends = match (handler, seconds) {
            ("sleep", Some(seconds)) => now + Duration::from_secs(seconds),
            _ => now,
        };
        let limit = timeout.filter(|_| !self.breaks("an_attempt_ends_at_its_limit"));
        let empty = body.is_empty() && self.breaks("a_result_is_what_its_handler_made");
        let body = if empty { Bytes::from_static(b"?") } else { body };
        self.work.insert(key, Work::Runs { ends, limit: limit.map(|limit| now + limit), body });
        Some(WorkerMessage::Accept { key })
    }
}
