//! Tells systemd how this process is: ready, watched, stopping, and a line of status; see
//! sd_notify(3).
//!
//! The protocol is a few lines of text in a datagram. The crate for it reads its socket from the
//! environment at every call, which a test cannot give it: changing the environment of a running
//! process is `unsafe`.

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::health::{Life, Subject};

/// How often it is looked how things are.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// While it stops, systemd is asked this often ...
const EXTEND_EVERY: Duration = Duration::from_secs(2);
/// ... for so much more time.
const EXTEND_BY: Duration = Duration::from_secs(10);

/// The socket of this process' manager.
static MANAGER: OnceLock<Manager> = OnceLock::new();

/// The way to systemd.
#[derive(Debug)]
struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Manager {
    fn at(path: &OsStr) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        // A manager that reads nothing must not hold anybody up.
        socket.set_nonblocking(true)?;
        Ok(Self { socket, address: address(path)? })
    }

    fn tell(&self, lines: &str) {
        // Without a manager that listens there is nobody to tell.
        let _ = self.socket.send_to_addr(lines.as_bytes(), &self.address);
    }
}

/// A path, or behind `@` a name in the abstract namespace.
fn address(path: &OsStr) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = path.as_encoded_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt;
        return SocketAddr::from_abstract_name(name);
    }
    SocketAddr::from_pathname(path)
}

/// Somebody looks after the notices; dropped, it says goodbye.
#[derive(Debug)]
pub(super) struct Notices {
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

/// Keeps systemd up to date about `subject`, if it has started this process.
pub(super) fn notify(subject: Arc<dyn Subject>) -> Notices {
    let path = std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty());
    let Some(path) = path else { return Notices { running: None } };
    match Manager::at(&path) {
        Ok(manager) => {
            let manager = MANAGER.get_or_init(|| manager);
            Notices { running: start(manager, watchdog(), subject) }
        }
        Err(error) => {
            tracing::warn!(
                event = "systemd.unreachable",
                "NOTIFY_SOCKET cannot be used, systemd is not told anything: {error}"
            );
            Notices { running: None }
        }
    }
}

/// The configuration is being read again: from now until [`reloaded`].
pub(super) fn reloading() {
    use rustix::time::{ClockId, clock_gettime};

    if let Some(manager) = MANAGER.get() {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        manager.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }
}

/// The configuration was read again, or stays as it was.
pub(super) fn reloaded() {
    if let Some(manager) = MANAGER.get() {
        manager.tell("READY=1");
    }
}

/// How long systemd waits for a sign of life, if it wants one of this process.
fn watchdog() -> Option<Duration> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let own = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    number("WATCHDOG_USEC").filter(|micros| own && *micros > 0).map(Duration::from_micros)
}

fn start(
    manager: &'static Manager,
    watchdog: Option<Duration>,
    subject: Arc<dyn Subject>,
) -> Option<(Sender<()>, JoinHandle<()>)> {
    let (end, ended) = mpsc::channel();
    let thread = std::thread::Builder::new().name("moorline-notify".into()).spawn(move || {
        let mut told = Told::new(watchdog);
        loop {
            if let Some(lines) = told.news(Instant::now(), &*subject) {
                manager.tell(&lines);
            }
            match ended.recv_timeout(LOOK_EVERY) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if !told.stopping {
            manager.tell("STOPPING=1");
        }
    });
    // Without a thread nothing is told, and systemd's own limits end the start.
    Some((end, thread.ok()?))
}

impl Drop for Notices {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.running.take() {
            drop(end);
            // It panics only if a look at the subject does: then there is nothing to say.
            let _ = thread.join();
        }
    }
}

/// What systemd knows.
#[derive(Debug)]
struct Told {
    ready: bool,
    stopping: bool,
    status: String,
    watchdog: Option<Duration>,
    alive_at: Option<Instant>,
    extended_at: Option<Instant>,
}

impl Told {
    fn new(watchdog: Option<Duration>) -> Self {
        Self {
            ready: false,
            stopping: false,
            status: String::new(),
            watchdog,
            alive_at: None,
            extended_at: None,
        }
    }

    /// What there is to tell now.
    fn news(&mut self, now: Instant, subject: &dyn Subject) -> Option<String> {
        let glance = subject.glance();
        let mut lines = Vec::new();
        let due = |last: Option<Instant>, every: Duration| {
            last.is_none_or(|last| now.duration_since(last) >= every)
        };
        if glance.started && !std::mem::replace(&mut self.ready, true) {
            lines.push("READY=1".to_owned());
        }
        if glance.stopping && !std::mem::replace(&mut self.stopping, true) {
            lines.push("STOPPING=1".to_owned());
        }
        if glance.summary != self.status {
            // A line of its own: words of others must not say more.
            lines.push(format!("STATUS={}", super::output::short(&glance.summary, 200)));
            self.status = glance.summary;
        }
        let turns = match subject.life() {
            Life::Turning { age, .. } => age <= subject.limits().stuck_after,
            // Nothing to be stuck yet, or any more: this is about being killed.
            Life::Before | Life::Ended => true,
        };
        if let Some(watchdog) = self.watchdog
            && turns
            && due(self.alive_at, watchdog / 3)
        {
            self.alive_at = Some(now);
            lines.push("WATCHDOG=1".to_owned());
        }
        if self.stopping && turns && due(self.extended_at, EXTEND_EVERY) {
            self.extended_at = Some(now);
            lines.push(format!("EXTEND_TIMEOUT_USEC={}", EXTEND_BY.as_micros()));
        }
        if lines.is_empty() { None } else { Some(lines.join("\n")) }
    }
}

#[cfg(test)]
mod tests;
