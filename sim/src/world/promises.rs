//! Promises that are looked at from outside of what happens: figures, memory, copies, bytes, crowds.

use std::collections::{BTreeMap, VecDeque};

use moorline_link::{Backoff, ConnId, First, Jitter, Lane, State};
use moorline_node::WorkerInput;
use moorline_work::TaskId;

use super::World;
use super::coordinator::conn_id;
use super::phases::LOOK;
use crate::decide::mix;
use crate::ledger::Scope;
use crate::plan::{HANDLERS, MS, Plan, TaskPlan};
use crate::{Rule, Sabotage, bound};

/// What is watched beside the books.
#[derive(Debug)]
pub(super) struct Watch {
    /// Every packet is decoded when it is encoded.
    pub(super) decodes: bool,
    /// Machines have copies now and then.
    copies: bool,
    /// Audits so far.
    audits: u64,
    /// When workers dialled last.
    dials: VecDeque<u64>,
    /// So many may dial within a tenth of a second.
    crowd: usize,
    /// Since when tasks wait for a worker although there is one.
    blocked: BTreeMap<TaskId, u64>,
}

/// In one of so many worlds every packet is decoded as soon as it is encoded, ...
const DECODES: u64 = 8;
/// ... and in one of so many machines have copies.
const COPIES: u64 = 4;
/// A tenth of a second.
const TENTH: u64 = 100 * MS;
/// So many workers may always dial within a tenth of a second.
const CROWD: usize = 48;

impl Watch {
    pub(super) fn of(plan: &Plan, backoff: &Backoff) -> Self {
        Self {
            decodes: mix(plan.seed ^ 0xdec0de).is_multiple_of(DECODES),
            copies: mix(plan.seed ^ 0xc0b1e5).is_multiple_of(COPIES)
                || plan.sabotage == Some(Sabotage::CopiesDiffer),
            audits: 0,
            dials: VecDeque::new(),
            crowd: crowd(backoff, plan.workers.len()),
            blocked: BTreeMap::new(),
        }
    }
}

/// How many of these workers may dial within a tenth of a second: twice their share of the time over
/// which they spread their first dials, and some.
fn crowd(backoff: &Backoff, workers: usize) -> usize {
    let initial = backoff.initial_delay();
    let width = match (backoff.first(), backoff.jitter()) {
        (First::Window, _) => std::time::Duration::from_secs(1),
        (First::Immediate, _) | (First::Backoff, Jitter::None) => return usize::MAX,
        (First::Backoff, Jitter::Full { floor }) => initial.saturating_sub(floor),
        (First::Backoff, Jitter::Equal) => initial / 2,
        (First::Backoff, Jitter::Decorrelated) => initial * 2,
        (First::Backoff, Jitter::Proportional { ppm }) => initial / 1_000 * (ppm / 500),
    };
    let width = u64::try_from(width.as_nanos()).unwrap_or(u64::MAX).max(1);
    let share = (workers as u64).saturating_mul(TENTH) / width;
    CROWD + usize::try_from(share).unwrap_or(usize::MAX / 4) * 2
}

impl World {
    /// What is new in the store is compared with the books, and all figures and all that is held.
    pub(super) fn audit(&mut self) {
        let judgement = self.ledger.audit(Scope::News, &mut *self.disk.reader());
        self.judge(judgement);
        self.audit_figures();
        self.audit_memory();
        self.audit_copies();
    }

    /// SAFE-16: what the machines and the store count is what happened.
    fn audit_figures(&mut self) {
        let differs = |what: &str, counted: u64, happened: u64| {
            (counted != happened).then(|| format!("{what}: counted {counted}, were {happened}"))
        };
        let mut found = None;
        for (index, worker) in self.workers.iter().enumerate() {
            let Some(node) = &worker.process.node else { continue };
            let dials = node.statistics().dials();
            found = found
                .or_else(|| {
                    differs(&format!("dials of w{index}"), dials, self.ledger.dialled(index))
                })
                .or_else(|| {
                    let again = self.ledger.again(Some(index));
                    differs(&format!("messages that w{index} has sent again"), node.resent(), again)
                });
        }
        if let Some(node) = &self.coordinator.node {
            found = found.or_else(|| {
                let again = self.ledger.again(None);
                differs("messages that the coordinator has sent again", node.resent(), again)
            });
        }
        if let Ok(counts) = self.disk.reader().counts() {
            found = found.or_else(|| self.ledger.miscounted(&counts, self.plan.settings.keeps));
        }
        if let Some(words) = found {
            self.break_promise(Rule::FiguresDiffer, words);
        }
    }

    /// SAFE-11: what the machines hold is bounded by what they have to do.
    fn audit_memory(&mut self) {
        let mut found = None;
        let mut above = |who: &str, what: &str, held: usize, most: usize| {
            if held > most && found.is_none() {
                found = Some(format!("{who} holds {held} {what}, at most {most}"));
            }
        };
        for (index, worker) in self.workers.iter().enumerate() {
            let Some(node) = &worker.process.node else { continue };
            let load = node.load();
            let who = format!("w{index}");
            above(&who, "runs", load.running, worker.runs.len() + node.waiting());
            above(&who, "bodies of results", load.bodies, load.results);
            let held = node.held();
            let messages = held.iter().map(|(messages, _)| *messages as usize).sum();
            above(&who, "messages", load.messages, messages);
            for lane in Lane::ALL {
                let (messages, bytes) = held[lane.index()];
                let limits = self.configs.link.lanes.of(lane);
                above(&who, "messages", messages as usize, limits.outbox_messages as usize);
                // One of the largest always fits.
                let most = limits.outbox_bytes + u64::from(lane.message_max());
                above(&who, "kilobytes", kilobytes(bytes), kilobytes(most));
            }
        }
        if let Some(node) = &self.coordinator.node {
            let load = node.load();
            let who = "the coordinator";
            let conns = self.network.of_coordinator().len();
            above(who, "connections", load.connections, conns);
            let given = self.ledger.given_out();
            let window = self.configs.dispatcher.settings().window as usize;
            let claimed = HANDLERS.len() * window.saturating_mul(2);
            above(who, "tasks", load.tasks, given.saturating_add(claimed));
            // A submission may lease its task.
            let assignments = given + self.requests.len();
            above(who, "leases to be assigned", load.assignments, assignments);
            let results: usize = self.plan.workers.len()
                * self.configs.hub.settings().lanes.window_messages as usize;
            above(who, "results", load.results, results);
        }
        if let Some(words) = found {
            self.break_promise(Rule::Grown, words);
        }
    }

    /// SAFE-11, SAFE-14: where there is nothing to do, nothing is held by the coordinator and the workers
    /// that are there: who was put out of touch for good keeps what it had.
    pub(super) fn unless_empty(&mut self) {
        // An acknowledgement that has become another is missed until there is one again.
        if self.is_tampered {
            return;
        }
        let mut found = None;
        let mut holds = |who: &str, what: &str, held: usize| {
            if held > 0 && found.is_none() {
                found = Some(format!("there is nothing to do, and {who} holds {held} {what}"));
            }
        };
        for (index, worker) in self.core() {
            let Some(node) = &worker.process.node else { continue };
            let load = node.load();
            let who = format!("w{index}");
            holds(&who, "runs", load.running);
            holds(&who, "results", load.results);
            holds(&who, "bodies of results", load.bodies);
            holds(&who, "messages", load.messages);
        }
        if let Some(node) = &self.coordinator.node {
            let load = node.load();
            let who = "the coordinator";
            holds(who, "messages", load.outgoing);
            holds(who, "results", load.results);
            holds(who, "leases to be assigned", load.assignments);
            holds(who, "submits", load.submits);
            // What nobody of these can do waits for somebody who can.
            if self.ledger.open().next().is_none() {
                holds(who, "tasks", load.tasks);
            }
        }
        if let Some(words) = found {
            self.break_promise(Rule::Grown, words);
        }
        self.unless_delivered();
    }

    /// SAFE-15: a copy that was told the same said the same and is the same.
    fn audit_copies(&mut self) {
        if !self.watch.copies {
            return;
        }
        self.watch.audits += 1;
        let splits = !self.watch.audits.is_multiple_of(2);
        let spoils = self.is_sabotaged(Sabotage::CopiesDiffer);
        let mut found = None;
        if let Some(node) = &mut self.coordinator.node {
            if splits {
                node.split();
            } else if let Some(words) = node.join() {
                found = Some(format!("the coordinator: {words}"));
            }
        }
        for index in 0..self.workers.len() {
            let now = self.clock_of(index);
            let Some(node) = &mut self.workers[index].process.node else { continue };
            if splits {
                node.split();
                if spoils {
                    node.spoil(|copy| {
                        copy.handle(now, WorkerInput::ResetStatistics);
                    });
                }
            } else if let Some(words) = node.join() {
                found = Some(format!("w{index}: {words}"));
            }
        }
        if let Some(words) = found {
            self.break_promise(Rule::Impure, words);
        }
    }

    /// SAFE-14: on a connection that the coordinator has closed it has nothing to say.
    pub(super) fn unless_coordinator_speaks(&mut self, conn: usize) {
        let now = self.clock_of_coordinator();
        let Some(node) = &mut self.coordinator.node else { return };
        if let Some(packet) = node.both(|node| node.poll_transmit(now, conn_id(conn))) {
            let words = format!("the coordinator says {:?} on c{conn}, closed", packet.frames);
            self.break_promise(Rule::SaidAfterEnd, words);
        }
    }

    /// SAFE-14: on a connection that a worker has closed it has nothing to say.
    pub(super) fn unless_worker_speaks(&mut self, index: usize, conn: ConnId) {
        let now = self.clock_of(index);
        let Some(node) = &mut self.workers[index].process.node else { return };
        if let Some(packet) = node.both(|node| node.poll_transmit(now, conn)) {
            let words = format!("w{index} says {:?} on {conn:?}, closed", packet.frames);
            self.break_promise(Rule::SaidAfterEnd, words);
        }
    }

    /// SAFE-14: a drain that is over before its time leaves nothing behind.
    pub(super) fn unless_rid_of_all(&mut self, index: usize) {
        let (worker, now) = (&self.workers[index], self.time_of(index));
        if worker.drained_by.is_none_or(|until| now >= until) {
            return;
        }
        let words = if let Some(run) = worker.runs.values().next() {
            format!("w{index} ends while {:?} runs", run.key)
        } else if let Some(task) = worker.unsettled.first() {
            format!("w{index} ends before what it made of {task:?} is answered")
        } else {
            return;
        };
        self.break_promise(Rule::LeftBehind, words);
    }

    /// LIVE-8: not too many workers dial at once.
    pub(super) fn count_dial(&mut self) {
        let now = self.now;
        let dials = &mut self.watch.dials;
        dials.push_back(now);
        while dials.front().is_some_and(|at| at + TENTH <= now) {
            dials.pop_front();
        }
        let (count, most) = (dials.len(), self.watch.crowd);
        if count > most {
            let words = format!("{count} dials within 100 ms, at most {most}");
            self.break_promise(Rule::Herd, words);
        }
    }

    /// LIVE-7: no task waits for long while somebody could run it.
    pub(super) fn look_for_blocked(&mut self) {
        if self.disk.waiting() > bound::BEHIND {
            // That much longer they may wait.
            self.watch.blocked.values_mut().for_each(|since| *since += LOOK);
            return;
        }
        let most = bound::idle(&self.plan);
        let waiting: Vec<TaskId> = self.ledger.waiting(self.now).collect();
        let could_run = |task: &TaskId| {
            let handler = self.plan.tasks[TaskPlan::index_of(*task)].handler;
            (0..self.workers.len()).find(|index| self.could_run(*index, handler))
        };
        let blocked: Vec<(TaskId, usize)> =
            waiting.iter().filter_map(|task| Some((*task, could_run(task)?))).collect();
        self.watch.blocked.retain(|task, _| blocked.iter().any(|(other, _)| other == task));
        for (task, index) in blocked {
            let since = *self.watch.blocked.entry(task).or_insert(self.now);
            if self.now - since > most {
                let waits = (self.now - since) / MS;
                let words = format!("{task:?} waits for {waits} ms while w{index} has a free slot");
                self.break_promise(Rule::Blocked, words);
            }
        }
    }

    /// Whether a worker of the core is there and has a slot for a task of this handler.
    fn could_run(&self, index: usize, handler: usize) -> bool {
        let (worker, plan) = (&self.workers[index], &self.plan.workers[index]);
        let Some(node) = &worker.process.node else { return false };
        let slots = usize::from(plan.slots);
        self.plan.is_core(index)
            && handler < plan.handlers
            && node.state() == State::Active
            && worker.drained_by.is_none()
            && worker.runs.len() < slots
            && self.ledger.given_to(index, worker.incarnation) < slots
    }
}

fn kilobytes(bytes: u64) -> usize {
    usize::try_from(bytes >> 10).unwrap_or(usize::MAX)
}
