//! Every statement that runs on a store. The conditions of the operations are in their `WHERE`, and each is
//! answered by an index, however many tasks there are (a test asks SQLite for its plans).
//!
//! `RETURNING` makes SQLite keep a temporary table for every run of a statement. So what happens to every
//! task asks first and changes then, in the same transaction, by the `place` it found.

/// `id, handler, priority, max_retries, timeout_nanos, claimed_by, submitted_at, payload_digest, payload,
/// state, attempt, worker, incarnation`
pub(super) const SUBMIT: &str = "INSERT INTO tasks (id, handler, priority, max_retries, \
    timeout_nanos, claimed_by, submitted_at, payload_digest, payload, state, attempt, worker, incarnation) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

/// Whether the task `id` is `handler, priority, max_retries, timeout_nanos, payload_digest`.
pub(super) const SAME: &str = "SELECT handler = ?2 AND priority = ?3 AND max_retries = ?4 \
    AND timeout_nanos IS ?5 AND payload_digest = ?6 FROM tasks WHERE id = ?1";

/// What has waited until `now` for `handler` joins the ready ones, so that no claim looks at it twice.
pub(super) const WAKE: &str = "UPDATE tasks SET not_before = 0 \
    WHERE handler = ?1 AND state = 'queued' AND not_before > 0 AND not_before <= ?2";

/// The columns of a [`StoreRow::Task`](moorline_node::StoreRow::Task).
macro_rules! task_columns {
    () => {
        "place, id, handler, priority, max_retries, timeout_nanos, attempt, retries, lost, \
         length(payload)"
    };
}

/// Ready tasks of `handler` not claimed by `epoch`, at most `limit`. Those that are claimed by it
/// are passed over: no more than its window.
pub(super) const CLAIMABLE: &str = concat!(
    "SELECT ",
    task_columns!(),
    " FROM tasks WHERE handler = ?1 AND state = 'queued' AND not_before = 0 AND claimed_by <> ?2 ",
    "ORDER BY priority DESC, place LIMIT ?3"
);

/// `place, epoch`
pub(super) const CLAIM: &str = "UPDATE tasks SET claimed_by = ?2 WHERE place = ?1";

/// When the next task of `handler` has waited long enough.
pub(super) const NEXT_READY: &str = "SELECT min(not_before) FROM tasks \
    WHERE handler = ?1 AND state = 'queued' AND not_before > 0";

/// `id`
pub(super) const UNCLAIM: &str =
    "UPDATE tasks SET claimed_by = 0 WHERE id = ?1 AND state = 'queued'";

/// The columns of a [`StoreRow::Lease`](moorline_node::StoreRow::Lease).
macro_rules! lease_columns {
    () => {
        "place, id, handler, priority, max_retries, timeout_nanos, attempt, retries, lost, \
         worker, incarnation, cancel_requested, length(payload)"
    };
}

pub(super) const LEASES: &str =
    concat!("SELECT ", lease_columns!(), " FROM tasks WHERE state = 'leased' ORDER BY place");

/// Where the task `id` stands; of an ended one the attempt that ended it.
pub(super) const STATUS: &str =
    "SELECT state, coalesce(ended_by, attempt) FROM tasks WHERE id = ?1";

/// `id, attempt`: the task to which this attempt may be given.
pub(super) const LEASABLE: &str = "SELECT place, payload, handler, submitted_at FROM tasks \
    WHERE id = ?1 AND state = 'queued' AND attempt = ?2 - 1";

/// `place, attempt, worker, incarnation`
pub(super) const LEASE: &str = "UPDATE tasks SET state = 'leased', attempt = ?2, worker = ?3, \
    incarnation = ?4, claimed_by = 0, not_before = 0 WHERE place = ?1";

/// `id, attempt, worker, incarnation, from`; answers the lease it makes.
pub(super) const ADOPT: &str = concat!(
    "UPDATE tasks SET state = 'leased', attempt = ?2, worker = ?3, incarnation = ?4, ",
    "claimed_by = 0, not_before = 0 ",
    "WHERE id = ?1 AND state IN ('queued', 'leased') AND attempt = ?5 AND ?2 > ?5 RETURNING ",
    lease_columns!()
);

/// `id, attempt, claimed_by, not_before, retries more, losses more, error, whether no error clears
/// the last one`; answers whose task it was.
pub(super) const REQUEUE: &str = "UPDATE tasks SET state = 'queued', claimed_by = ?3, \
    not_before = ?4, retries = retries + ?5, lost = lost + ?6, \
    error = CASE WHEN ?8 THEN ?7 ELSE coalesce(?7, error) END \
    WHERE id = ?1 AND state = 'leased' AND attempt = ?2 RETURNING handler, worker";

/// `id, attempt`: the task that this attempt may end, and who has it if that is its attempt.
macro_rules! endable_where {
    ($condition:literal) => {
        concat!(
            "SELECT place, handler, CASE WHEN attempt = ?2 THEN worker END FROM tasks ",
            "WHERE id = ?1 AND ",
            $condition
        )
    };
}

/// Any attempt that was given out may succeed while the task has not ended.
pub(super) const MAY_SUCCEED: &str =
    endable_where!("state IN ('queued', 'leased') AND ?2 >= 1 AND ?2 <= attempt");

/// Only the current attempt fails or is lost for the last time.
pub(super) const MAY_FAIL: &str = endable_where!("state = 'leased' AND attempt = ?2");

/// Cancelled by the current attempt, or while no attempt is current.
pub(super) const MAY_BE_CANCELLED: &str =
    endable_where!("((state = 'leased' AND attempt = ?2) OR (state = 'queued' AND ?2 <= attempt))");

/// `place, attempt, now, state, result, error, whether no error clears the last one, losses more`
pub(super) const FINISH: &str = "UPDATE tasks SET state = ?4, ended_by = ?2, finished_at = ?3, \
    worker = CASE WHEN attempt = ?2 THEN worker END, \
    incarnation = CASE WHEN attempt = ?2 THEN incarnation END, \
    claimed_by = 0, not_before = 0, \
    payload = CASE WHEN ?4 = 'succeeded' THEN x'' ELSE payload END, result = ?5, \
    error = CASE WHEN ?7 THEN ?6 ELSE coalesce(?6, error) END, lost = lost + ?8 \
    WHERE place = ?1";

/// The ledger's row for a success: `place, attempt, now`
pub(super) const APPLY: &str =
    "INSERT INTO applications (place, attempt, applied_at) VALUES (?1, ?2, ?3)";

/// `id, now`
pub(super) const CANCEL_QUEUED: &str = "UPDATE tasks SET state = 'cancelled', ended_by = attempt, \
    finished_at = ?2, worker = NULL, incarnation = NULL, claimed_by = 0, not_before = 0, \
    cancel_requested = 1 WHERE id = ?1 AND state = 'queued' RETURNING handler, worker";

/// `id`; answers whose task it is if it was not marked yet.
pub(super) const CANCEL_LEASED: &str = "UPDATE tasks SET cancel_requested = 1 \
    WHERE id = ?1 AND state = 'leased' AND cancel_requested = 0 RETURNING handler, worker";

/// `id, name, incarnation, departed, now if it is gone`
pub(super) const KNOW_WORKER: &str = "INSERT INTO workers (id, name, incarnation, departed, gone_since, cordoned) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE \
    SET name = excluded.name, incarnation = excluded.incarnation, departed = excluded.departed, \
    gone_since = iif(excluded.gone_since IS NULL, NULL, coalesce(workers.gone_since, excluded.gone_since)), \
    cordoned = excluded.cordoned";

pub(super) const WORKERS: &str = "SELECT id, name, incarnation, departed, \
    gone_since IS NOT NULL AND NOT departed, cordoned FROM workers ORDER BY id";

/// `name`
pub(super) const WORKER_NAMED: &str =
    "SELECT id, gone_since IS NOT NULL FROM workers WHERE name = ?1 ORDER BY id";

/// Who is gone since before `time`, the longest first.
pub(super) const GONE_WORKERS: &str = "SELECT id, name, gone_since FROM workers \
    WHERE gone_since < ?1 ORDER BY gone_since, id";

/// Who has a lease.
pub(super) const LEASING_WORKERS: &str = "SELECT worker FROM tasks WHERE state = 'leased'";

/// `id`
pub(super) const FORGET_WORKER: &str = "DELETE FROM workers WHERE id = ?1";

/// `id, last`; answers the task as it is queued again. Its payload was kept for this.
pub(super) const RETRY: &str = concat!(
    "UPDATE tasks SET state = 'queued', ended_by = NULL, finished_at = NULL, cancel_requested = 0 ",
    "WHERE id = ?1 AND state IN ('failed', 'cancelled', 'dead') AND attempt = ?2 RETURNING ",
    task_columns!()
);

/// The columns of an event.
macro_rules! event_columns {
    () => {
        "seq, at, epoch, kind, worker, worker_name, task, attempt, handler, reason, session, detail"
    };
}

/// The values of one event, in the order of its columns.
macro_rules! event_values {
    () => {
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    };
}

macro_rules! four_times {
    ($($values:tt)*) => {
        concat!($($values)*, ", ", $($values)*, ", ", $($values)*, ", ", $($values)*)
    };
}

pub(super) const WRITE_EVENT: &str =
    concat!("INSERT INTO events (", event_columns!(), ") VALUES ", event_values!());

/// [`WRITE_EVENT`] for so many at once, which takes three quarters of the time.
pub(super) const EVENTS_AT_ONCE: usize = 16;

pub(super) const WRITE_EVENTS: &str = concat!(
    "INSERT INTO events (",
    event_columns!(),
    ") VALUES ",
    four_times!(four_times!(event_values!()))
);

pub(super) const LAST_EVENT: &str = "SELECT max(seq) FROM events";

pub(super) const FIRST_EVENT: &str = "SELECT min(seq) FROM events";

/// `seq`
pub(super) const EVENT_TIME: &str = "SELECT at FROM events WHERE seq >= ?1 ORDER BY seq LIMIT 1";

/// The times of the `limit` oldest.
pub(super) const EVENT_TIMES: &str = "SELECT at FROM events WHERE seq > 0 ORDER BY seq LIMIT ?1";

/// Those before `seq`.
pub(super) const FORGET_EVENTS: &str = "DELETE FROM events WHERE seq < ?1";

/// `after, before`; of a worker or a task also its id, and the block of numbers in which it is looked for.
macro_rules! events_where {
    ($condition:literal, $order:literal) => {
        concat!(
            "SELECT ",
            event_columns!(),
            " FROM events WHERE ",
            $condition,
            "seq > ?1 AND seq < ?2 ORDER BY ",
            $order
        )
    };
}

pub(super) const EVENTS: &str = events_where!("", "seq");
pub(super) const EVENTS_BACK: &str = events_where!("", "seq DESC");
pub(super) const EVENTS_OF_WORKER: &str =
    events_where!("seq >> 10 = ?4 AND worker = ?3 AND ", "seq");
pub(super) const EVENTS_OF_WORKER_BACK: &str =
    events_where!("seq >> 10 = ?4 AND worker = ?3 AND ", "seq DESC");
pub(super) const EVENTS_OF_TASK: &str = events_where!("seq >> 10 = ?4 AND task = ?3 AND ", "seq");
pub(super) const EVENTS_OF_TASK_BACK: &str =
    events_where!("seq >> 10 = ?4 AND task = ?3 AND ", "seq DESC");

pub(super) const LAST_EPOCH: &str = "SELECT max(epoch) FROM epochs";

/// `epoch, now`
pub(super) const BEGIN_EPOCH: &str = "INSERT INTO epochs (epoch, begun_at) VALUES (?1, ?2)";

/// `set_back`: as `rule::ready_earlier` has it.
pub(super) const READY_EARLIER: &str = "UPDATE tasks SET not_before = max(1, not_before - ?1) \
    WHERE state = 'queued' AND not_before > 0";

pub(super) const COUNT_FINISHED: &str = "SELECT count(*) FROM tasks WHERE finished_at IS NOT NULL";

pub(super) const COUNT_TASKS: &str = "SELECT count(*) FROM tasks";

/// The `limit` oldest that have ended.
pub(super) const OLDEST: &str = "SELECT place, finished_at, \
    coalesce(length(result), 0) + length(payload) FROM tasks \
    WHERE finished_at IS NOT NULL ORDER BY finished_at, place LIMIT ?1";

/// `place`
pub(super) const FORGET_TASK: &str = "DELETE FROM tasks WHERE place = ?1";

/// `place`
pub(super) const FORGET_APPLICATIONS: &str = "DELETE FROM applications WHERE place = ?1";

/// The columns of a [`TaskRecord`](crate::TaskRecord). Whoever had a task last says nothing about one that is queued.
macro_rules! records_where {
    ($condition:literal) => {
        concat!(
            "SELECT t.id, t.place, t.handler, t.state, t.priority, t.attempt, t.retries, ",
            "t.max_retries, t.lost, iif(t.state = 'queued', NULL, t.worker), ",
            "iif(t.state = 'queued', NULL, w.name), t.submitted_at, t.finished_at, ",
            "iif(t.state = 'queued', nullif(t.not_before, 0), NULL), t.error, ",
            "t.cancel_requested, length(t.result), ",
            "(SELECT count(*) FROM applications a WHERE a.place = t.place) ",
            "FROM tasks t LEFT JOIN workers w ON w.id = t.worker WHERE ",
            $condition
        )
    };
}

/// `id`
pub(super) const RECORD: &str = records_where!("t.id = ?1");

/// `before, limit`
pub(super) const RECORDS: &str = records_where!("t.place < ?1 ORDER BY t.place DESC LIMIT ?2");

/// `before, limit, state`
pub(super) const RECORDS_OF_STATE: &str =
    records_where!("t.state = ?3 AND t.place < ?1 ORDER BY t.place DESC LIMIT ?2");

/// `id`
pub(super) const RESULT: &str = "SELECT result FROM tasks WHERE id = ?1";

pub(super) const COUNTS: &str = "SELECT state, count(*) FROM tasks GROUP BY state";

pub(super) const APPLIED_TWICE: &str = "SELECT count(*) FROM \
    (SELECT 1 FROM applications GROUP BY place HAVING count(*) > 1)";

pub(super) const LOST_ATTEMPTS: &str = "SELECT coalesce(sum(lost), 0) FROM tasks WHERE lost > 0";

/// In the order of submission: the first one is found at once.
pub(super) const OLDEST_QUEUED: &str =
    "SELECT submitted_at FROM tasks WHERE state = 'queued' ORDER BY place LIMIT 1";

/// What the writer runs.
pub(super) const WRITER: &[&str] = &[
    SUBMIT,
    SAME,
    WAKE,
    CLAIMABLE,
    CLAIM,
    NEXT_READY,
    UNCLAIM,
    LEASES,
    STATUS,
    LEASABLE,
    LEASE,
    ADOPT,
    REQUEUE,
    MAY_SUCCEED,
    MAY_FAIL,
    MAY_BE_CANCELLED,
    FINISH,
    APPLY,
    CANCEL_QUEUED,
    CANCEL_LEASED,
    RETRY,
    KNOW_WORKER,
    FORGET_WORKER,
    WORKERS,
    LAST_EPOCH,
    BEGIN_EPOCH,
    READY_EARLIER,
    COUNT_FINISHED,
    COUNT_TASKS,
    OLDEST,
    FORGET_TASK,
    FORGET_APPLICATIONS,
    GONE_WORKERS,
    LEASING_WORKERS,
    WRITE_EVENT,
    WRITE_EVENTS,
    LAST_EVENT,
    FIRST_EVENT,
    EVENT_TIMES,
    FORGET_EVENTS,
];

/// What a reader runs.
pub(super) const READER: &[&str] = &[
    RECORD,
    RECORDS,
    RECORDS_OF_STATE,
    RESULT,
    COUNTS,
    APPLIED_TWICE,
    LOST_ATTEMPTS,
    OLDEST_QUEUED,
    WORKER_NAMED,
    LAST_EVENT,
    FIRST_EVENT,
    EVENT_TIME,
    EVENTS,
    EVENTS_BACK,
    EVENTS_OF_WORKER,
    EVENTS_OF_WORKER_BACK,
    EVENTS_OF_TASK,
    EVENTS_OF_TASK_BACK,
];
