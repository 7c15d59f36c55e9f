//! Connections of a searched world: two directions with two lanes each, order inside a lane only. A packet
//! arrives whole or not at all.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use moorline_link::{ConnId, Lane};
use moorline_node::{DownFrame, Packet, UpFrame};

use super::process::Kept;

/// One direction, by lane.
pub(super) type Pipe<F> = [VecDeque<Arc<Kept<Packet<F>>>>; 2];

/// Where a connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Course {
    /// The worker dials; nobody has answered.
    Dialling,
    /// Both ends can write.
    Open,
    /// It broke, or one end closed it: what was under way may still arrive, and each end that does not
    /// know is told at some time, whatever has arrived by then.
    Over,
}

/// A connection of a worker.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    /// How often its worker had dialled before. Nobody here knows that: it is for those who tell the way.
    pub(super) dial: usize,
    /// What the worker calls it.
    pub(super) name: ConnId,
    /// What the coordinator calls it: a name is given anew once nothing is left of its last bearer.
    pub(super) conn: ConnId,
    pub(super) course: Course,
    /// The worker holds its end.
    pub(super) worker: bool,
    /// The coordinator holds its end.
    pub(super) coordinator: bool,
    pub(super) up: Pipe<UpFrame>,
    pub(super) down: Pipe<DownFrame>,
}

impl Wire {
    pub(super) fn dialled(dial: usize, name: ConnId, conn: ConnId) -> Self {
        Self {
            dial,
            name,
            conn,
            course: Course::Dialling,
            worker: true,
            coordinator: false,
            up: Pipe::default(),
            down: Pipe::default(),
        }
    }

    /// Nothing is left of it.
    pub(super) fn is_gone(&self) -> bool {
        !self.worker && !self.coordinator
    }

    /// The worker's end is no more: nothing arrives there.
    pub(super) fn worker_leaves(&mut self) {
        self.worker = false;
        self.course = Course::Over;
        self.down = Pipe::default();
    }

    /// The coordinator's end is no more.
    pub(super) fn coordinator_leaves(&mut self) {
        self.coordinator = false;
        self.course = Course::Over;
        self.up = Pipe::default();
    }

    /// All but the worker's name for it, which counts from its last dial on.
    pub(super) fn feed<H: Hasher>(&self, dialled: u64, state: &mut H) {
        let Self { dial: _, name, conn, course, worker, coordinator, up, down } = self;
        // A process that is gone calls it nothing.
        (worker.then(|| dialled - name.0), conn, course, worker, coordinator, up, down).hash(state);
    }
}

pub(super) fn send<F: Hash>(pipe: &mut Pipe<F>, packet: &Arc<Kept<Packet<F>>>) {
    pipe[packet.lane.index()].push_back(Arc::clone(packet));
}

/// The lanes on which something is under way.
pub(super) fn lanes<F>(pipe: &Pipe<F>) -> impl Iterator<Item = Lane> + '_ {
    Lane::ALL.into_iter().filter(|lane| !pipe[lane.index()].is_empty())
}
