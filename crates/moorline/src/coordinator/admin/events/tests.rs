use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use moorline_driver::{
    CoordinatorHandle, CoordinatorOptions, Tokio, Transports, start_coordinator,
};
use moorline_node::{Name, Spec};
use moorline_store::MemoryStore;
use serde_json::Value;
use tower::ServiceExt;

use super::super::router;
use crate::TaskId;
use crate::health::{CoordinatorSubject, Limits};
use crate::metrics::STREAMS;

async fn api() -> (CoordinatorHandle, Router) {
    let store = Box::new(MemoryStore::new());
    let options = CoordinatorOptions::new();
    let driver = start_coordinator(Tokio, Transports::new(), store, options).await.unwrap();
    // It has begun, and written so down.
    while driver.last_event() == 0 {
        driver.new_events(0).await.unwrap();
    }
    let subject = CoordinatorSubject::new(driver.clone(), false, Limits::default());
    (driver.clone(), router((driver, subject, Arc::default())))
}

async fn get(api: &Router, path: &str) -> Response<Body> {
    let request = Request::builder()
        .uri(format!("/api/v1{path}"))
        .header("host", "127.0.0.1:8741")
        .body(Body::empty())
        .unwrap();
    api.clone().oneshot(request).await.unwrap()
}

async fn json(api: &Router, path: &str) -> Value {
    let response = get(api, path).await;
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(status, StatusCode::OK, "{path}: {bytes:?}");
    serde_json::from_slice(&bytes).unwrap()
}

async fn submit(driver: &CoordinatorHandle, id: u128) -> TaskId {
    let handler = Name::new("nobody").unwrap();
    let spec = Spec { handler, priority: 0, max_retries: 0, timeout: None };
    driver.submit(moorline_work::TaskId(id), spec, Bytes::new()).await.unwrap();
    TaskId::from(id)
}

fn numbers(page: &Value) -> Vec<u64> {
    page["events"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn events_are_read_in_pages_in_either_order() {
    let (driver, api) = api().await;
    for id in 1..=4 {
        submit(&driver, id).await;
    }
    let page = json(&api, "/events?limit=2").await;
    assert_eq!(
        (numbers(&page), &page["next"], &page["cursor"]),
        (vec![1, 2], &2.into(), &2.into())
    );
    assert_eq!(page["events"][0]["kind"], "coordinator.started");
    assert_eq!(page["events"][0]["epoch"], driver.epoch().0.to_string());
    let event = &page["events"][1];
    assert_eq!((&event["kind"], &event["type"]), (&"task.submitted".into(), &"nobody".into()));
    assert_eq!(event["task"], TaskId::from(1).to_string());
    assert_eq!((&event["worker"], &event["reason"]), (&Value::Null, &Value::Null));
    let page = json(&api, "/events?after=2").await;
    assert_eq!(
        (numbers(&page), &page["next"], &page["cursor"]),
        (vec![3, 4, 5], &Value::Null, &5.into())
    );
    let page = json(&api, "/events?order=newest&limit=3").await;
    assert_eq!((numbers(&page), &page["next"]), (vec![5, 4, 3], &3.into()));
    let page = json(&api, "/events?order=newest&before=3").await;
    assert_eq!((numbers(&page), &page["next"]), (vec![2, 1], &Value::Null));
    driver.stop().await;
}

#[tokio::test]
async fn events_are_asked_for_by_everything_they_have() {
    let (driver, api) = api().await;
    let task = submit(&driver, 7).await;
    submit(&driver, 8).await;
    driver.cancel(moorline_work::TaskId(7)).await.unwrap();
    let find = async |query: &str| numbers(&json(&api, &format!("/events?{query}")).await);
    assert_eq!(find("kind=task").await, [2, 3, 4]);
    assert_eq!(find("kind=task.cancelled,coordinator").await, [1, 4]);
    assert_eq!(find(&format!("task={task}")).await, [2, 4]);
    assert_eq!(find("since=1h").await, [1, 2, 3, 4]);
    assert_eq!(find("since=2100-01-01T00:00:00Z").await, [0_u64; 0]);
    assert_eq!(find("until=1h").await, [0_u64; 0]);
    assert_eq!(find("reason=stream_lost").await, [0_u64; 0]);
    assert_eq!(find(&format!("worker={:032x}", 42)).await, [0_u64; 0]);
    assert_eq!(numbers(&json(&api, &format!("/tasks/{task}/timeline")).await), [2, 4]);
    for wrong in [
        "kind=tusk",
        "since=yesterday",
        "reason=luck",
        "order=random",
        "limit=x",
        "task=1",
        "what=x",
        "follow=true&order=newest",
    ] {
        let status = get(&api, &format!("/events?{wrong}")).await.status();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let nobody = TaskId::generate();
    for missing in [
        "/events?worker=nobody".to_owned(),
        "/workers/nobody/timeline".to_owned(),
        format!("/tasks/{nobody}/timeline"),
    ] {
        assert_eq!(get(&api, &missing).await.status(), StatusCode::NOT_FOUND, "{missing}");
    }
    driver.stop().await;
}

#[tokio::test]
async fn who_waits_is_answered_when_something_that_fits_happens_or_the_time_is_over() {
    let (driver, api) = api().await;
    let page = json(&api, "/events?after=1&wait_ms=20").await;
    assert_eq!((numbers(&page), &page["cursor"]), (vec![], &1.into()));
    let waiting = tokio::spawn({
        let api = api.clone();
        async move { json(&api, "/events?after=1&kind=task.cancelled&wait_ms=30000").await }
    });
    submit(&driver, 1).await;
    driver.cancel(moorline_work::TaskId(1)).await.unwrap();
    assert_eq!(numbers(&waiting.await.unwrap()), [3], "the submit does not fit");
    driver.stop().await;
}

/// The next piece of a stream, as lines.
async fn piece(body: &mut Body) -> Option<Vec<Value>> {
    let data = body.frame().await?.unwrap().into_data().unwrap();
    let text = std::str::from_utf8(&data).unwrap();
    assert!(text.ends_with('\n'));
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[tokio::test]
async fn a_stream_has_what_is_there_then_what_comes_and_ends_with_the_coordinator() {
    let (driver, api) = api().await;
    submit(&driver, 1).await;
    let response = get(&api, "/events?follow=true").await;
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let mut body = response.into_body();
    let lines = piece(&mut body).await.unwrap();
    assert_eq!(lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    submit(&driver, 2).await;
    assert_eq!(piece(&mut body).await.unwrap()[0]["kind"], "task.submitted");
    driver.stop().await;
    while piece(&mut body).await.is_some() {}
}

#[tokio::test]
async fn streams_are_bounded_in_number_and_in_what_they_hold() {
    let (driver, api) = api().await;
    for id in 0..600 {
        submit(&driver, id).await;
    }
    let mut open = Vec::new();
    for _ in 0..STREAMS {
        open.push(get(&api, "/events?follow=true").await);
    }
    assert_eq!(get(&api, "/events?follow=true").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let mut body = open.pop().unwrap().into_body();
    assert_eq!(piece(&mut body).await.unwrap().len(), 256, "a piece at a time");
    drop(body);
    assert_eq!(get(&api, "/events?follow=true").await.status(), StatusCode::OK, "room again");
    driver.stop().await;
}
