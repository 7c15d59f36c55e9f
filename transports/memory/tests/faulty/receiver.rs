use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use moorline_link::Reason;
use moorline_transport::PacketReceiver;

use super::{End, Fault};

pub(super) struct FaultyReceiver {
    /// Until it is dropped.
    inner: Option<Box<dyn PacketReceiver>>,
    end: Arc<End>,
    received: u32,
    /// To be returned before anything else.
    next: VecDeque<Bytes>,
    /// What happens once has happened.
    is_done: bool,
    first: Option<Waker>,
}

impl FaultyReceiver {
    pub(super) fn new(inner: Box<dyn PacketReceiver>, end: Arc<End>) -> Self {
        let next = VecDeque::new();
        Self { inner: Some(inner), end, received: 0, next, is_done: false, first: None }
    }

    fn poll_inner(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Reason>> {
        let waker = match self.end.fault {
            Fault::ForgetsReaders => Waker::noop().clone(),
            Fault::KeepsTheFirstReader => self.first.get_or_insert(cx.waker().clone()).clone(),
            _ => cx.waker().clone(),
        };
        let inner = self.inner.as_mut().expect("not dropped");
        let polled = Pin::new(&mut **inner).poll_receive(&mut Context::from_waker(&waker));
        if polled.is_ready() {
            self.first = None;
        }
        polled
    }

    /// What becomes of a packet.
    fn packet(&mut self, packet: Bytes, cx: &mut Context<'_>) -> Poll<Result<Bytes, Reason>> {
        let under_way = self.end.world.under_way(self.end.role.other());
        under_way.fetch_sub(packet.len(), Ordering::Relaxed);
        self.received += 1;
        match self.end.fault {
            Fault::FlipsABit if self.received == 103 => {
                let mut bytes = packet.to_vec();
                *bytes.last_mut().expect("not empty") ^= 1;
                Poll::Ready(Ok(bytes.into()))
            }
            Fault::Duplicates if self.received == 100 => {
                self.next.push_back(packet.clone());
                Poll::Ready(Ok(packet))
            }
            Fault::SwapsPackets if self.received >= 100 && !self.is_done => {
                let size = packet.len();
                self.next.push_back(packet);
                let second = ready!(self.poll_inner(cx))?;
                // Those of one size are of one lane.
                self.is_done = second.len() == size;
                let at = if self.is_done { 0 } else { 1 };
                self.next.insert(at, second);
                Poll::Ready(Ok(self.next.pop_front().expect("there are two")))
            }
            Fault::ShortensTheLargest if packet.len() == 64 << 10 => {
                Poll::Ready(Ok(packet.slice(1..)))
            }
            _ => Poll::Ready(Ok(packet)),
        }
    }

    /// What becomes of an end.
    fn end(&mut self, reason: Reason) -> Poll<Result<Bytes, Reason>> {
        let is_closed = self.end.closed.load(Ordering::Relaxed);
        match (self.end.fault, reason) {
            (Fault::HasNoLimit, Reason::ProtocolError) => {
                Poll::Ready(Ok(Bytes::from_static(b"it")))
            }
            (Fault::LimitIsAReset, Reason::ProtocolError)
            | (Fault::OrderlyEndsAreResets, Reason::ClosedByPeer) => {
                Poll::Ready(Err(Reason::TransportReset))
            }
            (Fault::EndsAtOnceAreResets, Reason::ClosedByPeer) if is_closed => {
                Poll::Ready(Err(Reason::TransportReset))
            }
            (Fault::CutsAreOrderly, Reason::TransportReset) => {
                Poll::Ready(Err(Reason::ClosedByPeer))
            }
            (Fault::SwallowsCuts, Reason::TransportReset) => Poll::Pending,
            (Fault::CutsLeaveHoles, Reason::TransportReset) if !self.is_done => {
                self.is_done = true;
                // The fifth packet of those that are filled with numbers.
                Poll::Ready(Ok(Bytes::from_static(&[0, 0, 0, 5, 5, 6, 7, 8])))
            }
            _ => Poll::Ready(Err(reason)),
        }
    }
}

impl PacketReceiver for FaultyReceiver {
    fn poll_receive(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Bytes, Reason>> {
        let this = &mut *self;
        if let Some(next) = this.next.pop_front() {
            return Poll::Ready(Ok(next));
        }
        let is_over = match this.end.fault {
            Fault::ClosingEndsBothWays => this.end.closed.load(Ordering::Relaxed),
            Fault::ConnectionsGoWithTheirListener => this.end.world.is_over.load(Ordering::Relaxed),
            _ => false,
        };
        if is_over {
            return Poll::Ready(Err(Reason::ClosedByPeer));
        }
        match ready!(this.poll_inner(cx)) {
            Ok(packet) => this.packet(packet, cx),
            Err(reason) => this.end(reason),
        }
    }
}

impl Drop for FaultyReceiver {
    fn drop(&mut self) {
        if self.end.fault == Fault::DroppedReceiversStay {
            self.end.world.keep(self.inner.take());
        }
    }
}
