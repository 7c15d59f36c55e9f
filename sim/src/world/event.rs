//! What will happen in a world.

use bytes::Bytes;
use moorline_link::{Instant, Lane, Reason};
use moorline_work::RunId;

use crate::plan::{Fault, Kept, Side, Who};

/// Something that will happen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// The time a process wanted to be run at has come.
    Wake { who: Who, at: Instant },
    /// A dial reaches the coordinator's machine.
    Knock { conn: usize },
    /// The coordinator's process is to take a connection.
    Accepted { conn: usize },
    /// A dial succeeded.
    Opened { conn: usize },
    /// A dial failed.
    DialFailed { conn: usize, reason: Reason },
    /// A packet arrives at this end.
    Deliver { conn: usize, to: Side, lane: Lane },
    /// A packet arrives at this end that has arrived before.
    Ghost { conn: usize, to: Side, packet: Bytes },
    /// This end is told that the connection ended.
    Notice { conn: usize, to: Side, reason: Reason },
    /// This end takes packets again.
    Writable { conn: usize, from: Side, who: Who },
    /// A handler ends by itself (or when it has stopped).
    Done { worker: usize, run: RunId },
    /// It was found out on this connection whether this process is who it says.
    Vetted { conn: usize, incarnation: u64, refused: Option<Reason> },
    /// A commit is durable.
    Committed,
    /// A commit of a worker's journal is durable.
    Journaled { worker: usize },
    /// A client hands in a task.
    Submit { task: usize },
    /// A client wants a task to end.
    Cancel { task: usize },
    /// A client hands in its task once more.
    Again { task: usize },
    /// Another client hands in another task under the same id.
    Clash { task: usize },
    /// An episode of the plan begins.
    Episode { index: usize },
    /// The moment has come that a fault of the plan waited for, to this worker if to one.
    Strike { index: usize, worker: Option<usize> },
    /// A fault of an episode goes on.
    GoesOn { index: usize, fault: Fault, step: u64 },
    /// A process that takes its time is ready for what waits.
    Next { who: Who },
    /// A process runs again.
    Thaw { who: Who, since: u64 },
    /// A process that was asked to stop is killed.
    Kill { who: Who, back: u64, kept: Kept },
    /// A process begins.
    Begin { who: Who },
    /// Things go wrong again.
    LullEnds,
    /// Nothing goes wrong any more.
    Quiet,
    /// Whether everything has ended.
    Look,
}

impl Event {
    /// What travels on a connection, and to which end.
    pub(super) const fn travels_to(&self) -> Option<(usize, Side)> {
        match self {
            Self::Deliver { conn, to, .. }
            | Self::Ghost { conn, to, .. }
            | Self::Notice { conn, to, .. } => Some((*conn, *to)),
            Self::Opened { conn } | Self::DialFailed { conn, .. } => Some((*conn, Side::Worker)),
            Self::Knock { conn } => Some((*conn, Side::Coordinator)),
            Self::Wake { .. }
            | Self::Accepted { .. }
            | Self::Writable { .. }
            | Self::Done { .. }
            | Self::Vetted { .. }
            | Self::Committed
            | Self::Journaled { .. }
            | Self::Submit { .. }
            | Self::Cancel { .. }
            | Self::Again { .. }
            | Self::Clash { .. }
            | Self::Episode { .. }
            | Self::Strike { .. }
            | Self::GoesOn { .. }
            | Self::Next { .. }
            | Self::Thaw { .. }
            | Self::Kill { .. }
            | Self::Begin { .. }
            | Self::LullEnds
            | Self::Quiet
            | Self::Look => None,
        }
    }
}
