//! One sleep for a deadline that moves.

use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use moorline_link::Instant;

use crate::runtime::Runtime;

/// Wakes a loop at its deadline, or earlier: it asks its clock before it believes that.
///
/// A sleep that is already set for an earlier time is kept, so that a deadline which moves with
/// every packet costs nothing.
#[derive(Default)]
pub(crate) struct Timer {
    sleep: Option<(Instant, BoxFuture<'static, ()>)>,
}

impl Timer {
    /// Ready when a sleep has ended. The deadline may still lie ahead.
    pub(crate) fn poll<R: Runtime>(
        &mut self,
        cx: &mut Context<'_>,
        runtime: &R,
        deadline: Option<Instant>,
    ) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        if self.sleep.as_ref().is_none_or(|(at, _)| *at > deadline) {
            self.sleep = Some((deadline, runtime.sleep_until(deadline)));
        }
        let Some((_, sleep)) = &mut self.sleep else { return Poll::Pending };
        let ended = sleep.poll_unpin(cx);
        if ended.is_ready() {
            self.sleep = None;
        }
        ended
    }
}

/// When the turns of a loop come.
#[derive(Default)]
pub(crate) struct Pace {
    /// The last turn did not have to be waited for.
    busy: bool,
}

impl Pace {
    /// Waits until `poll` has found something to do. If it had something at once the last time too,
    /// everything else on this thread runs before.
    pub(crate) async fn next(&mut self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<()>) {
        if self.busy {
            yield_now().await;
        }
        self.busy = true;
        std::future::poll_fn(|cx| {
            let something = poll(cx);
            self.busy &= something.is_ready();
            something
        })
        .await;
    }
}

/// Lets everything else on this thread run once: transports move bytes in tasks of their own, and
/// the more they have delivered, the more a turn does at once.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests;
