//! Who and what: identities of tasks, attempts, workers and operations, all `Copy`.

/// A task: chosen by the client, so submitting it again is idempotent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct TaskId(pub u128);

/// Which try of a task: the first is 1, 0 is "none yet". Never goes back, over restarts too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Attempt(pub u32);

impl Attempt {
    /// The attempt after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// One attempt of one task: what is leased, answered and fenced.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct TaskKey {
    /// The task.
    pub task: TaskId,
    /// The attempt.
    pub attempt: Attempt,
}

/// Who a worker is: stable across restarts of its process.
///
/// ```
/// use moorline_work::WorkerId;
///
/// assert_eq!(WorkerId(42).0, 42);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct WorkerId(pub u128);

/// Which process of a worker: compared only for equality.
///
/// ```
/// use moorline_work::Incarnation;
///
/// let process = Incarnation(0x5eed);
/// assert_ne!(process, Incarnation(1), "compared only for equality");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Incarnation(pub u64);

/// An interned name of a handler: the embedder keeps the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Sym(pub u32);

/// A storage operation of one dispatcher: dense, in the order in which they must be committed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct OpId(pub u64);

/// The embedder's mark on a client's request: given back with the reply.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Ticket(pub u64);

/// One run of a handler in this process: stays the same when its attempt gets another number.
///
/// ```
/// use moorline_work::{Outcome, RunId, RunnerInput};
///
/// let ended = RunnerInput::Done { run: RunId(1), outcome: Outcome::Succeeded, len: 3 };
/// # let _ = ended;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct RunId(pub u64);
