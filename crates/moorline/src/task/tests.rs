use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moorline_work::{AbortReason, Attempt, Outcome, TaskKey};
use serde::{Deserialize, Serialize};

use super::{Abort, Fatal, Finished, Handler, Stop, TaskCtx, Typed, decode, encode, error_text};
use crate::{BoxError, Error};

fn ctx() -> TaskCtx {
    let key = TaskKey { task: moorline_work::TaskId(7), attempt: Attempt(3) };
    TaskCtx::new(key, None, Abort::new())
}

async fn call(handler: impl Handler, input: &'static [u8]) -> Finished {
    handler.call(ctx(), Bytes::from_static(input)).await
}

#[derive(Serialize, Deserialize)]
struct Pair {
    left: u32,
    right: u32,
}

#[tokio::test]
async fn typed_input_and_result_are_json() {
    let add = Typed::new(|_ctx: TaskCtx, pair: Pair| async move {
        Ok::<_, BoxError>(vec![pair.left + pair.right])
    });
    let finished = call(add, br#"{"left":2,"right":3}"#).await;
    assert_eq!(finished, Finished::succeeded(Bytes::from_static(b"[5]")));
}

#[tokio::test]
async fn bytes_go_through_as_they_are() {
    let reverse = Typed::new(|_ctx: TaskCtx, bytes: Bytes| async move {
        Ok::<_, BoxError>(bytes.iter().rev().copied().collect::<Bytes>())
    });
    let finished = call(reverse, b"\x00\xff\"").await;
    assert_eq!(finished, Finished::succeeded(Bytes::from_static(b"\"\xff\x00")));
    assert_eq!(decode::<Bytes>(Bytes::new()).unwrap(), Bytes::new());
    assert_eq!(encode(Bytes::from_static(b"\xff")).unwrap(), Bytes::from_static(b"\xff"));
}

#[tokio::test]
async fn no_input_fits_unit_and_option() {
    let unit = Typed::new(|_ctx: TaskCtx, (): ()| async { Ok::<_, BoxError>("done") });
    assert_eq!(call(unit, b"").await, Finished::succeeded(Bytes::from_static(b"\"done\"")));
    assert_eq!(decode::<Option<u8>>(Bytes::new()).unwrap(), None);
}

#[tokio::test]
async fn an_input_of_another_type_fails_for_good_and_says_why() {
    let double = Typed::new(|_ctx: TaskCtx, x: u32| async move { Ok::<_, BoxError>(x * 2) });
    let finished = call(double, b"\"two\"").await;
    assert_eq!(finished.outcome, Outcome::Failed { retryable: false });
    assert!(finished.body.starts_with(b"the input is not what the handler takes"));
}

#[tokio::test]
async fn errors_may_be_retried_but_fatal_ones_not() {
    let fail = Typed::new(|_ctx: TaskCtx, fatal: bool| async move {
        if fatal { Err::<(), BoxError>(Fatal::new("no use").into()) } else { Err("later".into()) }
    });
    assert_eq!(call(fail, b"false").await, Finished::failed(true, "later"));
    let fail = Typed::new(|_ctx: TaskCtx, (): ()| async { Err::<(), _>(Fatal::new("no use")) });
    assert_eq!(call(fail, b"").await, Finished::failed(false, "no use"));
}

#[tokio::test]
async fn this_crates_own_error_may_be_returned() {
    let fail = Typed::new(|_ctx: TaskCtx, (): ()| async { Err::<(), Error>(Error::Stopped) });
    assert_eq!(call(fail, b"").await.outcome, Outcome::Failed { retryable: true });
}

#[test]
fn the_context_names_the_task_and_the_attempt() {
    let ctx = ctx();
    assert_eq!(ctx.attempt(), 3);
    assert_eq!(ctx.idempotency_key(), ctx.task_id().to_string());
    assert_eq!(ctx.deadline(), None);
    assert!(!ctx.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_does_not_look_is_dropped_at_once_and_one_that_looks_gets_time() {
    let grace = Duration::from_secs(10);
    let blind = Abort::new();
    blind.tell(Stop::Asked(AbortReason::Cancelled));
    let start = tokio::time::Instant::now();
    assert_eq!(blind.over(|| tokio::time::sleep(grace)).await, Stop::Asked(AbortReason::Cancelled));
    assert_eq!(start.elapsed(), Duration::ZERO);

    let seeing = Abort::new();
    let ctx = TaskCtx::new(TaskKey::default(), None, Arc::clone(&seeing));
    seeing.tell(Stop::Asked(AbortReason::TimedOut));
    ctx.cancelled().await;
    assert_eq!(seeing.over(|| tokio::time::sleep(grace)).await, Stop::Asked(AbortReason::TimedOut));
    assert_eq!(start.elapsed(), grace);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_worker_waits_for_no_grace() {
    let abort = Abort::new();
    let ctx = TaskCtx::new(TaskKey::default(), None, Arc::clone(&abort));
    abort.tell(Stop::Asked(AbortReason::Cancelled));
    assert!(ctx.is_cancelled());
    let start = tokio::time::Instant::now();
    let (over, ()) =
        tokio::join!(abort.over(|| tokio::time::sleep(Duration::from_secs(10))), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            abort.tell(Stop::Now);
        });
    assert_eq!((over, start.elapsed()), (Stop::Now, Duration::from_secs(1)));
}

#[test]
fn an_error_text_names_every_cause_once_and_is_bounded() {
    let inner = std::io::Error::other("disk full");
    let error = Error::DataDir { path: "/x".into(), source: inner };
    assert_eq!(error_text(&error), "the data directory /x cannot be used: disk full");
    let long = Finished::failed(true, "ä".repeat(20_000));
    assert!(long.body.len() < (16 << 10) + 4);
    assert!(std::str::from_utf8(&long.body).is_ok());
}
