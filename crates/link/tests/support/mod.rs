//! What the tests of a link share: a driver on virtual time, and a coordinator.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod coordinator;
pub mod walk;

use std::collections::BTreeSet;
use std::time::Duration;

use moorline_link::{
    Beat, BeatAnswer, ConnId, CoordinatorFrame, Epoch, Features, Identity, Incarnation, Instant,
    Lane, Link, LinkAction, LinkConfig, LinkInput, LinkTransmit, LinkVerdict, State, Sym, Tag,
    Versions, Wake, WorkerFrame, WorkerId,
};

pub use coordinator::Coordinator;

pub const MS: Duration = Duration::from_millis(1);
pub const SECOND: Duration = Duration::from_secs(1);

pub fn identity() -> Identity {
    Identity {
        worker: WorkerId(0x00c0_ffee),
        incarnation: Incarnation(7),
        name: Sym(1),
        versions: Versions::SPOKEN,
        features: Features::SPOKEN,
    }
}

/// The answer to a beat of a coordinator that agrees with it.
pub fn agrees(epoch: Epoch, beat: &Beat) -> BeatAnswer {
    BeatAnswer {
        seq: beat.seq,
        epoch,
        known: true,
        flags: beat.flags,
        free: beat.free,
        quiet: true,
        waiting: false,
        first_window: None,
        beat_interval: None,
    }
}

/// A link with its driver and a coordinator, on a network without delay that obeys the test.
pub struct Bench {
    pub link: Link,
    pub now: Instant,
    pub coordinator: Coordinator,
    /// Whether a dial reaches the coordinator; else it fails as the test says.
    pub reachable: bool,
    /// Whether what the coordinator answers arrives.
    pub listening: bool,
    /// Whether connections take packets.
    pub writable: bool,
    /// Items the embedder lists.
    pub items: u32,
    /// Everything the machine asked for, with its time in milliseconds.
    pub actions: Vec<(u64, LinkAction)>,
    /// Everything it wrote.
    pub written: Vec<(u64, ConnId, LinkTransmit)>,
    /// What reached the coordinator's machine above.
    pub delivered: Vec<(Lane, Tag)>,
    open: BTreeSet<ConnId>,
}

impl Bench {
    pub fn new(config: LinkConfig) -> Self {
        Self {
            link: Link::new(config, identity(), 11, Instant::ZERO),
            now: Instant::ZERO,
            coordinator: Coordinator::new(),
            reachable: true,
            listening: true,
            writable: true,
            items: 0,
            actions: Vec::new(),
            written: Vec::new(),
            delivered: Vec::new(),
            open: BTreeSet::new(),
        }
    }

    /// A link that is active, its first beat not sent yet.
    pub fn active(config: LinkConfig) -> Self {
        let mut bench = Self::new(config);
        bench.until_active();
        bench.forget();
        bench
    }

    pub fn until_active(&mut self) {
        self.reachable = true;
        self.until(|bench| bench.link.state() == State::Active);
    }

    /// Runs until something holds; within an hour.
    pub fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        let end = self.now + Duration::from_secs(3_600);
        self.drain();
        while !holds(self) {
            let deadline = self.link.next_wake().deadline().expect("it would wait for ever");
            assert!(deadline < end, "not within an hour: {:?}", self.link.snapshot());
            self.now = deadline.max(self.now);
            self.input(LinkInput::Timeout);
        }
    }

    /// Forgets what was recorded so far.
    pub fn forget(&mut self) {
        self.actions.clear();
        self.written.clear();
    }

    /// Runs for this long, waking exactly when the machine asks for it.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.drain();
        while let Wake::At { deadline, .. } = self.link.next_wake() {
            if deadline > end {
                break;
            }
            self.now = deadline.max(self.now);
            self.input(LinkInput::Timeout);
        }
        self.now = end;
    }

    /// The driver is stopped for this long: nothing is handled meanwhile.
    pub fn freeze(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    pub fn input(&mut self, input: LinkInput) -> LinkVerdict {
        let verdict = self.link.handle(self.now, input);
        self.drain();
        verdict
    }

    pub fn frame(&mut self, frame: CoordinatorFrame) -> LinkVerdict {
        let conn = self.conn();
        self.input(LinkInput::Frame { conn, frame })
    }

    /// The newest connection that is open.
    pub fn conn(&self) -> ConnId {
        *self.open.last().expect("no connection is open")
    }

    pub fn is_open(&self, conn: ConnId) -> bool {
        self.open.contains(&conn)
    }

    /// The transport ends the newest connection.
    pub fn cut(&mut self, reason: moorline_link::Reason) {
        let conn = self.conn();
        self.open.remove(&conn);
        self.input(LinkInput::Closed { conn, reason });
    }

    /// Milliseconds since the start.
    pub fn ms(&self) -> u64 {
        self.now.as_nanos() / 1_000_000
    }

    /// Does what the machine asks for until it asks for nothing more.
    pub fn drain(&mut self) {
        for _ in 0..10_000 {
            let mut idle = true;
            while let Some(action) = self.link.poll_action() {
                idle = false;
                self.actions.push((self.ms(), action));
                self.act(action);
            }
            for conn in self.open.clone() {
                for lane in Lane::ALL {
                    while self.writable
                        && let Some(transmit) = self.link.poll_transmit(self.now, conn, lane)
                    {
                        idle = false;
                        self.written.push((self.ms(), conn, transmit));
                        let answers =
                            self.coordinator.receive(conn, &transmit, &mut self.delivered);
                        for frame in answers {
                            self.hear(conn, frame);
                        }
                    }
                }
            }
            for (conn, frame) in self.coordinator.messages() {
                idle = false;
                self.hear(conn, frame);
            }
            if idle {
                return;
            }
        }
        panic!("it never has enough: {:?} {:?}", self.actions.last(), self.written.last());
    }

    fn hear(&mut self, conn: ConnId, frame: CoordinatorFrame) {
        if self.listening && self.open.contains(&conn) {
            let verdict = self.link.handle(self.now, LinkInput::Frame { conn, frame });
            assert!(!matches!(verdict, LinkVerdict::Violation(_)), "{verdict:?} by {frame:?}");
        }
    }

    fn act(&mut self, action: LinkAction) {
        match action {
            LinkAction::Dial { conn, .. } if self.reachable => {
                self.open.insert(conn);
                self.link.handle(self.now, LinkInput::Opened { conn });
            }
            LinkAction::Close { conn, .. } => {
                self.open.remove(&conn);
            }
            LinkAction::TakeInventory { .. } => {
                self.link.handle(self.now, LinkInput::Inventory { items: self.items });
            }
            LinkAction::Dial { .. }
            | LinkAction::Released { .. }
            | LinkAction::Announce(_)
            | LinkAction::BeatMissed { .. }
            | LinkAction::BeatRecovered
            | LinkAction::CandidateLost { .. }
            | LinkAction::HandBack
            | LinkAction::LeasesExpired
            | LinkAction::Suspicion { .. }
            | LinkAction::Interval { .. }
            | LinkAction::Degraded(_)
            | LinkAction::Stalled { .. } => {}
        }
    }

    /// The transitions so far, as `from>to:reason`.
    pub fn path(&self) -> Vec<String> {
        let mut path = Vec::new();
        for (_, action) in &self.actions {
            if let LinkAction::Announce(transition) = action {
                let to = format!("{:?}", transition.to);
                path.push(match transition.reason {
                    Some(reason) => format!("{to}: {reason}"),
                    None => to,
                });
            }
        }
        path
    }

    /// When and with what number it dialled.
    pub fn dials(&self) -> Vec<(u64, u32)> {
        let mut dials = Vec::new();
        for (at, action) in &self.actions {
            if let LinkAction::Dial { attempt, .. } = action {
                dials.push((*at, *attempt));
            }
        }
        dials
    }

    /// The beats missed so far, as `k/n reason` with their time.
    pub fn missed(&self) -> Vec<(u64, String)> {
        let mut missed_beats = Vec::new();
        for (at, action) in &self.actions {
            if let LinkAction::BeatMissed { missed, limit, reason } = action {
                missed_beats.push((*at, format!("{missed}/{limit} {reason}")));
            }
        }
        missed_beats
    }

    /// The last beat that was written.
    pub fn last_beat(&self) -> Beat {
        let beat = |frame: &WorkerFrame| {
            if let WorkerFrame::Beat(beat) = frame { Some(*beat) } else { None }
        };
        self.frames().iter().rev().find_map(beat).expect("a beat was written")
    }

    /// The frames written so far, beats included.
    pub fn frames(&self) -> Vec<WorkerFrame> {
        let frame = |(_, _, transmit): &(u64, ConnId, LinkTransmit)| match transmit {
            LinkTransmit::Frame(frame) => Some(*frame),
            LinkTransmit::Message { .. } => None,
        };
        self.written.iter().filter_map(frame).collect()
    }

    /// When beats were written.
    pub fn beats(&self) -> Vec<u64> {
        let beat = |(at, _, transmit): &(u64, ConnId, LinkTransmit)| {
            matches!(transmit, LinkTransmit::Frame(WorkerFrame::Beat(_))).then_some(*at)
        };
        self.written.iter().filter_map(beat).collect()
    }
}
