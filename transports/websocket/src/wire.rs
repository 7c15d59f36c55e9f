//! What lies between a socket and the frames on it.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};
use futures::io::{AsyncRead, AsyncWrite};

use crate::settings::{KEPT, MESSAGE_MAX, OUT_MAX, READS};

/// A byte stream as `tungstenite` wants it: reading does not wait, and what is written waits here until
/// it is moved, so that many frames leave at once.
pub(crate) struct Wire<S> {
    stream: S,
    /// What arrived behind the upgrade: it is read first.
    said: Vec<u8>,
    /// Wakes both halves: which of them moves bytes differs from time to time.
    waker: Waker,
    out: BytesMut,
    /// Reads that are left until others have their turn.
    reads: u32,
    /// Something arrived since this was last set back.
    pub(crate) heard: bool,
    /// Bytes that arrived of the message that is waited for.
    of_message: usize,
    /// Something of WebSocket's own waits here, which no half asks to have written.
    urgent: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S, said: Vec<u8>, waker: Waker) -> Self {
        let out = BytesMut::new();
        Self { stream, said, waker, out, reads: READS, heard: false, of_message: 0, urgent: false }
    }

    /// Bytes that wait here.
    pub(crate) fn unwritten(&self) -> usize {
        self.out.len()
    }

    /// Lets it read again, so often.
    pub(crate) fn renew(&mut self) {
        self.reads = READS;
    }

    /// Moves what waits. Ready when nothing is left.
    pub(crate) fn poll_out(&mut self) -> Poll<io::Result<()>> {
        let Self { stream, waker, out, .. } = self;
        let mut cx = Context::from_waker(waker);
        while !out.is_empty() {
            let count = ready!(Pin::new(&mut *stream).poll_write(&mut cx, out))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            out.advance(count);
        }
        if out.capacity() > KEPT {
            *out = BytesMut::new();
        }
        ready!(Pin::new(stream).poll_flush(&mut cx))?;
        self.urgent = false;
        Poll::Ready(Ok(()))
    }

    /// Moves what waits if some of it is WebSocket's own. Whether that fails shows when it is read.
    pub(crate) fn move_urgent(&mut self) {
        if self.urgent {
            let _ = self.poll_out();
        }
    }

    /// The message that was waited for is there.
    pub(crate) fn message_ends(&mut self) {
        self.of_message = 0;
    }

    /// So many of the bytes that arrived were not of a message.
    pub(crate) fn other(&mut self, count: usize) {
        self.of_message = self.of_message.saturating_sub(count);
    }

    /// Ends the stream in order, as far as it goes at once.
    pub(crate) fn end(&mut self) {
        let _ = self.poll_out();
        let _ = Pin::new(&mut self.stream).poll_close(&mut Context::from_waker(Waker::noop()));
    }
}

impl<S: AsyncRead + Unpin> Read for Wire<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.reads == 0 {
            self.waker.wake_by_ref();
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.of_message > MESSAGE_MAX {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        self.reads -= 1;
        if !self.said.is_empty() {
            let count = self.said.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.said[..count]);
            self.said.drain(..count);
            if self.said.is_empty() {
                self.said = Vec::new();
            }
            return Ok(count);
        }
        let mut cx = Context::from_waker(&self.waker);
        match Pin::new(&mut self.stream).poll_read(&mut cx, buffer) {
            Poll::Ready(Ok(count)) => {
                self.heard |= count > 0;
                self.of_message += count;
                Ok(count)
            }
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<S> Write for Wire<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.out.len() + bytes.len() > OUT_MAX {
            // Only answers to pings come so far: packets are not taken any more.
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Called behind what `tungstenite` writes unasked.
    fn flush(&mut self) -> io::Result<()> {
        self.urgent = true;
        Ok(())
    }
}
