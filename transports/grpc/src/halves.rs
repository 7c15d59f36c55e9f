//! The two halves of a connection.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use futures::Stream;
use h2::SendStream;
use http::{HeaderMap, HeaderValue};
use moorline_link::{Lane, Reason};
use moorline_transport::{Authority, Connection, PacketReceiver, PacketSender, UNWRITTEN_MAX};
use tonic::{Code, Status, Streaming};

use crate::inflow::http2_error;
use crate::shared::{Half, Remains, Shared};

/// Which end of the stream this is: they end it differently.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

/// Puts a connection together.
pub(crate) fn connection(
    role: Role,
    outgoing: SendStream<Bytes>,
    incoming: Streaming<Bytes>,
    shared: &Arc<Shared>,
    peer: String,
    identity: Option<String>,
) -> Connection {
    Connection {
        sender: Box::new(Sender {
            role,
            stream: Some(outgoing),
            queue: VecDeque::new(),
            queued: 0,
            broken: None,
            ended: None,
            shared: Arc::clone(shared),
        }),
        receiver: Box::new(Receiver { role, stream: Some(incoming), shared: Arc::clone(shared) }),
        peer,
        identity,
        // Who dials, says more.
        authority: Authority::nobody(),
    }
}

/// Packets wait here until HTTP/2 may send; so that what waits is bounded by [`UNWRITTEN_MAX`] and
/// can be told.
struct Sender {
    role: Role,
    /// Until it is dropped.
    stream: Option<SendStream<Bytes>>,
    queue: VecDeque<Bytes>,
    queued: usize,
    broken: Option<Reason>,
    /// This direction has ended in order; behind which turn of the task, see [`Shared::poll_passed`].
    ended: Option<u64>,
    shared: Arc<Shared>,
}

impl Sender {
    /// Hands to HTTP/2 what it takes. Ready when nothing is left.
    fn poll_hand_over(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        if let Some(reason) = self.broken {
            return Poll::Ready(Err(reason));
        }
        if self.ended.is_some() {
            return Poll::Ready(Ok(()));
        }
        let Some(stream) = &mut self.stream else { return self.poll_fate(cx) };
        // Also makes the peer's reset wake this half while it waits for something else.
        match stream.poll_reset(cx) {
            Poll::Ready(Ok(_)) => return Poll::Ready(Err(self.broke(Reason::StreamLost))),
            Poll::Ready(Err(error)) => return self.poll_broken(&error, cx),
            Poll::Pending => {}
        }
        while !self.queue.is_empty() {
            if stream.capacity() == 0 {
                stream.reserve_capacity(1);
                match ready!(stream.poll_capacity(cx)) {
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return self.poll_broken(&error, cx),
                    None => return self.poll_fate(cx),
                }
            }
            let Some(message) = self.queue.pop_front() else { break };
            self.queued -= message.len();
            if let Err(error) = stream.send_data(message, false) {
                return self.poll_broken(&error, cx);
            }
        }
        Poll::Ready(Ok(()))
    }

    fn broke(&mut self, reason: Reason) -> Reason {
        *self.broken.insert(reason)
    }

    fn poll_broken(&mut self, error: &h2::Error, cx: &Context<'_>) -> Poll<Result<(), Reason>> {
        match stream_reason(error) {
            Some(reason) => Poll::Ready(Err(self.broke(reason))),
            None => self.poll_fate(cx),
        }
    }

    fn poll_fate(&mut self, cx: &Context<'_>) -> Poll<Result<(), Reason>> {
        let fate = ready!(self.shared.poll_fate(Half::Sender, cx));
        Poll::Ready(Err(self.broke(fate)))
    }
}

impl PacketSender for Sender {
    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        match self.poll_hand_over(cx) {
            Poll::Ready(Err(reason)) => Poll::Ready(Err(reason)),
            _ if self.ended.is_some() => Poll::Ready(Err(Reason::ClosedByPeer)),
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Pending if self.queued < UNWRITTEN_MAX && self.shared.fate().is_none() => {
                Poll::Ready(Ok(()))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn send(mut self: Pin<&mut Self>, packet: Bytes, _lane: Lane) -> Result<(), Reason> {
        if let Some(reason) = self.broken.or_else(|| self.shared.fate()) {
            return Err(reason);
        }
        let message = message(&packet)?;
        self.queued += message.len();
        self.queue.push_back(message);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        self.poll_hand_over(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        ready!(self.poll_hand_over(cx))?;
        if self.ended.is_none() {
            let role = self.role;
            let Some(stream) = &mut self.stream else { return self.poll_fate(cx) };
            let end = match role {
                Role::Client => stream.send_data(Bytes::new(), true),
                Role::Server => stream.send_trailers(success()),
            };
            if let Err(error) = end {
                return self.poll_broken(&error, cx);
            }
            self.ended = Some(self.shared.close());
        }
        match self.ended {
            Some(begun) => self.shared.poll_passed(begun, cx).map(Ok),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.shared.cut(self.stream.take().map(|stream| Box::new(stream) as Remains));
        }
    }
}

/// A packet as a message of gRPC: behind its prefix, which is not compressed and four bytes of length. A
/// packet has at most 64 KiB.
pub(crate) fn message(packet: &[u8]) -> Result<Bytes, Reason> {
    let mut message = BytesMut::with_capacity(5 + packet.len());
    message.put_u8(0);
    message.put_u32(u32::try_from(packet.len()).map_err(|_| Reason::ProtocolError)?);
    message.put_slice(packet);
    Ok(message.freeze())
}

struct Receiver {
    role: Role,
    /// Until it is dropped.
    stream: Option<Streaming<Bytes>>,
    shared: Arc<Shared>,
}

impl PacketReceiver for Receiver {
    fn poll_receive(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Bytes, Reason>> {
        let this = &mut *self;
        // The stream is there for as long as the half is, and after its error it says that it has
        // ended: then the connection's fate is the answer.
        let Some(stream) = &mut this.stream else {
            return this.shared.poll_fate(Half::Receiver, cx).map(Err);
        };
        match ready!(Pin::new(&mut *stream).poll_next(cx)) {
            Some(Ok(packet)) => Poll::Ready(Ok(packet)),
            None => Poll::Ready(Err(Reason::ClosedByPeer)),
            Some(Err(status)) => match reason_of(&status, this.role) {
                Some(reason) => Poll::Ready(Err(reason)),
                None => {
                    this.stream = None;
                    this.shared.poll_fate(Half::Receiver, cx).map(Err)
                }
            },
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        match self.stream.take() {
            Some(stream) if self.shared.is_closed() => self.shared.linger(stream),
            stream => self.shared.cut(stream.map(|stream| Box::new(stream) as Remains)),
        }
    }
}

/// What ended the stream; `None` if it was its connection, whose task knows.
pub(crate) fn reason_of(status: &Status, role: Role) -> Option<Reason> {
    if let Some(error) = http2_error(status) {
        return stream_reason(error);
    }
    // What is said here itself about undecodable messages; anything else is the answer of a server,
    // and none of ours ends a stream with an error.
    let ours = matches!(status.code(), Code::OutOfRange | Code::Internal | Code::Unimplemented);
    Some(if ours || role == Role::Server { Reason::ProtocolError } else { Reason::StreamLost })
}

fn stream_reason(error: &h2::Error) -> Option<Reason> {
    if !error.is_reset() {
        None
    } else if error.is_remote() {
        Some(Reason::StreamLost)
    } else {
        Some(Reason::ProtocolError)
    }
}

/// The trailers of an orderly end.
fn success() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers
}
