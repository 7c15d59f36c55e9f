//! Both real ends against each other, in virtual time, over a network that cuts, delays and forgets.
//!
//! Frames travel as values. Order holds inside a lane only: the two lanes of a connection are two
//! queues with delays of their own, as two streams of a real transport would be.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use moorline_link::*;

const MS: Duration = Duration::from_millis(1);
const WORKERS: usize = 3;

/// A small generator (xorshift64*): the whole world follows from its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }

    fn millis(&mut self, below: u64) -> Duration {
        Duration::from_millis(self.roll(below))
    }
}

/// One direction of a connection: a queue per lane, and an end that one side learns of.
struct Pipe<T> {
    lanes: [VecDeque<(Instant, T)>; 2],
    ends: Option<Instant>,
    open: bool,
}

impl<T> Default for Pipe<T> {
    fn default() -> Self {
        Self { lanes: [VecDeque::new(), VecDeque::new()], ends: None, open: true }
    }
}

impl<T: Copy> Pipe<T> {
    fn send(&mut self, lane: Lane, at: Instant, what: T) {
        let queue = &mut self.lanes[lane.index()];
        let after = queue.back().map_or(Instant::ZERO, |(at, _)| *at);
        queue.push_back((at.max(after), what));
    }

    fn next(&self) -> Option<Instant> {
        let heads = self.lanes.iter().filter_map(|lane| lane.front().map(|(at, _)| *at));
        heads.chain(self.ends).min().filter(|_| self.open)
    }

    fn arrived(&mut self, now: Instant) -> Option<T> {
        let due = |lane: &&mut VecDeque<(Instant, T)>| lane.front().is_some_and(|it| it.0 <= now);
        self.lanes.iter_mut().find(due)?.pop_front().map(|(_, what)| what)
    }

    /// The tail is lost, from a random place on; the receiver learns of the end, or never.
    fn cut(&mut self, dice: &mut Dice, ends: Option<Instant>) {
        for lane in &mut self.lanes {
            let keep = dice.roll(lane.len() as u64 + 1);
            lane.truncate(usize::try_from(keep).expect("small"));
        }
        self.ends = ends;
    }
}

struct Conn {
    worker: usize,
    at_link: ConnId,
    at_hub: ConnId,
    up: Pipe<LinkTransmit>,
    down: Pipe<HubTransmit>,
    cut: bool,
}

/// What was said and what arrived in one lane of one direction of one session.
#[derive(Default)]
struct Ledger {
    queued: Vec<Tag>,
    delivered: Vec<Tag>,
    released: Vec<Tag>,
}

type LedgerKey = (usize, SessionId, bool, Lane);

struct World {
    dice: Dice,
    now: Instant,
    hub: Hub,
    links: Vec<Link>,
    conns: Vec<Conn>,
    dials: Vec<(Instant, usize, ConnId)>,
    /// The network takes no dials.
    down: bool,
    /// The session each embedder knows: of the workers, and of the coordinator.
    known: [[Option<SessionId>; 2]; WORKERS],
    lanes_of: BTreeMap<(usize, bool, Tag), (SessionId, Lane)>,
    ledgers: BTreeMap<LedgerKey, Ledger>,
    next_conn: u64,
    next_tag: u64,
    resumed: usize,
    cuts: usize,
    /// What was written at least once, and how often anything was after that: by each worker, and by
    /// the coordinator.
    written: BTreeSet<Tag>,
    again: [u64; WORKERS + 1],
}

fn limits() -> LaneLimits {
    LaneLimits {
        outbox_messages: 40,
        outbox_bytes: 100_000,
        window_messages: 4,
        window_bytes: 2_000,
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let now = Instant::ZERO + 1_000_000 * MS;
        let settings = HubSettings { lanes: limits(), ..HubSettings::default() };
        let config = HubConfig::new(settings).expect("consistent");
        let lanes = Lanes::new(limits(), limits()).expect("open");
        let link = |n: usize| {
            let identity = Identity {
                worker: WorkerId(n as u128 + 1),
                incarnation: Incarnation(seed ^ (n as u64) << 32),
                name: Sym(u32::try_from(n).expect("small")),
                versions: Versions::SPOKEN,
                features: moorline_link::Features::SPOKEN,
            };
            let config = LinkConfig { lanes, ..LinkConfig::default() };
            let mut link = Link::new(config, identity, seed ^ n as u64, now);
            link.handle(now, LinkInput::Report { free: 1, paused: false, owes: false });
            link
        };
        Self {
            dice: Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            now,
            hub: Hub::new(config, Epoch(1), seed.into(), now),
            links: (0..WORKERS).map(link).collect(),
            conns: Vec::new(),
            dials: Vec::new(),
            down: false,
            known: [[None; 2]; WORKERS],
            lanes_of: BTreeMap::new(),
            ledgers: BTreeMap::new(),
            next_conn: 0,
            next_tag: 0,
            resumed: 0,
            cuts: 0,
            written: BTreeSet::new(),
            again: [0; WORKERS + 1],
        }
    }

    fn ledger(&mut self, worker: usize, session: SessionId, up: bool, lane: Lane) -> &mut Ledger {
        self.ledgers.entry((worker, session, up, lane)).or_default()
    }

    /// Runs to a time, one event after the other.
    fn run_until(&mut self, until: Instant) {
        self.pump();
        loop {
            let links = self.links.iter().filter_map(|link| link.next_wake().deadline());
            let wires = self.conns.iter().flat_map(|conn| [conn.up.next(), conn.down.next()]);
            let dials = self.dials.iter().map(|dial| dial.0);
            let wakes = links.chain(self.hub.next_wake().deadline());
            let Some(next) = wakes.chain(wires.flatten()).chain(dials).min() else { break };
            if next > until {
                break;
            }
            self.now = self.now.max(next);
            self.deliver();
            self.hub.handle(self.now, HubInput::Timeout);
            for link in &mut self.links {
                link.handle(self.now, LinkInput::Timeout);
            }
            self.pump();
        }
        self.now = until;
    }

    fn deliver(&mut self) {
        let now = self.now;
        let due: Vec<_> = self.dials.extract_if(.., |dial| dial.0 <= now).collect();
        for (_, worker, conn) in due {
            self.opened(worker, conn);
        }
        for at in 0..self.conns.len() {
            while self.conns[at].up.open {
                let Some(transmit) = self.conns[at].up.arrived(now) else { break };
                self.hub_hears(at, transmit);
            }
            while self.conns[at].down.open {
                let Some(transmit) = self.conns[at].down.arrived(now) else { break };
                self.link_hears(at, transmit);
            }
            let conn = &mut self.conns[at];
            let reason = Reason::TransportReset;
            if conn.up.open && conn.up.ends.is_some_and(|end| end <= now) {
                conn.up.open = false;
                self.hub.handle(now, HubInput::Closed { conn: conn.at_hub, reason });
            }
            if conn.down.open && conn.down.ends.is_some_and(|end| end <= now) {
                conn.down.open = false;
                self.links[conn.worker]
                    .handle(now, LinkInput::Closed { conn: conn.at_link, reason });
            }
        }
        self.conns.retain(|conn| conn.up.open || conn.down.open);
    }

    fn opened(&mut self, worker: usize, conn: ConnId) {
        if self.down {
            let reason = Reason::Unreachable;
            self.links[worker].handle(self.now, LinkInput::DialFailed { conn, reason });
            return;
        }
        if self.links[worker].handle(self.now, LinkInput::Opened { conn }) == LinkVerdict::Stale {
            return;
        }
        self.next_conn += 1;
        let at_hub = ConnId(self.next_conn);
        self.hub.handle(self.now, HubInput::Accepted { conn: at_hub });
        let (up, down) = Default::default();
        self.conns.push(Conn { worker, at_link: conn, at_hub, up, down, cut: false });
    }

    fn hub_hears(&mut self, at: usize, transmit: LinkTransmit) {
        let Conn { worker, at_hub: conn, .. } = self.conns[at];
        let (frame, tag) = match transmit {
            LinkTransmit::Frame(frame) => (frame, None),
            LinkTransmit::Message { head, tag } => (WorkerFrame::Message(head), Some((head, tag))),
        };
        match self.hub.handle(self.now, HubInput::Frame { conn, frame }) {
            HubVerdict::Deliver { .. } => {
                let (head, tag) = tag.expect("a message");
                let (session, lane) = self.lanes_of[&(worker, true, tag)];
                assert_eq!(self.known[worker][1], Some(session), "of the session that is");
                self.ledger(worker, session, true, lane).delivered.push(tag);
                let (bytes, worker) = (u64::from(head.len), WorkerId(worker as u128 + 1));
                self.hub.handle(self.now, HubInput::Release { worker, lane, messages: 1, bytes });
            }
            HubVerdict::Item { .. } => {
                self.hub.handle(self.now, HubInput::AnswerReady { conn });
            }
            verdict @ (HubVerdict::Violation(_) | HubVerdict::Rejected(_)) => {
                panic!("{frame:?} of worker {worker}: {verdict:?}")
            }
            HubVerdict::Accepted
            | HubVerdict::Duplicate
            | HubVerdict::InventoryEnd { .. }
            | HubVerdict::Withdrawn
            | HubVerdict::Stale => {}
        }
    }

    fn link_hears(&mut self, at: usize, transmit: HubTransmit) {
        let Conn { worker, at_link: conn, .. } = self.conns[at];
        let (frame, tag) = match transmit {
            HubTransmit::Frame(frame) => (frame, None),
            HubTransmit::Message { head, tag, .. } => {
                (CoordinatorFrame::Message(head), Some((head, tag)))
            }
        };
        match self.links[worker].handle(self.now, LinkInput::Frame { conn, frame }) {
            LinkVerdict::Deliver => {
                let (head, tag) = tag.expect("a message");
                let (session, lane) = self.lanes_of[&(worker, false, tag)];
                self.ledger(worker, session, false, lane).delivered.push(tag);
                let bytes = u64::from(head.len);
                self.links[worker]
                    .handle(self.now, LinkInput::Release { lane, messages: 1, bytes });
            }
            verdict @ (LinkVerdict::Violation(_) | LinkVerdict::Rejected(_)) => {
                panic!("{frame:?} to worker {worker}: {verdict:?}")
            }
            LinkVerdict::Accepted
            | LinkVerdict::Duplicate
            | LinkVerdict::Answer
            | LinkVerdict::Later { .. }
            | LinkVerdict::Stale => {}
        }
    }

    /// Does what all machines say, until they say nothing.
    fn pump(&mut self) {
        let mut busy = true;
        while busy {
            busy = false;
            while let Some(action) = self.hub.poll_action() {
                busy = true;
                self.act_for_hub(action);
            }
            for worker in 0..WORKERS {
                while let Some(action) = self.links[worker].poll_action() {
                    busy = true;
                    self.act_for_link(worker, action);
                }
            }
            for at in 0..self.conns.len() {
                busy |= self.write(at);
            }
        }
    }

    /// Writes what both ends of a connection have due.
    fn write(&mut self, at: usize) -> bool {
        let mut busy = false;
        let conn = &mut self.conns[at];
        for lane in Lane::ALL {
            while let Some(transmit) =
                self.links[conn.worker].poll_transmit(self.now, conn.at_link, lane)
            {
                busy = true;
                if let LinkTransmit::Message { tag, .. } = transmit {
                    self.again[conn.worker] += u64::from(!self.written.insert(tag));
                }
                if !conn.cut {
                    conn.up.send(lane, self.now + self.dice.millis(40), transmit);
                }
            }
            while let Some(transmit) = self.hub.poll_transmit(self.now, conn.at_hub, lane) {
                busy = true;
                if let HubTransmit::Message { tag, .. } = transmit {
                    self.again[WORKERS] += u64::from(!self.written.insert(tag));
                }
                if !conn.cut {
                    conn.down.send(lane, self.now + self.dice.millis(40), transmit);
                }
            }
        }
        busy
    }

    fn act_for_hub(&mut self, action: HubAction) {
        match action {
            HubAction::Close { conn, .. } => {
                let ends = self.now + self.dice.millis(50);
                if let Some(conn) = self.conns.iter_mut().find(|it| it.at_hub == conn) {
                    conn.up.open = false;
                    // What was written before leaves as far as it can.
                    conn.down.ends.get_or_insert(ends);
                }
            }
            HubAction::Registered(it) => {
                let worker = usize::try_from(it.worker.0 - 1).expect("small");
                if it.resumed {
                    self.resumed += 1;
                    assert_eq!(self.known[worker][1], Some(it.session));
                }
                self.known[worker][1] = Some(it.session);
            }
            HubAction::Active { worker, .. } => {
                let believe = HubInput::Believe { worker, free: 1, paused: false };
                self.hub.handle(self.now, believe);
            }
            HubAction::Released { worker, tag } => {
                let worker = usize::try_from(worker.0 - 1).expect("small");
                let (session, lane) = self.lanes_of[&(worker, false, tag)];
                self.ledger(worker, session, false, lane).released.push(tag);
            }
            HubAction::Refused { reason, .. } => panic!("nobody is in the way: {reason}"),
            HubAction::Flush { .. }
            | HubAction::Detached { .. }
            | HubAction::Suspect { .. }
            | HubAction::Departed { .. }
            | HubAction::Flags { .. }
            | HubAction::Flapping { .. }
            | HubAction::Forgotten { .. }
            | HubAction::Stalled { .. } => {}
        }
    }

    fn act_for_link(&mut self, worker: usize, action: LinkAction) {
        match action {
            LinkAction::Dial { conn, .. } => {
                self.dials.push((self.now + self.dice.millis(30), worker, conn));
            }
            LinkAction::Close { conn, .. } => {
                self.dials.retain(|dial| (dial.1, dial.2) != (worker, conn));
                let ends = self.now + self.dice.millis(50);
                let mine = |it: &&mut Conn| it.worker == worker && it.at_link == conn;
                if let Some(conn) = self.conns.iter_mut().find(mine) {
                    conn.down.open = false;
                    if !conn.cut {
                        conn.up.ends.get_or_insert(ends);
                    }
                }
            }
            LinkAction::TakeInventory { session, resumed } => {
                assert_eq!(resumed, self.known[worker][0] == Some(session));
                self.known[worker][0] = Some(session);
                let items = u32::try_from(self.dice.roll(4)).expect("small");
                self.links[worker].handle(self.now, LinkInput::Inventory { items });
            }
            LinkAction::Released { tag } => {
                let (session, lane) = self.lanes_of[&(worker, true, tag)];
                self.ledger(worker, session, true, lane).released.push(tag);
            }
            LinkAction::Announce(_)
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

    /// Something random happens to the world.
    fn fate(&mut self) {
        let worker = usize::try_from(self.dice.roll(WORKERS as u64)).expect("small");
        let at = usize::try_from(self.dice.roll(self.conns.len().max(1) as u64)).expect("small");
        match self.dice.roll(100) {
            0..=2 => {
                if at < self.conns.len() {
                    self.cut(at);
                }
            }
            3 => self.down = !self.down,
            4 => {
                self.links[worker].handle(self.now, LinkInput::Migrate);
            }
            5 => {
                self.links[worker].handle(self.now, LinkInput::Reconnect);
            }
            6..=8 => {
                let worker_id = WorkerId(worker as u128 + 1);
                let presence = self.hub.worker(self.now, worker_id).map(|it| it.presence);
                if presence == Some(Presence::Disconnected) && self.dice.roll(2) == 0 {
                    self.hub.handle(self.now, HubInput::Lost { worker: worker_id });
                    self.known[worker][1] = None;
                }
            }
            _ => (0..=self.dice.roll(4)).for_each(|_| self.message(worker)),
        }
    }

    fn cut(&mut self, at: usize) {
        self.cuts += 1;
        let end = |dice: &mut Dice| {
            // Half-open: that side never learns of it but by silence.
            (dice.roll(4) > 0).then(|| self.now + dice.millis(500))
        };
        let ends = (end(&mut self.dice), end(&mut self.dice));
        let conn = &mut self.conns[at];
        conn.cut = true;
        conn.up.cut(&mut self.dice, ends.0);
        conn.down.cut(&mut self.dice, ends.1);
    }

    fn message(&mut self, worker: usize) {
        let lane = Lane::ALL[usize::try_from(self.dice.roll(2)).expect("small")];
        let up = self.dice.roll(2) == 0;
        let len = u32::try_from(1 + self.dice.roll(900)).expect("small");
        self.next_tag += 1;
        let tag = Tag(self.next_tag);
        let accepted = if up {
            let input = LinkInput::Enqueue { lane, tag, len };
            self.links[worker].handle(self.now, input) == LinkVerdict::Accepted
        } else {
            let worker = WorkerId(worker as u128 + 1);
            let input = HubInput::Enqueue { worker, lane, tag, len };
            self.hub.handle(self.now, input) == HubVerdict::Accepted
        };
        if accepted {
            let session = self.known[worker][usize::from(!up)].expect("it knows its session");
            self.lanes_of.insert((worker, up, tag), (session, lane));
            self.ledger(worker, session, up, lane).queued.push(tag);
        }
    }

    /// Exactly once and in order within each session; what is released was delivered.
    fn check(&self) {
        for (key, ledger) in &self.ledgers {
            let delivered = ledger.delivered.len();
            assert!(ledger.queued.starts_with(&ledger.delivered), "{key:?}");
            assert!(ledger.delivered.starts_with(&ledger.released), "{key:?} of {delivered}");
        }
        let resent = self.links.iter().map(Link::resent).chain([self.hub.resent()]);
        assert!(resent.eq(self.again), "{:?}", self.again);
    }
}

#[test]
fn messages_of_both_sides_arrive_exactly_once_and_in_order_over_any_cuts() {
    let (mut delivered, mut resumed, mut cuts, mut sessions) = (0, 0, 0, 0);
    let mut again = [0; 2];
    for seed in 1..=150 {
        let mut world = World::new(seed);
        for _ in 0..400 {
            let pause = world.dice.millis(400);
            world.run_until(world.now + pause);
            world.fate();
            world.pump();
            world.check();
        }
        // Once faults stop, everybody is active and everything of the living sessions arrives.
        world.down = false;
        for at in 0..world.conns.len() {
            world.cut(at);
        }
        world.run_until(world.now + 150_000 * MS);
        world.check();
        for (worker, link) in world.links.iter().enumerate() {
            assert_eq!(link.state(), State::Active, "worker {worker}, seed {seed}");
            assert_eq!(world.known[worker][0], world.known[worker][1], "they agree on the session");
            let session = world.known[worker][0].expect("it is active");
            for (up, lane) in [true, false].into_iter().flat_map(|up| Lane::ALL.map(|l| (up, l))) {
                let Some(ledger) = world.ledgers.get(&(worker, session, up, lane)) else {
                    continue;
                };
                assert_eq!(ledger.delivered, ledger.queued, "seed {seed}, {up} {lane:?}");
                assert_eq!(ledger.released, ledger.queued, "seed {seed}, {up} {lane:?}");
            }
        }
        delivered += world.ledgers.values().map(|ledger| ledger.delivered.len()).sum::<usize>();
        let (up, down) = world.again.split_at(WORKERS);
        again = [again[0] + up.iter().sum::<u64>(), again[1] + down[0]];
        (resumed, cuts) = (resumed + world.resumed, cuts + world.cuts);
        let of_worlds: BTreeSet<_> = world.ledgers.keys().map(|key| (key.0, key.1)).collect();
        sessions += of_worlds.len();
    }
    // It was about something.
    assert!(delivered > 20_000 && resumed > 1_000 && cuts > 1_000, "{delivered} {resumed} {cuts}");
    assert!(sessions > 3 * 150 + 100, "{sessions}");
    assert!(again.iter().all(|again| *again > 1_000), "{again:?}");
}
