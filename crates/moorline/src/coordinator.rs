//! The coordinator: takes tasks, leases them to workers, applies each result once.

mod admin;
mod builder;
mod places;
#[cfg(feature = "quic")]
mod quic_key;
mod store_at;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use moorline_driver::{CoordinatorHandle, Drain, StoreState};
use moorline_transport::Endpoint;
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[cfg(feature = "cli")]
pub use admin::fuzzing::admin_of_nobody;
/// For what else is steered over HTTP on this machine.
#[cfg(feature = "chaos")]
pub(crate) use admin::{Refusal, guard};
pub use builder::CoordinatorBuilder;
pub(crate) use places::Places;
pub use store_at::StoreAt;

use crate::api::ReloadReport;
use crate::health::{CoordinatorSubject, Health};
use crate::{Error, Result};

/// How long the admin API may take to answer what it has begun when the coordinator stops.
const ADMIN_FAREWELL: Duration = Duration::from_secs(2);

/// Reads the configuration again, for the admin API.
#[cfg_attr(not(feature = "cli"), allow(dead_code))]
#[derive(Clone)]
pub(crate) struct ReloadHook(pub(crate) Arc<dyn Fn() -> Result<ReloadReport> + Send + Sync>);

impl std::fmt::Debug for ReloadHook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReloadHook")
    }
}

/// A running coordinator.
///
/// Dropping it leaves it running; [`stop`](Self::stop) ends it.
///
/// ```
/// # #[cfg(feature = "grpc")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> moorline::Result<()> {
/// use moorline::{Coordinator, StoreAt};
///
/// let coordinator = Coordinator::builder()
///     .store(StoreAt::Memory)
///     .listen("grpc://127.0.0.1:0")
///     .admin("127.0.0.1:0")
///     .start()
///     .await?;
/// assert_ne!(coordinator.endpoints()[0].port(), 0);
/// coordinator.stop().await;
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "grpc"))]
/// # fn main() {}
/// ```
#[derive(Debug)]
pub struct Coordinator {
    driver: CoordinatorHandle,
    admin: Option<Admin>,
    health: Option<Health>,
    #[cfg_attr(
        not(feature = "cli"),
        expect(dead_code, reason = "the command tells systemd of it")
    )]
    subject: CoordinatorSubject,
    drain_timeout: Duration,
    places: Arc<Places>,
}

/// The served admin API.
#[derive(Debug)]
struct Admin {
    address: SocketAddr,
    end: watch::Sender<bool>,
    served: JoinHandle<()>,
}

impl Coordinator {
    /// A coordinator with an empty store in memory that listens nowhere yet.
    ///
    /// ```
    /// let builder = moorline::Coordinator::builder().listen("grpc://127.0.0.1:0");
    /// # let _ = builder;
    /// ```
    pub fn builder() -> CoordinatorBuilder {
        CoordinatorBuilder::new()
    }

    /// Where it listens for workers, with the real ports.
    ///
    /// ```
    /// # async fn example(coordinator: moorline::Coordinator) {
    /// for endpoint in coordinator.endpoints() {
    ///     println!("workers come to {endpoint}");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        self.driver.endpoints()
    }

    /// Tells its workers from now on that it is found at these URLs too, in place of those before: see
    /// [`CoordinatorBuilder::advertise`].
    ///
    /// ```
    /// # fn example(coordinator: &moorline::Coordinator) -> moorline::Result<()> {
    /// // Where it listens in truth is known only now: it was told to take any free port.
    /// let real: Vec<_> = coordinator.endpoints().iter().map(ToString::to_string).collect();
    /// coordinator.advertise(&real)
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] for those that no worker would go to and for more than 16, [`Error::Stopped`].
    pub fn advertise(&self, urls: &[impl AsRef<str>]) -> Result<()> {
        let endpoints = self.places.all_advertised(urls.iter().map(AsRef::as_ref))?;
        self.driver.advertise(&endpoints).map_err(|_| Error::Stopped)
    }

    /// The base URL of its admin API, such as `http://127.0.0.1:8741`, if it has one.
    ///
    /// ```
    /// # async fn example(coordinator: moorline::Coordinator) {
    /// println!("clients come to {}", coordinator.admin_url().unwrap_or_default());
    /// # }
    /// ```
    #[must_use]
    pub fn admin_url(&self) -> Option<String> {
        self.admin.as_ref().map(|admin| format!("http://{}", admin.address))
    }

    /// Where its health is served, if it is ([`CoordinatorBuilder::health`]): with the real port where
    /// port 0 was asked for.
    ///
    /// ```
    /// # fn example(coordinator: &moorline::Coordinator) {
    /// if let Some(address) = coordinator.health_address() {
    ///     println!("scrape http://{address}/metrics");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.health.as_ref().map(Health::address)
    }

    /// What watches this coordinator looks at.
    #[cfg(feature = "cli")]
    pub(crate) fn subject(&self) -> std::sync::Arc<dyn crate::health::Subject> {
        std::sync::Arc::new(self.subject.clone())
    }

    /// Which life of this store's coordinator it is.
    ///
    /// ```
    /// # async fn example(coordinator: moorline::Coordinator) {
    /// println!("life {}", coordinator.epoch());
    /// # }
    /// ```
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.driver.epoch().0
    }

    /// What it runs on.
    #[cfg(any(feature = "cli", test))]
    pub(crate) fn driver(&self) -> &CoordinatorHandle {
        &self.driver
    }

    /// Lets nobody in any more, sends its workers away one after the other, so that they do not come back
    /// all at once wherever they come back, and then [stops](Self::stop): within
    /// [`CoordinatorBuilder::drain_timeout`]. Their tasks go on meanwhile. Dropping the future does not
    /// end the drain.
    ///
    /// ```
    /// # async fn example(coordinator: moorline::Coordinator) {
    /// tokio::signal::ctrl_c().await.ok();
    /// coordinator.drain().await;
    /// # }
    /// ```
    pub async fn drain(self) {
        let within = self.drain_timeout;
        // One that has stopped has nobody to send away.
        if !within.is_zero() && self.driver.drain(Drain::within(within)).await.is_ok() {
            self.driver.stopped().await;
        }
        self.stop().await;
    }

    /// Tells workers that it stops, commits what it has accepted, closes the store and ends.
    ///
    /// ```
    /// # async fn example(coordinator: moorline::Coordinator) {
    /// coordinator.stop().await;
    /// # }
    /// ```
    pub async fn stop(self) {
        // Health says that it stops until it has.
        let Self { driver, admin, health: _health, subject: _, drain_timeout: _, places: _ } = self;
        driver.stop().await;
        if let Some(Admin { end, mut served, .. }) = admin {
            end.send_replace(true);
            // Waits of clients have ended with the driver; what is left is being written.
            if tokio::time::timeout(ADMIN_FAREWELL, &mut served).await.is_err() {
                served.abort();
            }
        }
    }

    /// It lets nobody in any more: an operator drains it, or it stops. Then it is not ready.
    ///
    /// ```
    /// # fn example(coordinator: &moorline::Coordinator) {
    /// let takes_workers = !coordinator.is_draining();
    /// # let _ = takes_workers;
    /// # }
    /// ```
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.driver.is_draining()
    }

    /// Resolves when it has ended by itself, which a drain or a broken store makes it do: see
    /// [`failure`](Self::failure).
    ///
    /// ```
    /// # async fn example(coordinator: moorline::Coordinator) {
    /// tokio::select! {
    ///     () = coordinator.stopped() => eprintln!("its store or its listener is broken"),
    ///     _ = tokio::signal::ctrl_c() => coordinator.stop().await,
    /// }
    /// # }
    /// ```
    pub async fn stopped(&self) {
        self.driver.stopped().await;
    }

    /// Why it has ended by itself, if its store is of no use any more: [`Error::Store`].
    ///
    /// ```
    /// # async fn example(coordinator: moorline::Coordinator) {
    /// coordinator.stopped().await;
    /// if let Some(failure) = coordinator.failure() {
    ///     eprintln!("{} {failure}", failure.code());
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        match self.driver.store_state() {
            StoreState::Broken(error) => Some(Error::Store(error)),
            StoreState::Works | StoreState::Stalled | StoreState::Fails(_) | _ => None,
        }
    }
}
