//! Packets are whole or nothing: what a searched world takes for granted of the wire. Every short sequence of
//! frames, cut in every way.

use bytes::Bytes;
use moorline_link::{Ack, Beat, Credit, Flags, Inbox, Lane, LaneLimits, Seq, Standing};
use moorline_node::{DownFrame, Message, Packet, Part, ToWorker, UpFrame};
use moorline_work::{
    Attempt, Disposition, Holding, Judgement, Outcome, TaskId, TaskKey, WorkerMessage,
};

const KEY: TaskKey = TaskKey { task: TaskId(9), attempt: Attempt(2) };

fn ack() -> Ack {
    let credit: Credit = Inbox::first_credit(&LaneLimits::default());
    Ack { lane: Lane::B, standing: Standing { received: Seq(3), credit } }
}

fn message<M>(head: M, body: &'static [u8], body_len: u32) -> Message<M> {
    Message { seq: Seq(4), head, body_len, body: Bytes::from_static(body) }
}

/// What a worker says, one of each kind and of each lane.
fn ups() -> [Vec<UpFrame>; 2] {
    let beat = Beat { seq: 7, flags: Flags::default(), free: 1, quiet: true, rtt_micros: 9 };
    let result = WorkerMessage::Result { key: KEY, outcome: Outcome::Succeeded };
    let part = Part { seq: Seq(4), offset: 2, bytes: Bytes::from_static(b"lt") };
    let c = vec![
        UpFrame::InventoryItem { index: 0, key: KEY, holding: Holding::Running { progress: 0 } },
        UpFrame::InventoryEnd { count: 1 },
        UpFrame::Active,
        UpFrame::Beat(beat),
        UpFrame::Ack(ack()),
        UpFrame::Message(message(WorkerMessage::Accept { key: KEY }, b"", 0)),
    ];
    let b = vec![
        UpFrame::Message(message(result, b"result", 6)),
        UpFrame::Message(message(result, b"re", 6)),
        UpFrame::Part(part),
    ];
    [c, b]
}

/// What the coordinator says on lane C.
fn downs() -> Vec<DownFrame> {
    let settled = ToWorker::Settled { key: KEY, disposition: Disposition::Accepted };
    vec![
        DownFrame::InventoryAnswer { index: 0, key: KEY, judgement: Judgement::Continue },
        DownFrame::Active,
        DownFrame::Probe,
        DownFrame::Ack(ack()),
        DownFrame::Message(message(settled, b"", 0)),
    ]
}

/// Every sequence of one to three frames.
fn sequences<F: Clone>(frames: &[F]) -> Vec<Vec<F>> {
    let mut all: Vec<Vec<F>> = Vec::new();
    let mut longest = vec![Vec::new()];
    for _ in 0..3 {
        longest = longest
            .iter()
            .flat_map(|begun: &Vec<F>| {
                frames.iter().map(|frame| [&begun[..], std::slice::from_ref(frame)].concat())
            })
            .collect();
        all.extend(longest.iter().cloned());
    }
    all
}

/// Cuts the packet of each sequence at every byte. Between two frames both pieces are packets, and together
/// they say the same; inside a frame the first piece is refused, so nothing of a torn packet counts.
fn cut_everywhere<F: Clone + PartialEq + std::fmt::Debug>(
    frames: &[F],
    encode: impl Fn(&[F]) -> Bytes,
    decode: impl Fn(Bytes) -> Option<Vec<F>>,
) -> (u32, u32) {
    let (mut between, mut inside) = (0, 0);
    for sequence in sequences(frames) {
        let whole = encode(&sequence);
        let boundaries: Vec<usize> =
            (0..=sequence.len()).map(|count| encode(&sequence[..count]).len()).collect();
        for at in 1..whole.len() {
            let (first, rest) = (decode(whole.slice(..at)), decode(whole.slice(at..)));
            match boundaries.iter().position(|boundary| *boundary == at) {
                Some(count) => {
                    let said = [first.expect("a packet"), rest.expect("a packet")].concat();
                    assert_eq!(said, sequence, "cut after {count} frames");
                    between += 1;
                }
                None => {
                    assert_eq!(first, None, "{sequence:?} torn at {at} of {}", whole.len());
                    inside += 1;
                }
            }
        }
    }
    (between, inside)
}

#[test]
fn a_packet_may_be_cut_between_frames_and_is_refused_when_it_is_torn() {
    let mut counts = Vec::new();
    for (lane, frames) in Lane::ALL.into_iter().zip(ups()) {
        counts.push(cut_everywhere(
            &frames,
            |frames| moorline_wire::encode_up(&Packet { lane, frames: frames.to_vec() }),
            |bytes| moorline_wire::decode_up(bytes).ok().map(|decoded| decoded.frames),
        ));
    }
    counts.push(cut_everywhere(
        &downs(),
        |frames| moorline_wire::encode_down(&Packet { lane: Lane::C, frames: frames.to_vec() }),
        |bytes| moorline_wire::decode_down(bytes).ok().map(|decoded| decoded.frames),
    ));
    for (between, inside) in counts {
        assert!(between > 50 && inside > 1_000, "{between} between frames, {inside} inside");
    }
}
