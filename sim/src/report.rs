//! What a run comes to.

use std::fmt;

use moorline_work::TaskId;

use crate::plan::TaskPlan;
use crate::{Class, Coverage, Invariant, Rule};

/// A promise that was broken, with the circumstances.
///
/// ```
/// use moorline_sim::{Class, Invariant, Rule, Violation};
///
/// let violation = Violation::new(Rule::Panic, "index out of bounds");
/// assert_eq!(violation.invariant, Invariant::Decoded);
/// assert_eq!(violation.class(), Class::Panic);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// In which way.
    pub rule: Rule,
    /// The circumstances, in words.
    pub words: String,
}

impl Violation {
    /// This rule is broken, in these circumstances.
    #[must_use]
    pub fn new(rule: Rule, words: impl Into<String>) -> Self {
        Self { invariant: rule.invariant(), rule, words: plain(words.into()) }
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn class(&self) -> Class {
        if self.rule == Rule::Panic { Class::Panic } else { self.invariant.class() }
    }
}

/// As in `SAFE-9 LostEarly: w1 is lost after 3000 ms of silence`.
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}: {}", self.invariant, self.rule, self.words)
    }
}

/// A run in which every promise was kept.
#[derive(Clone, PartialEq, Eq, Debug)]
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
    /// After the faults: how much of the time in which everybody has to be back was used, in
    /// thousandths.
    pub back: u64,
    /// After the faults: how much of the time in which everything has to have ended was used, in
    /// thousandths.
    pub ended: u64,
    /// The rarer things that happened.
    pub seen: Seen,
    /// Which faults met which states and frames.
    pub coverage: Coverage,
}

macro_rules! seen {
    ($($name:ident $meaning:literal;)*) => {
        /// How often the rarer things happened: a swarm in which one never does proves nothing about it.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct Seen { $(#[doc = $meaning] pub $name: u64,)* }

        impl Seen {
            /// Each with its name.
            #[must_use]
            pub fn counts(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name)),*]
            }
        }
    };
}

seen! {
    lost "Workers whose leases were given away.";
    redelivered "Attempts that returned to the queue because their worker was lost.";
    returned "Attempts that returned to the queue by their worker's own word.";
    retried "Attempts that failed and may be tried again.";
    dead "Tasks that were lost too often.";
    failed "Tasks that failed for good.";
    cancelled_queued "Tasks that were cancelled before they were given out.";
    cancelled_running "Tasks that were cancelled while a worker had them.";
    timed_out "Runs that took too long.";
    slow_to_stop "Runs that took longer than 3 s to stop.";
    continued "Runs that an inventory named and that go on as they are.";
    adopted "Runs that an inventory named and that go on under another attempt number.";
    fenced "Runs that an inventory named and that are not wanted any more.";
    sent "Results that an inventory named and that are wanted.";
    dropped "Results that an inventory named and that are final already.";
    kept "Results that a journal kept.";
    restored "Results of an earlier process that a journal had for the next one.";
    roomless "Results for which a journal had no room.";
    unknown "Keys that an inventory named and that the store has forgotten.";
    late "Successes that count although their attempt was not current.";
    duplicate "Results that were applied before.";
    stale "Results that were turned away.";
    revoked "Assignments that were revoked.";
    swallowed "Questions about attempts that a worker took in and said nothing to.";
    unanswered "Connections that were ended because a question was not answered.";
    held "Revokes that came too late.";
    not_held "Revokes that came in time.";
    refused "Assignments that were refused.";
    begun "Sessions that began.";
    resumed "Sessions that went on over another connection.";
    replayed "Messages that were sent again over another connection.";
    parts "Further pieces of bodies.";
    broken_bodies "Bodies that were begun again over another connection.";
    moved "Connections that gave way to another one of the same process.";
    challenged "Newcomers that waited for an incumbent.";
    conflicts "Newcomers that were refused for the sake of an incumbent.";
    taken_over "Connections that gave way to a newer process.";
    turned_away "Workers that were not let in because of what they have shown.";
    renewed "Credentials that were got anew because one was refused.";
    banned "Processes that were told that their credential was withdrawn.";
    superseded "Processes that were told that another one of the same worker has taken their place.";
    departed "Workers that left in order.";
    goaways "Connections that the coordinator ended.";
    unacked "Connections given up because heartbeats were not answered.";
    silent "Connections given up because nothing was heard.";
    stalled "Stalls that a process found in itself.";
    blocked "Times a connection took nothing more.";
    recovered "Leases of earlier lives of a coordinator.";
    torn "Crashes of a coordinator that left a commit behind which it never heard of.";
    conflicted "Operations whose condition failed.";
    submitted_again "Tasks that were handed in again.";
    clashed "Ids that were taken.";
    pruned "Tasks that the store has forgotten.";
    panicked "Handlers that panicked.";
    said_twice "Handlers that said twice that they ended.";
    corrupted "Packets that were not what was sent.";
    replays "Packets that arrived again.";
    commits_failed "Commits that failed.";
    lulls "Lulls at whose end everybody was back.";
    struck "Faults that struck at the moment they had waited for.";
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
        writeln!(f, "seed {} at {}: {}", self.seed, seconds(self.at), self.violation)?;
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

/// Words in which tasks are called what scenarios call them: `t3` instead of an id of 39 digits, and
/// `t3 attempt 2` instead of a key.
pub(crate) fn plain(words: String) -> String {
    const ID: &str = "TaskId(";
    const KEY: &str = "TaskKey { task: ";
    const ATTEMPT: &str = ", attempt: Attempt(";
    if !words.contains(ID) {
        return words;
    }
    let mut parts = words.split(ID);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let id = part.split_once(')');
        match id.and_then(|(id, rest)| Some((id.parse::<u128>().ok()?, rest))) {
            Some((id, rest)) => {
                let key = rest.strip_prefix(ATTEMPT).and_then(|rest| rest.split_once(") }"));
                let task = format!("t{}", TaskPlan::index_of(TaskId(id)));
                match (plain.strip_suffix(KEY), key) {
                    (Some(before), Some((attempt, rest))) => {
                        plain = format!("{before}{task} attempt {attempt}{rest}");
                    }
                    (Some(_), None) | (None, _) => {
                        plain.push_str(&task);
                        plain.push_str(rest);
                    }
                }
            }
            None => {
                plain.push_str(ID);
                plain.push_str(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use moorline_work::{Attempt, TaskId, TaskKey};

    use super::plain;

    #[test]
    fn tasks_are_called_what_scenarios_call_them() {
        let words = |text: &str| plain(text.to_owned());
        let id = (7_u128 << 64) | 3;
        assert_eq!(words(&format!("TaskId({id}) is gone, and TaskId({id})")), "t3 is gone, and t3");
        let key = TaskKey { task: TaskId(id), attempt: Attempt(2) };
        assert_eq!(words(&format!("{key:?} ends, {key:?}")), "t3 attempt 2 ends, t3 attempt 2");
        assert_eq!(words("w0 dials"), "w0 dials");
        assert_eq!(words("TaskId(x) TaskId("), "TaskId(x) TaskId(");
    }
}
