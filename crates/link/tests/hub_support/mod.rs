//! A coordinator's driver in virtual time: serves every deadline exactly, writes what is due.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::time::Duration;

use moorline_link::*;

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const EPOCH: Epoch = Epoch(5);

#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) hub: Hub,
    pub(crate) now: Instant,
    start: Instant,
    /// What was done by actions, flushes aside.
    news: Vec<HubAction>,
    written: BTreeMap<ConnId, Vec<HubTransmit>>,
}

impl Default for Desk {
    fn default() -> Self {
        Self::with(HubSettings::default())
    }
}

impl Desk {
    pub(crate) fn with(settings: HubSettings) -> Self {
        let start = Instant::ZERO + 3_600 * SECOND;
        let config = HubConfig::new(settings).expect("consistent settings");
        let hub = Hub::new(config, EPOCH, 0, start);
        Self { hub, now: start, start, news: Vec::new(), written: BTreeMap::new() }
    }

    /// Serves every deadline up to this many milliseconds after the start.
    pub(crate) fn at(&mut self, millis: u64) -> &mut Self {
        let until = self.start + Duration::from_millis(millis);
        assert!(until >= self.now, "time goes on");
        while let Some(deadline) = self.hub.next_wake().deadline().filter(|at| *at <= until) {
            self.now = self.now.max(deadline);
            self.tell(HubInput::Timeout);
        }
        self.now = until;
        self
    }

    /// Time passes and nobody runs the hub.
    pub(crate) fn freeze(&mut self, frozen: Duration) {
        self.now = self.now + frozen;
    }

    /// Milliseconds since the start, as the hub's effective time.
    pub(crate) fn effective(&self) -> u128 {
        self.hub.effective(self.now).since(self.start).as_millis()
    }

    pub(crate) fn instant(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    /// Tells the hub something and does what it says.
    pub(crate) fn tell(&mut self, input: HubInput) -> HubVerdict {
        let verdict = self.hub.handle(self.now, input);
        self.pump();
        verdict
    }

    pub(crate) fn pump(&mut self) {
        while let Some(action) = self.hub.poll_action() {
            let HubAction::Flush { conn } = action else {
                self.news.push(action);
                continue;
            };
            for lane in Lane::ALL {
                while let Some(transmit) = self.hub.poll_transmit(self.now, conn, lane) {
                    self.written.entry(conn).or_default().push(transmit);
                }
            }
        }
        assert_ne!(self.hub.next_wake(), Wake::Now);
    }

    pub(crate) fn accept(&mut self, conn: u64) {
        assert_eq!(self.tell(HubInput::Accepted { conn: ConnId(conn) }), HubVerdict::Accepted);
    }

    pub(crate) fn say(&mut self, conn: u64, frame: WorkerFrame) -> HubVerdict {
        self.tell(HubInput::Frame { conn: ConnId(conn), frame })
    }

    pub(crate) fn close(&mut self, conn: u64, reason: Reason) -> HubVerdict {
        self.tell(HubInput::Closed { conn: ConnId(conn), reason })
    }

    pub(crate) fn unwritable(&mut self, conn: u64) {
        self.tell(HubInput::Unwritable { conn: ConnId(conn) });
    }

    pub(crate) fn writable(&mut self, conn: u64) {
        self.tell(HubInput::Writable { conn: ConnId(conn) });
    }

    pub(crate) fn enqueue(&mut self, worker: u128, lane: Lane, tag: u64, len: u32) -> HubVerdict {
        let worker = WorkerId(worker);
        self.tell(HubInput::Enqueue { worker, lane, tag: Tag(tag), len })
    }

    pub(crate) fn enqueue_all(
        &mut self,
        worker: u128,
        lane: Lane,
        tags: std::ops::RangeInclusive<u64>,
        len: u32,
    ) {
        for tag in tags {
            assert_eq!(self.enqueue(worker, lane, tag, len), HubVerdict::Accepted);
        }
    }

    /// A connection with a Hello on it.
    pub(crate) fn register(&mut self, conn: u64, hello: Hello) -> HubVerdict {
        self.accept(conn);
        self.say(conn, WorkerFrame::Hello(hello))
    }

    /// A worker without anything to restore, up to Active. What was said and done is swallowed.
    pub(crate) fn activate(&mut self, conn: u64, hello: Hello) -> SessionId {
        self.register(conn, hello);
        self.restore(conn);
        let snapshot = self.hub.worker(self.now, hello.worker).expect("it is known");
        assert_eq!(snapshot.presence, Presence::Active);
        self.news();
        self.written(conn);
        snapshot.session.expect("it is active")
    }

    /// The empty inventory and the worker's Active.
    pub(crate) fn restore(&mut self, conn: u64) {
        self.say(conn, WorkerFrame::InventoryEnd { count: 0 });
        assert_eq!(self.say(conn, WorkerFrame::Active), HubVerdict::Accepted);
    }

    /// What was done since the last time.
    pub(crate) fn news(&mut self) -> Vec<HubAction> {
        std::mem::take(&mut self.news)
    }

    /// What was written on a connection since the last time.
    pub(crate) fn written(&mut self, conn: u64) -> Vec<HubTransmit> {
        self.written.remove(&ConnId(conn)).unwrap_or_default()
    }

    /// The same, where only whole frames are expected.
    pub(crate) fn frames(&mut self, conn: u64) -> Vec<CoordinatorFrame> {
        let frame = |transmit| match transmit {
            HubTransmit::Frame(frame) => frame,
            HubTransmit::Message { .. } => panic!("{transmit:?} is a message"),
        };
        self.written(conn).into_iter().map(frame).collect()
    }

    /// Tags of the messages that were written on a connection, with their numbers.
    pub(crate) fn messages(&mut self, conn: u64) -> Vec<(Lane, u64, u64)> {
        let message = |transmit| match transmit {
            HubTransmit::Message { head, tag, .. } => Some((head.lane, head.seq.0, tag.0)),
            HubTransmit::Frame(_) => None,
        };
        self.written(conn).into_iter().filter_map(message).collect()
    }

    pub(crate) fn presence(&self, worker: u128) -> Option<Presence> {
        let seen = self.hub.worker(self.now, WorkerId(worker)).map(|worker| worker.presence);
        assert_eq!(self.hub.presence_of(self.now, WorkerId(worker)), seen);
        seen
    }
}

/// The Hello of a worker named by its number.
pub(crate) fn hello(worker: u128, incarnation: u64) -> Hello {
    Hello {
        versions: Versions::SPOKEN,
        features: 0,
        worker: WorkerId(worker),
        incarnation: Incarnation(incarnation),
        name: Sym(u32::try_from(worker).expect("small")),
        resume: None,
        credit: Lane::ALL.map(|_| Inbox::first_credit(&LaneLimits::default())),
        beat_interval: Duration::from_secs(5),
        ticket: None,
        holds_work: false,
    }
}

/// The Hello of a worker that received nothing in this session.
pub(crate) fn resuming(worker: u128, incarnation: u64, session: SessionId) -> Hello {
    let credit = Inbox::first_credit(&LaneLimits::default());
    let lanes = [Standing { received: Seq(0), credit }; 2];
    Hello { resume: Some(Resume { session, lanes }), ..hello(worker, incarnation) }
}

pub(crate) fn beat(seq: u32) -> WorkerFrame {
    let flags = Flags { active: true, draining: false, paused: false };
    WorkerFrame::Beat(Beat { seq, flags, free: 1, quiet: true, rtt_micros: 250 })
}

pub(crate) fn message(lane: Lane, seq: u64, len: u32) -> WorkerFrame {
    WorkerFrame::Message(MessageHead { lane, seq: Seq(seq), len })
}

pub(crate) fn go_away(reason: Reason, come_back: ComeBack) -> CoordinatorFrame {
    CoordinatorFrame::GoAway(Dismissal { reason, come_back })
}

pub(crate) fn refusal(reason: Reason, come_back: ComeBack) -> CoordinatorFrame {
    CoordinatorFrame::Refused(Dismissal { reason, come_back })
}

pub(crate) fn closed(conn: u64, reason: Reason) -> HubAction {
    HubAction::Close { conn: ConnId(conn), reason }
}

pub(crate) fn refused(conn: u64, reason: Reason) -> HubAction {
    HubAction::Refused { conn: ConnId(conn), reason }
}

/// The registrations among actions: connection, session number, resumed.
pub(crate) fn registrations(actions: &[HubAction]) -> Vec<(u64, SessionId, bool)> {
    let registration = |action: &HubAction| {
        let HubAction::Registered(it) = action else { return None };
        Some((it.conn.0, it.session, it.resumed))
    };
    actions.iter().filter_map(registration).collect()
}
