//! Waiting for tasks.

use std::time::Duration;

use futures::{StreamExt, stream};

use crate::cli::exit::Exit;
use crate::cli::output::{self, printable};
use crate::cli::progress::Progress;
use crate::cli::{Context, Outcome};
use crate::client::Client;
use crate::{Error, Result, TaskId, TaskInfo, TaskState};

/// Requests that wait at a time.
const AT_ONCE: usize = 32;

/// Waits for all of them and prints how they ended.
pub(super) async fn run(
    client: &Client,
    tasks: &[TaskId],
    limit: Option<Duration>,
    context: Context,
) -> Outcome {
    let ended = match limit {
        None => all(client, tasks).await?,
        Some(limit) => match tokio::time::timeout(limit, all(client, tasks)).await {
            Ok(ended) => ended?,
            // Which one is not told from the others: the first says it for all.
            Err(_) => return Err(Error::WaitOver { task: tasks[0], limit }),
        },
    };
    if context.json {
        super::print_json(&ended, tasks.len())?;
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
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

/// Every task as it ended, in the order in which they were given.
async fn all(client: &Client, tasks: &[TaskId]) -> Result<Vec<TaskInfo>> {
    let progress = Progress::new(tasks.len());
    let waits = tasks.iter().enumerate().map(|(nth, &task)| {
        let client = client.clone();
        async move { client.wait(task).await.map(|ended| (nth, ended)) }
    });
    let mut waits = stream::iter(waits).buffer_unordered(AT_ONCE);
    let mut ended = Vec::with_capacity(tasks.len());
    let mut failed = 0;
    progress.show(0, 0);
    while let Some(result) = waits.next().await {
        let (nth, task) = result?;
        failed += usize::from(task.state != TaskState::Succeeded);
        ended.push((nth, task));
        progress.show(ended.len(), failed);
    }
    ended.sort_unstable_by_key(|(nth, _)| *nth);
    Ok(ended.into_iter().map(|(_, task)| task).collect())
}
