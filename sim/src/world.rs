//! The loop: what happens next, to whom, and whether every promise was kept.

mod client;
mod codec;
mod coordinator;
mod faults;
mod moments;
mod phases;
mod process;
mod promises;
mod sabotage;
mod swallow;
mod twin;
mod wires;
mod worker;

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use moorline_link::{Lane, Reason};
use moorline_node::CoordinatorNode;
use moorline_work::{RunId, TaskKey, Ticket};

use crate::decide::{Decide, Decider, Decision, Log};
use crate::disk::Disk;
use crate::frame::FrameKind;
use crate::ledger::Ledger;
use crate::network::Network;
use crate::plan::{Configs, Plan, Side, TaskPlan, Who};
use crate::queue::Queue;
use crate::trace::{Happened, Recording, Shared, Trace, What};
use crate::{Failure, Report, Rule, Sabotage, Seen, Violation};
use client::Request;
use phases::Phase;
use process::Process;
use promises::Watch;
use worker::Worker;

/// Events between two audits of the store.
const AUDIT: u64 = 512;

/// Lines that a failure shows.
const LINES: usize = 400;

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

/// An event that will happen.
#[derive(Clone, Debug)]
struct Planned {
    /// In this life of the process that it concerns only.
    life: u32,
    /// The number of the record that led to it.
    cause: u32,
    event: Event,
}

/// A world: one coordinator, its workers, their clients, and what lies between them.
pub(crate) struct World {
    plan: Plan,
    configs: Configs,
    draws: Decider,
    now: u64,
    queue: Queue<Planned>,
    network: Network,
    disk: Disk,
    coordinator: Process<CoordinatorNode>,
    workers: Vec<Worker>,
    requests: BTreeMap<Ticket, Request>,
    clients: Vec<client::Client>,
    ledger: Ledger,
    trace: Trace,
    /// The number of the record that led to what happens now.
    cause: u32,
    /// What happens first now leads to all that follows from it.
    is_first: bool,
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
    watch: Watch,
    events: u64,
    events_max: u64,
    packets: u64,
    dials: u64,
    crashes: u64,
    seen: Seen,
}

/// Runs the world of this seed.
///
/// # Errors
/// The first promise that was broken, without the lines that led to it: [`Run::recorded`] has them.
pub fn run(seed: u64) -> Result<Report, Box<Failure>> {
    run_plan(Plan::new(seed))
}

/// Runs the world of a plan.
///
/// # Errors
/// The first promise that was broken.
pub fn run_plan(plan: Plan) -> Result<Report, Box<Failure>> {
    Run::new(plan).go().result
}

/// A run of a plan, and what of it is kept.
///
/// ```
/// use moorline_sim::{Plan, Run};
///
/// let outcome = Run::new(Plan::new(7)).recorded(1_000).with_decisions().go();
/// let report = outcome.result.expect("every promise is kept");
/// assert!(outcome.recording.is_some_and(|recording| recording.last() > 0));
/// assert!(!outcome.decisions.is_empty(), "not everything was benign");
/// # let _ = report;
/// ```
#[derive(Debug)]
pub struct Run {
    plan: Plan,
    keeps: Option<usize>,
    logs: bool,
    events_max: u64,
    decisions: Option<Box<dyn Decide>>,
    /// Where to record it, if somebody reads that meanwhile.
    shared: Option<Shared>,
}

/// What a run comes to.
#[derive(Debug)]
pub struct RunOutcome {
    /// Whether every promise was kept.
    pub result: Result<Report, Box<Failure>>,
    /// What happened, if that was asked for.
    pub recording: Option<Recording>,
    /// The decisions that were not benign, in the order in which they were taken, if they were asked for.
    pub decisions: Vec<Decision>,
    /// How many events there were.
    pub events: u64,
}

impl Run {
    /// A run of this plan of which nothing is kept. Settings that the machines do not take
    /// ([`Settings::is_fit`](crate::Settings::is_fit)) fail it at once.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let (events_max, shared) = (EVENTS_MAX, None);
        Self { plan, keeps: None, logs: false, events_max, decisions: None, shared }
    }

    /// Keeps the last so many records.
    #[must_use]
    pub fn recorded(self, keeps: usize) -> Self {
        Self { keeps: Some(keeps.max(1)), ..self }
    }

    /// Keeps what happens here, where somebody reads it meanwhile.
    #[must_use]
    pub(crate) fn recorded_in(self, recording: Shared) -> Self {
        Self { shared: Some(recording), ..self }
    }

    /// Keeps the decisions that were not benign.
    #[must_use]
    pub fn with_decisions(self) -> Self {
        Self { logs: true, ..self }
    }

    /// Ends it after so many events, 5,000,000 if nothing is said: as a run that goes round in circles.
    #[must_use]
    pub fn within(self, events_max: u64) -> Self {
        Self { events_max: events_max.min(EVENTS_MAX), ..self }
    }

    /// Has decisions taken by this one, instead of by the plan.
    #[must_use]
    pub fn decided_by(self, decisions: Box<dyn Decide>) -> Self {
        Self { decisions: Some(decisions), ..self }
    }

    /// Runs it.
    #[must_use]
    pub fn go(self) -> RunOutcome {
        let Self { plan, keeps, logs, events_max, decisions, shared } = self;
        let seed = plan.seed;
        let keeps = keeps.map(|keeps| Rc::new(RefCell::new(Recording::keeping(keeps))));
        let recording = shared.or(keeps);
        let draws = decisions.map_or_else(|| Decider::of(&plan), Decider::Other);
        let (draws, taken) = if logs {
            let log = Log::new(draws);
            let taken = log.taken();
            (Decider::Other(Box::new(log)), Some(taken))
        } else {
            (draws, None)
        };
        let configs = match plan.settings.configs() {
            Ok(configs) => configs,
            Err(unfit) => {
                let violation = Violation::new(Rule::Panic, unfit.to_string());
                let failure = Failure { seed, at: 0, violation, last: Vec::new() };
                return RunOutcome {
                    result: Err(Box::new(failure)),
                    recording: None,
                    decisions: Vec::new(),
                    events: 0,
                };
            }
        };
        let mut world = World::new(plan, configs, draws, recording.clone());
        world.events_max = events_max;
        // A panic in the machines is a failure like any other.
        let run = catch_unwind(AssertUnwindSafe(|| world.run()));
        let at = world.now;
        let violation = match run {
            Ok(Ok(report)) => Ok(report),
            Ok(Err(violation)) => Err(violation),
            Err(panic) => {
                let words = words_of(panic);
                world.break_promise(Rule::Panic, words.clone());
                Err(Violation::new(Rule::Panic, words))
            }
        };
        let events = world.events;
        drop(world);
        let recording = recording.map(|recording| recording.replace(Recording::keeping(1)));
        let last = || recording.as_ref().map_or_else(Vec::new, |recording| recording.lines(LINES));
        let result =
            violation.map_err(|violation| Box::new(Failure { seed, at, violation, last: last() }));
        let decisions = taken.map_or_else(Vec::new, |taken| taken.take());
        RunOutcome { result, recording, decisions, events }
    }
}

/// What a panic says.
fn words_of(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(words) => *words,
        Err(panic) => match panic.downcast::<&str>() {
            Ok(words) => (*words).to_owned(),
            Err(_) => String::from("no words"),
        },
    }
}

impl World {
    fn new(plan: Plan, configs: Configs, draws: Decider, recording: Option<Shared>) -> Self {
        let ledger = Ledger::new(&plan, configs.link.reconnect);
        let watch = Watch::of(&plan, configs.link.reconnect.backoff());
        let healed_at = if plan.is_calm() { 0 } else { plan.quiet_at + crate::bound::back(&plan) };
        let workers = (0..plan.workers.len()).map(|_| Worker::default()).collect();
        let clients = vec![client::Client::default(); plan.tasks.len()];
        Self {
            configs,
            draws,
            now: 0,
            queue: Queue::new(),
            network: Network::default(),
            disk: Disk::new(plan.sabotage),
            coordinator: Process::default(),
            workers,
            requests: BTreeMap::new(),
            clients,
            ledger,
            trace: Trace::new(recording),
            cause: 0,
            is_first: true,
            phase: Phase::Chaos,
            armed: Vec::new(),
            slow: (0, 0),
            healed_at,
            used: (None, 0),
            broken: None,
            watch,
            events: 0,
            events_max: EVENTS_MAX,
            packets: 0,
            dials: 0,
            crashes: 0,
            seen: Seen::default(),
            plan,
        }
    }

    fn run(&mut self) -> Result<Report, Violation> {
        self.plan_events();
        while let Some((at, planned)) = self.queue.pop() {
            self.now = at;
            self.events += 1;
            self.happen(planned);
            if self.events.is_multiple_of(AUDIT) {
                self.audit();
            }
            if let Some(violation) = self.broken.take() {
                return Err(violation);
            }
            if self.phase == Phase::Over {
                return Ok(self.report());
            }
            if self.events > self.events_max {
                let words = format!("{} events and no end", self.events_max);
                return Err(Violation::new(Rule::Spinning, words));
            }
        }
        Err(Violation::new(Rule::NotEnded, "nothing will ever happen again"))
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
        let begins_at = self.plan.coordinator.begins_at;
        self.at(begins_at, Event::Begin { who: Who::Coordinator });
        for index in 0..self.plan.workers.len() {
            if !self.plan.workers[index].absent {
                let at = self.plan.workers[index].begins_at;
                self.at(at, Event::Begin { who: Who::Worker(index) });
            }
        }
        for task in 0..self.plan.tasks.len() {
            if self.plan.tasks[task].absent {
                continue;
            }
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
        self.at_because(at, event, self.cause);
    }

    /// The same, for a reason that is not the one of everything that happens now.
    fn at_because(&mut self, at: u64, event: Event, cause: u32) {
        let life = self.target(&event).map_or(0, |who| self.life(who));
        self.queue.push(at.max(self.now), Planned { life, cause, event });
    }

    fn after(&mut self, delay: u64, event: Event) {
        self.at(self.now + delay, event);
    }

    /// Something else leads to what happens from here on.
    fn because_of(&mut self, cause: u32) {
        self.cause = cause;
        self.is_first = true;
    }

    /// Something happens. Its number, if it is recorded.
    fn note(&mut self, happened: Happened, words: impl FnOnce() -> String) -> u32 {
        let number = self.trace.note(self.now, self.cause, happened, words);
        if std::mem::take(&mut self.is_first) {
            self.cause = number;
        }
        number
    }

    /// What a packet says, frame by frame, after the packet itself.
    fn detail_frames<F: std::fmt::Debug>(
        &mut self,
        packet: u32,
        who: Who,
        conn: usize,
        frames: &[F],
        kind: impl Fn(&F) -> (FrameKind, Option<TaskKey>),
    ) {
        if !self.trace.is_recording() {
            return;
        }
        for frame in frames {
            let (kind, key) = kind(frame);
            let attempt = key.map_or(0, |key| u64::from(key.attempt.0));
            let says = What::Says.by(who).on(conn).value(attempt << 32 | kind as u64);
            let says = key.map_or(says, |key| says.about(TaskPlan::index_of(key.task)));
            self.trace
                .detail(self.now, packet, says, || format!("{who} says {frame:?} on c{conn}"));
        }
    }

    /// Notes the first broken promise; the run ends with it.
    fn judge(&mut self, judgement: Result<(), Violation>) {
        if let (Err(violation), None) = (judgement, &self.broken) {
            self.note(What::Violation.to_nobody(), || violation.to_string());
            self.broken = Some(violation);
        }
    }

    fn break_promise(&mut self, rule: Rule, words: String) {
        self.judge(Err(Violation::new(rule, words)));
    }

    /// Both sides are ours: neither ever breaks the protocol, whatever happens to them. Only of what a
    /// worker keeps to itself they may disagree.
    fn unless_violated(&mut self, who: Who, worker: Option<usize>, reason: Reason) {
        let swallowed = worker.is_some_and(|worker| !self.workers[worker].swallowed.is_empty());
        if reason == Reason::ProtocolError {
            let words = format!("{who:?} says that the protocol was broken");
            self.break_promise(Rule::Wire, words);
        }
        if reason == Reason::OutOfStep && !swallowed {
            let words = format!("{who:?} says that both sides disagree");
            self.break_promise(Rule::OutOfStep, words);
        }
    }

    /// In a calm world nothing of this kind happens, nor in any other once everybody is back.
    fn unless_calm(&mut self, words: impl FnOnce() -> String) {
        if self.now >= self.healed_at {
            let rule = if self.plan.is_calm() { Rule::NotCalm } else { Rule::Flaps };
            self.break_promise(rule, words());
        }
    }

    /// The same for what ends a connection: that does not happen either once everybody was seen to be
    /// back.
    fn unless_back(&mut self, words: impl FnOnce() -> String) {
        if self.used.0.is_some() && !self.plan.swallows() {
            self.break_promise(Rule::Flaps, words());
        } else {
            self.unless_calm(words);
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

    fn happen(&mut self, planned: Planned) {
        let Planned { life, cause, event } = planned;
        self.because_of(cause);
        if let Some(who) = self.target(&event) {
            // Of a process that is gone: what it dialled, ran or committed is gone with it.
            if self.life(who) != life {
                self.forget(&event);
                return;
            }
            if let Event::Deliver { conn, to, .. } | Event::Notice { conn, to, .. } = event
                && let Some(until) = self.is_held_up(conn, to)
            {
                self.queue.push(until + 1, Planned { life, cause, event });
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
