//! What happens to the links and listeners when something is in their way.

mod support;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use moorline_driver::{
    Completion, Executor, Job, StartError, Tokio, Transports, start_coordinator, start_worker,
};
use moorline_link::{Incarnation, Lane, Reason, State};
use moorline_memory::MemoryTransport;
use moorline_store::MemoryStore;
use moorline_transport::{
    AcceptError, Connection, DialError, Endpoint, ListenError, Listener, PacketSender, Transport,
};
use moorline_work::{AbortReason, Outcome, RunId, TaskState};
use support::{
    Threads, coordinator, ended, here, memory, quick_reconnect, soon, submit, until, worker,
    worker_options,
};

#[tokio::test]
async fn a_worker_comes_before_its_coordinator() {
    let transports = memory();
    let worker = worker(&transports, 1, &Threads::echo(), 1);
    soon(async {
        while worker.status().link.attempts < 3 {
            worker.changed(worker.status().version).await;
        }
    })
    .await;
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    until(&worker, State::Active).await;
    submit(&coordinator, 1, "echo", b"x").await;
    assert_eq!(ended(&coordinator, 1).await.state, TaskState::Succeeded);
}

#[tokio::test]
async fn a_worker_that_may_not_try_for_ever_fails_with_its_reason() {
    let mut options = worker_options(1, &["echo"], 1);
    options.config.link.reconnect = quick_reconnect().max_attempts(3);
    let worker = start_worker(memory(), options, Box::new(Threads::echo())).expect("started");
    let ending = soon(worker.ended()).await;
    assert_eq!((ending.state, ending.reason), (State::Failed, Some(Reason::AttemptsExhausted)));
    assert_eq!(worker.status().link.attempts, 3);
}

#[tokio::test]
async fn the_second_endpoint_is_used_when_nobody_is_at_the_first() {
    let transports = memory();
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let mut options = worker_options(1, &["echo"], 1);
    options.endpoints = vec!["mem://nobody".parse().expect("an endpoint"), here()];
    let worker = start_worker(transports, options, Box::new(Threads::echo())).expect("started");
    until(&worker, State::Active).await;
    assert_eq!(worker.status().link.attempts, 1, "one attempt tries all endpoints");
    drop(coordinator);
}

#[tokio::test]
async fn a_newer_process_of_a_worker_supersedes_a_live_one_never_and_a_gone_one_at_once() {
    let transports = memory();
    let _coordinator = coordinator(&transports, MemoryStore::new()).await;
    let first = worker(&transports, 1, &Threads::echo(), 1);
    until(&first, State::Active).await;
    let session = first.status().link.session;

    let options = || {
        let mut options = worker_options(1, &["echo"], 1);
        options.config.incarnation = Incarnation(2);
        options.config.link.reconnect = quick_reconnect().max_attempts(1);
        options
    };
    let second =
        start_worker(transports.clone(), options(), Box::new(Threads::echo())).expect("started");
    let ending = soon(second.ended()).await;
    assert_eq!(ending.state, State::Failed);
    assert!(ending.hint.is_some_and(|hint| !hint.is_empty()), "it is told what to do");
    assert_eq!(first.status().link.session, session, "the first one is undisturbed");

    first.shutdown();
    soon(first.ended()).await;
    let third = start_worker(transports, options(), Box::new(Threads::echo())).expect("started");
    until(&third, State::Active).await;
}

#[tokio::test]
async fn a_forced_reconnect_resumes_the_session() {
    let transports = memory();
    let _coordinator = coordinator(&transports, MemoryStore::new()).await;
    let worker = worker(&transports, 1, &Threads::echo(), 1);
    until(&worker, State::Active).await;
    let before = worker.status().link;
    worker.reconnect();
    soon(async {
        loop {
            let status = worker.status();
            if status.link.state == State::Active && status.link.conn != before.conn {
                assert_eq!(status.link.session, before.session);
                return;
            }
            worker.changed(status.version).await;
        }
    })
    .await;
}

/// Blocks every thread of the runtime it is given.
struct Blocking {
    runtime: tokio::runtime::Handle,
    threads: usize,
}

impl Executor for Blocking {
    fn start(&mut self, _job: Job, done: Completion) {
        let all = Arc::new(AtomicU32::new(0));
        let done = Arc::new(std::sync::Mutex::new(Some(done)));
        for _ in 0..self.threads {
            let (all, done, threads) = (Arc::clone(&all), Arc::clone(&done), self.threads);
            self.runtime.spawn(async move {
                // A handler that never yields, for longer than the heartbeat timeout.
                std::thread::sleep(Duration::from_millis(1_500));
                if all.fetch_add(1, Ordering::SeqCst) + 1 == u32::try_from(threads).expect("few") {
                    let done = done.lock().expect("not poisoned").take().expect("once");
                    done.complete(Outcome::Succeeded, Bytes::new());
                }
            });
        }
    }

    fn abort(&mut self, _run: RunId, _reason: AbortReason) {}
}

#[test]
fn a_handler_that_blocks_every_thread_of_its_runtime_does_not_cost_the_connection() {
    let handlers =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let coordinators =
        tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build();
    coordinators.expect("a runtime").block_on(async {
        let transports = memory();
        let coordinator = coordinator(&transports, MemoryStore::new()).await;
        let executor = Blocking { runtime: handlers.handle().clone(), threads: 2 };
        let options = worker_options(1, &["block"], 1);
        let worker = start_worker(transports, options, Box::new(executor)).expect("started");
        until(&worker, State::Active).await;
        let before = worker.status().link;
        submit(&coordinator, 1, "block", b"x").await;
        let record = ended(&coordinator, 1).await;
        assert_eq!((record.state, record.attempt.0), (TaskState::Succeeded, 1));
        let after = worker.status().link;
        assert_eq!((after.session, after.conn, after.missed), (before.session, before.conn, 0));
    });
    handlers.shutdown_background();
}

#[tokio::test]
async fn a_connection_that_speaks_nonsense_is_closed_and_disturbs_nobody() {
    let memory = MemoryTransport::new();
    let transports = Transports::new().with(memory.clone());
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let worker = worker(&transports, 1, &Threads::echo(), 1);
    until(&worker, State::Active).await;
    let before = worker.status().link;
    for nonsense in [&[0xff; 100][..], b"", b"GET / HTTP/1.1", &[0x0a, 0x7f, 1]] {
        let mut stranger = memory.dial(&here()).await.expect("dialled");
        std::pin::Pin::new(&mut *stranger.sender)
            .send(Bytes::copy_from_slice(nonsense), Lane::C)
            .expect("sent");
        if nonsense.is_empty() {
            continue;
        }
        // It may be told why first; then it is over.
        let over = std::future::poll_fn(|cx| {
            loop {
                match std::pin::Pin::new(&mut *stranger.receiver).poll_receive(cx) {
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(reason)) => return Poll::Ready(reason),
                    Poll::Pending => return Poll::Pending,
                }
            }
        });
        soon(over).await;
    }
    submit(&coordinator, 1, "echo", b"x").await;
    assert_eq!(ended(&coordinator, 1).await.state, TaskState::Succeeded);
    assert_eq!(worker.status().link.conn, before.conn);
}

/// A transport whose listener is out of descriptors for a while.
#[derive(Clone)]
struct Exhausted {
    inner: MemoryTransport,
    failures: Arc<AtomicU32>,
    asked: Arc<AtomicU32>,
}

struct ExhaustedListener {
    inner: Box<dyn Listener>,
    transport: Exhausted,
}

impl Transport for Exhausted {
    fn schemes(&self) -> &'static [&'static str] {
        self.inner.schemes()
    }

    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<'static, Result<Connection, DialError>> {
        self.inner.dial(endpoint)
    }

    fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, Result<Box<dyn Listener>, ListenError>> {
        let (listening, transport) = (self.inner.listen(endpoint), self.clone());
        async move {
            let inner = listening.await?;
            Ok(Box::new(ExhaustedListener { inner, transport }) as Box<dyn Listener>)
        }
        .boxed()
    }
}

impl Listener for ExhaustedListener {
    fn accept(&mut self) -> BoxFuture<'_, Result<Connection, AcceptError>> {
        self.transport.asked.fetch_add(1, Ordering::SeqCst);
        if self
            .transport
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok()
        {
            let detail = "too many open files".to_owned();
            return async { Err(AcceptError::Exhausted { detail }) }.boxed();
        }
        self.inner.accept()
    }

    fn endpoint(&self) -> Endpoint {
        self.inner.endpoint()
    }
}

#[tokio::test]
async fn a_coordinator_out_of_descriptors_waits_and_takes_connections_again() {
    let transport = Exhausted {
        inner: MemoryTransport::new(),
        failures: Arc::new(AtomicU32::new(4)),
        asked: Arc::default(),
    };
    let transports = Transports::new().with(transport.clone());
    let began = Instant::now();
    let _coordinator = coordinator(&transports, MemoryStore::new()).await;
    let worker = worker(&transports, 1, &Threads::echo(), 1);
    until(&worker, State::Active).await;
    // 50 + 100 + 200 + 400 ms: it did not ask again at once, and it did ask again.
    assert!(began.elapsed() >= Duration::from_millis(750), "{:?}", began.elapsed());
    assert!(transport.asked.load(Ordering::SeqCst) <= 6);
}

#[tokio::test]
async fn an_address_in_use_is_a_clear_error_and_leaves_nothing_running() {
    let transports = memory();
    let first = coordinator(&transports, MemoryStore::new()).await;
    let store = MemoryStore::new();
    let second =
        start_coordinator(Tokio, transports.clone(), Box::new(store), support::options()).await;
    let error = second.map(|_| ()).expect_err("the name is taken");
    assert!(matches!(error, StartError::Listen(ListenError::InUse { .. })), "{error}");
    soon(first.stop()).await;
    soon(coordinator(&transports, MemoryStore::new()).await.stop()).await;
}

/// A transport that remembers what the side that dialled hands to it.
#[derive(Clone)]
struct Watched {
    inner: MemoryTransport,
    seen: Arc<std::sync::Mutex<Vec<Seen>>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Seen {
    Packet(Lane),
    Flush,
}

struct WatchedSender {
    inner: Box<dyn PacketSender>,
    seen: Arc<std::sync::Mutex<Vec<Seen>>>,
}

impl Transport for Watched {
    fn schemes(&self) -> &'static [&'static str] {
        self.inner.schemes()
    }

    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<'static, Result<Connection, DialError>> {
        let (dial, seen) = (self.inner.dial(endpoint), Arc::clone(&self.seen));
        async move {
            let Connection { sender, receiver, peer, identity, authority } = dial.await?;
            let sender = Box::new(WatchedSender { inner: sender, seen });
            Ok(Connection { sender, receiver, peer, identity, authority })
        }
        .boxed()
    }

    fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, Result<Box<dyn Listener>, ListenError>> {
        self.inner.listen(endpoint)
    }
}

impl PacketSender for WatchedSender {
    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        Pin::new(&mut *self.inner).poll_ready(cx)
    }

    fn send(mut self: Pin<&mut Self>, packet: Bytes, lane: Lane) -> Result<(), Reason> {
        self.seen.lock().expect("not poisoned").push(Seen::Packet(lane));
        Pin::new(&mut *self.inner).send(packet, lane)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        self.seen.lock().expect("not poisoned").push(Seen::Flush);
        Pin::new(&mut *self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        Pin::new(&mut *self.inner).poll_close(cx)
    }
}

/// Needs no time.
struct AtOnce;

impl Executor for AtOnce {
    fn start(&mut self, job: Job, done: Completion) {
        done.complete(Outcome::Succeeded, job.payload);
    }

    fn abort(&mut self, _run: RunId, _reason: AbortReason) {}
}

#[tokio::test]
async fn a_result_that_needed_no_time_travels_with_its_accept() {
    let seen = Arc::default();
    let watched = Watched { inner: MemoryTransport::new(), seen: Arc::clone(&seen) };
    let transports = Transports::new().with(watched);
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let options = worker_options(1, &["echo"], 1);
    let worker = start_worker(transports, options, Box::new(AtOnce)).expect("started");
    until(&worker, State::Active).await;
    submit(&coordinator, 1, "echo", b"x").await;
    assert_eq!(ended(&coordinator, 1).await.state, TaskState::Succeeded);
    let seen = seen.lock().expect("not poisoned").clone();
    let results: Vec<_> = seen
        .iter()
        .enumerate()
        .filter(|(_, seen)| **seen == Seen::Packet(Lane::B))
        .map(|(at, _)| seen[at - 1])
        .collect();
    assert_eq!(results, [Seen::Packet(Lane::C)], "in all: {seen:?}");
}

#[tokio::test]
async fn a_coordinator_sees_the_figures_of_a_link_as_its_worker_told_them() {
    let transports = memory();
    let coordinator = coordinator(&transports, MemoryStore::new()).await;
    let worker = worker(&transports, 1, &Threads::echo(), 1);
    until(&worker, State::Active).await;
    let seen = || async {
        let workers = soon(coordinator.workers()).await.expect("it runs");
        (workers[0].conn, workers[0].statistics)
    };
    for outage in 1..=2_u32 {
        let (before, _) = seen().await;
        soon(coordinator.reconnect(moorline_link::WorkerId(1))).await.expect("it runs");
        let told = soon(async {
            loop {
                let (conn, statistics) = seen().await;
                let is_new = conn.is_some() && conn != before;
                match statistics.filter(|told| is_new && told.outages == u64::from(outage)) {
                    Some(told) => return told,
                    None => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        })
        .await;
        // One dial for each connection, each with success; what is still to come is not told.
        assert_eq!(
            (told.dials, told.successes, told.failures),
            (u64::from(outage) + 1, u64::from(outage) + 1, 0)
        );
        let own = worker.status();
        let connected = own.statistics.connected(own.at);
        assert!(Duration::from_micros(told.connected_micros) <= connected, "{told:?}");
        assert!(told.connected_micros > 0 && told.disconnected_micros > 0, "{told:?}");
        assert!(told.rtt_p50_micros <= told.rtt_p99_micros, "{told:?}");
        assert!(told.rtt_mean_micros > 0, "the beats before were answered: {told:?}");
        assert!(!told.degraded.is_degraded(), "{told:?}");
    }
}
