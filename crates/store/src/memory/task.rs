//! One task in memory, and the conditions under which it changes.

use bytes::Bytes;
use moorline_node::{Name, Requeue, Spec};
use moorline_work::{Attempt, End, Incarnation, Status, TaskId, TaskKey, TaskState, WorkerId};

use crate::rule::{self, PayloadDigest};
use crate::{TaskRecord, WallTime};

#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) id: TaskId,
    pub(super) spec: Spec,
    pub(super) payload: Bytes,
    pub(super) payload_digest: PayloadDigest,
    pub(super) state: TaskState,
    /// The last attempt given out.
    pub(super) attempt: Attempt,
    /// Of a task that has ended.
    pub(super) ended_by: Attempt,
    pub(super) retries: u32,
    pub(super) lost: u32,
    /// Who had the last attempt; kept over a return to the queue, because a late success may name it.
    pub(super) holder: Option<(WorkerId, Incarnation)>,
    /// By which epoch; 0 is nobody's.
    pub(super) claimed_by: u64,
    /// In milliseconds of the wall clock; 0 is ready.
    pub(super) not_before: u64,
    pub(super) cancel_requested: bool,
    pub(super) submitted_at: WallTime,
    pub(super) finished_at: Option<WallTime>,
    pub(super) error: Option<String>,
    pub(super) result: Option<Bytes>,
}

impl Task {
    /// Queued, and claimed by nobody.
    pub(super) fn new(id: TaskId, spec: &Spec, payload: &Bytes, now: WallTime) -> Self {
        Self {
            id,
            spec: spec.clone(),
            payload: payload.clone(),
            payload_digest: rule::digest(payload),
            state: TaskState::Queued,
            attempt: Attempt(0),
            ended_by: Attempt(0),
            retries: 0,
            lost: 0,
            holder: None,
            claimed_by: 0,
            not_before: 0,
            cancel_requested: false,
            submitted_at: now,
            finished_at: None,
            error: None,
            result: None,
        }
    }

    pub(super) fn is_same(&self, spec: &Spec, payload: &[u8]) -> bool {
        self.spec == *spec && self.payload_digest == rule::digest(payload)
    }

    pub(super) fn status(&self) -> Status {
        let attempt = if self.state.is_final() { self.ended_by } else { self.attempt };
        Status::Known { state: self.state, attempt }
    }

    fn is_leased_by(&self, attempt: Attempt) -> bool {
        self.state == TaskState::Leased && self.attempt == attempt
    }

    pub(super) fn may_lease(&self, attempt: Attempt) -> bool {
        self.state == TaskState::Queued && self.attempt.0.checked_add(1) == Some(attempt.0)
    }

    pub(super) fn may_adopt(&self, from: Attempt, attempt: Attempt) -> bool {
        !self.state.is_final() && self.attempt == from && attempt > from
    }

    pub(super) fn may_requeue(&self, attempt: Attempt) -> bool {
        self.is_leased_by(attempt)
    }

    pub(super) fn may_finish(&self, attempt: Attempt, end: End) -> bool {
        match end {
            End::Succeeded => {
                !self.state.is_final() && attempt >= Attempt(1) && attempt <= self.attempt
            }
            End::Failed | End::Dead => self.is_leased_by(attempt),
            End::Cancelled => {
                self.is_leased_by(attempt)
                    || (self.state == TaskState::Queued && attempt <= self.attempt)
            }
        }
    }

    pub(super) fn may_retry(&self, last: Attempt) -> bool {
        self.state.is_final() && self.state != TaskState::Succeeded && self.attempt == last
    }

    /// Length of its payload.
    pub(super) fn payload_bytes(&self) -> u32 {
        u32::try_from(self.payload.len()).unwrap_or(u32::MAX)
    }

    /// Bytes of its bodies.
    pub(super) fn bytes(&self) -> u64 {
        let result = self.result.as_ref().map_or(0, Bytes::len);
        self.payload.len() as u64 + result as u64
    }

    pub(super) fn lease(&mut self, attempt: Attempt, worker: WorkerId, incarnation: Incarnation) {
        self.state = TaskState::Leased;
        self.attempt = attempt;
        self.holder = Some((worker, incarnation));
        self.claimed_by = 0;
        self.not_before = 0;
    }

    pub(super) fn requeue(&mut self, now: WallTime, cause: Requeue, epoch: u64, error: &[u8]) {
        self.state = TaskState::Queued;
        self.claimed_by = epoch;
        match cause {
            Requeue::Returned => {}
            Requeue::Lost => self.lost = self.lost.saturating_add(1),
            Requeue::Retry { delay } => {
                self.retries = self.retries.saturating_add(1);
                self.not_before = rule::ready_at(now, delay);
                self.claimed_by = 0;
                self.error = None;
            }
        }
        if let Some(error) = rule::error_text(error) {
            self.error = Some(error);
        }
    }

    pub(super) fn finish(&mut self, now: WallTime, key: TaskKey, end: End, body: &Bytes) {
        if key.attempt != self.attempt {
            // Somebody else's attempt is the last one: who ended it is not known any more.
            self.holder = None;
        }
        self.end(now, rule::final_state(end), key.attempt);
        match end {
            End::Succeeded => {
                self.error = None;
                // A copy: the body is a part of the packet in which it came, all of which would be kept.
                self.result = Some(Bytes::copy_from_slice(body));
            }
            End::Failed => self.error = rule::error_text(body),
            End::Cancelled => self.error = rule::error_text(body).or(self.error.take()),
            End::Dead => {
                self.lost = self.lost.saturating_add(1);
                self.error = rule::error_text(body).or(self.error.take());
            }
        }
    }

    pub(super) fn cancel(&mut self, now: WallTime) {
        if self.state == TaskState::Queued {
            self.holder = None;
            self.end(now, TaskState::Cancelled, self.attempt);
            self.cancel_requested = true;
        } else if self.state == TaskState::Leased {
            self.cancel_requested = true;
        }
    }

    /// Only what says how it ended goes; the last error stays until it ends again.
    pub(super) fn retry(&mut self) {
        self.state = TaskState::Queued;
        self.ended_by = Attempt(0);
        self.finished_at = None;
        self.cancel_requested = false;
    }

    fn end(&mut self, now: WallTime, state: TaskState, ended_by: Attempt) {
        self.state = state;
        self.ended_by = ended_by;
        self.finished_at = Some(now);
        if state == TaskState::Succeeded {
            self.payload = Bytes::new();
        }
        self.claimed_by = 0;
        self.not_before = 0;
    }

    pub(super) fn record(
        &self,
        place: u64,
        name_of: impl FnOnce(WorkerId) -> Option<Name>,
        applied: u32,
    ) -> TaskRecord {
        let holder = self.holder.filter(|_| self.state != TaskState::Queued);
        let worker = holder.map(|(worker, _)| worker);
        TaskRecord {
            task: self.id,
            order: place,
            handler: self.spec.handler.clone(),
            state: self.state,
            priority: self.spec.priority,
            attempt: self.attempt,
            retries: self.retries,
            max_retries: self.spec.max_retries,
            lost: self.lost,
            worker,
            worker_name: worker.and_then(name_of),
            submitted_at: self.submitted_at,
            finished_at: self.finished_at,
            ready_at: (self.state == TaskState::Queued && self.not_before > 0)
                .then_some(WallTime(self.not_before)),
            error: self.error.clone(),
            cancel_requested: self.cancel_requested,
            result_len: self.result.as_ref().map(|result| result.len() as u64),
            applied,
        }
    }
}
