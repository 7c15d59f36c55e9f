//! The task of a proxy: takes connections and datagrams, and makes changes one after the other.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::faults::Change;
use crate::route::{Admission, Id, Kind};
use crate::shared::{Event, Origin, Shared};
use crate::timeline::Timeline;
use crate::{tcp, udp};

/// Connections that wait to be taken.
const BACKLOG: u32 = 1_024;
/// After an error of a listener, such as too many open files, so long nothing is taken.
const PAUSE: Duration = Duration::from_millis(100);

/// What is asked for.
pub(crate) enum Command {
    Change {
        change: Change,
        reply: oneshot::Sender<io::Result<()>>,
    },
    /// To end, with every connection.
    Stop,
}

/// What listens for connections.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    state: DoorState,
}

#[derive(Debug)]
enum DoorState {
    Open(TcpListener),
    /// Bound, so that nobody else takes the address, and not listening: the system refuses.
    Shut(TcpSocket),
    /// Nor was it possible to keep the address.
    Gone,
}

impl Door {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let listener = bound(address)?.listen(BACKLOG)?;
        Ok(Self { address: listener.local_addr()?, state: DoorState::Open(listener) })
    }

    fn shut(&mut self) {
        if let DoorState::Open(_) = self.state {
            // The listener has to be gone before its address can be taken again.
            self.state = DoorState::Gone;
            if let Ok(socket) = bound(self.address) {
                self.state = DoorState::Shut(socket);
            }
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        let socket = match std::mem::replace(&mut self.state, DoorState::Gone) {
            DoorState::Open(listener) => {
                self.state = DoorState::Open(listener);
                return Ok(());
            }
            DoorState::Shut(socket) => socket,
            DoorState::Gone => bound(self.address)?,
        };
        self.state = DoorState::Open(socket.listen(BACKLOG)?);
        Ok(())
    }

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.state {
            DoorState::Open(listener) => listener.accept().await,
            DoorState::Shut(_) | DoorState::Gone => std::future::pending().await,
        }
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of before may still be ending there. Elsewhere the option means something else.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Everything of a proxy that one task has for itself.
pub(crate) struct Server {
    pub(crate) shared: Arc<Shared>,
    pub(crate) door: Option<Door>,
    pub(crate) datagrams: Option<Arc<UdpSocket>>,
    pub(crate) timeline: Timeline,
    pub(crate) commands: mpsc::Receiver<Command>,
}

/// The flow of an address.
struct Flow {
    id: Id,
    inlet: Arc<udp::Inlet>,
}

/// What a task has carried; the address of a flow.
type Carried = (Id, Option<SocketAddr>);

impl Server {
    /// Serves until it is told to stop, or nobody can tell it any more.
    pub(crate) async fn run(mut self) {
        let mut carriers: JoinSet<Carried> = JoinSet::new();
        let mut flows: HashMap<SocketAddr, Flow> = HashMap::new();
        let mut buffer = vec![0; if self.datagrams.is_some() { udp::DATAGRAM } else { 0 }];
        let mut paused = None;
        loop {
            let now = self.shared.now();
            while let Some(change) = self.timeline.due(now) {
                // What fails is told as an event.
                let _ = self.change(change, Origin::Timeline, &mut carriers, &mut flows).await;
            }
            paused = paused.filter(|until| *until > now);
            let takes = paused.is_none();
            tokio::select! {
                taken = accept(self.door.as_ref()), if takes => match taken {
                    Ok((client, peer)) => self.take(client, peer, &mut carriers),
                    Err(_) => paused = Some(now + PAUSE),
                },
                received = receive(self.datagrams.as_ref(), &mut buffer), if takes => match received {
                    Ok((len, peer)) => self.hand(&buffer[..len], peer, &mut carriers, &mut flows),
                    Err(_) => paused = Some(now + PAUSE),
                },
                command = self.commands.recv() => match command {
                    Some(Command::Change { change, reply }) => {
                        let done = self.change(change, Origin::Caller, &mut carriers, &mut flows).await;
                        // Whoever has asked may have gone meanwhile.
                        let _ = reply.send(done);
                    }
                    Some(Command::Stop) => return self.stop(carriers).await,
                    None => return,
                },
                Some(ended) = carriers.join_next() => forget(ended.ok(), &mut flows),
                () = self.shared.sleep_until(paused), if paused.is_some() => {}
                () = self.shared.sleep_until(self.timeline.next_wake()), if self.timeline.next_wake().is_some() => {}
            }
        }
    }

    /// Ends everything. Whoever waits for that sees it by the commands, which nobody takes any more afterwards.
    async fn stop(mut self, mut carriers: JoinSet<Carried>) {
        self.door = None;
        self.shared.stop();
        // Each of them has heard of it and ends at once.
        while carriers.join_next().await.is_some() {}
        self.datagrams = None;
    }

    async fn change(
        &mut self,
        change: Change,
        origin: Origin,
        carriers: &mut JoinSet<Carried>,
        flows: &mut HashMap<SocketAddr, Flow>,
    ) -> io::Result<()> {
        match (&mut self.door, change) {
            (Some(door), Change::Cut) => door.shut(),
            (Some(door), Change::Heal) => {
                if let Err(error) = door.reopen() {
                    let problem = error.to_string();
                    self.shared.tell(|at| Event::Failed { at, change, origin, problem });
                    return Err(error);
                }
            }
            (None, _) | (_, Change::Set { .. } | Change::Reset | Change::Silence(_)) => {}
        }
        self.shared.change(change);
        self.shared.tell(|at| Event::Changed { at, change, origin });
        if matches!(change, Change::Cut | Change::Reset) {
            // Each of them has heard of it and ends at once.
            while let Some(ended) = carriers.join_next().await {
                forget(ended.ok(), flows);
            }
        }
        Ok(())
    }

    fn take(&self, client: TcpStream, peer: SocketAddr, carriers: &mut JoinSet<Carried>) {
        let (id, answered) = match self.shared.route(|route| route.admit(Kind::Tcp, peer)) {
            Admission::Answered(id) => (id, true),
            Admission::Unanswered(id) => (id, false),
            Admission::Full | Admission::StillFull | Admission::Cut => {
                // Dropped, it is reset. Without the option it is closed in order.
                let _ = client.set_zero_linger();
                self.shared.tell(|at| Event::Refused { at, peer });
                return;
            }
        };
        self.shared.tell(|at| Event::Opened { at, id, peer, answered });
        let shared = Arc::clone(&self.shared);
        carriers.spawn(async move {
            tcp::carry(shared, id, client, answered).await;
            (id, None)
        });
    }

    /// Hands a datagram to its flow.
    fn hand(
        &self,
        bytes: &[u8],
        peer: SocketAddr,
        carriers: &mut JoinSet<Carried>,
        flows: &mut HashMap<SocketAddr, Flow>,
    ) {
        if self.shared.route(|route| route.is_cut()) {
            self.shared.route(|route| route.swallow(bytes.len()));
            return;
        }
        let takes = |flow: &Flow| flow.inlet.take(&self.shared, flow.id, bytes);
        // A flow may have ended just now: then it is another one that begins.
        if !flows.get(&peer).is_some_and(takes)
            && let Some(flow) = self.open(bytes, peer, carriers)
        {
            flows.insert(peer, flow);
        }
    }

    /// Lets a flow begin, with its first datagram.
    fn open(
        &self,
        bytes: &[u8],
        peer: SocketAddr,
        carriers: &mut JoinSet<Carried>,
    ) -> Option<Flow> {
        let socket = Arc::clone(self.datagrams.as_ref()?);
        let id = match self.shared.route(|route| route.admit(Kind::Udp, peer)) {
            Admission::Answered(id) | Admission::Unanswered(id) => id,
            Admission::Full => {
                self.shared.tell(|at| Event::Refused { at, peer });
                return None;
            }
            Admission::StillFull | Admission::Cut => return None,
        };
        self.shared.tell(|at| Event::Opened { at, id, peer, answered: true });
        let inlet = Arc::new(udp::Inlet::new());
        inlet.take(&self.shared, id, bytes);
        let origin = udp::Origin { id, peer, socket, inlet: Arc::clone(&inlet) };
        let shared = Arc::clone(&self.shared);
        carriers.spawn(async move {
            udp::carry(shared, origin).await;
            (id, Some(peer))
        });
        Some(Flow { id, inlet })
    }
}

fn forget(ended: Option<Carried>, flows: &mut HashMap<SocketAddr, Flow>) {
    if let Some((id, Some(peer))) = ended
        && flows.get(&peer).is_some_and(|flow| flow.id == id)
    {
        flows.remove(&peer);
    }
}

async fn accept(door: Option<&Door>) -> io::Result<(TcpStream, SocketAddr)> {
    match door {
        Some(door) => door.accept().await,
        None => std::future::pending().await,
    }
}

async fn receive(
    socket: Option<&Arc<UdpSocket>>,
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(buffer).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
