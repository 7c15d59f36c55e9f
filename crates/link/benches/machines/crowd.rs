//! A hub with many sessions, heard in random order, batches of inputs with one `now`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

use moorline_link::{
    ConnId, Hub, HubAction, HubConfig, HubInput, HubSettings, Instant, Lane, Presence, WorkerFrame,
    WorkerId,
};

use crate::hub_support::{Desk, beat, hello};
use crate::kit::Run;

/// Inputs that share one reading of the clock.
const BATCH: u64 = 64;

/// Each session is heard once in so long.
const INTERVAL: Duration = Duration::from_secs(5);

/// A hub whose sessions are all active.
struct Crowd {
    hub: Hub,
    now: Instant,
    /// Connections in the order in which they are heard, again and again.
    order: Vec<u32>,
    next: usize,
    heard: u32,
}

impl Crowd {
    fn new(sessions: u32) -> Self {
        let mut desk = Desk::with(HubSettings {
            max_workers: u32::MAX,
            // All may come at once.
            registration_rate: moorline_link::RegistrationRate::Fixed(NonZeroU32::MAX),
            ..HubSettings::default()
        });
        for n in 0..sessions {
            desk.activate(u64::from(n), hello(u128::from(n), 1));
        }
        let (hub, now) = (desk.hub, desk.now);
        let mut crowd = Self { hub, now, order: shuffled(sessions), next: 0, heard: 0 };
        crowd.exchange(u64::from(sessions.min(100_000)));
        crowd
    }

    /// The next of the sessions to be heard.
    fn turn(&mut self) -> ConnId {
        let conn = ConnId(u64::from(self.order[self.next]));
        self.next = (self.next + 1) % self.order.len();
        conn
    }

    /// So much time passes that every session is heard once in an interval.
    fn pass(&mut self, operations: u64) {
        self.now = self.now
            + INTERVAL * u32::try_from(operations).unwrap_or(u32::MAX)
                / u32::try_from(self.order.len()).unwrap_or(u32::MAX);
        if self.hub.next_wake().deadline().is_some_and(|at| at <= self.now) {
            self.hub.handle(self.now, HubInput::Timeout);
        }
    }

    /// Does what the hub asks for; frames are written and forgotten.
    fn serve(&mut self) {
        while let Some(action) = self.hub.poll_action() {
            if let HubAction::Flush { conn } = action {
                for lane in Lane::ALL {
                    while let Some(transmit) = self.hub.poll_transmit(self.now, conn, lane) {
                        black_box(transmit);
                    }
                }
            }
        }
    }

    /// So many heartbeats, and their answers.
    fn exchange(&mut self, mut operations: u64) {
        while operations > 0 {
            let batch = operations.min(BATCH);
            operations -= batch;
            self.pass(batch);
            for _ in 0..batch {
                let conn = self.turn();
                self.heard = self.heard.wrapping_add(1);
                let frame: WorkerFrame = beat(self.heard);
                black_box(self.hub.handle(self.now, HubInput::Frame { conn, frame }));
            }
            self.serve();
        }
    }

    /// So many signs of life, while time passes or all at once: each moves a deadline on.
    fn hear(&mut self, mut operations: u64, at_once: bool) {
        while operations > 0 {
            let batch = operations.min(BATCH);
            operations -= batch;
            if !at_once {
                self.pass(batch);
            }
            for _ in 0..batch {
                let conn = self.turn();
                black_box(self.hub.handle(self.now, HubInput::Received { conn }));
            }
            self.serve();
        }
    }

    /// So many sessions fall silent, are suspect for it, and are heard: all of them, as often as needed.
    fn silence(&mut self, operations: u64) {
        let sessions = self.order.len() as u64;
        let config = HubConfig::default();
        // The interval of so many is the longest one.
        let silence = config.suspect_after(config.settings().beat_max) + Duration::from_secs(1);
        for _ in 0..operations.div_ceil(sessions) {
            let until = self.now + silence;
            while let Some(at) = self.hub.next_wake().deadline().filter(|at| *at <= until) {
                self.now = self.now.max(at);
                self.hub.handle(self.now, HubInput::Timeout);
                self.serve();
            }
            let worker = WorkerId(0);
            assert!(
                self.hub
                    .worker(self.now, worker)
                    .is_some_and(|it| it.presence == Presence::Suspect)
            );
            self.hear(sessions, true);
        }
    }
}

fn exchanges(sessions: u32) -> Run {
    let mut crowd = Crowd::new(sessions);
    Box::new(move |operations| crowd.exchange(operations))
}

pub(crate) fn of_a_thousand() -> Run {
    exchanges(1_000)
}

pub(crate) fn of_a_hundred_thousand() -> Run {
    exchanges(100_000)
}

pub(crate) fn of_a_million() -> Run {
    exchanges(1_000_000)
}

/// A deadline of a million is moved.
pub(crate) fn arm() -> Run {
    let mut crowd = Crowd::new(1_000_000);
    Box::new(move |operations| crowd.hear(operations, false))
}

/// The next of a million deadlines is asked for.
pub(crate) fn next_wake() -> Run {
    let crowd = Crowd::new(1_000_000);
    Box::new(move |operations| {
        for _ in 0..operations {
            black_box(black_box(&crowd.hub).next_wake());
        }
    })
}

/// A deadline of a hundred thousand passes, its session is suspect, and is heard again.
pub(crate) fn expire() -> Run {
    let mut crowd = Crowd::new(100_000);
    crowd.hear(100_000, true);
    Box::new(move |operations| crowd.silence(operations))
}

/// What a heartbeat takes at the very least: an entry of an ordered map is found and stored to.
pub(crate) fn find_and_store() -> Run {
    let order = shuffled(1_000_000);
    let mut map: BTreeMap<u64, [u64; 4]> = (0..1_000_000).map(|key| (key, [0; 4])).collect();
    let mut next = 0;
    Box::new(move |operations| {
        for _ in 0..operations {
            if let Some(value) = map.get_mut(&u64::from(order[next])) {
                value[0] += 1;
            }
            next = (next + 1) % order.len();
        }
    })
}

/// What moving a deadline takes without laziness: the earliest of a million leaves a binary heap, and
/// another one enters.
pub(crate) fn pop_and_push() -> Run {
    let order = shuffled(1_000_000);
    let mut heap: BinaryHeap<Reverse<(u64, u32)>> =
        order.iter().map(|at| Reverse((u64::from(*at), *at))).collect();
    let mut next = 0;
    Box::new(move |operations| {
        for _ in 0..operations {
            if let Some(Reverse((at, key))) = heap.pop() {
                heap.push(Reverse((at + u64::from(order[next]), key)));
            }
            next = (next + 1) % order.len();
        }
    })
}

/// Numbers below `count` in an order that looks random and is always the same.
fn shuffled(count: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for last in (1..order.len()).rev() {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(last, (state >> 33) as usize % (last + 1));
    }
    order
}
