//! A coordinator's metrics.

use std::time::{Duration, SystemTime};

use moorline_driver::CoordinatorHandle;
use moorline_link::Presence;
use moorline_node::WorkerView;
use moorline_work::TaskState;

use super::catalogue::{
    ADMISSION_REJECTIONS, ADMISSION_TICKETS, APPLIED_TWICE, COORDINATOR_RESENT, EACH_CONNECTED,
    EACH_CONTACT, EACH_LEASES, FLAPPING, HEARTBEATS_RECEIVED, LOOP_LAG, LOST_ATTEMPTS, OLDEST_TASK,
    QUEUE_LATENCY, READY, REASSIGNMENTS, REFUSED, REJECTIONS, RESULTS_RECEIVED, SESSIONS,
    STORE_ERRORS, STORE_FREE, STORE_OPERATION, STORE_SIZE, STORE_WAL, STORE_WRITABLE, TASKS,
    TASKS_FINISHED, TASKS_SUBMITTED, WORK_LOST, WORKER_DISCONNECTS, WORKER_OUTAGE, WORKERS,
    WORKERS_LOST,
};
use super::page::Page;
use super::traffic::Traffic;
use super::worker::counts;
use crate::api::WORKER_STATES;
use crate::api::presence_word;
use crate::health::Asked;

/// Writes them. `per_worker`: also those with the name of a worker.
pub(crate) fn measure_coordinator(
    page: &mut Page,
    driver: &CoordinatorHandle,
    asked: &Asked,
    traffic: &Traffic,
    per_worker: bool,
    store_stalled: bool,
) {
    super::measure_process(page, "coordinator");
    let tally = driver.tally();
    let ready = tally.is_recovered() && !tally.is_leaving() && !store_stalled;
    page.one(&READY, u64::from(ready));
    if let Some(views) = &asked.workers {
        workers(page, views, per_worker);
    }
    let sessions: Vec<_> = tally
        .sessions()
        .into_iter()
        .flat_map(|(transport, [new, resumed])| {
            [("new", transport.clone(), new), ("resumed", transport, resumed)]
        })
        .collect();
    let sessions: Vec<_> = sessions
        .iter()
        .map(|(kind, transport, count)| ([*kind, transport.as_str()], *count))
        .collect();
    page.put(&SESSIONS, sessions.iter().map(|(labels, count)| (&labels[..], *count)));
    let refused = tally.refused_connections();
    let refused: Vec<_> =
        refused.iter().map(|(by, reason, count)| ([by.as_str(), *reason], *count)).collect();
    page.put(&REFUSED, refused.iter().map(|(labels, count)| (&labels[..], *count)));
    counts(page, &REJECTIONS, &tally.rejections);
    counts(page, &WORKER_DISCONNECTS, &tally.disconnects);
    page.durations(&WORKER_OUTAGE, [(&[][..], tally.outage.view())]);
    counts(page, &ADMISSION_REJECTIONS, &tally.admission_rejections);
    counts(page, &ADMISSION_TICKETS, &tally.admission_tickets);
    page.one(&COORDINATOR_RESENT, tally.resent.get());
    page.one(&WORKERS_LOST, tally.lost.get());
    page.one(&HEARTBEATS_RECEIVED, tally.beats_received.get());
    if let Some(counts) = &asked.counts {
        let states: Vec<_> = TaskState::ALL
            .iter()
            .zip(counts.by_state)
            .map(|(state, count)| ([state.name()], count))
            .collect();
        page.put(&TASKS, states.iter().map(|(labels, count)| (&labels[..], *count)));
    }
    page.one(&TASKS_SUBMITTED, tally.submitted.get());
    counts(page, &TASKS_FINISHED, &tally.finished);
    page.durations(&QUEUE_LATENCY, [(&[][..], tally.queue_latency.view())]);
    if let Some(counts) = &asked.counts {
        let age = counts.oldest_queued.map_or(Duration::ZERO, |submitted| {
            let submitted = SystemTime::UNIX_EPOCH + Duration::from_millis(submitted.0);
            // A clock that went back makes nothing older.
            SystemTime::now().duration_since(submitted).unwrap_or_default()
        });
        page.one(&OLDEST_TASK, age.as_secs_f64());
    }
    page.one(&REASSIGNMENTS, tally.reassignments.get());
    let lost: Vec<_> = tally
        .work_lost
        .iter()
        .map(|(cause, nanos)| ([cause], Duration::from_nanos(nanos).as_secs_f64()))
        .collect();
    page.put(&WORK_LOST, lost.iter().map(|(labels, seconds)| (&labels[..], *seconds)));
    if let Some(counts) = &asked.counts {
        page.one(&LOST_ATTEMPTS, counts.lost_attempts);
        page.one(&APPLIED_TWICE, counts.applied_twice);
    }
    counts(page, &RESULTS_RECEIVED, &tally.results);
    page.durations(&STORE_OPERATION, [(&["commit"][..], tally.commits.view())]);
    counts(page, &STORE_ERRORS, &tally.store_errors);
    page.one(&STORE_WRITABLE, u64::from(!store_stalled));
    if let Some(size) = &asked.size {
        page.one(&STORE_SIZE, size.database_bytes);
        page.one(&STORE_FREE, size.free_bytes);
        page.one(&STORE_WAL, size.log_bytes);
    }
    page.durations(&LOOP_LAG, [(&[][..], tally.lag.view())]);
    traffic.measure(page);
}

/// Gauges of workers, from what is known of them now: who was forgotten leaves nothing behind.
pub(crate) fn workers(page: &mut Page, views: &[WorkerView], per_worker: bool) {
    let of =
        |state| views.iter().filter(|view| presence_word(view.presence) == state).count() as u64;
    let states: Vec<_> = WORKER_STATES.iter().map(|state| ([*state], of(*state))).collect();
    page.put(&WORKERS, states.iter().map(|(labels, count)| (&labels[..], *count)));
    page.one(&FLAPPING, views.iter().filter(|view| view.flapping.is_some()).count() as u64);
    if !per_worker {
        return;
    }
    let names: Vec<_> = views.iter().map(|view| ([view.name.as_str()], view)).collect();
    let active = |view: &WorkerView| u64::from(view.presence == Presence::Active);
    page.put(&EACH_CONNECTED, names.iter().map(|(name, view)| (&name[..], active(view))));
    let leases = |view: &WorkerView| u64::from(view.running);
    page.put(&EACH_LEASES, names.iter().map(|(name, view)| (&name[..], leases(view))));
    let heard = names.iter().filter_map(|(name, view)| Some((&name[..], view.last_contact?)));
    page.put(&EACH_CONTACT, heard.map(|(name, ago)| (name, ago.as_secs_f64())));
}
