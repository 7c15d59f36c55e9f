//! A searched world whose processes share a clock.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moorline_link::{ConnId, HubSettings, Instant, Lane, Reason, State, Wake};
use moorline_node::{
    Canonical, CoordinatorAction, CoordinatorEvent, CoordinatorInput, CoordinatorNode, DownFrame,
    Packet, Persist, Spec, StoreOp, UpFrame, WorkerAction, WorkerInput, WorkerNode,
};
use moorline_work::{RunPhase, TaskId, Ticket, WorkerId};

use super::TimedBounds;
use super::nodes::{LOST_AFTER, begin_coordinator, begin_worker, patience};
use super::step::TimedStep;
use crate::answers::Answers;
use crate::check::digest::Digest;
use crate::check::explore::Space;
use crate::check::process::{handler, task_id, worker_id};
use crate::check::rows::Rows;
use crate::plan::Side;
use crate::{Rule, Violation};

const FAR: Duration = Duration::from_secs(3_600);

/// A packet and when it was sent.
type Sent<F> = (Instant, Arc<Packet<F>>);
type Pipe<F> = [VecDeque<Sent<F>>; 2];

#[derive(Clone, Debug)]
struct Wire {
    name: ConnId,
    conn: ConnId,
    /// When it was dialled, or when one end was closed.
    since: Instant,
    open: bool,
    dead: bool,
    worker: bool,
    coordinator: bool,
    up: Pipe<UpFrame>,
    down: Pipe<DownFrame>,
    /// The last beat that was written, and what came back.
    beat: u32,
    answers: Answers,
}

/// A state.
#[derive(Clone, Debug)]
pub(super) struct World {
    now: Instant,
    workers: Vec<WorkerNode>,
    coordinator: CoordinatorNode,
    rows: Rows,
    wires: Vec<Vec<Wire>>,
    dials: Vec<u64>,
    /// By worker: when the coordinator took in its last packet.
    heard: Vec<Option<Instant>>,
    breaks: u8,
}

#[derive(Debug)]
pub(super) struct Model {
    bounds: TimedBounds,
}

fn broken(rule: Rule, words: String) -> Violation {
    Violation::new(rule, words)
}

/// What is due on a pipe: at once, or when it has taken as long as it may.
fn arrives<F>(pipe: &Pipe<F>, now: Instant, delay: Duration) -> impl Iterator<Item = Lane> + '_ {
    Lane::ALL.into_iter().filter(move |lane| {
        pipe[lane.index()].front().is_some_and(|(sent, _)| *sent == now || *sent + delay <= now)
    })
}

impl World {
    fn begin(bounds: &TimedBounds) -> Result<Self, Violation> {
        let now = Instant::from_nanos(1_000_000_000);
        let count = usize::from(bounds.workers);
        let mut rows = Rows::default();
        rows.begin();
        let mut world = Self {
            now,
            workers: (0..count).map(|index| begin_worker(index, now)).collect(),
            coordinator: begin_coordinator(now),
            rows,
            wires: vec![Vec::new(); count],
            dials: vec![0; count],
            heard: vec![None; count],
            breaks: 0,
        };
        world.settle(bounds)?;
        let spec = Spec { handler: handler(), priority: 0, max_retries: 0, timeout: None };
        let (ticket, task, payload) = (Ticket(0), task_id(0), Bytes::new());
        world.tell(bounds, CoordinatorInput::Submit { ticket, task, spec, payload })?;
        Ok(world)
    }

    fn silence(&self, worker: usize) -> Duration {
        self.heard[worker].map_or(Duration::MAX, |heard| self.now.since(heard))
    }

    fn tell(&mut self, bounds: &TimedBounds, input: CoordinatorInput) -> Result<(), Violation> {
        self.coordinator.handle(self.now, input);
        self.settle(bounds)
    }

    /// The coordinator's driver; a commit takes no time.
    fn settle(&mut self, bounds: &TimedBounds) -> Result<(), Violation> {
        loop {
            let mut wanted: Vec<Persist> = Vec::new();
            while let Some(action) = self.coordinator.poll_action() {
                match action {
                    CoordinatorAction::Persist(persist) => wanted.push(persist),
                    CoordinatorAction::Close { conn, .. } => self.closed_by_coordinator(conn),
                    CoordinatorAction::Flush { conn } => self.flush(conn),
                    CoordinatorAction::Event(event) => self.judge(bounds, &event)?,
                    // It was not made to authenticate anybody.
                    CoordinatorAction::Authenticate { .. }
                    | CoordinatorAction::Reply { .. }
                    | CoordinatorAction::Ended { .. } => {}
                }
            }
            let Some(last) = wanted.last() else { return Ok(()) };
            let up_to = last.id;
            let mut done = Vec::with_capacity(wanted.len());
            for persist in &wanted {
                self.judge_lease(&persist.op)?;
                done.push(self.rows.apply(&persist.op));
            }
            self.coordinator.handle(self.now, CoordinatorInput::Committed { up_to, done });
        }
    }

    fn closed_by_coordinator(&mut self, conn: ConnId) {
        let now = self.now;
        if let Some(wire) = self.wires.iter_mut().flatten().find(|wire| wire.conn == conn) {
            (wire.coordinator, wire.since) = (false, now);
            wire.up = Pipe::default();
        }
    }

    fn flush(&mut self, conn: ConnId) {
        while let Some(packet) = self.coordinator.poll_transmit(self.now, conn) {
            let now = self.now;
            let wires = self.wires.iter_mut().flatten();
            if let Some(wire) = wires.into_iter().find(|wire| wire.conn == conn && !wire.dead) {
                let sent = (now, Arc::new(packet));
                wire.down[sent.1.lane.index()].push_back(sent);
            }
        }
    }

    /// Who is declared dead was silent for as long as it was promised.
    #[allow(clippy::wildcard_enum_match_arm, reason = "events are open to additions")]
    fn judge(&self, bounds: &TimedBounds, event: &CoordinatorEvent) -> Result<(), Violation> {
        let hub = HubSettings::for_lost_after(LOST_AFTER);
        let (worker, least) = match event {
            CoordinatorEvent::Suspect { name, suspect: true } => (name, hub.suspect_after),
            CoordinatorEvent::Detached { name, reason: Reason::HeartbeatTimeout, .. } => {
                (name, hub.disconnect_after)
            }
            CoordinatorEvent::Lost { name } => (name, LOST_AFTER),
            CoordinatorEvent::Detached { name, .. } => (name, Duration::ZERO),
            _ => return Ok(()),
        };
        let index = worker.as_str()[1..].parse().unwrap_or(0);
        let silence = self.silence(index);
        if silence < least {
            let words = format!("{event:?} after {silence:?} of silence");
            return Err(broken(Rule::LostEarly, words));
        }
        if bounds.breaks == 0 {
            return Err(broken(Rule::NotCalm, format!("{event:?}, and nothing broke")));
        }
        Ok(())
    }

    /// Nobody else is given a task that somebody may still hold.
    fn judge_lease(&self, op: &StoreOp) -> Result<(), Violation> {
        let (key, to): (_, WorkerId) = match op {
            StoreOp::Lease { key, worker, .. } | StoreOp::Adopt { key, worker, .. } => {
                (key, *worker)
            }
            StoreOp::Submit { .. }
            | StoreOp::Claim { .. }
            | StoreOp::Unclaim { .. }
            | StoreOp::Leases
            | StoreOp::Lookup { .. }
            | StoreOp::Requeue { .. }
            | StoreOp::Finish { .. }
            | StoreOp::Cancel { .. }
            | StoreOp::Retry { .. }
            | StoreOp::Worker(_)
            | StoreOp::Forget { .. }
            | StoreOp::Workers
            | StoreOp::Event { .. } => return Ok(()),
        };
        for (index, worker) in self.workers.iter().enumerate() {
            if worker_id(index).0 != to.0
                && runs(worker, key.task)
                && self.silence(index) < LOST_AFTER
            {
                let words = format!(
                    "{key:?} is given to another worker {:?} after w{index}, which runs it, was heard",
                    self.silence(index)
                );
                return Err(broken(Rule::RanTwice, words));
            }
        }
        Ok(())
    }

    /// A worker is told something, and its driver.
    fn drive(
        &mut self,
        bounds: &TimedBounds,
        index: usize,
        input: WorkerInput,
    ) -> Result<(), Violation> {
        let now = self.now;
        let was = self.workers[index].state();
        self.workers[index].handle(now, input);
        loop {
            let mut is_over = true;
            while let Some(action) = self.workers[index].poll_action() {
                is_over = false;
                match action {
                    WorkerAction::Dial { conn: name, .. } => self.dial(index, name),
                    WorkerAction::Close { conn: name, reason } => {
                        let mut wires = self.wires[index].iter_mut();
                        if let Some(wire) = wires.find(|wire| wire.worker && wire.name == name) {
                            (wire.worker, wire.since) = (false, now);
                            wire.down = Pipe::default();
                            wire.judge(index, now, reason)?;
                        }
                    }
                    // A handler that is told to stop does at once.
                    WorkerAction::Abort { run, .. } => {
                        let outcome = moorline_work::Outcome::Cancelled;
                        let body = Bytes::new();
                        self.workers[index].handle(now, WorkerInput::Done { run, outcome, body });
                    }
                    // Nobody is sent elsewhere here.
                    WorkerAction::Start { .. }
                    | WorkerAction::Vet { .. }
                    | WorkerAction::Journal(_)
                    | WorkerAction::Event(_) => {}
                }
            }
            for place in 0..self.wires[index].len() {
                let wire = &mut self.wires[index][place];
                if !wire.worker || !wire.open {
                    continue;
                }
                while let Some(packet) = self.workers[index].poll_transmit(now, wire.name) {
                    is_over = false;
                    wire.count(&packet.frames);
                    if !wire.dead && wire.coordinator {
                        let lane = packet.lane.index();
                        wire.up[lane].push_back((now, Arc::new(packet)));
                    }
                }
            }
            if is_over {
                break;
            }
        }
        if bounds.breaks == 0
            && was == State::Active
            && self.workers[index].state() != State::Active
        {
            let words = format!("w{index} gives up its connection, and nothing broke");
            return Err(broken(Rule::NotCalm, words));
        }
        Ok(())
    }

    fn dial(&mut self, worker: usize, name: ConnId) {
        self.dials[worker] += 1;
        let conn = ConnId((worker as u64) << 32 | self.dials[worker]);
        self.wires[worker].push(Wire {
            name,
            conn,
            since: self.now,
            open: false,
            dead: false,
            worker: true,
            coordinator: false,
            up: Pipe::default(),
            down: Pipe::default(),
            beat: 0,
            answers: Answers::default(),
        });
    }

    /// Everything that can happen now, and when the next thing has to.
    fn look(&self, bounds: &TimedBounds) -> (Vec<TimedStep>, Option<Instant>) {
        let (now, delay) = (self.now, Duration::from_millis(bounds.delay));
        let mut steps = Vec::new();
        // What has to happen before time goes on, and when anything has to again.
        let mut moments: Vec<Instant> = Vec::new();
        for (index, worker) in self.workers.iter().enumerate() {
            match worker.next_wake() {
                Wake::At { deadline, .. } => {
                    moments.push(deadline);
                    if deadline <= now {
                        steps.push(TimedStep::Wake(Some(index)));
                    }
                }
                Wake::Now | Wake::OnInput => {}
            }
            for (place, wire) in self.wires[index].iter().enumerate() {
                let may = wire.since == now || wire.since + delay <= now;
                if !wire.open {
                    moments.push(wire.since + delay);
                    steps.extend(may.then_some(TimedStep::Open(index, place)));
                    continue;
                }
                let heads_up = wire.up.iter().filter_map(|lane| lane.front());
                let heads_down = wire.down.iter().filter_map(|lane| lane.front());
                moments.extend(heads_up.map(|(sent, _)| *sent + delay));
                moments.extend(heads_down.map(|(sent, _)| *sent + delay));
                let up = arrives(&wire.up, now, delay);
                steps.extend(up.map(|lane| TimedStep::Up(index, place, lane)));
                let down = arrives(&wire.down, now, delay);
                steps.extend(down.map(|lane| TimedStep::Down(index, place, lane)));
                let idle_up = wire.up.iter().all(VecDeque::is_empty);
                let idle_down = wire.down.iter().all(VecDeque::is_empty);
                let told = match (wire.worker, wire.coordinator) {
                    _ if wire.dead => None,
                    (true, false) if idle_down => Some(true),
                    (false, true) if idle_up => Some(false),
                    (true | false, true | false) => None,
                };
                if let Some(told) = told {
                    moments.push(wire.since + delay);
                    steps.extend(may.then_some(TimedStep::Tell(index, place, told)));
                }
                if self.breaks < bounds.breaks && !wire.dead && wire.worker && wire.coordinator {
                    let all = [None, Some(true), Some(false)];
                    steps.extend(all.map(|told| TimedStep::Break(index, place, told)));
                }
            }
        }
        if let Some(deadline) = self.coordinator.next_wake() {
            moments.push(deadline);
            steps.extend((deadline <= now).then_some(TimedStep::Wake(None)));
        }
        (steps, moments.into_iter().min())
    }

    fn take(&mut self, bounds: &TimedBounds, step: TimedStep) -> Result<(), Violation> {
        let (now, reason) = (self.now, Reason::TransportReset);
        match step {
            TimedStep::Pass => {
                if let Some(next) = self.look(bounds).1 {
                    self.now = next;
                }
                Ok(())
            }
            TimedStep::Wake(Some(worker)) => self.drive(bounds, worker, WorkerInput::Timeout),
            TimedStep::Wake(None) => self.tell(bounds, CoordinatorInput::Timeout),
            TimedStep::Open(worker, wire) => {
                let it = &mut self.wires[worker][wire];
                (it.open, it.coordinator) = (true, true);
                let (name, conn) = (it.name, it.conn);
                self.tell(bounds, CoordinatorInput::Accepted { conn })?;
                self.drive(bounds, worker, WorkerInput::Opened { conn: name })
            }
            TimedStep::Up(worker, wire, lane) => {
                let it = &mut self.wires[worker][wire];
                let Some((_, packet)) = it.up[lane.index()].pop_front() else { return Ok(()) };
                let conn = it.conn;
                self.heard[worker] = Some(now);
                let frames = packet.frames.clone();
                self.tell(bounds, CoordinatorInput::Packet { conn, frames })
            }
            TimedStep::Down(worker, wire, lane) => {
                let it = &mut self.wires[worker][wire];
                let Some((_, packet)) = it.down[lane.index()].pop_front() else { return Ok(()) };
                let (conn, frames) = (it.name, packet.frames.clone());
                for frame in &frames {
                    it.answers.hears(frame, it.beat, now.as_nanos());
                }
                self.drive(bounds, worker, WorkerInput::Packet { conn, frames })
            }
            TimedStep::Tell(worker, wire, told) | TimedStep::Break(worker, wire, Some(told)) => {
                let it = &mut self.wires[worker][wire];
                if matches!(step, TimedStep::Break(..)) {
                    self.breaks += 1;
                    it.die();
                }
                if told {
                    it.worker = false;
                    let conn = it.name;
                    self.drive(bounds, worker, WorkerInput::Closed { conn, reason })
                } else {
                    it.coordinator = false;
                    let conn = it.conn;
                    self.tell(bounds, CoordinatorInput::Closed { conn, reason })
                }
            }
            TimedStep::Break(worker, wire, None) => {
                self.breaks += 1;
                self.wires[worker][wire].die();
                Ok(())
            }
        }
    }
}

impl Wire {
    /// A worker writes these frames.
    fn count(&mut self, frames: &[UpFrame]) {
        for frame in frames {
            if let UpFrame::Beat(beat) = frame {
                self.beat = beat.seq;
            }
        }
    }

    /// A worker gives its coordinator up only if that was silent for long enough.
    fn judge(&self, worker: usize, now: Instant, reason: Reason) -> Result<(), Violation> {
        match self.answers.is_early(reason, self.beat, now.as_nanos(), patience()) {
            None => Ok(()),
            Some(words) => {
                let words = format!("w{worker} gives its coordinator up after {words}");
                Err(broken(Rule::GivenUpEarly, words))
            }
        }
    }

    fn die(&mut self) {
        self.dead = true;
        self.up = Pipe::default();
        self.down = Pipe::default();
    }

    fn end(&self, side: Side) -> bool {
        match side {
            Side::Worker => self.worker,
            Side::Coordinator => self.coordinator,
        }
    }

    fn is_gone(&self) -> bool {
        !self.end(Side::Worker) && !self.end(Side::Coordinator)
    }
}

/// Whether a worker runs a task and was not told to stop.
fn runs(worker: &WorkerNode, task: TaskId) -> bool {
    worker.runs().any(|run| run.key.task == task && run.phase == RunPhase::Running)
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { now, workers, coordinator, rows, wires, dials, heard, breaks } = self;
        // It ends at some time: so that is part of it.
        (now, rows, heard, breaks).hash(state);
        Canonical::new(coordinator, *now, FAR).hash(state);
        for ((worker, wires), dials) in workers.iter().zip(wires).zip(dials) {
            Canonical::new(worker, *now, FAR).hash(state);
            wires.len().hash(state);
            for wire in wires {
                let Wire {
                    name: _, conn, since, open, dead, worker, coordinator, up, down, ..
                } = wire;
                // Connections count from the last dial on.
                let nth = dials - (conn.0 & u64::from(u32::MAX));
                (nth, since, open, dead, worker, coordinator, up, down).hash(state);
                wire.answers.state(wire.beat).hash(state);
            }
        }
    }
}

impl Model {
    pub(super) const fn new(bounds: TimedBounds) -> Self {
        Self { bounds }
    }

    fn end(&self) -> Instant {
        Instant::from_nanos(1_000_000_000) + Duration::from_millis(self.bounds.lasts)
    }
}

impl Space for Model {
    type State = World;
    type Step = TimedStep;

    fn first(&self) -> World {
        World::begin(&self.bounds).unwrap_or_else(|broken| panic!("a world begins: {broken:?}"))
    }

    fn fingerprint(&self, state: &World) -> u128 {
        Digest::of(state)
    }

    fn steps(&self, state: &World) -> Vec<TimedStep> {
        let (mut steps, next) = state.look(&self.bounds);
        if next.is_some_and(|next| next > state.now && next <= self.end()) {
            steps.push(TimedStep::Pass);
        }
        steps
    }

    fn take(&self, state: &World, step: &TimedStep) -> Result<World, Violation> {
        let taken = catch_unwind(AssertUnwindSafe(|| {
            let mut after = state.clone();
            after.take(&self.bounds, *step)?;
            after.wires.iter_mut().for_each(|wires| wires.retain(|wire| !wire.is_gone()));
            Ok(after)
        }));
        taken.unwrap_or_else(|_| Err(broken(Rule::Panic, format!("{step}: the code panics"))))
    }

    fn is_fault(&self, step: &TimedStep) -> bool {
        matches!(step, TimedStep::Break(..))
    }

    /// It is over: from everywhere time has to come as far as that.
    fn is_done(&self, state: &World) -> bool {
        state.look(&self.bounds).1.is_none_or(|next| next > self.end())
    }
}
