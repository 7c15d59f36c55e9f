//! A random walk of a link through everything that can happen to it, recorded.

use std::collections::VecDeque;
use std::time::Duration;

use moorline_link::{
    Ack, Backoff, BeatAnswer, ComeBack, ConnId, CoordinatorFrame, Credit, Dismissal, Epoch, First,
    Flags, Heartbeat, Instant, Jitter, Kick, Lane, Link, LinkAction, LinkConfig, LinkInput,
    LinkTransmit, LinkVerdict, MessageHead, Reason, Reconnect, Seq, SessionId, Standing, State,
    Tag, Ticket, Wake, Welcome, WorkerFrame,
};
use proptest::prelude::*;

use super::{Coordinator, identity};

/// One step of a walk: what kind, and two numbers to choose by.
pub type Op = (u8, u32, u32);

pub fn ops(count: usize) -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec((any::<u8>(), any::<u32>(), any::<u32>()), count)
}

/// Policies that differ where a walk can tell.
pub fn config(choice: u8) -> LinkConfig {
    let second = Duration::from_secs(1);
    let backoff =
        |jitter, first| Backoff::new(second, 60 * second, 2_000, jitter, first).expect("in bounds");
    let standard = LinkConfig::default();
    let reconnect = match choice % 6 {
        0 | 1 => standard.reconnect,
        2 => Reconnect::new(backoff(Jitter::None, First::Immediate)).max_attempts(3),
        3 => Reconnect::new(backoff(Jitter::Decorrelated, First::Backoff))
            .give_up_after(Some(90 * second)),
        4 => Reconnect::new(backoff(Jitter::Equal, First::Window)).auto(false),
        _ => Reconnect::new(backoff(Jitter::FULL, First::Immediate)).stable_after(second),
    };
    let heartbeat = match choice % 4 {
        0..=2 => standard.heartbeat,
        _ => Heartbeat::new(second / 10, second).expect("in bounds"),
    };
    LinkConfig { reconnect, heartbeat, ..standard }
}

/// What was done to the machine and what it said.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Step {
    Handled(Instant, LinkInput, LinkVerdict),
    Acted(Option<LinkAction>),
    Wrote(Instant, ConnId, Lane, Option<LinkTransmit>),
}

pub struct Walk {
    pub config: LinkConfig,
    pub seed: u64,
    pub link: Link,
    pub now: Instant,
    pub steps: Vec<Step>,
    /// Every action that was polled is followed by all others: the driver of the loop.
    pub tidy: bool,
    pub coordinator: Coordinator,
    wire: VecDeque<(ConnId, CoordinatorFrame)>,
    dialling: Vec<ConnId>,
    pub open: Vec<ConnId>,
    /// The largest number any connection ever had.
    pub newest: u64,
    tags: u64,
    void: Vec<(Lane, Tag)>,
}

impl Walk {
    pub fn new(choice: u8, seed: u64) -> Self {
        Self::starting_at(choice, seed, Instant::from_nanos(1_000_000_007))
    }

    pub fn starting_at(choice: u8, seed: u64, now: Instant) -> Self {
        let config = config(choice);
        Self {
            config,
            seed,
            link: Link::new(config, identity(), seed, now),
            now,
            steps: Vec::new(),
            tidy: false,
            coordinator: Coordinator { strict: false, ..Coordinator::new() },
            wire: VecDeque::new(),
            dialling: Vec::new(),
            open: Vec::new(),
            newest: 0,
            tags: 0,
            void: Vec::new(),
        }
    }

    /// Most steps are those of a working world, so that a walk gets everywhere and does not stay long
    /// where little can happen (`walks_get_everywhere` says how well).
    pub fn step(&mut self, (kind, a, b): Op) {
        match kind {
            0..=59 => self.run(a, b),
            60..=89 => self.hear(),
            90..=109 => self.sleep(a),
            110..=129 => {
                self.poll_action(a);
            }
            130..=149 => self.write(a, b),
            150..=159 => self.now = self.now + Duration::from_micros(u64::from(a) % 2_000_000),
            160..=163 => self.now = self.now + Duration::from_secs(u64::from(a) % 10_000),
            164..=167 => self.transport(a, b),
            168..=173 => self.give_work(a),
            174..=181 => self.run(3, b),
            182..=188 => {
                let conn = self.any_conn(a);
                let frame = self.any_frame(b);
                self.handle(LinkInput::Frame { conn, frame });
            }
            189..=196 => {
                let input = self.any_quoting(a, b);
                self.handle(input);
            }
            197 => self.coordinator.restart(),
            198 => self.let_go(),
            199..=203 => self.coordinator.answers_beats = !a.is_multiple_of(3),
            204..=247 => {
                let input = self.any_embedder(kind, a, b);
                self.handle(input);
            }
            248..=255 => {
                self.handle(LinkInput::Timeout);
            }
        }
        if self.tidy {
            while self.poll_action(0) {}
        }
    }

    /// One turn of a driver whose dials open and whose connections take everything.
    fn run(&mut self, a: u32, b: u32) {
        if self.link.state() == State::Failed && b.is_multiple_of(2) {
            self.handle(LinkInput::Restart);
        }
        while self.poll_action(b) {}
        for conn in self.open.clone() {
            for lane in Lane::ALL {
                while self.poll_transmit(conn, lane) {}
            }
        }
        if let Some(conn) = self.dialling.pop() {
            self.open.push(conn);
            self.handle(LinkInput::Opened { conn });
        }
        // Now and then what was said is still under way when the next turn comes.
        while !self.wire.is_empty() && !b.is_multiple_of(8) {
            self.hear();
        }
        if a.is_multiple_of(3) {
            self.sleep(a);
        }
    }

    /// Sleeps exactly until the machine wants to run.
    fn sleep(&mut self, a: u32) {
        if let Wake::At { deadline, .. } = self.link.next_wake() {
            // Now and then a little late, as drivers are.
            let late = if a.is_multiple_of(4) { u64::from(a) % 1_000_000 } else { 0 };
            self.now = self.now.max(deadline + Duration::from_nanos(late));
            self.handle(LinkInput::Timeout);
        }
    }

    fn hear(&mut self) {
        if let Some((conn, frame)) = self.wire.pop_front() {
            self.handle(LinkInput::Frame { conn, frame });
        }
    }

    fn write(&mut self, a: u32, b: u32) {
        let conn = self.any_conn(a);
        self.poll_transmit(conn, Lane::ALL[b as usize % 2]);
    }

    pub fn handle(&mut self, input: LinkInput) -> LinkVerdict {
        let verdict = self.link.handle(self.now, input);
        if let LinkInput::Closed { conn, .. } = input {
            self.open.retain(|open| *open != conn);
        }
        self.steps.push(Step::Handled(self.now, input, verdict));
        verdict
    }

    pub fn poll_action(&mut self, b: u32) -> bool {
        let action = self.link.poll_action();
        self.steps.push(Step::Acted(action));
        match action {
            Some(LinkAction::Dial { conn, .. }) => {
                assert!(conn.0 > self.newest, "a name was used twice");
                self.newest = conn.0;
                self.dialling.push(conn);
            }
            Some(LinkAction::Close { conn, .. }) => {
                self.dialling.retain(|dialling| *dialling != conn);
                self.open.retain(|open| *open != conn);
            }
            Some(LinkAction::TakeInventory { .. }) => {
                self.handle(LinkInput::Inventory { items: b % 4 });
            }
            Some(
                LinkAction::Released { .. }
                | LinkAction::Announce(_)
                | LinkAction::BeatMissed { .. }
                | LinkAction::BeatRecovered
                | LinkAction::CandidateLost { .. }
                | LinkAction::HandBack
                | LinkAction::LeasesExpired
                | LinkAction::Suspicion { .. }
                | LinkAction::Interval { .. }
                | LinkAction::Degraded(_)
                | LinkAction::Stalled { .. },
            )
            | None => {}
        }
        action.is_some()
    }

    fn poll_transmit(&mut self, conn: ConnId, lane: Lane) -> bool {
        let transmit = self.link.poll_transmit(self.now, conn, lane);
        self.steps.push(Step::Wrote(self.now, conn, lane, transmit));
        if let Some(transmit) = transmit {
            self.let_go_for(conn, &transmit);
            let answers = self.coordinator.receive(conn, &transmit, &mut self.void);
            self.wire.extend(answers.into_iter().map(|frame| (conn, frame)));
            let messages = self.coordinator.messages();
            self.wire.extend(messages);
        }
        transmit.is_some()
    }

    /// A Hello that moves the session: the coordinator closes its old connection before its Welcome
    /// is written.
    fn let_go_for(&mut self, conn: ConnId, transmit: &LinkTransmit) {
        let LinkTransmit::Frame(WorkerFrame::Hello(hello)) = transmit else { return };
        if let Some(session) = &self.coordinator.session
            && session.conn != conn
            && hello.resume.is_some_and(|resume| resume.session == session.id)
        {
            let (reason, come_back) = (Reason::Moved, ComeBack::ByReason);
            let frame = CoordinatorFrame::GoAway(Dismissal { reason, come_back });
            self.wire.push_back((session.conn, frame));
        }
    }

    /// The worker's session is given away, its connection stays: the next Hello gets a new one.
    fn let_go(&mut self) {
        self.coordinator.session = None;
    }

    /// The coordinator has a message for the worker.
    fn give_work(&mut self, a: u32) {
        if let Some(session) = &mut self.coordinator.session {
            let limits = self.coordinator.limits;
            let lane = a as usize % 2;
            self.tags += 1;
            // A full lane takes no more, which is its right.
            let _full = session.outboxes[lane].enqueue(&limits, Tag(self.tags), a % 16_384);
            let messages = self.coordinator.messages();
            self.wire.extend(messages);
        }
    }

    fn transport(&mut self, a: u32, b: u32) {
        let reason = Reason::ALL[b as usize % Reason::ALL.len()];
        if !a.is_multiple_of(3)
            && let Some(conn) = self.dialling.pop()
        {
            self.handle(LinkInput::DialFailed { conn, reason });
        } else if let Some(conn) = self.open.first().copied() {
            self.handle(LinkInput::Closed {
                conn,
                reason: if a.is_multiple_of(4) { Reason::Moved } else { reason },
            });
        }
    }

    /// Connections that are current, were, will be, or never are.
    fn any_conn(&self, a: u32) -> ConnId {
        match a % 8 {
            0..=3 => self.open.last().copied().unwrap_or(ConnId(self.newest)),
            4 => ConnId(self.newest),
            5 => ConnId(self.newest + 1),
            6 => ConnId(u64::from(a) % (self.newest + 2)),
            _ => ConnId(u64::from(a) << 20),
        }
    }

    fn any_quoting(&mut self, a: u32, b: u32) -> LinkInput {
        let conn = self.any_conn(a);
        let reason = Reason::ALL[b as usize % Reason::ALL.len()];
        match b % 8 {
            0 => LinkInput::Opened { conn },
            1 => LinkInput::DialFailed { conn, reason },
            2 => LinkInput::Closed { conn, reason },
            3 => LinkInput::Violation { conn },
            _ => LinkInput::Received { conn },
        }
    }

    fn any_embedder(&mut self, kind: u8, a: u32, b: u32) -> LinkInput {
        let lane = Lane::ALL[a as usize % 2];
        match kind {
            204..=219 => {
                self.tags += 1;
                LinkInput::Enqueue { lane, tag: Tag(self.tags), len: b >> (b % 32) }
            }
            220..=226 => LinkInput::Release { lane, messages: b % 5, bytes: u64::from(b >> 8) },
            227..=232 => LinkInput::Report {
                free: (b % 3) as u16,
                paused: a.is_multiple_of(8),
                owes: b.is_multiple_of(2),
            },
            233..=237 => {
                LinkInput::Kick(if a.is_multiple_of(2) { Kick::Network } else { Kick::Operator })
            }
            238 => LinkInput::Reconnect,
            242 if a.is_multiple_of(4) => {
                LinkInput::Stop { within: Duration::from_millis(u64::from(a) % 20_000) }
            }
            239..=242 => LinkInput::Migrate,
            243 => LinkInput::Inventory { items: a % 50 },
            244 => LinkInput::ResetStatistics,
            _ => LinkInput::Restart,
        }
    }

    /// Frames a broken or hostile coordinator might say, not far from what a good one says.
    fn any_frame(&mut self, b: u32) -> CoordinatorFrame {
        let lane = Lane::ALL[b as usize % 2];
        let small = u64::from(b >> 4) % 6;
        let dismissal = Dismissal {
            reason: Reason::ALL[(b >> 8) as usize % Reason::ALL.len()],
            come_back: match b % 3 {
                0 => ComeBack::ByReason,
                1 if b.is_multiple_of(2) => ComeBack::After(Duration::from_secs(u64::from(b))),
                1 => ComeBack::Slot {
                    after: Duration::from_millis(u64::from(b)),
                    ticket: Ticket { epoch: Epoch(small), slot: small, mac: u64::from(b) },
                },
                _ => ComeBack::Never,
            },
        };
        let standing = Standing {
            received: Seq(small),
            credit: Credit { messages: Seq(u64::from(b)), bytes: u64::from(b) << 4 },
        };
        match (b >> 16) % 10 {
            0 => CoordinatorFrame::Welcome(Welcome {
                version: 1 + u16::from(b.is_multiple_of(16)),
                features: 0,
                session: SessionId { epoch: Epoch(small), n: small },
                resumed: b.is_multiple_of(4),
                lanes: [Standing { received: Seq(small / 4), ..standing }; 2],
                beat_interval: Duration::from_micros(u64::from(b)),
                first_window: (b.is_multiple_of(2)).then(|| Duration::from_millis(u64::from(b))),
                lost_after: Duration::from_secs(90),
            }),
            1 => CoordinatorFrame::Refused(dismissal),
            2 => CoordinatorFrame::GoAway(dismissal),
            3 => CoordinatorFrame::InventoryAnswer { index: b % 4 },
            4 => CoordinatorFrame::Active,
            5 => CoordinatorFrame::Probe,
            6 => CoordinatorFrame::Ack(Ack { lane, standing }),
            7 => CoordinatorFrame::Message(MessageHead { lane, seq: Seq(small), len: b >> 10 }),
            _ => CoordinatorFrame::BeatAnswer(BeatAnswer {
                seq: b % 8,
                epoch: self.coordinator.epoch,
                known: !b.is_multiple_of(32),
                flags: Flags {
                    active: b.is_multiple_of(3),
                    draining: b.is_multiple_of(5),
                    paused: b.is_multiple_of(7),
                },
                free: (b % 3) as u16,
                quiet: b.is_multiple_of(2),
                waiting: b.is_multiple_of(4),
                first_window: b.is_multiple_of(6).then(|| Duration::from_millis(u64::from(b))),
                beat_interval: b.is_multiple_of(9).then(|| Duration::from_micros(u64::from(b))),
            }),
        }
    }
}

/// From here on everything works: a coordinator without memory, a network without faults.
pub fn ends_well(walk: &Walk) -> Result<(), TestCaseError> {
    let mut good = super::Bench::new(walk.config);
    good.link = walk.link.clone();
    good.now = walk.now;
    // Connections of the past end: their coordinator is gone.
    for conn in (0..=walk.newest).map(ConnId) {
        good.link.handle(good.now, LinkInput::Closed { conn, reason: Reason::TransportReset });
    }
    good.coordinator.epoch = Epoch(1 << 40);
    let end = good.now + Duration::from_secs(2 * 3_600);
    let mut turns = 0;
    while good.now < end {
        turns += 1;
        prop_assert!(turns < 20_000, "it spins: {:?}", good.link.snapshot());
        match good.link.state() {
            State::Active | State::Failed | State::Shutdown => break,
            State::Disconnected | State::Connecting | State::Registered => {}
        }
        good.drain();
        match good.link.next_wake() {
            Wake::At { deadline, .. } => good.now = deadline.max(good.now),
            Wake::OnInput => break,
            Wake::Now => return Err(TestCaseError::fail("not drained")),
        }
        good.input(LinkInput::Timeout);
    }
    let state = good.link.state();
    let ended = matches!(state, State::Active | State::Failed | State::Shutdown);
    prop_assert!(ended, "stuck: {:?}", good.link.snapshot());
    if state == State::Active {
        // And it stays: nothing of the past is left that could disturb it.
        good.forget();
        good.pass(Duration::from_secs(120));
        let left = good.link.snapshot();
        let stays = matches!(good.link.state(), State::Active) || left.draining;
        prop_assert!(stays, "{:?} {:?}", left, good.path());
    }
    Ok(())
}
