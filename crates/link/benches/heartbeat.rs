//! One heartbeat through both machines: the worker's link sends it, the hub answers, the link takes
//! the answer. No transport, no codec. Prints one JSON object.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "a benchmark reads a clock and reports, and answers only what a heartbeat needs"
)]

use std::time::Instant as Clock;

use moorline_link::{
    ConnId, Epoch, Hub, HubAction, HubConfig, HubInput, HubTransmit, Identity, Incarnation,
    Instant, Lane, Link, LinkAction, LinkConfig, LinkInput, LinkTransmit, State, Sym, Versions,
    WorkerId,
};

const ROUNDS: usize = 51;
const EXCHANGES: u32 = 20_000;

struct Pair {
    link: Link,
    hub: Hub,
    now: Instant,
    conn: ConnId,
}

impl Pair {
    fn new() -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let identity = Identity {
            worker: WorkerId(1),
            incarnation: Incarnation(1),
            name: Sym(0),
            versions: Versions::SPOKEN,
            features: 0,
        };
        let link = Link::new(LinkConfig::default(), identity, 1, now);
        let hub = Hub::new(HubConfig::default(), Epoch(1), 1, now);
        Self { link, hub, now, conn: ConnId(0) }
    }

    /// Registered and active, over however many frames that takes.
    fn connect(&mut self) {
        while self.link.state() != State::Active {
            if let Some(at) = self.next() {
                self.now = at;
            }
            self.exchange();
        }
    }

    fn next(&self) -> Option<Instant> {
        let hub = self.hub.next_wake().deadline();
        self.link.next_wake().deadline().into_iter().chain(hub).min().map(|at| at.max(self.now))
    }

    /// Everything that is due at this instant, both ways.
    fn exchange(&mut self) {
        self.link.handle(self.now, LinkInput::Timeout);
        self.hub.handle(self.now, HubInput::Timeout);
        loop {
            let mut moved = false;
            while let Some(action) = self.link.poll_action() {
                moved = true;
                match action {
                    LinkAction::Dial { conn, .. } => {
                        self.conn = conn;
                        self.hub.handle(self.now, HubInput::Accepted { conn });
                        self.link.handle(self.now, LinkInput::Opened { conn });
                    }
                    LinkAction::TakeInventory { .. } => {
                        self.link.handle(self.now, LinkInput::Inventory { items: 0 });
                    }
                    _ => {}
                }
            }
            let conn = self.conn;
            while let Some(transmit) = self.link.poll_transmit(self.now, conn, Lane::C) {
                moved = true;
                if let LinkTransmit::Frame(frame) = transmit {
                    self.hub.handle(self.now, HubInput::Frame { conn, frame });
                }
            }
            while let Some(action) = self.hub.poll_action() {
                moved = true;
                let HubAction::Flush { conn } = action else { continue };
                while let Some(transmit) = self.hub.poll_transmit(self.now, conn, Lane::C) {
                    if let HubTransmit::Frame(frame) = transmit {
                        self.link.handle(self.now, LinkInput::Frame { conn, frame });
                    }
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// The next heartbeat and its answer; wakes for other reasons on the way count too.
    fn heartbeat(&mut self) {
        let before = self.link.snapshot().last_proven;
        while self.link.snapshot().last_proven == before {
            if let Some(at) = self.next() {
                self.now = at;
            }
            self.exchange();
        }
    }
}

fn main() {
    // `cargo test --benches` runs a benchmark once to see that it works.
    let (rounds, exchanges) =
        if std::env::args().any(|arg| arg == "--bench") { (ROUNDS, EXCHANGES) } else { (1, 10) };
    let mut pair = Pair::new();
    pair.connect();
    for _ in 0..1_000 {
        pair.heartbeat();
    }
    let allocations = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            pair.heartbeat();
        }
    });
    let mut nanos: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Clock::now();
            for _ in 0..exchanges {
                pair.heartbeat();
            }
            start.elapsed().as_secs_f64() * 1e9 / f64::from(exchanges)
        })
        .collect();
    nanos.sort_by(f64::total_cmp);
    println!(
        "{{\"bench\":\"heartbeat\",\"median_ns\":{:.0},\"min_ns\":{:.0},\"allocations\":{}}}",
        nanos[nanos.len() / 2],
        nanos[0],
        allocations.count_total / 1_000,
    );
}
