//! From HTTP/2 data to packets.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::RecvStream;
use http_body::{Body, Frame};
use tonic::Status;
use tonic::codec::{DecodeBuf, Decoder};

/// The body of a stream, for tonic to find messages in. What it hands on may be sent again: so what
/// is unread is bounded by the window.
pub(crate) struct Inflow {
    stream: RecvStream,
    data_done: bool,
}

impl Inflow {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self { stream, data_done: false }
    }
}

impl Body for Inflow {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if !self.data_done {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    self.stream.flow_control().release_capacity(data.len()).map_err(Broken)?;
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(Broken(error)))),
                None => self.data_done = true,
            }
        }
        match ready!(self.stream.poll_trailers(cx)) {
            Ok(trailers) => Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers)))),
            Err(error) => Poll::Ready(Some(Err(Broken(error)))),
        }
    }
}

/// Messages are packets as they are.
pub(crate) struct Raw;

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, src: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(src.copy_to_bytes(src.remaining())))
    }
}

/// An HTTP/2 error on its way through tonic, which would take some of them for an orderly end.
#[derive(Debug)]
pub(crate) struct Broken(h2::Error);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Broken {}

/// The HTTP/2 error behind a status, if that is what it came from.
pub(crate) fn http2_error(status: &Status) -> Option<&h2::Error> {
    status.source()?.downcast_ref().map(|Broken(error)| error)
}
