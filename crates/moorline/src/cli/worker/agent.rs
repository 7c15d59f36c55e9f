//! What agents of other systems are started with: in the background, and with addresses of their own.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use moorline_transport::Endpoint;

use crate::cli::exit::Exit;
use crate::cli::{Context, Outcome, logs, output};
use crate::{Error, Result};

/// So long a worker in the background has until it runs: it opens its data directory and reads files.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How often it is looked at meanwhile.
const GLANCE: Duration = Duration::from_millis(20);

#[derive(clap::Args, Default, Debug)]
pub(super) struct AgentArgs {
    /// Go on in the background, and return when the worker runs; its log is worker.log in its data
    /// directory, which grows until somebody rotates it (logrotate, with copytruncate); its process id is
    /// in worker.pid there
    #[arg(long)]
    daemon: bool,

    /// It is the one in the background.
    #[arg(long, hide = true)]
    daemonised: bool,

    /// Noted in the log and no more, like --bind-address and --report-address: a worker dials its
    /// coordinator and nobody dials it, so it needs no port
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// The address of this machine at which an agent would listen
    #[arg(long, value_name = "ADDRESS")]
    bind_address: Option<String>,

    /// The address at which others would find it; --port is added if it has none
    #[arg(long, value_name = "ADDRESS")]
    report_address: Option<String>,
}

impl AgentArgs {
    /// It is to go on in the background.
    pub(super) fn is_daemon(&self) -> bool {
        self.daemon
    }

    /// Where others would find it, if anything was said about that.
    fn reported(&self, host: impl FnOnce() -> String) -> Option<String> {
        let Self { port, bind_address, report_address, .. } = self;
        port.map(|_| ())
            .or(bind_address.as_ref().map(|_| ()))
            .or(report_address.as_ref().map(|_| ()))?;
        let everywhere = |address: &&String| !["0.0.0.0", "::", "[::]"].contains(&address.as_str());
        let address = report_address.clone().or(bind_address.as_ref().filter(everywhere).cloned());
        let address = address.unwrap_or_else(host);
        Some(match port {
            Some(port) if address.parse::<Endpoint>().is_err() => format!("{address}:{port}"),
            Some(_) | None => address,
        })
    }

    /// Notes what nothing is done with.
    pub(super) fn note(&self, worker: &str) {
        let Some(address) = self.reported(crate::worker::host_name) else { return };
        tracing::warn!(
            event = "worker.address",
            role = "worker",
            worker,
            address = address.as_str(),
            "Reporting address {address} is noted, and nothing listens there: a worker dials its \
             coordinator, and everything comes over that connection"
        );
    }

    /// In the background: a session of its own, so that the end of a terminal is not its end; and its
    /// process id, as long as this lives.
    pub(super) fn settle(&self, data_dir: &Path) -> Result<Option<PidFile>> {
        if !self.daemonised {
            return Ok(None);
        }
        // It fails for who has one already, which is what is wanted.
        let _ = rustix::process::setsid();
        PidFile::write(data_dir).map(Some)
    }
}

/// Says which process a worker in the background is. That it is there proves nothing: the lock of the data
/// directory does.
#[derive(Debug)]
pub(super) struct PidFile(PathBuf);

impl PidFile {
    fn write(data_dir: &Path) -> Result<Self> {
        let path = pid_file(data_dir);
        let written = fs::write(&path, format!("{}\n", std::process::id()));
        written.map_err(|source| Error::WriteFile { path: path.clone(), source })?;
        Ok(Self(path))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // A worker that has ended, and stays, may have a successor by now.
        if says(&self.0, std::process::id()) {
            // If it cannot be removed it is old, and proves nothing.
            let _ = fs::remove_file(&self.0);
        }
    }
}

/// Whether the file says that it is this process.
fn says(path: &Path, pid: u32) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text == format!("{pid}\n"))
}

/// When the file was written; none: there is none.
fn written(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

fn pid_file(data_dir: &Path) -> PathBuf {
    data_dir.join("worker.pid")
}

/// Starts this very command again, in the background, and returns when it runs. If it ends before that, as
/// one does whose name runs already, what it said is said here, and this ends as it did.
pub(super) async fn start(name: &str, data_dir: &Path, context: Context) -> Outcome {
    let path = data_dir.join("worker.log");
    let failed = |source| Error::WriteFile { path: path.clone(), source };
    fs::create_dir_all(data_dir)
        .map_err(|source| Error::DataDir { path: data_dir.to_owned(), source })?;
    let mut log =
        OpenOptions::new().create(true).append(true).read(true).open(&path).map_err(failed)?;
    let before = log.seek(SeekFrom::End(0)).map_err(failed)?;
    // A worker that was killed leaves its file, and after a restart of the machine its number may be that
    // of the new one.
    let stale = written(&pid_file(data_dir));
    let mut child = spawn(&log).map_err(Error::Start)?;
    if until_it_runs(&mut child, data_dir, stale).await? {
        let pid = child.id();
        if context.json {
            output::json(&serde_json::json!({"name": name, "pid": pid, "log": path}))?;
        } else {
            output::line(&format!(
                "worker {name} runs in the background: process {pid}, log {}",
                path.display()
            ))?;
        }
        return Ok(Exit::Done);
    }
    let code = child.wait().map_err(Error::Start)?.code();
    let mut said = String::new();
    // What cannot be read is in the file.
    let _ = log.seek(SeekFrom::Start(before)).and_then(|_| log.read_to_string(&mut said));
    output::message(&format!("the worker ended before it ran; its log is {}", path.display()));
    for line in said.lines() {
        output::message(&output::printable(line));
    }
    logs::flush();
    std::process::exit(code.unwrap_or(i32::from(Exit::Internal as u8)))
}

/// With the same flags, but for the one that says so.
fn spawn(log: &File) -> std::io::Result<Child> {
    let flag =
        |arg: std::ffi::OsString| if arg == "--daemon" { "--daemonised".into() } else { arg };
    Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1).map(flag))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        .spawn()
}

/// Whether it came so far.
async fn until_it_runs(
    child: &mut Child,
    data_dir: &Path,
    stale: Option<SystemTime>,
) -> Result<bool> {
    let deadline = Instant::now() + READY_WITHIN;
    let path = pid_file(data_dir);
    loop {
        if says(&path, child.id()) && written(&path) != stale {
            return Ok(true);
        }
        if child.try_wait().map_err(Error::Start)?.is_some() {
            return Ok(false);
        }
        if Instant::now() > deadline {
            let said = format!("the worker in the background does not run after {READY_WITHIN:?}");
            // It would run later, and nobody would know.
            let _ = child.kill();
            return Err(Error::Start(std::io::Error::other(said)));
        }
        tokio::time::sleep(GLANCE).await;
    }
}

#[cfg(test)]
mod tests;
