//! What a worker keeps on a disk of its own: results, until they are answered.
//!
//! A [`WorkerNode`](crate::WorkerNode) that has a journal asks for writes by
//! [`WorkerAction::Journal`](crate::WorkerAction::Journal), and is answered by
//! [`WorkerInput::Journaled`](crate::WorkerInput::Journaled).

use bytes::Bytes;
use moorline_work::{Attempt, Outcome, RunId, TaskKey};

/// The number of a write: dense from 1 within one node, the order of commitment.
///
/// ```
/// use moorline_node::JournalId;
///
/// assert!(JournalId(1) < JournalId(2), "in the order they were asked for");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct JournalId(pub u64);

/// One write to the journal, after all with smaller numbers.
///
/// ```
/// use moorline_node::{JournalId, JournalOp, JournalWrite};
/// use moorline_work::RunId;
///
/// let forgets = JournalWrite { id: JournalId(2), op: JournalOp::Forget { run: RunId(1) } };
/// assert!(forgets.id > JournalId(1), "what kept it came before");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct JournalWrite {
    /// Its number.
    pub id: JournalId,
    /// What.
    pub op: JournalOp,
}

/// What is written.
///
/// ```
/// use moorline_node::JournalOp;
/// use moorline_work::RunId;
///
/// /// What makes room.
/// fn frees(op: &JournalOp) -> Option<RunId> {
///     match op {
///         JournalOp::Forget { run } => Some(*run),
///         JournalOp::Keep(_) | JournalOp::Renumber { .. } => None,
///     }
/// }
/// # let _ = frees;
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum JournalOp {
    /// A handler ended: this is kept until it is forgotten. Where there is no room for it nothing is
    /// written, and the answer says so.
    Keep(KeptResult),
    /// The attempt behind a result has another number from now on. Of a run that is not kept it changes
    /// nothing.
    Renumber {
        /// Which run.
        run: RunId,
        /// The number.
        attempt: Attempt,
    },
    /// The result is answered. Of a run that is not kept it changes nothing.
    Forget {
        /// Which run.
        run: RunId,
    },
}

/// A result that is kept: what a process of the same worker needs to deliver it later.
///
/// ```
/// use bytes::Bytes;
/// use moorline_node::KeptResult;
/// use moorline_work::{Attempt, Outcome, RunId, TaskId, TaskKey};
///
/// let key = TaskKey { task: TaskId(7), attempt: Attempt(1) };
/// let body = Bytes::from_static(b"42");
/// let kept = KeptResult { run: RunId(1), key, outcome: Outcome::Succeeded, body };
/// assert_eq!(kept.cost(), 66);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct KeptResult {
    /// Its run: no other one of this journal has that number, also none of another process.
    pub run: RunId,
    /// Its attempt.
    pub key: TaskKey,
    /// How it ended.
    pub outcome: Outcome,
    /// The result, or the error in words.
    pub body: Bytes,
}

impl KeptResult {
    /// What one result counts for in the bound of a journal beside its body, in bytes.
    pub const COST: u64 = 64;

    /// What it counts for in the bound of a journal, in bytes.
    #[must_use]
    pub fn cost(&self) -> u64 {
        Self::COST.saturating_add(self.body.len() as u64)
    }
}
