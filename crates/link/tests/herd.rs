//! A fleet that lost its coordinator comes back: ten thousand real links and one real hub, in virtual
//! time, without a network but for its delay. What comes out is exact, and the same on every machine.

#![allow(clippy::print_stdout, reason = "figures for people")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::num::NonZeroU32;
use std::time::Duration;

use moorline_link::*;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// Every frame and every dial takes so long.
const LATENCY: Duration = MS;
const RATE: u32 = 200;

/// Something that happens at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Event {
    Wake(usize),
    Dialled(usize, u64),
    Up(u64, u32),
    Down(u64, u32),
    Hub,
}

#[derive(Clone)]
struct World {
    now: Instant,
    start: Instant,
    hub: Hub,
    links: Vec<Link>,
    events: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    order: u64,
    /// When the link of a worker, and the hub, will be woken: other entries are litter.
    wakes: Vec<Option<Instant>>,
    hub_wake: Option<Instant>,
    /// Of each connection at the hub: its worker, and its name there.
    conns: BTreeMap<u64, (usize, ConnId)>,
    of_link: BTreeMap<(usize, u64), u64>,
    frames_up: BTreeMap<u32, WorkerFrame>,
    frames_down: BTreeMap<u32, CoordinatorFrame>,
    next_frame: u32,
    next_conn: u64,
    down: bool,
    dials: Vec<Instant>,
    back: Vec<Option<Instant>>,
}

impl World {
    fn new(workers: usize) -> Self {
        let start = Instant::ZERO + SECOND;
        let rate = NonZeroU32::new(RATE).expect("not zero");
        let settings = HubSettings {
            registration_rate: RegistrationRate::Fixed(rate),
            ..HubSettings::default()
        };
        let config = HubConfig::new(settings).expect("consistent");
        let link = |n: usize| {
            let identity = Identity {
                worker: WorkerId(n as u128 + 1),
                incarnation: Incarnation(n as u64),
                name: Sym(u32::try_from(n).expect("small")),
                versions: Versions::SPOKEN,
                features: 0,
            };
            Link::new(LinkConfig::default(), identity, 77 + n as u64 * 0x9e37_79b9, start)
        };
        let mut world = Self {
            now: start,
            start,
            hub: Hub::new(config, Epoch(1), 5, start),
            links: (0..workers).map(link).collect(),
            events: BinaryHeap::new(),
            order: 0,
            wakes: vec![None; workers],
            hub_wake: None,
            conns: BTreeMap::new(),
            of_link: BTreeMap::new(),
            frames_up: BTreeMap::new(),
            frames_down: BTreeMap::new(),
            next_frame: 0,
            next_conn: 0,
            down: false,
            dials: Vec::new(),
            back: vec![None; workers],
        };
        for worker in 0..workers {
            world.run_link(worker);
        }
        world.run_hub();
        world
    }

    fn at(&mut self, at: Instant, event: Event) {
        self.order += 1;
        self.events.push(Reverse((at, self.order, event)));
    }

    /// Serves what happens up to a time.
    fn run_until(&mut self, until: Instant) {
        while let Some(Reverse((at, _, _))) = self.events.peek()
            && *at <= until
        {
            let Some(Reverse((at, _, event))) = self.events.pop() else { break };
            self.now = self.now.max(at);
            match event {
                Event::Wake(worker) if self.wakes[worker] == Some(at) => {
                    self.wakes[worker] = None;
                    self.links[worker].handle(self.now, LinkInput::Timeout);
                    self.run_link(worker);
                }
                Event::Hub if self.hub_wake == Some(at) => {
                    self.hub_wake = None;
                    self.hub.handle(self.now, HubInput::Timeout);
                    self.run_hub();
                }
                Event::Wake(_) | Event::Hub => {}
                Event::Dialled(worker, conn) => self.dialled(worker, ConnId(conn)),
                Event::Up(conn, frame) => self.hub_hears(conn, frame),
                Event::Down(conn, frame) => self.link_hears(conn, frame),
            }
        }
        self.now = until;
    }

    fn dialled(&mut self, worker: usize, at_link: ConnId) {
        let input = if self.down {
            LinkInput::DialFailed { conn: at_link, reason: Reason::ConnectRefused }
        } else {
            LinkInput::Opened { conn: at_link }
        };
        if self.links[worker].handle(self.now, input) != LinkVerdict::Stale && !self.down {
            self.next_conn += 1;
            let conn = self.next_conn;
            self.conns.insert(conn, (worker, at_link));
            self.of_link.insert((worker, at_link.0), conn);
            self.hub.handle(self.now, HubInput::Accepted { conn: ConnId(conn) });
            self.run_hub();
        }
        self.run_link(worker);
    }

    fn hub_hears(&mut self, conn: u64, frame: u32) {
        let Some(frame) = self.frames_up.remove(&frame) else { return };
        if self.conns.contains_key(&conn) {
            let verdict = self.hub.handle(self.now, HubInput::Frame { conn: ConnId(conn), frame });
            assert!(!matches!(verdict, HubVerdict::Violation(_)), "{frame:?}: {verdict:?}");
            self.run_hub();
        }
    }

    fn link_hears(&mut self, conn: u64, frame: u32) {
        let Some(frame) = self.frames_down.remove(&frame) else { return };
        let Some((worker, at_link)) = self.conns.get(&conn).copied() else { return };
        self.links[worker].handle(self.now, LinkInput::Frame { conn: at_link, frame });
        self.run_link(worker);
    }

    fn run_link(&mut self, worker: usize) {
        loop {
            while let Some(action) = self.links[worker].poll_action() {
                match action {
                    LinkAction::Dial { conn, .. } => {
                        self.dials.push(self.now);
                        self.at(self.now + LATENCY, Event::Dialled(worker, conn.0));
                    }
                    LinkAction::Close { conn, .. } => self.hang_up(worker, conn),
                    LinkAction::TakeInventory { .. } => {
                        self.links[worker].handle(self.now, LinkInput::Inventory { items: 0 });
                    }
                    LinkAction::Announce(Transition { to: State::Active, .. }) => {
                        self.back[worker] = Some(self.now);
                    }
                    LinkAction::BeatMissed { .. } => panic!("beats are answered here"),
                    LinkAction::Announce(_)
                    | LinkAction::Released { .. }
                    | LinkAction::BeatRecovered
                    | LinkAction::HandBack
                    | LinkAction::LeasesExpired
                    | LinkAction::Suspicion { .. }
                    | LinkAction::Interval { .. }
                    | LinkAction::Degraded(_)
                    | LinkAction::CandidateLost { .. }
                    | LinkAction::Stalled { .. } => {}
                }
            }
            let mut wrote = false;
            let mine = (worker, 0)..=(worker, u64::MAX);
            let conns: Vec<_> =
                self.of_link.range(mine).map(|(key, conn)| (key.1, *conn)).collect();
            for (at_link, conn) in conns {
                while let Some(LinkTransmit::Frame(frame)) =
                    self.links[worker].poll_transmit(self.now, ConnId(at_link), Lane::C)
                {
                    self.next_frame += 1;
                    self.frames_up.insert(self.next_frame, frame);
                    self.at(self.now + LATENCY, Event::Up(conn, self.next_frame));
                    wrote = true;
                }
            }
            if !wrote && self.links[worker].next_wake() != Wake::Now {
                break;
            }
        }
        if let Some(at) = self.links[worker].next_wake().deadline()
            && self.wakes[worker].is_none_or(|armed| armed != at)
        {
            self.wakes[worker] = Some(at);
            self.at(at, Event::Wake(worker));
        }
    }

    fn hang_up(&mut self, worker: usize, at_link: ConnId) {
        if let Some(conn) = self.of_link.remove(&(worker, at_link.0))
            && self.conns.remove(&conn).is_some()
        {
            let reason = Reason::ClosedByPeer;
            self.hub.handle(self.now, HubInput::Closed { conn: ConnId(conn), reason });
            self.run_hub();
        }
    }

    fn run_hub(&mut self) {
        while let Some(action) = self.hub.poll_action() {
            if let HubAction::Flush { conn } = action {
                while let Some(HubTransmit::Frame(frame)) =
                    self.hub.poll_transmit(self.now, conn, Lane::C)
                {
                    self.next_frame += 1;
                    self.frames_down.insert(self.next_frame, frame);
                    self.at(self.now + LATENCY, Event::Down(conn.0, self.next_frame));
                }
            }
            // The other end learns of a close by the last frame that it was sent.
        }
        if let Some(at) = self.hub.next_wake().deadline()
            && self.hub_wake.is_none_or(|armed| at < armed)
        {
            self.hub_wake = Some(at);
            self.at(at, Event::Hub);
        }
    }

    /// All connections break, and nobody is there for so long. Returns what became of it.
    fn outage(&mut self, down: Duration) -> Outcome {
        let lost = self.now;
        self.down = true;
        self.dials.clear();
        self.back.fill(None);
        let reason = Reason::TransportReset;
        for ((worker, at_link), conn) in std::mem::take(&mut self.of_link) {
            self.conns.remove(&conn);
            self.hub.handle(self.now, HubInput::Closed { conn: ConnId(conn), reason });
            let conn = ConnId(at_link);
            self.links[worker].handle(self.now, LinkInput::Closed { conn, reason });
        }
        self.run_hub();
        for worker in 0..self.links.len() {
            self.run_link(worker);
        }
        self.run_until(lost + down);
        let while_down = self.dials.len();
        self.down = false;
        while self.back.iter().any(Option::is_none) {
            self.run_until(self.now + SECOND);
            assert!(self.now < lost + down + 600 * SECOND, "they never come back");
        }
        let mut peaks: BTreeMap<u128, usize> = BTreeMap::new();
        for dial in &self.dials {
            *peaks.entry(dial.since(lost).as_millis() / 100).or_default() += 1;
        }
        let mut back: Vec<Duration> =
            self.back.iter().map(|at| at.expect("back").since(lost)).collect();
        back.sort_unstable();
        Outcome {
            peak: peaks.values().copied().max().unwrap_or(0),
            dials: self.dials.len(),
            while_down,
            half: back[back.len() / 2],
            last: back[back.len() - 1],
        }
    }
}

#[derive(Debug)]
struct Outcome {
    /// Dials in the busiest tenth of a second.
    peak: usize,
    dials: usize,
    while_down: usize,
    half: Duration,
    last: Duration,
}

/// A fleet that is up and has been for long enough to know its size.
fn fleet(workers: usize) -> World {
    let mut world = World::new(workers);
    let start = world.start;
    world.run_until(start + 150 * SECOND);
    assert!(world.back.iter().all(Option::is_some), "everybody is here");
    world
}

/// Links and hub alone; docs/performance.md has whole nodes. Run with `--nocapture` to see the figures.
#[test]
fn ten_thousand_come_back_in_order_after_three_seconds_and_after_a_minute() {
    let workers = 10_000;
    let world = fleet(workers);
    for (down, last) in [(3, 55), (60, 115)] {
        let mut world = world.clone();
        let outcome = world.outage(down * SECOND);
        println!("{workers} workers, {down} s: {outcome:?}");
        assert!(outcome.last <= last * SECOND, "{outcome:?}");
        assert!(outcome.peak <= 75, "{outcome:?}");
        assert!(outcome.half < outcome.last && outcome.while_down < outcome.dials);
        if down == 3 {
            assert!(outcome.dials * 2 <= workers * 5, "{outcome:?}");
        }
    }
}

#[test]
fn a_few_come_back_as_if_there_were_no_admission() {
    let mut world = fleet(20);
    let outcome = world.outage(SECOND / 10);
    println!("20 workers, 0.1 s: {outcome:?}");
    assert!(outcome.last <= 3 * SECOND, "{outcome:?}");
    let start = world.now;
    for worker in 0..20 {
        world.links[worker].handle(world.now, LinkInput::Reconnect);
        world.run_link(worker);
    }
    world.back.fill(None);
    world.run_until(start + SECOND);
    let last = world.back.iter().map(|at| at.expect("back").since(start)).max();
    assert!(last.is_some_and(|last| last <= 10 * MS), "{last:?}");
}
