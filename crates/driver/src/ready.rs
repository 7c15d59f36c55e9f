//! Which connections want to be looked at: one list, filled by wakers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use futures::task::{ArcWake, AtomicWaker, waker};
use moorline_link::ConnId;

/// Connections whose transport has something to say. A loop with thousands of them looks only at
/// these.
#[derive(Default)]
pub(crate) struct Ready {
    list: Mutex<Vec<Arc<Mark>>>,
    task: AtomicWaker,
}

/// A connection's place in the list: in it at most once.
pub(crate) struct Mark {
    conn: ConnId,
    listed: AtomicBool,
    ready: Arc<Ready>,
}

impl Mark {
    pub(crate) fn conn(&self) -> ConnId {
        self.conn
    }

    /// From here on it can be listed again.
    pub(crate) fn seen(&self) {
        self.listed.store(false, Ordering::Release);
    }
}

impl ArcWake for Mark {
    fn wake_by_ref(mark: &Arc<Self>) {
        if !mark.listed.swap(true, Ordering::AcqRel) {
            // A panic cannot happen under this lock, so a poisoned one holds a whole list.
            let mut list = mark.ready.list.lock().unwrap_or_else(PoisonError::into_inner);
            list.push(Arc::clone(mark));
            drop(list);
            mark.ready.task.wake();
        }
    }
}

impl Ready {
    /// The mark of a connection, and the waker that lists it.
    pub(crate) fn mark(ready: &Arc<Self>, conn: ConnId) -> Waker {
        let listed = AtomicBool::new(false);
        waker(Arc::new(Mark { conn, listed, ready: Arc::clone(ready) }))
    }

    /// Wakes this task when something is listed.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        self.task.register(cx.waker());
    }

    /// Takes what is listed, into an empty list that is given back the next time.
    pub(crate) fn take(&self, into: &mut Vec<Arc<Mark>>) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *list, into);
    }
}

#[cfg(test)]
mod tests;
