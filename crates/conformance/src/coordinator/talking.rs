//! Heartbeats and lanes. What is brought are results of tasks that never were: they are answered like
//! others, and nothing comes of them.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::{Credit, Lane, Seq};
use moorline_work::Disposition;

use super::Table;
use super::player::{Player, nobodys_task, settled, words};
use super::seat::Heard;
use crate::hearing::Hears;
use crate::outcome::{Outcome, broken, holds};
use crate::raw;

/// How long something must not happen.
const A_WHILE: Duration = Duration::from_secs(2);

pub(super) async fn beats_are_answered_by_their_number(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    let epoch = player.enters().await?.session.epoch;
    for _ in 0..5 {
        player.seat.beat();
        let seq = player.seat.last_beat();
        let expected = format!("an answer to beat {seq}");
        let answer = player
            .until(&expected, |heard| {
                let Heard::BeatAnswer(answer) = heard else { return None };
                (answer.seq >= seq).then_some(*answer)
            })
            .await?;
        let right = answer.known && answer.flags.active && answer.epoch == epoch;
        holds(right, format!("KNOWN, ACTIVE and {epoch:?}"), || format!("{answer:?}"))?;
    }
    player.leaves().await;
    Ok(())
}

pub(super) async fn a_result_of_nobodys_task_is_settled_as_unknown(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.enters().await?;
    let key = nobodys_task();
    player.brings(key, "of nobody").await;
    let (_, disposition) = player.until_settled(key).await?;
    holds(disposition == Disposition::Unknown, "UNKNOWN", || format!("{disposition:?}"))?;
    player.leaves().await;
    Ok(())
}

pub(super) async fn messages_are_acknowledged(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.enters().await?;
    for _ in 0..3 {
        player.brings(nobodys_task(), "of nobody").await;
    }
    let (soon, expected) = (Duration::from_secs(5), "lane B acknowledged up to message 3");
    player
        .until_within(soon, expected, |heard| {
            let Heard::Ack(ack) = heard else { return None };
            (ack.lane == Lane::B && ack.standing.received == Seq(3)).then_some(())
        })
        .await?;
    player.leaves().await;
    Ok(())
}

/// Brings results of nobody's tasks, one after the other.
async fn results(player: &mut Player<'_>, count: u32) -> Outcome {
    for _ in 0..count {
        let key = nobodys_task();
        player.brings(key, "of nobody").await;
        player.until_settled(key).await?;
    }
    Ok(())
}

pub(super) async fn numbers_of_a_lane_are_dense(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.enters().await?;
    // Whoever watches every frame reads the numbers.
    results(&mut player, 5).await?;
    player.cut();
    player.enters().await?;
    results(&mut player, 5).await?;
    player.leaves().await;
    Ok(())
}

pub(super) async fn what_comes_twice_is_dropped(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.enters().await?;
    let key = nobodys_task();
    player.brings(key, "once").await;
    player.until_settled(key).await?;
    player.seat.repeat(Lane::B, 1);
    for heard in player.lull(A_WHILE).await {
        let more = matches!(heard, Heard::Said(_) | Heard::Ended(_));
        holds(!more, "nothing: its number was processed", || words(&heard))?;
    }
    player.leaves().await;
    Ok(())
}

pub(super) async fn what_was_not_received_is_said_again(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.enters().await?;
    player.seat.manners.acknowledges = false;
    let (key, before) = (nobodys_task(), player.seat.down.clone());
    player.brings(key, "of nobody").await;
    let first = player.until_settled(key).await?;
    player.cut();
    player.seat.down = before;
    player.seat.manners.acknowledges = true;
    let welcome = player.enters().await?;
    holds(welcome.resumed, "the session, resumed", || format!("{welcome:?}"))?;
    let second = player.until_settled(key).await?;
    holds(first == second, format!("the same again: {first:?}"), || format!("{second:?}"))?;
    player.leaves().await;
    Ok(())
}

pub(super) async fn credit_in_messages_is_respected(table: &Table<'_>) -> Outcome {
    let credit = Credit { messages: Seq(1), bytes: 256 << 10 };
    answers_wait_for_credit(table, credit, "as there is credit for one message").await
}

pub(super) async fn credit_in_bytes_is_respected(table: &Table<'_>) -> Outcome {
    let credit = Credit { messages: Seq(256), bytes: 1 };
    answers_wait_for_credit(table, credit, "as the first one has used up the credit of a byte")
        .await
}

/// One answer comes, and the next one only when there is more credit.
async fn answers_wait_for_credit(table: &Table<'_>, credit: Credit, why: &str) -> Outcome {
    let mut player = Player::new(table);
    player.seat.manners.window[Lane::C.index()] = credit;
    player.seat.manners.acknowledges = false;
    player.enters().await?;
    let (first, second) = (nobodys_task(), nobodys_task());
    player.brings(first, "of nobody").await;
    player.brings(second, "of nobody").await;
    player
        .until("one settlement", |heard| settled(heard, first).or_else(|| settled(heard, second)))
        .await?;
    for heard in player.lull(A_WHILE).await {
        let more = matches!(heard, Heard::Said(_));
        holds(!more, format!("no further answer, {why}"), || words(&heard))?;
    }
    player.seat.acknowledge(Lane::C);
    player
        .until("the other settlement", |heard| {
            settled(heard, first).or_else(|| settled(heard, second))
        })
        .await?;
    player.leaves().await;
    Ok(())
}

pub(super) async fn credit_is_given_anew(table: &Table<'_>) -> Outcome {
    const RESULTS: u32 = 600;
    let mut player = Player::new(table);
    player.enters().await?;
    for _ in 0..RESULTS {
        player.brings(nobodys_task(), "of nobody").await;
    }
    let mut answers = 0;
    let all = player.until("an answer to each of 600 results", |heard| {
        answers += u32::from(matches!(heard, Heard::Said(_)));
        (answers == RESULTS).then_some(())
    });
    if all.await.is_err() {
        let up = &player.seat.up[Lane::B.index()];
        let saw = format!("{answers}; {} told, {} wait for credit", up.last(), up.waits());
        return broken("an answer to each of 600 results", saw);
    }
    player.leaves().await;
    Ok(())
}

pub(super) async fn a_body_in_parts_is_taken(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.enters().await?;
    let key = nobodys_task();
    let outcome = moorline_work::Outcome::Succeeded;
    let message = moorline_work::WorkerMessage::Result { key, outcome };
    player.seat.up[Lane::B.index()].say(message, Bytes::from(vec![7; 200_000]));
    for packet in player.seat.due() {
        player.send(moorline_wire::encode_up(&packet), packet.lane).await;
        player.seat.beat();
        player.flush().await;
    }
    player.until_settled(key).await?;
    player.leaves().await;
    Ok(())
}

pub(super) async fn what_is_newer_is_ignored(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.enters().await?;
    player.seat.beat();
    player.flush().await;
    let seq = u64::from(player.seat.last_beat()) + 1;
    // A beat with an unknown flag and a field of its own, among a frame and fields of a later version.
    let beat =
        [raw::number(1, seq), raw::number(2, 1 | 1 << 20), raw::number(3, 1), raw::number(70, 9)];
    let mut newer =
        raw::packet(&[(40, b"of a later version".to_vec()), (1, beat.concat())]).to_vec();
    newer.extend(raw::block(99, b"beside the frames"));
    player.seat.counts_a_beat();
    player.send(newer.into(), Lane::C).await;
    let expected = "an answer to the beat among what is newer";
    player
        .until(expected, |heard| {
            let Heard::BeatAnswer(answer) = heard else { return None };
            (u64::from(answer.seq) >= seq).then_some(())
        })
        .await?;
    player.leaves().await;
    Ok(())
}
