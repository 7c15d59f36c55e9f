//! What a worker with a journal needs beside: results of earlier processes, and runs that wait for the disk.

use super::Runner;
use super::run::{Gone, Offer, Run, Stage};
use crate::{Disposition, Instant, Outcome, RunId, RunnerVerdict, Sym, TaskKey};

impl Runner {
    /// With results that an earlier process of this worker kept, in the order in which they ended: their runs,
    /// attempts, outcomes and sizes. They are offered like its own, and new runs have larger numbers than
    /// theirs. Of two results of one attempt only the first is offered, the other is a
    /// [`Duplicate`](Disposition::Duplicate) at once. To be said before anything else.
    ///
    /// ```
    /// use moorline_work::*;
    ///
    /// let key = TaskKey { task: TaskId(7), attempt: Attempt(1) };
    /// let kept = [(RunId(3), key, Outcome::Succeeded, 2)];
    /// let mut runner = Runner::new(RunnerConfig::default(), []).with_results(kept);
    /// runner.handle(Instant::from_nanos(0), RunnerInput::Welcomed { resumed: false });
    /// let holding = Holding::Finished { outcome: Outcome::Succeeded, len: 2 };
    /// assert!(runner.inventory().eq([(key, RunId(3), holding)]));
    /// ```
    #[must_use]
    pub fn with_results(
        mut self,
        kept: impl IntoIterator<Item = (RunId, TaskKey, Outcome, u32)>,
    ) -> Self {
        for (id, key, outcome, len) in kept {
            self.next_run = self.next_run.max(id.0.saturating_add(1));
            if self.held.contains_key(&key) {
                self.gone.insert(id, (key, Gone::Settled(Disposition::Duplicate)));
                continue;
            }
            let order = self.finished;
            self.finished = self.finished.saturating_add(1);
            let stage = Stage::Finished { outcome, len, order, offer: Offer::Unjudged };
            // Which handler it was is of no use any more, and perhaps it has none of that name.
            let (handler, started, limit) = (Sym(u32::MAX), Instant::from_nanos(0), None);
            self.runs.insert(id, Run { key, handler, started, limit, stage });
            self.held.insert(key, id);
        }
        self
    }

    /// The attempt of a run that has finished, and how it ended. `None`: it has not, or is settled.
    #[must_use]
    pub fn finished(&self, run: RunId) -> Option<(TaskKey, Outcome)> {
        let Run { key, stage, .. } = self.runs.get(&run)?;
        match stage {
            Stage::Finished { outcome, .. } => Some((*key, *outcome)),
            Stage::Running { .. } | Stage::Stopping { .. } | Stage::Abandoned { .. } => None,
        }
    }

    pub(super) fn on_waits(&mut self, id: RunId) -> RunnerVerdict {
        self.disarm(id);
        match self.runs.get_mut(&id).map(|run| &mut run.stage) {
            Some(Stage::Running { deadline, .. }) => {
                *deadline = None;
                RunnerVerdict::Accepted
            }
            Some(Stage::Stopping { .. } | Stage::Finished { .. } | Stage::Abandoned { .. })
            | None => RunnerVerdict::Stale,
        }
    }

    pub(super) fn on_begins(&mut self, now: Instant, id: RunId) -> RunnerVerdict {
        self.disarm(id);
        let Some(run) = self.runs.get_mut(&id) else { return RunnerVerdict::Stale };
        match &mut run.stage {
            Stage::Running { deadline, .. } => {
                run.started = now;
                *deadline = run.limit.map(|limit| now + limit);
                self.deadlines.extend(deadline.map(|at| (at, id)));
                RunnerVerdict::Accepted
            }
            Stage::Stopping { .. } | Stage::Finished { .. } | Stage::Abandoned { .. } => {
                RunnerVerdict::Stale
            }
        }
    }
}
