//! Events as rows: written in the transaction of what they tell of, read by number.

use std::borrow::Cow;

use moorline_link::{Epoch, Reason};
use moorline_node::{Detail, Event, EventKind};
use rusqlite::{Connection, OptionalExtension, params};

use super::column::{self, Columns};
use super::fault::Fault;
use super::statement;
use crate::event::Paging;
use crate::{EventPage, EventQuery, EventRecord, Retention, WallTime, rule};

/// The number of the last event, 0 if there was none: the last one is never deleted.
pub(super) fn last(connection: &Connection) -> Result<u64, Fault> {
    let last: Option<i64> =
        connection.prepare_cached(statement::LAST_EVENT)?.query_row([], |row| row.get(0))?;
    Ok(last.unwrap_or_default().cast_unsigned())
}

fn first(connection: &Connection) -> Result<u64, Fault> {
    let first: Option<i64> =
        connection.prepare_cached(statement::FIRST_EVENT)?.query_row([], |row| row.get(0))?;
    Ok(first.unwrap_or(1).cast_unsigned())
}

/// Writes one down under this number.
pub(super) fn insert(
    connection: &Connection,
    seq: u64,
    at: WallTime,
    epoch: Epoch,
    event: &Event,
) -> Result<(), Fault> {
    connection.prepare_cached(statement::WRITE_EVENT)?.execute(params![
        seq.cast_signed(),
        column::millis(at.0),
        epoch.0.cast_signed(),
        event.kind.number(),
        event.worker.map(column::worker_id),
        event.name.as_ref().map(|name| name.as_str()),
        event.task.map(column::task_id),
        event.attempt.map(|attempt| attempt.0),
        event.handler.as_ref().map(|handler| handler.as_str()),
        event.reason.map(Reason::code),
        event.session.map(u64::cast_signed),
        event.detail.as_ref().map(Detail::as_str),
    ])?;
    Ok(())
}

/// Reads a page.
pub(super) fn page(connection: &Connection, query: &EventQuery) -> Result<EventPage, Fault> {
    // What becomes durable meanwhile is behind the last one, and what is deleted meanwhile is missed
    // by nobody.
    let (first, last) = (first(connection)?, last(connection)?);
    let (after, before) = query.range(first, last, |seq| at(connection, seq))?;
    let end = if query.newest_first { after + 1 } else { before.saturating_sub(1) };
    let mut paging = Paging::new(query, end);
    let sql = match (query.task, query.worker, query.newest_first) {
        (Some(_), _, false) => statement::EVENTS_OF_TASK,
        (Some(_), _, true) => statement::EVENTS_OF_TASK_BACK,
        (None, Some(_), false) => statement::EVENTS_OF_WORKER,
        (None, Some(_), true) => statement::EVENTS_OF_WORKER_BACK,
        (None, None, false) => statement::EVENTS,
        (None, None, true) => statement::EVENTS_BACK,
    };
    let of = query.task.map(column::task_id).or(query.worker.map(column::worker_id));
    let mut statement = connection.prepare_cached(sql)?;
    let (after, before) = (column::millis(after), column::millis(before));
    let mut rows = match of {
        Some(of) => statement.query(params![after, before, of])?,
        None => statement.query(params![after, before])?,
    };
    while let Some(row) = rows.next()? {
        // A kind that this moorline does not know was written by a newer one: it is passed over.
        if let Some(record) = record(&mut Columns::of(row))?
            && !paging.look(Cow::Owned(record))
        {
            break;
        }
    }
    Ok(paging.page())
}

/// When the event with this number happened, or the next one that is there.
fn at(connection: &Connection, seq: u64) -> Result<WallTime, Fault> {
    let at: Option<i64> = connection
        .prepare_cached(statement::EVENT_TIME)?
        .query_row(params![seq.cast_signed()], |row| row.get(0))
        .optional()?;
    Ok(WallTime(at.map_or(u64::MAX, i64::cast_unsigned)))
}

/// Deletes the oldest beyond the retention, in the transaction the connection is in; returns how many.
pub(super) fn prune(
    connection: &Connection,
    now: WallTime,
    retention: &Retention,
) -> Result<u64, Fault> {
    let (first, last) = (first(connection)?, last(connection)?);
    let mut statement = connection.prepare_cached(statement::EVENT_TIMES)?;
    let times = statement.query_and_then(params![rule::PRUNE_EVENTS.cast_signed()], |row| {
        Ok::<_, Fault>(WallTime(row.get::<_, i64>(0)?.cast_unsigned()))
    })?;
    let gone = rule::prunable_events(now, retention, first, last, times)?;
    if gone > 0 {
        connection
            .prepare_cached(statement::FORGET_EVENTS)?
            .execute(params![(first + gone).cast_signed()])?;
    }
    Ok(gone)
}

fn record(columns: &mut Columns<'_, '_>) -> Result<Option<EventRecord>, Fault> {
    let seq = columns.bits()?;
    let at = columns.time()?;
    let epoch = Epoch(columns.bits()?);
    let Some(kind) = EventKind::from_number(columns.take()?) else { return Ok(None) };
    let event = Event {
        kind,
        worker: columns.optional_worker_id()?,
        name: columns.optional_name()?,
        task: columns.optional_task_id()?,
        attempt: columns.take::<Option<u32>>()?.map(moorline_work::Attempt),
        handler: columns.optional_name()?,
        reason: columns.take::<Option<u16>>()?.and_then(Reason::from_code),
        session: columns.take::<Option<i64>>()?.map(i64::cast_unsigned),
        detail: columns.take::<Option<String>>()?.as_deref().map(Detail::new),
    };
    Ok(Some(EventRecord { seq, at, epoch, event }))
}
