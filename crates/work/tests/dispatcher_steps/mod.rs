//! Random inputs for a dispatcher: some name what is there, some name anything.

use std::time::Duration;

use moorline_work::*;
use proptest::prelude::*;

pub(crate) const START: Instant = Instant::from_nanos(5_000_000_000);

/// A random input. Numbers are small, and mostly taken from what is there, so that they meet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) kind: u8,
    pub(crate) worker: u8,
    pub(crate) task: u8,
    pub(crate) attempt: u8,
    pub(crate) flavour: u8,
    pub(crate) advance: u16,
    pub(crate) polls: u8,
}

pub(crate) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    // Few steps poll little: a driver that lags is the rare case.
    let polls = prop_oneof![1 => 0..3_u8, 3 => Just(60)];
    let step = (any::<[u8; 5]>(), any::<u16>(), polls).prop_map(
        |([kind, worker, task, attempt, flavour], advance, polls)| Step {
            kind,
            worker: worker % 3,
            task: task % 5,
            attempt: attempt % 4,
            flavour,
            advance,
            polls,
        },
    );
    proptest::collection::vec(step, 1..most)
}

/// The dispatcher, and what a driver knows: how many operations it was handed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Driver {
    pub(crate) dispatcher: Dispatcher,
    pub(crate) now: Instant,
    /// Operations handed out and not stored.
    ops: Vec<(OpId, Op)>,
}

fn config() -> DispatcherConfig {
    DispatcherConfig::new(DispatcherSettings {
        lost_after: Duration::from_secs(3),
        start_grace: Duration::from_secs(4),
        accept_timeout: Duration::from_millis(200),
        answer_timeout: Duration::from_millis(20),
        guard_min_workers: 2,
        window: 2,
        ..DispatcherSettings::default()
    })
    .unwrap()
}

impl Driver {
    pub(crate) fn new(now: Instant) -> Self {
        Self { dispatcher: Dispatcher::new(config(), now), now, ops: Vec::new() }
    }

    pub(crate) fn poll(&mut self) -> Option<DispatcherAction> {
        let action = self.dispatcher.poll_action();
        if let Some(DispatcherAction::Persist { id, op }) = action {
            self.ops.push((id, op));
        }
        action
    }

    /// An operation, mostly one that is under way.
    fn op(&self, step: Step) -> (OpId, Op) {
        let nth = usize::from(step.advance) % (self.ops.len() + 1);
        let wrong = (OpId(u64::from(step.advance)), Op::Leases);
        self.ops.get(nth).copied().unwrap_or(wrong)
    }

    /// A task and an attempt, mostly of a lease.
    fn key(&self, step: Step) -> TaskKey {
        let leases: Vec<LeaseSnapshot> = self.dispatcher.leases().collect();
        let nth = usize::from(step.task) % (leases.len() + 1);
        match leases.get(nth) {
            Some(lease) if step.advance & 3 > 0 => {
                let old = u32::from(step.advance & 12 == 0);
                let attempt = Attempt(lease.attempt.0.saturating_sub(old));
                TaskKey { task: lease.task, attempt }
            }
            Some(_) | None => TaskKey {
                task: TaskId(u128::from(step.task)),
                attempt: Attempt(u32::from(step.attempt)),
            },
        }
    }

    /// A worker, mostly the one that holds this.
    fn holder(&self, key: TaskKey, step: Step) -> WorkerId {
        let holder = self.dispatcher.leases().find(|lease| lease.task == key.task);
        match holder {
            Some(lease) if step.advance & 48 > 0 => lease.worker,
            Some(_) | None => WorkerId(u128::from(step.worker)),
        }
    }

    fn input(&self, step: Step) -> DispatcherInput {
        let Step { worker, flavour, .. } = step;
        let worker = WorkerId(u128::from(worker));
        let incarnation = Incarnation(u64::from(step.advance.is_multiple_of(16)));
        let key = self.key(step);
        let task = TaskId(u128::from(step.task));
        let holder = self.holder(key, step);
        let spec = TaskSpec {
            handler: Sym(u32::from(flavour % 2)),
            priority: i16::from(flavour % 3),
            max_retries: u32::from(flavour % 2),
            timeout: None,
            bytes: u32::from(flavour) << 20,
        };
        let ticket = Ticket(u64::from(flavour));
        let outcome = match flavour % 5 {
            0 | 1 => Outcome::Succeeded,
            2 => Outcome::Failed { retryable: flavour & 8 == 0 },
            3 => Outcome::TimedOut,
            _ => Outcome::Cancelled,
        };
        let state = TaskState::ALL[usize::from(flavour) % TaskState::ALL.len()];
        let status = if flavour.is_multiple_of(7) {
            Status::Unknown
        } else {
            Status::Known { state, attempt: key.attempt }
        };
        let (op, asked) = self.op(step);
        match step.kind % 48 {
            0 | 32..=34 => DispatcherInput::Timeout,
            1..=3 => DispatcherInput::Submit { ticket, task, spec },
            4 if flavour & 1 == 0 => DispatcherInput::Cancel { ticket, task },
            4 => DispatcherInput::Retry { ticket, task, last: key.attempt },
            5..=6 => DispatcherInput::Registered {
                worker,
                incarnation,
                slots: u16::from(flavour % 4),
                resumed: flavour & 4 == 0,
            },
            7..=8 => DispatcherInput::Offer { worker, handler: spec.handler },
            9..=10 => {
                let holding = if flavour & 2 == 0 {
                    Holding::Running { progress: u64::from(flavour % 4) }
                } else {
                    Holding::Finished { outcome, len: 1 }
                };
                DispatcherInput::Item {
                    worker: if flavour & 64 == 0 { worker } else { holder },
                    key,
                    holding,
                }
            }
            11..=12 => DispatcherInput::InventoryEnd { worker },
            13..=15 => DispatcherInput::Active { worker },
            16 => {
                let last_received = self.now.before(Duration::from_millis(u64::from(flavour)));
                DispatcherInput::Detached { worker, last_received }
            }
            17 if flavour < 64 => DispatcherInput::Departed { worker },
            17 => DispatcherInput::Flags {
                worker,
                draining: flavour & 1 == 1,
                paused: flavour & 6 == 6,
            },
            18..=22 => {
                let message = match flavour % 8 {
                    0 | 1 => WorkerMessage::Accept { key },
                    2 => WorkerMessage::Refuse {
                        key,
                        refusal: [
                            Refusal::Draining,
                            Refusal::NoSlot,
                            Refusal::UnknownHandler,
                            Refusal::Revoked,
                        ][usize::from(flavour / 8) % 4],
                    },
                    3 => WorkerMessage::Held { key },
                    4 => WorkerMessage::NotHeld { key },
                    _ => WorkerMessage::Result { key, outcome },
                };
                DispatcherInput::Message { worker: holder, incarnation, message }
            }
            23 => DispatcherInput::HandedOver { worker: holder, key },
            24 => DispatcherInput::Withdrawn { worker: holder, key, done: flavour & 1 == 0 },
            25..=30 => {
                let fitting = match asked {
                    Op::Submit { .. } => 0,
                    Op::Claim { .. } => 1 + flavour / 8 % 4,
                    Op::Retry { .. } => 1,
                    Op::Requeue { .. } => 4,
                    Op::Leases | Op::Adopt { .. } => 5,
                    Op::Unclaim { .. }
                    | Op::Lookup { .. }
                    | Op::Lease { .. }
                    | Op::Finish { .. }
                    | Op::Cancel { .. } => 6,
                };
                let row = match if flavour & 7 > 0 { fitting } else { flavour / 8 % 7 } {
                    0 => Row::Submitted { order: u64::from(flavour) },
                    1 | 2 => Row::Task {
                        task,
                        order: u64::from(flavour),
                        spec,
                        attempt: key.attempt,
                        retries: 0,
                        lost: u32::from(flavour % 4),
                    },
                    3 => Row::More,
                    4 => Row::ReadyIn { delay: Duration::from_millis(u64::from(flavour)) },
                    5 => Row::Lease {
                        key,
                        order: u64::from(flavour),
                        spec,
                        retries: 0,
                        lost: u32::from(flavour % 4),
                        worker,
                        incarnation,
                        cancel_requested: flavour & 8 == 8,
                    },
                    _ => Row::Status(status),
                };
                DispatcherInput::Loaded { op, row }
            }
            31 => {
                let conflict = if flavour & 1 == 0 {
                    Conflict::Status(status)
                } else {
                    Conflict::Exists { same: flavour & 2 == 0 }
                };
                DispatcherInput::Conflict { op, conflict }
            }
            _ => {
                let last = self.ops.last().map_or(op, |(id, _)| *id);
                let up_to = if flavour & 3 == 0 { op } else { last };
                DispatcherInput::Stored { up_to }
            }
        }
    }

    /// Mostly one input; some steps make a worker active, which chance alone hardly would.
    pub(crate) fn inputs(&self, step: Step) -> Vec<DispatcherInput> {
        if step.kind < 224 {
            return vec![self.input(step)];
        }
        let worker = WorkerId(u128::from(step.worker));
        let incarnation = Incarnation(u64::from(step.advance.is_multiple_of(16)));
        let resumed = step.flavour & 1 == 0;
        vec![
            DispatcherInput::Registered { worker, incarnation, slots: 2, resumed },
            DispatcherInput::Offer { worker, handler: Sym(0) },
            DispatcherInput::Offer { worker, handler: Sym(1) },
            DispatcherInput::InventoryEnd { worker },
            DispatcherInput::Active { worker },
        ]
    }

    pub(crate) fn pass(&mut self, step: Step) {
        let most = if step.flavour.is_multiple_of(8) { 1_500 } else { 40 };
        self.now = self.now + Duration::from_millis(u64::from(step.advance) % most);
    }

    pub(crate) fn step(&mut self, step: Step) -> (Vec<DispatcherVerdict>, Vec<DispatcherAction>) {
        self.pass(step);
        let inputs = self.inputs(step);
        let verdicts = inputs.into_iter().map(|input| self.take(input)).collect();
        let actions = (0..step.polls).map_while(|_| self.poll()).collect();
        (verdicts, actions)
    }

    pub(crate) fn take(&mut self, input: DispatcherInput) -> DispatcherVerdict {
        let verdict = self.dispatcher.handle(self.now, input);
        if let (DispatcherInput::Stored { up_to }, DispatcherVerdict::Accepted) = (input, verdict) {
            self.ops.retain(|(id, _)| *id > up_to);
        }
        verdict
    }

    pub(crate) fn drain(&mut self) {
        while self.poll().is_some() {}
    }
}
