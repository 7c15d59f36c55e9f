//! The two halves of a connection, which share its socket.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use bytes::Bytes;
use futures::task::AtomicWaker;
use moorline_link::{Lane, Reason};
use moorline_transport::{Authority, Connection, PacketReceiver, PacketSender, UNWRITTEN_MAX};
use tungstenite::protocol::Role;

use crate::net::Runtime;
use crate::socket::{Duplex, Socket};

/// Puts a connection together, behind what the peer has said already.
pub(crate) fn connection<S: Duplex>(
    (stream, said): (S, Vec<u8>),
    role: Role,
    runtime: Runtime,
    peer: String,
    identity: Option<String>,
) -> Connection {
    let halves = Arc::new(Halves::default());
    let socket = Socket::new(stream, said, role, runtime, Waker::from(Arc::clone(&halves)));
    let state = State::new(socket);
    let shared = Arc::new(Shared { state: Mutex::new(state), halves });
    Connection {
        sender: Box::new(Sender(Arc::clone(&shared))),
        receiver: Box::new(Receiver(shared)),
        peer,
        identity,
        // Who dials, says more.
        authority: Authority::nobody(),
    }
}

/// Who waits.
#[derive(Default)]
struct Halves {
    sender: AtomicWaker,
    receiver: AtomicWaker,
}

impl Wake for Halves {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.sender.wake();
        self.receiver.wake();
    }
}

struct Shared<S: Duplex> {
    state: Mutex<State<S>>,
    halves: Arc<Halves>,
}

struct State<S: Duplex> {
    line: Line<S>,
    /// Our direction has ended in order.
    ended: bool,
    /// What arrived while only its end was waited for.
    early: VecDeque<Bytes>,
    early_bytes: usize,
    receiver_is_gone: bool,
}

enum Line<S: Duplex> {
    Open(Box<Socket<S>>),
    Over(Reason),
}

impl<S: Duplex> State<S> {
    fn new(socket: Socket<S>) -> Self {
        Self {
            line: Line::Open(Box::new(socket)),
            ended: false,
            early: VecDeque::new(),
            early_bytes: 0,
            receiver_is_gone: false,
        }
    }

    /// It is over; who comes too late to say why is not heard.
    fn over(&mut self, reason: Reason) {
        match std::mem::replace(&mut self.line, Line::Over(reason)) {
            // What was cut ends without a word.
            Line::Open(socket) if reason != Reason::TransportReset => socket.finish(),
            Line::Open(_) => {}
            Line::Over(known) => self.line = Line::Over(known),
        }
    }

    /// Ends our direction, and waits for the peer to end its own: a socket that is closed with something
    /// unread in it takes back what the peer has not read yet.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        match &mut self.line {
            Line::Over(Reason::ClosedByPeer) => return Poll::Ready(Ok(())),
            Line::Over(_) if self.ended => return Poll::Ready(Ok(())),
            Line::Over(reason) => return Poll::Ready(Err(*reason)),
            Line::Open(socket) => ready!(socket.poll_end())?,
        }
        self.ended = true;
        self.poll_peer_ended(cx).map(Ok)
    }

    /// The peer's end, and what comes before it: it is kept for who reads, as far as there is room.
    /// Ready when nothing more is waited for.
    fn poll_peer_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Line::Open(socket) = &mut self.line else { return Poll::Ready(()) };
            if self.early_bytes >= UNWRITTEN_MAX {
                return Poll::Ready(());
            }
            match socket.poll_packet(cx) {
                Poll::Ready(Ok(packet)) if !self.receiver_is_gone => {
                    // Empty ones take room too.
                    self.early_bytes += packet.len().max(64);
                    self.early.push_back(packet);
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(reason)) => self.over(reason),
                Poll::Pending => return socket.poll_lingered(cx),
            }
        }
    }
}

impl<S: Duplex> Shared<S> {
    // A panic under this lock leaves whole values.
    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Sender<S: Duplex>(Arc<Shared<S>>);

impl<S: Duplex> Sender<S> {
    /// The socket while it is open and our direction is too, for as long as `poll` lasts.
    fn with<T>(
        &self,
        poll: impl FnOnce(&mut Socket<S>) -> Poll<Result<T, Reason>>,
    ) -> Poll<Result<T, Reason>> {
        match &mut self.0.lock().line {
            Line::Over(reason) => Poll::Ready(Err(*reason)),
            Line::Open(socket) if socket.is_ending() => Poll::Ready(Err(Reason::ClosedByPeer)),
            Line::Open(socket) => poll(socket),
        }
    }
}

impl<S: Duplex> PacketSender for Sender<S> {
    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        self.0.halves.sender.register(cx.waker());
        self.with(|socket| socket.poll_ready())
    }

    fn send(self: Pin<&mut Self>, packet: Bytes, _lane: Lane) -> Result<(), Reason> {
        match self.with(|socket| Poll::Ready(socket.send(packet))) {
            Poll::Ready(sent) => sent,
            // It does not wait.
            Poll::Pending => Ok(()),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        self.0.halves.sender.register(cx.waker());
        match &mut self.0.lock().line {
            Line::Over(reason) => Poll::Ready(Err(*reason)),
            Line::Open(socket) => socket.poll_written(),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        self.0.halves.sender.register(cx.waker());
        let (closed, is_news) = {
            let state = &mut *self.0.lock();
            let closed = state.poll_close(cx);
            (closed, closed.is_ready() || !state.early.is_empty())
        };
        if is_news {
            self.0.halves.receiver.wake();
        }
        closed
    }
}

impl<S: Duplex> Drop for Sender<S> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if !state.ended {
            state.over(Reason::TransportReset);
            drop(state);
            self.0.halves.receiver.wake();
        }
    }
}

struct Receiver<S: Duplex>(Arc<Shared<S>>);

impl<S: Duplex> PacketReceiver for Receiver<S> {
    fn poll_receive(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Bytes, Reason>> {
        self.0.halves.receiver.register(cx.waker());
        let mut state = self.0.lock();
        if let Some(packet) = state.early.pop_front() {
            state.early_bytes -= packet.len().max(64);
            return Poll::Ready(Ok(packet));
        }
        let socket = match &mut state.line {
            Line::Open(socket) => socket,
            Line::Over(reason) => return Poll::Ready(Err(*reason)),
        };
        let read = ready!(socket.poll_packet(cx));
        if let Err(reason) = read {
            state.over(reason);
            drop(state);
            self.0.halves.sender.wake();
        }
        Poll::Ready(read)
    }
}

impl<S: Duplex> Drop for Receiver<S> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.receiver_is_gone = true;
        state.early.clear();
        state.early_bytes = 0;
        let is_ending = match &state.line {
            Line::Open(socket) => socket.is_ending(),
            Line::Over(_) => true,
        };
        if !is_ending {
            state.over(Reason::TransportReset);
            drop(state);
            self.0.halves.sender.wake();
        }
    }
}

impl<S: Duplex> Drop for State<S> {
    fn drop(&mut self) {
        // Both halves are gone: an end that was said is the last word.
        if self.ended {
            self.over(Reason::ClosedByPeer);
        }
    }
}
