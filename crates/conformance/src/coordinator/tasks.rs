//! Work, where tasks can be handed in.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::Lane;
use moorline_node::ToWorker;
use moorline_work::{Disposition, Holding, Judgement, TaskKey, WorkerMessage};

use super::Table;
use super::player::{Player, settled, words};
use super::seat::Heard;
use crate::hearing::Hears;
use crate::lane::Whole;
use crate::outcome::{Failure, Outcome, holds};

/// How long something must not happen.
const A_WHILE: Duration = Duration::from_secs(2);

impl Table<'_> {
    /// Hands in a task for the handler of a worker of this script.
    async fn submit(&self, handler: String, payload: &'static str) -> Outcome {
        let Some(submit) = &self.subject.submit else {
            return Err(Failure::NotJudged("it needs tasks: --admin URL".to_owned()));
        };
        let handed = submit.submit(handler, Bytes::from_static(payload.as_bytes()));
        handed
            .await
            .map_err(|error| Failure::NotJudged(format!("no task could be handed in: {error}")))
    }
}

fn assigned(heard: &Heard) -> Option<(TaskKey, Whole<ToWorker>)> {
    let Heard::Said(said) = heard else { return None };
    let ToWorker::Assign { key, .. } = &said.head else { return None };
    Some((*key, said.clone()))
}

/// Waits for an assignment and accepts it.
async fn accepts(player: &mut Player<'_>) -> Outcome<(TaskKey, Whole<ToWorker>)> {
    let (key, said) = player.until("an assignment of the task", assigned).await?;
    accept(player, key).await;
    Ok((key, said))
}

async fn accept(player: &mut Player<'_>, key: TaskKey) {
    player.seat.manners.free = 0;
    player.tell(WorkerMessage::Accept { key }, Bytes::new()).await;
}

/// Brings the result of what was accepted, and waits for its settlement.
async fn finishes(player: &mut Player<'_>, key: TaskKey) -> Outcome<Disposition> {
    player.seat.manners.free = 1;
    player.brings(key, "done").await;
    Ok(player.until_settled(key).await?.1)
}

/// A worker that has entered, and a task that was handed in for it.
async fn with_a_task<'a>(table: &'a Table<'a>) -> Outcome<Player<'a>> {
    let mut player = Player::new(table);
    player.enters().await?;
    table.submit(player.handler.clone(), "a payload").await?;
    Ok(player)
}

fn is(wanted: Disposition, saw: Disposition) -> Outcome {
    holds(saw == wanted, format!("settled as {wanted:?}"), || format!("{saw:?}"))
}

pub(super) async fn a_task_is_assigned_and_its_result_is_accepted(table: &Table<'_>) -> Outcome {
    let mut player = with_a_task(table).await?;
    let (key, said) = accepts(&mut player).await?;
    let ToWorker::Assign { handler, .. } = &said.head else { return Ok(()) };
    let right = handler.as_str() == player.handler && said.body == "a payload";
    holds(right, "its handler and its payload", || format!("{handler}, {:?}", said.body))?;
    is(Disposition::Accepted, finishes(&mut player, key).await?)?;
    player.leaves().await;
    Ok(())
}

pub(super) async fn a_result_that_comes_again_is_a_duplicate(table: &Table<'_>) -> Outcome {
    let mut player = with_a_task(table).await?;
    let (key, _) = accepts(&mut player).await?;
    is(Disposition::Accepted, finishes(&mut player, key).await?)?;
    is(Disposition::Duplicate, finishes(&mut player, key).await?)?;
    player.leaves().await;
    Ok(())
}

pub(super) async fn no_more_is_assigned_than_there_are_slots(table: &Table<'_>) -> Outcome {
    let mut player = with_a_task(table).await?;
    table.submit(player.handler.clone(), "another payload").await?;
    let (first, _) = accepts(&mut player).await?;
    for heard in player.lull(A_WHILE).await {
        let more = assigned(&heard).is_some();
        holds(!more, "no further assignment, as the one slot is used", || words(&heard))?;
    }
    player.seat.manners.free = 1;
    player.brings(first, "done").await;
    // They are of two lanes, so either may come first.
    let (mut is_settled, mut next) = (false, None);
    let expected = "a settlement of the result, and an assignment of the second task";
    let heard = player.until(expected, |heard| {
        is_settled |= settled(heard, first).is_some();
        next = next.or(assigned(heard).map(|(key, _)| key));
        next.filter(|_| is_settled)
    });
    let second = heard.await?;
    accept(&mut player, second).await;
    finishes(&mut player, second).await?;
    player.leaves().await;
    Ok(())
}

pub(super) async fn an_assignment_outlives_its_connection(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.enters().await?;
    player.seat.manners.acknowledges = false;
    let before = player.seat.down.clone();
    table.submit(player.handler.clone(), "a payload").await?;
    let (key, first) = player.until("an assignment of the task", assigned).await?;
    player.cut();
    player.seat.down = before;
    player.seat.manners.acknowledges = true;
    player.enters().await?;
    let (again, second) = accepts(&mut player).await?;
    let same = again == key && second.seq == first.seq && second.body == first.body;
    holds(same, format!("the same again: {first:?}"), || format!("{second:?}"))?;
    is(Disposition::Accepted, finishes(&mut player, key).await?)?;
    player.leaves().await;
    Ok(())
}

pub(super) async fn a_running_attempt_of_a_new_session_goes_on(table: &Table<'_>) -> Outcome {
    let mut player = with_a_task(table).await?;
    let (key, _) = accepts(&mut player).await?;
    let taken = "lane C acknowledged, with the accept on it";
    player
        .until(taken, |heard| {
            let Heard::Ack(ack) = heard else { return None };
            (ack.lane == Lane::C && ack.standing.received.0 >= 1).then_some(())
        })
        .await?;
    player.cut();
    player.seat.session = None;
    let (_, answers) = player.enters_with(&[(key, Holding::Running { progress: 0 })]).await?;
    let goes_on = answers == [(key, Judgement::Continue)];
    holds(goes_on, "CONTINUE", || format!("{answers:?}"))?;
    is(Disposition::Accepted, finishes(&mut player, key).await?)?;
    player.leaves().await;
    Ok(())
}
