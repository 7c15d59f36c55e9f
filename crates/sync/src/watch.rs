//! A value that one side changes and many look at, with a version to wait for.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::primitives::{Mutex, lock};

/// A shared value, cheap to clone. Who waits sees the latest one, never a queue of them (P103).
///
/// ```
/// use moorline_sync::Watch;
///
/// let state = Watch::new("connecting");
/// let seen = state.version();
/// state.set("active", true);
/// # futures::executor::block_on(async {
/// assert_eq!(state.changed(seen).await, 1);
/// let active = state.until(|state| (*state == "active").then_some(7)).await;
/// assert_eq!(active, 7);
/// # });
/// ```
pub struct Watch<T> {
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
    pub fn new(value: T) -> Self {
        let shared = Shared { value, version: 0, wakers: Vec::new(), next_waiter: 0 };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    /// The value now.
    #[must_use]
    pub fn get(&self) -> T {
        lock(&self.shared).value.clone()
    }

    /// How often it was replaced with a notice.
    #[must_use]
    pub fn version(&self) -> u64 {
        lock(&self.shared).version
    }

    /// Replaces the value. It is a new version, for which waiters are woken, only if `notify`.
    pub fn set(&self, value: T, notify: bool) {
        let (before, woken) = {
            let mut shared = lock(&self.shared);
            let before = std::mem::replace(&mut shared.value, value);
            if notify {
                shared.version += 1;
                (before, std::mem::take(&mut shared.wakers))
            } else {
                (before, Vec::new())
            }
        };
        for (_, waker) in woken {
            waker.wake();
        }
        drop(before);
    }

    /// Resolves with the version once it is newer than `seen`. Cancel-safe.
    pub async fn changed(&self, seen: u64) -> u64 {
        let waiter = Waiter { watch: self, id: self.new_waiter() };
        poll_fn(|cx| {
            let before = {
                let mut shared = lock(&self.shared);
                if shared.version > seen {
                    return Poll::Ready(shared.version);
                }
                let waker = cx.waker().clone();
                match shared.wakers.iter_mut().find(|(id, _)| *id == waiter.id) {
                    Some((_, before)) => Some(std::mem::replace(before, waker)),
                    None => {
                        shared.wakers.push((waiter.id, waker));
                        None
                    }
                }
            };
            drop(before);
            Poll::Pending
        })
        .await
    }

    /// Resolves with the answer once the value gives one; it is asked at each version, under its lock.
    /// Cancel-safe.
    pub async fn until<R>(&self, mut want: impl FnMut(&T) -> Option<R>) -> R {
        loop {
            let (seen, found) = {
                let shared = lock(&self.shared);
                (shared.version, want(&shared.value))
            };
            match found {
                Some(found) => return found,
                None => self.changed(seen).await,
            };
        }
    }

    fn new_waiter(&self) -> u64 {
        let mut shared = lock(&self.shared);
        shared.next_waiter += 1;
        shared.next_waiter
    }
}

impl<T: Clone + fmt::Debug> fmt::Debug for Watch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.get()).finish()
    }
}

struct Waiter<'a, T: Clone> {
    watch: &'a Watch<T>,
    id: u64,
}

impl<T: Clone> Drop for Waiter<'_, T> {
    fn drop(&mut self) {
        let waker = {
            let mut shared = lock(&self.watch.shared);
            let at = shared.wakers.iter().position(|(id, _)| *id == self.id);
            at.map(|at| shared.wakers.swap_remove(at))
        };
        drop(waker);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
