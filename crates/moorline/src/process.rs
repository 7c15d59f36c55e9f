//! Handlers that are child processes: no shell, input on stdin, result on stdout.

mod group;
mod output;

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::oneshot;
use futures::future::{BoxFuture, Either, select};
use moorline_work::AbortReason;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::runtime::{Builder, Handle};

pub use group::ProcessGroups;

use crate::task::{Finished, Handler, Stop, TaskCtx};
use crate::worker::{ChildExit, ChildExits};
use crate::{Error, Result};
use group::Group;
use output::{Overflow, read_result, read_tail};

/// Largest result on stdout: what one message to the coordinator can carry.
const RESULT_MAX: usize = moorline_node::BODY_MAX as usize;
/// So much of the end of stderr becomes the error text.
const STDERR_TAIL: usize = 8 << 10;
/// What a child leaves behind may hold its pipes open for this long after it has ended.
const AFTERMATH: Duration = Duration::from_secs(1);
/// How often a group that was told to end is looked at.
const GLANCE: Duration = Duration::from_millis(20);
/// Exit codes that say that another attempt is no use: those of `sysexits.h`.
const FATAL: std::ops::RangeInclusive<i32> = 64..=78;

/// Runs each task as a child process.
///
/// - The input is on its stdin; what it writes to stdout is the result, at most 16 MiB.
/// - Exit code 0 is a success, 64 to 78 a failure that no retry can heal, anything else (also a
///   signal) a failure that may be retried. The end of stderr is the error text.
/// - `MOORLINE_TASK_ID`, `MOORLINE_ATTEMPT` and `MOORLINE_IDEMPOTENCY_KEY` are set; other variables
///   that begin with `MOORLINE_` are not passed on.
/// - It leads a process group of its own. When the attempt is cancelled or its time is over, the
///   group gets SIGTERM, and SIGKILL when the grace is over or the worker ends. What is left of the
///   group when its leader has ended and the result is read, is killed.
/// - Under a runtime other than tokio each child has a thread that attends to it.
#[derive(Clone, Debug)]
pub(crate) struct CommandHandler {
    words: Arc<[String]>,
    groups: ProcessGroups,
    exits: ChildExits,
}

impl CommandHandler {
    /// Splits the command as a shell would, without running one.
    pub(crate) fn new(command: &str, groups: ProcessGroups, exits: ChildExits) -> Result<Self> {
        let words = shell_words::split(command)
            .map_err(|error| Error::setting("handler", format!("`{command}`: {error}")))?;
        if words.first().is_none_or(String::is_empty) {
            return Err(Error::setting("handler", format!("`{command}` names no program")));
        }
        Ok(Self { words: words.into(), groups, exits })
    }

    fn spawn(&self, ctx: &TaskCtx) -> std::io::Result<Child> {
        let mut command = Command::new(&self.words[0]);
        command
            .args(&self.words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        for name in std::env::vars_os().map(|(name, _)| name).filter(|name| is_withheld(name)) {
            command.env_remove(name);
        }
        command
            .env("MOORLINE_TASK_ID", ctx.task_id().to_string())
            .env("MOORLINE_ATTEMPT", ctx.attempt().to_string())
            .env("MOORLINE_IDEMPOTENCY_KEY", ctx.idempotency_key())
            .spawn()
    }
}

/// Whether a variable is moorline's own: it may hold a secret, or name a file with one.
fn is_withheld(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"MOORLINE_")
}

impl Handler for CommandHandler {
    fn call(&self, ctx: TaskCtx, input: Bytes) -> BoxFuture<'static, Finished> {
        if Handle::try_current().is_ok() {
            return self.attended(ctx, input);
        }
        let this = self.clone();
        Box::pin(aside(move || this.attended(ctx, input)))
    }
}

impl CommandHandler {
    /// A child, and all that is done with it; needs tokio.
    fn attended(&self, ctx: TaskCtx, input: Bytes) -> BoxFuture<'static, Finished> {
        let program = self.words[0].clone();
        match self.spawn(&ctx) {
            Ok(child) => {
                let group = child.id().and_then(|id| self.groups.add(id));
                let exit = Ending { exits: self.exits.clone(), ctx: ctx.clone(), how: None };
                Box::pin(attend(child, group, ctx, input, exit))
            }
            Err(error) => {
                // A program that is not there is not there for the next attempt either.
                let retryable = error.kind() != std::io::ErrorKind::NotFound
                    && error.kind() != std::io::ErrorKind::PermissionDenied;
                let finished =
                    Finished::failed(retryable, format!("`{program}` cannot be started: {error}"));
                Box::pin(std::future::ready(finished))
            }
        }
    }
}

/// Does this on a thread with a small tokio of its own, which ends with it, or soon after this is dropped.
async fn aside(work: impl FnOnce() -> BoxFuture<'static, Finished> + Send + 'static) -> Finished {
    let failed =
        |error| Finished::failed(true, format!("its child cannot be attended to: {error}"));
    let (mut tell, told) = oneshot::channel();
    let thread = std::thread::Builder::new().name("moorline-child".into());
    let begun = thread.spawn(move || {
        let finished = match Builder::new_current_thread().enable_all().build() {
            Ok(tokio) => tokio.block_on(async {
                // Whoever waits no more has ended the attempt, and dropping its work ends the child.
                match select(work(), tell.cancellation()).await {
                    Either::Left((finished, _)) => Some(finished),
                    Either::Right(_) => None,
                }
            }),
            Err(error) => Some(failed(error)),
        };
        // Nobody may be left to be told.
        finished.map(|finished| tell.send(finished))
    });
    if let Err(error) = begun {
        return failed(error);
    }
    told.await.unwrap_or_else(|_| failed(std::io::Error::other("its thread panicked")))
}

/// Feeds the child, reads it, and says how it ended. The group is killed then, or when this is
/// dropped before.
async fn attend(
    mut child: Child,
    group: Option<Group>,
    ctx: TaskCtx,
    input: Bytes,
    mut exit: Ending,
) -> Finished {
    let feeding = feed(child.stdin.take(), input);
    let reading = read_result(child.stdout.take(), RESULT_MAX);
    let listening = read_tail(child.stderr.take(), STDERR_TAIL);
    tokio::pin!(feeding, reading, listening);
    let (mut fed, mut told) = (false, false);
    let (mut result, mut tail) = (None, None);
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            // A child need not read its input: not being fed holds nothing up.
            () = &mut feeding, if !fed => fed = true,
            read = &mut reading, if result.is_none() => {
                if read.is_err() {
                    group.as_ref().inspect(|group| group.kill());
                }
                result = Some(read);
            }
            text = &mut listening, if tail.is_none() => tail = Some(text),
            () = ctx.cancelled(), if !told => {
                told = true;
                group.as_ref().inspect(|group| group.terminate());
            }
        }
    };
    // All the child wrote is in its pipes. What it left behind may hold them open: not for ever. A
    // group that was told to end has its grace to do so: whoever drops this knows when that is over.
    let (mut killed, mut ending) = (false, told);
    while result.is_none() || tail.is_none() || ending {
        tokio::select! {
            read = &mut reading, if result.is_none() => result = Some(read),
            text = &mut listening, if tail.is_none() => tail = Some(text),
            () = emptied(group.as_ref()), if ending => ending = false,
            () = tokio::time::sleep(AFTERMATH), if !ending => {
                // Whoever left the group with the pipes in hand is not waited for.
                if std::mem::replace(&mut killed, true) {
                    break;
                }
                group.as_ref().inspect(|group| group.kill());
            }
        }
    }
    // Nothing of an attempt outlives it, also not what has let go of the pipes.
    drop(group);
    let too_large = matches!(result, Some(Err(Overflow)));
    exit.is_by(status.as_ref().ok().copied(), too_large);
    finished(status, result, &tail.unwrap_or_default())
}

/// Counts how a child ended, once it has: also if nobody waited for that.
struct Ending {
    exits: ChildExits,
    ctx: TaskCtx,
    how: Option<ChildExit>,
}

impl Ending {
    /// It ended by itself, or after it was told to.
    fn is_by(&mut self, status: Option<ExitStatus>, too_large: bool) {
        let code = status.and_then(|status| status.code());
        self.how = match (code, self.ctx.stop()) {
            (Some(0), _) if !too_large => Some(ChildExit::Ok),
            (_, Stop::Asked(_) | Stop::Now) => None,
            (Some(_), Stop::No) => Some(ChildExit::Error),
            (None, Stop::No) if too_large => Some(ChildExit::Error),
            (None, Stop::No) => Some(ChildExit::Signal),
        };
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let told = match self.ctx.stop() {
            Stop::Asked(AbortReason::TimedOut) => ChildExit::Timeout,
            Stop::Asked(AbortReason::Cancelled | AbortReason::HandedBack)
            | Stop::Now
            | Stop::No => ChildExit::Cancelled,
        };
        self.exits.add(self.how.unwrap_or(told));
    }
}

/// Resolves when nobody is left in the group.
async fn emptied(group: Option<&Group>) {
    while group.is_some_and(Group::is_alive) {
        tokio::time::sleep(GLANCE).await;
    }
}

/// Writes the input and closes the pipe.
async fn feed(stdin: Option<ChildStdin>, input: Bytes) {
    if let Some(mut stdin) = stdin {
        // A child that closes its stdin does not want the rest.
        let _ = stdin.write_all(&input).await;
    }
}

fn finished(
    status: std::io::Result<ExitStatus>,
    result: Option<Result<Bytes, Overflow>>,
    tail: &str,
) -> Finished {
    let status = match status {
        Ok(status) => status,
        Err(error) => return Finished::failed(true, format!("the child is gone: {error}")),
    };
    if let Some(Err(Overflow)) = result {
        let text = format!("the result on stdout is larger than {RESULT_MAX} bytes");
        return Finished::failed(false, text);
    }
    let how = match (status.code(), status.signal()) {
        (Some(0), _) => {
            return match result {
                Some(Ok(result)) => Finished::succeeded(result),
                Some(Err(Overflow)) | None => {
                    Finished::failed(true, "another process holds the handler's stdout open")
                }
            };
        }
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended without an exit code".to_owned(),
    };
    let retryable = !status.code().is_some_and(|code| FATAL.contains(&code));
    let tail = tail.trim_end();
    let text = if tail.is_empty() { how } else { format!("{how}: {tail}") };
    Finished::failed(retryable, text)
}

#[cfg(test)]
mod tests;
