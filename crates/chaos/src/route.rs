//! The route between both ends: what is set, and who is on it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use crate::counts::Counts;
use crate::dice::Dice;
use crate::faults::{Change, Faults, Way, Ways};
use crate::lane::Pass;
use crate::line::Line;

/// Addresses that are kept, so that a flow that is not let in is counted once.
const REFUSED_MAX: usize = 1_024;

/// What carries the bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A TCP connection.
    Tcp,
    /// A UDP flow: the datagrams of one address.
    Udp,
}

/// A connection or a flow: numbered from 1 in the order they came, each kind for itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Id {
    /// Which of the two.
    pub kind: Kind,
    /// Its number.
    pub number: u64,
}

/// A connection or a flow that is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// Which.
    pub id: Id,
    /// Who has opened it.
    pub peer: SocketAddr,
    /// Whether it is passed on to the target: those that came in a silence are not.
    pub answered: bool,
    /// What happened to it so far.
    pub counts: Counts,
}

/// How everything stands.
///
/// ```
/// use moorline_chaos::{Member, Snapshot};
///
/// fn silent_ones(snapshot: &Snapshot) -> impl Iterator<Item = &Member> {
///     snapshot.open.iter().filter(|member| !member.answered)
/// }
/// # let _ = silent_ones;
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// The seed of all decisions.
    pub seed: u64,
    /// Whether everything is cut off.
    pub cut: bool,
    /// Which ways are silent.
    pub silent: Option<Ways>,
    /// The faults of the way to the target.
    pub to_target: Faults,
    /// The faults of the way back.
    pub back: Faults,
    /// Connections that were taken so far.
    pub connections: u64,
    /// Flows that began so far.
    pub flows: u64,
    /// Connections that were reset at once and flows that did not begin, because there were too many. A flow is
    /// counted once, with its first datagram that was dropped, as long as no more than 1,024 other addresses
    /// have been refused since.
    pub refused: u64,
    /// Connections that ended because the target could not be reached.
    pub unreachable: u64,
    /// Connections and flows that this proxy has ended: by a cut or a reset, or when it was stopped.
    pub ended: u64,
    /// What happened to all of them, also those that have ended.
    pub total: Counts,
    /// Those that are open, in order.
    pub open: Vec<Member>,
    /// Events that nobody took in time.
    pub events_dropped: u64,
}

/// How this proxy ends a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    Close,
    Reset,
}

/// What becomes of one who comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    /// It is passed on.
    Answered(Id),
    /// It is taken and hears nothing.
    Unanswered(Id),
    /// There are too many.
    Full,
    /// There are still too many for the flow of this address: it was told and counted before.
    StillFull,
    /// Nobody comes in.
    Cut,
}

/// Addresses whose flows were not let in: the last ones of them.
#[derive(Default, Debug)]
struct Refused {
    order: VecDeque<SocketAddr>,
    peers: BTreeSet<SocketAddr>,
}

impl Refused {
    /// Whether this one is not among them yet.
    fn add(&mut self, peer: SocketAddr) -> bool {
        if !self.peers.insert(peer) {
            return false;
        }
        self.order.push_back(peer);
        if self.order.len() > REFUSED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.peers.remove(&oldest);
        }
        true
    }

    fn forget(&mut self, peer: SocketAddr) {
        if self.peers.remove(&peer) {
            self.order.retain(|other| *other != peer);
        }
    }
}

/// The machine of everything that connections share.
#[derive(Debug)]
pub(crate) struct Route {
    seed: u64,
    base: [Faults; 2],
    faults: [Faults; 2],
    lines: [Line; 2],
    cut: bool,
    silent: [bool; 2],
    /// TCP connections up to this number are silent for good, by way.
    hushed: [u64; 2],
    /// Grows with every change.
    era: u64,
    /// The last number of each kind.
    numbers: [u64; 2],
    /// Members up to this number are to end, by kind, and how.
    ended: ([u64; 2], Ending),
    max: usize,
    open: BTreeMap<Id, Member>,
    closed: Counts,
    refused: u64,
    refused_flows: Refused,
    unreachable: u64,
    ended_count: u64,
}

impl Route {
    pub(crate) fn new(seed: u64, faults: [Faults; 2], max: usize) -> Self {
        Self {
            seed,
            base: faults,
            faults,
            lines: [Line::default(); 2],
            cut: false,
            silent: [false; 2],
            hushed: [0; 2],
            era: 0,
            numbers: [0; 2],
            ended: ([0; 2], Ending::Close),
            max,
            open: BTreeMap::new(),
            closed: Counts::default(),
            refused: 0,
            refused_flows: Refused::default(),
            unreachable: 0,
            ended_count: 0,
        }
    }

    /// Makes a change.
    pub(crate) fn change(&mut self, change: Change) {
        self.era += 1;
        // What waits is placed on them anew.
        self.lines.iter_mut().for_each(Line::clear);
        match change {
            Change::Set { ways, patch } => {
                for way in Way::ALL.into_iter().filter(|way| ways.has(*way)) {
                    let faults = &mut self.faults[way.index()];
                    *faults = patch.on(*faults);
                }
            }
            Change::Cut => {
                self.cut = true;
                self.ended = (self.numbers, Ending::Close);
            }
            Change::Reset => self.ended = (self.numbers, Ending::Reset),
            Change::Silence(ways) => {
                for way in Way::ALL.into_iter().filter(|way| ways.has(*way)) {
                    self.silent[way.index()] = true;
                    self.hushed[way.index()] = self.numbers[Kind::Tcp as usize];
                }
            }
            Change::Heal => {
                self.cut = false;
                self.silent = [false; 2];
                self.faults = self.base;
            }
        }
    }

    /// Nothing is carried any more: those who are there end as in a cut.
    pub(crate) fn stop(&mut self) {
        self.ended = (self.numbers, Ending::Close);
    }

    /// Whether everything is cut off.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    /// Somebody comes.
    pub(crate) fn admit(&mut self, kind: Kind, peer: SocketAddr) -> Admission {
        if self.cut {
            return Admission::Cut;
        }
        if self.open.len() >= self.max {
            if kind == Kind::Udp && !self.refused_flows.add(peer) {
                return Admission::StillFull;
            }
            self.refused += 1;
            return Admission::Full;
        }
        if kind == Kind::Udp {
            self.refused_flows.forget(peer);
        }
        let number = &mut self.numbers[kind as usize];
        *number += 1;
        let id = Id { kind, number: *number };
        // Neither the first packet of a connection nor its answer may be missing.
        let answered = kind == Kind::Udp || self.silent == [false; 2];
        self.open.insert(id, Member { id, peer, answered, counts: Counts::default() });
        if answered { Admission::Answered(id) } else { Admission::Unanswered(id) }
    }

    /// Whether it is to end, and how.
    pub(crate) fn ending(&self, id: Id) -> Option<Ending> {
        let (through, ending) = self.ended;
        (id.number <= through[id.kind as usize]).then_some(ending)
    }

    /// What its lanes need to know.
    pub(crate) fn pass<T>(
        &mut self,
        id: Id,
        way: Way,
        use_it: impl FnOnce(&mut Pass<'_>) -> T,
    ) -> Option<T> {
        let member = self.open.get_mut(&id)?;
        let silent = match id.kind {
            Kind::Tcp => !member.answered || id.number <= self.hushed[way.index()],
            Kind::Udp => self.silent[way.index()],
        };
        Some(use_it(&mut Pass {
            faults: self.faults[way.index()],
            dice: Dice::new(self.seed, id, way),
            line: &mut self.lines[way.index()],
            counts: member.counts.way(way),
            silent,
            era: self.era,
        }))
    }

    /// It has ended; what happened to it.
    pub(crate) fn leave(&mut self, id: Id) -> Counts {
        let counts = self.open.remove(&id).map_or_else(Counts::default, |member| member.counts);
        self.closed.add(&counts);
        self.ended_count += u64::from(self.ending(id).is_some());
        counts
    }

    /// A target could not be reached.
    pub(crate) fn miss_target(&mut self) {
        self.unreachable += 1;
    }

    /// A datagram that belongs to no flow was swallowed.
    pub(crate) fn swallow(&mut self, len: usize) {
        self.closed.to_target.swallowed += len as u64;
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut total = self.closed;
        for member in self.open.values() {
            total.add(&member.counts);
        }
        Snapshot {
            seed: self.seed,
            cut: self.cut,
            silent: match self.silent {
                [true, true] => Some(Ways::Both),
                [true, false] => Some(Ways::ToTarget),
                [false, true] => Some(Ways::Back),
                [false, false] => None,
            },
            to_target: self.faults[Way::ToTarget.index()],
            back: self.faults[Way::Back.index()],
            connections: self.numbers[Kind::Tcp as usize],
            flows: self.numbers[Kind::Udp as usize],
            refused: self.refused,
            unreachable: self.unreachable,
            ended: self.ended_count,
            total,
            open: self.open.values().copied().collect(),
            events_dropped: 0,
        }
    }
}

#[cfg(test)]
mod tests;
