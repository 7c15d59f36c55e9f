//! A searched world: its states, and what each step does to them.

mod coordinator;
pub(super) mod script;
mod worker;

use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use moorline_link::{Epoch, Instant, Reason, State, Timer, Wake};
use moorline_node::{CoordinatorInput, Spec, WorkerInput, WorkerTimer};
use moorline_work::{RunPhase, Ticket};

use super::Bounds;
use super::digest::Digest;
use super::explore::Space;
use super::process::{
    Coordinator, Kept, Worker, begin_coordinator, begin_worker, handler, is_awaited, is_far,
    task_id, worker_id,
};
use super::rows::Rows;
use super::step::{Ending, Step};
use super::turn::{self, CoordinatorAct, Cue, Memory, WorkerAct};
use super::wire::{Course, Wire, lanes};
use crate::{Rule, Violation};

/// Where all clocks begin.
const BEGIN: Instant = Instant::from_nanos(1_000_000_000);

/// A world of these bounds.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) bounds: Bounds,
    memory: Memories,
}

/// Turns that were taken lately.
#[derive(Debug, Default)]
struct Memories {
    workers: Mutex<Memory<Worker, WorkerAct>>,
    coordinator: Mutex<Memory<Coordinator, CoordinatorAct>>,
}

impl Model {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, memory: Memories::default() }
    }
}

/// A state of it. What did not change is shared with the state before.
#[derive(Clone, Debug)]
pub(super) struct World {
    workers: Vec<Arc<Kept<Worker>>>,
    coordinator: Arc<Kept<Coordinator>>,
    rows: Arc<Kept<Rows>>,
    /// By worker, oldest first.
    wires: Vec<Vec<Wire>>,
    /// By worker: how often it has dialled.
    dials: Vec<usize>,
    spent: Spent,
    /// Tasks that were handed in.
    submitted: u8,
    /// By task: a worker was told that its success counts.
    accepted: u8,
    /// By task: its end was reported.
    reported: u8,
}

/// What has gone wrong so far.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Spent {
    breaks: u8,
    crashes: u8,
    expiries: u8,
    restarts: u8,
    failures: u8,
    cancels: u8,
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            workers,
            coordinator,
            rows,
            wires,
            dials: _,
            spent,
            submitted,
            accepted,
            reported,
        } = self;
        (workers, coordinator, rows, spent, submitted, accepted, reported).hash(state);
        for (worker, wires) in workers.iter().zip(wires) {
            wires.len().hash(state);
            wires.iter().for_each(|wire| wire.feed(worker.dialled, state));
        }
    }
}

fn broken(rule: Rule, words: impl Into<String>) -> Violation {
    Violation::new(rule, words)
}

impl World {
    fn begin(model: &Model) -> Result<Self, Violation> {
        let bounds = &model.bounds;
        let workers = (0..bounds.workers.into())
            .map(|index| Arc::new(Kept::new(begin_worker(index, 0, bounds.slots, BEGIN))))
            .collect();
        let coordinator = begin_coordinator(Epoch(1), BEGIN);
        let mut rows = Rows::default();
        rows.begin();
        let mut world = Self {
            workers,
            coordinator: Arc::new(Kept::new(coordinator.clone())),
            rows: Arc::new(Kept::new(rows)),
            wires: vec![Vec::new(); bounds.workers.into()],
            dials: vec![0; bounds.workers.into()],
            spent: Spent::default(),
            submitted: 0,
            accepted: 0,
            reported: 0,
        };
        world.coordinator_acts(turn::coordinator_acts(coordinator))?;
        world.commit(model)?;
        // The others are handed in while these run.
        for _ in bounds.late..bounds.tasks {
            world.submit(model)?;
        }
        world.commit(model)?;
        Ok(world)
    }

    /// The next task is handed in.
    fn submit(&mut self, model: &Model) -> Result<(), Violation> {
        let spec = Spec { handler: handler(), priority: 0, max_retries: 0, timeout: None };
        let task = task_id(usize::from(self.submitted));
        self.submitted += 1;
        let (ticket, payload) = (Ticket(0), Bytes::new());
        self.tell_coordinator(model, CoordinatorInput::Submit { ticket, task, spec, payload })
    }

    fn next_wake(&self, worker: usize) -> Option<Instant> {
        let process = &self.workers[worker];
        match process.node.next_wake() {
            Wake::At { deadline, timer: WorkerTimer::Link(Timer::Retry) }
                if !is_far(process.now, deadline) =>
            {
                Some(deadline)
            }
            // The other timers are heartbeats, or end what may end anyhow.
            Wake::At { .. } | Wake::Now | Wake::OnInput => None,
        }
    }

    fn next_expiry(&self) -> Option<Instant> {
        let deadline = self.coordinator.node.next_wake()?;
        (!is_far(self.coordinator.now, deadline)).then_some(deadline)
    }

    fn steps(&self, bounds: &Bounds) -> Vec<Step> {
        let mut steps = Vec::new();
        let spent = &self.spent;
        for worker in 0..self.workers.len() {
            if self.next_wake(worker).is_some() {
                steps.push(Step::Wake { worker });
            }
            for (wire, it) in self.wires[worker].iter().enumerate() {
                self.steps_of_wire(bounds, (worker, wire), it, &mut steps);
            }
            for (run, it) in self.workers[worker].node.runs().enumerate() {
                let mut ends = |how| steps.push(Step::Finish { worker, run, how });
                match it.phase {
                    RunPhase::Running => {
                        ends(Ending::Success);
                        if spent.failures < bounds.failures {
                            ends(Ending::Failure);
                        }
                    }
                    RunPhase::Stopping => {
                        ends(Ending::Success);
                        ends(Ending::Stopped);
                    }
                    RunPhase::Abandoned => ends(Ending::Stopped),
                    RunPhase::Finished => {}
                }
            }
            if spent.crashes < bounds.crashes {
                steps.push(Step::Crash { worker });
            }
        }
        if self.coordinator.awaits_store() {
            steps.push(Step::Commit);
        }
        if spent.expiries < bounds.expiries && self.next_expiry().is_some() {
            steps.push(Step::Expire);
        }
        if spent.restarts < bounds.restarts {
            let wanted = self.coordinator.wanted.iter();
            let wanted = wanted.filter(|persist| is_awaited(&persist.op)).count();
            steps.extend((0..=wanted).map(|durable| Step::Restart { durable }));
        }
        if self.submitted < bounds.tasks {
            steps.push(Step::Submit);
        }
        if spent.cancels < bounds.cancels {
            let tasks = self.rows.tasks().iter().enumerate();
            let open = tasks.filter(|(_, task)| !task.state.is_final());
            steps.extend(open.map(|(task, _)| Step::Cancel { task }));
        }
        steps
    }

    fn steps_of_wire(
        &self,
        bounds: &Bounds,
        (worker, wire): (usize, usize),
        it: &Wire,
        steps: &mut Vec<Step>,
    ) {
        if it.course == Course::Dialling {
            steps.push(Step::Open { worker, wire });
        }
        if it.coordinator {
            steps.extend(lanes(&it.up).map(|lane| Step::Up { worker, wire, lane }));
        }
        if it.worker {
            steps.extend(lanes(&it.down).map(|lane| Step::Down { worker, wire, lane }));
        }
        if it.course == Course::Over {
            if it.worker {
                steps.push(Step::TellWorker { worker, wire });
            }
            if it.coordinator {
                steps.push(Step::TellCoordinator { worker, wire });
            }
        } else if self.spent.breaks < bounds.breaks {
            steps.push(Step::Cut { worker, wire });
        }
    }

    fn apply(&mut self, model: &Model, step: Step) -> Result<(), Violation> {
        match step {
            Step::Wake { worker } => {
                let Some(at) = self.next_wake(worker) else { return Ok(()) };
                self.cue_worker(model, worker, Cue::Wake(at))
            }
            Step::Open { worker, wire } => self.open(model, worker, wire),
            Step::Up { worker, wire, lane } => {
                let it = &mut self.wires[worker][wire];
                let Some(packet) = it.up[lane.index()].pop_front() else { return Ok(()) };
                let cue = Cue::Packet(it.conn, packet);
                self.cue_coordinator(model, cue)
            }
            Step::Down { worker, wire, lane } => {
                let it = &mut self.wires[worker][wire];
                let Some(packet) = it.down[lane.index()].pop_front() else { return Ok(()) };
                let cue = Cue::Packet(it.name, packet);
                self.cue_worker(model, worker, cue)
            }
            Step::TellWorker { worker, wire } => {
                let it = &mut self.wires[worker][wire];
                it.worker_leaves();
                let (conn, reason) = (it.name, Reason::TransportReset);
                self.tell_worker(model, worker, WorkerInput::Closed { conn, reason })
            }
            Step::TellCoordinator { worker, wire } => {
                let it = &mut self.wires[worker][wire];
                it.coordinator_leaves();
                let (conn, reason) = (it.conn, Reason::TransportReset);
                self.tell_coordinator(model, CoordinatorInput::Closed { conn, reason })
            }
            Step::Finish { worker, run, how } => {
                self.spent.failures += u8::from(how == Ending::Failure);
                self.finish(model, worker, run, how)
            }
            Step::Commit => self.commit(model),
            Step::Cut { worker, wire } => {
                self.spent.breaks += 1;
                self.cut(model, worker, wire)
            }
            Step::Crash { worker } => {
                self.spent.crashes += 1;
                let Worker { life, now, .. } = **self.workers[worker];
                self.replace_worker(
                    worker,
                    begin_worker(worker, life + 1, model.bounds.slots, now),
                );
                Ok(())
            }
            Step::Expire => {
                self.spent.expiries += 1;
                let Some(at) = self.next_expiry() else { return Ok(()) };
                self.cue_coordinator(model, Cue::Wake(at))
            }
            Step::Restart { durable } => {
                self.spent.restarts += 1;
                self.restart(durable)
            }
            Step::Submit => self.submit(model),
            Step::Cancel { task } => {
                self.spent.cancels += 1;
                let (ticket, task) = (Ticket(1), task_id(task));
                self.tell_coordinator(model, CoordinatorInput::Cancel { ticket, task })
            }
        }
    }

    fn after(&self, model: &Model, step: Step) -> Result<Self, Violation> {
        let mut after = self.clone();
        after.apply(model, step)?;
        after.wires.iter_mut().for_each(|wires| wires.retain(|wire| !wire.is_gone()));
        after.audit(&model.bounds)?;
        Ok(after)
    }

    /// While no lease was given up, nothing runs in two places.
    fn audit(&self, bounds: &Bounds) -> Result<(), Violation> {
        if self.spent.expiries > 0 {
            return Ok(());
        }
        for task in 0..usize::from(bounds.tasks) {
            let id = task_id(task);
            let runs = self.workers.iter().flat_map(|worker| worker.node.runs());
            let runs = runs.filter(|run| run.key.task == id && run.phase == RunPhase::Running);
            if runs.count() > 1 {
                return Err(broken(Rule::RanTwice, format!("task {task} runs twice at a time")));
            }
        }
        Ok(())
    }

    /// Tasks the store has.
    #[cfg(test)]
    pub(super) fn tasks(&self) -> usize {
        self.rows.tasks().len()
    }

    /// Every task has ended, nobody holds anything of one, and every worker can be given the next.
    fn is_done(&self) -> bool {
        let (coordinator, now) = (&self.coordinator.node, self.coordinator.now);
        self.rows.tasks().iter().all(|task| task.state.is_final())
            && self.workers.iter().enumerate().all(|(index, worker)| {
                worker.node.state() == State::Active
                    && worker.node.runs().next().is_none()
                    && coordinator.worker(now, worker_id(index)).is_some_and(|it| it.running == 0)
            })
    }
}

impl Space for Model {
    type State = World;
    type Step = Step;

    fn first(&self) -> World {
        // Nothing is asked of it yet that could go wrong.
        World::begin(self).unwrap_or_else(|broken| panic!("a world begins: {broken:?}"))
    }

    fn fingerprint(&self, state: &World) -> u128 {
        Digest::of(state)
    }

    fn steps(&self, state: &World) -> Vec<Step> {
        state.steps(&self.bounds)
    }

    fn take(&self, state: &World, step: &Step) -> Result<World, Violation> {
        catch_unwind(AssertUnwindSafe(|| state.after(self, *step)))
            .unwrap_or_else(|_| Err(broken(Rule::Panic, format!("{step}: the code panics"))))
    }

    fn is_fault(&self, step: &Step) -> bool {
        step.is_fault()
    }

    fn is_done(&self, state: &World) -> bool {
        state.is_done()
    }
}
