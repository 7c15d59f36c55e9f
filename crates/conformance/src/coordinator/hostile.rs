//! Workers that are broken: each has its connection closed, with protocol_error where a reason is said.

use bytes::Bytes;
use moorline_link::{Ack, Beat, Flags, Lane, Reason, Seq, Standing};
use moorline_node::{DownFrame, Message, Packet, Part, UpFrame};
use moorline_work::{Outcome as Ended, WorkerMessage};

use super::Table;
use super::player::{Player, nobodys_task};
use crate::outcome::Outcome;
use crate::raw;

async fn closes(player: &mut Player<'_>, bytes: Bytes, lane: Lane, what: &str) -> Outcome {
    player.send(bytes, lane).await;
    closed(player, what).await
}

async fn closed(player: &mut Player<'_>, what: &str) -> Outcome {
    player.until_closed(Reason::ProtocolError, &format!("behind {what}")).await?;
    // It may come back, and leaves nothing behind.
    player.enters().await?;
    player.leaves().await;
    Ok(())
}

/// The next beat of this player: nothing is wrong with it but where it is said.
fn beat(player: &mut Player<'_>) -> Beat {
    player.seat.counts_a_beat();
    let flags = Flags { active: true, ..Flags::default() };
    Beat { seq: player.seat.last_beat(), flags, free: 1, quiet: false, rtt_micros: 0 }
}

/// A result of nobody's task, with a body of this length of which these bytes are said.
fn result(seq: u64, body_len: u32, body: &'static [u8]) -> UpFrame {
    let head = WorkerMessage::Result { key: nobodys_task(), outcome: Ended::Succeeded };
    UpFrame::Message(Message { seq: Seq(seq), head, body_len, body: Bytes::from_static(body) })
}

fn packet(lane: Lane, frames: Vec<UpFrame>) -> Bytes {
    moorline_wire::encode_up(&Packet { lane, frames })
}

pub(super) async fn what_is_said_before_a_hello_ends_the_connection(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.dial().await?;
    let beat = UpFrame::Beat(beat(&mut player));
    player.send(packet(Lane::C, vec![beat]), Lane::C).await;
    // Who never says Hello is closed too, only later: one that is welcomed now was not closed for the beat.
    player.say_hello(|_| {}).await;
    closed(&mut player, "a beat before the Hello").await
}

pub(super) async fn work_before_active_ends_the_connection(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.welcomed().await?;
    let standing = player.seat.down[0].standing();
    let ack = UpFrame::Ack(Ack { lane: Lane::C, standing });
    player.send(packet(Lane::C, vec![ack]), Lane::C).await;
    // Who never becomes active may be closed too: one that becomes so was not closed for the ack.
    player.lists(&[]).await?;
    player.say(UpFrame::Active).await;
    closed(&mut player, "an ack before Active").await
}

pub(super) async fn garbage_ends_the_connection(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.enters().await?;
    closes(&mut player, raw::garbage(), Lane::C, "what is no packet").await
}

pub(super) async fn a_packet_that_is_too_large_ends_the_connection(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.enters().await?;
    let seq = u64::from(beat(&mut player).seq);
    let beat = [raw::number(1, seq), raw::number(2, 1), raw::number(3, 1)].concat();
    let bytes = raw::too_large(&[(1, beat)]);
    closes(&mut player, bytes, Lane::C, "a packet of 65,537 bytes").await
}

pub(super) async fn lanes_that_are_mixed_end_the_connection(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.enters().await?;
    let head = WorkerMessage::Result { key: nobodys_task(), outcome: Ended::Succeeded };
    player.seat.up[Lane::B.index()].say(head, Bytes::new());
    let mut frames = vec![UpFrame::Beat(beat(&mut player))];
    frames.extend(player.seat.due().into_iter().flat_map(|packet| packet.frames));
    closes(&mut player, packet(Lane::C, frames), Lane::C, "a packet of both lanes").await
}

pub(super) async fn a_frame_of_a_coordinator_ends_the_connection(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.enters().await?;
    let probe = Packet { lane: Lane::C, frames: vec![DownFrame::Probe] };
    closes(&mut player, moorline_wire::encode_down(&probe), Lane::C, "a Probe").await
}

pub(super) async fn a_gap_in_a_lane_ends_the_connection(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.enters().await?;
    let bytes = packet(Lane::B, vec![result(5, 0, b"")]);
    closes(&mut player, bytes, Lane::B, "message 5 where 1 is next").await
}

pub(super) async fn an_acknowledgement_of_nothing_ends_the_connection(
    table: &Table<'_>,
) -> Outcome {
    let mut player = Player::new(table);
    player.enters().await?;
    // Nothing is wrong with its credit.
    let standing = Standing { received: Seq(1_000), ..player.seat.down[0].standing() };
    let ack = UpFrame::Ack(Ack { lane: Lane::C, standing });
    closes(&mut player, packet(Lane::C, vec![ack]), Lane::C, "an ack of message 1,000").await
}

pub(super) async fn a_part_that_does_not_fit_ends_the_connection(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.enters().await?;
    let part = Part { seq: Seq(1), offset: 7, bytes: Bytes::from_static(b"more") };
    let bytes = packet(Lane::B, vec![result(1, 20, b"four"), UpFrame::Part(part)]);
    closes(&mut player, bytes, Lane::B, "a part at 7 where 4 is next").await
}

pub(super) async fn an_inventory_that_is_miscounted_ends_the_connection(
    table: &Table<'_>,
) -> Outcome {
    let mut player = Player::new(table);
    player.welcomed().await?;
    player.say(UpFrame::InventoryEnd { count: 3 }).await;
    player.say(UpFrame::Active).await;
    closed(&mut player, "an inventory without items, and an end that counts 3").await
}
