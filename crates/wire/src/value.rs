//! The small things inside frames, both ways. What is written is always read back; what is read is
//! in range, or an error.

use std::time::Duration;

use moorline_link::{Ack, Credit, Flags, Lane, Reason, Seq, SessionId, Standing, Ticket};
use moorline_node::{Message, Name, Part};
use moorline_work::{Attempt, Disposition, Outcome, Refusal, TaskId, TaskKey};

use crate::frame::Said;
use crate::generated::worker as pb;
use crate::hot::{self, Head, LaneMessage};
use crate::{DecodeError, limits};

/// The high and the low half of a number.
pub(crate) fn halves(id: u128) -> (u64, u64) {
    // Casts that cut are the point here.
    ((id >> 64) as u64, id as u64)
}

/// The number with these halves.
pub(crate) fn whole(high: u64, low: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

/// Whole microseconds, rounded up so that no limit becomes none.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX)
}

pub(crate) fn small(field: &'static str, value: u32) -> Result<u16, DecodeError> {
    u16::try_from(value).map_err(|_| DecodeError::OutOfRange { field, value: value.into() })
}

pub(crate) fn name(field: &'static str, text: &str) -> Result<Name, DecodeError> {
    Name::new(text).map_err(|error| DecodeError::Name { field, error })
}

/// At most [`limits::HINT`] bytes of a hint.
pub(crate) fn hint(text: &str) -> String {
    let mut end = text.len().min(limits::HINT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

fn unknown(field: &'static str, value: i32) -> DecodeError {
    DecodeError::OutOfRange { field, value: value.into() }
}

pub(crate) fn write_key(key: TaskKey) -> Option<pb::TaskKey> {
    let (task_high, task_low) = halves(key.task.0);
    Some(pb::TaskKey { task_high, task_low, attempt: key.attempt.0 })
}

pub(crate) fn read_key(key: Option<pb::TaskKey>) -> Result<TaskKey, DecodeError> {
    let key = key.ok_or(DecodeError::Missing { field: "key" })?;
    let task = TaskId(whole(key.task_high, key.task_low));
    Ok(TaskKey { task, attempt: Attempt(key.attempt) })
}

pub(crate) fn write_standing(standing: Standing) -> Option<pb::Standing> {
    Some(pb::Standing {
        received: standing.received.0,
        credit_messages: standing.credit.messages.0,
        credit_bytes: standing.credit.bytes,
    })
}

pub(crate) fn read_standing(standing: Option<pb::Standing>) -> Standing {
    let standing = standing.unwrap_or_default();
    let credit = Credit { messages: Seq(standing.credit_messages), bytes: standing.credit_bytes };
    Standing { received: Seq(standing.received), credit }
}

pub(crate) fn write_credit(credit: Credit) -> Option<pb::Credit> {
    Some(pb::Credit { messages: credit.messages.0, bytes: credit.bytes })
}

pub(crate) fn read_credit(credit: Option<pb::Credit>) -> Credit {
    let credit = credit.unwrap_or_default();
    Credit { messages: Seq(credit.messages), bytes: credit.bytes }
}

pub(crate) fn write_session(session: SessionId) -> Option<pb::SessionId> {
    Some(pb::SessionId { epoch: session.epoch.0, n: session.n })
}

pub(crate) fn read_session(
    field: &'static str,
    session: Option<pb::SessionId>,
) -> Result<SessionId, DecodeError> {
    let session = session.ok_or(DecodeError::Missing { field })?;
    Ok(SessionId { epoch: moorline_link::Epoch(session.epoch), n: session.n })
}

pub(crate) fn write_ticket(ticket: Ticket) -> pb::Ticket {
    pb::Ticket { epoch: ticket.epoch.0, slot: ticket.slot, mac: ticket.mac }
}

pub(crate) fn read_ticket(ticket: pb::Ticket) -> Ticket {
    Ticket { epoch: moorline_link::Epoch(ticket.epoch), slot: ticket.slot, mac: ticket.mac }
}

/// Flags of a beat with the bits beside them.
pub(crate) fn write_flags(flags: Flags, others: &[(bool, pb::BeatFlag)]) -> u32 {
    [
        (flags.active, pb::BeatFlag::Active),
        (flags.draining, pb::BeatFlag::Draining),
        (flags.paused, pb::BeatFlag::Paused),
    ]
    .iter()
    .chain(others)
    .filter(|(set, _)| *set)
    .fold(0, |bits, (_, flag)| bits | bit(*flag))
}

pub(crate) fn read_flags(bits: u32) -> Flags {
    Flags {
        active: has(bits, pb::BeatFlag::Active),
        draining: has(bits, pb::BeatFlag::Draining),
        paused: has(bits, pb::BeatFlag::Paused),
    }
}

pub(crate) fn has(bits: u32, flag: pb::BeatFlag) -> bool {
    bits & bit(flag) != 0
}

fn bit(flag: pb::BeatFlag) -> u32 {
    flag as i32 as u32
}

pub(crate) fn write_ack(ack: &Ack) -> pb::Ack {
    let lane = match ack.lane {
        Lane::C => pb::Lane::C,
        Lane::B => pb::Lane::B,
    };
    pb::Ack { lane: lane.into(), standing: write_standing(ack.standing) }
}

pub(crate) fn read_ack(ack: &pb::Ack) -> Result<Ack, DecodeError> {
    let lane = match pb::Lane::try_from(ack.lane) {
        Ok(pb::Lane::C) => Lane::C,
        Ok(pb::Lane::B) => Lane::B,
        Ok(pb::Lane::Unspecified) | Err(_) => return Err(unknown("Ack.lane", ack.lane)),
    };
    Ok(Ack { lane, standing: read_standing(ack.standing) })
}

pub(crate) fn write_part(part: &Part) -> hot::Part<'_> {
    hot::Part { seq: part.seq.0, offset: part.offset, bytes: &part.bytes }
}

pub(crate) fn read_part(said: &mut Said<'_>) -> Result<Part, DecodeError> {
    let mut part = hot::Part::default();
    said.hot(&mut part)?;
    if part.bytes.is_empty() {
        return Err(DecodeError::EmptyPart);
    }
    let len = u64::from(part.offset) + part.bytes.len() as u64;
    let max = limits::body(Lane::B);
    if len > u64::from(max) {
        return Err(DecodeError::BodyTooLarge { lane: Lane::B, len, max });
    }
    Ok(Part { seq: Seq(part.seq), offset: part.offset, bytes: said.packet.slice_ref(part.bytes) })
}

pub(crate) fn write_message<'a, M>(message: &'a Message<M>, head: Head<'a>) -> LaneMessage<'a> {
    LaneMessage {
        seq: message.seq.0,
        body_len: message.body_len,
        body: &message.body,
        head: Some(head),
    }
}

/// Reads a message; its head is read by direction.
#[inline]
pub(crate) fn read_message<M>(
    said: &mut Said<'_>,
    read_head: impl Fn(&Head<'_>) -> Result<M, DecodeError>,
    lane_of: impl Fn(&M) -> Lane,
) -> Result<Message<M>, DecodeError> {
    let lane = said.kind.lane();
    let mut message = LaneMessage::default();
    said.hot(&mut message)?;
    let LaneMessage { seq, body_len, body, head } = message;
    if seq == 0 {
        return Err(DecodeError::OutOfRange { field: "LaneMessage.seq", value: 0 });
    }
    let max = limits::body(lane);
    if body_len > max {
        return Err(DecodeError::BodyTooLarge { lane, len: body_len.into(), max });
    }
    let whole = u32::try_from(body.len()).is_ok_and(|came| came == body_len);
    let begun = lane == Lane::B && body.len() < body_len as usize;
    if !whole && !begun {
        return Err(DecodeError::BodyLength { lane, said: body_len, came: body.len() });
    }
    let said_head = head.ok_or(DecodeError::UnknownMessage { lane, seq })?;
    let head = read_head(&said_head)?;
    if lane_of(&head) != lane {
        return Err(DecodeError::WrongLane { what: said_head.kind.name(), lane });
    }
    Ok(Message { seq: Seq(seq), head, body_len, body: said.packet.slice_ref(body) })
}

pub(crate) fn write_outcome(outcome: Outcome) -> i32 {
    match outcome {
        Outcome::Succeeded => pb::Outcome::Succeeded,
        Outcome::Failed { retryable: false } => pb::Outcome::Failed,
        Outcome::Failed { retryable: true } => pb::Outcome::FailedRetryable,
        Outcome::TimedOut => pb::Outcome::TimedOut,
        Outcome::Cancelled => pb::Outcome::Cancelled,
    }
    .into()
}

pub(crate) fn read_outcome(field: &'static str, outcome: i32) -> Result<Outcome, DecodeError> {
    match pb::Outcome::try_from(outcome) {
        Ok(pb::Outcome::Succeeded) => Ok(Outcome::Succeeded),
        Ok(pb::Outcome::Failed) => Ok(Outcome::Failed { retryable: false }),
        Ok(pb::Outcome::FailedRetryable) => Ok(Outcome::Failed { retryable: true }),
        Ok(pb::Outcome::TimedOut) => Ok(Outcome::TimedOut),
        Ok(pb::Outcome::Cancelled) => Ok(Outcome::Cancelled),
        Ok(pb::Outcome::Unspecified) | Err(_) => Err(unknown(field, outcome)),
    }
}

pub(crate) fn write_refusal(refusal: Refusal) -> i32 {
    match refusal {
        Refusal::Draining => pb::Refusal::Draining,
        Refusal::NoSlot => pb::Refusal::NoSlot,
        Refusal::UnknownHandler => pb::Refusal::UnknownHandler,
        Refusal::Revoked => pb::Refusal::Revoked,
    }
    .into()
}

pub(crate) fn read_refusal(refusal: i32) -> Result<Refusal, DecodeError> {
    match pb::Refusal::try_from(refusal) {
        Ok(pb::Refusal::Draining) => Ok(Refusal::Draining),
        Ok(pb::Refusal::NoSlot) => Ok(Refusal::NoSlot),
        Ok(pb::Refusal::UnknownHandler) => Ok(Refusal::UnknownHandler),
        Ok(pb::Refusal::Revoked) => Ok(Refusal::Revoked),
        Ok(pb::Refusal::Unspecified) | Err(_) => Err(unknown("Refuse.refusal", refusal)),
    }
}

pub(crate) fn write_disposition(disposition: Disposition) -> i32 {
    match disposition {
        Disposition::Accepted => pb::Disposition::Accepted,
        Disposition::LateAccepted => pb::Disposition::LateAccepted,
        Disposition::Duplicate => pb::Disposition::Duplicate,
        Disposition::Stale => pb::Disposition::Stale,
        Disposition::Unknown => pb::Disposition::Unknown,
    }
    .into()
}

pub(crate) fn read_disposition(
    field: &'static str,
    disposition: i32,
) -> Result<Disposition, DecodeError> {
    match pb::Disposition::try_from(disposition) {
        Ok(pb::Disposition::Accepted) => Ok(Disposition::Accepted),
        Ok(pb::Disposition::LateAccepted) => Ok(Disposition::LateAccepted),
        Ok(pb::Disposition::Duplicate) => Ok(Disposition::Duplicate),
        Ok(pb::Disposition::Stale) => Ok(Disposition::Stale),
        Ok(pb::Disposition::Unknown) => Ok(Disposition::Unknown),
        Ok(pb::Disposition::Unspecified) | Err(_) => Err(unknown(field, disposition)),
    }
}

pub(crate) fn write_reason(reason: Reason) -> i32 {
    i32::from(reason.code())
}

/// A later version may know more reasons: those count as `other` here.
pub(crate) fn read_reason(reason: i32, other: Reason) -> Reason {
    u16::try_from(reason).ok().and_then(Reason::from_code).unwrap_or(other)
}
