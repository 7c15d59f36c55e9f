//! The runner against a small reference that keeps everything in one list and scans it.

mod runner_steps;

use core::time::Duration;

use moorline_work::*;
use proptest::prelude::*;
use runner_steps::{HANDLER, Resolved, SLOTS, Shown, apply, history, resolve, runner};

/// What is believed of one run, as facts.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Fact {
    run: RunId,
    key: TaskKey,
    limit: Duration,
    deadline: Option<Instant>,
    told_to_stop: Option<AbortReason>,
    stop_said: bool,
    ended: Option<(Outcome, u32)>,
    /// Waits for the inventory's answer.
    unjudged: bool,
    /// The lane of this session has the result.
    handed: bool,
    /// Nobody wants it: with what became of it.
    unwanted: Option<Disposition>,
}

#[derive(Clone, Default)]
struct Reference {
    /// In the order in which they started.
    facts: Vec<Fact>,
    /// Finished runs in the order in which they ended.
    ended: Vec<RunId>,
    answers: Vec<WorkerMessage>,
    revoked: Vec<TaskKey>,
    /// What became of it; `None`: it is handed back.
    gone: Vec<(RunId, TaskKey, Option<Disposition>)>,
    started: u64,
    draining: bool,
    hands_back: bool,
}

impl Reference {
    fn holder(&mut self, key: TaskKey) -> Option<&mut Fact> {
        self.facts.iter_mut().find(|fact| fact.key == key && fact.unwanted.is_none())
    }

    fn busy(&self) -> usize {
        self.facts.iter().filter(|fact| fact.ended.is_none()).count()
    }

    fn answer(&mut self, message: WorkerMessage) {
        let same = |other: &WorkerMessage| match (message, *other) {
            (WorkerMessage::Refuse { key: a, .. }, WorkerMessage::Refuse { key: b, .. }) => a == b,
            (one, other) => one == other,
        };
        if !self.answers.iter().any(same) {
            self.answers.push(message);
        }
    }

    fn listed(&self) -> Vec<(TaskKey, RunId, Holding)> {
        let mut listed: Vec<_> = self
            .facts
            .iter()
            .filter(|fact| fact.unwanted.is_none() && !fact.handed)
            .map(|fact| {
                let holding = match fact.ended {
                    None => Holding::Running { progress: 0 },
                    Some((outcome, len)) => Holding::Finished { outcome, len },
                };
                (fact.key, fact.run, holding)
            })
            .collect();
        listed.sort_by_key(|(key, _, _)| *key);
        listed
    }

    fn messages(&self) -> Vec<WorkerMessage> {
        let mut messages = self.answers.clone();
        for run in &self.ended {
            let fact = self.facts.iter().find(|fact| fact.run == *run).expect("it is kept");
            let (outcome, _) = fact.ended.expect("it ended");
            if !fact.unjudged && !fact.handed {
                messages.push(WorkerMessage::Result { key: fact.key, outcome });
            }
        }
        messages
    }

    fn actions(&self) -> Vec<RunnerAction> {
        let mut actions: Vec<_> = self
            .facts
            .iter()
            .filter(|fact| fact.ended.is_none() && !fact.stop_said)
            .filter_map(|fact| {
                let reason = fact.told_to_stop?;
                Some(RunnerAction::Abort { run: fact.run, key: fact.key, reason })
            })
            .collect();
        let mut gone = self.gone.clone();
        gone.sort_by_key(|(run, _, _)| *run);
        actions.extend(gone.into_iter().map(|(run, key, became)| match became {
            Some(disposition) => RunnerAction::Settled { run, key, disposition },
            None => RunnerAction::HandedBack { run, key },
        }));
        actions
    }

    fn unwant(&mut self, key: TaskKey, disposition: Disposition) {
        let Some(fact) = self.holder(key) else { return };
        fact.unwanted = Some(disposition);
        fact.told_to_stop.get_or_insert(AbortReason::Cancelled);
        self.sweep();
    }

    /// What ended and is not wanted is gone.
    fn sweep(&mut self) {
        let over = |fact: &Fact| fact.ended.is_some() && fact.unwanted.is_some();
        for fact in self.facts.iter().filter(|fact| over(fact)) {
            self.gone.push((fact.run, fact.key, fact.unwanted));
        }
        self.facts.retain(|fact| !over(fact));
        let facts = &self.facts;
        self.ended.retain(|run| facts.iter().any(|fact| fact.run == *run));
    }

    fn judged(&mut self, key: TaskKey, judgement: Judgement) -> RunnerVerdict {
        let Some(fact) = self.holder(key).filter(|fact| fact.unjudged) else {
            return RunnerVerdict::Stale;
        };
        match judgement {
            Judgement::Continue | Judgement::Send => fact.unjudged = false,
            Judgement::Cancel => {
                fact.unjudged = false;
                if fact.ended.is_none() {
                    fact.told_to_stop.get_or_insert(AbortReason::Cancelled);
                }
            }
            Judgement::Adopt { attempt } => {
                let new = TaskKey { task: key.task, attempt };
                if new != key && self.holder(new).is_some() {
                    self.unwant(key, Disposition::Stale);
                } else if let Some(fact) = self.holder(key) {
                    fact.unjudged = false;
                    fact.key = new;
                }
            }
            Judgement::Drop { disposition } => self.unwant(key, disposition),
            Judgement::Unknown => self.unwant(key, Disposition::Unknown),
        }
        RunnerVerdict::Accepted
    }

    fn assigned(&mut self, now: Instant, assign: Assign) -> RunnerVerdict {
        let key = assign.key;
        if let Some(fact) = self.holder(key) {
            if fact.ended.is_none() {
                self.answer(WorkerMessage::Accept { key });
            }
            return RunnerVerdict::NotStarted;
        }
        let was_revoked = self.revoked.contains(&key);
        self.revoked.retain(|revoked| *revoked != key);
        let refusal = if was_revoked {
            Refusal::Revoked
        } else if self.draining {
            Refusal::Draining
        } else if assign.handler != HANDLER {
            Refusal::UnknownHandler
        } else if self.busy() >= usize::from(SLOTS) {
            Refusal::NoSlot
        } else {
            self.started += 1;
            let limit = assign.timeout.unwrap_or(Duration::MAX).min(Duration::from_nanos(400));
            let deadline = Some(now + limit);
            self.facts.push(Fact {
                run: RunId(self.started),
                key,
                limit,
                deadline,
                told_to_stop: None,
                stop_said: false,
                ended: None,
                unjudged: false,
                handed: false,
                unwanted: None,
            });
            self.answer(WorkerMessage::Accept { key });
            return RunnerVerdict::Started { run: RunId(self.started), assign, deadline };
        };
        self.answer(WorkerMessage::Refuse { key, refusal });
        RunnerVerdict::NotStarted
    }

    fn done(&mut self, run: RunId, said: Outcome, len: u32) -> RunnerVerdict {
        let running = |fact: &&mut Fact| fact.run == run && fact.ended.is_none();
        let Some(fact) = self.facts.iter_mut().find(running) else {
            return RunnerVerdict::Stale;
        };
        let outcome = match fact.told_to_stop {
            _ if said == Outcome::Succeeded => said,
            Some(AbortReason::HandedBack) if fact.unwanted.is_none() => {
                self.gone.push((fact.run, fact.key, None));
                self.facts.retain(|fact| fact.run != run);
                return RunnerVerdict::Accepted;
            }
            None | Some(AbortReason::HandedBack) => said,
            Some(AbortReason::Cancelled) => Outcome::Cancelled,
            Some(AbortReason::TimedOut) => Outcome::TimedOut,
        };
        fact.ended = Some((outcome, len));
        self.ended.push(run);
        self.sweep();
        RunnerVerdict::Accepted
    }

    /// A run has another deadline from now on, or none.
    fn begins(
        &mut self,
        run: RunId,
        deadline: impl FnOnce(Duration) -> Option<Instant>,
    ) -> RunnerVerdict {
        let runs = |fact: &&mut Fact| fact.run == run && fact.ended.is_none();
        match self.facts.iter_mut().find(runs).filter(|fact| fact.told_to_stop.is_none()) {
            Some(fact) => {
                fact.deadline = deadline(fact.limit);
                RunnerVerdict::Accepted
            }
            None => RunnerVerdict::Stale,
        }
    }

    fn handle(&mut self, now: Instant, input: RunnerInput) -> RunnerVerdict {
        match input {
            RunnerInput::Timeout => {
                for fact in &mut self.facts {
                    let late = fact.deadline.is_some_and(|deadline| deadline <= now);
                    if late && fact.ended.is_none() {
                        fact.told_to_stop.get_or_insert(AbortReason::TimedOut);
                    }
                }
                RunnerVerdict::Accepted
            }
            RunnerInput::Welcomed { resumed } => {
                if !resumed {
                    self.answers.clear();
                    self.revoked.clear();
                }
                for fact in &mut self.facts {
                    fact.handed &= resumed;
                    fact.unjudged = fact.unwanted.is_none() && !fact.handed;
                }
                RunnerVerdict::Accepted
            }
            RunnerInput::Judged { key, judgement } => self.judged(key, judgement),
            RunnerInput::Message(CoordinatorMessage::Assign(assign)) => self.assigned(now, assign),
            RunnerInput::Message(CoordinatorMessage::Settled { key, disposition }) => {
                if self.holder(key).is_none_or(|fact| fact.ended.is_none()) {
                    return RunnerVerdict::Stale;
                }
                self.unwant(key, disposition);
                RunnerVerdict::Accepted
            }
            RunnerInput::Message(CoordinatorMessage::Cancel { key }) => {
                let Some(fact) = self.holder(key) else { return RunnerVerdict::Stale };
                if fact.ended.is_none() {
                    fact.told_to_stop.get_or_insert(AbortReason::Cancelled);
                }
                RunnerVerdict::Accepted
            }
            RunnerInput::Message(CoordinatorMessage::Revoke { key }) => {
                if self.holder(key).is_some() {
                    self.answer(WorkerMessage::Held { key });
                } else {
                    if !self.revoked.contains(&key) {
                        self.revoked.push(key);
                    }
                    self.answer(WorkerMessage::NotHeld { key });
                }
                RunnerVerdict::Accepted
            }
            RunnerInput::Done { run, outcome, len } => self.done(run, outcome, len),
            RunnerInput::Waits { run } => self.begins(run, |_| None),
            RunnerInput::Begins { run } => self.begins(run, |limit| Some(now + limit)),
            RunnerInput::Drain => {
                self.draining = true;
                RunnerVerdict::Accepted
            }
            RunnerInput::HandBack => {
                (self.draining, self.hands_back) = (true, true);
                for fact in self.facts.iter_mut().filter(|fact| fact.ended.is_none()) {
                    fact.told_to_stop.get_or_insert(AbortReason::HandedBack);
                }
                RunnerVerdict::Accepted
            }
        }
    }

    fn polled(&mut self, shown: Shown) {
        match shown {
            Shown::Action(Some(RunnerAction::Abort { run, .. })) => {
                let fact = self.facts.iter_mut().find(|fact| fact.run == run);
                fact.expect("only what runs is stopped").stop_said = true;
            }
            Shown::Action(Some(
                RunnerAction::Settled { run, .. } | RunnerAction::HandedBack { run, .. },
            )) => {
                self.gone.retain(|(gone, _, _)| *gone != run);
            }
            Shown::Message(Some(WorkerMessage::Result { key, .. })) => {
                self.holder(key).expect("only what is held is offered").handed = true;
            }
            Shown::Message(Some(message)) => self.answers.retain(|other| *other != message),
            Shown::Action(None) | Shown::Message(None) | Shown::Verdict(_) => {}
        }
    }
}

fn drained<T>(mut next: impl FnMut() -> Option<T>) -> Vec<T> {
    core::iter::from_fn(&mut next).collect()
}

fn check(runner: &Runner, reference: &Reference) -> Result<(), TestCaseError> {
    prop_assert!(reference.busy() <= usize::from(SLOTS), "more runs than slots");
    prop_assert_eq!(usize::from(runner.free()), usize::from(SLOTS) - reference.busy());
    prop_assert_eq!(runner.running(), reference.busy());
    let finished = runner.runs().filter(|run| run.phase == RunPhase::Finished).count();
    prop_assert_eq!(runner.results(), finished);
    let owed = |fact: &Fact| !(reference.hands_back && fact.handed);
    prop_assert_eq!(runner.owes(), reference.facts.iter().any(owed));
    prop_assert_eq!(runner.inventory().collect::<Vec<_>>(), reference.listed());
    let mut other = runner.clone();
    prop_assert_eq!(drained(|| other.poll_action()), reference.actions());
    prop_assert_eq!(drained(|| other.poll_message()), reference.messages());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_runner_does_what_the_reference_does(history in history(256)) {
        let (mut runner, mut reference) = (runner(), Reference::default());
        let mut now = Instant::from_nanos(1_000);
        for (passed, step) in history {
            now = now + Duration::from_nanos(passed);
            let Some(resolved) = resolve(&runner, &mut now, step) else { continue };
            let shown = apply(&mut runner, resolved);
            match resolved {
                Resolved::Input(at, input) => {
                    let expected = reference.handle(at, input);
                    prop_assert_eq!(shown, Shown::Verdict(expected));
                }
                Resolved::PollAction | Resolved::PollMessage => reference.polled(shown),
            }
            check(&runner, &reference)?;
        }
    }

    /// Whatever happened, each run that started is answered once, and only after it was done; and
    /// each that neither side gave up is offered to the coordinator.
    #[test]
    fn nothing_that_was_started_is_forgotten(history in history(256)) {
        let mut runner = runner();
        let mut now = Instant::from_nanos(1_000);
        let (mut open, mut done) = (Vec::new(), Vec::new());
        let mut see = |shown: Shown, resolved: Resolved| {
            match (shown, resolved) {
                (Shown::Verdict(RunnerVerdict::Started { run, .. }), _) => open.push(run),
                (
                    Shown::Verdict(RunnerVerdict::Accepted),
                    Resolved::Input(_, RunnerInput::Done { run, .. }),
                ) => done.push(run),
                (
                    Shown::Action(Some(
                        RunnerAction::Settled { run, .. } | RunnerAction::HandedBack { run, .. },
                    )),
                    _,
                ) => {
                    assert!(done.contains(&run), "gone before it was done");
                    let at = open.iter().position(|open| *open == run);
                    open.remove(at.expect("gone once, after its start"));
                }
                (Shown::Verdict(_) | Shown::Action(_) | Shown::Message(_), _) => {}
            }
        };
        for (passed, step) in history {
            now = now + Duration::from_nanos(passed);
            let Some(resolved) = resolve(&runner, &mut now, step) else { continue };
            see(apply(&mut runner, resolved), resolved);
        }
        let mut say = |runner: &mut Runner, input| {
            let resolved = Resolved::Input(now, input);
            see(apply(runner, resolved), resolved);
        };

        say(&mut runner, RunnerInput::Welcomed { resumed: false });
        let (listed, runs): (Vec<_>, Vec<_>) =
            runner.inventory().map(|(key, run, _)| (key, run)).unzip();
        let held: Vec<_> =
            runner.runs().filter(|run| run.phase != RunPhase::Abandoned).map(|run| run.key).collect();
        prop_assert_eq!(listed.len(), held.len());
        for key in &listed {
            prop_assert!(held.contains(key));
            say(&mut runner, RunnerInput::Judged { key: *key, judgement: Judgement::Continue });
        }
        for run in runner.clone().runs().filter(|run| run.phase.uses_slot()) {
            let outcome = Outcome::Failed { retryable: false };
            say(&mut runner, RunnerInput::Done { run: run.run, outcome, len: 1 });
        }
        let offered = drained(|| runner.poll_message());
        // By the run: one that was gone before may have had the key that another one has by now.
        let handed_back = |action: &RunnerAction| match action {
            RunnerAction::HandedBack { run, .. } => runs.contains(run),
            RunnerAction::Abort { .. } | RunnerAction::Settled { .. } => false,
        };
        let mut other = runner.clone();
        let actions = drained(|| other.poll_action());
        prop_assert_eq!(offered.len() + actions.iter().filter(|a| handed_back(a)).count(), listed.len());
        for message in offered {
            let WorkerMessage::Result { key, .. } = message else {
                return Err(TestCaseError::fail("only results are owed"));
            };
            prop_assert!(listed.contains(&key));
            let disposition = Disposition::Accepted;
            say(&mut runner, RunnerInput::Message(CoordinatorMessage::Settled { key, disposition }));
        }
        while let Some(action) = runner.poll_action() {
            see(Shown::Action(Some(action)), Resolved::PollAction);
        }
        prop_assert!(!runner.owes());
        prop_assert!(open.is_empty());
    }
}
