//! Who waits for which task to end.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::channel::oneshot::{self, Canceled};
use moorline_work::TaskId;

/// Tasks of which it is remembered that they have not ended; for others the store is asked.
const UNENDED_MAX: usize = 65_536;

/// Waiters by task. The lock is held only to add, remove or take them (P100).
#[derive(Clone, Default)]
pub(crate) struct Waiters {
    table: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    by_task: HashMap<TaskId, Vec<(u64, oneshot::Sender<()>)>>,
    /// Some of the tasks that are stored and have not ended: a cache.
    unended: HashSet<TaskId>,
    next: u64,
    closed: bool,
}

/// Resolves when the task has ended, or with an error when nobody can tell any more. Dropped, it
/// leaves nothing behind.
pub(crate) struct Waiter {
    ended: oneshot::Receiver<()>,
    task: TaskId,
    id: u64,
    waiters: Waiters,
    /// Whether it was known that the task is stored and has not ended.
    pub(crate) is_unended: bool,
}

impl Waiters {
    pub(crate) fn wait_for(&self, task: TaskId) -> Waiter {
        let (tell, ended) = oneshot::channel();
        let mut table = self.lock();
        table.next += 1;
        let id = table.next;
        // In a closed table the sender is dropped, which is the answer.
        if !table.closed {
            table.by_task.entry(task).or_default().push((id, tell));
        }
        let is_unended = table.unended.contains(&task);
        Waiter { ended, task, id, waiters: self.clone(), is_unended }
    }

    /// It is stored now, and was not before; its end will be told.
    pub(crate) fn stored(&self, task: TaskId) {
        let mut table = self.lock();
        if table.unended.len() < UNENDED_MAX {
            table.unended.insert(task);
        }
    }

    /// These have ended.
    pub(crate) fn ended(
        &self,
        tasks: impl IntoIterator<Item = TaskId, IntoIter: ExactSizeIterator>,
    ) {
        let tasks = tasks.into_iter();
        if tasks.len() == 0 {
            return;
        }
        let told: Vec<_> = {
            let mut table = self.lock();
            let table = &mut *table;
            tasks
                .filter_map(|task| {
                    table.unended.remove(&task);
                    table.by_task.remove(&task)
                })
                .flatten()
                .collect()
        };
        for (_, tell) in told {
            // It may have stopped waiting just now.
            let _ = tell.send(());
        }
    }

    /// Nobody can tell any more.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut table = self.lock();
            table.closed = true;
            std::mem::take(&mut table.by_task)
        };
        drop(waiting);
    }

    // A panic cannot happen under this lock, so a poisoned one holds a whole table.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for Waiter {
    type Output = Result<(), Canceled>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.ended.poll_unpin(cx)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut table = self.waiters.lock();
        if let Some(waiting) = table.by_task.get_mut(&self.task) {
            waiting.retain(|(id, _)| *id != self.id);
            if waiting.is_empty() {
                table.by_task.remove(&self.task);
            }
        }
    }
}

#[cfg(test)]
mod tests;
