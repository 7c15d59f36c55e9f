//! Who of many wants to be looked at: one list, filled by wakers.

use std::fmt;
use std::sync::{Arc, Weak};
use std::task::{Context, Wake, Waker};

use crate::primitives::atomic::{AtomicBool, Ordering};
use crate::primitives::{Mutex, lock};

/// Those that have something to say, by name: a loop with thousands of connections looks only at these.
///
/// A loop [registers](Self::register) itself, [takes](Self::take) what is listed, and says of each that
/// it is [seen](Mark::seen) before it looks at it: then nothing that happens is missed.
///
/// ```
/// use std::sync::Arc;
/// use std::task::{Context, Waker};
///
/// use moorline_sync::Ready;
///
/// let ready = Arc::new(Ready::default());
/// let of_first = Ready::mark(&ready, "first");
/// let _of_second = Ready::mark(&ready, "second");
/// of_first.wake_by_ref();
///
/// let mut listed = Vec::new();
/// ready.register(&Context::from_waker(Waker::noop()));
/// ready.take(&mut listed);
/// for mark in &listed {
///     mark.seen();
///     assert_eq!(*mark.name(), "first");
/// }
/// assert_eq!(listed.len(), 1);
/// ```
pub struct Ready<N> {
    list: Mutex<List<N>>,
}

struct List<N> {
    marks: Vec<Arc<Mark<N>>>,
    /// Takes the list.
    reader: Option<Waker>,
}

/// Somebody's place in the list: in it at most once.
///
/// ```
/// use std::sync::Arc;
///
/// use moorline_sync::{Mark, Ready};
///
/// let ready = Arc::new(Ready::default());
/// let waker = Ready::mark(&ready, 7);
/// waker.wake_by_ref();
/// waker.wake();
/// let mut listed: Vec<Arc<Mark<i32>>> = Vec::new();
/// ready.take(&mut listed);
/// assert_eq!(listed.len(), 1);
/// ```
pub struct Mark<N> {
    name: N,
    listed: AtomicBool,
    /// Not its owner: a list whose loop has ended may still hold marks that are woken.
    ready: Weak<Ready<N>>,
}

impl<N> Mark<N> {
    /// Whose it is.
    pub fn name(&self) -> &N {
        &self.name
    }

    /// From here on it can be listed again. To be said before it is looked at.
    pub fn seen(&self) {
        // By exchange, not by a store, which a processor may move behind the look: who finds it listed
        // still has written what the look will find.
        self.listed.swap(false, Ordering::AcqRel);
    }
}

impl<N: Send + Sync> Wake for Mark<N> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.listed.swap(true, Ordering::AcqRel) {
            return;
        }
        // Without a list nobody reads it.
        let Some(ready) = self.ready.upgrade() else { return };
        let reader = {
            let mut list = lock(&ready.list);
            list.marks.push(Arc::clone(self));
            list.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
    }
}

impl<N: Send + Sync + 'static> Ready<N> {
    /// A place of this name in the list, as the waker that lists it.
    pub fn mark(ready: &Arc<Self>, name: N) -> Waker {
        let listed = AtomicBool::new(false);
        Waker::from(Arc::new(Mark { name, listed, ready: Arc::downgrade(ready) }))
    }
}

impl<N> Ready<N> {
    /// Wakes this task, once, when something is listed. To be called before [`Ready::take`].
    pub fn register(&self, cx: &Context<'_>) {
        let before = lock(&self.list).reader.replace(cx.waker().clone());
        drop(before);
    }

    /// Takes what is listed, into an empty list that is given back the next time.
    pub fn take(&self, into: &mut Vec<Arc<Mark<N>>>) {
        std::mem::swap(&mut lock(&self.list).marks, into);
    }
}

impl<N> Default for Ready<N> {
    fn default() -> Self {
        Self { list: Mutex::new(List { marks: Vec::new(), reader: None }) }
    }
}

impl<N> fmt::Debug for Ready<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("listed", &lock(&self.list).marks.len()).finish()
    }
}

impl<N: fmt::Debug> fmt::Debug for Mark<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mark").field(&self.name).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
