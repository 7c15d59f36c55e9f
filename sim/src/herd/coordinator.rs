//! The coordinator's process: the real node, its driver, and its store.

use std::num::NonZeroU32;

use bytes::Bytes;
use moorline_link::{Backoff, ConnId, HubConfig, HubSettings, Reason, RegistrationRate};
use moorline_node::{CoordinatorAction, CoordinatorConfig, CoordinatorInput, CoordinatorNode};
use moorline_work::DispatcherConfig;

use super::fleet::{Event, Fleet};
use super::worker::name;
use crate::decide::mix;
use crate::network::End;
use crate::plan::{MS, Side};

/// How long a commit takes.
const COMMIT: u64 = MS;
/// Operations in a commit, at most.
const GROUP: u64 = 256;
/// A limit that is none.
const FREELY: NonZeroU32 = NonZeroU32::MAX;

impl Fleet {
    /// A process of the coordinator begins, with what is in the store.
    pub(super) fn begin_coordinator(&mut self) {
        let epoch = self.disk.begin(self.now);
        // Where the door keeps the rate, nobody else does.
        let settings = if self.herd.policy.has_slots() {
            HubSettings::default()
        } else {
            HubSettings {
                registration_rate: RegistrationRate::Fixed(FREELY),
                max_handshakes: FREELY,
                max_greeting: FREELY.get(),
                ..HubSettings::default()
            }
        };
        let config = CoordinatorConfig {
            hub: HubConfig::new(settings).expect("the defaults but for rates"),
            dispatcher: DispatcherConfig::default(),
            retry: Backoff::default(),
            epoch,
            software: name("herd"),
            seed: mix(self.herd.seed ^ u64::from(self.life) << 32).into(),
        };
        self.coordinator = Some(CoordinatorNode::new(config, self.clock()));
        self.settle_coordinator();
    }

    /// SIGKILL: the kernel resets its connections.
    pub(super) fn kill_coordinator(&mut self) {
        self.coordinator = None;
        self.coordinator_wake = None;
        self.life += 1;
        let _ = self.disk.crash(self.now, false);
        self.reset_all();
    }

    fn tell_coordinator(&mut self, input: CoordinatorInput) {
        let now = self.clock();
        if let Some(node) = &mut self.coordinator {
            node.handle(now, input);
            self.settle_coordinator();
        }
    }

    pub(super) fn wake_coordinator(&mut self) {
        if self.coordinator_wake == Some(self.now) {
            self.coordinator_wake = None;
            self.tell_coordinator(CoordinatorInput::Timeout);
        }
    }

    /// The driver: carries out what the node wants, and sets the timer.
    fn settle_coordinator(&mut self) {
        while let Some(action) = self.coordinator.as_mut().and_then(CoordinatorNode::poll_action) {
            match action {
                CoordinatorAction::Persist(persist) => self.disk.wait(persist),
                CoordinatorAction::Close { conn, .. } => self.close(conn.0, Side::Coordinator),
                CoordinatorAction::Flush { conn } => self.flush(conn),
                // It was not made to authenticate anybody.
                CoordinatorAction::Authenticate { .. }
                | CoordinatorAction::Reply { .. }
                | CoordinatorAction::Ended { .. }
                | CoordinatorAction::Event(_) => {}
            }
        }
        if self.disk.start(GROUP) {
            self.queue.push(self.now + COMMIT, Event::Committed { life: self.life });
        }
        let wake = self.coordinator.as_ref().and_then(CoordinatorNode::next_wake);
        let wake = wake.map(|at| at.as_nanos().max(self.now));
        if let Some(at) = wake
            && self.coordinator_wake != wake
        {
            self.queue.push(at, Event::Coordinator);
        }
        self.coordinator_wake = wake;
    }

    /// Writes all that there is to write on a connection.
    fn flush(&mut self, conn: ConnId) {
        let now = self.clock();
        while let Some(packet) =
            self.coordinator.as_mut().and_then(|node| node.poll_transmit(now, conn))
        {
            self.send(conn.0, Side::Coordinator, moorline_wire::encode_down(&packet));
        }
    }

    pub(super) fn committed(&mut self, life: u32) {
        if life == self.life {
            let committed = self.disk.commit(self.now);
            let up_to = committed.up_to();
            self.tell_coordinator(CoordinatorInput::Committed { up_to, done: committed.done });
        }
    }

    // What the network tells it.

    pub(super) fn accepted(&mut self, conn: u64) {
        let Some(state) = self.conns.get_mut(conn) else { return };
        if state.end(Side::Coordinator) == End::Waiting {
            state.open(Side::Coordinator);
            self.tell_coordinator(CoordinatorInput::Accepted { conn: ConnId(conn) });
        }
    }

    pub(super) fn packet_for_coordinator(&mut self, conn: u64, packet: Bytes) {
        let frames = moorline_wire::decode_up(packet).expect("it was encoded by us").frames;
        self.tell_coordinator(CoordinatorInput::Packet { conn: ConnId(conn), frames });
    }

    pub(super) fn lost_by_coordinator(&mut self, conn: u64, reason: Reason) {
        self.conns.close(conn, Side::Coordinator);
        self.tell_coordinator(CoordinatorInput::Closed { conn: ConnId(conn), reason });
    }
}
