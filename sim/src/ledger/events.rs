//! The events of the store, compared with the books: they tell what happened, no more and no less.

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

/// So many events are read at a time.
const PAGE: u32 = 256;

/// Whether it has to be written down. What became of a result is told by the coordinator, if it gets to it.
fn is_of_story(kind: EventKind) -> bool {
    kind != EventKind::TaskResultSettled
}

impl Ledger {
    /// Compares the events of every task with its story, from where the audit before got to.
    pub(super) fn audit_events(&mut self, reader: &mut dyn Reader) -> Judgement {
        let after = self.events;
        let mut query = EventQuery { after, limit: PAGE, ..EventQuery::default() };
        loop {
            let Ok(page) = reader.events(&query) else { return Ok(()) };
            for record in page.events {
                if record.seq != self.events + 1 {
                    let words = format!("event {} follows event {}", record.seq, self.events);
                    return broken(Rule::EventsDiffer, words);
                }
                self.events = record.seq;
                let event = record.event;
                let Some(id) = event.task.filter(|_| is_of_story(event.kind)) else { continue };
                let task = self.tasks.get_mut(&id);
                let is_next = task.is_some_and(|task| {
                    let next = task.story.get(task.told).copied();
                    task.told += 1;
                    next == Some((event.kind, event.attempt))
                });
                if !is_next {
                    return self.differs(id, reader);
                }
            }
            query.after = page.cursor;
            if !page.more {
                break;
            }
        }
        match self.tasks.iter().find(|(_, task)| task.told != task.story.len()) {
            Some((id, _)) => self.differs(*id, reader),
            None => Ok(()),
        }
    }

    /// What is written of a task is not what happened to it.
    fn differs(&self, id: TaskId, reader: &mut dyn Reader) -> Judgement {
        let query = EventQuery { task: Some(id), limit: u32::MAX, ..EventQuery::default() };
        let events = reader.events(&query).map(|page| page.events).unwrap_or_default();
        let of_it = events.into_iter().map(|record| (record.event.kind, record.event.attempt));
        let written: Story = of_it.filter(|(kind, _)| is_of_story(*kind)).collect();
        let happened = self.tasks.get(&id).map(|task| &task.story);
        let words = format!("{id:?}: written is {written:?}, and {happened:?} happened");
        broken(Rule::EventsDiffer, words)
    }
}
