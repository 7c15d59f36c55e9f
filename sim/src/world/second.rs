//! Second processes of a worker: who they say they are, when they begin, and when they end.

use super::worker::Worker;
use super::{Event, World};
use crate::decide::{Decide, Site};
use crate::plan::{Fault, Kept, Manner, Plan, Twin, Who};

/// The places that second processes have behind the workers of a plan: one for each fault that brings one.
/// They take no part of their own.
pub(super) fn with_seconds(mut plan: Plan) -> Plan {
    let of = |fault: &Fault| {
        let Fault::Twin { worker, .. } = *fault else { return None };
        plan.workers.get(worker).or(plan.workers.first()).cloned()
    };
    let mut seconds: Vec<_> =
        plan.seconds().filter_map(|episode| of(&plan.episodes[episode].fault)).collect();
    for second in &mut seconds {
        second.absent = true;
    }
    plan.workers.extend(seconds);
    plan
}

/// The processes of a plan that has those places.
pub(super) fn workers(plan: &Plan) -> Vec<Worker> {
    let worker = |index| Worker { is: index, called: index, ..Worker::default() };
    (0..plan.workers.len()).map(worker).collect()
}

impl World {
    /// The place of the second process that comes with this episode.
    fn place_of_second(&self, episode: usize) -> Option<usize> {
        let all = self.plan.seconds().count();
        let number = self.plan.seconds().position(|other| other == episode)?;
        (self.plan.workers.len() + number).checked_sub(all)
    }

    /// There is a second process of a worker from now on.
    pub(super) fn begin_second(&mut self, index: usize, worker: usize, twin: Twin, until: u64) {
        let Some(place) = self.place_of_second(index) else { return };
        let mut plan = self.plan.workers[worker].clone();
        plan.absent = true;
        // Another machine was started at another time.
        plan.clock = plan.clock.saturating_add(crate::plan::SEC);
        let id = (plan.id >> 64).wrapping_add(1) << 64 | place as u128;
        let (id, is, called) = match twin {
            Twin::Same => (plan.id, worker, worker),
            Twin::Renamed => (plan.id, worker, place),
            Twin::Namesake => (id, place, worker),
        };
        plan.id = id;
        self.plan.workers[place] = plan;
        let state = &mut self.workers[place];
        (state.is, state.called, state.ends_at) = (is, called, until);
        self.ledger.has_second(worker);
        self.ledger.has_second(is);
        self.begin_worker(place);
    }

    /// The second process is gone, at the end of its fault.
    pub(super) fn end_second(&mut self, index: usize) {
        let Some(place) = self.place_of_second(index) else { return };
        let who = Who::Worker(place);
        if self.is_up(who) {
            let vanishes = self.draws.draw(Site::Second, index as u64, 0, 2) == 1;
            let manner = if vanishes { Manner::Vanished } else { Manner::Killed };
            self.end_process(who, manner, Kept::All);
        }
    }

    /// A second process begins, and when it is over.
    pub(super) fn second(&mut self, index: usize, fault: Fault, worker: usize, twin: Twin) {
        let until = self.until(fault.lasts());
        self.begin_second(index, worker, twin, until);
        self.at(until, Event::GoesOn { index, fault, step: 1 });
    }

    /// Which worker this process is for the coordinator.
    pub(super) fn is(&self, index: usize) -> usize {
        self.workers[index].is
    }
}
