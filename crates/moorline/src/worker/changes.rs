//! A worker's link as a stream.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use futures::stream::{FusedStream, Stream};
use tokio::sync::watch;

use super::LinkStatus;
use super::handle::{Look, Shared};

/// A worker's link as it changes ([`WorkerHandle::subscribe`](super::WorkerHandle::subscribe)): a
/// [`Stream`], also usable without that trait.
///
/// It holds no queue. Whoever asks late gets the latest state and learns from
/// [`skipped`](Self::skipped) how many there were in between. The last item is what the link looked
/// like at the end of the worker; a stream that is taken after the end has only that one. Dropping it
/// unsubscribes.
///
/// ```
/// # async fn example(handle: &moorline::WorkerHandle) {
/// use moorline::LinkState;
///
/// let mut changes = handle.subscribe();
/// while let Some(link) = changes.next().await {
///     if link.state == LinkState::Disconnected {
///         eprintln!("{}", link.why());
///     }
/// }
/// # }
/// ```
#[must_use = "a stream does nothing unless it is polled"]
pub struct LinkChanges {
    shared: Arc<Shared>,
    phases: watch::Receiver<()>,
    /// What was given out last.
    seen: Option<Look>,
    waiting: Option<BoxFuture<'static, ()>>,
    skipped: u64,
    done: bool,
}

impl LinkChanges {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let phases = shared.changes();
        Self { shared, phases, seen: None, waiting: None, skipped: 0, done: false }
    }

    /// The next change; first what the link looks like now; `None` after the end of the worker.
    /// Cancel-safe.
    ///
    /// ```
    /// # async fn example(handle: &moorline::WorkerHandle) {
    /// let now = handle.subscribe().next().await;
    /// # let _ = now;
    /// # }
    /// ```
    pub async fn next(&mut self) -> Option<LinkStatus> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// How many changes came and went before this subscriber asked again (P103).
    ///
    /// ```
    /// # fn example(handle: &moorline::WorkerHandle) {
    /// assert_eq!(handle.subscribe().skipped(), 0);
    /// # }
    /// ```
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The next change with all that is known about it.
    pub(crate) fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<Option<Look>> {
        while !self.done {
            // Whatever changes after this line wakes the wait that is begun below.
            self.phases.mark_unchanged();
            let look = self.shared.look();
            if self.is_news(&look) {
                self.waiting = None;
                self.done = look.ended;
                self.seen = Some(look);
                return Poll::Ready(Some(look));
            }
            if look.ended {
                self.done = true;
                break;
            }
            let waiting = self.waiting.get_or_insert_with(|| {
                let (shared, mut phases) = (Arc::clone(&self.shared), self.phases.clone());
                Box::pin(async move { shared.differs(look.version, &mut phases).await })
            });
            ready!(waiting.as_mut().poll(cx));
            self.waiting = None;
        }
        self.waiting = None;
        Poll::Ready(None)
    }

    /// Whether it differs from what was given out last; counts what came in between.
    fn is_news(&mut self, look: &Look) -> bool {
        let Some(seen) = &self.seen else { return true };
        let between = match (seen.version, look.version) {
            (Some(seen), Some(now)) => now.saturating_sub(seen),
            // Beginning to run is no change yet: the first one is version 1.
            (None, Some(now)) => now,
            (_, None) => 0,
        };
        self.skipped += between.saturating_sub(1);
        between > 0 || seen.status.state != look.status.state
    }
}

impl Stream for LinkChanges {
    type Item = LinkStatus;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<LinkStatus>> {
        self.get_mut().poll_look(cx).map(|look| look.map(|look| look.status))
    }
}

impl FusedStream for LinkChanges {
    fn is_terminated(&self) -> bool {
        self.done
    }
}

impl fmt::Debug for LinkChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkChanges")
            .field("seen", &self.seen.map(|look| look.status))
            .field("skipped", &self.skipped)
            .finish_non_exhaustive()
    }
}
