//! `/workers/{id}/explain`, `/tasks/{id}/explain`: gathers the evidence, and lets the table weigh it.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use moorline_driver::CoordinatorHandle;
use moorline_link::{Presence, WorkerId};
use moorline_node::{EventKind, Name, WorkerView};
use moorline_store::{EventKinds, EventQuery, EventRecord};
use moorline_work::TaskState;

use super::problem::{self, Refusal};
use super::{Context, view, workers};
use crate::api::EventInfo;
use crate::explain::task::{Holder, Offer};
use crate::explain::worker::{Coordinator, Fleet, Happening, Reached, TOGETHER};
use crate::explain::{Explanation, task, worker};
use crate::{Error, TaskId};

/// So many events of a worker or a task are looked at.
const HISTORY: u32 = 50;
/// Workers that a queued task is compared with, those that have its handler first.
const OFFERS: usize = 100;

type Answer = Result<Json<Explanation>, Refusal>;

/// Why a worker is where it is.
pub(super) async fn of_worker(
    State(context): State<Context>,
    worker: Result<Path<String>, PathRejection>,
) -> Answer {
    let meant = &workers::find(&context, worker).await?;
    let driver = &context.driver;
    let views = driver.workers().await.map_err(|_| Error::Stopped)?;
    let peers = driver.peers().await.map_err(|_| Error::Stopped)?;
    let peer = meant.conn.and_then(|conn| peers.get(&conn));
    let now = SystemTime::now();
    let history = of_one(driver, meant.worker).await?;
    let stalls = EventQuery {
        kinds: EventKinds::of([EventKind::ClockJump]),
        limit: 10,
        newest_first: true,
        ..EventQuery::default()
    };
    let stalls = read(driver, stalls).await?;
    let evidence = worker::Evidence {
        now,
        name: meant.name.to_string(),
        presence: meant.presence,
        since: before(now, meant.since),
        reason: meant.reason,
        slots: meant.slots,
        leases: meant.running,
        silent: meant.last_contact,
        rtt: meant.rtt,
        reached: peer.map(|peer| Reached {
            endpoint: peer.endpoint.to_string(),
            remote: peer.remote.clone(),
        }),
        version: meant.software.as_ref().map(Name::to_string),
        cordoned: meant.cordoned,
        history,
        fleet: fleet(&views, meant),
        coordinator: Coordinator {
            version: crate::software().to_string(),
            started: context.started,
            store_fails: driver.is_store_failing(),
            draining: driver.is_draining(),
            lost_after: driver.liveness().lost_after,
            disconnect_after: driver.liveness().disconnect_after,
            stalls,
        },
    };
    Ok(Json(worker::explain(&evidence)))
}

/// Why a task is where it is.
pub(super) async fn of_task(
    State(context): State<Context>,
    task: Result<Path<String>, PathRejection>,
) -> Answer {
    let id: TaskId = problem::segment(task)?.parse().map_err(|error: crate::TaskIdError| {
        Refusal::new(crate::Code::BAD_REQUEST, error.to_string())
    })?;
    let driver = &context.driver;
    let query = EventQuery {
        task: Some(id.into()),
        limit: HISTORY,
        newest_first: true,
        ..EventQuery::default()
    };
    let (record, events) = driver
        .read(move |reader| Ok((reader.task(id.into())?, reader.events(&query)?.events)))
        .await
        .map_err(Error::from)?;
    let Some(record) = record else { return Err(Error::NoSuchTask { task: id }.into()) };
    let now = SystemTime::now();
    let views = driver.workers().await.map_err(|_| Error::Stopped)?;
    let holder = record.worker.and_then(|holder| {
        let view = views.iter().find(|view| view.worker.0 == holder.0)?;
        Some(Holder {
            name: view.name.to_string(),
            presence: view.presence,
            reason: view.reason,
            silent: view.last_contact,
        })
    });
    let workers = if record.state == TaskState::Queued {
        offers(driver, &views, &record.handler, now).await?
    } else {
        Vec::new()
    };
    let evidence = task::Evidence {
        now,
        ready_at: record.ready_at.map(view::time),
        task: view::task_info(record),
        history: events.into_iter().map(happening).collect(),
        holder,
        workers,
        store_fails: driver.is_store_failing(),
        lost_after: driver.liveness().lost_after,
    };
    Ok(Json(task::explain(&evidence)))
}

/// What is on record about a worker, newest first.
async fn of_one(driver: &CoordinatorHandle, worker: WorkerId) -> Result<Vec<Happening>, Refusal> {
    let worker = Some(moorline_work::WorkerId(worker.0));
    let query = EventQuery { worker, limit: HISTORY, newest_first: true, ..EventQuery::default() };
    read(driver, query).await
}

async fn read(driver: &CoordinatorHandle, query: EventQuery) -> Result<Vec<Happening>, Refusal> {
    let page = driver.read(move |reader| reader.events(&query)).await.map_err(Error::from)?;
    Ok(page.events.into_iter().map(happening).collect())
}

fn happening(record: EventRecord) -> Happening {
    let reason = record.event.reason;
    let info = view::event_info(record);
    let text = in_words(&info);
    Happening { at: info.at, kind: info.kind, reason, text }
}

/// An event in a line: `worker.disconnected (stream_lost): silent for 2s`.
fn in_words(event: &EventInfo) -> String {
    let mut text = event.kind.clone();
    if let (Some(kind), Some(task)) = (&event.task_type, &event.task) {
        text += &format!(" {kind}/{task}");
    }
    if let Some(attempt) = event.attempt {
        text += &format!(" attempt {attempt}");
    }
    if let Some(reason) = &event.reason {
        text += &format!(" ({reason})");
    }
    if let Some(detail) = &event.detail {
        text += &format!(": {detail}");
    }
    text
}

/// The others: how many there are, and which of them lost their connection with this one.
fn fleet(views: &[WorkerView], meant: &WorkerView) -> Fleet {
    let gone = |view: &WorkerView| match view.presence {
        Presence::Lost | Presence::Departed => true,
        Presence::Expected
        | Presence::Restoring
        | Presence::Active
        | Presence::Suspect
        | Presence::Disconnected
        | Presence::Draining => false,
        _ => false,
    };
    let together = |view: &&WorkerView| {
        view.worker != meant.worker
            && matches!(view.presence, Presence::Disconnected | Presence::Lost)
            && view.since.abs_diff(meant.since) <= TOGETHER
    };
    let known = views.iter().filter(|view| !gone(view) || view.worker == meant.worker).count();
    let away = matches!(meant.presence, Presence::Disconnected | Presence::Lost);
    let lost_together = views.iter().filter(together).map(|view| view.name.to_string());
    Fleet {
        known: known as u64,
        lost_together: if away { lost_together.collect() } else { Vec::new() },
    }
}

/// Who could take a task of this type.
async fn offers(
    driver: &CoordinatorHandle,
    views: &[WorkerView],
    handler: &Name,
    now: SystemTime,
) -> Result<Vec<Offer>, Refusal> {
    let offering = driver.offering(handler.clone()).await.map_err(|_| Error::Stopped)?;
    let offering: BTreeSet<WorkerId> = offering.into_iter().collect();
    let mut offers: Vec<_> = views
        .iter()
        .filter(|view| !matches!(view.presence, Presence::Lost | Presence::Departed))
        .map(|view| Offer {
            name: view.name.to_string(),
            presence: view.presence,
            since: before(now, view.since),
            reason: view.reason,
            has_handler: offering.contains(&view.worker),
            slots: view.slots,
            used: view.running,
            cordoned: view.cordoned,
        })
        .collect();
    offers.sort_by(|a, b| b.has_handler.cmp(&a.has_handler).then_with(|| a.name.cmp(&b.name)));
    offers.truncate(OFFERS);
    Ok(offers)
}

fn before(now: SystemTime, ago: Duration) -> SystemTime {
    now.checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH)
}
