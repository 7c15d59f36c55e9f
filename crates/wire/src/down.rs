//! Frames of a coordinator.

use std::time::Duration;

use moorline_link::{BeatAnswer, ComeBack, Dismissal, Epoch, Lane, Reason, Welcome};
use moorline_node::{Address, DownFrame, Name, ToWorker};
use moorline_work::{Attempt, Judgement};

use crate::DecodeError;
use crate::frame::{self, Kind, Said, write_rare};
use crate::generated::worker as pb;
use crate::hot::{Head, HeadKind};
use crate::value::{
    has, hint, micros, name, read_ack, read_disposition, read_flags, read_key, read_message,
    read_part, read_reason, read_session, read_standing, read_ticket, small, write_ack,
    write_disposition, write_flags, write_key, write_message, write_part, write_reason,
    write_session, write_standing, write_ticket,
};

pub(crate) fn write(packet: &mut Vec<u8>, frame: &DownFrame) {
    match frame {
        DownFrame::BeatAnswer(answer) => {
            frame::write(packet, Kind::BeatAnswer, &write_beat_answer(answer));
        }
        DownFrame::Ack(ack) => frame::write(packet, Kind::Ack, &write_ack(ack)),
        DownFrame::Message(message) => {
            let kind = match message.head.lane() {
                Lane::C => Kind::LaneC,
                Lane::B => Kind::LaneB,
            };
            frame::write(packet, kind, &write_message(message, write_head(&message.head)));
        }
        DownFrame::Part(part) => frame::write(packet, Kind::Part, &write_part(part)),
        DownFrame::Welcome { head, software } => {
            write_rare(packet, Kind::Welcome, &write_welcome(head, software));
        }
        DownFrame::Refused { dismissal, hint: words } => {
            let (come_back, after_us) = write_come_back(dismissal.come_back);
            let (reason, hint) = (write_reason(dismissal.reason), hint(words));
            let ticket = match dismissal.come_back {
                ComeBack::Slot { ticket, .. } => Some(write_ticket(ticket)),
                ComeBack::ByReason | ComeBack::After(_) | ComeBack::Never => None,
            };
            let refused = pb::Refused { reason, come_back, after_us, hint, ticket };
            write_rare(packet, Kind::Refused, &refused);
        }
        DownFrame::InventoryAnswer { index, key, judgement } => {
            let answer = write_answer(*index, write_key(*key), *judgement);
            write_rare(packet, Kind::InventoryAnswer, &answer);
        }
        DownFrame::Active => write_rare(packet, Kind::Active, &pb::Active {}),
        DownFrame::Probe => write_rare(packet, Kind::Probe, &pb::Probe {}),
        DownFrame::GoAway { dismissal, hint: words } => {
            let (come_back, after_us) = write_come_back(dismissal.come_back);
            let (reason, hint) = (write_reason(dismissal.reason), hint(words));
            let away = pb::GoAway { reason, come_back, after_us, hint };
            write_rare(packet, Kind::GoAway, &away);
        }
        DownFrame::Endpoints(addresses) => {
            let endpoints = pb::Endpoints { endpoints: write_addresses(addresses) };
            write_rare(packet, Kind::Endpoints, &endpoints);
        }
        DownFrame::Redirect(addresses) => {
            let redirect = pb::Redirect { endpoints: write_addresses(addresses) };
            write_rare(packet, Kind::Redirect, &redirect);
        }
    }
}

#[inline]
pub(crate) fn read(said: &mut Said<'_>) -> Result<DownFrame, DecodeError> {
    match said.kind {
        Kind::BeatAnswer => {
            let mut answer = pb::BeatAnswer::default();
            said.hot(&mut answer)?;
            read_beat_answer(&answer)
        }
        Kind::Ack => {
            let mut ack = pb::Ack::default();
            said.hot(&mut ack)?;
            read_ack(&ack).map(DownFrame::Ack)
        }
        Kind::LaneC | Kind::LaneB => {
            Ok(DownFrame::Message(read_message(said, read_head, ToWorker::lane)?))
        }
        Kind::Part => Ok(DownFrame::Part(read_part(said)?)),
        Kind::Welcome => read_welcome(said.rare()?),
        Kind::Refused => said.rare().map(read_refused),
        Kind::InventoryAnswer => read_answer(said.rare()?),
        Kind::Active => said.rare().map(|pb::Active {}| DownFrame::Active),
        Kind::Probe => said.rare().map(|pb::Probe {}| DownFrame::Probe),
        Kind::GoAway => said.rare().map(read_go_away),
        Kind::Endpoints => read_endpoints(said.rare()?),
        Kind::Redirect => read_redirect(said.rare()?),
        Kind::Beat => said.other_way("Beat"),
        Kind::Statistics => said.other_way("Statistics"),
        Kind::Hello => said.other_way("Hello"),
        Kind::InventoryItem => said.other_way("InventoryItem"),
        Kind::InventoryEnd => said.other_way("InventoryEnd"),
        Kind::Goodbye => said.other_way("Goodbye"),
    }
}

fn write_beat_answer(answer: &BeatAnswer) -> pb::BeatAnswer {
    let beside = [
        (answer.quiet, pb::BeatFlag::Quiet),
        (answer.known, pb::BeatFlag::Known),
        (answer.waiting, pb::BeatFlag::Waiting),
    ];
    pb::BeatAnswer {
        seq: answer.seq,
        epoch: answer.epoch.0,
        flags: write_flags(answer.flags, &beside),
        free: answer.free.into(),
        first_window_us: answer.first_window.map(micros),
        beat_interval_us: answer.beat_interval.map(micros),
    }
}

pub(crate) fn read_beat_answer(answer: &pb::BeatAnswer) -> Result<DownFrame, DecodeError> {
    Ok(DownFrame::BeatAnswer(BeatAnswer {
        seq: answer.seq,
        epoch: Epoch(answer.epoch),
        known: has(answer.flags, pb::BeatFlag::Known),
        flags: read_flags(answer.flags),
        free: small("BeatAnswer.free", answer.free)?,
        quiet: has(answer.flags, pb::BeatFlag::Quiet),
        waiting: has(answer.flags, pb::BeatFlag::Waiting),
        first_window: answer.first_window_us.map(Duration::from_micros),
        beat_interval: answer.beat_interval_us.map(Duration::from_micros),
    }))
}

fn write_welcome(head: &Welcome, software: &Name) -> pb::Welcome {
    let [lane_c, lane_b] = head.lanes.map(write_standing);
    pb::Welcome {
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
    }
}

pub(crate) fn read_welcome(welcome: pb::Welcome) -> Result<DownFrame, DecodeError> {
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
    Ok(DownFrame::Welcome { head, software: name("Welcome.software", &welcome.software)? })
}

pub(crate) fn read_refused(refused: pb::Refused) -> DownFrame {
    let mut dismissal = read_dismissal(refused.reason, refused.come_back, refused.after_us);
    if let (ComeBack::After(after), Some(ticket)) = (dismissal.come_back, refused.ticket) {
        dismissal.come_back = ComeBack::Slot { after, ticket: read_ticket(ticket) };
    }
    DownFrame::Refused { dismissal, hint: refused.hint }
}

pub(crate) fn read_go_away(away: pb::GoAway) -> DownFrame {
    let dismissal = read_dismissal(away.reason, away.come_back, away.after_us);
    DownFrame::GoAway { dismissal, hint: away.hint }
}

fn write_addresses(addresses: &[Address]) -> Vec<String> {
    addresses.iter().map(|address| address.as_str().to_owned()).collect()
}

fn read_addresses(field: &'static str, texts: &[String]) -> Result<Vec<Address>, DecodeError> {
    let read =
        |text: &String| Address::new(text).map_err(|error| DecodeError::Name { field, error });
    texts.iter().map(read).collect()
}

pub(crate) fn read_endpoints(said: pb::Endpoints) -> Result<DownFrame, DecodeError> {
    read_addresses("Endpoints.endpoints", &said.endpoints).map(DownFrame::Endpoints)
}

pub(crate) fn read_redirect(said: pb::Redirect) -> Result<DownFrame, DecodeError> {
    read_addresses("Redirect.endpoints", &said.endpoints).map(DownFrame::Redirect)
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

pub(crate) fn read_answer(answer: pb::InventoryAnswer) -> Result<DownFrame, DecodeError> {
    let judgement = read_judgement(&answer)?;
    let key = read_key(answer.key)?;
    Ok(DownFrame::InventoryAnswer { index: answer.index, key, judgement })
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

fn write_head(message: &ToWorker) -> Head<'_> {
    match message {
        ToWorker::Assign { key, handler, timeout } => Head {
            key: write_key(*key),
            handler: handler.as_str(),
            timeout_us: timeout.map(micros),
            ..Head::new(HeadKind::Assign)
        },
        ToWorker::Settled { key, disposition } => Head {
            key: write_key(*key),
            word: write_disposition(*disposition),
            ..Head::new(HeadKind::Settled)
        },
        ToWorker::Cancel { key } => Head { key: write_key(*key), ..Head::new(HeadKind::Cancel) },
        ToWorker::Revoke { key } => Head { key: write_key(*key), ..Head::new(HeadKind::Revoke) },
    }
}

fn read_head(head: &Head<'_>) -> Result<ToWorker, DecodeError> {
    match head.kind {
        HeadKind::Assign => {
            let handler = name("Assign.handler", head.handler)?;
            let timeout = head.timeout_us.map(Duration::from_micros);
            Ok(ToWorker::Assign { key: read_key(head.key)?, handler, timeout })
        }
        HeadKind::Settled => {
            let disposition = read_disposition("Settled.disposition", head.word)?;
            Ok(ToWorker::Settled { key: read_key(head.key)?, disposition })
        }
        HeadKind::Cancel => Ok(ToWorker::Cancel { key: read_key(head.key)? }),
        HeadKind::Revoke => Ok(ToWorker::Revoke { key: read_key(head.key)? }),
        HeadKind::Result
        | HeadKind::Accept
        | HeadKind::Refuse
        | HeadKind::Held
        | HeadKind::NotHeld => Err(DecodeError::WrongDirection { what: head.kind.name() }),
    }
}
