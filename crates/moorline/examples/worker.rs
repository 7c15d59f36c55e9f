//! A worker with settings, a watcher of its link, and an end in order on Ctrl-C.
//!
//! ```text
//! cargo run --example worker -- grpc://127.0.0.1:8740 edge
//! moorline task submit train '{"dataset": [3, 4, 5]}'
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a program for people")]

use std::process::ExitCode;
use std::time::Duration;

use moorline::{BoxError, Fatal, Preset, Result, TaskCtx, Worker, WorkerHandle};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Train {
    dataset: Vec<u64>,
}

#[derive(Default, Serialize)]
struct Trained {
    steps: usize,
    sum: u64,
}

/// Looks whether it is still wanted, and says when no retry can help.
async fn train(ctx: TaskCtx, job: Train) -> Result<Trained, BoxError> {
    if job.dataset.is_empty() {
        return Err(Fatal::new("nothing can be learnt from an empty dataset").into());
    }
    let mut trained = Trained::default();
    for x in &job.dataset {
        tokio::select! {
            () = ctx.cancelled() => return Err("told to stop".into()),
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
        trained.steps += 1;
        trained.sum += x;
    }
    Ok(trained)
}

/// Says what becomes of the link, for as long as the worker lives.
async fn watch(handle: WorkerHandle) {
    let mut changes = handle.subscribe();
    let mut before = None;
    while let Some(link) = changes.next().await {
        if before.replace(link.state) == Some(link.state) {
            continue;
        }
        if link.is_active() {
            println!("ready for work");
        } else {
            println!("{}", link.why());
        }
    }
}

async fn run() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "grpc://127.0.0.1:8740".to_owned());
    let preset: Preset = args.next().unwrap_or_else(|| "production".to_owned()).parse()?;
    let worker = Worker::builder(url)
        .name("gpu-1")
        .slots(4)
        .preset(preset)
        .reconnect_max_delay(Duration::from_secs(20))
        .task_timeout(Duration::from_secs(3_600))
        .drain_timeout(Duration::from_secs(60))
        .task("train", train)
        .task("echo", |_ctx: TaskCtx, text: String| async move { Ok::<_, BoxError>(text) })
        .build()?;
    tokio::spawn(watch(worker.handle()));
    let handle = worker.handle();
    tokio::spawn(async move {
        tokio::signal::ctrl_c().await.ok();
        println!("finishing what runs; press Ctrl-C again to end at once");
        tokio::select! {
            () = handle.drain() => {}
            _ = tokio::signal::ctrl_c() => handle.shutdown(),
        }
    });
    worker.run().await
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}\n{}", error.code(), error.hint());
            ExitCode::FAILURE
        }
    }
}
