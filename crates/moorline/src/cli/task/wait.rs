//! Waiting for tasks.

use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::time::Instant;

use super::{Outcomes, Shape};
use crate::cli::exit::Exit;
use crate::cli::output::{self, printable};
use crate::cli::progress::Progress;
use crate::cli::{Context, Outcome};
use crate::client::Client;
use crate::{Error, Result, TaskId, TaskInfo, TaskState};

/// Requests that wait at a time.
const AT_ONCE: usize = 32;

/// How long may be waited, counted from when the command began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    given: Duration,
    since: Instant,
}

impl Limit {
    /// So long from now on.
    pub(super) fn new(given: Duration) -> Self {
        Self { given, since: Instant::now() }
    }

    /// Does it within the limit, if there is one. The error names this task for all.
    pub(super) async fn keep<T>(
        limit: Option<Self>,
        task: TaskId,
        doing: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(Self { given, since }) = limit else { return doing.await };
        let left = given.saturating_sub(since.elapsed());
        match tokio::time::timeout(left, doing).await {
            Ok(done) => done,
            Err(_) => Err(Error::WaitOver { task, limit: given }),
        }
    }
}

/// Waits for all of them, at least one, and prints how they ended.
pub(super) async fn run(
    client: &Client,
    tasks: &[TaskId],
    limit: Option<Limit>,
    shape: Shape,
    context: Context,
) -> Outcome {
    let ends = Limit::keep(limit, tasks[0], all(client, tasks)).await?;
    let mut ended = Vec::with_capacity(ends.len());
    let mut outcomes = Outcomes::new(context);
    for end in ends {
        ended.extend(outcomes.note(end)?);
    }
    if context.json {
        output::named(&ended, shape, context)?;
    } else {
        for task in &ended {
            let error = match task.error.as_deref() {
                Some(error) if task.state != TaskState::Succeeded => {
                    format!(": {}", printable(error))
                }
                Some(_) | None => String::new(),
            };
            output::line(&format!("{}  {}{error}", task.id, task.state.name()))?;
        }
    }
    let failed = ended.iter().any(|task| task.state != TaskState::Succeeded);
    let exit = outcomes.exit();
    Ok(if failed && exit == Exit::Done { Exit::Failed } else { exit })
}

/// Every task as it ended, in the order in which they were given. One that is not there holds up
/// none of the others.
async fn all(client: &Client, tasks: &[TaskId]) -> Result<Vec<Result<TaskInfo>>> {
    let progress = Progress::new(tasks.len());
    let waits = tasks.iter().enumerate().map(|(nth, &task)| {
        let client = client.clone();
        async move { (nth, client.wait(task).await) }
    });
    let mut waits = stream::iter(waits).buffer_unordered(AT_ONCE);
    let mut ended = Vec::with_capacity(tasks.len());
    let mut failed = 0;
    progress.show(0, 0);
    while let Some((nth, end)) = waits.next().await {
        match &end {
            Ok(task) => failed += usize::from(task.state != TaskState::Succeeded),
            Err(Error::NoSuchTask { .. }) => failed += 1,
            Err(_) => return end.map(|_| Vec::new()),
        }
        ended.push((nth, end));
        progress.show(ended.len(), failed);
    }
    ended.sort_unstable_by_key(|(nth, _)| *nth);
    Ok(ended.into_iter().map(|(_, end)| end).collect())
}
