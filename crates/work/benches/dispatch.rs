//! Whole tasks through the dispatcher, from submitted to settled, in front of a store that answers at
//! once and workers that finish at once. The peer is a queue that remembers who has what, and no more.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark reads a clock and reports"
)]

#[path = "../../link/benches/kit/mod.rs"]
mod kit;

use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::time::Duration;

use moorline_work::{
    Assign, CoordinatorMessage, Dispatcher, DispatcherAction, DispatcherConfig, DispatcherInput,
    Disposition, Incarnation, Instant, Op, OpId, Outcome, Placement, Row, Sym, TaskId, TaskKey,
    TaskSpec, Ticket, WorkerId, WorkerMessage,
};

use kit::{Run, Workload};

const HANDLER: Sym = Sym(1);
const INCARNATION: Incarnation = Incarnation(1);
const SPEC: TaskSpec =
    TaskSpec { handler: HANDLER, priority: 0, max_retries: 0, timeout: None, bytes: 64 };

/// Tasks submitted before any is finished.
const BURST: u64 = 64;

/// The dispatcher, its store and its workers.
struct Office {
    dispatcher: Dispatcher,
    now: Instant,
    /// Tasks that the dispatcher has not claimed, oldest first.
    queue: VecDeque<(TaskId, u64)>,
    submitted: u64,
    settled: u64,
    /// Attempts that were assigned.
    running: VecDeque<(WorkerId, TaskKey)>,
}

impl Office {
    /// So many workers of so many slots, and so many tasks that wait for them.
    fn new(workers: u32, slots: u16, waiting: u64) -> Self {
        let now = Instant::from_nanos(1_000_000_000_000);
        let dispatcher = Dispatcher::new(DispatcherConfig::default(), now);
        let mut office = Self {
            dispatcher,
            now,
            queue: VecDeque::new(),
            submitted: 0,
            settled: 0,
            running: VecDeque::new(),
        };
        office.serve();
        (0..waiting).for_each(|_| office.submit());
        for n in 0..workers {
            let (worker, incarnation) = (WorkerId(u128::from(n)), INCARNATION);
            office.tell(DispatcherInput::Registered { worker, incarnation, slots, resumed: false });
            office.tell(DispatcherInput::Offer { worker, handler: HANDLER });
            office.tell(DispatcherInput::InventoryEnd { worker });
            office.tell(DispatcherInput::Active { worker });
        }
        office
    }

    fn tell(&mut self, input: DispatcherInput) {
        black_box(self.dispatcher.handle(self.now, input));
        self.serve();
    }

    /// Does what the dispatcher asks for.
    fn serve(&mut self) {
        while let Some(action) = self.dispatcher.poll_action() {
            match action {
                DispatcherAction::Persist { id, op } => self.store(id, op),
                DispatcherAction::Send { worker, message } => self.send(worker, message),
                DispatcherAction::Withdraw { .. }
                | DispatcherAction::Answer { .. }
                | DispatcherAction::Unanswered { .. }
                | DispatcherAction::Lost { .. }
                | DispatcherAction::Reply { .. }
                | DispatcherAction::Ended { .. }
                | DispatcherAction::Believe { .. } => {}
            }
        }
    }

    /// Every condition holds here.
    fn store(&mut self, op: OpId, what: Op) {
        match what {
            Op::Submit { task, placement, .. } => {
                self.submitted += 1;
                let order = self.submitted;
                if placement == Placement::Unclaimed {
                    self.queue.push_back((task, order));
                }
                self.loaded(op, Row::Submitted { order });
            }
            Op::Claim { limit, .. } => {
                for _ in 0..limit {
                    let Some((task, order)) = self.queue.pop_front() else { break };
                    let attempt = moorline_work::Attempt(0);
                    let (spec, retries, lost) = (SPEC, 0, 0);
                    self.loaded(op, Row::Task { task, order, spec, attempt, retries, lost });
                }
                if !self.queue.is_empty() {
                    self.loaded(op, Row::More);
                }
            }
            Op::Lease { .. } | Op::Finish { .. } | Op::Leases => {}
            other @ (Op::Unclaim { .. }
            | Op::Lookup { .. }
            | Op::Adopt { .. }
            | Op::Requeue { .. }
            | Op::Cancel { .. }
            | Op::Retry { .. }) => panic!("nothing goes wrong here: {other:?}"),
        }
        self.dispatcher.handle(self.now, DispatcherInput::Stored { up_to: op });
    }

    fn loaded(&mut self, op: OpId, row: Row) {
        self.dispatcher.handle(self.now, DispatcherInput::Loaded { op, row });
    }

    fn send(&mut self, worker: WorkerId, message: CoordinatorMessage) {
        match message {
            CoordinatorMessage::Assign(Assign { key, .. }) => {
                self.running.push_back((worker, key));
            }
            CoordinatorMessage::Settled { disposition, .. } => {
                assert_eq!(disposition, Disposition::Accepted);
                self.settled += 1;
            }
            other @ (CoordinatorMessage::Cancel { .. } | CoordinatorMessage::Revoke { .. }) => {
                panic!("nothing goes wrong here: {other:?}")
            }
        }
    }

    fn submit(&mut self) {
        let n = self.submitted + 1;
        // Spread over the numbers as ids of clients are.
        let task = TaskId(u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64 | u128::from(n));
        self.tell(DispatcherInput::Submit { ticket: Ticket(n), task, spec: SPEC });
    }

    /// The attempt that was assigned longest ago is accepted, and succeeds.
    fn finish(&mut self) {
        let (worker, key) = self.running.pop_front().expect("one is assigned");
        self.tell(DispatcherInput::HandedOver { worker, key });
        let incarnation = INCARNATION;
        for message in [
            WorkerMessage::Accept { key },
            WorkerMessage::Result { key, outcome: Outcome::Succeeded },
        ] {
            self.tell(DispatcherInput::Message { worker, incarnation, message });
        }
    }

    /// So many tasks in, and as many out.
    fn tasks(&mut self, mut operations: u64) {
        let until = self.settled + operations;
        while operations > 0 {
            let burst = operations.min(BURST);
            operations -= burst;
            self.now = self.now + Duration::from_millis(1);
            self.tell(DispatcherInput::Timeout);
            (0..burst).for_each(|_| self.submit());
            (0..burst).for_each(|_| self.finish());
        }
        assert_eq!(self.settled, until, "each is settled");
    }
}

fn tasks(workers: u32, slots: u16, waiting: u64) -> Run {
    let mut office = Office::new(workers, slots, waiting);
    office.tasks(1_000);
    Box::new(move |operations| office.tasks(operations))
}

/// In and out of a queue, and in and out of two maps.
fn bare_queue() -> Run {
    let mut queue: VecDeque<u128> = VecDeque::new();
    let mut known: BTreeMap<u128, u64> = BTreeMap::new();
    let mut running: BTreeMap<(u64, u128), u32> = BTreeMap::new();
    let mut next = 0_u64;
    Box::new(move |operations| {
        for _ in 0..operations.div_ceil(BURST) {
            for _ in 0..BURST {
                next += 1;
                let task = u128::from(next.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64;
                known.insert(task, next);
                queue.push_back(task);
            }
            let leased: Vec<_> = queue.drain(..).map(|task| (next % 1_000, task)).collect();
            for lease in &leased {
                running.insert(*lease, 1);
            }
            for lease in &leased {
                running.remove(lease);
                known.remove(&lease.1);
            }
        }
    })
}

fn main() {
    let workload = |name, set_up: fn() -> Run| Workload {
        name,
        counted: true,
        large: false,
        round: 50_000,
        set_up,
    };
    let workloads = [
        workload("task_1_worker", || tasks(1, 1_024, 0)),
        workload("task_1000_workers", || tasks(1_000, 4, 0)),
        workload("task_1000_workers_100000_queued", || tasks(1_000, 4, 100_000)),
        Workload { counted: false, ..workload("peer: a queue and two maps", bare_queue) },
    ];
    kit::main("dispatch", &workloads);
}
