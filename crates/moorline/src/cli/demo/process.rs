//! The processes of the demo: this very program, started again.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::logbook::Logbook;
use super::{Failure, unproven};
use crate::Error;

/// How long a process may take to end after SIGTERM.
const STOP: Duration = Duration::from_secs(15);

/// A running process. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Process {
    name: String,
    child: Child,
    pid: Pid,
    reading: JoinHandle<()>,
}

impl Process {
    /// Starts this program with these arguments. It leads a process group of its own, so that a
    /// Ctrl-C on the terminal reaches the demo alone.
    pub(super) fn spawn(name: &str, args: &[String], logbook: &Logbook) -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(Error::Start)?;
        let mut command = Command::new(program);
        let ours = std::env::vars_os().map(|(name, _)| name);
        // What is set on this machine is no part of the demo.
        for name in ours.filter(|name| name.as_encoded_bytes().starts_with(b"MOORLINE_")) {
            command.env_remove(name);
        }
        let mut child = command
            .args(args)
            .args(["--log-format", "json"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::Start)?;
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let pid = pid.ok_or_else(|| Error::Start(std::io::Error::other("it ended at once")))?;
        let stderr = child.stderr.take();
        let (logbook, said_by) = (logbook.clone(), name.to_owned());
        let reading = tokio::spawn(async move {
            let Some(stderr) = stderr else { return };
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                logbook.note(&said_by, &line);
            }
        });
        Ok(Self { name: name.to_owned(), child, pid, reading })
    }

    /// Freezes it.
    pub(super) fn freeze(&mut self) -> Result<(), Failure> {
        self.signal(Signal::STOP)
    }

    /// Thaws it.
    pub(super) fn thaw(&mut self) -> Result<(), Failure> {
        self.signal(Signal::CONT)
    }

    /// Kills it: no goodbye, no last write.
    pub(super) async fn kill(&mut self) -> Result<(), Failure> {
        self.signal(Signal::KILL)?;
        self.gone(STOP).await
    }

    /// Asks it to end and waits for that; it has to end well.
    pub(super) async fn stop(&mut self) -> Result<(), Failure> {
        self.signal(Signal::TERM)?;
        self.gone(STOP).await?;
        match self.child.wait().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => unproven(format!("{} ended with {status}", self.name)),
            Err(error) => unproven(format!("{} is gone: {error}", self.name)),
        }
    }

    /// Resolves when the process is gone and all it said is read.
    async fn gone(&mut self, limit: Duration) -> Result<(), Failure> {
        let gone = async {
            let _ = self.child.wait().await;
            let _ = (&mut self.reading).await;
        };
        if tokio::time::timeout(limit, gone).await.is_err() {
            return unproven(format!("{} does not end", self.name));
        }
        Ok(())
    }

    fn signal(&mut self, signal: Signal) -> Result<(), Failure> {
        // Not collected yet, so the number is still this process's.
        match self.child.try_wait() {
            Ok(None) => match kill_process(self.pid, signal) {
                Ok(()) => Ok(()),
                Err(error) => unproven(format!("{} cannot be signalled: {error}", self.name)),
            },
            Ok(Some(status)) => unproven(format!("{} ended by itself: {status}", self.name)),
            Err(error) => unproven(format!("{} is gone: {error}", self.name)),
        }
    }
}
