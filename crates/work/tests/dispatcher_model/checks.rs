//! What must hold at every action of the dispatcher, by the truth that only the world knows.

use moorline_work::*;

use super::worker::Phase;
use super::world::{LOST_AFTER, World};

impl World {
    /// L10: of a lease only this may change: it gets accepted, and a client wants it to end; of a
    /// task, its attempt only grows.
    pub(crate) fn check_transitions(&mut self) {
        // One whose submission is under way is none if the id is taken: it says nothing of the task.
        for after in self.dispatcher.leases().filter(|lease| !lease.submitting) {
            let Some(before) = self.leases.insert(after.task, after) else { continue };
            assert!(before.attempt <= after.attempt, "{before:?} went back to {after:?}");
            if before.attempt == after.attempt {
                assert_eq!(before.worker, after.worker, "{before:?} changed hands: {after:?}");
                assert!(before.accepted <= after.accepted, "{before:?} is not accepted any more");
                assert!(before.cancel_requested <= after.cancel_requested);
            }
        }
    }

    /// At a quiet cut both sides count the same free slots: else a beat would find them out of step.
    pub(crate) fn check_beliefs(&mut self) {
        for peer in &mut self.peers {
            peer.tick(self.now);
            if peer.is_quiet() {
                let free = usize::from(peer.slots).saturating_sub(peer.busy());
                // What it swallowed its word of may still be counted, and nothing else.
                let believed = peer.believed.map(usize::from);
                let least = free.saturating_sub(peer.unsaid());
                assert!(believed.is_some_and(|it| (least..=free).contains(&it)), "{peer:?}");
            }
        }
    }

    /// What an operation must not do, by the truth that only this world knows.
    pub(crate) fn check(&mut self, op: Op) {
        match op {
            Op::Lease { worker, incarnation, .. } => self.check_given(worker, incarnation),
            Op::Submit { spec, placement: Placement::Leased { worker, incarnation }, .. } => {
                self.tally.at_once += 1;
                self.check_given(worker, incarnation);
                self.check_overtakes_nobody(spec);
            }
            Op::Requeue { key, cause } => {
                match cause {
                    RequeueCause::Returned => self.tally.returned += 1,
                    RequeueCause::Lost => {}
                    RequeueCause::Retry { .. } => self.tally.retried += 1,
                }
                self.check_given_away(key);
            }
            Op::Finish { key, end } => match end {
                End::Dead => {
                    self.tally.dead += 1;
                    self.check_given_away(key);
                }
                End::Cancelled => self.tally.cancelled += 1,
                End::Succeeded | End::Failed => {}
            },
            Op::Adopt { .. } => self.tally.adopted += 1,
            Op::Submit { placement: Placement::Claimed | Placement::Unclaimed, .. }
            | Op::Claim { .. }
            | Op::Unclaim { .. }
            | Op::Leases
            | Op::Lookup { .. }
            | Op::Cancel { .. }
            | Op::Retry { .. } => {}
        }
    }

    /// A slot is kept for this task, whose submission is under way.
    pub(crate) fn is_promised(&self, task: TaskId) -> bool {
        self.dispatcher.leases().any(|lease| lease.submitting && lease.task == task)
    }

    fn check_given(&mut self, worker: WorkerId, incarnation: Incarnation) {
        let running = self.dispatcher.running(worker);
        let peer = self.peer(worker);
        assert_eq!(peer.session, Some(incarnation), "leased to a process that is not here");
        assert!(running <= usize::from(peer.slots), "more leases than slots");
    }

    /// What is leased with its submission goes before no task that is ready, is in the store or on its
    /// way there, and has at least its priority.
    fn check_overtakes_nobody(&self, new: TaskSpec) {
        let goes_first =
            |spec: TaskSpec| spec.handler == new.handler && spec.priority >= new.priority;
        for (task, record) in &self.store.tasks {
            let is_ready = record.state == TaskState::Queued && record.ready_at < self.now;
            // What is under way decides about it: a lease, a cancel, a late success, an adoption.
            let is_decided_on = self.disk.iter().any(|(_, op)| task_of(*op) == Some(*task));
            let waits = is_ready && goes_first(record.spec) && !is_decided_on;
            assert!(!waits, "{task:?} waits and is overtaken: {record:?}");
        }
        for (_, op) in &self.disk {
            let Op::Submit { task, spec, placement, .. } = *op else { continue };
            let is_cancelled = |op: Op| matches!(op, Op::Cancel { task: of, .. } if of == task);
            let is_given = match placement {
                Placement::Leased { .. } => self.is_promised(task),
                Placement::Claimed | Placement::Unclaimed => false,
            };
            let arrives = goes_first(spec) && !self.store.tasks.contains_key(&task) && !is_given;
            let waits = arrives && !self.disk.iter().any(|(_, op)| is_cancelled(*op));
            assert!(!waits, "{op:?} is on its way and is overtaken");
        }
    }

    /// A lease ends while its attempt runs, or may run: only after a long silence.
    pub(crate) fn check_given_away(&self, key: TaskKey) {
        let Some(record) = self.store.tasks.get(&key.task) else { return };
        let Some((worker, incarnation)) = record.given.get(&key.attempt) else { return };
        let peer = self.peers.iter().find(|peer| peer.id == *worker).unwrap();
        if peer.has_or_gets(key, *incarnation) {
            assert!(
                peer.is_down() && self.now >= peer.last_received.max(self.start) + LOST_AFTER,
                "{key:?} was given away while {worker:?} has it"
            );
        }
    }

    pub(crate) fn outcome_of(&self, worker: WorkerId, key: TaskKey) -> Option<Outcome> {
        let peer = self.peers.iter().find(|peer| peer.id == worker)?;
        let run = peer.runs.iter().find(|run| run.key == key)?;
        match run.phase {
            Phase::Finished { outcome, .. } => Some(outcome),
            Phase::Running { .. } | Phase::Stopping { .. } => None,
        }
    }

    /// A result is refused for good: a success only if its task has ended.
    pub(crate) fn check_given_up(&self, key: TaskKey, outcome: Option<Outcome>) {
        if outcome == Some(Outcome::Succeeded) && key.attempt != Attempt(9_999) {
            let record = &self.store.tasks[&key.task];
            // One that was retried had ended, perhaps in the same commit.
            assert!(
                record.state.is_final() || record.revived,
                "the success {key:?} is thrown away"
            );
        }
    }

    pub(crate) fn check_settled(
        &mut self,
        key: TaskKey,
        disposition: Disposition,
        outcome: Option<Outcome>,
    ) {
        let is_success = outcome == Some(Outcome::Succeeded);
        match disposition {
            Disposition::Accepted | Disposition::LateAccepted if is_success => {
                assert_eq!(self.store.state(key.task), Some(TaskState::Succeeded));
                let count = self.counted.entry(key.task).or_insert(0);
                *count += 1;
                assert_eq!(*count, 1, "the success of {:?} counted twice", key.task);
                self.tally.succeeded += 1;
                self.tally.late += u64::from(disposition == Disposition::LateAccepted);
            }
            Disposition::Accepted | Disposition::LateAccepted => {}
            Disposition::Duplicate | Disposition::Stale | Disposition::Unknown => {
                self.tally.duplicate += u64::from(disposition == Disposition::Duplicate);
                self.tally.stale += u64::from(disposition == Disposition::Stale);
                self.check_given_up(key, outcome);
            }
        }
    }
}

/// The task of a submission that is leased with it.
pub(crate) fn leased_at_once(op: Op) -> Option<TaskId> {
    match op {
        Op::Submit { task, placement: Placement::Leased { .. }, .. } => Some(task),
        Op::Submit { placement: Placement::Claimed | Placement::Unclaimed, .. }
        | Op::Claim { .. }
        | Op::Unclaim { .. }
        | Op::Leases
        | Op::Lookup { .. }
        | Op::Lease { .. }
        | Op::Adopt { .. }
        | Op::Requeue { .. }
        | Op::Finish { .. }
        | Op::Cancel { .. }
        | Op::Retry { .. } => None,
    }
}

/// The task an operation is about, if it is about one that may be there.
fn task_of(op: Op) -> Option<TaskId> {
    match op {
        Op::Lease { key, .. }
        | Op::Adopt { key, .. }
        | Op::Requeue { key, .. }
        | Op::Finish { key, .. } => Some(key.task),
        Op::Unclaim { task } | Op::Cancel { task, .. } | Op::Retry { task, .. } => Some(task),
        Op::Submit { .. } | Op::Claim { .. } | Op::Leases | Op::Lookup { .. } => None,
    }
}
