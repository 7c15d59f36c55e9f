//! `/workers`: list and get.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use moorline_link::Presence;
use moorline_node::WorkerView;
use serde::Deserialize;

use super::Context;
use super::problem::{self, Refusal};
use super::view::worker_info;
use crate::api::{WORKER_STATES, WorkerInfo, WorkerPage};
use crate::id::worker_text;
use crate::{Code, Error};

/// What stands for a worker in a path.
pub(super) type Segment = Result<Path<String>, PathRejection>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// States, separated by commas.
    state: Option<String>,
}

pub(super) async fn list(
    State(context): State<Context>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<WorkerPage>, Refusal> {
    let Query(query) = query.map_err(|error| Refusal::new(Code::BAD_REQUEST, error.body_text()))?;
    let mut workers = all(&context).await?;
    if let Some(states) = &query.state {
        if let Some(unknown) = states.split(',').find(|state| !WORKER_STATES.contains(state)) {
            let detail = format!("there is no worker state `{unknown}`");
            return Err(Refusal::new(Code::BAD_REQUEST, detail));
        }
        workers.retain(|worker| states.split(',').any(|state| state == worker.state));
    }
    Ok(Json(WorkerPage { workers }))
}

pub(super) async fn get(
    State(context): State<Context>,
    worker: Segment,
) -> Result<Json<WorkerInfo>, Refusal> {
    let worker = find(&context, worker).await?;
    let peers = context.driver.peers().await.map_err(|_| Error::Stopped)?;
    Ok(Json(worker_info(&worker, &peers)))
}

/// By name or by identity. Of workers that bore one name, the one that bears it now.
pub(super) async fn find(context: &Context, worker: Segment) -> Result<WorkerView, Refusal> {
    let wanted = problem::segment(worker)?;
    let views = context.driver.workers().await.map_err(|_| Error::Stopped)?;
    let is = |view: &WorkerView| view.name.as_str() == wanted || worker_text(view.worker) == wanted;
    let gone = |view: &WorkerView| matches!(view.presence, Presence::Lost | Presence::Departed);
    let found = views.into_iter().filter(is).min_by_key(gone);
    found.ok_or_else(|| Error::NoSuchWorker { worker: wanted }.into())
}

/// By name.
async fn all(context: &Context) -> Result<Vec<WorkerInfo>, Refusal> {
    let views = context.driver.workers().await.map_err(|_| Error::Stopped)?;
    let peers = context.driver.peers().await.map_err(|_| Error::Stopped)?;
    let mut workers: Vec<_> = views.iter().map(|view| worker_info(view, &peers)).collect();
    workers.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.id.cmp(&b.id)));
    Ok(workers)
}
