//! L7 through both machines at once: neither the worker's end nor the coordinator's allocates for a
//! heartbeat or a message once warm, on a new session as on one that was resumed. And what a hub with
//! many idle workers holds for each of them.
#![allow(dead_code, clippy::wildcard_enum_match_arm, reason = "the benchmark uses the rest")]
#![allow(clippy::print_stdout, reason = "`--nocapture` says how much it is")]

mod hub_support;
mod kit {
    pub(crate) type Run = Box<dyn FnMut(u64)>;
}
#[path = "../benches/machines/pair.rs"]
mod pair;

use std::num::NonZeroU32;

use allocation_counter::measure;
use hub_support::{Desk, SECOND, hello};
use moorline_link::{HubSettings, Lane, RegistrationRate, State};
use pair::Pair;

#[test]
fn heartbeats_and_messages_of_a_new_and_of_a_resumed_session_allocate_nothing_at_either_end() {
    let mut pair = Pair::active();
    let session = pair.link.snapshot().session;
    for outage in 0..3 {
        if outage > 0 {
            pair.cut();
            assert_ne!(pair.link.state(), State::Active);
            pair.connect();
            assert_eq!(pair.link.snapshot().session, session, "it was resumed");
        }
        let mut round = || {
            pair.heartbeat();
            Lane::ALL.into_iter().for_each(|lane| pair.messages(lane));
        };
        (0..200).for_each(|_| round());
        let allocated = measure(|| (0..1_000).for_each(|_| round()));
        assert_eq!((allocated.count_total, allocated.bytes_total), (0, 0), "{outage} outages");
    }
    let seen = measure(|| drop(std::hint::black_box(vec![1])));
    assert_eq!(seen.count_total, 1, "the counter counts");
}

/// All that a hub holds for a worker that is connected and has nothing outstanding, with its share of
/// every map, index and queue: the session's 256 bytes, the integers of its lanes, and where to find it.
const IDLE_WORKER: i64 = 1_536;

#[test]
fn an_idle_worker_costs_a_hub_at_most_one_and_a_half_kib_of_heap_with_all_indexes() {
    const WORKERS: u32 = 100_000;
    let mut desk = None;
    let heap = measure(|| {
        let mut full = Desk::with(HubSettings {
            max_workers: WORKERS,
            registration_rate: RegistrationRate::Fixed(NonZeroU32::MAX),
            ..HubSettings::default()
        });
        for n in 0..WORKERS {
            full.activate(u64::from(n), hello(u128::from(n), 1));
            full.now = full.now + SECOND / 100_000;
        }
        desk = Some(full);
    });
    let each = heap.bytes_current / i64::from(WORKERS);
    println!("{each} bytes of heap for each of {WORKERS} idle workers");
    assert!((256..=IDLE_WORKER).contains(&each), "{each} bytes for each of {WORKERS}");
    // What was counted is still there.
    assert_eq!(desk.map(|desk| desk.hub.connections()), Some(WORKERS as usize));
}
