//! Arbitrary frames, shared by the tests.
#![allow(dead_code, reason = "each test uses its part")]

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
use moorline_work::{
    Attempt, Disposition, Holding, Judgement, Outcome, Refusal, TaskId, TaskKey, WorkerMessage,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Numbers of every encoded length, the largest included.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift)
}

fn small() -> impl Strategy<Value = u32> {
    (any::<u32>(), 0_u32..32).prop_map(|(number, shift)| number >> shift)
}

fn duration() -> impl Strategy<Value = Duration> {
    number().prop_map(Duration::from_micros)
}

pub(crate) fn name() -> impl Strategy<Value = Name> {
    prop_oneof![
        8 => "[a-zäß0-9._-]{1,24}",
        1 => "[a-z]{128}",
    ]
    .prop_map(|text| Name::new(&text).unwrap())
}

fn key() -> impl Strategy<Value = TaskKey> {
    (any::<u128>(), small())
        .prop_map(|(task, attempt)| TaskKey { task: TaskId(task), attempt: Attempt(attempt) })
}

fn standing() -> impl Strategy<Value = Standing> {
    (number(), credit()).prop_map(|(received, credit)| Standing { received: Seq(received), credit })
}

fn credit() -> impl Strategy<Value = Credit> {
    (number(), number()).prop_map(|(messages, bytes)| Credit { messages: Seq(messages), bytes })
}

fn session() -> impl Strategy<Value = SessionId> {
    (number(), number()).prop_map(|(epoch, n)| SessionId { epoch: Epoch(epoch), n })
}

fn flags() -> impl Strategy<Value = Flags> {
    any::<[bool; 3]>().prop_map(|[active, draining, paused]| Flags { active, draining, paused })
}

fn ack() -> impl Strategy<Value = Ack> {
    (any::<bool>(), standing())
        .prop_map(|(c, standing)| Ack { lane: if c { Lane::C } else { Lane::B }, standing })
}

fn statistics() -> impl Strategy<Value = Statistics> {
    (any::<[u32; 4]>(), any::<[u64; 6]>(), 0..=1_000_000_u32, any::<[bool; 3]>()).prop_map(
        |(rtt, counts, recent_stability_ppm, bad)| Statistics {
            rtt_mean_micros: rtt[0],
            rtt_deviation_micros: rtt[1],
            rtt_p50_micros: rtt[2],
            rtt_p99_micros: rtt[3],
            connected_micros: counts[0],
            disconnected_micros: counts[1],
            recent_stability_ppm,
            dials: counts[2],
            successes: counts[3],
            failures: counts[4],
            outages: counts[5],
            degraded: Degraded { stability: bad[0], round_trip: bad[1], queue: bad[2] },
        },
    )
}

fn reason() -> impl Strategy<Value = Reason> {
    proptest::sample::select(Reason::ALL)
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Succeeded),
        any::<bool>().prop_map(|retryable| Outcome::Failed { retryable }),
        Just(Outcome::TimedOut),
        Just(Outcome::Cancelled),
    ]
}

fn disposition() -> impl Strategy<Value = Disposition> {
    proptest::sample::select(
        &[
            Disposition::Accepted,
            Disposition::LateAccepted,
            Disposition::Duplicate,
            Disposition::Stale,
            Disposition::Unknown,
        ][..],
    )
}

fn refusal() -> impl Strategy<Value = Refusal> {
    proptest::sample::select(
        &[Refusal::Draining, Refusal::NoSlot, Refusal::UnknownHandler, Refusal::Revoked][..],
    )
}

fn hello() -> impl Strategy<Value = Hello> {
    let resume = (session(), [standing(), standing()])
        .prop_map(|(session, lanes)| Resume { session, lanes });
    let who = (any::<u128>(), any::<u64>(), any::<[u16; 2]>());
    let bid = (option::of(ticket()), any::<bool>());
    (who, number(), option::of(resume), [credit(), credit()], duration(), bid).prop_map(
        |((worker, incarnation, [min, max]), features, resume, credit, beat_interval, bid)| Hello {
            versions: Versions { min, max },
            features,
            worker: WorkerId(worker),
            incarnation: Incarnation(incarnation),
            name: Sym::default(),
            resume,
            credit,
            beat_interval,
            ticket: bid.0,
            holds_work: bid.1,
        },
    )
}

fn ticket() -> impl Strategy<Value = Ticket> {
    (number(), number(), any::<u64>()).prop_map(|(epoch, slot, mac)| Ticket {
        epoch: Epoch(epoch),
        slot,
        mac,
    })
}

fn about() -> impl Strategy<Value = About> {
    let credential = option::of(
        vec(any::<u8>(), 1..200)
            .prop_map(|bytes| Credential::new(bytes).expect("neither empty nor too long")),
    );
    (name(), any::<u16>(), vec(name(), 0..12), name(), credential).prop_map(
        |(name, slots, mut handlers, software, credential)| {
            handlers.sort_unstable();
            handlers.dedup();
            About { name, slots, handlers, software, credential }
        },
    )
}

fn body() -> impl Strategy<Value = Bytes> {
    prop_oneof![6 => vec(any::<u8>(), 0..200), 1 => vec(any::<u8>(), 8_000..20_000)]
        .prop_map(Bytes::from)
}

/// A message of a lane that takes its body; on lane B the body may be only begun.
fn message<M: std::fmt::Debug + Clone + 'static>(
    head: impl Strategy<Value = M>,
    lane: fn(&M) -> Lane,
) -> impl Strategy<Value = Message<M>> {
    (1..u64::MAX, head, body(), small()).prop_map(move |(seq, head, mut body, more)| {
        let max = lane(&head).message_max() - moorline_node::MESSAGE_COST;
        body.truncate(max as usize);
        let came = u32::try_from(body.len()).unwrap();
        let body_len = match lane(&head) {
            Lane::C => came,
            Lane::B => came + more % (max - came + 1),
        };
        Message { seq: Seq(seq), head, body_len, body }
    })
}

fn part() -> impl Strategy<Value = Part> {
    (number(), small(), vec(any::<u8>(), 1..200)).prop_map(|(seq, offset, bytes)| {
        let room = moorline_node::BODY_MAX - u32::try_from(bytes.len()).unwrap();
        Part { seq: Seq(seq), offset: offset % (room + 1), bytes: bytes.into() }
    })
}

fn worker_message() -> impl Strategy<Value = WorkerMessage> {
    prop_oneof![
        key().prop_map(|key| WorkerMessage::Accept { key }),
        (key(), refusal()).prop_map(|(key, refusal)| WorkerMessage::Refuse { key, refusal }),
        key().prop_map(|key| WorkerMessage::Held { key }),
        key().prop_map(|key| WorkerMessage::NotHeld { key }),
        (key(), outcome()).prop_map(|(key, outcome)| WorkerMessage::Result { key, outcome }),
    ]
}

fn to_worker() -> impl Strategy<Value = ToWorker> {
    prop_oneof![
        (key(), name(), option::of(duration()))
            .prop_map(|(key, handler, timeout)| ToWorker::Assign { key, handler, timeout }),
        (key(), disposition())
            .prop_map(|(key, disposition)| ToWorker::Settled { key, disposition }),
        key().prop_map(|key| ToWorker::Cancel { key }),
        key().prop_map(|key| ToWorker::Revoke { key }),
    ]
}

fn holding() -> impl Strategy<Value = Holding> {
    prop_oneof![
        number().prop_map(|progress| Holding::Running { progress }),
        (outcome(), small()).prop_map(|(outcome, len)| Holding::Finished { outcome, len }),
    ]
}

fn judgement() -> impl Strategy<Value = Judgement> {
    prop_oneof![
        Just(Judgement::Continue),
        small().prop_map(|attempt| Judgement::Adopt { attempt: Attempt(attempt) }),
        Just(Judgement::Cancel),
        Just(Judgement::Send),
        disposition().prop_map(|disposition| Judgement::Drop { disposition }),
        Just(Judgement::Unknown),
    ]
}

fn beat() -> impl Strategy<Value = Beat> {
    (small(), flags(), any::<u16>(), any::<bool>(), small()).prop_map(
        |(seq, flags, free, quiet, rtt_micros)| Beat { seq, flags, free, quiet, rtt_micros },
    )
}

fn beat_answer() -> impl Strategy<Value = BeatAnswer> {
    let terms = [option::of(duration()), option::of(duration())];
    (small(), number(), flags(), any::<u16>(), any::<[bool; 3]>(), terms).prop_map(
        |(seq, epoch, flags, free, [known, quiet, waiting], terms)| BeatAnswer {
            seq,
            epoch: Epoch(epoch),
            known,
            flags,
            free,
            quiet,
            waiting,
            first_window: terms[0],
            beat_interval: terms[1],
        },
    )
}

fn dismissal() -> impl Strategy<Value = Dismissal> {
    let come_back = prop_oneof![
        Just(ComeBack::ByReason),
        duration().prop_map(ComeBack::After),
        Just(ComeBack::Never),
    ];
    (reason(), come_back).prop_map(|(reason, come_back)| Dismissal { reason, come_back })
}

/// A refusal with a reserved slot.
fn deferral() -> impl Strategy<Value = Dismissal> {
    (reason(), duration(), ticket()).prop_map(|(reason, after, ticket)| {
        let come_back = ComeBack::Slot { after, ticket };
        Dismissal { reason, come_back }
    })
}

fn hint() -> impl Strategy<Value = String> {
    prop_oneof![4 => ".{0,40}", 1 => "[a-z]{512}"]
}

fn addresses() -> impl Strategy<Value = Vec<Address>> {
    let address = prop_oneof![8 => "[a-z]{2,5}://[a-zä.]{1,24}:[0-9]{1,5}", 1 => "[a-z]{512}"]
        .prop_map(|text| Address::new(&text).unwrap());
    vec(address, 0..=Address::COUNT_MAX)
}

fn welcome() -> impl Strategy<Value = Welcome> {
    let times = (duration(), option::of(duration()), duration());
    (any::<u16>(), number(), session(), any::<bool>(), [standing(), standing()], times).prop_map(
        |(version, features, session, resumed, lanes, times)| {
            let (beat_interval, first_window, lost_after) = times;
            Welcome {
                version,
                features,
                session,
                resumed,
                lanes,
                beat_interval,
                first_window,
                lost_after,
            }
        },
    )
}

/// A frame of a worker that most packets are made of.
pub(crate) fn hot_up() -> impl Strategy<Value = UpFrame> {
    prop_oneof![
        beat().prop_map(UpFrame::Beat),
        ack().prop_map(UpFrame::Ack),
        message(worker_message(), lane_of).prop_map(UpFrame::Message),
        part().prop_map(UpFrame::Part),
    ]
}

/// A frame of a coordinator that most packets are made of.
pub(crate) fn hot_down() -> impl Strategy<Value = DownFrame> {
    prop_oneof![
        beat_answer().prop_map(DownFrame::BeatAnswer),
        ack().prop_map(DownFrame::Ack),
        message(to_worker(), ToWorker::lane).prop_map(DownFrame::Message),
        part().prop_map(DownFrame::Part),
    ]
}

/// Any frame of a worker.
pub(crate) fn up() -> impl Strategy<Value = UpFrame> {
    prop_oneof![
        (hello(), about()).prop_map(|(head, about)| UpFrame::Hello { head, about }),
        (small(), key(), holding()).prop_map(|(index, key, holding)| UpFrame::InventoryItem {
            index,
            key,
            holding
        }),
        small().prop_map(|count| UpFrame::InventoryEnd { count }),
        Just(UpFrame::Active),
        beat().prop_map(UpFrame::Beat),
        statistics().prop_map(UpFrame::Statistics),
        ack().prop_map(UpFrame::Ack),
        message(worker_message(), lane_of).prop_map(UpFrame::Message),
        part().prop_map(UpFrame::Part),
        reason().prop_map(|reason| UpFrame::Goodbye { reason }),
    ]
}

/// Any frame of a coordinator.
pub(crate) fn down() -> impl Strategy<Value = DownFrame> {
    prop_oneof![
        (welcome(), name()).prop_map(|(head, software)| DownFrame::Welcome { head, software }),
        (dismissal(), hint()).prop_map(|(dismissal, hint)| DownFrame::Refused { dismissal, hint }),
        (deferral(), hint()).prop_map(|(dismissal, hint)| DownFrame::Refused { dismissal, hint }),
        (small(), key(), judgement()).prop_map(|(index, key, judgement)| {
            DownFrame::InventoryAnswer { index, key, judgement }
        }),
        Just(DownFrame::Active),
        Just(DownFrame::Probe),
        beat_answer().prop_map(DownFrame::BeatAnswer),
        ack().prop_map(DownFrame::Ack),
        message(to_worker(), ToWorker::lane).prop_map(DownFrame::Message),
        part().prop_map(DownFrame::Part),
        (dismissal(), hint()).prop_map(|(dismissal, hint)| DownFrame::GoAway { dismissal, hint }),
        addresses().prop_map(DownFrame::Endpoints),
        addresses().prop_map(DownFrame::Redirect),
    ]
}

pub(crate) fn lane_of_up(frame: &UpFrame) -> Lane {
    match frame {
        UpFrame::Message(message) => lane_of(&message.head),
        UpFrame::Part(_) => Lane::B,
        UpFrame::Hello { .. }
        | UpFrame::InventoryItem { .. }
        | UpFrame::InventoryEnd { .. }
        | UpFrame::Active
        | UpFrame::Beat(_)
        | UpFrame::Statistics(_)
        | UpFrame::Ack(_)
        | UpFrame::Goodbye { .. } => Lane::C,
    }
}

pub(crate) fn lane_of_down(frame: &DownFrame) -> Lane {
    match frame {
        DownFrame::Message(message) => message.head.lane(),
        DownFrame::Part(_) => Lane::B,
        DownFrame::Welcome { .. }
        | DownFrame::Refused { .. }
        | DownFrame::InventoryAnswer { .. }
        | DownFrame::Active
        | DownFrame::Probe
        | DownFrame::BeatAnswer(_)
        | DownFrame::Ack(_)
        | DownFrame::GoAway { .. }
        | DownFrame::Endpoints(_)
        | DownFrame::Redirect(_) => Lane::C,
    }
}

/// Frames of one lane that a packet has room for.
pub(crate) fn packet<F>(frames: Vec<F>, lane: fn(&F) -> Lane, size: fn(&F) -> usize) -> Packet<F> {
    let first = frames.first().map_or(Lane::C, lane);
    let mut room = moorline_node::PACKET_MAX;
    let mut kept: Vec<F> = Vec::new();
    for frame in frames {
        if lane(&frame) == first && size(&frame) <= room {
            room -= size(&frame);
            kept.push(frame);
        }
    }
    Packet { lane: first, frames: kept }
}

pub(crate) fn up_packet() -> impl Strategy<Value = Packet<UpFrame>> {
    vec(up(), 1..20).prop_map(|frames| packet(frames, lane_of_up, UpFrame::size_bound))
}

pub(crate) fn down_packet() -> impl Strategy<Value = Packet<DownFrame>> {
    vec(down(), 1..20).prop_map(|frames| packet(frames, lane_of_down, DownFrame::size_bound))
}
