//! One UDP flow: the datagrams of one address, with a socket of their own towards the target.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::Notify;

use crate::datagrams::Datagrams;
use crate::faults::Way;
use crate::route::{Ending, Id};
use crate::shared::{Fate, Shared};

/// The longest datagram there is, and one more byte.
pub(crate) const DATAGRAM: usize = 1 << 16;
/// A flow is forgotten so long after the last datagram came or left, if none waits.
const IDLE: Duration = Duration::from_secs(120);

/// How long the target may take to be looked up.
const LOOKUP: Duration = Duration::from_secs(10);

/// Where a flow's datagrams come from and go back to.
pub(crate) struct Origin {
    pub(crate) id: Id,
    pub(crate) peer: SocketAddr,
    pub(crate) socket: Arc<UdpSocket>,
    pub(crate) inlet: Arc<Inlet>,
}

/// The way to the target of a flow: whoever receives its datagrams fills it, and the task of the flow empties
/// it. So what waits has its bound also while the task is held up, as when the target is looked up.
#[derive(Debug)]
pub(crate) struct Inlet {
    /// `None` if the flow has ended.
    lane: Mutex<Option<Datagrams>>,
    filled: Notify,
}

impl Inlet {
    pub(crate) fn new() -> Self {
        Self { lane: Mutex::new(Some(Datagrams::default())), filled: Notify::new() }
    }

    /// Takes a datagram; not if the flow has ended.
    pub(crate) fn take(&self, shared: &Shared, id: Id, bytes: &[u8]) -> bool {
        let now = shared.now();
        let took = self.look(|lane| {
            let lane = lane.as_mut()?;
            shared.route(|route| route.pass(id, Way::ToTarget, |pass| lane.take(now, bytes, pass)))
        });
        self.filled.notify_one();
        took.is_some()
    }

    /// A datagram to be sent now.
    fn next(&self, shared: &Shared, id: Id, now: Duration) -> Option<Vec<u8>> {
        self.look(|lane| next(lane.as_mut()?, shared, id, Way::ToTarget, now))
    }

    fn next_wake(&self) -> Option<Duration> {
        self.look(|lane| lane.as_ref()?.next_wake())
    }

    /// Takes nothing any more, if nothing waits; whether that is so.
    fn close_if_empty(&self) -> bool {
        self.look(|lane| {
            lane.take_if(|lane| lane.next_wake().is_none());
            lane.is_none()
        })
    }

    fn close(&self) {
        self.look(|lane| *lane = None);
    }

    fn look<T>(&self, look: impl FnOnce(&mut Option<Datagrams>) -> T) -> T {
        // Nobody panics in there; and if, a lane is still a lane.
        look(&mut self.lane.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Carries datagrams until the flow is idle, or the route ends it.
pub(crate) async fn carry(shared: Arc<Shared>, origin: Origin) {
    let fate = begin(&shared, &origin, open(&shared.target)).await;
    origin.inlet.close();
    shared.leave(origin.id, fate);
}

async fn begin(
    shared: &Shared,
    origin: &Origin,
    opens: impl Future<Output = io::Result<UdpSocket>>,
) -> Fate {
    let mut changes = shared.changes();
    let mut opens = std::pin::pin!(tokio::time::timeout(LOOKUP, opens));
    let opened = loop {
        if let Some(fate) = ending(shared, origin.id) {
            return fate;
        }
        tokio::select! {
            opened = &mut opens => break opened,
            _ = changes.changed() => {}
        }
    };
    let Ok(Ok(target)) = opened else {
        shared.route(|route| route.miss_target());
        return Fate::Unreachable;
    };
    run(shared, origin, &target).await
}

/// Whether the route ends it.
fn ending(shared: &Shared, id: Id) -> Option<Fate> {
    Some(match shared.route(|route| route.ending(id))? {
        Ending::Close => Fate::Cut,
        Ending::Reset => Fate::Reset,
    })
}

async fn open(target: &str) -> io::Result<UdpSocket> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in tokio::net::lookup_host(target).await? {
        let from: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(from).await?;
        match socket.connect(address).await {
            Ok(()) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn run(shared: &Shared, origin: &Origin, target: &UdpSocket) -> Fate {
    let mut changes = shared.changes();
    let mut back = Datagrams::default();
    let mut buffer = vec![0; DATAGRAM];
    // When the last datagram came or left.
    let mut seen = shared.now();
    let Origin { id, peer, ref socket, ref inlet } = *origin;
    // A datagram that does not leave is one that is lost: as ever with datagrams.
    let count = |way, sent: io::Result<usize>| {
        let len = sent.unwrap_or(0) as u64;
        shared.route(|route| route.pass(id, way, |pass| pass.counts.bytes += len));
    };
    loop {
        if let Some(fate) = ending(shared, id) {
            return fate;
        }
        let now = shared.now();
        while let Some(bytes) = inlet.next(shared, id, now) {
            count(Way::ToTarget, target.send(&bytes).await);
            seen = now;
        }
        while let Some(bytes) = next(&mut back, shared, id, Way::Back, now) {
            count(Way::Back, socket.send_to(&bytes, peer).await);
            seen = now;
        }
        let waits = inlet.next_wake().into_iter().chain(back.next_wake()).min();
        // What waits is still to leave, however late.
        let wake = waits.unwrap_or(seen + IDLE);
        if waits.is_none() && wake <= now && inlet.close_if_empty() {
            return Fate::Idle;
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = shared.sleep_until(Some(wake)) => {}
            () = inlet.filled.notified() => seen = shared.now(),
            received = target.recv(&mut buffer) => {
                // An error tells of an earlier datagram that nobody took: the source would not hear of it.
                if let Ok(len) = received {
                    seen = shared.now();
                    let take = |route: &mut crate::route::Route| {
                        route.pass(id, Way::Back, |pass| back.take(seen, &buffer[..len], pass));
                    };
                    shared.route(take);
                }
            }
        }
    }
}

/// A datagram to be sent now.
fn next(lane: &mut Datagrams, shared: &Shared, id: Id, way: Way, now: Duration) -> Option<Vec<u8>> {
    shared.route(|route| route.pass(id, way, |pass| lane.keep_up(now, pass)));
    lane.pop(now)
}

#[cfg(test)]
mod tests;
