//! What only real processes show: a kill at any moment, a second process, a write that the kernel refuses.
//!
//! Each test starts itself again, alone in another process: there `MOORLINE_STORE_FILE` names the store
//! that this process is to work on, and the test does the child's part. The children speak by lines on stdout.

#[path = "process/journal.rs"]
mod journal;
#[path = "process/part.rs"]
mod part;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use moorline_node::{Name, Persist, PersistId, Spec, StoreOp, StorePlacement};
use moorline_store::{SqliteStore, Store, StoreError, TaskFilter, WallTime};
use moorline_work::{Attempt, End, Incarnation, TaskId, TaskKey, TaskState, WorkerId};

use part::{Part, my_file, random, say};

const NOW: WallTime = WallTime(1_700_000_000_000);

/// Batch `n`: task `2n` goes all the way to its result, task `2n + 1` is leased with its submission.
fn batch(n: u64) -> Vec<Persist> {
    let spec = Spec {
        handler: Name::new("resize").expect("a name"),
        priority: 0,
        max_retries: 0,
        timeout: None,
    };
    let key = |task: u64| TaskKey { task: TaskId(task.into()), attempt: Attempt(1) };
    let (worker, incarnation) = (WorkerId(1), Incarnation(1));
    let submit = |task: u64, placement| StoreOp::Submit {
        task: TaskId(task.into()),
        spec: spec.clone(),
        payload: body(task),
        placement,
    };
    let (ends, stays) = (2 * n, 2 * n + 1);
    let finish = StoreOp::Finish { key: key(ends), end: End::Succeeded, body: body(ends + 7) };
    let ops = [
        submit(ends, StorePlacement::Unclaimed),
        submit(stays, StorePlacement::Leased { worker, incarnation }),
        StoreOp::Lease { key: key(ends), worker, incarnation },
        finish,
    ];
    ops.into_iter().zip(1..).map(|(op, id)| Persist { id: PersistId(n * 10 + id), op }).collect()
}

/// Some kilobytes, so that a batch is many pages.
fn body(seed: u64) -> Bytes {
    (0..3_000 + seed % 5_000).map(|n| (n.wrapping_mul(31) ^ seed) as u8).collect()
}

/// Batches `0..n` that are in the store: each whole, and none after a gap.
fn whole_batches(store: &SqliteStore) -> u64 {
    let mut reader = store.reader().expect("a reader");
    let everything = TaskFilter { limit: u32::MAX, ..TaskFilter::default() };
    let mut tasks = reader.tasks(&everything).expect("all tasks");
    tasks.reverse();
    assert_eq!(tasks.len() % 2, 0, "half a batch");
    for (task, n) in tasks.iter().zip(0_u64..) {
        assert_eq!((task.task, task.attempt), (TaskId(n.into()), Attempt(1)), "a gap, or a part");
        if n % 2 == 0 {
            assert_eq!((task.state, task.applied), (TaskState::Succeeded, 1), "task {n}");
            let result = reader.result(task.task).expect("a reading");
            assert_eq!(result, Some(body(n + 7)), "the result of task {n}");
        } else {
            assert_eq!((task.state, task.applied), (TaskState::Leased, 0), "task {n}");
        }
    }
    let counts = reader.counts().expect("counts");
    let half = tasks.len() as u64 / 2;
    assert_eq!(counts.by_state, [0, half, half, 0, 0, 0]);
    half
}

fn commit_until_killed(file: &Path) -> ! {
    let mut store = SqliteStore::open(file).expect("the store");
    let epoch = store.begin_epoch(NOW).expect("an epoch");
    say(format_args!("epoch {}", epoch.0));
    let first = whole_batches(&store);
    let mut n = first;
    loop {
        let answers = store.commit(NOW, &batch(n)).expect("a commit");
        assert!(answers.iter().all(|done| done.conflict.is_none()), "{answers:?}");
        say(format_args!("acknowledged {n}"));
        n += 1;
    }
}

#[test]
fn a_kill_at_any_moment_loses_nothing_acknowledged_and_leaves_no_half_batch() {
    const SELF: &str = "a_kill_at_any_moment_loses_nothing_acknowledged_and_leaves_no_half_batch";
    if let Some(file) = my_file() {
        commit_until_killed(&file);
    }
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("store.db");
    let mut epochs = BTreeSet::new();
    let mut acknowledged = 0;
    for _ in 0..20 {
        let moment = random();
        let mut part = Part::of(SELF, &file);
        let mut words = Vec::new();
        // Often before anything is said: then it dies while it opens the store, or recovers it.
        for _ in 0..moment % 8 * 6 {
            words.extend(part.hear());
        }
        std::thread::sleep(Duration::from_micros(moment / 8 % 4_000));
        words.extend(part.kill());

        for word in &words {
            if let Some(epoch) = word.strip_prefix("epoch ") {
                assert!(epochs.insert(epoch.parse::<u64>().expect("a number")), "used twice");
            }
            if let Some(n) = word.strip_prefix("acknowledged ") {
                assert_eq!(n.parse(), Ok(acknowledged), "moment {moment}");
                acknowledged += 1;
            }
        }
        let mut store = SqliteStore::open(&file).expect("a store that survived");
        let whole = whole_batches(&store);
        // The last one may have been committed and not been said.
        assert!(
            (acknowledged..=acknowledged + 1).contains(&whole),
            "moment {moment}: {acknowledged} acknowledged, {whole} there"
        );
        acknowledged = whole;
        let epoch = store.begin_epoch(NOW).expect("an epoch");
        assert!(epochs.insert(epoch.0), "moment {moment}: an epoch used twice");
        assert_eq!(epochs.last(), Some(&epoch.0), "epochs only grow");
    }
    assert!(acknowledged > 20, "it did work: {acknowledged} batches");
}

/// A crash of the machine may leave any part of the log after the last sync: a copy that ends anywhere
/// shows whole batches only.
#[test]
fn a_log_that_ends_anywhere_shows_whole_batches_only() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("store.db");
    let mut store = SqliteStore::open(&file).expect("a new store");
    for n in 0..12 {
        store.commit(NOW, &batch(n)).expect("a commit");
    }
    let log = std::fs::read(dir.path().join("store.db-wal")).expect("its log");
    let base = std::fs::read(&file).expect("its file");
    let mut seen = BTreeSet::new();
    let step = log.len() / 60 + 1;
    for end in (0..=log.len()).step_by(step).chain([log.len()]) {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("store.db");
        std::fs::write(&file, &base).expect("a copy");
        std::fs::write(dir.path().join("store.db-wal"), &log[..end]).expect("a torn log");
        match SqliteStore::open(&file) {
            Ok(store) => {
                seen.insert(whole_batches(&store));
            }
            Err(error) => panic!("a log of {end} bytes: {error}"),
        }
    }
    assert_eq!(seen.last(), Some(&12), "the whole log has everything");
    assert!(seen.len() > 8, "the ends were between many batches: {seen:?}");
}

fn hold_the_store(file: &Path) {
    match SqliteStore::open(file) {
        Ok(_store) => {
            say("open");
            // Until the parent lets go, or kills us.
            let _ = std::io::stdin().lines().next();
        }
        Err(error) => say(format_args!("refused: {error}")),
    }
}

#[test]
fn a_second_process_is_refused_until_the_first_has_gone() {
    const SELF: &str = "a_second_process_is_refused_until_the_first_has_gone";
    if let Some(file) = my_file() {
        return hold_the_store(&file);
    }
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("store.db");
    let mut first = Part::of(SELF, &file);
    assert_eq!(first.hear().as_deref(), Some("open"));

    let mut second = Part::of(SELF, &file);
    let words = second.hear().expect("a word");
    assert!(words.contains("in use by another process"), "{words}");
    assert!(words.contains("store.db"), "it names the file: {words}");
    match SqliteStore::open(&file) {
        Err(StoreError::Locked { .. }) => {}
        other => panic!("{other:?}"),
    }

    // The kernel lets go for it.
    first.kill();
    let mut third = Part::of(SELF, &file);
    assert_eq!(third.hear().as_deref(), Some("open"));
}

fn write_beyond_the_limit(file: &Path) {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut store = SqliteStore::open(file).expect("a new store");
    store.begin_epoch(NOW).expect("an epoch");
    let mut n = 0;
    let error = loop {
        match store.commit(NOW, &batch(n)) {
            Ok(_) => n += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    for _ in 0..3 {
        let again = store.commit(NOW, &batch(n));
        assert!(matches!(again, Err(StoreError::Io { .. })), "{again:?}");
        assert_eq!(whole_batches(&store), n, "nothing of it happened");
    }
    say(format_args!("failed after {n}: {error}"));

    let limit = getrlimit(Resource::Fsize);
    let larger = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Fsize, larger).expect("room");
    let answers = store.commit(NOW, &batch(n)).expect("the same batch");
    assert!(answers.iter().all(|done| done.conflict.is_none()), "{answers:?}");
    for later in n + 1..n + 10 {
        store.commit(NOW, &batch(later)).expect("a commit");
    }
    say(format_args!("then {}", whole_batches(&store)));
}

#[test]
fn a_write_that_the_kernel_refuses_fails_whole_and_works_later() {
    const SELF: &str = "a_write_that_the_kernel_refuses_fails_whole_and_works_later";
    if let Some(file) = my_file() {
        return write_beyond_the_limit(&file);
    }
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("store.db");
    // The limit counts in blocks of 512 or 1,024 bytes; beyond it a write fails, its signal is ignored.
    let mut command = Command::new("sh");
    let script = "trap '' XFSZ; ulimit -S -f 600; exec \"$0\" \"$@\"";
    command.args(["-c", script]).arg(std::env::current_exe().expect("this binary"));
    let mut part = Part::start(command, SELF, &file);
    let failed = part.hear().expect("a failure");
    let (before, error) = failed
        .strip_prefix("failed after ")
        .and_then(|words| words.split_once(": "))
        .unwrap_or_else(|| panic!("{failed}"));
    let before: u64 = before.parse().expect("a number");
    assert!(before > 2, "{failed}");
    assert!(error.contains("store.db"), "it names the file: {error}");
    assert_eq!(part.hear(), Some(format!("then {}", before + 10)));
    assert!(part.child.wait().expect("its end").success());
    let store = SqliteStore::open(&file).expect("the store");
    assert_eq!(whole_batches(&store), before + 10);
}
