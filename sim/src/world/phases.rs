//! After the faults: everything heals, everything ends, and then there is silence.

use moorline_link::{Instant, Presence, State, WorkerId};

use super::{Event, World};
use crate::Invariant;
use crate::ledger::{bound, fading};
use crate::plan::{MS, SEC};
use crate::report::seconds;

/// Where a run stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Things go wrong.
    Chaos,
    /// Nothing goes wrong any more; everything has to have ended by then.
    Healing { by: u64 },
    /// Everything has ended; last words until `from`, then only heartbeats until `until`.
    Silence { from: u64, until: u64 },
    /// It is over.
    Over,
}

/// Between two looks.
const LOOK: u64 = 500 * MS;

impl World {
    pub(super) fn quiet(&mut self) {
        let by = self.now + bound(&self.plan);
        self.trace.note(self.now, 50, || format!("quiet; all must have ended by {}", seconds(by)));
        self.phase = Phase::Healing { by };
        self.look();
    }

    pub(super) fn look(&mut self) {
        match self.phase {
            Phase::Chaos | Phase::Over => return,
            // What began to go wrong before has to show first.
            Phase::Healing { .. } if self.now < self.plan.quiet_at + fading(&self.plan) => {}
            Phase::Healing { by } => match self.unfinished() {
                None => {
                    let settings = &self.plan.settings;
                    // Acknowledgements, and what is under way.
                    let from = self.now + settings.latency.max() * 4 + SEC;
                    let until = from + settings.beat * 4;
                    self.trace.note(self.now, 51, || String::from("everything has ended"));
                    self.phase = Phase::Silence { from, until };
                }
                Some(words) if self.now > by => {
                    self.break_promise(Invariant::NotEnded, words);
                }
                Some(_) => {}
            },
            Phase::Silence { until, .. } => {
                if self.now >= until {
                    let judgement = self.ledger.audit(&mut *self.disk.reader());
                    self.judge(judgement);
                    self.phase = Phase::Over;
                    return;
                }
            }
        }
        self.after(LOOK, Event::Look);
    }

    /// A packet with more than heartbeats is written.
    pub(super) fn spoke(&mut self, words: impl FnOnce() -> String) {
        if let Phase::Silence { from, .. } = self.phase
            && self.now > from
        {
            self.break_promise(Invariant::NotSilent, words());
        }
    }

    fn half_open_worker(&self) -> Option<usize> {
        (0..self.workers.len())
            .flat_map(|index| self.network.of(index))
            .copied()
            .find(|conn| self.network.conn(*conn).is_dead())
    }

    /// What has not ended, or who is not there.
    fn unfinished(&self) -> Option<String> {
        let unanswered = self.unanswered();
        if unanswered > 0 {
            return Some(format!("{unanswered} clients are not answered"));
        }
        let open = self.ledger.open();
        if !open.is_empty() {
            return Some(format!("{} tasks have not ended: {:?}", open.len(), open.first()));
        }
        let Some(coordinator) = &self.coordinator.node else {
            return Some(String::from("the coordinator does not run"));
        };
        let now = Instant::from_nanos(self.now);
        for (index, worker) in self.workers.iter().enumerate() {
            let Some(node) = &worker.process.node else {
                return Some(format!("w{index} does not run"));
            };
            if node.state() != State::Active {
                return Some(format!("w{index} is {:?}", node.state()));
            }
            if node.owes() {
                let runs: Vec<_> = node.runs().collect();
                return Some(format!("w{index} is not rid of {runs:?}"));
            }
            let view = coordinator.worker(now, WorkerId(self.plan.workers[index].id));
            let presence = view.map(|view| view.presence);
            if presence != Some(Presence::Active) {
                return Some(format!("w{index} is {presence:?} for the coordinator"));
            }
        }
        // Ends of connections that nobody told of their end.
        let conns = self.network.of_coordinator();
        if let Some(conn) = conns.iter().find(|conn| self.network.conn(**conn).is_dead()) {
            return Some(format!("c{conn} is half-open"));
        }
        if let Some(conn) = self.half_open_worker() {
            return Some(format!("c{conn} is half-open"));
        }
        if coordinator.awaits_store() || coordinator.has_outgoing() {
            return Some(String::from("the coordinator has something left to do"));
        }
        None
    }
}
