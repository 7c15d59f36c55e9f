//! `moorline task submit`.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::Shape;
use super::wait::Limit;
use crate::cli::exit::Exit;
use crate::cli::server::ServerArgs;
use crate::cli::values::some_duration;
use crate::cli::{Context, Outcome, files, output};
use crate::client::{Client, Patience};
use crate::{Error, Result, Submit, TaskId};

/// Submits under way at a time: enough for the store to commit them together.
const AT_ONCE: usize = 32;

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// The type of the task: which handler runs it.
    #[arg(value_name = "TYPE")]
    kind: String,

    /// The input, sent as written: quotes are part of it.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["input_file", "each"])]
    input: Option<String>,

    /// The input is the content of this file; `-` is stdin.
    #[arg(long, value_name = "FILE", conflicts_with = "each")]
    input_file: Option<PathBuf>,

    /// So many tasks with the same input.
    #[arg(long, value_name = "N", conflicts_with_all = ["each", "id"])]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: Option<u32>,

    /// One task for each file below this directory; its absolute path is the input.
    #[arg(long, value_name = "DIR", conflicts_with = "id")]
    each: Option<PathBuf>,

    /// Further attempts after a failure that may be retried.
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_retries: u32,

    /// How long one attempt may run [default: as long as the worker lets it].
    #[arg(long, value_name = "DURATION", value_parser = some_duration)]
    task_timeout: Option<Duration>,

    /// Larger goes first.
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    priority: i16,

    /// The task's id [default: a new one]. Submitting the same task again under its id changes nothing.
    #[arg(long, value_name = "ID")]
    id: Option<TaskId>,

    /// Wait until all have ended, however long the coordinator is away meanwhile. Exit code 1 if one
    /// ended without success, 3 if --timeout ran out.
    #[arg(long)]
    wait: bool,

    #[command(flatten)]
    server: ServerArgs,
}

impl Args {
    /// What was asked for decides, not how many files there happen to be.
    fn shape(&self) -> Shape {
        if self.count.is_none() && self.each.is_none() { Shape::One } else { Shape::List }
    }
}

pub(super) async fn run(args: Args, context: Context) -> Outcome {
    let client = args.server.client()?;
    let tasks = tasks(&args)?;
    let shape = args.shape();
    if tasks.is_empty() {
        output::message("no files, no tasks");
    }
    let ids: Vec<TaskId> = tasks.iter().map(Submit::id).collect();
    if !args.wait || ids.is_empty() {
        let patience = Patience::For(args.server.timeout().unwrap_or(Duration::from_secs(10)));
        let submitted = submit(&client, tasks, patience).await?;
        if context.json {
            output::named(&submitted, shape, context)?;
        } else {
            for task in submitted {
                output::line(&task.id.to_string())?;
            }
        }
        return Ok(Exit::Done);
    }
    let limit = args.server.timeout().map(Limit::new);
    Limit::keep(limit, ids[0], submit(&client, tasks, Patience::Forever)).await?;
    super::wait::run(&client, &ids, limit, shape, context).await
}

/// Hands all in, in order.
async fn submit(
    client: &Client,
    tasks: Vec<Submit>,
    patience: Patience,
) -> Result<Vec<crate::Submitted>> {
    let calls = tasks.into_iter().map(|task| {
        let client = client.clone();
        async move { client.submit_with(&task, patience).await }
    });
    stream::iter(calls).buffered(AT_ONCE).try_collect().await
}

/// What the flags ask for.
fn tasks(args: &Args) -> Result<Vec<Submit>> {
    let inputs = match (&args.each, &args.input_file) {
        (Some(directory), _) => each(directory)?,
        (None, Some(file)) => vec![read(file)?],
        (None, None) => vec![args.input.clone().unwrap_or_default().into()],
    };
    let count = usize::try_from(args.count.unwrap_or(1)).unwrap_or(usize::MAX);
    let inputs = inputs.into_iter().flat_map(|input| std::iter::repeat_n(input, count));
    let tasks = inputs.map(|input| {
        let mut task =
            Submit::new(&args.kind, input).max_retries(args.max_retries).priority(args.priority);
        if let Some(timeout) = args.task_timeout {
            task = task.timeout(timeout);
        }
        match args.id {
            Some(id) => task.with_id(id),
            None => task,
        }
    });
    Ok(tasks.collect())
}

/// The absolute path of every file: a worker on this machine may run in another directory.
fn each(directory: &std::path::Path) -> Result<Vec<Bytes>> {
    let directory =
        std::path::absolute(directory).map_err(|error| unreadable(directory, &error))?;
    let files =
        files::below(&directory, usize::MAX).map_err(|error| unreadable(&directory, &error))?;
    Ok(files.iter().map(|file| Bytes::copy_from_slice(file.as_os_str().as_bytes())).collect())
}

fn read(file: &std::path::Path) -> Result<Bytes> {
    let bytes = if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes).map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    bytes.map(Bytes::from).map_err(|error| unreadable(file, &error))
}

fn unreadable(path: &std::path::Path, error: &std::io::Error) -> Error {
    Error::Input {
        path: path.to_owned(),
        source: std::io::Error::new(error.kind(), error.to_string()),
    }
}

#[cfg(test)]
mod tests;
