//! What goes wrong, and at which moment.

use super::{Family, Moment, Side, Way, Who, Whom, Workers};

/// A fault at its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Episode {
    /// When it begins; with a moment: from when on that is waited for.
    pub at: u64,
    /// It strikes when this happens next, and whom it happens to; else at its time.
    pub moment: Option<Moment>,
    /// What it is.
    pub fault: Fault,
}

/// How a process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// Killed: its connections are reset, what was under way on them may still arrive.
    Killed,
    /// Its machine is gone: nobody is told.
    Vanished,
    /// Asked to stop, and killed a moment later.
    Asked,
}

/// What a coordinator finds in its store when it comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// Everything that was durable; the commit that was under way may be durable as well, as the
    /// decisions say.
    All,
    /// Everything that was durable, and nothing of the commit that was under way.
    Synced,
    /// The last so many commits are gone, although they were said to be durable (hostile).
    Before {
        /// How many.
        commits: u32,
    },
    /// Nothing (hostile).
    Nothing,
}

/// Who is told that a connection is dead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// Both ends.
    Both,
    /// One end: the other stays half-open.
    Only(Side),
    /// Nobody.
    Nobody,
}

/// How a connection ends that somebody between the two sides closes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Reset: both ends are told, and what is under way the other way is lost.
    Reset,
    /// In order: both ends are told when they have what was sent before.
    Closed,
    /// One direction ends in order; the receiver is told, and then closes its end as well.
    Half,
}

/// What becomes of a dial.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialled {
    /// It is refused at once.
    Refused,
    /// Nobody answers.
    Hangs,
    /// It is taken, and closed at once.
    Closed,
    /// It is taken after this time, in nanoseconds: also when its worker has given it up.
    Late {
        /// How long.
        by: u64,
    },
}

/// Which process of a worker there is twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Twin {
    /// The same worker, started a second time: the same id and the same name.
    Same,
    /// A copy of its machine under another name: the same id.
    Renamed,
    /// Another worker that was given its name: another id.
    Namesake,
}

/// Something that goes wrong, or that an operator does. Times are in nanoseconds. What lasts ends at a
/// lull or at the quiet at the latest, but for what puts workers outside the core out of touch: that
/// stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Some packets take longer (N3).
    Spikes {
        /// Whose.
        workers: Workers,
        /// In which direction.
        way: Way,
        /// How many of a million.
        ppm: u64,
        /// How much longer at most.
        most: u64,
        /// For how long.
        lasts: u64,
    },
    /// Some packets are lost and sent again, with what is behind them waiting (N4).
    Stalls {
        /// Whose.
        workers: Workers,
        /// In which direction.
        way: Way,
        /// How many of a million begin a burst.
        ppm: u64,
        /// How many packets a burst may hit.
        burst: u32,
        /// How long it takes to notice a loss: each packet of a burst waits for one to four of these.
        rto: u64,
        /// For how long.
        lasts: u64,
    },
    /// Packets arrive again (N5, hostile).
    Replay {
        /// Whose.
        workers: Workers,
        /// In which direction.
        way: Way,
        /// How many of a million.
        ppm: u64,
        /// How often at most.
        copies: u32,
        /// How much later at most.
        delay: u64,
        /// For how long.
        lasts: u64,
    },
    /// Packets change on their way (N7). In honest worlds that is noticed, and the connection reset; in
    /// hostile ones they arrive.
    Corrupt {
        /// Whose.
        workers: Workers,
        /// In which direction.
        way: Way,
        /// How many of a million.
        ppm: u64,
        /// For how long.
        lasts: u64,
    },
    /// Nothing travels between some workers and the coordinator (N8).
    Partition {
        /// Which workers.
        workers: Workers,
        /// In which direction.
        way: Way,
        /// For how long.
        lasts: u64,
        /// What was sent meanwhile is sent again after so much more time at most: 0 if it only waited.
        again: u64,
    },
    /// The same, again and again (N9).
    Flap {
        /// Which workers.
        workers: Workers,
        /// In which direction.
        way: Way,
        /// From one break to the next.
        period: u64,
        /// How much of that nothing travels, in millionths.
        broken: u32,
        /// For how long.
        lasts: u64,
    },
    /// Workers lose their links one by one and get them back in another order (N10).
    Swizzle {
        /// Which workers.
        workers: Workers,
        /// Within which time the links go, and come back.
        spread: u64,
        /// When the first may come back.
        lasts: u64,
    },
    /// Bytes leave one after the other (N11).
    Narrow {
        /// Whose.
        workers: Workers,
        /// In which direction.
        way: Way,
        /// Bytes a second, at least 1.
        rate: u64,
        /// Bytes that may wait before the sender has to.
        queue: u64,
        /// For how long.
        lasts: u64,
    },
    /// Packets arrive in pieces, each with a latency of its own (N12).
    Segments {
        /// Whose.
        workers: Workers,
        /// In which direction.
        way: Way,
        /// Bytes of a piece at most, at least 1.
        size: u64,
        /// How long each further piece takes at most.
        gap: u64,
        /// For how long.
        lasts: u64,
    },
    /// Dials of a worker do not succeed as they should (C1).
    Dials {
        /// Whose.
        worker: usize,
        /// What becomes of them.
        outcome: Dialled,
        /// For how long.
        lasts: u64,
    },
    /// The connection of a worker ends when so many more bytes were sent on it (C2): a packet in which
    /// that happens is lost.
    Close {
        /// Whose.
        worker: usize,
        /// Whose bytes count, and for whom it ends in order; both: the worker's.
        way: Way,
        /// How many.
        after: u64,
        /// How it ends.
        ending: Ending,
    },
    /// The connection of a worker is dead, with everything that is under way on it: C2 if both ends are
    /// told, else C3.
    Cut {
        /// Whose.
        worker: usize,
        /// Who learns of it.
        told: Told,
    },
    /// The way to a worker changes (C4): its connections are dead and nobody is told, but the next ones
    /// are good.
    Rebind {
        /// Whose.
        worker: usize,
        /// Whoever sends on a dead connection is told that it is.
        answered: bool,
    },
    /// Nothing travels on the present connection of a worker for a while (C5); then everything does,
    /// whether another one has taken its place or not.
    Jam {
        /// Whose.
        worker: usize,
        /// In which direction.
        way: Way,
        /// For how long.
        lasts: u64,
        /// It arrives even where the receiver has closed the connection (hostile).
        haunts: bool,
    },
    /// A process ends and comes back with no memory but the store (H1).
    Crash {
        /// Which.
        who: Who,
        /// How.
        manner: Manner,
        /// Back after this time.
        back: u64,
        /// What is left of the store, if it is the coordinator's.
        kept: Kept,
    },
    /// A process ends and comes back, again and again (H2).
    CrashLoop {
        /// Which.
        who: Who,
        /// How.
        manner: Manner,
        /// Back after this time.
        back: u64,
        /// How long it lives.
        lives: u64,
        /// How often it ends, at least once.
        times: u32,
    },
    /// A process gets nothing for a while; what arrives waits for it (H3).
    Freeze {
        /// Which.
        who: Who,
        /// For how long.
        lasts: u64,
        /// Its machine is suspended: its clock stands still as well.
        suspended: bool,
    },
    /// A process takes its time for every event (H4).
    Busy {
        /// Which.
        who: Who,
        /// How long.
        each: u64,
        /// For how long.
        lasts: u64,
    },
    /// There is a second process of a worker (H5).
    Twin {
        /// Of which.
        worker: usize,
        /// What they have in common.
        twin: Twin,
        /// For how long.
        lasts: u64,
    },
    /// For a while a worker takes in questions about attempts and says nothing: what it has swallowed
    /// it never answers in that session (H6).
    Swallow {
        /// Which worker.
        worker: usize,
        /// For how long.
        lasts: u64,
    },
    /// The coordinator's wall clock is set (T1).
    SetClock {
        /// By so many milliseconds.
        by: i64,
    },
    /// Timers of a process fire late (T3).
    Late {
        /// Which.
        who: Who,
        /// By how much at most.
        most: u64,
        /// They fire at multiples of this, many at once; 0 and 1: when they do.
        grain: u64,
        /// For how long.
        lasts: u64,
    },
    /// Commits take longer for a while (D1).
    Slow {
        /// By how much.
        delay: u64,
        /// For how long.
        lasts: u64,
    },
    /// Commits fail for a while, and are tried again (D1).
    Fails {
        /// For how long.
        lasts: u64,
    },
    /// What a worker proves itself with is not good any more (O1): in a world with such a fault the
    /// coordinator looks at what everybody shows.
    Credential {
        /// Which worker.
        worker: usize,
        /// In which way.
        refusal: Refusal,
        /// Its connection is ended at once, for that reason; else it is found out at its next Hello.
        ends: bool,
    },
    /// It takes a while to find out whether what workers show is good (O1).
    Vetting {
        /// How much longer.
        delay: u64,
        /// For how long.
        lasts: u64,
    },
    /// An operator does something to a worker (O1).
    Nudge {
        /// Which worker.
        worker: usize,
        /// What.
        nudge: Nudge,
    },
}

/// Why a credential is not good any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Its time is over: a fresh one is good.
    Expired,
    /// Nothing the worker shows is good for a while.
    Rejected {
        /// For how long.
        lasts: u64,
    },
    /// It was withdrawn, which is final for the process that is told; whoever looks after it starts it
    /// again.
    Revoked {
        /// For how long.
        lasts: u64,
    },
}

/// What operators do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nudge {
    /// The worker is to reconnect.
    Reconnect,
    /// The worker is to change its connection without a gap.
    Migrate,
    /// The worker is to dial now.
    Kick,
    /// The coordinator is to end the worker's connection.
    Disconnect,
    /// The coordinator is to send the worker elsewhere.
    Redirect {
        /// Where nobody is; otherwise it is this coordinator again.
        nowhere: bool,
    },
    /// The worker is to drain; it comes back as a new process.
    Stop {
        /// At the latest after this time.
        within: u64,
        /// Back after this time.
        back: u64,
    },
}

impl Fault {
    /// Its family.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self {
            Self::Spikes { .. } => Family::N3,
            Self::Stalls { .. } => Family::N4,
            Self::Replay { .. } => Family::N5,
            Self::Corrupt { .. } => Family::N7,
            Self::Partition { .. } => Family::N8,
            Self::Flap { .. } => Family::N9,
            Self::Swizzle { .. } => Family::N10,
            Self::Narrow { .. } => Family::N11,
            Self::Segments { .. } => Family::N12,
            Self::Dials { .. } => Family::C1,
            Self::Close { .. } | Self::Cut { told: Told::Both, .. } => Family::C2,
            Self::Cut { told: Told::Only(_) | Told::Nobody, .. } => Family::C3,
            Self::Rebind { .. } => Family::C4,
            Self::Jam { .. } => Family::C5,
            Self::Crash { .. } => Family::H1,
            Self::CrashLoop { .. } => Family::H2,
            Self::Freeze { .. } => Family::H3,
            Self::Busy { .. } => Family::H4,
            Self::Twin { .. } => Family::H5,
            Self::Swallow { .. } => Family::H6,
            Self::SetClock { .. } => Family::T1,
            Self::Late { .. } => Family::T3,
            Self::Slow { .. } | Self::Fails { .. } => Family::D1,
            Self::Credential { .. } | Self::Vetting { .. } | Self::Nudge { .. } => Family::O1,
        }
    }

    /// Whom it happens to.
    #[must_use]
    pub const fn whom(&self) -> Whom {
        match *self {
            Self::Spikes { workers, .. }
            | Self::Stalls { workers, .. }
            | Self::Replay { workers, .. }
            | Self::Corrupt { workers, .. }
            | Self::Partition { workers, .. }
            | Self::Flap { workers, .. }
            | Self::Swizzle { workers, .. }
            | Self::Narrow { workers, .. }
            | Self::Segments { workers, .. } => Whom::Workers(workers),
            Self::Dials { worker, .. }
            | Self::Close { worker, .. }
            | Self::Cut { worker, .. }
            | Self::Rebind { worker, .. }
            | Self::Jam { worker, .. }
            | Self::Twin { worker, .. }
            | Self::Swallow { worker, .. }
            | Self::Credential { worker, .. }
            | Self::Nudge { worker, .. }
            | Self::Crash { who: Who::Worker(worker), .. }
            | Self::CrashLoop { who: Who::Worker(worker), .. }
            | Self::Freeze { who: Who::Worker(worker), .. }
            | Self::Busy { who: Who::Worker(worker), .. }
            | Self::Late { who: Who::Worker(worker), .. } => Whom::Worker(worker),
            Self::Crash { who: Who::Coordinator, .. }
            | Self::CrashLoop { who: Who::Coordinator, .. }
            | Self::Freeze { who: Who::Coordinator, .. }
            | Self::Busy { who: Who::Coordinator, .. }
            | Self::Late { who: Who::Coordinator, .. }
            | Self::SetClock { .. }
            | Self::Slow { .. }
            | Self::Fails { .. }
            | Self::Vetting { .. } => Whom::Coordinator,
        }
    }

    /// Whether only a hostile world has it.
    #[must_use]
    pub const fn is_hostile(&self) -> bool {
        match self {
            Self::Replay { .. } | Self::Jam { haunts: true, .. } => true,
            Self::Crash { kept, .. } => match kept {
                Kept::Before { .. } | Kept::Nothing => true,
                Kept::All | Kept::Synced => false,
            },
            Self::Spikes { .. }
            | Self::Stalls { .. }
            | Self::Corrupt { .. }
            | Self::Partition { .. }
            | Self::Flap { .. }
            | Self::Swizzle { .. }
            | Self::Narrow { .. }
            | Self::Segments { .. }
            | Self::Dials { .. }
            | Self::Close { .. }
            | Self::Cut { .. }
            | Self::Rebind { .. }
            | Self::Jam { haunts: false, .. }
            | Self::CrashLoop { .. }
            | Self::Freeze { .. }
            | Self::Busy { .. }
            | Self::Twin { .. }
            | Self::Swallow { .. }
            | Self::SetClock { .. }
            | Self::Late { .. }
            | Self::Slow { .. }
            | Self::Fails { .. }
            | Self::Credential { .. }
            | Self::Vetting { .. }
            | Self::Nudge { .. } => false,
        }
    }

    /// Whether it ends a process for good.
    pub(crate) const fn revokes(&self) -> bool {
        matches!(self, Self::Credential { refusal: Refusal::Revoked { .. }, .. })
    }

    /// The same, happening to this worker if it happens to one.
    pub(crate) fn aimed(mut self, at: usize) -> Self {
        match &mut self {
            Self::Spikes { workers, .. }
            | Self::Stalls { workers, .. }
            | Self::Replay { workers, .. }
            | Self::Corrupt { workers, .. }
            | Self::Partition { workers, .. }
            | Self::Flap { workers, .. }
            | Self::Swizzle { workers, .. }
            | Self::Narrow { workers, .. }
            | Self::Segments { workers, .. } => {
                if workers.len() == 1 {
                    *workers = Workers::one(at);
                }
            }
            Self::Dials { worker, .. }
            | Self::Close { worker, .. }
            | Self::Cut { worker, .. }
            | Self::Rebind { worker, .. }
            | Self::Jam { worker, .. }
            | Self::Twin { worker, .. }
            | Self::Swallow { worker, .. }
            | Self::Credential { worker, .. }
            | Self::Nudge { worker, .. } => *worker = at,
            Self::Crash { who, .. }
            | Self::CrashLoop { who, .. }
            | Self::Freeze { who, .. }
            | Self::Busy { who, .. }
            | Self::Late { who, .. } => *who = who.aimed(at),
            Self::SetClock { .. }
            | Self::Slow { .. }
            | Self::Fails { .. }
            | Self::Vetting { .. } => {}
        }
        self
    }
}
