//! What a caller has of a proxy.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::faults::{Change, Faults, Way, Ways};
use crate::route::{Route, Snapshot};
use crate::serve::{Command, Door, Server};
use crate::shared::{Event, Shared};
use crate::timeline::Timeline;

/// Connections and flows at once, unless it is said otherwise.
const CONNECTIONS_MAX: usize = 1_024;

/// How a proxy is to be; made by [`Proxy::to`].
#[derive(Debug)]
pub struct Builder {
    target: String,
    seed: u64,
    faults: [Faults; 2],
    max: usize,
    tcp: Option<SocketAddr>,
    udp: Option<SocketAddr>,
    timeline: Timeline,
    events: Option<mpsc::Sender<Event>>,
}

impl Builder {
    /// What all decisions are drawn from; 0 unless it is said.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The faults of these ways from the beginning, and after each [`Change::Heal`]; none unless they are said.
    #[must_use]
    pub fn faults(mut self, ways: Ways, faults: Faults) -> Self {
        for way in Way::ALL.into_iter().filter(|way| ways.has(*way)) {
            self.faults[way.index()] = faults;
        }
        self
    }

    /// How many connections and flows may be open at once, both together; 1,024 unless it is said. More
    /// connections are reset as soon as they are there, datagrams of more addresses are dropped.
    #[must_use]
    pub fn max_connections(mut self, max: usize) -> Self {
        self.max = max;
        self
    }

    /// Takes TCP connections here. Port 0 is any free one: see [`Proxy::tcp`].
    #[must_use]
    pub fn tcp(mut self, address: SocketAddr) -> Self {
        self.tcp = Some(address);
        self
    }

    /// Takes UDP datagrams here. Port 0 is any free one: see [`Proxy::udp`].
    #[must_use]
    pub fn udp(mut self, address: SocketAddr) -> Self {
        self.udp = Some(address);
        self
    }

    /// Makes these changes by itself.
    #[must_use]
    pub fn timeline(mut self, timeline: Timeline) -> Self {
        self.timeline = timeline;
        self
    }

    /// Tells what happens. Nobody is waited for: what does not fit into the channel is dropped and counted.
    #[must_use]
    pub fn events(mut self, events: mpsc::Sender<Event>) -> Self {
        self.events = Some(events);
        self
    }

    /// Listens, and begins. It needs a tokio runtime, with its timers and its sockets.
    ///
    /// # Errors
    ///
    /// An address cannot be listened on, or none was said.
    pub async fn start(self) -> io::Result<Proxy> {
        let door = self.tcp.map(Door::open).transpose()?;
        let datagrams = match self.udp {
            Some(address) => Some(Arc::new(UdpSocket::bind(address).await?)),
            None => None,
        };
        if door.is_none() && datagrams.is_none() {
            let problem = "neither a TCP nor a UDP address to listen on";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let tcp = door.as_ref().map(|door| door.address);
        let udp = datagrams.as_ref().map(|socket| socket.local_addr()).transpose()?;
        let route = Route::new(self.seed, self.faults, self.max);
        let shared = Arc::new(Shared::new(self.target, route, self.events));
        let (commands, asked) = mpsc::channel(16);
        let server = Server {
            shared: Arc::clone(&shared),
            door,
            datagrams,
            timeline: self.timeline,
            commands: asked,
        };
        let serving = tokio::spawn(server.run());
        Ok(Proxy { shared, commands, tcp, udp, serving })
    }
}

/// A proxy that runs until it is [stopped](Self::stop), or this is dropped: then its connections end with it,
/// soon and without being counted.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    tcp: Option<SocketAddr>,
    udp: Option<SocketAddr>,
    serving: JoinHandle<()>,
}

impl Proxy {
    /// A proxy that passes on to this `HOST:PORT`. A name is looked up for each connection anew.
    #[must_use]
    pub fn to(target: impl Into<String>) -> Builder {
        Builder {
            target: target.into(),
            seed: 0,
            faults: [Faults::NONE; 2],
            max: CONNECTIONS_MAX,
            tcp: None,
            udp: None,
            timeline: Timeline::default(),
            events: None,
        }
    }

    /// Where it takes TCP connections.
    #[must_use]
    pub fn tcp(&self) -> Option<SocketAddr> {
        self.tcp
    }

    /// Where it takes UDP datagrams.
    #[must_use]
    pub fn udp(&self) -> Option<SocketAddr> {
        self.udp
    }

    /// Makes a change. When this returns it is made: after a cut or a reset every connection has ended, and
    /// after a cut a new one is refused. Changes are made one after the other.
    ///
    /// # Errors
    ///
    /// After a cut the address could not be listened on again: it is still cut off. Or the proxy was stopped,
    /// or its runtime is gone.
    pub async fn apply(&self, change: Change) -> io::Result<()> {
        let (reply, done) = oneshot::channel();
        let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "the proxy does not run any more");
        let sent = self.commands.send(Command::Change { change, reply }).await;
        sent.map_err(|_| gone())?;
        done.await.map_err(|_| gone())?
    }

    /// How everything stands.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.shared.snapshot()
    }

    /// Ends it, and says what it did. When this returns nobody listens any more, and every connection and flow
    /// has ended as in a cut: none is open in what it says, all of it is counted, and every event is told. Who
    /// asks again hears the same.
    pub async fn stop(&self) -> Snapshot {
        // If nobody takes it, the proxy is ending already, or gone with its runtime.
        let _ = self.commands.send(Command::Stop).await;
        // Its receiver is dropped with everything else, at the end.
        self.commands.closed().await;
        self.shared.snapshot()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
