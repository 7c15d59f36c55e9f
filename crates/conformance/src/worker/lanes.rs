//! Numbers, acknowledgement, credit, bodies, and what a cut does to them.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::{Credit, Lane, Seq};
use moorline_node::ToWorker;
use moorline_work::{Holding, Outcome as Ended, WorkerMessage};

use super::desk::Heard;
use super::stage::{Stage, result_of, task};
use crate::hearing::Hears;
use crate::outcome::{Outcome, broken, holds};

/// How long something must not happen.
const A_WHILE: Duration = Duration::from_secs(2);

/// How long an acknowledgement may take.
const SOON: Duration = Duration::from_secs(5);

/// Runs echoes one after the other and settles them.
async fn echoes(stage: &mut Stage<'_>, numbers: std::ops::RangeInclusive<u64>) -> Outcome {
    let echo = stage.subject.echo.clone();
    for n in numbers {
        stage.assign(task(n), &echo, format!("echo {n}")).await;
        stage.until_result(task(n)).await?;
        stage.settle(task(n)).await;
    }
    Ok(())
}

pub(super) async fn numbers_of_a_lane_are_dense(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    echoes(stage, 1..=6).await?;
    stage.cut();
    stage.register().await?;
    echoes(stage, 7..=12).await
}

pub(super) async fn messages_are_acknowledged(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    let echo = stage.subject.echo.clone();
    stage.assign(task(1), &echo, "acknowledge me").await;
    stage.until_acknowledged_within(SOON, Lane::B).await?;
    stage.tell(ToWorker::Revoke { key: task(2) }, Bytes::new()).await;
    stage.until_acknowledged_within(SOON, Lane::C).await
}

pub(super) async fn acknowledgements_are_true(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    // Whoever watches every frame reads them.
    echoes(stage, 1..=10).await?;
    stage.lull(A_WHILE / 2).await;
    Ok(())
}

pub(super) async fn credit_is_given_anew(stage: &mut Stage<'_>) -> Outcome {
    const QUESTIONS: u64 = 600;
    stage.begin().await?;
    for n in 1..=QUESTIONS {
        stage.desk.lanes.down[Lane::C.index()]
            .say(ToWorker::Revoke { key: task(1_000 + n) }, Bytes::new());
    }
    stage.flush().await;
    let (mut answers, expected) = (0, "an answer to each of 600 questions");
    let all = stage.until(expected, |heard| {
        if let Heard::Said(said) = heard {
            answers += u64::from(matches!(said.head, WorkerMessage::NotHeld { .. }));
        }
        (answers == QUESTIONS).then_some(())
    });
    if all.await.is_err() {
        let down = &stage.desk.lanes.down[Lane::C.index()];
        let (told, wait) = (down.last(), down.waits());
        let saw = format!("{answers} answers; {told} questions told, {wait} wait for credit");
        return broken(expected, saw);
    }
    stage.until_acknowledged(Lane::C).await
}

pub(super) async fn credit_in_messages_is_respected(stage: &mut Stage<'_>) -> Outcome {
    stage.window(Lane::B, Credit { messages: Seq(2), bytes: 256 << 10 });
    stage.desk.manners.acknowledges = false;
    results_wait_for_credit(stage, 2, "as there is credit for two messages").await
}

pub(super) async fn credit_in_bytes_is_respected(stage: &mut Stage<'_>) -> Outcome {
    stage.window(Lane::B, Credit { messages: Seq(256), bytes: 100 });
    stage.desk.manners.acknowledges = false;
    results_wait_for_credit(stage, 1, "as the first one has used up the credit of 100 bytes").await
}

/// So many results come, and the next one only when there is more credit.
async fn results_wait_for_credit(stage: &mut Stage<'_>, first: u64, why: &str) -> Outcome {
    stage.begin().await?;
    let echo = stage.subject.echo.clone();
    // Each of them alone exceeds the bytes.
    let payload = Bytes::from(vec![b'.'; 200]);
    for n in 1..=first {
        stage.assign(task(n), &echo, payload.clone()).await;
        stage.until_result(task(n)).await?;
    }
    let next = task(first + 1);
    stage.assign(next, &echo, payload).await;
    let early = stage.lull(A_WHILE).await;
    let early = early.iter().any(|heard| result_of(heard, next).is_some());
    holds(!early, format!("no further result, {why}"), || "one".to_owned())?;
    stage.desk.acknowledge(Lane::B);
    stage.desk.manners.acknowledges = true;
    stage.flush().await;
    stage.until_result(next).await.map(drop)
}

pub(super) async fn a_large_body_is_cut_into_parts(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    let (key, echo) = (task(1), stage.subject.echo.clone());
    let payload: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
    stage.assign(key, &echo, payload.clone()).await;
    let result = stage.until_result(key).await?;
    holds(
        result.outcome == Ended::Succeeded && result.body == payload,
        "200,000 bytes back",
        || {
            let (outcome, len) = (result.outcome, result.body.len());
            format!(
                "{outcome:?}, {len} bytes{}",
                if len == payload.len() { ", others" } else { "" }
            )
        },
    )
}

pub(super) async fn a_session_is_resumed_where_it_stood(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    let sleep = stage.subject.sleep.clone();
    stage.assign(task(1), &sleep, "60").await;
    stage.tell(ToWorker::Revoke { key: task(2) }, Bytes::new()).await;
    stage.tell(ToWorker::Revoke { key: task(3) }, Bytes::new()).await;
    for lane in Lane::ALL {
        stage.until_acknowledged(lane).await?;
    }
    let session = stage.desk.session;
    stage.cut();
    let (hello, _) = stage.hello().await?;
    let Some(resume) = hello.resume else {
        return broken("the session to resume in the Hello", "none");
    };
    holds(resume.session == session, format!("{session:?}"), || format!("{:?}", resume.session))?;
    for lane in Lane::ALL {
        let received = stage.desk.lanes.down[lane.index()].last();
        let said = resume.lanes[lane.index()].received.0;
        let expected = format!("{received} received on lane {lane:?}, as was acknowledged");
        holds(said == received, expected, || format!("{said}"))?;
    }
    holds(hello.holds_work, "holds_work, as an attempt runs", || "nothing of it".to_owned())
}

pub(super) async fn what_was_not_received_is_said_again(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    let (key, echo) = (task(1), stage.subject.echo.clone());
    stage.desk.manners.acknowledges = false;
    let before = stage.desk.lanes.up.clone();
    stage.assign(key, &echo, "again").await;
    let first = stage.until_result(key).await?;
    stage.cut();
    stage.desk.lanes.up = before;
    stage.desk.manners.acknowledges = true;
    stage.register().await?;
    let second = stage.until_result(key).await?;
    holds(first == second, format!("the same again: {first:?}"), || format!("{second:?}"))
}

pub(super) async fn what_comes_twice_is_dropped(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    let (key, sleep) = (task(1), stage.subject.sleep.clone());
    stage.assign(key, &sleep, "60").await;
    stage.until_accepted(key).await?;
    stage.until_acknowledged(Lane::B).await?;
    stage.desk.repeat(Lane::B, 1);
    stage.flush().await;
    for heard in stage.lull(A_WHILE).await {
        match heard {
            Heard::Said(said) => {
                return broken("nothing: its number was processed", format!("{:?}", said.head));
            }
            Heard::Ended(reason) => return broken("the connection goes on", reason.name()),
            Heard::Hello { .. }
            | Heard::Item { .. }
            | Heard::InventoryEnd
            | Heard::Active
            | Heard::Beat(_)
            | Heard::Statistics
            | Heard::Ack(_)
            | Heard::Goodbye => {}
        }
    }
    Ok(())
}

pub(super) async fn a_new_session_begins_its_numbers_anew(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    echoes(stage, 11..=13).await?;
    stage.until_acknowledged(Lane::C).await?;
    stage.cut();
    stage.register_anew().await?;
    let (key, echo) = (task(4), stage.subject.echo.clone());
    stage.assign(key, &echo, "first of its session").await;
    let result = stage.until_result(key).await?;
    holds(result.seq == 1, "message 1 of a lane that begins anew", || {
        format!("message {}", result.seq)
    })
}

pub(super) async fn a_result_is_kept_until_it_is_settled(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    let (key, echo) = (task(1), stage.subject.echo.clone());
    stage.assign(key, &echo, "kept").await;
    let first = stage.until_result(key).await?;
    // It has a number, so that the lane has it as long as the session lasts.
    stage.cut();
    let (_, items) = stage.register().await?;
    let expected = "nothing in the inventory of a resumed session, as the result has a number";
    holds(items.is_empty(), expected, || format!("{items:?}"))?;
    for _ in 0..2 {
        stage.cut();
        let (_, items) = stage.register_anew().await?;
        let finished = Holding::Finished { outcome: Ended::Succeeded, len: 4 };
        let expected = "the result in the inventory of a new session, as it is not settled";
        holds(items == [(key, finished)], expected, || format!("{items:?}"))?;
        let again = stage.until_result(key).await?;
        holds(again.body == first.body, "the same result", || format!("{again:?}"))?;
    }
    Ok(())
}

pub(super) async fn what_is_settled_is_forgotten(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    echoes(stage, 1..=2).await?;
    stage.until_acknowledged(Lane::C).await?;
    stage.cut();
    let (_, items) = stage.register_anew().await?;
    holds(items.is_empty(), "an empty inventory, as all is settled", || format!("{items:?}"))
}
