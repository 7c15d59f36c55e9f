//! The processes of the demo and what one can do to them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::logbook::Logbook;
use super::plan::{Plan, WORKERS};
use super::process::Process;
use super::proxy::Proxy;
use super::view::View;
use super::{Args, Failure, unproven};
use crate::cli::output::{roughly, short, table};
use crate::cli::progress::bar;
use crate::cli::tls::TlsArgs;
use crate::client::{Client, TaskQuery};
use crate::{Error, Result, Submit, TaskId, TaskInfo, TaskState, TlsFiles, WorkerInfo};

/// How long anything that has to happen may take.
const SOON: Duration = Duration::from_secs(30);
/// How often it is looked at.
const GLANCE: Duration = Duration::from_millis(25);
/// How often the picture is drawn.
const DRAW: Duration = Duration::from_millis(200);

/// Who plays.
#[derive(Debug)]
pub(super) struct Stage {
    home: PathBuf,
    heartbeat: Duration,
    lost_after: Duration,
    transport: String,
    tls: TlsArgs,
    listen: SocketAddr,
    admin: SocketAddr,
    handler: String,
    slots: u16,
    client: Client,
    logbook: Logbook,
    view: View,
    tasks: usize,
    coordinator: Option<Process>,
    workers: Vec<Process>,
    proxy: Option<Proxy>,
}

impl Stage {
    pub(super) fn new(args: &Args, plan: &Plan, home: &Path, view: View) -> Result<Self> {
        let program = std::env::current_exe().map_err(Error::Start)?;
        let program = shell_words::quote(&program.to_string_lossy()).into_owned();
        let (listen, admin) = (free_address()?, free_address()?);
        Ok(Self {
            home: home.to_owned(),
            heartbeat: args.heartbeat_interval,
            lost_after: args.lost_after,
            transport: args.transport.clone(),
            tls: args.tls.clone(),
            listen,
            admin,
            handler: format!("hash={program} hash-file --pace {}ms", plan.pace.as_millis()),
            slots: plan.slots,
            client: Client::new(format!("http://{admin}"))?.timeout(SOON),
            logbook: Logbook::default(),
            view,
            tasks: plan.files.len(),
            coordinator: None,
            workers: Vec::new(),
            proxy: None,
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn logbook(&self) -> &Logbook {
        &self.logbook
    }

    pub(super) fn say(&self, text: &str) {
        self.view.say(text);
    }

    /// After how long a silent worker loses its leases.
    pub(super) fn lost_after(&self) -> Duration {
        self.lost_after
    }

    /// Coordinator, proxy and workers, until all workers are active.
    pub(super) async fn start(&mut self) -> Result<(), Failure> {
        self.start_coordinator()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let proxy = listener.and_then(|listener| Proxy::start(listener, self.listen));
        self.proxy = Some(proxy.map_err(Error::Start)?);
        for nth in 0..WORKERS {
            let worker = self.spawn_worker(nth)?;
            self.workers.push(worker);
        }
        self.all_active().await?;
        self.say(&format!("a coordinator and {WORKERS} workers are up, {} tasks each", self.slots));
        Ok(())
    }

    pub(super) fn start_coordinator(&mut self) -> Result<(), Failure> {
        let store = self.home.join("demo.db");
        let mut args = vec![
            "coordinator".to_owned(),
            format!("--listen={}://{}", self.transport, self.listen),
            format!("--admin-listen={}", self.admin),
            format!("--store=sqlite:{}", store.display()),
            format!("--lost-after={}", flag(self.lost_after)),
            format!("--start-grace={}", flag(self.lost_after + Duration::from_secs(1))),
            "--accept-timeout=2s".to_owned(),
            // What it cannot ask its workers: whether they can be told from lost ones in this time.
            format!("--config={}", self.config()?.display()),
        ];
        args.extend(flags(&self.tls.of_coordinator()));
        self.coordinator = Some(Process::spawn("coordinator", &args, &self.logbook)?);
        Ok(())
    }

    pub(super) fn start_worker(&mut self, nth: usize) -> Result<(), Failure> {
        self.workers[nth] = self.spawn_worker(nth)?;
        Ok(())
    }

    fn spawn_worker(&self, nth: usize) -> Result<Process> {
        let name = worker_name(nth);
        // The last one is reached through the proxy, so that its connection can be half-open.
        let through = self.proxy.as_ref().filter(|_| nth + 1 == WORKERS).map(Proxy::address);
        let mut args = vec![
            "worker".to_owned(),
            format!("--coordinator={}://{}", self.transport, through.unwrap_or(self.listen)),
            format!("--name={name}"),
            format!("--slots={}", self.slots),
            format!("--data-dir={}", self.home.join(&name).display()),
            format!("--handler={}", self.handler),
            format!("--heartbeat-interval={}", flag(self.heartbeat)),
            format!("--heartbeat-timeout={}", flag(3 * self.heartbeat)),
            "--reconnect-initial-delay=200ms".to_owned(),
            "--reconnect-max-delay=1s".to_owned(),
            format!("--config={}", self.config()?.display()),
        ];
        args.extend(flags(&self.tls.of_worker()));
        Process::spawn(&name, &args, &self.logbook)
    }

    /// A configuration of the demo's own: nothing that is set on this machine is part of it.
    fn config(&self) -> Result<PathBuf> {
        let path = self.home.join("demo.toml");
        let text = format!(
            "config_version = 1\n[worker.heartbeat]\ninterval = \"{}\"\ntimeout = \"{}\"\n",
            flag(self.heartbeat),
            flag(3 * self.heartbeat)
        );
        std::fs::write(&path, text).map_err(Error::Start)?;
        Ok(path)
    }

    /// The coordinator's process.
    pub(super) fn coordinator(&mut self) -> Result<&mut Process, Failure> {
        match &mut self.coordinator {
            Some(coordinator) => Ok(coordinator),
            None => unproven("the coordinator does not run"),
        }
    }

    /// A worker's process.
    pub(super) fn worker(&mut self, nth: usize) -> &mut Process {
        &mut self.workers[nth]
    }

    /// The proxy before the last worker.
    pub(super) fn proxy(&self) -> Result<&Proxy, Failure> {
        match &self.proxy {
            Some(proxy) => Ok(proxy),
            None => unproven("the proxy does not run"),
        }
    }

    /// Hands in one task for each file.
    pub(super) async fn submit(&self, plan: &Plan) -> Result<Vec<TaskId>, Failure> {
        use std::os::unix::ffi::OsStrExt;
        let submits = plan.files.iter().map(|(file, _)| {
            let path = bytes::Bytes::copy_from_slice(file.as_os_str().as_bytes());
            let task = Submit::new("hash", path).max_retries(2);
            async move { self.client.submit(task).await.map(|task| task.id) }
        });
        let tasks: Vec<_> = stream::iter(submits).buffered(32).try_collect().await?;
        let files = plan.directory.display();
        self.say(&format!("{} tasks submitted, one for each file of {files}", tasks.len()));
        Ok(tasks)
    }

    /// Waits until all tasks have ended.
    pub(super) async fn finish(&self, tasks: &[TaskId]) -> Result<(), Failure> {
        self.say("no more faults: the rest of the tasks runs to its end");
        for &task in tasks {
            self.client.wait_for(task, 2 * SOON).await?;
        }
        self.all_active().await?;
        self.say("all tasks have ended");
        Ok(())
    }

    /// The tasks that this worker holds now.
    pub(super) async fn held_by(&self, worker: &str) -> Result<Vec<TaskInfo>, Failure> {
        let mut tasks = self.leased().await?;
        tasks.retain(|task| task.worker.as_deref() == Some(worker));
        Ok(tasks)
    }

    /// The tasks that any worker holds now.
    pub(super) async fn leased(&self) -> Result<Vec<TaskInfo>, Failure> {
        let limit = u32::try_from(self.tasks).unwrap_or(u32::MAX).max(1);
        let query = TaskQuery::of(TaskState::Leased).limit(limit);
        Ok(self.client.list(query).await?)
    }

    /// Resolves when the worker looks as wanted to the coordinator.
    pub(super) async fn until_worker(
        &self,
        worker: &str,
        what: &str,
        wanted: impl Fn(&WorkerInfo) -> bool,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + SOON;
        loop {
            let seen = self.client.worker(worker).await;
            match seen {
                Ok(worker) if wanted(&worker) => return Ok(()),
                Ok(_) | Err(Error::NoSuchWorker { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            if Instant::now() >= deadline {
                return unproven(format!("{worker} is not {what} after {SOON:?}"));
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Resolves when the worker's link is active.
    pub(super) async fn active(&self, worker: &str) -> Result<(), Failure> {
        self.until_worker(worker, "active", |worker| worker.state == "active").await
    }

    /// Resolves when every worker's link is active.
    pub(super) async fn all_active(&self) -> Result<(), Failure> {
        for nth in 0..WORKERS {
            self.active(&worker_name(nth)).await?;
        }
        Ok(())
    }

    /// Draws the picture until told to stop.
    pub(super) fn draw(&self) -> Drawing {
        let (view, client, tasks) = (self.view.clone(), self.client.clone(), self.tasks);
        let client = client.timeout(DRAW);
        let drawing = tokio::spawn(async move {
            while view.is_live() {
                view.draw(picture(&client, tasks).await);
                tokio::time::sleep(DRAW).await;
            }
        });
        Drawing { view: self.view.clone(), drawing }
    }

    /// Ends every process in order: workers first, so that they can say goodbye.
    pub(super) async fn stop(&mut self) -> Result<(), Failure> {
        for worker in &mut self.workers {
            worker.stop().await?;
        }
        self.coordinator()?.stop().await?;
        self.proxy = None;
        Ok(())
    }

    /// Ends every process at once, and waits until it is gone.
    pub(super) async fn kill(&mut self) {
        for process in self.workers.iter_mut().chain(&mut self.coordinator) {
            // One that is gone already is what is wanted.
            let _ = process.kill().await;
        }
    }
}

/// The picture while it is drawn.
#[derive(Debug)]
pub(super) struct Drawing {
    view: View,
    drawing: JoinHandle<()>,
}

impl Drawing {
    /// Wipes it.
    pub(super) async fn stop(mut self) {
        self.drawing.abort();
        // An abort takes effect at the next await, so a last picture may still come.
        let _ = (&mut self.drawing).await;
    }
}

impl Drop for Drawing {
    fn drop(&mut self) {
        self.drawing.abort();
        self.view.draw(Vec::new());
    }
}

/// Workers and progress, as the coordinator tells them.
async fn picture(client: &Client, tasks: usize) -> Vec<String> {
    let asked = async { tokio::try_join!(client.workers(), client.overview()) };
    let Ok((workers, overview)) = asked.await else {
        return vec![String::new(), "  the coordinator is away".to_owned()];
    };
    let rows: Vec<_> = workers
        .iter()
        .map(|worker| {
            vec![
                format!("  {}", short(&worker.name, 20)),
                worker.state.clone(),
                worker.reason.clone().unwrap_or_default(),
                format!("{} running", worker.running),
                worker
                    .last_contact_ms
                    .map(|ago| format!("heard {} ago", roughly(Duration::from_millis(ago))))
                    .unwrap_or_default(),
            ]
        })
        .collect();
    let ended = |state| {
        let count = overview.tasks.get(TaskState::name(state)).copied().unwrap_or_default();
        usize::try_from(count).unwrap_or(usize::MAX)
    };
    let failed = ended(TaskState::Failed) + ended(TaskState::Dead);
    let mut lines = vec![String::new()];
    lines.extend(table(&["  WORKER", "STATE", "", "", ""], &rows).lines().map(str::to_owned));
    lines.push(format!("  {}", bar(tasks, ended(TaskState::Succeeded) + failed, failed)));
    lines
}

/// Files as the flags of either role name them.
fn flags(files: &TlsFiles) -> impl Iterator<Item = String> {
    let named = [("cert", &files.cert), ("key", &files.key), ("ca", &files.ca)];
    let flag = |(name, path): (&str, &Option<PathBuf>)| {
        path.as_ref().map(|path| format!("--tls-{name}={}", path.display()))
    };
    named.map(flag).into_iter().flatten()
}

/// The name of the n-th worker.
pub(super) fn worker_name(nth: usize) -> String {
    format!("worker-{}", nth + 1)
}

/// A duration as a flag takes it.
fn flag(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

/// A free address that nobody takes while its owner is away: below the ports that outgoing
/// connections get (32768 and up on Linux, 49152 elsewhere).
fn free_address() -> Result<SocketAddr> {
    for _ in 0..1_000 {
        let random = crate::random::random().map_err(Error::Start)?;
        let port = 20_000 + u16::try_from(random % 12_000).unwrap_or_default();
        if let Ok(listener) = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return listener.local_addr().map_err(Error::Start);
        }
    }
    Err(Error::setting("demo", "no port between 20000 and 32000 is free"))
}
