//! `/workers`: list and get.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::Deserialize;

use super::Context;
use super::problem::{self, Refusal};
use super::view::worker_info;
use crate::api::{WORKER_STATES, WorkerInfo, WorkerPage};
use crate::{Code, Error};

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

/// By name or by identity.
pub(super) async fn get(
    State(context): State<Context>,
    worker: Result<Path<String>, PathRejection>,
) -> Result<Json<WorkerInfo>, Refusal> {
    let worker = problem::segment(worker)?;
    let found = all(&context).await?.into_iter().find(|one| one.name == worker || one.id == worker);
    found.map(Json).ok_or_else(|| Error::NoSuchWorker { worker }.into())
}

/// By name.
async fn all(context: &Context) -> Result<Vec<WorkerInfo>, Refusal> {
    let views = context.driver.workers().await.map_err(|_| Error::Stopped)?;
    let peers = context.driver.peers().await.map_err(|_| Error::Stopped)?;
    let mut workers: Vec<_> = views.iter().map(|view| worker_info(view, &peers)).collect();
    workers.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.id.cmp(&b.id)));
    Ok(workers)
}
