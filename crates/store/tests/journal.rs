//! Whatever is written to a journal, the one in memory and the one in a file answer the same, and the file
//! opened again is as it was.

use bytes::Bytes;
use moorline_node::{JournalId, JournalOp, JournalWrite, KeptResult};
use moorline_store::{Journal, MemoryJournal, SqliteJournal};
use moorline_work::{Attempt, Outcome, RunId, TaskId, TaskKey};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Room for some three of the results below.
const MAX: u64 = 400;

/// Few runs, so that writes meet; some with the highest bit.
fn run() -> impl Strategy<Value = RunId> {
    select(vec![RunId(0), RunId(1), RunId(2), RunId(3), RunId(1 << 63), RunId(u64::MAX)])
}

fn outcome() -> impl Strategy<Value = Outcome> {
    select(vec![
        Outcome::Succeeded,
        Outcome::Failed { retryable: true },
        Outcome::Failed { retryable: false },
        Outcome::TimedOut,
        Outcome::Cancelled,
    ])
}

fn kept() -> impl Strategy<Value = KeptResult> {
    let key = (select(vec![0, 7, u128::MAX]), select(vec![0, 1, u32::MAX]));
    let body = vec(any::<u8>(), 0..150);
    (run(), key, outcome(), body).prop_map(|(run, (task, attempt), outcome, body)| {
        let key = TaskKey { task: TaskId(task), attempt: Attempt(attempt) };
        KeptResult { run, key, outcome, body: Bytes::from(body) }
    })
}

fn op() -> impl Strategy<Value = JournalOp> {
    prop_oneof![
        4 => kept().prop_map(JournalOp::Keep),
        1 => (run(), 0..5_u32)
            .prop_map(|(run, attempt)| JournalOp::Renumber { run, attempt: Attempt(attempt) }),
        2 => run().prop_map(|run| JournalOp::Forget { run }),
    ]
}

/// A batch, and whether the file is opened again after it, with another bound.
fn step() -> impl Strategy<Value = (Vec<JournalOp>, Option<u64>)> {
    let again = prop::option::weighted(0.3, select(vec![MAX, MAX / 2, 2 * MAX]));
    (vec(op(), 0..6), again)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn both_journals_answer_the_same_and_a_file_opened_again_has_it_all(steps in vec(step(), 1..25)) {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("journal.db");
        let mut memory = MemoryJournal::new(MAX);
        let mut sqlite = SqliteJournal::open(&file, MAX).expect("a journal");
        let mut next = 0;
        for (ops, again) in steps {
            let batch: Vec<_> = ops
                .into_iter()
                .map(|op| {
                    next += 1;
                    JournalWrite { id: JournalId(next), op }
                })
                .collect();
            let before = memory.size();
            let full = memory.commit(&batch).expect("a commit");
            prop_assert_eq!(sqlite.commit(&batch).expect("a commit"), full);
            if let Some(max_bytes) = again {
                drop(sqlite);
                sqlite = SqliteJournal::open(&file, max_bytes).expect("the same journal");
                memory = memory.bounded_by(max_bytes);
            }
            let kept = memory.kept().expect("a reading");
            prop_assert_eq!(sqlite.kept().expect("a reading"), &kept[..]);
            let size = memory.size();
            prop_assert_eq!(sqlite.size(), size);
            // Its own account of itself is right, and within its bound.
            prop_assert_eq!(size.results, kept.len() as u64);
            prop_assert_eq!(size.bytes, kept.iter().map(KeptResult::cost).sum::<u64>());
            prop_assert!(size.bytes <= before.max_bytes.max(before.bytes), "{before:?}, {size:?}");
        }
    }
}
