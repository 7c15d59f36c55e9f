//! What follows from a worker's turn, and what befalls its connections.

use bytes::Bytes;
use moorline_link::{ConnId, Reason};
use moorline_node::{CoordinatorInput, DownFrame, WorkerInput};
use moorline_work::{Disposition, Outcome, TaskKey};

use super::super::process::{Kept, Worker, result_of};
use super::super::step::Ending;
use super::super::turn::{self, Cue, WorkerAct, remembered};
use super::super::wire::{Course, Wire, send};
use super::{Model, World, broken};
use crate::{Rule, Violation};
use std::sync::Arc;

impl World {
    pub(super) fn tell_worker(
        &mut self,
        model: &Model,
        worker: usize,
        input: WorkerInput,
    ) -> Result<(), Violation> {
        self.cue_worker(model, worker, Cue::Input(input))
    }

    pub(super) fn cue_worker(
        &mut self,
        model: &Model,
        worker: usize,
        cue: Cue<WorkerInput, DownFrame>,
    ) -> Result<(), Violation> {
        let before = &self.workers[worker];
        let take = |cue| turn::worker(before, cue);
        let (after, acts) = remembered(&model.memory.workers, before.exact, cue, take)?;
        self.workers[worker] = after;
        for act in &*acts {
            match act {
                WorkerAct::Dials(name) => {
                    let conn = self.free_name(worker);
                    let dial = self.dials[worker];
                    self.dials[worker] += 1;
                    self.wires[worker].push(Wire::dialled(dial, *name, conn));
                }
                WorkerAct::Closes(name) => {
                    self.wires_of(worker, *name).for_each(Wire::worker_leaves);
                }
                WorkerAct::Sends(name, packet) => {
                    let wires = self.wires_of(worker, *name);
                    wires
                        .filter(|wire| wire.course == Course::Open)
                        .for_each(|wire| send(&mut wire.up, packet));
                }
                WorkerAct::IsAnswered(key, disposition) => {
                    self.success_is_answered(*key, *disposition)?;
                }
            }
        }
        Ok(())
    }

    /// The connection that this process of a worker calls so.
    fn wires_of(&mut self, worker: usize, name: ConnId) -> impl Iterator<Item = &mut Wire> {
        self.wires[worker].iter_mut().filter(move |wire| wire.worker && wire.name == name)
    }

    /// A success counts once, and is turned away only if its task has ended; either is durable before
    /// it is said.
    fn success_is_answered(
        &mut self,
        key: TaskKey,
        disposition: Disposition,
    ) -> Result<(), Violation> {
        let wrong = |words: &str| broken(Rule::AnsweredWrongly, format!("{key:?}: {words}"));
        let Some(at) = self.rows.tasks().iter().position(|task| task.id == key.task) else {
            return Err(wrong("there is no such task"));
        };
        let task = &self.rows.tasks()[at];
        match disposition {
            Disposition::Accepted | Disposition::LateAccepted => {
                if task.result != Some(result_of(key.task)) {
                    return Err(wrong("a success is accepted that is not durable"));
                }
                if self.accepted & 1 << at != 0 {
                    let words = format!("two successes of task {at} are accepted");
                    return Err(broken(Rule::AppliedTwice, words));
                }
                self.accepted |= 1 << at;
            }
            Disposition::Unknown => return Err(wrong("a success of a task is not known")),
            Disposition::Duplicate | Disposition::Stale => {
                if !task.state.is_final() {
                    return Err(wrong("a success is turned away from a task that has not ended"));
                }
            }
        }
        Ok(())
    }

    /// What the coordinator calls the worker's next connection.
    fn free_name(&self, worker: usize) -> ConnId {
        let first = worker as u64 * 16 + 1;
        let wires = &self.wires[worker];
        let taken = |name: &u64| wires.iter().any(|wire| wire.conn.0 == *name);
        ConnId((first..).find(|name| !taken(name)).unwrap_or(first))
    }

    pub(super) fn open(
        &mut self,
        model: &Model,
        worker: usize,
        wire: usize,
    ) -> Result<(), Violation> {
        let it = &mut self.wires[worker][wire];
        it.course = Course::Open;
        it.coordinator = true;
        let (name, conn) = (it.name, it.conn);
        self.tell_coordinator(model, CoordinatorInput::Accepted { conn })?;
        self.tell_worker(model, worker, WorkerInput::Opened { conn: name })
    }

    pub(super) fn cut(
        &mut self,
        model: &Model,
        worker: usize,
        wire: usize,
    ) -> Result<(), Violation> {
        let it = &mut self.wires[worker][wire];
        let was = std::mem::replace(&mut it.course, Course::Over);
        if was != Course::Dialling {
            return Ok(());
        }
        let (conn, reason) = (it.name, Reason::ConnectRefused);
        it.worker_leaves();
        self.tell_worker(model, worker, WorkerInput::DialFailed { conn, reason })
    }

    pub(super) fn finish(
        &mut self,
        model: &Model,
        worker: usize,
        run: usize,
        how: Ending,
    ) -> Result<(), Violation> {
        let Some(run) = self.workers[worker].node.runs().nth(run) else { return Ok(()) };
        let (outcome, body) = match how {
            Ending::Success => (Outcome::Succeeded, result_of(run.key.task)),
            Ending::Failure => (Outcome::Failed { retryable: false }, Bytes::new()),
            Ending::Stopped => (Outcome::Cancelled, Bytes::new()),
        };
        self.tell_worker(model, worker, WorkerInput::Done { run: run.run, outcome, body })
    }

    /// A process of a worker that began now.
    pub(super) fn replace_worker(&mut self, worker: usize, after: Worker) {
        self.wires[worker].retain(|wire| wire.course != Course::Dialling);
        self.wires[worker].iter_mut().for_each(Wire::worker_leaves);
        self.workers[worker] = Arc::new(Kept::new(after));
    }
}
