//! What the two halves of a connection share with the task that drives it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use moorline_link::Reason;
use tonic::Streaming;

/// A connection as its halves and its task see it.
#[derive(Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Why the connection is over, once its task has ended.
    fate: Option<Reason>,
    /// A half was dropped: end it at once.
    cut: bool,
    /// What is left of the halves: dropped behind the connection, so that no reset of the stream
    /// travels ahead of its end.
    remains: Vec<Remains>,
    /// Our direction has ended in order.
    closed: bool,
    /// Our end is closed and nobody reads any more: what still comes in is read until the peer ends.
    lingering: Option<Box<Streaming<Bytes>>>,
    /// Times the task began to move bytes, and the last of them that it came to an end of.
    begun: u64,
    completed: u64,
    task: Option<Waker>,
    sender: Option<Waker>,
    receiver: Option<Waker>,
}

/// Which half waits.
#[derive(Clone, Copy)]
pub(crate) enum Half {
    Sender,
    Receiver,
}

/// What is left of a half: of no more use, but not to be dropped yet.
pub(crate) type Remains = Box<dyn Send>;

/// What the halves ask of the task.
pub(crate) enum Wish {
    Drive,
    Cut,
    Linger(Box<Streaming<Bytes>>),
}

impl Shared {
    // A panic cannot happen under this lock, so a poisoned one holds whole values.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the task to say why the connection is over. It always does: see [`Driven`].
    pub(crate) fn poll_fate(&self, half: Half, cx: &Context<'_>) -> Poll<Reason> {
        let mut state = self.lock();
        if let Some(fate) = state.fate {
            return Poll::Ready(fate);
        }
        let waker = Some(cx.waker().clone());
        match half {
            Half::Sender => state.sender = waker,
            Half::Receiver => state.receiver = waker,
        }
        Poll::Pending
    }

    pub(crate) fn fate(&self) -> Option<Reason> {
        self.lock().fate
    }

    /// The connection is not driven any more.
    pub(crate) fn set_fate(&self, reason: Reason) {
        let (wakers, remains) = {
            let mut state = self.lock();
            state.fate.get_or_insert(reason);
            let remains = (state.lingering.take(), std::mem::take(&mut state.remains));
            ([state.sender.take(), state.receiver.take()], remains)
        };
        drop(remains);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Our direction has ended in order. Returns what [`Shared::poll_passed`] waits behind.
    pub(crate) fn close(&self) -> u64 {
        let (task, begun) = {
            let mut state = self.lock();
            state.closed = true;
            (state.task.take(), state.begun)
        };
        // The task may have moved the end already: it is made to pass once more, behind `begun`.
        task.into_iter().for_each(Waker::wake);
        begun
    }

    /// Ready when the task has moved bytes from beginning to end after `begun`: then what was handed
    /// to it before has reached the socket, as far as that takes it.
    pub(crate) fn poll_passed(&self, begun: u64, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.completed > begun || state.fate.is_some() {
            return Poll::Ready(());
        }
        state.sender = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The task has moved what could be moved.
    pub(crate) fn pass(&self) {
        let sender = {
            let mut state = self.lock();
            state.completed = state.begun;
            if state.closed { state.sender.take() } else { None }
        };
        sender.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    pub(crate) fn cut(&self, remains: Option<Remains>) {
        let task = {
            let mut state = self.lock();
            if state.fate.is_some() {
                return;
            }
            state.cut = true;
            state.remains.extend(remains);
            state.task.take()
        };
        task.into_iter().for_each(Waker::wake);
    }

    /// Hands over what is left to read. Dropping it would reset the stream, and the peer might see
    /// that before it has read what was sent.
    pub(crate) fn linger(&self, stream: Streaming<Bytes>) {
        let task = {
            let mut state = self.lock();
            if state.fate.is_some() {
                return;
            }
            state.lingering = Some(Box::new(stream));
            state.task.take()
        };
        task.into_iter().for_each(Waker::wake);
    }

    /// What the task is to do; it is woken when that changes.
    pub(crate) fn wish(&self, cx: &Context<'_>) -> Wish {
        let mut state = self.lock();
        state.begun += 1;
        state.task = Some(cx.waker().clone());
        if state.cut {
            return Wish::Cut;
        }
        state.lingering.take().map_or(Wish::Drive, Wish::Linger)
    }
}

/// Goes with what drives a connection: however that ends, nobody waits for word of it in vain.
pub(crate) struct Driven(pub(crate) Arc<Shared>);

impl Drop for Driven {
    fn drop(&mut self) {
        // Who knows better has said so before.
        self.0.set_fate(Reason::TransportReset);
    }
}

/// Cuts the connection when it is dropped: whatever ends a dial early ends its connection too.
pub(crate) struct Guard(pub(crate) Option<Arc<Shared>>);

impl Guard {
    /// Somebody else looks after it from here on.
    pub(crate) fn release(mut self) {
        self.0 = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.cut(None);
        }
    }
}
