//! A value that one side changes and many look at, with a version to wait for.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// A shared value. The lock is held only to copy or replace it (P100); waiters see the latest value,
/// never a queue of them (P103).
pub(crate) struct Watch<T> {
    shared: Arc<Mutex<Shared<T>>>,
}

struct Shared<T> {
    value: T,
    version: u64,
    // By waiter, so that one that polls often is woken once.
    wakers: Vec<(u64, Waker)>,
    next_waiter: u64,
}

impl<T> Clone for Watch<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T: Clone> Watch<T> {
    /// A value at version 0.
    pub(crate) fn new(value: T) -> Self {
        let shared = Shared { value, version: 0, wakers: Vec::new(), next_waiter: 0 };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    pub(crate) fn get(&self) -> T {
        self.lock().value.clone()
    }

    /// Replaces the value. It is a new version, for which waiters are woken, only if `notify`.
    pub(crate) fn set(&self, value: T, notify: bool) {
        let woken = {
            let mut shared = self.lock();
            shared.value = value;
            if !notify {
                return;
            }
            shared.version += 1;
            std::mem::take(&mut shared.wakers)
        };
        for (_, waker) in woken {
            waker.wake();
        }
    }

    /// Resolves with the version once it is newer than `seen`.
    pub(crate) async fn changed(&self, seen: u64) -> u64 {
        let waiter = Waiter { watch: self, id: self.new_waiter() };
        poll_fn(|cx| {
            let mut shared = self.lock();
            if shared.version > seen {
                return Poll::Ready(shared.version);
            }
            match shared.wakers.iter_mut().find(|(id, _)| *id == waiter.id) {
                Some((_, waker)) => waker.clone_from(cx.waker()),
                None => shared.wakers.push((waiter.id, cx.waker().clone())),
            }
            Poll::Pending
        })
        .await
    }

    /// Resolves with the value once it answers `want`.
    pub(crate) async fn until<R>(&self, mut want: impl FnMut(&T) -> Option<R>) -> R {
        loop {
            let (seen, found) = {
                let shared = self.lock();
                (shared.version, want(&shared.value))
            };
            match found {
                Some(found) => return found,
                None => self.changed(seen).await,
            };
        }
    }

    fn new_waiter(&self) -> u64 {
        let mut shared = self.lock();
        shared.next_waiter += 1;
        shared.next_waiter
    }

    // A panic cannot happen under this lock, so a poisoned one holds a whole value.
    fn lock(&self) -> MutexGuard<'_, Shared<T>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Waiter<'a, T: Clone> {
    watch: &'a Watch<T>,
    id: u64,
}

impl<T: Clone> Drop for Waiter<'_, T> {
    fn drop(&mut self) {
        self.watch.lock().wakers.retain(|(id, _)| *id != self.id);
    }
}

#[cfg(test)]
mod tests;
