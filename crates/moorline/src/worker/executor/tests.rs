use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moorline_work::{AbortReason, Outcome, TaskKey};

use tokio::runtime::Handle;

use super::{Host, run};
use crate::task::{Abort, Finished, Handler, Stop, TaskCtx, Typed};
use crate::{BoxError, Fatal};

/// Runs an attempt that is told this before it starts.
async fn told(handler: impl Handler, stop: Stop) -> Finished {
    let abort = Abort::new();
    abort.tell(stop);
    let ctx = TaskCtx::new(TaskKey::default(), None, Arc::clone(&abort));
    let host = Host::Tokio(Handle::current());
    run(Arc::new(handler), ctx, Bytes::new(), &abort, &host).await
}

/// A handler that ends when it is told to, and then fails for good.
fn ending() -> impl Handler {
    Typed::new(|ctx: TaskCtx, (): ()| async move {
        ctx.cancelled().await;
        Err::<(), BoxError>(Fatal::new("killed by signal 15").into())
    })
}

/// A handler that never ends, and looks at its cancellation or not.
fn endless(looks: bool) -> impl Handler {
    Typed::new(move |ctx: TaskCtx, (): ()| async move {
        if looks {
            ctx.cancelled().await;
        }
        std::future::pending::<()>().await;
        Ok::<_, BoxError>(())
    })
}

const REASONS: [(AbortReason, Outcome, &str); 2] = [
    (AbortReason::TimedOut, Outcome::TimedOut, "the attempt ran out of time"),
    (AbortReason::Cancelled, Outcome::Cancelled, "the attempt was cancelled"),
];

#[tokio::test]
async fn a_failure_after_a_stop_is_told_by_the_reason_of_the_stop_first() {
    for (reason, outcome, words) in REASONS {
        let finished = told(ending(), Stop::Asked(reason)).await;
        let body = format!("{words}: killed by signal 15").into();
        assert_eq!(finished, Finished { outcome, body });
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_does_not_end_is_dropped_and_its_attempt_says_why() {
    for (reason, outcome, words) in REASONS {
        for (looks, grace) in [(false, Duration::ZERO), (true, super::GRACE)] {
            let start = tokio::time::Instant::now();
            let finished = told(endless(looks), Stop::Asked(reason)).await;
            assert_eq!(finished, Finished { outcome, body: words.into() });
            assert_eq!(start.elapsed(), grace);
        }
    }
}

#[tokio::test]
async fn a_success_stays_one_whatever_was_asked_and_a_failure_without_a_stop_is_the_handlers_own() {
    let save = || {
        Typed::new(|ctx: TaskCtx, (): ()| async move {
            ctx.cancelled().await;
            Ok::<_, BoxError>("saved")
        })
    };
    for (reason, ..) in REASONS {
        let finished = told(save(), Stop::Asked(reason)).await;
        assert_eq!(finished, Finished::succeeded(Bytes::from_static(b"\"saved\"")));
    }
    let fail = Typed::new(|_ctx: TaskCtx, (): ()| async { Err::<(), BoxError>("own".into()) });
    assert_eq!(told(fail, Stop::No).await, Finished::failed(true, "own"));
}

#[tokio::test]
async fn the_end_of_the_worker_ends_an_attempt_without_a_word() {
    let finished = told(endless(true), Stop::Now).await;
    assert_eq!(finished, Finished { outcome: Outcome::Cancelled, body: Bytes::new() });
}
