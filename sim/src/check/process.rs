//! The processes of a searched world: the real nodes with a clock each, which only their timers move.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use moorline_link::{
    Backoff, ConnId, Epoch, First, Heartbeat, HubConfig, HubSettings, Incarnation, Instant, Jitter,
    LinkConfig, Reconnect, RegistrationRate, Timeouts, WorkerId,
};
use moorline_node::{
    Canonical, CoordinatorConfig, CoordinatorNode, Name, Persist, StoreOp, WorkerConfig, WorkerNode,
};
use moorline_work::{DispatcherConfig, DispatcherSettings, RunId, RunnerConfig, TaskId, TaskKey};

use super::digest::Digest;

/// What is as far away as this never comes in a searched world: heartbeats, and every timer that only
/// ends a connection which may break anyhow.
const FAR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// A task that was lost so often is dead.
pub(super) const LOST_CAP: u8 = 3;
/// The only handler there is.
const HANDLER: &str = "work";

/// A value with its fingerprint, made once.
#[derive(Clone, Debug)]
pub(super) struct Kept<T> {
    value: T,
    print: u128,
}

impl<T: Hash> Kept<T> {
    pub(super) fn new(value: T) -> Self {
        let print = Digest::of(&value);
        Self { value, print }
    }
}

impl<T> std::ops::Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Hash for Kept<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.print.hash(state);
    }
}

/// A worker's process.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub(super) node: WorkerNode,
    pub(super) now: Instant,
    /// How many processes this worker had before.
    pub(super) life: u64,
    /// The number of its last dial.
    pub(super) dialled: u64,
    /// What this process has started: each attempt at most once.
    pub(super) started: BTreeSet<TaskKey>,
    /// Runs that ended well and are not answered.
    pub(super) succeeded: BTreeSet<RunId>,
    /// Connections it can write on.
    pub(super) open: Vec<ConnId>,
    /// Of all of it, as it is and not as it counts: equal for equal values.
    pub(super) exact: u128,
}

impl Worker {
    pub(super) fn with_exact(self) -> Self {
        let Self { node, now, life, dialled, started, succeeded, open, exact: _ } = &self;
        let exact = Digest::of(&(node, now, life, dialled, started, succeeded, open));
        Self { exact, ..self }
    }
}

impl Hash for Worker {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Canonical::new(&self.node, self.now, FAR).hash(state);
        (self.life, &self.started).hash(state);
        // Runs are told apart by their place.
        for run in self.node.runs() {
            self.succeeded.contains(&run.run).hash(state);
        }
    }
}

/// The coordinator's process, and what it wants to have durable.
#[derive(Clone, Debug)]
pub(super) struct Coordinator {
    pub(super) node: CoordinatorNode,
    pub(super) now: Instant,
    pub(super) wanted: Vec<Persist>,
    /// Of all of it, as it is and not as it counts: equal for equal values.
    pub(super) exact: u128,
}

impl Coordinator {
    pub(super) fn with_exact(self) -> Self {
        let Self { node, now, wanted, exact: _ } = &self;
        let exact = Digest::of(&(node, now, wanted));
        Self { exact, ..self }
    }

    /// Whether somebody waits for the store: what is only written down nobody does.
    pub(super) fn awaits_store(&self) -> bool {
        self.wanted.iter().any(|persist| is_awaited(&persist.op))
    }
}

pub(super) fn is_awaited(op: &StoreOp) -> bool {
    !matches!(op, StoreOp::Event { .. })
}

impl Hash for Coordinator {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Canonical::new(&self.node, self.now, FAR).hash(state);
        for persist in self.wanted.iter().filter(|persist| is_awaited(&persist.op)) {
            persist.op.hash(state);
        }
    }
}

pub(super) fn is_far(now: Instant, deadline: Instant) -> bool {
    deadline.since(now) >= FAR
}

fn name(text: &str) -> Name {
    Name::new(text).expect("the names of a searched world are names")
}

pub(super) fn handler() -> Name {
    name(HANDLER)
}

pub(super) fn worker_id(index: usize) -> WorkerId {
    WorkerId(index as u128 + 1)
}

pub(super) fn task_id(index: usize) -> TaskId {
    TaskId(index as u128 + 1)
}

/// What a handler makes of a task: another for each.
pub(super) fn result_of(task: TaskId) -> Bytes {
    const RESULTS: [&[u8]; 5] = [b"?", b"one", b"two", b"three", b"four"];
    let index = usize::try_from(task.0).unwrap_or_default().min(RESULTS.len() - 1);
    Bytes::from_static(RESULTS[index])
}

pub(super) fn begin_worker(index: usize, life: u64, slots: u8, now: Instant) -> Worker {
    let second = Duration::from_secs(1);
    let steady = Backoff::new(second, second, 1_000, Jitter::None, First::Backoff)
        .expect("the longest delay is as long as the first");
    let link = LinkConfig {
        heartbeat: Heartbeat::new(DAY, DAY).expect("within a day"),
        reconnect: Reconnect::new(steady),
        timeouts: Timeouts::new(DAY, DAY, DAY, DAY).expect("within a day"),
        ..LinkConfig::default()
    };
    let config = WorkerConfig {
        link,
        runner: RunnerConfig { slots: slots.into(), task_timeout: None },
        worker: worker_id(index),
        incarnation: Incarnation(index as u64 * 16 + life + 1),
        name: name(&format!("w{index}")),
        handlers: vec![handler()],
        software: name("check"),
        seed: 0,
    };
    let node = WorkerNode::new(config, now).expect("it has slots and few handlers");
    let (started, succeeded, open) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    Worker { node, now, life, dialled: 0, started, succeeded, open, exact: 0 }.with_exact()
}

pub(super) fn begin_coordinator(epoch: Epoch, now: Instant) -> Coordinator {
    let longer = |days: u32| DAY * days;
    let hub = HubSettings {
        register_timeout: longer(40),
        farewell_timeout: longer(40),
        take_over_probe: Duration::from_secs(1),
        beat_min: DAY,
        beat_max: DAY,
        suspect_after: longer(10),
        disconnect_after: longer(20),
        flow_timeout: longer(40),
        ack_timeout: longer(40),
        lost_after: longer(40),
        stall_threshold: longer(40),
        pulse: longer(40),
        forget_after: longer(400),
        flap_window: longer(40),
        registration_rate: RegistrationRate::Fixed(NonZeroU32::MAX),
        ..HubSettings::default()
    };
    let dispatcher = DispatcherSettings {
        lost_after: Duration::from_secs(90),
        start_grace: Duration::from_secs(120),
        accept_timeout: Duration::from_secs(10),
        answer_timeout: Duration::from_secs(30),
        lost_cap: LOST_CAP.into(),
        ..DispatcherSettings::default()
    };
    let config = CoordinatorConfig {
        hub: HubConfig::new(hub).expect("in proportion"),
        dispatcher: DispatcherConfig::new(dispatcher).expect("above zero"),
        retry: Backoff::default(),
        epoch,
        software: name("check"),
        seed: 0,
    };
    let node = CoordinatorNode::new(config, now);
    Coordinator { node, now, wanted: Vec::new(), exact: 0 }.with_exact()
}
