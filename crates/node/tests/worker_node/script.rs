//! A worker node, a coordinator that is a script, and a connection between them that can be cut.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use moorline_link::*;
use moorline_node::*;
use moorline_work::{
    Attempt, Disposition, Holding, Judgement, Outcome, RunId, RunnerConfig, TaskId, TaskKey,
    WorkerMessage,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Messages for which a worker gives credit by default.
pub(crate) const WINDOW: u64 = 256;

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("a good name")
}

pub(crate) fn key(task: u128, attempt: u32) -> TaskKey {
    TaskKey { task: TaskId(task), attempt: Attempt(attempt) }
}

/// Bytes that differ from place to place, so that a part in a wrong place shows.
pub(crate) fn pattern(len: usize) -> Bytes {
    (0..len).map(|at| (at.wrapping_mul(31) >> 3) as u8).collect()
}

pub(crate) fn config() -> WorkerConfig {
    WorkerConfig {
        link: LinkConfig::default(),
        runner: RunnerConfig { slots: 4, task_timeout: None },
        worker: WorkerId(0x7777_1234),
        incarnation: Incarnation(5),
        name: name("worker"),
        handlers: vec![name("hash"), name("echo")],
        software: name("test 1"),
        seed: 3,
    }
}

/// What the coordinator's script knows of one session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    pub(crate) n: u64,
    /// Processed of the worker's lanes.
    pub(crate) received: [Seq; 2],
    /// Numbers given in its own lanes.
    sent: [Seq; 2],
    /// What the worker acknowledged of them, and its credit.
    pub(crate) acked: [Standing; 2],
}

/// The script: it answers beats, inventories and messages by itself, unless told otherwise.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub(crate) session: Session,
    begun: Option<(Message<WorkerMessage>, BytesMut)>,
    /// Whole messages of all sessions.
    pub(crate) messages: Vec<(Seq, WorkerMessage, Bytes)>,
    /// The last inventory.
    pub(crate) inventory: Vec<(TaskKey, Holding)>,
    /// Judgements by key; `Continue` where there is none.
    pub(crate) judgements: BTreeMap<TaskKey, Judgement>,
    pub(crate) beats: u32,
    pub(crate) goodbye: Option<Reason>,
    /// Inventory answers are given last to first.
    pub(crate) answers_backwards: bool,
    /// Messages are processed, but not acknowledged.
    pub(crate) withholds_acks: bool,
    /// Beats are not answered.
    pub(crate) ignores_beats: bool,
    free: u16,
    draining: bool,
}

pub(crate) struct Rig {
    pub(crate) node: WorkerNode,
    pub(crate) now: Instant,
    pub(crate) script: Script,
    pub(crate) conn: Option<ConnId>,
    pub(crate) dialling: Option<ConnId>,
    pub(crate) actions: Vec<WorkerAction>,
    /// Every call, to be repeated.
    pub(crate) record: Vec<Call>,
}

#[derive(Clone, Debug)]
pub(crate) enum Call {
    Handle(Instant, WorkerInput, WorkerVerdict),
    PollAction(Option<WorkerAction>),
    PollTransmit(Instant, ConnId, Option<Packet<UpFrame>>),
}

impl Rig {
    pub(crate) fn new(config: WorkerConfig) -> Self {
        let now = Instant::ZERO + SECOND;
        Self {
            node: WorkerNode::new(config, now).expect("a good config"),
            now,
            script: Script::default(),
            conn: None,
            dialling: None,
            actions: Vec::new(),
            record: Vec::new(),
        }
    }

    /// One with a journal, and what that keeps.
    pub(crate) fn journalling(config: WorkerConfig, kept: Vec<KeptResult>) -> Self {
        let mut rig = Self::new(config);
        rig.node = rig.node.with_journal(rig.now, kept);
        rig
    }

    /// A rig that is active in its first session.
    pub(crate) fn active() -> Self {
        let mut rig = Self::new(config());
        rig.connect(false);
        assert_eq!(rig.node.state(), State::Active);
        rig
    }

    /// Passes an input and takes the actions, checking L1 and L4 on the way.
    pub(crate) fn input(&mut self, input: WorkerInput) -> WorkerVerdict {
        let verdict = self.input_only(input);
        self.act();
        verdict
    }

    /// Passes an input and leaves the actions.
    pub(crate) fn input_only(&mut self, input: WorkerInput) -> WorkerVerdict {
        let verdict = self.node.handle(self.now, input.clone());
        self.record.push(Call::Handle(self.now, input, verdict));
        self.check_laws();
        verdict
    }

    /// L1: now exactly while an action is due. L4: an early timeout changes nothing.
    fn check_laws(&self) {
        let due = self.node.clone().poll_action().is_some();
        assert_eq!(self.node.next_wake() == Wake::Now, due);
        let mut idle = self.node.clone();
        while idle.poll_action().is_some() {}
        if idle.next_wake().deadline().is_none_or(|deadline| deadline > self.now) {
            let before = self.node.clone();
            let mut node = self.node.clone();
            node.handle(self.now, WorkerInput::Timeout);
            assert!(node == before, "an early timeout changed the node");
        }
    }

    pub(crate) fn act(&mut self) {
        loop {
            let action = self.node.poll_action();
            self.record.push(Call::PollAction(action.clone()));
            let Some(action) = action else { break };
            match &action {
                WorkerAction::Dial { conn, .. } => self.dialling = Some(*conn),
                WorkerAction::Close { conn, .. } => {
                    self.conn.take_if(|open| open == conn);
                    self.dialling.take_if(|dialled| dialled == conn);
                }
                WorkerAction::Start { .. }
                | WorkerAction::Abort { .. }
                | WorkerAction::Vet { .. }
                | WorkerAction::Journal(_)
                | WorkerAction::Event(_) => {}
            }
            self.actions.push(action);
        }
        self.check_laws();
    }

    /// Takes one packet and checks what every packet must be.
    pub(crate) fn packet(&mut self) -> Option<Packet<UpFrame>> {
        let conn = self.conn?;
        let wants = self.node.wants_transmit(conn);
        let packet = self.node.poll_transmit(self.now, conn);
        self.record.push(Call::PollTransmit(self.now, conn, packet.clone()));
        assert!(wants || packet.is_none(), "it did not say that it has something to write");
        let Some(packet) = packet else {
            // L3: a drained node that is polled again does not change.
            let mut again = self.node.clone();
            assert_eq!(again.poll_transmit(self.now, conn), None);
            assert!(again == self.node);
            assert!(!self.node.wants_transmit(conn));
            return None;
        };
        assert!(!packet.frames.is_empty());
        let bytes: usize = packet.frames.iter().map(UpFrame::size_bound).sum();
        assert!(bytes <= PACKET_MAX, "a packet of {bytes} bytes");
        for frame in &packet.frames {
            let lane = match frame {
                UpFrame::Message(message) => lane_of(&message.head),
                UpFrame::Part(_) => Lane::B,
                UpFrame::Hello { .. }
                | UpFrame::InventoryItem { .. }
                | UpFrame::InventoryEnd { .. }
                | UpFrame::Active
                | UpFrame::Beat(_)
                | UpFrame::Statistics(_)
                | UpFrame::Ack(_)
                | UpFrame::Goodbye { .. } => Lane::C,
            };
            assert_eq!(lane, packet.lane, "{frame:?}");
        }
        Some(packet)
    }

    /// Writes everything that is due and lets the script answer, until both are quiet.
    pub(crate) fn exchange(&mut self) {
        while let Some(packet) = self.packet() {
            self.deliver(packet);
        }
        self.act();
    }

    /// Writes everything that is due for a driver that is slow with its actions.
    pub(crate) fn exchange_without_acting(&mut self) {
        while let Some(packet) = self.packet() {
            let frames: Vec<_> =
                packet.frames.into_iter().flat_map(|frame| self.script.answer(frame)).collect();
            let conn = self.conn.expect("connected");
            self.input_only(WorkerInput::Packet { conn, frames });
        }
    }

    /// Lets the script see a packet, and the node its answer.
    pub(crate) fn deliver(&mut self, packet: Packet<UpFrame>) {
        let answers: Vec<_> =
            packet.frames.into_iter().flat_map(|frame| self.script.answer(frame)).collect();
        if !answers.is_empty() && self.conn.is_some() {
            self.send(answers);
        }
    }

    pub(crate) fn send(&mut self, frames: Vec<DownFrame>) -> WorkerVerdict {
        let conn = self.conn.expect("connected");
        self.input(WorkerInput::Packet { conn, frames })
    }

    /// A message of the coordinator, whole in one frame.
    pub(crate) fn say(&mut self, head: ToWorker, body: Bytes) {
        let seq = self.script.number(head.lane());
        let body_len = u32::try_from(body.len()).expect("a small body");
        self.send(vec![DownFrame::Message(Message { seq, head, body_len, body })]);
    }

    pub(crate) fn assign(&mut self, key: TaskKey) -> RunId {
        let handler = name("hash");
        self.say(ToWorker::Assign { key, handler, timeout: None }, Bytes::from_static(b"in"));
        self.started(key).expect("it was started")
    }

    pub(crate) fn started(&self, key: TaskKey) -> Option<RunId> {
        self.actions.iter().rev().find_map(|action| match action {
            WorkerAction::Start { run, key: started, .. } => (*started == key).then_some(*run),
            WorkerAction::Dial { .. }
            | WorkerAction::Close { .. }
            | WorkerAction::Abort { .. }
            | WorkerAction::Vet { .. }
            | WorkerAction::Journal(_)
            | WorkerAction::Event(_) => None,
        })
    }

    pub(crate) fn done(&mut self, run: RunId, body: Bytes) {
        let outcome = Outcome::Succeeded;
        let verdict = self.input(WorkerInput::Done { run, outcome, body });
        assert_eq!(verdict, WorkerVerdict::Accepted);
    }

    pub(crate) fn settle(&mut self, key: TaskKey) {
        self.say(ToWorker::Settled { key, disposition: Disposition::Accepted }, Bytes::new());
    }

    /// Runs to a deadline or an end, answering on the way.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        self.exchange();
        while let Some(deadline) = self.node.next_wake().deadline().filter(|at| *at <= end) {
            self.now = self.now.max(deadline);
            self.input_only(WorkerInput::Timeout);
            self.act();
            let next = self.node.next_wake().deadline();
            assert!(next.is_none_or(|next| next > self.now), "L2: it would spin");
            self.exchange();
        }
        self.now = end;
    }

    /// Waits for a dial.
    pub(crate) fn dials(&mut self) -> ConnId {
        while self.dialling.is_none() {
            let deadline = self.node.next_wake().deadline().expect("it waits to dial");
            self.now = self.now.max(deadline);
            self.input(WorkerInput::Timeout);
        }
        self.dialling.expect("it dials")
    }

    /// Waits for a dial and opens it, up to the Hello.
    pub(crate) fn open(&mut self) -> (Hello, About) {
        let conn = self.dials();
        self.dialling = None;
        self.conn = Some(conn);
        self.input(WorkerInput::Opened { conn });
        let packet = self.packet().expect("the Hello");
        assert_eq!(packet.lane, Lane::C);
        match <[UpFrame; 1]>::try_from(packet.frames) {
            Ok([UpFrame::Hello { head, about }]) => (head, about),
            other => panic!("not a Hello: {other:?}"),
        }
    }

    /// Connects and restores, in the old session or a new one.
    pub(crate) fn connect(&mut self, resumed: bool) -> Hello {
        let (hello, _) = self.open();
        self.welcome(resumed);
        self.exchange();
        hello
    }

    pub(crate) fn welcome(&mut self, resumed: bool) {
        let head = self.script.welcome(resumed);
        self.send(vec![DownFrame::Welcome { head, software: name("coordinator 1") }]);
    }

    /// The connection breaks; what was written is lost.
    pub(crate) fn cut(&mut self) {
        let conn = self.conn.take().expect("connected");
        self.script.begun = None;
        self.input(WorkerInput::Closed { conn, reason: Reason::TransportReset });
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = &WorkerEvent> + '_ {
        self.actions.iter().filter_map(|action| match action {
            WorkerAction::Event(event) => Some(event),
            WorkerAction::Dial { .. }
            | WorkerAction::Close { .. }
            | WorkerAction::Start { .. }
            | WorkerAction::Vet { .. }
            | WorkerAction::Journal(_)
            | WorkerAction::Abort { .. } => None,
        })
    }

    /// Everything that was asked of the journal, in order.
    pub(crate) fn writes(&self) -> Vec<JournalWrite> {
        let writes = self.actions.iter().filter_map(|action| match action {
            WorkerAction::Journal(write) => Some(write.clone()),
            WorkerAction::Dial { .. }
            | WorkerAction::Close { .. }
            | WorkerAction::Start { .. }
            | WorkerAction::Vet { .. }
            | WorkerAction::Abort { .. }
            | WorkerAction::Event(_) => None,
        });
        writes.collect()
    }

    /// The result that arrived last, whole.
    pub(crate) fn last_result(&self) -> Option<(Seq, TaskKey, Bytes)> {
        self.script.messages.iter().rev().find_map(|(seq, message, body)| match message {
            WorkerMessage::Result { key, .. } => Some((*seq, *key, body.clone())),
            WorkerMessage::Accept { .. }
            | WorkerMessage::Refuse { .. }
            | WorkerMessage::Held { .. }
            | WorkerMessage::NotHeld { .. } => None,
        })
    }
}

impl Script {
    pub(crate) fn epoch() -> Epoch {
        Epoch(9)
    }

    fn standing(&self, lane: Lane) -> Standing {
        let received = self.session.received[lane.index()];
        let credit = Credit { messages: Seq(received.0 + 64), bytes: u64::MAX };
        Standing { received, credit }
    }

    pub(crate) fn welcome(&mut self, resumed: bool) -> Welcome {
        if !resumed {
            self.session = Session { n: self.session.n + 1, ..Session::default() };
        }
        self.begun = None;
        self.inventory.clear();
        Welcome {
            version: 1,
            features: 0,
            session: SessionId { epoch: Self::epoch(), n: self.session.n },
            resumed,
            lanes: Lane::ALL.map(|lane| self.standing(lane)),
            beat_interval: Duration::from_secs(5),
            first_window: None,
            lost_after: Duration::from_secs(90),
        }
    }

    pub(crate) fn number(&mut self, lane: Lane) -> Seq {
        let sent = &mut self.session.sent[lane.index()];
        *sent = sent.next();
        *sent
    }

    pub(crate) fn answer(&mut self, frame: UpFrame) -> Vec<DownFrame> {
        match frame {
            UpFrame::Hello { .. } => panic!("a second Hello"),
            UpFrame::InventoryItem { index, key, holding } => {
                assert_eq!(index as usize, self.inventory.len());
                self.inventory.push((key, holding));
                Vec::new()
            }
            UpFrame::InventoryEnd { count } => {
                assert_eq!(count as usize, self.inventory.len());
                let judged = self.inventory.iter().zip(0..).map(|((key, _), index)| {
                    let judgement = self.judgements.get(key).copied();
                    let judgement = judgement.unwrap_or(Judgement::Continue);
                    DownFrame::InventoryAnswer { index, key: *key, judgement }
                });
                let mut answers: Vec<_> = judged.collect();
                if self.answers_backwards {
                    answers.reverse();
                }
                answers
            }
            UpFrame::Active => vec![DownFrame::Active],
            UpFrame::Beat(beat) => {
                self.beats += 1;
                self.free = beat.free;
                self.draining = beat.flags.draining;
                if self.ignores_beats {
                    return Vec::new();
                }
                vec![DownFrame::BeatAnswer(BeatAnswer {
                    seq: beat.seq,
                    epoch: Self::epoch(),
                    known: true,
                    flags: beat.flags,
                    free: beat.free,
                    quiet: true,
                    waiting: false,
                    first_window: None,
                    beat_interval: None,
                })]
            }
            UpFrame::Statistics(_) => panic!("statistics were not agreed on"),
            UpFrame::Ack(ack) => {
                self.session.acked[ack.lane.index()] = ack.standing;
                Vec::new()
            }
            UpFrame::Message(message) => {
                assert!(self.begun.is_none() || lane_of(&message.head) == Lane::C);
                if message.body.len() == message.body_len as usize {
                    return self.whole(message.seq, message.head, message.body);
                }
                let body = BytesMut::from(&message.body[..]);
                self.begun = Some((message, body));
                Vec::new()
            }
            UpFrame::Part(part) => {
                let (message, body) = self.begun.as_mut().expect("a body was begun");
                assert_eq!((part.seq, part.offset as usize), (message.seq, body.len()));
                assert!(!part.bytes.is_empty());
                body.extend_from_slice(&part.bytes);
                if body.len() < message.body_len as usize {
                    return Vec::new();
                }
                let (message, body) = self.begun.take().expect("it is there");
                self.whole(message.seq, message.head, body.freeze())
            }
            UpFrame::Goodbye { reason } => {
                self.goodbye = Some(reason);
                Vec::new()
            }
        }
    }

    fn whole(&mut self, seq: Seq, head: WorkerMessage, body: Bytes) -> Vec<DownFrame> {
        let lane = lane_of(&head);
        assert_eq!(seq, self.session.received[lane.index()].next(), "lanes are dense");
        self.session.received[lane.index()] = seq;
        self.messages.push((seq, head, body));
        if self.withholds_acks {
            return Vec::new();
        }
        vec![DownFrame::Ack(Ack { lane, standing: self.standing(lane) })]
    }
}
