//! Both machines of one link, without a transport or a codec.

use moorline_link::{
    ConnId, CoordinatorFrame, Epoch, Hub, HubAction, HubConfig, HubInput, HubTransmit, HubVerdict,
    Identity, Incarnation, Instant, Lane, Link, LinkAction, LinkConfig, LinkInput, LinkTransmit,
    LinkVerdict, Reason, State, Sym, Tag, Versions, WorkerFrame, WorkerId,
};

use crate::kit::Run;

/// The worker's link and the coordinator's hub.
pub(crate) struct Pair {
    pub(crate) link: Link,
    hub: Hub,
    now: Instant,
    conn: ConnId,
    /// Heartbeats that were answered.
    answered: u64,
    /// Messages that each side has sent.
    sent: u64,
    /// Messages that the link and the hub were handed and have not released.
    delivered: (u32, u32),
}

const WORKER: WorkerId = WorkerId(1);

impl Pair {
    fn new() -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let identity = Identity {
            worker: WORKER,
            incarnation: Incarnation(1),
            name: Sym(0),
            versions: Versions::SPOKEN,
            features: 0,
        };
        let link = Link::new(LinkConfig::default(), identity, 1, now);
        let hub = Hub::new(HubConfig::default(), Epoch(1), 1, now);
        Self { link, hub, now, conn: ConnId(0), answered: 0, sent: 0, delivered: (0, 0) }
    }

    /// Registered and active, over however many frames that takes.
    pub(crate) fn connect(&mut self) {
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
            for lane in Lane::ALL {
                while let Some(transmit) = self.link.poll_transmit(self.now, conn, lane) {
                    moved = true;
                    let frame = match transmit {
                        LinkTransmit::Frame(frame) => frame,
                        LinkTransmit::Message { head, .. } => WorkerFrame::Message(head),
                    };
                    let verdict = self.hub.handle(self.now, HubInput::Frame { conn, frame });
                    self.delivered.1 += u32::from(matches!(verdict, HubVerdict::Deliver { .. }));
                }
            }
            while let Some(action) = self.hub.poll_action() {
                moved = true;
                let HubAction::Flush { conn } = action else { continue };
                for lane in Lane::ALL {
                    while let Some(transmit) = self.hub.poll_transmit(self.now, conn, lane) {
                        let frame = match transmit {
                            HubTransmit::Frame(frame) => frame,
                            HubTransmit::Message { head, .. } => CoordinatorFrame::Message(head),
                        };
                        self.answered +=
                            u64::from(matches!(frame, CoordinatorFrame::BeatAnswer(_)));
                        let verdict = self.link.handle(self.now, LinkInput::Frame { conn, frame });
                        self.delivered.0 += u32::from(verdict == LinkVerdict::Deliver);
                    }
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// The next heartbeat and its answer; wakes for other reasons on the way count too.
    pub(crate) fn heartbeat(&mut self) {
        let before = self.answered;
        while self.answered == before {
            if let Some(at) = self.next() {
                self.now = at;
            }
            self.exchange();
        }
    }

    /// The same without what the hub does once a second for all of its workers together.
    fn beat(&mut self) {
        let before = self.answered;
        while self.answered == before {
            if let Some(at) = self.link.next_wake().deadline() {
                self.now = at.max(self.now);
            }
            self.exchange();
        }
    }
}

impl Pair {
    pub(crate) fn active() -> Self {
        let mut pair = Self::new();
        pair.connect();
        for _ in 0..1_000 {
            pair.heartbeat();
        }
        pair
    }

    /// The connection is gone, as both sides see it.
    #[allow(dead_code, reason = "tests of allocations cut it")]
    pub(crate) fn cut(&mut self) {
        let (conn, reason) = (self.conn, Reason::StreamLost);
        self.link.handle(self.now, LinkInput::Closed { conn, reason });
        self.hub.handle(self.now, HubInput::Closed { conn, reason });
        self.exchange();
    }

    /// A message each way on this lane; what acknowledges them travels with the next ones.
    pub(crate) fn messages(&mut self, lane: Lane) {
        self.sent += 1;
        let (tag, len) = (Tag(self.sent), 64);
        let (now, worker) = (self.now, WORKER);
        let down = self.hub.handle(now, HubInput::Enqueue { worker, lane, tag, len });
        let up = self.link.handle(now, LinkInput::Enqueue { lane, tag, len });
        assert!(down == HubVerdict::Accepted && up == LinkVerdict::Accepted, "there is room");
        self.exchange();
        for _ in 0..std::mem::take(&mut self.delivered.0) {
            self.link.handle(now, LinkInput::Release { lane, messages: 1, bytes: len.into() });
        }
        for _ in 0..std::mem::take(&mut self.delivered.1) {
            self.hub
                .handle(now, HubInput::Release { worker, lane, messages: 1, bytes: len.into() });
        }
        self.exchange();
    }
}

/// The worker's link wakes and sends a heartbeat, the hub answers, the link takes the answer; both are asked
/// for everything else they may want, as by a driver.
pub(crate) fn heartbeats() -> Run {
    let mut pair = Pair::active();
    Box::new(move |operations| (0..operations).for_each(|_| pair.beat()))
}

/// A reliable message each way, acknowledged and released.
pub(crate) fn messages_of_lane_c() -> Run {
    messages(Lane::C)
}

/// The same on the lane of bodies.
pub(crate) fn messages_of_lane_b() -> Run {
    messages(Lane::B)
}

fn messages(lane: Lane) -> Run {
    let mut pair = Pair::active();
    (0..1_000).for_each(|_| pair.messages(lane));
    Box::new(move |operations| (0..operations).for_each(|_| pair.messages(lane)))
}
