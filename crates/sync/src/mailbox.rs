//! A queue from many to one.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::primitives::{Mutex, lock};

/// A queue from many to one, in the order of sending. It has no bound of its own: it is for what its
/// senders are bounded in already, such as one end for each run.
///
/// ```
/// use std::task::{Context, Poll, Waker};
///
/// let (sender, mut receiver) = moorline_sync::mailbox();
/// let mut cx = Context::from_waker(Waker::noop());
/// assert_eq!(receiver.poll_next(&mut cx), Poll::Pending);
/// sender.send(1).expect("somebody reads");
/// drop(sender);
/// assert_eq!(receiver.poll_next(&mut cx), Poll::Ready(Some(1)));
/// assert_eq!(receiver.poll_next(&mut cx), Poll::Ready(None));
/// ```
#[must_use]
pub fn mailbox<T>() -> (Sender<T>, Receiver<T>) {
    let state = State { queue: VecDeque::new(), reader: None, is_read: true, is_fed: true };
    let shared = Arc::new(Shared { state: Mutex::new(state) });
    let feed = Arc::new(Feed { shared: Arc::clone(&shared) });
    (Sender { feed }, Receiver { shared, taken: VecDeque::new() })
}

struct Shared<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    queue: VecDeque<T>,
    /// Waits for the next.
    reader: Option<Waker>,
    is_read: bool,
    is_fed: bool,
}

/// The end to put things in. Cloning gives another one.
///
/// ```
/// let (sender, receiver) = moorline_sync::mailbox();
/// drop(receiver);
/// assert_eq!(sender.send("to nobody"), Err("to nobody"));
/// ```
pub struct Sender<T> {
    feed: Arc<Feed<T>>,
}

/// Ends with the last sender.
struct Feed<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Puts this behind all that was sent before. Never waits.
    ///
    /// # Errors
    /// Nobody reads any more: the value is given back.
    pub fn send(&self, value: T) -> Result<(), T> {
        let reader = {
            let mut state = lock(&self.feed.shared.state);
            if !state.is_read {
                return Err(value);
            }
            state.queue.push_back(value);
            state.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
        Ok(())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { feed: Arc::clone(&self.feed) }
    }
}

impl<T> Drop for Feed<T> {
    fn drop(&mut self) {
        let reader = {
            let mut state = lock(&self.shared.state);
            state.is_fed = false;
            state.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// The end that reads. Dropping it drops what was not read.
///
/// ```
/// let (sender, mut receiver) = moorline_sync::mailbox();
/// sender.send(1).expect("somebody reads");
/// assert_eq!(receiver.try_next(), Some(1));
/// assert_eq!(receiver.try_next(), None);
/// ```
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// Taken from the queue, all that was there, and not read yet.
    taken: VecDeque<T>,
}

impl<T> Receiver<T> {
    /// The next value; `None` when all senders are gone and all was read. Pending, it wakes the task of
    /// `cx` at the next one.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if let Some(value) = self.taken.pop_front() {
            return Poll::Ready(Some(value));
        }
        let before = {
            let mut state = lock(&self.shared.state);
            std::mem::swap(&mut state.queue, &mut self.taken);
            if let Some(value) = self.taken.pop_front() {
                return Poll::Ready(Some(value));
            }
            if !state.is_fed {
                return Poll::Ready(None);
            }
            state.reader.replace(cx.waker().clone())
        };
        drop(before);
        Poll::Pending
    }

    /// The next value, if one is there. Wakes nobody.
    pub fn try_next(&mut self) -> Option<T> {
        if self.taken.is_empty() {
            std::mem::swap(&mut lock(&self.shared.state).queue, &mut self.taken);
        }
        self.taken.pop_front()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let left = {
            let mut state = lock(&self.shared.state);
            state.is_read = false;
            (std::mem::take(&mut state.queue), state.reader.take())
        };
        // What is dropped here may send.
        drop(left);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
