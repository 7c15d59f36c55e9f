//! A transport in this process that loses what it is told to lose.

use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll};

use bytes::Bytes;
use moorline_link::{Lane, Reason};
use moorline_transport::{PacketReceiver, PacketSender};

use super::*;

/// Packets of at least this many bytes are counted when they are swallowed: those with a body.
const LARGE: usize = 10_000;

/// What is wrong with the network of a worker.
#[derive(Default)]
pub(super) struct Faults {
    /// Nobody can be dialled.
    pub(super) refuses: AtomicBool,
    /// What is sent either way is taken and lost.
    pub(super) swallows: AtomicBool,
    /// Large packets that were lost: those of the worker, and those to it.
    pub(super) swallowed: [AtomicUsize; 2],
}

impl Faults {
    /// Whether this packet is lost.
    fn take(&self, direction: usize, packet: &Bytes) -> bool {
        let swallows = self.swallows.load(Ordering::SeqCst);
        if swallows && packet.len() >= LARGE {
            self.swallowed[direction].fetch_add(1, Ordering::SeqCst);
        }
        swallows
    }
}

/// A worker's way to its coordinator.
pub(super) struct Faulty {
    pub(super) inner: MemoryTransport,
    pub(super) faults: Arc<Faults>,
}

impl Transport for Faulty {
    fn schemes(&self) -> &'static [&'static str] {
        self.inner.schemes()
    }

    fn dial(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, std::result::Result<Connection, DialError>> {
        let (dial, faults) = (self.inner.dial(endpoint), Arc::clone(&self.faults));
        Box::pin(async move {
            if faults.refuses.load(Ordering::SeqCst) {
                let detail = "refused for a test".to_owned();
                return Err(DialError { reason: Reason::ConnectRefused, detail });
            }
            let Connection { sender, receiver, peer, identity, authority } = dial.await?;
            let sender = Box::new(Sender { inner: sender, faults: Arc::clone(&faults) });
            Ok(Connection {
                sender,
                receiver: Box::new(Receiver { inner: receiver, faults }),
                peer,
                identity,
                authority,
            })
        })
    }

    fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, std::result::Result<Box<dyn Listener>, ListenError>> {
        self.inner.listen(endpoint)
    }
}

struct Sender {
    inner: Box<dyn PacketSender>,
    faults: Arc<Faults>,
}

impl PacketSender for Sender {
    fn poll_ready(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<std::result::Result<(), Reason>> {
        Pin::new(&mut *self.inner).poll_ready(cx)
    }

    fn send(
        mut self: Pin<&mut Self>,
        packet: Bytes,
        lane: Lane,
    ) -> std::result::Result<(), Reason> {
        if self.faults.take(0, &packet) {
            return Ok(());
        }
        Pin::new(&mut *self.inner).send(packet, lane)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<std::result::Result<(), Reason>> {
        Pin::new(&mut *self.inner).poll_flush(cx)
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<std::result::Result<(), Reason>> {
        Pin::new(&mut *self.inner).poll_close(cx)
    }
}

struct Receiver {
    inner: Box<dyn PacketReceiver>,
    faults: Arc<Faults>,
}

impl PacketReceiver for Receiver {
    fn poll_receive(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<std::result::Result<Bytes, Reason>> {
        loop {
            match Pin::new(&mut *self.inner).poll_receive(cx) {
                Poll::Ready(Ok(packet)) if self.faults.take(1, &packet) => {}
                other @ (Poll::Ready(_) | Poll::Pending) => return other,
            }
        }
    }
}
