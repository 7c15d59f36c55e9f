//! The same two loops under every runtime: tasks, an outage, a drain, a stop.

use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use futures::future::{BoxFuture, Either, select};
use moorline_driver::{
    AsyncStd, Completion, CoordinatorHandle, CoordinatorOptions, Executor, Job, Runtime, Smol,
    Threads, Tokio, Transports, WorkerHandle, WorkerOptions, start_coordinator, start_worker,
    start_worker_thread,
};
use moorline_link::{
    Backoff, First, HubConfig, Incarnation, Jitter, LinkConfig, Reconnect, State, WorkerId,
};
use moorline_memory::MemoryTransport;
use moorline_node::{ClientReply, Name, Spec, WorkerConfig};
use moorline_store::MemoryStore;
use moorline_work::{AbortReason, Outcome, Reply, RunId, RunnerConfig, TaskId};

/// Longest wait for what has to happen; only a failure takes so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// `echo` gives its input back at once.
struct Echo;

impl Executor for Echo {
    fn start(&mut self, job: Job, done: Completion) {
        done.complete(Outcome::Succeeded, job.payload);
    }

    fn abort(&mut self, _run: RunId, _reason: AbortReason) {}
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn worker_options(endpoint: &str) -> WorkerOptions {
    let delay = Duration::from_millis(20);
    let backoff =
        Backoff::new(delay, 10 * delay, 2_000, Jitter::None, First::Immediate).expect("a policy");
    let reconnect = Reconnect::new(backoff).min_spacing(delay / 4).expect("a spacing");
    let config = WorkerConfig {
        link: LinkConfig { reconnect, ..LinkConfig::default() },
        runner: RunnerConfig { slots: 2, ..RunnerConfig::default() },
        worker: WorkerId(1),
        incarnation: Incarnation(1),
        name: name("worker"),
        handlers: vec![name("echo")],
        software: name("test 1"),
        seed: 11,
    };
    WorkerOptions::new(config, vec![endpoint.parse().expect("an endpoint")])
}

/// Waits for something that has to happen, by the runtime's own clock.
async fn soon<R: Runtime, T>(runtime: &R, what: impl Future<Output = T>) -> T {
    let limit = runtime.sleep_until(runtime.now() + PATIENCE);
    match select(Box::pin(what), limit).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => panic!("it happens in time"),
    }
}

async fn until<R: Runtime>(runtime: &R, worker: &WorkerHandle, state: State) {
    soon(runtime, async {
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

async fn run<R: Runtime>(runtime: &R, coordinator: &CoordinatorHandle, id: u128) {
    let spec = Spec { handler: name("echo"), priority: 0, max_retries: 0, timeout: None };
    let payload = Bytes::from_static(b"over and back");
    let submitted = coordinator.submit(TaskId(id), spec, payload.clone()).await;
    assert_eq!(submitted, Ok(ClientReply::Work(Reply::Submitted { again: false })));
    soon(runtime, coordinator.ended(TaskId(id))).await.expect("it runs");
    let result = coordinator.read(move |reader| reader.result(TaskId(id))).await;
    assert_eq!(result.expect("read"), Some(payload));
}

/// Everything a runtime is needed for: a loop of each kind, timers, connections that come and go.
async fn works<R: Runtime>(
    runtime: R,
    start: impl FnOnce(Transports, WorkerOptions) -> std::io::Result<WorkerHandle>,
) {
    let endpoint = "mem://coordinator";
    let transports = Transports::new().with(MemoryTransport::new());
    let mut options = CoordinatorOptions::new();
    options.hub = HubConfig::default();
    options.listen = vec![endpoint.parse().expect("an endpoint")];
    let store = Box::new(MemoryStore::new());
    let worker = start(transports.clone(), worker_options(endpoint)).expect("started");
    // It waits for a coordinator by its timers.
    soon(&runtime, worker.changed(worker.status().version)).await;
    let first = start_coordinator(runtime.clone(), transports.clone(), store, options.clone());
    let first = first.await.expect("started");
    until(&runtime, &worker, State::Active).await;
    for id in 1..=20 {
        run(&runtime, &first, id).await;
    }
    worker.reconnect();
    soon(&runtime, async {
        while worker.status().reconnects == 0 {
            worker.changed(worker.status().version).await;
        }
    })
    .await;
    until(&runtime, &worker, State::Active).await;
    soon(&runtime, first.stop()).await;
    drop(first);
    until(&runtime, &worker, State::Disconnected).await;
    let store = Box::new(MemoryStore::new());
    let second = start_coordinator(runtime.clone(), transports, store, options).await;
    let second = second.expect("started");
    until(&runtime, &worker, State::Active).await;
    run(&runtime, &second, 21).await;
    worker.drain(PATIENCE);
    assert_eq!(soon(&runtime, worker.ended()).await.state, State::Shutdown);
    soon(&runtime, second.stop()).await;
}

#[tokio::test]
async fn tokio_runs_both_loops() {
    works(Tokio, |transports, options| start_worker(transports, options, Box::new(Echo))).await;
}

#[test]
fn smol_runs_both_loops() {
    smol::block_on(works(Smol, |transports, options| {
        start_worker_thread(Smol, transports, options, Box::new(Echo))
    }));
}

#[test]
fn async_std_runs_both_loops() {
    async_std::task::block_on(works(AsyncStd, |transports, options| {
        start_worker_thread(AsyncStd, transports, options, Box::new(Echo))
    }));
}

#[test]
fn plain_threads_run_both_loops() {
    block_on(works(Threads, |transports, options| {
        start_worker_thread(Threads, transports, options, Box::new(Echo))
    }));
}

#[test]
fn a_sleep_is_over_when_the_clock_says_so_and_not_before() {
    fn measured<R: Runtime>(runtime: &R, block_on: impl FnOnce(BoxFuture<'static, ()>)) {
        // Longer than one slice of a sleep.
        let at = runtime.now() + Duration::from_millis(1_100);
        block_on(runtime.sleep_until(at));
        assert!(runtime.now() >= at);
    }
    measured(&Smol, smol::block_on);
    measured(&AsyncStd, async_std::task::block_on);
    measured(&Threads, block_on);
}
