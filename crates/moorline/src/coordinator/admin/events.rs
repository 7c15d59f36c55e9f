//! `/events`, and the timelines of a worker and of a task: what happened, in pages, as it comes, or
//! as a stream of lines.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use moorline_driver::CoordinatorHandle;
use moorline_link::Reason;
use moorline_node::Name;
use moorline_store::{EventKinds, EventQuery, WallTime};
use moorline_work::WorkerId;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::problem::{self, Refusal};
use super::{Context, view};
use crate::api::{EventPage, WAIT_MAX, parse_kinds};
use crate::{Code, Error, TaskId};

/// Events on one page when the request does not say.
const PAGE: u32 = 100;
/// Events on one page at most.
const PAGE_MAX: u32 = 1_000;
/// Events in one piece of a stream.
const PIECE: u32 = 256;
/// What happens within this time is read at once: a busy store is not read for each commit.
const GATHER: Duration = Duration::from_millis(100);

type Answer<T> = Result<T, Refusal>;
type Asked = Result<Query<EventsQuery>, QueryRejection>;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    after: Option<u64>,
    before: Option<u64>,
    since: Option<String>,
    until: Option<String>,
    kind: Option<String>,
    worker: Option<String>,
    task: Option<String>,
    reason: Option<String>,
    limit: Option<u32>,
    /// `oldest` or `newest` first.
    order: Option<String>,
    /// Wait for something new up to so long.
    wait_ms: Option<u64>,
    follow: Option<bool>,
}

/// All events.
pub(super) async fn list(State(context): State<Context>, query: Asked) -> Answer<Response> {
    let Query(asked) = query.map_err(bad_query)?;
    let mut query = parse(&asked)?;
    if let Some(worker) = &asked.worker {
        query.worker = Some(worker_of(&context.driver, worker).await?);
    }
    if let Some(task) = &asked.task {
        query.task = Some(task_of(task)?.into());
    }
    answer(&context, query, &asked).await
}

/// What happened to a worker.
pub(super) async fn of_worker(
    State(context): State<Context>,
    worker: Result<Path<String>, PathRejection>,
    query: Asked,
) -> Answer<Response> {
    let worker = problem::segment(worker)?;
    let Query(asked) = query.map_err(bad_query)?;
    let worker = Some(worker_of(&context.driver, &worker).await?);
    let query = EventQuery { worker, ..parse(&asked)? };
    answer(&context, query, &asked).await
}

/// What happened to a task.
pub(super) async fn of_task(
    State(context): State<Context>,
    task: Result<Path<String>, PathRejection>,
    query: Asked,
) -> Answer<Response> {
    let id = task_of(&problem::segment(task)?)?;
    let Query(asked) = query.map_err(bad_query)?;
    let query = EventQuery { task: Some(id.into()), ..parse(&asked)? };
    // Its events may be kept for longer than the task itself.
    let any = EventQuery { task: Some(id.into()), limit: 1, ..EventQuery::default() };
    let known = context
        .driver
        .read(move |reader| {
            Ok(reader.task(id.into())?.is_some() || !reader.events(&any)?.events.is_empty())
        })
        .await
        .map_err(Error::from)?;
    if !known {
        return Err(Error::NoSuchTask { task: id }.into());
    }
    answer(&context, query, &asked).await
}

async fn answer(context: &Context, query: EventQuery, asked: &EventsQuery) -> Answer<Response> {
    if asked.follow == Some(true) {
        return stream(context, query);
    }
    let wait = Duration::from_millis(asked.wait_ms.unwrap_or(0)).min(WAIT_MAX);
    let waiting = async {
        if wait.is_zero() {
            return None;
        }
        let next = next_page(&context.driver, query.clone(), true);
        tokio::time::timeout(wait, next).await.ok()
    };
    let page = match waiting.await {
        Some(page) => page?,
        None => next_page(&context.driver, query, false).await?,
    };
    Ok(Json(page).into_response())
}

/// A page, with `wait` one that has an event, or goes on beyond what there is.
async fn next_page(
    driver: &CoordinatorHandle,
    mut query: EventQuery,
    wait: bool,
) -> Answer<EventPage> {
    loop {
        let asked = query.clone();
        let page = driver.read(move |reader| reader.events(&asked)).await.map_err(Error::from)?;
        let is_over = !wait || !page.events.is_empty() || page.more || query.newest_first;
        if is_over {
            let epoch = driver.epoch();
            debug_assert!(page.events.iter().all(|event| event.epoch <= epoch));
            return Ok(EventPage {
                events: page.events.into_iter().map(view::event_info).collect(),
                next: page.more.then_some(page.cursor),
                cursor: page.cursor,
            });
        }
        // Not again what has been looked at.
        query.after = page.cursor;
        driver.new_events(page.cursor).await.map_err(|_| Error::Stopped)?;
        tokio::time::sleep(GATHER).await;
    }
}

/// JSON lines, without an end but the coordinator's. A reader that is slow holds up itself alone: the
/// next piece is read from the store when the last one is gone.
fn stream(context: &Context, query: EventQuery) -> Answer<Response> {
    if query.newest_first || query.before.is_some() {
        return Err(bad("what is followed goes on from the oldest to what comes"));
    }
    let permit = Arc::clone(&context.streams).try_acquire_owned();
    let permit = permit.map_err(|_| Refusal::new(Code::BUSY, "too many streams are open"))?;
    let follower = Follower {
        driver: context.driver.clone(),
        query: EventQuery { limit: PIECE, ..query },
        _permit: permit,
    };
    let lines = futures::stream::unfold(follower, |mut follower| async move {
        let lines = follower.next().await?;
        Some((Ok::<_, std::convert::Infallible>(lines), follower))
    });
    let head = [
        (CONTENT_TYPE, "application/x-ndjson"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((head, Body::from_stream(lines)).into_response())
}

struct Follower {
    driver: CoordinatorHandle,
    query: EventQuery,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    /// The next lines; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let query = self.query.clone();
            let page = self.driver.read(move |reader| reader.events(&query)).await.ok()?;
            self.query.after = page.cursor;
            let mut lines = Vec::new();
            for event in page.events {
                // Strings and numbers are always JSON.
                serde_json::to_writer(&mut lines, &view::event_info(event)).ok()?;
                lines.push(b'\n');
            }
            if !lines.is_empty() {
                return Some(lines.into());
            }
            if !page.more {
                self.driver.new_events(page.cursor).await.ok()?;
                tokio::time::sleep(GATHER).await;
            }
        }
    }
}

/// What does not name a worker or a task.
fn parse(asked: &EventsQuery) -> Answer<EventQuery> {
    let newest_first = match asked.order.as_deref() {
        None | Some("oldest") => false,
        Some("newest") => true,
        Some(other) => return Err(bad(format!("the order `{other}` is not oldest or newest"))),
    };
    let kinds = match &asked.kind {
        None => EventKinds::ALL,
        Some(kinds) => EventKinds::of(parse_kinds(kinds).map_err(bad)?),
    };
    let reason = match &asked.reason {
        None => None,
        Some(word) => Some(
            Reason::from_name(word).ok_or_else(|| bad(format!("there is no reason `{word}`")))?,
        ),
    };
    Ok(EventQuery {
        after: asked.after.unwrap_or(0),
        before: asked.before,
        since: asked.since.as_deref().map(time).transpose()?,
        until: asked.until.as_deref().map(time).transpose()?,
        kinds,
        worker: None,
        task: None,
        reason,
        limit: asked.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX),
        newest_first,
    })
}

/// A time in RFC 3339, or how long ago: `15m`.
fn time(text: &str) -> Answer<WallTime> {
    let time = match humantime::parse_rfc3339(text) {
        Ok(time) => time,
        Err(_) => {
            let ago = humantime::parse_duration(text).map_err(|_| {
                bad(format!(
                    "`{text}` is not a time such as 2026-11-22T10:00:00Z, nor one ago as 15m"
                ))
            })?;
            SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH)
        }
    };
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
}

/// The worker with this name or identity: one that is known now, else one the store remembers. An
/// identity is taken as it is, so that what is forgotten can be looked up.
async fn worker_of(driver: &CoordinatorHandle, text: &str) -> Answer<WorkerId> {
    let views = driver.workers().await.map_err(|_| Error::Stopped)?;
    // Of several that had the name the one that is here.
    let named = views.iter().filter(|view| view.name.as_str() == text);
    if let Some(view) = named.max_by_key(|view| view.conn.is_some()) {
        return Ok(WorkerId(view.worker.0));
    }
    if let Some(id) = crate::id::parse_worker(text) {
        return Ok(WorkerId(id.0));
    }
    let named = match Name::new(text) {
        Ok(name) => {
            driver.read(move |reader| reader.worker_named(&name)).await.map_err(Error::from)?
        }
        Err(_) => None,
    };
    named.ok_or_else(|| Error::NoSuchWorker { worker: text.to_owned() }.into())
}

fn task_of(text: &str) -> Answer<TaskId> {
    text.parse().map_err(|error: crate::TaskIdError| bad(error.to_string()))
}

fn bad(detail: impl Into<String>) -> Refusal {
    Refusal::new(Code::BAD_REQUEST, detail)
}

fn bad_query(error: QueryRejection) -> Refusal {
    bad(error.body_text())
}

#[cfg(test)]
mod tests;
