//! Reliable messages, and whole tasks, through two processes over gRPC, beside bare tonic in the same run:
//! 64 bytes out, 64 bytes back. Prints one JSON object a line: of all rounds the lowest, the middle and the
//! highest.
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
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "it speaks a part of the protocol, and the rest ends it"
)]
mod messages;
mod over;

type Error = Box<dyn std::error::Error + Send + Sync>;

const IN_FLIGHT: usize = 256;
const BYTES: usize = 64;
const PAYLOAD: Bytes = Bytes::from_static(&[7; BYTES]);

fn main() -> Result<(), Error> {
    let args: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = args.iter().skip(2).map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match args.get(1).map(String::as_str) {
        Some("--worker") => runtime.block_on(worker(&args[2])),
        Some("--mirror") => runtime.block_on(over::mirror(&words)),
        Some("--messages") => runtime.block_on(over::submit(&words)),
        Some("--echo") => runtime.block_on(bare::echo()),
        Some("--idle-fleet") => {
            let every = Duration::from_millis(args[4].parse()?);
            runtime.block_on(bare::fleet(&args[2], args[3].parse()?, every))
        }
        // `cargo test --benches` runs a benchmark once to see that it works.
        _ => {
            let full = args.iter().any(|arg| arg == "--bench");
            runtime.block_on(measure(if full { 1 } else { 100 }))
        }
    }
}

/// Each peer in turn, round by round, so that what the machine does meanwhile meets all of them.
const ROUNDS: usize = 5;

/// What one peer did in one round.
struct Round {
    p50: Duration,
    p99: Duration,
    per_second: f64,
}

impl Round {
    fn new((mut alone, per_second): (Vec<Duration>, f64)) -> Self {
        alone.sort();
        let at = |percent: usize| alone[(alone.len() - 1) * percent / 100];
        Self { p50: at(50), p99: at(99), per_second }
    }
}

async fn measure(divisor: usize) -> Result<(), Error> {
    let rounds = ROUNDS.div_ceil(divisor);
    let [mut bare, mut alone, mut memory, mut sqlite] = [const { Vec::new() }; 4];
    for _ in 0..rounds {
        bare.push(Round::new(bare::measure(2_000 / divisor, 100_000 / divisor).await?));
        alone.push(Round::new(messages::measure(2_000 / divisor, 100_000 / divisor).await?));
        let store = Box::new(MemoryStore::new());
        memory.push(Round::new(tasks(store, 1_000 / divisor, 10_000 / divisor).await?));
        let home = tempfile::tempdir()?;
        let store = Box::new(SqliteStore::open(home.path().join("bench.db"))?);
        sqlite.push(Round::new(tasks(store, 300 / divisor, 4_000 / divisor).await?));
    }
    report("bare tonic", &bare, &bare);
    report("moorline, reliable messages alone", &alone, &bare);
    report("moorline, whole tasks, memory store", &memory, &bare);
    report("moorline, whole tasks, SQLite", &sqlite, &bare);
    Ok(())
}

/// The lowest, the middle and the highest of all rounds.
fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let at = |place: usize| (values[place] * 100.0).round() / 100.0;
    format!("[{},{},{}]", at(0), at(values.len() / 2), at(values.len() - 1))
}

fn report(what: &str, peer: &[Round], bare: &[Round]) {
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let each = |of: fn(&Round) -> Duration| spread(peer.iter().map(|r| micros(of(r))).collect());
    let against = |of: fn(&Round) -> f64| {
        spread(peer.iter().zip(bare).map(|(one, bare)| of(one) / of(bare)).collect())
    };
    println!(
        "{{\"bench\":\"tasks\",\"what\":\"{what}\",\"one_in_flight_p50_us\":{},\
         \"one_in_flight_p99_us\":{},\"p50_against_bare\":{},\"in_flight\":{IN_FLIGHT},\
         \"per_second\":{},\"per_second_against_bare\":{}}}",
        each(|round| round.p50),
        each(|round| round.p99),
        against(|round| round.p50.as_secs_f64()),
        spread(peer.iter().map(|round| round.per_second).collect()),
        against(|round| round.per_second),
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
    let options = WorkerOptions::new(config, vec![url.parse()?]);
    start_worker(transports, options, Box::new(Empty))?.ended().await;
    Ok(())
}
