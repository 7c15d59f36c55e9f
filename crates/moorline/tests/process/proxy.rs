//! A fault proxy between a worker and its coordinator, for tests without a runtime: for TCP, or for UDP where
//! that is what they talk over.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;

use moorline_chaos::{Change, Patch, Ways};
use tokio::runtime::Runtime;

use crate::wire;

/// Passes connections on, until something is done to them.
pub(crate) struct Proxy {
    // Dropped first: its tasks are the runtime's.
    proxy: moorline_chaos::Proxy,
    runtime: Runtime,
}

impl Proxy {
    /// Listens, and passes on to `target`.
    pub(crate) fn start(target: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (proxy, at) =
            (moorline_chaos::Proxy::to(target.to_string()), (Ipv4Addr::LOCALHOST, 0).into());
        let proxy = if wire::is_udp() { proxy.udp(at) } else { proxy.tcp(at) };
        let proxy = runtime.block_on(proxy.start()).unwrap();
        Self { proxy, runtime }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.proxy.tcp().or(self.proxy.udp()).unwrap()
    }

    /// From now on so many bytes pass in a second, in each direction.
    pub(crate) fn throttle(&self, bytes_per_second: u64) {
        let bandwidth = Some(NonZeroU64::new(bytes_per_second));
        let patch = Patch { bandwidth, ..Patch::default() };
        self.apply(Change::Set { ways: Ways::Both, patch });
    }

    /// Nothing passes any more, in no direction, and nobody is told.
    pub(crate) fn half_open(&self) {
        self.apply(Change::Silence(Ways::Both));
    }

    /// New connections pass again; those of before stay silent. Datagrams all pass: a new connection is not
    /// told from an old one.
    pub(crate) fn heal(&self) {
        self.apply(Change::Heal);
    }

    fn apply(&self, change: Change) {
        self.runtime.block_on(self.proxy.apply(change)).unwrap();
    }
}
