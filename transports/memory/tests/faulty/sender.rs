use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use moorline_link::{Lane, Reason};
use moorline_transport::PacketSender;

use super::{End, Fault};

pub(super) struct FaultySender {
    /// Until it is dropped.
    inner: Option<Box<dyn PacketSender>>,
    end: Arc<End>,
    sent: u32,
    /// Packets that should have been handed on.
    held: VecDeque<(Bytes, Lane)>,
    first: Option<Waker>,
    has_failed: bool,
}

impl FaultySender {
    pub(super) fn new(inner: Box<dyn PacketSender>, end: Arc<End>) -> Self {
        let held = VecDeque::new();
        Self { inner: Some(inner), end, sent: 0, held, first: None, has_failed: false }
    }

    fn inner(&mut self) -> Pin<&mut dyn PacketSender> {
        Pin::new(&mut **self.inner.as_mut().expect("not dropped"))
    }

    /// Hands held packets on, but for the last of them.
    fn hand_on_but(&mut self, last: usize, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        while self.held.len() > last {
            ready!(self.inner().poll_ready(cx))?;
            let (packet, lane) = self.held.pop_front().expect("there is one");
            self.inner().send(packet, lane)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Polls with the waker that its fault lets it have.
    fn polled(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<Result<(), Reason>>,
    ) -> Poll<Result<(), Reason>> {
        let waker = match self.end.fault {
            Fault::ForgetsWriters => Waker::noop().clone(),
            Fault::KeepsTheFirstWriter => self.first.get_or_insert(cx.waker().clone()).clone(),
            _ => cx.waker().clone(),
        };
        let polled = poll(self, &mut Context::from_waker(&waker));
        if polled.is_ready() {
            self.first = None;
        }
        match polled {
            Poll::Ready(Err(_)) if self.end.fault == Fault::ForgetsItsEnd && self.has_failed => {
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(reason)) => {
                self.has_failed = true;
                Poll::Ready(Err(reason))
            }
            polled => polled,
        }
    }

    fn is_closed(&self) -> bool {
        self.end.closed.load(Ordering::Relaxed)
    }
}

impl PacketSender for FaultySender {
    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        let this = &mut *self;
        let (world, role) = (&this.end.world, this.end.role);
        match this.end.fault {
            Fault::OneWayAtATime
                if world.under_way(role.other()).load(Ordering::Relaxed) >= 64 << 10 =>
            {
                return Poll::Pending;
            }
            Fault::OneForAll if world.under_way(role).load(Ordering::Relaxed) >= 128 << 10 => {
                return Poll::Pending;
            }
            Fault::HoldsUpTheThread => loop {
                std::thread::park();
            },
            Fault::TakesEverything | Fault::ClosesTooEarly => return Poll::Ready(Ok(())),
            Fault::SendsBehindItsEnd if this.is_closed() => return Poll::Ready(Ok(())),
            Fault::TakesOne => return this.polled(cx, |this, cx| this.inner().poll_flush(cx)),
            _ => {}
        }
        this.polled(cx, |this, cx| this.inner().poll_ready(cx))
    }

    fn send(mut self: Pin<&mut Self>, packet: Bytes, lane: Lane) -> Result<(), Reason> {
        let this = &mut *self;
        if this.end.fell_asleep() {
            return Err(Reason::HalfOpen);
        }
        this.sent += 1;
        let under_way = this.end.world.under_way(this.end.role);
        under_way.fetch_add(packet.len(), Ordering::Relaxed);
        match this.end.fault {
            Fault::Loses if this.sent == 100 => return Ok(()),
            Fault::SwallowsEmptyPackets if packet.is_empty() => return Ok(()),
            Fault::TakesEverything
            | Fault::ClosesTooEarly
            | Fault::FlushesLater
            | Fault::EndsOvertake => {
                this.held.push_back((packet, lane));
                return Ok(());
            }
            Fault::MixesLanes if lane == Lane::C && this.sent < 500 => {
                this.held.push_back((packet, lane));
                return Ok(());
            }
            Fault::ForgetsItsEnd if this.has_failed => return Ok(()),
            _ => {}
        }
        // In front of one of their own lane, behind one of the other.
        let mut packets = std::mem::take(&mut this.held);
        match lane {
            Lane::B => packets.push_front((packet, lane)),
            Lane::C => packets.push_back((packet, lane)),
        }
        packets.into_iter().try_for_each(|(packet, lane)| this.inner().send(packet, lane))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        let this = &mut *self;
        match this.end.fault {
            Fault::Panics => panic!("it is broken"),
            Fault::FlushesLater | Fault::EndsOvertake => {
                ready!(this.hand_on_but(1, cx))?;
                Poll::Ready(Ok(()))
            }
            Fault::TakesEverything | Fault::ClosesTooEarly => {
                ready!(this.hand_on_but(0, cx))?;
                this.inner().poll_flush(cx)
            }
            _ => this.polled(cx, |this, cx| this.inner().poll_flush(cx)),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        let this = &mut *self;
        if this.end.fault == Fault::CannotCloseTwice && this.is_closed() {
            return Poll::Ready(Err(Reason::ClosedByPeer));
        }
        match this.end.fault {
            Fault::EndsOvertake => this.held.clear(),
            Fault::ClosesTooEarly => {
                let _ = this.hand_on_but(0, cx);
                let _ = this.inner().poll_close(cx);
                this.end.closed.store(true, Ordering::Relaxed);
                return Poll::Ready(Ok(()));
            }
            _ => ready!(this.hand_on_but(0, cx))?,
        }
        ready!(this.polled(cx, |this, cx| this.inner().poll_close(cx)))?;
        this.end.closed.store(true, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl Drop for FaultySender {
    fn drop(&mut self) {
        if self.end.fault == Fault::DroppedSendersClose {
            let _ = self.inner().poll_close(&mut Context::from_waker(Waker::noop()));
        }
    }
}
