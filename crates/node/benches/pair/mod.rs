//! A coordinator and a worker, joined directly: what one writes is handed to the other as frames, without
//! bytes between them, and every handler ends at once. Both are served as their drivers do it: all that
//! has come goes in, then all that is due comes out, and a batch for the store is answered on the spot.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::{
    Backoff, ConnId, Epoch, HubConfig, Incarnation, Instant, LinkConfig, State, WorkerId,
};
use moorline_node::{
    ClientReply, CoordinatorAction, CoordinatorConfig, CoordinatorInput, CoordinatorNode, Done,
    DownFrame, Name, Packet, Persist, Spec, UpFrame, WorkerAction, WorkerConfig, WorkerInput,
    WorkerNode,
};
use moorline_work::{DispatcherConfig, Outcome, Reply, RunnerConfig, TaskId, Ticket};

use crate::kit::Run;

/// Length of each payload and of each result.
pub(crate) const BODY: usize = 64;

const SLOTS: u16 = 1_024;
/// Between two turns.
const TURN: Duration = Duration::from_micros(100);
/// Between two turns, while nothing is joined yet.
const JOINING: Duration = Duration::from_millis(100);
/// Packets written at one flush.
const QUANTUM: usize = 4;

const THERE: ConnId = ConnId(1);

/// Answers a batch.
pub(crate) type Commit = Box<dyn FnMut(Instant, &[Persist]) -> Vec<Done>>;

pub(crate) struct Pair {
    coordinator: CoordinatorNode,
    worker: WorkerNode,
    commit: Commit,
    now: Instant,
    /// The worker's name of the connection.
    here: Option<ConnId>,
    /// Asked for and not committed.
    asked: Vec<Persist>,
    down: Vec<Packet<DownFrame>>,
    up: Vec<Packet<UpFrame>>,
    spec: Spec,
    body: Bytes,
    submitted: u64,
    ended: u64,
}

impl Pair {
    /// A worker that is active, and a store that answers so.
    pub(crate) fn new(commit: Commit) -> Self {
        let name = |text| Name::new(text).expect("a name");
        let coordinator = CoordinatorConfig {
            hub: HubConfig::default(),
            dispatcher: DispatcherConfig::default(),
            retry: Backoff::default(),
            epoch: Epoch(1),
            software: name("bench"),
            seed: 1,
        };
        let worker = WorkerConfig {
            link: LinkConfig::default(),
            runner: RunnerConfig { slots: SLOTS, task_timeout: None },
            worker: WorkerId(1),
            incarnation: Incarnation(1),
            name: name("worker-1"),
            handlers: vec![name("hash")],
            software: name("bench"),
            seed: 1,
        };
        let now = Instant::from_nanos(1_000_000_000_000);
        let handler = name("hash");
        let mut pair = Self {
            coordinator: CoordinatorNode::new(coordinator, now),
            worker: WorkerNode::new(worker, now).expect("a good config"),
            commit,
            now,
            here: None,
            asked: Vec::new(),
            down: Vec::new(),
            up: Vec::new(),
            spec: Spec { handler, priority: 0, max_retries: 0, timeout: None },
            body: vec![7; BODY].into(),
            submitted: 0,
            ended: 0,
        };
        while pair.worker.state() != State::Active {
            pair.now = pair.now + JOINING;
            pair.turn();
        }
        pair
    }

    /// Tasks in and out, so many of them at a time.
    pub(crate) fn run(mut self, at_once: u64) -> Run {
        self.tasks(10 * at_once, at_once);
        Box::new(move |operations| self.tasks(operations, at_once))
    }

    /// So many tasks in, and as many out.
    pub(crate) fn tasks(&mut self, operations: u64, at_once: u64) {
        let until = self.submitted + operations;
        while self.ended < until {
            self.now = self.now + TURN;
            let room = at_once - (self.submitted - self.ended);
            for _ in 0..room.min(until - self.submitted) {
                self.submit();
            }
            self.turn();
        }
    }

    fn submit(&mut self) {
        self.submitted += 1;
        let n = self.submitted;
        // Spread over the numbers as ids of clients are.
        let task = TaskId(u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64 | u128::from(n));
        let (spec, payload) = (self.spec.clone(), self.body.clone());
        let input = CoordinatorInput::Submit { ticket: Ticket(n), task, spec, payload };
        self.coordinator.handle(self.now, input);
    }

    /// One turn of the coordinator and then one of the worker.
    fn turn(&mut self) {
        for packet in std::mem::take(&mut self.up) {
            let input = CoordinatorInput::Packet { conn: THERE, frames: packet.frames };
            self.coordinator.handle(self.now, input);
        }
        if self.coordinator.next_wake().is_some_and(|due| due <= self.now) {
            self.coordinator.handle(self.now, CoordinatorInput::Timeout);
        }
        self.act();
        while let Some(last) = self.asked.last() {
            let up_to = last.id;
            let done = (self.commit)(self.now, &self.asked);
            self.asked.clear();
            self.coordinator.handle(self.now, CoordinatorInput::Committed { up_to, done });
            self.act();
        }

        for packet in std::mem::take(&mut self.down) {
            let Some(conn) = self.here else { break };
            self.worker.handle(self.now, WorkerInput::Packet { conn, frames: packet.frames });
        }
        if self.worker.next_wake().deadline().is_some_and(|due| due <= self.now) {
            self.worker.handle(self.now, WorkerInput::Timeout);
        }
        self.obey();
        let Some(conn) = self.here else { return };
        while let Some(packet) = self.worker.poll_transmit(self.now, conn) {
            self.up.push(packet);
        }
        self.obey();
    }

    /// Does what the coordinator asks for.
    fn act(&mut self) {
        while let Some(action) = self.coordinator.poll_action() {
            match action {
                CoordinatorAction::Persist(persist) => self.asked.push(persist),
                CoordinatorAction::Flush { conn } => {
                    for _ in 0..QUANTUM {
                        let Some(packet) = self.coordinator.poll_transmit(self.now, conn) else {
                            break;
                        };
                        self.down.push(packet);
                    }
                }
                CoordinatorAction::Close { reason, .. } => {
                    panic!("nothing breaks here: {reason:?}")
                }
                CoordinatorAction::Reply { reply, .. } => {
                    assert_eq!(reply, ClientReply::Work(Reply::Submitted { again: false }));
                }
                CoordinatorAction::Ended { .. } => self.ended += 1,
                CoordinatorAction::Authenticate { .. } | CoordinatorAction::Event(_) => {}
            }
        }
    }

    /// Does what the worker asks for.
    fn obey(&mut self) {
        while let Some(action) = self.worker.poll_action() {
            match action {
                WorkerAction::Dial { conn, .. } => {
                    self.here = Some(conn);
                    self.coordinator.handle(self.now, CoordinatorInput::Accepted { conn: THERE });
                    self.worker.handle(self.now, WorkerInput::Opened { conn });
                }
                WorkerAction::Start { run, .. } => {
                    let (outcome, body) = (Outcome::Succeeded, self.body.clone());
                    self.worker.handle(self.now, WorkerInput::Done { run, outcome, body });
                }
                WorkerAction::Close { reason, .. } => panic!("nothing breaks here: {reason:?}"),
                WorkerAction::Abort { key, .. } => panic!("nothing is cancelled here: {key:?}"),
                WorkerAction::Vet { .. } | WorkerAction::Journal(_) | WorkerAction::Event(_) => {}
            }
        }
    }
}
