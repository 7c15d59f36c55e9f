//! What an operator does to workers and to the coordinator itself.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use moorline_driver::Drain;
use moorline_link::WorkerId;
use moorline_node::WorkerView;
use serde::Deserialize;

use super::Context;
use super::problem::Refusal;
use super::view::worker_info;
use super::workers::{self, Segment};
use crate::api::{Draining, WorkerInfo, presence_word};
use crate::{Code, Error};

type Answer = Result<Json<WorkerInfo>, Refusal>;

/// Ends its connection and lets it come back at once.
pub(super) async fn reconnect(State(context): State<Context>, worker: Segment) -> Answer {
    let worker = connected(&context, worker, "reconnect").await?;
    context.driver.reconnect(worker.worker).await.map_err(|_| Error::Stopped)?;
    done(&context, "reconnected", &worker).await
}

/// Ends its connection; it comes back by its own policy.
pub(super) async fn disconnect(State(context): State<Context>, worker: Segment) -> Answer {
    let worker = connected(&context, worker, "disconnect").await?;
    context.driver.disconnect(worker.worker).await.map_err(|_| Error::Stopped)?;
    done(&context, "disconnected", &worker).await
}

/// Gives it nothing new until it is resumed.
pub(super) async fn drain(State(context): State<Context>, worker: Segment) -> Answer {
    let worker = workers::find(&context, worker).await?;
    context.driver.cordon(worker.worker, true).await.map_err(|_| Error::Stopped)?;
    done(&context, "drained", &worker).await
}

/// Gives it tasks again.
pub(super) async fn resume(State(context): State<Context>, worker: Segment) -> Answer {
    let worker = workers::find(&context, worker).await?;
    context.driver.cordon(worker.worker, false).await.map_err(|_| Error::Stopped)?;
    done(&context, "resumed", &worker).await
}

/// Forgets a worker that is gone. Answers it as it was.
pub(super) async fn forget(State(context): State<Context>, worker: Segment) -> Answer {
    let worker = workers::find(&context, worker).await?;
    if !context.driver.forget(worker.worker).await.map_err(|_| Error::Stopped)? {
        let state = presence_word(worker.presence);
        let leases = if worker.running == 1 { "lease" } else { "leases" };
        let detail = format!("{} is {state}, with {} {leases}", worker.name, worker.running);
        return Err(Refusal::new(Code::WORKER_PRESENT, detail));
    }
    done(&context, "forgot", &worker).await
}

/// A worker that has a connection to be ended.
async fn connected(context: &Context, worker: Segment, what: &str) -> Result<WorkerView, Refusal> {
    let worker = workers::find(context, worker).await?;
    if worker.conn.is_none() {
        let state = presence_word(worker.presence);
        let detail = format!("{} is {state}: there is no connection to {what}", worker.name);
        return Err(Refusal::new(Code::NOT_CONNECTED, detail));
    }
    Ok(worker)
}

/// The times of a drain, in seconds; each has its default.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DrainBody {
    grace_s: Option<f64>,
    spread_s: Option<f64>,
    timeout_s: Option<f64>,
}

/// Sends all workers away and stops.
pub(super) async fn drain_coordinator(
    State(context): State<Context>,
    body: Bytes,
) -> Result<(StatusCode, Json<Draining>), Refusal> {
    let body: DrainBody = if body.is_empty() {
        DrainBody::default()
    } else {
        serde_json::from_slice(&body)
            .map_err(|error| Refusal::new(Code::BAD_REQUEST, error.to_string()))?
    };
    let seconds = |given: Option<f64>, default: Duration| match given {
        None => Ok(default),
        Some(seconds) => Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|given| *given <= DRAIN_MAX)
            .ok_or_else(|| {
                let detail = format!("{seconds} s is not between 0 and a day");
                Refusal::new(Code::BAD_REQUEST, detail)
            }),
    };
    let standard = Drain::default();
    let grace = seconds(body.grace_s, standard.grace)?;
    let spread = seconds(body.spread_s, standard.spread)?;
    // Long enough for everybody, unless it is said how long.
    let timeout = seconds(body.timeout_s, grace + spread + DRAIN_REST)?;
    let drain = Drain::new(grace, spread, timeout);
    let connected = context.driver.drain(drain).await.map_err(|_| Error::Stopped)?;
    tracing::info!(
        event = "admin.action",
        role = "coordinator",
        action = "drain_coordinator",
        "An operator drains the coordinator"
    );
    let timeout_s = timeout.as_secs_f64();
    Ok((StatusCode::ACCEPTED, Json(Draining { connected, timeout_s })))
}

/// The longest time of a drain.
const DRAIN_MAX: Duration = Duration::from_secs(24 * 3_600);
/// How much longer than its last eviction a drain may take.
const DRAIN_REST: Duration = Duration::from_secs(20);

/// Every action leaves a line, and answers the worker as it is then; as it was, if it is not known
/// any more.
async fn done(context: &Context, what: &str, worker: &WorkerView) -> Answer {
    let WorkerId(id) = worker.worker;
    tracing::info!(
        event = "admin.action",
        role = "coordinator",
        action = what,
        worker = %worker.name,
        id = format_args!("{id:032x}"),
        "An operator {what} {}",
        worker.name
    );
    let views = context.driver.workers().await.map_err(|_| Error::Stopped)?;
    let peers = context.driver.peers().await.map_err(|_| Error::Stopped)?;
    let now = views.iter().find(|view| view.worker == worker.worker).unwrap_or(worker);
    Ok(Json(worker_info(now, &peers)))
}
