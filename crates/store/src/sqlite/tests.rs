mod trouble;

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use moorline_node::{Name, Persist, PersistId, Spec, StoreOp, StorePlacement};
use moorline_work::{Attempt, End, Incarnation, TaskId, TaskKey, WorkerId};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{SqliteStore, schema, statement};
use crate::database::format::Found;
use crate::{EventQuery, Retention, Store, StoreError, WallTime};

const NOW: WallTime = WallTime(1_700_000_000_000);

fn new_dir() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn submit(task: u128, payload_len: usize) -> Persist {
    let spec = Spec {
        handler: Name::new("resize").expect("a name"),
        priority: 0,
        max_retries: 0,
        timeout: None,
    };
    let payload = Bytes::from(vec![7; payload_len]);
    Persist {
        id: PersistId(1),
        op: StoreOp::Submit {
            task: TaskId(task),
            spec,
            payload,
            placement: StorePlacement::Unclaimed,
        },
    }
}

fn number(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).expect(sql)
}

#[test]
fn an_empty_file_becomes_a_store_of_the_present_schema() {
    let dir = new_dir();
    let path = dir.path().join("store.db");
    fs::write(&path, b"").expect("an empty file");
    let store = SqliteStore::open(&path).expect("a new store");
    assert_eq!(number(&store.connection, "PRAGMA user_version"), i64::from(schema::CURRENT));
    assert_eq!(number(&store.connection, "PRAGMA application_id"), i64::from(0x6d6f_6f72));
}

#[test]
fn a_store_is_opened_again_with_all_it_has() {
    let dir = new_dir();
    let path = dir.path().join("store.db");
    let mut store = SqliteStore::open(&path).expect("a new store");
    let first = store.begin_epoch(NOW).expect("an epoch");
    store.commit(NOW, &[submit(1, 10)]).expect("a commit");
    let record = store.reader().expect("a reader").task(TaskId(1)).expect("a reading");
    drop(store);
    let mut store = SqliteStore::open(&path).expect("the same store");
    assert!(store.begin_epoch(NOW).expect("an epoch") > first);
    let again = store.reader().expect("a reader").task(TaskId(1)).expect("a reading");
    assert!(record.is_some());
    assert_eq!(again, record);
}

#[test]
fn every_commit_is_on_the_disk_before_it_returns() {
    let dir = new_dir();
    let store = SqliteStore::open(dir.path().join("store.db")).expect("a new store");
    let mode: String = store
        .connection
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .expect("a journal mode");
    assert_eq!(mode, "wal");
    const FULL: i64 = 2;
    assert_eq!(number(&store.connection, "PRAGMA synchronous"), FULL);
    assert_eq!(number(&store.connection, "PRAGMA fullfsync"), 1);
    assert_eq!(number(&store.connection, "PRAGMA busy_timeout"), 5_000);
}

/// A step of the past is what made the files of the past: edit it, and theirs differ from ours.
#[test]
fn a_published_migration_is_never_edited() {
    let digests: Vec<String> = schema::MIGRATIONS
        .iter()
        .map(|step| Sha256::digest(step).iter().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    let published = [
        "4235fd19c77ac2b0a7aa824ed8387ecb4138295ea2e541dc63750180121e4d59",
        "635c0a9a89baa0267c8627fbaaf121b9ea569e4c0d6f63e9ce8eab3d2edc7362",
    ];
    assert_eq!(digests, published);
}

#[test]
fn migration_goes_on_from_the_version_of_the_file() {
    let dir = new_dir();
    let mut connection = Connection::open(dir.path().join("store.db")).expect("a database");
    assert_eq!(schema::STORE.find(&connection).expect("found"), Found::Empty);
    schema::STORE.migrate(&mut connection, Found::Empty).expect("migrated");
    let found = schema::STORE.find(&connection).expect("found");
    assert_eq!(found, Found::Version(schema::CURRENT));
    // Doing a step twice would fail: its tables are there.
    schema::STORE.migrate(&mut connection, found).expect("nothing to do");
    schema::STORE.migrate(&mut connection, Found::Empty).expect_err("a step done twice");
    assert_eq!(
        schema::STORE.find(&connection).expect("found"),
        found,
        "a failed step leaves no trace"
    );
}

#[test]
fn a_store_of_the_first_schema_is_taken_over_with_its_tasks_and_workers() {
    let dir = new_dir();
    let path = dir.path().join("store.db");
    let mut old = Connection::open(&path).expect("a database");
    schema::STORE.migrate_by(&schema::MIGRATIONS[..1], &mut old, Found::Empty).expect("version 1");
    old.execute_batch(
        "INSERT INTO tasks (id, handler, priority, max_retries, submitted_at, payload_digest, payload)
             VALUES (x'00000000000000000000000000000007', 'resize', 0, 0, 5, zeroblob(32), x'01');
         INSERT INTO workers VALUES (x'0000000000000000000000000000000a', 'ann', 1, 0);
         INSERT INTO workers VALUES (x'0000000000000000000000000000000b', 'bob', 1, 1);",
    )
    .expect("what an earlier moorline left");
    drop(old);

    let mut store = SqliteStore::open(&path).expect("the same store");
    assert_eq!(number(&store.connection, "PRAGMA user_version"), 2);
    let mut reader = store.reader().expect("a reader");
    assert!(reader.task(TaskId(7)).expect("a reading").is_some());
    let key = TaskKey { task: TaskId(7), attempt: Attempt(1) };
    let lease = StoreOp::Lease { key, worker: WorkerId(0xa), incarnation: Incarnation(1) };
    store.commit(NOW, &[Persist { id: PersistId(1), op: lease }]).expect("a commit");
    let events = reader.events(&EventQuery::default()).expect("a reading").events;
    assert_eq!((events.len(), events[0].seq), (1, 1));
    assert_eq!(events[0].event.name.as_ref().map(Name::as_str), Some("ann"));
    // Bob left at some time: it counts from the day of the step.
    let gone = number(&store.connection, "SELECT count(*) FROM workers WHERE gone_since > 0");
    assert_eq!(gone, 1);
    let soon = WallTime(u64::MAX / 4);
    assert_eq!(store.prune(soon, &Retention::default()).expect("a pruning").workers, 1);
}

/// The way every store will go: opened by a moorline that knows one step more.
#[test]
fn a_step_to_the_next_schema_keeps_all_tasks_and_one_that_fails_leaves_the_store_as_it_was() {
    let dir = new_dir();
    let path = dir.path().join("store.db");
    let mut store = succeeded(&dir);
    store.commit(NOW, &[submit(2, 10)]).expect("a commit");
    drop(store);
    let before = Found::Version(schema::CURRENT);
    let mut connection = Connection::open(&path).expect("a database");

    let add = "ALTER TABLE tasks ADD COLUMN region TEXT NOT NULL DEFAULT 'here';";
    let broken = format!("{add} INSERT INTO no_such_table VALUES (1);");
    let steps = [schema::MIGRATIONS, &[broken.as_str()]].concat();
    schema::STORE.migrate_by(&steps, &mut connection, before).expect_err("half a step");
    assert_eq!(schema::STORE.find(&connection).expect("found"), before);
    connection.prepare("SELECT region FROM tasks").expect_err("nothing of it is left");
    let mut store = SqliteStore::open(&path).expect("the store as it was");
    store.commit(NOW, &[submit(3, 10)]).expect("a commit");
    drop(store);

    let steps = [schema::MIGRATIONS, &[add]].concat();
    schema::STORE.migrate_by(&steps, &mut connection, before).expect("one step");
    let after = Found::Version(schema::CURRENT + 1);
    assert_eq!(schema::STORE.find(&connection).expect("found"), after);
    assert_eq!(number(&connection, "SELECT count(*) FROM tasks WHERE region = 'here'"), 3);
    assert_eq!(number(&connection, "SELECT count(*) FROM tasks WHERE state = 'succeeded'"), 1);
    assert_eq!(number(&connection, "SELECT sum(length(payload)) FROM tasks"), 20);
    assert_eq!(number(&connection, "SELECT count(*) FROM applications"), 1);
    schema::STORE.migrate_by(&steps, &mut connection, after).expect("nothing to do");
}

#[test]
fn a_store_of_a_newer_moorline_is_refused_and_left_alone() {
    let dir = new_dir();
    let path = dir.path().join("store.db");
    drop(SqliteStore::open(&path).expect("a new store"));
    let newer = schema::CURRENT + 1;
    let connection = Connection::open(&path).expect("a database");
    connection.pragma_update(None, "user_version", newer).expect("a newer version");
    drop(connection);
    let before = fs::read(&path).expect("the file");
    match SqliteStore::open(&path) {
        Err(StoreError::Newer { path: named, found, known }) => {
            assert_eq!((found, known), (newer, schema::CURRENT));
            assert!(named.ends_with("store.db"), "{named}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(&path).expect("the file"), before);
}

#[test]
fn a_database_of_another_application_is_refused_and_left_alone() {
    let dir = new_dir();
    let path = dir.path().join("theirs.db");
    for sql in [
        "CREATE TABLE theirs (x)",
        "PRAGMA application_id = 5",
        "PRAGMA user_version = 1",
        "PRAGMA application_id = 1836019570; PRAGMA user_version = 0",
        "PRAGMA application_id = 1836019570; PRAGMA user_version = -1",
    ] {
        let connection = Connection::open(&path).expect("a database");
        connection.execute_batch(sql).expect(sql);
        drop(connection);
        let before = fs::read(&path).expect("the file");
        match SqliteStore::open(&path) {
            Err(StoreError::Damaged { .. }) => {}
            other => panic!("{sql}: {other:?}"),
        }
        assert!(fs::read(&path).expect("the file") == before, "{sql}: the file was changed");
        fs::remove_file(&path).expect("removed");
    }
}

#[test]
fn a_file_with_our_mark_and_without_our_tables_is_refused() {
    let dir = new_dir();
    let path = dir.path().join("store.db");
    let store = SqliteStore::open(&path).expect("a new store");
    store.connection.execute_batch("DROP TABLE applications").expect("no ledger");
    drop(store);
    match SqliteStore::open(&path) {
        Err(StoreError::Damaged { detail, .. }) => {
            assert!(detail.contains("applications"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let dir = new_dir();
    let path = dir.path().join("notes.txt");
    let text = "not a database at all, but long enough to have a header\n".repeat(40);
    fs::write(&path, &text).expect("a text");
    assert!(matches!(SqliteStore::open(&path), Err(StoreError::Damaged { .. })));
    assert_eq!(fs::read_to_string(&path).expect("the text"), text);
}

#[test]
fn a_damaged_page_is_an_error_and_not_a_wrong_answer() {
    let dir = new_dir();
    let path = dir.path().join("store.db");
    let mut store = SqliteStore::open(&path).expect("a new store");
    let batch: Vec<Persist> = (0..200).map(|task| submit(task, 100)).collect();
    store.commit(NOW, &batch).expect("a commit");
    drop(store);
    let mut bytes = fs::read(&path).expect("the file");
    for page in bytes.chunks_mut(4096).skip(1) {
        page[..64].fill(0xa5);
    }
    fs::write(&path, bytes).expect("a damaged file");
    let damaged = SqliteStore::open(&path).and_then(|mut store| {
        store.reader()?.tasks(&crate::TaskFilter::default())?;
        store.commit(NOW, &[submit(1_000, 1)])
    });
    assert!(matches!(damaged, Err(StoreError::Damaged { .. })), "{damaged:?}");
}

#[test]
fn a_place_without_a_directory_or_a_file_is_an_io_error() {
    let dir = new_dir();
    for place in [dir.path().join("missing/store.db"), dir.path().to_owned(), "/".into()] {
        let opened = SqliteStore::open(&place);
        assert!(matches!(opened, Err(StoreError::Io { .. })), "{place:?}: {opened:?}");
    }
}

#[test]
fn one_file_has_one_lock_however_it_is_named() {
    let dir = new_dir();
    let path = dir.path().join("store.db");
    let link = dir.path().join("link.db");
    let store = SqliteStore::open(dir.path().join(".").join("store.db")).expect("a new store");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    for name in [&path, &link] {
        match SqliteStore::open(name) {
            Err(StoreError::Locked { path }) => assert!(path.ends_with("store.db"), "{path}"),
            other => panic!("{name:?}: {other:?}"),
        }
    }
    drop(store);
    SqliteStore::open(&link).expect("free again");
}

#[test]
fn a_store_created_through_a_link_has_its_lock_beside_the_file() {
    let dir = new_dir();
    let path = dir.path().join("disk.db");
    let link = dir.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).expect("a link to what is not there yet");
    let store = SqliteStore::open(&link).expect("a new store");
    assert!(store.path().ends_with("disk.db"), "{:?}", store.path());
    for name in [&path, &link] {
        match SqliteStore::open(name) {
            Err(StoreError::Locked { path }) => assert!(path.ends_with("disk.db"), "{path}"),
            other => panic!("{name:?}: {other:?}"),
        }
    }
    drop(store);
    SqliteStore::open(&path).expect("free again");

    let nowhere = dir.path().join("nowhere.db");
    std::os::unix::fs::symlink(dir.path().join("missing/store.db"), &nowhere).expect("a link");
    let opened = SqliteStore::open(&nowhere);
    assert!(matches!(opened, Err(StoreError::Io { .. })), "{opened:?}");
}

#[test]
fn a_full_disk_fails_the_batch_whole_and_the_same_batch_works_later() {
    let dir = new_dir();
    let mut store = SqliteStore::open(dir.path().join("store.db")).expect("a new store");
    store.begin_epoch(NOW).expect("an epoch");
    store.commit(NOW, &[submit(1, 10)]).expect("a commit");
    let pages = number(&store.connection, "PRAGMA page_count");
    let limit = |store: &SqliteStore, pages: i64| {
        number(&store.connection, &format!("PRAGMA max_page_count = {pages}"));
    };
    limit(&store, pages + 3);

    // The first fits, the second does not.
    let batch = [submit(2, 10), submit(3, 100_000)];
    for _ in 0..3 {
        match store.commit(NOW, &batch) {
            Err(StoreError::Full { detail, .. }) => assert!(detail.contains("full"), "{detail}"),
            other => panic!("{other:?}"),
        }
        let mut reader = store.reader().expect("a reader");
        assert_eq!(reader.task(TaskId(2)).expect("a reading"), None, "half a batch");
        assert!(reader.task(TaskId(1)).expect("a reading").is_some());
    }
    store.commit(NOW, &[submit(4, 10)]).expect("a small batch fits");

    limit(&store, 1 << 30);
    let answers = store.commit(NOW, &batch).expect("the same batch, later");
    assert!(answers.iter().all(|done| done.conflict.is_none()), "{answers:?}");
}

#[test]
fn somebody_else_writing_delays_a_commit_and_loses_nothing() {
    let dir = new_dir();
    let path = dir.path().join("store.db");
    let mut store = SqliteStore::open(&path).expect("a new store");
    store.connection.busy_timeout(Duration::from_millis(20)).expect("a shorter patience");
    let shell = Connection::open(&path).expect("a shell");
    shell.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let batch = [submit(1, 10)];
    assert!(matches!(store.commit(NOW, &batch), Err(StoreError::Io { .. })));
    assert!(matches!(store.begin_epoch(NOW), Err(StoreError::Io { .. })));
    shell.execute_batch("ROLLBACK").expect("no lock");
    assert!(store.commit(NOW, &batch).expect("a commit")[0].conflict.is_none());
}

#[test]
fn a_reader_does_not_hold_up_the_writer_nor_the_writer_a_reader() {
    let dir = new_dir();
    let path = dir.path().join("store.db");
    let mut store = SqliteStore::open(&path).expect("a new store");
    store.commit(NOW, &[submit(1, 10)]).expect("a commit");
    let shell = Connection::open(&path).expect("a shell");
    shell.execute_batch("BEGIN; SELECT count(*) FROM tasks").expect("a long reading");
    store.commit(NOW, &[submit(2, 10)]).expect("a commit beside a reading");
    let mut reader = store.reader().expect("a reader");
    let writing = store.begin().expect("a transaction");
    assert!(reader.task(TaskId(2)).expect("a reading beside a commit").is_some());
    drop(writing);
}

/// Task 1 goes all the way to its result.
fn succeeded(dir: &TempDir) -> SqliteStore {
    let mut store = SqliteStore::open(dir.path().join("store.db")).expect("a new store");
    let key = TaskKey { task: TaskId(1), attempt: Attempt(1) };
    let lease = StoreOp::Lease { key, worker: WorkerId(1), incarnation: Incarnation(1) };
    let finish = StoreOp::Finish { key, end: End::Succeeded, body: Bytes::new() };
    let ops = [submit(1, 10).op, lease, finish];
    let batch = ops.map(|op| Persist { id: PersistId(1), op });
    let answers = store.commit(NOW, &batch).expect("a commit");
    assert!(answers.iter().all(|done| done.conflict.is_none()), "{answers:?}");
    store
}

#[test]
fn a_broken_promise_would_show() {
    let dir = new_dir();
    let store = succeeded(&dir);
    let mut reader = store.reader().expect("a reader");
    assert_eq!(reader.counts().expect("counts").applied_twice, 0);
    store
        .connection
        .execute("INSERT INTO applications (place, attempt, applied_at) VALUES (1, 2, 0)", [])
        .expect("a second application, which the schema does not forbid");
    assert_eq!(reader.counts().expect("counts").applied_twice, 1);
    assert_eq!(reader.task(TaskId(1)).expect("a reading").expect("a task").applied, 2);
}

#[test]
fn a_task_that_may_be_retried_keeps_its_payload_and_a_pruned_one_leaves_nothing() {
    let dir = new_dir();
    let mut store = succeeded(&dir);
    store.commit(NOW, &[submit(2, 10)]).expect("a commit");
    let cancel = StoreOp::Cancel { task: TaskId(2) };
    assert_eq!(number(&store.connection, "SELECT sum(length(payload)) FROM tasks"), 10);
    store.commit(NOW, &[Persist { id: PersistId(1), op: cancel }]).expect("a commit");
    let kept = "SELECT group_concat(state || length(payload), ' ') FROM tasks ORDER BY place";
    let kept: String = store.connection.query_row(kept, [], |row| row.get(0)).expect("a row");
    assert_eq!(kept, "succeeded0 cancelled10");
    assert_eq!(number(&store.connection, "SELECT count(*) FROM applications"), 1);
    let nothing = Retention { age_millis: 0, count: 0, ..Retention::default() };
    assert_eq!(store.prune(NOW, &nothing).expect("a pruning").tasks, 2);
    assert_eq!(number(&store.connection, "SELECT count(*) FROM tasks"), 0);
    assert_eq!(number(&store.connection, "SELECT count(*) FROM applications"), 0);
}

#[test]
fn the_size_is_that_of_the_files_and_is_counted_along_from_what_was_there() {
    let dir = new_dir();
    let path = dir.path().join("store.db");
    let mut store = SqliteStore::open(&path).expect("a new store");
    let empty = store.reader().expect("a reader").size().expect("a size");
    assert_eq!((empty.tasks, empty.events), (0, 0));
    let batch: Vec<Persist> = (0..50).map(|task| submit(task, 20_000)).collect();
    store.commit(NOW, &batch).expect("a commit");
    let mut full = store.reader().expect("a reader").size().expect("a size");
    assert_eq!((full.tasks, full.events), (50, 50));
    assert!(full.database_bytes > empty.database_bytes + 1_000_000, "{full:?}");
    assert!(full.log_bytes > 1_000_000, "{full:?}");
    store.commit(NOW, &batch).expect("the same again adds nothing");
    assert_eq!(store.reader().expect("a reader").size().expect("a size").tasks, 50);
    drop(store);
    // The log went into the database.
    assert_eq!(fs::metadata(&path).expect("the file").len(), full.database_bytes);

    let mut store = SqliteStore::open(&path).expect("the same store");
    let mut reader = store.reader().expect("a reader");
    full.log_bytes = 0;
    assert_eq!(reader.size().expect("a size"), full);
    let cancel = |task| Persist { id: PersistId(1), op: StoreOp::Cancel { task: TaskId(task) } };
    store.commit(NOW, &(0..50).map(cancel).collect::<Vec<_>>()).expect("a commit");
    let ended = reader.size().expect("a size");
    let nothing = Retention { count: 0, event_count: 10, ..Retention::default() };
    store.prune(NOW, &nothing).expect("a pruning");
    let pruned = reader.size().expect("a size");
    assert_eq!((pruned.tasks, pruned.events), (0, 10));
    assert_eq!(pruned.database_bytes, ended.database_bytes, "a file does not shrink");
    assert!(pruned.free_bytes > 1_000_000, "{pruned:?}");
}

#[test]
fn no_statement_scans_or_sorts_what_grows() {
    let dir = new_dir();
    let store = SqliteStore::open(dir.path().join("store.db")).expect("a new store");
    let plan = |sql: &str| -> Vec<String> {
        let mut explain =
            store.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect(sql);
        let nulls = vec![rusqlite::types::Null; explain.parameter_count()];
        let rows = explain
            .query_map(rusqlite::params_from_iter(nulls), |row| row.get::<_, String>(3))
            .expect(sql);
        rows.map(|row| row.expect(sql)).collect()
    };
    // These read all there is on purpose: all workers at the start, and the sums.
    let whole = [
        statement::WORKERS,
        statement::COUNT_FINISHED,
        statement::COUNT_TASKS,
        statement::COUNTS,
        statement::APPLIED_TWICE,
        statement::LOST_ATTEMPTS,
        // Once for a question by a person.
        statement::WORKER_NAMED,
    ];
    for sql in statement::WRITER.iter().chain(statement::READER) {
        let plan = plan(sql);
        for step in &plan {
            assert!(!step.contains("TEMP B-TREE"), "{sql}\n{plan:?}");
            let bounded = step.contains("USING INDEX")
                || step.contains("USING COVERING INDEX")
                || step.contains("PRIMARY KEY");
            assert!(
                !step.contains("SCAN")
                    || step.ends_with("VALUES CLAUSE")
                    || whole.contains(sql)
                    || bounded && *sql == statement::OLDEST,
                "{sql}\n{plan:?}"
            );
        }
    }
    for (sql, index) in [
        (statement::CLAIMABLE, "tasks_ready (handler=?)"),
        (statement::WAKE, "tasks_waiting (handler=? AND not_before>? AND not_before<?)"),
        (statement::NEXT_READY, "tasks_waiting (handler=?"),
        (statement::LEASES, "tasks_state (state=?)"),
        (statement::RECORDS_OF_STATE, "tasks_state (state=? AND rowid<?)"),
        (statement::OLDEST, "tasks_finished"),
        (statement::FORGET_APPLICATIONS, "applications_place (place=?)"),
        (statement::COUNTS, "COVERING INDEX tasks_state"),
        (statement::APPLIED_TWICE, "COVERING INDEX applications_place"),
        (statement::LOST_ATTEMPTS, "COVERING INDEX tasks_lost"),
        (statement::EVENTS, "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (statement::EVENTS_BACK, "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (
            statement::EVENTS_OF_WORKER,
            "events_worker (<expr>=? AND worker=? AND rowid>? AND rowid<?)",
        ),
        (
            statement::EVENTS_OF_WORKER_BACK,
            "events_worker (<expr>=? AND worker=? AND rowid>? AND rowid<?)",
        ),
        (statement::EVENTS_OF_TASK, "events_task (<expr>=? AND task=? AND rowid>? AND rowid<?)"),
        (
            statement::EVENTS_OF_TASK_BACK,
            "events_task (<expr>=? AND task=? AND rowid>? AND rowid<?)",
        ),
        (statement::GONE_WORKERS, "workers_gone (gone_since<?)"),
        (statement::LEASING_WORKERS, "tasks_state (state=?)"),
    ] {
        let plan = plan(sql);
        assert!(plan.iter().any(|step| step.contains(index)), "{sql}\n{plan:?}");
    }
}
