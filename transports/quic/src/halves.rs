//! The two halves of a connection.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::future::{self, BoxFuture, FusedFuture, FutureExt};
use moorline_link::{Lane, Reason};
use moorline_transport::{Authority, Connection, PacketReceiver, PacketSender, UNWRITTEN_MAX};
use quinn::{RecvStream, SendStream, StoppedError};
use rustls::pki_types::CertificateDer;

use crate::lane::{Incoming, NoPacket, Outgoing};
use crate::reason::{code, end_reason, is_left, protocol_error, read_reason, write_reason};
use crate::runtime::Gone;

/// The streams of a connection, by lane.
pub(crate) struct Streams {
    pub(crate) c: (SendStream, RecvStream),
    pub(crate) b: (SendStream, RecvStream),
}

/// Puts a connection together.
pub(crate) fn connection(
    quic: quinn::Connection,
    gone: Gone,
    streams: Streams,
    peer: String,
    identity: Option<String>,
) -> Connection {
    let Streams { c: (send_c, receive_c), b: (send_b, receive_b) } = streams;
    // What is small goes first. An error is that of a connection that has ended already.
    let _ = send_c.set_priority(1);
    let shared = Arc::new(Shared { quic, state: Mutex::default() });
    let sender = Sender {
        lanes: [Outgoing::new(send_c), Outgoing::new(send_b)],
        queued: 0,
        broken: None,
        ending: Ending::Not,
        gone: gone.clone(),
        shared: Arc::clone(&shared),
    };
    let lanes = [Incoming::new(receive_c), Incoming::new(receive_b)];
    let receiver =
        Receiver { lanes: Some(lanes), ends: [None; 2], first: Lane::C.index(), gone, shared };
    Connection {
        sender: Box::new(sender),
        receiver: Box::new(receiver),
        peer,
        identity,
        // Who dials, says more.
        authority: Authority::nobody(),
    }
}

/// The certificates that the other end has shown, its own first; `None` if it was asked for none.
pub(crate) fn chain_of(quic: &quinn::Connection) -> Option<Vec<CertificateDer<'static>>> {
    quic.peer_identity().map(|proven| *proven.downcast().unwrap_or_default())
}

/// What the halves know of each other.
struct Shared {
    quic: quinn::Connection,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    end: End,
    /// Why the connection was closed here, if the peer was at fault.
    fault: Option<Reason>,
    /// The receiving half is gone.
    is_unread: bool,
    /// What it left, while our own direction is ending: dropped earlier, it would tell the peer to stop.
    remains: Option<[Incoming; 2]>,
}

/// How far our direction has come with ending in order.
#[derive(Clone, Copy, Default)]
enum End {
    #[default]
    Open,
    /// Both streams have an end, which the peer has not acknowledged yet.
    Told,
    /// The peer's QUIC has all of it: closing the connection takes nothing away.
    Arrived,
}

impl Shared {
    // A panic cannot happen under this lock, so a poisoned one holds whole values.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer broke the rules.
    fn fault(&self, detail: &str) -> Reason {
        let reason = protocol_error(&self.quic, detail);
        *self.lock().fault.get_or_insert(reason)
    }

    /// Why the connection is over, if it is.
    fn ended(&self) -> Option<Reason> {
        let error = self.quic.close_reason()?;
        Some(self.lock().fault.unwrap_or_else(|| end_reason(&error)))
    }
}

/// Ready when nobody drives the connection any more.
fn poll_gone(gone: &mut Gone, cx: &mut Context<'_>) -> Poll<()> {
    // Shared futures are not asked again once they were ready.
    if gone.is_terminated() {
        return Poll::Ready(());
    }
    gone.poll_unpin(cx).map(|_| ())
}

struct Sender {
    lanes: [Outgoing; 2],
    /// Bytes that QUIC has not taken yet.
    queued: usize,
    broken: Option<Reason>,
    ending: Ending,
    gone: Gone,
    shared: Arc<Shared>,
}

enum Ending {
    Not,
    /// Waits until the peer has acknowledged all.
    Told(BoxFuture<'static, Result<(), Reason>>),
    Done,
}

impl Sender {
    /// Hands to QUIC what it takes of both lanes. Ready when nothing is left.
    fn poll_hand_over(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        if let Some(reason) = self.broken {
            return Poll::Ready(Err(reason));
        }
        if !matches!(self.ending, Ending::Not) {
            return Poll::Ready(Ok(()));
        }
        // A lane that has nothing to write does not find out by itself.
        if let Some(reason) = self.shared.ended() {
            return Poll::Ready(Err(*self.broken.insert(reason)));
        }
        let mut is_left = false;
        for lane in &mut self.lanes {
            match lane.poll_hand_over(&mut self.queued, cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    let reason = self.shared.ended().unwrap_or_else(|| write_reason(&error));
                    return Poll::Ready(Err(*self.broken.insert(reason)));
                }
                // The other one goes on.
                Poll::Pending => is_left = true,
            }
        }
        if !is_left {
            return Poll::Ready(Ok(()));
        }
        ready!(poll_gone(&mut self.gone, cx));
        Poll::Ready(Err(*self.broken.insert(Reason::TransportReset)))
    }

    /// Ends both streams.
    fn tell_end(&mut self) -> BoxFuture<'static, Result<(), Reason>> {
        for lane in &mut self.lanes {
            // An error means that the peer has stopped it or that the connection is over, as is seen next.
            let _ = lane.stream.finish();
        }
        self.shared.lock().end = End::Told;
        let [c, b] = self.lanes.each_ref().map(|lane| lane.stream.stopped());
        let arrived = |stopped| match stopped {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(Reason::StreamLost),
            // Whoever reads the end may leave, and its acknowledgement with it.
            Err(StoppedError::ConnectionLost(error)) if is_left(&error) => Ok(()),
            Err(StoppedError::ConnectionLost(error)) => Err(end_reason(&error)),
            Err(StoppedError::ZeroRttRejected) => Err(Reason::TransportReset),
        };
        let both = future::join(c, b);
        both.map(move |(c, b)| arrived(c).and(arrived(b))).boxed()
    }
}

impl PacketSender for Sender {
    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        match self.poll_hand_over(cx) {
            Poll::Ready(Err(reason)) => Poll::Ready(Err(reason)),
            _ if !matches!(self.ending, Ending::Not) => Poll::Ready(Err(Reason::ClosedByPeer)),
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Pending if self.queued < UNWRITTEN_MAX => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn send(mut self: Pin<&mut Self>, packet: Bytes, lane: Lane) -> Result<(), Reason> {
        if let Some(reason) = self.broken.or_else(|| self.shared.ended()) {
            return Err(reason);
        }
        self.queued += self.lanes[lane.index()].push(packet);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        self.poll_hand_over(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        ready!(self.poll_hand_over(cx))?;
        if matches!(self.ending, Ending::Not) {
            self.ending = Ending::Told(self.tell_end());
        }
        if let Ending::Told(arriving) = &mut self.ending {
            let arrived = match arriving.poll_unpin(cx) {
                Poll::Ready(arrived) => arrived,
                Poll::Pending => {
                    ready!(poll_gone(&mut self.gone, cx));
                    Err(Reason::TransportReset)
                }
            };
            self.ending = Ending::Done;
            match arrived {
                Ok(()) => self.shared.lock().end = End::Arrived,
                Err(reason) => self.broken = Some(reason),
            }
        }
        Poll::Ready(self.broken.map_or(Ok(()), Err))
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let (end, is_unread, remains) = {
            let mut state = self.shared.lock();
            (state.end, state.is_unread, state.remains.take())
        };
        match end {
            End::Open | End::Told => self.shared.quic.close(code::CUT, b""),
            End::Arrived if is_unread => self.shared.quic.close(code::ORDERLY, b""),
            // The receiving half goes on.
            End::Arrived => {}
        }
        drop(remains);
    }
}

struct Receiver {
    /// Until they are left behind.
    lanes: Option<[Incoming; 2]>,
    /// How lanes have ended.
    ends: [Option<Reason>; 2],
    /// The lane that is looked at first: not the one whose turn it was last.
    first: usize,
    gone: Gone,
    shared: Arc<Shared>,
}

impl PacketReceiver for Receiver {
    fn poll_receive(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Bytes, Reason>> {
        let Self { lanes, ends, first, gone, shared } = &mut *self;
        let Some(lanes) = lanes else { return Poll::Ready(Err(Reason::TransportReset)) };
        for lane in [*first, 1 - *first] {
            if ends[lane].is_some() {
                continue;
            }
            match lanes[lane].poll_packet(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(packet)) => {
                    *first = 1 - lane;
                    return Poll::Ready(Ok(packet));
                }
                Poll::Ready(Err(NoPacket::Ended)) => ends[lane] = Some(Reason::ClosedByPeer),
                // The other lane may still have something that has arrived.
                Poll::Ready(Err(NoPacket::Broke(error))) => {
                    let reason = shared.ended().unwrap_or_else(|| read_reason(&error));
                    ends[lane] = Some(reason);
                }
                Poll::Ready(Err(NoPacket::Rules(detail))) => {
                    return Poll::Ready(Err(shared.fault(detail)));
                }
            }
        }
        match *ends {
            [Some(Reason::ClosedByPeer), Some(end)] | [Some(end), Some(_)] => Poll::Ready(Err(end)),
            // A lane is lost alone only if the peer wants it so.
            [Some(Reason::StreamLost), None] | [None, Some(Reason::StreamLost)] => {
                Poll::Ready(Err(Reason::StreamLost))
            }
            [Some(_), None] | [None, Some(_)] | [None, None] => {
                ready!(poll_gone(gone, cx));
                Poll::Ready(Err(Reason::TransportReset))
            }
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let end = {
            let mut state = self.shared.lock();
            state.is_unread = true;
            if matches!(state.end, End::Told) {
                state.remains = self.lanes.take();
            }
            state.end
        };
        match end {
            End::Open => self.shared.quic.close(code::CUT, b""),
            End::Arrived => self.shared.quic.close(code::ORDERLY, b""),
            // Until the sending half knows more.
            End::Told => {}
        }
    }
}
