//! What goes wrong.

use std::time::Duration;

use moorline_link::{Kick, Reason, WorkerId};
use moorline_node::{CoordinatorInput, WorkerInput};

use super::{Event, World};
use crate::Rule;
use crate::network::End;
use crate::plan::{Fault, MS, Manner, Nudge, SEC, Side, Who};
use crate::trace::What;

impl World {
    pub(super) fn episode(&mut self, index: usize) {
        let episode = &self.plan.episodes[index];
        match episode.moment {
            Some(_) => self.armed.push(index),
            None => self.fault(index, episode.fault),
        }
    }

    /// Its moment has come.
    pub(super) fn strike(&mut self, index: usize, worker: Option<usize>) {
        let left = self.plan.quiet_at.saturating_sub(self.now);
        if left < SEC {
            return;
        }
        self.seen.struck += 1;
        let fault = self.plan.episodes[index].fault;
        self.fault(index, worker.map_or(fault, |worker| fault.aimed(worker)));
    }

    /// When something is over that lasts so long from now on.
    pub(super) fn until(&self, lasts: u64) -> u64 {
        (self.now + lasts).min(self.plan.quiet_at.max(self.now))
    }

    fn fault(&mut self, index: usize, fault: Fault) {
        self.note(What::Fault.to_nobody().value(index as u64), || {
            format!("episode {index}: {fault:?}")
        });
        match fault {
            Fault::Cut { worker, told } => {
                if let Some(conn) = self.present_conn(worker) {
                    self.cut(conn, told);
                }
            }
            Fault::Freeze { who, lasts, .. } => self.freeze(who, self.until(lasts) - self.now),
            Fault::Crash { who, manner, back, .. } => {
                self.crash(who, manner, self.until(back) - self.now);
            }
            Fault::Jam { worker, way, lasts, .. } => {
                let until = self.until(lasts);
                if let Some(conn) = self.present_conn(worker) {
                    for side in [Side::Worker, Side::Coordinator] {
                        if way.is_from(side) {
                            self.network.conn_mut(conn).pipe_mut(side).jammed = until;
                        }
                    }
                }
            }
            Fault::Dials { worker, outcome, lasts } => {
                self.workers[worker].dials = (self.until(lasts), outcome);
            }
            Fault::Slow { delay, lasts } => self.slow = (delay, self.until(lasts)),
            Fault::Swallow { worker, lasts } => {
                self.workers[worker].swallows_until = self.until(lasts);
            }
            Fault::Nudge { worker, nudge } => self.nudge(worker, nudge),
            // No plan that is drawn has these yet. One that is written by hand is not to look as if
            // it had been kept.
            Fault::Spikes { .. }
            | Fault::Stalls { .. }
            | Fault::Replay { .. }
            | Fault::Corrupt { .. }
            | Fault::Partition { .. }
            | Fault::Flap { .. }
            | Fault::Swizzle { .. }
            | Fault::Narrow { .. }
            | Fault::Segments { .. }
            | Fault::Close { .. }
            | Fault::Rebind { .. }
            | Fault::CrashLoop { .. }
            | Fault::Busy { .. }
            | Fault::Twin { .. }
            | Fault::SetClock { .. }
            | Fault::Late { .. }
            | Fault::Fails { .. } => {
                let family = fault.family().name();
                let words = format!("episode {index}: the world cannot do faults of {family} yet");
                self.break_promise(Rule::Panic, words);
            }
        }
    }

    /// The youngest connection of a worker that is open.
    fn present_conn(&self, worker: usize) -> Option<usize> {
        self.network.of(worker).iter().copied().rev().find(|conn| {
            let conn = self.network.conn(*conn);
            conn.end(Side::Worker) == End::Open && !conn.cut
        })
    }

    fn crash(&mut self, who: Who, manner: Manner, back: u64) {
        if !self.is_up(who) {
            return;
        }
        match (manner, who) {
            (Manner::Killed | Manner::Vanished, _) => {
                self.end_process(who, manner);
                self.after(back, Event::Begin { who });
            }
            (Manner::Asked, Who::Coordinator) => {
                if !self.is_frozen(who) {
                    self.tell_coordinator(CoordinatorInput::Stop);
                }
                self.after((back / 2).min(1_500 * MS), Event::Kill { who, back: back / 2 });
            }
            (Manner::Asked, Who::Worker(worker)) => {
                let within = back / 2;
                self.nudge(worker, Nudge::Stop { within, back: back / 2 });
            }
        }
    }

    pub(super) fn kill(&mut self, who: Who, back: u64) {
        if self.is_up(who) {
            self.end_process(who, Manner::Asked);
            self.at(self.until(back), Event::Begin { who });
        }
    }

    fn end_process(&mut self, who: Who, manner: Manner) {
        self.note(What::Gone.by(who), || format!("{who} is gone"));
        match who {
            Who::Coordinator => self.end_coordinator(manner),
            Who::Worker(index) => self.end_worker(index, manner),
        }
    }

    pub(super) fn nudge(&mut self, worker: usize, nudge: Nudge) {
        let frozen = self.is_frozen(Who::Worker(worker));
        let coordinator_runs = self.is_up(Who::Coordinator) && !self.is_frozen(Who::Coordinator);
        match nudge {
            Nudge::Disconnect => {
                if coordinator_runs {
                    let id = WorkerId(self.plan.workers[worker].id);
                    let reason = Reason::OperatorDisconnect;
                    self.tell_coordinator(CoordinatorInput::Disconnect { worker: id, reason });
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
