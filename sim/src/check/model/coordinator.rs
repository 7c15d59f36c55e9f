//! What follows from a turn of the coordinator, and what its store does.

use std::sync::Arc;

use moorline_link::ConnId;
use moorline_node::{CoordinatorInput, Done, Persist, PersistId, StoreOp, UpFrame};
use moorline_work::{End, TaskId};

use super::super::process::{
    Coordinator, Kept, LOST_CAP, begin_coordinator, is_awaited, result_of, task_id,
};
use super::super::rows::Rows;
use super::super::turn::{self, CoordinatorAct, Cue, Turn, remembered};
use super::super::wire::{Course, Wire, send};
use super::{Model, World, broken};
use crate::{Rule, Violation};

impl World {
    pub(super) fn tell_coordinator(
        &mut self,
        model: &Model,
        input: CoordinatorInput,
    ) -> Result<(), Violation> {
        self.cue_coordinator(model, Cue::Input(input))
    }

    pub(super) fn cue_coordinator(
        &mut self,
        model: &Model,
        cue: Cue<CoordinatorInput, UpFrame>,
    ) -> Result<(), Violation> {
        let before = &self.coordinator;
        let take = |cue| turn::coordinator(before, cue);
        let turn = remembered(&model.memory.coordinator, before.exact, cue, take);
        self.coordinator_acts(turn)
    }

    pub(super) fn coordinator_acts(
        &mut self,
        turn: Turn<Coordinator, CoordinatorAct>,
    ) -> Result<(), Violation> {
        let (after, acts) = turn?;
        self.coordinator = after;
        for act in &*acts {
            match act {
                CoordinatorAct::Closes(conn) => {
                    if let Some(wire) = self.wire_of(*conn) {
                        wire.coordinator_leaves();
                    }
                }
                CoordinatorAct::Sends(conn, packet) => {
                    if let Some(wire) = self.wire_of(*conn)
                        && wire.course == Course::Open
                    {
                        send(&mut wire.down, packet);
                    }
                }
                CoordinatorAct::Reports(task) => self.end_is_reported(*task)?,
            }
        }
        Ok(())
    }

    /// The connection that the coordinator calls so.
    fn wire_of(&mut self, conn: ConnId) -> Option<&mut Wire> {
        let wires = self.wires.iter_mut().flatten();
        wires.into_iter().find(|wire| wire.coordinator && wire.conn == conn)
    }

    /// An end is reported once, also over restarts, and not before it is durable.
    fn end_is_reported(&mut self, id: TaskId) -> Result<(), Violation> {
        let tasks = self.rows.tasks();
        let ended = tasks.iter().position(|task| task.id == id && task.state.is_final());
        let Some(task) = ended else {
            let words = format!("{id:?} is said to have ended too early");
            return Err(broken(Rule::AnsweredWrongly, words));
        };
        if self.reported & 1 << task != 0 {
            let words = format!("the end of task {task} is reported again");
            return Err(broken(Rule::AppliedTwice, words));
        }
        self.reported |= 1 << task;
        Ok(())
    }

    /// Everything the coordinator wants to have durable is, and it is told so.
    pub(super) fn commit(&mut self, model: &Model) -> Result<(), Violation> {
        let wanted = Arc::clone(&self.coordinator);
        let batch = &wanted.wanted;
        let up_to = batch.last().map_or(PersistId(0), |persist| persist.id);
        let done = self.make_durable(batch)?;
        self.tell_coordinator(model, CoordinatorInput::Committed { up_to, done })
    }

    fn make_durable(&mut self, batch: &[Persist]) -> Result<Vec<Done>, Violation> {
        let mut rows = Rows::clone(&self.rows);
        let mut all = Vec::with_capacity(batch.len());
        for Persist { op, .. } in batch {
            let done = rows.apply(op);
            if done.conflict.is_none() {
                self.judge_end(op)?;
            }
            all.push(done);
        }
        self.rows = Arc::new(Kept::new(rows));
        Ok(all)
    }

    /// A task ends as a handler ended it, or as a client wants it to.
    fn judge_end(&self, op: &StoreOp) -> Result<(), Violation> {
        let StoreOp::Finish { key, end, body } = op else { return Ok(()) };
        let places = 0..self.rows.tasks().len();
        let task = places.into_iter().find(|at| task_id(*at) == key.task).unwrap_or(usize::MAX);
        let wrong = match end {
            End::Succeeded if *body != result_of(key.task) => {
                let words = format!("task {task} ends with a result that is not its own");
                return Err(broken(Rule::ResultInvented, words));
            }
            End::Succeeded => false,
            End::Failed => self.spent.failures == 0,
            End::Cancelled => self.spent.cancels == 0,
            // By as many losses as there may be.
            End::Dead => self.spent.crashes + self.spent.expiries < LOST_CAP,
        };
        if wrong {
            let words = format!("task {task} ends as {end:?}, and nobody did anything to that end");
            return Err(broken(Rule::EndedWrongly, words));
        }
        Ok(())
    }

    /// The coordinator ended without a word; so many operations it waited for are durable.
    pub(super) fn restart(&mut self, durable: usize) -> Result<(), Violation> {
        let mut left = durable;
        let mut batch = self.coordinator.wanted.clone();
        batch.retain(|persist| {
            let takes = left > 0 && is_awaited(&persist.op);
            left -= usize::from(takes);
            takes
        });
        self.make_durable(&batch)?;
        let mut rows = Rows::clone(&self.rows);
        let epoch = rows.begin();
        self.rows = Arc::new(Kept::new(rows));
        let wires = self.wires.iter_mut().flatten();
        wires.filter(|wire| wire.coordinator).for_each(Wire::coordinator_leaves);
        self.coordinator_acts(turn::coordinator_acts(begin_coordinator(
            epoch,
            self.coordinator.now,
        )))
    }
}
