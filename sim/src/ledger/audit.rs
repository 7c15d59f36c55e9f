//! The store, compared with the books.

use bytes::Bytes;
use moorline_store::{Counts, Reader, TaskRecord};
use moorline_work::{End, TaskId, TaskState};

use super::{Judgement, Ledger, Task, broken, index_of};
use crate::Rule;

/// What of the store an audit looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// What may have changed since the audit before: no task that had ended by then, no event that was
    /// there. A large world would spend most of its time on them.
    News,
    /// All there is.
    Everything,
}

impl Ledger {
    /// The result of a task, if it has one, and how many attempts of it were started.
    pub(crate) fn result_of(&self, task: TaskId) -> (Option<Bytes>, u32) {
        let result = self.tasks.get(&task).and_then(|task| task.result.clone());
        let attempts = self.started.iter().filter(|(_, key)| key.task == task).count();
        (result, u32::try_from(attempts).unwrap_or(u32::MAX))
    }

    /// How a store's own counts differ from the books, if they do. `keeps`: how many ended tasks it keeps,
    /// if it forgets any.
    pub(crate) fn miscounted(&self, counts: &Counts, keeps: Option<u64>) -> Option<String> {
        let mut expected = [0; 6];
        for task in self.tasks.values().filter(|task| task.exists) {
            expected[place(state_of(task))] += 1;
        }
        TaskState::ALL.into_iter().find_map(|state| {
            let (counted, were) = (counts.by_state[place(state)], expected[place(state)]);
            let is_kept = keeps.is_none() || matches!(state, TaskState::Queued | TaskState::Leased);
            (is_kept && counted != were)
                .then(|| format!("{state:?} tasks: counted {counted}, were {were}"))
        })
    }

    /// Compares the store with the books: every task is queued, leased or ended as they say.
    pub(crate) fn audit(&mut self, scope: Scope, reader: &mut dyn Reader) -> Judgement {
        if scope == Scope::Everything {
            self.events = 0;
            for task in self.tasks.values_mut() {
                (task.told, task.settled) = (0, false);
            }
        }
        for (id, task) in &mut self.tasks {
            if task.settled && task.told == task.story.len() {
                continue;
            }
            let Ok(record) = reader.task(*id) else { continue };
            let Some(record) = record else {
                let is_forgotten = self.forgets && task.ended.is_some();
                if (task.acknowledged || task.exists) && !is_forgotten {
                    return broken(Rule::TaskLost, format!("{id:?} is not in the store"));
                }
                continue;
            };
            compare(*id, task, &record, reader)?;
            task.settled = task.ended.is_some();
        }
        self.audit_events(reader)
    }
}

/// Where a task stands, by the books.
fn state_of(task: &Task) -> TaskState {
    match (task.ended, &task.lease) {
        (Some(End::Succeeded), _) => TaskState::Succeeded,
        (Some(End::Failed), _) => TaskState::Failed,
        (Some(End::Cancelled), _) => TaskState::Cancelled,
        (Some(End::Dead), _) => TaskState::Dead,
        (None, Some(_)) => TaskState::Leased,
        (None, None) => TaskState::Queued,
    }
}

/// Its place among all states.
fn place(state: TaskState) -> usize {
    TaskState::ALL.into_iter().position(|other| other == state).unwrap_or(0)
}

fn compare(id: TaskId, task: &Task, record: &TaskRecord, reader: &mut dyn Reader) -> Judgement {
    let expected = state_of(task);
    if expected != record.state {
        let words = format!("{id:?} should be {expected:?} and is {:?}", record.state);
        return broken(Rule::TaskLost, words);
    }
    if let (None, Some((key, worker, _))) = (task.ended, task.lease) {
        let holder = record.worker.map(|worker| index_of(worker.0));
        if key.attempt != record.attempt || holder != Some(worker) {
            let attempt = record.attempt;
            let words = format!("{key:?} of w{worker} is leased as {attempt:?} to w{holder:?}");
            return broken(Rule::TaskLost, words);
        }
    }
    if task.cancelled && record.state != TaskState::Cancelled {
        let words = format!("{id:?} was cancelled while queued and is {:?}", record.state);
        return broken(Rule::TaskLost, words);
    }
    if record.applied > 1 {
        let words = format!("{id:?} was applied {} times", record.applied);
        return broken(Rule::AppliedTwice, words);
    }
    if record.state == TaskState::Succeeded {
        let result = reader.result(id).ok().flatten();
        if result.is_none() || result != task.result {
            let words = format!("the result of {id:?} is not the one that was applied");
            return broken(Rule::ResultInvented, words);
        }
    }
    Ok(())
}
