//! The messages of a stream, for a fuzz target.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use http_body::{Body, Frame};
use moorline_link::Reason;
use moorline_transport::PACKET_MAX;
use tonic::Streaming;

use crate::halves::{Role, message, reason_of};
use crate::inflow::Raw;

/// Bytes before each message.
const PREFIX: usize = 5;

/// Reads any bytes as what a worker sends in its stream: all at once, and in frames of as many bytes as the
/// first one says. Both find the same packets, which are written as they were read; whatever is none is a
/// protocol error.
pub fn grpc_messages(bytes: &[u8]) {
    let Some((piece, sent)) = bytes.split_first() else { return };
    let whole = read(sent, sent.len());
    assert_eq!(read(sent, 1 + usize::from(*piece)), whole, "it matters how it arrives");
    let (packets, end) = whole;
    assert!(packets.iter().all(|packet| packet.len() <= PACKET_MAX), "a packet is too long");
    let written = packets.iter().map(|packet| message(packet).expect("it is short"));
    let written: Vec<u8> = written.flatten().collect();
    let rest = sent.strip_prefix(&*written).expect("it is written as it was read");
    match end {
        Some(Reason::ProtocolError) => assert!(!rest.is_empty(), "nothing was wrong"),
        // One that ends right behind the length of a message is an end to tonic.
        None => assert!(rest.is_empty() || rest.len() == PREFIX, "{} bytes are none", rest.len()),
        Some(other) => panic!("{other}"),
    }
}

/// The packets, and what was wrong behind them.
fn read(sent: &[u8], piece: usize) -> (Vec<Bytes>, Option<Reason>) {
    let frames = sent.chunks(piece.max(1)).map(Bytes::copy_from_slice).collect();
    let mut messages = Streaming::new_request(Raw, Sent(frames), None, Some(PACKET_MAX));
    let mut packets = Vec::new();
    loop {
        // All of it is there, so nothing is waited for.
        match messages.next().now_or_never().expect("it does not wait") {
            Some(Ok(packet)) => packets.push(packet),
            Some(Err(status)) => return (packets, reason_of(&status, Role::Server)),
            None => return (packets, None),
        }
    }
}

/// A stream that was sent in these frames, and has ended.
struct Sent(VecDeque<Bytes>);

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|data| Ok(Frame::data(data))))
    }
}
