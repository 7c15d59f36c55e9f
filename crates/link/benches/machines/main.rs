//! The machines of a link: heartbeats and messages through both, a hub with up to a million sessions,
//! and its deadlines. No transport, no codec.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "a benchmark reads a clock and reports, and answers only what is needed"
)]

mod crowd;
#[path = "../../tests/hub_support/mod.rs"]
mod hub_support;
#[path = "../kit/mod.rs"]
mod kit;
mod pair;

use kit::{Run, Workload};

const fn workload(name: &'static str, round: u64, set_up: fn() -> Run) -> Workload {
    Workload { name, counted: false, large: false, round, set_up }
}

const LINK: &[Workload] = &[
    Workload { counted: true, ..workload("heartbeat", 20_000, pair::heartbeats) },
    Workload { counted: true, ..workload("message_c", 20_000, pair::messages_of_lane_c) },
    Workload { counted: true, ..workload("message_b", 20_000, pair::messages_of_lane_b) },
    Workload { counted: true, ..workload("hub_1000", 200_000, crowd::of_a_thousand) },
    Workload { large: true, ..workload("hub_100000", 200_000, crowd::of_a_hundred_thousand) },
    Workload { large: true, ..workload("hub_1000000", 200_000, crowd::of_a_million) },
    Workload {
        large: true,
        ..workload("peer: find and store in a BTreeMap of 1000000", 200_000, crowd::find_and_store)
    },
];

const TIMERS: &[Workload] = &[
    Workload { large: true, ..workload("arm_1000000", 200_000, crowd::arm) },
    Workload { large: true, ..workload("next_wake_1000000", 1_000_000, crowd::next_wake) },
    Workload { large: true, ..workload("expire_100000", 1_000_000, crowd::expire) },
    Workload {
        large: true,
        ..workload("peer: pop and push in a BinaryHeap of 1000000", 200_000, crowd::pop_and_push)
    },
];

fn main() {
    if std::env::args().any(|arg| arg == "--timers") {
        kit::main("timers", TIMERS);
    } else {
        kit::main("link", LINK);
    }
}
