use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::{Call, Http, Patience, authority, path_segment};
use crate::{Code, Error, TaskId};

/// Answers the n-th connection with the n-th text, the last one for ever; an empty text hangs up.
async fn flaky(answers: Vec<String>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let nth = count.fetch_add(1, Ordering::SeqCst);
            let answer = answers[nth.min(answers.len() - 1)].clone();
            let _ = socket.read(&mut [0; 4096]).await;
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    (url, seen)
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn problem(code: Code) -> String {
    format!(
        r#"{{"title":"t","status":404,"detail":"the detail","code":"{code}","hint":"the hint"}}"#
    )
}

fn call() -> Call {
    Call::new(Method::GET, "tasks/x").about(TaskId::from(7))
}

#[tokio::test]
async fn a_call_is_made_again_while_the_coordinator_is_away() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhal".to_owned();
    let stopping = answer("503 Service Unavailable", &problem(Code::STOPPING));
    let good = answer("200 OK", "whole");
    let (url, seen) = flaky(vec![String::new(), cut, stopping, good]).await;
    let body = Http::new(&url).unwrap().call(call(), Patience::Forever).await.unwrap();
    assert_eq!((&body[..], seen.load(Ordering::SeqCst)), (&b"whole"[..], 4));
}

#[tokio::test]
async fn a_refusal_is_final_and_carries_the_coordinators_words() {
    let (url, seen) = flaky(vec![answer("404 Not Found", &problem(Code::NO_SUCH_TASK))]).await;
    let http = Http::new(&url).unwrap();
    let error = http.call(call(), Patience::Forever).await.unwrap_err();
    assert!(matches!(error, Error::NoSuchTask { task } if task == TaskId::from(7)));

    let (url, _) = flaky(vec![answer("409 Conflict", &problem(Code::NO_RESULT))]).await;
    let error = Http::new(&url).unwrap().call(call(), Patience::Forever).await.unwrap_err();
    assert_eq!((error.code(), error.hint()), (Code::NO_RESULT, "the hint"));
    assert_eq!(error.to_string(), "the detail");
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_answer_of_something_else_is_said_to_be_one() {
    for text in [answer("404 Not Found", "<html>"), answer("200 OK", "")] {
        let (url, _) = flaky(vec![text.clone()]).await;
        let http = Http::new(&url).unwrap();
        let result = http.call(call(), Patience::For(Duration::from_secs(5))).await;
        assert_eq!(text.starts_with("HTTP/1.1 404"), result.is_err());
        if let Err(error) = result {
            assert_eq!(error.code(), Code::ANSWER);
        }
    }
}

#[tokio::test]
async fn patience_ends_with_the_last_cause() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let start = Instant::now();
    let patience = Patience::For(Duration::from_millis(300));
    let error = Http::new(&url).unwrap().call(call(), patience).await.unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(error.is_retryable());
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_coordinator_that_is_frozen_does_not_hold_a_call_longer_than_its_patience() {
    // The kernel takes connections for a listener that never accepts.
    let frozen = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", frozen.local_addr().unwrap());
    let start = Instant::now();
    let patience = Patience::For(Duration::from_millis(200));
    let error = Http::new(&url).unwrap().call(call(), patience).await.unwrap_err();
    assert_eq!(error.code(), Code::UNREACHABLE);
    let words = format!("the coordinator at {url} does not answer: it did not answer in time");
    assert_eq!(error.to_string(), words);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn only_this_machine_is_spoken_to_without_tls() {
    for url in ["http://127.0.0.1:8741", "http://localhost:1/", "http://[::1]:8741"] {
        assert!(authority(url).is_ok(), "{url}");
    }
    for url in [
        "",
        "127.0.0.1:8741",
        "https://127.0.0.1:8741",
        "grpc://127.0.0.1:8740",
        "http://example.com:8741",
        "http://192.0.2.1:8741",
        "http://127.0.0.1:8741/api",
        "http://127.0.0.1:8741/?a=b",
        "http://me@127.0.0.1:8741",
    ] {
        assert!(authority(url).is_err(), "{url}");
    }
}

#[test]
fn any_name_is_one_segment_of_a_path() {
    assert_eq!(path_segment("gpu-1"), "gpu-1");
    assert_eq!(path_segment("a/b ä?"), "a%2Fb%20%C3%A4%3F");
}
