//! What goes into a [`Runner`](crate::Runner) and what comes out of it.

use core::time::Duration;

use crate::{
    Assign, CoordinatorMessage, Disposition, Instant, Judgement, Outcome, RunId, Sym, TaskKey,
};

/// Everything a [`Runner`](crate::Runner) can be told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RunnerInput {
    /// The time of [`next_wake`](crate::Runner::next_wake) has come (an early one changes nothing).
    Timeout,
    /// The coordinator accepted a registration. In a new session everything said in the old one is
    /// void, and what is held is judged again.
    Welcomed {
        /// Whether the old session goes on.
        resumed: bool,
    },
    /// The coordinator's answer to one key of the inventory.
    Judged {
        /// Which.
        key: TaskKey,
        /// What to do with it.
        judgement: Judgement,
    },
    /// A message of the coordinator.
    Message(CoordinatorMessage),
    /// A handler ended (or stopped after an abort); its body is kept by the embedder.
    Done {
        /// Which run.
        run: RunId,
        /// How. After an abort the reason of the abort wins over a failure, a success over both.
        outcome: Outcome,
        /// Size of the body in bytes.
        len: u32,
    },
    /// A run that was started waits before its handler begins: until then it has no time limit.
    Waits {
        /// Which run.
        run: RunId,
    },
    /// The handler of a run that waited begins: its time limit counts from now on.
    Begins {
        /// Which run.
        run: RunId,
    },
    /// Take nothing new from now on.
    Drain,
    /// The time to finish is over: stop what runs, to hand it back. A success that comes all the same
    /// is owed like any other.
    HandBack,
}

/// What became of an input, at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RunnerVerdict {
    /// It took effect, or rightly changed nothing.
    Accepted,
    /// The assignment starts a run: keep its payload under this name.
    Started {
        /// The run.
        run: RunId,
        /// What was assigned.
        assign: Assign,
        /// When the run has to end.
        deadline: Option<Instant>,
    },
    /// The assignment was refused or is held already: its payload is not needed.
    NotStarted,
    /// It names something that is not held: nothing changed.
    Stale,
}

/// Why a run is to be stopped.
///
/// ```
/// use moorline_work::AbortReason;
///
/// fn say(reason: AbortReason) -> &'static str {
///     match reason {
///         AbortReason::Cancelled => "not wanted any more",
///         AbortReason::TimedOut => "ran longer than it may",
///         AbortReason::HandedBack => "will run elsewhere",
///     }
/// }
/// # let _ = say;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AbortReason {
    /// The coordinator said so.
    Cancelled,
    /// It ran longer than it may.
    TimedOut,
    /// The time of its worker's drain is over: the task will run elsewhere.
    HandedBack,
}

/// What the driver can always do at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RunnerAction {
    /// Stop this run; say `Done` when it has stopped.
    Abort {
        /// Which run.
        run: RunId,
        /// Its attempt.
        key: TaskKey,
        /// Why.
        reason: AbortReason,
    },
    /// The result is answered: its body may go.
    Settled {
        /// Which run.
        run: RunId,
        /// Its attempt.
        key: TaskKey,
        /// What became of it.
        disposition: Disposition,
    },
    /// The run has stopped and is nobody's any more: what it left may go.
    HandedBack {
        /// Which run.
        run: RunId,
        /// Its attempt.
        key: TaskKey,
    },
}

/// Settings of a [`Runner`](crate::Runner).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RunnerConfig {
    /// How many attempts run at once: 1 to 65,535. Default 1.
    pub slots: u16,
    /// How long an attempt may run when its task does not say; the shorter of both counts. Default: no limit.
    pub task_timeout: Option<Duration>,
}

impl Default for RunnerConfig {
    fn default() -> Self {
        Self { slots: 1, task_timeout: None }
    }
}

/// What a [`Runner`](crate::Runner) waits for.
///
/// ```
/// use moorline_work::{Runner, RunnerConfig, RunnerTimer, Wake};
///
/// let runner = Runner::new(RunnerConfig::default(), []);
/// let wake: Wake<RunnerTimer> = runner.next_wake();
/// assert_eq!(wake, Wake::OnInput);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RunnerTimer {
    /// The earliest run that has to end.
    RunDeadline,
}

impl RunnerTimer {
    /// Every timer, in the order in which ties resolve.
    pub const ALL: [Self; 1] = [Self::RunDeadline];
}

/// Where one run stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RunPhase {
    /// Its handler runs.
    Running,
    /// Its handler is to stop; how it ended is still owed to the coordinator, unless it is handed back.
    Stopping,
    /// Its handler ended; the result is offered until it is answered.
    Finished,
    /// Its handler is to stop, and nobody wants to know how it ended.
    Abandoned,
}

impl RunPhase {
    /// Every phase.
    pub const ALL: [Self; 4] = [Self::Running, Self::Stopping, Self::Finished, Self::Abandoned];

    /// Whether the handler uses a slot.
    #[must_use]
    pub const fn uses_slot(self) -> bool {
        match self {
            Self::Running | Self::Stopping | Self::Abandoned => true,
            Self::Finished => false,
        }
    }

    /// Whether a run may go from this phase to another; `None` is "no such run", before and after.
    ///
    /// ```
    /// use moorline_work::RunPhase;
    ///
    /// assert!(RunPhase::allows(None, Some(RunPhase::Running)));
    /// // A result is kept until it is answered, so nothing running is ever just gone.
    /// assert!(!RunPhase::allows(Some(RunPhase::Running), None));
    /// ```
    #[must_use]
    pub const fn allows(from: Option<Self>, to: Option<Self>) -> bool {
        match (from, to) {
            (None, Some(Self::Running))
            | (Some(Self::Running), Some(Self::Stopping | Self::Finished | Self::Abandoned))
            | (Some(Self::Stopping), Some(Self::Finished | Self::Abandoned))
            | (Some(Self::Stopping | Self::Finished | Self::Abandoned), None) => true,
            (None, None | Some(Self::Stopping | Self::Finished | Self::Abandoned))
            | (Some(Self::Running), None | Some(Self::Running))
            | (Some(Self::Stopping), Some(Self::Running | Self::Stopping))
            | (Some(Self::Finished | Self::Abandoned), Some(_)) => false,
        }
    }
}

/// What one run looks like from outside, now.
///
/// ```
/// use moorline_work::{RunSnapshot, Runner, RunnerConfig};
///
/// let runner = Runner::new(RunnerConfig::default(), []);
/// let runs: Vec<RunSnapshot> = runner.runs().collect();
/// assert!(runs.is_empty());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RunSnapshot {
    /// The run.
    pub run: RunId,
    /// Its attempt, under its present number.
    pub key: TaskKey,
    /// Its handler.
    pub handler: Sym,
    /// When it started.
    pub started: Instant,
    /// When it has to end. `None`: no limit, or the handler has ended or was told to stop.
    pub deadline: Option<Instant>,
    /// Where it stands.
    pub phase: RunPhase,
}
