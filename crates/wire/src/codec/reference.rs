//! How a packet is read by the generated code alone: every frame is walked by its shape, decoded by
//! prost and then converted. What reads the hot path in one pass must say the same of all bytes.

#![allow(unreachable_pub, reason = "only fuzz targets see it from outside")]

use bytes::Bytes;
use moorline_link::{Lane, Seq};
use moorline_node::{DownFrame, Message, Part, ToWorker, UpFrame, lane_of};
use moorline_work::WorkerMessage;
use pb::frame::Kind;
use pb::lane_message::Head;
use prost::Message as _;

use super::Decoded;
use crate::generated::{shapes, worker as pb};
use crate::shape::{self, Value, malformed};
use crate::value::{name, read_ack, read_disposition, read_key, read_outcome, read_refusal};
use crate::{DecodeError, down, limits, up};

/// A worker's packet.
pub fn decode_up(packet: &Bytes) -> Result<Decoded<UpFrame>, DecodeError> {
    decode(packet, read_up)
}

/// A coordinator's packet.
pub fn decode_down(packet: &Bytes) -> Result<Decoded<DownFrame>, DecodeError> {
    decode(packet, read_down)
}

fn decode<F>(
    packet: &Bytes,
    read: fn(Kind) -> Result<F, DecodeError>,
) -> Result<Decoded<F>, DecodeError> {
    let (len, max) = (packet.len(), limits::PACKET_MAX);
    if len > max {
        return Err(DecodeError::PacketTooLong { len, max });
    }
    let mut decoded =
        Decoded { lane: Lane::C, frames: Vec::new(), unknown_frames: 0, unknown_fields: 0 };
    let (mut lane, mut count, mut rest) = (None, 0, &packet[..]);
    while let Some((number, value)) = shape::next(&mut rest)? {
        let frame = match (number, value) {
            (1, Value::Block(frame)) => frame,
            (1, Value::Number) => {
                return Err(malformed(format_args!("Packet.frames is of another type")));
            }
            (_, Value::Number | Value::Block(_)) => {
                decoded.unknown_fields += 1;
                continue;
            }
        };
        count += 1;
        if count > limits::FRAMES {
            return Err(DecodeError::TooManyFrames { max: limits::FRAMES });
        }
        let seen = shapes::FRAME.walk(frame)?;
        match seen.known {
            0 => {
                decoded.unknown_frames += 1;
                continue;
            }
            1 => decoded.unknown_fields += seen.unknown,
            kinds => return Err(DecodeError::SeveralKinds { kinds }),
        }
        let frame = pb::Frame::decode(packet.slice_ref(frame))
            .map_err(|error| malformed(format_args!("{error}")))?;
        let kind = frame.kind.unwrap();
        let own = if matches!(kind, Kind::LaneB(_) | Kind::Part(_)) { Lane::B } else { Lane::C };
        if *lane.get_or_insert(own) != own {
            return Err(DecodeError::MixedLanes);
        }
        decoded.frames.push(read(kind)?);
    }
    if count == 0 {
        return Err(DecodeError::Empty);
    }
    decoded.lane = lane.unwrap_or(Lane::C);
    Ok(decoded)
}

fn read_up(kind: Kind) -> Result<UpFrame, DecodeError> {
    match kind {
        Kind::Beat(beat) => up::read_beat(&beat),
        Kind::Statistics(statistics) => Ok(UpFrame::Statistics(up::read_statistics(&statistics))),
        Kind::Ack(ack) => Ok(UpFrame::Ack(read_ack(&ack)?)),
        Kind::LaneC(message) => Ok(UpFrame::Message(up_message(Lane::C, message)?)),
        Kind::LaneB(message) => Ok(UpFrame::Message(up_message(Lane::B, message)?)),
        Kind::Part(part) => Ok(UpFrame::Part(read_part(part)?)),
        Kind::Hello(hello) => up::read_hello(hello),
        Kind::InventoryItem(item) => up::read_item(item),
        Kind::InventoryEnd(end) => Ok(UpFrame::InventoryEnd { count: end.count }),
        Kind::Active(pb::Active {}) => Ok(UpFrame::Active),
        Kind::Goodbye(goodbye) => Ok(up::read_goodbye(goodbye)),
        Kind::BeatAnswer(_) => other_way("BeatAnswer"),
        Kind::Welcome(_) => other_way("Welcome"),
        Kind::Refused(_) => other_way("Refused"),
        Kind::InventoryAnswer(_) => other_way("InventoryAnswer"),
        Kind::Probe(_) => other_way("Probe"),
        Kind::GoAway(_) => other_way("GoAway"),
        Kind::Endpoints(_) => other_way("Endpoints"),
        Kind::Redirect(_) => other_way("Redirect"),
    }
}

fn read_down(kind: Kind) -> Result<DownFrame, DecodeError> {
    match kind {
        Kind::BeatAnswer(answer) => down::read_beat_answer(&answer),
        Kind::Ack(ack) => Ok(DownFrame::Ack(read_ack(&ack)?)),
        Kind::LaneC(message) => Ok(DownFrame::Message(down_message(Lane::C, message)?)),
        Kind::LaneB(message) => Ok(DownFrame::Message(down_message(Lane::B, message)?)),
        Kind::Part(part) => Ok(DownFrame::Part(read_part(part)?)),
        Kind::Welcome(welcome) => down::read_welcome(welcome),
        Kind::Refused(refused) => Ok(down::read_refused(refused)),
        Kind::InventoryAnswer(answer) => down::read_answer(answer),
        Kind::Active(pb::Active {}) => Ok(DownFrame::Active),
        Kind::Probe(pb::Probe {}) => Ok(DownFrame::Probe),
        Kind::GoAway(away) => Ok(down::read_go_away(away)),
        Kind::Endpoints(said) => down::read_endpoints(said),
        Kind::Redirect(said) => down::read_redirect(said),
        Kind::Beat(_) => other_way("Beat"),
        Kind::Statistics(_) => other_way("Statistics"),
        Kind::Hello(_) => other_way("Hello"),
        Kind::InventoryItem(_) => other_way("InventoryItem"),
        Kind::InventoryEnd(_) => other_way("InventoryEnd"),
        Kind::Goodbye(_) => other_way("Goodbye"),
    }
}

fn other_way<T>(what: &'static str) -> Result<T, DecodeError> {
    Err(DecodeError::WrongDirection { what })
}

fn read_part(part: pb::Part) -> Result<Part, DecodeError> {
    if part.bytes.is_empty() {
        return Err(DecodeError::EmptyPart);
    }
    let len = u64::from(part.offset) + part.bytes.len() as u64;
    let max = limits::body(Lane::B);
    if len > u64::from(max) {
        return Err(DecodeError::BodyTooLarge { lane: Lane::B, len, max });
    }
    Ok(Part { seq: Seq(part.seq), offset: part.offset, bytes: part.bytes })
}

/// Checks a message, and takes its head out.
fn read_message(lane: Lane, message: pb::LaneMessage) -> Result<(Head, Message<()>), DecodeError> {
    let pb::LaneMessage { seq, body_len, body, head } = message;
    if seq == 0 {
        return Err(DecodeError::OutOfRange { field: "LaneMessage.seq", value: 0 });
    }
    let max = limits::body(lane);
    if body_len > max {
        return Err(DecodeError::BodyTooLarge { lane, len: body_len.into(), max });
    }
    let came = body.len();
    if came > body_len as usize || (lane == Lane::C && came < body_len as usize) {
        return Err(DecodeError::BodyLength { lane, said: body_len, came });
    }
    let head = head.ok_or(DecodeError::UnknownMessage { lane, seq })?;
    Ok((head, Message { seq: Seq(seq), head: (), body_len, body }))
}

fn up_message(lane: Lane, message: pb::LaneMessage) -> Result<Message<WorkerMessage>, DecodeError> {
    let (head, Message { seq, head: (), body_len, body }) = read_message(lane, message)?;
    let (what, head) = match head {
        Head::Result(result) => {
            let outcome = read_outcome("Result.outcome", result.outcome)?;
            ("Result", WorkerMessage::Result { key: read_key(result.key)?, outcome })
        }
        Head::Accept(accept) => ("Accept", WorkerMessage::Accept { key: read_key(accept.key)? }),
        Head::Refuse(refuse) => {
            let refusal = read_refusal(refuse.refusal)?;
            ("Refuse", WorkerMessage::Refuse { key: read_key(refuse.key)?, refusal })
        }
        Head::Held(held) => ("Held", WorkerMessage::Held { key: read_key(held.key)? }),
        Head::NotHeld(not_held) => {
            ("NotHeld", WorkerMessage::NotHeld { key: read_key(not_held.key)? })
        }
        Head::Assign(_) => return other_way("Assign"),
        Head::Settled(_) => return other_way("Settled"),
        Head::Cancel(_) => return other_way("Cancel"),
        Head::Revoke(_) => return other_way("Revoke"),
    };
    if lane_of(&head) != lane {
        return Err(DecodeError::WrongLane { what, lane });
    }
    Ok(Message { seq, head, body_len, body })
}

fn down_message(lane: Lane, message: pb::LaneMessage) -> Result<Message<ToWorker>, DecodeError> {
    let (head, Message { seq, head: (), body_len, body }) = read_message(lane, message)?;
    let (what, head) = match head {
        Head::Assign(assign) => {
            let handler = name("Assign.handler", &assign.handler)?;
            let timeout = assign.timeout_us.map(std::time::Duration::from_micros);
            ("Assign", ToWorker::Assign { key: read_key(assign.key)?, handler, timeout })
        }
        Head::Settled(settled) => {
            let disposition = read_disposition("Settled.disposition", settled.disposition)?;
            ("Settled", ToWorker::Settled { key: read_key(settled.key)?, disposition })
        }
        Head::Cancel(cancel) => ("Cancel", ToWorker::Cancel { key: read_key(cancel.key)? }),
        Head::Revoke(revoke) => ("Revoke", ToWorker::Revoke { key: read_key(revoke.key)? }),
        Head::Result(_) => return other_way("Result"),
        Head::Accept(_) => return other_way("Accept"),
        Head::Refuse(_) => return other_way("Refuse"),
        Head::Held(_) => return other_way("Held"),
        Head::NotHeld(_) => return other_way("NotHeld"),
    };
    if head.lane() != lane {
        return Err(DecodeError::WrongLane { what, lane });
    }
    Ok(Message { seq, head, body_len, body })
}
