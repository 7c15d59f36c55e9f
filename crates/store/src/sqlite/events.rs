//! Events as rows: written in the transaction of what they tell of, read by number.

use std::borrow::Cow;

use moorline_link::{Epoch, Reason};
use moorline_node::{Detail, Event, EventKind};
use rusqlite::{Connection, OptionalExtension, Rows, ToSql, params};

use super::column::{self, Columns};
use super::statement;
use crate::database::fault::Fault;
use crate::event::Paging;
use crate::{EventPage, EventQuery, EventRecord, Retention, WallTime, rule};

/// The indexes by worker and by task are cut into blocks of so many numbers (a power of 2), see the
/// schema: one is asked after the other, about a thousand of them for a million events.
const BLOCK_BITS: u32 = 10;

/// The number of the last event, 0 if there was none: the last one is never deleted.
pub(super) fn last(connection: &Connection) -> Result<u64, Fault> {
    let last: Option<i64> =
        connection.prepare_cached(statement::LAST_EVENT)?.query_row([], |row| row.get(0))?;
    Ok(last.unwrap_or_default().cast_unsigned())
}

/// When the last event happened.
pub(super) fn last_at(connection: &Connection) -> Result<Option<WallTime>, Fault> {
    let mut statement = connection.prepare_cached(statement::EVENT_TIME)?;
    let last = last(connection)?.cast_signed();
    let at: Option<i64> = statement.query_row(params![last], |row| row.get(0)).optional()?;
    Ok(at.map(|at| WallTime(at.cast_unsigned())))
}

fn first(connection: &Connection) -> Result<u64, Fault> {
    let first: Option<i64> =
        connection.prepare_cached(statement::FIRST_EVENT)?.query_row([], |row| row.get(0))?;
    Ok(first.unwrap_or(1).cast_unsigned())
}

/// How many there are: their numbers are dense.
pub(super) fn count(connection: &Connection) -> Result<u64, Fault> {
    let first = first(connection)?;
    Ok((last(connection)? + 1).saturating_sub(first))
}

/// Writes these down, in the transaction the connection is in.
pub(super) fn insert(connection: &Connection, records: &[EventRecord]) -> Result<(), Fault> {
    let groups = records.chunks_exact(statement::EVENTS_AT_ONCE);
    let few = groups.remainder();
    for group in groups {
        insert_by(connection, statement::WRITE_EVENTS, group)?;
    }
    for record in few {
        insert_by(connection, statement::WRITE_EVENT, std::slice::from_ref(record))?;
    }
    Ok(())
}

/// Writes as many at once as the statement takes.
fn insert_by(connection: &Connection, sql: &str, records: &[EventRecord]) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut place = 0;
    let mut bind = |value: &dyn ToSql| {
        place += 1;
        statement.raw_bind_parameter(place, value)
    };
    for EventRecord { seq, at, epoch, event } in records {
        bind(&seq.cast_signed())?;
        bind(&column::millis(at.0))?;
        bind(&epoch.0.cast_signed())?;
        bind(&event.kind.number())?;
        bind(&event.worker.map(column::worker_id))?;
        bind(&event.name.as_ref().map(|name| name.as_str()))?;
        bind(&event.task.map(column::task_id))?;
        bind(&event.attempt.map(|attempt| attempt.0))?;
        bind(&event.handler.as_ref().map(|handler| handler.as_str()))?;
        bind(&event.reason.map(Reason::code))?;
        bind(&event.session.map(u64::cast_signed))?;
        bind(&event.detail.as_ref().map(Detail::as_str))?;
    }
    statement.raw_execute()?;
    Ok(())
}

/// Reads a page.
pub(super) fn page(connection: &Connection, query: &EventQuery) -> Result<EventPage, Fault> {
    // One transaction, so that no block has to begin one; the writer does not wait for it.
    let transaction = connection.unchecked_transaction()?;
    let connection: &Connection = &transaction;
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
    let mut statement = connection.prepare_cached(sql)?;
    let (from, to) = (column::millis(after), column::millis(before));
    let of = query.task.map(column::task_id).or(query.worker.map(column::worker_id));
    let Some(of) = of else {
        look(&mut statement.query(params![from, to])?, &mut paging)?;
        return Ok(paging.page());
    };
    if after + 1 >= before {
        return Ok(paging.page());
    }
    let (mut block, mut last) = ((after + 1) >> BLOCK_BITS, (before - 1) >> BLOCK_BITS);
    if query.newest_first {
        (block, last) = (last, block);
    }
    loop {
        let begin = if query.newest_first { last_of(block) } else { block << BLOCK_BITS };
        if !paging.pass(begin) {
            break;
        }
        let mut rows = statement.query(params![from, to, of, block.cast_signed()])?;
        if !look(&mut rows, &mut paging)? || block == last {
            break;
        }
        block = if query.newest_first { block - 1 } else { block + 1 };
    }
    Ok(paging.page())
}

/// The last number of a block.
fn last_of(block: u64) -> u64 {
    ((block + 1) << BLOCK_BITS) - 1
}

/// Looks at these rows, one after the other. Returns false if the page is done.
fn look(rows: &mut Rows<'_>, paging: &mut Paging<'_>) -> Result<bool, Fault> {
    while let Some(row) = rows.next()? {
        // A kind that this moorline does not know was written by a newer one: it is passed over.
        if let Some(record) = record(&mut Columns::of(row))?
            && !paging.look(Cow::Owned(record))
        {
            return Ok(false);
        }
    }
    Ok(true)
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
