//! After the faults: everything heals, everything ends, then there is silence, and then all is closed.

use std::time::Duration;

use moorline_link::{Presence, State, WorkerId};
use moorline_node::{CoordinatorInput, WorkerInput};
use moorline_work::{RunPhase, TaskId};

use super::worker::Worker;
use super::{Event, World};
use crate::Rule;
use crate::bound;
use crate::ledger::Scope;
use crate::plan::{MS, Mode, SEC, TaskPlan};
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
    /// The workers of the core were asked to stop, and then the coordinator; they have until then.
    Closing { workers: bool, by: u64 },
    /// It is over.
    Over,
}

/// Between two looks.
pub(super) const LOOK: u64 = 500 * MS;

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
            Phase::Closing { workers, by } => self.look_for_rest(workers, by),
            // What began to go wrong before has to show first.
            Phase::Healing { .. } if self.now < self.plan.quiet_at + bound::fading(&self.plan) => {}
            Phase::Healing { by } => {
                self.look_for_missing();
                self.look_for_rest_of_work(by);
            }
            Phase::Silence { until, .. } => {
                if self.now >= until {
                    self.audit();
                    self.unless_empty();
                    self.close_workers();
                }
            }
        }
        self.after(LOOK, Event::Look);
    }

    /// Whether everything has ended that was to be done.
    fn look_for_rest_of_work(&mut self, by: u64) {
        match self.late() {
            None => {
                let all = (by - self.plan.quiet_at).max(1);
                self.used.1 = (self.now - self.plan.quiet_at) * 1_000 / all;
                // Acknowledgements, and what is under way.
                let from = self.now + self.plan.slowest() * 4 + SEC;
                let until = from + self.beat * 4;
                let phase = What::Phase.to_nobody().value(2);
                self.note(phase, || String::from("everything has ended"));
                self.phase = Phase::Silence { from, until };
            }
            Some((rule, words)) if self.now > by => {
                self.break_promise(rule, words);
                // Of a hostile world that is not asked.
                if self.plan.mode == Mode::Hostile {
                    self.phase = Phase::Over;
                }
            }
            Some(_) => self.look_for_blocked(),
        }
    }

    /// The workers of the core are asked to stop.
    fn close_workers(&mut self) {
        let by = self.now + bound::closed(&self.plan);
        self.note(What::Phase.to_nobody().value(3), || {
            format!("the workers are asked to stop; they have until {}", seconds(by))
        });
        self.phase = Phase::Closing { workers: true, by };
        let within = Duration::from_nanos(by - self.now);
        for worker in 0..self.plan.workers.len() {
            if self.plan.is_core(worker) {
                self.tell_worker(worker, WorkerInput::Stop { within });
            }
        }
    }

    /// Whether everything has ended in order that was asked to.
    fn look_for_rest(&mut self, workers: bool, by: u64) {
        let left = if workers { self.working() } else { self.left() };
        match left {
            Some(words) if self.now > by => {
                self.break_promise(Rule::NotEnded, words);
                if self.plan.mode == Mode::Hostile {
                    self.phase = Phase::Over;
                }
                return;
            }
            Some(_) => return,
            None => {}
        }
        if workers {
            let by = self.now + bound::closed(&self.plan);
            self.note(What::Phase.to_nobody().value(4), || {
                format!("the coordinator is asked to stop; it has until {}", seconds(by))
            });
            self.phase = Phase::Closing { workers: false, by };
            self.tell_coordinator(CoordinatorInput::Stop);
        } else {
            let judgement = self.ledger.audit(Scope::Everything, &mut *self.disk.reader());
            self.judge(judgement);
            self.phase = Phase::Over;
        }
    }

    /// A worker of the core that has not ended.
    fn working(&self) -> Option<String> {
        let (index, _) = self.core().find(|(_, worker)| worker.process.node.is_some())?;
        Some(format!("w{index} was asked to stop, and did not"))
    }

    /// What is left of a coordinator that was asked to stop.
    fn left(&self) -> Option<String> {
        let coordinator = self.coordinator.node.as_ref()?;
        if coordinator.awaits_store() || coordinator.has_outgoing() {
            return Some(String::from("the coordinator has something left to do"));
        }
        let conns = self.network.of_coordinator();
        let of_core = |conn: &&usize| self.plan.is_core(self.network.conn(**conn).worker);
        let conn = conns.iter().find(of_core)?;
        Some(format!("the coordinator was asked to stop, and has c{conn}"))
    }

    /// Whether everything is being closed.
    pub(super) const fn is_closing(&self) -> bool {
        match self.phase {
            Phase::Closing { .. } | Phase::Over => true,
            Phase::Chaos | Phase::Healing { .. } | Phase::Silence { .. } => false,
        }
    }

    /// The workers that have to be there after the faults.
    pub(super) fn core(&self) -> impl Iterator<Item = (usize, &Worker)> {
        self.workers.iter().enumerate().filter(|(index, _)| self.plan.is_core(*index))
    }

    /// A packet with more than heartbeats is written, by a worker or to it.
    pub(super) fn spoke(&mut self, worker: usize, words: impl FnOnce() -> String) {
        if !self.plan.is_core(worker) {
            return;
        }
        if let Phase::Silence { from, .. } = self.phase
            && self.now > from
        {
            self.break_promise(Rule::NotSilent, words());
        }
    }

    fn half_open_worker(&self) -> Option<usize> {
        self.core()
            .flat_map(|(index, _)| self.network.of(index))
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

    /// Whether anybody of the core can do this task.
    fn can_be_done(&self, task: TaskId) -> bool {
        let task = TaskPlan::index_of(task);
        let handler = self.plan.tasks.get(task).map_or(0, |task| task.handler);
        self.plan
            .present()
            .any(|(index, worker)| self.plan.is_core(index) && handler < worker.handlers)
    }

    /// Everybody has to be back at the end of a lull that is long enough.
    pub(super) fn lull_ends(&mut self) {
        let Some(lull) = self.plan.lull else { return };
        let all = bound::back(&self.plan);
        if lull.lasts < all || lull.at + lull.lasts > self.plan.quiet_at {
            return;
        }
        self.seen.lulls += 1;
        // Also those outside the core: nothing has put them out of touch for good yet.
        let missing = (0..self.plan.workers.len()).find_map(|index| {
            let is_there = !self.plan.workers[index].absent;
            is_there.then(|| self.missing_worker(index)).flatten()
        });
        if let Some(words) = missing {
            self.break_promise(Rule::NotBack, format!("at the end of a lull, {words}"));
        }
    }

    /// What is still to come, and the rule that is broken if it comes too late.
    fn late(&self) -> Option<(Rule, String)> {
        if let Some(words) = self.missing() {
            return Some((Rule::NotBack, words));
        }
        if let Some((_, rule, words)) = self.strays().next() {
            return Some((rule, words));
        }
        self.unfinished().map(|words| (Rule::NotEnded, words))
    }

    /// Leases that the present process of their worker does not know of: the worker, the rule that is broken
    /// if it stays so, and what to say.
    pub(super) fn strays(&self) -> impl Iterator<Item = (usize, Rule, String)> + '_ {
        self.ledger.open().filter_map(|(_, lease)| lease).filter_map(|(key, worker, process)| {
            let is_latest = |place: &usize| self.workers[*place].incarnation == process;
            // Where it began, unless that place was taken over.
            let mut places = std::iter::once(worker).chain(0..self.workers.len());
            let Some(place) = places.find(is_latest) else {
                let words = format!("{key:?} is leased to a process of w{worker} that is gone");
                return Some((worker, Rule::NotRerun, words));
            };
            let words = || format!("{key:?} is leased to w{place}, which does not know of it");
            (!self.knows(place, key.task)).then(|| (worker, Rule::Strayed, words()))
        })
    }

    /// Why both sides disagree about a worker of which nothing is under way, if that can be told: what is
    /// leased to it is not known to it, or has ended and is not said.
    pub(super) fn out_of_step(&self, index: usize) -> Option<(Rule, String)> {
        let node = self.workers[index].process.node.as_ref()?;
        let stray = self.strays().find(|(worker, ..)| *worker == index);
        stray.map(|(_, rule, words)| (rule, words)).or_else(|| {
            let ended = node.runs().find(|run| run.phase == RunPhase::Finished)?;
            Some((Rule::NotEnded, format!("w{index} keeps what it made of {:?}", ended.key)))
        })
    }

    /// Whether a process runs a task or keeps its result.
    fn knows(&self, place: usize, task: TaskId) -> bool {
        let node = self.workers[place].process.node.as_ref();
        node.is_some_and(|node| node.runs().any(|run| run.key.task == task))
    }

    /// What has not ended.
    fn unfinished(&self) -> Option<String> {
        let unanswered = self.unanswered();
        if unanswered > 0 {
            return Some(format!("{unanswered} clients are not answered"));
        }
        let mut open = self.ledger.open().filter(|(task, _)| self.can_be_done(*task));
        if let Some((task, _)) = open.next() {
            let count = 1 + open.count();
            return Some(format!("{count} tasks have not ended: {task:?}"));
        }
        for (index, worker) in self.core() {
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
        if let Some(words) = self.core().find_map(|(index, _)| self.missing_worker(index)) {
            return Some(words);
        }
        // Ends of connections that nobody told of their end.
        let conns = self.network.of_coordinator();
        let is_dead = |conn: &&usize| {
            let conn = self.network.conn(**conn);
            conn.is_dead() && self.plan.is_core(conn.worker)
        };
        if let Some(conn) = conns.iter().find(is_dead) {
            return Some(format!("c{conn} is half-open"));
        }
        if let Some(conn) = self.half_open_worker() {
            return Some(format!("c{conn} is half-open"));
        }
        None
    }

    /// What keeps a worker from being there.
    fn missing_worker(&self, index: usize) -> Option<String> {
        let Some(coordinator) = &self.coordinator.node else {
            return Some(String::from("the coordinator does not run"));
        };
        let Some(node) = &self.workers[index].process.node else {
            return Some(format!("w{index} does not run"));
        };
        if node.state() != State::Active {
            return Some(format!("w{index} is {:?}", node.state()));
        }
        let now = self.clock_of_coordinator();
        let presence = coordinator.presence(now, WorkerId(self.plan.workers[index].id));
        if presence != Some(Presence::Active) {
            return Some(format!("w{index} is {presence:?} for the coordinator"));
        }
        None
    }
}
