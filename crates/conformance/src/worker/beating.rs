//! Heartbeats, and what their answers say.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::{Epoch, Lane};
use moorline_node::{DownFrame, ToWorker};
use moorline_work::Holding;
use tokio::time::Instant;

use super::BEAT;
use super::stage::{Stage, as_it_is, beat, task};
use crate::hearing::Hears;
use crate::outcome::{Outcome, broken, holds};

/// By how much a beat may be late: a machine may be busy.
const LATE: Duration = Duration::from_millis(1_500);

/// When beats of a connection come, so many of them.
async fn beats(stage: &mut Stage<'_>, every: Duration, count: usize) -> Outcome<Vec<Instant>> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let expected = format!("a beat every {every:?}");
        stage.until_within(every + LATE, &expected, beat).await?;
        times.push(Instant::now());
    }
    Ok(times)
}

pub(super) async fn beats_keep_the_interval_that_was_assigned(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    beats(stage, BEAT, 5).await?;
    stage.cut();
    let slower = BEAT * 3;
    stage.register_as(true, |welcome| welcome.beat_interval = slower, as_it_is).await?;
    // The first one comes at any place of the interval.
    let times = beats(stage, slower, 4).await?;
    let between = (times[3] - times[0]) / 3;
    let expected = format!("beats that are {slower:?} apart, as the second Welcome says");
    holds(between > slower / 2, expected, || format!("one every {between:?}"))
}

pub(super) async fn beats_are_numbered_from_one(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    // Whoever watches every frame reads the numbers.
    for _ in 0..3 {
        stage.until_beat().await?;
    }
    stage.cut();
    stage.register().await?;
    for _ in 0..3 {
        stage.until_beat().await?;
    }
    Ok(())
}

pub(super) async fn beats_go_on_while_the_inventory_waits(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    let sleep = stage.subject.sleep.clone();
    stage.assign(task(1), &sleep, "60").await;
    stage.until_accepted(task(1)).await?;
    stage.cut();
    stage.hello().await?;
    stage.desk.welcome(false, |_| {});
    let items = stage.inventory().await?;
    beats(stage, BEAT, 3).await?;
    for (index, &(key, holding)) in (0..).zip(&items) {
        stage.answer(index, key, as_it_is(key, holding));
    }
    stage.flush().await;
    stage.until_active().await
}

/// Waits until beats say so many free slots.
async fn until_free(stage: &mut Stage<'_>, free: u16, when: &str) -> Outcome {
    let mut last = None;
    let expected = format!("{free} free slots {when}, within three beats");
    for _ in 0..3 {
        let beat = stage.until_beat().await?;
        last = Some(beat.free);
        if beat.free == free {
            return Ok(());
        }
    }
    broken(expected, last.map_or_else(|| "no beat".to_owned(), |free| format!("{free}")))
}

pub(super) async fn free_slots_are_true(stage: &mut Stage<'_>) -> Outcome {
    stage.start()?;
    let (_, about) = stage.hello().await?;
    stage.desk.welcome(false, |_| {});
    stage.inventory().await?;
    stage.until_active().await?;
    until_free(stage, about.slots, "before anything runs").await?;
    let (key, sleep) = (task(1), stage.subject.sleep.clone());
    stage.assign(key, &sleep, "60").await;
    stage.until_accepted(key).await?;
    until_free(stage, about.slots - 1, "while an attempt runs").await?;
    stage.tell(ToWorker::Cancel { key }, Bytes::new()).await;
    stage.until_result(key).await?;
    stage.settle(key).await;
    until_free(stage, about.slots, "when it has ended").await
}

pub(super) async fn a_probe_is_answered_at_once(stage: &mut Stage<'_>) -> Outcome {
    const AT_ONCE: Duration = Duration::from_secs(1);
    stage.start()?;
    let slow = |welcome: &mut moorline_link::Welcome| welcome.beat_interval = BEAT * 10;
    stage.register_as(true, slow, as_it_is).await?;
    for _ in 0..3 {
        stage.lull(AT_ONCE / 2).await;
        stage.say(DownFrame::Probe).await;
        stage.until_within(AT_ONCE, "a beat within 1 s of the probe", beat).await?;
    }
    Ok(())
}

pub(super) async fn a_silent_coordinator_is_given_up(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    stage.desk.manners.answers_beats = false;
    stage.desk.manners.acknowledges = false;
    let expected = "the end of a connection on which nothing is answered";
    stage.until_ended(Duration::from_secs(25), expected).await?;
    stage.desk.manners.answers_beats = true;
    stage.register().await?;
    Ok(())
}

/// Starts an attempt that runs, changes what is said in answers, and expects another registration. The
/// epoch of the next session is given.
async fn registers_again(
    stage: &mut Stage<'_>,
    expected: &str,
    change: impl FnOnce(&mut Stage<'_>),
    epoch: Epoch,
) -> Outcome {
    let key = task(1);
    stage.begin().await?;
    let sleep = stage.subject.sleep.clone();
    stage.assign(key, &sleep, "60").await;
    stage.until_accepted(key).await?;
    stage.until_acknowledged(Lane::B).await?;
    change(stage);
    stage.until_ended(BEAT * 2 + LATE * 2, expected).await?;
    stage.desk.manners.knows = true;
    stage.desk.manners.epoch = None;
    stage.desk.session.epoch = epoch;
    let (_, items) = stage.register_anew().await?;
    let runs = matches!(items[..], [(one, Holding::Running { .. })] if one == key);
    holds(runs, "the attempt that runs, in the inventory of the new session", || {
        format!("{items:?}")
    })
}

pub(super) async fn a_session_that_is_not_known_is_begun_again(stage: &mut Stage<'_>) -> Outcome {
    let expected = "the end of the connection, behind an answer without KNOWN";
    let epoch = stage.desk.session.epoch;
    registers_again(stage, expected, |stage| stage.desk.manners.knows = false, epoch).await
}

pub(super) async fn another_epoch_is_another_coordinator(stage: &mut Stage<'_>) -> Outcome {
    let expected = "the end of the connection, behind an answer with another epoch";
    let epoch = Epoch(stage.desk.session.epoch.0 + 1);
    let change = |stage: &mut Stage<'_>| stage.desk.manners.epoch = Some(epoch);
    registers_again(stage, expected, change, epoch).await
}
