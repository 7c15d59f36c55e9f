//! Runs a worker node: the handle, the options, the thread.

use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use moorline_link::{Instant, LinkSnapshot, LinkStatistics, Reason, State};
use moorline_node::{WorkerConfig, WorkerConfigError, WorkerNode};
use moorline_sync::{Sender, Watch, mailbox};
use moorline_transport::Endpoint;

use self::journal::LoopJournal;
use self::turn::{End, LoopState, WorkerLoop};
use crate::auth::Credentials;
use crate::connections::Connections;
use crate::elsewhere::address;
use crate::executor::Executor;
use crate::journal_thread::{self, OpenJournal};
use crate::log;
use crate::log::worker::WorkerLog;
use crate::runtime::Runtime;
use crate::tally::{WorkerCounter, WorkerTally};
use crate::transports::Transports;

mod dial;
mod journal;
mod turn;

/// What a worker is made of.
#[derive(Debug)]
#[non_exhaustive]
pub struct WorkerOptions {
    /// The node.
    pub config: WorkerConfig,
    /// Where its coordinators are. One attempt tries them in order, the last good one first; there
    /// is one backoff over all of them (P15). Names are resolved again each time (P14).
    pub endpoints: Vec<Endpoint>,
    /// What it proves itself with. Default: nothing.
    pub credentials: Option<Credentials>,
    /// Endpoints that are equally good are tried in an order of this worker's own, drawn from its seed: so
    /// workers spread over them. Default `false`: in their order.
    pub shuffle_endpoints: bool,
    /// Where its results are kept until they are answered, over the end of its process. Only one worker can
    /// have it. Default: nowhere.
    pub journal: Option<OpenJournal>,
}

impl WorkerOptions {
    /// This node, and where its coordinators are.
    #[must_use]
    pub const fn new(config: WorkerConfig, endpoints: Vec<Endpoint>) -> Self {
        Self { config, endpoints, credentials: None, shuffle_endpoints: false, journal: None }
    }
}

/// What a worker looks like from outside, now.
///
/// ```
/// # fn example(worker: &moorline_driver::WorkerHandle) {
/// let status = worker.status();
/// println!("{:?} since {:?}", status.link.state, status.at.since(status.link.since));
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct WorkerStatus {
    /// The connection.
    pub link: LinkSnapshot,
    /// What it has counted; its times and ratios are computed when they are read, best at
    /// [`WorkerStatus::at`].
    pub statistics: LinkStatistics,
    /// Attempts it could start now.
    pub free_slots: u16,
    /// Handlers that run.
    pub running: u32,
    /// Results that are kept until the coordinator has answered them.
    pub kept_results: u32,
    /// Forced reconnects that were taken ([`WorkerHandle::reconnect`]): the connection of before is
    /// given up.
    pub reconnects: u64,
    /// Grows with every change but those of [`WorkerStatus::at`] and the times in the link's
    /// snapshot that move with each heartbeat.
    pub version: u64,
    /// When it was asked for, on the clock of the instants in `link`; once the loop has ended, when it
    /// did.
    pub at: Instant,
}

/// How a worker ended.
///
/// ```
/// # async fn example(worker: &moorline_driver::WorkerHandle) {
/// let ending = worker.ended().await;
/// println!("{:?}: {:?}", ending.state, ending.reason);
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Ending {
    /// [`State::Shutdown`] or [`State::Failed`].
    pub state: State,
    /// Why it failed; `None` also if its loop panicked or was dropped, which `hint` says then.
    pub reason: Option<Reason>,
    /// What is known about it in words, mostly from the coordinator.
    pub hint: Option<String>,
}

/// Steers a worker. Cloning gives another handle to the same one; dropping all handles leaves it running.
///
/// ```
/// # async fn example(worker: moorline_driver::WorkerHandle) {
/// use std::time::Duration;
///
/// worker.drain(Duration::from_secs(30));
/// worker.ended().await;
/// # }
/// ```
#[derive(Clone)]
pub struct WorkerHandle {
    commands: Sender<Command>,
    status: Watch<WorkerStatus>,
    ended: Watch<Option<Ending>>,
    tally: Arc<WorkerTally>,
    clock: Arc<dyn Fn() -> Instant + Send + Sync>,
}

impl std::fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerHandle").field("status", &self.status()).finish_non_exhaustive()
    }
}

/// What a handle asks of the loop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    Reconnect,
    Migrate,
    Kick,
    Restart,
    ResetStatistics,
    Drain { within: Duration },
    Shutdown,
    PulseEvery(Duration),
    SummariseEvery(Duration),
}

impl WorkerHandle {
    /// What it looks like now.
    #[must_use]
    pub fn status(&self) -> WorkerStatus {
        let mut status = self.status.get();
        // Times move on while nothing happens, until the loop has ended.
        if self.ended.get().is_none() {
            status.at = status.at.max((self.clock)());
        }
        status
    }

    /// What its loop has counted. Reading it never waits for the loop.
    #[must_use]
    pub fn tally(&self) -> &WorkerTally {
        &self.tally
    }

    /// From now on the loop turns at least this often, so that its [`Pulse`](crate::Pulse) tells
    /// whether it is stuck. Without it a loop sleeps as long as nothing is to be done.
    pub fn pulse_every(&self, every: Duration) {
        self.ask(Command::PulseEvery(every));
    }

    /// From now on an outage that lasts is summed up in the log this often. Default 30 s.
    pub fn summarise_every(&self, every: Duration) {
        self.ask(Command::SummariseEvery(every));
    }

    /// Resolves with the status' version when it is newer than `seen`; changes in between are
    /// coalesced to the latest (P103). Cancel-safe. After the end it resolves no more.
    pub async fn changed(&self, seen: u64) -> u64 {
        self.status.changed(seen).await
    }

    /// Gives the connection up and dials at once; a moment later, if it was dialled just now (P07).
    /// Several that ask at once get one dial (P10). [`WorkerStatus::reconnects`] says when it is taken.
    pub fn reconnect(&self) {
        self.ask(Command::Reconnect);
    }

    /// Moves the session to a new connection without a gap.
    pub fn migrate(&self) {
        self.ask(Command::Migrate);
    }

    /// Skips the wait before the next dial, if it waits (rate-limited, P06).
    pub fn kick(&self) {
        self.ask(Command::Kick);
    }

    /// Restarts a failed link. A failed link ends this loop, so it has an effect only if it comes first.
    pub fn restart(&self) {
        self.ask(Command::Restart);
    }

    /// Counts anew from now on; nothing the link decides by changes.
    pub fn reset_statistics(&self) {
        self.ask(Command::ResetStatistics);
    }

    /// Takes nothing new, finishes what runs, is answered, says goodbye and ends; at the latest after
    /// `within`. See [`WorkerHandle::ended`].
    pub fn drain(&self, within: Duration) {
        self.ask(Command::Drain { within });
    }

    /// Ends at once: running handlers are aborted, and for at most 1 s a goodbye is tried, which hands
    /// them back.
    pub fn shutdown(&self) {
        self.ask(Command::Shutdown);
    }

    /// Resolves when the loop has ended. Cancel-safe; many may wait.
    pub async fn ended(&self) -> Ending {
        self.ended.until(Clone::clone).await
    }

    // A loop that has ended has nothing left to steer.
    fn ask(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}

/// A worker's handle, and its loop as a future: for who has a runtime of their own to run it on. It
/// should have a thread to itself, so that nothing can silence its heartbeats (P23); see
/// `start_worker` for one that has.
///
/// # Errors
/// [`std::io::ErrorKind::InvalidInput`] with a [`WorkerConfigError`] inside: the node cannot be made of
/// these options. Others: the system has no thread for its journal.
pub fn worker<R: Runtime>(
    runtime: R,
    transports: Transports,
    options: WorkerOptions,
    executor: Box<dyn Executor>,
) -> std::io::Result<(WorkerHandle, BoxFuture<'static, ()>)> {
    let now = runtime.now();
    let WorkerOptions { config, endpoints, credentials, shuffle_endpoints, journal } = options;
    let (seed, name) = (config.seed, config.name.clone());
    let log = WorkerLog::new(config.name.clone(), config.handlers.clone(), now);
    let counter = WorkerCounter::new(&config.handlers, now);
    let tally = Arc::clone(counter.tally());
    let node = WorkerNode::new(config, now)
        .map_err(|error: WorkerConfigError| Error::new(ErrorKind::InvalidInput, error))?
        .with_endpoints(endpoints.iter().filter_map(address).collect());
    let mut node = if shuffle_endpoints { node.with_shuffled_endpoints(seed) } else { node };
    let mut thread = None;
    if let Some(journal) = journal {
        let (journal, kept) = journal.into_parts();
        tally.journal.holds(journal.size());
        let left = kept.len();
        node = node.with_journal(now, kept);
        thread = Some(journal_thread::start(
            runtime.clone(),
            name.clone(),
            journal,
            Arc::clone(&tally),
        )?);
        log::worker::journal::loaded(&name, left);
    }
    let journal = LoopJournal::new(name, thread);
    // As many as a caller asks for and runs there are: both are taken in every turn.
    let (commands, asked) = mailbox();
    let (completions, finished) = mailbox();
    let status = Watch::new(turn::status(&node, now));
    let ended = Watch::new(None);
    let of_handle = runtime.clone();
    let clock = Arc::new(move || of_handle.now());
    let run = WorkerLoop {
        runtime,
        node,
        transports,
        credentials,
        executor,
        log,
        counter,
        commands: asked,
        finished,
        completions,
        status: status.clone(),
        ended: End(ended.clone()),
        connections: Connections::default(),
        journal,
        state: LoopState::default(),
    };
    Ok((WorkerHandle { commands, status, ended, tally, clock }, run.run().boxed()))
}

/// Starts a worker's loop on an OS thread of its own, so that no handler can silence its heartbeats (P23),
/// under a runtime that works on any thread. For tokio, which has to be entered, see `start_worker`.
///
/// # Errors
/// As `start_worker`.
#[cfg(any(feature = "smol", feature = "threads", feature = "async-std"))]
pub fn start_worker_thread<R: Runtime>(
    runtime: R,
    transports: Transports,
    options: WorkerOptions,
    executor: Box<dyn Executor>,
) -> std::io::Result<WorkerHandle> {
    let (handle, run) = worker(runtime, transports, options, executor)?;
    let thread = std::thread::Builder::new().name("moorline-worker".into());
    thread.spawn(move || futures::executor::block_on(run))?;
    Ok(handle)
}

/// Starts a worker's loop on an OS thread of its own with a current-thread tokio runtime, so that no
/// handler can silence its heartbeats (P23).
///
/// # Errors
/// [`std::io::ErrorKind::InvalidInput`] with a [`WorkerConfigError`] inside: the node cannot be made of
/// these options. Others: the system has no threads or no descriptors for it.
#[cfg(feature = "tokio")]
pub fn start_worker(
    transports: Transports,
    options: WorkerOptions,
    executor: Box<dyn Executor>,
) -> std::io::Result<WorkerHandle> {
    let (handle, run) = worker(crate::runtime::Tokio, transports, options, executor)?;
    let runtime = ::tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("moorline-worker".into()).spawn(move || {
        runtime.block_on(run);
        // A name that is still being resolved is not waited for.
        runtime.shutdown_background();
    })?;
    Ok(handle)
}
