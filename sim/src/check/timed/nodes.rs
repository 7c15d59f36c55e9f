//! The processes of a world with clocks: the real nodes, with short times.

use std::time::Duration;

use moorline_link::{
    Backoff, Epoch, First, Heartbeat, HubConfig, HubSettings, Incarnation, Instant, Jitter,
    LinkConfig, Reconnect, Timeouts,
};
use moorline_node::{CoordinatorConfig, CoordinatorNode, Name, WorkerConfig, WorkerNode};
use moorline_work::{DispatcherConfig, DispatcherSettings, RunnerConfig};

use crate::answers::Patience;
use crate::check::process::{handler, worker_id};
use crate::plan::nanos;

/// After how long a silent worker's work is given away; everything else is in proportion.
pub(super) const LOST_AFTER: Duration = Duration::from_secs(6);

/// Heartbeats come so often.
const BEAT: Duration = LOST_AFTER.checked_div(18).expect("not by zero");
/// So many may go unanswered.
const MISSES: u8 = 3;

/// How long a worker bears with a coordinator that does not answer.
pub(super) fn patience() -> Patience {
    Patience { misses: MISSES.into(), silence: nanos(BEAT) * u64::from(MISSES) / 5 * 4 }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("the names of a searched world are names")
}

pub(super) fn begin_worker(index: usize, now: Instant) -> WorkerNode {
    let second = Duration::from_secs(1);
    let steady = Backoff::new(second / 2, second / 2, 1_000, Jitter::None, First::Backoff);
    let heartbeat = Heartbeat::new(BEAT, BEAT * u32::from(MISSES))
        .and_then(|it| it.assignable(BEAT, second))
        .and_then(|it| it.with_misses(MISSES));
    let link = LinkConfig {
        heartbeat: heartbeat.expect("in proportion"),
        reconnect: Reconnect::new(steady.expect("the longest delay is as long as the first")),
        timeouts: Timeouts::new(second, second, second, second).expect("within a day"),
        ..LinkConfig::default()
    };
    let config = WorkerConfig {
        link,
        runner: RunnerConfig { slots: 1, task_timeout: None },
        worker: worker_id(index),
        incarnation: Incarnation(index as u64 + 1),
        name: name(&format!("w{index}")),
        handlers: vec![handler()],
        software: name("check"),
        seed: 0,
    };
    WorkerNode::new(config, now).expect("it has slots and few handlers")
}

pub(super) fn begin_coordinator(now: Instant) -> CoordinatorNode {
    let hub = HubSettings::for_lost_after(LOST_AFTER);
    let dispatcher = DispatcherSettings { lost_after: LOST_AFTER, ..DispatcherSettings::default() };
    let config = CoordinatorConfig {
        hub: HubConfig::new(hub).expect("in proportion"),
        dispatcher: DispatcherConfig::new(dispatcher).expect("above zero"),
        retry: Backoff::default(),
        epoch: Epoch(1),
        software: name("check"),
        seed: 0,
    };
    CoordinatorNode::new(config, now)
}
