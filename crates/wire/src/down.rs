//! Frames of a coordinator.

use std::time::Duration;

use moorline_link::{BeatAnswer, ComeBack, Dismissal, Epoch, Lane, Reason, Welcome};
use moorline_node::{DownFrame, Message, ToWorker};
use moorline_work::{Attempt, Judgement};
use pb::frame::Kind;
use pb::lane_message::Head;

use crate::DecodeError;
use crate::generated::worker as pb;
use crate::value::{
    has, hint, micros, name, read_ack, read_disposition, read_flags, read_key, read_message,
    read_part, read_reason, read_session, read_standing, read_ticket, small, write_ack,
    write_disposition, write_flags, write_key, write_message, write_part, write_reason,
    write_session, write_standing, write_ticket,
};

pub(crate) fn write(frame: &DownFrame) -> Kind {
    match frame {
        DownFrame::Welcome { head, software } => {
            let [lane_c, lane_b] = head.lanes.map(write_standing);
            Kind::Welcome(pb::Welcome {
                version: head.version.into(),
                features: head.features,
                session: write_session(head.session),
                resumed: head.resumed,
                lane_c,
                lane_b,
                beat_interval_us: micros(head.beat_interval),
                first_window_us: head.first_window.map(micros),
                lost_after_us: micros(head.lost_after),
                software: software.as_str().to_owned(),
            })
        }
        DownFrame::Refused { dismissal, hint: words } => {
            let (come_back, after_us) = write_come_back(dismissal.come_back);
            let (reason, hint) = (write_reason(dismissal.reason), hint(words));
            let ticket = match dismissal.come_back {
                ComeBack::Slot { ticket, .. } => Some(write_ticket(ticket)),
                ComeBack::ByReason | ComeBack::After(_) | ComeBack::Never => None,
            };
            Kind::Refused(pb::Refused { reason, come_back, after_us, hint, ticket })
        }
        DownFrame::InventoryAnswer { index, key, judgement } => {
            Kind::InventoryAnswer(write_answer(*index, write_key(*key), *judgement))
        }
        DownFrame::Active => Kind::Active(pb::Active {}),
        DownFrame::Probe => Kind::Probe(pb::Probe {}),
        DownFrame::BeatAnswer(answer) => Kind::BeatAnswer(pb::BeatAnswer {
            seq: answer.seq,
            epoch: answer.epoch.0,
            flags: write_flags(
                answer.flags,
                &[
                    (answer.quiet, pb::BeatFlag::Quiet),
                    (answer.known, pb::BeatFlag::Known),
                    (answer.waiting, pb::BeatFlag::Waiting),
                ],
            ),
            free: answer.free.into(),
            first_window_us: answer.first_window.map(micros),
            beat_interval_us: answer.beat_interval.map(micros),
        }),
        DownFrame::Ack(ack) => Kind::Ack(write_ack(ack)),
        DownFrame::Message(message) => {
            let written = write_message(message, write_head(&message.head));
            match message.head.lane() {
                Lane::C => Kind::LaneC(written),
                Lane::B => Kind::LaneB(written),
            }
        }
        DownFrame::Part(part) => Kind::Part(write_part(part)),
        DownFrame::GoAway { dismissal, hint: words } => {
            let (come_back, after_us) = write_come_back(dismissal.come_back);
            let (reason, hint) = (write_reason(dismissal.reason), hint(words));
            Kind::GoAway(pb::GoAway { reason, come_back, after_us, hint })
        }
    }
}

pub(crate) fn read(kind: Kind) -> Result<DownFrame, DecodeError> {
    let other_way = |what| Err(DecodeError::WrongDirection { what });
    match kind {
        Kind::BeatAnswer(answer) => Ok(DownFrame::BeatAnswer(BeatAnswer {
            seq: answer.seq,
            epoch: Epoch(answer.epoch),
            known: has(answer.flags, pb::BeatFlag::Known),
            flags: read_flags(answer.flags),
            free: small("BeatAnswer.free", answer.free)?,
            quiet: has(answer.flags, pb::BeatFlag::Quiet),
            waiting: has(answer.flags, pb::BeatFlag::Waiting),
            first_window: answer.first_window_us.map(Duration::from_micros),
            beat_interval: answer.beat_interval_us.map(Duration::from_micros),
        })),
        Kind::Ack(ack) => Ok(DownFrame::Ack(read_ack(ack)?)),
        Kind::LaneC(message) => Ok(DownFrame::Message(read_numbered(Lane::C, message)?)),
        Kind::LaneB(message) => Ok(DownFrame::Message(read_numbered(Lane::B, message)?)),
        Kind::Part(part) => Ok(DownFrame::Part(read_part(part)?)),
        Kind::Welcome(welcome) => {
            let head = Welcome {
                version: small("Welcome.version", welcome.version)?,
                features: welcome.features,
                session: read_session("Welcome.session", welcome.session)?,
                resumed: welcome.resumed,
                lanes: [read_standing(welcome.lane_c), read_standing(welcome.lane_b)],
                beat_interval: Duration::from_micros(welcome.beat_interval_us),
                first_window: welcome.first_window_us.map(Duration::from_micros),
                lost_after: Duration::from_micros(welcome.lost_after_us),
            };
            let software = name("Welcome.software", &welcome.software)?;
            Ok(DownFrame::Welcome { head, software })
        }
        Kind::Refused(refused) => {
            let mut dismissal = read_dismissal(refused.reason, refused.come_back, refused.after_us);
            if let (ComeBack::After(after), Some(ticket)) = (dismissal.come_back, refused.ticket) {
                dismissal.come_back = ComeBack::Slot { after, ticket: read_ticket(ticket) };
            }
            Ok(DownFrame::Refused { dismissal, hint: refused.hint })
        }
        Kind::InventoryAnswer(answer) => {
            let judgement = read_judgement(&answer)?;
            let key = read_key(answer.key)?;
            Ok(DownFrame::InventoryAnswer { index: answer.index, key, judgement })
        }
        Kind::Active(pb::Active {}) => Ok(DownFrame::Active),
        Kind::Probe(pb::Probe {}) => Ok(DownFrame::Probe),
        Kind::GoAway(away) => {
            let dismissal = read_dismissal(away.reason, away.come_back, away.after_us);
            Ok(DownFrame::GoAway { dismissal, hint: away.hint })
        }
        Kind::Beat(_) => other_way("Beat"),
        Kind::Statistics(_) => other_way("Statistics"),
        Kind::Hello(_) => other_way("Hello"),
        Kind::InventoryItem(_) => other_way("InventoryItem"),
        Kind::InventoryEnd(_) => other_way("InventoryEnd"),
        Kind::Goodbye(_) => other_way("Goodbye"),
    }
}

fn write_come_back(come_back: ComeBack) -> (i32, u64) {
    match come_back {
        ComeBack::ByReason => (pb::ComeBack::Unspecified.into(), 0),
        ComeBack::After(after) | ComeBack::Slot { after, .. } => {
            (pb::ComeBack::After.into(), micros(after))
        }
        ComeBack::Never => (pb::ComeBack::Never.into(), 0),
    }
}

fn read_dismissal(reason: i32, come_back: i32, after_us: u64) -> Dismissal {
    let come_back = match pb::ComeBack::try_from(come_back) {
        Ok(pb::ComeBack::After) => ComeBack::After(Duration::from_micros(after_us)),
        Ok(pb::ComeBack::Never) => ComeBack::Never,
        Ok(pb::ComeBack::Unspecified) | Err(_) => ComeBack::ByReason,
    };
    Dismissal { reason: read_reason(reason, Reason::ClosedByPeer), come_back }
}

fn write_answer(index: u32, key: Option<pb::TaskKey>, judgement: Judgement) -> pb::InventoryAnswer {
    let (word, attempt, disposition) = match judgement {
        Judgement::Continue => (pb::Judgement::Continue, 0, 0),
        Judgement::Adopt { attempt } => (pb::Judgement::Adopt, attempt.0, 0),
        Judgement::Cancel => (pb::Judgement::Cancel, 0, 0),
        Judgement::Send => (pb::Judgement::Send, 0, 0),
        Judgement::Drop { disposition } => (pb::Judgement::Drop, 0, write_disposition(disposition)),
        Judgement::Unknown => (pb::Judgement::Unknown, 0, 0),
    };
    pb::InventoryAnswer { index, key, judgement: word.into(), attempt, disposition }
}

fn read_judgement(answer: &pb::InventoryAnswer) -> Result<Judgement, DecodeError> {
    match pb::Judgement::try_from(answer.judgement) {
        Ok(pb::Judgement::Continue) => Ok(Judgement::Continue),
        Ok(pb::Judgement::Adopt) => Ok(Judgement::Adopt { attempt: Attempt(answer.attempt) }),
        Ok(pb::Judgement::Cancel) => Ok(Judgement::Cancel),
        Ok(pb::Judgement::Send) => Ok(Judgement::Send),
        Ok(pb::Judgement::Drop) => {
            let field = "InventoryAnswer.disposition";
            Ok(Judgement::Drop { disposition: read_disposition(field, answer.disposition)? })
        }
        Ok(pb::Judgement::Unknown) => Ok(Judgement::Unknown),
        Ok(pb::Judgement::Unspecified) | Err(_) => Err(DecodeError::OutOfRange {
            field: "InventoryAnswer.judgement",
            value: answer.judgement.into(),
        }),
    }
}

fn write_head(message: &ToWorker) -> Head {
    match message {
        ToWorker::Assign { key, handler, timeout } => Head::Assign(pb::Assign {
            key: write_key(*key),
            handler: handler.as_str().to_owned(),
            timeout_us: timeout.map(micros),
        }),
        ToWorker::Settled { key, disposition } => Head::Settled(pb::Settled {
            key: write_key(*key),
            disposition: write_disposition(*disposition),
        }),
        ToWorker::Cancel { key } => Head::Cancel(pb::Cancel { key: write_key(*key) }),
        ToWorker::Revoke { key } => Head::Revoke(pb::Revoke { key: write_key(*key) }),
    }
}

fn read_numbered(lane: Lane, message: pb::LaneMessage) -> Result<Message<ToWorker>, DecodeError> {
    let message = read_message(lane, message)?;
    let other_way = |what| Err(DecodeError::WrongDirection { what });
    let (what, head) = match message.head {
        Head::Assign(assign) => {
            let handler = name("Assign.handler", &assign.handler)?;
            let timeout = assign.timeout_us.map(Duration::from_micros);
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
    Ok(Message { seq: message.seq, head, body_len: message.body_len, body: message.body })
}
