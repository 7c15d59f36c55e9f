//! What every process has: lives, freezes, a timer.

use std::collections::VecDeque;

use moorline_link::Instant;

use super::clocks::rated;
use super::twin::Twinned;
use super::{Event, World};
use crate::Rule;
use crate::decide::{Decide, Site};
use crate::plan::{SEC, Who};
use crate::report::seconds;
use crate::trace::What;

/// Timeouts a machine may want at one instant.
const REPEATS_MAX: u32 = 16;

/// Under which decisions about a process are taken.
const fn process_number(who: Who) -> u64 {
    match who {
        Who::Coordinator => 0,
        Who::Worker(index) => 1 + index as u64,
    }
}

/// A process and the driver around its machine.
#[derive(Debug)]
pub(super) struct Process<N> {
    /// Its machine, while it runs.
    pub(super) node: Option<Twinned<N>>,
    /// Counts its runs: what was planned for an earlier one is void.
    pub(super) life: u32,
    frozen: Option<u64>,
    /// Its clock stands still while it is frozen.
    suspended: bool,
    /// How long its clock has stood still.
    slept: u64,
    /// For how long it is busy with each event, until then.
    busy: (u64, u64),
    /// It is busy, and is ready for the next event when that is told.
    at_work: bool,
    /// How late its timers fire: until when, how late at most, and at multiples of what.
    pub(super) late: (u64, u64, u64),
    backlog: VecDeque<(u32, Event)>,
    armed: Option<Instant>,
    timers: u64,
    repeats: (u64, u32),
}

impl<N> Default for Process<N> {
    fn default() -> Self {
        Self {
            node: None,
            life: 0,
            frozen: None,
            suspended: false,
            slept: 0,
            busy: (0, 0),
            at_work: false,
            late: (0, 0, 0),
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
        self.suspended = false;
        self.at_work = false;
        self.backlog.clear();
        self.armed = None;
    }

    /// It runs again: since when it did not, and what has waited for it.
    fn thaw(&mut self, now: u64) -> VecDeque<(u32, Event)> {
        self.slept = self.slept(now);
        self.suspended = false;
        self.at_work = false;
        self.frozen = None;
        std::mem::take(&mut self.backlog)
    }

    /// The timer of `at` fires: whether it is still the one that is armed.
    pub(super) fn fires(&mut self, at: Instant) -> bool {
        let fires = self.armed == Some(at);
        if fires {
            self.armed = None;
        }
        fires
    }

    /// How long its clock has stood still up to now.
    pub(super) fn slept(&self, now: u64) -> u64 {
        let since = self.frozen.filter(|_| self.suspended);
        self.slept + since.map_or(0, |since| now - since)
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

    /// How many events like this wait for a process.
    pub(super) fn waiting(&self, who: Who, event: &Event) -> usize {
        let backlog = match who {
            Who::Coordinator => &self.coordinator.backlog,
            Who::Worker(index) => &self.workers[index].process.backlog,
        };
        backlog.iter().filter(|(_, waiting)| waiting == event).count()
    }

    /// Arms the timer of a process for this time of its clock.
    pub(super) fn arm(&mut self, who: Who, at: Instant) {
        let late = self.plan.settings.late;
        let real = self.real_time_of(who, at);
        let process_number = process_number(who);
        let (armed, timers, by_fault) = match who {
            Who::Coordinator => {
                let process = &mut self.coordinator;
                (&mut process.armed, &mut process.timers, process.late)
            }
            Who::Worker(index) => {
                let process = &mut self.workers[index].process;
                (&mut process.armed, &mut process.timers, process.late)
            }
        };
        if *armed == Some(at) {
            return;
        }
        *armed = Some(at);
        *timers += 1;
        let k = *timers;
        let mut fires = real.max(self.now) + self.draws.draw(Site::Timer, process_number, k, late);
        let (until, most, grain) = by_fault;
        if self.now < until {
            let late = self.draws.draw(Site::Timer, process_number, k ^ 1 << 63, most);
            fires = (fires + late).next_multiple_of(grain.max(1)).min(until).max(fires);
        }
        self.at(fires, Event::Wake { who, at });
    }

    pub(super) fn disarm(&mut self, who: Who) {
        match who {
            Who::Coordinator => self.coordinator.armed = None,
            Who::Worker(index) => self.workers[index].process.armed = None,
        }
    }

    pub(super) fn freeze(&mut self, who: Who, until: u64, suspended: bool) {
        if !self.is_up(who) || self.is_frozen(who) {
            return;
        }
        let now = self.now;
        match who {
            Who::Coordinator => {
                let process = &mut self.coordinator;
                (process.frozen, process.suspended) = (Some(now), suspended);
            }
            Who::Worker(index) => {
                let process = &mut self.workers[index].process;
                (process.frozen, process.suspended) = (Some(now), suspended);
            }
        }
        let lasts = until - now;
        self.note(What::Freezes.by(who).value(lasts), || {
            let words = if suspended { "is suspended" } else { "freezes" };
            if until == u64::MAX {
                format!("{who} {words} for good")
            } else {
                format!("{who} {words} for {}", seconds(lasts))
            }
        });
        self.at(until, Event::Thaw { who, since: now });
    }

    /// The process runs again, and finds everything that arrived meanwhile.
    pub(super) fn thaw(&mut self, who: Who, since: u64) {
        let frozen = match who {
            Who::Coordinator => self.coordinator.frozen,
            Who::Worker(index) => self.workers[index].process.frozen,
        };
        // It ended meanwhile: the one after it stands still, or is busy, for a reason of its own.
        if frozen != Some(since) {
            return;
        }
        let now = self.now;
        let backlog = match who {
            Who::Coordinator => self.coordinator.thaw(now),
            Who::Worker(index) => self.workers[index].process.thaw(now),
        };
        let life = self.life(who);
        match who {
            Who::Coordinator => {
                let rate = self.plan.coordinator.rate;
                self.ledger.coordinator_was_frozen(rated(now, rate) - rated(since, rate));
            }
            Who::Worker(index) => self.ledger.disturbed(index, self.time_of(index)),
        }
        let waiting = backlog.len();
        let thaws = What::Thaws.by(who).value(waiting as u64);
        self.note(thaws, || format!("{who} thaws; {waiting} events waited"));
        // Its timer may be looked at before its sockets, or after.
        let timer_first = self.draws.draw(Site::Thaw, process_number(who), since, 2) == 1;
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

    /// A process is busy with every event for so long, until then.
    pub(super) fn occupy(&mut self, who: Who, each: u64, until: u64) {
        match who {
            Who::Coordinator => {
                self.coordinator.busy = (until, each);
                self.runs_late(until);
            }
            Who::Worker(index) => self.workers[index].process.busy = (until, each),
        }
    }

    /// The coordinator runs late until then, and takes a while to find out what it missed.
    pub(super) fn runs_late(&mut self, until: u64) {
        let until = rated(until, self.plan.coordinator.rate) + self.suspect_after + SEC;
        self.late_until = until.max(self.late_until);
    }

    /// Gives an event to a process, at once or when it is ready for that.
    pub(super) fn deal_in_time(&mut self, who: Who, event: Event) {
        let now = self.now;
        let (busy, at_work) = match who {
            Who::Coordinator => (self.coordinator.busy, &mut self.coordinator.at_work),
            Who::Worker(index) => {
                let process = &mut self.workers[index].process;
                (process.busy, &mut process.at_work)
            }
        };
        if *at_work {
            self.backlog(who, event);
            return;
        }
        let (until, each) = busy;
        if now < until && each > 0 {
            *at_work = true;
            self.after(each, Event::Next { who });
        }
        self.deal(event);
    }

    /// A process has done with an event.
    pub(super) fn next(&mut self, who: Who) {
        if self.is_frozen(who) {
            return;
        }
        let mut taken = self.take_next(who);
        while let Some((cause, event)) = taken {
            self.because_of(cause);
            self.deal_in_time(who, event);
            // Unless it is busy with that one.
            taken = if self.is_at_work(who) { None } else { self.take_next(who) };
        }
    }

    fn is_at_work(&self, who: Who) -> bool {
        match who {
            Who::Coordinator => self.coordinator.at_work,
            Who::Worker(index) => self.workers[index].process.at_work,
        }
    }

    /// What has waited longest for a process that has done with what it did.
    fn take_next(&mut self, who: Who) -> Option<(u32, Event)> {
        match who {
            Who::Coordinator => {
                self.coordinator.at_work = false;
                self.coordinator.backlog.pop_front()
            }
            Who::Worker(index) => {
                let process = &mut self.workers[index].process;
                process.at_work = false;
                process.backlog.pop_front()
            }
        }
    }

    pub(super) fn spins(&mut self, who: Who) {
        self.break_promise(
            Rule::Spinning,
            format!("{who:?} wants to be run more than {REPEATS_MAX} times at one instant"),
        );
    }
}
