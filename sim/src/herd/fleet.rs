//! The loop: what happens next, until everybody is back.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::{Instant, Reason, State};
use moorline_node::{CoordinatorNode, WorkerNode};

use super::conns::Conns;
use super::{Herd, Outcome, RATE};
use crate::decide::Draws;
use crate::disk::Disk;
use crate::network::End;
use crate::plan::{CoordinatorPlan, MS, SEC, Side, nanos};
use crate::queue::Queue;

/// How long everybody has been in service when the coordinator is killed: longer than a connection takes
/// to be stable, and long enough for all to have been told how large the fleet is.
const IN_SERVICE: u64 = 60 * SEC;
/// A tenth of a second: what dials are counted by.
const TENTH: u64 = 100 * MS;
/// Workers that start in a second: fewer than come in without waiting.
const STARTS: u64 = RATE as u64 * 9 / 10;
/// The same where nobody waits.
const STARTS_FREELY: u64 = 5_000;

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Event {
    /// A worker's process begins.
    Begin { worker: usize },
    /// The time that a worker wanted to be run at has come.
    Wake { worker: usize },
    /// The schedule of a worker says that it dials.
    Due { worker: usize },
    /// The time that the coordinator wanted to be run at has come.
    Coordinator,
    /// A dial reaches the coordinator's machine.
    Knock { conn: u64 },
    /// A dial succeeded.
    Opened { conn: u64 },
    /// A dial failed.
    Refused { conn: u64 },
    /// A packet arrives at this end.
    Deliver { conn: u64, to: Side, packet: Bytes },
    /// This end is told that the connection ended.
    Ended { conn: u64, to: Side, reason: Reason },
    /// A commit of this life of the coordinator is durable.
    Committed { life: u32 },
}

/// A worker, and what is counted of it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) node: WorkerNode,
    /// When its timer is to fire; other entries of the queue are litter.
    pub(super) wake: Option<u64>,
    /// When its schedule says that it dials.
    pub(super) due: Option<u64>,
    /// Its connections, oldest first.
    pub(super) conns: Vec<u64>,
    /// Its dials since the loss.
    pub(super) dials: u32,
    /// Since when it is active.
    pub(super) active: Option<u64>,
}

/// All workers and their coordinator.
pub(super) struct Fleet {
    pub(super) herd: Herd,
    pub(super) draws: Draws,
    pub(super) now: u64,
    pub(super) queue: Queue<Event>,
    pub(super) members: Vec<Option<Member>>,
    pub(super) active: usize,
    pub(super) conns: Conns,
    pub(super) disk: Disk,
    pub(super) coordinator: Option<CoordinatorNode>,
    pub(super) life: u32,
    pub(super) coordinator_wake: Option<u64>,
    /// The second in which dials were taken at the door last, and how many.
    door: (u64, u32),
    /// When the coordinator was killed.
    lost: Option<u64>,
    /// Dials in each tenth of a second since then.
    tenths: Vec<u64>,
    while_down: u64,
}

impl Fleet {
    /// A fleet in service.
    pub(super) fn start(herd: Herd) -> Self {
        let plan = CoordinatorPlan { begins_at: 0, rate: 0, wall: 0, wall_rate: 0 };
        let mut fleet = Self {
            herd,
            draws: Draws::new(herd.seed),
            // Nodes may look back.
            now: SEC,
            queue: Queue::new(),
            members: (0..herd.workers).map(|_| None).collect(),
            active: 0,
            conns: Conns::default(),
            disk: Disk::new(&plan, None, false),
            coordinator: None,
            life: 0,
            coordinator_wake: None,
            door: (0, 0),
            lost: None,
            tenths: Vec::new(),
            while_down: 0,
        };
        fleet.begin_coordinator();
        let starts = if herd.policy.has_slots() { STARTS } else { STARTS_FREELY };
        let begin = |worker: usize| fleet.now + worker as u64 * SEC / starts;
        let begins: Vec<u64> = (0..herd.workers).map(begin).collect();
        for (worker, at) in begins.iter().enumerate() {
            fleet.queue.push(*at, Event::Begin { worker });
        }
        fleet.run_until(begins.last().copied().unwrap_or(0) + IN_SERVICE);
        assert_eq!(fleet.active, herd.workers, "everybody is in service");
        fleet
    }

    /// The coordinator is killed and comes back, and so does everybody else, or patience ends.
    pub(super) fn outage(&mut self) {
        self.lost = Some(self.now);
        for worker in 0..self.members.len() {
            self.member(worker).dials = 0;
        }
        self.kill_coordinator();
        let back = self.now + nanos(self.herd.down);
        self.run_until(back);
        self.while_down = self.tenths.iter().sum();
        self.begin_coordinator();
        let until = back + nanos(self.herd.patience);
        while self.active < self.members.len() && self.now < until {
            self.run_until((self.now + SEC).min(until));
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        let lost = self.lost.unwrap_or(0);
        let since = |member: &Member| member.active.map(|at| Duration::from_nanos(at - lost));
        let mut back: Vec<Duration> = self.members.iter().flatten().filter_map(since).collect();
        back.sort_unstable();
        let workers = self.members.len();
        let nth = |nth: usize| nth.checked_sub(1).and_then(|nth| back.get(nth).copied());
        Outcome {
            dials: self.tenths.iter().sum(),
            while_down: self.while_down,
            peak: self.tenths.iter().copied().max().unwrap_or(0),
            back: back.len(),
            half: nth(workers.div_ceil(2)),
            last: nth(workers),
        }
    }

    /// What happens up to a time.
    fn run_until(&mut self, until: u64) {
        while self.queue.next_at().is_some_and(|at| at <= until) {
            let Some((at, event)) = self.queue.pop() else { break };
            self.now = at;
            self.happen(event);
        }
        self.now = until;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Begin { worker } => self.begin_worker(worker),
            Event::Wake { worker } => self.wake_worker(worker),
            Event::Due { worker } => self.dial_by_schedule(worker),
            Event::Coordinator => self.wake_coordinator(),
            Event::Knock { conn } => self.knock(conn),
            Event::Opened { conn } => self.opened(conn),
            Event::Refused { conn } => self.refused(conn),
            Event::Deliver { conn, to, packet } => {
                if self.conns.get(conn).is_some_and(|state| state.end(to) == End::Open) {
                    match to {
                        Side::Worker => self.packet_for_worker(conn, packet),
                        Side::Coordinator => self.packet_for_coordinator(conn, packet),
                    }
                }
            }
            Event::Ended { conn, to, reason } => self.ended(conn, to, reason),
            Event::Committed { life } => self.committed(life),
        }
    }

    pub(super) fn clock(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    /// A worker that has begun.
    pub(super) fn member(&mut self, worker: usize) -> &mut Member {
        self.members[worker].as_mut().expect("it has begun")
    }

    /// A worker begins to dial.
    pub(super) fn count_dial(&mut self, worker: usize) {
        self.member(worker).dials += 1;
        let Some(lost) = self.lost else { return };
        let tenth = usize::try_from((self.now - lost) / TENTH).unwrap_or(usize::MAX);
        if self.tenths.len() <= tenth {
            self.tenths.resize(tenth + 1, 0);
        }
        self.tenths[tenth] += 1;
    }

    /// The state of a worker's link has changed.
    pub(super) fn is_now(&mut self, worker: usize, state: State) {
        let now = self.now;
        let active = &mut self.member(worker).active;
        let was = active.is_some();
        *active = (state == State::Active).then_some(now);
        match (was, state == State::Active) {
            (false, true) => self.active += 1,
            (true, false) => self.active -= 1,
            (true, true) | (false, false) => {}
        }
    }

    // What travels.

    /// When something arrives that this side sends now.
    fn travels(&mut self, conn: u64, from: Side) -> u64 {
        let Some(state) = self.conns.get_mut(conn) else { return self.now };
        let k = state.next();
        // Connections are numbered in the order of dials, which is the same each time.
        let latency = self.herd.latency.of(&self.draws, conn, k);
        state.arrives(from, self.now + latency)
    }

    pub(super) fn send(&mut self, conn: u64, from: Side, packet: Bytes) {
        let at = self.travels(conn, from);
        self.queue.push(at, Event::Deliver { conn, to: from.other(), packet });
    }

    /// A worker dials.
    pub(super) fn dial(&mut self, conn: u64) {
        let at = self.travels(conn, Side::Worker);
        self.queue.push(at, Event::Knock { conn });
    }

    fn knock(&mut self, conn: u64) {
        let is_taken = self.coordinator.is_some() && self.takes();
        let at = self.travels(conn, Side::Coordinator);
        if is_taken
            && self.conns.get(conn).is_some_and(|conn| conn.end(Side::Worker) != End::Closed)
        {
            self.queue.push(at, Event::Opened { conn });
            self.accepted(conn);
        } else {
            self.conns.close(conn, Side::Coordinator);
            self.queue.push(at, Event::Refused { conn });
        }
    }

    /// Whether the door is open for one more.
    fn takes(&mut self) -> bool {
        let Some(lost) = self.lost else { return true };
        if self.herd.policy.has_slots() {
            return true;
        }
        let second = (self.now - lost) / SEC;
        if self.door.0 != second {
            self.door = (second, 0);
        }
        self.door.1 += 1;
        self.door.1 <= RATE
    }

    /// A side closes its end, after what it wrote has left.
    pub(super) fn close(&mut self, conn: u64, by: Side) {
        if by == Side::Worker
            && let Some(state) = self.conns.get(conn)
        {
            let worker = state.worker;
            self.member(worker).conns.retain(|mine| *mine != conn);
        }
        let to = by.other();
        let is_told = match self.conns.get(conn).map(|state| state.end(to)) {
            Some(End::Open) => true,
            // A worker learns first that it was open; a dial that was given up finds that nobody waits.
            Some(End::Waiting) => by == Side::Coordinator,
            Some(End::Closed) | None => false,
        };
        if is_told {
            let at = self.travels(conn, by);
            self.queue.push(at, Event::Ended { conn, to, reason: Reason::ClosedByPeer });
        }
        self.conns.close(conn, by);
    }

    /// The process at the coordinator's end of every connection is gone.
    pub(super) fn reset_all(&mut self) {
        let is_open = |conn: &u64| {
            self.conns.get(*conn).is_some_and(|state| state.end(Side::Coordinator) == End::Open)
        };
        let open: Vec<u64> = self.conns.all().into_iter().filter(is_open).collect();
        for conn in open {
            let (at, reason) = (self.travels(conn, Side::Coordinator), Reason::TransportReset);
            self.queue.push(at, Event::Ended { conn, to: Side::Worker, reason });
            self.conns.close(conn, Side::Coordinator);
        }
    }

    fn ended(&mut self, conn: u64, to: Side, reason: Reason) {
        if self.conns.get(conn).is_none_or(|state| state.end(to) != End::Open) {
            return;
        }
        match to {
            Side::Worker => self.lost_by_worker(conn, reason),
            Side::Coordinator => self.lost_by_coordinator(conn, reason),
        }
    }
}
