//! `/tasks`: submit, list, get, result, wait, cancel, retry.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use moorline_driver::ReadError;
use moorline_node::{ClientReply, Name, Spec};
use moorline_store::TaskFilter;
use moorline_work::{Attempt, Reply};
use serde::Deserialize;

use super::Context;
use super::problem::{self, Refusal};
use super::view::task_info;
use crate::api::{
    CancelBody, Cancelled, Retried, RetryBody, SUBMIT_BODY_MAX, SubmitBody, Submitted, TaskInfo,
    TaskPage, WAIT_MAX, parse_task_state,
};
use crate::{Code, Error, TaskId};

/// Tasks on one page when the request does not say.
const PAGE: u32 = 100;
/// Tasks on one page at most.
const PAGE_MAX: u32 = 1_000;

type Answer<T> = Result<T, Refusal>;

/// A segment of the path, which may be no text.
type Segment = Result<Path<String>, PathRejection>;

/// How often a request that waits for the store looks whether it takes writes.
const GLANCE: Duration = Duration::from_millis(250);

/// Waits for what has to be written down first, as long as the store takes writes. Who is refused may ask
/// again: what was asked for may be done when the store works again, and it is done once.
async fn stored<T, E>(
    context: &Context,
    request: impl Future<Output = std::result::Result<T, E>>,
) -> Answer<T> {
    let mut request = std::pin::pin!(request);
    loop {
        if let Ok(reply) = tokio::time::timeout(GLANCE, request.as_mut()).await {
            return reply.map_err(|_| Error::Stopped.into());
        }
        let state = context.driver.store_state();
        if let Some(error) = state.error() {
            return Err(Error::Store(error.clone()).into());
        }
        if !state.works() {
            let detail = "the store has not finished a write for seconds: nothing is acknowledged";
            return Err(Refusal::new(Code::STORE_STALLED, detail));
        }
    }
}

/// A submit may be large; nothing else is.
pub(super) fn body_limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(SUBMIT_BODY_MAX)
}

pub(super) async fn submit(
    State(context): State<Context>,
    body: Result<Bytes, BytesRejection>,
) -> Answer<(StatusCode, Json<Submitted>)> {
    let body = body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::new(Code::REQUEST_TOO_LARGE, error.body_text()),
        _ => Refusal::new(Code::BAD_REQUEST, error.body_text()),
    })?;
    let mut body: SubmitBody = serde_json::from_slice(&body).map_err(|error| {
        Refusal::new(Code::BAD_REQUEST, format!("the body is not a task: {error}"))
    })?;
    let task = body.id.unwrap_or_else(TaskId::generate);
    let payload = body.take_input()?;
    let handler = Name::new(&body.kind).map_err(|error| Error::setting("type", error))?;
    let timeout = body.timeout_ms.map(Duration::from_millis);
    if timeout.is_some_and(|timeout| timeout.is_zero()) {
        return Err(Error::setting("timeout_ms", "it must not be zero").into());
    }
    let spec = Spec { handler, priority: body.priority, max_retries: body.max_retries, timeout };
    let reply = stored(&context, context.driver.submit(task.into(), spec, payload)).await?;
    let again = match reply {
        ClientReply::Work(Reply::Submitted { again }) => again,
        ClientReply::Work(Reply::IdTaken) => return Err(Error::IdTaken { task }.into()),
        ClientReply::TooManyHandlers { max } => return Err(Error::TooManyHandlers { max }.into()),
        ClientReply::Work(
            Reply::Cancelled
            | Reply::CancelRequested
            | Reply::AlreadyEnded
            | Reply::Retried
            | Reply::NotEnded
            | Reply::NotFound,
        ) => return Err(unexpected("submit")),
    };
    let status = if again { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(Submitted { id: task, kind: body.kind, again })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    state: Option<String>,
    limit: Option<u32>,
    before: Option<u64>,
}

pub(super) async fn list(
    State(context): State<Context>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Answer<Json<TaskPage>> {
    let Query(query) = query.map_err(bad_query)?;
    let state = match query.state.as_deref() {
        None => None,
        Some(text) => Some(parse_task_state(text).ok_or_else(|| {
            Refusal::new(Code::BAD_REQUEST, format!("there is no task state `{text}`"))
        })?),
    };
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let filter = TaskFilter { state, limit, before: query.before };
    let records =
        context.driver.read(move |reader| reader.tasks(&filter)).await.map_err(Error::from)?;
    let full = records.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next = records.last().filter(|_| full).map(|last| last.order);
    Ok(Json(TaskPage { tasks: records.into_iter().map(task_info).collect(), next }))
}

pub(super) async fn get(State(context): State<Context>, id: Segment) -> Answer<Json<TaskInfo>> {
    read_task(&context, task_id(id)?).await.map(Json)
}

pub(super) async fn result(State(context): State<Context>, id: Segment) -> Answer<Response> {
    let task = task_id(id)?;
    let result =
        context.driver.read(move |reader| reader.result(task.into())).await.map_err(Error::from)?;
    match result {
        // A page that gets hold of it must not take it for anything but bytes.
        Some(bytes) => Ok((
            [(CONTENT_TYPE, "application/octet-stream"), (X_CONTENT_TYPE_OPTIONS, "nosniff")],
            bytes,
        )
            .into_response()),
        None => {
            let state = read_task(&context, task).await?.state;
            Err(Error::NoResult { task, state }.into())
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitQuery {
    timeout_ms: Option<u64>,
}

/// Answers when the task has ended or the time is over, with the task as it is then.
pub(super) async fn wait(
    State(context): State<Context>,
    id: Segment,
    query: Result<Query<WaitQuery>, QueryRejection>,
) -> Answer<Json<TaskInfo>> {
    let Query(query) = query.map_err(bad_query)?;
    let task = task_id(id)?;
    let limit = query.timeout_ms.map_or(WAIT_MAX, Duration::from_millis).min(WAIT_MAX);
    match tokio::time::timeout(limit, context.driver.ended(task.into())).await {
        Ok(Ok(())) | Err(_) => read_task(&context, task).await.map(Json),
        Ok(Err(ReadError::NoSuchTask)) => Err(Error::NoSuchTask { task }.into()),
        Ok(Err(error)) => Err(Error::from(error).into()),
    }
}

pub(super) async fn cancel(
    State(context): State<Context>,
    id: Segment,
) -> Answer<Json<CancelBody>> {
    let task = task_id(id)?;
    let reply = stored(&context, context.driver.cancel(task.into())).await?;
    let outcome = match reply {
        ClientReply::Work(Reply::Cancelled) => Cancelled::Cancelled,
        ClientReply::Work(Reply::CancelRequested) => Cancelled::CancelRequested,
        ClientReply::Work(Reply::AlreadyEnded) => Cancelled::AlreadyEnded,
        ClientReply::Work(Reply::NotFound) => return Err(Error::NoSuchTask { task }.into()),
        ClientReply::Work(
            Reply::Submitted { .. } | Reply::IdTaken | Reply::Retried | Reply::NotEnded,
        )
        | ClientReply::TooManyHandlers { .. } => return Err(unexpected("cancel")),
    };
    Ok(Json(CancelBody { id: task, outcome }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryQuery {
    /// How many attempts were given out when the client looked: if there was another since, nothing
    /// happens, so that a request may be repeated.
    attempts: Option<u32>,
}

pub(super) async fn retry(
    State(context): State<Context>,
    id: Segment,
    query: Result<Query<RetryQuery>, QueryRejection>,
) -> Answer<Json<RetryBody>> {
    let Query(query) = query.map_err(bad_query)?;
    let task = task_id(id)?;
    let last = match query.attempts {
        Some(attempts) => attempts,
        None => read_task(&context, task).await?.attempts,
    };
    let reply = stored(&context, context.driver.retry(task.into(), Attempt(last))).await?;
    let outcome = match reply {
        ClientReply::Work(Reply::Retried) => Retried::Queued,
        ClientReply::Work(Reply::NotEnded) => Retried::NotEnded,
        ClientReply::Work(Reply::AlreadyEnded) => {
            let detail = format!("the task {task} has succeeded: it does not run again");
            return Err(Refusal::new(Code::HAS_RESULT, detail));
        }
        ClientReply::Work(Reply::NotFound) => return Err(Error::NoSuchTask { task }.into()),
        ClientReply::Work(
            Reply::Submitted { .. } | Reply::IdTaken | Reply::Cancelled | Reply::CancelRequested,
        )
        | ClientReply::TooManyHandlers { .. } => return Err(unexpected("retry")),
    };
    Ok(Json(RetryBody { id: task, outcome }))
}

async fn read_task(context: &Context, task: TaskId) -> Answer<TaskInfo> {
    let record =
        context.driver.read(move |reader| reader.task(task.into())).await.map_err(Error::from)?;
    record.map(task_info).ok_or_else(|| Error::NoSuchTask { task }.into())
}

/// An id that cannot be one names no task.
fn task_id(segment: Segment) -> Answer<TaskId> {
    problem::segment(segment)?
        .parse()
        .map_err(|error: crate::TaskIdError| Refusal::new(Code::BAD_REQUEST, error.to_string()))
}

fn bad_query(error: QueryRejection) -> Refusal {
    Refusal::new(Code::BAD_REQUEST, error.body_text())
}

fn unexpected(request: &str) -> Refusal {
    Refusal::new(Code::INTERNAL, format!("the reply to the {request} belongs to another request"))
}
