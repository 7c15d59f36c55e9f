//! The dispatcher between the reference store and scripted workers, and what must always hold.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use moorline_work::*;

use super::checks::leased_at_once;
use super::store::Store;
use super::worker::{Conn, Peer};

pub(crate) const LOST_AFTER: Duration = Duration::from_secs(10);
const START_GRACE: Duration = Duration::from_secs(12);
const ACCEPT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(4);
pub(crate) const HANDLERS: [Sym; 2] = [Sym(1), Sym(2)];

/// A small reproducible source of choices.
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }
}

/// What happened in a run, so that a test can say that it meant something.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) succeeded: u64,
    pub(crate) adopted: u64,
    pub(crate) lost: u64,
    pub(crate) returned: u64,
    pub(crate) retried: u64,
    pub(crate) late: u64,
    pub(crate) duplicate: u64,
    pub(crate) stale: u64,
    pub(crate) revoked: u64,
    pub(crate) withdrawn: u64,
    pub(crate) unanswered: u64,
    pub(crate) cancelled: u64,
    pub(crate) dead: u64,
    pub(crate) revived: u64,
    pub(crate) conflicts: u64,
    /// Leased with its submission.
    pub(crate) at_once: u64,
    /// That, and the id was taken.
    pub(crate) in_vain: u64,
    /// That, and it was durable when its worker was not to get it any more.
    pub(crate) broken: u64,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    config: DispatcherConfig,
    pub(crate) dispatcher: Dispatcher,
    /// When the coordinator of this life started.
    pub(crate) start: Instant,
    pub(crate) store: Store,
    /// Handed out and not committed.
    pub(crate) disk: VecDeque<(OpId, Op)>,
    pub(crate) peers: Vec<Peer>,
    replies: VecDeque<DispatcherInput>,
    tasks: u128,
    acknowledged: BTreeSet<TaskId>,
    pub(crate) counted: BTreeMap<TaskId, u32>,
    /// The leases after the last input, of this life of the coordinator.
    pub(crate) leases: BTreeMap<TaskId, LeaseSnapshot>,
    /// Faults are over.
    pub(crate) calm: bool,
    pub(crate) dice: Dice,
    pub(crate) tally: Tally,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let config = DispatcherConfig::new(DispatcherSettings {
            lost_after: LOST_AFTER,
            start_grace: START_GRACE,
            accept_timeout: ACCEPT,
            answer_timeout: ANSWER,
            window: 1 + u32::try_from(dice.roll(4)).unwrap(),
            ..DispatcherSettings::default()
        })
        .unwrap();
        let start = Instant::from_nanos(1_000_000_000);
        let peers = (1..=3)
            .map(|id| {
                let slots = 1 + u16::try_from(dice.roll(2)).unwrap();
                let handlers = if id == 1 { HANDLERS.to_vec() } else { vec![HANDLERS[0]] };
                Peer::new(id, slots, handlers)
            })
            .collect();
        let mut world = Self {
            now: start,
            config,
            dispatcher: Dispatcher::new(config, start),
            start,
            store: Store { epoch: 1, ..Store::default() },
            disk: VecDeque::new(),
            peers,
            replies: VecDeque::new(),
            tasks: 0,
            acknowledged: BTreeSet::new(),
            counted: BTreeMap::new(),
            leases: BTreeMap::new(),
            calm: false,
            dice,
            tally: Tally::default(),
        };
        world.drain();
        world
    }

    fn input(&mut self, input: DispatcherInput) {
        let _ = self.dispatcher.handle(self.now, input);
        self.drain();
        while let Some(reply) = self.replies.pop_front() {
            let _ = self.dispatcher.handle(self.now, reply);
            self.drain();
        }
    }

    fn drain(&mut self) {
        loop {
            let is_now = self.dispatcher.next_wake() == Wake::Now;
            let action = self.dispatcher.poll_action();
            assert_eq!(is_now, action.is_some(), "L1");
            let Some(action) = action else { break };
            self.carry_out(action);
        }
        self.check_transitions();
        for peer in &self.peers {
            let granted = self.dispatcher.running(peer.id);
            assert_eq!(
                granted,
                self.dispatcher.leases().filter(|lease| lease.worker == peer.id).count()
            );
        }
    }

    pub(crate) fn peer(&mut self, id: WorkerId) -> &mut Peer {
        self.peers.iter_mut().find(|peer| peer.id == id).unwrap()
    }

    fn carry_out(&mut self, action: DispatcherAction) {
        match action {
            DispatcherAction::Persist { id, op } => {
                self.check(op);
                self.disk.push_back((id, op));
            }
            DispatcherAction::Send { worker, message } => self.send(worker, message),
            DispatcherAction::Withdraw { worker, key } => {
                let peer = self.peer(worker);
                let before = peer.down_b.len();
                peer.down_b.retain(|(assign, numbered)| *numbered || assign.key != key);
                let done = peer.down_b.len() < before;
                self.tally.withdrawn += u64::from(done);
                self.replies.push_back(DispatcherInput::Withdrawn { worker, key, done });
            }
            DispatcherAction::Answer { worker, key, judgement } => {
                if let Judgement::Drop { .. } | Judgement::Unknown = judgement {
                    self.check_given_up(key, self.outcome_of(worker, key));
                }
                if let Judgement::Unknown = judgement {
                    let given = self.store.tasks.get(&key.task).map(|record| &record.given);
                    assert!(!given.is_some_and(|given| given.contains_key(&key.attempt)));
                }
                if let Conn::Restoring { answers, .. } = &mut self.peer(worker).conn {
                    answers.push_back((key, judgement));
                }
            }
            DispatcherAction::Unanswered { worker } => {
                self.tally.unanswered += 1;
                let peer = self.peer(worker);
                peer.drop_connection();
                peer.unnoticed = false;
                peer.session = None;
                peer.new_session();
                // Who is not silent is attached, and who is attached is not silent for long.
                let last_received = self.now;
                self.replies.push_back(DispatcherInput::Detached { worker, last_received });
            }
            DispatcherAction::Lost { worker } => {
                let (now, start) = (self.now, self.start);
                self.tally.lost += 1;
                let peer = self.peer(worker);
                assert!(peer.is_down());
                assert!(now >= peer.last_received.max(start) + LOST_AFTER, "lost too early");
                peer.session = None;
                peer.new_session();
            }
            DispatcherAction::Reply { ticket, reply } => {
                let task = TaskId(u128::from(ticket.0));
                match reply {
                    Reply::Submitted { .. } => {
                        assert!(self.store.tasks.contains_key(&task), "acknowledged, not durable");
                        self.acknowledged.insert(task);
                    }
                    Reply::Cancelled => {
                        let record = &self.store.tasks[&task];
                        assert!(record.state == TaskState::Cancelled || record.revived);
                    }
                    Reply::Retried => self.tally.revived += 1,
                    Reply::CancelRequested
                    | Reply::AlreadyEnded
                    | Reply::NotEnded
                    | Reply::NotFound
                    | Reply::IdTaken => {}
                }
            }
            DispatcherAction::Ended { task } => {
                let record = &self.store.tasks[&task];
                let ended = record.state.is_final() || record.revived;
                assert!(ended, "{task:?} is said to have ended");
            }
            DispatcherAction::Believe { worker, free } => self.peer(worker).believed = Some(free),
        }
    }

    fn send(&mut self, worker: WorkerId, message: CoordinatorMessage) {
        match message {
            CoordinatorMessage::Assign(assign) => {
                let record = &self.store.tasks[&assign.key.task];
                let given = record.given.get(&assign.key.attempt).copied();
                let peer = self.peer(worker);
                assert_eq!(given, Some((worker, peer.session.unwrap())), "assigned, not leased");
                assert!(peer.is_up() || peer.unnoticed);
                peer.down_b.push_back((assign, false));
                return;
            }
            CoordinatorMessage::Settled { key, disposition } => {
                let outcome = self.peer(worker).reported.get(&key).copied();
                self.check_settled(key, disposition, outcome);
            }
            CoordinatorMessage::Revoke { .. } => self.tally.revoked += 1,
            CoordinatorMessage::Cancel { .. } => {}
        }
        let peer = self.peer(worker);
        if peer.session.is_some() {
            peer.down_c.push_back(message);
        }
    }

    /// Commits the first operations and says so, unless the coordinator dies before it hears.
    fn commit(&mut self, count: usize, heard: bool) {
        let mut inputs = Vec::new();
        for _ in 0..count {
            let Some((id, op)) = self.disk.pop_front() else { break };
            match self.store.apply(self.now, op) {
                Ok(rows) => {
                    let is_broken =
                        heard && leased_at_once(op).is_some_and(|task| !self.is_promised(task));
                    self.tally.broken += u64::from(is_broken);
                    inputs.extend(
                        rows.into_iter().map(|row| DispatcherInput::Loaded { op: id, row }),
                    );
                }
                Err(conflict) => {
                    let known = matches!(op, Op::Lease { .. } | Op::Requeue { .. });
                    assert!(!known, "memory was wrong: {op:?} met {conflict:?}");
                    self.tally.conflicts += 1;
                    self.tally.in_vain += u64::from(leased_at_once(op).is_some());
                    inputs.push(DispatcherInput::Conflict { op: id, conflict });
                }
            }
            inputs.push(DispatcherInput::Stored { up_to: id });
        }
        if !heard {
            return;
        }
        // One transaction: everything is durable when the first of it is heard.
        let last = inputs.iter().rposition(|input| matches!(input, DispatcherInput::Stored { .. }));
        for (index, input) in inputs.into_iter().enumerate() {
            let is_stored = matches!(input, DispatcherInput::Stored { .. });
            if !is_stored || Some(index) == last {
                self.input(input);
            }
        }
    }

    fn restart_coordinator(&mut self) {
        let some = usize::try_from(self.dice.roll(3)).unwrap();
        self.commit(some, false);
        self.disk.clear();
        self.replies.clear();
        self.store.epoch += 1;
        self.start = self.now;
        self.dispatcher = Dispatcher::new(self.config, self.now);
        self.leases.clear();
        for peer in &mut self.peers {
            peer.drop_connection();
            peer.unnoticed = false;
            peer.session = None;
        }
        self.drain();
    }

    fn connect(&mut self, index: usize) {
        let now = self.now;
        let peer = &mut self.peers[index];
        if !peer.is_down() {
            return;
        }
        let resumed = peer.session == Some(peer.incarnation);
        if !resumed {
            peer.new_session();
        }
        peer.session = Some(peer.incarnation);
        peer.unnoticed = false;
        peer.last_received = now;
        peer.welcomed();
        let (worker, incarnation, slots) = (peer.id, peer.incarnation, peer.slots);
        self.input(DispatcherInput::Registered { worker, incarnation, slots, resumed });
    }

    fn notice(&mut self, index: usize) {
        let peer = &mut self.peers[index];
        if peer.unnoticed {
            peer.unnoticed = false;
            let (worker, last_received) = (peer.id, peer.last_received);
            self.input(DispatcherInput::Detached { worker, last_received });
        }
    }

    /// One frame of this worker moves, if one can. `way` chooses among those that can.
    fn move_frame(&mut self, index: usize, way: u64) -> bool {
        let now = self.now;
        let calm = self.calm;
        let peer = &mut self.peers[index];
        peer.tick(now);
        let (worker, incarnation) = (peer.id, peer.incarnation);
        match &mut peer.conn {
            Conn::Down => return false,
            Conn::Restoring { says, answers, open } => {
                peer.last_received = now;
                if let Some(said) = says.pop_front() {
                    self.input(said);
                } else if let Some((key, judgement)) = answers.pop_front() {
                    *open -= 1;
                    peer.judged(now, key, judgement);
                } else if *open == 0 {
                    peer.conn = Conn::Up;
                    self.input(DispatcherInput::Active { worker });
                    let draining = self.peers[index].draining;
                    self.input(DispatcherInput::Flags { worker, draining, paused: false });
                } else {
                    return false;
                }
                return true;
            }
            Conn::Up => {}
        }
        for turn in 0..5 {
            let peer = &mut self.peers[index];
            match (way + turn) % 5 {
                0 => {
                    if let Some(message) = peer.up_c.pop_front() {
                        peer.last_received = now;
                        self.input(DispatcherInput::Message { worker, incarnation, message });
                        return true;
                    }
                }
                1 => {
                    if let Some(message) = peer.up_b.pop_front() {
                        peer.last_received = now;
                        if let WorkerMessage::Result { key, outcome } = message {
                            peer.reported.insert(key, outcome);
                        }
                        self.input(DispatcherInput::Message { worker, incarnation, message });
                        return true;
                    }
                }
                2 => {
                    if let Some(message) = peer.down_c.pop_front() {
                        peer.told(now, message);
                        return true;
                    }
                }
                3 => {
                    let next = peer.down_b.iter_mut().find(|(_, numbered)| !*numbered);
                    if let Some((assign, numbered)) = next {
                        *numbered = true;
                        let key = assign.key;
                        self.input(DispatcherInput::HandedOver { worker, key });
                        return true;
                    }
                }
                _ => {
                    if let Some((assign, true)) = peer.down_b.front().copied() {
                        peer.down_b.pop_front();
                        // Most are short; some outlast the loss of their worker.
                        let most = if self.dice.roll(4) == 0 { 60_000 } else { 4_000 };
                        let length = Duration::from_millis(1 + self.dice.roll(most));
                        let outcome = match self.dice.roll(20) {
                            _ if calm => Outcome::Succeeded,
                            0..=2 => Outcome::Failed { retryable: true },
                            3 => Outcome::Failed { retryable: false },
                            4 => Outcome::TimedOut,
                            5 => Outcome::Cancelled,
                            _ => Outcome::Succeeded,
                        };
                        let progress = self.dice.roll(3);
                        self.peers[index].assigned(assign.key, now + length, outcome, progress);
                        return true;
                    }
                }
            }
        }
        false
    }

    fn submit(&mut self) {
        self.tasks += 1;
        self.submit_again(self.tasks);
    }

    fn submit_again(&mut self, task: u128) {
        let spec = TaskSpec {
            handler: HANDLERS[usize::from(task.is_multiple_of(3))],
            priority: i16::try_from(task % 3).unwrap() - 1,
            max_retries: u32::try_from(task % 2).unwrap(),
            timeout: None,
            bytes: u32::try_from(task % 5).unwrap() << 22,
        };
        let ticket = Ticket(u64::try_from(task).unwrap());
        self.input(DispatcherInput::Submit { ticket, task: TaskId(task), spec });
    }

    fn some_task(&mut self) -> Option<u128> {
        (self.tasks > 0).then(|| 1 + u128::from(self.dice.roll(u64::try_from(self.tasks).unwrap())))
    }

    /// Time passes; the dispatcher is called at each of its deadlines on the way.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(deadline) = self.dispatcher.next_wake().deadline().filter(|at| *at <= until)
        {
            self.now = self.now.max(deadline);
            self.input(DispatcherInput::Timeout);
            assert!(
                self.dispatcher.next_wake().deadline().is_none_or(|next| next > self.now),
                "L2: the deadline did not move on"
            );
        }
        self.now = until;
        for peer in &mut self.peers {
            // A connected worker beats.
            if !peer.is_down() {
                peer.last_received = until;
            }
            peer.tick(until);
        }
    }

    /// One random event.
    pub(crate) fn step(&mut self, choice: u32) {
        self.dice = Dice(self.dice.0 ^ u64::from(choice));
        let index = usize::try_from(self.dice.roll(3)).unwrap();
        let way = self.dice.roll(5);
        match choice % 100 {
            0..=7 => self.submit(),
            8 => {
                if let Some(task) = self.some_task() {
                    self.submit_again(task);
                }
            }
            9 => {
                if let Some(task) = self.some_task() {
                    let ticket = Ticket(u64::try_from(task).unwrap());
                    let task = TaskId(task);
                    let last =
                        self.store.tasks.get(&task).map_or(Attempt(0), |known| known.attempt);
                    self.input(DispatcherInput::Retry { ticket, task, last });
                }
            }
            10..=12 => {
                if let Some(task) = self.some_task() {
                    let ticket = Ticket(u64::try_from(task).unwrap());
                    self.input(DispatcherInput::Cancel { ticket, task: TaskId(task) });
                }
            }
            13..=27 => {
                let count = 1 + usize::try_from(self.dice.roll(4)).unwrap();
                self.commit(count, true);
            }
            28..=35 => self.connect(index),
            36..=74 => {
                for turn in 0..3 {
                    self.move_frame(index, way + turn);
                }
            }
            75..=77 => self.peers[index].drop_connection(),
            78..=80 => self.notice(index),
            81..=82 => self.peers[index].crash(),
            83 => self.restart_coordinator(),
            84 => self.peers[index].repeat_result(),
            85 if way == 0 => self.depart(index),
            // A worker that acknowledges and does not do what it should.
            85 => self.peers[index].swallow(),
            86 => {
                let peer = &mut self.peers[index];
                if peer.is_up() {
                    peer.draining = true;
                    let worker = peer.id;
                    self.input(DispatcherInput::Flags { worker, draining: true, paused: false });
                }
            }
            87 => {
                let peer = &mut self.peers[index];
                if peer.is_up() {
                    let task = TaskId(self.tasks + 1_000);
                    let key = TaskKey { task, attempt: peer.nonsense() };
                    let outcome = Outcome::Failed { retryable: false };
                    peer.up_b.push_back(WorkerMessage::Result { key, outcome });
                }
            }
            88 => self.pass(LOST_AFTER + Duration::from_millis(self.dice.0 % 9_000)),
            89..=91 => self.pass(Duration::from_millis(self.dice.0 % 3_000)),
            _ => self.pass(Duration::from_millis(self.dice.0 % 50)),
        }
        self.check_beliefs();
    }

    /// The worker leaves on purpose, with what it holds given up; its next life is another process.
    fn depart(&mut self, index: usize) {
        let worker = self.peers[index].id;
        if self.peers[index].is_up() {
            self.peers[index].crash();
            self.peers[index].unnoticed = false;
            self.peers[index].session = None;
            self.peers[index].new_session();
            self.input(DispatcherInput::Departed { worker });
        }
    }

    /// Faults stop: everything must end. Returns whether it has.
    pub(crate) fn calm_down(&mut self) -> bool {
        self.calm = true;
        for peer in &mut self.peers {
            if peer.draining {
                peer.crash();
            }
        }
        for _ in 0..20_000 {
            let mut moved = !self.disk.is_empty();
            self.commit(usize::MAX, true);
            for index in 0..self.peers.len() {
                self.notice(index);
                moved |= self.peers[index].is_down();
                self.connect(index);
                moved |= self.move_frame(index, 0);
            }
            if moved {
                continue;
            }
            if self.has_ended() {
                return true;
            }
            let ends = self.peers.iter().filter_map(Peer::next_end);
            let next = ends.chain(self.dispatcher.next_wake().deadline()).min();
            let Some(next) = next else { return false };
            self.pass(next.since(self.now).max(Duration::from_nanos(1)));
        }
        false
    }

    fn has_ended(&self) -> bool {
        self.dispatcher.is_settled()
            && self.peers.iter().all(Peer::is_idle)
            && self.store.tasks.values().all(|record| record.state.is_final())
            && self.acknowledged.iter().all(|task| self.store.tasks.contains_key(task))
            // What the coordinator believes of free slots is true when everything is quiet.
            && self.peers.iter().all(|peer| peer.believed == Some(peer.slots))
    }
}
