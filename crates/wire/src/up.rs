//! Frames of a worker.

use std::time::Duration;

use moorline_link::{
    Beat, Degraded, Hello, Incarnation, Lane, Reason, Resume, Statistics, Sym, Versions, WorkerId,
};
use moorline_node::{About, Message, UpFrame, lane_of};
use moorline_work::{Holding, WorkerMessage};
use pb::frame::Kind;
use pb::inventory_item::Holding as PbHolding;
use pb::lane_message::Head;

use crate::DecodeError;
use crate::generated::worker as pb;
use crate::value::{
    halves, has, micros, name, read_ack, read_credit, read_flags, read_key, read_message,
    read_outcome, read_part, read_reason, read_refusal, read_session, read_standing, read_ticket,
    small, whole, write_ack, write_credit, write_flags, write_key, write_message, write_outcome,
    write_part, write_reason, write_refusal, write_session, write_standing, write_ticket,
};

pub(crate) fn write(frame: &UpFrame) -> Kind {
    match frame {
        UpFrame::Hello { head, about } => Kind::Hello(write_hello(head, about)),
        UpFrame::InventoryItem { index, key, holding } => {
            let holding = match *holding {
                Holding::Running { progress } => PbHolding::Running(pb::Running { progress }),
                Holding::Finished { outcome, len } => PbHolding::Finished(pb::Finished {
                    outcome: write_outcome(outcome),
                    body_len: len,
                }),
            };
            let key = write_key(*key);
            Kind::InventoryItem(pb::InventoryItem { index: *index, key, holding: Some(holding) })
        }
        UpFrame::InventoryEnd { count } => Kind::InventoryEnd(pb::InventoryEnd { count: *count }),
        UpFrame::Active => Kind::Active(pb::Active {}),
        UpFrame::Beat(beat) => Kind::Beat(pb::Beat {
            seq: beat.seq,
            flags: write_flags(beat.flags, &[(beat.quiet, pb::BeatFlag::Quiet)]),
            free: beat.free.into(),
            rtt_us: beat.rtt_micros,
        }),
        UpFrame::Statistics(statistics) => Kind::Statistics(write_statistics(statistics)),
        UpFrame::Ack(ack) => Kind::Ack(write_ack(ack)),
        UpFrame::Message(message) => {
            let written = write_message(message, write_head(&message.head));
            match lane_of(&message.head) {
                Lane::C => Kind::LaneC(written),
                Lane::B => Kind::LaneB(written),
            }
        }
        UpFrame::Part(part) => Kind::Part(write_part(part)),
        UpFrame::Goodbye { reason } => Kind::Goodbye(pb::Goodbye { reason: write_reason(*reason) }),
    }
}

pub(crate) fn read(kind: Kind) -> Result<UpFrame, DecodeError> {
    let other_way = |what| Err(DecodeError::WrongDirection { what });
    match kind {
        Kind::Beat(beat) => Ok(UpFrame::Beat(Beat {
            seq: beat.seq,
            flags: read_flags(beat.flags),
            free: small("Beat.free", beat.free)?,
            quiet: has(beat.flags, pb::BeatFlag::Quiet),
            rtt_micros: beat.rtt_us,
        })),
        Kind::Statistics(statistics) => Ok(UpFrame::Statistics(read_statistics(&statistics))),
        Kind::Ack(ack) => Ok(UpFrame::Ack(read_ack(ack)?)),
        Kind::LaneC(message) => Ok(UpFrame::Message(read_numbered(Lane::C, message)?)),
        Kind::LaneB(message) => Ok(UpFrame::Message(read_numbered(Lane::B, message)?)),
        Kind::Part(part) => Ok(UpFrame::Part(read_part(part)?)),
        Kind::Hello(hello) => read_hello(hello),
        Kind::InventoryItem(item) => {
            let holding = match item.holding {
                Some(PbHolding::Running(running)) => {
                    Holding::Running { progress: running.progress }
                }
                Some(PbHolding::Finished(finished)) => Holding::Finished {
                    outcome: read_outcome("Finished.outcome", finished.outcome)?,
                    len: finished.body_len,
                },
                None => return Err(DecodeError::Missing { field: "InventoryItem.holding" }),
            };
            Ok(UpFrame::InventoryItem { index: item.index, key: read_key(item.key)?, holding })
        }
        Kind::InventoryEnd(end) => Ok(UpFrame::InventoryEnd { count: end.count }),
        Kind::Active(pb::Active {}) => Ok(UpFrame::Active),
        Kind::Goodbye(goodbye) => {
            let reason = read_reason(goodbye.reason, Reason::WorkerStopping);
            Ok(UpFrame::Goodbye { reason })
        }
        Kind::BeatAnswer(_) => other_way("BeatAnswer"),
        Kind::Welcome(_) => other_way("Welcome"),
        Kind::Refused(_) => other_way("Refused"),
        Kind::InventoryAnswer(_) => other_way("InventoryAnswer"),
        Kind::Probe(_) => other_way("Probe"),
        Kind::GoAway(_) => other_way("GoAway"),
    }
}

fn write_statistics(statistics: &Statistics) -> pb::Statistics {
    let Degraded { stability, round_trip, queue } = statistics.degraded;
    let degraded = [
        (stability, pb::DegradedFlag::Stability),
        (round_trip, pb::DegradedFlag::RoundTrip),
        (queue, pb::DegradedFlag::Queue),
    ];
    pb::Statistics {
        rtt_mean_us: statistics.rtt_mean_micros,
        rtt_deviation_us: statistics.rtt_deviation_micros,
        rtt_p50_us: statistics.rtt_p50_micros,
        rtt_p99_us: statistics.rtt_p99_micros,
        connected_us: statistics.connected_micros,
        disconnected_us: statistics.disconnected_micros,
        recent_stability_ppm: statistics.recent_stability_ppm,
        dials: statistics.dials,
        successes: statistics.successes,
        failures: statistics.failures,
        outages: statistics.outages,
        degraded: degraded
            .into_iter()
            .filter(|(is, _)| *is)
            .fold(0, |bits, (_, flag)| bits | degraded_bit(flag)),
    }
}

fn read_statistics(statistics: &pb::Statistics) -> Statistics {
    let has = |flag| statistics.degraded & degraded_bit(flag) != 0;
    Statistics {
        rtt_mean_micros: statistics.rtt_mean_us,
        rtt_deviation_micros: statistics.rtt_deviation_us,
        rtt_p50_micros: statistics.rtt_p50_us,
        rtt_p99_micros: statistics.rtt_p99_us,
        connected_micros: statistics.connected_us,
        disconnected_micros: statistics.disconnected_us,
        recent_stability_ppm: statistics.recent_stability_ppm.min(1_000_000),
        dials: statistics.dials,
        successes: statistics.successes,
        failures: statistics.failures,
        outages: statistics.outages,
        degraded: Degraded {
            stability: has(pb::DegradedFlag::Stability),
            round_trip: has(pb::DegradedFlag::RoundTrip),
            queue: has(pb::DegradedFlag::Queue),
        },
    }
}

fn degraded_bit(flag: pb::DegradedFlag) -> u32 {
    flag as i32 as u32
}

fn write_hello(head: &Hello, about: &About) -> pb::Hello {
    let (worker_high, worker_low) = halves(head.worker.0);
    let [credit_c, credit_b] = head.credit.map(write_credit);
    let resume = head.resume.map(|resume| {
        let [lane_c, lane_b] = resume.lanes.map(write_standing);
        pb::Resume { session: write_session(resume.session), lane_c, lane_b }
    });
    pb::Hello {
        version_min: head.versions.min.into(),
        version_max: head.versions.max.into(),
        features: head.features,
        worker_high,
        worker_low,
        incarnation: head.incarnation.0,
        name: about.name.as_str().to_owned(),
        resume,
        credit_c,
        credit_b,
        beat_interval_us: micros(head.beat_interval),
        slots: about.slots.into(),
        handlers: about.handlers.iter().map(|handler| handler.as_str().to_owned()).collect(),
        software: about.software.as_str().to_owned(),
        ticket: head.ticket.map(write_ticket),
        holds_work: head.holds_work,
    }
}

fn read_hello(hello: pb::Hello) -> Result<UpFrame, DecodeError> {
    let resume = match hello.resume {
        Some(resume) => Some(Resume {
            session: read_session("Resume.session", resume.session)?,
            lanes: [read_standing(resume.lane_c), read_standing(resume.lane_b)],
        }),
        None => None,
    };
    let handlers = hello.handlers.iter().map(|text| name("Hello.handlers", text));
    let mut handlers = handlers.collect::<Result<Vec<_>, _>>()?;
    handlers.sort_unstable();
    handlers.dedup();
    let head = Hello {
        versions: Versions {
            min: small("Hello.version_min", hello.version_min)?,
            max: small("Hello.version_max", hello.version_max)?,
        },
        features: hello.features,
        worker: WorkerId(whole(hello.worker_high, hello.worker_low)),
        incarnation: Incarnation(hello.incarnation),
        // Whoever receives this interns the name in its own table.
        name: Sym::default(),
        resume,
        credit: [read_credit(hello.credit_c), read_credit(hello.credit_b)],
        beat_interval: Duration::from_micros(hello.beat_interval_us),
        ticket: hello.ticket.map(read_ticket),
        holds_work: hello.holds_work,
    };
    let about = About {
        name: name("Hello.name", &hello.name)?,
        slots: small("Hello.slots", hello.slots)?,
        handlers,
        software: name("Hello.software", &hello.software)?,
    };
    Ok(UpFrame::Hello { head, about })
}

fn write_head(message: &WorkerMessage) -> Head {
    match *message {
        WorkerMessage::Accept { key } => Head::Accept(pb::Accept { key: write_key(key) }),
        WorkerMessage::Refuse { key, refusal } => {
            Head::Refuse(pb::Refuse { key: write_key(key), refusal: write_refusal(refusal) })
        }
        WorkerMessage::Held { key } => Head::Held(pb::Held { key: write_key(key) }),
        WorkerMessage::NotHeld { key } => Head::NotHeld(pb::NotHeld { key: write_key(key) }),
        WorkerMessage::Result { key, outcome } => {
            Head::Result(pb::Result { key: write_key(key), outcome: write_outcome(outcome) })
        }
    }
}

fn read_numbered(
    lane: Lane,
    message: pb::LaneMessage,
) -> Result<Message<WorkerMessage>, DecodeError> {
    let message = read_message(lane, message)?;
    let other_way = |what| Err(DecodeError::WrongDirection { what });
    let (what, head) = match message.head {
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
    Ok(Message { seq: message.seq, head, body_len: message.body_len, body: message.body })
}
