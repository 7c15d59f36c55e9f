//! A coordinator and workers in one process, with shortened timings.
#![allow(dead_code)]

use std::collections::HashMap;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use moorline_driver::{
    Completion, CoordinatorHandle, CoordinatorOptions, Executor, Job, Tokio, Transports,
    WorkerHandle, WorkerOptions, start_coordinator, start_worker,
};
use moorline_link::{
    Backoff, First, Heartbeat, HubConfig, HubSettings, Incarnation, Jitter, LinkConfig, Reconnect,
    State, WorkerId,
};
use moorline_memory::MemoryTransport;
use moorline_node::{ClientReply, Name, Spec, WorkerConfig};
use moorline_store::{Store, TaskRecord};
use moorline_transport::Endpoint;
use moorline_work::{
    AbortReason, DispatcherConfig, DispatcherSettings, Outcome, Reply, RunId, RunnerConfig, TaskId,
};

/// Longest wait for what has to happen; only a failure takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something that has to happen.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it happens in time")
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

pub(crate) fn here() -> Endpoint {
    "mem://coordinator".parse().expect("an endpoint")
}

pub(crate) fn spec(handler: &str) -> Spec {
    Spec { handler: name(handler), priority: 0, max_retries: 0, timeout: None }
}

/// Everything about three seconds instead of ninety.
pub(crate) fn options() -> CoordinatorOptions {
    let lost_after = Duration::from_secs(3);
    let mut options = CoordinatorOptions::new();
    options.hub = HubConfig::new(HubSettings::for_lost_after(lost_after)).expect("consistent");
    let settings =
        DispatcherSettings { lost_after, start_grace: lost_after, ..DispatcherSettings::default() };
    options.dispatcher = DispatcherConfig::new(settings).expect("consistent");
    options.listen = vec![here()];
    options.seed = Some(7);
    options
}

pub(crate) async fn coordinator(
    transports: &Transports,
    store: impl Store + 'static,
) -> CoordinatorHandle {
    start_coordinator(Tokio, transports.clone(), Box::new(store), options()).await.expect("started")
}

/// What a handler does with its input.
pub(crate) type Handler = Arc<dyn Fn(Job) -> (Outcome, Bytes) + Send + Sync>;

/// Runs each job on a thread of its own.
#[derive(Clone, Default)]
pub(crate) struct Threads {
    handlers: HashMap<String, Handler>,
    aborted: Arc<Mutex<Vec<(RunId, AbortReason)>>>,
}

impl Threads {
    pub(crate) fn with(
        mut self,
        handler: &str,
        run: impl Fn(Job) -> (Outcome, Bytes) + Send + Sync + 'static,
    ) -> Self {
        self.handlers.insert(handler.into(), Arc::new(run));
        self
    }

    /// `echo` gives its input back.
    pub(crate) fn echo() -> Self {
        Self::default().with("echo", |job| (Outcome::Succeeded, job.payload))
    }

    pub(crate) fn aborted(&self) -> Vec<(RunId, AbortReason)> {
        self.aborted.lock().expect("not poisoned").clone()
    }
}

impl Executor for Threads {
    fn start(&mut self, job: Job, done: Completion) {
        let run = Arc::clone(&self.handlers[job.handler.as_str()]);
        std::thread::spawn(move || {
            let (outcome, body) = run(job);
            done.complete(outcome, body);
        });
    }

    fn abort(&mut self, run: RunId, reason: AbortReason) {
        self.aborted.lock().expect("not poisoned").push((run, reason));
    }
}

/// A handler that waits until the test lets it go, and says when it began.
pub(crate) fn gated(
    threads: Threads,
    handler: &str,
) -> (Threads, mpsc::Receiver<Job>, mpsc::Sender<()>) {
    let (began, beginnings) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let threads = threads.with(handler, move |job| {
        let _ = began.send(job.clone());
        // The gate may be gone: then the test is over.
        let _ = gate.lock().expect("not poisoned").recv();
        (Outcome::Succeeded, job.payload)
    });
    (threads, beginnings, open)
}

/// Waits on a std channel without blocking the runtime's threads.
pub(crate) async fn receive<T: Send + 'static>(
    receiver: mpsc::Receiver<T>,
) -> (T, mpsc::Receiver<T>) {
    let received = tokio::task::spawn_blocking(move || {
        let value = receiver.recv_timeout(PATIENCE).expect("it comes in time");
        (value, receiver)
    });
    received.await.expect("no panic")
}

pub(crate) fn quick_reconnect() -> Reconnect {
    let (initial, max) = (Duration::from_millis(20), Duration::from_millis(200));
    let backoff =
        Backoff::new(initial, max, 2_000, Jitter::None, First::Immediate).expect("a policy");
    Reconnect::new(backoff).min_spacing(Duration::from_millis(5)).expect("a spacing")
}

pub(crate) fn worker_options(id: u128, handlers: &[&str], slots: u16) -> WorkerOptions {
    let heartbeat =
        Heartbeat::new(Duration::from_millis(100), Duration::from_millis(600)).expect("consistent");
    let config = WorkerConfig {
        link: LinkConfig { heartbeat, reconnect: quick_reconnect(), ..LinkConfig::default() },
        runner: RunnerConfig { slots, ..RunnerConfig::default() },
        worker: WorkerId(id),
        incarnation: Incarnation(u64::try_from(id).expect("small") * 1_000),
        name: name(&format!("worker-{id}")),
        handlers: handlers.iter().map(|handler| name(handler)).collect(),
        software: name("test 1"),
        seed: 11,
    };
    WorkerOptions::new(config, vec![here()])
}

pub(crate) fn worker(
    transports: &Transports,
    id: u128,
    threads: &Threads,
    slots: u16,
) -> WorkerHandle {
    let handlers: Vec<_> = threads.handlers.keys().map(String::as_str).collect();
    let options = worker_options(id, &handlers, slots);
    start_worker(transports.clone(), options, Box::new(threads.clone())).expect("started")
}

pub(crate) fn memory() -> Transports {
    Transports::new().with(MemoryTransport::new())
}

pub(crate) async fn until(worker: &WorkerHandle, state: State) {
    soon(async {
        loop {
            let status = worker.status();
            if status.link.state == state {
                return;
            }
            worker.changed(status.version).await;
        }
    })
    .await;
}

pub(crate) async fn submit(
    coordinator: &CoordinatorHandle,
    id: u128,
    handler: &str,
    payload: &'static [u8],
) {
    let reply =
        soon(coordinator.submit(TaskId(id), spec(handler), Bytes::from_static(payload))).await;
    assert_eq!(reply, Ok(ClientReply::Work(Reply::Submitted { again: false })));
}

/// The task, once it has ended.
pub(crate) async fn ended(coordinator: &CoordinatorHandle, id: u128) -> TaskRecord {
    soon(coordinator.ended(TaskId(id))).await.expect("it is there");
    let record = coordinator
        .read(move |reader| reader.task(TaskId(id)))
        .await
        .expect("read")
        .expect("there");
    assert!(record.state.is_final(), "{record:?}");
    record
}

pub(crate) async fn result(coordinator: &CoordinatorHandle, id: u128) -> Option<Bytes> {
    coordinator.read(move |reader| reader.result(TaskId(id))).await.expect("read")
}
