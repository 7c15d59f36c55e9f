//! SIGTERM: finish, hand over, say Goodbye.

use std::time::Duration;

use moorline_work::{Outcome as Ended, Refusal, WorkerMessage};

use super::desk::Heard;
use super::stage::{Stage, exit_words, result_of, task};
use crate::hearing::Hears;
use crate::outcome::{Outcome, broken, holds};

/// Starts the worker with an attempt that runs so many seconds, asks it to leave, and waits until its
/// beats say that it does.
async fn begins_to_drain(
    stage: &mut Stage<'_>,
    seconds: &str,
) -> Outcome<Option<super::stage::Ending>> {
    stage.begin().await?;
    let (key, sleep) = (task(1), stage.subject.sleep.clone());
    stage.assign(key, &sleep, seconds.to_owned()).await;
    stage.until_accepted(key).await?;
    stage.terminate()?;
    let mut result = None;
    let expected = "a beat that says DRAINING, behind SIGTERM";
    stage
        .until_within(super::BEAT * 3, expected, |heard| {
            result = result.take().or_else(|| result_of(heard, key));
            let Heard::Beat(beat) = heard else { return None };
            beat.flags.draining.then_some(())
        })
        .await?;
    Ok(result)
}

pub(super) async fn a_drain_finishes_what_runs_and_says_goodbye(stage: &mut Stage<'_>) -> Outcome {
    let key = task(1);
    let early = begins_to_drain(stage, "3").await?;
    let result = match early {
        Some(result) => result,
        None => stage.until_result(key).await?,
    };
    holds(result.outcome == Ended::Succeeded, "the attempt that ran has succeeded", || {
        format!("{:?}", result.outcome)
    })?;
    for heard in stage.lull(Duration::from_secs(1)).await {
        let early = matches!(heard, Heard::Goodbye | Heard::Ended(_));
        holds(!early, "no Goodbye and no end before the result is settled", || {
            super::stage::words(&heard)
        })?;
    }
    stage.settle(key).await;
    stage
        .until("a Goodbye, as all is settled", |heard| {
            matches!(heard, Heard::Goodbye).then_some(())
        })
        .await?;
    stage.desk.dismissed();
    stage
        .until_ended(Duration::from_secs(5), "the end of the connection behind the Goodbye")
        .await?;
    match stage.exit().await? {
        Some(0) => Ok(()),
        code => broken("exit code 0", exit_words(code)),
    }
}

pub(super) async fn who_drains_takes_nothing_new(stage: &mut Stage<'_>) -> Outcome {
    begins_to_drain(stage, "20").await?;
    let (key, echo) = (task(2), stage.subject.echo.clone());
    stage.assign(key, &echo, "too late").await;
    let refusal = Refusal::Draining;
    let expected = "a refuse (Draining)";
    stage.until_said(expected, WorkerMessage::Refuse { key, refusal }).await
}
