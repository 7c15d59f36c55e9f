use bytes::Bytes;
use moorline_node::{JournalId, JournalOp, JournalWrite, KeptResult};
use moorline_work::{Attempt, Outcome, RunId, TaskId, TaskKey};

use super::{Journal, JournalSize};
use crate::{MemoryJournal, SqliteJournal};

pub(super) fn result(run: u64, len: usize) -> KeptResult {
    let key = TaskKey { task: TaskId(u128::from(run) << 64 | 7), attempt: Attempt(1) };
    let body = (0..len).map(|at| (at as u64 ^ run) as u8).collect::<Vec<_>>();
    KeptResult { run: RunId(run), key, outcome: Outcome::Succeeded, body: Bytes::from(body) }
}

/// Numbered from 1.
pub(super) fn writes(ops: impl IntoIterator<Item = JournalOp>) -> Vec<JournalWrite> {
    ops.into_iter().zip(1..).map(|(op, id)| JournalWrite { id: JournalId(id), op }).collect()
}

pub(super) fn keep(run: u64, len: usize) -> JournalOp {
    JournalOp::Keep(result(run, len))
}

pub(super) fn forget(run: u64) -> JournalOp {
    JournalOp::Forget { run: RunId(run) }
}

/// Every kind of journal, with this bound.
fn each(max_bytes: u64, mut test: impl FnMut(&mut dyn Journal)) {
    test(&mut MemoryJournal::new(max_bytes));
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("journal.db");
    test(&mut SqliteJournal::open(file, max_bytes).expect("a new journal"));
}

fn commit(journal: &mut dyn Journal, ops: impl IntoIterator<Item = JournalOp>) -> Vec<u64> {
    let full = journal.commit(&writes(ops)).expect("a commit");
    full.into_iter().map(|id| id.0).collect()
}

fn kept(journal: &mut dyn Journal) -> Vec<u64> {
    journal.kept().expect("a reading").iter().map(|result| result.run.0).collect()
}

#[test]
fn what_is_kept_is_there_by_run_until_it_is_forgotten() {
    each(10_000, |journal| {
        let large = u64::MAX - 3;
        assert!(commit(journal, [keep(large, 3), keep(2, 0), keep(9, 100)]).is_empty());
        let all = [result(2, 0), result(9, 100), result(large, 3)];
        assert_eq!(journal.kept().expect("a reading"), all, "numbers of runs have no sign");
        let size = JournalSize { results: 3, bytes: 3 * 64 + 103, max_bytes: 10_000 };
        assert_eq!(journal.size(), size);
        assert!(commit(journal, [forget(9), forget(5)]).is_empty());
        assert_eq!(kept(journal), [2, large]);
        assert_eq!(journal.size(), JournalSize { results: 2, bytes: 2 * 64 + 3, ..size });
    });
}

#[test]
fn every_outcome_comes_back_as_it_was() {
    each(10_000, |journal| {
        let outcomes = [
            Outcome::Succeeded,
            Outcome::Failed { retryable: true },
            Outcome::Failed { retryable: false },
            Outcome::TimedOut,
            Outcome::Cancelled,
        ];
        let results: Vec<_> = outcomes
            .into_iter()
            .zip(1..)
            .map(|(outcome, run)| KeptResult { outcome, ..result(run, 5) })
            .collect();
        assert!(commit(journal, results.iter().cloned().map(JournalOp::Keep)).is_empty());
        assert_eq!(journal.kept().expect("a reading"), results);
    });
}

#[test]
fn a_result_is_delivered_as_the_attempt_that_was_written_last() {
    each(10_000, |journal| {
        let renumber =
            |run, attempt| JournalOp::Renumber { run: RunId(run), attempt: Attempt(attempt) };
        let ops = [keep(1, 5), renumber(1, 4), renumber(1, u32::MAX), renumber(2, 9)];
        assert!(commit(journal, ops).is_empty());
        let mut renumbered = result(1, 5);
        renumbered.key.attempt = Attempt(u32::MAX);
        assert_eq!(journal.kept().expect("a reading"), [renumbered]);
    });
}

#[test]
fn what_finds_no_room_is_named_and_all_else_is_written() {
    // Two with 36 bytes each, and not one byte more.
    each(200, |journal| {
        assert_eq!(commit(journal, [keep(1, 36), keep(2, 37), keep(3, 36)]), [2]);
        assert_eq!((kept(journal), journal.size().bytes), (vec![1, 3], 200));
        assert_eq!(commit(journal, [keep(4, 0), forget(1), keep(5, 37), keep(6, 36)]), [1, 3]);
        assert_eq!(kept(journal), [3, 6], "what is forgotten before makes room");
        assert_eq!(commit(journal, [keep(7, 0), forget(3)]), [1], "and what is after does not");
    });
}

#[test]
fn a_run_that_is_kept_already_is_replaced_within_the_bound() {
    each(200, |journal| {
        assert!(commit(journal, [keep(1, 30), keep(2, 20), keep(1, 50)]).is_empty());
        assert_eq!(journal.size(), JournalSize { results: 2, bytes: 198, max_bytes: 200 });
        assert_eq!(commit(journal, [keep(1, 53)]), [1]);
        assert_eq!(journal.kept().expect("a reading"), [result(1, 50), result(2, 20)]);
    });
}

#[test]
fn nothing_to_write_is_no_work() {
    each(200, |journal| assert!(commit(journal, []).is_empty()));
}
