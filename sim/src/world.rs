//! The loop: what happens next, to whom, and whether every promise was kept.

mod client;
mod coordinator;
mod faults;
mod moments;
mod phases;
mod process;
mod sabotage;
mod swallow;
mod wires;
mod worker;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use moorline_link::{Lane, Reason};
use moorline_node::CoordinatorNode;
use moorline_work::{RunId, Ticket};

use crate::disk::Disk;
use crate::draw::Draws;
use crate::ledger::Ledger;
use crate::network::Network;
use crate::plan::{Plan, Side, Who};
use crate::queue::Queue;
use crate::trace::{Lines, Trace};
use crate::{Failure, Invariant, Report, Sabotage, Seen, Violation};
use client::Request;
use phases::Phase;
use process::Process;
use worker::Worker;

/// Events between two audits of the store.
const AUDIT: u64 = 512;

/// Events after which a run cannot be right any more.
const EVENTS_MAX: u64 = 5_000_000;

/// Something that will happen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// The time a process wanted to be run at has come.
    Wake { who: Who, at: u64 },
    /// A dial reaches the coordinator's machine.
    Knock { conn: usize },
    /// The coordinator's process is to take a connection.
    Accepted { conn: usize },
    /// A dial succeeded.
    Opened { conn: usize },
    /// A dial failed.
    DialFailed { conn: usize, reason: Reason },
    /// A packet arrives at this end.
    Deliver { conn: usize, to: Side, lane: Lane },
    /// This end is told that the connection ended.
    Notice { conn: usize, to: Side, reason: Reason },
    /// This end takes packets again.
    Writable { conn: usize, from: Side, who: Who },
    /// A handler ends by itself (or when it has stopped).
    Done { worker: usize, run: RunId },
    /// A commit is durable.
    Committed,
    /// A client hands in a task.
    Submit { task: usize },
    /// A client wants a task to end.
    Cancel { task: usize },
    /// A client hands in its task once more.
    Again { task: usize },
    /// Another client hands in another task under the same id.
    Clash { task: usize },
    /// An episode of the plan begins.
    Episode { index: usize },
    /// The moment has come that a fault of the plan waited for, to this worker if to one.
    Strike { index: usize, worker: Option<usize> },
    /// A process runs again.
    Thaw { who: Who },
    /// A process that was asked to stop is killed.
    Kill { who: Who, back: u64 },
    /// A process begins.
    Begin { who: Who },
    /// Nothing goes wrong any more.
    Quiet,
    /// Whether everything has ended.
    Look,
}

/// A world: one coordinator, its workers, their clients, and what lies between them.
pub(crate) struct World {
    plan: Plan,
    draws: Draws,
    now: u64,
    queue: Queue<(u32, Event)>,
    network: Network,
    disk: Disk,
    coordinator: Process<CoordinatorNode>,
    workers: Vec<Worker>,
    requests: BTreeMap<Ticket, Request>,
    clients: Vec<client::Client>,
    ledger: Ledger,
    trace: Trace,
    phase: Phase,
    /// Faults that wait for their moment.
    armed: Vec<usize>,
    /// Commits take this much longer, until then.
    slow: (u64, u64),
    /// From here on nothing may go wrong between the two sides any more.
    healed_at: u64,
    /// How much of their time everybody's return and everything's end took, in thousandths.
    used: (Option<u64>, u64),
    broken: Option<Violation>,
    events: u64,
    packets: u64,
    dials: u64,
    crashes: u64,
    seen: Seen,
}

/// Runs the world of this seed.
///
/// # Errors
/// The first promise that was broken, without the lines that led to it: [`run_recorded`] has them.
pub fn run(seed: u64) -> Result<Report, Box<Failure>> {
    run_plan(Plan::new(seed))
}

/// Runs the world of a plan.
///
/// # Errors
/// The first promise that was broken.
pub fn run_plan(plan: Plan) -> Result<Report, Box<Failure>> {
    guarded(plan, None)
}

/// Runs the world of this seed and keeps the last lines of what happened, whatever it comes to.
///
/// # Errors
/// The first promise that was broken, with the lines that led to it.
pub fn run_recorded(seed: u64) -> Result<(Report, Vec<String>), Box<Failure>> {
    run_plan_recorded(Plan::new(seed))
}

/// Runs the world of a plan and keeps the last lines of what happened, whatever it comes to.
///
/// # Errors
/// The first promise that was broken, with the lines that led to it.
pub fn run_plan_recorded(plan: Plan) -> Result<(Report, Vec<String>), Box<Failure>> {
    let lines = Lines::default();
    let result = guarded(plan, Some(Rc::clone(&lines)));
    let last: Vec<String> = lines.borrow().iter().cloned().collect();
    match result {
        Ok(report) => Ok((report, last)),
        Err(failure) => Err(Box::new(Failure { last, ..*failure })),
    }
}

/// A panic in the machines is a failure like any other.
fn guarded(plan: Plan, lines: Option<Lines>) -> Result<Report, Box<Failure>> {
    let seed = plan.seed;
    let mut world = World::new(plan, lines);
    let run = catch_unwind(AssertUnwindSafe(|| world.run()));
    let violation = match run {
        Ok(Ok(report)) => return Ok(report),
        Ok(Err(violation)) => violation,
        Err(panic) => {
            let words = match panic.downcast::<String>() {
                Ok(words) => *words,
                Err(panic) => match panic.downcast::<&str>() {
                    Ok(words) => (*words).to_owned(),
                    Err(_) => String::from("no words"),
                },
            };
            Violation { invariant: Invariant::Panic, words }
        }
    };
    Err(Box::new(Failure { seed, at: world.now, violation, last: Vec::new() }))
}

impl World {
    fn new(plan: Plan, lines: Option<Lines>) -> Self {
        let ledger = Ledger::new(&plan);
        let healed_at = if plan.calm { 0 } else { plan.quiet_at + crate::bound::back(&plan) };
        let workers = (0..plan.workers.len()).map(|_| Worker::default()).collect();
        let clients = vec![client::Client::default(); plan.tasks.len()];
        Self {
            draws: Draws::new(plan.seed),
            now: 0,
            queue: Queue::new(),
            network: Network::default(),
            disk: Disk::new(plan.sabotage),
            coordinator: Process::default(),
            workers,
            requests: BTreeMap::new(),
            clients,
            ledger,
            trace: Trace::new(lines),
            phase: Phase::Chaos,
            armed: Vec::new(),
            slow: (0, 0),
            healed_at,
            used: (None, 0),
            broken: None,
            events: 0,
            packets: 0,
            dials: 0,
            crashes: 0,
            seen: Seen::default(),
            plan,
        }
    }

    fn run(&mut self) -> Result<Report, Violation> {
        self.plan_events();
        while let Some((at, (life, event))) = self.queue.pop() {
            self.now = at;
            self.events += 1;
            self.happen(life, event);
            if self.events.is_multiple_of(AUDIT) {
                let judgement = self.ledger.audit(&mut *self.disk.reader());
                self.judge(judgement);
            }
            if let Some(violation) = self.broken.take() {
                return Err(violation);
            }
            if self.phase == Phase::Over {
                return Ok(self.report());
            }
            if self.events > EVENTS_MAX {
                return Err(Violation {
                    invariant: Invariant::Spinning,
                    words: format!("{EVENTS_MAX} events and no end"),
                });
            }
        }
        Err(Violation {
            invariant: Invariant::NotEnded,
            words: String::from("nothing will ever happen again"),
        })
    }

    fn report(&self) -> Report {
        Report {
            seed: self.plan.seed,
            hash: self.trace.hash(),
            events: self.events,
            packets: self.packets,
            lasted: self.now,
            tasks: self.ledger.ended,
            attempts: self.ledger.attempts,
            dials: self.dials,
            crashes: self.crashes,
            back: self.used.0.unwrap_or(0),
            ended: self.used.1,
            seen: Seen { dead: self.ledger.dead(), ..self.seen },
        }
    }

    fn plan_events(&mut self) {
        self.at(0, Event::Begin { who: Who::Coordinator });
        for index in 0..self.plan.workers.len() {
            self.at(0, Event::Begin { who: Who::Worker(index) });
        }
        for task in 0..self.plan.tasks.len() {
            self.at(self.plan.tasks[task].submit_at, Event::Submit { task });
            if let Some(at) = self.plan.tasks[task].again_at {
                self.at(at, Event::Again { task });
            }
            if let Some(at) = self.plan.tasks[task].clash_at {
                self.at(at, Event::Clash { task });
            }
        }
        for index in 0..self.plan.episodes.len() {
            self.at(self.plan.episodes[index].at, Event::Episode { index });
        }
        self.at(self.plan.quiet_at, Event::Quiet);
    }

    /// Plans an event for the present life of the process it concerns.
    fn at(&mut self, at: u64, event: Event) {
        let life = self.target(&event).map_or(0, |who| self.life(who));
        self.queue.push(at.max(self.now), (life, event));
    }

    fn after(&mut self, delay: u64, event: Event) {
        self.at(self.now + delay, event);
    }

    /// Notes the first broken promise; the run ends with it.
    fn judge(&mut self, judgement: Result<(), Violation>) {
        if let (Err(violation), None) = (judgement, &self.broken) {
            self.broken = Some(violation);
        }
    }

    fn break_promise(&mut self, invariant: Invariant, words: String) {
        self.judge(Err(Violation { invariant, words }));
    }

    /// Both sides are ours: neither ever breaks the protocol, whatever happens to them. Only of what a
    /// worker keeps to itself they may disagree.
    fn unless_violated(&mut self, who: Who, worker: Option<usize>, reason: Reason) {
        let swallowed = worker.is_some_and(|worker| !self.workers[worker].swallowed.is_empty());
        if reason == Reason::ProtocolError {
            let words = format!("{who:?} says that the protocol was broken");
            self.break_promise(Invariant::Wire, words);
        }
        if reason == Reason::OutOfStep && !swallowed {
            let words = format!("{who:?} says that both sides disagree");
            self.break_promise(Invariant::OutOfStep, words);
        }
    }

    /// In a calm world nothing of this kind happens, nor in any other once everybody is back.
    fn unless_calm(&mut self, words: impl FnOnce() -> String) {
        if self.now >= self.healed_at {
            self.break_promise(Invariant::NotCalm, words());
        }
    }

    /// The process whose driver gets this event.
    fn target(&self, event: &Event) -> Option<Who> {
        let end = |conn: usize, side| match side {
            Side::Worker => Who::Worker(self.network.conn(conn).worker),
            Side::Coordinator => Who::Coordinator,
        };
        match *event {
            Event::Wake { who, .. } | Event::Writable { who, .. } => Some(who),
            Event::Accepted { .. } | Event::Committed => Some(Who::Coordinator),
            Event::Opened { conn } | Event::DialFailed { conn, .. } => {
                Some(end(conn, Side::Worker))
            }
            Event::Deliver { conn, to, .. } | Event::Notice { conn, to, .. } => Some(end(conn, to)),
            Event::Done { worker, .. } => Some(Who::Worker(worker)),
            Event::Knock { .. }
            | Event::Submit { .. }
            | Event::Cancel { .. }
            | Event::Again { .. }
            | Event::Clash { .. }
            | Event::Episode { .. }
            | Event::Strike { .. }
            | Event::Thaw { .. }
            | Event::Kill { .. }
            | Event::Begin { .. }
            | Event::Quiet
            | Event::Look => None,
        }
    }

    fn happen(&mut self, life: u32, event: Event) {
        if let Some(who) = self.target(&event) {
            // Of a process that is gone: what it dialled, ran or committed is gone with it.
            if self.life(who) != life {
                self.forget(&event);
                return;
            }
            if let Event::Deliver { conn, .. } | Event::Notice { conn, .. } = event
                && self.is_held_up(conn)
            {
                let until = self.network.conn(conn).jammed + 1;
                self.queue.push(until, (life, event));
                return;
            }
            if self.is_frozen(who) {
                self.backlog(who, event);
                return;
            }
        }
        self.deal(event);
    }

    /// Gives an event to the process it concerns, or does it.
    fn deal(&mut self, event: Event) {
        match event {
            Event::Wake { who, at } => self.wake(who, at),
            Event::Knock { conn } => self.knock(conn),
            Event::Accepted { conn } => self.accepted(conn),
            Event::Opened { conn } => self.opened(conn),
            Event::DialFailed { conn, reason } => self.dial_failed(conn, reason),
            Event::Deliver { conn, to, lane } => self.deliver(conn, to, lane),
            Event::Notice { conn, to, reason } => self.notice(conn, to, reason),
            Event::Writable { conn, from, .. } => self.writable(conn, from),
            Event::Done { worker, run } => self.handler_done(worker, run),
            Event::Committed => self.committed(),
            Event::Submit { task } => self.submit(task),
            Event::Cancel { task } => self.cancel(task),
            Event::Again { task } => self.submit_again(task),
            Event::Clash { task } => self.clash(task),
            Event::Episode { index } => self.episode(index),
            Event::Strike { index, worker } => self.strike(index, worker),
            Event::Thaw { who } => self.thaw(who),
            Event::Kill { who, back } => self.kill(who, back),
            Event::Begin { who } => self.begin(who),
            Event::Quiet => self.quiet(),
            Event::Look => self.look(),
        }
    }

    fn wake(&mut self, who: Who, at: u64) {
        match who {
            Who::Coordinator => self.wake_coordinator(at),
            Who::Worker(index) => self.wake_worker(index, at),
        }
    }

    fn begin(&mut self, who: Who) {
        match who {
            Who::Coordinator => self.begin_coordinator(),
            Who::Worker(index) => self.begin_worker(index),
        }
    }
}
