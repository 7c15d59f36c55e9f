//! What every process has: lives, freezes, a timer.

use std::collections::VecDeque;

use super::twin::Twinned;
use super::{Event, World};
use crate::Rule;
use crate::decide::{Decide, Site};
use crate::plan::Who;
use crate::report::seconds;
use crate::trace::What;

/// Timeouts a machine may want at one instant.
const REPEATS_MAX: u32 = 16;

/// A process and the driver around its machine.
#[derive(Debug)]
pub(super) struct Process<N> {
    /// Its machine, while it runs.
    pub(super) node: Option<Twinned<N>>,
    /// Counts its runs: what was planned for an earlier one is void.
    pub(super) life: u32,
    frozen: Option<u64>,
    backlog: VecDeque<(u32, Event)>,
    armed: Option<u64>,
    timers: u64,
    repeats: (u64, u32),
}

impl<N> Default for Process<N> {
    fn default() -> Self {
        Self {
            node: None,
            life: 0,
            frozen: None,
            backlog: VecDeque::new(),
            armed: None,
            timers: 0,
            repeats: (0, 0),
        }
    }
}

impl<N> Process<N> {
    /// The process is gone.
    pub(super) fn end(&mut self) {
        self.node = None;
        self.life += 1;
        self.frozen = None;
        self.backlog.clear();
        self.armed = None;
    }

    /// The timer of `at` fires: whether it is still the one that is armed.
    pub(super) fn fires(&mut self, at: u64) -> bool {
        let fires = self.armed == Some(at);
        if fires {
            self.armed = None;
        }
        fires
    }

    /// A machine was run by its timer. Whether that was often at this very instant.
    pub(super) fn is_spinning(&mut self, now: u64) -> bool {
        let (at, count) = &mut self.repeats;
        *count = if *at == now { *count + 1 } else { 1 };
        *at = now;
        *count > REPEATS_MAX
    }
}

impl World {
    pub(super) fn life(&self, who: Who) -> u32 {
        match who {
            Who::Coordinator => self.coordinator.life,
            Who::Worker(index) => self.workers[index].process.life,
        }
    }

    pub(super) fn is_up(&self, who: Who) -> bool {
        match who {
            Who::Coordinator => self.coordinator.node.is_some(),
            Who::Worker(index) => self.workers[index].process.node.is_some(),
        }
    }

    pub(super) fn is_frozen(&self, who: Who) -> bool {
        match who {
            Who::Coordinator => self.coordinator.frozen.is_some(),
            Who::Worker(index) => self.workers[index].process.frozen.is_some(),
        }
    }

    /// Puts an event aside until its process runs again.
    pub(super) fn backlog(&mut self, who: Who, event: Event) {
        let waiting = (self.cause, event);
        match who {
            Who::Coordinator => self.coordinator.backlog.push_back(waiting),
            Who::Worker(index) => self.workers[index].process.backlog.push_back(waiting),
        }
    }

    /// Arms the timer of a process for this time of the world.
    pub(super) fn arm(&mut self, who: Who, at: u64) {
        let late = self.plan.settings.late;
        let real = self.real_time_of(who, at);
        let process_number = match who {
            Who::Coordinator => 0,
            Who::Worker(index) => 1 + index as u64,
        };
        let (armed, timers) = match who {
            Who::Coordinator => (&mut self.coordinator.armed, &mut self.coordinator.timers),
            Who::Worker(index) => {
                let process = &mut self.workers[index].process;
                (&mut process.armed, &mut process.timers)
            }
        };
        if *armed == Some(at) {
            return;
        }
        *armed = Some(at);
        *timers += 1;
        let late = self.draws.draw(Site::Timer, process_number, *timers, late);
        self.at(real.max(self.now) + late, Event::Wake { who, at });
    }

    pub(super) fn disarm(&mut self, who: Who) {
        match who {
            Who::Coordinator => self.coordinator.armed = None,
            Who::Worker(index) => self.workers[index].process.armed = None,
        }
    }

    pub(super) fn freeze(&mut self, who: Who, lasts: u64) {
        if !self.is_up(who) || self.is_frozen(who) {
            return;
        }
        let now = self.now;
        match who {
            Who::Coordinator => self.coordinator.frozen = Some(now),
            Who::Worker(index) => self.workers[index].process.frozen = Some(now),
        }
        self.note(What::Freezes.by(who).value(lasts), || {
            format!("{who} freezes for {}", seconds(lasts))
        });
        self.after(lasts, Event::Thaw { who });
    }

    /// The process runs again, and finds everything that arrived meanwhile.
    pub(super) fn thaw(&mut self, who: Who) {
        let (frozen, backlog) = match who {
            Who::Coordinator => {
                let process = &mut self.coordinator;
                (process.frozen.take(), std::mem::take(&mut process.backlog))
            }
            Who::Worker(index) => {
                let process = &mut self.workers[index].process;
                (process.frozen.take(), std::mem::take(&mut process.backlog))
            }
        };
        // It ended meanwhile.
        let Some(since) = frozen else { return };
        let (now, life) = (self.now, self.life(who));
        match who {
            Who::Coordinator => self.ledger.coordinator_was_frozen(now - since),
            Who::Worker(index) => self.ledger.disturbed(index, now),
        }
        let waiting = backlog.len();
        let thaws = What::Thaws.by(who).value(waiting as u64);
        self.note(thaws, || format!("{who} thaws; {waiting} events waited"));
        // Its timer may be looked at before its sockets, or after.
        let timer_first = self.draws.draw(Site::Thaw, since, 0, 2) == 1;
        let (timers, others): (Vec<_>, Vec<_>) =
            backlog.into_iter().partition(|(_, event)| matches!(event, Event::Wake { .. }));
        let ordered: Vec<(u32, Event)> = if timer_first {
            timers.into_iter().chain(others).collect()
        } else {
            others.into_iter().chain(timers).collect()
        };
        for (cause, event) in ordered {
            if self.life(who) != life {
                return;
            }
            self.because_of(cause);
            self.deal(event);
        }
    }

    pub(super) fn spins(&mut self, who: Who) {
        self.break_promise(
            Rule::Spinning,
            format!("{who:?} wants to be run more than {REPEATS_MAX} times at one instant"),
        );
    }
}
