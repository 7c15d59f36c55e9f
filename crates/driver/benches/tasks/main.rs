//! Whole tasks through two processes over gRPC, beside bare tonic in the same run: 64 bytes out, an
//! empty handler, 64 bytes back. Prints one JSON object a line.
#![allow(clippy::print_stdout, reason = "a benchmark reports")]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use moorline_driver::{
    Completion, CoordinatorOptions, Executor, Job, Tokio, Transports, WorkerOptions,
    start_coordinator, start_worker,
};
use moorline_grpc::GrpcTransport;
use moorline_link::{Incarnation, LinkConfig, WorkerId};
use moorline_node::{Name, Spec, WorkerConfig};
use moorline_store::{MemoryStore, SqliteStore, Store};
use moorline_work::{AbortReason, Outcome, RunId, RunnerConfig, TaskId};

mod bare;

type Error = Box<dyn std::error::Error + Send + Sync>;

const IN_FLIGHT: usize = 256;
const PAYLOAD: Bytes = Bytes::from_static(&[7; 64]);

fn main() -> Result<(), Error> {
    let args: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match args.get(1).map(String::as_str) {
        Some("--worker") => runtime.block_on(worker(&args[2])),
        Some("--echo") => runtime.block_on(bare::echo()),
        // `cargo test --benches` runs a benchmark once to see that it works.
        _ => {
            let full = args.iter().any(|arg| arg == "--bench");
            runtime.block_on(measure(if full { 1 } else { 100 }))
        }
    }
}

async fn measure(divisor: usize) -> Result<(), Error> {
    let (alone, together) = bare::measure(5_000 / divisor, 200_000 / divisor).await?;
    report("bare tonic", &alone, together);
    let memory = Box::new(MemoryStore::new());
    let (alone, together) = tasks(memory, 2_000 / divisor, 20_000 / divisor).await?;
    report("moorline, memory store", &alone, together);
    let home = tempfile::tempdir()?;
    let sqlite = Box::new(SqliteStore::open(home.path().join("bench.db"))?);
    let (alone, together) = tasks(sqlite, 500 / divisor, 10_000 / divisor).await?;
    report("moorline, SQLite", &alone, together);
    Ok(())
}

fn report(what: &str, alone: &[Duration], per_second: f64) {
    let mut sorted = alone.to_vec();
    sorted.sort();
    let at = |percent: usize| sorted[(sorted.len() - 1) * percent / 100].as_micros();
    println!(
        "{{\"bench\":\"tasks\",\"what\":\"{what}\",\"one_in_flight_p50_us\":{},\"one_in_flight_p99_us\":{},\
         \"in_flight\":{IN_FLIGHT},\"per_second\":{per_second:.0}}}",
        at(50),
        at(99),
    );
}

/// This program again, as the other side.
struct Other(Child);

impl Other {
    fn start(args: &[&str]) -> Result<Self, Error> {
        let program = std::env::current_exe()?;
        let child = Command::new(program).args(args).stdout(Stdio::piped()).spawn()?;
        Ok(Self(child))
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn tasks(
    store: Box<dyn Store>,
    alone: usize,
    together: usize,
) -> Result<(Vec<Duration>, f64), Error> {
    let transports = Transports::new().with(GrpcTransport::new());
    let mut options = CoordinatorOptions::new();
    options.listen = vec!["grpc://127.0.0.1:0".parse()?];
    let coordinator = start_coordinator(Tokio, transports, store, options).await?;
    let _worker = Other::start(&["--worker", &coordinator.endpoints()[0].to_string()])?;
    let spec = Spec { handler: Name::new("empty")?, priority: 0, max_retries: 0, timeout: None };
    let mut next = 0_u128;
    let mut task = || {
        next += 1;
        let (id, spec, coordinator) = (TaskId(next), spec.clone(), coordinator.clone());
        async move {
            coordinator.submit(id, spec, PAYLOAD).await?;
            coordinator.ended(id).await?;
            Ok::<_, Error>(())
        }
    };
    // The worker is there, and everything is warm.
    for _ in 0..50 {
        task().await?;
    }
    let mut latencies = Vec::with_capacity(alone);
    for _ in 0..alone.max(1) {
        let start = Instant::now();
        task().await?;
        latencies.push(start.elapsed());
    }
    let start = Instant::now();
    let mut under_way = FuturesUnordered::new();
    for _ in 0..together {
        if under_way.len() == IN_FLIGHT {
            under_way.next().await.transpose()?;
        }
        under_way.push(task());
    }
    while under_way.next().await.transpose()?.is_some() {}
    let per_second = together as f64 / start.elapsed().as_secs_f64();
    coordinator.stop().await;
    Ok((latencies, per_second))
}

struct Empty;

impl Executor for Empty {
    fn start(&mut self, _: Job, done: Completion) {
        done.complete(Outcome::Succeeded, PAYLOAD);
    }

    fn abort(&mut self, _: RunId, _: AbortReason) {}
}

async fn worker(url: &str) -> Result<(), Error> {
    let config = WorkerConfig {
        link: LinkConfig::default(),
        runner: RunnerConfig { slots: 1_024, ..RunnerConfig::default() },
        worker: WorkerId(1),
        incarnation: Incarnation(u64::from(std::process::id())),
        name: Name::new("bench")?,
        handlers: vec![Name::new("empty")?],
        software: Name::new("bench")?,
        seed: 1,
    };
    let transports = Transports::new().with(GrpcTransport::new());
    let options = WorkerOptions { config, endpoints: vec![url.parse()?] };
    start_worker(transports, options, Box::new(Empty))?.ended().await;
    Ok(())
}
