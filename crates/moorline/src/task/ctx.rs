//! The context of an attempt.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::{Either, select};
use moorline_work::{AbortReason, TaskKey};
use tokio::sync::watch;

use crate::TaskId;

/// The context of one attempt of one task: which it is, and whether it is still wanted.
///
/// Cheap to clone. A handler that has asked for [`cancelled`](Self::cancelled) or
/// [`is_cancelled`](Self::is_cancelled) gets 10 s to end by itself when it is told to stop; the
/// future of any other is dropped at once, at its current `await`.
///
/// ```
/// use std::time::Duration;
/// use moorline::{BoxError, TaskCtx};
///
/// async fn copy(ctx: TaskCtx, files: Vec<String>) -> Result<usize, BoxError> {
///     let mut copied = 0;
///     for _file in files {
///         if ctx.is_cancelled() {
///             // Not `Ok`: that would be a result, and count.
///             return Err("told to stop".into());
///         }
///         tokio::time::sleep(Duration::from_millis(10)).await;
///         copied += 1;
///     }
///     Ok(copied)
/// }
/// # let _ = copy;
/// ```
#[derive(Clone, Debug)]
pub struct TaskCtx {
    key: TaskKey,
    deadline: Option<Instant>,
    abort: Arc<Abort>,
}

impl TaskCtx {
    pub(crate) fn new(key: TaskKey, deadline: Option<Duration>, abort: Arc<Abort>) -> Self {
        // A time beyond what the clock can say is no limit.
        let deadline = deadline.and_then(|left| Instant::now().checked_add(left));
        Self { key, deadline, abort }
    }

    /// The task's id: the same for every attempt.
    ///
    /// ```
    /// # fn example(ctx: moorline::TaskCtx) {
    /// println!("this is task {}", ctx.task_id());
    /// # }
    /// ```
    #[must_use]
    pub fn task_id(&self) -> TaskId {
        self.key.task.into()
    }

    /// Which attempt this was when it started, from 1.
    ///
    /// ```
    /// # fn example(ctx: moorline::TaskCtx) {
    /// let is_retry = ctx.attempt() > 1;
    /// # let _ = is_retry;
    /// # }
    /// ```
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.key.attempt.0
    }

    /// A key for effects outside moorline: the same for every attempt of this task, different for
    /// every other task. A payment service that is given it charges once, even if the task runs twice.
    ///
    /// ```
    /// # fn example(ctx: moorline::TaskCtx) {
    /// let header = ("Idempotency-Key", ctx.idempotency_key());
    /// # let _ = header;
    /// # }
    /// ```
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        self.task_id().to_string()
    }

    /// When the attempt will be told to stop, if its time is limited.
    ///
    /// ```
    /// # fn example(ctx: moorline::TaskCtx) {
    /// use std::time::Instant;
    ///
    /// let left = ctx.deadline().map(|end| end.saturating_duration_since(Instant::now()));
    /// # let _ = left;
    /// # }
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether the attempt was told to stop, and why; without giving it time, unlike
    /// [`is_cancelled`](Self::is_cancelled).
    #[cfg(all(feature = "process", unix))]
    pub(crate) fn stop(&self) -> Stop {
        self.abort.stop()
    }

    /// Whether the attempt was told to stop: it was cancelled, its time is over, or the worker ends.
    ///
    /// ```
    /// # fn example(ctx: moorline::TaskCtx) -> Result<(), moorline::BoxError> {
    /// for _step in 0..1_000 {
    ///     if ctx.is_cancelled() {
    ///         return Err("told to stop".into());
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.abort.asked.store(true, Ordering::Relaxed);
        self.abort.stop() != Stop::No
    }

    /// Resolves when the attempt is told to stop; never, if it is not. Cancel-safe.
    ///
    /// ```
    /// # async fn example(ctx: moorline::TaskCtx) -> Result<(), moorline::BoxError> {
    /// tokio::select! {
    ///     () = ctx.cancelled() => Err("told to stop".into()),
    ///     () = tokio::time::sleep(std::time::Duration::from_secs(60)) => Ok(()),
    /// }
    /// # }
    /// ```
    pub async fn cancelled(&self) {
        self.abort.asked.store(true, Ordering::Relaxed);
        self.abort.told().await;
    }
}

/// Whether an attempt is to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// No.
    No,
    /// It was told to, for this reason.
    Asked(AbortReason),
    /// It is not waited for any more: the worker ends.
    Now,
}

/// The switch that stops an attempt.
#[derive(Debug)]
pub(crate) struct Abort {
    stop: watch::Sender<Stop>,
    /// The handler looks at it, so it may be given time.
    asked: AtomicBool,
}

impl Abort {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { stop: watch::Sender::new(Stop::No), asked: AtomicBool::new(false) })
    }

    /// Tells it. What was said stays said, but [`Stop::Now`] goes over [`Stop::Asked`].
    pub(crate) fn tell(&self, stop: Stop) {
        self.stop.send_if_modified(|current| {
            let stronger = match (&current, stop) {
                (Stop::No, Stop::Asked(_) | Stop::Now) | (Stop::Asked(_), Stop::Now) => true,
                (_, Stop::No)
                | (Stop::Asked(_) | Stop::Now, Stop::Asked(_))
                | (Stop::Now, Stop::Now) => false,
            };
            if stronger {
                *current = stop;
            }
            stronger
        });
    }

    pub(crate) fn stop(&self) -> Stop {
        *self.stop.borrow()
    }

    /// Resolves when the attempt was told to stop.
    pub(crate) async fn told(&self) -> Stop {
        self.wait(|stop| *stop != Stop::No).await
    }

    /// Resolves when the handler's future is to be dropped: at once if the handler does not look,
    /// else after the grace.
    pub(crate) async fn over<G: Future<Output = ()>>(&self, grace: impl FnOnce() -> G) -> Stop {
        let stop = self.told().await;
        if stop != Stop::Now && self.asked.load(Ordering::Relaxed) {
            let now = pin!(self.wait(|stop| *stop == Stop::Now));
            if let Either::Left((now, _)) = select(now, pin!(grace())).await {
                return now;
            }
        }
        stop
    }

    async fn wait(&self, wanted: impl FnMut(&Stop) -> bool) -> Stop {
        let mut stop = self.stop.subscribe();
        match stop.wait_for(wanted).await {
            Ok(stop) => *stop,
            // The sender lives as long as `self`.
            Err(_) => Stop::Now,
        }
    }
}
