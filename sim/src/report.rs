//! What a run comes to.

use std::fmt;

/// A promise that was broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invariant {
    /// A task that was acknowledged is not there any more, or its end is not what was said.
    TaskLost,
    /// A task ended twice, or changed after its end.
    AppliedTwice,
    /// A result that no handler of that task made.
    ResultInvented,
    /// One process started one attempt twice.
    StartedTwice,
    /// A worker ran more at once than it has slots.
    TooManyAtOnce,
    /// A task was given to a second process while the first could still hold it.
    RanTwice,
    /// A worker's work was given away before its time.
    LostEarly,
    /// A result was answered before that was durable, or a success was turned away.
    AnsweredWrongly,
    /// A machine asks to be run again and again at the same instant.
    Spinning,
    /// Something other than work happened where nothing went wrong.
    NotCalm,
    /// Something did not end although nothing went wrong any more.
    NotEnded,
    /// More than heartbeats travelled although there was nothing to do.
    NotSilent,
    /// A packet could not be read, or was too long, or one side says that the other broke the protocol.
    Wire,
    /// A client was answered what cannot be.
    Client,
    /// A worker gave up for good.
    GaveUp,
    /// The code panicked.
    Panic,
}

/// A promise that was broken, with the circumstances.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// How.
    pub words: String,
}

/// A run in which every promise was kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// Of everything that happened, in order: equal for equal runs.
    pub hash: u64,
    /// Events.
    pub events: u64,
    /// Packets.
    pub packets: u64,
    /// Time that passed, in nanoseconds.
    pub lasted: u64,
    /// Tasks that ended.
    pub tasks: u64,
    /// Attempts that were started.
    pub attempts: u64,
    /// Dials.
    pub dials: u64,
    /// Processes that ended.
    pub crashes: u64,
    /// The rarer things that happened.
    pub seen: Seen,
}

/// How often the rarer things happened: a swarm in which one never does proves nothing about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// Workers whose leases were given away.
    pub lost: u64,
    /// Attempts that returned to the queue.
    pub returned: u64,
    /// Runs that went on under another attempt number.
    pub adopted: u64,
    /// Successes of attempts that were not current.
    pub late: u64,
    /// Results that were turned away.
    pub stale: u64,
    /// Assignments that were revoked.
    pub revoked: u64,
    /// Sessions that went on over another connection.
    pub resumed: u64,
    /// Newcomers that were refused for the sake of an incumbent, or took over from it.
    pub challenged: u64,
    /// Tasks that were lost too often.
    pub dead: u64,
    /// Bodies that travelled in parts.
    pub parts: u64,
    /// Times a connection took nothing more.
    pub blocked: u64,
}

/// A run in which a promise was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Its seed: the same seed fails in the same way.
    pub seed: u64,
    /// When, in nanoseconds.
    pub at: u64,
    /// What.
    pub violation: Violation,
    /// What happened last, a line each; empty if it was not recorded.
    pub last: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.last {
            writeln!(f, "{line}")?;
        }
        let Violation { invariant, words } = &self.violation;
        writeln!(f, "seed {} at {}: {invariant:?}: {words}", self.seed, seconds(self.at))?;
        write!(
            f,
            "again: MOORLINE_SIM_SEED={} cargo test -p moorline-sim --test seeds one_seed -- --nocapture",
            self.seed
        )
    }
}

impl std::error::Error for Failure {}

/// `12.345678 s`.
pub(crate) fn seconds(nanos: u64) -> String {
    format!("{}.{:06} s", nanos / 1_000_000_000, nanos % 1_000_000_000 / 1_000)
}
