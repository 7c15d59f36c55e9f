//! What the checks have in common: both ends of a connection, and what is expected of them.

use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::channel::oneshot;
use futures::stream::FuturesUnordered;
use moorline_link::{Lane, Reason};

use super::clock::{give_way, within};
use super::{Lanes, Subject};
use crate::PACKET_MAX;
use crate::{AcceptError, Connection, Listener, PacketReceiver, PacketSender};

/// Why a check is not kept.
pub(super) enum Failure {
    Broken { expected: String, saw: String },
    DoesNotApply(&'static str),
}

pub(super) type Outcome = Result<(), Failure>;

/// A promise is broken.
pub(super) fn broken<T>(expected: impl Display, saw: impl Display) -> Result<T, Failure> {
    Err(Failure::Broken { expected: expected.to_string(), saw: saw.to_string() })
}

/// What has to hold.
pub(super) fn holds(it: bool, expected: impl Display, saw: impl Display) -> Outcome {
    if it { Ok(()) } else { broken(expected, saw) }
}

impl Subject {
    /// Waits for what has to happen.
    pub(super) async fn soon<T>(
        &self,
        expected: impl Display,
        what: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let done = within(self.patience, what).await;
        // All of a check is one task, and a runtime bounds what a task may do in one turn: whoever sends
        // without an end must not take all of it.
        give_way().await;
        match done {
            Some(done) => Ok(done),
            None => broken(expected, format_args!("nothing in {:?}", self.patience)),
        }
    }

    pub(super) async fn listen(&self) -> Result<Box<dyn Listener>, Failure> {
        let expected = format!("a listener at {}", self.listen);
        let listening = self.soon(&expected, self.transport.listen(&self.listen)).await?;
        listening.or_else(|error| broken(expected, error))
    }

    /// The next who is let in.
    pub(super) async fn accept(&self, listener: &mut dyn Listener) -> Result<Connection, Failure> {
        loop {
            match self.soon("a connection is accepted", listener.accept()).await? {
                Ok(accepted) => return Ok(accepted),
                Err(AcceptError::Refused { .. } | AcceptError::Connection { .. }) => {}
                Err(error @ (AcceptError::Exhausted { .. } | AcceptError::Closed { .. })) => {
                    return broken("a connection is accepted", error);
                }
            }
        }
    }

    pub(super) async fn dial_at(&self, there: &crate::Endpoint) -> Result<Connection, Failure> {
        let expected = format!("a connection to {there}");
        let dialled = self.soon(&expected, self.transport.dial(there)).await?;
        dialled.or_else(|error| broken(expected, error))
    }

    /// Both ends of another connection to a listener.
    pub(super) async fn another(
        &self,
        listener: &mut dyn Listener,
    ) -> Result<(Connection, Connection), Failure> {
        let there = listener.endpoint();
        futures::future::try_join(self.dial_at(&there), self.accept(listener)).await
    }

    /// A listener, and both ends of a connection to it.
    pub(super) async fn connect(
        &self,
    ) -> Result<(Box<dyn Listener>, Connection, Connection), Failure> {
        let mut listener = self.listen().await?;
        let (dialled, accepted) = self.another(&mut *listener).await?;
        Ok((listener, dialled, accepted))
    }

    /// Two connections: of the first of each pair once the dialled end, once the accepted one.
    pub(super) async fn both_ways(
        &self,
    ) -> Result<(Box<dyn Listener>, [(Connection, Connection); 2]), Failure> {
        let (mut listener, dialled, accepted) = self.connect().await?;
        let (other_dialled, other_accepted) = self.another(&mut *listener).await?;
        Ok((listener, [(dialled, accepted), (other_accepted, other_dialled)]))
    }

    /// Sends, and starts it on its way. A sender moves only while it is polled: this is for those who
    /// send more or flush behind it.
    pub(super) async fn send(
        &self,
        sender: &mut dyn PacketSender,
        packet: impl Into<Bytes>,
        lane: Lane,
    ) -> Outcome {
        let sent = self.soon("a packet is taken", put(sender, packet.into(), lane)).await?;
        sent.or_else(|reason| broken("a packet is taken", format_args!("the end, {reason}")))
    }

    /// Sends, and polls until nothing is unwritten: for those whose peer reads meanwhile.
    pub(super) async fn send_through(
        &self,
        sender: &mut dyn PacketSender,
        packet: impl Into<Bytes>,
        lane: Lane,
    ) -> Outcome {
        self.send(&mut *sender, packet, lane).await?;
        self.flush(sender).await
    }

    /// Sends a packet, and it arrives.
    pub(super) async fn carry(
        &self,
        sender: &mut dyn PacketSender,
        receiver: &mut dyn PacketReceiver,
        packet: &[u8],
        lane: Lane,
    ) -> Outcome {
        let send = self.send_through(sender, packet.to_vec(), lane);
        futures::future::try_join(self.receive_this(receiver, packet), send).await.map(drop)
    }

    pub(super) async fn flush(&self, sender: &mut dyn PacketSender) -> Outcome {
        let flushed = self.soon("poll_flush is ready", poll_flush(sender)).await?;
        flushed.or_else(|reason| broken("poll_flush is ready", format_args!("the end, {reason}")))
    }

    pub(super) async fn close(&self, sender: &mut dyn PacketSender) -> Outcome {
        let closed = poll_fn(|cx| Pin::new(&mut *sender).poll_close(cx));
        let closed = self.soon("poll_close is ready", closed).await?;
        closed.or_else(|reason| broken("poll_close is ready", format_args!("the end, {reason}")))
    }

    pub(super) async fn receive(
        &self,
        receiver: &mut dyn PacketReceiver,
    ) -> Result<Bytes, Failure> {
        let received = self.soon("a packet arrives", poll_receive(receiver)).await?;
        received.or_else(|reason| broken("a packet arrives", format_args!("the end, {reason}")))
    }

    /// A certain packet arrives.
    pub(super) async fn receive_this(
        &self,
        receiver: &mut dyn PacketReceiver,
        packet: &[u8],
    ) -> Outcome {
        let received = self.receive(receiver).await?;
        holds(received == packet, format_args!("the packet {packet:?}"), told(&received))
    }

    /// Nothing arrives but the end, for this reason.
    pub(super) async fn end(&self, receiver: &mut dyn PacketReceiver, reason: Reason) -> Outcome {
        let expected = format!("the end of the connection, {reason}");
        match self.soon(&expected, poll_receive(receiver)).await? {
            Err(seen) => holds(seen == reason, expected, format_args!("the end, {seen}")),
            Ok(packet) => broken(expected, told(&packet)),
        }
    }
}

/// All of them at the same time, until the first one fails: not the first in line, which may have failed
/// only because of that.
pub(super) async fn all<T>(
    futures: impl IntoIterator<Item = impl Future<Output = Result<T, Failure>>>,
) -> Result<Vec<T>, Failure> {
    futures.into_iter().collect::<FuturesUnordered<_>>().try_collect().await
}

/// A packet in words.
fn told(packet: &[u8]) -> String {
    let begins = &packet[..packet.len().min(8)];
    format!("a packet of {} bytes that begins with {begins:?}", packet.len())
}

pub(super) async fn put(
    sender: &mut dyn PacketSender,
    packet: Bytes,
    lane: Lane,
) -> Result<(), Reason> {
    poll_fn(|cx| Pin::new(&mut *sender).poll_ready(cx)).await?;
    Pin::new(&mut *sender).send(packet, lane)?;
    poll_fn(|cx| match Pin::new(&mut *sender).poll_flush(cx) {
        Poll::Ready(flushed) => Poll::Ready(flushed),
        Poll::Pending => Poll::Ready(Ok(())),
    })
    .await
}

pub(super) async fn poll_flush(sender: &mut dyn PacketSender) -> Result<(), Reason> {
    poll_fn(|cx| Pin::new(&mut *sender).poll_flush(cx)).await
}

pub(super) async fn poll_receive(receiver: &mut dyn PacketReceiver) -> Result<Bytes, Reason> {
    poll_fn(|cx| Pin::new(&mut *receiver).poll_receive(cx)).await
}

/// Polls once with a waker that wakes nobody: who is polled again has to wake the later one.
pub(super) fn poll_in_vain<T>(poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    poll(&mut Context::from_waker(Waker::noop()))
}

/// Does on a thread of its own what would hold this one up. `None` if it panicked.
pub(super) async fn aside<T: Send + 'static>(
    doing: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, result) = oneshot::channel();
    thread::spawn(move || {
        // Whoever waited may have given up.
        let _ = done.send(doing());
    });
    result.await.ok()
}

/// The lane of the packet of this number: an irregular mix of both.
pub(super) fn lane_of(number: u32) -> Lane {
    if number.wrapping_mul(0x9e37_79b1) >> 31 == 0 { Lane::C } else { Lane::B }
}

/// Sizes of packets that say their number, from the smallest to the largest.
const SIZES: [usize; 9] = [4, 5, 100, 16_384, PACKET_MAX, 7, 33, 40_000, 1_000];

/// The packet of this number: of one of many sizes, and no byte of it can be lost without being seen.
pub(super) fn numbered(number: u32) -> Bytes {
    sized(number, SIZES[number as usize % SIZES.len()])
}

/// The packet of this number and this size, which is at least four bytes.
pub(super) fn sized(number: u32, size: usize) -> Bytes {
    let pattern = (0..).map(|at: u32| (number.wrapping_add(at) % 251).to_le_bytes()[0]);
    number.to_be_bytes().into_iter().chain(pattern).take(size).collect()
}

/// Which of the packets 0, 1, 2 and so on have arrived, and that they did in order.
pub(super) struct Order {
    lanes: Lanes,
    /// By lane: the next one.
    next: [u32; 2],
    arrived: u32,
}

impl Order {
    pub(super) fn new(lanes: Lanes) -> Self {
        Self { lanes, next: [first(Lane::C, 0), first(Lane::B, 0)], arrived: 0 }
    }

    /// The number of packets that have arrived.
    pub(super) fn arrived(&self) -> u32 {
        self.arrived
    }

    pub(super) fn take(&mut self, packet: &Bytes) -> Outcome {
        let number = packet.first_chunk().map(|number| u32::from_be_bytes(*number));
        let Some(number) = number.filter(|number| *packet == sized(*number, packet.len())) else {
            return broken("a packet as it was sent", told(packet));
        };
        let lane = lane_of(number);
        let expected = match self.lanes {
            Lanes::ShareOneOrder => self.arrived,
            Lanes::AreIndependent => self.next[lane.index()],
        };
        if number != expected {
            let saw = if number < expected { "again" } else { "too early" };
            return broken(
                format_args!("packet {expected} of lane {lane:?}"),
                format_args!("packet {number} of lane {lane:?} {saw}"),
            );
        }
        self.next[lane.index()] = first(lane, number + 1);
        self.arrived += 1;
        Ok(())
    }
}

/// The first packet of a lane, from this number on.
fn first(lane: Lane, from: u32) -> u32 {
    (from..).find(|number| lane_of(*number) == lane).unwrap_or(from)
}

/// A packet of 16 KiB, for filling a connection.
pub(super) const BLOCK: usize = 16 << 10;

/// Sends packets 0, 1, 2 and so on, of 16 KiB each, until none is taken any more; how many were.
pub(super) async fn fill(subject: &Subject, sender: &mut dyn PacketSender) -> Result<u32, Failure> {
    let most = subject.withheld_max;
    let mut sent = 0;
    while let Some(taken) =
        within(subject.quiet, put(sender, sized(sent, BLOCK), lane_of(sent))).await
    {
        if let Err(reason) = taken {
            return broken("a packet is taken", format_args!("the end, {reason}"));
        }
        sent += 1;
        let bytes = sent as usize * BLOCK;
        let expected = format!("at most {most} bytes are taken while nobody reads");
        holds(bytes <= most, expected, format_args!("{bytes} bytes taken"))?;
    }
    Ok(sent)
}

/// Reads this many numbered packets.
pub(super) async fn read(
    subject: &Subject,
    receiver: &mut dyn PacketReceiver,
    order: &mut Order,
    packets: u32,
) -> Outcome {
    while order.arrived() < packets {
        order.take(&subject.receive(receiver).await?)?;
    }
    Ok(())
}

/// A little time, between two looks at something that wakes nobody.
pub(super) const GLANCE: Duration = Duration::from_millis(5);
