//! Processes of a test: started, watched, signalled by number, gone when the test is.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::wire;

/// How long anything that has to happen may take; nothing waits that long when all is well.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// The binary under test.
pub(crate) const MOORLINE: &str = env!("CARGO_BIN_EXE_moorline");

/// A running process and everything it logged.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: Log,
    reader: JoinHandle<()>,
}

/// Log lines of a process, as JSON.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<(Mutex<Vec<Value>>, Condvar)>);

impl Log {
    fn push(&self, line: Value) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        self.0.1.notify_all();
    }

    /// All lines so far.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lines so far: a place from which [`Log::wait_from`] may look on.
    pub(crate) fn mark(&self) -> usize {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The messages of these events, in order.
    pub(crate) fn messages(&self, event: &str) -> Vec<String> {
        let lines = self.lines();
        let of_event = lines.iter().filter(|line| line["event"] == event);
        of_event.map(|line| line["msg"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits for a line of this event from the `mark`th line on that `wanted` accepts.
    pub(crate) fn wait_from(
        &self,
        mark: usize,
        event: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let deadline = Instant::now() + SOON;
        let mut lines = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(line) =
                lines.iter().skip(mark).find(|line| line["event"] == event && wanted(line))
            {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {event} in\n{}", text(&lines));
            lines = self.0.1.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for a line of this event.
    pub(crate) fn wait(&self, event: &str) -> Value {
        self.wait_from(0, event, |_| true)
    }
}

fn text(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

impl Process {
    /// Starts the binary with these arguments, logging everything as JSON.
    pub(crate) fn start(name: &str, args: &[&str]) -> Self {
        Self::spawn(name, command(args))
    }

    /// Starts it with the log level of its configuration.
    pub(crate) fn start_with_own_log_level(name: &str, args: &[&str]) -> Self {
        let mut command = command(args);
        command.env_remove("MOORLINE_LOG");
        Self::spawn(name, command)
    }

    fn spawn(name: &str, mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let log = Log::default();
        let stderr = child.stderr.take().unwrap();
        let lines = log.clone();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // What is no JSON is an error message of the command line.
                let plain = || serde_json::json!({"event": "plain", "msg": line});
                lines.push(serde_json::from_str(&line).unwrap_or_else(|_| plain()));
            }
        });
        Self { name: name.to_owned(), child, log, reader }
    }

    /// Starts it with a stderr that nobody reads: its log stays empty here.
    pub(crate) fn start_unheard(name: &str, args: &[&str]) -> Self {
        let mut child = command(args).spawn().unwrap();
        drop(child.stderr.take());
        let reader = std::thread::spawn(|| ());
        Self { name: name.to_owned(), child, log: Log::default(), reader }
    }

    /// What it logged.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Sends a signal; the process has to run.
    pub(crate) fn signal(&mut self, signal: Signal) {
        assert!(self.is_running(), "{} ended by itself:\n{}", self.name, text(&self.log.lines()));
        kill_process(self.pid(), signal).unwrap();
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    /// Whether it runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Kills it without a goodbye, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    /// Waits until it ends by itself and its log is complete: the last lines may come after the end.
    pub(crate) fn ends(&mut self) -> ExitStatus {
        let status = until(&format!("{} ends", self.name), || self.child.try_wait().unwrap());
        until(&format!("{} closes its log", self.name), || self.reader.is_finished().then_some(()));
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("== {} said\n{}", self.name, text(&self.log.lines()));
        }
    }
}

/// The binary under test with these arguments, logging everything as JSON.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(MOORLINE);
    command
        .args(args)
        .args(["--log-format", "json"])
        .env("MOORLINE_LOG", "info,moorline_driver=debug")
        .envs(wire::variables())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Waits for something to be there.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A free port that nobody takes while its owner is away: below those that outgoing connections get.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Neighbours among processes are no neighbours among ports: another run may go on beside this one.
    let start = u16::try_from(u64::from(std::process::id()) * 101 % 12_000).unwrap();
    loop {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + (start + offset) % 12_000;
        // QUIC wants the port of the same number on UDP.
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .and_then(|tcp| Ok((tcp.local_addr()?, UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?)));
        if let Ok((address, _)) = bound {
            return address;
        }
    }
}

/// The coordinator's configuration file in the home of a rig, if it has one.
const CONFIG: &str = "coordinator.toml";

/// One coordinator and its workers, with shortened timings.
pub(crate) struct Rig {
    pub(crate) home: TempDir,
    pub(crate) listen: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) coordinator: Process,
    lost_after: &'static str,
    /// Further flags of the coordinator.
    more: Vec<String>,
}

/// Flags of a worker that make what takes seconds take tenths: heartbeats every 200 ms, given up
/// after three, back within half a second.
pub(crate) const QUICK: &[&str] = &[
    "--heartbeat-interval=200ms",
    "--heartbeat-timeout=600ms",
    "--reconnect-initial-delay=50ms",
    "--reconnect-max-delay=500ms",
    "--reconnect-first=backoff",
];

/// The same way back with the standard heartbeats, for workers whose connection must not be lost, also
/// where a loaded machine lets them wait.
pub(crate) const STEADY: &[&str] =
    &["--reconnect-initial-delay=50ms", "--reconnect-max-delay=500ms", "--reconnect-first=backoff"];

impl Rig {
    /// Starts a coordinator on a store in a file, and waits until it is ready.
    pub(crate) fn new(lost_after: &'static str) -> Self {
        Self::at(lost_after, free_address(), free_address())
    }

    /// The same at these addresses.
    pub(crate) fn at(lost_after: &'static str, listen: SocketAddr, admin: SocketAddr) -> Self {
        Self::in_home(tempfile::tempdir().unwrap(), lost_after, listen, admin, &[])
    }

    /// The same with what else is in this configuration file.
    pub(crate) fn configured(lost_after: &'static str, file: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        configure(home.path(), file);
        Self::in_home(home, lost_after, free_address(), free_address(), &[])
    }

    /// The same with further flags of the coordinator.
    pub(crate) fn flagged(lost_after: &'static str, more: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        Self::in_home(home, lost_after, free_address(), free_address(), more)
    }

    fn in_home(
        home: TempDir,
        lost_after: &'static str,
        listen: SocketAddr,
        admin: SocketAddr,
        more: &[&str],
    ) -> Self {
        let more: Vec<_> = more.iter().map(|&flag| flag.to_owned()).collect();
        let coordinator = start_coordinator(home.path(), listen, admin, lost_after, &more);
        Self { home, listen, admin, coordinator, lost_after, more }
    }

    /// Writes another configuration file, for those that began with one.
    pub(crate) fn configure(&self, file: &str) {
        configure(self.home.path(), file);
    }

    /// Starts the coordinator again, after it has ended.
    pub(crate) fn restart_coordinator(&mut self) {
        self.coordinator = start_coordinator(
            self.home.path(),
            self.listen,
            self.admin,
            self.lost_after,
            &self.more,
        );
    }

    /// Starts a worker that dials the coordinator.
    pub(crate) fn worker(&self, name: &str, flags: &[&str]) -> Process {
        self.worker_at(self.listen, name, flags)
    }

    /// Starts a worker that dials another address.
    pub(crate) fn worker_at(&self, at: SocketAddr, name: &str, flags: &[&str]) -> Process {
        start_worker(self.home.path(), at, name, name, flags)
    }

    /// Starts a worker whose handlers run on this runtime.
    pub(crate) fn worker_on(&self, runtime: &str, name: &str, flags: &[&str]) -> Process {
        let mut command = worker_command(self.home.path(), self.listen, name, name, flags);
        command.env("MOORLINE_RUNTIME", runtime);
        Process::spawn(name, command)
    }

    /// Runs a client command and returns what it printed.
    pub(crate) fn run(&self, args: &[&str]) -> Value {
        let output = Command::new(MOORLINE)
            .args(args)
            .args(["--json", "--server", &format!("http://{}", self.admin)])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {} {said}", output.status);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Submits a task and returns its id.
    pub(crate) fn submit(&self, kind: &str, input: &str, flags: &[&str]) -> String {
        let args = [&["task", "submit", kind, "--input", input], flags].concat();
        self.run(&args)["id"].as_str().unwrap().to_owned()
    }

    /// A task, as the coordinator tells it.
    pub(crate) fn task(&self, id: &str) -> Value {
        self.run(&["task", "get", id])
    }

    /// Waits until a task is in this state.
    pub(crate) fn until_task(&self, id: &str, state: &str) -> Value {
        until(&format!("{id} is {state}"), || Some(self.task(id)).filter(|t| t["state"] == state))
    }

    /// A worker, as the coordinator tells it; null if it is not known.
    pub(crate) fn seen(&self, name: &str) -> Value {
        let all = &self.get("/api/v1/workers")["workers"];
        let all = all.as_array().unwrap();
        all.iter().find(|worker| worker["name"] == name).cloned().unwrap_or_default()
    }

    /// Waits until a worker is in this state.
    pub(crate) fn until_worker(&self, name: &str, state: &str) -> Value {
        until(&format!("{name} is {state}"), || {
            Some(self.seen(name)).filter(|w| w["state"] == state)
        })
    }

    /// Counts of tasks and of applied results.
    pub(crate) fn overview(&self) -> Value {
        self.get("/api/v1/overview")
    }

    /// Asks the admin API, over a connection of its own.
    pub(crate) fn get(&self, path: &str) -> Value {
        until(&format!("the coordinator answers {path}"), || self.try_get(path).ok())
    }

    fn try_get(&self, path: &str) -> std::io::Result<Value> {
        let mut stream = TcpStream::connect(self.admin)?;
        let host = self.admin;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        Ok(serde_json::from_str(body)?)
    }

    /// Nothing was lost and nothing applied twice: so many tasks have succeeded, and no other is there.
    pub(crate) fn balances(&self, succeeded: u64) {
        let overview = self.overview();
        assert_eq!(overview["tasks"]["succeeded"], succeeded, "{overview}");
        let tasks = overview["tasks"].as_object().unwrap();
        let all: u64 = tasks.values().filter_map(Value::as_u64).sum();
        assert_eq!(all, succeeded, "{overview}");
        assert_eq!(overview["applied_twice"], 0, "{overview}");
    }
}

fn configure(home: &Path, file: &str) {
    std::fs::write(home.join(CONFIG), format!("config_version = 1\n{file}")).unwrap();
}

fn start_coordinator(
    home: &Path,
    listen: SocketAddr,
    admin: SocketAddr,
    lost_after: &str,
    more: &[String],
) -> Process {
    let (store, config) = (home.join("store.db"), home.join(CONFIG));
    let mut args = vec![
        "coordinator".to_owned(),
        format!("--listen={}", wire::url(listen)),
        format!("--admin-listen={admin}"),
        format!("--store=sqlite:{}", store.display()),
        format!("--lost-after={lost_after}"),
        format!("--start-grace={lost_after}"),
        "--accept-timeout=2s".to_owned(),
    ];
    args.extend_from_slice(more);
    if config.exists() {
        args.push(format!("--config={}", config.display()));
    }
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let mut coordinator = Process::start("coordinator", &args);
    until("the coordinator is ready", || {
        assert!(coordinator.is_running(), "{}", text(&coordinator.log().lines()));
        TcpStream::connect(admin).ok()
    });
    // Its API is there a moment before it listens for workers.
    coordinator.log().wait("coordinator.started");
    coordinator
}

/// Starts a worker with a data directory and a name.
pub(crate) fn start_worker(
    home: &Path,
    at: SocketAddr,
    data: &str,
    name: &str,
    flags: &[&str],
) -> Process {
    Process::spawn(name, worker_command(home, at, data, name, flags))
}

fn worker_command(home: &Path, at: SocketAddr, data: &str, name: &str, flags: &[&str]) -> Command {
    let data = home.join(data);
    let (coordinator, name_flag) =
        (format!("--coordinator={}", wire::url(at)), format!("--name={name}"));
    let data = format!("--data-dir={}", data.display());
    command(&[&["worker", &coordinator, &name_flag, &data], flags].concat())
}
