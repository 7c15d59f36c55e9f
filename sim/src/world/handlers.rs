//! Handlers: what they are given, how long they run, and what they make.

use bytes::Bytes;
use moorline_node::{Name, WorkerInput};
use moorline_work::{Outcome, RunId, RunPhase, TaskId, TaskKey};

use super::worker::Worker;
use super::{Event, World};
use crate::decide::{Decide, Site, mix};
use crate::plan::{HANDLERS, SEC, TaskPlan, Who};
use crate::trace::What;
use crate::{Rule, Sabotage};

/// A handler that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) key: TaskKey,
    /// When it was told to stop.
    pub(super) aborted: Option<u64>,
}

impl World {
    pub(super) fn start(
        &mut self,
        index: usize,
        run: RunId,
        key: TaskKey,
        handler: &Name,
        payload: &Bytes,
    ) {
        let incarnation = self.workers[index].incarnation;
        let task = TaskPlan::index_of(key.task);
        let starts = What::Starts.by(Who::Worker(index)).about(task).value(key.attempt.0.into());
        let cause = self.note(starts, || {
            format!("w{index} starts t{task} attempt {} as {run:?}", key.attempt.0)
        });
        let slots = usize::from(self.plan.workers[index].slots);
        if self.workers[index].runs.len() >= slots {
            let words = format!("w{index} runs more than {slots} at once");
            self.break_promise(Rule::TooManyAtOnce, words);
        }
        let others: Vec<(usize, u64, TaskKey)> = self.holders(key.task).collect();
        let starters = self.starters.entry(key.task).or_default();
        if !starters.contains(&index) {
            starters.push(index);
        }
        let workers = &self.workers;
        let lives = |index: usize, incarnation| {
            let worker: &Worker = &workers[index];
            worker.process.node.is_some() && worker.incarnation == incarnation
        };
        let judgement = self.ledger.started(index, incarnation, key, &others, lives);
        self.judge(judgement);
        if task >= self.plan.tasks.len() {
            // Of a task that there is not: an assignment that was tampered with.
            let words = format!("{key:?} is started, and nobody handed it in");
            self.break_promise(Rule::ResultInvented, words);
            let (outcome, body) = (Outcome::Failed { retryable: false }, Bytes::new());
            self.tell_worker(index, WorkerInput::Done { run, outcome, body });
            return;
        }
        let given = &self.plan.tasks[task];
        let endless = given.endless;
        if payload[..] != given.payload()[..] || handler.as_str() != HANDLERS[given.handler] {
            let words = format!("{key:?} was given what belongs to another task");
            self.break_promise(Rule::ResultInvented, words);
        }
        self.workers[index].runs.insert(run, Run { key, aborted: None });
        let entity = mix(incarnation ^ run.0);
        let lasts = self.lasts(key, entity, &self.plan.tasks[task]);
        let hangs = self.is_sabotaged(Sabotage::RunsHang) || self.is_sabotaged(Sabotage::Ghosts);
        if !endless && !hangs {
            self.at_because(self.now + lasts, Event::Done { worker: index, run }, cause);
        }
    }

    /// Processes that run a task and were not told to stop.
    fn holders(&self, task: TaskId) -> impl Iterator<Item = (usize, u64, TaskKey)> + '_ {
        self.starters.get(&task).into_iter().flatten().flat_map(move |&index| {
            let worker = &self.workers[index];
            let runs = worker.runs.values();
            let runs = runs.filter(move |run| run.key.task == task && run.aborted.is_none());
            runs.map(move |run| (index, worker.incarnation, run.key))
        })
    }

    /// Whether this process runs a key, under its present number, and was not told to stop.
    pub(super) fn holds(workers: &[Worker], incarnation: u64, key: TaskKey) -> bool {
        let mut all = workers.iter().filter(|worker| worker.incarnation == incarnation);
        let Some(node) = all.find_map(|worker| worker.process.node.as_ref()) else { return false };
        node.runs().any(|run| run.key == key && run.phase == RunPhase::Running)
    }

    pub(super) fn handler_done(&mut self, index: usize, run_id: RunId) {
        let Some(run) = self.workers[index].runs.remove(&run_id) else { return };
        let task = TaskPlan::index_of(run.key.task);
        let Some(plan) = self.plan.tasks.get(task) else { return };
        let is_slow = run.aborted.is_some_and(|at| self.now - at > 3 * SEC);
        self.seen.slow_to_stop += u64::from(is_slow);
        let (size, twice) = (plan.size, plan.twice);
        let entity = mix(self.workers[index].incarnation ^ run_id.0);
        let made = self.made(run.key, entity);
        let worker = &mut self.workers[index];
        let draw = |k, bound| self.draws.draw(Site::Handler, entity, k, bound);
        let outcome = if run.aborted.is_some() && draw(1, 5) != 4 {
            Outcome::Cancelled
        } else if self.draws.chance(Site::Handler, entity, 5, plan.panics) {
            // As the driver says it.
            self.seen.panicked += 1;
            Outcome::Failed { retryable: true }
        } else if let Some(made) = &made {
            made.outcome
        } else if self.draws.chance(Site::Handler, entity, 2, plan.failing) {
            Outcome::Failed { retryable: draw(4, 4) != 3 }
        } else {
            Outcome::Succeeded
        };
        let body = match outcome {
            Outcome::Succeeded => {
                let made = made.map_or_else(|| vec![0xab; size], |made| made.body);
                result(index, worker.incarnation, run, &made)
            }
            Outcome::Failed { .. } | Outcome::TimedOut | Outcome::Cancelled => {
                Bytes::from_static(b"it did not work")
            }
        };
        *worker.ended.entry(run.key.task).or_default() += 1;
        if run.aborted.is_none() {
            worker.unsettled.insert(run.key.task);
        }
        if outcome == Outcome::Succeeded {
            worker.results.insert(run.key.task, body.clone());
            self.ledger.made(index, worker.incarnation, run.key, body.clone());
        } else {
            let for_good = outcome == Outcome::Failed { retryable: false };
            self.ledger.failed(worker.incarnation, run.key.task, for_good);
        }
        let ends = What::Ends.by(Who::Worker(index)).about(task).value(run.key.attempt.0.into());
        self.note(ends, || format!("w{index} ends t{task} {run_id:?}: {outcome:?}"));
        if twice {
            self.seen.said_twice += 1;
            let body = body.clone();
            self.tell_worker(index, WorkerInput::Done { run: run_id, outcome, body });
        }
        self.tell_worker(index, WorkerInput::Done { run: run_id, outcome, body });
    }
}

/// What a handler makes: it names its task, its attempt and its process.
fn result(index: usize, incarnation: u64, run: Run, made: &[u8]) -> Bytes {
    let mut bytes = run.key.task.0.to_be_bytes().to_vec();
    bytes.extend(run.key.attempt.0.to_be_bytes());
    bytes.extend((index as u64).to_be_bytes());
    bytes.extend(incarnation.to_be_bytes());
    debug_assert_eq!(bytes.len(), super::handled::HEAD);
    bytes.extend_from_slice(made);
    bytes.into()
}
