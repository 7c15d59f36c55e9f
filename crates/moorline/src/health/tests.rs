//! Real servers on loopback, asked as a probe asks: over a connection of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use moorline_link::State;
use moorline_memory::MemoryTransport;
use moorline_transport::{
    AcceptError, Connection, DialError, Endpoint, ListenError, Listener, Transport,
};
use serde_json::Value;

use super::*;
use crate::metrics::tests::series;
use crate::{BoxError, Coordinator, Reconnect, TaskCtx, Worker, WorkerBuilder};

mod faulty;
mod moves;
mod stalled;

/// Sends this and reads all of the answer: status line with headers, and body.
fn send(at: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    (head.to_owned(), body.to_owned())
}

fn get(at: SocketAddr, path: &str) -> (u16, String) {
    let (head, body) = send(at, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    (status(&head), body)
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap_or_else(|| panic!("{head}")).parse().unwrap()
}

fn json(at: SocketAddr, path: &str) -> (u16, Value) {
    let (status, body) = get(at, path);
    (status, serde_json::from_str(&body).unwrap())
}

/// The same, without holding up the runtime of the test.
async fn ask<T: Send + 'static>(question: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(question).await.unwrap()
}

fn worker(transport: &MemoryTransport) -> WorkerBuilder {
    worker_over(transport.clone())
}

fn worker_over(transport: impl Transport) -> WorkerBuilder {
    let quick = Reconnect::forever()
        .initial(Duration::from_millis(20))
        .max(Duration::from_millis(200))
        .first(moorline_link::First::Immediate);
    Worker::builder("mem://here")
        .transport(transport)
        .name("w1")
        .reconnect(quick)
        .heartbeat(Duration::from_millis(100), Duration::from_secs(2))
        .health("127.0.0.1:0")
        .task("echo", |_ctx: TaskCtx, text: String| async move { Ok::<_, BoxError>(text) })
}

async fn coordinator(transport: &MemoryTransport) -> Coordinator {
    Coordinator::builder()
        .transport(transport.clone())
        .listen("mem://here")
        .admin("127.0.0.1:0")
        .health("127.0.0.1:0")
        .start()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_its_coordinator_is_alive_and_started_but_not_ready() {
    let worker = worker(&MemoryTransport::new()).build().unwrap();
    let at = worker.health_address().unwrap();
    let handle = worker.handle();
    let running = tokio::spawn(worker.run());
    while handle.link().reason.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    ask(move || {
        assert_eq!(json(at, "/livez"), (200, serde_json::json!({"status": "live"})));
        assert_eq!(json(at, "/startupz").0, 200);
        let (status, body) = json(at, "/readyz");
        assert_eq!(status, 503, "{body}");
        assert_eq!(body["status"], "unready");
        assert!(body["reason"].is_string() && body["code"].as_str().unwrap().starts_with("ML22"));
        humantime::parse_rfc3339(body["since"].as_str().unwrap()).unwrap();
        let (status, text) = get(at, "/readyz?verbose");
        assert_eq!(status, 503);
        assert!(text.contains("✓ loop") && text.contains("✗ link"), "{text}");
        let (status, text) = get(at, "/livez?verbose");
        assert_eq!(status, 200);
        assert!(text.starts_with("✓ loop"), "{text}");

        let (_, page) = get(at, "/metrics");
        let before = series(&page);
        assert_eq!(before["moorline_worker_connected"], 0.0);
        std::thread::sleep(Duration::from_millis(20));
        let after = series(&get(at, "/metrics").1);
        let down = "moorline_worker_time_disconnected_seconds_total";
        assert!(after[down] > before[down], "it grows while it lasts");
    })
    .await;
    handle.shutdown();
    running.await.unwrap().unwrap();
    // The server ends with its worker; its thread may take a moment.
    ask(move || {
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(at).is_ok() {
            assert!(Instant::now() < until, "the server outlives its worker");
            std::thread::sleep(Duration::from_millis(5));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_both_sides_up_everything_is_well_and_every_metric_is_in_the_table() {
    let transport = MemoryTransport::new();
    let coordinator = coordinator(&transport).await;
    let worker = worker(&transport).build().unwrap();
    let (of_worker, of_coordinator) =
        (worker.health_address().unwrap(), coordinator.health_address().unwrap());
    let admin: SocketAddr =
        coordinator.admin_url().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
    let handle = worker.handle();
    let running = tokio::spawn(worker.run());
    assert!(handle.active().await);
    let client = crate::Client::new(coordinator.admin_url().unwrap()).unwrap();
    let task = client.submit(crate::Submit::json("echo", &"x").unwrap()).await.unwrap();
    client.wait(task.id).await.unwrap();
    // A heartbeat has been answered.
    while handle.link().rtt.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    ask(move || {
        let until = Instant::now() + Duration::from_secs(20);
        // The round trip that proves the link may have been a moment ago.
        while json(of_worker, "/readyz").0 != 200 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let wanted = serde_json::json!({"status": "ready"});
        assert_eq!(json(of_worker, "/readyz"), (200, wanted.clone()));
        assert_eq!(json(of_coordinator, "/readyz"), (200, wanted));
        for at in [of_worker, of_coordinator] {
            assert_eq!(json(at, "/startupz"), (200, serde_json::json!({"status": "started"})));
            let (status, page) = json(at, "/status.json");
            assert_eq!((status, &page["ready"]), (200, &Value::Bool(true)), "{page}");
            let (status, html) = get(at, "/status");
            assert_eq!(status, 200);
            assert!(html.starts_with("<!doctype html>") && !html.contains("<script"), "{html}");
        }
        // The admin API answers the same by the same code, but only to this machine's names.
        let request = |path: &str| {
            format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n")
        };
        for path in PATHS {
            let (head, _) = send(admin, &request(path));
            assert_eq!(status_of(&head), 200, "{path}");
        }
        let of_worker = series(&get(of_worker, "/metrics").1);
        assert_eq!(of_worker["moorline_worker_connected"], 1.0);
        assert_eq!(of_worker["moorline_worker_link_state{state=\"active\"}"], 1.0);
        let done = "moorline_worker_tasks_finished_total{task=\"echo\",outcome=\"succeeded\"}";
        assert_eq!(of_worker[done], 1.0);
        assert!(of_worker["moorline_worker_heartbeats_sent_total"] >= 1.0);
        assert!(of_worker["moorline_worker_heartbeat_rtt_seconds_count"] >= 1.0);
        let of_coordinator = series(&get(of_coordinator, "/metrics").1);
        assert_eq!(of_coordinator["moorline_coordinator_workers{state=\"active\"}"], 1.0);
        assert_eq!(of_coordinator["moorline_coordinator_tasks_submitted_total"], 1.0);
        let done = "moorline_coordinator_tasks_finished_total{outcome=\"succeeded\"}";
        assert_eq!(of_coordinator[done], 1.0);
        let kept = "moorline_coordinator_results_received_total{disposition=\"accepted\"}";
        assert_eq!(of_coordinator[kept], 1.0);
        let new = "moorline_coordinator_sessions_established_total{kind=\"new\",transport=\"mem\"}";
        assert_eq!(of_coordinator[new], 1.0);
        assert!(of_coordinator["moorline_coordinator_heartbeats_received_total"] >= 1.0);
        assert!(!of_coordinator.keys().any(|name| name.contains("w1")), "no worker is named");
    })
    .await;
    handle.drain().await;
    running.await.unwrap().unwrap();
    coordinator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_that_is_drained_is_not_ready_while_its_workers_finish() {
    let transport = MemoryTransport::new();
    let coordinator = coordinator(&transport).await;
    let at = coordinator.health_address().unwrap();
    let worker = worker(&transport).build().unwrap();
    let handle = worker.handle();
    let running = tokio::spawn(worker.run());
    assert!(handle.active().await);
    let long = Duration::from_secs(600);
    let mut drain = moorline_driver::Drain::default();
    (drain.grace, drain.timeout) = (long, long);
    assert_eq!(coordinator.driver().drain(drain).await.unwrap(), 1);
    ask(move || {
        let (status, body) = json(at, "/readyz");
        assert_eq!((status, &body["reason"]), (503, &"coordinator_stopping".into()));
        let (_, page) = json(at, "/status.json");
        assert_eq!(page["stopping"], true);
        assert!(page["summary"].as_str().unwrap().contains("lets nobody in"), "{page}");
        assert_eq!(series(&get(at, "/metrics").1)["moorline_coordinator_ready"], 0.0);
        // It still is in charge of those it has.
        assert_eq!(get(at, "/livez").0, 200);
    })
    .await;
    handle.shutdown();
    running.await.unwrap().unwrap();
    coordinator.driver().stopped().await;
}

fn status_of(head: &str) -> u16 {
    status(head)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_left_has_no_series_any_more_once_it_is_forgotten() {
    let transport = MemoryTransport::new();
    let coordinator = Coordinator::builder()
        .transport(transport.clone())
        .listen("mem://here")
        .health("127.0.0.1:0")
        .metrics_per_worker(true)
        .start()
        .await
        .unwrap();
    let at = coordinator.health_address().unwrap();
    let worker = worker(&transport).build().unwrap();
    let handle = worker.handle();
    let running = tokio::spawn(worker.run());
    assert!(handle.active().await);
    let named = move || {
        series(&get(at, "/metrics").1)
            .get("moorline_coordinator_worker_connected{worker=\"w1\"}")
            .copied()
    };
    let until = Instant::now() + Duration::from_secs(20);
    while ask(named).await != Some(1.0) {
        assert!(Instant::now() < until);
    }
    handle.drain().await;
    running.await.unwrap().unwrap();
    while ask(named).await == Some(1.0) {
        assert!(Instant::now() < until);
    }
    // Who is not in the coordinator's list is not on the page: there is no memory of it here.
    let mut page = Page::default();
    crate::metrics::workers(&mut page, &[], true);
    assert!(!page.finish().contains("w1"));
    coordinator.stop().await;
}

/// Blocks the thread that dials or accepts, which is that of the loop, as long as it is told to.
struct Blocking {
    inner: MemoryTransport,
    blocked: Arc<AtomicBool>,
}

impl Transport for Blocking {
    fn schemes(&self) -> &'static [&'static str] {
        self.inner.schemes()
    }

    fn dial(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, std::result::Result<Connection, DialError>> {
        wait(&self.blocked);
        self.inner.dial(endpoint)
    }

    fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, std::result::Result<Box<dyn Listener>, ListenError>> {
        let blocked = Arc::clone(&self.blocked);
        let listening = self.inner.listen(endpoint);
        Box::pin(async move {
            let listener: Box<dyn Listener> =
                Box::new(BlockingListener { inner: listening.await?, blocked });
            Ok(listener)
        })
    }
}

/// Blocks where it is asked for the next connection.
struct BlockingListener {
    inner: Box<dyn Listener>,
    blocked: Arc<AtomicBool>,
}

impl Listener for BlockingListener {
    fn accept(&mut self) -> BoxFuture<'_, std::result::Result<Connection, AcceptError>> {
        wait(&self.blocked);
        self.inner.accept()
    }

    fn endpoint(&self) -> Endpoint {
        self.inner.endpoint()
    }
}

/// Holds up the thread that it is called on.
fn wait(blocked: &AtomicBool) {
    while blocked.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn quickly_stuck() -> Limits {
    Limits { stuck_after: Duration::from_millis(200), ..Limits::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_loop_is_stuck_is_not_alive_and_recovers() {
    let blocked = Arc::new(AtomicBool::new(true));
    let transport = Blocking { inner: MemoryTransport::new(), blocked: Arc::clone(&blocked) };
    let worker = Worker::builder("mem://here")
        .transport(transport)
        .name("w1")
        .health("127.0.0.1:0")
        .health_limits(quickly_stuck())
        .build()
        .unwrap();
    let at = worker.health_address().unwrap();
    let handle = worker.handle();
    let running = tokio::spawn(worker.run());
    ask(move || {
        let until = Instant::now() + Duration::from_secs(20);
        let stuck = loop {
            let (status, body) = json(at, "/livez");
            if status == 503 {
                break body;
            }
            assert!(Instant::now() < until, "{body}");
        };
        assert_eq!((&stuck["status"], &stuck["code"]), (&"stuck".into(), &"ML1104".into()));
        let (status, body) = json(at, "/readyz");
        assert_eq!((status, &body["reason"]), (503, &"loop_stuck".into()));
        blocked.store(false, Ordering::SeqCst);
        while json(at, "/livez").0 != 200 {
            assert!(Instant::now() < until);
        }
    })
    .await;
    handle.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_whose_loop_is_stuck_says_so_and_recovers() {
    let blocked = Arc::new(AtomicBool::new(false));
    let inner = MemoryTransport::new();
    let transport = Blocking { inner: inner.clone(), blocked: Arc::clone(&blocked) };
    let coordinator = Coordinator::builder()
        .transport(transport)
        .listen("mem://here")
        .health("127.0.0.1:0")
        .health_limits(quickly_stuck())
        .start()
        .await
        .unwrap();
    let at = coordinator.health_address().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while ask(move || json(at, "/readyz").0).await != 200 {
        assert!(Instant::now() < until);
    }
    blocked.store(true, Ordering::SeqCst);
    // It is taken in, and the next one is waited for: on the thread of the loop.
    let _connection = inner.dial(&"mem://here".parse().unwrap()).await.unwrap();
    ask(move || {
        while json(at, "/livez").0 == 200 {
            assert!(Instant::now() < until);
        }
        let (status, body) = json(at, "/livez");
        assert_eq!((status, &body["reason"]), (503, &"loop_stuck".into()), "{body}");
        let (status, body) = json(at, "/readyz");
        assert_eq!((status, &body["reason"]), (503, &"loop_stuck".into()), "{body}");
        let page = series(&get(at, "/metrics").1);
        assert!(!page.contains_key("moorline_coordinator_workers{state=\"active\"}"));
        blocked.store(false, Ordering::SeqCst);
        while json(at, "/livez").0 != 200 {
            assert!(Instant::now() < until);
        }
    })
    .await;
    coordinator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_active_link_that_was_not_proven_lately_is_not_ready() {
    let transport = MemoryTransport::new();
    let coordinator = coordinator(&transport).await;
    let limits = Limits { control_silence: Duration::ZERO, ..Limits::default() };
    let worker = worker(&transport).health_limits(limits).build().unwrap();
    let at = worker.health_address().unwrap();
    let handle = worker.handle();
    let running = tokio::spawn(worker.run());
    assert!(handle.active().await);
    let (status, body) = ask(move || json(at, "/readyz")).await;
    assert_eq!(handle.link().state, State::Active);
    assert_eq!((status, &body["reason"]), (503, &"heartbeat_unacked".into()), "{body}");
    handle.shutdown();
    running.await.unwrap().unwrap();
    coordinator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_question_is_refused_and_costs_nobody_else_an_answer() {
    let worker = worker(&MemoryTransport::new()).build().unwrap();
    let at = worker.health_address().unwrap();
    let handle = worker.handle();
    let running = tokio::spawn(worker.run());
    ask(move || {
        let (status, body) = json(at, "/other");
        assert_eq!(status, 404);
        assert_eq!(body["paths"].as_array().unwrap().len(), PATHS.len());
        let (head, _) = send(at, "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(status_of(&head), 405);
        assert!(head.to_ascii_lowercase().contains("allow: get, head"), "{head}");
        let (head, body) = send(at, "HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!((status_of(&head), body.as_str()), (200, ""));
        // A body that comes along is not read.
        let (head, _) =
            send(at, "GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n");
        assert_eq!(status_of(&head), 200);
        let long = "x".repeat(20_000);
        let (head, _) = send(at, &format!("GET /livez HTTP/1.1\r\nHost: x\r\nA: {long}"));
        assert_eq!(status_of(&head), 431);
        let (head, _) = send(at, "garbage\r\n\r\n");
        assert_eq!(status_of(&head), 400);

        // As many as are served at once, and more, say nothing: they are cut off in their time.
        let silent: Vec<_> = (0..100).map(|_| TcpStream::connect(at).unwrap()).collect();
        let began = Instant::now();
        assert_eq!(get(at, "/livez").0, 200);
        assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
        drop(silent);
    })
    .await;
    handle.shutdown();
    running.await.unwrap().unwrap();
}

#[test]
fn an_address_is_read_or_named() {
    assert_eq!(address("localhost:8742").unwrap().to_string(), "127.0.0.1:8742");
    assert_eq!(address("[::1]:0").unwrap().to_string(), "[::1]:0");
    for wrong in ["", "8742", "127.0.0.1", "example.com:1", "127.0.0.1:99999"] {
        assert_eq!(address(wrong).unwrap_err().code(), crate::Code::SETTING, "{wrong}");
    }
}

#[tokio::test]
async fn an_address_in_use_is_an_error_of_its_own() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let error = worker(&MemoryTransport::new()).health(at).build().unwrap_err();
    assert_eq!(error.code(), crate::Code::HEALTH_LISTEN);
}

#[test]
fn a_page_shows_words_of_others_as_words() {
    let page = super::page::html(&serde_json::json!({
        "role": "worker", "ready": false, "summary": "<script>&\"'",
        "checks": [{"name": "link", "ok": false, "reason": "x", "detail": "<b>"}],
        "name": "<i>", "link": {"state": "active", "none": null},
    }));
    assert!(!page.contains("<script>") && !page.contains("<b>") && !page.contains("<i>"), "{page}");
    assert!(page.contains("&lt;script&gt;&amp;&quot;&#39;") && page.contains("link · state"));
    assert!(!page.contains("none"), "{page}");
}
