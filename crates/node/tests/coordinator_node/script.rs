//! A coordinator node, a worker that is a script, and a store that answers as one with one task would.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::*;
use moorline_node::*;
use moorline_work::{
    Attempt, Conflict, DispatcherConfig, Disposition, End, Outcome, Status, TaskId, TaskKey,
    TaskState, Ticket, WorkerMessage,
};

pub(crate) const CONN: ConnId = ConnId(1);
pub(crate) const TASK: TaskId = TaskId(7);

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn key(attempt: u32) -> TaskKey {
    TaskKey { task: TASK, attempt: Attempt(attempt) }
}

pub(crate) fn spec() -> Spec {
    Spec { handler: name("hash"), priority: 0, max_retries: 1, timeout: None }
}

pub(crate) struct Rig {
    pub(crate) node: CoordinatorNode,
    pub(crate) now: Instant,
    pub(crate) persists: Vec<Persist>,
    pub(crate) replies: Vec<ClientReply>,
    pub(crate) events: Vec<CoordinatorEvent>,
    pub(crate) closed: Vec<(ConnId, Reason)>,
    pub(crate) packets: Vec<(Lane, Vec<DownFrame>)>,
    pub(crate) applicants: Vec<(ConnId, Applicant)>,
    pub(crate) writable: bool,
    pub(crate) payload: Bytes,
    pub(crate) ended: bool,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(|node| node)
    }

    pub(crate) fn with(change: impl FnOnce(CoordinatorNode) -> CoordinatorNode) -> Self {
        let config = CoordinatorConfig {
            hub: HubConfig::default(),
            dispatcher: DispatcherConfig::default(),
            retry: Backoff::default(),
            epoch: Epoch(3),
            software: name("test"),
            seed: 1,
        };
        let now = Instant::from_nanos(1_000_000_000);
        let mut rig = Self {
            node: change(CoordinatorNode::new(config, now)),
            now,
            persists: Vec::new(),
            replies: Vec::new(),
            events: Vec::new(),
            closed: Vec::new(),
            packets: Vec::new(),
            applicants: Vec::new(),
            writable: true,
            payload: Bytes::from_static(b"payload"),
            ended: false,
        };
        rig.drain();
        rig
    }

    pub(crate) fn give(&mut self, input: CoordinatorInput) {
        self.node.handle(self.now, input);
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        while let Some(action) = self.node.poll_action() {
            match action {
                CoordinatorAction::Persist(persist) => self.persists.push(persist),
                CoordinatorAction::Close { conn, reason } => self.closed.push((conn, reason)),
                CoordinatorAction::Flush { conn } => {
                    while self.writable
                        && let Some(packet) = self.node.poll_transmit(self.now, conn)
                    {
                        let size: usize = packet.frames.iter().map(DownFrame::size_bound).sum();
                        assert!(size <= PACKET_MAX, "a packet of at most {size} bytes");
                        self.packets.push((packet.lane, packet.frames));
                    }
                }
                CoordinatorAction::Authenticate { conn, applicant } => {
                    self.applicants.push((conn, applicant));
                }
                CoordinatorAction::Reply { reply, .. } => self.replies.push(reply),
                CoordinatorAction::Ended { .. } => {}
                CoordinatorAction::Event(event) => self.events.push(event),
            }
        }
        assert_ne!(self.node.next_wake(), Some(Instant::ZERO));
    }

    /// Commits everything handed out, with the answers a store with one task would give.
    pub(crate) fn commit(&mut self) {
        while let Some(last) = self.persists.last() {
            let up_to = last.id;
            let mut done = Vec::new();
            for persist in self.persists.drain(..) {
                done.push(answer(&persist.op, &self.payload, &mut self.ended));
            }
            self.give(CoordinatorInput::Committed { up_to, done });
        }
    }

    pub(crate) fn say(&mut self, frame: UpFrame) {
        self.give(CoordinatorInput::Packet { conn: CONN, frames: vec![frame] });
    }

    pub(crate) fn said(&mut self) -> Vec<DownFrame> {
        self.packets.drain(..).flat_map(|(_, frames)| frames).collect()
    }

    /// A worker with one slot is connected, registered and active.
    pub(crate) fn moor(&mut self) {
        self.give(CoordinatorInput::Accepted { conn: CONN });
        self.say(hello());
        self.commit();
        self.say(UpFrame::InventoryEnd { count: 0 });
        self.say(UpFrame::Active);
        self.commit();
        assert!(self.said().contains(&DownFrame::Active));
    }

    pub(crate) fn submit(&mut self) {
        let (ticket, task, payload) = (Ticket(1), TASK, self.payload.clone());
        self.give(CoordinatorInput::Submit { ticket, task, spec: spec(), payload });
    }
}

pub(crate) fn answer(op: &StoreOp, payload: &Bytes, ended: &mut bool) -> Done {
    if let StoreOp::Finish { .. } = op
        && std::mem::replace(ended, true)
    {
        let first = Status::Known { state: TaskState::Succeeded, attempt: Attempt(1) };
        return Done { rows: Vec::new(), conflict: Some(Conflict::Status(first)) };
    }
    let rows = match op {
        StoreOp::Submit { .. } => vec![StoreRow::Submitted { order: 1 }],
        StoreOp::Lease { .. } => vec![StoreRow::Payload(payload.clone())],
        StoreOp::Requeue { cause: Requeue::Retry { delay }, .. } => {
            vec![StoreRow::ReadyIn { delay: *delay }]
        }
        _ => Vec::new(),
    };
    Done { rows, conflict: None }
}

pub(crate) fn hello() -> UpFrame {
    hello_with(1, &LaneLimits { window_bytes: 1 << 20, ..LaneLimits::default() })
}

/// The Hello of a worker with so many slots, and first credit by these limits.
pub(crate) fn hello_with(slots: u16, limits: &LaneLimits) -> UpFrame {
    UpFrame::Hello {
        head: Hello {
            versions: Versions::SPOKEN,
            features: 0,
            worker: WorkerId(5),
            incarnation: Incarnation(1),
            name: Sym(0),
            resume: None,
            credit: [Inbox::first_credit(limits); 2],
            beat_interval: Duration::from_secs(5),
            ticket: None,
            holds_work: false,
        },
        about: About {
            name: name("w1"),
            slots,
            handlers: vec![name("hash")],
            software: name("test"),
            credential: None,
        },
    }
}

pub(crate) fn result(seq: u64, attempt: u32, outcome: Outcome, body: &'static [u8]) -> UpFrame {
    UpFrame::Message(Message {
        seq: Seq(seq),
        head: WorkerMessage::Result { key: key(attempt), outcome },
        body_len: u32::try_from(body.len()).unwrap(),
        body: Bytes::from_static(body),
    })
}

pub(crate) fn finishes(persists: &[Persist]) -> Vec<(End, Bytes)> {
    persists
        .iter()
        .filter_map(|persist| match &persist.op {
            StoreOp::Finish { end, body, .. } => Some((*end, body.clone())),
            _ => None,
        })
        .collect()
}

pub(crate) fn settled(frames: &[DownFrame]) -> Vec<Disposition> {
    frames
        .iter()
        .filter_map(|frame| match frame {
            DownFrame::Message(Message { head: ToWorker::Settled { disposition, .. }, .. }) => {
                Some(*disposition)
            }
            _ => None,
        })
        .collect()
}
