//! What a coordinator is made of.

use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU8, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use moorline_driver::{
    CoordinatorOptions, ReadError, StartError, Transports, start_coordinator_thread,
};
use moorline_link::{HubConfig, HubConfigError, HubSettings, RegistrationRate};
use moorline_store::Retention;
use moorline_transport::Transport;
use moorline_work::{DispatcherConfig, DispatcherSettings};

use super::store_at::StoreAt;
use super::{Coordinator, ReloadHook, admin};
use crate::auth::AskApplicants;
use crate::health::{self, Bound, CoordinatorSubject, Health, Limits};
use crate::reach::Reach;
use crate::worker::Host;
use crate::{Code, Error, Result, Runtime};

mod reach;

/// How long a coordinator that was told to stop takes at most to send its workers away.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Six of the shortest heartbeat intervals.
const LOST_AFTER_MIN: Duration = Duration::from_millis(60);

/// Builds a [`Coordinator`].
///
/// ```
/// use std::time::Duration;
/// use moorline::{Coordinator, StoreAt};
///
/// let builder = Coordinator::builder()
///     .store(StoreAt::Sqlite("moorline.db".into()))
///     .listen("grpc://127.0.0.1:8740")
///     .admin("127.0.0.1:8741")
///     .lost_after(Duration::from_secs(120));
/// # let _ = builder;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct CoordinatorBuilder {
    store: StoreAt,
    listen: Vec<String>,
    advertise: Vec<String>,
    admin: Option<String>,
    suspect_after: Option<Duration>,
    disconnect_after: Option<Duration>,
    lost_after: Duration,
    start_grace: Duration,
    accept_timeout: Duration,
    drain_timeout: Duration,
    retention: Retention,
    registration_rate: RegistrationRate,
    max_handshakes: NonZeroU32,
    flap_losses: NonZeroU8,
    flap_window: Duration,
    transports: Transports,
    reach: Reach,
    log_repeat_every: Duration,
    health: Option<String>,
    limits: Limits,
    metrics_per_worker: bool,
    reload: Option<ReloadHook>,
    authenticator: Option<AskApplicants>,
    wants_certificates: bool,
}

mod auth;

impl CoordinatorBuilder {
    pub(crate) fn new() -> Self {
        let (dispatcher, hub) = (DispatcherSettings::default(), HubSettings::default());
        Self {
            store: StoreAt::Memory,
            listen: Vec::new(),
            advertise: Vec::new(),
            admin: None,
            suspect_after: None,
            disconnect_after: None,
            lost_after: dispatcher.lost_after,
            start_grace: dispatcher.start_grace,
            accept_timeout: dispatcher.accept_timeout,
            drain_timeout: DRAIN_TIMEOUT,
            retention: Retention::default(),
            registration_rate: RegistrationRate::default(),
            max_handshakes: hub.max_handshakes,
            flap_losses: hub.flap_losses,
            flap_window: hub.flap_window,
            transports: Transports::new(),
            reach: Reach::default(),
            log_repeat_every: Duration::from_secs(30),
            health: None,
            limits: Limits::default(),
            metrics_per_worker: false,
            reload: None,
            authenticator: None,
            wants_certificates: false,
        }
    }

    /// Where tasks are kept. Default: in memory.
    ///
    /// ```
    /// use moorline::StoreAt;
    ///
    /// let builder = moorline::Coordinator::builder().store(StoreAt::Memory);
    /// # let _ = builder;
    /// ```
    pub fn store(self, store: StoreAt) -> Self {
        Self { store, ..self }
    }

    /// Listens for workers here, such as `grpc://127.0.0.1:8740`; port 0 takes any free one. May be
    /// given several times, with several schemes.
    ///
    /// `grpc://` and `ws://` have no TLS, and are for this machine only unless
    /// [`insecure`](Self::insecure) says otherwise; `grpcs://`, `quic://` and `wss://` want a certificate
    /// ([`tls`](Self::tls)). An address without a scheme means gRPC: with TLS if there is a certificate. Its
    /// port is 8740 if it has none.
    ///
    /// ```
    /// let builder = moorline::Coordinator::builder().listen("grpc://127.0.0.1:0");
    /// # let _ = builder;
    /// ```
    pub fn listen(mut self, url: impl Into<String>) -> Self {
        self.listen.push(url.into());
        self
    }

    /// Serves the admin API here, such as `127.0.0.1:8741`. Only loopback addresses. Default: not at all.
    ///
    /// ```
    /// let builder = moorline::Coordinator::builder().admin("127.0.0.1:8741");
    /// # let _ = builder;
    /// ```
    pub fn admin(self, address: impl Into<String>) -> Self {
        Self { admin: Some(address.into()), ..self }
    }

    /// A worker not heard for this long loses its leases, and its tasks are queued again: at least
    /// 60 ms. It should be longer than the workers' longest reconnect delay and 20 s, else outages
    /// make work be done twice (P63). Default 90 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = moorline::Coordinator::builder().lost_after(Duration::from_secs(120));
    /// # let _ = builder;
    /// ```
    pub fn lost_after(self, lost_after: Duration) -> Self {
        Self { lost_after, ..self }
    }

    /// A worker not heard for this long is suspect, and more than two of its heartbeat intervals.
    /// Default: a ninth of `lost_after`, at most 10 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = moorline::Coordinator::builder().suspect_after(Duration::from_secs(8));
    /// # let _ = builder;
    /// ```
    pub fn suspect_after(self, suspect_after: Duration) -> Self {
        Self { suspect_after: Some(suspect_after), ..self }
    }

    /// A worker not heard for this long is disconnected, its leases untouched; never less than three
    /// of its heartbeat intervals, and more than `suspect_after`. Default: a sixth of `lost_after`,
    /// at most 15 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = moorline::Coordinator::builder().disconnect_after(Duration::from_secs(12));
    /// # let _ = builder;
    /// ```
    pub fn disconnect_after(self, disconnect_after: Duration) -> Self {
        Self { disconnect_after: Some(disconnect_after), ..self }
    }

    /// Leases of an earlier life are kept at least this long after the start (P59). Default 120 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = moorline::Coordinator::builder().start_grace(Duration::from_secs(300));
    /// # let _ = builder;
    /// ```
    pub fn start_grace(self, start_grace: Duration) -> Self {
        Self { start_grace, ..self }
    }

    /// A worker has this long to accept a task that was handed to it (P55). Default 10 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = moorline::Coordinator::builder().accept_timeout(Duration::from_secs(5));
    /// # let _ = builder;
    /// ```
    pub fn accept_timeout(self, accept_timeout: Duration) -> Self {
        Self { accept_timeout, ..self }
    }

    /// [`Coordinator::drain`] sends all workers away within this time, one after the other, and stops;
    /// zero stops at once. It takes no longer than as many workers need to register elsewhere: a few are
    /// gone at once. Default 30 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = moorline::Coordinator::builder().drain_timeout(Duration::from_secs(60));
    /// # let _ = builder;
    /// ```
    pub fn drain_timeout(self, drain_timeout: Duration) -> Self {
        Self { drain_timeout, ..self }
    }

    /// Finished tasks are kept this long, and at most so many. Default 7 days and 1,000,000.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = moorline::Coordinator::builder().keep_finished(Duration::from_secs(86_400), 10_000);
    /// # let _ = builder;
    /// ```
    pub fn keep_finished(self, age: Duration, count: u64) -> Self {
        Self { retention: Retention { age_millis: millis(age), count, ..self.retention }, ..self }
    }

    /// Events of tasks and workers are kept this long, and at most so many; the last one always, and in
    /// memory at most 65,536. Default 7 days and 1,000,000.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = moorline::Coordinator::builder().keep_events(Duration::from_secs(86_400), 10_000);
    /// # let _ = builder;
    /// ```
    pub fn keep_events(self, age: Duration, count: u64) -> Self {
        let (event_age_millis, event_count) = (millis(age), count);
        Self { retention: Retention { event_age_millis, event_count, ..self.retention }, ..self }
    }

    /// A worker that was lost or left is remembered this long, and as long as it has a lease. Default
    /// 24 hours.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = moorline::Coordinator::builder().forget_after(Duration::from_secs(3_600));
    /// # let _ = builder;
    /// ```
    pub fn forget_after(self, after: Duration) -> Self {
        Self { retention: Retention { forget_millis: millis(after), ..self.retention }, ..self }
    }

    /// How long things are kept.
    #[cfg(feature = "cli")]
    pub(crate) fn retention(&self) -> Retention {
        self.retention
    }

    /// So many registrations a second are taken when a fleet comes back; who comes too early gets a
    /// slot later (P90). Default: half of what was measured, 200 to 5,000.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    ///
    /// let rate = NonZeroU32::new(500).unwrap();
    /// let builder = moorline::Coordinator::builder().registration_rate(rate);
    /// # let _ = builder;
    /// ```
    pub fn registration_rate(self, per_second: NonZeroU32) -> Self {
        Self { registration_rate: RegistrationRate::Fixed(per_second), ..self }
    }

    /// So many workers may be welcomed and not active yet at a time, before others are given a later
    /// slot; more if more than twice as many register in a second. Default 64.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    ///
    /// let few = NonZeroU32::new(16).unwrap();
    /// let builder = moorline::Coordinator::builder().max_handshakes(few);
    /// # let _ = builder;
    /// ```
    pub fn max_handshakes(self, at_a_time: NonZeroU32) -> Self {
        Self { max_handshakes: at_a_time, ..self }
    }

    /// A worker that loses so many connections within this time is called flapping, until it has lost
    /// none for half of it; more than 16 count as 16. Above zero. Default 5 in 10 min.
    ///
    /// ```
    /// use std::num::NonZeroU8;
    /// use std::time::Duration;
    ///
    /// let three = NonZeroU8::new(3).unwrap();
    /// let builder = moorline::Coordinator::builder().flapping(three, Duration::from_secs(300));
    /// # let _ = builder;
    /// ```
    pub fn flapping(self, losses: NonZeroU8, within: Duration) -> Self {
        Self { flap_losses: losses, flap_window: within, ..self }
    }

    /// Serves health, metrics and status here, such as `127.0.0.1:8742`, on a thread of its own: a
    /// runtime that is blocked is told of, not hidden. Port 0 takes any free one. Default: only the admin
    /// API answers these paths, on the runtime the coordinator lives on.
    ///
    /// `/livez` is 503 when the coordinator's loop is stuck; `/readyz` until what earlier lives left is
    /// read, while the store takes no writes, and from a stop on. Also `/startupz`, `/metrics`
    /// (Prometheus), `/status` and `/status.json`; `?verbose` lists the checks. Nobody is asked for a
    /// password: what is told are states, names and numbers.
    ///
    /// ```
    /// let builder = moorline::Coordinator::builder().health("127.0.0.1:8742");
    /// # let _ = builder;
    /// ```
    pub fn health(self, address: impl Into<String>) -> Self {
        Self { health: Some(address.into()), ..self }
    }

    /// Also metrics with the name of each worker. Default: none, since with many workers that costs
    /// whoever stores them.
    ///
    /// ```
    /// let builder = moorline::Coordinator::builder().metrics_per_worker(true);
    /// # let _ = builder;
    /// ```
    pub fn metrics_per_worker(self, per_worker: bool) -> Self {
        Self { metrics_per_worker: per_worker, ..self }
    }

    #[cfg(test)]
    pub(crate) fn health_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// While the store fails, that is summed up in the log this often. Default 30 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = moorline::Coordinator::builder().log_repeat_every(Duration::from_secs(300));
    /// # let _ = builder;
    /// ```
    pub fn log_repeat_every(self, every: Duration) -> Self {
        Self { log_repeat_every: every, ..self }
    }

    /// One more way of moving packets, used before the built-in one of the same scheme.
    ///
    /// ```
    /// use moorline::Coordinator;
    /// use moorline_memory::MemoryTransport;
    ///
    /// let builder = Coordinator::builder().transport(MemoryTransport::new()).listen("mem://here");
    /// # let _ = builder;
    /// ```
    pub fn transport(self, transport: impl Transport) -> Self {
        Self { transports: self.transports.with(transport), ..self }
    }

    /// What the admin API does when it is asked to reload the configuration. Default: it refuses.
    #[cfg(feature = "cli")]
    pub(crate) fn on_reload(self, reload: ReloadHook) -> Self {
        Self { reload: Some(reload), ..self }
    }

    /// Opens the store, listens, and returns as soon as workers and clients can come.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Endpoint`] for values that make no sense, `Error::Tls` for keys and
    /// certificates, `Error::QuicKey`, [`Error::Store`], [`Error::Listen`], [`Error::AdminListen`], [`Error::HealthListen`].
    ///
    /// ```
    /// # async fn example() -> moorline::Result<()> {
    /// let coordinator = moorline::Coordinator::builder().listen("grpc://127.0.0.1:0").start().await?;
    /// println!("workers come to {}", coordinator.endpoints()[0]);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start(self) -> Result<Coordinator> {
        let admin = self.admin.as_deref().map(loopback_address).transpose()?;
        // First the address: a second coordinator is to fail before it touches the store.
        let admin = match admin {
            Some(address) => Some(admin::bind(address).await?),
            None => None,
        };
        let health = match self.health.as_deref() {
            Some(address) => Some(Bound::to(health::address(address)?)?),
            None => None,
        };
        let transports = self.reach.listening(self.transports.clone(), None)?;
        let mut options = self.options(&transports)?;
        let places = Arc::new(self.places(transports.clone()));
        let advertised = self.advertised(&places)?;
        let runtime = Host::of(Runtime::Tokio)?;
        options.authenticator = self.authenticator.as_ref().map(|ask| ask.on(&runtime));
        let store_at = self.store.clone();
        let has_quic = options.listen.iter().any(|endpoint| endpoint.scheme() == "quic");
        // The key behind the store: its lock is held then, so nobody else makes one.
        let opening = move || {
            let store = store_at.open()?;
            Ok::<_, Error>((store, if has_quic { store_at.quic_key()? } else { None }))
        };
        let (store, key) = tokio::task::spawn_blocking(opening)
            .await
            .map_err(|error| Error::Start(std::io::Error::other(error)))??;
        let transports = match key {
            Some(_) => self.reach.listening(self.transports.clone(), key)?,
            None => transports,
        };
        let driver = start_coordinator_thread(transports, store, options).await?;
        driver.summarise_every(self.log_repeat_every);
        driver.advertise(&advertised).map_err(|_| Error::Stopped)?;
        let subject = CoordinatorSubject::new(driver.clone(), self.metrics_per_worker, self.limits);
        let health = match health {
            Some(bound) => Some(Health::serve(bound, Arc::new(subject.clone()))?),
            None => None,
        };
        let reload = self.reload;
        let served = (driver.clone(), subject.clone(), Arc::clone(&places));
        let admin = admin.map(|listener| admin::serve(listener, served, reload));
        let drain_timeout = self.drain_timeout;
        Ok(Coordinator { driver, admin, health, subject, drain_timeout, places })
    }

    /// [`start`](Self::start), and runs until it ends by itself; dropping the future leaves it running.
    ///
    /// # Errors
    /// Those of [`start`](Self::start), and why it ended.
    ///
    /// ```
    /// # async fn example() -> moorline::Result<()> {
    /// moorline::Coordinator::builder().listen("grpc://127.0.0.1:8740").serve().await
    /// # }
    /// ```
    pub async fn serve(self) -> Result<()> {
        let coordinator = self.start().await?;
        coordinator.stopped().await;
        Err(coordinator.failure().unwrap_or(Error::Stopped))
    }

    /// What connections and sessions are told.
    pub(crate) fn hub_config(&self) -> Result<HubConfig> {
        if self.lost_after < LOST_AFTER_MIN {
            let problem = format!("{:?} is less than {LOST_AFTER_MIN:?}", self.lost_after);
            return Err(Error::refused_setting(Code::LOST_AFTER_TOO_SHORT, "lost-after", problem));
        }
        let scaled = HubSettings::for_lost_after(self.lost_after);
        let settings = HubSettings {
            suspect_after: self.suspect_after.unwrap_or(scaled.suspect_after),
            disconnect_after: self.disconnect_after.unwrap_or(scaled.disconnect_after),
            registration_rate: self.registration_rate,
            max_handshakes: self.max_handshakes,
            flap_losses: self.flap_losses,
            flap_window: self.flap_window,
            forget_after: Duration::from_millis(self.retention.forget_millis),
            ..scaled
        };
        HubConfig::new(settings).map_err(|error| {
            let zero = if let HubConfigError::Zero { setting } = error { setting } else { "" };
            let about = match zero {
                "flap_window" => "flapping",
                "forget_after" => "forget-after",
                _ => "lost-after",
            };
            Error::refused_setting(Code::from(&error), about, error)
        })
    }

    fn dispatcher_config(&self, hub: &HubConfig) -> Result<DispatcherConfig> {
        let defaults = DispatcherSettings::default();
        // Whoever is silent is disconnected for that, not for what it owes.
        let silent_after = hub.disconnect_after(hub.settings().beat_max);
        let dispatcher = DispatcherSettings {
            lost_after: self.lost_after,
            start_grace: self.start_grace,
            accept_timeout: self.accept_timeout,
            answer_timeout: defaults.answer_timeout.max(2 * silent_after),
            ..defaults
        };
        DispatcherConfig::new(dispatcher).map_err(|error| Error::setting("coordinator", error))
    }

    /// Everything [`start`](Self::start) would refuse for its value, not only the first.
    #[cfg(feature = "cli")]
    pub(crate) fn problems(&self) -> Vec<Error> {
        let admin = self.admin.as_deref().and_then(|address| loopback_address(address).err());
        let listening = self.reach.listening(self.transports.clone(), None);
        let (transports, unusable) = self.reach.problems(listening);
        let listen =
            self.listen.iter().filter_map(|url| match self.reach.listener(&transports, url) {
                Ok(endpoint) => self.reach.without_certificate(&endpoint),
                Err(error) => Some(error),
            });
        let health = self.health.as_deref().and_then(|text| health::address(text).err());
        // What is wrong with the rest does not depend on what is wrong there.
        let hub = self.hub_config();
        let of_hub = *hub.as_ref().unwrap_or(&HubConfig::default());
        admin
            .into_iter()
            .chain(health)
            .chain(unusable)
            .chain(listen)
            .chain(hub.err())
            .chain(self.dispatcher_config(&of_hub).err())
            .chain(self.advertising().1.err())
            .collect()
    }

    /// What is no error, and is to be known.
    #[cfg(feature = "cli")]
    pub(crate) fn warning(&self) -> Option<Error> {
        self.reach.warning()
    }

    fn options(&self, transports: &Transports) -> Result<CoordinatorOptions> {
        let hub = self.hub_config()?;
        let dispatcher = self.dispatcher_config(&hub)?;
        let listen = self
            .listen
            .iter()
            .map(|url| self.reach.listener(transports, url))
            .collect::<Result<Vec<_>>>()?;
        let mut options = CoordinatorOptions::new();
        options.hub = hub;
        options.dispatcher = dispatcher;
        options.listen = listen;
        options.retention = self.retention;
        options.software = crate::software();
        options.wants_certificates = self.wants_certificates;
        Ok(options)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// An address that only this machine can reach. `localhost` is 127.0.0.1.
fn loopback_address(text: &str) -> Result<SocketAddr> {
    let setting = |problem: String| Error::setting("admin-listen", problem);
    let (host, port) = text
        .rsplit_once(':')
        .ok_or_else(|| setting(format!("`{text}` has no port; write it as 127.0.0.1:8741")))?;
    let port: u16 = port
        .parse()
        .map_err(|_| setting(format!("`{text}` has no valid port; write it as 127.0.0.1:8741")))?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let host = if host.eq_ignore_ascii_case("localhost") { "127.0.0.1" } else { host };
    let address: IpAddr = host
        .parse()
        .map_err(|_| setting(format!("`{text}` names no address; write it as 127.0.0.1:8741")))?;
    if !address.is_loopback() {
        return Err(setting(format!(
            "`{text}` is not a loopback address: the admin API asks nobody for a password yet"
        )));
    }
    Ok(SocketAddr::new(address, port))
}

impl From<StartError> for Error {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Listen(error) => Self::Listen(error),
            StartError::Store(error) => Self::Store(error),
            StartError::Thread(error) => Self::Start(error),
            other => Self::Start(std::io::Error::other(other)),
        }
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => Self::Store(error),
            ReadError::Stopped(_) => Self::Stopped,
            // Who asks for one task that may be missing looks at the error before this.
            ReadError::Busy | ReadError::NoSuchTask | _ => Self::Refused {
                status: 503,
                code: Code::BUSY,
                detail: error.to_string(),
                hint: None,
            },
        }
    }
}

#[cfg(test)]
mod tests;
