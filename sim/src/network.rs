//! Connections: two directions, two lanes in each, order kept inside a lane only.

use std::collections::VecDeque;

use bytes::Bytes;
use moorline_link::{ConnId, Lane};
use moorline_node::UpFrame;

use crate::plan::{Ending, Side};

/// Every connection there ever was, by number.
#[derive(Debug, Default)]
pub(crate) struct Network {
    conns: Vec<Conn>,
    /// Those whose worker has not closed its end, by worker, oldest first.
    live: Vec<Vec<usize>>,
    /// How often each worker has dialled.
    dials: Vec<u64>,
}

/// A connection of a worker to the coordinator.
#[derive(Debug)]
pub(crate) struct Conn {
    /// Whose.
    pub(crate) worker: usize,
    /// Under which decisions about it are taken: the worker and how often that has dialled, so that no
    /// other worker's dials move them.
    pub(crate) key: u64,
    /// What the worker calls it.
    pub(crate) name: ConnId,
    /// Nothing arrives any more, and nobody need know.
    pub(crate) cut: bool,
    /// Whoever sends on it, although it is cut, is told that: the worker, the coordinator.
    pub(crate) answers: [bool; 2],
    /// What is under way arrives also where the receiver has closed it.
    pub(crate) haunts: bool,
    /// Who its worker is was found out, and that it may come in.
    pub(crate) is_let_in: bool,
    /// What its worker said first, until that is found out: it does not count before.
    pub(crate) hello: Option<UpFrame>,
    worker_end: End,
    coordinator_end: End,
    up: Pipe,
    down: Pipe,
}

/// One end of a connection, as its process sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// Its process was not told yet that it is open.
    Waiting,
    /// Open.
    Open,
    /// Closed by its process, or its process was told that it is.
    Closed,
}

/// One direction.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    /// What is under way, by lane.
    lanes: [VecDeque<Bytes>; 2],
    /// When the last of a lane arrives.
    pub(crate) last: [u64; 2],
    /// Packets so far, and other things that travelled.
    pub(crate) packets: u64,
    /// Packets that arrived.
    pub(crate) arrived: u64,
    /// Bytes that were written.
    pub(crate) written: u64,
    /// It ends when so many bytes were written, and how.
    pub(crate) ends: Option<(u64, Ending)>,
    /// It has ended: what is written is lost.
    pub(crate) shut: bool,
    /// What is under way is lost as well.
    pub(crate) lost: bool,
    /// Bytes that were not read.
    pub(crate) unread: usize,
    /// The sender was told that it takes no more.
    pub(crate) blocked: bool,
    /// Nothing arrives until then.
    pub(crate) jammed: u64,
}

impl Network {
    /// A dial of a worker; nobody has answered yet.
    pub(crate) fn dial(&mut self, worker: usize, name: ConnId) -> usize {
        if self.live.len() <= worker {
            self.live.resize_with(worker + 1, Vec::new);
            self.dials.resize(worker + 1, 0);
        }
        let key = (worker as u64) << 32 | self.dials[worker];
        self.dials[worker] += 1;
        self.conns.push(Conn {
            worker,
            key,
            name,
            cut: false,
            answers: [false; 2],
            haunts: false,
            is_let_in: false,
            hello: None,
            worker_end: End::Waiting,
            coordinator_end: End::Waiting,
            up: Pipe::default(),
            down: Pipe::default(),
        });
        let conn = self.conns.len() - 1;
        self.live[worker].push(conn);
        conn
    }

    pub(crate) fn conn(&self, conn: usize) -> &Conn {
        &self.conns[conn]
    }

    pub(crate) fn conn_mut(&mut self, conn: usize) -> &mut Conn {
        &mut self.conns[conn]
    }

    /// The connections of a worker whose end is not closed, oldest first.
    pub(crate) fn of(&self, worker: usize) -> &[usize] {
        self.live.get(worker).map_or(&[], Vec::as_slice)
    }

    /// The connections the coordinator has, oldest first.
    pub(crate) fn of_coordinator(&self) -> Vec<usize> {
        let is_there = |conn: &usize| self.conns[*conn].coordinator_end != End::Closed;
        (0..self.conns.len()).filter(is_there).collect()
    }

    pub(crate) fn open(&mut self, conn: usize, side: Side) {
        *self.conns[conn].end_mut(side) = End::Open;
    }

    pub(crate) fn close(&mut self, conn: usize, side: Side) {
        *self.conns[conn].end_mut(side) = End::Closed;
        if side == Side::Worker {
            let worker = self.conns[conn].worker;
            self.live[worker].retain(|live| *live != conn);
        }
    }
}

impl Conn {
    /// Nothing will ever come of it, although one of its ends is not closed.
    pub(crate) fn is_dead(&self) -> bool {
        let is_shut = self.cut || self.up.shut || self.down.shut;
        is_shut || self.worker_end != End::Open || self.coordinator_end != End::Open
    }

    pub(crate) fn end(&self, side: Side) -> End {
        match side {
            Side::Worker => self.worker_end,
            Side::Coordinator => self.coordinator_end,
        }
    }

    fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Worker => &mut self.worker_end,
            Side::Coordinator => &mut self.coordinator_end,
        }
    }

    /// The direction in which this side sends.
    pub(crate) fn pipe(&self, from: Side) -> &Pipe {
        match from {
            Side::Worker => &self.up,
            Side::Coordinator => &self.down,
        }
    }

    pub(crate) fn pipe_mut(&mut self, from: Side) -> &mut Pipe {
        match from {
            Side::Worker => &mut self.up,
            Side::Coordinator => &mut self.down,
        }
    }
}

impl Pipe {
    /// Takes a packet that arrives at `at`, or when the last of its lane does, and returns when.
    pub(crate) fn send(&mut self, lane: Lane, packet: Bytes, at: u64) -> u64 {
        self.packets += 1;
        self.unread += packet.len();
        let at = at.max(self.last[lane.index()]);
        self.last[lane.index()] = at;
        self.lanes[lane.index()].push_back(packet);
        at
    }

    /// The next packet of a lane arrives.
    pub(crate) fn arrive(&mut self, lane: Lane) -> Option<Bytes> {
        self.lanes[lane.index()].pop_front()
    }

    /// A packet of a lane never arrives, before which so many others do.
    pub(crate) fn lose(&mut self, lane: Lane, before: usize) {
        self.lanes[lane.index()].remove(before);
    }
}
