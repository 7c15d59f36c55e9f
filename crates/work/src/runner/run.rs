//! One run of a handler.

use core::time::Duration;

use crate::{AbortReason, Disposition, Holding, Instant, Outcome, RunPhase, Sym, TaskKey};

/// One run, from the assignment until its result is answered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Run {
    pub(super) key: TaskKey,
    pub(super) handler: Sym,
    pub(super) started: Instant,
    /// How long its handler may run.
    pub(super) limit: Option<Duration>,
    pub(super) stage: Stage,
}

/// What is known of a run, by phase.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Stage {
    Running {
        deadline: Option<Instant>,
        /// The inventory named it and the answer is not there yet: how it ends must wait for it,
        /// because the answer may change the number of the attempt.
        unjudged: bool,
    },
    Stopping {
        reason: AbortReason,
        unjudged: bool,
    },
    Finished {
        outcome: Outcome,
        len: u32,
        /// Counts the runs that finished: results are offered in this order.
        order: u64,
        offer: Offer,
    },
    Abandoned {
        disposition: Disposition,
    },
}

/// Where the result of a finished run stands in the present session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Offer {
    /// The inventory named its key and the answer is not there yet.
    Unjudged,
    /// It waits for room on the lane.
    Due,
    /// The lane has it and delivers it once.
    Handed,
}

/// What became of a run that is gone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Gone {
    Settled(Disposition),
    HandedBack,
}

impl Run {
    /// Its result is with the lane, which delivers it.
    pub(super) fn is_handed(&self) -> bool {
        match self.stage {
            Stage::Finished { offer, .. } => offer == Offer::Handed,
            Stage::Running { .. } | Stage::Stopping { .. } | Stage::Abandoned { .. } => false,
        }
    }

    pub(super) fn phase(&self) -> RunPhase {
        match self.stage {
            Stage::Running { .. } => RunPhase::Running,
            Stage::Stopping { .. } => RunPhase::Stopping,
            Stage::Finished { .. } => RunPhase::Finished,
            Stage::Abandoned { .. } => RunPhase::Abandoned,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Running { deadline, .. } => deadline,
            Stage::Stopping { .. } | Stage::Finished { .. } | Stage::Abandoned { .. } => None,
        }
    }

    /// What the inventory says of it; `None` if nothing.
    pub(super) fn holding(&self) -> Option<Holding> {
        match self.stage {
            Stage::Running { .. } | Stage::Stopping { .. } => {
                Some(Holding::Running { progress: 0 })
            }
            Stage::Finished { outcome, len, offer: Offer::Unjudged | Offer::Due, .. } => {
                Some(Holding::Finished { outcome, len })
            }
            Stage::Finished { offer: Offer::Handed, .. } | Stage::Abandoned { .. } => None,
        }
    }

    pub(super) fn is_unjudged(&self) -> bool {
        match self.stage {
            Stage::Running { unjudged, .. } | Stage::Stopping { unjudged, .. } => unjudged,
            Stage::Finished { offer, .. } => offer == Offer::Unjudged,
            Stage::Abandoned { .. } => false,
        }
    }
}

/// How an attempt ended, as its handler says and as it was told to: a success is a success whatever
/// was asked, an abort explains everything else. `None`: it is handed back, and has not ended.
pub(super) fn outcome_after_abort(said: Outcome, reason: AbortReason) -> Option<Outcome> {
    let outcome = match (said, reason) {
        (Outcome::Succeeded, _) => Outcome::Succeeded,
        (
            Outcome::Failed { .. } | Outcome::TimedOut | Outcome::Cancelled,
            AbortReason::Cancelled,
        ) => Outcome::Cancelled,
        (
            Outcome::Failed { .. } | Outcome::TimedOut | Outcome::Cancelled,
            AbortReason::TimedOut,
        ) => Outcome::TimedOut,
        (
            Outcome::Failed { .. } | Outcome::TimedOut | Outcome::Cancelled,
            AbortReason::HandedBack,
        ) => return None,
    };
    Some(outcome)
}
