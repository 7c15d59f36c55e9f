//! A dispatcher in front of a reference store: tests read as a timeline.

use std::collections::VecDeque;
use std::time::Duration;

use crate::store::Store;
use moorline_work::*;

pub(crate) const H: Sym = Sym(1);
pub(crate) const OTHER: Sym = Sym(2);

pub(crate) fn key(task: u128, attempt: u32) -> TaskKey {
    TaskKey { task: TaskId(task), attempt: Attempt(attempt) }
}

pub(crate) fn running(progress: u64) -> Holding {
    Holding::Running { progress }
}

pub(crate) fn finished(outcome: Outcome) -> Holding {
    Holding::Finished { outcome, len: 0 }
}

pub(crate) fn send(worker: u128, message: CoordinatorMessage) -> DispatcherAction {
    DispatcherAction::Send { worker: WorkerId(worker), message }
}

pub(crate) fn assign(worker: u128, key: TaskKey) -> DispatcherAction {
    send(worker, CoordinatorMessage::Assign(Assign { key, handler: H, timeout: None }))
}

pub(crate) fn settled(worker: u128, key: TaskKey, disposition: Disposition) -> DispatcherAction {
    send(worker, CoordinatorMessage::Settled { key, disposition })
}

pub(crate) fn cancel(worker: u128, key: TaskKey) -> DispatcherAction {
    send(worker, CoordinatorMessage::Cancel { key })
}

pub(crate) fn revoke(worker: u128, key: TaskKey) -> DispatcherAction {
    send(worker, CoordinatorMessage::Revoke { key })
}

pub(crate) fn answer(worker: u128, key: TaskKey, judgement: Judgement) -> DispatcherAction {
    DispatcherAction::Answer { worker: WorkerId(worker), key, judgement }
}

pub(crate) fn believe(worker: u128, free: u16) -> DispatcherAction {
    DispatcherAction::Believe { worker: WorkerId(worker), free }
}

pub(crate) fn lost(worker: u128) -> DispatcherAction {
    DispatcherAction::Lost { worker: WorkerId(worker) }
}

pub(crate) fn reply(ticket: u64, reply: Reply) -> DispatcherAction {
    DispatcherAction::Reply { ticket: Ticket(ticket), reply }
}

pub(crate) fn ended(task: u128) -> DispatcherAction {
    DispatcherAction::Ended { task: TaskId(task) }
}

/// A dispatcher, its store, and everything it has asked for so far.
pub(crate) struct Bench {
    pub(crate) dispatcher: Dispatcher,
    pub(crate) store: Store,
    start: Instant,
    now: Instant,
    settings: DispatcherSettings,
    disk: VecDeque<(OpId, Op)>,
    seen: Vec<DispatcherAction>,
    ops: Vec<Op>,
}

impl Bench {
    /// A coordinator that has just read that there are no leases.
    pub(crate) fn new(settings: DispatcherSettings) -> Self {
        let mut bench = Self::starting(settings, Store::default());
        bench.commit();
        bench.ops();
        bench
    }

    /// A coordinator that has not read its leases yet.
    pub(crate) fn starting(settings: DispatcherSettings, store: Store) -> Self {
        let start = Instant::from_nanos(1_000_000_000_000);
        let config = DispatcherConfig::new(settings).unwrap();
        let mut bench = Self {
            dispatcher: Dispatcher::new(config, start),
            store,
            start,
            now: start,
            settings,
            disk: VecDeque::new(),
            seen: Vec::new(),
            ops: Vec::new(),
        };
        bench.store.epoch += 1;
        bench.drain();
        bench
    }

    /// The next life of the coordinator, on the same store; nothing is read yet.
    pub(crate) fn restarted(self) -> Self {
        Self::starting(self.settings, self.store)
    }

    /// So many seconds after the start; timeouts on the way are given at their time.
    pub(crate) fn at(&mut self, seconds: u64) -> &mut Self {
        self.until(self.start + Duration::from_secs(seconds))
    }

    /// So much later.
    pub(crate) fn after_millis(&mut self, millis: u64) -> &mut Self {
        self.until(self.now + Duration::from_millis(millis))
    }

    fn until(&mut self, until: Instant) -> &mut Self {
        while let Some(deadline) = self.dispatcher.next_wake().deadline().filter(|at| *at <= until)
        {
            self.now = deadline;
            self.input(DispatcherInput::Timeout);
        }
        self.now = until;
        self
    }

    pub(crate) fn second(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    pub(crate) fn input(&mut self, input: DispatcherInput) -> DispatcherVerdict {
        let verdict = self.dispatcher.handle(self.now, input);
        self.drain();
        verdict
    }

    fn drain(&mut self) {
        while let Some(action) = self.dispatcher.poll_action() {
            match action {
                DispatcherAction::Persist { id, op } => {
                    self.disk.push_back((id, op));
                    self.ops.push(op);
                }
                DispatcherAction::Send { .. }
                | DispatcherAction::Withdraw { .. }
                | DispatcherAction::Answer { .. }
                | DispatcherAction::Unanswered { .. }
                | DispatcherAction::Lost { .. }
                | DispatcherAction::Reply { .. }
                | DispatcherAction::Ended { .. }
                | DispatcherAction::Believe { .. } => self.seen.push(action),
            }
        }
        assert_ne!(self.dispatcher.next_wake(), Wake::Now);
    }

    /// Commits one operation.
    pub(crate) fn commit_one(&mut self) {
        let (id, op) = self.disk.pop_front().expect("an operation");
        match self.store.apply(self.now, op) {
            Ok(rows) => {
                for row in rows {
                    self.input(DispatcherInput::Loaded { op: id, row });
                }
            }
            Err(conflict) => {
                self.input(DispatcherInput::Conflict { op: id, conflict });
            }
        }
        self.input(DispatcherInput::Stored { up_to: id });
    }

    /// Commits everything, and what follows from it.
    pub(crate) fn commit(&mut self) -> &mut Self {
        while !self.disk.is_empty() {
            self.commit_one();
        }
        self
    }

    /// What was asked for since the last call, but for storage and beliefs.
    pub(crate) fn seen(&mut self) -> Vec<DispatcherAction> {
        let mut seen = std::mem::take(&mut self.seen);
        seen.retain(|action| !matches!(action, DispatcherAction::Believe { .. }));
        seen
    }

    /// What was asked for since the last call, but for storage.
    pub(crate) fn seen_all(&mut self) -> Vec<DispatcherAction> {
        std::mem::take(&mut self.seen)
    }

    /// The operations asked for since the last call.
    pub(crate) fn ops(&mut self) -> Vec<Op> {
        std::mem::take(&mut self.ops)
    }

    /// Forgets what was asked for so far.
    pub(crate) fn hush(&mut self) -> &mut Self {
        self.seen.clear();
        self.ops.clear();
        self
    }

    pub(crate) fn state(&self, task: u128) -> TaskState {
        self.store.state(TaskId(task)).expect("a task")
    }

    pub(crate) fn submit_spec(&mut self, task: u128, spec: TaskSpec) -> &mut Self {
        let ticket = Ticket(u64::try_from(task).unwrap());
        self.input(DispatcherInput::Submit { ticket, task: TaskId(task), spec });
        self
    }

    pub(crate) fn submit(&mut self, task: u128) -> &mut Self {
        self.submit_spec(task, spec(H))
    }

    pub(crate) fn cancel(&mut self, ticket: u64, task: u128) -> &mut Self {
        self.input(DispatcherInput::Cancel { ticket: Ticket(ticket), task: TaskId(task) });
        self
    }

    pub(crate) fn retry(&mut self, ticket: u64, task: u128, last: u32) -> &mut Self {
        let (ticket, task, last) = (Ticket(ticket), TaskId(task), Attempt(last));
        self.input(DispatcherInput::Retry { ticket, task, last });
        self
    }

    pub(crate) fn register(
        &mut self,
        worker: u128,
        incarnation: u64,
        slots: u16,
        resumed: bool,
    ) -> &mut Self {
        let worker = WorkerId(worker);
        let incarnation = Incarnation(incarnation);
        self.input(DispatcherInput::Registered { worker, incarnation, slots, resumed });
        self.input(DispatcherInput::Offer { worker, handler: H });
        self
    }

    pub(crate) fn item(&mut self, worker: u128, key: TaskKey, holding: Holding) -> &mut Self {
        self.input(DispatcherInput::Item { worker: WorkerId(worker), key, holding });
        self
    }

    pub(crate) fn end(&mut self, worker: u128) -> &mut Self {
        self.input(DispatcherInput::InventoryEnd { worker: WorkerId(worker) });
        self
    }

    pub(crate) fn active(&mut self, worker: u128) -> &mut Self {
        self.input(DispatcherInput::Active { worker: WorkerId(worker) });
        self
    }

    /// A worker that holds nothing registers and becomes active.
    pub(crate) fn join(&mut self, worker: u128, incarnation: u64, slots: u16) -> &mut Self {
        self.register(worker, incarnation, slots, false).end(worker).active(worker)
    }

    /// The last frame was heard this many seconds after the start.
    pub(crate) fn detach(&mut self, worker: u128, heard: u64) -> &mut Self {
        let last_received = self.second(heard);
        self.input(DispatcherInput::Detached { worker: WorkerId(worker), last_received });
        self
    }

    pub(crate) fn depart(&mut self, worker: u128) -> &mut Self {
        self.input(DispatcherInput::Departed { worker: WorkerId(worker) });
        self
    }

    pub(crate) fn flags(&mut self, worker: u128, draining: bool, paused: bool) -> &mut Self {
        self.input(DispatcherInput::Flags { worker: WorkerId(worker), draining, paused });
        self
    }

    pub(crate) fn handed_over(&mut self, worker: u128, key: TaskKey) -> &mut Self {
        self.input(DispatcherInput::HandedOver { worker: WorkerId(worker), key });
        self
    }

    pub(crate) fn withdrawn(&mut self, worker: u128, key: TaskKey, done: bool) -> &mut Self {
        self.input(DispatcherInput::Withdrawn { worker: WorkerId(worker), key, done });
        self
    }

    pub(crate) fn says(
        &mut self,
        worker: u128,
        incarnation: u64,
        message: WorkerMessage,
    ) -> DispatcherVerdict {
        let worker = WorkerId(worker);
        let incarnation = Incarnation(incarnation);
        self.input(DispatcherInput::Message { worker, incarnation, message })
    }

    pub(crate) fn accept(&mut self, worker: u128, key: TaskKey) -> &mut Self {
        self.handed_over(worker, key);
        self.says(worker, 1, WorkerMessage::Accept { key });
        self
    }

    pub(crate) fn result(&mut self, worker: u128, key: TaskKey, outcome: Outcome) -> &mut Self {
        self.says(worker, 1, WorkerMessage::Result { key, outcome });
        self
    }

    /// Task 1 was there before worker 1, and its lease is asked for.
    pub(crate) fn with_one_asked_for() -> Self {
        let mut bench = Self::new(unguarded());
        bench.submit(1).commit().join(1, 1, 2).commit_one();
        let (worker, incarnation) = (WorkerId(1), Incarnation(1));
        let lease = Op::Lease { key: key(1, 1), worker, incarnation };
        assert_eq!(bench.ops().last(), Some(&lease));
        bench.hush();
        bench
    }

    /// Task 1 runs on worker 1, accepted, and worker 1 alone is here.
    pub(crate) fn with_one_running(settings: DispatcherSettings, spec: TaskSpec) -> Self {
        let mut bench = Self::new(settings);
        bench.join(1, 1, 1).submit_spec(1, spec).commit();
        bench.accept(1, key(1, 1)).hush();
        bench
    }
}

pub(crate) fn spec(handler: Sym) -> TaskSpec {
    TaskSpec { handler, priority: 0, max_retries: 0, timeout: None, bytes: 0 }
}

/// The defaults, but without the guard: with few workers each loss would be a mass loss.
pub(crate) fn unguarded() -> DispatcherSettings {
    DispatcherSettings { guard_percent: 100, ..DispatcherSettings::default() }
}
