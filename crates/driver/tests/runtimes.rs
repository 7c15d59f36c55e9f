//! The same two loops under every runtime: tasks, an outage, a drain, a stop. In memory, and over the real
//! sockets of each transport, where there is no tokio too.

#[path = "../../../transports/grpc/tests/pki/mod.rs"]
#[allow(dead_code, reason = "what tests of TLS need beside this")]
mod pki;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use futures::future::{BoxFuture, Either, select};
use moorline_driver::{
    AsyncStd, Completion, CoordinatorHandle, CoordinatorOptions, Executor, Job, OpenJournal,
    Runtime, Smol, StartError, Threads, Tokio, Transports, WorkerHandle, WorkerOptions,
    start_coordinator, start_worker, start_worker_thread,
};
use moorline_grpc::GrpcTransport;
use moorline_link::{Backoff, First, Incarnation, Jitter, LinkConfig, Reconnect, State, WorkerId};
use moorline_memory::MemoryTransport;
use moorline_node::{ClientReply, JournalId, JournalWrite, KeptResult, Name, Spec, WorkerConfig};
use moorline_quic::QuicTransport;
use moorline_store::{Journal, JournalSize, MemoryStore, SqliteJournal, StoreError};
use moorline_transport::{ClientTls, ListenError, Security, ServerTls};
use moorline_websocket::WebSocketTransport;
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

/// A coordinator at an address that another one may hold for a moment longer.
async fn coordinator<R: Runtime>(
    runtime: &R,
    transports: &Transports,
    endpoint: &str,
) -> CoordinatorHandle {
    let mut options = CoordinatorOptions::new();
    options.listen = vec![endpoint.parse().expect("an endpoint")];
    soon(runtime, async {
        loop {
            let store = Box::new(MemoryStore::new());
            let (runtime, transports) = (runtime.clone(), transports.clone());
            match start_coordinator(runtime.clone(), transports, store, options.clone()).await {
                Ok(coordinator) => return coordinator,
                Err(StartError::Listen(ListenError::InUse { .. })) => {
                    runtime.sleep_until(runtime.now() + Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await
}

/// Everything a runtime is needed for: a loop of each kind, timers, connections that come and go.
async fn works<R: Runtime>(
    runtime: R,
    transports: Transports,
    endpoint: &str,
    start: impl FnOnce(Transports, WorkerOptions) -> std::io::Result<WorkerHandle>,
) {
    let mut options = worker_options(endpoint);
    let (disk, commits) = (tempfile::tempdir().expect("a directory"), Arc::default());
    options.journal = Some(journal(disk.path(), &commits));
    let worker = start(transports.clone(), options).expect("started");
    // It waits for a coordinator by its timers.
    soon(&runtime, worker.changed(worker.status().version)).await;
    let first = coordinator(&runtime, &transports, endpoint).await;
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
    soon(&runtime, async {
        while worker.status().link.state == State::Active {
            worker.changed(worker.status().version).await;
        }
    })
    .await;
    let second = coordinator(&runtime, &transports, endpoint).await;
    until(&runtime, &worker, State::Active).await;
    run(&runtime, &second, 21).await;
    worker.drain(PATIENCE);
    assert_eq!(soon(&runtime, worker.ended()).await.state, State::Shutdown);
    assert!(commits.load(Ordering::Relaxed) > 0, "results went to the disk");
    assert_eq!(journal(disk.path(), &commits).results(), 0, "and all of them are answered");
    soon(&runtime, second.stop()).await;
}

/// A journal in a file, which counts its commits.
fn journal(dir: &Path, commits: &Arc<AtomicU32>) -> OpenJournal {
    struct Counted(SqliteJournal, Arc<AtomicU32>);
    impl Journal for Counted {
        fn kept(&mut self) -> Result<Vec<KeptResult>, StoreError> {
            self.0.kept()
        }
        fn commit(&mut self, batch: &[JournalWrite]) -> Result<Vec<JournalId>, StoreError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.commit(batch)
        }
        fn size(&self) -> JournalSize {
            self.0.size()
        }
    }
    let file = SqliteJournal::open(dir.join("journal.db"), 1 << 20).expect("nobody has it");
    OpenJournal::read(Counted(file, Arc::clone(commits))).expect("read")
}

fn memory() -> (Transports, String) {
    (Transports::new().with(MemoryTransport::new()), "mem://coordinator".into())
}

/// A port that nobody listens on, as far as can be said.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

fn grpc() -> (Transports, String) {
    let endpoint = format!("grpc://127.0.0.1:{}", free_port());
    (Transports::new().with(GrpcTransport::new()), endpoint)
}

fn web_socket() -> (Transports, String) {
    let endpoint = format!("ws://127.0.0.1:{}/moorline", free_port());
    (Transports::new().with(WebSocketTransport::new()), endpoint)
}

/// With the files of its certificates, which are for the name that the worker gives.
fn quic() -> (Transports, String, pki::Files) {
    let ca = pki::authority();
    let files = pki::Files::new(&ca, &pki::issued(&ca, "worker"));
    let security = Security::new()
        .with_server(ServerTls::from_files(files.files.clone()).expect("files"))
        .with_client(ClientTls::from_files(files.files.clone()).expect("files"));
    let endpoint = format!("quic://127.0.0.1:{}", free_port());
    (Transports::new().with(QuicTransport::new().with_security(security)), endpoint, files)
}

fn on_tokio((transports, endpoint): (Transports, String)) {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let start = |transports, options| start_worker(transports, options, Box::new(Echo));
    tokio.expect("a runtime").block_on(works(Tokio, transports, &endpoint, start));
}

fn on_smol((transports, endpoint): (Transports, String)) {
    smol::block_on(works(Smol, transports, &endpoint, |transports, options| {
        start_worker_thread(Smol, transports, options, Box::new(Echo))
    }));
}

fn on_async_std((transports, endpoint): (Transports, String)) {
    async_std::task::block_on(works(AsyncStd, transports, &endpoint, |transports, options| {
        start_worker_thread(AsyncStd, transports, options, Box::new(Echo))
    }));
}

fn on_threads((transports, endpoint): (Transports, String)) {
    block_on(works(Threads, transports, &endpoint, |transports, options| {
        start_worker_thread(Threads, transports, options, Box::new(Echo))
    }));
}

#[test]
fn tokio_runs_both_loops() {
    on_tokio(memory());
}

#[test]
fn smol_runs_both_loops() {
    on_smol(memory());
}

#[test]
fn async_std_runs_both_loops() {
    on_async_std(memory());
}

#[test]
fn plain_threads_run_both_loops() {
    on_threads(memory());
}

#[test]
fn grpc_runs_on_tokio() {
    on_tokio(grpc());
}

#[test]
fn grpc_runs_on_smol() {
    on_smol(grpc());
}

#[test]
fn grpc_runs_on_async_std() {
    on_async_std(grpc());
}

#[test]
fn grpc_runs_on_plain_threads() {
    on_threads(grpc());
}

#[test]
fn web_sockets_run_on_smols_reactor() {
    on_smol(web_socket());
}

#[test]
fn web_sockets_run_on_plain_threads() {
    on_threads(web_socket());
}

#[test]
fn quic_runs_on_smols_reactor() {
    let (transports, endpoint, _files) = quic();
    on_smol((transports, endpoint));
}

#[test]
fn quic_runs_on_plain_threads() {
    let (transports, endpoint, _files) = quic();
    on_threads((transports, endpoint));
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
