//! From the Hello to Active.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::Lane;
use moorline_node::ToWorker;
use moorline_work::{Attempt, Disposition, Holding, Judgement, Outcome as Ended, TaskKey};

use super::stage::{Stage, as_it_is, result_of, task, words};
use crate::hearing::Hears;
use crate::outcome::{Outcome, broken, holds};

/// How long something must not happen.
const A_WHILE: Duration = Duration::from_secs(2);

pub(super) async fn a_hello_comes_first_and_is_whole(stage: &mut Stage<'_>) -> Outcome {
    stage.start()?;
    let (head, about) = stage.hello().await?;
    let versions = head.versions;
    holds(versions.min <= 1 && versions.max >= 1, "versions with 1 among them", || {
        format!("{} to {}", versions.min, versions.max)
    })?;
    holds(head.worker.0 != 0, "an identity", || "0".to_owned())?;
    holds(head.incarnation.0 != 0, "a random incarnation", || "0".to_owned())?;
    holds(about.slots > 0, "at least one slot", || "0".to_owned())?;
    for name in [&stage.subject.echo, &stage.subject.sleep] {
        let has = about.handlers.iter().any(|handler| handler.as_str() == name);
        let handlers = &about.handlers;
        holds(has, format!("a handler `{name}`"), || format!("{handlers:?}"))?;
    }
    for lane in Lane::ALL {
        let credit = head.credit[lane.index()];
        holds(
            credit.messages.0 > 0 && credit.bytes > 0,
            format!("credit of lane {lane:?}"),
            || format!("{} messages, {} bytes", credit.messages.0, credit.bytes),
        )?;
    }
    holds(head.resume.is_none(), "no session in the first Hello", || "one to resume".to_owned())?;
    holds(head.ticket.is_none(), "no ticket in the first Hello", || "a ticket".to_owned())?;
    holds(!head.holds_work, "no work in the first Hello", || "holds_work".to_owned())
}

pub(super) async fn an_identity_stays_and_an_incarnation_is_new(stage: &mut Stage<'_>) -> Outcome {
    stage.start()?;
    let (first, _) = stage.hello().await?;
    stage.end().await;
    stage.start()?;
    let (second, _) = stage.hello().await?;
    holds(first.worker == second.worker, format!("{:032x} again", first.worker.0), || {
        format!("{:032x}", second.worker.0)
    })?;
    let (was, is) = (first.incarnation.0, second.incarnation.0);
    holds(was != is, "another incarnation in another process", || format!("{is:x} again"))
}

pub(super) async fn nothing_is_said_before_the_welcome(stage: &mut Stage<'_>) -> Outcome {
    stage.start()?;
    stage.hello().await?;
    match stage.lull(A_WHILE).await.first() {
        Some(heard) => broken("nothing before the answer to the Hello", words(heard)),
        None => Ok(()),
    }
}

pub(super) async fn a_hello_that_nobody_answers_is_given_up(stage: &mut Stage<'_>) -> Outcome {
    stage.start()?;
    stage.hello().await?;
    let expected = "the end of the connection, about 10 s behind a Hello without an answer";
    stage.until_ended(Duration::from_secs(15), expected).await?;
    stage.register().await?;
    Ok(())
}

pub(super) async fn packets_are_as_the_schema_says(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    let echo = stage.subject.echo.clone();
    stage.assign(task(1), &echo, "whole").await;
    stage.until_result(task(1)).await?;
    stage.assign(task(2), "nobody-has-this", "").await;
    stage.until_acknowledged(Lane::B).await?;
    stage.cut();
    stage.register().await?;
    stage.settle(task(1)).await;
    stage.until_acknowledged(Lane::C).await
}

pub(super) async fn what_was_not_agreed_on_is_not_said(stage: &mut Stage<'_>) -> Outcome {
    stage.desk.manners.features = 0;
    stage.begin().await?;
    // Statistics come with the second beat of a connection.
    for _ in 0..3 {
        stage.until_beat().await?;
    }
    Ok(())
}

/// Starts the worker with an attempt that runs for long.
async fn with_a_long_run(stage: &mut Stage<'_>, key: TaskKey) -> Outcome {
    stage.begin().await?;
    let sleep = stage.subject.sleep.clone();
    stage.assign(key, &sleep, "60").await;
    stage.until_accepted(key).await?;
    stage.until_acknowledged(Lane::B).await
}

fn is_running(items: &[(TaskKey, Holding)], key: TaskKey) -> bool {
    matches!(items, [(one, Holding::Running { .. })] if *one == key)
}

pub(super) async fn an_inventory_follows_each_welcome(stage: &mut Stage<'_>) -> Outcome {
    let key = task(1);
    with_a_long_run(stage, key).await?;
    stage.cut();
    let (_, items) = stage.register().await?;
    let expected = "the attempt that runs, in the inventory of the resumed session";
    holds(is_running(&items, key), expected, || format!("{items:?}"))?;
    stage.cut();
    let (_, items) = stage.register_anew().await?;
    let expected = "the attempt that runs, in the inventory of the new session";
    holds(is_running(&items, key), expected, || format!("{items:?}"))
}

pub(super) async fn active_waits_for_every_answer(stage: &mut Stage<'_>) -> Outcome {
    let key = task(1);
    with_a_long_run(stage, key).await?;
    stage.cut();
    stage.hello().await?;
    stage.desk.welcome(false, |_| {});
    let items = stage.inventory().await?;
    if items.is_empty() {
        return Ok(());
    }
    // Active before the answers is seen by whoever watches every frame.
    stage.lull(A_WHILE).await;
    for (index, &(key, holding)) in (0..).zip(&items) {
        stage.answer(index, key, as_it_is(key, holding));
    }
    stage.flush().await;
    stage.until_active().await
}

pub(super) async fn work_waits_until_both_are_active(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    let (echo, sleep) = (stage.subject.echo.clone(), stage.subject.sleep.clone());
    stage.assign(task(1), &sleep, "60").await;
    stage.until_accepted(task(1)).await?;
    // A result that was lost, and an acknowledgement that is owed.
    stage.desk.manners.acknowledges = false;
    let before = stage.desk.lanes.up.clone();
    stage.assign(task(2), &echo, "again").await;
    stage.until_result(task(2)).await?;
    stage.cut();
    stage.desk.lanes.up = before;
    stage.hello().await?;
    stage.desk.welcome(true, |_| {});
    let items = stage.inventory().await?;
    stage.lull(A_WHILE).await;
    for (index, &(key, holding)) in (0..).zip(&items) {
        stage.answer(index, key, as_it_is(key, holding));
    }
    stage.flush().await;
    stage.until_active().await
}

pub(super) async fn a_judgement_of_the_inventory_is_followed(stage: &mut Stage<'_>) -> Outcome {
    let (runs, ended) = (task(1), task(2));
    with_a_long_run(stage, runs).await?;
    let echo = stage.subject.echo.clone();
    stage.assign(ended, &echo, "not wanted").await;
    stage.until_result(ended).await?;
    stage.cut();
    let judge = |_, holding| match holding {
        Holding::Running { .. } => Judgement::Cancel,
        Holding::Finished { .. } => Judgement::Drop { disposition: Disposition::Stale },
    };
    let (_, items) = stage.register_as(false, |_| {}, judge).await?;
    let has = |key| items.iter().any(|(one, _)| *one == key);
    holds(has(runs) && has(ended), "both attempts in the inventory", || format!("{items:?}"))?;
    let result = stage.until_result(runs).await?;
    let expected = "a result that says cancelled, of the attempt that ran";
    holds(result.outcome == Ended::Cancelled, expected, || format!("{:?}", result.outcome))?;
    stage.settle(runs).await;
    let later = stage.lull(A_WHILE).await;
    let dropped = later.iter().any(|heard| result_of(heard, ended).is_some());
    holds(!dropped, "nothing of the result that was dropped", || "the result".to_owned())?;
    stage.until_acknowledged(Lane::C).await?;
    stage.cut();
    let (_, items) = stage.register_anew().await?;
    holds(items.is_empty(), "an empty inventory, as both were answered", || format!("{items:?}"))
}

pub(super) async fn an_adopted_attempt_goes_on_under_its_new_number(
    stage: &mut Stage<'_>,
) -> Outcome {
    stage.begin().await?;
    let (first, sleep) = (task(1), stage.subject.sleep.clone());
    stage.assign(first, &sleep, "60").await;
    stage.until_accepted(first).await?;
    stage.cut();
    let judge = |_, _| Judgement::Adopt { attempt: Attempt(2) };
    stage.register_as(false, |_| {}, judge).await?;
    let second = TaskKey { attempt: Attempt(2), ..first };
    stage.tell(ToWorker::Cancel { key: second }, Bytes::new()).await;
    let expected = "the result of attempt 2, which was cancelled under its new number";
    let key = stage
        .until(expected, |heard| {
            [first, second].into_iter().find(|key| result_of(heard, *key).is_some())
        })
        .await?;
    holds(key == second, expected, || "a result of attempt 1".to_owned())
}
