use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::super::tests::{forget, keep, result, writes};
use super::{JOURNAL, Journal, JournalSize, LOG_LIMIT, SqliteJournal};
use crate::{SqliteStore, StoreError};

const MAX: u64 = 1 << 20;

fn new_dir() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn open(path: &Path) -> SqliteJournal {
    SqliteJournal::open(path, MAX).expect("a journal")
}

fn number(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).expect(sql)
}

/// A journal with `results` of a kilobyte, all in its file and none in its log.
fn filled(path: &Path, results: u64) -> SqliteJournal {
    let mut journal = open(path);
    let full = journal.commit(&writes((0..results).map(|run| keep(run, 1_000)))).expect("a commit");
    assert!(full.is_empty());
    checkpoint(&journal);
    journal
}

fn checkpoint(journal: &SqliteJournal) {
    journal
        .connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .expect("a checkpoint");
}

#[test]
fn every_commit_is_on_the_disk_before_it_returns() {
    let dir = new_dir();
    let journal = open(&dir.path().join("journal.db"));
    let connection = &journal.connection;
    let mode: String =
        connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("a mode");
    assert_eq!(mode, "wal");
    const FULL: i64 = 2;
    assert_eq!(number(connection, "PRAGMA synchronous"), FULL);
    assert_eq!(number(connection, "PRAGMA fullfsync"), 1);
    assert_eq!(number(connection, "PRAGMA application_id"), i64::from(0x6d6f_6a6f));
    assert_eq!(number(connection, "PRAGMA user_version"), 1);
}

/// A step of the past is what made the files of the past: edit it, and theirs differ from ours.
#[test]
fn a_published_migration_is_never_edited() {
    let digests: Vec<String> = JOURNAL
        .steps
        .iter()
        .map(|step| Sha256::digest(step).iter().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    assert_eq!(digests, ["764671b97b38bd07836161d15218c48012d450fb462e256dcec5d612bf4e5008"]);
}

#[test]
fn a_journal_is_opened_again_with_all_it_keeps() {
    let dir = new_dir();
    let path = dir.path().join("journal.db");
    let mut journal = filled(&path, 3);
    journal.commit(&writes([forget(1)])).expect("a commit");
    let size = journal.size();
    drop(journal);
    let mut journal = open(&path);
    assert_eq!(journal.kept().expect("a reading"), [result(0, 1_000), result(2, 1_000)]);
    assert_eq!(journal.size(), size);
    assert_eq!(size, JournalSize { results: 2, bytes: 2 * 1_064, max_bytes: MAX });
}

#[test]
fn a_smaller_bound_takes_nothing_away_and_lets_nothing_in_until_there_is_room() {
    let dir = new_dir();
    let path = dir.path().join("journal.db");
    drop(filled(&path, 3));
    let mut journal = SqliteJournal::open(&path, 2_000).expect("a journal");
    let size = JournalSize { results: 3, bytes: 3 * 1_064, max_bytes: 2_000 };
    assert_eq!(journal.size(), size);
    assert_eq!(journal.kept().expect("a reading").len(), 3);
    let full = journal.commit(&writes([keep(9, 0), forget(0), keep(9, 0)])).expect("a commit");
    assert_eq!(full.len(), 2, "two are still too much");
    let full = journal.commit(&writes([keep(1, 999), forget(2), keep(9, 0)])).expect("a commit");
    assert!(full.is_empty(), "what takes less than it frees, and what has room");
    assert_eq!(journal.size().bytes, 1_063 + 64);
}

#[test]
fn what_is_forgotten_is_used_again_by_the_file_and_its_log() {
    const MAX: u64 = 256 << 10;
    let dir = new_dir();
    let path = dir.path().join("journal.db");
    let mut journal = SqliteJournal::open(&path, MAX).expect("a journal");
    let (mut run, mut largest, mut stays) = (0, 0, None);
    for round in 0..10 {
        // Sizes that leave pages half empty; of each round one small result outlives the next.
        for len in [2_100, 4_062, 70, 30_000, 1] {
            let (first, count) = (run, MAX / (len as u64 + 64 + 65) / 2);
            let kept =
                (0..count).flat_map(|n| [keep(first + 2 * n, len), keep(first + 2 * n + 1, 1)]);
            assert!(journal.commit(&writes(kept)).expect("a commit").is_empty());
            run += 2 * count;
            let gone = stays.replace(run - 1).into_iter().chain(first..run - 1);
            assert!(journal.commit(&writes(gone.map(forget))).expect("a commit").is_empty());
        }
        let size = fs::metadata(&path).expect("its size").len();
        assert!(size <= 4 * MAX, "round {round}: {size} bytes for {MAX}");
        largest = largest.max(size);
    }
    assert!(largest > MAX / 4, "it was used: {largest}");
    let log = fs::metadata(dir.path().join("journal.db-wal")).expect("its log").len();
    assert!(log <= u64::from(LOG_LIMIT), "{log}");
}

#[test]
fn the_log_is_cut_back_after_a_large_result() {
    let dir = new_dir();
    let path = dir.path().join("journal.db");
    let mut journal = SqliteJournal::open(&path, 64 << 20).expect("a journal");
    let log = || fs::metadata(dir.path().join("journal.db-wal")).expect("its log").len();
    journal.commit(&writes([keep(1, 16 << 20)])).expect("a commit");
    assert!(log() > u64::from(LOG_LIMIT));
    for run in 2..5 {
        journal.commit(&writes([forget(run - 1), keep(run, 10)])).expect("a commit");
    }
    assert!(log() <= u64::from(LOG_LIMIT), "{}", log());
}

#[test]
fn a_second_opener_is_refused_until_the_first_has_gone() {
    let dir = new_dir();
    let path = dir.path().join("journal.db");
    let journal = open(&path);
    match SqliteJournal::open(&path, MAX) {
        Err(error @ StoreError::Locked { .. }) => {
            assert!(error.to_string().contains("journal.db is in use"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    drop(journal);
    open(&path);
}

#[test]
fn a_journal_and_a_store_are_not_taken_for_each_other() {
    let dir = new_dir();
    let (store, journal) = (dir.path().join("moorline.db"), dir.path().join("journal.db"));
    drop(SqliteStore::open(&store).expect("a store"));
    drop(open(&journal));
    let (of_store, of_journal) = (fs::read(&store).expect("it"), fs::read(&journal).expect("it"));
    match SqliteJournal::open(&store, MAX) {
        Err(StoreError::Damaged { detail, .. }) => {
            assert_eq!(detail, "this is a coordinator's store");
        }
        other => panic!("{other:?}"),
    }
    match SqliteStore::open(&journal) {
        Err(StoreError::Damaged { detail, .. }) => assert_eq!(detail, "this is a worker's journal"),
        other => panic!("{other:?}"),
    }
    assert!(fs::read(&store).expect("it") == of_store, "the store was changed");
    assert!(fs::read(&journal).expect("it") == of_journal, "the journal was changed");
}

#[test]
fn a_file_of_somebody_else_is_refused_and_left_alone() {
    let dir = new_dir();
    let path = dir.path().join("journal.db");
    let theirs = Connection::open(&path).expect("a database");
    theirs.execute_batch("CREATE TABLE results (run INTEGER PRIMARY KEY)").expect("a table");
    drop(theirs);
    let text = "no database at all, but long enough to have a header\n".repeat(40);
    for content in [fs::read(&path).expect("it"), text.into_bytes()] {
        fs::write(&path, &content).expect("a file");
        let opened = SqliteJournal::open(&path, MAX);
        assert!(matches!(opened, Err(StoreError::Damaged { .. })), "{opened:?}");
        assert!(fs::read(&path).expect("it") == content, "the file was changed");
    }
}

#[test]
fn a_journal_of_a_newer_moorline_is_refused_and_left_alone() {
    let dir = new_dir();
    let path = dir.path().join("journal.db");
    let journal = filled(&path, 1);
    journal.connection.pragma_update(None, "user_version", 2).expect("a newer version");
    drop(journal);
    let before = fs::read(&path).expect("it");
    match SqliteJournal::open(&path, MAX) {
        Err(StoreError::Newer { found, known, .. }) => assert_eq!((found, known), (2, 1)),
        other => panic!("{other:?}"),
    }
    assert!(fs::read(&path).expect("it") == before, "the file was changed");
}

#[test]
fn a_journal_that_is_not_whole_is_refused_when_it_is_opened_and_left_alone() {
    let cut = |file: &File, len: u64| file.set_len(len / 8192 * 4096).expect("cut off");
    let scribble = |file: &File, len: u64| {
        for page in 2..len / 4096 {
            file.write_all_at(&[0xa5; 64], page * 4096).expect("damage");
        }
    };
    let blank = |file: &File, len: u64| {
        file.write_all_at(&[0; 4096], len / 8192 * 4096).expect("a lost page");
    };
    let damages: [fn(&File, u64); 3] = [cut, scribble, blank];
    for (at, damage) in damages.into_iter().enumerate() {
        let dir = new_dir();
        let path = dir.path().join("journal.db");
        drop(filled(&path, 100));
        let file = File::options().write(true).open(&path).expect("the file");
        damage(&file, file.metadata().expect("its size").len());
        let before = fs::read(&path).expect("it");
        match SqliteJournal::open(&path, MAX) {
            Err(error @ StoreError::Damaged { .. }) => {
                assert!(!error.may_pass() && error.to_string().contains("journal.db"), "{error}");
            }
            other => panic!("damage {at}: {other:?}"),
        }
        assert!(fs::read(&path).expect("it") == before, "damage {at}: the file was changed");
    }
}

#[test]
fn a_large_result_that_lost_a_page_is_found_when_the_journal_is_opened() {
    let dir = new_dir();
    let path = dir.path().join("journal.db");
    let mut journal = open(&path);
    journal.commit(&writes([keep(1, 40_000)])).expect("a commit");
    checkpoint(&journal);
    drop(journal);
    // Its body is a chain of pages: the last but two is the end of it now.
    let file = File::options().write(true).open(&path).expect("the file");
    let pages = file.metadata().expect("its size").len() / 4096;
    file.write_all_at(&[0; 4096], (pages - 3) * 4096).expect("a lost page");
    let opened = SqliteJournal::open(&path, MAX);
    assert!(matches!(opened, Err(StoreError::Damaged { .. })), "{opened:?}");
}

#[test]
fn a_journal_with_our_mark_and_without_our_table_is_refused() {
    let dir = new_dir();
    let path = dir.path().join("journal.db");
    let journal = filled(&path, 1);
    journal.connection.execute_batch("ALTER TABLE results RENAME TO others").expect("no table");
    drop(journal);
    match SqliteJournal::open(&path, MAX) {
        Err(StoreError::Damaged { detail, .. }) => assert!(detail.contains("results"), "{detail}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn damage_during_operation_is_told_apart_from_what_passes() {
    let dir = new_dir();
    let path = dir.path().join("journal.db");
    let mut journal = filled(&path, 500);
    let size = journal.size();
    let file = File::options().write(true).open(&path).expect("the file");
    let pages = file.metadata().expect("its size").len() / 4096;
    for page in 1..pages {
        file.write_all_at(&[0xa5; 64], page * 4096).expect("damage");
    }
    // What SQLite has in memory is not damaged.
    journal.connection.release_memory().expect("forgotten");
    for _ in 0..2 {
        match journal.commit(&writes([keep(1_000, 10)])) {
            Err(error @ StoreError::Damaged { .. }) => assert!(!error.may_pass()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(journal.size(), size);
}

#[test]
fn a_full_disk_fails_the_batch_whole_and_the_same_batch_works_later() {
    let dir = new_dir();
    let mut journal = filled(&dir.path().join("journal.db"), 1);
    let pages = number(&journal.connection, "PRAGMA page_count");
    let limit = |journal: &SqliteJournal, pages: i64| {
        number(&journal.connection, &format!("PRAGMA max_page_count = {pages}"));
    };
    limit(&journal, pages + 3);
    let size = journal.size();
    // The first fits, the second does not.
    let batch = writes([forget(0), keep(1, 10), keep(2, 100_000)]);
    for _ in 0..3 {
        match journal.commit(&batch) {
            Err(error @ StoreError::Full { .. }) => assert!(error.may_pass()),
            other => panic!("{other:?}"),
        }
        assert_eq!(journal.kept().expect("a reading"), [result(0, 1_000)], "half a batch");
        assert_eq!(journal.size(), size);
    }
    limit(&journal, 1 << 30);
    assert!(journal.commit(&batch).expect("the same batch, later").is_empty());
    assert_eq!(journal.kept().expect("a reading"), [result(1, 10), result(2, 100_000)]);
}

#[test]
fn a_journal_that_may_not_be_written_says_so_and_the_same_batch_works_later() {
    let dir = new_dir();
    let path = dir.path().join("journal.db");
    let mut journal = filled(&path, 1);
    let batch = writes([forget(0), keep(1, 10)]);
    journal.connection.pragma_update(None, "query_only", true).expect("no writing");
    for _ in 0..2 {
        match journal.commit(&batch) {
            Err(error @ StoreError::ReadOnly { .. }) => {
                assert!(error.may_pass() && error.to_string().contains("journal.db"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
    journal.connection.pragma_update(None, "query_only", false).expect("writing");
    journal.commit(&batch).expect("the same batch");
    assert_eq!(journal.kept().expect("a reading"), [result(1, 10)]);
    drop(journal);

    let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
    mode(0o444);
    if File::options().write(true).open(&path).is_ok() {
        // Who may write everything (root) is refused by no mode.
        return;
    }
    let opened = SqliteJournal::open(&path, MAX);
    assert!(matches!(opened, Err(StoreError::ReadOnly { .. })), "{opened:?}");
    mode(0o644);
    open(&path);
}

#[test]
fn a_place_without_a_directory_or_a_file_is_an_io_error() {
    let dir = new_dir();
    for place in [dir.path().join("missing/journal.db"), dir.path().to_owned()] {
        let opened = SqliteJournal::open(&place, MAX);
        assert!(matches!(opened, Err(StoreError::Io { .. })), "{place:?}: {opened:?}");
    }
}
