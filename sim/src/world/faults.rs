//! What goes wrong.

use std::time::Duration;

use moorline_link::{Kick, Reason, WorkerId};
use moorline_node::{Address, CoordinatorInput, WorkerInput};

use super::wires::{HERE, NOWHERE};
use super::{Event, World};
use crate::decide::{Decide, Site};
use crate::network::End;
use crate::plan::{Fault, Kept, MS, Manner, Mode, Nudge, SEC, Side, Told, Way, Who, Whom, Workers};
use crate::scenario;
use crate::trace::What;

impl World {
    pub(super) fn episode(&mut self, index: usize) {
        if self.is_peaceful() {
            return;
        }
        let episode = &self.plan.episodes[index];
        match episode.moment {
            Some(_) => self.armed.push(index),
            None => self.fault(index, episode.fault),
        }
    }

    /// Its moment has come.
    pub(super) fn strike(&mut self, index: usize, worker: Option<usize>) {
        if self.heals_at().saturating_sub(self.now) < SEC || self.is_peaceful() {
            return;
        }
        self.seen.struck += 1;
        let fault = self.plan.episodes[index].fault;
        self.fault(index, worker.map_or(fault, |worker| fault.aimed(self.is(worker))));
    }

    /// Whether everybody whom it happens to takes part, and the world is one for it.
    fn is_possible(&self, fault: &Fault) -> bool {
        let takes_part =
            |worker: usize| self.plan.workers.get(worker).is_some_and(|worker| !worker.absent);
        let is_there = match fault.whom() {
            Whom::Worker(worker) => takes_part(worker),
            Whom::Workers(_) | Whom::Coordinator => true,
        };
        is_there && (self.plan.mode == Mode::Hostile || !fault.is_hostile())
    }

    fn fault(&mut self, index: usize, fault: Fault) {
        if !self.is_possible(&fault) {
            return;
        }
        self.note(What::Fault.to_nobody().value(index as u64), || {
            format!("episode {index}: {}", scenario::told(&fault))
        });
        self.begin_spell(&fault);
        match fault {
            Fault::Spikes { lasts, .. }
            | Fault::Stalls { lasts, .. }
            | Fault::Replay { lasts, .. }
            | Fault::Corrupt { lasts, .. }
            | Fault::Narrow { lasts, .. }
            | Fault::Segments { lasts, .. } => self.spoil_links(fault, self.until(lasts)),
            Fault::Partition { workers, way, lasts, again } => {
                self.break_links(index, workers, way, lasts, again);
            }
            Fault::Flap { .. } | Fault::Swizzle { .. } | Fault::CrashLoop { .. } => {
                self.goes_on(index, fault, 0);
            }
            Fault::Dials { worker, outcome, lasts } => {
                let until = self.apart_until(Who::Worker(worker), lasts);
                self.workers[worker].dials = (until, outcome);
            }
            Fault::Close { worker, way, after, ending } => {
                let from = if way == Way::Down { Side::Coordinator } else { Side::Worker };
                if let Some(conn) = self.present_conn(worker) {
                    let pipe = self.network.conn_mut(conn).pipe_mut(from);
                    pipe.ends = Some((pipe.written + after, ending));
                }
            }
            Fault::Cut { worker, told } => {
                if let Some(conn) = self.present_conn(worker) {
                    self.cut(conn, told);
                }
            }
            Fault::Rebind { worker, answered } => {
                for conn in self.network.of(worker).to_vec() {
                    self.cut(conn, Told::Nobody);
                    self.network.conn_mut(conn).answers = [answered; 2];
                }
            }
            Fault::Jam { worker, way, lasts, haunts } => {
                let until = self.apart_until(Who::Worker(worker), lasts);
                let Some(conn) = self.present_conn(worker) else { return };
                let state = self.network.conn_mut(conn);
                state.haunts |= haunts;
                for side in [Side::Worker, Side::Coordinator] {
                    if way.is_from(side) {
                        // What is lost in one that lasts for ever is not made good by a shorter one.
                        let pipe = state.pipe_mut(side);
                        pipe.jammed = pipe.jammed.max(until);
                    }
                }
            }
            Fault::Crash { who, manner, back, kept } => self.crash(who, manner, back, kept),
            Fault::Freeze { who, lasts, suspended } => {
                self.freeze(who, self.apart_until(who, lasts), suspended);
            }
            Fault::Busy { who, each, lasts } => self.occupy(who, each, self.until(lasts)),
            Fault::Twin { worker, twin, .. } => self.second(index, fault, worker, twin),
            Fault::Swallow { worker, lasts } => {
                self.workers[worker].swallows_until = self.until(lasts);
            }
            Fault::SetClock { by } => self.disk.set_clock(by),
            Fault::Late { who, most, grain, lasts } => {
                let late = (self.until(lasts), most, grain);
                match who {
                    Who::Coordinator => {
                        self.coordinator.late = late;
                        self.runs_late(late.0);
                    }
                    Who::Worker(worker) => self.workers[worker].process.late = late,
                }
            }
            Fault::Slow { delay, lasts } => self.slow = (delay, self.until(lasts)),
            Fault::Fails { lasts } => self.fails_until = self.until(lasts),
            Fault::Credential { worker, refusal, ends } => self.bar(worker, refusal, ends),
            Fault::Vetting { delay, lasts } => self.vetting = (delay, self.until(lasts)),
            Fault::Nudge { worker, nudge } => self.nudge(worker, nudge),
        }
    }

    /// A fault that strikes more than once has come so far.
    pub(super) fn goes_on(&mut self, index: usize, fault: Fault, step: u64) {
        // Whatever begins now does not happen, but what is over is.
        if let Fault::Twin { .. } = fault {
            self.end_second(index);
            return;
        }
        if self.is_peaceful() {
            return;
        }
        match fault {
            Fault::Flap { workers, way, period, broken, lasts } => {
                let period = period.max(MS);
                let share = u128::from(period) * u128::from(broken.min(1_000_000)) / 1_000_000;
                let share = u64::try_from(share).unwrap_or(period);
                for worker in self.present(workers) {
                    let until = self.until(share);
                    for side in [Side::Worker, Side::Coordinator] {
                        if way.is_from(side) {
                            self.workers[worker].links[side.index()].breaks_until(until);
                        }
                    }
                }
                if (step + 1).saturating_mul(period) < lasts {
                    self.after(period, Event::GoesOn { index, fault, step: step + 1 });
                }
            }
            Fault::Swizzle { workers, spread, .. } if step == 0 => {
                for worker in workers.iter() {
                    let (entity, k) = (index as u64, worker as u64);
                    let after = self.draws.draw(Site::Swizzle, entity, k << 1, spread);
                    let step = 1 + k;
                    self.after(after, Event::GoesOn { index, fault, step });
                }
            }
            Fault::Swizzle { spread, lasts, .. } => {
                let k = step - 1;
                let more = self.draws.draw(Site::Swizzle, index as u64, k << 1 | 1, spread);
                let workers = Workers::one(usize::try_from(k).unwrap_or(usize::MAX));
                self.break_links(index, workers, Way::Both, lasts.saturating_add(more), 0);
            }
            Fault::CrashLoop { who, manner, back, lives, times } => {
                self.crash(who, manner, back, Kept::All);
                if step + 1 < u64::from(times) {
                    self.after(back + lives, Event::GoesOn { index, fault, step: step + 1 });
                }
            }
            Fault::Spikes { .. }
            | Fault::Stalls { .. }
            | Fault::Replay { .. }
            | Fault::Corrupt { .. }
            | Fault::Partition { .. }
            | Fault::Narrow { .. }
            | Fault::Segments { .. }
            | Fault::Dials { .. }
            | Fault::Close { .. }
            | Fault::Cut { .. }
            | Fault::Rebind { .. }
            | Fault::Jam { .. }
            | Fault::Crash { .. }
            | Fault::Freeze { .. }
            | Fault::Busy { .. }
            | Fault::Twin { .. }
            | Fault::Swallow { .. }
            | Fault::SetClock { .. }
            | Fault::Late { .. }
            | Fault::Slow { .. }
            | Fault::Fails { .. }
            | Fault::Credential { .. }
            | Fault::Vetting { .. }
            | Fault::Nudge { .. } => {}
        }
    }

    /// The youngest connection of a worker that is open.
    fn present_conn(&self, worker: usize) -> Option<usize> {
        self.network.of(worker).iter().copied().rev().find(|conn| {
            let conn = self.network.conn(*conn);
            conn.end(Side::Worker) == End::Open && !conn.cut
        })
    }

    fn crash(&mut self, who: Who, manner: Manner, back: u64, kept: Kept) {
        if !self.is_up(who) {
            return;
        }
        match (manner, who) {
            (Manner::Killed | Manner::Vanished, _) => {
                self.end_process(who, manner, kept);
                self.at(self.apart_until(who, back), Event::Begin { who });
            }
            (Manner::Asked, Who::Coordinator) => {
                if !self.is_frozen(who) {
                    self.tell_coordinator(CoordinatorInput::Stop);
                }
                let within = self.until((back / 2).min(1_500 * MS));
                self.at(within, Event::Kill { who, back: back / 2, kept });
            }
            (Manner::Asked, Who::Worker(worker)) => {
                let within = back / 2;
                self.nudge(worker, Nudge::Stop { within, back: back / 2 });
            }
        }
    }

    pub(super) fn kill(&mut self, who: Who, back: u64, kept: Kept) {
        if self.is_up(who) {
            self.end_process(who, Manner::Asked, kept);
            self.at(self.apart_until(who, back), Event::Begin { who });
        }
    }

    pub(super) fn end_process(&mut self, who: Who, manner: Manner, kept: Kept) {
        self.note(What::Gone.by(who), || format!("{who} is gone"));
        match who {
            Who::Coordinator => self.end_coordinator(manner, kept),
            Who::Worker(index) => self.end_worker(index, manner),
        }
    }

    pub(super) fn nudge(&mut self, worker: usize, nudge: Nudge) {
        let frozen = self.is_frozen(Who::Worker(worker));
        match nudge {
            Nudge::Disconnect => self.disconnect(worker, Reason::OperatorDisconnect),
            Nudge::Redirect { nowhere } => {
                if self.is_up(Who::Coordinator) && !self.is_frozen(Who::Coordinator) {
                    let to = if nowhere { NOWHERE } else { HERE };
                    let to = Address::new(to).into_iter().collect();
                    let id = WorkerId(self.plan.workers[worker].id);
                    self.tell_coordinator(CoordinatorInput::Redirect { worker: id, to });
                }
            }
            Nudge::Reconnect | Nudge::Migrate | Nudge::Kick | Nudge::Stop { .. } if frozen => {}
            Nudge::Reconnect => self.tell_worker(worker, WorkerInput::Reconnect),
            Nudge::Migrate => self.tell_worker(worker, WorkerInput::Migrate),
            Nudge::Kick => self.tell_worker(worker, WorkerInput::Kick(Kick::Network)),
            Nudge::Stop { within, back } => {
                self.workers[worker].back = Some(back);
                let within = within.min((self.until(within) - self.now) / 2);
                let within = Duration::from_nanos(within);
                self.tell_worker(worker, WorkerInput::Stop { within });
            }
        }
    }
}
