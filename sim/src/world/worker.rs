//! A worker's process: the real node, its driver, and its handlers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use moorline_link::{ConnId, Incarnation, Instant, Reason, State, Wake, WorkerId};
use moorline_node::{
    Name, UpFrame, WorkerAction, WorkerConfig, WorkerEvent, WorkerInput, WorkerNode,
};
use moorline_work::{AbortReason, Disposition, RunId, RunnerConfig, TaskId, TaskKey};

use super::credential::{Held, Pass};
use super::handlers::Run;
use super::journal::JournalDisk;
use super::links::Link;
use super::moments::Sent;
use super::process::Process;
use super::spells::Around;
use super::twin::Twinned;
use super::wires::NOWHERE;
use super::{Event, World};
use crate::decide::{Decide, Site, mix};
use crate::frame::FrameKind;
use crate::ledger::Answered;
use crate::network::End;
use crate::plan::{Dialled, HANDLERS, MS, Manner, SEC, Side, TaskPlan, Who};
use crate::trace::What;
use crate::{Rule, Sabotage};

/// Calls a driver makes at one instant before something is wrong.
const TURNS_MAX: u32 = 100_000;

/// A process that has given up is started anew after this time.
pub(crate) const RESTART: u64 = 5 * SEC;

/// A worker: its process, and what outlives it.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) process: Process<WorkerNode>,
    /// Which worker it is for the coordinator: itself, unless it is a second process of another one.
    pub(super) is: usize,
    /// Whose name it has.
    pub(super) called: usize,
    /// Nobody starts it any more then.
    pub(super) ends_at: u64,
    /// Which process it is: changes with each.
    pub(super) incarnation: u64,
    /// What becomes of its dials, until then.
    pub(super) dials: (u64, Dialled),
    /// The faults around it.
    pub(super) around: Around,
    /// What is wrong with its way to the coordinator: with what it sends, and with what it is sent.
    pub(super) links: [Link; 2],
    /// After a drain it comes back after this time.
    pub(super) back: Option<u64>,
    /// A drain has until then, by its own clock.
    pub(super) drained_by: Option<u64>,
    /// Tasks whose handlers ended by themselves and whose outcome was not answered.
    pub(super) unsettled: BTreeSet<TaskId>,
    /// What its handlers do.
    pub(super) runs: BTreeMap<RunId, Run>,
    /// Handlers of this process that ended, by task.
    pub(super) ended: BTreeMap<TaskId, u32>,
    /// What handlers of this process made of tasks.
    pub(super) results: BTreeMap<TaskId, Bytes>,
    /// What it proves itself with.
    pub(super) pass: Pass,
    /// What its process knows of that.
    pub(super) held: Held,
    /// It swallows questions until then, ...
    pub(super) swallows_until: u64,
    /// ... and never answers those about these attempts, in this session.
    pub(super) swallowed: BTreeSet<TaskKey>,
    /// How far the lanes of its session got: what it says, and what it is told.
    pub(super) sent: [Sent; 2],
    /// Its journal, which outlives its processes.
    pub(super) journal: Option<JournalDisk>,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            process: Process::default(),
            is: 0,
            called: 0,
            ends_at: u64::MAX,
            incarnation: 0,
            dials: (0, Dialled::Refused),
            around: Around::default(),
            links: [Link::default(); 2],
            back: None,
            drained_by: None,
            unsettled: BTreeSet::new(),
            runs: BTreeMap::new(),
            ended: BTreeMap::new(),
            results: BTreeMap::new(),
            pass: Pass::default(),
            held: Held::default(),
            swallows_until: 0,
            swallowed: BTreeSet::new(),
            sent: [Sent::default(); 2],
            journal: None,
        }
    }
}

/// The name all software here has.
pub(super) const SOFTWARE: &str = "sim";

pub(super) fn name(text: &str) -> Name {
    Name::new(text).expect("the names of a world are names")
}

impl World {
    pub(super) fn begin_worker(&mut self, index: usize) {
        let state = &self.workers[index];
        if state.process.node.is_some() || self.now >= state.ends_at {
            return;
        }
        let called = state.called;
        let plan = &self.plan.workers[index];
        let slots = plan.slots + u16::from(self.is_sabotaged(Sabotage::SlotsGrow));
        let life = u64::from(self.workers[index].process.life);
        let incarnation = mix(self.plan.seed ^ mix(index as u64) ^ life << 32);
        let mut config = WorkerConfig {
            link: self.configs.link,
            runner: RunnerConfig { slots, task_timeout: None },
            worker: WorkerId(plan.id),
            incarnation: Incarnation(incarnation),
            name: name(&format!("w{called}")),
            handlers: HANDLERS[..plan.handlers].iter().map(|handler| name(handler)).collect(),
            software: name(SOFTWARE),
            seed: mix(incarnation),
        };
        self.spoil_link(&mut config.link);
        let now = self.clock_of(index);
        let node = match WorkerNode::new(config, now) {
            Ok(node) => self.with_journal(index, node),
            Err(error) => {
                self.break_promise(Rule::Panic, format!("w{index} cannot begin: {error:?}"));
                return;
            }
        };
        self.ledger.worker_began(index, incarnation, now.as_nanos());
        let worker = &mut self.workers[index];
        worker.incarnation = incarnation;
        worker.back = None;
        worker.drained_by = None;
        worker.process.node = Some(Twinned::new(node));
        self.hold_token(index);
        let begins = What::Begins.by(Who::Worker(index)).value(incarnation);
        self.note(begins, || format!("w{index} begins as {incarnation:x}"));
        self.settle_worker(index);
    }

    pub(super) fn tell_worker(&mut self, index: usize, mut input: WorkerInput) {
        let now = self.clock_of(index);
        match input {
            WorkerInput::Kick(_)
            | WorkerInput::Reconnect
            | WorkerInput::Migrate
            | WorkerInput::Stop { .. }
            | WorkerInput::Vetted { .. }
            | WorkerInput::Restart => self.ledger.disturbed(index, now.as_nanos()),
            WorkerInput::Timeout
            | WorkerInput::Credential { .. }
            | WorkerInput::Opened { .. }
            | WorkerInput::Reached { .. }
            | WorkerInput::DialFailed { .. }
            | WorkerInput::Closed { .. }
            | WorkerInput::Packet { .. }
            | WorkerInput::Undecodable { .. }
            | WorkerInput::Done { .. }
            | WorkerInput::Journaled { .. }
            | WorkerInput::ResetStatistics => {}
        }
        if let WorkerInput::Stop { within } = input {
            let within = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
            let until = now.as_nanos().saturating_add(within);
            let worker = &mut self.workers[index];
            worker.drained_by = Some(worker.drained_by.map_or(until, |before| before.min(until)));
        }
        if let (WorkerInput::Stop { within }, true) =
            (&mut input, self.is_sabotaged(Sabotage::StopsAtOnce))
        {
            *within = Duration::ZERO;
        }
        if let Some(node) = &mut self.workers[index].process.node {
            node.both_with(input, |node, input| node.handle(now, input));
            self.settle_worker(index);
        }
    }

    pub(super) fn wake_worker(&mut self, index: usize, at: Instant) {
        if !self.workers[index].process.fires(at) {
            return;
        }
        if self.workers[index].process.is_spinning(self.now) {
            self.spins(Who::Worker(index));
            return;
        }
        // It is not run in time: by a fault, later than any driver would.
        let now = self.time_of(index);
        if now > at.as_nanos() + self.ledger.late() {
            self.ledger.disturbed(index, now);
        }
        let wakes = What::Wakes.by(Who::Worker(index));
        self.note(wakes, || format!("the timer of w{index} fires"));
        if self.is_sabotaged(Sabotage::ClockLags)
            && let Some(node) = &mut self.workers[index].process.node
        {
            node.both(|node| node.handle(Instant::ZERO, WorkerInput::Timeout));
            self.settle_worker(index);
        } else {
            self.tell_worker(index, WorkerInput::Timeout);
        }
        let now = self.clock_of(index);
        let next = self.workers[index].process.node.as_ref().map(|node| node.next_wake());
        if let Some(Wake::At { deadline, .. }) = next
            && deadline <= now
        {
            self.spins(Who::Worker(index));
        }
    }

    /// A connection takes packets again.
    pub(super) fn drive_worker(&mut self, index: usize) {
        self.settle_worker(index);
    }

    /// The driver: carries out what the machine wants, writes what connections take, sets the timer.
    fn settle_worker(&mut self, index: usize) {
        let now = self.clock_of(index);
        for turn in 0.. {
            if turn > TURNS_MAX {
                self.spins(Who::Worker(index));
                return;
            }
            let Some(node) = &mut self.workers[index].process.node else { return };
            if let Some(action) = node.both(WorkerNode::poll_action) {
                self.worker_action(index, action);
            } else if !self.write_worker(index, now) {
                break;
            }
        }
        self.rest_worker(index);
    }

    /// Writes one packet on any connection that takes it.
    fn write_worker(&mut self, index: usize, now: Instant) -> bool {
        for at in 0..self.network.of(index).len() {
            let conn = self.network.of(index)[at];
            if !self.is_writable(conn, Side::Worker) {
                self.block(conn, Side::Worker);
                continue;
            }
            let name = self.network.conn(conn).name;
            let Some(node) = &mut self.workers[index].process.node else { return false };
            let packet = node.both(|node| node.poll_transmit(now, name));
            let Some(mut packet) = packet else { continue };
            self.spoil_said_up(&mut packet.frames);
            if !packet.frames.iter().all(is_heartbeat) {
                self.spoke(index, || format!("w{index} says {:?}", packet.frames));
            }
            let judgement = self.ledger.worker_says(conn, &packet.frames);
            self.judge(judgement);
            self.note_up(index, &packet.frames);
            let bytes = moorline_wire::encode_up(&packet);
            self.unless_decoded_up(&packet, &bytes);
            let sends = What::Sends.by(Who::Worker(index)).on(conn).value(bytes.len() as u64);
            let cause =
                self.note(sends, || format!("w{index} sends {} bytes on c{conn}", bytes.len()));
            self.detail_frames(cause, Who::Worker(index), conn, &packet.frames, FrameKind::of_up);
            self.send(conn, Side::Worker, packet.lane, bytes, cause);
            return true;
        }
        false
    }

    /// Everything is said and done: when is it to be run again?
    fn rest_worker(&mut self, index: usize) {
        let Some(node) = &self.workers[index].process.node else { return };
        let (wake, state) = (node.next_wake(), node.state());
        match state {
            State::Shutdown => {
                self.unless_rid_of_all(index);
                self.worker_ended(index);
                return;
            }
            State::Failed => {
                let reason = node.link().reason;
                // Of two processes of one worker one is told so, and is right to stay away.
                let is_displaced = reason == Some(Reason::Superseded);
                if is_displaced && self.ledger.is_twofold(self.is(index)) {
                    self.seen.superseded += 1;
                } else if self.is_banned(reason) {
                    self.seen.banned += 1;
                } else {
                    self.break_promise(Rule::GaveUp, format!("w{index} gave up: {reason:?}"));
                }
                // Whoever looks after the process starts it anew. If it was to drain it has not: what it
                // had to say nobody takes any more.
                self.workers[index].back = Some(RESTART);
                self.worker_ended(index);
                return;
            }
            State::Disconnected | State::Connecting | State::Registered | State::Active => {}
        }
        match wake {
            Wake::Now => {
                let words = format!("w{index} wants to be run and has nothing to do");
                self.break_promise(Rule::Spinning, words);
            }
            Wake::At { deadline, .. } => {
                self.arm(Who::Worker(index), deadline);
            }
            Wake::OnInput => self.disarm(Who::Worker(index)),
        }
    }

    fn worker_action(&mut self, index: usize, action: WorkerAction) {
        match action {
            WorkerAction::Dial { conn: name, attempt, timeout: _, to } => {
                let registered = |conn: &&usize| !self.ledger.is_registered(**conn);
                let others = self.network.of(index).iter().filter(registered).count();
                let conn = self.network.dial(index, name);
                let (is, process) = (self.is(index), self.workers[index].incarnation);
                self.ledger.dialled_as(index, is, process);
                let judgement = self.ledger.dials(index, attempt, others, self.time_of(index));
                self.judge(judgement);
                self.count_dial();
                let dials = What::Dials.by(Who::Worker(index)).on(conn).value(attempt.into());
                self.note(dials, || format!("w{index} dials c{conn}, attempt {attempt}"));
                if self.dials >= self.plan.present().count() as u64 {
                    self.unless_back(Some(index), || format!("w{index} dials again"));
                }
                self.show_token(index, name);
                let is_misled = to.first().is_some_and(|to| to.as_str() == NOWHERE);
                if is_misled { self.dial_nowhere(conn) } else { self.dial(conn) }
            }
            // Whom to believe is not for the machines to find out.
            WorkerAction::Vet { conn: _, vet, endpoints } => {
                self.tell_worker(index, WorkerInput::Vetted { vet, endpoints });
            }
            WorkerAction::Close { conn: name, reason } => {
                if let Some(conn) = self.conn_of_worker(index, name) {
                    let judgement = self.ledger.worker_closes(conn, reason, self.time_of(index));
                    self.judge(judgement);
                    self.close(conn, Side::Worker, reason);
                    self.unless_worker_speaks(index, name);
                }
            }
            WorkerAction::Start { run, key, handler, payload, .. } => {
                self.start(index, run, key, &handler, &payload);
                if self.is_sabotaged(Sabotage::DriverRepeats) {
                    self.start(index, run, key, &handler, &payload);
                }
            }
            WorkerAction::Abort { run, reason, .. } => {
                self.seen.timed_out += u64::from(reason == AbortReason::TimedOut);
                let Some(running) = self.workers[index].runs.get_mut(&run) else { return };
                running.aborted = Some(self.now);
                let (task, attempt) = (TaskPlan::index_of(running.key.task), running.key.attempt.0);
                let stops = self.plan.tasks.get(task).map_or(0, |task| task.stops);
                let entity = self.workers[index].incarnation ^ run.0;
                let delay = self.draws.draw(Site::Handler, entity, 3, stops);
                let aborts = What::Aborts.by(Who::Worker(index)).about(task);
                let cause = self.note(aborts.value(attempt.into()), || {
                    format!("w{index} tells the handler of t{task} to stop: {reason:?}")
                });
                if !self.is_sabotaged(Sabotage::Ghosts) {
                    self.at_because(self.now + delay, Event::Done { worker: index, run }, cause);
                }
            }
            WorkerAction::Journal(write) => self.journal(index, write),
            WorkerAction::Event(event) => self.worker_event(index, &event),
        }
    }

    fn conn_of_worker(&self, index: usize, name: ConnId) -> Option<usize> {
        self.network.of(index).iter().copied().find(|conn| self.network.conn(*conn).name == name)
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "events are open to additions")]
    fn worker_event(&mut self, index: usize, event: &WorkerEvent) {
        let what = match event {
            WorkerEvent::Link(transition) => {
                What::State.by(Who::Worker(index)).value(transition.to as u64)
            }
            _ => What::Event.by(Who::Worker(index)),
        };
        self.note(what, || match event {
            WorkerEvent::Link(transition) => {
                let state = format!("{:?}", transition.to).to_lowercase();
                let why = transition.reason.map(|reason| format!(": {}", reason.name()));
                format!("w{index} is {state}{}", why.unwrap_or_default())
            }
            _ => format!("w{index}: {event:?}"),
        });
        match event {
            WorkerEvent::BeatMissed { .. } | WorkerEvent::Stalled { .. } => {
                match event {
                    WorkerEvent::BeatMissed { reason: Reason::OutOfStep, .. }
                        if self.workers[index].swallowed.is_empty() =>
                    {
                        let words = format!("w{index} and the coordinator disagree");
                        let (rule, words) =
                            self.out_of_step(index).unwrap_or((Rule::OutOfStep, words));
                        self.break_promise(rule, words);
                    }
                    WorkerEvent::Stalled { .. } => self.seen.stalled += 1,
                    _ => {}
                }
                self.unless_calm(Some(index), || format!("w{index}: {event:?}"));
            }
            WorkerEvent::Link(transition) => {
                let (to, reason) = (transition.to, transition.reason);
                if to == State::Disconnected {
                    self.token_refused(index, reason);
                }
                self.ledger.turned(index, to, reason, self.time_of(index));
                if let Some(reason) = transition.reason {
                    self.seen.unacked += u64::from(reason == Reason::HeartbeatUnacked);
                    self.unless_violated(Who::Worker(index), Some(index), reason);
                }
            }
            WorkerEvent::Dismissed { reason, .. } => {
                self.unless_violated(Who::Worker(index), Some(index), *reason);
            }
            WorkerEvent::Settled { key, disposition, .. } => {
                match disposition {
                    Disposition::LateAccepted => self.seen.late += 1,
                    Disposition::Stale | Disposition::Unknown => self.seen.stale += 1,
                    Disposition::Duplicate => self.seen.duplicate += 1,
                    Disposition::Accepted => {}
                }
                self.workers[index].unsettled.remove(&key.task);
                if *disposition != Disposition::Accepted {
                    self.unless_calm(Some(index), || format!("w{index}: {event:?}"));
                }
                let worker = &self.workers[index];
                let once = worker.ended.get(&key.task) == Some(&1);
                let success = worker.results.get(&key.task).filter(|_| once).cloned();
                let (key, disposition, incarnation) = (*key, *disposition, self.maker(index, *key));
                let answered = Answered { key, disposition, incarnation, success };
                let judgement = self.ledger.settled(&answered);
                self.judge(judgement);
            }
            WorkerEvent::HandedBack { key } => {
                self.workers[index].unsettled.remove(&key.task);
            }
            // Whatever else it says, now or later, is no fault.
            _ => {}
        }
    }

    // What the network tells a worker.

    pub(super) fn opened(&mut self, conn: usize) {
        let state = self.network.conn(conn);
        if state.end(Side::Worker) == End::Waiting {
            let (index, name) = (state.worker, state.name);
            self.network.open(conn, Side::Worker);
            let opens = What::Opens.by(Who::Worker(index)).on(conn);
            self.note(opens, || format!("c{conn} of w{index} is open"));
            self.tell_worker(index, WorkerInput::Opened { conn: name });
        }
    }

    pub(super) fn dial_failed(&mut self, conn: usize, reason: Reason) {
        let state = self.network.conn(conn);
        if state.end(Side::Worker) == End::Waiting {
            let (index, name) = (state.worker, state.name);
            self.network.close(conn, Side::Worker);
            let fails = What::DialFails.by(Who::Worker(index)).on(conn);
            self.note(fails.value(reason.code().into()), || {
                format!("w{index} fails to dial c{conn}: {reason}")
            });
            self.tell_worker(index, WorkerInput::DialFailed { conn: name, reason });
        }
    }

    pub(super) fn closed_for_worker(&mut self, conn: usize, reason: Reason) {
        let state = self.network.conn(conn);
        let (index, name) = (state.worker, state.name);
        self.tell_worker(index, WorkerInput::Closed { conn: name, reason });
    }

    pub(super) fn packet_for_worker(&mut self, conn: usize, packet: Bytes) {
        let state = self.network.conn(conn);
        let (index, name) = (state.worker, state.name);
        match moorline_wire::decode_down(packet) {
            Ok(decoded) => {
                let mut frames = decoded.frames;
                self.spoil_down(&mut frames);
                self.swallow_down(index, &mut frames);
                let now = self.time_of(index);
                self.ledger.worker_hears(conn, &frames, now);
                self.hears_answers(index, &frames);
                self.tell_worker(index, WorkerInput::Packet { conn: name, frames });
            }
            Err(error) => {
                self.break_promise(Rule::Wire, format!("w{index} on c{conn}: {error}"));
                self.tell_worker(index, WorkerInput::Undecodable { conn: name });
            }
        }
    }

    /// The process has ended by itself: after a drain, or because it has given up.
    fn worker_ended(&mut self, index: usize) {
        let back = self.workers[index].back.unwrap_or(MS);
        let gone = What::Gone.by(Who::Worker(index));
        self.note(gone, || format!("w{index} has ended in order"));
        self.end_worker(index, Manner::Asked);
        if self.is_closing() {
            return;
        }
        let who = Who::Worker(index);
        self.at(self.apart_until(who, back), Event::Begin { who });
    }

    /// The process is gone, with its handlers and its memory.
    pub(super) fn end_worker(&mut self, index: usize, manner: Manner) {
        self.crashes += u64::from(!self.is_closing());
        for conn in self.network.of(index).to_vec() {
            self.abandon(conn, Side::Worker, manner);
        }
        let worker = &mut self.workers[index];
        worker.process.end();
        worker.runs.clear();
        worker.ended.clear();
        worker.results.clear();
        worker.unsettled.clear();
        worker.swallowed.clear();
        self.journal_is_left(index);
    }
}

/// What travels also where there is nothing to do.
fn is_heartbeat(frame: &UpFrame) -> bool {
    match frame {
        UpFrame::Beat(_) | UpFrame::Statistics(_) => true,
        UpFrame::Hello { .. }
        | UpFrame::InventoryItem { .. }
        | UpFrame::InventoryEnd { .. }
        | UpFrame::Active
        | UpFrame::Ack(_)
        | UpFrame::Message(_)
        | UpFrame::Part(_)
        | UpFrame::Goodbye { .. } => false,
    }
}

/// A duration of the machines in the nanoseconds of a world.
pub(super) fn in_nanos(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}
