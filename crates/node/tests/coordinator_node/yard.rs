//! A coordinator node with three real workers and a small store, in any order of events.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::*;
use moorline_node::*;
use moorline_work::{DispatcherConfig, Outcome, RunId, RunnerConfig, TaskId, Ticket};

use crate::script::{name, spec};
use crate::store::Shelf;

pub(crate) const WORKERS: usize = 3;

/// A call of the coordinator and what came out of it, to be repeated.
#[derive(Clone)]
pub(crate) enum Call {
    Handle(Instant, CoordinatorInput),
    PollAction(Option<CoordinatorAction>),
    PollTransmit(Instant, ConnId, Option<Packet<DownFrame>>),
}

pub(crate) struct Yard {
    pub(crate) node: CoordinatorNode,
    pub(crate) now: Instant,
    shelf: Shelf,
    /// Handed out and not committed.
    asked: Vec<Persist>,
    /// Connections that said that they have something to write.
    flush: Vec<ConnId>,
    sites: Vec<Site>,
    last: u64,
    pub(crate) record: Vec<Call>,
    /// Every payload and result.
    pub(crate) bodies: Vec<Bytes>,
}

struct Site {
    node: WorkerNode,
    pipe: Option<Pipe>,
    runs: Vec<RunId>,
}

/// One connection, by the name each side gave it.
#[derive(Clone, Copy)]
struct Pipe {
    there: ConnId,
    here: ConnId,
    writable: bool,
}

pub(crate) fn coordinator() -> CoordinatorNode {
    let config = CoordinatorConfig {
        hub: HubConfig::default(),
        dispatcher: DispatcherConfig::default(),
        retry: Backoff::default(),
        epoch: Epoch(3),
        software: name("test"),
        seed: 1,
    };
    CoordinatorNode::new(config, Instant::ZERO)
}

fn site(number: usize) -> Site {
    let config = WorkerConfig {
        link: LinkConfig::default(),
        runner: RunnerConfig { slots: 2, task_timeout: None },
        worker: WorkerId(number as u128 + 1),
        incarnation: Incarnation(1),
        name: name(&format!("w{number}")),
        handlers: vec![name("hash")],
        software: name("test"),
        seed: number as u64,
    };
    let node = WorkerNode::new(config, Instant::ZERO).expect("a good config");
    Site { node, pipe: None, runs: Vec::new() }
}

impl Yard {
    pub(crate) fn new() -> Self {
        Self {
            node: coordinator(),
            now: Instant::ZERO,
            shelf: Shelf::default(),
            asked: Vec::new(),
            flush: Vec::new(),
            sites: (0..WORKERS).map(site).collect(),
            last: 0,
            record: Vec::new(),
            bodies: Vec::new(),
        }
    }

    fn handle(&mut self, input: CoordinatorInput) {
        self.record.push(Call::Handle(self.now, input.clone()));
        self.node.handle(self.now, input);
        self.check_laws();
    }

    /// L1, L3 and L4.
    fn check_laws(&self) {
        let mut drained = self.node.clone();
        if drained.poll_action().is_some() {
            assert!(self.node.next_wake().is_some_and(|wake| wake <= self.now), "L1");
            return;
        }
        assert!(drained == self.node, "L3: polling a drained node changed it");
        let wake = self.node.next_wake().expect("it measures its own stalls");
        if wake > self.now {
            for early in [self.now, self.now + wake.since(self.now) / 2] {
                drained.handle(early, CoordinatorInput::Timeout);
                assert!(drained == self.node, "L4: an early timeout changed the node");
            }
        }
    }

    pub(crate) fn timeout(&mut self) {
        self.handle(CoordinatorInput::Timeout);
        self.act();
        assert!(self.node.next_wake().is_none_or(|wake| wake > self.now), "L2: it would spin");
        for at in 0..WORKERS {
            self.sites[at].node.handle(self.now, WorkerInput::Timeout);
            self.obey(at);
        }
    }

    /// Takes every action of the coordinator.
    pub(crate) fn act(&mut self) {
        loop {
            let action = self.node.poll_action();
            self.record.push(Call::PollAction(action.clone()));
            match action {
                Some(CoordinatorAction::Persist(persist)) => self.asked.push(persist),
                Some(CoordinatorAction::Flush { conn }) => self.flush.push(conn),
                Some(CoordinatorAction::Close { conn, reason }) => {
                    if let Some(at) = self.site_of(conn) {
                        self.hang_up(at, reason);
                    }
                }
                Some(
                    CoordinatorAction::Authenticate { .. }
                    | CoordinatorAction::Reply { .. }
                    | CoordinatorAction::Ended { .. }
                    | CoordinatorAction::Event(_),
                ) => {}
                None => break,
            }
        }
        self.check_laws();
    }

    /// Writes up to so many packets of the coordinator.
    pub(crate) fn write(&mut self, most: usize) {
        for _ in 0..most {
            let Some(conn) = self.flush.pop() else { break };
            let Some(at) = self.site_of(conn) else { continue };
            if !self.sites[at].pipe.is_some_and(|pipe| pipe.writable) {
                continue;
            }
            let packet = self.node.poll_transmit(self.now, conn);
            self.record.push(Call::PollTransmit(self.now, conn, packet.clone()));
            self.check_laws();
            let Some(Packet { lane, frames }) = packet else { continue };
            let bytes: usize = frames.iter().map(DownFrame::size_bound).sum();
            assert!(!frames.is_empty() && bytes <= PACKET_MAX, "{lane:?}: {bytes} bytes");
            self.flush.push(conn);
            if let Some(pipe) = self.sites[at].pipe {
                self.sites[at]
                    .node
                    .handle(self.now, WorkerInput::Packet { conn: pipe.there, frames });
                self.obey(at);
            }
        }
    }

    /// Commits the first so many operations.
    pub(crate) fn commit(&mut self, most: usize) {
        let batch: Vec<_> = self.asked.drain(..self.asked.len().min(most)).collect();
        let Some(up_to) = batch.last().map(|persist| persist.id) else { return };
        let done = batch.into_iter().map(|persist| self.shelf.apply(persist.op)).collect();
        self.handle(CoordinatorInput::Committed { up_to, done });
    }

    /// A worker writes a packet, if it has one.
    pub(crate) fn hear(&mut self, at: usize) -> bool {
        let Some(pipe) = self.sites[at].pipe else { return false };
        let Some(packet) = self.sites[at].node.poll_transmit(self.now, pipe.there) else {
            return false;
        };
        self.obey(at);
        self.handle(CoordinatorInput::Packet { conn: pipe.here, frames: packet.frames });
        true
    }

    /// Does what a worker wants done.
    fn obey(&mut self, at: usize) {
        while let Some(action) = self.sites[at].node.poll_action() {
            match action {
                WorkerAction::Dial { conn, .. } => {
                    self.last += 1;
                    let here = ConnId(self.last);
                    self.sites[at].pipe = Some(Pipe { there: conn, here, writable: true });
                    self.handle(CoordinatorInput::Accepted { conn: here });
                    self.sites[at].node.handle(self.now, WorkerInput::Opened { conn });
                }
                WorkerAction::Close { conn, reason } => {
                    let pipe = self.sites[at].pipe.take_if(|pipe| pipe.there == conn);
                    if let Some(Pipe { here, .. }) = pipe {
                        self.handle(CoordinatorInput::Closed { conn: here, reason });
                    }
                }
                WorkerAction::Start { run, .. } => self.sites[at].runs.push(run),
                WorkerAction::Abort { .. }
                | WorkerAction::Vet { .. }
                | WorkerAction::Journal(_)
                | WorkerAction::Event(_) => {}
            }
        }
    }

    pub(crate) fn submit(&mut self, task: u128, len: usize) {
        let payload = Bytes::from(vec![7; len]);
        self.bodies.push(payload.clone());
        let (ticket, task) = (Ticket(0), TaskId(task));
        self.handle(CoordinatorInput::Submit { ticket, task, spec: spec(), payload });
    }

    pub(crate) fn cancel(&mut self, task: u128) {
        self.handle(CoordinatorInput::Cancel { ticket: Ticket(1), task: TaskId(task) });
    }

    pub(crate) fn done(&mut self, at: usize, outcome: Outcome, len: usize) {
        let Some(run) = self.sites[at].runs.pop() else { return };
        let body = Bytes::from(vec![9; len]);
        self.bodies.push(body.clone());
        self.sites[at].node.handle(self.now, WorkerInput::Done { run, outcome, body });
        self.obey(at);
    }

    pub(crate) fn stop(&mut self, at: usize) {
        let within = Duration::from_secs(30);
        self.sites[at].node.handle(self.now, WorkerInput::Stop { within });
        self.obey(at);
    }

    /// The connection breaks, for both sides.
    pub(crate) fn cut(&mut self, at: usize) {
        let Some(pipe) = self.sites[at].pipe else { return };
        let reason = Reason::TransportReset;
        self.handle(CoordinatorInput::Closed { conn: pipe.here, reason });
        self.hang_up(at, reason);
    }

    /// Anything at all, said on the connection of a worker.
    pub(crate) fn say(&mut self, at: usize, frames: Vec<UpFrame>) {
        let Some(pipe) = self.sites[at].pipe else { return };
        self.handle(CoordinatorInput::Packet { conn: pipe.here, frames });
    }

    pub(crate) fn set_writable(&mut self, at: usize, writable: bool) {
        let Some(pipe) = &mut self.sites[at].pipe else { return };
        pipe.writable = writable;
        let conn = pipe.here;
        self.handle(if writable {
            CoordinatorInput::Writable { conn }
        } else {
            CoordinatorInput::Unwritable { conn }
        });
    }

    /// All workers are gone for good, and everything ends that has not.
    pub(crate) fn abandon(&mut self, tasks: u128) {
        for at in 0..WORKERS {
            self.cut(at);
        }
        self.sites.clear();
        for _ in 0..600 {
            self.act();
            self.commit(usize::MAX);
            self.now = self.now.max(self.node.next_wake().expect("a pulse"));
            self.handle(CoordinatorInput::Timeout);
        }
        (0..tasks).for_each(|task| self.cancel(task));
        while {
            self.act();
            !self.asked.is_empty()
        } {
            self.commit(usize::MAX);
        }
    }

    fn site_of(&self, conn: ConnId) -> Option<usize> {
        self.sites.iter().position(|site| site.pipe.is_some_and(|pipe| pipe.here == conn))
    }

    fn hang_up(&mut self, at: usize, reason: Reason) {
        if let Some(pipe) = self.sites[at].pipe.take() {
            self.sites[at].node.handle(self.now, WorkerInput::Closed { conn: pipe.there, reason });
            self.obey(at);
        }
    }
}
