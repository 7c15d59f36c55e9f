//! The bytes of every frame, as they were when they were first committed: what an older or another
//! implementation says and expects. A change here is a change of the protocol.
//!
//! `MOORLINE_BLESS=1 cargo test -p moorline-wire --test golden` writes the file anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use moorline_link::{
    Ack, Beat, BeatAnswer, ComeBack, Credit, Degraded, Dismissal, Epoch, Flags, Hello, Incarnation,
    Lane, Reason, Resume, Seq, SessionId, Standing, Statistics, Sym, Ticket, Versions, Welcome,
    WorkerId,
};
use moorline_node::{
    About, Address, Credential, DownFrame, Message, Name, Packet, Part, ToWorker, UpFrame, lane_of,
};
use moorline_wire::{decode_down, decode_up, encode_down, encode_up};
use moorline_work::{
    Attempt, Disposition, Holding, Judgement, Outcome, Refusal, TaskId, TaskKey, WorkerMessage,
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden.txt");

const KEY: TaskKey =
    TaskKey { task: TaskId(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210), attempt: Attempt(3) };
const SESSION: SessionId = SessionId { epoch: Epoch(41), n: 7 };
const TICKET: Ticket = Ticket { epoch: Epoch(41), slot: 1_234_567, mac: 0x0102_0304_0506_0708 };
const FLAGS: Flags = Flags { active: true, draining: false, paused: true };
const LANES: [Standing; 2] = [
    Standing { received: Seq(5), credit: Credit { messages: Seq(37), bytes: 262_144 } },
    Standing { received: Seq(0), credit: Credit { messages: Seq(32), bytes: 262_144 } },
];

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn up_frames() -> Vec<UpFrame> {
    let head = Hello {
        versions: Versions { min: 1, max: 1 },
        features: 0,
        worker: WorkerId(0xa0a1_a2a3_a4a5_a6a7_a8a9_aaab_acad_aeaf),
        incarnation: Incarnation(0x1122_3344_5566_7788),
        name: Sym(0),
        resume: None,
        credit: LANES.map(|standing| standing.credit),
        beat_interval: Duration::from_secs(5),
        ticket: None,
        holds_work: false,
    };
    let about = About {
        name: name("worker-1"),
        slots: 4,
        handlers: vec![name("echo"), name("sleep")],
        software: name("0.1.0"),
        credential: None,
    };
    let resume = Some(Resume { session: SESSION, lanes: LANES });
    let outcomes = [
        Outcome::Succeeded,
        Outcome::Failed { retryable: false },
        Outcome::Failed { retryable: true },
        Outcome::TimedOut,
        Outcome::Cancelled,
    ];
    let refusals = [Refusal::Draining, Refusal::NoSlot, Refusal::UnknownHandler, Refusal::Revoked];
    let mut messages = vec![WorkerMessage::Accept { key: KEY }];
    messages.extend(refusals.map(|refusal| WorkerMessage::Refuse { key: KEY, refusal }));
    messages.extend([WorkerMessage::Held { key: KEY }, WorkerMessage::NotHeld { key: KEY }]);
    messages.extend(outcomes.map(|outcome| WorkerMessage::Result { key: KEY, outcome }));

    let mut frames = vec![
        UpFrame::Hello { head, about: about.clone() },
        UpFrame::Hello { head: Hello { resume, ..head }, about: about.clone() },
        UpFrame::Hello {
            head: Hello { ticket: Some(TICKET), holds_work: true, ..head },
            about: about.clone(),
        },
        UpFrame::Hello {
            head,
            about: About { credential: Some(Credential::new("a token").unwrap()), ..about },
        },
        UpFrame::InventoryItem { index: 0, key: KEY, holding: Holding::Running { progress: 9 } },
        UpFrame::InventoryItem {
            index: 1,
            key: KEY,
            holding: Holding::Finished { outcome: Outcome::Succeeded, len: 1_000 },
        },
        UpFrame::InventoryEnd { count: 2 },
        UpFrame::Active,
        UpFrame::Beat(Beat { seq: 300, flags: FLAGS, free: 2, quiet: true, rtt_micros: 1_500 }),
        UpFrame::Statistics(Statistics {
            rtt_mean_micros: 1_500,
            rtt_deviation_micros: 300,
            rtt_p50_micros: 1_400,
            rtt_p99_micros: 9_000,
            connected_micros: 86_000_000,
            disconnected_micros: 400_000,
            recent_stability_ppm: 995_000,
            dials: 12,
            successes: 7,
            failures: 5,
            outages: 6,
            degraded: Degraded { stability: true, round_trip: false, queue: true },
        }),
        UpFrame::Ack(Ack { lane: Lane::C, standing: LANES[0] }),
        UpFrame::Ack(Ack { lane: Lane::B, standing: LANES[1] }),
        UpFrame::Part(Part { seq: Seq(6), offset: 9, bytes: Bytes::from_static(b"of it") }),
        UpFrame::Goodbye { reason: Reason::WorkerStopping },
    ];
    frames.extend(messages.into_iter().map(|head| {
        let body = match lane_of(&head) {
            Lane::C => Bytes::new(),
            Lane::B => Bytes::from_static(b"the rest"),
        };
        let body_len = if body.is_empty() { 0 } else { 14 };
        UpFrame::Message(Message { seq: Seq(6), head, body_len, body })
    }));
    frames
}

fn down_frames() -> Vec<DownFrame> {
    let head = Welcome {
        version: 1,
        features: 0,
        session: SESSION,
        resumed: true,
        lanes: LANES,
        beat_interval: Duration::from_secs(5),
        first_window: Some(Duration::from_millis(5)),
        lost_after: Duration::from_secs(90),
    };
    let fresh = Welcome { resumed: false, first_window: None, ..head };
    let come_backs =
        [ComeBack::ByReason, ComeBack::After(Duration::from_millis(1_500)), ComeBack::Never];
    let dispositions = [
        Disposition::Accepted,
        Disposition::LateAccepted,
        Disposition::Duplicate,
        Disposition::Stale,
        Disposition::Unknown,
    ];
    let mut judgements = vec![
        Judgement::Continue,
        Judgement::Adopt { attempt: Attempt(4) },
        Judgement::Cancel,
        Judgement::Send,
        Judgement::Unknown,
    ];
    judgements.extend(dispositions.map(|disposition| Judgement::Drop { disposition }));
    let handler = name("echo");
    let mut messages = vec![
        ToWorker::Assign { key: KEY, handler: handler.clone(), timeout: None },
        ToWorker::Assign { key: KEY, handler, timeout: Some(Duration::from_secs(60)) },
        ToWorker::Cancel { key: KEY },
        ToWorker::Revoke { key: KEY },
    ];
    messages.extend(dispositions.map(|disposition| ToWorker::Settled { key: KEY, disposition }));

    let answer = BeatAnswer {
        seq: 300,
        epoch: Epoch(41),
        known: true,
        flags: FLAGS,
        free: 2,
        quiet: true,
        waiting: true,
        first_window: None,
        beat_interval: None,
    };
    let window = Some(Duration::from_secs(50));
    let interval = Some(Duration::from_secs(10));
    let retold = BeatAnswer { first_window: window, beat_interval: interval, ..answer };
    let mut frames = vec![
        DownFrame::Welcome { head, software: name("0.1.0") },
        DownFrame::Welcome { head: fresh, software: name("0.1.0") },
        DownFrame::Active,
        DownFrame::Probe,
        DownFrame::BeatAnswer(answer),
        DownFrame::BeatAnswer(retold),
        DownFrame::Ack(Ack { lane: Lane::B, standing: LANES[0] }),
        DownFrame::Part(Part { seq: Seq(6), offset: 9, bytes: Bytes::from_static(b"of it") }),
    ];
    for come_back in come_backs {
        let dismissal = Dismissal { reason: Reason::NameConflict, come_back };
        frames.push(DownFrame::Refused { dismissal, hint: "a live worker has it".into() });
        let dismissal = Dismissal { reason: Reason::CoordinatorStopping, come_back };
        frames.push(DownFrame::GoAway { dismissal, hint: String::new() });
    }
    let come_back = ComeBack::Slot { after: Duration::from_millis(1_500), ticket: TICKET };
    let dismissal = Dismissal { reason: Reason::RateLimited, come_back };
    frames.push(DownFrame::Refused { dismissal, hint: String::new() });
    let urls = ["grpcs://eu.example.com:8740", "wss://eu.example.com:443/moorline"];
    let addresses = urls.map(|url| Address::new(url).unwrap());
    frames.push(DownFrame::Endpoints(addresses.to_vec()));
    frames.push(DownFrame::Redirect(addresses.to_vec()));
    frames.extend(judgements.into_iter().map(|judgement| DownFrame::InventoryAnswer {
        index: 1,
        key: KEY,
        judgement,
    }));
    frames.extend(messages.into_iter().map(|head| {
        let body = match head.lane() {
            Lane::C => Bytes::new(),
            Lane::B => Bytes::from_static(b"the whole"),
        };
        let body_len = u32::try_from(body.len()).unwrap();
        DownFrame::Message(Message { seq: Seq(6), head, body_len, body })
    }));
    frames
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Bytes {
    let digits: Vec<u8> =
        text.chars().map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn golden() -> String {
    let mut text = String::from(
        "# One frame in a packet of its own: what it is, and its bytes. up = of a worker.\n",
    );
    for frame in up_frames() {
        let debug = format!("{frame:?}");
        let bytes = encode_up(&Packet { lane: Lane::C, frames: vec![frame] });
        let _ = write!(text, "\nup {debug}\n{}\n", hex(&bytes));
    }
    for frame in down_frames() {
        let debug = format!("{frame:?}");
        let bytes = encode_down(&Packet { lane: Lane::C, frames: vec![frame] });
        let _ = write!(text, "\ndown {debug}\n{}\n", hex(&bytes));
    }
    text
}

#[test]
fn every_frame_is_written_as_ever() {
    let now = golden();
    if std::env::var_os("MOORLINE_BLESS").is_some() {
        std::fs::write(FILE, &now).unwrap();
    }
    let then = std::fs::read_to_string(FILE).unwrap();
    for (now, then) in now.lines().zip(then.lines()) {
        assert_eq!(now, then, "the wire format has changed");
    }
    assert_eq!(now.len(), then.len(), "frames were added or removed");
}

#[test]
fn every_committed_frame_is_still_understood() {
    let text = std::fs::read_to_string(FILE).unwrap();
    let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut count = 0;
    while let (Some(said), Some(bytes)) = (lines.next(), lines.next()) {
        let (direction, debug) = said.split_once(' ').unwrap();
        let read = match direction {
            "up" => format!("{:?}", decode_up(unhex(bytes)).unwrap().frames),
            "down" => format!("{:?}", decode_down(unhex(bytes)).unwrap().frames),
            other => panic!("{other}"),
        };
        assert_eq!(read, format!("[{debug}]"));
        count += 1;
    }
    assert_eq!(count, up_frames().len() + down_frames().len());
}

/// The fields of a `oneof` of the schema, by number.
fn choices(message: &str, oneof: &str) -> BTreeMap<u64, String> {
    const SCHEMA: &str = include_str!("../proto/moorline/worker/v1/worker.proto");
    let message = SCHEMA.split(&format!("\nmessage {message} {{")).nth(1).unwrap();
    let block = message.split(&format!("oneof {oneof} {{")).nth(1).unwrap();
    let block = block.split('}').next().unwrap();
    let fields = block.split(';').filter_map(|field| {
        let line = field.lines().rfind(|line| line.contains('='))?;
        let (declared, number) = line.split_once('=')?;
        let name = declared.split_whitespace().last()?;
        Some((number.trim().parse().unwrap(), name.to_owned()))
    });
    fields.collect()
}

/// The fields of a message as they are encoded: numbers, and bytes where it has them.
fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (first, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut read = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let len = match key & 7 {
            0 => {
                varint(&mut bytes);
                0
            }
            1 => 8,
            2 => usize::try_from(varint(&mut bytes)).unwrap(),
            wire => panic!("wire type {wire}"),
        };
        let (value, rest) = bytes.split_at(len);
        read.push((key >> 3, value));
        bytes = rest;
    }
    read
}

/// Whoever adds a frame or a message fixes its bytes, or this fails.
#[test]
fn every_kind_of_frame_and_message_of_the_schema_has_its_bytes_here() {
    let text = std::fs::read_to_string(FILE).unwrap();
    let (mut kinds, mut heads) = (choices("Frame", "kind"), choices("LaneMessage", "head"));
    assert_eq!((kinds[&1].as_str(), heads[&4].as_str()), ("beat", "assign"));
    assert_eq!((kinds[&16].as_str(), heads[&12].as_str()), ("goodbye", "not_held"));
    let (lane_c, lane_b) = (4, 5);
    let lines = text.lines().filter(|line| line.chars().all(|c| c.is_ascii_hexdigit()));
    for packet in lines.map(unhex) {
        for (_, frame) in fields(&packet) {
            for (kind, content) in fields(frame) {
                kinds.remove(&kind);
                if kind == lane_c || kind == lane_b {
                    fields(content).iter().for_each(|(field, _)| drop(heads.remove(field)));
                }
            }
        }
    }
    assert!(kinds.is_empty() && heads.is_empty(), "without golden bytes: {kinds:?} {heads:?}");
}
