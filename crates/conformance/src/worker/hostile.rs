//! A coordinator that is newer, or broken.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::{Beat, Flags, Lane, Seq};
use moorline_node::{DownFrame, Message, Packet, ToWorker, UpFrame};
use moorline_work::WorkerMessage;

use super::desk::Heard;
use super::stage::{Stage, beat, task};
use crate::hearing::Hears;
use crate::outcome::Outcome;
use crate::raw;

/// How long a worker may take to close what is broken.
const SOON: Duration = Duration::from_secs(5);

pub(super) async fn what_is_newer_is_ignored(stage: &mut Stage<'_>) -> Outcome {
    stage.start()?;
    stage
        .register_as(
            true,
            |welcome| welcome.beat_interval = super::BEAT * 10,
            super::stage::as_it_is,
        )
        .await?;
    // A field beside the frames, a frame of a later kind, one with fields beside its kind, and a Probe
    // with a field of its own.
    let mut newer = raw::packet(&[(40, b"of a later version".to_vec())]).to_vec();
    newer.extend(raw::block(99, b"beside the frames"));
    newer.extend(raw::number(98, 1));
    newer
        .extend(raw::block(1, &[raw::block(14, &raw::number(77, 5)), raw::number(60, 1)].concat()));
    stage.send(newer.into(), Lane::C).await;
    let expected = "a beat, as there is a Probe among what is newer";
    stage.until_within(SOON, expected, beat).await?;
    // Unknown flags in the answer to a beat: nothing comes of them.
    let session = stage.desk.session;
    stage.desk.manners.answers_beats = false;
    stage.say(DownFrame::Probe).await;
    let beat = stage.until_within(SOON, "a beat, as there is a Probe", beat).await?;
    let answer = [
        raw::number(1, u64::from(beat.seq)),
        raw::number(2, session.epoch.0),
        raw::number(3, 1 | 16 | 1 << 20),
        raw::number(4, u64::from(beat.free)),
        raw::number(50, 1),
    ];
    stage.send(raw::packet(&[(2, answer.concat())]), Lane::C).await;
    stage.desk.manners.answers_beats = true;
    let key = task(1);
    stage.tell(ToWorker::Revoke { key }, Bytes::new()).await;
    stage.until_said("not_held: the connection goes on", WorkerMessage::NotHeld { key }).await
}

/// Sends what no coordinator may send, and expects the end of the connection and the next one.
async fn closes(stage: &mut Stage<'_>, bytes: Bytes, lane: Lane, what: &str) -> Outcome {
    let session = stage.desk.session;
    stage.send(bytes, lane).await;
    stage
        .until_ended(SOON, &format!("the end of the connection within 5 s, behind {what}"))
        .await?;
    let (hello, _) = stage.register().await?;
    let resumes = hello.resume.is_some_and(|resume| resume.session == session);
    crate::outcome::holds(resumes, "the session in the next Hello, as it stands", || {
        format!("{:?}", hello.resume)
    })
}

pub(super) async fn garbage_ends_the_connection(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    closes(stage, raw::garbage(), Lane::C, "what is no packet").await
}

pub(super) async fn a_packet_that_is_too_large_ends_the_connection(
    stage: &mut Stage<'_>,
) -> Outcome {
    stage.begin().await?;
    let probe = raw::too_large(&[(14, Vec::new())]);
    closes(stage, probe, Lane::C, "a packet of 65,537 bytes").await
}

pub(super) async fn a_gap_in_a_lane_ends_the_connection(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    let head = ToWorker::Revoke { key: task(1) };
    let message = Message { seq: Seq(5), head, body_len: 0, body: Bytes::new() };
    let frames = vec![DownFrame::Message(message)];
    let bytes = moorline_wire::encode_down(&Packet { lane: Lane::C, frames });
    closes(stage, bytes, Lane::C, "message 5 where 1 is next").await?;
    // What was taken in order is not disturbed by it.
    let key = task(2);
    stage.tell(ToWorker::Revoke { key }, Bytes::new()).await;
    let expected = "not_held, as the answer to message 1";
    stage
        .until(expected, |heard| {
            let Heard::Said(said) = heard else { return None };
            (said.head == WorkerMessage::NotHeld { key }).then_some(())
        })
        .await
}

pub(super) async fn a_frame_of_a_worker_ends_the_connection(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    let flags = Flags { active: true, ..Flags::default() };
    let beat = Beat { seq: 1, flags, free: 1, quiet: false, rtt_micros: 0 };
    let packet = Packet { lane: Lane::C, frames: vec![UpFrame::Beat(beat)] };
    closes(stage, moorline_wire::encode_up(&packet), Lane::C, "a beat").await
}
