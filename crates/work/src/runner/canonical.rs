//! What of a runner decides, see [`Canonical`](crate::Canonical).

use core::hash::{Hash, Hasher};

use super::run::{Run, Stage};
use super::{RunId, Runner};
use crate::canonical::View;

impl Runner {
    pub(crate) fn feed<H: Hasher>(&self, view: &View, state: &mut H) {
        // Field by field, so that a new one has to be thought of here.
        let Self {
            config,
            handlers,
            draining,
            hands_back,
            next_run: _,
            finished: _,
            runs,
            held,
            // These two follow from the runs.
            busy: _,
            deadlines: _,
            aborts,
            gone,
            due,
            answers,
            revoked,
        } = self;
        (config, handlers, draining, hands_back).hash(state);
        runs.len().hash(state);
        for Run { key, handler, started: _, limit, stage } in runs.values() {
            (key, handler, limit).hash(state);
            match *stage {
                Stage::Running { deadline, unjudged } => {
                    (0_u8, view.at_some(deadline), unjudged).hash(state);
                }
                Stage::Stopping { reason, unjudged } => (1_u8, reason, unjudged).hash(state),
                Stage::Finished { outcome, len, order, offer } => {
                    (2_u8, outcome, len, self.finished_before(order), offer).hash(state);
                }
                Stage::Abandoned { disposition } => (3_u8, disposition).hash(state),
            }
        }
        held.len().hash(state);
        held.iter().for_each(|(key, run)| (key, self.place(*run)).hash(state));
        aborts.len().hash(state);
        aborts.iter().for_each(|(run, reason)| (self.place(*run), reason).hash(state));
        gone.len().hash(state);
        gone.iter().for_each(|(run, gone)| (self.place(*run), gone).hash(state));
        due.len().hash(state);
        due.values().for_each(|run| self.place(*run).hash(state));
        answers.hash(state);
        revoked.feed(state);
    }

    /// How many runs are older.
    fn place(&self, run: RunId) -> usize {
        self.runs.range(..run).count()
    }

    /// How many runs that are here finished earlier.
    fn finished_before(&self, order: u64) -> usize {
        let earlier = |run: &&Run| match run.stage {
            Stage::Finished { order: other, .. } => other < order,
            Stage::Running { .. } | Stage::Stopping { .. } | Stage::Abandoned { .. } => false,
        };
        self.runs.values().filter(earlier).count()
    }
}
