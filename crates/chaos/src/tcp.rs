//! One TCP connection: its two sockets, between its two lanes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::faults::Way;
use crate::lane::Lane;
use crate::route::{Ending, Id};
use crate::shared::{Fate, Shared};

/// Bytes of one read at most.
const READ: usize = 16 << 10;
/// How long the target may take to answer.
const DIAL: Duration = Duration::from_secs(10);

/// Carries bytes until both ends have ended, or the route ends it.
pub(crate) async fn carry(shared: Arc<Shared>, id: Id, client: TcpStream, answered: bool) {
    let fate = Carrier::new(&shared, id, client).run(answered).await;
    shared.leave(id, fate);
}

struct Carrier<'a> {
    shared: &'a Shared,
    id: Id,
    lanes: [Lane; 2],
    /// The end that each way goes to: target, client.
    sinks: [Option<TcpStream>; 2],
    buffer: Vec<u8>,
}

/// What is next for the sockets.
#[derive(Clone, Copy)]
struct Next {
    /// Bytes or an end are to be written, by way.
    writes: [bool; 2],
    /// The source is to be read, by way.
    reads: [bool; 2],
    wake: Option<Duration>,
}

impl<'a> Carrier<'a> {
    fn new(shared: &'a Shared, id: Id, client: TcpStream) -> Self {
        Self {
            shared,
            id,
            lanes: [Lane::default(), Lane::default()],
            sinks: [None, Some(client)],
            buffer: vec![0; READ],
        }
    }

    async fn run(mut self, answered: bool) -> Fate {
        let mut changes = self.shared.changes();
        if answered {
            let dial = TcpStream::connect(&self.shared.target);
            let mut dial = std::pin::pin!(tokio::time::timeout(DIAL, dial));
            let dialled = loop {
                if let Some(fate) = self.ending() {
                    return fate;
                }
                tokio::select! {
                    dialled = &mut dial => break dialled,
                    _ = changes.changed() => {}
                }
            };
            let Ok(Ok(target)) = dialled else {
                self.shared.route(|route| route.miss_target());
                self.reset();
                return Fate::Unreachable;
            };
            self.sinks[Way::ToTarget.index()] = Some(target);
        } else {
            // Nobody is there to end this way: it is over when its client is gone.
            self.lanes[Way::Back.index()].close();
        }
        for socket in self.sinks.iter().flatten() {
            // A socket that takes no options carries bytes all the same.
            let _ = socket.set_nodelay(true);
        }
        loop {
            if let Some(fate) = self.ending() {
                return fate;
            }
            let next = self.look();
            if self.is_over() {
                return Fate::Closed;
            }
            let [target, client] = &self.sinks;
            let turned = tokio::select! {
                _ = changes.changed() => Ok(()),
                () = self.shared.sleep_until(next.wake), if next.wake.is_some() => Ok(()),
                () = writable(target), if next.writes[0] => self.write(Way::ToTarget).await,
                () = writable(client), if next.writes[1] => self.write(Way::Back).await,
                () = readable(client), if next.reads[0] => self.read(Way::ToTarget),
                () = readable(target), if next.reads[1] => self.read(Way::Back),
            };
            if turned.is_err() {
                self.reset();
                return Fate::Broken;
            }
        }
    }

    /// Whether the route ends it; then it is ended.
    fn ending(&mut self) -> Option<Fate> {
        match self.shared.route(|route| route.ending(self.id))? {
            Ending::Close => Some(Fate::Cut),
            Ending::Reset => {
                self.reset();
                Some(Fate::Reset)
            }
        }
    }

    /// Resets both ends, as soon as the sockets are dropped.
    fn reset(&self) {
        for socket in self.sinks.iter().flatten() {
            // Without the option it is closed in order: there is no other way to end it.
            let _ = socket.set_zero_linger();
        }
    }

    fn look(&mut self) -> Next {
        let now = self.shared.now();
        let mut next = Next { writes: [false; 2], reads: [false; 2], wake: None };
        for way in Way::ALL {
            let lane = &mut self.lanes[way.index()];
            self.shared.route(|route| route.pass(self.id, way, |pass| lane.keep_up(now, pass)));
            let due = lane.next_wake().is_some_and(|at| at <= now);
            next.writes[way.index()] = due;
            next.reads[way.index()] = lane.room() > 0;
            if !due {
                next.wake = next.wake.into_iter().chain(lane.next_wake()).min();
            }
        }
        next
    }

    fn is_over(&self) -> bool {
        self.lanes.iter().all(Lane::is_over)
    }

    /// Reads what the source of this way has.
    fn read(&mut self, way: Way) -> io::Result<()> {
        let lane = &mut self.lanes[way.index()];
        let room = lane.room().min(READ);
        let Some(source) = &self.sinks[way.other().index()] else { return Ok(()) };
        // To read nothing would look like the end.
        if room == 0 {
            return Ok(());
        }
        let read = source.try_read(&mut self.buffer[..room]);
        let now = self.shared.now();
        let (shared, id) = (self.shared, self.id);
        match read {
            Ok(0) => {
                shared.route(|route| route.pass(id, way, |pass| lane.end(now, pass)));
            }
            Ok(len) => {
                let bytes = &self.buffer[..len];
                shared.route(|route| route.pass(id, way, |pass| lane.take(now, bytes, pass)));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // That it is gone is swallowed too.
            Err(_) if lane.is_silent() => lane.close(),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Writes what is due on this way.
    async fn write(&mut self, way: Way) -> io::Result<()> {
        let Some(sink) = &mut self.sinks[way.index()] else { return Ok(()) };
        let lane = &mut self.lanes[way.index()];
        let now = self.shared.now();
        let mut failed = None;
        let mut written = 0;
        while let Some(bytes) = lane.due(now) {
            match sink.try_write(bytes) {
                Ok(len) => {
                    written += len;
                    self.shared.route(|route| {
                        route.pass(self.id, way, |pass| lane.passed(len, pass.counts))
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
            // Others want their turn too.
            if written >= READ {
                break;
            }
        }
        if failed.is_none() && lane.end_is_due(now) {
            failed = sink.shutdown().await.err();
            lane.close();
        }
        let Some(error) = failed else { return Ok(()) };
        let [there, back] = &mut self.lanes;
        let (lane, other) = match way {
            Way::ToTarget => (there, back),
            Way::Back => (back, there),
        };
        if !other.is_silent() {
            return Err(error);
        }
        // The sink is gone, and the way on which its peer would hear of it is silent.
        other.close();
        let silenced = |route: &mut crate::route::Route| {
            route.pass(self.id, way, |pass| lane.silence(pass.counts));
        };
        self.shared.route(silenced);
        Ok(())
    }
}

async fn readable(socket: &Option<TcpStream>) {
    match socket {
        // An error is one of the read that follows.
        Some(socket) => drop(socket.readable().await),
        None => std::future::pending().await,
    }
}

async fn writable(socket: &Option<TcpStream>) {
    match socket {
        Some(socket) => drop(socket.writable().await),
        None => std::future::pending().await,
    }
}
