//! `moorline bench coordinator`: whole tasks for one worker, a window of them under way.

use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use moorline_driver::CoordinatorHandle;
use moorline_link::Presence;
use moorline_node::{ClientReply, Name, Spec};
use moorline_work::{Reply, TaskState};

use super::histogram::Histogram;
use super::{At, HANDLER, PAYLOAD};
use crate::cli::exit::Exit;
use crate::cli::{Outcome, output};
use crate::coordinator::StoreAt;
use crate::{Error, Result, TaskId};

/// How often it looks whether the worker has come.
const GLANCE: Duration = Duration::from_millis(10);

/// Ended tasks are kept long enough to be asked about, and no longer: the run may take hours.
const KEEP: u64 = 10_000;

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    at: At,

    /// So many tasks are under way at any time.
    #[arg(long, value_name = "W", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    window: u32,

    /// For so many seconds, of which the first fifth does not count.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,

    /// Where tasks are kept: sqlite:FILE or memory.
    #[arg(long, value_name = "STORE", default_value = "memory")]
    store: StoreAt,
}

pub(super) async fn run(args: Args) -> Outcome {
    let keep = KEEP + 2 * u64::from(args.window);
    let coordinator =
        args.at.coordinator().store(args.store).keep_finished(Duration::MAX, keep).start().await?;
    output::line("READY")?;
    let driver = coordinator.driver();
    until_active(driver).await?;
    // On a thread of the runtime, where the admin API submits too: waking another one takes longer
    // than the task.
    let (window, time) = (args.window, Duration::from_secs(u64::from(args.seconds)));
    let submitter = driver.clone();
    let (histogram, counted) = tokio::spawn(async move { load(&submitter, window, time).await })
        .await
        .map_err(|_| Error::Stopped)??;
    let rounded = |value: f64| (value * 10.0).round() / 10.0;
    output::json(&serde_json::json!({
        "tasks_per_s": rounded(histogram.total() as f64 / counted.as_secs_f64()),
        "p50_us": rounded(histogram.micros(0.5)),
        "p99_us": rounded(histogram.micros(0.99)),
        "p999_us": rounded(histogram.micros(0.999)),
        "tasks": histogram.total(),
    }))?;
    coordinator.stop().await;
    Ok(Exit::Done)
}

async fn until_active(driver: &CoordinatorHandle) -> Result<()> {
    loop {
        let workers = driver.workers().await.map_err(|_| Error::Stopped)?;
        if workers.iter().any(|worker| worker.presence == Presence::Active) {
            return Ok(());
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// Keeps `window` tasks under way for `time`. Returns how long they took, and the time that counted.
async fn load(
    driver: &CoordinatorHandle,
    window: u32,
    time: Duration,
) -> Result<(Histogram, Duration)> {
    let handler = Name::new(HANDLER).map_err(|error| Error::setting("handler", error))?;
    let spec = Spec { handler, priority: 0, max_retries: 0, timeout: None };
    let start = Instant::now();
    let (counts_from, end) = (start + time / 5, start + time);
    let mut histogram = Histogram::default();
    let mut under_way: FuturesUnordered<_> =
        (0..window).map(|_| one(driver, spec.clone())).collect();
    let mut last = None;
    // A worker that is gone answers nothing: the time is over all the same.
    while let Ok(Some(ended)) = tokio::time::timeout_at(end.into(), under_way.next()).await {
        let (task, took) = ended?;
        let now = Instant::now();
        if now >= end {
            break;
        }
        if now >= counts_from {
            histogram.record(took);
            last = Some(task);
        }
        under_way.push(one(driver, spec.clone()));
    }
    drop(under_way);
    answered(driver, last).await?;
    Ok((histogram, time - time / 5))
}

/// One task from its submission to its end.
async fn one(driver: &CoordinatorHandle, spec: Spec) -> Result<(TaskId, Duration)> {
    let task = TaskId::generate();
    let start = Instant::now();
    match driver.submit(task.into(), spec, PAYLOAD).await.map_err(|_| Error::Stopped)? {
        ClientReply::Work(Reply::Submitted { .. }) => {}
        reply @ (ClientReply::Work(_) | ClientReply::TooManyHandlers { .. }) => {
            return Err(Error::setting("submit", format!("{reply:?}")));
        }
    }
    driver.ended(task.into()).await?;
    Ok((task, start.elapsed()))
}

/// The figures count for something: the last task has its 64 bytes, and none went wrong.
async fn answered(driver: &CoordinatorHandle, last: Option<TaskId>) -> Result<()> {
    let Some(task) = last else { return Ok(()) };
    let (result, counts) =
        driver.read(move |reader| Ok((reader.result(task.into())?, reader.counts()?))).await?;
    if result != Some(PAYLOAD) {
        return Err(Error::NoResult { task, state: TaskState::Failed });
    }
    let counted = TaskState::ALL.iter().zip(counts.by_state);
    let wrong = counted.filter(|(state, _)| state.is_final() && **state != TaskState::Succeeded);
    match wrong.filter(|(_, count)| *count > 0).map(|(state, _)| *state).next() {
        Some(state) => Err(Error::TaskFailed { task, state, error: None }),
        None => Ok(()),
    }
}
