//! One UDP flow: the datagrams of one address, with a socket of their own towards the target.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use crate::datagrams::Datagrams;
use crate::faults::Way;
use crate::route::{Ending, Id};
use crate::shared::{Fate, Shared};

/// The longest datagram there is, and one more byte.
pub(crate) const DATAGRAM: usize = 1 << 16;
/// A flow without datagrams for so long is forgotten.
const IDLE: Duration = Duration::from_secs(120);

/// Where a flow's datagrams come from and go back to.
pub(crate) struct Origin {
    pub(crate) id: Id,
    pub(crate) peer: SocketAddr,
    pub(crate) socket: Arc<UdpSocket>,
    pub(crate) datagrams: mpsc::Receiver<Vec<u8>>,
}

/// Carries datagrams until the flow is idle, or the route ends it.
pub(crate) async fn carry(shared: Arc<Shared>, origin: Origin) {
    let id = origin.id;
    let fate = begin(&shared, origin).await;
    shared.leave(id, fate);
}

async fn begin(shared: &Shared, origin: Origin) -> Fate {
    let mut changes = shared.changes();
    let mut opens = std::pin::pin!(open(&shared.target));
    let opened = loop {
        if let Some(fate) = ending(shared, origin.id) {
            return fate;
        }
        tokio::select! {
            opened = &mut opens => break opened,
            _ = changes.changed() => {}
        }
    };
    match opened {
        Ok(target) => run(shared, origin, &target).await,
        Err(_) => {
            shared.route(|route| route.miss_target());
            Fate::Unreachable
        }
    }
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

async fn run(shared: &Shared, mut origin: Origin, target: &UdpSocket) -> Fate {
    let mut changes = shared.changes();
    let mut lanes = [Datagrams::default(), Datagrams::default()];
    let mut buffer = vec![0; DATAGRAM];
    let mut seen = shared.now();
    let (id, peer) = (origin.id, origin.peer);
    loop {
        if let Some(fate) = ending(shared, id) {
            return fate;
        }
        let now = shared.now();
        let mut wake = seen + IDLE;
        for way in Way::ALL {
            let lane = &mut lanes[way.index()];
            shared.route(|route| route.pass(id, way, |pass| lane.keep_up(now, pass)));
            while let Some(bytes) = lane.pop(now) {
                // A datagram that does not leave is one that is lost: as ever with datagrams.
                let sent = match way {
                    Way::ToTarget => target.send(&bytes).await,
                    Way::Back => origin.socket.send_to(&bytes, peer).await,
                };
                let len = sent.unwrap_or(0) as u64;
                shared.route(|route| route.pass(id, way, |pass| pass.counts.bytes += len));
            }
            wake = lane.next_wake().map_or(wake, |at| at.min(wake));
        }
        if now >= seen + IDLE {
            return Fate::Idle;
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = shared.sleep_until(Some(wake)) => {}
            Some(bytes) = origin.datagrams.recv() => {
                seen = shared.now();
                let lane = &mut lanes[Way::ToTarget.index()];
                let take = |route: &mut crate::route::Route| {
                    route.pass(id, Way::ToTarget, |pass| lane.take(seen, &bytes, pass));
                };
                shared.route(take);
            }
            received = target.recv(&mut buffer) => {
                // An error tells of an earlier datagram that nobody took: the source would not hear of it.
                if let Ok(len) = received {
                    seen = shared.now();
                    let lane = &mut lanes[Way::Back.index()];
                    let take = |route: &mut crate::route::Route| {
                        route.pass(id, Way::Back, |pass| lane.take(seen, &buffer[..len], pass));
                    };
                    shared.route(take);
                }
            }
        }
    }
}
