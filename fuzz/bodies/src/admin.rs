//! Requests to the admin API, as anybody on this machine can make them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::Response;
use http_body_util::{BodyExt, Limited};
use moorline::fuzzing::admin_of_nobody;
use tower::ServiceExt;

/// How long an answer may wait for something to happen, as some are asked to.
const PATIENCE: Duration = Duration::from_millis(20);
/// More than any answer of a coordinator without tasks and workers.
const ANSWER_MAX: usize = 64 << 10;

/// Reads any bytes as a request: a method and a target, lines of a head, and a body behind an empty line.
/// Whatever is asked, the answer is no failure of the coordinator's own; a refusal is a problem document;
/// only a loopback name and no foreign page gets anything else; and whoever asks next is answered.
pub fn admin_request(bytes: &[u8]) {
    let Some(request) = request(bytes) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let (driver, api) = admin_of_nobody().await.expect("it starts");
        let may = is_from_here(request.headers(), request.uri().authority().map(|at| at.as_str()));
        let asked = format!("{request:?}");
        // The others are the health checks', which say in words of their own that something is amiss; and
        // an answer to HEAD has no body.
        let is_api = request.uri().path().starts_with("/api/") && request.method() != Method::HEAD;
        match tokio::time::timeout(PATIENCE, api.clone().oneshot(request)).await {
            Ok(answered) => check(answered.expect("infallible"), may, is_api, &asked).await,
            Err(_) => assert!(may, "a foreign request is waited with: {asked}"),
        }
        let version = Request::get("/api/v1/version").header(HOST, "localhost").body(Body::empty());
        let version = api.oneshot(version.expect("a request")).await.expect("infallible");
        assert_eq!(version.status(), StatusCode::OK, "behind {asked}");
        driver.stop().await;
    });
}

async fn check(answer: Response, may: bool, is_api: bool, asked: &str) {
    let status = answer.status();
    // It has a store that works and has not been stopped: nothing is its own fault.
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{asked}");
    assert!(!(is_api && status.is_server_error()), "{status}: {asked}");
    assert!(may || !status.is_success(), "a foreign request is answered: {asked}");
    if !is_api || !status.is_client_error() {
        return;
    }
    let kind = answer.headers().get(CONTENT_TYPE).cloned();
    let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await;
    let body = body.expect("a short answer").to_bytes();
    assert_eq!(kind.expect("a kind"), "application/problem+json", "{status}: {asked}");
    let problem: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(problem["status"], status.as_u16(), "{asked}");
    assert!(problem["code"].as_str().is_some_and(|code| code.starts_with("ML")), "{problem}");
}

fn request(bytes: &[u8]) -> Option<Request<Body>> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((bytes, &[][..]), |at| (&bytes[..at], &bytes[at + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = lines.next()?;
    let space = first.iter().position(|byte| *byte == b' ')?;
    let mut request = Request::builder().method(&first[..space]).uri(&first[space + 1..]);
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..colon], line[colon + 1..].trim_ascii());
    }
    request.body(Body::from(body.to_vec())).ok()
}

/// Said otherwise than there: one host that is this machine's, and no page but its own.
fn is_from_here(headers: &HeaderMap, target: Option<&str>) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    let is_one = hosts.next().is_none();
    let mut origins = headers.get_all(ORIGIN).iter();
    is_one
        && host.is_some_and(is_local)
        && target.is_none_or(is_local)
        && origins.all(|origin| {
            let own = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
            own.is_some_and(is_local)
        })
}

fn is_local(authority: &str) -> bool {
    let authority = authority.to_ascii_lowercase();
    let bare = authority.trim_start_matches('[').trim_end_matches(']');
    authority.split(':').next() == Some("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        || authority.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback())
}
