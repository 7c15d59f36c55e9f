//! What every store computes in the same way: digests, epochs, readiness, retention.

use std::time::Duration;

use moorline_link::Epoch;
use moorline_node::{Done, Persist, StoreOp, StorePlacement};
use moorline_work::{Attempt, End, TaskKey, TaskState};
use sha2::{Digest, Sha256};

use crate::{Pruned, Retention, WallTime};

/// At most so many tasks are deleted by one call of [`Store::prune`](crate::Store::prune).
pub(crate) const PRUNE_TASKS: usize = 1_000;

/// No further task is deleted by one call once the results and payloads deleted reach so many bytes.
pub(crate) const PRUNE_BYTES: u64 = 16 << 20;

/// At most so many events are deleted by one call.
pub(crate) const PRUNE_EVENTS: u64 = 8_192;
/// At most so many workers are forgotten by one call.
pub(crate) const PRUNE_WORKERS: usize = 256;

/// Stands for the payload of a task that has ended, so that submitting it again is still recognised.
pub(crate) type PayloadDigest = [u8; 32];

/// The digest of a payload.
pub(crate) fn digest(payload: &[u8]) -> PayloadDigest {
    Sha256::digest(payload).into()
}

/// The epoch after `last`: the wall clock in nanoseconds, or one more than `last` where the clock
/// went back.
///
/// A plain counter would start at 1 again with a store that was deleted or restored from a backup,
/// and a worker's session of the earlier life would be taken for one of this life.
pub(crate) fn next_epoch(last: Epoch, now: WallTime) -> Epoch {
    let clock = now.0.saturating_mul(1_000_000).min(i64::MAX.unsigned_abs() / 2);
    let next = last.0.saturating_add(u64::from(!cfg!(moorline_planted = "SAFE-7")));
    let clock = if last.0 > 0 && cfg!(moorline_planted = "SAFE-7") { 0 } else { clock };
    Epoch(clock.max(next))
}

/// How long a task had waited since its submission that is given out now; nothing is said of any attempt
/// but the first, before which it was not in the queue all the time.
pub(crate) fn waited(key: TaskKey, submitted: WallTime, now: WallTime) -> Option<Duration> {
    let is_first = key.attempt == Attempt(1);
    is_first.then(|| Duration::from_millis(now.0.saturating_sub(submitted.0)))
}

/// A delay in whole milliseconds, rounded up: a task is never ready before its delay has passed.
pub(crate) fn delay_millis(delay: Duration) -> u64 {
    u64::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// When a task that waits from now on becomes ready; never beyond what a signed column holds.
pub(crate) fn ready_at(now: WallTime, delay: Duration) -> u64 {
    now.0.saturating_add(delay_millis(delay)).min(i64::MAX.unsigned_abs())
}

/// By how many milliseconds the clock of a new life is behind what the life before wrote down last. What
/// waited then is to wait that much less by the new clock: else it would wait as much longer as the clock
/// was set back.
pub(crate) const fn set_back(written: WallTime, now: WallTime) -> u64 {
    written.0.saturating_sub(now.0)
}

/// When a task becomes ready by a clock that was set back by so much: 0 would be one that does not wait.
pub(crate) const fn ready_earlier(not_before: u64, set_back: u64) -> u64 {
    let earlier = not_before.saturating_sub(set_back);
    if earlier == 0 { 1 } else { earlier }
}

/// The state in which a task ends.
pub(crate) const fn final_state(end: End) -> TaskState {
    match end {
        End::Succeeded => TaskState::Succeeded,
        End::Failed => TaskState::Failed,
        End::Cancelled => TaskState::Cancelled,
        End::Dead => TaskState::Dead,
    }
}

/// A body that is an error in words, if it says anything.
pub(crate) fn error_text(body: &[u8]) -> Option<String> {
    (!body.is_empty()).then(|| String::from_utf8_lossy(body).into_owned())
}

/// How much is to be pruned before as much goes as came, whatever the rate: each task that ends and each
/// event owes the deletion of two, and each call of [`Store::prune`](crate::Store::prune) pays as much as
/// one may delete. So what is beyond the retention shrinks while pruning is called whenever it is due.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Owed {
    tasks: u64,
    bytes: u64,
    events: u64,
}

impl Owed {
    /// This was committed and answered so.
    pub(crate) fn add(&mut self, batch: &[Persist], answers: &[Done]) {
        for (Persist { op, .. }, done) in batch.iter().zip(answers) {
            if done.conflict.is_some() {
                continue;
            }
            // An operation writes one event at most, unless it says more here.
            self.events += 2;
            match op {
                StoreOp::Submit { payload, placement, .. } => {
                    self.bytes += 2 * payload.len() as u64;
                    self.events += match placement {
                        StorePlacement::Unclaimed | StorePlacement::Claimed { .. } => 0,
                        StorePlacement::Leased { .. } => 2,
                    };
                }
                StoreOp::Finish { body, .. } => {
                    self.tasks += 2;
                    self.bytes += 2 * body.len() as u64;
                }
                StoreOp::Cancel { .. } => self.tasks += 2,
                StoreOp::Claim { .. }
                | StoreOp::Unclaim { .. }
                | StoreOp::Leases
                | StoreOp::Lookup { .. }
                | StoreOp::Lease { .. }
                | StoreOp::Adopt { .. }
                | StoreOp::Requeue { .. }
                | StoreOp::Retry { .. }
                | StoreOp::Worker(_)
                | StoreOp::Forget { .. }
                | StoreOp::Workers
                | StoreOp::Event { .. } => {}
            }
        }
    }

    /// As much as one call deletes.
    pub(crate) fn is_due(&self) -> bool {
        self.tasks >= PRUNE_TASKS as u64 || self.bytes >= PRUNE_BYTES || self.events >= PRUNE_EVENTS
    }

    /// Something was pruned. Where it was nothing all is paid: nothing is beyond the retention.
    pub(crate) fn pay(&mut self, pruned: &Pruned) {
        let rest =
            |owed: u64, paid: u64, gone: u64| if gone == 0 { 0 } else { owed - owed.min(paid) };
        self.tasks = rest(self.tasks, PRUNE_TASKS as u64, pruned.tasks);
        self.bytes = rest(self.bytes, PRUNE_BYTES, pruned.tasks);
        self.events = rest(self.events, PRUNE_EVENTS, pruned.events);
    }

    /// Pruning failed: it is not tried again at once.
    pub(crate) fn defer(&mut self) {
        *self = Self::default();
    }
}

/// A finished task that may be pruned.
pub(crate) struct Finished {
    /// Its place in the order of submission.
    pub(crate) place: u64,
    /// When it ended.
    pub(crate) at: u64,
    /// Size of its result and its payload in bytes.
    pub(crate) bytes: u64,
}

/// Which of the finished tasks go now: `oldest` come oldest first, `finished` is how many there are.
pub(crate) fn prunable<E>(
    now: WallTime,
    retention: &Retention,
    finished: u64,
    oldest: impl IntoIterator<Item = Result<Finished, E>>,
) -> Result<Vec<u64>, E> {
    let mut excess = finished.saturating_sub(retention.count);
    let mut bytes = 0_u64;
    let mut places = Vec::new();
    for task in oldest.into_iter().take(PRUNE_TASKS) {
        let task = task?;
        let too_old = task.at.saturating_add(retention.age_millis) < now.0;
        if (excess == 0 && !too_old) || bytes >= PRUNE_BYTES {
            break;
        }
        excess = excess.saturating_sub(1);
        bytes = bytes.saturating_add(task.bytes);
        places.push(task.place);
    }
    Ok(places)
}

/// How many of the events `first..=last` go now, the oldest first; `ages` are their times, in order.
pub(crate) fn prunable_events<E>(
    now: WallTime,
    retention: &Retention,
    first: u64,
    last: u64,
    ages: impl IntoIterator<Item = Result<WallTime, E>>,
) -> Result<u64, E> {
    // The last one stays: the next number follows from it.
    let most = last.saturating_sub(first).min(PRUNE_EVENTS);
    let excess = (last + 1).saturating_sub(first).saturating_sub(retention.event_count);
    let mut gone = excess.min(most);
    for at in ages
        .into_iter()
        .take(usize::try_from(most).unwrap_or(usize::MAX))
        .skip(usize::try_from(gone).unwrap_or(usize::MAX))
    {
        if at?.0.saturating_add(retention.event_age_millis) >= now.0 {
            break;
        }
        gone += 1;
    }
    Ok(gone)
}

/// Whether a worker that is gone since then is forgotten.
pub(crate) fn is_forgettable(now: WallTime, retention: &Retention, gone_since: WallTime) -> bool {
    gone_since.0.saturating_add(retention.forget_millis) < now.0
}

#[cfg(test)]
mod tests;
