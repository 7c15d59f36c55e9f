//! Events as rows: what one is, how they are asked for, and the events that operations on tasks are.

use std::borrow::Cow;
use std::time::Duration;

use moorline_link::{Epoch, Reason};
use moorline_node::{Detail, Event, EventKind, Name, Requeue};
use moorline_work::{End, TaskId, TaskKey, WorkerId};

use crate::WallTime;

/// Rows looked at by one call of [`Reader::events`](crate::Reader::events), at most.
pub(crate) const SCAN_MAX: u32 = 10_000;
/// Times may be out of order by this much: an event that waited for the store has the time at which
/// it happened. What a clock that was set back further did is found by number, not by time.
const DISORDER: Duration = Duration::from_secs(600);

/// Something that happened, as stored.
///
/// ```
/// use moorline_store::EventRecord;
///
/// fn line(record: &EventRecord) -> String {
///     format!("{} {:?}", record.seq, record.event)
/// }
/// # let _ = line;
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventRecord {
    /// Its number: dense, from 1, in the order in which they became durable; never used twice.
    pub seq: u64,
    /// When it happened.
    pub at: WallTime,
    /// In which life of the coordinator.
    pub epoch: Epoch,
    /// What.
    pub event: Event,
}

/// A set of kinds of events. Default: all.
///
/// ```
/// use moorline_node::EventKind;
/// use moorline_store::EventKinds;
///
/// let losses = EventKinds::of([EventKind::WorkerDisconnected, EventKind::WorkerLost]);
/// assert!(losses.contains(EventKind::WorkerLost));
/// assert!(!losses.contains(EventKind::TaskLeased));
/// assert!(EventKinds::ALL.contains(EventKind::TaskLeased));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventKinds(u64);

impl EventKinds {
    /// Every kind.
    pub const ALL: Self = Self(u64::MAX);

    /// These.
    #[must_use]
    pub fn of(kinds: impl IntoIterator<Item = EventKind>) -> Self {
        Self(kinds.into_iter().fold(0, |set, kind| set | (1 << kind.number())))
    }

    /// Whether it is among them.
    #[must_use]
    pub const fn contains(self, kind: EventKind) -> bool {
        self.0 >> kind.number() & 1 == 1
    }
}

impl Default for EventKinds {
    fn default() -> Self {
        Self::ALL
    }
}

/// Which events to read.
///
/// ```
/// use moorline_store::{EventQuery, MemoryStore, Reader, Store};
///
/// /// The latest events, in pages.
/// # let store = MemoryStore::new();
/// let mut reader = store.reader()?;
/// let mut query = EventQuery { newest_first: true, limit: 10, ..EventQuery::default() };
/// loop {
///     let page = reader.events(&query)?;
///     if !page.more {
///         break;
///     }
///     query.before = Some(page.cursor);
/// }
/// # Ok::<(), moorline_store::StoreError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventQuery {
    /// Only those with a larger number. Default 0: from the oldest that is kept.
    pub after: u64,
    /// Only those with a smaller number.
    pub before: Option<u64>,
    /// Only those that happened at this time or later.
    pub since: Option<WallTime>,
    /// Only those that happened before this time.
    pub until: Option<WallTime>,
    /// Only of these kinds.
    pub kinds: EventKinds,
    /// Only about this worker.
    pub worker: Option<WorkerId>,
    /// Only about this task.
    pub task: Option<TaskId>,
    /// Only with this reason.
    pub reason: Option<Reason>,
    /// At most so many. Default 100.
    pub limit: u32,
    /// From the latest to the oldest, instead of the other way round.
    pub newest_first: bool,
}

impl Default for EventQuery {
    fn default() -> Self {
        Self {
            after: 0,
            before: None,
            since: None,
            until: None,
            kinds: EventKinds::ALL,
            worker: None,
            task: None,
            reason: None,
            limit: 100,
            newest_first: false,
        }
    }
}

impl EventQuery {
    /// Whether an event is asked for; of numbers and the limit others take care.
    pub(crate) fn wants(&self, record: &EventRecord) -> bool {
        let event = &record.event;
        self.kinds.contains(event.kind)
            && self.since.is_none_or(|since| record.at >= since)
            && self.until.is_none_or(|until| record.at < until)
            && self.worker.is_none_or(|worker| event.worker == Some(worker))
            && self.task.is_none_or(|task| event.task == Some(task))
            && self.reason.is_none_or(|reason| event.reason == Some(reason))
    }

    /// Whether an event is one of those among which is looked: those of the task or the worker that is
    /// asked for.
    pub(crate) fn looks_at(&self, event: &Event) -> bool {
        match (self.task, self.worker) {
            (Some(task), _) => event.task == Some(task),
            (None, Some(worker)) => event.worker == Some(worker),
            (None, None) => true,
        }
    }

    /// Between which numbers (both left out) to look, where `first` to `last` are there; `at` tells
    /// the time of one of them.
    pub(crate) fn range<E>(
        &self,
        first: u64,
        last: u64,
        mut at: impl FnMut(u64) -> Result<WallTime, E>,
    ) -> Result<(u64, u64), E> {
        let mut after = self.after.min(last).max(first.saturating_sub(1));
        let mut before = self.before.unwrap_or(u64::MAX).min(last.saturating_add(1));
        let disorder = u64::try_from(DISORDER.as_millis()).unwrap_or(u64::MAX);
        if let Some(since) = self.since {
            let since = since.0.saturating_sub(disorder);
            after = after.max(partition(first, last, |seq| Ok(at(seq)?.0 < since))? - 1);
        }
        if let Some(until) = self.until {
            let until = until.0.saturating_add(disorder);
            before = before.min(partition(first, last, |seq| Ok(at(seq)?.0 < until))?);
        }
        Ok((after, before))
    }
}

/// The first of `first..=last` that is not `early`, or the one behind `last`. All numbers are from 1.
fn partition<E>(
    first: u64,
    last: u64,
    mut early: impl FnMut(u64) -> Result<bool, E>,
) -> Result<u64, E> {
    let (mut low, mut high) = (first.max(1), last.saturating_add(1).max(first.max(1)));
    while low < high {
        let middle = low + (high - low) / 2;
        if early(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// Events that were asked for.
///
/// ```
/// use moorline_store::{EventPage, EventQuery, MemoryStore, Reader, Store, StoreError};
///
/// fn count(reader: &mut dyn Reader) -> Result<usize, StoreError> {
///     let (mut query, mut count) = (EventQuery::default(), 0);
///     loop {
///         let EventPage { events, cursor, more } = reader.events(&query)?;
///         (count, query.after) = (count + events.len(), cursor);
///         if !more {
///             return Ok(count);
///         }
///     }
/// }
/// assert_eq!(count(&mut *MemoryStore::new().reader()?)?, 0);
/// # Ok::<(), StoreError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EventPage {
    /// The events, in the order asked for.
    pub events: Vec<EventRecord>,
    /// How far was looked: the `after` (or, newest first, the `before`) that goes on from here. At the
    /// newest end it is the number of the last event there is, whether it was asked for or not.
    pub cursor: u64,
    /// There may be more beyond the cursor now: a call looks at a bounded number of rows, so a page may
    /// be short, even empty, and not the last.
    pub more: bool,
}

/// Builds a page, row by row in the order asked for.
pub(crate) struct Paging<'q> {
    query: &'q EventQuery,
    page: EventPage,
    left: u32,
}

impl<'q> Paging<'q> {
    /// `end`: the cursor if all rows are looked at.
    pub(crate) fn new(query: &'q EventQuery, end: u64) -> Self {
        let page = EventPage { events: Vec::new(), cursor: end, more: false };
        Self { query, page, left: SCAN_MAX }
    }

    /// Goes on to rows that begin with this number, which costs as much as to look at one, also when
    /// none is there. Returns false if it is too many: then the page is done.
    pub(crate) fn pass(&mut self, seq: u64) -> bool {
        let goes_on = self.left > 0;
        if goes_on {
            self.left -= 1;
        } else {
            self.stop_before(seq);
        }
        goes_on
    }

    /// The row with this number is looked at by the next page.
    fn stop_before(&mut self, seq: u64) {
        self.page.more = true;
        self.page.cursor = if self.query.newest_first { seq + 1 } else { seq - 1 };
    }

    /// Looks at one more row. Returns false if it is too many: then the page is done.
    pub(crate) fn look(&mut self, record: Cow<'_, EventRecord>) -> bool {
        let full = self.page.events.len() as u64 >= u64::from(self.query.limit);
        if full || self.left == 0 {
            self.stop_before(record.seq);
            return false;
        }
        self.left -= 1;
        if self.query.wants(&record) {
            self.page.events.push(record.into_owned());
        }
        true
    }

    pub(crate) fn page(self) -> EventPage {
        self.page
    }
}

fn of_task(kind: EventKind, task: TaskId, handler: Name) -> Event {
    Event { task: Some(task), handler: Some(handler), ..Event::new(kind) }
}

fn of_attempt(kind: EventKind, key: TaskKey, handler: Name, worker: Who) -> Event {
    let Who { worker, name } = worker;
    Event { attempt: Some(key.attempt), worker, name, ..of_task(kind, key.task, handler) }
}

/// A worker as an event names it.
#[derive(Default)]
pub(crate) struct Who {
    pub(crate) worker: Option<WorkerId>,
    pub(crate) name: Option<Name>,
}

pub(crate) fn submitted(task: TaskId, handler: Name) -> Event {
    of_task(EventKind::TaskSubmitted, task, handler)
}

pub(crate) fn leased(key: TaskKey, handler: Name, worker: Who) -> Event {
    of_attempt(EventKind::TaskLeased, key, handler, worker)
}

pub(crate) fn adopted(key: TaskKey, handler: Name, worker: Who) -> Event {
    of_attempt(EventKind::TaskAdopted, key, handler, worker)
}

pub(crate) fn requeued(
    key: TaskKey,
    cause: Requeue,
    error: &[u8],
    handler: Name,
    worker: Who,
) -> Event {
    let kind = match cause {
        Requeue::Returned => EventKind::TaskReturned,
        Requeue::Lost => EventKind::TaskRedelivered,
        Requeue::Retry { .. } => EventKind::TaskRetried,
    };
    Event { detail: words(error), ..of_attempt(kind, key, handler, worker) }
}

pub(crate) fn ended(key: TaskKey, end: End, body: &[u8], handler: Name, worker: Who) -> Event {
    let (kind, detail) = match end {
        End::Succeeded => (EventKind::TaskFinished, None),
        End::Failed => (EventKind::TaskFailed, words(body)),
        End::Cancelled => (EventKind::TaskCancelled, words(body)),
        End::Dead => (EventKind::TaskDead, words(body)),
    };
    Event { detail, ..of_attempt(kind, key, handler, worker) }
}

/// An ended task was queued again: no attempt is about it.
pub(crate) fn revived(task: TaskId, handler: Name) -> Event {
    of_task(EventKind::TaskRevived, task, handler)
}

/// A queued task was cancelled: no attempt is about it.
pub(crate) fn cancelled(task: TaskId, handler: Name) -> Event {
    of_task(EventKind::TaskCancelled, task, handler)
}

pub(crate) fn cancel_requested(key: TaskKey, handler: Name, worker: Who) -> Event {
    of_attempt(EventKind::TaskCancelRequested, key, handler, worker)
}

pub(crate) fn forgotten(worker: WorkerId, name: Name) -> Event {
    Event { worker: Some(worker), name: Some(name), ..Event::new(EventKind::WorkerForgotten) }
}

/// As much of an error as a detail takes.
fn words(error: &[u8]) -> Option<Detail> {
    if error.is_empty() {
        return None;
    }
    // A character may be cut in two; a detail is shorter than what is looked at.
    let start = &error[..error.len().min(Detail::MAX + 4)];
    Some(Detail::new(&String::from_utf8_lossy(start)))
}

#[cfg(test)]
mod tests;
