//! The worker's half of work: what runs, what is finished, what is owed to the coordinator.

mod answers;
mod canonical;
mod io;
mod journal;
mod revoked;
mod run;

pub use io::*;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use answers::{Answer, Answers};
use revoked::RevokedKeys;
use run::{Gone, Offer, Run, Stage, outcome_after_abort};

use crate::{
    Assign, Attempt, CoordinatorMessage, Disposition, Holding, Instant, Judgement, Outcome,
    Refusal, RunId, Sym, TaskKey, Wake, WorkerMessage,
};

/// The worker's work machine: accepts or refuses assignments, stops runs, and offers every result
/// until the coordinator has answered it (P50).
///
/// Drive it like this: pass everything that happens to [`handle`](Self::handle); then take
/// [`poll_action`](Self::poll_action) until it is empty, and take
/// [`poll_message`](Self::poll_message) while the lane has room for what
/// [`next_message`](Self::next_message) shows; then wait for an input, at the latest until
/// [`next_wake`](Self::next_wake), and pass [`RunnerInput::Timeout`] at that time.
///
/// A verdict [`RunnerVerdict::Started`] starts a run. Each run ends in exactly one
/// [`RunnerAction::Settled`], which comes after its [`RunnerInput::Done`]: until then the embedder
/// keeps its body.
///
/// It keeps the laws L1-L5 and L8-L10: [`Wake::Now`] exactly while an action is due, a timeout at a
/// deadline moves the next deadline on, polling a drained machine or an early timeout changes
/// nothing, shifted inputs give shifted outputs, the same inputs give the same machine, and a run
/// goes only where [`RunPhase::allows`] says.
///
/// ```
/// use moorline_work::*;
///
/// let mut runner = Runner::new(RunnerConfig::default(), [Sym(1)]);
/// let now = Instant::from_nanos(0);
/// runner.handle(now, RunnerInput::Welcomed { resumed: false });
///
/// let key = TaskKey { task: TaskId(7), attempt: Attempt(1) };
/// let assign = Assign { key, handler: Sym(1), timeout: None };
/// let RunnerVerdict::Started { run, .. } =
///     runner.handle(now, RunnerInput::Message(CoordinatorMessage::Assign(assign)))
/// else {
///     panic!("there is a free slot")
/// };
/// assert_eq!(runner.poll_message(), Some(WorkerMessage::Accept { key }));
///
/// runner.handle(now, RunnerInput::Done { run, outcome: Outcome::Succeeded, len: 3 });
/// let outcome = Outcome::Succeeded;
/// assert_eq!(runner.poll_message(), Some(WorkerMessage::Result { key, outcome }));
/// assert!(runner.owes());
///
/// let disposition = Disposition::Accepted;
/// runner.handle(now, RunnerInput::Message(CoordinatorMessage::Settled { key, disposition }));
/// assert_eq!(runner.poll_action(), Some(RunnerAction::Settled { run, key, disposition }));
/// assert!(!runner.owes());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Runner {
    config: RunnerConfig,
    handlers: BTreeSet<Sym>,
    draining: bool,
    hands_back: bool,
    next_run: u64,
    finished: u64,
    /// Everything that is not settled.
    runs: BTreeMap<RunId, Run>,
    /// The run behind each key that is held, so all but the abandoned ones.
    held: BTreeMap<TaskKey, RunId>,
    /// Runs whose handler uses a slot.
    busy: usize,
    deadlines: BTreeSet<(Instant, RunId)>,
    /// Runs whose abort is not said yet.
    aborts: BTreeMap<RunId, AbortReason>,
    /// Runs that are gone, which is not said yet.
    gone: BTreeMap<RunId, (TaskKey, Gone)>,
    /// Results that wait for room on the lane, in the order in which they finished.
    due: BTreeMap<u64, RunId>,
    answers: Answers,
    revoked: RevokedKeys,
}

impl Runner {
    /// A machine that holds nothing, and runs assignments of these handlers; the others are refused.
    #[must_use]
    pub fn new(config: RunnerConfig, handlers: impl IntoIterator<Item = Sym>) -> Self {
        Self {
            config,
            handlers: handlers.into_iter().collect(),
            draining: false,
            hands_back: false,
            next_run: 1,
            finished: 0,
            runs: BTreeMap::new(),
            held: BTreeMap::new(),
            busy: 0,
            deadlines: BTreeSet::new(),
            aborts: BTreeMap::new(),
            gone: BTreeMap::new(),
            due: BTreeMap::new(),
            answers: Answers::default(),
            revoked: RevokedKeys::default(),
        }
    }

    /// Takes one input; what belongs to it is answered at once, what follows from it is polled.
    pub fn handle(&mut self, now: Instant, input: RunnerInput) -> RunnerVerdict {
        match input {
            RunnerInput::Timeout => self.on_timeout(now),
            RunnerInput::Welcomed { resumed } => self.on_welcomed(resumed),
            RunnerInput::Judged { key, judgement } => self.on_judged(key, judgement),
            RunnerInput::Message(message) => match message {
                CoordinatorMessage::Assign(assign) => self.on_assign(now, assign),
                CoordinatorMessage::Settled { key, disposition } => {
                    self.on_settled(key, disposition)
                }
                CoordinatorMessage::Cancel { key } => self.on_cancel(key),
                CoordinatorMessage::Revoke { key } => self.on_revoke(key),
            },
            RunnerInput::Done { run, outcome, len } => self.on_done(run, outcome, len),
            RunnerInput::Waits { run } => self.on_waits(run),
            RunnerInput::Begins { run } => self.on_begins(now, run),
            RunnerInput::Drain => {
                self.draining = true;
                RunnerVerdict::Accepted
            }
            RunnerInput::HandBack => self.on_hand_back(),
        }
    }

    /// The next action, if one is due; it counts as carried out.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<RunnerAction> {
        let action = self.next_action()?;
        match action {
            RunnerAction::Abort { run, .. } => {
                self.aborts.remove(&run);
            }
            RunnerAction::Settled { run, .. } | RunnerAction::HandedBack { run, .. } => {
                self.gone.remove(&run);
            }
        }
        Some(action)
    }

    /// The next message for the coordinator; the lane has it now. Ask only while the lane has room:
    /// what is not asked for stays here, each thing once.
    #[must_use]
    pub fn poll_message(&mut self) -> Option<WorkerMessage> {
        let message = self.next_message()?;
        match message {
            WorkerMessage::Accept { .. }
            | WorkerMessage::Refuse { .. }
            | WorkerMessage::Held { .. }
            | WorkerMessage::NotHeld { .. } => self.answers.pop(),
            WorkerMessage::Result { .. } => {
                if let Some((_, id)) = self.due.pop_first()
                    && let Some(run) = self.runs.get_mut(&id)
                    && let Stage::Finished { offer, .. } = &mut run.stage
                {
                    *offer = Offer::Handed;
                }
            }
        }
        Some(message)
    }

    /// What [`poll_message`](Self::poll_message) would return. A result shows only when no smaller
    /// answer waits, so an accept is always ahead of everything else of its attempt.
    #[must_use]
    pub fn next_message(&self) -> Option<WorkerMessage> {
        if let Some(message) = self.answers.next() {
            return Some(message);
        }
        let run = self.runs.get(self.due.first_key_value()?.1)?;
        match run.stage {
            Stage::Finished { outcome, .. } => {
                Some(WorkerMessage::Result { key: run.key, outcome })
            }
            Stage::Running { .. } | Stage::Stopping { .. } | Stage::Abandoned { .. } => None,
        }
    }

    /// When to call next. Messages that wait for room do not count: the room is the embedder's.
    #[must_use]
    pub fn next_wake(&self) -> Wake<RunnerTimer> {
        if self.next_action().is_some() {
            return Wake::Now;
        }
        match self.deadlines.first() {
            Some((deadline, _)) => {
                Wake::At { deadline: *deadline, timer: RunnerTimer::RunDeadline }
            }
            None => Wake::OnInput,
        }
    }

    /// Everything the inventory of a registration names: what runs, and what is finished and not
    /// handed to a lane of the present session. Take it right after [`RunnerInput::Welcomed`].
    pub fn inventory(&self) -> impl Iterator<Item = (TaskKey, RunId, Holding)> + '_ {
        self.held.iter().filter_map(|(key, id)| {
            let holding = self.runs.get(id)?.holding()?;
            Some((*key, *id, holding))
        })
    }

    /// Slots no handler uses. A run that was told to stop uses its slot until it has stopped.
    #[must_use]
    pub fn free(&self) -> u16 {
        usize::from(self.config.slots)
            .saturating_sub(self.busy)
            .try_into()
            .unwrap_or(self.config.slots)
    }

    /// Runs whose handler has not ended, wanted or not.
    #[must_use]
    pub fn running(&self) -> usize {
        self.busy
    }

    /// Results that are kept until they are answered.
    #[must_use]
    pub fn results(&self) -> usize {
        self.runs.len() - self.busy
    }

    /// Something runs, or is finished and not answered: a drain must wait. When its time is over, only
    /// for what has to stop or is not handed to the lane: an answer that comes then is of no use.
    #[must_use]
    pub fn owes(&self) -> bool {
        if self.hands_back {
            self.runs.values().any(|run| !run.is_handed())
        } else {
            !self.runs.is_empty()
        }
    }

    /// Whether nothing new is taken.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// Every run that is not settled, oldest first.
    pub fn runs(&self) -> impl Iterator<Item = RunSnapshot> + '_ {
        self.runs.iter().map(|(id, run)| RunSnapshot {
            run: *id,
            key: run.key,
            handler: run.handler,
            started: run.started,
            deadline: run.deadline(),
            phase: run.phase(),
        })
    }

    /// The run behind a key that is held, running or finished.
    #[must_use]
    pub fn run_of(&self, key: TaskKey) -> Option<RunId> {
        self.held.get(&key).copied()
    }

    /// The key of a run that is not settled.
    #[must_use]
    pub fn key_of(&self, run: RunId) -> Option<TaskKey> {
        self.runs.get(&run).map(|run| run.key)
    }

    /// When a run has to end. `None`: no such run, no limit, or it has ended or is told to stop.
    #[must_use]
    pub fn deadline(&self, run: RunId) -> Option<Instant> {
        self.runs.get(&run)?.deadline()
    }

    fn next_action(&self) -> Option<RunnerAction> {
        if let Some((id, reason)) = self.aborts.first_key_value() {
            let key = self.runs.get(id)?.key;
            return Some(RunnerAction::Abort { run: *id, key, reason: *reason });
        }
        let (&run, &(key, gone)) = self.gone.first_key_value()?;
        Some(match gone {
            Gone::Settled(disposition) => RunnerAction::Settled { run, key, disposition },
            Gone::HandedBack => RunnerAction::HandedBack { run, key },
        })
    }

    fn on_timeout(&mut self, now: Instant) -> RunnerVerdict {
        while let Some((deadline, id)) = self.deadlines.first().copied()
            && deadline <= now
        {
            self.deadlines.pop_first();
            self.stop(id, AbortReason::TimedOut);
        }
        RunnerVerdict::Accepted
    }

    fn on_hand_back(&mut self) -> RunnerVerdict {
        self.draining = true;
        self.hands_back = true;
        let runs: Vec<RunId> = self.runs.keys().copied().collect();
        for id in runs {
            self.stop(id, AbortReason::HandedBack);
        }
        RunnerVerdict::Accepted
    }

    fn on_welcomed(&mut self, resumed: bool) -> RunnerVerdict {
        if !resumed {
            // The lanes of the old session are gone, in both directions.
            self.answers.clear();
            self.revoked.clear();
        }
        self.due.clear();
        for run in self.runs.values_mut() {
            match &mut run.stage {
                Stage::Running { unjudged, .. } | Stage::Stopping { unjudged, .. } => {
                    *unjudged = true;
                }
                Stage::Finished { offer, .. } => {
                    // What a lane that goes on has, it delivers: saying it again would double it (P54).
                    if !(resumed && *offer == Offer::Handed) {
                        *offer = Offer::Unjudged;
                    }
                }
                Stage::Abandoned { .. } => {}
            }
        }
        RunnerVerdict::Accepted
    }

    fn on_judged(&mut self, key: TaskKey, judgement: Judgement) -> RunnerVerdict {
        let Some(id) = self.run_of(key) else { return RunnerVerdict::Stale };
        if !self.runs.get(&id).is_some_and(Run::is_unjudged) {
            return RunnerVerdict::Stale;
        }
        match judgement {
            Judgement::Continue
                if cfg!(moorline_planted = "TRAP-3")
                    && self.runs.get(&id).is_some_and(|run| run.phase() == RunPhase::Finished) => {}
            Judgement::Continue | Judgement::Send => self.go_on(id),
            Judgement::Adopt { attempt } => self.adopt(id, key, attempt),
            Judgement::Cancel => {
                // Whatever it has come to is offered: that confirms the cancel, and a success that
                // is already there may still count.
                self.go_on(id);
                self.stop(id, AbortReason::Cancelled);
            }
            Judgement::Drop { disposition } => self.forget(id, disposition),
            Judgement::Unknown => self.forget(id, Disposition::Unknown),
        }
        RunnerVerdict::Accepted
    }

    fn on_assign(&mut self, now: Instant, assign: Assign) -> RunnerVerdict {
        let key = assign.key;
        let known = self.run_of(key);
        #[cfg(moorline_planted = "SAFE-4")]
        let known = known.filter(|_| false);
        if let Some(id) = known {
            // The same assignment twice runs once (P53). Of a finished run the result is the answer,
            // and it is offered or under way already.
            if self.runs.get(&id).is_some_and(|run| run.phase().uses_slot()) {
                self.answers.owe(key, Answer::Accept);
            }
            return RunnerVerdict::NotStarted;
        }
        if let Some(refusal) = self.refusal(assign) {
            self.answers.owe(key, Answer::Refuse(refusal));
            return RunnerVerdict::NotStarted;
        }
        let run = RunId(self.next_run);
        self.next_run = self.next_run.saturating_add(1);
        let limit: Option<Duration> = match (assign.timeout, self.config.task_timeout) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, other) => one.or(other),
        };
        let deadline = limit.map(|limit| now + limit);
        let stage = Stage::Running { deadline, unjudged: false };
        self.runs.insert(run, Run { key, handler: assign.handler, started: now, limit, stage });
        self.held.insert(key, run);
        self.busy += 1;
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, run));
        }
        self.answers.owe(key, Answer::Accept);
        RunnerVerdict::Started { run, assign, deadline }
    }

    fn refusal(&mut self, assign: Assign) -> Option<Refusal> {
        // First, and taken out whatever else holds: the assignment that was waited for is here.
        if self.revoked.remove(assign.key) {
            Some(Refusal::Revoked)
        } else if self.draining {
            Some(Refusal::Draining)
        } else if !self.handlers.contains(&assign.handler) {
            Some(Refusal::UnknownHandler)
        } else if self.free() == 0 {
            Some(Refusal::NoSlot)
        } else {
            None
        }
    }

    fn on_settled(&mut self, key: TaskKey, disposition: Disposition) -> RunnerVerdict {
        let Some(id) = self.run_of(key) else { return RunnerVerdict::Stale };
        match self.runs.get(&id).map(Run::phase) {
            Some(RunPhase::Finished) => {
                self.forget(id, disposition);
                RunnerVerdict::Accepted
            }
            // It has no result yet, so this answers nothing.
            Some(RunPhase::Running | RunPhase::Stopping | RunPhase::Abandoned) | None => {
                RunnerVerdict::Stale
            }
        }
    }

    fn on_cancel(&mut self, key: TaskKey) -> RunnerVerdict {
        // Of what is not held nothing is said: it was accepted, so its result is settled already and
        // the two messages crossed; or an inventory judged it.
        let Some(id) = self.run_of(key) else { return RunnerVerdict::Stale };
        self.stop(id, AbortReason::Cancelled);
        RunnerVerdict::Accepted
    }

    fn on_revoke(&mut self, key: TaskKey) -> RunnerVerdict {
        if self.held.contains_key(&key) {
            self.answers.owe(key, Answer::Held);
        } else {
            self.revoked.insert(key);
            self.answers.owe(key, Answer::NotHeld);
        }
        RunnerVerdict::Accepted
    }

    fn on_done(&mut self, id: RunId, said: Outcome, len: u32) -> RunnerVerdict {
        let Some(run) = self.runs.get(&id).copied() else { return RunnerVerdict::Stale };
        let (outcome, unjudged) = match run.stage {
            Stage::Running { unjudged, .. } => (said, unjudged),
            Stage::Stopping { reason, unjudged } => match outcome_after_abort(said, reason) {
                Some(outcome) => (outcome, unjudged),
                None => {
                    self.held.remove(&run.key);
                    return self.stopped(id, run.key, Gone::HandedBack);
                }
            },
            Stage::Abandoned { disposition } => {
                return self.stopped(id, run.key, Gone::Settled(disposition));
            }
            Stage::Finished { .. } => return RunnerVerdict::Stale,
        };
        self.busy -= 1;
        if let Some(deadline) = run.deadline() {
            self.deadlines.remove(&(deadline, id));
        }
        self.aborts.remove(&id);
        let order = self.finished;
        self.finished = self.finished.saturating_add(1);
        let offer = if unjudged { Offer::Unjudged } else { Offer::Due };
        if offer == Offer::Due
            && !(cfg!(moorline_planted = "LIVE-2") && outcome == Outcome::TimedOut)
        {
            self.due.insert(order, id);
        }
        self.set(id, Stage::Finished { outcome, len, order, offer });
        RunnerVerdict::Accepted
    }

    /// A run has stopped whose end is owed to nobody.
    fn stopped(&mut self, id: RunId, key: TaskKey, gone: Gone) -> RunnerVerdict {
        self.busy -= 1;
        self.aborts.remove(&id);
        self.runs.remove(&id);
        self.gone.insert(id, (key, gone));
        RunnerVerdict::Accepted
    }

    /// The inventory's answer is there and the run is wanted: its result may go.
    fn go_on(&mut self, id: RunId) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        match &mut run.stage {
            Stage::Running { unjudged, .. } | Stage::Stopping { unjudged, .. } => *unjudged = false,
            Stage::Finished { order, offer, .. } => {
                *offer = Offer::Due;
                self.due.insert(*order, id);
            }
            Stage::Abandoned { .. } => {}
        }
    }

    /// The run goes on under another number of its attempt.
    fn adopt(&mut self, id: RunId, from: TaskKey, attempt: Attempt) {
        let key = TaskKey { task: from.task, attempt };
        if self.held.get(&key).is_some_and(|holder| *holder != id) {
            // That attempt is here already: of two runs the one that was given this number stays.
            self.forget(id, Disposition::Stale);
            return;
        }
        self.held.remove(&from);
        self.held.insert(key, id);
        if let Some(run) = self.runs.get_mut(&id) {
            run.key = key;
        }
        self.go_on(id);
    }

    /// Tells a run to stop, unless it has ended or was told so before: the first reason stands.
    fn stop(&mut self, id: RunId, reason: AbortReason) {
        self.disarm(id);
        let Some(run) = self.runs.get(&id) else { return };
        match run.stage {
            Stage::Running { unjudged, .. } => {
                self.set(id, Stage::Stopping { reason, unjudged });
                self.aborts.insert(id, reason);
            }
            Stage::Stopping { .. } | Stage::Finished { .. } | Stage::Abandoned { .. } => {}
        }
    }

    /// Nobody wants this run any more: a finished one is gone, a running one when it has stopped.
    fn forget(&mut self, id: RunId, disposition: Disposition) {
        let Some(run) = self.runs.get(&id).copied() else { return };
        self.held.remove(&run.key);
        match run.stage {
            Stage::Finished { order, .. } => {
                self.due.remove(&order);
                self.runs.remove(&id);
                self.gone.insert(id, (run.key, Gone::Settled(disposition)));
            }
            Stage::Running { .. } | Stage::Stopping { .. } | Stage::Abandoned { .. } => {
                self.stop(id, AbortReason::Cancelled);
                self.set(id, Stage::Abandoned { disposition });
            }
        }
    }

    fn disarm(&mut self, id: RunId) {
        if let Some(deadline) = self.deadline(id) {
            self.deadlines.remove(&(deadline, id));
        }
    }

    fn set(&mut self, id: RunId, stage: Stage) {
        if let Some(run) = self.runs.get_mut(&id) {
            run.stage = stage;
        }
    }
}
