//! Records of the store and views of workers in the words of the API.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use moorline_driver::Peer;
use moorline_link::{ConnId, Epoch, Flapping, Reason, Statistics};
use moorline_node::{Name, WorkerView};
use moorline_store::{Counts, EventRecord, TaskRecord, WallTime};
use moorline_work::TaskState;

use crate::Code;
use crate::api::{
    EventInfo, Overview, TaskInfo, WorkerFlapping, WorkerInfo, WorkerLink, presence_word,
};
use crate::id::worker_text;

pub(super) fn task_info(record: TaskRecord) -> TaskInfo {
    let worker = record
        .worker_name
        .map(|name| name.to_string())
        .or_else(|| record.worker.map(|worker| worker_text(moorline_link::WorkerId(worker.0))));
    TaskInfo {
        id: record.task.into(),
        kind: record.handler.to_string(),
        state: record.state,
        attempts: record.attempt.0,
        worker,
        submitted_at: time(record.submitted_at),
        finished_at: record.finished_at.map(time),
        error: record.error,
        priority: record.priority,
        retries: record.retries,
        max_retries: record.max_retries,
        lost: record.lost,
        cancel_requested: record.cancel_requested,
        result_bytes: record.result_len,
        cursor: record.order,
    }
}

pub(super) fn event_info(record: EventRecord) -> EventInfo {
    let EventRecord { seq, at, epoch, event } = record;
    let worker_id = event.worker.map(|worker| worker_text(moorline_link::WorkerId(worker.0)));
    EventInfo {
        seq,
        at: time(at),
        epoch: epoch.0,
        kind: event.kind.name().to_owned(),
        worker: event.name.map(|name| name.to_string()).or_else(|| worker_id.clone()),
        worker_id,
        task: event.task.map(Into::into),
        attempt: event.attempt.map(|attempt| attempt.0),
        task_type: event.handler.map(|handler| handler.to_string()),
        reason: event.reason.map(|reason| reason.name().to_owned()),
        code: event.reason.map(|reason| Code::from(reason).to_string()),
        session: event.session.map(|n| format!("{}.{n}", epoch.0)),
        detail: event.detail.map(|detail| detail.to_string()),
    }
}

pub(super) fn time(wall: WallTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(wall.0)
}

pub(super) fn worker_info(view: &WorkerView, peers: &BTreeMap<ConnId, Peer>) -> WorkerInfo {
    let peer = view.conn.and_then(|conn| peers.get(&conn));
    WorkerInfo {
        id: worker_text(view.worker),
        name: view.name.to_string(),
        state: presence_word(view.presence).to_owned(),
        since: SystemTime::now().checked_sub(view.since).unwrap_or(SystemTime::UNIX_EPOCH),
        reason: view.reason.map(Reason::name).map(str::to_owned),
        slots: view.slots,
        running: view.running,
        last_contact_ms: view
            .last_contact
            .map(|ago| u64::try_from(ago.as_millis()).unwrap_or(u64::MAX)),
        rtt_ms: view.rtt.map(millis),
        link: view.statistics.as_ref().map(worker_link),
        transport: peer.map(|peer| peer.transport.clone()),
        endpoint: peer.map(|peer| peer.endpoint.to_string()),
        remote: peer.map(|peer| peer.remote.clone()),
        connection: view.conn.map(|ConnId(number)| number),
        moves: view.moves,
        version: view.software.as_ref().map(Name::to_string),
        cordoned: view.cordoned,
        flapping: view.flapping.as_ref().map(worker_flapping),
    }
}

fn worker_flapping(flapping: &Flapping) -> WorkerFlapping {
    WorkerFlapping {
        losses: flapping.losses,
        reason: flapping.reason.name().to_owned(),
        median_life_ms: u64::try_from(flapping.median_life.as_millis()).unwrap_or(u64::MAX),
    }
}

fn worker_link(statistics: &Statistics) -> WorkerLink {
    let rtt = |micros: u32| {
        let told = statistics.rtt_mean_micros > 0;
        told.then(|| millis(Duration::from_micros(u64::from(micros))))
    };
    let (connected, disconnected) = (statistics.connected_micros, statistics.disconnected_micros);
    WorkerLink {
        stability: share(connected, disconnected),
        recent_stability: f64::from(statistics.recent_stability_ppm) / 1e6,
        rtt_mean_ms: rtt(statistics.rtt_mean_micros),
        rtt_p50_ms: rtt(statistics.rtt_p50_micros),
        rtt_p99_ms: rtt(statistics.rtt_p99_micros),
        jitter_ms: rtt(statistics.rtt_deviation_micros),
        dials: statistics.dials,
        successes: statistics.successes,
        success_rate: share(statistics.successes, statistics.failures),
        connected_ms: connected / 1_000,
        disconnected_ms: disconnected / 1_000,
        outages: statistics.outages,
        degraded: statistics.degraded.causes().map(str::to_owned).collect(),
    }
}

/// The share that is `part` of it and `rest`, to a millionth; none of nothing.
fn share(part: u64, rest: u64) -> Option<f64> {
    let (part, whole) = (u128::from(part), u128::from(part) + u128::from(rest));
    let ppm = u32::try_from((part * 1_000_000).checked_div(whole)?).unwrap_or(1_000_000);
    Some(f64::from(ppm) / 1e6)
}

/// Milliseconds with microseconds behind the point.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

pub(super) fn overview(
    epoch: Epoch,
    counts: &Counts,
    workers: &[WorkerView],
    problem: Option<String>,
) -> Overview {
    let mut by_state = BTreeMap::new();
    for worker in workers {
        *by_state.entry(presence_word(worker.presence).to_owned()).or_default() += 1;
    }
    let tasks = TaskState::ALL.iter().zip(counts.by_state);
    Overview {
        epoch: epoch.0,
        workers: by_state,
        tasks: tasks.map(|(state, count)| (state.name().to_owned(), count)).collect(),
        applied_twice: counts.applied_twice,
        lost_attempts: counts.lost_attempts,
        problem,
    }
}

#[cfg(test)]
mod tests;
