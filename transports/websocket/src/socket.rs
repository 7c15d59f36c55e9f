//! An open WebSocket: messages in and out, pings, and the end. It is moved by whoever polls it.

use std::io;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use futures::FutureExt;
use futures::io::{AsyncRead, AsyncWrite};
use moorline_link::Reason;
use moorline_transport::{PACKET_MAX, UNWRITTEN_MAX};
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use crate::net::{Runtime, Timer};
use crate::settings::{BATCH, KEPT, LINGER, OUT_MAX, PING_EVERY, PONG_WITHIN, PREFIX, READ_BUFFER};
use crate::wire::Wire;

/// What WebSocket is spoken over.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Duplex for S {}

/// An open WebSocket. What an error says is how it ended: then it is of no more use.
pub(crate) struct Socket<S: Duplex> {
    frames: WebSocket<Wire<S>>,
    role: Role,
    runtime: Runtime,
    keepalive: Keepalive,
    end: End,
    /// Writing failed. What has arrived counts still, and says why.
    broken: bool,
}

/// How far our direction has ended.
enum End {
    No,
    /// A close frame is on its way.
    Said,
    /// It was written, and the peer may take so long to answer it.
    Written(Timer),
    /// The peer had its time.
    Lingered,
}

impl<S: Duplex> Socket<S> {
    /// Behind the upgrade, and behind what the peer has said already.
    pub(crate) fn new(
        stream: S,
        said: Vec<u8>,
        role: Role,
        runtime: Runtime,
        waker: Waker,
    ) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            // What waits is in the wire, where it is counted.
            .write_buffer_size(0)
            .max_write_buffer_size(OUT_MAX)
            .max_message_size(Some(PACKET_MAX))
            .max_frame_size(Some(PACKET_MAX));
        let wire = Wire::new(stream, said, waker);
        Self {
            frames: WebSocket::from_raw_socket(wire, role, Some(config)),
            role,
            runtime,
            keepalive: Keepalive { timer: runtime.sleep(PING_EVERY), waits: false },
            end: End::No,
            broken: false,
        }
    }

    /// Whether our direction is ending, or has.
    pub(crate) fn is_ending(&self) -> bool {
        !matches!(self.end, End::No)
    }

    /// Whether our direction has ended, and all of it was written.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.end, End::Written(_) | End::Lingered)
    }

    /// The next packet.
    pub(crate) fn poll_packet(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Reason>> {
        self.frames.get_mut().renew();
        let read = self.poll_message();
        self.frames.get_mut().move_urgent();
        if read.is_ready() {
            return read;
        }
        // Behind what has arrived: an answer may have waited for this process, not the other way.
        let is_silent = self.keepalive.poll(&mut self.frames, cx).is_ready();
        if is_silent { Poll::Ready(Err(Reason::HalfOpen)) } else { Poll::Pending }
    }

    fn poll_message(&mut self) -> Poll<Result<Bytes, Reason>> {
        loop {
            match self.frames.read() {
                Ok(Message::Binary(packet)) => {
                    self.frames.get_mut().message_ends();
                    return Poll::Ready(Ok(packet));
                }
                // Its answer is written by the next call of `read`.
                Ok(Message::Ping(payload)) => self.frames.get_mut().other(payload.len() + PREFIX),
                Ok(Message::Pong(payload)) => {
                    self.frames.get_mut().other(payload.len() + PREFIX);
                    self.keepalive.answered();
                }
                Ok(Message::Close(frame)) => {
                    // Says so too; that it has ended now is no news.
                    let _ = self.frames.flush();
                    return Poll::Ready(Err(close_reason(frame.as_ref())));
                }
                Ok(Message::Text(_) | Message::Frame(_)) => {
                    return Poll::Ready(Err(self.refuse(CloseCode::Unsupported)));
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Poll::Pending;
                }
                Err(error) => {
                    let reason = reason_of(&error);
                    if reason == Reason::ProtocolError {
                        self.refuse(CloseCode::Protocol);
                    }
                    return Poll::Ready(Err(reason));
                }
            }
        }
    }

    /// Tells the peer, as far as that goes at once, what it did.
    fn refuse(&mut self, code: CloseCode) -> Reason {
        let frame = CloseFrame { code, reason: "".into() };
        let _ = self.frames.close(Some(frame));
        Reason::ProtocolError
    }

    /// Whether another packet is taken.
    pub(crate) fn poll_ready(&mut self) -> Poll<Result<(), Reason>> {
        if self.frames.get_ref().unwritten() >= BATCH || self.broken {
            match self.poll_written() {
                Poll::Ready(Ok(())) | Poll::Pending => {}
                Poll::Ready(Err(reason)) => return Poll::Ready(Err(reason)),
            }
        }
        let is_ready = self.frames.get_ref().unwritten() < UNWRITTEN_MAX;
        if is_ready { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Takes a packet.
    pub(crate) fn send(&mut self, packet: Bytes) -> Result<(), Reason> {
        if self.broken {
            return Err(Reason::TransportReset);
        }
        let written = if packet.len() > KEPT {
            self.write_large(packet)
        } else {
            self.frames.write(Message::Binary(packet))
        };
        written.map_err(|error| reason_of(&error))
    }

    /// Past the buffer of `tungstenite`, which keeps the size of the largest frame that went through it.
    fn write_large(&mut self, packet: Bytes) -> Result<(), Error> {
        let mut frame = Frame::message(packet, OpCode::Data(Data::Binary), true);
        if self.role == Role::Client {
            let mask = getrandom::u32().map_err(|error| io::Error::other(error.to_string()))?;
            frame.header_mut().mask = Some(mask.to_ne_bytes());
        }
        frame.format(self.frames.get_mut())
    }

    /// Ready when nothing is unwritten.
    pub(crate) fn poll_written(&mut self) -> Poll<Result<(), Reason>> {
        if !self.broken {
            self.broken = ready!(self.frames.get_mut().poll_out()).is_err();
        }
        Poll::Ready(if self.broken { Err(Reason::TransportReset) } else { Ok(()) })
    }

    /// Ends our direction. Ready when that was written.
    pub(crate) fn poll_end(&mut self) -> Poll<Result<(), Reason>> {
        if !self.is_ending() {
            let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
            self.end = End::Said;
            self.frames.close(Some(frame)).map_err(|error| reason_of(&error))?;
        }
        ready!(self.poll_written())?;
        if !self.has_ended() {
            self.end = End::Written(self.runtime.sleep(LINGER));
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when the peer had its time to read the end.
    pub(crate) fn poll_lingered(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.end {
            End::Written(limit) => ready!(limit.poll_unpin(cx)),
            End::Lingered => {}
            End::No | End::Said => return Poll::Pending,
        }
        self.end = End::Lingered;
        Poll::Ready(())
    }

    /// Lets go of it, with the last word that there is.
    pub(crate) fn finish(mut self) {
        self.frames.get_mut().end();
    }
}

/// Pings on a schedule of its own, whatever else travels.
struct Keepalive {
    timer: Timer,
    /// For an answer.
    waits: bool,
}

impl Keepalive {
    fn answered(&mut self) {
        if self.waits {
            self.waits = false;
            self.timer.reset(PING_EVERY);
        }
    }

    /// Ready when a ping was not answered in time, and nothing else was heard either: an answer may be
    /// behind much that travels slowly.
    fn poll<S: Duplex>(
        &mut self,
        frames: &mut WebSocket<Wire<S>>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        loop {
            ready!(self.timer.poll_unpin(cx));
            if self.waits && !frames.get_ref().heard {
                return Poll::Ready(());
            }
            if !self.waits {
                // Where there is no room for it, or behind an end, whatever is heard will do.
                let _ = frames.write(Message::Ping(Bytes::new()));
                let _ = frames.flush();
                frames.get_mut().move_urgent();
                self.waits = true;
            }
            frames.get_mut().heard = false;
            self.timer.reset(PONG_WITHIN);
        }
    }
}

/// What the peer's close frame means.
fn close_reason(frame: Option<&CloseFrame>) -> Reason {
    const OURS: [CloseCode; 5] = [
        CloseCode::Protocol,
        CloseCode::Unsupported,
        CloseCode::Invalid,
        CloseCode::Size,
        CloseCode::Extension,
    ];
    // It says that what was sent here broke the rules.
    let is_blamed = frame.is_some_and(|frame| OURS.contains(&frame.code));
    if is_blamed { Reason::ProtocolError } else { Reason::ClosedByPeer }
}

/// How the connection ended.
fn reason_of(error: &Error) -> Reason {
    use tungstenite::error::ProtocolError;
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => Reason::ClosedByPeer,
        Error::Io(error) if error.kind() != io::ErrorKind::QuotaExceeded => Reason::TransportReset,
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Reason::TransportReset,
        Error::Io(_)
        | Error::Protocol(_)
        | Error::Capacity(_)
        | Error::WriteBufferFull(_)
        | Error::Utf8(_)
        | Error::AttackAttempt
        | Error::Url(_)
        | Error::Tls(_)
        | Error::Http(_)
        | Error::HttpFormat(_) => Reason::ProtocolError,
    }
}
