//! Frames to bytes and back. The peer writes and reads the varints of a heartbeat by hand.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark reports")]

#[path = "../../link/benches/kit/mod.rs"]
mod kit;

use std::hint::black_box;

use bytes::Bytes;
use moorline_link::{Lane, Seq};
use moorline_node::{DownFrame, Message, Name, Packet, Part, ToWorker, UpFrame};
use moorline_wire::{decode_down, decode_up, encode_down, encode_up};
use moorline_work::{Attempt, Outcome, TaskId, TaskKey, WorkerMessage};

use kit::{Run, Workload};

/// A heartbeat, as the wire has it.
const BEAT: [u8; 10] = [0x0a, 8, 0x0a, 6, 8, 7, 16, 1, 24, 4];

const KEY: TaskKey = TaskKey { task: TaskId(u128::MAX / 3), attempt: Attempt(1) };
const BODY: Bytes = Bytes::from_static(&[7; 64]);

fn beat() -> Packet<UpFrame> {
    let decoded = decode_up(Bytes::from_static(&BEAT)).expect("a heartbeat");
    Packet { lane: Lane::C, frames: decoded.frames }
}

/// A task for a worker, with 64 bytes.
fn assign() -> Packet<DownFrame> {
    let handler = Name::new("bench").expect("a name");
    let head = ToWorker::Assign { key: KEY, handler, timeout: None };
    let message = Message { seq: Seq(300), head, body_len: 64, body: BODY };
    Packet { lane: Lane::B, frames: vec![DownFrame::Message(message)] }
}

/// Its result, with 64 bytes.
fn result() -> Packet<UpFrame> {
    let head = WorkerMessage::Result { key: KEY, outcome: Outcome::Succeeded };
    let message = Message { seq: Seq(300), head, body_len: 64, body: BODY };
    Packet { lane: Lane::B, frames: vec![UpFrame::Message(message)] }
}

/// As much of a long body as a packet holds.
fn full() -> Packet<UpFrame> {
    let part = Part { seq: Seq(300), offset: 1 << 20, bytes: Bytes::from(vec![7; 65_000]) };
    Packet { lane: Lane::B, frames: vec![UpFrame::Part(part)] }
}

/// Many small results in one packet.
fn crowded() -> Packet<UpFrame> {
    let frames = (0..500).flat_map(|_| result().frames).collect();
    Packet { lane: Lane::B, frames }
}

fn times(mut operation: impl FnMut() + 'static) -> Run {
    Box::new(move |operations| (0..operations).for_each(|_| operation()))
}

fn encodes_up(packet: Packet<UpFrame>) -> Run {
    times(move || drop(black_box(encode_up(black_box(&packet)))))
}

fn decodes_up(packet: &Packet<UpFrame>) -> Run {
    let bytes = encode_up(packet);
    assert_eq!(decode_up(bytes.clone()).expect("it is whole").frames, packet.frames);
    times(move || drop(black_box(decode_up(black_box(bytes.clone())))))
}

fn encodes_down(packet: Packet<DownFrame>) -> Run {
    times(move || drop(black_box(encode_down(black_box(&packet)))))
}

fn decodes_down(packet: &Packet<DownFrame>) -> Run {
    let bytes = encode_down(packet);
    assert_eq!(decode_down(bytes.clone()).expect("it is whole").frames, packet.frames);
    times(move || drop(black_box(decode_down(black_box(bytes.clone())))))
}

/// The tags and varints of a heartbeat, written and read by hand, nothing checked.
fn by_hand() -> Run {
    times(|| {
        let mut bytes = [0_u8; 16];
        let mut len = 0;
        for (tag, mut value) in [(8_u8, 7_u64), (16, 1), (24, 4)] {
            bytes[len] = tag;
            len += 1;
            while value > 127 {
                bytes[len] = value as u8 | 128;
                len += 1;
                value >>= 7;
            }
            bytes[len] = value as u8;
            len += 1;
        }
        let mut values = [0_u64; 32];
        let mut at = 0;
        let bytes = black_box(bytes);
        while at < len {
            let field = usize::from(bytes[at] >> 3);
            at += 1;
            let mut shift = 0;
            while bytes[at] > 127 {
                values[field] |= u64::from(bytes[at] & 127) << shift;
                shift += 7;
                at += 1;
            }
            values[field] |= u64::from(bytes[at]) << shift;
            at += 1;
        }
        black_box(values);
    })
}

const fn workload(name: &'static str, round: u64, set_up: fn() -> Run) -> Workload {
    Workload { name, counted: true, large: false, round, set_up }
}

fn main() {
    let workloads = [
        workload("encode_beat", 200_000, || encodes_up(beat())),
        workload("decode_beat", 200_000, || decodes_up(&beat())),
        workload("encode_assign", 200_000, || encodes_down(assign())),
        workload("decode_assign", 200_000, || decodes_down(&assign())),
        workload("encode_result", 200_000, || encodes_up(result())),
        workload("decode_result", 200_000, || decodes_up(&result())),
        workload("encode_full", 20_000, || encodes_up(full())),
        workload("decode_full", 20_000, || decodes_up(&full())),
        workload("encode_500_results", 1_000, || encodes_up(crowded())),
        workload("decode_500_results", 1_000, || decodes_up(&crowded())),
        Workload {
            counted: false,
            ..workload("peer: a beat by hand, both ways", 200_000, by_hand)
        },
    ];
    kit::main("wire", &workloads);
}
