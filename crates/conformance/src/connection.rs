//! One end of a connection, as far as both sides need it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use moorline_link::{Lane, Reason};
use moorline_transport::Connection;
use tokio::time::{Instant, timeout, timeout_at};

/// A connection that reads while it writes: a peer that does the same one after the other is not held up.
pub(crate) struct Line {
    connection: Connection,
    /// Read, and not asked for yet.
    read: VecDeque<Result<Bytes, Reason>>,
    has_ended: bool,
}

impl Line {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, read: VecDeque::new(), has_ended: false }
    }

    /// Sends a packet, whatever is in it. Whether the connection still is one is found by reading.
    pub(crate) async fn send(&mut self, packet: Bytes, lane: Lane, patience: Duration) {
        let mut packet = Some(packet);
        let sending = poll_fn(|cx| {
            // What cannot be taken in yet is kept, so that the peer goes on.
            self.read_on(cx);
            let sender = &mut self.connection.sender;
            if packet.is_some() {
                match Pin::new(&mut **sender).poll_ready(cx) {
                    Poll::Ready(Ok(())) => {
                        let sent =
                            packet.take().map(|packet| Pin::new(&mut **sender).send(packet, lane));
                        if sent.is_some_and(|sent| sent.is_err()) {
                            return Poll::Ready(());
                        }
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
            Pin::new(&mut **sender).poll_flush(cx).map(drop)
        });
        // The receiving half knows better why.
        let _ = timeout(patience, sending).await;
    }

    fn read_on(&mut self, cx: &mut Context<'_>) {
        /// Packets that are kept; a peer that says more meanwhile waits.
        const KEPT: usize = 4_096;
        while !self.has_ended && self.read.len() < KEPT {
            match Pin::new(&mut *self.connection.receiver).poll_receive(cx) {
                Poll::Ready(read) => {
                    self.has_ended = read.is_err();
                    self.read.push_back(read);
                }
                Poll::Pending => return,
            }
        }
    }

    /// The next packet, if there is one in time; an error is the end of the connection.
    pub(crate) async fn receive(&mut self, end: Instant) -> Option<Result<Bytes, Reason>> {
        let receiving = poll_fn(|cx| {
            self.read_on(cx);
            self.read.pop_front().map_or(Poll::Pending, Poll::Ready)
        });
        timeout_at(end, receiving).await.ok()
    }

    /// Ends this direction in order, and reads what still comes until the peer has ended its own; for no
    /// longer than this.
    pub(crate) async fn close(mut self, patience: Duration) {
        let end = Instant::now() + patience;
        let closing = poll_fn(|cx| {
            self.read_on(cx);
            Pin::new(&mut *self.connection.sender).poll_close(cx)
        });
        let _ = timeout_at(end, closing).await;
        while let Some(Ok(_)) = self.receive(end).await {}
    }
}
