//! The admin API: HTTP and JSON, for this machine only.
//!
//! Nobody is asked for a password, so a page in a browser on this machine must not get in: the
//! `Host` has to be a loopback name (else a name of the page's owner could point here), a foreign
//! `Origin` is refused, and a body has to be declared JSON, which a page cannot do without asking.

mod actions;
mod events;
mod explain;
#[cfg(feature = "cli")]
pub(super) mod fuzzing;
mod guard;
mod problem;
mod tasks;
mod view;
mod workers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Uri;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router, middleware};
use moorline_driver::CoordinatorHandle;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::{Admin, Places, ReloadHook};
use crate::api::{Overview, ReloadReport, Version};
use crate::health::{Answer, CoordinatorSubject, PATHS, answer, response};
use crate::metrics::Traffic;
use crate::{Code, Error, Result};
#[cfg(feature = "chaos")]
pub(crate) use guard::guard;
pub(crate) use problem::Refusal;

/// What every handler needs.
#[derive(Clone)]
struct Context {
    driver: CoordinatorHandle,
    /// The same as what watches its health sees it.
    subject: CoordinatorSubject,
    /// Since when it is served, which is when the coordinator began.
    started: SystemTime,
    /// Room for those who follow what happens.
    streams: Arc<Semaphore>,
    /// Where workers may be sent.
    places: Arc<Places>,
}

/// What is served: the coordinator, what its health is seen by, and where its workers may be sent.
type Served = (CoordinatorHandle, CoordinatorSubject, Arc<Places>);

/// Takes the address.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|source| Error::AdminListen { address: address.to_string(), source })
}

/// Serves until told to end.
pub(super) fn serve(listener: TcpListener, served: Served, reload: Option<ReloadHook>) -> Admin {
    // A bound listener has an address; without one nobody could have asked for it.
    let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], 0)));
    let (end, mut ended) = watch::channel(false);
    let served = tokio::spawn(async move {
        let end = async move {
            // Nobody left who could say so is an end, too.
            let _ = ended.wait_for(|end| *end).await;
        };
        let router = router(served).layer(Extension(reload));
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(end).await {
            tracing::error!(
                event = "admin.failed",
                role = "coordinator",
                "Admin API ended: {error}"
            );
        }
    });
    Admin { address, end, served }
}

/// All routes, behind the guard.
pub(super) fn router((driver, subject, places): Served) -> Router {
    let api = Router::new()
        .route("/tasks", get(tasks::list).post(tasks::submit))
        .route("/tasks/{id}", get(tasks::get))
        .route("/tasks/{id}/result", get(tasks::result))
        .route("/tasks/{id}/wait", get(tasks::wait))
        .route("/tasks/{id}/cancel", post(tasks::cancel))
        .route("/tasks/{id}/retry", post(tasks::retry))
        .route("/tasks/{id}/timeline", get(events::of_task))
        .route("/events", get(events::list))
        .route("/tasks/{id}/explain", get(explain::of_task))
        .route("/workers/{worker}/explain", get(explain::of_worker))
        .route("/workers/{worker}/timeline", get(events::of_worker))
        .route("/workers", get(workers::list))
        .route("/workers/{worker}", get(workers::get).delete(actions::forget))
        .route("/workers/{worker}/reconnect", post(actions::reconnect))
        .route("/workers/{worker}/disconnect", post(actions::disconnect))
        .route("/workers/{worker}/redirect", post(actions::redirect))
        .route("/workers/{worker}/drain", post(actions::drain))
        .route("/workers/{worker}/resume", post(actions::resume))
        .route("/coordinator/drain", post(actions::drain_coordinator))
        .route("/overview", get(overview))
        .route("/version", get(version))
        .route("/coordinator/reload", post(reload))
        .layer(tasks::body_limit())
        .with_state(Context {
            driver,
            subject: subject.clone(),
            started: SystemTime::now(),
            streams: Arc::clone(subject.traffic().streams()),
            places,
        });
    let traffic = Arc::clone(subject.traffic());
    let mut health = Router::new();
    for path in PATHS {
        health = health.route(path, get(self::health));
    }
    Router::new()
        .nest("/api/v1", api)
        .merge(health.with_state(subject))
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(middleware::from_fn(guard::guard))
        .layer(middleware::from_fn_with_state(traffic, counted))
}

/// Counts every request, also one that is refused.
async fn counted(State(traffic): State<Arc<Traffic>>, request: Request, next: Next) -> Response {
    let (began, method) = (Instant::now(), request.method().clone());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map(MatchedPath::as_str);
    traffic.answered(route, &method, response.status(), began.elapsed());
    response
}

/// The paths of a health server, by the same code.
async fn health(State(subject): State<CoordinatorSubject>, uri: Uri) -> Response {
    let answer = answer(uri.path(), uri.query(), &subject).await;
    response(answer.unwrap_or_else(Answer::no_path)).into_response()
}

async fn overview(State(context): State<Context>) -> Result<Json<Overview>, Refusal> {
    let counts = context.driver.read(|reader| reader.counts()).await.map_err(Error::from)?;
    let workers = context.driver.workers().await.map_err(|_| Error::Stopped)?;
    let problem = context.subject.problem().await;
    Ok(Json(view::overview(context.driver.epoch(), &counts, &workers, problem)))
}

async fn version() -> Json<Version> {
    Json(Version::here())
}

/// Reads files, so not on the runtime's own threads.
async fn reload(
    hook: Option<Extension<Option<ReloadHook>>>,
) -> Result<Json<ReloadReport>, Refusal> {
    let Some(Extension(Some(ReloadHook(hook)))) = hook else {
        let detail = "it is part of another program, which has its own configuration";
        return Err(Refusal::new(Code::NOTHING_TO_RELOAD, detail));
    };
    let report = tokio::task::spawn_blocking(move || hook())
        .await
        .map_err(|error| Error::Start(std::io::Error::other(error)))??;
    Ok(Json(report))
}

#[cfg(test)]
mod tests;
