//! A disk in trouble, made so by real means: what passes fails the batch and works later, what does not
//! pass is told apart from it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use moorline_node::Persist;
use moorline_work::TaskId;

use super::{NOW, new_dir, submit};
use crate::{EventQuery, SqliteStore, Store, StoreError, TaskFilter};

/// A store with some tasks, all in its file and none in its log.
fn filled(path: &Path) -> SqliteStore {
    let mut store = SqliteStore::open(path).expect("a new store");
    let batch: Vec<Persist> = (0..500).map(|task| submit(task, 200)).collect();
    store.commit(NOW, &batch).expect("a commit");
    store
        .connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .expect("a checkpoint");
    store
}

#[test]
fn a_store_that_may_not_be_written_says_so_and_the_same_batch_works_later() {
    let dir = new_dir();
    let mut store = filled(&dir.path().join("store.db"));
    store.connection.pragma_update(None, "query_only", true).expect("no writing");
    let batch = [submit(1_000, 10)];
    let last = store.last_event();
    for _ in 0..3 {
        match store.commit(NOW, &batch) {
            Err(error @ StoreError::ReadOnly { .. }) => {
                assert!(error.may_pass() && error.to_string().contains("store.db"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(store.last_event(), last, "nothing happened");
    store.connection.pragma_update(None, "query_only", false).expect("writing");
    assert!(store.commit(NOW, &batch).expect("the same batch")[0].conflict.is_none());
    let page = store
        .reader()
        .and_then(|mut reader| reader.events(&EventQuery { after: last, ..EventQuery::default() }));
    let events = page.expect("a reading").events;
    assert!(events.iter().map(|event| event.seq).eq([last + 1]), "and is told of once");
}

#[test]
fn a_log_that_is_no_file_is_no_damage() {
    let dir = new_dir();
    let path = dir.path().join("store.db");
    drop(filled(&path));
    let log = dir.path().join("store.db-wal");
    fs::create_dir(&log).expect("a directory in its place");
    match SqliteStore::open(&path) {
        Err(error @ StoreError::Io { .. }) => {
            assert!(error.may_pass() && error.to_string().contains("store.db"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    fs::remove_dir(&log).expect("gone again");
    SqliteStore::open(&path).expect("all is as it was");
}

#[test]
fn damage_during_operation_is_told_apart_from_what_passes() {
    let dir = new_dir();
    let path = dir.path().join("store.db");
    let mut store = filled(&path);
    let file = File::options().write(true).open(&path).expect("the file");
    let pages = file.metadata().expect("its size").len() / 4096;
    for page in 1..pages {
        file.write_all_at(&[0xa5; 64], page * 4096).expect("damage");
    }
    // What SQLite has in memory is not damaged.
    store.connection.release_memory().expect("forgotten");
    for _ in 0..2 {
        match store.commit(NOW, &[submit(1_000, 10)]) {
            Err(error @ StoreError::Damaged { .. }) => {
                assert!(!error.may_pass());
                assert_eq!(error.code(), 5004);
            }
            other => panic!("{other:?}"),
        }
    }
    let read = store.reader().and_then(|mut reader| reader.task(TaskId(1)));
    assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
}

#[test]
fn a_file_that_was_cut_off_is_damaged_and_no_empty_store() {
    let dir = new_dir();
    let path = dir.path().join("store.db");
    drop(filled(&path));
    let file = File::options().write(true).open(&path).expect("the file");
    let len = file.metadata().expect("its size").len();
    file.set_len(len / 2).expect("cut off");
    let opened = SqliteStore::open(&path).and_then(|mut store| {
        store.reader()?.tasks(&TaskFilter { limit: u32::MAX, ..TaskFilter::default() })?;
        store.commit(NOW, &[submit(1_000, 1)])
    });
    assert!(matches!(opened, Err(StoreError::Damaged { .. })), "{opened:?}");
}
