//! Frames of a worker.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::{
    Beat, Degraded, Hello, Incarnation, Lane, Reason, Resume, Statistics, Sym, Versions, WorkerId,
};
use moorline_node::{About, Credential, UpFrame, lane_of};
use moorline_work::{Holding, TaskKey, WorkerMessage};
use pb::inventory_item::Holding as PbHolding;

use crate::DecodeError;
use crate::frame::{self, Kind, Said, write_rare};
use crate::generated::worker as pb;
use crate::hot::{Head, HeadKind};
use crate::value::{
    halves, has, micros, name, read_ack, read_credit, read_flags, read_key, read_message,
    read_outcome, read_part, read_reason, read_refusal, read_session, read_standing, read_ticket,
    small, whole, write_ack, write_credit, write_flags, write_key, write_message, write_outcome,
    write_part, write_reason, write_refusal, write_session, write_standing, write_ticket,
};

pub(crate) fn write(packet: &mut Vec<u8>, frame: &UpFrame) {
    match frame {
        UpFrame::Beat(beat) => {
            let beat = pb::Beat {
                seq: beat.seq,
                flags: write_flags(
                    beat.flags,
                    &[(beat.quiet && !cfg!(moorline_planted = "SAFE-12"), pb::BeatFlag::Quiet)],
                ),
                free: beat.free.into(),
                rtt_us: beat.rtt_micros,
            };
            frame::write(packet, Kind::Beat, &beat);
        }
        UpFrame::Ack(ack) => frame::write(packet, Kind::Ack, &write_ack(ack)),
        UpFrame::Message(message) => {
            let kind = match lane_of(&message.head) {
                Lane::C => Kind::LaneC,
                Lane::B => Kind::LaneB,
            };
            frame::write(packet, kind, &write_message(message, write_head(&message.head)));
        }
        UpFrame::Part(part) => frame::write(packet, Kind::Part, &write_part(part)),
        UpFrame::Hello { head, about } => {
            write_rare(packet, Kind::Hello, &write_hello(head, about));
        }
        UpFrame::InventoryItem { index, key, holding } => {
            write_rare(packet, Kind::InventoryItem, &write_item(*index, *key, *holding));
        }
        UpFrame::InventoryEnd { count } => {
            write_rare(packet, Kind::InventoryEnd, &pb::InventoryEnd { count: *count });
        }
        UpFrame::Active => write_rare(packet, Kind::Active, &pb::Active {}),
        UpFrame::Statistics(statistics) => {
            write_rare(packet, Kind::Statistics, &write_statistics(statistics));
        }
        UpFrame::Goodbye { reason } => {
            write_rare(packet, Kind::Goodbye, &pb::Goodbye { reason: write_reason(*reason) });
        }
    }
}

#[inline]
pub(crate) fn read(said: &mut Said<'_>) -> Result<UpFrame, DecodeError> {
    match said.kind {
        Kind::Beat => {
            let mut beat = pb::Beat::default();
            said.hot(&mut beat)?;
            read_beat(&beat)
        }
        Kind::Ack => {
            let mut ack = pb::Ack::default();
            said.hot(&mut ack)?;
            read_ack(&ack).map(UpFrame::Ack)
        }
        Kind::LaneC | Kind::LaneB => Ok(UpFrame::Message(read_message(said, read_head, lane_of)?)),
        Kind::Part => Ok(UpFrame::Part(read_part(said)?)),
        Kind::Hello => read_hello(said.rare()?),
        Kind::InventoryItem => read_item(said.rare()?),
        Kind::InventoryEnd => {
            said.rare().map(|pb::InventoryEnd { count }| UpFrame::InventoryEnd { count })
        }
        Kind::Active => said.rare().map(|pb::Active {}| UpFrame::Active),
        Kind::Statistics => said.rare().map(|said| UpFrame::Statistics(read_statistics(&said))),
        Kind::Goodbye => said.rare().map(read_goodbye),
        Kind::BeatAnswer => said.other_way("BeatAnswer"),
        Kind::Welcome => said.other_way("Welcome"),
        Kind::Refused => said.other_way("Refused"),
        Kind::InventoryAnswer => said.other_way("InventoryAnswer"),
        Kind::Probe => said.other_way("Probe"),
        Kind::GoAway => said.other_way("GoAway"),
        Kind::Endpoints => said.other_way("Endpoints"),
        Kind::Redirect => said.other_way("Redirect"),
    }
}

pub(crate) fn read_beat(beat: &pb::Beat) -> Result<UpFrame, DecodeError> {
    Ok(UpFrame::Beat(Beat {
        seq: beat.seq,
        flags: read_flags(beat.flags),
        free: small("Beat.free", beat.free)?,
        quiet: has(beat.flags, pb::BeatFlag::Quiet),
        rtt_micros: beat.rtt_us,
    }))
}

fn write_item(index: u32, key: TaskKey, holding: Holding) -> pb::InventoryItem {
    let holding = match holding {
        Holding::Running { progress } => PbHolding::Running(pb::Running { progress }),
        Holding::Finished { outcome, len } => {
            PbHolding::Finished(pb::Finished { outcome: write_outcome(outcome), body_len: len })
        }
    };
    pb::InventoryItem { index, key: write_key(key), holding: Some(holding) }
}

pub(crate) fn read_item(item: pb::InventoryItem) -> Result<UpFrame, DecodeError> {
    let holding = match item.holding {
        Some(PbHolding::Running(running)) => Holding::Running { progress: running.progress },
        Some(PbHolding::Finished(finished)) => Holding::Finished {
            outcome: read_outcome("Finished.outcome", finished.outcome)?,
            len: finished.body_len,
        },
        None => return Err(DecodeError::Missing { field: "InventoryItem.holding" }),
    };
    Ok(UpFrame::InventoryItem { index: item.index, key: read_key(item.key)?, holding })
}

pub(crate) fn read_goodbye(goodbye: pb::Goodbye) -> UpFrame {
    UpFrame::Goodbye { reason: read_reason(goodbye.reason, Reason::WorkerStopping) }
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

pub(crate) fn read_statistics(statistics: &pb::Statistics) -> Statistics {
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
        credential: about.credential.as_ref().map_or_else(Bytes::new, Credential::to_bytes),
    }
}

pub(crate) fn read_hello(hello: pb::Hello) -> Result<UpFrame, DecodeError> {
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
        credential: read_credential(hello.credential)?,
    };
    Ok(UpFrame::Hello { head, about })
}

fn read_credential(bytes: Bytes) -> Result<Option<Credential>, DecodeError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let (field, len) = ("Hello.credential", bytes.len());
    let too_long = |_| DecodeError::TextTooLong { field, len, max: Credential::MAX };
    Credential::new(bytes).map(Some).map_err(too_long)
}

fn write_head(message: &WorkerMessage) -> Head<'static> {
    let (kind, key, word) = match *message {
        WorkerMessage::Accept { key } => (HeadKind::Accept, key, 0),
        WorkerMessage::Refuse { key, refusal } => (HeadKind::Refuse, key, write_refusal(refusal)),
        WorkerMessage::Held { key } => (HeadKind::Held, key, 0),
        WorkerMessage::NotHeld { key } => (HeadKind::NotHeld, key, 0),
        WorkerMessage::Result { key, outcome } => (HeadKind::Result, key, write_outcome(outcome)),
    };
    Head { key: write_key(key), word, ..Head::new(kind) }
}

fn read_head(head: &Head<'_>) -> Result<WorkerMessage, DecodeError> {
    match head.kind {
        HeadKind::Result => {
            let outcome = read_outcome("Result.outcome", head.word)?;
            Ok(WorkerMessage::Result { key: read_key(head.key)?, outcome })
        }
        HeadKind::Accept => Ok(WorkerMessage::Accept { key: read_key(head.key)? }),
        HeadKind::Refuse => {
            let refusal = read_refusal(head.word)?;
            Ok(WorkerMessage::Refuse { key: read_key(head.key)?, refusal })
        }
        HeadKind::Held => Ok(WorkerMessage::Held { key: read_key(head.key)? }),
        HeadKind::NotHeld => Ok(WorkerMessage::NotHeld { key: read_key(head.key)? }),
        HeadKind::Assign | HeadKind::Settled | HeadKind::Cancel | HeadKind::Revoke => {
            Err(DecodeError::WrongDirection { what: head.kind.name() })
        }
    }
}
