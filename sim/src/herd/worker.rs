//! A worker's process: the real node and its driver.

use bytes::Bytes;
use moorline_link::{Incarnation, Reason, State, WorkerId};
use moorline_node::{Name, WorkerAction, WorkerConfig, WorkerEvent, WorkerInput, WorkerNode};
use moorline_work::RunnerConfig;

use std::time::Duration;

use super::RATE;
use super::fleet::{Event, Fleet, Member};
use crate::decide::{Decide, Site, mix};
use crate::network::End;
use crate::plan::{Side, nanos};

pub(super) fn name(text: &str) -> Name {
    Name::new(text).expect("a short word is a name")
}

impl Fleet {
    pub(super) fn begin_worker(&mut self, worker: usize) {
        let id = worker as u64 + 1;
        let config = WorkerConfig {
            link: self.herd.policy.link(),
            runner: RunnerConfig { slots: 1, task_timeout: None },
            worker: WorkerId(id.into()),
            incarnation: Incarnation(id),
            name: name(&format!("w{worker}")),
            handlers: vec![name("work")],
            software: name("herd"),
            seed: mix(self.herd.seed ^ mix(id)),
        };
        let node = WorkerNode::new(config, self.clock()).expect("it has a slot and a handler");
        let conns = Vec::new();
        self.members[worker] =
            Some(Member { node, wake: None, due: None, conns, dials: 0, active: None });
        if self.herd.policy.is_scheduled() {
            self.tell_worker(worker, WorkerInput::Reconnect);
        } else {
            self.settle_worker(worker);
        }
    }

    fn tell_worker(&mut self, worker: usize, input: WorkerInput) {
        let now = self.clock();
        self.member(worker).node.handle(now, input);
        self.settle_worker(worker);
    }

    pub(super) fn wake_worker(&mut self, worker: usize) {
        let now = self.now;
        let member = self.member(worker);
        if member.wake == Some(now) {
            member.wake = None;
            self.tell_worker(worker, WorkerInput::Timeout);
        }
    }

    /// The driver: carries out what the node wants, writes what it has to say, sets the timer.
    fn settle_worker(&mut self, worker: usize) {
        loop {
            if let Some(action) = self.member(worker).node.poll_action() {
                self.worker_action(worker, action);
            } else if !self.write_worker(worker) {
                break;
            }
        }
        let now = self.now;
        let member = self.member(worker);
        let wake = member.node.next_wake().deadline().map(|at| at.as_nanos().max(now));
        if let Some(at) = wake
            && member.wake != wake
        {
            self.queue.push(at, Event::Wake { worker });
        }
        self.member(worker).wake = wake;
    }

    /// Writes one packet.
    fn write_worker(&mut self, worker: usize) -> bool {
        let now = self.clock();
        for at in 0..self.member(worker).conns.len() {
            let conn = self.member(worker).conns[at];
            let Some(state) = self.conns.get(conn) else { continue };
            let name = state.name;
            if state.end(Side::Worker) == End::Open
                && let Some(packet) = self.member(worker).node.poll_transmit(now, name)
            {
                self.send(conn, Side::Worker, moorline_wire::encode_up(&packet));
                return true;
            }
        }
        false
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "events are open to additions")]
    fn worker_action(&mut self, worker: usize, action: WorkerAction) {
        match action {
            WorkerAction::Dial { conn: name, .. } => {
                let conn = self.conns.dial(worker, name);
                self.member(worker).conns.push(conn);
                self.count_dial(worker);
                self.dial(conn);
            }
            WorkerAction::Close { conn: name, .. } => {
                let is_it = |conn: &u64| self.conns.get(*conn).is_some_and(|c| c.name == name);
                let mine = self.members[worker].iter().flat_map(|member| &member.conns);
                let found = mine.copied().find(is_it);
                if let Some(conn) = found {
                    self.close(conn, Side::Worker);
                }
            }
            WorkerAction::Event(WorkerEvent::Link(transition)) => {
                self.is_now(worker, transition.to);
            }
            WorkerAction::Journal(_) | WorkerAction::Event(_) => {}
            WorkerAction::Start { .. } | WorkerAction::Abort { .. } => {
                unreachable!("nobody hands in a task")
            }
            WorkerAction::Vet { .. } => unreachable!("nobody is sent elsewhere"),
        }
    }

    // What the network tells it.

    pub(super) fn packet_for_worker(&mut self, conn: u64, packet: Bytes) {
        let Some((worker, name)) = self.conns.get(conn).map(|conn| (conn.worker, conn.name)) else {
            return;
        };
        let frames = moorline_wire::decode_down(packet).expect("it was encoded by us").frames;
        self.tell_worker(worker, WorkerInput::Packet { conn: name, frames });
    }

    pub(super) fn opened(&mut self, conn: u64) {
        let Some(state) = self.conns.get_mut(conn) else { return };
        if state.end(Side::Worker) == End::Waiting {
            state.open(Side::Worker);
            let (worker, name) = (state.worker, state.name);
            self.tell_worker(worker, WorkerInput::Opened { conn: name });
        }
    }

    pub(super) fn refused(&mut self, conn: u64) {
        let Some(state) = self.conns.get(conn) else { return };
        if state.end(Side::Worker) == End::Waiting {
            let (worker, name) = (state.worker, state.name);
            self.member(worker).conns.retain(|mine| *mine != conn);
            self.conns.close(conn, Side::Worker);
            let reason = Reason::ConnectRefused;
            self.tell_worker(worker, WorkerInput::DialFailed { conn: name, reason });
            self.schedule(worker);
        }
    }

    pub(super) fn lost_by_worker(&mut self, conn: u64, reason: Reason) {
        let Some((worker, name)) = self.conns.get(conn).map(|conn| (conn.worker, conn.name)) else {
            return;
        };
        self.member(worker).conns.retain(|mine| *mine != conn);
        self.conns.close(conn, Side::Worker);
        self.tell_worker(worker, WorkerInput::Closed { conn: name, reason });
        self.schedule(worker);
    }

    // Policies that its link cannot be set to.

    /// It has lost its connection, or found nobody.
    fn schedule(&mut self, worker: usize) {
        let policy = self.herd.policy;
        if !policy.is_scheduled() {
            return;
        }
        let attempt = self.member(worker).dials + 1;
        let random = self.draws.draw(Site::Worker, worker as u64, attempt.into(), u64::MAX);
        let workers = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        let fleet = Duration::from_secs(1) * workers / RATE;
        let due = self.now + nanos(policy.delay(attempt, random, fleet));
        self.member(worker).due = Some(due);
        self.queue.push(due, Event::Due { worker });
    }

    pub(super) fn dial_by_schedule(&mut self, worker: usize) {
        let now = self.now;
        let member = self.member(worker);
        if member.due == Some(now) {
            member.due = None;
            if member.node.state() == State::Disconnected {
                self.tell_worker(worker, WorkerInput::Reconnect);
            }
        }
    }
}
