//! How a worker that is judged comes to life.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use futures::FutureExt;
use futures::future::BoxFuture;

/// What starts the worker that is judged.
///
/// ```
/// use moorline_conformance::{Launch, Program};
///
/// fn launcher() -> Box<dyn Launch> {
///     Box::new(Program::new("python3", ["worker.py", "{url}"]))
/// }
/// # let _ = launcher();
/// ```
pub trait Launch: Send + Sync {
    /// Starts it. `url` is where its coordinator is; `dir` is a directory of its own, the same for each
    /// start that is meant to be the same worker: its identity belongs there.
    ///
    /// # Errors
    /// It cannot be started.
    fn start(&self, url: &str, dir: &Path) -> io::Result<Box<dyn Running>>;
}

/// A worker that was started. Dropped, it is killed.
///
/// ```
/// use moorline_conformance::Running;
///
/// async fn drained(running: &mut dyn Running) -> Option<i32> {
///     running.terminate();
///     running.ended().await
/// }
/// # let _ = drained;
/// ```
pub trait Running: Send {
    /// Asks it to finish and leave: SIGTERM. Returns whether that can be asked here.
    fn terminate(&mut self) -> bool;

    /// Ends it at once.
    fn kill(&mut self) -> BoxFuture<'_, ()>;

    /// Waits until it has ended. Its exit code; `None` if a signal ended it. Can be cancelled and called
    /// again.
    fn ended(&mut self) -> BoxFuture<'_, Option<i32>>;

    /// The last lines that it printed.
    fn said(&self) -> String;
}

/// A program, with its arguments. `{url}` in an argument is where the coordinator is, `{dir}` the worker's
/// directory; the same is in `MOORLINE_CONFORMANCE_URL` and `MOORLINE_CONFORMANCE_DIR`.
///
/// ```
/// use moorline_conformance::Program;
///
/// let program = Program::new("./worker", ["--coordinator={url}", "--state", "{dir}"]);
/// # let _ = program;
/// ```
#[derive(Clone, Debug)]
pub struct Program {
    command: OsString,
    arguments: Vec<String>,
}

impl Program {
    /// This command with these arguments. It is looked for as a shell does; no shell reads it.
    pub fn new(
        command: impl Into<OsString>,
        arguments: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self { command: command.into(), arguments }
    }
}

impl Launch for Program {
    fn start(&self, url: &str, dir: &Path) -> io::Result<Box<dyn Running>> {
        let log = dir.join("conformance.log");
        let out = OpenOptions::new().create(true).append(true).open(&log)?;
        let shown = dir.display().to_string();
        let mut command = tokio::process::Command::new(&self.command);
        command
            .args(
                self.arguments
                    .iter()
                    .map(|text| text.replace("{url}", url).replace("{dir}", &shown)),
            )
            .env("MOORLINE_CONFORMANCE_URL", url)
            .env("MOORLINE_CONFORMANCE_DIR", dir)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .kill_on_drop(true);
        Ok(Box::new(RunningProgram { child: command.spawn()?, log }))
    }
}

struct RunningProgram {
    child: tokio::process::Child,
    log: PathBuf,
}

impl Running for RunningProgram {
    #[cfg(unix)]
    fn terminate(&mut self) -> bool {
        use rustix::process::{Pid, Signal, kill_process};
        // One that has ended already needs no signal.
        let id = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        id.is_none_or(|id| kill_process(id, Signal::TERM).is_ok())
    }

    #[cfg(not(unix))]
    fn terminate(&mut self) -> bool {
        false
    }

    fn kill(&mut self) -> BoxFuture<'_, ()> {
        // One that has ended already is gone all the same.
        async { drop(self.child.kill().await) }.boxed()
    }

    fn ended(&mut self) -> BoxFuture<'_, Option<i32>> {
        async { self.child.wait().await.ok().and_then(|status| status.code()) }.boxed()
    }

    fn said(&self) -> String {
        /// Lines that are told, and how much is read of what was printed.
        const LINES: usize = 5;
        const BYTES: u64 = 4_096;
        let read = || -> io::Result<String> {
            use io::{Read, Seek, SeekFrom};
            let mut file = File::open(&self.log)?;
            let len = file.metadata()?.len();
            file.seek(SeekFrom::Start(len.saturating_sub(BYTES)))?;
            let mut bytes = Vec::new();
            file.take(BYTES).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}
