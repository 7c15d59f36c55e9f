//! The task that moves the bytes of one connection, and knows how it ended.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{FutureExt, Stream};
use h2::{Ping, PingPong};
use moorline_link::Reason;
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tonic::Streaming;

use crate::settings::{LINGER, PING_EVERY, PONG_WITHIN};
use crate::shared::{Driven, Shared, Wish};

/// What differs between the two ends of an HTTP/2 connection.
pub(crate) trait Http2: Send + Unpin {
    /// Moves bytes. Ready with why the connection is over.
    fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<Reason>;

    /// Nothing new is wanted: end when what is there has been sent.
    fn wind_up(&mut self);
}

/// What an error of the connection means.
pub(crate) fn end_reason(error: &h2::Error) -> Reason {
    // Found here, and told to the peer.
    if error.is_go_away() && error.is_library() {
        Reason::ProtocolError
    } else {
        Reason::TransportReset
    }
}

/// Runs a connection to its end.
pub(crate) async fn drive(mut http2: impl Http2, pings: Option<PingPong>, shared: Arc<Shared>) {
    let _driven = Driven(Arc::clone(&shared));
    let mut keepalive = pings.map(Keepalive::new);
    let mut linger: Option<Linger> = None;
    let fate = poll_fn(|cx| {
        match shared.wish(cx) {
            Wish::Cut => return Poll::Ready(Reason::TransportReset),
            Wish::Linger(stream) => linger = Some(Linger::new(stream)),
            Wish::Drive => {}
        }
        if let Some(linger) = &mut linger {
            // Until the peer has ended too, and then until what is there has been sent.
            if linger.poll_peer_ended(cx) {
                http2.wind_up();
            }
            if linger.deadline.as_mut().poll_unpin(cx).is_ready() {
                return Poll::Ready(Reason::TransportReset);
            }
        }
        let driven = http2.poll_drive(cx);
        shared.pass();
        // Behind what has arrived: an answer may have waited for this process, not the other way.
        if driven.is_pending()
            && let Some(keepalive) = &mut keepalive
            && keepalive.poll_silent(cx).is_ready()
        {
            return Poll::Ready(Reason::HalfOpen);
        }
        driven
    })
    .await;
    // The fate first: who sees the connection break asks for it.
    shared.set_fate(fate);
    drop(http2);
}

/// Pings on a schedule of its own, whatever else travels.
struct Keepalive {
    pings: PingPong,
    timer: Pin<Box<Sleep>>,
    waits_for_pong: bool,
}

impl Keepalive {
    fn new(pings: PingPong) -> Self {
        Self { pings, timer: Box::pin(sleep(PING_EVERY)), waits_for_pong: false }
    }

    /// Ready when a ping was not answered in time.
    fn poll_silent(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.waits_for_pong && matches!(self.pings.poll_pong(cx), Poll::Ready(Ok(_))) {
                self.waits_for_pong = false;
                self.timer.as_mut().reset(Instant::now() + PING_EVERY);
            }
            if self.timer.as_mut().poll_unpin(cx).is_pending() {
                return Poll::Pending;
            }
            if self.waits_for_pong {
                return Poll::Ready(());
            }
            // An error is the connection's, which says so itself.
            if self.pings.send_ping(Ping::opaque()).is_err() {
                self.timer.as_mut().reset(Instant::now() + PING_EVERY);
                continue;
            }
            self.waits_for_pong = true;
            self.timer.as_mut().reset(Instant::now() + PONG_WITHIN);
        }
    }
}

/// Our end is closed: reads on until the peer has ended its own, so that nothing resets the stream
/// before the peer has read all of it.
struct Linger {
    stream: Option<Box<Streaming<Bytes>>>,
    deadline: Pin<Box<Sleep>>,
}

impl Linger {
    fn new(stream: Box<Streaming<Bytes>>) -> Self {
        Self { stream: Some(stream), deadline: Box::pin(sleep_until(Instant::now() + LINGER)) }
    }

    fn poll_peer_ended(&mut self, cx: &mut Context<'_>) -> bool {
        while let Some(stream) = &mut self.stream {
            match Pin::new(&mut **stream).poll_next(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_)) | None) => self.stream = None,
                Poll::Pending => return false,
            }
        }
        true
    }
}
