//! The laws of machines on the dispatcher, over random inputs in random states.

use std::time::Duration;

use moorline_work::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

/// A random input. Numbers are small, and mostly taken from what is there, so that they meet.
#[derive(Clone, Copy, Debug)]
struct Step {
    kind: u8,
    worker: u8,
    task: u8,
    attempt: u8,
    flavour: u8,
    advance: u16,
    polls: u8,
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
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
struct Driver {
    dispatcher: Dispatcher,
    now: Instant,
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
    fn new(now: Instant) -> Self {
        Self { dispatcher: Dispatcher::new(config(), now), now, ops: Vec::new() }
    }

    fn poll(&mut self) -> Option<DispatcherAction> {
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
    fn inputs(&self, step: Step) -> Vec<DispatcherInput> {
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

    fn pass(&mut self, step: Step) {
        let most = if step.flavour.is_multiple_of(8) { 1_500 } else { 40 };
        self.now = self.now + Duration::from_millis(u64::from(step.advance) % most);
    }

    fn step(&mut self, step: Step) -> (Vec<DispatcherVerdict>, Vec<DispatcherAction>) {
        self.pass(step);
        let inputs = self.inputs(step);
        let verdicts = inputs.into_iter().map(|input| self.take(input)).collect();
        let actions = (0..step.polls).map_while(|_| self.poll()).collect();
        (verdicts, actions)
    }

    fn take(&mut self, input: DispatcherInput) -> DispatcherVerdict {
        let verdict = self.dispatcher.handle(self.now, input);
        if let (DispatcherInput::Stored { up_to }, DispatcherVerdict::Accepted) = (input, verdict) {
            self.ops.retain(|(id, _)| *id > up_to);
        }
        verdict
    }

    fn drain(&mut self) {
        while self.poll().is_some() {}
    }
}

const START: Instant = Instant::from_nanos(5_000_000_000);
/// 100,000 steps and more on average in each law.
const CASES: u32 = 900;
const MOST: usize = 300;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn l1_it_wants_to_run_now_exactly_while_an_action_is_due(steps in steps(MOST)) {
        let mut driver = Driver::new(START);
        for step in steps {
            driver.step(step);
            let is_now = driver.dispatcher.next_wake() == Wake::Now;
            prop_assert_eq!(is_now, driver.clone().poll().is_some());
        }
    }

    #[test]
    fn what_is_undelivered_is_counted_as_a_scan_of_all_leases_counts_it(steps in steps(MOST)) {
        let mut driver = Driver::new(START);
        for step in steps {
            driver.step(step);
            let mut scanned = std::collections::BTreeMap::<WorkerId, u32>::new();
            for lease in driver.dispatcher.leases().filter(|lease| !lease.handed_over) {
                *scanned.entry(lease.worker).or_default() += 1;
            }
            let (tasks, bytes) = driver.dispatcher.undelivered_in_all();
            prop_assert_eq!(tasks, scanned.values().sum::<u32>());
            let mut of_each = 0;
            for worker in (0..=255).map(WorkerId) {
                let (tasks, bytes) = driver.dispatcher.undelivered(worker);
                prop_assert_eq!(tasks, scanned.get(&worker).copied().unwrap_or(0));
                prop_assert!(tasks > 0 || bytes == 0, "{} bytes of nothing", bytes);
                of_each += bytes;
            }
            prop_assert_eq!(bytes, of_each);
        }
    }

    #[test]
    fn l2_a_timeout_at_a_deadline_moves_the_next_deadline_on(steps in steps(MOST)) {
        let mut driver = Driver::new(START);
        for step in steps {
            driver.step(step);
            let mut waiting = driver.clone();
            waiting.drain();
            if let Some(deadline) = waiting.dispatcher.next_wake().deadline() {
                let now = deadline.max(waiting.now);
                waiting.dispatcher.handle(now, DispatcherInput::Timeout);
                waiting.drain();
                let next = waiting.dispatcher.next_wake().deadline();
                prop_assert!(next.is_none_or(|next| next > now), "{:?} at {:?}", next, now);
            }
        }
    }

    #[test]
    fn l3_a_drained_machine_polled_again_does_not_change(steps in steps(MOST)) {
        let mut driver = Driver::new(START);
        for step in steps {
            driver.step(step);
            let mut drained = driver.clone();
            drained.drain();
            let before = drained.clone();
            prop_assert_eq!(drained.poll(), None);
            prop_assert_eq!(&drained, &before);
        }
    }

    #[test]
    fn l4_an_early_timeout_changes_nothing(steps in steps(MOST)) {
        let mut driver = Driver::new(START);
        for step in steps {
            driver.step(step);
            let mut drained = driver.clone();
            drained.drain();
            let due = drained.dispatcher.next_wake().deadline();
            if due.is_none_or(|due| due > drained.now) {
                let mut early = driver.clone();
                early.dispatcher.handle(early.now, DispatcherInput::Timeout);
                prop_assert_eq!(&early, &driver);
            }
        }
    }

    #[test]
    fn l5_inputs_shifted_in_time_give_the_same_outputs(
        steps in steps(MOST),
        shift in 1_u64..1 << 40,
    ) {
        let shift = Duration::from_nanos(shift);
        let (mut one, mut other) = (Driver::new(START), Driver::new(START + shift));
        for step in steps {
            prop_assert_eq!(one.step(step), other.step(step));
            let (a, b) = (one.dispatcher.next_wake(), other.dispatcher.next_wake());
            prop_assert_eq!(a.deadline().map(|at| at + shift), b.deadline());
        }
    }

    #[test]
    fn l8_the_same_inputs_give_the_same_machine(steps in steps(MOST)) {
        let (mut one, mut other) = (Driver::new(START), Driver::new(START));
        for step in &steps {
            let first = one.step(*step);
            // A clone in the middle goes on like its original.
            other = other.clone();
            prop_assert_eq!(first, other.step(*step));
        }
        prop_assert_eq!(one, other);
    }

    #[test]
    fn l9_no_input_in_any_state_panics_and_its_views_agree(steps in steps(MOST)) {
        let mut driver = Driver::new(START);
        for step in steps {
            driver.step(step);
            let dispatcher = &driver.dispatcher;
            let running: usize =
                (0..3).map(|worker| dispatcher.running(WorkerId(worker))).sum();
            prop_assert_eq!(running, dispatcher.leases().count());
            prop_assert_eq!(dispatcher.is_settled(), dispatcher.pending_ops() == 0);
        }
    }

    #[test]
    fn l10_a_stale_input_changes_nothing(steps in steps(MOST)) {
        let mut driver = Driver::new(START);
        for step in steps {
            let mut next = driver.clone();
            next.pass(step);
            for input in next.inputs(step) {
                let before = next.clone();
                if next.take(input) == DispatcherVerdict::Stale {
                    prop_assert_eq!(&next, &before);
                }
            }
            driver.step(step);
        }
    }
}

#[test]
fn the_random_inputs_reach_every_kind_of_action() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reached = std::collections::BTreeMap::new();
    for _ in 0..200 {
        let steps = steps(MOST).new_tree(&mut runner).unwrap().current();
        let mut driver = Driver::new(START);
        for step in steps {
            for action in driver.step(step).1 {
                let name = match action {
                    DispatcherAction::Persist { op, .. } => format!("{op:?}"),
                    DispatcherAction::Send { message, .. } => format!("{message:?}"),
                    DispatcherAction::Answer { judgement, .. } => format!("{judgement:?}"),
                    DispatcherAction::Withdraw { .. }
                    | DispatcherAction::Unanswered { .. }
                    | DispatcherAction::Lost { .. }
                    | DispatcherAction::Reply { .. }
                    | DispatcherAction::Ended { .. }
                    | DispatcherAction::Believe { .. } => format!("{action:?}"),
                };
                let name: String =
                    name.chars().take_while(|letter| letter.is_alphabetic()).collect();
                *reached.entry(name).or_insert(0) += 1;
            }
        }
    }
    let all = [
        "Submit",
        "Claim",
        "Unclaim",
        "Leases",
        "Lookup",
        "Lease",
        "Adopt",
        "Requeue",
        "Finish",
        "Cancel",
        "Assign",
        "Settled",
        "Revoke",
        "Continue",
        "Send",
        "Drop",
        "Unknown",
        "Withdraw",
        "Unanswered",
        "Lost",
        "Reply",
        "Ended",
        "Believe",
    ];
    for name in all {
        assert!(reached.contains_key(name), "{name} is not reached: {reached:?}");
    }
}
