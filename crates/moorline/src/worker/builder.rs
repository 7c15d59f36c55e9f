//! What a worker is made of.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use moorline_driver::Transports;
use moorline_transport::Transport;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::listener::Listeners;
use super::settings::LinkSettings;
use super::{LinkStatus, Runtime};
use crate::auth::GetCredentials;
use crate::reach::Reach;
use crate::task::{Handler, Typed};
use crate::{BoxError, Preset, Reconnect, Result, TaskCtx};

mod auth;
mod build;
mod reach;

#[cfg(feature = "cli")]
pub(crate) use build::host_name;

/// Builds a [`Worker`](super::Worker).
///
/// ```
/// use std::time::Duration;
/// use moorline::{BoxError, Preset, TaskCtx, Worker};
///
/// let builder = Worker::builder("grpc://127.0.0.1:8740")
///     .name("gpu-1")
///     .slots(4)
///     .preset(Preset::Edge)
///     .task("echo", |_ctx: TaskCtx, text: String| async move { Ok::<_, BoxError>(text) });
/// # let _ = builder;
/// ```
#[must_use]
pub struct WorkerBuilder {
    coordinators: Vec<String>,
    name: Option<String>,
    slots: u16,
    handlers: BTreeMap<String, Arc<dyn Handler>>,
    twice: Option<String>,
    link: LinkSettings,
    task_timeout: Option<Duration>,
    drain_timeout: Duration,
    data_dir: Option<PathBuf>,
    #[cfg(feature = "journal")]
    journal_max: u64,
    listeners: Listeners,
    transports: Transports,
    reach: Reach,
    credentials: Option<GetCredentials>,
    runtime: Runtime,
    log_repeat_every: Duration,
    /// Once a handler is a child process.
    #[cfg(any(feature = "health", all(feature = "process", unix)))]
    child_exits: Option<super::ChildExits>,
    #[cfg(feature = "health")]
    health: Option<String>,
    #[cfg(feature = "health")]
    limits: crate::health::Limits,
}

impl std::fmt::Debug for WorkerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        #[cfg(feature = "health")]
        let health = (&self.health, self.limits);
        #[cfg(not(feature = "health"))]
        let health = ();
        #[cfg(feature = "journal")]
        let journal_max = self.journal_max;
        #[cfg(not(feature = "journal"))]
        let journal_max = ();
        f.debug_struct("WorkerBuilder")
            .field("coordinators", &self.coordinators)
            .field("name", &self.name)
            .field("slots", &self.slots)
            .field("handlers", &self.handlers.keys())
            .field("task_timeout", &self.task_timeout)
            .field("runtime", &self.runtime)
            .field("drain_timeout", &self.drain_timeout)
            .field("reach", &self.reach)
            .field("log_repeat_every", &self.log_repeat_every)
            .field("health", &health)
            .field("journal_max", &journal_max)
            .field("has_credentials", &self.credentials.is_some())
            .finish_non_exhaustive()
    }
}

impl WorkerBuilder {
    pub(crate) fn new(coordinator: String) -> Self {
        Self {
            coordinators: vec![coordinator],
            name: None,
            slots: 1,
            handlers: BTreeMap::new(),
            twice: None,
            link: LinkSettings::default(),
            task_timeout: None,
            drain_timeout: Duration::from_secs(30),
            data_dir: None,
            #[cfg(feature = "journal")]
            journal_max: super::journal::STANDARD,
            listeners: Listeners::default(),
            transports: Transports::new(),
            reach: Reach::default(),
            credentials: None,
            runtime: Runtime::default(),
            log_repeat_every: Duration::from_secs(30),
            #[cfg(any(feature = "health", all(feature = "process", unix)))]
            child_exits: None,
            #[cfg(feature = "health")]
            health: None,
            #[cfg(feature = "health")]
            limits: crate::health::Limits::default(),
        }
    }

    /// One more URL of the coordinator, tried after those before it; one backoff is over all (P15). What
    /// worked last is tried first.
    ///
    /// `grpc://` and `ws://` are not encrypted, and for this machine only unless
    /// [`insecure`](Self::insecure) says otherwise; `grpcs://`, `quic://` and `wss://` are. An address
    /// without a scheme means gRPC: with TLS if [`tls`](Self::tls) was given. Its port is 8740 if it has none.
    ///
    /// ```
    /// let builder = moorline::Worker::builder("mem://here").coordinator("mem://there");
    /// # let _ = builder;
    /// ```
    pub fn coordinator(mut self, url: impl Into<String>) -> Self {
        self.coordinators.push(url.into());
        self
    }

    /// The worker's name: 1 to 128 bytes. Two live workers cannot have the same. Default: the
    /// machine's host name.
    ///
    /// ```
    /// let builder = moorline::Worker::builder("mem://here").name("gpu-1");
    /// # let _ = builder;
    /// ```
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// How many attempts run at once: at least 1. Default 1.
    ///
    /// ```
    /// let builder = moorline::Worker::builder("mem://here").slots(4);
    /// # let _ = builder;
    /// ```
    pub fn slots(self, slots: u16) -> Self {
        Self { slots, ..self }
    }

    /// An async function runs the tasks of this type.
    ///
    /// Its input is read from JSON and its result written as JSON by serde; `Bytes` go through as
    /// they are. No input at all is read as JSON's `null`. An input that does not fit fails the task
    /// for good; an error of the function may be retried unless it is [`Fatal`](crate::Fatal); a
    /// panic is an error.
    ///
    /// ```
    /// use moorline::{Result, TaskCtx, Worker};
    ///
    /// async fn add(_ctx: TaskCtx, (a, b): (u64, u64)) -> Result<u64> {
    ///     Ok(a + b)
    /// }
    ///
    /// let builder = Worker::builder("mem://here").task("add", add);
    /// # let _ = builder;
    /// ```
    pub fn task<F, T, R, E, Fut>(self, name: impl Into<String>, function: F) -> Self
    where
        F: Fn(TaskCtx, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
        T: DeserializeOwned + Send + 'static,
        R: Serialize + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        self.handler(name.into(), Arc::new(Typed::new(function)))
    }

    /// A command runs the tasks of this type, each as a child process.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if the command is empty or its quotes do not match.
    ///
    /// ```
    /// use moorline::{ProcessGroups, Worker};
    ///
    /// let groups = ProcessGroups::new();
    /// let builder = Worker::builder("mem://here").command("count", "wc -c", &groups)?;
    /// # let _ = builder;
    /// # Ok::<(), moorline::Error>(())
    /// ```
    #[cfg(all(feature = "process", unix))]
    pub fn command(
        mut self,
        name: impl Into<String>,
        command: &str,
        groups: &crate::process::ProcessGroups,
    ) -> Result<Self> {
        let exits = self.child_exits.get_or_insert_default().clone();
        let handler = crate::process::CommandHandler::new(command, groups.clone(), exits)?;
        Ok(self.handler(name.into(), Arc::new(handler)))
    }

    pub(crate) fn handler(mut self, name: String, handler: Arc<dyn Handler>) -> Self {
        if self.handlers.insert(name.clone(), handler).is_some() {
            self.twice.get_or_insert(name);
        }
        self
    }

    /// Settings of the link for a common situation, to begin with. What is set by a name of its own,
    /// before or after, wins over it. Default: [`Preset::Production`].
    ///
    /// ```
    /// use moorline::{Preset, Worker};
    ///
    /// // The delays and limits of development, but it never gives up.
    /// let builder = Worker::builder("mem://here").preset(Preset::Development).max_reconnect_attempts(0);
    /// # let _ = builder;
    /// ```
    pub fn preset(mut self, preset: Preset) -> Self {
        self.link.preset = preset;
        self
    }

    /// A heartbeat every `interval` (10 ms to 1 day, default 5 s; the coordinator may assign another),
    /// and the connection is given up after `timeout` without any answer (at least the interval,
    /// default 15 s).
    ///
    /// ```
    /// use std::time::Duration;
    /// use moorline::Worker;
    ///
    /// let builder =
    ///     Worker::builder("mem://here").heartbeat(Duration::from_secs(2), Duration::from_secs(6));
    /// # let _ = builder;
    /// ```
    pub fn heartbeat(mut self, interval: Duration, timeout: Duration) -> Self {
        self.link.heartbeat = Some((interval, timeout));
        self
    }

    /// Gives the connection up after this many heartbeats in a row without an answer: at least 1.
    /// Default 3. The timeout of [`heartbeat`](Self::heartbeat) is stretched to as long as they take.
    ///
    /// ```
    /// let builder = moorline::Worker::builder("mem://here").heartbeat_misses(5);
    /// # let _ = builder;
    /// ```
    pub fn heartbeat_misses(mut self, misses: u8) -> Self {
        self.link.misses = Some(misses);
        self
    }

    /// How it comes back, as a whole: it replaces what a [`preset`](Self::preset) says about that, and
    /// what is set by a name of its own ([`auto_reconnect`](Self::auto_reconnect),
    /// [`max_reconnect_attempts`](Self::max_reconnect_attempts),
    /// [`reconnect_base_delay`](Self::reconnect_base_delay),
    /// [`reconnect_max_delay`](Self::reconnect_max_delay)) wins over it, whatever comes first.
    /// Default: for ever, see [`Reconnect`].
    ///
    /// ```
    /// use moorline::{Reconnect, Worker};
    ///
    /// let builder = Worker::builder("mem://here").reconnect(Reconnect::attempts(10));
    /// # let _ = builder;
    /// ```
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.link.reconnect = Some(reconnect);
        self
    }

    /// Whether it comes back at all. Default true. If not, the first loss or failed dial ends the
    /// worker, and what is said about attempts and delays has no effect.
    ///
    /// ```
    /// let builder = moorline::Worker::builder("mem://here").auto_reconnect(false);
    /// # let _ = builder;
    /// ```
    pub fn auto_reconnect(mut self, auto: bool) -> Self {
        self.link.auto = Some(auto);
        self
    }

    /// Gives up after exactly so many dials since the start, or since the last connection that was
    /// stable; 0 is never (P09). Default 0.
    ///
    /// ```
    /// let builder = moorline::Worker::builder("mem://here").max_reconnect_attempts(10);
    /// # let _ = builder;
    /// ```
    pub fn max_reconnect_attempts(mut self, attempts: u32) -> Self {
        self.link.max_attempts = Some(attempts);
        self
    }

    /// The delay of the first retry before jitter; the following ones grow from it: at least 1 ms.
    /// Default 1 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder =
    ///     moorline::Worker::builder("mem://here").reconnect_base_delay(Duration::from_secs(2));
    /// # let _ = builder;
    /// ```
    pub fn reconnect_base_delay(mut self, delay: Duration) -> Self {
        self.link.base_delay = Some(delay);
        self
    }

    /// The longest delay between two dials: at least the base delay, at most 7 days. Default 60 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder =
    ///     moorline::Worker::builder("mem://here").reconnect_max_delay(Duration::from_secs(30));
    /// # let _ = builder;
    /// ```
    pub fn reconnect_max_delay(mut self, delay: Duration) -> Self {
        self.link.max_delay = Some(delay);
        self
    }

    /// How long a dial may take with all its addresses: 1 ms to 1 day (P13). Default 10 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = moorline::Worker::builder("mem://here").connect_timeout(Duration::from_secs(3));
    /// # let _ = builder;
    /// ```
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.link.connect_timeout = Some(timeout);
        self
    }

    /// How long the coordinator may take to answer the registration: 1 ms to 1 day. Default 10 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = moorline::Worker::builder("mem://here").register_timeout(Duration::from_secs(5));
    /// # let _ = builder;
    /// ```
    pub fn register_timeout(mut self, timeout: Duration) -> Self {
        self.link.register_timeout = Some(timeout);
        self
    }

    /// How long the inventory after a registration may go without any progress: 1 ms to 1 day.
    /// Default 30 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = moorline::Worker::builder("mem://here").restore_timeout(Duration::from_secs(60));
    /// # let _ = builder;
    /// ```
    pub fn restore_timeout(mut self, timeout: Duration) -> Self {
        self.link.restore_timeout = Some(timeout);
        self
    }

    /// A link that was up for less than this share of the last 10 min is called degraded: 0 to 1. Default
    /// 0.7, by [`Preset::Edge`] 0.8. It is good again when a third of what is missing to 1 is made up: at
    /// 0.8 by default.
    ///
    /// ```
    /// let builder = moorline::Worker::builder("mem://here").min_stability(0.9);
    /// # let _ = builder;
    /// ```
    pub fn min_stability(mut self, share: f64) -> Self {
        self.link.min_stability = Some(share);
        self
    }

    /// A link whose heartbeats take longer than this to be answered, smoothed, is called degraded: 1 ms
    /// to 1 day. Default 1 s. It is good again at half of that.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = moorline::Worker::builder("mem://here").max_round_trip(Duration::from_millis(200));
    /// # let _ = builder;
    /// ```
    pub fn max_round_trip(mut self, round_trip: Duration) -> Self {
        self.link.max_round_trip = Some(round_trip);
        self
    }

    /// A function that is told of every change of the link: its state, the reason, dials and the wait
    /// for the next, missed heartbeats, draining. It may be given several times, for several functions.
    ///
    /// Each runs on a task of its own, so that it may block without harm to the link or to another
    /// function; while it is busy, changes are coalesced to the latest, which is never lost. If it
    /// panics, that is logged, and it is told of the next change. The end of the worker is told too:
    /// [`Worker::run`](super::Worker::run) waits up to 1 s for that.
    ///
    /// ```
    /// let builder = moorline::Worker::builder("mem://here")
    ///     .on_link_change(|link| println!("{}", link.why()));
    /// # let _ = builder;
    /// ```
    pub fn on_link_change(mut self, listener: impl FnMut(LinkStatus) + Send + 'static) -> Self {
        self.listeners.add(listener);
        self
    }

    /// Where handlers run, and what its loop waits by. Default: the tokio runtime in which it is built.
    ///
    /// ```
    /// use moorline::{Runtime, Worker};
    ///
    /// // With the feature `smol`: `Runtime::Smol`, and no tokio anywhere.
    /// let builder = Worker::builder("mem://here").runtime(Runtime::Tokio);
    /// # let _ = builder;
    /// ```
    pub fn runtime(self, runtime: Runtime) -> Self {
        Self { runtime, ..self }
    }

    /// How long an attempt may run when its task does not say; the shorter of both counts. Default:
    /// no limit.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = moorline::Worker::builder("mem://here").task_timeout(Duration::from_secs(3_600));
    /// # let _ = builder;
    /// ```
    pub fn task_timeout(self, timeout: Duration) -> Self {
        Self { task_timeout: Some(timeout), ..self }
    }

    /// How long a drain may take. Default 30 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = moorline::Worker::builder("mem://here").drain_timeout(Duration::from_secs(120));
    /// # let _ = builder;
    /// ```
    pub fn drain_timeout(self, timeout: Duration) -> Self {
        Self { drain_timeout: timeout, ..self }
    }

    /// Serves health, metrics and status here, such as `127.0.0.1:8742`, while the worker runs; port 0
    /// takes any free one. It has a thread of its own: a runtime that is blocked is told of, not hidden.
    /// Default: not at all.
    ///
    /// `/livez` is 503 when the loop that keeps the connection alive is stuck, and only then: a
    /// coordinator that is away is no reason to be restarted. `/readyz` is 503 unless the link is active
    /// and was proven by a round trip lately. Also `/startupz`, `/metrics` (Prometheus), `/status` and
    /// `/status.json`; `?verbose` lists the checks. Nobody is asked for a password: what is told are
    /// states, names and numbers.
    ///
    /// ```no_run
    /// # async fn example() -> moorline::Result<()> {
    /// use moorline::Worker;
    ///
    /// Worker::builder("grpc://127.0.0.1:8740").health("127.0.0.1:8742").run().await
    /// # }
    /// ```
    #[cfg(feature = "health")]
    pub fn health(self, address: impl Into<String>) -> Self {
        Self { health: Some(address.into()), ..self }
    }

    /// An active link that was not proven by a round trip for this long is no longer ready (P31).
    /// Default 30 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = moorline::Worker::builder("mem://here").max_control_silence(Duration::from_secs(60));
    /// # let _ = builder;
    /// ```
    #[cfg(feature = "health")]
    pub fn max_control_silence(mut self, silence: Duration) -> Self {
        self.limits.control_silence = silence;
        self
    }

    #[cfg(all(test, feature = "health"))]
    pub(crate) fn health_limits(self, limits: crate::health::Limits) -> Self {
        Self { limits, ..self }
    }

    /// While an outage lasts, it is summed up in the log this often. Default 30 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = moorline::Worker::builder("mem://here").log_repeat_every(Duration::from_secs(300));
    /// # let _ = builder;
    /// ```
    pub fn log_repeat_every(self, every: Duration) -> Self {
        Self { log_repeat_every: every, ..self }
    }

    /// Where the worker keeps its identity, locked against other processes while it runs; and, with the
    /// feature `journal`, in `journal.db` the results that its coordinator has not answered yet: a process
    /// that ends while it is cut off leaves them to the next one, which delivers them.
    ///
    /// Default: none. Then a hash of the name is the identity, so that a restart under the same name
    /// takes over, and results are held in memory only, as they are without that feature.
    ///
    /// ```
    /// let builder = moorline::Worker::builder("mem://here").data_dir("/var/lib/moorline/gpu-1");
    /// # let _ = builder;
    /// ```
    pub fn data_dir(self, path: impl Into<PathBuf>) -> Self {
        Self { data_dir: Some(path.into()), ..self }
    }

    /// How large the journal in the [data directory](Self::data_dir) may become, in bytes; each result
    /// counts for 64 more than it has. At least 17 MiB, so that the largest result fits. Default 256 MiB.
    /// What finds no room is held in memory, and until it is answered or there is room no task starts in its
    /// slot. The file itself may be somewhat larger.
    ///
    /// ```
    /// let builder = moorline::Worker::builder("mem://here").data_dir("/var/lib/gpu-1").journal_max(1 << 30);
    /// # let _ = builder;
    /// ```
    #[cfg(feature = "journal")]
    pub fn journal_max(self, bytes: u64) -> Self {
        Self { journal_max: bytes, ..self }
    }

    /// One more way of moving packets, used before the built-in one of the same scheme.
    ///
    /// ```
    /// use moorline::Worker;
    /// use moorline_memory::MemoryTransport;
    ///
    /// let builder = Worker::builder("mem://here").transport(MemoryTransport::new());
    /// # let _ = builder;
    /// ```
    pub fn transport(self, transport: impl Transport) -> Self {
        Self { transports: self.transports.with(transport), ..self }
    }
}

#[cfg(test)]
mod tests;
