use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use moorline_driver::{
    CoordinatorHandle, CoordinatorOptions, Tokio, Transports, start_coordinator,
};
use moorline_store::{MemoryStore, Store};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::router;
use crate::TaskId;
use crate::health::{CoordinatorSubject, Limits};

mod full;

async fn api() -> (CoordinatorHandle, Router) {
    api_of(Box::new(MemoryStore::new())).await
}

async fn api_of(store: Box<dyn Store>) -> (CoordinatorHandle, Router) {
    let options = CoordinatorOptions::new();
    let driver = start_coordinator(Tokio, Transports::new(), store, options).await.unwrap();
    let subject = CoordinatorSubject::new(driver.clone(), false, Limits::default());
    (driver.clone(), router((driver, subject, Arc::default())))
}

/// A request as the client would make it.
fn request(method: Method, path: &str, body: Value) -> Request<Body> {
    let request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header("host", "127.0.0.1:8741");
    if body.is_null() {
        return request.body(Body::empty()).unwrap();
    }
    let text = body.to_string();
    request
        .header("content-type", "application/json")
        .header("content-length", text.len())
        .body(Body::from(text))
        .unwrap()
}

fn get(path: &str) -> Request<Body> {
    request(Method::GET, path, Value::Null)
}

fn post(path: &str, body: Value) -> Request<Body> {
    request(Method::POST, path, body)
}

async fn ask(api: &Router, request: Request<Body>) -> Response<Body> {
    api.clone().oneshot(request).await.unwrap()
}

async fn json_of(response: Response<Body>) -> Value {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap()
}

/// The status and the code of a refusal, which must be a whole problem document.
async fn refusal(api: &Router, request: Request<Body>) -> (u16, String) {
    let response = ask(api, request).await;
    let status = response.status();
    let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    assert_eq!(kind.as_deref(), Some("application/problem+json"), "{status}");
    let problem = json_of(response).await;
    assert_eq!(problem["status"], status.as_u16());
    for field in ["type", "title", "detail", "hint"] {
        assert!(!problem[field].as_str().unwrap().is_empty(), "{field}");
    }
    (status.as_u16(), problem["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_task_is_submitted_read_and_cancelled() {
    let (driver, api) = api().await;
    let id = TaskId::generate().to_string();
    let body = json!({"id": id, "type": "resize", "input": "cat.png", "max_retries": 2});
    let response = ask(&api, post("/tasks", body.clone())).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(json_of(response).await, json!({"id": id, "type": "resize", "again": false}));
    let response = ask(&api, post("/tasks", body)).await;
    assert_eq!(response.status(), StatusCode::OK, "the same again changes nothing");

    let task = json_of(ask(&api, get(&format!("/tasks/{id}"))).await).await;
    assert_eq!(task["type"], "resize");
    assert_eq!(task["state"], "queued");
    assert_eq!(task["max_retries"], 2);
    assert_eq!(task["finished_at"], Value::Null);
    let list = json_of(ask(&api, get("/tasks?state=queued&limit=5")).await).await;
    assert_eq!(list["tasks"][0], task);

    let cancelled = ask(&api, post(&format!("/tasks/{id}/cancel"), Value::Null)).await;
    assert_eq!(json_of(cancelled).await, json!({"id": id, "outcome": "cancelled"}));
    let waited = json_of(ask(&api, get(&format!("/tasks/{id}/wait"))).await).await;
    assert_eq!(waited["state"], "cancelled");
    driver.stop().await;
}

#[tokio::test]
async fn a_wait_is_answered_with_the_task_as_it_is_when_its_time_is_over() {
    let (driver, api) = api().await;
    let task = json_of(ask(&api, post("/tasks", json!({"type": "nobody"}))).await).await;
    let path = format!("/tasks/{}/wait?timeout_ms=20", task["id"].as_str().unwrap());
    assert_eq!(json_of(ask(&api, get(&path)).await).await["state"], "queued");
    driver.stop().await;
}

#[tokio::test]
async fn pages_of_a_list_follow_each_other_without_gap_or_overlap() {
    let (driver, api) = api().await;
    for n in 0..5 {
        ask(&api, post("/tasks", json!({"type": "nobody", "input": n.to_string()}))).await;
    }
    let mut seen = Vec::new();
    let mut path = "/tasks?limit=2".to_owned();
    loop {
        let page = json_of(ask(&api, get(&path)).await).await;
        let tasks = page["tasks"].as_array().unwrap();
        seen.extend(tasks.iter().map(|task| task["cursor"].as_u64().unwrap()));
        let Some(next) = page["next"].as_u64() else { break };
        path = format!("/tasks?limit=2&before={next}");
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "{seen:?}");
    driver.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_said_with_its_own_code() {
    let (driver, api) = api().await;
    let nobody = TaskId::generate();
    let cases = [
        (get(&format!("/tasks/{nobody}")), 404, "ML4001"),
        (get(&format!("/tasks/{nobody}/result")), 404, "ML4001"),
        (get(&format!("/tasks/{nobody}/wait")), 404, "ML4001"),
        (post(&format!("/tasks/{nobody}/cancel"), Value::Null), 404, "ML4001"),
        (get("/workers/nobody"), 404, "ML6011"),
        (get("/nothing"), 404, "ML6008"),
        (request(Method::DELETE, "/tasks", Value::Null), 405, "ML6008"),
    ];
    for (request, status, code) in cases {
        let about = format!("{} {}", request.method(), request.uri());
        assert_eq!(refusal(&api, request).await, (status, code.to_owned()), "{about}");
    }
    driver.stop().await;
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_refused_and_says_why() {
    let (driver, api) = api().await;
    let cases = [
        (get("/tasks?state=running"), 400, "ML6003"),
        (get("/tasks?limit=many"), 400, "ML6003"),
        (get("/tasks?colour=red"), 400, "ML6003"),
        (get("/tasks/81"), 400, "ML6003"),
        (get("/tasks/%ff/wait"), 400, "ML6003"),
        (get("/workers/%ff"), 400, "ML6003"),
        (get("/workers?state=busy"), 400, "ML6003"),
        (get("/workers?state=active,"), 400, "ML6003"),
        (post("/tasks", json!({"input": "no type"})), 400, "ML6003"),
        (post("/tasks", json!({"type": "", "input": ""})), 400, "ML1001"),
        (post("/tasks", json!({"type": "a", "id": "81"})), 400, "ML6003"),
        (post("/tasks", json!({"type": "a", "timeout_ms": 0})), 400, "ML1001"),
    ];
    for (request, status, code) in cases {
        let about = format!("{} {}", request.method(), request.uri());
        assert_eq!(refusal(&api, request).await, (status, code.to_owned()), "{about}");
    }
    let list = json_of(ask(&api, get("/tasks")).await).await;
    assert_eq!(list["tasks"], json!([]), "nothing was submitted");
    driver.stop().await;
}

#[tokio::test]
async fn a_task_without_a_result_says_where_it_stands_instead() {
    let (driver, api) = api().await;
    let task = json_of(ask(&api, post("/tasks", json!({"type": "nobody"}))).await).await;
    let path = format!("/tasks/{}/result", task["id"].as_str().unwrap());
    assert_eq!(refusal(&api, get(&path)).await, (409, "ML4003".to_owned()));
    driver.stop().await;
}

#[tokio::test]
async fn only_a_loopback_name_is_a_host() {
    let (driver, api) = api().await;
    let with_hosts = |hosts: &[&str]| {
        let request = Request::builder().uri("/api/v1/version");
        let request = hosts.iter().fold(request, |request, host| request.header("host", *host));
        request.body(Body::empty()).unwrap()
    };
    for host in ["127.0.0.1:8741", "127.0.0.1", "localhost:1", "LocalHost", "[::1]:8741", "[::1]"] {
        let status = ask(&api, with_hosts(&[host])).await.status();
        assert_eq!(status, StatusCode::OK, "{host}");
    }
    let foreign: [&[&str]; 11] = [
        &[],
        &["evil.example:8741"],
        &["127.0.0.1.evil.example"],
        &["localhost.evil.example:8741"],
        &["192.0.2.1:8741"],
        &["0.0.0.0:8741"],
        &["[::]:8741"],
        &["127.0.0.1:99999"],
        &["[::1]8741"],
        &["[::1].evil.example:8741"],
        &["127.0.0.1:8741", "evil.example"],
    ];
    for hosts in foreign {
        let refused = refusal(&api, with_hosts(hosts)).await;
        assert_eq!(refused, (403, "ML6004".to_owned()), "{hosts:?}");
    }
    let absolute = Request::builder()
        .uri("http://evil.example/api/v1/version")
        .header("host", "127.0.0.1:8741")
        .body(Body::empty())
        .unwrap();
    assert_eq!(refusal(&api, absolute).await.0, 403);
    driver.stop().await;
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused_also_where_it_only_reads() {
    let (driver, api) = api().await;
    let with_origin = |method: Method, path: &str, origin: &str| {
        let mut request = request(method, path, Value::Null);
        request.headers_mut().insert("origin", origin.parse().unwrap());
        request
    };
    let own = with_origin(Method::GET, "/version", "http://127.0.0.1:8741");
    assert_eq!(ask(&api, own).await.status(), StatusCode::OK);
    for origin in [
        "null",
        "http://evil.example",
        "http://127.0.0.1:8000",
        "http://localhost:8741",
        "https://127.0.0.1:8741",
        "http://127.0.0.1:8741.evil.example",
    ] {
        for (method, path) in [(Method::GET, "/tasks"), (Method::POST, "/tasks/x/cancel")] {
            let refused = refusal(&api, with_origin(method, path, origin)).await;
            assert_eq!(refused, (403, "ML6005".to_owned()), "{origin}");
        }
    }
    driver.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_say_it_is_json_is_refused() {
    let (driver, api) = api().await;
    let body = json!({"type": "a"});
    for kind in [
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonp"),
        None,
    ] {
        let mut request = post("/tasks", body.clone());
        match kind {
            Some(kind) => request.headers_mut().insert("content-type", kind.parse().unwrap()),
            None => request.headers_mut().remove("content-type"),
        };
        assert_eq!(refusal(&api, request).await, (415, "ML6006".to_owned()), "{kind:?}");
    }
    // A form without fields has no body, and still comes from a page.
    let mut form = post(&format!("/tasks/{}/cancel", TaskId::generate()), Value::Null);
    let kind = "application/x-www-form-urlencoded".parse().unwrap();
    form.headers_mut().insert("content-type", kind);
    form.headers_mut().insert("content-length", "0".parse().unwrap());
    assert_eq!(refusal(&api, form).await, (415, "ML6006".to_owned()));
    let mut chunked = post("/tasks", body.clone());
    chunked.headers_mut().remove("content-length");
    chunked.headers_mut().remove("content-type");
    chunked.headers_mut().insert("transfer-encoding", "chunked".parse().unwrap());
    assert_eq!(refusal(&api, chunked).await.0, 415);
    let mut with_charset = post("/tasks", body);
    let kind = "application/json; charset=utf-8".parse().unwrap();
    with_charset.headers_mut().insert("content-type", kind);
    assert_eq!(ask(&api, with_charset).await.status(), StatusCode::CREATED);
    driver.stop().await;
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused() {
    let (driver, api) = api().await;
    let max = crate::api::SUBMIT_BODY_MAX;
    let too_large = post("/tasks", json!({"type": "a", "input": "x".repeat(max)}));
    assert_eq!(refusal(&api, too_large).await, (413, "ML6007".to_owned()));
    let input = "x".repeat(crate::api::INPUT_MAX + 1);
    let too_large = post("/tasks", json!({"type": "a", "input": input}));
    assert_eq!(refusal(&api, too_large).await, (413, "ML4006".to_owned()));
    driver.stop().await;
}

#[tokio::test]
async fn a_coordinator_that_has_stopped_sends_clients_away_for_now() {
    let (driver, api) = api().await;
    driver.stop().await;
    let submit = post("/tasks", json!({"type": "a"}));
    assert_eq!(refusal(&api, submit).await, (503, "ML6009".to_owned()));
    assert_eq!(refusal(&api, get("/tasks")).await, (503, "ML6009".to_owned()));
    assert_eq!(refusal(&api, get("/workers")).await, (503, "ML6009".to_owned()));
}

#[tokio::test]
async fn a_retry_is_answered_by_where_the_task_stands() {
    let (_driver, api) = api().await;
    let id = TaskId::generate().to_string();
    let retry = |query: &str| post(&format!("/tasks/{id}/retry{query}"), Value::Null);
    assert_eq!(refusal(&api, retry("")).await, (404, "ML4001".to_owned()));
    ask(&api, post("/tasks", json!({"id": id, "type": "resize"}))).await;
    let answer = json_of(ask(&api, retry("")).await).await;
    assert_eq!(answer, json!({"id": id, "outcome": "not_ended"}));
    ask(&api, post(&format!("/tasks/{id}/cancel"), Value::Null)).await;
    let answer = json_of(ask(&api, retry("?attempts=1")).await).await;
    assert_eq!(answer, json!({"id": id, "outcome": "not_ended"}), "there was no such attempt");
    let answer = json_of(ask(&api, retry("?attempts=0")).await).await;
    assert_eq!(answer, json!({"id": id, "outcome": "queued"}));
    assert_eq!(refusal(&api, retry("?attempts=x")).await, (400, "ML6003".to_owned()));
    assert_eq!(refusal(&api, retry("?attempt=0")).await, (400, "ML6003".to_owned()));
}

#[tokio::test]
async fn a_drain_is_answered_at_once_and_ends_when_nobody_is_connected() {
    let (driver, api) = api().await;
    assert!(!driver.is_draining());
    let wrong = post("/coordinator/drain", json!({"grace_s": -1.0}));
    assert_eq!(refusal(&api, wrong).await, (400, "ML6003".to_owned()));
    let wrong = post("/coordinator/drain", json!({"grace": 1.0}));
    assert_eq!(refusal(&api, wrong).await, (400, "ML6003".to_owned()));
    assert!(!driver.is_draining(), "what is refused has no effect");
    let body = json!({"grace_s": 600.0, "spread_s": 60.0});
    let response = ask(&api, post("/coordinator/drain", body)).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let nobody = json!({"connected": 0, "timeout_s": 680.0, "to": [], "left": []});
    assert_eq!(json_of(response).await, nobody);
    assert!(driver.is_draining());
    // Nobody is there to wait for.
    driver.stopped().await;
}

#[tokio::test]
async fn what_is_done_to_a_worker_that_is_not_known_is_refused() {
    let (driver, api) = api().await;
    for action in ["reconnect", "disconnect", "drain", "resume"] {
        let request = post(&format!("/workers/nobody/{action}"), Value::Null);
        assert_eq!(refusal(&api, request).await, (404, "ML6011".to_owned()), "{action}");
    }
    let forget = request(Method::DELETE, "/workers/nobody", Value::Null);
    assert_eq!(refusal(&api, forget).await, (404, "ML6011".to_owned()));
    driver.stop().await;
}

#[tokio::test]
async fn a_coordinator_without_a_configuration_has_nothing_to_reload() {
    let (driver, api) = api().await;
    let asked = post("/coordinator/reload", Value::Null);
    assert_eq!(refusal(&api, asked).await, (409, "ML6016".to_owned()));
    driver.stop().await;
}
