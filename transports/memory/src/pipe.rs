//! Two bounded queues that make a connection.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use moorline_link::{Lane, Reason};
use moorline_transport::{
    Authority, Connection, PACKET_MAX, PacketReceiver, PacketSender, UNWRITTEN_MAX,
};

/// The two ends of a new connection; each is told how to call the other one.
pub(crate) fn connection(dialled: String, accepted: String) -> (Connection, Connection) {
    let shared = Arc::new(Mutex::new([Pipe::default(), Pipe::default()]));
    let end = |side: usize, peer: String| Connection {
        sender: Box::new(Sender { side, shared: Arc::clone(&shared) }),
        receiver: Box::new(Receiver { side, shared: Arc::clone(&shared) }),
        peer,
        identity: None,
        authority: Authority::this_machine(),
    };
    (end(0, dialled), end(1, accepted))
}

/// By the side that writes: packets on their way to the other one.
type Shared = Arc<Mutex<[Pipe; 2]>>;

#[derive(Default)]
struct Pipe {
    queue: VecDeque<Bytes>,
    bytes: usize,
    flow: Flow,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Default)]
enum Flow {
    #[default]
    Open,
    /// Ends in order behind what is queued.
    Closing,
    /// Over: what was queued is lost.
    Cut(Reason),
}

impl Pipe {
    /// Ends it at once; the wakers are to be woken when the lock is free (P100).
    fn cut(&mut self, reason: Reason) -> [Option<Waker>; 2] {
        self.flow = Flow::Cut(reason);
        self.queue.clear();
        self.bytes = 0;
        [self.reader.take(), self.writer.take()]
    }

    fn wait_to_write(&mut self, cx: &Context<'_>) -> Poll<Result<(), Reason>> {
        self.writer = Some(cx.waker().clone());
        Poll::Pending
    }
}

// A panic cannot happen under this lock, so a poisoned one holds whole values.
fn lock(shared: &Shared) -> MutexGuard<'_, [Pipe; 2]> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wake(wakers: impl IntoIterator<Item = Option<Waker>>) {
    wakers.into_iter().flatten().for_each(Waker::wake);
}

/// Ends both directions, but for one that its writer had closed in order.
fn cut(shared: &Shared) {
    let wakers = lock(shared).each_mut().map(|pipe| match pipe.flow {
        Flow::Open => pipe.cut(Reason::TransportReset),
        Flow::Closing | Flow::Cut(_) => [pipe.reader.take(), pipe.writer.take()],
    });
    wake(wakers.into_iter().flatten());
}

struct Sender {
    side: usize,
    shared: Shared,
}

impl PacketSender for Sender {
    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        let pipe = &mut lock(&self.shared)[self.side];
        match pipe.flow {
            Flow::Open if pipe.bytes < UNWRITTEN_MAX => Poll::Ready(Ok(())),
            Flow::Open => pipe.wait_to_write(cx),
            Flow::Closing => Poll::Ready(Err(Reason::ClosedByPeer)),
            Flow::Cut(reason) => Poll::Ready(Err(reason)),
        }
    }

    fn send(self: Pin<&mut Self>, packet: Bytes, _lane: Lane) -> Result<(), Reason> {
        let reader = {
            let pipe = &mut lock(&self.shared)[self.side];
            match pipe.flow {
                Flow::Open => {}
                Flow::Closing => return Err(Reason::ClosedByPeer),
                Flow::Cut(reason) => return Err(reason),
            }
            pipe.bytes += packet.len();
            pipe.queue.push_back(packet);
            pipe.reader.take()
        };
        wake([reader]);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        let pipe = &mut lock(&self.shared)[self.side];
        match pipe.flow {
            Flow::Open | Flow::Closing if pipe.queue.is_empty() => Poll::Ready(Ok(())),
            Flow::Open | Flow::Closing => pipe.wait_to_write(cx),
            Flow::Cut(reason) => Poll::Ready(Err(reason)),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        let reader = {
            let pipe = &mut lock(&self.shared)[self.side];
            match pipe.flow {
                Flow::Open => {
                    pipe.flow = Flow::Closing;
                    pipe.reader.take()
                }
                Flow::Closing | Flow::Cut(_) => None,
            }
        };
        wake([reader]);
        self.poll_flush(cx)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let closed = matches!(lock(&self.shared)[self.side].flow, Flow::Closing);
        if !closed {
            cut(&self.shared);
        }
    }
}

struct Receiver {
    side: usize,
    shared: Shared,
}

impl PacketReceiver for Receiver {
    fn poll_receive(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Bytes, Reason>> {
        let (packet, wakers) = {
            let pipe = &mut lock(&self.shared)[1 - self.side];
            let Some(packet) = pipe.queue.pop_front() else {
                return match pipe.flow {
                    Flow::Open => {
                        pipe.reader = Some(cx.waker().clone());
                        Poll::Pending
                    }
                    Flow::Closing => Poll::Ready(Err(Reason::ClosedByPeer)),
                    Flow::Cut(reason) => Poll::Ready(Err(reason)),
                };
            };
            pipe.bytes -= packet.len();
            if packet.len() > PACKET_MAX {
                (Err(Reason::ProtocolError), pipe.cut(Reason::TransportReset))
            } else {
                (Ok(packet), [pipe.writer.take(), None])
            }
        };
        wake(wakers);
        Poll::Ready(packet)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let wakers = {
            let pipes = &mut *lock(&self.shared);
            let (ours, theirs) = (pipes[self.side].flow, &mut pipes[1 - self.side]);
            match (ours, theirs.flow) {
                // Both ends are closed in order, and all has been read: nothing is over that was not.
                (Flow::Closing, Flow::Closing) if theirs.queue.is_empty() => Some([None, None]),
                // Our own end is closed in order and may still be read: only what comes in is over.
                (Flow::Closing, Flow::Open | Flow::Closing | Flow::Cut(_)) => {
                    Some(theirs.cut(Reason::ClosedByPeer))
                }
                (Flow::Open | Flow::Cut(_), _) => None,
            }
        };
        match wakers {
            Some(wakers) => wake(wakers),
            None => cut(&self.shared),
        }
    }
}
