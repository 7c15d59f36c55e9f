//! After the faults: everything heals, everything ends, and then there is silence.

use moorline_link::{Presence, State, WorkerId};
use moorline_work::{RunPhase, TaskId};

use super::{Event, World};
use crate::Rule;
use crate::bound;
use crate::plan::{MS, SEC};
use crate::report::seconds;
use crate::trace::What;

/// Where a run stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Things go wrong.
    Chaos,
    /// Nothing goes wrong any more; everything has to have ended by then.
    Healing { by: u64 },
    /// Everything has ended; last words until `from`, then only heartbeats until `until`.
    Silence { from: u64, until: u64 },
    /// It is over.
    Over,
}

/// Between two looks.
const LOOK: u64 = 500 * MS;

impl World {
    pub(super) fn quiet(&mut self) {
        let by = self.now + bound::ended(&self.plan);
        self.note(What::Phase.to_nobody().value(1), || {
            format!("quiet; all must have ended by {}", seconds(by))
        });
        self.phase = Phase::Healing { by };
        self.armed.clear();
        self.spoil_quiet();
        self.look();
    }

    pub(super) fn look(&mut self) {
        match self.phase {
            Phase::Chaos | Phase::Over => return,
            // What began to go wrong before has to show first.
            Phase::Healing { .. } if self.now < self.plan.quiet_at + bound::fading(&self.plan) => {}
            Phase::Healing { by } => match self.late() {
                None => {
                    let all = (by - self.plan.quiet_at).max(1);
                    self.used.1 = (self.now - self.plan.quiet_at) * 1_000 / all;
                    let settings = &self.plan.settings;
                    // Acknowledgements, and what is under way.
                    let from = self.now + self.plan.slowest() * 4 + SEC;
                    let until = from + settings.beat * 4;
                    let phase = What::Phase.to_nobody().value(2);
                    self.note(phase, || String::from("everything has ended"));
                    self.phase = Phase::Silence { from, until };
                }
                Some((rule, words)) if self.now > by => self.break_promise(rule, words),
                Some(_) => {
                    self.look_for_missing();
                    self.look_for_blocked();
                }
            },
            Phase::Silence { until, .. } => {
                if self.now >= until {
                    self.audit();
                    self.unless_empty();
                    self.phase = Phase::Over;
                    return;
                }
            }
        }
        self.after(LOOK, Event::Look);
    }

    /// A packet with more than heartbeats is written.
    pub(super) fn spoke(&mut self, words: impl FnOnce() -> String) {
        if let Phase::Silence { from, .. } = self.phase
            && self.now > from
        {
            self.break_promise(Rule::NotSilent, words());
        }
    }

    fn half_open_worker(&self) -> Option<usize> {
        (0..self.workers.len())
            .flat_map(|index| self.network.of(index))
            .copied()
            .find(|conn| self.network.conn(*conn).is_dead())
    }

    /// Everybody has to be back long before everything has ended.
    fn look_for_missing(&mut self) {
        let all = bound::back(&self.plan);
        match self.missing() {
            Some(words) if self.now > self.plan.quiet_at + all => {
                self.break_promise(Rule::NotBack, words);
            }
            Some(_) => {}
            None if self.used.0.is_none() => {
                self.used.0 = Some((self.now - self.plan.quiet_at) * 1_000 / all.max(1));
                self.spoil_back();
            }
            None => {}
        }
    }

    /// What is still to come, and the rule that is broken if it comes too late.
    fn late(&self) -> Option<(Rule, String)> {
        if let Some(words) = self.missing() {
            return Some((Rule::NotBack, words));
        }
        if let Some(stray) = (0..self.workers.len()).find_map(|index| self.stray(index)) {
            return Some(stray);
        }
        self.unfinished().map(|words| (Rule::NotEnded, words))
    }

    /// A lease of a worker that its present process does not know of, and the rule that is broken if it
    /// stays so.
    pub(super) fn stray(&self, index: usize) -> Option<(Rule, String)> {
        let leases = self.ledger.open().filter_map(|(_, lease)| lease);
        leases.filter(|(_, worker, _)| *worker == index).find_map(|(key, worker, process)| {
            if self.workers[worker].incarnation != process {
                let words = format!("{key:?} is leased to a process of w{worker} that is gone");
                return Some((Rule::NotRerun, words));
            }
            let knows = self.knows(worker, process, key.task);
            let words = || format!("{key:?} is leased to w{worker}, which does not know of it");
            (!knows).then(|| (Rule::Strayed, words()))
        })
    }

    /// Why both sides disagree about a worker of which nothing is under way, if that can be told: what is
    /// leased to it is not known to it, or has ended and is not said.
    pub(super) fn out_of_step(&self, index: usize) -> Option<(Rule, String)> {
        let node = self.workers[index].process.node.as_ref()?;
        self.stray(index).or_else(|| {
            let ended = node.runs().find(|run| run.phase == RunPhase::Finished)?;
            Some((Rule::NotEnded, format!("w{index} keeps what it made of {:?}", ended.key)))
        })
    }

    /// Whether this process of a worker runs a task or keeps its result.
    fn knows(&self, worker: usize, process: u64, task: TaskId) -> bool {
        let worker = &self.workers[worker];
        let node = worker.process.node.as_ref().filter(|_| worker.incarnation == process);
        node.is_some_and(|node| node.runs().any(|run| run.key.task == task))
    }

    /// What has not ended.
    fn unfinished(&self) -> Option<String> {
        let unanswered = self.unanswered();
        if unanswered > 0 {
            return Some(format!("{unanswered} clients are not answered"));
        }
        if let Some((task, _)) = self.ledger.open().next() {
            let count = self.ledger.open().count();
            return Some(format!("{count} tasks have not ended: {task:?}"));
        }
        for (index, worker) in self.workers.iter().enumerate() {
            if let Some(node) = worker.process.node.as_ref().filter(|node| node.owes()) {
                let runs: Vec<_> = node.runs().collect();
                return Some(format!("w{index} is not rid of {runs:?}"));
            }
        }
        let coordinator = self.coordinator.node.as_ref()?;
        if coordinator.awaits_store() || coordinator.has_outgoing() {
            return Some(String::from("the coordinator has something left to do"));
        }
        None
    }

    /// Who is not there.
    fn missing(&self) -> Option<String> {
        let Some(coordinator) = &self.coordinator.node else {
            return Some(String::from("the coordinator does not run"));
        };
        let now = self.clock_of_coordinator();
        for (index, worker) in self.workers.iter().enumerate() {
            let Some(node) = &worker.process.node else {
                return Some(format!("w{index} does not run"));
            };
            if node.state() != State::Active {
                return Some(format!("w{index} is {:?}", node.state()));
            }
            let view = coordinator.worker(now, WorkerId(self.plan.workers[index].id));
            let presence = view.map(|view| view.presence);
            if presence != Some(Presence::Active) {
                return Some(format!("w{index} is {presence:?} for the coordinator"));
            }
        }
        // Ends of connections that nobody told of their end.
        let conns = self.network.of_coordinator();
        if let Some(conn) = conns.iter().find(|conn| self.network.conn(**conn).is_dead()) {
            return Some(format!("c{conn} is half-open"));
        }
        if let Some(conn) = self.half_open_worker() {
            return Some(format!("c{conn} is half-open"));
        }
        None
    }
}
