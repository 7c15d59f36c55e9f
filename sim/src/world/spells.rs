//! Which faults are there now, and what they meet.

use moorline_link::{State, WorkerId};

use super::World;
use crate::FrameKind;
use crate::coverage::Met;
use crate::plan::{Families, Family, Fault, SEC, Whom, good_path};

/// A fault while it lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spell {
    until: u64,
    family: Family,
    whom: Whom,
}

/// The faults around a worker, as they were found last: they hold until then.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Around {
    families: Families,
    until: u64,
}

impl World {
    /// A fault begins.
    pub(super) fn begin_spell(&mut self, fault: &Fault) {
        let now = self.now;
        self.spells.retain(|spell| now < spell.until);
        // What comes back does so under it.
        let until = self.until(fault.lasts().saturating_add(SEC));
        self.spells.push(Spell { until, family: fault.family(), whom: fault.whom() });
        for worker in &mut self.workers {
            worker.around.until = 0;
        }
    }

    /// The families of faults that a worker is under now.
    fn around(&mut self, worker: usize) -> Families {
        if self.is_peaceful() {
            return Families::NONE;
        }
        let Around { families, until } = self.workers[worker].around;
        if self.now < until {
            return families;
        }
        let mut until = self.heals_at();
        let mut families = self.always(worker);
        for spell in self.spells.iter().filter(|spell| self.now < spell.until) {
            let is_meant = match spell.whom {
                Whom::Coordinator => true,
                Whom::Worker(one) => one == worker || one == self.workers[worker].is,
                Whom::Workers(workers) => workers.contains(worker),
            };
            if is_meant {
                families = families.with(spell.family);
                until = until.min(spell.until);
            }
        }
        self.workers[worker].around = Around { families, until };
        families
    }

    /// Those that are there as long as things go wrong.
    fn always(&self, worker: usize) -> Families {
        let (plan, machine) = (&self.plan.workers[worker], &self.plan.coordinator);
        let good = good_path(self.plan.settings.beat);
        let is_bad = |task: &crate::TaskPlan| task.twice || task.panics > 0;
        [
            (Family::N1, plan.up.max() > good || plan.down.max() > good),
            (Family::N2, plan.distance > 0),
            (Family::H6, self.plan.tasks.iter().any(is_bad)),
            (Family::H7, self.plan.settings.registrations.is_some()),
            (Family::T1, machine.wall != 0 || machine.wall_rate != 0),
            (Family::T2, machine.rate != 0 || plan.rate != 0),
            (Family::K1, !self.plan.settings.is_usual()),
        ]
        .into_iter()
        .filter(|(_, is_there)| *is_there)
        .fold(Families::NONE, |all, (family, _)| all.with(family))
    }

    /// A frame is written by a worker or to it.
    pub(super) fn meet(&mut self, worker: usize, kind: FrameKind) {
        let families = self.around(worker);
        if families.is_empty() {
            return;
        }
        let node = self.workers[worker].process.node.as_ref();
        let state = node.map_or(State::Disconnected, |node| node.state());
        let now = self.clock_of_coordinator();
        let id = WorkerId(self.plan.workers[worker].id);
        let presence = self.coordinator.node.as_ref().and_then(|node| node.presence(now, id));
        for family in families.iter() {
            self.coverage.add(family, Met::Link(state), kind);
            if let Some(presence) = presence {
                self.coverage.add(family, Met::Presence(presence), kind);
            }
        }
    }
}
