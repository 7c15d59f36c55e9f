//! The events of the store, compared with the books: they tell what happened, no more and no less.

use std::collections::BTreeMap;

use moorline_node::{EventKind, Requeue, StoreOp};
use moorline_store::{EventQuery, Reader};
use moorline_work::{Attempt, End, TaskId};

use super::{Judgement, Ledger, broken};
use crate::Rule;

/// What happened to one task, in order.
pub(super) type Story = Vec<(EventKind, Option<Attempt>)>;

/// What an operation that took effect does to its task. A cancel is told by how its task stood.
pub(super) fn told(op: &StoreOp) -> Option<(TaskId, EventKind, Option<Attempt>)> {
    let of = |key: &moorline_work::TaskKey, kind| Some((key.task, kind, Some(key.attempt)));
    match op {
        StoreOp::Submit { task, .. } => Some((*task, EventKind::TaskSubmitted, None)),
        StoreOp::Lease { key, .. } => of(key, EventKind::TaskLeased),
        StoreOp::Adopt { key, .. } => of(key, EventKind::TaskAdopted),
        StoreOp::Requeue { key, cause, .. } => match cause {
            Requeue::Returned => of(key, EventKind::TaskReturned),
            Requeue::Lost => of(key, EventKind::TaskRedelivered),
            Requeue::Retry { .. } => of(key, EventKind::TaskRetried),
        },
        StoreOp::Finish { key, end, .. } => match end {
            End::Succeeded => of(key, EventKind::TaskFinished),
            End::Failed => of(key, EventKind::TaskFailed),
            End::Cancelled => of(key, EventKind::TaskCancelled),
            End::Dead => of(key, EventKind::TaskDead),
        },
        StoreOp::Retry { task, .. } => Some((*task, EventKind::TaskRevived, None)),
        StoreOp::Claim { .. }
        | StoreOp::Unclaim { .. }
        | StoreOp::Forget { .. }
        | StoreOp::Leases
        | StoreOp::Lookup { .. }
        | StoreOp::Cancel { .. }
        | StoreOp::Worker(_)
        | StoreOp::Workers
        | StoreOp::Event { .. } => None,
    }
}

impl Ledger {
    /// Compares the events of every task with its story.
    pub(super) fn audit_events(&self, reader: &mut dyn Reader) -> Judgement {
        let mut stories: BTreeMap<TaskId, Story> = BTreeMap::new();
        let mut query = EventQuery { limit: u32::MAX, ..EventQuery::default() };
        let mut last = 0;
        loop {
            let Ok(page) = reader.events(&query) else { return Ok(()) };
            for record in page.events {
                if record.seq != last + 1 {
                    let words = format!("event {} follows event {last}", record.seq);
                    return broken(Rule::EventsDiffer, words);
                }
                last = record.seq;
                let event = record.event;
                // What became of a result is told by the coordinator, if it gets to it.
                if let Some(task) =
                    event.task.filter(|_| event.kind != EventKind::TaskResultSettled)
                {
                    stories.entry(task).or_default().push((event.kind, event.attempt));
                }
            }
            query.after = page.cursor;
            if !page.more {
                break;
            }
        }
        for (id, task) in &self.tasks {
            let written = stories.remove(id).unwrap_or_default();
            if written != task.story {
                let words =
                    format!("{id:?}: written is {written:?}, and {:?} happened", task.story);
                return broken(Rule::EventsDiffer, words);
            }
        }
        match stories.into_iter().next() {
            Some((id, written)) => {
                broken(Rule::EventsDiffer, format!("{id:?}: written is {written:?}, of no task"))
            }
            None => Ok(()),
        }
    }
}
