//! A random walk through the life of a hub: workers that mostly behave, and some that do not.

use alloc::vec::Vec;
use core::num::{NonZeroU8, NonZeroU32};
use core::time::Duration;

use super::link::*;

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// One step: raw numbers, so that failures shrink.
pub(super) type Step = (u8, u8, u8, u16);

/// A call that was made, for replays.
#[expect(clippy::large_enum_variant, reason = "Copy, and only in tests")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Call {
    Handle(Instant, HubInput),
    Action,
    Transmit(Instant, ConnId, Lane),
}

/// What a call returned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Output {
    Verdict(HubVerdict),
    Action(Option<HubAction>),
    Transmit(Option<HubTransmit>),
}

pub(super) fn call(hub: &mut Hub, call: Call) -> Output {
    match call {
        Call::Handle(now, input) => Output::Verdict(hub.handle(now, input)),
        Call::Action => Output::Action(hub.poll_action()),
        Call::Transmit(now, conn, lane) => Output::Transmit(hub.poll_transmit(now, conn, lane)),
    }
}

/// Small bounds, so that walks reach them.
pub(super) fn settings() -> HubSettings {
    HubSettings {
        max_greeting: 2,
        max_workers: 5,
        max_inventory: 3,
        registration_rate: RegistrationRate::Measured {
            min: NonZeroU32::MIN,
            max: NonZeroU32::MIN.saturating_add(9),
        },
        max_handshakes: NonZeroU32::MIN.saturating_add(1),
        beat_rate: NonZeroU32::MIN,
        forget_after: 40 * SECOND,
        flap_losses: NonZeroU8::MIN.saturating_add(1),
        flap_window: 20 * SECOND,
        ack_timeout: 6 * SECOND,
        lanes: LaneLimits {
            outbox_messages: 6,
            outbox_bytes: 4_000,
            window_messages: 3,
            window_bytes: 1_500,
        },
        ..HubSettings::default()
    }
}

pub(super) fn config() -> HubConfig {
    HubConfig::new(settings()).expect("consistent")
}

/// One process of a worker: its lanes use the same code as the hub's.
pub(super) struct Process {
    pub(super) worker: WorkerId,
    pub(super) incarnation: Incarnation,
    pub(super) name: Sym,
    pub(super) session: Option<SessionId>,
    /// The connection of its last Welcome.
    conn: Option<ConnId>,
    out: [Outbox; 2],
    inn: [Inbox; 2],
    next_tag: u64,
    /// What it was given when it was refused last.
    ticket: Option<Ticket>,
}

/// How far one connection got, as its worker sees it.
pub(super) struct Peer {
    pub(super) conn: ConnId,
    process: Option<usize>,
    welcomed: bool,
    items: u32,
    ended: bool,
    answers: u32,
    said_active: bool,
    active: bool,
    beats: u32,
}

/// Everything outside the hub.
pub(super) struct Walk {
    pub(super) hub: Hub,
    pub(super) now: Instant,
    pub(super) processes: Vec<Process>,
    pub(super) peers: Vec<Peer>,
    pub(super) calls: Vec<(Call, Output, Wake<HubTimer>)>,
    pub(super) stopped: bool,
    next_conn: u64,
    next_tag: u64,
}

const PEERS: usize = 7;

impl Walk {
    pub(super) fn new() -> Self {
        let now = Instant::ZERO + 1_000 * SECOND;
        let who = [(1, 1, 1), (1, 2, 1), (2, 3, 2), (2, 4, 2), (3, 5, 3), (4, 6, 1), (5, 7, 5)];
        let processes = who.map(|(worker, incarnation, name)| Process {
            worker: WorkerId(worker),
            incarnation: Incarnation(incarnation),
            name: Sym(name),
            session: None,
            conn: None,
            out: Lane::ALL.map(|lane| Outbox::new(lane, Credit::default())),
            inn: Lane::ALL.map(|lane| Inbox::new(lane, &settings().lanes)),
            next_tag: 0,
            ticket: None,
        });
        Self {
            hub: Hub::new(config(), Epoch(9), 77 << 32, now),
            now,
            processes: processes.into_iter().collect(),
            peers: Vec::new(),
            calls: Vec::new(),
            stopped: false,
            next_conn: 0,
            next_tag: 0,
        }
    }

    pub(super) fn call(&mut self, what: Call) -> Output {
        let output = call(&mut self.hub, what);
        self.calls.push((what, output, self.hub.next_wake()));
        output
    }

    pub(super) fn handle(&mut self, input: HubInput) -> HubVerdict {
        let Output::Verdict(verdict) = self.call(Call::Handle(self.now, input)) else {
            unreachable!("an input has a verdict")
        };
        verdict
    }

    /// The deadline that the hub waits for, if nothing is to be polled.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.hub.next_wake().deadline()
    }

    /// One random step. Time passes first; timers are mostly served in time.
    pub(super) fn step(&mut self, (op, a, b, pause): Step) {
        self.now = self.now + u32::from(pause % 50) * MS;
        let (x, y) = (usize::from(a), usize::from(b));
        match op % 48 {
            0 => self.accept(),
            1..=20 if self.peers.len() < 3 => self.accept(),
            1..=20 => self.progress(x, y),
            21 | 22 => drop(self.action()),
            23..=25 => self.flush(x, y),
            26..=31 => drop(self.run_until_idle()),
            32 | 33 => self.sleep(),
            34 => self.doze(y),
            35 => self.wild_frame(x, y),
            36 => self.close(x),
            37 => self.writable(x, y),
            38..=42 => self.embedder(x, y),
            43 => self.rare(x, y),
            44 => self.now = self.now + u32::from(b) * 400 * MS,
            45 | 46 => self.beats(),
            _ => drop(self.handle(HubInput::Timeout)),
        }
    }

    /// Up to 21 s in which nothing arrives, mostly much less, served by a good driver.
    fn doze(&mut self, y: usize) {
        let until = self.now + (y * y / 3) as u32 * MS;
        loop {
            self.run_until_idle();
            match self.deadline() {
                Some(deadline) if deadline <= until => self.sleep(),
                Some(_) | None => break,
            }
        }
        self.now = until;
    }

    /// A deadline at its very time.
    fn sleep(&mut self) {
        if let Some(deadline) = self.deadline() {
            self.now = self.now.max(deadline);
            self.handle(HubInput::Timeout);
        }
    }

    pub(super) fn accept(&mut self) {
        if self.peers.len() == PEERS {
            self.close(0);
        }
        self.next_conn += 1;
        let conn = ConnId(self.next_conn);
        self.handle(HubInput::Accepted { conn });
        self.peers.push(Peer {
            conn,
            process: None,
            welcomed: false,
            items: 0,
            ended: false,
            answers: 0,
            said_active: false,
            active: false,
            beats: 0,
        });
    }

    fn close(&mut self, x: usize) {
        if self.peers.is_empty() {
            return;
        }
        let peer = self.peers.remove(x % self.peers.len());
        self.handle(HubInput::Closed { conn: peer.conn, reason: Reason::StreamLost });
    }

    fn writable(&mut self, x: usize, y: usize) {
        let Some(conn) = self.conn(x) else { return };
        let input = if y.is_multiple_of(3) {
            HubInput::Unwritable { conn }
        } else {
            HubInput::Writable { conn }
        };
        self.handle(input);
    }

    pub(super) fn conn(&self, x: usize) -> Option<ConnId> {
        (!self.peers.is_empty()).then(|| self.peers[x % self.peers.len()].conn)
    }

    /// Every active worker sends a beat, as they do all the time.
    fn beats(&mut self) {
        for at in 0..self.peers.len() {
            let peer = &mut self.peers[at];
            if peer.welcomed {
                peer.beats += 1;
                let (conn, frame) = (peer.conn, beat(peer.beats, false));
                self.handle(HubInput::Frame { conn, frame });
            }
        }
    }

    /// A connection's worker says what comes next in the protocol.
    pub(super) fn progress(&mut self, x: usize, y: usize) {
        if self.peers.is_empty() {
            return;
        }
        let at = x % self.peers.len();
        let peer = &mut self.peers[at];
        let conn = peer.conn;
        let Some(which) = peer.process else {
            let which = y % self.processes.len();
            peer.process = Some(which);
            let hello = hello(&mut self.processes[which], y);
            self.handle(HubInput::Frame { conn, frame: WorkerFrame::Hello(hello) });
            return;
        };
        let planned = u32::from(conn.0.is_multiple_of(3)) * 2;
        if !peer.welcomed {
            return self.wait(y);
        }
        let frame = if !peer.ended && peer.items < planned {
            peer.items += 1;
            WorkerFrame::InventoryItem { index: peer.items - 1 }
        } else if !peer.ended {
            peer.ended = true;
            WorkerFrame::InventoryEnd { count: peer.items }
        } else if !peer.said_active && peer.answers == peer.items {
            peer.said_active = true;
            WorkerFrame::Active
        } else if !peer.active {
            return self.wait(y);
        } else {
            let process = &mut self.processes[which];
            if process.conn != Some(conn) {
                return;
            }
            match process.traffic(y) {
                Some(frame) => frame,
                None => return,
            }
        };
        let verdict = self.handle(HubInput::Frame { conn, frame });
        if let HubVerdict::Item { .. } = verdict {
            self.handle(HubInput::AnswerReady { conn });
        }
        if let HubVerdict::Deliver { worker, .. } = verdict
            && let WorkerFrame::Message(head) = frame
        {
            let (lane, bytes) = (head.lane, u64::from(head.len));
            self.handle(HubInput::Release { worker, lane, messages: 1, bytes });
        }
        assert!(!matches!(verdict, HubVerdict::Violation(_)), "{frame:?} is right: {verdict:?}");
    }

    /// Mostly a good driver writes what a worker waits for.
    fn wait(&mut self, y: usize) {
        if !y.is_multiple_of(4) {
            self.run_until_idle();
        }
    }

    pub(super) fn action(&mut self) -> Option<HubAction> {
        let Output::Action(action) = self.call(Call::Action) else {
            unreachable!("an action is an action")
        };
        if let Some(HubAction::Close { conn, .. }) = action {
            self.peers.retain(|peer| peer.conn != conn);
        }
        action
    }

    /// Transmits one frame of a connection.
    fn flush(&mut self, x: usize, y: usize) {
        let Some(conn) = self.conn(x) else { return };
        self.transmit(conn, Lane::ALL[y % 2]);
    }

    pub(super) fn transmit(&mut self, conn: ConnId, lane: Lane) -> bool {
        let Output::Transmit(transmit) = self.call(Call::Transmit(self.now, conn, lane)) else {
            unreachable!("a transmit is a transmit")
        };
        let Some(transmit) = transmit else { return false };
        let peer = self.peers.iter_mut().find(|peer| peer.conn == conn).expect("it is open");
        let process = peer.process.map(|which| &mut self.processes[which]);
        let is_b = matches!(transmit, HubTransmit::Message { head, .. } if head.lane == Lane::B);
        assert_eq!(is_b, lane == Lane::B, "packets of lane B hold messages of lane B only");
        match transmit {
            HubTransmit::Frame(frame) => hear(peer, process, frame),
            HubTransmit::Message { worker, head, .. } => {
                let process = process.expect("it said Hello");
                assert!(peer.said_active, "no message before the worker's Active");
                assert_eq!(process.worker, worker);
                if process.conn == Some(conn) {
                    let arrival = process.inn[head.lane.index()].arrive(head.seq, head.len);
                    assert_eq!(arrival, Arrival::Deliver, "once, in order, within the credit");
                    process.inn[head.lane.index()].release(1, u64::from(head.len));
                }
            }
        }
        true
    }

    /// What a good driver does before it sleeps.
    pub(super) fn run_until_idle(&mut self) -> Vec<HubAction> {
        let mut actions = Vec::new();
        while let Some(action) = self.action() {
            if let HubAction::Flush { conn } = action {
                while Lane::ALL.iter().any(|lane| self.transmit(conn, *lane)) {}
            }
            actions.push(action);
        }
        actions
    }

    fn embedder(&mut self, x: usize, y: usize) {
        // Mostly one that has a session.
        let known = self.peers.get(x % PEERS).and_then(|peer| peer.process);
        let other = WorkerId(1 + (x % 5) as u128);
        let worker = known.map_or(other, |which| self.processes[which].worker);
        let lane = Lane::ALL[y % 2];
        self.next_tag += 1;
        let tag = Tag(self.next_tag);
        let input = match y % 8 {
            0..=3 => {
                let len = 300 + y as u32;
                for _ in 0..x % 4 {
                    self.next_tag += 1;
                    let tag = Tag(self.next_tag);
                    self.handle(HubInput::Enqueue { worker, lane, tag, len });
                }
                HubInput::Enqueue { worker, lane, tag, len }
            }
            4 => HubInput::Withdraw { worker, lane, tag: Tag(self.next_tag.saturating_sub(2)) },
            5 => HubInput::Believe { worker, free: y as u16, paused: x.is_multiple_of(2) },
            6 => HubInput::Waiting(x.is_multiple_of(2)),
            _ => {
                let Some(conn) = self.conn(x) else { return };
                HubInput::AnswerReady { conn }
            }
        };
        self.handle(input);
    }

    fn rare(&mut self, x: usize, y: usize) {
        let worker = WorkerId(1 + (x % 6) as u128);
        let input = match y % 17 {
            0..=2 => HubInput::Lost { worker },
            3 | 4 => HubInput::Forget { worker },
            5 | 6 => HubInput::Disconnect { worker, reason: Reason::OperatorDisconnect },
            7..=9 => HubInput::Expect { worker, name: Sym(1 + (x % 6) as u32) },
            10 if x.is_multiple_of(8) => {
                self.stopped = true;
                HubInput::Stop
            }
            10 => HubInput::Waiting(false),
            14 => HubInput::Reconnect { worker },
            15 => HubInput::Cordon { worker, cordoned: x.is_multiple_of(3) },
            16 if x.is_multiple_of(8) => {
                self.stopped = true;
                HubInput::LameDuck { grace: SECOND, spread: u32::from(x as u8) * 100 * MS }
            }
            11 => HubInput::Measured {
                registrations: x as u32 % 40,
                busy: Duration::from_millis(x as u64),
            },
            _ => {
                let Some(conn) = self.conn(x) else { return };
                HubInput::Violation { conn }
            }
        };
        self.handle(input);
    }

    /// Something that may be wrong at this point.
    fn wild_frame(&mut self, x: usize, y: usize) {
        let Some(conn) = self.conn(x) else { return };
        let lane = Lane::ALL[y % 2];
        let small = (x % 4) as u32;
        let received = Seq(u64::from(small));
        let frame = match y % 12 {
            0 => {
                let which = x % self.processes.len();
                WorkerFrame::Hello(hello(&mut self.processes[which], y))
            }
            1 => WorkerFrame::InventoryItem { index: small },
            2 => WorkerFrame::InventoryEnd { count: small },
            3 => WorkerFrame::Active,
            4 => beat(small, x.is_multiple_of(2)),
            5 => {
                let standing = Standing { received, credit: Credit::default() };
                WorkerFrame::Ack(Ack { lane, standing })
            }
            6 => WorkerFrame::Message(MessageHead { lane, seq: received, len: 100 }),
            7 => WorkerFrame::Message(MessageHead { lane, seq: Seq(1), len: u32::MAX }),
            8 => WorkerFrame::Goodbye { reason: Reason::WorkerStopping },
            9 => {
                let dials = u64::from(small);
                WorkerFrame::Statistics(Statistics { dials, ..Statistics::default() })
            }
            _ => {
                self.handle(HubInput::Received { conn });
                return;
            }
        };
        let verdict = self.handle(HubInput::Frame { conn, frame });
        if verdict != HubVerdict::Stale {
            // The process itself said nothing of the kind: it begins anew.
            let which = self.peers.iter().find(|peer| peer.conn == conn).and_then(|p| p.process);
            self.close(self.peers.iter().position(|peer| peer.conn == conn).unwrap_or(0));
            while let Some(at) =
                self.peers.iter().position(|p| which.is_some() && p.process == which)
            {
                self.close(at);
            }
            if let Some(which) = which {
                self.processes[which].session = None;
            }
        }
    }
}

impl Process {
    /// A message, an acknowledgement or a beat, as the lanes allow.
    fn traffic(&mut self, y: usize) -> Option<WorkerFrame> {
        let limits = settings().lanes;
        let lane = Lane::ALL[y % 2];
        match y % 3 {
            0 => {
                let inbox = &mut self.inn[lane.index()];
                let standing = inbox.standing(&limits);
                inbox.commit_ack(&limits);
                Some(WorkerFrame::Ack(Ack { lane, standing }))
            }
            1 => {
                self.next_tag += 1;
                let outbox = &mut self.out[lane.index()];
                // Full is fine: then the oldest goes first.
                let _ = outbox.enqueue(&limits, Tag(self.next_tag), 200);
                let (seq, _, len) = outbox.next()?;
                outbox.commit();
                Some(WorkerFrame::Message(MessageHead { lane, seq, len }))
            }
            _ => Some(beat(y as u32, y.is_multiple_of(5))),
        }
    }
}

fn beat(seq: u32, draining: bool) -> WorkerFrame {
    let flags = Flags { active: true, draining, paused: false };
    WorkerFrame::Beat(Beat { seq, flags, free: 1, quiet: false, rtt_micros: seq })
}

/// The Hello of a process; some forget the session they had.
pub(super) fn hello(process: &mut Process, y: usize) -> Hello {
    let limits = settings().lanes;
    process.inn.iter_mut().for_each(|inbox| inbox.commit_ack(&limits));
    let lanes = [process.inn[0].standing(&limits), process.inn[1].standing(&limits)];
    let session = process.session.filter(|_| !y.is_multiple_of(5));
    Hello {
        versions: if y == 255 { Versions { min: 8, max: 9 } } else { Versions::SPOKEN },
        features: if y.is_multiple_of(7) { 0 } else { Features::SPOKEN },
        worker: process.worker,
        incarnation: process.incarnation,
        name: process.name,
        resume: session.map(|session| Resume { session, lanes }),
        credit: Lane::ALL.map(|_| Inbox::first_credit(&limits)),
        beat_interval: Duration::from_secs(1 + y as u64 % 5),
        ticket: process.ticket.take(),
        holds_work: y.is_multiple_of(7),
    }
}

/// A worker hears a frame that is not a message.
fn hear(peer: &mut Peer, process: Option<&mut Process>, frame: CoordinatorFrame) {
    let Some(process) = process else { return };
    let limits = settings().lanes;
    match frame {
        CoordinatorFrame::Welcome(welcome) => {
            assert!(!peer.welcomed, "one Welcome on a connection");
            peer.welcomed = true;
            process.conn = Some(peer.conn);
            if welcome.resumed {
                assert_eq!(process.session, Some(welcome.session), "as was asked for");
                for (outbox, standing) in process.out.iter_mut().zip(welcome.lanes) {
                    assert!(outbox.resume(standing), "it received what was sent");
                }
            } else {
                process.session = Some(welcome.session);
                process.inn = Lane::ALL.map(|lane| Inbox::new(lane, &limits));
                process.out =
                    Lane::ALL.map(|lane| Outbox::new(lane, welcome.lanes[lane.index()].credit));
            }
        }
        CoordinatorFrame::InventoryAnswer { index } => {
            assert_eq!(index, peer.answers, "answers come in order");
            peer.answers += 1;
        }
        CoordinatorFrame::Active => {
            assert!(peer.said_active, "only on the worker's own Active");
            peer.active = true;
        }
        CoordinatorFrame::Ack(ack) => {
            if process.conn == Some(peer.conn) {
                assert!(process.out[ack.lane.index()].acknowledge(ack.standing));
            }
        }
        CoordinatorFrame::BeatAnswer(answer) => {
            assert!(answer.known && answer.epoch == Epoch(9));
        }
        CoordinatorFrame::Refused(dismissal) => {
            if let ComeBack::Slot { ticket, .. } = dismissal.come_back {
                process.ticket = Some(ticket);
            }
        }
        CoordinatorFrame::Probe | CoordinatorFrame::GoAway(_) | CoordinatorFrame::Message(_) => {}
    }
}
