//! What an operator does to workers and to the coordinator itself.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use moorline_driver::Drain;
use moorline_link::{Presence, WorkerId};
use moorline_node::{Address, Name, WorkerView};
use moorline_transport::Endpoint;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Context;
use super::problem::Refusal;
use super::view::worker_info;
use super::workers::{self, Segment};
use crate::api::{Draining, LeftBehind, WorkerInfo, presence_word};
use crate::coordinator::places::would_follow;
use crate::{Code, Error};

type Answer = Result<Json<WorkerInfo>, Refusal>;

/// Ends its connection and lets it come back at once.
pub(super) async fn reconnect(State(context): State<Context>, worker: Segment) -> Answer {
    let worker = connected(&context, worker, "reconnect").await?;
    context.driver.reconnect(worker.worker).await.map_err(|_| Error::Stopped)?;
    done(&context, "reconnected", &worker, "").await
}

/// Ends its connection; it comes back by its own policy.
pub(super) async fn disconnect(State(context): State<Context>, worker: Segment) -> Answer {
    let worker = connected(&context, worker, "disconnect").await?;
    context.driver.disconnect(worker.worker).await.map_err(|_| Error::Stopped)?;
    done(&context, "disconnected", &worker, "").await
}

/// Gives it nothing new until it is resumed.
pub(super) async fn drain(State(context): State<Context>, worker: Segment) -> Answer {
    let worker = workers::find(&context, worker).await?;
    context.driver.cordon(worker.worker, true).await.map_err(|_| Error::Stopped)?;
    done(&context, "drained", &worker, "").await
}

/// Gives it tasks again.
pub(super) async fn resume(State(context): State<Context>, worker: Segment) -> Answer {
    let worker = workers::find(&context, worker).await?;
    context.driver.cordon(worker.worker, false).await.map_err(|_| Error::Stopped)?;
    done(&context, "resumed", &worker, "").await
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
    done(&context, "forgot", &worker, "").await
}

/// Sends it elsewhere: it goes when it is registered there.
pub(super) async fn redirect(
    State(context): State<Context>,
    worker: Segment,
    body: Bytes,
) -> Answer {
    let RedirectBody { to } = parsed(&body)?;
    let to = some_places(&context, &to)?;
    let worker = connected(&context, worker, "redirect").await?;
    let peers = context.driver.peers().await.map_err(|_| Error::Stopped)?;
    let own = context.places.own().await;
    if let Some(peer) = worker.conn.and_then(|conn| peers.get(&conn)) {
        for place in &to {
            would_follow(own.as_ref(), peer, place)
                .map_err(|error| Refusal::new(Code::FOREIGN_PLACE, error.to_string()))?;
        }
    }
    if !context.driver.redirect(worker.worker, &to).await.map_err(|_| Error::Stopped)? {
        return Err(Refusal::new(Code::NOT_MOVABLE, not_movable(&worker)));
    }
    done(&context, "redirected", &worker, &format!(" to {}", words(&to))).await
}

/// Where a worker is to go: the first that takes it in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RedirectBody {
    to: Vec<String>,
}

fn parsed<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::new(Code::BAD_REQUEST, error.to_string()))
}

/// The places of a request: 1 to 16.
fn some_places(context: &Context, texts: &[String]) -> Result<Vec<Endpoint>, Refusal> {
    if texts.is_empty() || texts.len() > Address::COUNT_MAX {
        let detail = format!("`to` names 1 to {} places, not {}", Address::COUNT_MAX, texts.len());
        return Err(Refusal::new(Code::BAD_REQUEST, detail));
    }
    let read = |text: &String| {
        let endpoint = context.places.read(text)?;
        // Of longer ones nobody is told.
        match Address::new(&endpoint.to_string()) {
            Ok(_) => Ok(endpoint),
            Err(error) => Err(Refusal::new(Code::BAD_REQUEST, format!("`{text}`: {error}"))),
        }
    };
    texts.iter().map(read).collect()
}

fn words(places: &[Endpoint]) -> String {
    places.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn not_movable(worker: &WorkerView) -> String {
    let software = worker.software.as_ref().map_or("its software", Name::as_str);
    format!("{} cannot be told where to go: {software} does not know of that", worker.name)
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
    /// Where workers go instead of coming back; none: they come back.
    to: Vec<String>,
}

/// Sends all workers away and stops.
pub(super) async fn drain_coordinator(
    State(context): State<Context>,
    body: Bytes,
) -> Result<(StatusCode, Json<Draining>), Refusal> {
    let body: DrainBody = if body.is_empty() { DrainBody::default() } else { parsed(&body)? };
    let to = if body.to.is_empty() { Vec::new() } else { some_places(&context, &body.to)? };
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
    let left = if to.is_empty() { Vec::new() } else { left_behind(&context, &to).await? };
    context.driver.send_instead(&to).map_err(|_| Error::Stopped)?;
    let connected = context.driver.drain(drain).await.map_err(|_| Error::Stopped)?;
    let sent = if to.is_empty() { String::new() } else { format!(" to {}", words(&to)) };
    tracing::info!(
        event = "admin.action",
        role = "coordinator",
        action = "drain_coordinator",
        "An operator drains the coordinator{sent}"
    );
    for LeftBehind { name, code, detail } in &left {
        tracing::warn!(
            event = "coordinator.left_behind",
            role = "coordinator",
            worker = name.as_str(),
            code = code.as_str(),
            "{detail}"
        );
    }
    let (timeout_s, to) = (timeout.as_secs_f64(), to.iter().map(ToString::to_string).collect());
    Ok((StatusCode::ACCEPTED, Json(Draining { connected, timeout_s, to, left })))
}

/// Workers that cannot be told where to go. If that is everybody who is there for where it is, it is refused.
async fn left_behind(context: &Context, to: &[Endpoint]) -> Result<Vec<LeftBehind>, Refusal> {
    let views = context.driver.workers().await.map_err(|_| Error::Stopped)?;
    let peers = context.driver.peers().await.map_err(|_| Error::Stopped)?;
    let own = context.places.own().await;
    let (mut left, mut foreign, mut follow) = (Vec::new(), None, false);
    for view in &views {
        let (code, detail) = match view.conn {
            None if matches!(view.presence, Presence::Lost | Presence::Departed) => continue,
            None => {
                let state = presence_word(view.presence);
                let detail = format!(
                    "{} is {state}: it is told only if it comes back before the coordinator has stopped",
                    view.name
                );
                (Code::NOT_CONNECTED, detail)
            }
            Some(_) if !view.moves => (Code::NOT_MOVABLE, not_movable(view)),
            Some(conn) => {
                let judge = |place| {
                    let peer = peers.get(&conn);
                    peer.map_or(Ok(()), |peer| would_follow(own.as_ref(), peer, place))
                };
                // One that it may go to is enough.
                match to.iter().map(judge).reduce(Result::or) {
                    Some(Err(error)) => {
                        foreign = Some(error.to_string());
                        (Code::FOREIGN_PLACE, format!("{} would not go: {error}", view.name))
                    }
                    Some(Ok(())) | None => {
                        follow = true;
                        continue;
                    }
                }
            }
        };
        left.push(LeftBehind { name: view.name.to_string(), code: code.to_string(), detail });
    }
    match foreign {
        Some(why) if !follow => Err(Refusal::new(Code::FOREIGN_PLACE, why)),
        Some(_) | None => Ok(left),
    }
}

/// The longest time of a drain.
const DRAIN_MAX: Duration = Duration::from_secs(24 * 3_600);
/// How much longer than its last eviction a drain may take.
const DRAIN_REST: Duration = Duration::from_secs(20);

/// Every action leaves a line, and answers the worker as it is then; as it was, if it is not known
/// any more.
async fn done(context: &Context, what: &str, worker: &WorkerView, where_to: &str) -> Answer {
    let WorkerId(id) = worker.worker;
    tracing::info!(
        event = "admin.action",
        role = "coordinator",
        action = what,
        worker = %worker.name,
        id = format_args!("{id:032x}"),
        "An operator {what} {}{where_to}",
        worker.name
    );
    let views = context.driver.workers().await.map_err(|_| Error::Stopped)?;
    let peers = context.driver.peers().await.map_err(|_| Error::Stopped)?;
    let now = views.iter().find(|view| view.worker == worker.worker).unwrap_or(worker);
    Ok(Json(worker_info(now, &peers)))
}
