//! Assignments and what comes of them.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::Lane;
use moorline_node::ToWorker;
use moorline_work::{Outcome as Ended, Refusal, TaskKey, WorkerMessage};

use super::desk::Heard;
use super::stage::{Stage, result_of, task};
use crate::hearing::Hears;
use crate::outcome::{Failure, Outcome, broken, holds};

/// How long something must not happen.
const A_WHILE: Duration = Duration::from_secs(2);

/// What is said of a key: accepts, and anything else in words.
fn said_of(heard: &[Heard], key: TaskKey) -> (usize, Vec<String>) {
    let (mut accepts, mut others) = (0, Vec::new());
    for heard in heard {
        let Heard::Said(said) = heard else { continue };
        match said.head {
            WorkerMessage::Accept { key: of } if of == key => accepts += 1,
            WorkerMessage::Refuse { key: of, refusal } if of == key => {
                others.push(format!("refuse ({refusal:?})"));
            }
            WorkerMessage::Result { key: of, outcome } if of == key => {
                others.push(format!("result ({outcome:?})"));
            }
            WorkerMessage::Accept { .. }
            | WorkerMessage::Refuse { .. }
            | WorkerMessage::Held { .. }
            | WorkerMessage::NotHeld { .. }
            | WorkerMessage::Result { .. } => {}
        }
    }
    (accepts, others)
}

/// Waits for the answer to an assignment, which is to be a refusal for this reason.
async fn until_refused(stage: &mut Stage<'_>, key: TaskKey, wanted: Refusal) -> Outcome {
    let expected = format!("a refuse ({wanted:?})");
    let answer = stage
        .until(&expected, |heard| {
            let Heard::Said(said) = heard else { return None };
            let of = match said.head {
                WorkerMessage::Accept { key }
                | WorkerMessage::Refuse { key, .. }
                | WorkerMessage::Held { key }
                | WorkerMessage::NotHeld { key }
                | WorkerMessage::Result { key, .. } => key,
            };
            (of == key).then_some(said.head)
        })
        .await?;
    let refused = WorkerMessage::Refuse { key, refusal: wanted };
    holds(answer == refused, expected, || format!("{answer:?}"))
}

pub(super) async fn an_assignment_is_accepted_at_once(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    let (key, sleep) = (task(1), stage.subject.sleep.clone());
    stage.assign(key, &sleep, "60").await;
    let expected = "an accept of the assignment within 5 s";
    stage
        .until_within(Duration::from_secs(5), expected, |heard| {
            let Heard::Said(said) = heard else { return None };
            (said.head == WorkerMessage::Accept { key }).then_some(())
        })
        .await
}

pub(super) async fn a_result_is_what_its_handler_made(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    let echo = stage.subject.echo.clone();
    for (n, payload) in [(1, &b"over and back"[..]), (2, b""), (3, b"\x00\xff\r\n")] {
        stage.assign(task(n), &echo, payload).await;
        let result = stage.until_result(task(n)).await?;
        let succeeded = result.outcome == Ended::Succeeded && result.body == payload;
        holds(succeeded, format!("succeeded, with {payload:?}"), || {
            format!("{:?}, with {:?}", result.outcome, result.body)
        })?;
        stage.settle(task(n)).await;
    }
    Ok(())
}

pub(super) async fn the_same_assignment_twice_runs_once(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    let (echo, sleep) = (stage.subject.echo.clone(), stage.subject.sleep.clone());
    let (runs, ended) = (task(1), task(2));
    stage.assign(runs, &sleep, "60").await;
    stage.until_accepted(runs).await?;
    let free = stage.until_beat().await?.free;
    stage.assign(runs, &sleep, "60").await;
    stage
        .until_said("another accept, as it still runs", WorkerMessage::Accept { key: runs })
        .await?;
    stage.until_beat().await?;
    let free_now = stage.until_beat().await?.free;
    holds(free_now == free, format!("{free} free slots still, as it runs once"), || {
        format!("{free_now}")
    })?;
    stage.tell(ToWorker::Cancel { key: runs }, Bytes::new()).await;
    stage.until_result(runs).await?;
    let (accepts, others) = said_of(&stage.lull(A_WHILE).await, runs);
    holds(accepts == 0 && others.is_empty(), "one result", || format!("more: {others:?}"))?;
    stage.settle(runs).await;

    stage.assign(ended, &echo, "once").await;
    let first = stage.until_result(ended).await?;
    stage.assign(ended, &echo, "once").await;
    stage.until_acknowledged(Lane::B).await?;
    // The result is the answer: the one that is under way, or it is said once more.
    for heard in stage.lull(A_WHILE).await {
        if let Some(second) = result_of(&heard, ended) {
            let same = first.outcome == second.outcome && first.body == second.body;
            holds(same, "the same result, if any", || format!("{second:?} behind {first:?}"))?;
        } else if let Heard::Said(said) = heard {
            return broken("the result as the only answer", format!("{:?}", said.head));
        }
    }
    Ok(())
}

pub(super) async fn an_unknown_handler_is_refused(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    stage.assign(task(1), "nobody-has-this", "").await;
    until_refused(stage, task(1), Refusal::UnknownHandler).await
}

pub(super) async fn no_more_is_taken_than_there_are_slots(stage: &mut Stage<'_>) -> Outcome {
    /// More are not filled.
    const SLOTS: u16 = 64;
    stage.start()?;
    let (_, about) = stage.hello().await?;
    if about.slots > SLOTS {
        let why = format!("it has {} slots, and more than {SLOTS} are not filled", about.slots);
        return Err(Failure::NotJudged(why));
    }
    stage.desk.welcome(false, |_| {});
    stage.inventory().await?;
    stage.until_active().await?;
    let sleep = stage.subject.sleep.clone();
    for n in 1..=u64::from(about.slots) {
        stage.assign(task(n), &sleep, "60").await;
        stage.until_accepted(task(n)).await?;
    }
    let last = task(u64::from(about.slots) + 1);
    stage.assign(last, &sleep, "60").await;
    until_refused(stage, last, Refusal::NoSlot).await
}

pub(super) async fn a_cancelled_attempt_stops(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    let (key, sleep) = (task(1), stage.subject.sleep.clone());
    stage.tell(ToWorker::Cancel { key: task(7) }, Bytes::new()).await;
    stage.assign(key, &sleep, "60").await;
    stage.until_accepted(key).await?;
    stage.tell(ToWorker::Cancel { key }, Bytes::new()).await;
    let mut crossed = false;
    let result = stage
        .until("the result of the attempt that was cancelled", |heard| {
            crossed |= result_of(heard, task(7)).is_some();
            result_of(heard, key)
        })
        .await?;
    holds(!crossed, "nothing of a key that is not held", || "a result of it".to_owned())?;
    holds(result.outcome == Ended::Cancelled, "a result that says cancelled", || {
        format!("{:?}", result.outcome)
    })
}

pub(super) async fn an_attempt_ends_at_its_limit(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    let (key, sleep) = (task(1), stage.subject.sleep.clone());
    stage.assign_for(key, &sleep, "60", Some(Duration::from_secs(1))).await;
    let result = stage.until_result(key).await?;
    holds(result.outcome == Ended::TimedOut, "a result that says timed out", || {
        format!("{:?}", result.outcome)
    })
}

pub(super) async fn a_revoke_is_answered(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    let (held, not_held, sleep) = (task(1), task(2), stage.subject.sleep.clone());
    stage.assign(held, &sleep, "60").await;
    stage.until_accepted(held).await?;
    stage.tell(ToWorker::Revoke { key: held }, Bytes::new()).await;
    stage.until_said("held, as it runs", WorkerMessage::Held { key: held }).await?;
    stage.tell(ToWorker::Revoke { key: not_held }, Bytes::new()).await;
    stage.until_said("not_held", WorkerMessage::NotHeld { key: not_held }).await?;
    stage.until_acknowledged(Lane::C).await?;
    stage.assign(not_held, &sleep, "60").await;
    until_refused(stage, not_held, Refusal::Revoked).await?;
    // What is held goes on.
    let (_, others) = said_of(&stage.lull(A_WHILE / 2).await, held);
    match others.first() {
        Some(other) => broken("nothing more of the attempt that is held", other.clone()),
        None => Ok(()),
    }
}
