//! The open connections of a node: what arrives, what may be written, what is being closed.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use moorline_link::{ConnId, Instant, Lane, Reason};
use moorline_sync::{Mark, Ready};
use moorline_transport::{Connection, PacketReceiver, PacketSender};

/// How long a connection that is being closed may take to send what is written, and its peer to read
/// it.
pub(crate) const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// Packets one connection may deliver before the others are looked at.
const PACKETS_AT_ONCE: u32 = 8;

/// What a connection says.
pub(crate) enum Arrival {
    /// A packet arrived.
    Packet { conn: ConnId, bytes: Bytes },
    /// It has ended; it is not there any more.
    Ended { conn: ConnId, reason: Reason },
    /// It takes packets again, after [`Connections::takes`] had said no.
    Writable { conn: ConnId },
}

/// The open connections of a node, by the name it knows them by.
#[derive(Default)]
pub(crate) struct Connections {
    open: HashMap<ConnId, Open>,
    closing: VecDeque<(Instant, ConnId)>,
    ready: Arc<Ready<ConnId>>,
    /// Those that are to be looked at: taken from `ready`, and those with more to say.
    due: VecDeque<Arc<Mark<ConnId>>>,
    scratch: Vec<Arc<Mark<ConnId>>>,
}

struct Open {
    sender: Box<dyn PacketSender>,
    receiver: Box<dyn PacketReceiver>,
    waker: Waker,
    /// It said that it takes no packets.
    blocked: bool,
    /// Something may be unwritten.
    flushing: bool,
    /// It is being closed: what arrives is not wanted any more.
    closing: bool,
    /// Everything has left, and the end behind it.
    closed: bool,
    /// Writing failed; what arrived before still counts.
    broken: Option<Reason>,
}

impl Connections {
    pub(crate) fn insert(&mut self, conn: ConnId, connection: Connection) {
        let Connection { sender, receiver, peer: _, identity: _, authority: _ } = connection;
        let waker = Ready::mark(&self.ready, conn);
        // Something may have arrived already, and nothing has been asked to wake us yet.
        waker.wake_by_ref();
        let open = Open {
            sender,
            receiver,
            waker,
            blocked: false,
            flushing: false,
            closing: false,
            closed: false,
            broken: None,
        };
        self.open.insert(conn, open);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether it takes a packet now. After a no, [`Arrival::Writable`] comes when it does, or
    /// [`Arrival::Ended`].
    pub(crate) fn takes(&mut self, conn: ConnId) -> bool {
        let Some(open) = self.open.get_mut(&conn) else { return false };
        if open.closing || open.broken.is_some() {
            return false;
        }
        match Pin::new(&mut *open.sender).poll_ready(&mut Context::from_waker(&open.waker)) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(reason)) => {
                open.broke(reason);
                false
            }
            Poll::Pending => {
                open.blocked = true;
                false
            }
        }
    }

    /// Writes a packet, after [`Connections::takes`] has said yes.
    pub(crate) fn write(&mut self, conn: ConnId, packet: Bytes, lane: Lane) {
        let Some(open) = self.open.get_mut(&conn) else { return };
        open.flushing = true;
        if let Err(reason) = Pin::new(&mut *open.sender).send(packet, lane) {
            open.broke(reason);
        }
    }

    /// Sends what was written on its way.
    pub(crate) fn flush(&mut self, conn: ConnId) {
        if let Some(open) = self.open.get_mut(&conn) {
            open.poll_flush();
        }
    }

    /// Closes a connection: what is written may leave within [`CLOSE_WITHIN`]. It is dropped when the
    /// peer has ended it too, so that the last word is not lost with a process that ends then.
    pub(crate) fn close(&mut self, now: Instant, conn: ConnId) {
        if let Some(open) = self.open.get_mut(&conn)
            && !open.closing
        {
            open.closing = true;
            open.waker.wake_by_ref();
            self.closing.push_back((now + CLOSE_WITHIN, conn));
        }
    }

    /// When the next connection that is being closed runs out of time.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.closing.front().map(|(deadline, _)| *deadline)
    }

    /// Drops connections that had their time to close.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some((deadline, conn)) = self.closing.front().copied()
            && deadline <= now
        {
            self.closing.pop_front();
            self.open.remove(&conn);
        }
    }

    /// Looks at the connections that have something to say, up to `budget` packets. Returns whether
    /// some were left out; else the task of `cx` is woken when there is more.
    pub(crate) fn poll(
        &mut self,
        cx: &Context<'_>,
        budget: u32,
        mut say: impl FnMut(Arrival),
    ) -> bool {
        self.ready.register(cx);
        self.ready.take(&mut self.scratch);
        self.due.extend(self.scratch.drain(..));
        let mut left = budget;
        let rounds = self.due.len();
        for _ in 0..rounds {
            if left == 0 {
                break;
            }
            let Some(mark) = self.due.pop_front() else { break };
            mark.seen();
            let conn = *mark.name();
            let Some(open) = self.open.get_mut(&conn) else { continue };
            match open.look(conn, left.min(PACKETS_AT_ONCE), &mut left, &mut say) {
                Look::Waits => {}
                Look::HasMore => open.waker.wake_by_ref(),
                Look::Over => {
                    self.open.remove(&conn);
                }
            }
        }
        // Those with more listed themselves again, which wakes the task too.
        !self.due.is_empty()
    }
}

enum Look {
    /// It will wake us.
    Waits,
    /// It may have more to say at once.
    HasMore,
    /// It is gone.
    Over,
}

impl Open {
    fn look(
        &mut self,
        conn: ConnId,
        most: u32,
        left: &mut u32,
        say: &mut impl FnMut(Arrival),
    ) -> Look {
        let waker = self.waker.clone();
        let mut cx = Context::from_waker(&waker);
        let mut packets = 0;
        loop {
            if packets == most {
                return Look::HasMore;
            }
            match Pin::new(&mut *self.receiver).poll_receive(&mut cx) {
                Poll::Ready(Ok(bytes)) => {
                    packets += 1;
                    *left -= 1;
                    if !self.closing {
                        say(Arrival::Packet { conn, bytes });
                    }
                }
                Poll::Ready(Err(reason)) => return self.over(conn, reason, say),
                Poll::Pending => break,
            }
        }
        if let Some(reason) = self.broken {
            return self.over(conn, reason, say);
        }
        if self.closing {
            if !self.closed {
                match Pin::new(&mut *self.sender).poll_close(&mut cx) {
                    Poll::Ready(Ok(())) => self.closed = true,
                    Poll::Ready(Err(_)) => return Look::Over,
                    Poll::Pending => {}
                }
            }
            return Look::Waits;
        }
        if self.flushing {
            self.poll_flush();
        }
        if self.blocked {
            match Pin::new(&mut *self.sender).poll_ready(&mut cx) {
                Poll::Ready(Ok(())) => {
                    self.blocked = false;
                    say(Arrival::Writable { conn });
                }
                Poll::Ready(Err(reason)) => self.broke(reason),
                Poll::Pending => {}
            }
        }
        Look::Waits
    }

    fn over(&self, conn: ConnId, reason: Reason, say: &mut impl FnMut(Arrival)) -> Look {
        if !self.closing {
            say(Arrival::Ended { conn, reason });
        }
        Look::Over
    }

    fn poll_flush(&mut self) {
        let flushed = Pin::new(&mut *self.sender).poll_flush(&mut Context::from_waker(&self.waker));
        match flushed {
            Poll::Ready(Ok(())) => self.flushing = false,
            Poll::Ready(Err(reason)) => self.broke(reason),
            Poll::Pending => {}
        }
    }

    /// The receiver has the last word about why: it is looked at before this counts.
    fn broke(&mut self, reason: Reason) {
        self.broken.get_or_insert(reason);
        self.waker.wake_by_ref();
    }
}

#[cfg(test)]
mod tests;
