//! The loop: what happens next, to whom, and whether every promise was kept.

mod client;
mod clocks;
mod codec;
mod coordinator;
mod credential;
mod event;
mod faults;
mod handled;
mod handlers;
mod journal;
mod links;
mod moments;
mod phases;
mod process;
mod promises;
mod sabotage;
mod second;
mod spells;
mod swallow;
mod twin;
mod wires;
mod worker;

use std::collections::BTreeMap;
use std::time::Duration;

use moorline_link::{Instant, Reason};
use moorline_node::CoordinatorNode;
use moorline_work::{TaskId, TaskKey, Ticket};

use crate::decide::Decider;
use crate::disk::Disk;
use crate::frame::FrameKind;
use crate::ledger::Ledger;
use crate::network::Network;
use crate::plan::{Configs, Mode, Plan, Side, TaskPlan, Who, nanos};
use crate::queue::Queue;
use crate::simulate::Handled;
use crate::trace::{Happened, Shared, Trace, What};
use crate::{Coverage, Report, Rule, Sabotage, Seen, Violation};
use client::Request;
pub(crate) use clocks::rated;
use event::Event;
use phases::Phase;
use process::Process;
use promises::Watch;
pub(crate) use worker::RESTART;
use worker::Worker;

/// Events between two audits of the store.
const AUDIT: u64 = 512;

/// Events after which a run cannot be right any more.
pub(crate) const EVENTS_MAX: u64 = 5_000_000;

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
    /// Handlers that are somebody's own.
    handled: Option<Handled>,
    draws: Decider,
    pub(crate) now: u64,
    queue: Queue<Planned>,
    network: Network,
    disk: Disk,
    coordinator: Process<CoordinatorNode>,
    workers: Vec<Worker>,
    /// Where each task was ever started.
    starters: BTreeMap<TaskId, Vec<usize>>,
    requests: BTreeMap<Ticket, Request>,
    clients: Vec<client::Client>,
    /// How many of them have asked and do not know the answer.
    asking: usize,
    ledger: Ledger,
    /// Who was registered last under each name.
    names: BTreeMap<String, usize>,
    trace: Trace,
    /// The number of the record that led to what happens now.
    cause: u32,
    /// What happens first now leads to all that follows from it.
    is_first: bool,
    phase: Phase,
    /// Faults that last.
    spells: Vec<spells::Spell>,
    coverage: Coverage,
    /// Faults that wait for their moment.
    armed: Vec<usize>,
    /// Commits take this much longer, until then.
    slow: (u64, u64),
    /// Commits fail, until then.
    fails_until: u64,
    /// To find out who somebody is takes this much longer, until then.
    vetting: (u64, u64),
    /// The interval of heartbeats, as it is assigned.
    beat: u64,
    /// Silence after which a worker is suspect, and disconnected.
    suspect_after: u64,
    disconnect_after: u64,
    /// The coordinator runs late until then, by a fault of its own.
    late_until: u64,
    /// Bytes have changed on their way.
    is_tampered: bool,
    /// The store has lost what was durable.
    is_rolled_back: bool,
    /// From here on nothing may go wrong between the two sides any more.
    healed_at: u64,
    /// How much of their time everybody's return and everything's end took, in thousandths.
    used: (Option<u64>, u64),
    broken: Option<Violation>,
    watch: Watch,
    events: u64,
    /// After so many events everything is looked at.
    audit_at: u64,
    events_max: u64,
    packets: u64,
    dials: u64,
    crashes: u64,
    seen: Seen,
}

impl World {
    pub(crate) fn new(
        plan: Plan,
        configs: Configs,
        draws: Decider,
        recording: Option<Shared>,
        events_max: u64,
    ) -> Self {
        let plan = second::with_seconds(plan);
        let beat = plan.interval(&configs);
        let beat_interval = Duration::from_nanos(beat);
        let disconnect_after = nanos(configs.hub.disconnect_after(beat_interval));
        let ledger = Ledger::new(&plan, configs.link.reconnect, disconnect_after);
        let watch = Watch::of(&plan, configs.link.reconnect.backoff());
        let healed_at = if plan.is_calm() { 0 } else { plan.quiet_at + crate::bound::back(&plan) };
        let workers = second::workers(&plan);
        let clients = vec![client::Client::default(); plan.tasks.len()];
        Self {
            handled: None,
            draws,
            now: 0,
            queue: Queue::new(),
            network: Network::default(),
            disk: Disk::new(&plan.coordinator, plan.sabotage, plan.loses_commits()),
            coordinator: Process::default(),
            workers,
            starters: BTreeMap::new(),
            requests: BTreeMap::new(),
            clients,
            asking: 0,
            ledger,
            names: BTreeMap::new(),
            trace: Trace::new(recording),
            cause: 0,
            is_first: true,
            phase: Phase::Chaos,
            spells: Vec::new(),
            coverage: Coverage::default(),
            armed: Vec::new(),
            slow: (0, 0),
            fails_until: 0,
            vetting: (0, 0),
            beat,
            suspect_after: nanos(configs.hub.suspect_after(beat_interval)),
            disconnect_after,
            late_until: 0,
            is_tampered: false,
            is_rolled_back: false,
            healed_at,
            used: (None, 0),
            broken: None,
            watch,
            events: 0,
            audit_at: AUDIT,
            events_max,
            packets: 0,
            dials: 0,
            crashes: 0,
            seen: Seen::default(),
            configs,
            plan,
        }
    }

    /// An audit looks at every task and every worker: in a large world there are fewer of them, so that
    /// they take no larger share of the time.
    fn audit_every(&self) -> u64 {
        AUDIT.max(4 * (self.plan.tasks.len() + self.plan.workers.len()) as u64)
    }

    pub(crate) fn run(&mut self) -> Result<Report, Violation> {
        self.plan_events();
        while let Some((at, planned)) = self.queue.pop() {
            self.now = at;
            self.events += 1;
            self.happen(planned);
            if self.events >= self.audit_at {
                self.audit();
                self.audit_at = self.events + self.audit_every();
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

    /// How many there were so far.
    pub(crate) const fn events(&self) -> u64 {
        self.events
    }

    /// Which faults met which states and frames, unless the report has it.
    pub(crate) fn covered(&mut self) -> Coverage {
        std::mem::take(&mut self.coverage)
    }

    fn report(&mut self) -> Report {
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
            coverage: std::mem::take(&mut self.coverage),
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
        if let Some(lull) = self.plan.lull {
            self.at(lull.at + lull.lasts, Event::LullEnds);
        }
        self.at(self.plan.quiet_at, Event::Quiet);
    }

    /// Plans an event for the present life of the process it concerns.
    fn at(&mut self, at: u64, event: Event) {
        self.at_because(at, event, self.cause);
    }

    /// The same, for a reason that is not the one of everything that happens now.
    fn at_because(&mut self, at: u64, event: Event, cause: u32) {
        // What never happens.
        if at == u64::MAX {
            return;
        }
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

    /// Whether it is to be kept here, after what has happened.
    fn is_promised(&self, rule: Rule) -> bool {
        match (self.plan.mode, rule) {
            (Mode::Honest, _) | (Mode::Hostile, Rule::Panic | Rule::Spinning) => true,
            // A store that has lost what was durable cannot know, nor can anybody tell a result that was
            // changed on its way from one that was made.
            (Mode::Hostile, Rule::ResultInvented) => !self.is_tampered && !self.is_rolled_back,
            (Mode::Hostile, Rule::TaskLost | Rule::AppliedTwice | Rule::Grown) => {
                !self.is_rolled_back
            }
            // What comes again or changed is what breaks the others.
            (Mode::Hostile, _) => false,
        }
    }

    /// Notes the first broken promise; the run ends with it.
    fn judge(&mut self, judgement: Result<(), Violation>) {
        if let (Err(violation), None) = (judgement, &self.broken)
            && self.is_promised(violation.rule)
        {
            self.note(What::Violation.to_nobody(), || violation.to_string());
            self.broken = Some(violation);
        }
    }

    pub(crate) fn break_promise(&mut self, rule: Rule, words: String) {
        self.judge(Err(Violation::new(rule, words)));
    }

    /// The same where it does not matter what others do.
    fn break_always(&mut self, rule: Rule, words: String) {
        if self.broken.is_none() {
            let violation = Violation::new(rule, words);
            self.note(What::Violation.to_nobody(), || violation.to_string());
            self.broken = Some(violation);
        }
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

    /// In a calm world nothing of this kind happens, nor in any other once everybody is back: to a worker
    /// of the core.
    fn unless_calm(&mut self, worker: Option<usize>, words: impl FnOnce() -> String) {
        if self.now >= self.healed_at && self.is_of_core(worker) && !self.is_closing() {
            let rule = if self.plan.is_calm() { Rule::NotCalm } else { Rule::Flaps };
            self.break_promise(rule, words());
        }
    }

    /// The same for what ends a connection: that does not happen either once everybody was seen to be
    /// back.
    fn unless_back(&mut self, worker: Option<usize>, words: impl FnOnce() -> String) {
        let is_back = self.used.0.is_some() && !self.plan.swallows();
        if is_back && self.is_of_core(worker) && !self.is_closing() {
            self.break_promise(Rule::Flaps, words());
        } else {
            self.unless_calm(worker, words);
        }
    }

    /// Whether it has to be there after the faults; if it is not known who it is: whether all have to.
    fn is_of_core(&self, worker: Option<usize>) -> bool {
        worker.map_or_else(|| self.plan.core.is_none(), |worker| self.plan.is_core(worker))
    }

    /// The process whose driver gets this event.
    fn target(&self, event: &Event) -> Option<Who> {
        let end = |conn: usize, side| match side {
            Side::Worker => Who::Worker(self.network.conn(conn).worker),
            Side::Coordinator => Who::Coordinator,
        };
        match *event {
            Event::Wake { who, .. } | Event::Writable { who, .. } => Some(who),
            Event::Accepted { .. } | Event::Vetted { .. } | Event::Committed => {
                Some(Who::Coordinator)
            }
            Event::Opened { conn } | Event::DialFailed { conn, .. } => {
                Some(end(conn, Side::Worker))
            }
            Event::Deliver { conn, to, .. }
            | Event::Ghost { conn, to, .. }
            | Event::Notice { conn, to, .. } => Some(end(conn, to)),
            Event::Done { worker, .. } | Event::Journaled { worker } => Some(Who::Worker(worker)),
            Event::Knock { .. }
            | Event::Submit { .. }
            | Event::Cancel { .. }
            | Event::Again { .. }
            | Event::Clash { .. }
            | Event::Episode { .. }
            | Event::Strike { .. }
            | Event::GoesOn { .. }
            | Event::Next { .. }
            | Event::Thaw { .. }
            | Event::Kill { .. }
            | Event::Begin { .. }
            | Event::LullEnds
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
        }
        if let Some(until) = event.travels_to().and_then(|(conn, to)| self.is_held_up(conn, to)) {
            if until == u64::MAX {
                self.forget(&event);
            } else {
                self.queue.push(until + 1, Planned { life, cause, event });
            }
            return;
        }
        match self.target(&event) {
            Some(who) if self.is_frozen(who) => self.backlog(who, event),
            Some(who) => self.deal_in_time(who, event),
            None => self.deal(event),
        }
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
            Event::Ghost { conn, to, packet } => self.haunt(conn, to, packet),
            Event::Notice { conn, to, reason } => self.notice(conn, to, reason),
            Event::Writable { conn, from, .. } => self.writable(conn, from),
            Event::Done { worker, run } => self.handler_done(worker, run),
            Event::Vetted { conn, incarnation, refused } => {
                self.vetted(conn, incarnation, refused);
            }
            Event::Committed => self.committed(),
            Event::Journaled { worker } => self.journaled(worker),
            Event::Submit { task } => self.submit(task),
            Event::Cancel { task } => self.cancel(task),
            Event::Again { task } => self.submit_again(task),
            Event::Clash { task } => self.clash(task),
            Event::Episode { index } => self.episode(index),
            Event::Strike { index, worker } => self.strike(index, worker),
            Event::GoesOn { index, fault, step } => self.goes_on(index, fault, step),
            Event::Next { who } => self.next(who),
            Event::Thaw { who, since } => self.thaw(who, since),
            Event::Kill { who, back, kept } => self.kill(who, back, kept),
            Event::Begin { who } => self.begin(who),
            Event::LullEnds => self.lull_ends(),
            Event::Quiet => self.quiet(),
            Event::Look => self.look(),
        }
    }

    fn wake(&mut self, who: Who, at: Instant) {
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
