//! A worker's metrics.

use std::time::SystemTime;

use moorline_driver::{Counts, Runtime, Tokio, WorkerHandle};
use moorline_link::State;

use super::catalogue::{
    CHILD_EXITS, CONNECT_DURATION, CONNECTED, DISCONNECT_DURATION, DISCONNECTS, HEARTBEAT_RTT,
    HEARTBEATS_MISSED, HEARTBEATS_SENT, JOURNAL_BYTES, JOURNAL_FAILURES, JOURNAL_RESULTS,
    LAST_CONTACT, LINK_STATE, MESSAGES_RESENT, Metric, NEXT_ATTEMPT, OUTBOX_BYTES, OUTBOX_MESSAGES,
    RECONNECTION_ATTEMPTS, RECONNECTION_FAILURES, RECONNECTION_SUCCESSES, RESULTS_KEPT,
    RESULTS_RESUBMITTED, STABILITY, TASK_DURATION, TASK_SLOTS, TIME_DISCONNECTED,
    WORKER_TASKS_FINISHED,
};
use super::page::Page;
use crate::health::word;
use crate::worker::ChildExits;

/// Writes them. A worker that does not run yet, or no more, has none but those of its process.
/// `children`: how those of its handlers ended, if it may have any.
pub(crate) fn measure_worker(
    page: &mut Page,
    driver: Option<&WorkerHandle>,
    children: Option<&ChildExits>,
) {
    super::measure_process(page, "worker");
    let Some(driver) = driver else { return };
    let (tally, status, now) = (driver.tally(), driver.status(), Tokio.now());
    let link = &status.link;

    page.one(&CONNECTED, u64::from(link.state == State::Active));
    let states = State::ALL.iter().map(|state| (word(*state), u64::from(*state == link.state)));
    let states: Vec<_> = states.map(|(word, value)| ([word], value)).collect();
    page.put(&LINK_STATE, states.iter().map(|(labels, value)| (&labels[..], *value)));
    counts(page, &DISCONNECTS, &tally.disconnects);
    page.durations(&DISCONNECT_DURATION, [(&[][..], tally.outage.view())]);
    page.durations(
        &CONNECT_DURATION,
        [
            (&["connected"][..], tally.connected.view()),
            (&["failed"][..], tally.not_connected.view()),
        ],
    );
    page.one(&RECONNECTION_ATTEMPTS, tally.reconnection_attempts.get());
    counts(page, &RECONNECTION_SUCCESSES, &tally.reconnection_successes);
    counts(page, &RECONNECTION_FAILURES, &tally.reconnection_failures);
    page.one(&TIME_DISCONNECTED, tally.outages().total(now).as_secs_f64());
    if let Some(at) = link.next_attempt {
        page.one(&NEXT_ATTEMPT, at.since(now).as_secs_f64());
    }
    page.one(&HEARTBEATS_SENT, tally.beats_sent.get());
    page.one(&HEARTBEATS_MISSED, tally.beats_missed.get());
    page.durations(&HEARTBEAT_RTT, [(&[][..], tally.round_trip.view())]);
    let wall = |at| SystemTime::now().checked_sub(now.since(at));
    let unix = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).ok();
    if let Some(contact) = link.last_received.and_then(wall).and_then(unix) {
        page.one(&LAST_CONTACT, contact.as_secs_f64());
    }
    page.one(&STABILITY, f64::from(status.statistics.stability_ppm(now)) / 1e6);
    page.one(&MESSAGES_RESENT, tally.resent.get());
    let lanes = || ["c", "b"].iter().zip(&tally.outbox);
    let messages = lanes().map(|(lane, held)| (std::slice::from_ref(lane), held.messages().into()));
    page.put(&OUTBOX_MESSAGES, messages.map(|(lane, held): (_, u64)| (lane, held)));
    page.put(&OUTBOX_BYTES, lanes().map(|(lane, held)| (std::slice::from_ref(lane), held.bytes())));
    let slots = [(["used"], u64::from(status.running)), (["free"], u64::from(status.free_slots))];
    page.put(&TASK_SLOTS, slots.iter().map(|(labels, value)| (&labels[..], *value)));
    page.one(&RESULTS_KEPT, u64::from(status.kept_results));
    page.one(&JOURNAL_RESULTS, tally.journal.results());
    page.one(&JOURNAL_BYTES, tally.journal.bytes());
    page.one(&JOURNAL_FAILURES, tally.journal.failures.get());
    counts(page, &RESULTS_RESUBMITTED, &tally.resubmitted);
    let mut finished = Vec::new();
    for (handler, tally) in &tally.handlers {
        let all = tally.finished.iter();
        finished.extend(all.map(|(outcome, count)| ([handler.as_str(), outcome], count)));
    }
    page.put(&WORKER_TASKS_FINISHED, finished.iter().map(|(labels, count)| (&labels[..], *count)));
    let durations: Vec<_> = tally
        .handlers
        .iter()
        .map(|(handler, tally)| ([handler.as_str()], tally.duration.view()))
        .collect();
    page.durations(
        &TASK_DURATION,
        durations.iter().map(|(labels, view)| (&labels[..], view.clone())),
    );
    let exits: Vec<_> = children
        .map(ChildExits::all)
        .unwrap_or_default()
        .into_iter()
        .map(|(how, count)| ([how.name()], count))
        .collect();
    page.put(&CHILD_EXITS, exits.iter().map(|(labels, count)| (&labels[..], *count)));
}

/// Counts by one label: those that never happened are there, so that their first one is a rise. Of
/// the reasons, which are many, only those that happened.
pub(super) fn counts(page: &mut Page, metric: &Metric, counts: &Counts) {
    let all: Vec<_> = counts
        .iter()
        .filter(|(_, count)| *count > 0 || !metric.labels.contains(&"reason"))
        .map(|(label, count)| ([label], count))
        .collect();
    page.put(metric, all.iter().map(|(labels, count)| (&labels[..], *count)));
}
